/* new_classes.c - see new_classes.h. */
#include "engine/new_classes.h"

#include <stdlib.h>
#include <string.h>

#include "data/readers/csv.h"

typedef struct {
    un_classifier *classifier;
    un_csv csv;
    un_arena arena;
    size_t width;    /* A */
    char **fields;   /* of one record */
    size_t most;     /* fields of a record at most */
    size_t *columns; /* [most] attribute of each field of a table; NULL: NAME,ATTRIBUTE=VALUE */
    size_t column_count;
    un_description *classes;
    size_t count;
} reader;

/* A sentence about a value. */
static un_status wrong_value(const reader *r, size_t line, const char *attribute, const char *value,
                             const char *why) {
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu (class \"%.80s\", attribute \"%.80s\"): %s: \"%.40s\"",
                   r->csv.path, line, r->fields[0], attribute, why, value);
}

static un_status attribute_number(const reader *r, size_t line, const char *name, size_t *out) {
    un_status status = un_classifier_attribute(r->classifier, name, out);
    return status ? un_fail_prefix(status, "%s: line %zu", r->csv.path, line) : UNSEEN_OK;
}

/* Whether the first line is a header: no second field with '=' in it. */
static int is_header(char *const *fields, size_t count) {
    return count < 2 || strchr(fields[1], '=') == NULL;
}

static un_status read_header(reader *r, size_t count) {
    if (count < 2)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: line 1 has one field only; expected a header (name and attributes) or "
                       "NAME,ATTRIBUTE=VALUE,...",
                       r->csv.path);
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *r->columns, &r->columns));
    r->column_count = count;
    for (size_t i = 1; i < count; i++) UN_TRY(attribute_number(r, 1, r->fields[i], &r->columns[i]));
    return UNSEEN_OK;
}

/* Field i of a record as attribute and value; *stated 0 for an empty cell. */
static un_status read_field(const reader *r, size_t line, size_t i, size_t *attribute,
                            double *value, int *stated) {
    char *text = r->fields[i];
    const char *name = NULL;
    *stated = text[0] != 0;
    if (!*stated) return UNSEEN_OK;
    if (r->columns) {
        if (i >= r->column_count)
            return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has more fields than the header",
                           r->csv.path, line);
        *attribute = r->columns[i];
        name = r->classifier->classes.modality[0].attributes[*attribute];
    } else {
        char *sign = strrchr(text, '=');
        if (!sign)
            return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.80s\" is not ATTRIBUTE=VALUE",
                           r->csv.path, line, text);
        *sign = 0;
        name = text;
        text = sign + 1;
        UN_TRY(attribute_number(r, line, name, attribute));
    }
    const char *why = un_csv_number(text, value);
    if (why) return wrong_value(r, line, name, text, why);
    return UNSEEN_OK;
}

static un_status read_class(reader *r, size_t line, size_t count) {
    un_description *d = &r->classes[r->count];
    size_t *attributes = NULL;
    float *values = NULL;
    char *name = NULL;
    if (count == 1 && r->fields[0][0] == 0) return UNSEEN_OK; /* a blank line */
    if (r->fields[0][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no class name in its first column",
                       r->csv.path, line);
    UN_TRY(un_arena_string(&r->arena, r->fields[0], &name));
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *attributes, &attributes));
    UN_TRY(un_arena_alloc(&r->arena, count, sizeof *values, &values));
    *d = (un_description){.name = name, .attributes = attributes, .values = values};
    for (size_t i = 1; i < count; i++) {
        double value = 0;
        int stated = 0;
        UN_TRY(read_field(r, line, i, &attributes[d->count], &value, &stated));
        values[d->count] = (float)value;
        d->count += (size_t)stated;
    }
    if (d->count == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu says nothing about \"%.80s\"", r->csv.path,
                       line, name);
    r->count++;
    return UNSEEN_OK;
}

static un_status read_all(reader *r) {
    size_t lines = 0;
    size_t delimiters = 0;
    size_t count = 0;
    un_csv_bounds(&r->csv, &lines, &delimiters);
    r->most = r->width + 1;
    UN_TRY(un_arena_alloc(&r->arena, r->most, sizeof *r->fields, &r->fields));
    UN_TRY(un_arena_alloc(&r->arena, lines, sizeof *r->classes, &r->classes));
    for (int first = 1; *r->csv.at; first = 0) {
        size_t line = r->csv.line;
        UN_TRY(un_csv_next(&r->csv, r->fields, r->most, &count));
        if (first && is_header(r->fields, count))
            UN_TRY(read_header(r, count));
        else
            UN_TRY(read_class(r, line, count));
    }
    if (r->count == 0) return un_fail(UNSEEN_E_FORMAT, "%s describes no class", r->csv.path);
    return un_classifier_describe(r->classifier, r->classes, r->count);
}

un_status un_new_classes_read(un_classifier *classifier, const char *path) {
    reader r = {.classifier = classifier, .width = classifier->classes.modality[0].width};
    UN_TRY(un_csv_open(&r.csv, path));
    un_status status = read_all(&r);
    un_csv_close(&r.csv);
    un_arena_free(&r.arena);
    return status;
}
