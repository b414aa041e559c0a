/* model_api.c - the public interface (unseen.h): models, their classes and attributes. */
#include "engine/classifier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "base/names.h"
#include "base/parallel.h"
#include "base/status.h"
#include "data/readers/lines.h"
#include "data/readers/table.h"

const char *unseen_last_error(void) { return un_error(); }

void unseen_set_log(unseen_log_function function, void *user) { un_set_log(function, user); }

unseen_status unseen_set_threads(int threads) {
    UN_LOCALE_C;
    return un_set_threads(threads);
}

unseen_status unseen_model_open(const char *path, unseen_model **out) {
    UN_LOCALE_C;
    if (!path || !out) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_open: a pointer is NULL");
    unseen_model *model = calloc(1, sizeof *model);
    if (!model) return un_fail_memory(sizeof *model);
    un_status status = un_classifier_open(&model->classifier, path, UN_PRECISION_AUTO);
    if (status)
        free(model);
    else
        *out = model;
    return status;
}

void unseen_model_close(unseen_model *model) {
    if (!model) return;
    un_classifier_close(&model->classifier);
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

const char *unseen_model_manifest(const unseen_model *model) {
    return model ? model->classifier.model.manifest_text : NULL;
}

size_t unseen_model_attribute_count(const unseen_model *model) {
    if (!model || model->classifier.classes.modality_count != 1) return 0;
    return model->classifier.classes.modality[0].width;
}

const char *unseen_model_attribute_name(const unseen_model *model, size_t i) {
    if (i >= unseen_model_attribute_count(model)) return NULL;
    char *const *names = model->classifier.classes.modality[0].attributes;
    return names ? names[i] : NULL;
}

/* The decimal number with the fewest digits that is this float: what a caller wrote, 0.2 for 0.2F,
 * so that it means what the table of the training said. */
static double as_written(float value) {
    char text[40];
    for (int digits = 6; digits < 9 && isfinite(value); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        double x = strtod(text, NULL);
        if ((float)x == value) return x;
    }
    return (double)value;
}

static un_status add_class(un_classifier *classifier, const char *name,
                           const char *const *attributes, const float *values, size_t n,
                           un_arena *arena) {
    char **names = NULL;
    size_t *numbers = NULL;
    double *wide = NULL;
    UN_TRY(un_arena_alloc(arena, n, sizeof *names, &names));
    UN_TRY(un_arena_alloc(arena, n, sizeof *numbers, &numbers));
    UN_TRY(un_arena_alloc(arena, n, sizeof *wide, &wide));
    for (size_t i = 0; i < n; i++) {
        if (!attributes[i])
            return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_class: name %zu is NULL", i);
        UN_TRY(un_arena_string(arena, attributes[i], &names[i]));
        wide[i] = as_written(values[i]);
    }
    UN_TRY(un_classifier_attributes(classifier, names, n, numbers));
    return un_classifier_describe(classifier, &(un_description){name, n, numbers, wide}, 1);
}

unseen_status unseen_model_add_class(unseen_model *model, const char *name,
                                     const char *const *attributes, const float *values, size_t n) {
    UN_LOCALE_C;
    if (!model || !name || (n > 0 && (!attributes || !values)))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_class: a pointer is NULL");
    un_arena arena = {0};
    un_status status = add_class(&model->classifier, name, attributes, values, n, &arena);
    un_arena_free(&arena);
    return status;
}

/* That n rows of D features are numbers. */
static un_status check_features(const unseen_model *model, const float *features, size_t n) {
    size_t D = unseen_model_feature_length(model);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++)
            if (!isfinite(features[i * D + j]))
                return un_fail(UNSEEN_E_ARGUMENT, "feature %zu of image %zu is not a finite number",
                               j, i);
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
    UN_TRY(check_features(model, features, n));
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

unseen_status unseen_attributes(unseen_model *model, const float *features, float *out) {
    UN_LOCALE_C;
    if (!model || !features || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_attributes: a pointer is NULL");
    UN_TRY(check_features(model, features, 1));
    return un_classifier_attribute_scores(&model->classifier, features, out);
}

unseen_status unseen_attention(unseen_model *model, const float *features, float *out) {
    UN_LOCALE_C;
    if (!model || !features || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_attention: a pointer is NULL");
    const un_method_class *class = model->classifier.model.method->class;
    if (!class->maps)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has no attention over regions", class->name);
    UN_TRY(check_features(model, features, 1));
    return class->maps->attend(model->classifier.model.method, features, out);
}

typedef struct {
    un_classifier *classifier;
    const un_modality *m;
    const char *path;
    un_cell_format format;
    un_name_index attributes; /* of the model */
    un_arena arena;
    un_description *classes;
    size_t count;
} reader;

/* ---- the two forms ---- */

enum { MOST_TRIES = 64 }; /* '=' in a name */

/* Where "ATTRIBUTE=VALUE" is to be cut: at the last '=' that stands behind a known attribute or
 * before a value; NULL if there is none. */
static char *find_equals(const reader *r, char *text) {
    char *value = NULL;
    int tries = 0;
    for (char *at = strrchr(text, '='); at && tries < MOST_TRIES; tries++) {
        *at = 0;
        int known = un_name_find(&r->attributes, text) != UN_NO_NAME;
        *at = '=';
        if (known) return at;
        if (!value && un_cell_read(&r->format, at + 1).kind != UN_CELL_WRONG) value = at;
        at = memrchr(text, '=', (size_t)(at - text));
    }
    return value;
}

/* Whether the first record is NAME,ATTRIBUTE=VALUE,…: names of attributes may hold '=', too. */
static un_status is_list(const reader *r, int *out) {
    un_csv csv;
    char **fields = NULL;
    size_t count = 0;
    *out = 0;
    UN_TRY(un_csv_open(&csv, r->path));
    un_status status = UNSEEN_OK;
    do {
        if (!*csv.at) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is empty", r->path));
        UN_GO(un_csv_record(&csv, &fields, &count));
    } while (count == 1 && fields[0][0] == 0);
    for (size_t i = 1; i < count; i++)
        if (un_name_find(&r->attributes, fields[i]) != UN_NO_NAME) goto done;
    for (size_t i = 1; i < count && !*out; i++) *out = find_equals(r, fields[i]) != NULL;
done:
    un_csv_close(&csv);
    return status;
}

/* ---- a table ---- */

static un_status take_row(reader *r, const un_table *t, const size_t *columns, size_t row) {
    un_description *d = &r->classes[r->count++];
    size_t *attributes = NULL;
    double *values = NULL;
    UN_TRY(un_arena_alloc(&r->arena, t->columns, sizeof *attributes, &attributes));
    UN_TRY(un_arena_alloc(&r->arena, t->columns, sizeof *values, &values));
    *d = (un_description){.name = t->names[row], .attributes = attributes, .values = values};
    for (size_t a = 0; a < t->columns; a++) {
        double value = t->values[row * t->columns + a];
        if (isnan(value)) continue;
        attributes[d->count] = columns[a];
        values[d->count++] = value;
    }
    if (d->count > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu says nothing about \"%.80s\"", r->path,
                   t->lines[row], d->name);
}

static un_status read_table(reader *r) {
    const un_table_options options = {r->format.unknown, r->format.unknown_count, 1};
    un_table t;
    size_t *columns = NULL;
    UN_TRY(un_table_read_as(r->path, &options, &r->arena, &t));
    UN_TRY(un_arena_alloc(&r->arena, t.columns, sizeof *columns, &columns));
    un_status status = un_classifier_attributes(r->classifier, t.attributes, t.columns, columns);
    if (status) return un_fail_prefix(status, "%s: the header", r->path);
    UN_TRY(un_arena_alloc(&r->arena, t.rows, sizeof *r->classes, &r->classes));
    for (size_t c = 0; c < t.rows; c++) UN_TRY(take_row(r, &t, columns, c));
    return UNSEEN_OK;
}

/* ---- a list ---- */

static un_status wrong_value(const reader *r, size_t line, const char *class, const char *attribute,
                             const char *value, const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu (class \"%.80s\", attribute \"%.80s\"): %s: \"%.40s\"", r->path,
                   line, class, attribute, why, value);
}

/* One "ATTRIBUTE=VALUE" of a record; nothing is stated by an unknown value. */
static un_status take_field(reader *r, size_t line, un_description *d, char *text,
                            size_t *attributes, double *values) {
    char *sign = find_equals(r, text);
    if (!sign) sign = strrchr(text, '=');
    if (!sign)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.80s\" is not ATTRIBUTE=VALUE", r->path,
                       line, text);
    *sign = 0;
    size_t *place = &attributes[d->count];
    *place = un_name_find(&r->attributes, text);
    if (*place == UN_NO_NAME && un_classifier_attributes(r->classifier, &text, 1, place))
        return un_fail_prefix(UNSEEN_E_ARGUMENT, "%s: line %zu", r->path, line);
    un_cell cell = un_cell_read(&r->format, sign + 1);
    if (cell.kind == UN_CELL_EMPTY || cell.kind == UN_CELL_WRONG)
        return wrong_value(r, line, d->name, text, sign + 1, cell.why);
    if (cell.kind == UN_CELL_UNKNOWN) return UNSEEN_OK;
    values[d->count++] = cell.value;
    return UNSEEN_OK;
}

static un_status take_record(reader *r, size_t line, char **fields, size_t count) {
    un_description *d = &r->classes[r->count];
    size_t *attributes = NULL;
    double *values = NULL;
    char *name = NULL;
    while (count > 0 && fields[count - 1][0] == 0) count--;
    if (count == 0) return UNSEEN_OK; /* a blank line */
    if (fields[0][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no class name in its first column",
                       r->path, line);
    UN_TRY(un_arena_string(&r->arena, fields[0], &name));
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *attributes, &attributes));
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *values, &values));
    *d = (un_description){.name = name, .attributes = attributes, .values = values};
    for (size_t i = 1; i < count; i++)
        if (fields[i][0]) UN_TRY(take_field(r, line, d, fields[i], attributes, values));
    if (d->count == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu says nothing about \"%.80s\"", r->path, line,
                       name);
    r->count++;
    return UNSEEN_OK;
}

