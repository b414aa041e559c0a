/* card_api.c - the public interface (unseen.h): what a model is, for whoever is to ask it, and how
 * alike the descriptions of its classes are. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/names.h"
#include "engine/evaluation.h"
#include "engine/handles.h"
#include "method/attribute_groups.h"
#include "protocol/report.h"

/* ---- classes and attributes ---- */

static json_t *classes_json(const un_classifier *c) {
    json_t *out = json_array();
    for (size_t k = 0; k < c->classes.count; k++)
        un_json_push(&out, json_pack("{s:s, s:b, s:b}", "name", c->classes.names[k], "seen",
                                     (int)c->classes.seen[k], "new",
                                     (int)(c->described && c->described[k])));
    return out;
}

static size_t seen_count(const un_class_table *classes) {
    size_t count = 0;
    for (size_t k = 0; k < classes->count; k++) count += classes->seen[k] != 0;
    return count;
}

/* Attributes that name no group are in one without a name. */
static const char *group_name(const un_attribute_groups *groups, char *const *attributes,
                              size_t g) {
    for (size_t i = 0; i < groups->count; i++)
        if (groups->group_of[i] == g)
            return un_attribute_value(attributes[i], &(size_t){0}) == attributes[i]
                       ? ""
                       : groups->groups[g];
    return "";
}

/* With the range of its values in training where these have a unit of their own. */
static json_t *attribute_json(const un_classifier *c, const un_attribute_groups *groups, size_t i) {
    const un_class_semantics *m = &c->classes.semantics[0];
    json_t *out = json_pack("{s:I, s:s, s:s}", "number", (json_int_t)i, "name", m->attributes[i],
                            "value", groups->names[i]);
    if (out && m->scaling && un_classifier_value_unit(c) == UN_VALUES_OTHER) {
        un_json_put(&out, "least", un_json_number(m->scaling->least[i]));
        un_json_put(&out, "largest", un_json_number(m->scaling->largest[i]));
    }
    return out;
}

static json_t *group_json(const un_classifier *c, const un_attribute_groups *groups, size_t g) {
    json_t *out = json_array();
    for (size_t i = 0; i < groups->count; i++)
        if (groups->group_of[i] == g) un_json_push(&out, attribute_json(c, groups, i));
    return json_pack("{s:s, s:o}", "name",
                     group_name(groups, c->classes.semantics[0].attributes, g), "attributes", out);
}

/* A list; empty where attributes have no names. */
static un_status make_groups(const un_classifier *c, json_t **out) {
    const un_class_semantics *m = &c->classes.semantics[0];
    un_attribute_groups groups;
    un_arena arena = {0};
    un_status status = UNSEEN_OK;
    *out = json_array();
    if (c->classes.semantics_count == 1 && m->attributes) {
        status = un_attribute_groups_make(m->attributes, m->width,
                                          &(un_attribute_groups_options){.table = NULL}, &arena,
                                          &groups);
        for (size_t g = 0; !status && g < groups.group_count; g++)
            un_json_push(out, group_json(c, &groups, g));
    }
    un_arena_free(&arena);
    return status;
}

/* Whether classes can be added, and what is said of them then. */
static un_status add_describing(const un_classifier *c, json_t *out) {
    static const char *const kinds[] = {
        [UN_VALUES_SHARES] = "share", [UN_VALUES_PERCENT] = "percent", [UN_VALUES_OTHER] = "other"};
    int can = un_classifier_attributes(c, NULL, 0, NULL) == UNSEEN_OK;
    un_value_unit unit = can ? un_classifier_value_unit(c) : UN_VALUES_OTHER;
    UN_TRY(un_json_set(out, "can_describe", json_boolean(can)));
    UN_TRY(un_json_set(out, "why_not", can ? json_null() : json_string(un_error())));
    return un_json_set(out, "value_unit",
                       json_pack("{s:s, s:o}", "kind", kinds[unit], "maximum",
                                 unit == UN_VALUES_OTHER
                                     ? json_null()
                                     : json_integer(unit == UN_VALUES_SHARES ? 1 : 100)));
}

