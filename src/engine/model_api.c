/* model_api.c - the public interface (unseen.h): the library, models, their classes, and what they
 * say about features. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/names.h"
#include "base/parallel.h"
#include "engine/handles.h"
#include "method/methods.h"

/* ---- the library ---- */

const char *unseen_last_error(void) { return un_error(); }

int unseen_last_errno(void) { return un_error_code(); }

void unseen_set_log(unseen_log_function function, void *user) { un_set_log(function, user); }

unseen_status unseen_set_threads(int threads) {
    UN_LOCALE_C;
    return un_set_threads(threads);
}

const char *unseen_method_name(size_t i) {
    for (size_t k = 0; un_methods[k]; k++)
        if (k == i) return un_methods[k]->name;
    return NULL;
}

static json_t *option_json(const un_option *o) {
    json_t *choices = o->choices ? json_array() : json_null();
    for (const char *at = o->choices; at;) {
        const char *end = strchrnul(at, '|');
        un_json_push(&choices, json_stringn(at, (size_t)(end - at)));
        at = *end ? end + 1 : NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:o}", "key", o->key, "default", o->fallback, "help", o->help,
                     "choices", choices);
}

static un_status describe_method(const un_method_class *class, json_t *out) {
    static const char *const inputs[] = {[UN_FEATURES_POOLED] = "pooled",
                                         [UN_FEATURES_REGIONS] = "regions",
                                         [UN_FEATURES_PIXELS] = "pixels"};
    const un_option *tables[UN_OPTION_TABLES];
    json_t *presets = json_array(), *settings = json_array();
    for (const un_preset *p = class->presets; p->name; p++) {
        json_t *values = NULL;
        un_status status = un_json_parse(p->config, strlen(p->config), p->name, &values);
        un_json_push(&presets, status ? NULL
                                      : json_pack("{s:s, s:s, s:o}", "name", p->name, "summary",
                                                  p->summary, "settings", values));
    }
    un_option_tables(class, tables);
    for (size_t t = 0; tables[t]; t++)
        for (const un_option *o = tables[t]; o->key; o++) un_json_push(&settings, option_json(o));
    un_status status = un_json_set(out, "presets", presets);
    if (status)
        json_decref(settings);
    else
        status = un_json_set(out, "settings", settings);
    UN_TRY(status);
    UN_TRY(un_json_set(out, "name", json_string(class->name)));
    UN_TRY(un_json_set(out, "title", json_string(class->title)));
    UN_TRY(un_json_set(out, "score_unit", json_string(class->score_unit)));
    return un_json_set(out, "input", json_string(inputs[class->input]));
}

unseen_status unseen_method_describe(const char *method, const char **json) {
    UN_LOCALE_C;
    static _Thread_local char said[32768]; /* ends with its thread */
    const un_method_class *class = NULL;
    char *text = NULL;
    if (!method || !json)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_method_describe: a pointer is NULL");
    UN_TRY(un_method_find(method, &class));
    json_t *out = json_object();
    un_status status = out ? describe_method(class, out) : un_fail_memory(0);
    if (!status) status = un_json_text(out, &text);
    json_decref(out);
    UN_TRY(status);
    size_t n = strlen(text) + 1;
    if (n <= sizeof said) memcpy(said, text, n);
    free(text);
    if (n > sizeof said) return un_fail_memory(n);
    *json = said;
    return UNSEEN_OK;
}

/* ---- models ---- */

static const unseen_model_options g_options = {.size = sizeof g_options, .precision = "auto"};

