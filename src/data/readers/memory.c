/*
 * memory.c - a data set of arrays in memory (unseen_dataset.h), and its way into a directory.
 *
 * What files say of arrays on disk (arrays.c) is said by a structure here; attributes, split and
 * folds are those of every import.
 */
#include <math.h>
#include <string.h>

#include "base/locale.h"
#include "base/names.h"
#include "base/status.h"
#include "data/readers/import.h"
#include "tensor/sha256.h"

enum { MOST_IMAGES = 1 << 28, MOST_CLASSES = 1 << 24, MOST_ATTRIBUTES = 1 << 24 };

static const char WHERE[] = "the arrays", FEATURES[] = "features";

/* ---- what is given ---- */

static un_status check_shapes(const unseen_arrays *a) {
    size_t row = 0, all = 0;
    if (a->image_count == 0 || a->image_count > MOST_IMAGES || a->regions == 0 || a->width == 0 ||
        __builtin_mul_overflow(a->regions, a->width, &row) ||
        __builtin_mul_overflow(row, a->image_count * sizeof(float), &all))
        return un_fail(UNSEEN_E_ARGUMENT, "features of %zu images, %zu regions and width %zu",
                       a->image_count, a->regions, a->width);
    if ((a->grid_height || a->grid_width) &&
        (__builtin_mul_overflow(a->grid_height, a->grid_width, &all) || all != a->regions))
        return un_fail(UNSEEN_E_ARGUMENT, "a grid of %zu x %zu does not give %zu regions",
                       a->grid_height, a->grid_width, a->regions);
    if (a->class_count < 2 || a->class_count > MOST_CLASSES)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu classes: there must be 2 to %d", a->class_count,
                       (int)MOST_CLASSES);
    if (a->attribute_count == 0 || a->attribute_count > MOST_ATTRIBUTES)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu attributes: there must be 1 to %d",
                       a->attribute_count, (int)MOST_ATTRIBUTES);
    if (a->dtype != UNSEEN_F32 && a->dtype != UNSEEN_BF16)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_dtype", (int)a->dtype);
    if (!a->features || !a->labels || !a->class_attributes)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "features, labels and class_attributes are needed; one of them is NULL");
    return UNSEEN_OK;
}

/* Copies of `count` names, which `what` they are of. */
static un_status copy_names(un_dataset *d, const char *const *names, size_t count, const char *what,
                            char ***out) {
    UN_TRY(un_arena_alloc(&d->arena, count, sizeof **out, out));
    for (size_t i = 0; i < count; i++) {
        if (!names[i] || !*names[i])
            return un_fail(UNSEEN_E_ARGUMENT, "%s %zu has no name", what, i);
        if (!un_text_is_utf8((const unsigned char *)names[i], strlen(names[i])))
            return un_fail(UNSEEN_E_ARGUMENT, "the name of %s %zu is not UTF-8", what, i);
        UN_TRY(un_arena_string(&d->arena, names[i], &(*out)[i]));
    }
    return UNSEEN_OK;
}

static un_status check_different(char *const *names, size_t count, const char *what) {
    un_name_index index;
    size_t a = 0, b = 0;
    UN_TRY(un_name_index_make(&index, names, count));
    int repeats = un_name_index_repeats(&index, &a, &b);
    un_name_index_free(&index);
    return repeats ? un_fail(UNSEEN_E_ARGUMENT, "%s %zu and %zu have the same name, \"%.200s\"",
                             what, a, b, names[a])
                   : UNSEEN_OK;
}

/* ---- features ---- */

static int is_finite(const unseen_arrays *a, size_t i) {
    if (a->dtype == UNSEEN_F32) return isfinite(((const float *)a->features)[i]) != 0;
    return (((const uint16_t *)a->features)[i] & 0x7F80u) != 0x7F80u;
}

