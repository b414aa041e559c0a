/* table.c - reading CSV and TSV tables of attributes; see table.h. */
#include "data/readers/table.h"

#include <stdlib.h>
#include <string.h>

#include "data/readers/csv.h"

enum { SHOWN = 60 };

/* ---- the header ---- */

typedef struct {
    const char *text;
    size_t number;
} cell;

static int by_text(const void *a, const void *b) {
    const cell *x = a;
    const cell *y = b;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : (x->number > y->number) - (x->number < y->number);
}

/* Names must be there and differ; names[0] is number `first` of its `kind`. */
static un_status check_names(const char *path, const char *kind, char **names, size_t count,
                             size_t first) {
    cell *sorted = NULL;
    UN_TRY(un_alloc(count, sizeof *sorted, &sorted));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < count; i++) {
        if (names[i][0] == 0)
            UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: %s %zu has no name", path, kind, first + i));
        sorted[i] = (cell){names[i], first + i};
    }
    qsort(sorted, count, sizeof *sorted, by_text);
    for (size_t i = 1; i < count; i++)
        if (!strcmp(sorted[i].text, sorted[i - 1].text))
            UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: %s %zu and %s %zu have the same name, \"%.200s\"",
                          path, kind, sorted[i - 1].number, kind, sorted[i].number,
                          sorted[i].text));
done:
    free(sorted);
    return status;
}

static un_status read_header(un_csv *s, un_arena *arena, un_table *t) {
    char **fields = NULL;
    size_t lines = 0;
    size_t most = 0;
    size_t count = 0;
    un_csv_bounds(s, &lines, &most);
    most += 2;
    UN_TRY(un_alloc(most, sizeof *fields, &fields));
    un_status status = UNSEEN_OK;
    do {
        if (*s->at == 0) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is empty", s->path));
        UN_GO(un_csv_next(s, fields, most, &count));
    } while (count == 1 && fields[0][0] == 0);
    if (count < 2)
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s: the header has one field only; the first column is for the classes' "
                      "names, one more is needed for each attribute (commas, tabs or semicolons "
                      "between)",
                      s->path));
    t->columns = count - 1;
    UN_GO(un_arena_alloc(arena, t->columns, sizeof *t->attributes, &t->attributes));
    for (size_t a = 0; a < t->columns; a++)
        UN_GO(un_arena_string(arena, fields[a + 1], &t->attributes[a]));
    UN_GO(check_names(s->path, "column", t->attributes, t->columns, 2));
done:
    free(fields);
    return status;
}

/* ---- the rows ---- */

static un_status read_value(const un_csv *s, const un_table *t, size_t line, char *const *fields,
                            size_t a, double *out) {
    const char *text = fields[a + 1];
    const char *why = un_csv_number(text, out);
    if (!why) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu, column %zu (class \"%.100s\", attribute \"%.100s\"): %s%s%.*s%s",
                   s->path, line, a + 2, fields[0], t->attributes[a], why, text[0] ? ": \"" : "",
                   (int)SHOWN, text, text[0] ? "\"" : "");
}

static un_status read_row(un_csv *s, un_arena *arena, un_table *t, char **fields) {
    size_t line = s->line;
    size_t count = 0;
    UN_TRY(un_csv_next(s, fields, t->columns + 1, &count));
    if (count == 1 && fields[0][0] == 0) return UNSEEN_OK; /* a blank line */
    if (count != t->columns + 1)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has %zu fields, the header has %zu", s->path,
                       line, count, t->columns + 1);
    if (fields[0][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no class name in its first column",
                       s->path, line);
    double *row = t->values + t->rows * t->columns;
    for (size_t a = 0; a < t->columns; a++) UN_TRY(read_value(s, t, line, fields, a, &row[a]));
    return un_arena_string(arena, fields[0], &t->names[t->rows++]);
}

static un_status read_rows(un_csv *s, un_arena *arena, un_table *t) {
    char **fields = NULL;
    size_t most = 0;
    size_t cells = 0;
    /* No more rows than lines, and no more values than delimiters: what a hostile
     * header of a million columns asks for stays within the file's own size. */
    un_csv_bounds(s, &most, &cells);
    if (most > cells / t->columns + 1) most = cells / t->columns + 1;
    UN_TRY(un_alloc(t->columns + 1, sizeof *fields, &fields));
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(arena, most, sizeof *t->names, &t->names));
    UN_GO(un_arena_alloc(arena, most * t->columns, sizeof *t->values, &t->values));
    while (*s->at) UN_GO(read_row(s, arena, t, fields));
    if (t->rows == 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has a header, but no classes below it", s->path));
    UN_GO(check_names(s->path, "class", t->names, t->rows, 1));
done:
    free(fields);
    return status;
}

un_status un_table_read(const char *path, un_arena *arena, un_table *out) {
    un_csv csv;
    *out = (un_table){0};
    UN_TRY(un_csv_open(&csv, path));
    un_status status = read_header(&csv, arena, out);
    if (!status) status = read_rows(&csv, arena, out);
    un_csv_close(&csv);
    return status;
}