/* ---- how it came about, and how good it is ---- */

static json_t *chance(size_t classes) {
    return classes > 0 ? json_real(1.0 / (double)classes) : json_null();
}

static json_t *accuracies_json(const un_model *model) {
    static const char *const keys[] = {"T1", "U", "S", "H", "AUSUC"};
    const un_class_table *classes = &model->classes;
    const json_t *metrics = json_object_get(model->manifest, "metrics");
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(metrics, keys[i]);
        un_json_put(&out, keys[i], json_is_number(value) ? json_incref(value) : json_null());
    }
    un_json_put(&out, "chance_T1", chance(classes->count - seen_count(classes)));
    un_json_put(&out, "chance_U", chance(classes->count));
    un_json_put(&out, "chance_S", chance(classes->count));
    un_json_put(&out, "chance_H", chance(classes->count));
    return out;
}

static json_t *calibration_json(const un_model *model) {
    char text[96];
    const char *source = model->gamma_is_given ? "given" : model->has_gamma ? "selected" : NULL;
    un_method_calibration_text(model->method->class, model->gamma, text, sizeof text);
    return json_pack("{s:o, s:o, s:o}", "gamma", un_json_number(model->gamma), "source",
                     source ? json_string(source) : json_null(), "text",
                     *text ? json_string(text) : json_null());
}

static const char *selection_text(const un_model *model, const char *selection) {
    const un_method_class *class = model->method->class;
    if (un_manifest_learned_all(model->manifest))
        return "It learned from every image of its data set, those of the test lists included, so "
               "it "
               "has no test figures.";
    if (!strcmp(selection, UN_SELECTED_ON_TEST))
        return "It was selected on the test lists: its figures are too good to report.";
    if (strcmp(selection, "validation") != 0)
        return "Nothing was selected: length and settings are as they were given.";
    if (class->closed_form)
        return "Its settings and gamma were chosen on validation folds, and the test lists were "
               "read "
               "once.";
    return un_method_has_fixed_length(class)
               ? "Its gamma was chosen on validation folds, and the test lists were read once."
               : "Its length and gamma were chosen on validation folds, and the test lists were "
                 "read "
                 "once.";
}

static json_t *intended_text(const un_classifier *c, const char *data_set) {
    return json_sprintf(
        "It tells %zu classes%s%s apart, and knows no others: whatever else a picture shows gets "
        "the name of one of them. It is not for decisions about people, nor where a wrong answer "
        "does harm.",
        c->classes.count, data_set ? " of the data set " : "", data_set ? data_set : "");
}

static un_status add_provenance(const un_classifier *c, json_t *out) {
    const un_model *model = &c->model;
    const json_t *selected = json_object_get(model->manifest, "selection");
    const char *selection = json_string_value(json_object_get(selected, "mode"));
    const char *data_set =
        json_string_value(json_object_get(json_object_get(model->manifest, "data"), "name"));
    if (!selection) selection = "none";
    UN_TRY(un_json_set(out, "data_set", data_set ? json_string(data_set) : json_null()));
    UN_TRY(un_json_set(out, "calibration", calibration_json(model)));
    UN_TRY(un_json_set(out, "accuracies", accuracies_json(model)));
    UN_TRY(un_json_set(out, "selection", json_string(selection)));
    UN_TRY(un_json_set(out, "selection_text", json_string(selection_text(model, selection))));
    return un_json_set(out, "intended", intended_text(c, data_set));
}

/* ---- the whole ---- */