static un_status add_features(un_dataset *d, const unseen_arrays *a) {
    un_features *f = NULL;
    char *hash = NULL, *name = NULL;
    size_t row = a->regions * a->width;
    size_t bytes = row * (a->dtype == UNSEEN_F32 ? sizeof(float) : sizeof(un_bf16));
    const void *data = a->features;
    for (size_t i = 0; i < a->image_count * row; i++)
        if (!is_finite(a, i))
            return un_fail(UNSEEN_E_FORMAT,
                           "features: value %zu of image %zu is not a finite number", i % row,
                           i / row);
    UN_TRY(un_arena_alloc(&d->arena, 1, sizeof *f, &f));
    UN_TRY(un_arena_alloc(&d->arena, 65, 1, &hash));
    UN_TRY(un_arena_string(&d->arena, FEATURES, &name));
    if (a->copy_features) {
        void *copy = NULL;
        UN_TRY(un_arena_alloc(&d->arena, a->image_count, bytes, &copy));
        memcpy(copy, data, a->image_count * bytes);
        data = copy;
    }
    UN_TRY(un_sha256_of(data, a->image_count * bytes, hash));
    *f = (un_features){.name = name,
                       .image_count = a->image_count,
                       .regions = a->regions,
                       .width = a->width,
                       .grid_height = a->grid_height ? a->grid_height : 1,
                       .grid_width = a->grid_height ? a->grid_width : a->regions,
                       .dtype = a->dtype == UNSEEN_F32 ? UN_F32 : UN_BF16,
                       .data = data,
                       .row_bytes = bytes,
                       .sha256 = hash,
                       .recipe = "{}"};
    d->features = f;
    return UNSEEN_OK;
}

/* ---- classes ---- */

static un_status add_labels(un_dataset *d, const unseen_arrays *a) {
    d->image_count = a->image_count;
    UN_TRY(un_arena_alloc(&d->arena, a->image_count, sizeof *d->labels, &d->labels));
    for (size_t i = 0; i < a->image_count; i++) {
        if (a->labels[i] < 0 || (size_t)a->labels[i] >= a->class_count)
            return un_fail(UNSEEN_E_FORMAT, "labels: image %zu has class %d, there are %zu classes",
                           i, (int)a->labels[i], a->class_count);
        d->labels[i] = a->labels[i];
    }
    if (!a->image_names) return UNSEEN_OK;
    return copy_names(d, a->image_names, a->image_count, "image", &d->images);
}

static un_status add_semantics(un_dataset *d, const unseen_arrays *a) {
    un_attribute_options options = {.nan_is_unknown = 1};
    char **names = NULL;
    double *values = NULL;
    size_t A = a->attribute_count;
    UN_TRY(un_scale_parse(a->scale ? a->scale : "auto", &options.scale));
    if (a->attribute_names) {
        UN_TRY(copy_names(d, a->attribute_names, A, "attribute", &names));
        UN_TRY(check_different(names, A, "attributes"));
    }
    UN_TRY(un_alloc(a->class_count * A, sizeof *values, &values));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < a->class_count * A; i++) {
        if (isinf(a->class_attributes[i]))
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "class_attributes: attribute %zu of class \"%.200s\" is "
                          "infinite",
                          i % A, d->classes[i / A]));
        values[i] = un_decimal_of(a->class_attributes[i]); /* NaN stays */
    }
    status = un_import_attributes(d, "att", values, A, names, &options);
done:
    free(values);
    return status;
}

static un_status add_classes(un_dataset *d, const unseen_arrays *a) {
    d->class_count = a->class_count;
    if (!a->class_names) {
        UN_TRY(un_import_number_classes(d, WHERE));
    } else {
        UN_TRY(copy_names(d, a->class_names, a->class_count, "class", &d->classes));
        UN_TRY(check_different(d->classes, a->class_count, "classes"));
    }
    return add_semantics(d, a);
}

/* ---- the split ---- */

static un_status add_list(un_dataset *d, const char *name, const int64_t *images, size_t count,
                          un_index_list *out) {
    double *values = NULL;
    if (count > 0 && !images)
        return un_fail(UNSEEN_E_ARGUMENT, "%s counts %zu images and is NULL", name, count);
    if (count > d->image_count) /* no more can be looked at: the list may not have them */
        return un_fail(UNSEEN_E_ARGUMENT, "%s counts %zu images, there are %zu", name, count,
                       d->image_count);
    UN_TRY(un_alloc(count, sizeof *values, &values));
    for (size_t i = 0; i < count; i++) values[i] = (double)images[i];
    un_status status =
        un_import_indices(WHERE, name, values, count, d->image_count, 0, &d->arena, out);
    free(values);
    return status;
}