void unseen_model_options_init(unseen_model_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

un_status un_model_handle(un_classifier *classifier, unseen_model **out) {
    unseen_model *model = calloc(1, sizeof *model);
    if (!model) {
        un_classifier_close(classifier);
        return un_fail_memory(sizeof *model);
    }
    model->classifier = *classifier;
    *out = model;
    return UNSEEN_OK;
}

unseen_status unseen_model_open_with(const char *path, const unseen_model_options *options,
                                     unseen_model **out) {
    UN_LOCALE_C;
    unseen_model_options o = g_options;
    un_classifier classifier;
    un_precision precision = UN_PRECISION_AUTO;
    if (!path || !out) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_open: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_model_options", &o, sizeof o));
    if (o.precision) UN_TRY(un_precision_parse(o.precision, &precision));
    UN_TRY(un_classifier_open(&classifier, path, precision));
    return un_model_handle(&classifier, out);
}

unseen_status unseen_model_open(const char *path, unseen_model **out) {
    return unseen_model_open_with(path, NULL, out);
}

unseen_status unseen_model_clone(const unseen_model *model, unseen_model **out) {
    UN_LOCALE_C;
    un_classifier classifier;
    if (!model || !out) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_clone: a pointer is NULL");
    UN_TRY(un_classifier_clone(&model->classifier, &classifier));
    return un_model_handle(&classifier, out);
}

unseen_status unseen_model_save(const unseen_model *model, const char *path) {
    UN_LOCALE_C;
    if (!model || !path) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_save: a pointer is NULL");
    const un_model *m = &model->classifier.model;
    json_t *manifest = un_json_copy(m->manifest);
    un_status status = manifest ? UNSEEN_OK : un_fail_memory(0);
    if (!status && m->gamma_is_given) status = un_json_set(manifest, "gamma", json_real(m->gamma));
    if (!status) status = un_model_save(path, m->method, &model->classifier.classes, manifest);
    json_decref(manifest);
    return status;
}

void unseen_model_close(unseen_model *model) {
    if (!model) return;
    un_classifier_close(&model->classifier);
    for (size_t i = 0; i < model->error_count; i++) free(model->errors[i]);
    free(model->errors);
    free(model->recipe);
    free(model->description);
    free(model);
}

const char *unseen_model_method(const unseen_model *model) {
    return model ? model->classifier.model.method->class->name : NULL;
}

size_t unseen_model_class_count(const unseen_model *model) {
    return model ? model->classifier.classes.count : 0;
}

const char *unseen_model_class_name(const unseen_model *model, size_t k) {
    return k < unseen_model_class_count(model) ? model->classifier.classes.names[k] : NULL;
}

int unseen_model_class_seen(const unseen_model *model, size_t k) {
    return k < unseen_model_class_count(model) ? model->classifier.classes.seen[k] : -1;
}

size_t unseen_model_feature_length(const unseen_model *model) {
    return model ? model->classifier.model.regions * model->classifier.model.width : 0;
}

double unseen_model_gamma(const unseen_model *model) {
    return model ? model->classifier.model.gamma : 0;
}

unseen_status unseen_model_set_gamma(unseen_model *model, double gamma) {
    UN_LOCALE_C;
    if (!model) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_set_gamma: a pointer is NULL");
    return un_model_set_gamma(&model->classifier.model, gamma);
}

const char *unseen_model_manifest(const unseen_model *model) {
    return model ? model->classifier.model.manifest_text : NULL;
}

size_t unseen_model_attribute_count(const unseen_model *model) {
    if (!model || model->classifier.classes.semantics_count != 1) return 0;
    return model->classifier.classes.semantics[0].width;
}

const char *unseen_model_attribute_name(const unseen_model *model, size_t i) {
    if (i >= unseen_model_attribute_count(model)) return NULL;
    char *const *names = model->classifier.classes.semantics[0].attributes;
    return names ? names[i] : NULL;
}

/* ---- classes described after training ---- */

/* A caller's description by the attributes' numbers, in `arena`. */
static un_status read_description(const un_classifier *c, const char *name,
                                  const char *const *attributes, const float *values, size_t n,
                                  un_arena *arena, un_description *out) {
    char **names = NULL;
    size_t *numbers = NULL;
    double *wide = NULL;
    if (n == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "nothing is said about class \"%.80s\"",
                       name ? name : "");
    if (!attributes || !values)
        return un_fail(UNSEEN_E_ARGUMENT, "names or values of attributes are NULL");
    if (name && !un_text_is_utf8((const unsigned char *)name, strlen(name)))
        return un_fail(UNSEEN_E_ARGUMENT, "the name of a class is not UTF-8");
    UN_TRY(un_arena_alloc(arena, n, sizeof *names, &names));
    UN_TRY(un_arena_alloc(arena, n, sizeof *numbers, &numbers));
    UN_TRY(un_arena_alloc(arena, n, sizeof *wide, &wide));
    for (size_t i = 0; i < n; i++) {
        if (!attributes[i])
            return un_fail(UNSEEN_E_ARGUMENT, "the name of attribute %zu is NULL", i);
        UN_TRY(un_arena_string(arena, attributes[i], &names[i]));
        wide[i] = un_decimal_of(values[i]);
    }
    UN_TRY(un_classifier_attributes(c, names, n, numbers));
    *out = (un_description){name, n, numbers, wide};
    return UNSEEN_OK;
}

unseen_status unseen_model_add_class(unseen_model *model, const char *name,
                                     const char *const *attributes, const float *values, size_t n) {
    UN_LOCALE_C;
    un_arena arena = {0};
    un_description d;
    if (!model || !name)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_class: a pointer is NULL");
    un_status status =
        read_description(&model->classifier, name, attributes, values, n, &arena, &d);
    if (!status) status = un_classifier_describe(&model->classifier, &d, 1);
    un_arena_free(&arena);
    return status;
}

unseen_status unseen_model_add_classes(unseen_model *model, const unseen_description *classes,
                                       size_t count) {
    UN_LOCALE_C;
    un_arena arena = {0};
    un_description *d = NULL;
    if (!model || (!classes && count > 0))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_classes: a pointer is NULL");
    if (count == 0) return UNSEEN_OK;
    un_status status = un_arena_alloc(&arena, count, sizeof *d, &d);
    for (size_t i = 0; i < count && !status; i++) {
        const unseen_description *c = &classes[i];
        for (size_t j = 0; j < i && c->name && !status; j++)
            if (!strcmp(classes[j].name, c->name))
                status =
                    un_fail(UNSEEN_E_ARGUMENT, "two descriptions are of a class \"%s\"", c->name);
        if (!c->name)
            status = un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_classes: a name is NULL");
        if (!status)
            status = read_description(&model->classifier, c->name, c->attributes, c->values, c->n,
                                      &arena, &d[i]);
    }
    if (!status) status = un_classifier_describe(&model->classifier, d, count);
    un_arena_free(&arena);
    return status;
}

unseen_status unseen_model_replace_class(unseen_model *model, size_t k, const char *name,
                                         const char *const *attributes, const float *values,
                                         size_t n) {
    UN_LOCALE_C;
    un_arena arena = {0};
    un_description d;
    if (!model) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_replace_class: a pointer is NULL");
    un_status status =
        read_description(&model->classifier, name, attributes, values, n, &arena, &d);
    if (!status) status = un_classifier_replace(&model->classifier, k, &d);
    un_arena_free(&arena);
    return status;
}

unseen_status unseen_model_remove_class(unseen_model *model, size_t k) {
    UN_LOCALE_C;
    if (!model) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_remove_class: a pointer is NULL");
    return un_classifier_remove(&model->classifier, k);
}

unseen_status unseen_model_read_classes(unseen_model *model, const char *path) {
    UN_LOCALE_C;
    if (!model || !path)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_read_classes: a pointer is NULL");
    return un_new_classes_read(&model->classifier, path);
}

/* ---- features to answers ---- */

un_status un_features_check(const unseen_model *model, const float *features, size_t n,
                            size_t first) {
    size_t D = unseen_model_feature_length(model), C = model->classifier.classes.count;
    if (n > SIZE_MAX / sizeof *features / (D > C ? D : C))
        return un_fail(UNSEEN_E_ARGUMENT, "%zu images are more than memory can hold", n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++)
            if (!isfinite(features[i * D + j]))
                return un_fail(UNSEEN_E_ARGUMENT, "feature %zu of image %zu is not a finite number",
                               j, first + i);
    return UNSEEN_OK;
}

unseen_status unseen_model_score(unseen_model *model, const float *features, size_t n,
                                 unseen_calibration calibration, float *scores) {
    UN_LOCALE_C;
    if (!model || !features || !scores)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_score: a pointer is NULL");
    if (calibration != UNSEEN_NATIVE && calibration != UNSEEN_CALIBRATED)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_score: %d is no unseen_calibration",
                       (int)calibration);
    UN_TRY(un_features_check(model, features, n, 0));
    return un_classifier_score(&model->classifier, features, n, calibration == UNSEEN_CALIBRATED,
                               scores);
}

