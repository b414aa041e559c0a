/* identity.c - see identity.h. */
#include "train/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "protocol/report.h"
#include "tensor/sha256.h"

enum { FORMAT = 1 };

const char *un_select_text(un_select select) {
    return select == UN_SELECT_VALIDATION ? "validation"
           : select == UN_SELECT_TEST     ? UN_SELECTED_ON_TEST
                                          : "none";
}

size_t un_train_selection_runs(const un_train_options *options) {
    size_t folds = options->dataset->fold_count;
    if (options->select == UN_SELECT_NONE) return 0;
    if (options->select == UN_SELECT_TEST) return 1;
    return options->folds > 0 && options->folds < folds ? options->folds : folds;
}

/* ---- hashes ---- */

static un_status add_text(un_sha256 *hash, const char *text) {
    return un_sha256_add(hash, text, strlen(text) + 1);
}

static un_status add_list(un_sha256 *hash, const un_index_list *list) {
    UN_TRY(un_sha256_add(hash, &list->count, sizeof list->count));
    return un_sha256_add(hash, list->items, list->count * sizeof *list->items);
}

static un_status add_labels(un_sha256 *hash, const void *data) {
    const un_dataset *d = data;
    return un_sha256_add(hash, d->labels, d->image_count * sizeof *d->labels);
}

const char *un_train_bf16_way(const un_train_options *options) {
    int multiplies =
        !options->class->f32_only && un_precision_resolve(options->precision) == UN_PRECISION_BF16;
    return multiplies ? un_gemm_bf16_way(NULL) : NULL;
}

static un_status add_folds(un_sha256 *hash, const void *data) {
    const un_train_options *o = data;
    const un_dataset *d = o->dataset;
    for (size_t k = 0; k < un_train_selection_runs(o); k++) {
        UN_TRY(add_list(hash, &d->folds[k].train));
        UN_TRY(add_list(hash, &d->folds[k].seen));
        UN_TRY(add_list(hash, &d->folds[k].unseen));
    }
    return UNSEEN_OK;
}

/* One description of all classes. */
typedef struct {
    size_t classes;
    const un_class_semantics *semantics;
} description;

/* What training reads of it: values, names of the attributes, their word vectors. */
static un_status add_description(un_sha256 *hash, const void *data) {
    const description *d = data;
    const un_class_semantics *m = d->semantics;
    UN_TRY(un_sha256_add(hash, &m->width, sizeof m->width));
    UN_TRY(un_sha256_add(hash, m->values, d->classes * m->width * sizeof *m->values));
    for (size_t i = 0; m->attributes && i < m->width; i++) UN_TRY(add_text(hash, m->attributes[i]));
    if (!m->vectors) return UNSEEN_OK;
    return un_sha256_add(hash, m->vectors, m->width * m->vector_width * sizeof *m->vectors);
}

/* object[key] = the hash of what `add` adds. */
static un_status set_hash(json_t *object, const char *key,
                          un_status (*add)(un_sha256 *hash, const void *data), const void *data) {
    un_sha256 *hash = NULL;
    char text[65];
    UN_TRY(un_sha256_open(&hash));
    un_status status = add(hash, data);
    if (!status) status = un_sha256_hex(hash, text);
    un_sha256_close(hash);
    return status ? status : un_json_set(object, key, json_string(text));
}

/* ---- making ---- */

/* The descriptions that the settings name, by their names. */
static un_status set_descriptions(const un_train_options *o, json_t *out) {
    const un_dataset *d = o->dataset;
    json_t *list = json_object();
    UN_TRY(un_json_set(out, "semantics", list));
    for (size_t i = 0; i < un_config_list_count(o->config, "semantics"); i++) {
        const char *name = un_config_list_name(o->config, "semantics", i);
        const un_semantics *s = NULL;
        UN_TRY(un_dataset_require_semantics(d, name, &s));
        const un_class_semantics m = {.width = s->width,
                                      .values = s->values,
                                      .attributes = s->attributes,
                                      .vector_width = s->vector_width,
                                      .vectors = s->vectors};
        const description one = {d->class_count, &m};
        UN_TRY(set_hash(list, name, add_description, &one));
    }
    return UNSEEN_OK;
}