static un_status fill(const unseen_model *handle, json_t *out) {
    const un_classifier *c = &handle->classifier;
    const un_method_class *class = c->model.method->class;
    json_t *groups = NULL;
    UN_TRY(un_json_set(out, "method", json_string(class->name)));
    UN_TRY(un_json_set(out, "title", json_string(class->title)));
    UN_TRY(un_json_set(out, "pictures", json_boolean(c->backbone != NULL)));
    UN_TRY(un_json_set(out, "feature_length",
                       json_integer((json_int_t)unseen_model_feature_length(handle))));
    UN_TRY(un_json_set(out, "class_count", json_integer((json_int_t)c->classes.count)));
    UN_TRY(un_json_set(out, "seen_count", json_integer((json_int_t)seen_count(&c->classes))));
    UN_TRY(un_json_set(out, "attribute_count",
                       json_integer((json_int_t)unseen_model_attribute_count(handle))));
    UN_TRY(un_json_set(out, "classes", classes_json(c)));
    un_status status = make_groups(c, &groups);
    if (status) {
        json_decref(groups);
        return status;
    }
    UN_TRY(un_json_set(out, "attribute_groups", groups));
    UN_TRY(add_describing(c, out));
    UN_TRY(un_json_set(out, "grid",
                       json_pack("{s:I, s:I}", "height", (json_int_t)c->grid_height, "width",
                                 (json_int_t)c->grid_width)));
    UN_TRY(un_json_set(out, "branches", un_attention_titles_json(class, class->maps != NULL)));
    UN_TRY(un_json_set(out, "score_unit", json_string(class->score_unit)));
    UN_TRY(
        un_json_set(out, "probabilities", json_boolean(un_method_scores_are_probabilities(class))));
    return add_provenance(c, out);
}

unseen_status unseen_model_describe(unseen_model *model, const char **json) {
    UN_LOCALE_C;
    char *text = NULL;
    if (!model || !json)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_describe: a pointer is NULL");
    json_t *out = json_object();
    un_status status = out ? fill(model, out) : un_fail_memory(0);
    if (!status) status = un_json_text(out, &text);
    json_decref(out);
    UN_TRY(status);
    free(model->description);
    *json = model->description = text;
    return UNSEEN_OK;
}

/* ---- descriptions ---- */

static un_status description_of(const unseen_model *model, size_t k, const float **row,
                                size_t *width) {
    const un_class_table *t = &model->classifier.classes;
    if (t->semantics_count != 1)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s fuses %zu semantics; descriptions are told of models of one only",
                       model->classifier.path, t->semantics_count);
    if (k >= t->count)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no class %zu, it has %zu", model->classifier.path,
                       k, t->count);
    *width = t->semantics[0].width;
    *row = t->semantics[0].values + k * *width;
    return UNSEEN_OK;
}

unseen_status unseen_model_class_description(const unseen_model *model, size_t k, float *out) {
    UN_LOCALE_C;
    const float *row = NULL;
    size_t width = 0;
    if (!model || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_class_description: a pointer is NULL");
    UN_TRY(description_of(model, k, &row, &width));
    memcpy(out, row, width * sizeof *out);
    return UNSEEN_OK;
}

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

unseen_status unseen_model_nearest_class(const unseen_model *model, size_t k, size_t *nearest,
                                         float *similarity) {
    UN_LOCALE_C;
    const float *row = NULL;
    size_t width = 0, best = 0;
    double highest = -INFINITY;
    if (!model || !nearest || !similarity)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_nearest_class: a pointer is NULL");
    UN_TRY(description_of(model, k, &row, &width));
    const un_class_table *t = &model->classifier.classes;
    if (t->count < 2)
        return un_fail(UNSEEN_E_ARGUMENT, "\"%.200s\" is the only class of %s", t->names[k],
                       model->classifier.path);
    double length = dot(row, row, width);
    for (size_t j = 0; j < t->count; j++) {
        const float *other = t->semantics[0].values + j * width;
        double lengths = length * dot(other, other, width);
        double cosine = lengths > 0 ? dot(row, other, width) / sqrt(lengths) : 0;
        if (j == k || cosine <= highest) continue;
        highest = cosine;
        best = j;
    }
    *nearest = best;
    *similarity = (float)fmax(-1, fmin(1, highest));
    return UNSEEN_OK;
}