static un_status add_lists(un_dataset *d, const unseen_arrays *a) {
    const un_list_origin origin = {.file = WHERE,
                                   .names = un_json_list_names,
                                   .hint = "do lists and labels belong together?",
                                   .handed_in = 1};
    UN_TRY(add_list(d, un_json_list_names[0], a->trainval, a->trainval_count, &d->trainval));
    UN_TRY(add_list(d, un_json_list_names[1], a->test_seen, a->test_seen_count, &d->test_seen));
    UN_TRY(
        add_list(d, un_json_list_names[2], a->test_unseen, a->test_unseen_count, &d->test_unseen));
    UN_TRY(un_import_check_lists(d, &origin));
    UN_TRY(un_import_note_unlisted(d, WHERE));
    UN_TRY(un_import_propose_folds(d));
    if (d->fold_count == 0) return UNSEEN_OK;
    return un_dataset_note_expected(d, "%zu validation folds were proposed", d->fold_count);
}

static un_status propose(un_dataset *d, const unseen_arrays *a) {
    const un_split_options options = {
        .unseen_number = a->unseen ? 0 : a->unseen_count, .some_unseen = 1, .seed = a->split_seed};
    const un_split_source source = {.options = &options};
    un_split_defaults defaults = {.unseen_where = "unseen"};
    if (a->unseen) {
        char **names = NULL;
        if (a->unseen_count > d->class_count)
            return un_fail(UNSEEN_E_ARGUMENT, "unseen counts %zu classes, there are %zu",
                           a->unseen_count, d->class_count);
        UN_TRY(copy_names(d, a->unseen, a->unseen_count, "unseen class", &names));
        UN_TRY(un_import_resolve_classes(d, defaults.unseen_where, names, a->unseen_count));
        defaults.unseen = names;
        defaults.unseen_count = a->unseen_count;
    }
    return un_split_source_apply(&source, d, &defaults);
}

/* ---- all of it ---- */

static un_status import(un_dataset *d, const unseen_arrays *a) {
    const char *name = a->name ? a->name : "arrays";
    UN_TRY(check_shapes(a));
    UN_TRY(copy_names(d, &name, 1, "data set", &(char **){NULL}));
    UN_TRY(un_import_name(d, name, name));
    UN_TRY(add_labels(d, a));
    UN_TRY(add_classes(d, a));
    if (a->trainval || a->test_seen || a->test_unseen || a->trainval_count || a->test_seen_count ||
        a->test_unseen_count)
        UN_TRY(add_lists(d, a));
    else
        UN_TRY(propose(d, a));
    UN_TRY(add_features(d, a));
    return un_split_hash(d, d->split_hash);
}

un_status un_import_memory(const unseen_arrays *arrays, un_dataset *out) {
    *out = (un_dataset){0};
    un_status status = import(out, arrays);
    if (status) un_dataset_close(out);
    return status;
}

/* ---- into a directory ---- */

static un_status copy_rows(void *user, un_features_writer *writer) {
    const un_features *f = user;
    float *row = NULL;
    UN_TRY(un_alloc(f->regions * f->width, sizeof *row, &row));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < f->image_count && !status; i++) {
        const int64_t image = (int64_t)i;
        un_features_gather_f32(f, &image, 1, row);
        status = un_features_writer_append(writer, row, 1);
    }
    free(row);
    return status;
}

static un_status write_all(const un_dataset *dataset, un_stage *stage) {
    un_dataset d = *dataset; /* its split's hash is made again */
    un_features f = *dataset->features;
    const un_import_store store = {.name = f.name,
                                   .file = d.name,
                                   .suffix = "",
                                   .description = {.image_count = f.image_count,
                                                   .regions = f.regions,
                                                   .width = f.width,
                                                   .grid_height = f.grid_height,
                                                   .grid_width = f.grid_width,
                                                   .dtype = f.dtype}};
    UN_TRY(un_import_features(stage->partial, &store, copy_rows, &f));
    UN_TRY(un_dataset_write(&d, stage->partial));
    return un_stage_commit(stage);
}

un_status un_memory_save(const un_dataset *dataset, const char *directory) {
    un_stage stage = UN_STAGE_NONE;
    if (!dataset->features)
        return un_fail(UNSEEN_E_ARGUMENT, "data set %s is in %s already", dataset->name,
                       un_dataset_place(dataset));
    un_status status = un_stage_open(&stage, directory);
    if (!status) status = write_all(dataset, &stage);
    un_stage_abort(&stage);
    return status;
}