static un_status fill(json_t *out, const un_train_options *o, const json_t *config,
                      const json_t *files) {
    const un_features *f = o->features;
    json_t *features =
        json_pack("{s:s, s:I, s:I, s:s}", "name", f->name, "regions", (json_int_t)f->regions,
                  "width", (json_int_t)f->width, "sha256", f->sha256 ? f->sha256 : "");
    UN_TRY(un_json_set(out, "format", json_integer(FORMAT)));
    UN_TRY(un_json_set(out, "version", json_string(unseen_version())));
    UN_TRY(un_json_set(out, "method", json_string(o->class->name)));
    UN_TRY(un_json_set(out, "features", features));
    UN_TRY(un_json_set(out, "config", un_json_copy(config)));
    UN_TRY(un_json_set(out, "files", un_json_copy(files)));
    UN_TRY(un_json_set(out, "split", json_string(o->dataset->split_hash)));
    UN_TRY(un_json_set(out, UN_TRAINED_ON, json_string(o->all ? UN_TRAINED_ON_ALL : "trainval")));
    UN_TRY(set_descriptions(o, out));
    if (o->dataset->labels) UN_TRY(set_hash(out, "labels", add_labels, o->dataset));
    UN_TRY(un_json_set(out, "select", json_string(un_select_text(o->select))));
    if (o->select == UN_SELECT_VALIDATION) UN_TRY(set_hash(out, "folds", add_folds, o));
    un_precision precision = un_precision_resolve(o->precision);
    UN_TRY(un_json_set(out, "precision", json_string(un_precision_name(precision))));
    const char *way = un_train_bf16_way(o);
    if (way) UN_TRY(un_json_set(out, "bf16_way", json_string(way)));
    UN_TRY(un_json_set(out, "ranks", json_integer((json_int_t)un_cluster_size(o->ranks))));
    UN_TRY(un_json_set(out, "wire", json_string(o->wire == UN_BF16 ? "bf16" : "f32")));
    UN_TRY(un_json_set(out, "steps", json_integer((json_int_t)o->max_steps)));
    return un_json_set(out, "seed", json_integer((json_int_t)o->seed));
}

un_status un_identity_make(const un_train_options *options, const json_t *config,
                           const json_t *files, json_t **out) {
    json_t *identity = json_object();
    un_status status = identity ? fill(identity, options, config, files) : un_fail_memory(0);
    if (status)
        json_decref(identity);
    else
        *out = identity;
    return status;
}

/* ---- reading ---- */

/* out[key] = object[from], where it is there. */
static un_status copy_value(json_t *out, const char *key, const json_t *object, const char *from) {
    json_t *value = json_object_get(object, from);
    return value ? un_json_set(out, key, json_incref(value)) : UNSEEN_OK;
}

un_status un_identity_of_manifest(const json_t *m, json_t **out) {
    json_t *kept = json_object_get(m, "identity"), *features = NULL;
    const json_t *input = json_object_get(m, "input");
    if (json_is_object(kept)) {
        *out = json_incref(kept);
        return UNSEEN_OK;
    }
    json_t *identity = json_object();
    un_status status = identity ? UNSEEN_OK : un_fail_memory(0);
    if (status) return status;
    UN_GO(un_json_set(identity, "features", features = json_object()));
    UN_GO(copy_value(features, "name", input, "features"));
    UN_GO(copy_value(features, "regions", input, "regions"));
    UN_GO(copy_value(features, "width", input, "width"));
    UN_GO(copy_value(features, "sha256", input, "sha256"));
    UN_GO(copy_value(identity, "version", m, "version"));
    UN_GO(copy_value(identity, "method", m, "method"));
    UN_GO(copy_value(identity, "config", m, "config"));
    UN_GO(copy_value(identity, "files", m, "files"));
    UN_GO(copy_value(identity, "split", json_object_get(m, "data"), "split_hash"));
    UN_GO(un_json_set(identity, UN_TRAINED_ON, json_string("trainval")));
    UN_GO(copy_value(identity, "select", json_object_get(m, "selection"), "mode"));
    UN_GO(copy_value(identity, "precision", m, "precision"));
    UN_GO(copy_value(identity, "seed", m, "seed"));
    *out = json_incref(identity);
done:
    json_decref(identity);
    return status;
}

