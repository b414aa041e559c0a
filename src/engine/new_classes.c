/* new_classes.c - classes that people describe in a file (classifier.h): a table of classes and
 * attributes, or a list of NAME,ATTRIBUTE=VALUE,… */
#include <math.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"
#include "data/readers/table.h"
#include "data/readers/text.h"
#include "engine/classifier.h"

typedef struct {
    un_classifier *classifier;
    const un_class_semantics *m;
    const char *path;
    un_cell_format format;
    un_name_index attributes; /* of the model */
    un_arena arena;
    un_description *classes;
    size_t count;
} reader;

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

static un_status read_row(reader *r, const un_table *t, const size_t *columns, size_t row) {
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
    for (size_t c = 0; c < t.rows; c++) UN_TRY(read_row(r, &t, columns, c));
    return UNSEEN_OK;
}

static un_status wrong_field(const reader *r, size_t line, const char *class, const char *attribute,
                             const char *value, const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu (class \"%.80s\", attribute \"%.80s\"): %s: \"%.40s\"", r->path,
                   line, class, attribute, why, value);
}

/* One "ATTRIBUTE=VALUE" of a record; nothing is stated by an unknown value. */
static un_status read_field(reader *r, size_t line, un_description *d, char *text,
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
        return wrong_field(r, line, d->name, text, sign + 1, un_worded(cell.why).text);
    if (cell.kind == UN_CELL_UNKNOWN) return UNSEEN_OK;
    values[d->count++] = cell.value;
    return UNSEEN_OK;
}

static un_status read_record(reader *r, size_t line, char **fields, size_t count) {
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
        if (fields[i][0]) UN_TRY(read_field(r, line, d, fields[i], attributes, values));
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
        UN_GO(read_record(r, line, fields, count));
    }
    UN_GO(check_repeated(r));
done:
    un_csv_close(&csv);
    return status;
}

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
    const un_class_semantics *m = &classifier->model.classes.semantics[0];
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