static un_status check_repeated(reader *r) {
    char **names = NULL;
    un_name_index index;
    size_t a = 0, b = 0;
    UN_TRY(un_arena_alloc(&r->arena, r->count, sizeof *names, &names));
    for (size_t i = 0; i < r->count; i++)
        UN_TRY(un_arena_string(&r->arena, r->classes[i].name, &names[i]));
    UN_TRY(un_name_index_make(&index, names, r->count));
    int repeats = un_name_index_repeats(&index, &a, &b);
    un_name_list alike = {0};
    un_name_index_alike(&index, &alike);
    un_name_index_free(&index);
    if (!repeats && alike.count > 0)
        un_log(
            UNSEEN_LOG_WARNING,
            "%s has classes that differ in spelling only: %s%s; they are different classes here; "
            "if one is meant, take the other line out",
            r->path, alike.text, un_name_list_more(&alike));
    if (!repeats) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: class %zu and class %zu have the same name, \"%.200s\"",
                   r->path, a + 1, b + 1, names[a]);
}

static un_status read_list(reader *r) {
    un_csv csv;
    size_t lines = 0, delimiters = 0;
    UN_TRY(un_csv_open(&csv, r->path));
    un_status status = UNSEEN_OK;
    un_csv_bounds(&csv, &lines, &delimiters);
    UN_GO(un_arena_alloc(&r->arena, lines, sizeof *r->classes, &r->classes));
    while (*csv.at) {
        char **fields = NULL;
        size_t count = 0;
        size_t line = csv.line;
        UN_GO(un_csv_record(&csv, &fields, &count));
        UN_GO(take_record(r, line, fields, count));
    }
    UN_GO(check_repeated(r));
done:
    un_csv_close(&csv);
    return status;
}

/* ---- both ---- */

static un_status read_all(reader *r) {
    int list = 0;
    UN_TRY(
        un_name_index_make(&r->attributes, r->m->attributes, r->m->attributes ? r->m->width : 0));
    UN_TRY(is_list(r, &list));
    UN_TRY(list ? read_list(r) : read_table(r));
    un_status status = un_classifier_describe(r->classifier, r->classes, r->count);
    return status ? un_fail_prefix(status, "%s", r->path) : UNSEEN_OK;
}

un_status un_new_classes_read(un_classifier *classifier, const char *path) {
    const un_modality *m = &classifier->model.classes.modality[0];
    reader r = {.classifier = classifier, .m = m, .path = path};
    if (m->scaling) {
        r.format.unknown = m->scaling->unknown;
        r.format.unknown_count = m->scaling->unknown_count;
    }
    un_status status = read_all(&r);
    un_name_index_free(&r.attributes);
    un_arena_free(&r.arena);
    return status;
}