un_status un_identity_of_model(const un_model *model, json_t **out) {
    json_t *identity = NULL, *list = json_object();
    UN_TRY(un_identity_of_manifest(model->manifest, &identity));
    if (json_object_get(model->manifest, "identity")) {
        json_decref(list);
        *out = identity;
        return UNSEEN_OK;
    }
    un_status status = un_json_set(identity, "semantics", list);
    for (size_t i = 0; i < model->classes.semantics_count && !status; i++) {
        const description one = {model->classes.count, &model->classes.semantics[i]};
        status = set_hash(list, one.semantics->name, add_description, &one);
    }
    if (status)
        json_decref(identity);
    else
        *out = identity;
    return status;
}

/* ---- comparing ---- */

/* How a part is called; hashes are not shown. */
static const struct {
    const char *group, *key, *words;
    int shown;
} g_parts[] = {{NULL, "format", "the form of this record", 1},
               {NULL, "version", "the version of this program", 1},
               {NULL, "method", "the method", 1},
               {"features", "name", "the feature set", 1},
               {"features", "regions", "the regions of the features", 1},
               {"features", "width", "the width of the features", 1},
               {"features", "sha256", "the values of the feature set", 0},
               {"config", NULL, "setting", 1},
               {"files", NULL, "the file of setting", 0},
               {NULL, "split", "the split of the data set", 0},
               {"semantics", NULL, "the description of the classes", 0},
               {NULL, UN_TRAINED_ON, "what is learned from", 1},
               {NULL, "labels", "the labels of the data set", 0},
               {NULL, "select", "what selects", 1},
               {NULL, "folds", "the validation folds of the data set", 0},
               {NULL, "precision", "the precision", 1},
               {NULL, "bf16_way", "UNSEEN_ISA, the way to multiply bf16", 1},
               {NULL, "ranks", "the number of ranks that share a step", 1},
               {NULL, "wire", "the type of gradients between ranks", 1},
               {NULL, "steps", "the limit of steps", 1},
               {NULL, "seed", "the seed", 1}};
enum { PARTS = sizeof g_parts / sizeof *g_parts };

/* "setting lr (was 0.1, is 0.2)" */
static un_status describe(size_t part, const char *key, const json_t *was, const json_t *is,
                          char **out) {
    const char *words = g_parts[part].words;
    char *old = un_json_dump(was, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *new = un_json_dump(is, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    un_status status = old && new ? UNSEEN_OK : un_fail_memory(0);
    if (!status && g_parts[part].shown)
        status = un_format(out, "%s%s%s (was %.100s, is %.100s)", words, key ? " " : "",
                           key ? key : "", old, new);
    else if (!status)
        status = un_format(out, "%s%s%s", words, key ? " " : "", key ? key : "");
    free(old);
    free(new);
    return status;
}

/* The first difference of one part. */
static un_status compare_part(size_t part, const json_t *was, const json_t *is, char **out) {
    const char *group = g_parts[part].group, *key = g_parts[part].key;
    json_t *old = NULL;
    if (group) {
        was = json_object_get(was, group);
        is = json_object_get(is, group);
    }
    if (key) {
        const json_t *a = json_object_get(was, key), *b = json_object_get(is, key);
        /* A feature file without a hash tells nothing. */
        if (!a || !b || json_equal(a, b)) return UNSEEN_OK;
        if (!strcmp(key, "sha256") && (!*json_string_value(a) || !*json_string_value(b)))
            return UNSEEN_OK;
        return describe(part, NULL, a, b, out);
    }
    json_object_foreach((json_t *)(uintptr_t)was, key, old) {
        const json_t *b = json_object_get(is, key);
        if (b && !json_equal(old, b)) return describe(part, key, old, b, out);
    }
    return UNSEEN_OK;
}

un_status un_identity_difference(const json_t *was, const json_t *is, char **out) {
    *out = NULL;
    for (size_t part = 0; part < PARTS && !*out; part++) UN_TRY(compare_part(part, was, is, out));
    return UNSEEN_OK;
}

int un_identity_same_but_seed(const json_t *a, const json_t *b) {
    char *difference = NULL;
    for (size_t part = 0; part < PARTS && !difference; part++) {
        if (g_parts[part].key && !strcmp(g_parts[part].key, "seed")) continue;
        if (compare_part(part, a, b, &difference)) return 0;
    }
    free(difference);
    return !difference;
}