void unseen_model_grid(const unseen_model *model, size_t *height, size_t *width) {
    if (height) *height = model ? model->classifier.grid_height : 0;
    if (width) *width = model ? model->classifier.grid_width : 0;
}

size_t unseen_model_branch_count(const unseen_model *model) {
    return model ? un_method_map_branches(model->classifier.model.method->class) : 0;
}

unseen_status unseen_model_attribute_scores(unseen_model *model, const float *features,
                                            float *out) {
    UN_LOCALE_C;
    if (!model || !features || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_attribute_scores: a pointer is NULL");
    UN_TRY(un_features_check(model, features, 1, 0));
    return un_classifier_attribute_scores(&model->classifier, features, out);
}

unseen_status unseen_model_attention(unseen_model *model, const float *features, float *out) {
    UN_LOCALE_C;
    if (!model || !features || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_attention: a pointer is NULL");
    const un_method_class *class = model->classifier.model.method->class;
    if (!class->maps)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has no attention over regions", class->name);
    UN_TRY(un_features_check(model, features, 1, 0));
    return class->maps->attend(model->classifier.model.method, features, out);
}

/* ---- names of version 0.1 ---- */

unseen_status unseen_attributes(unseen_model *model, const float *features, float *out) {
    return unseen_model_attribute_scores(model, features, out);
}

unseen_status unseen_attention(unseen_model *model, const float *features, float *out) {
    return unseen_model_attention(model, features, out);
}
