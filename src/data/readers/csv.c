/* csv.c - see csv.h. */
#include "data/readers/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/readers/reader_child.h"

enum { LIMIT = 256 * 1024 * 1024 };

/* The most frequent of the three outside quotes in the first line that is not blank. */
static char find_delimiter(const char *text) {
    static const char choices[] = {',', '\t', ';'};
    size_t counts[3] = {0, 0, 0};
    int inside = 0;
    text += strspn(text, " \r\n");
    for (; *text && (inside || !strchr("\r\n", *text)); text++) {
        if (*text == '"') inside = !inside;
        for (int k = 0; k < 3 && !inside; k++) counts[k] += *text == choices[k];
    }
    size_t best = counts[1] > counts[0];
    return choices[counts[2] > counts[best] ? 2 : best];
}

un_status un_csv_open(un_csv *csv, const char *path) {
    size_t length = 0;
    *csv = (un_csv){.path = path, .line = 1};
    UN_TRY(un_file_read(path, LIMIT, &csv->text, &length));
    if (!un_text_is_utf8((const unsigned char *)csv->text, length)) {
        un_csv_close(csv);
        return un_fail(UNSEEN_E_FORMAT, "%s is not UTF-8 text; save the table as CSV in UTF-8",
                       path);
    }
    csv->at = csv->text + (strncmp(csv->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    csv->delimiter = find_delimiter(csv->at);
    return UNSEEN_OK;
}

void un_csv_close(un_csv *csv) {
    free(csv->text);
    *csv = (un_csv){0};
}

static void trim(char **text) {
    *text += strspn(*text, " \t");
    size_t length = strlen(*text);
    while (length > 0 && strchr(" \t", (*text)[length - 1])) (*text)[--length] = 0;
}

/* Undoes the quotes in place; leaves csv->at behind the closing one. */
static un_status quoted(un_csv *csv, char **out) {
    size_t opened = csv->line;
    char *to = ++csv->at;
    *out = to;
    for (;;) {
        char c = *csv->at;
        if (c == 0)
            return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: a quote is opened and never closed",
                           csv->path, opened);
        csv->at++;
        if (c == '"' && *csv->at == '"')
            csv->at++;
        else if (c == '"')
            break;
        else if (c == '\n')
            csv->line++;
        *to++ = c;
    }
    /* The text is shorter than what was read, so its end does not touch csv->at. */
    *to = 0;
    csv->at += strspn(csv->at, " ");
    return UNSEEN_OK;
}

/* The next field; *last 1 if it ends its record. The end of the text is the end of a
 * record. */
static un_status next_field(un_csv *csv, char **out, int *last) {
    size_t blanks = strspn(csv->at, " ");
    if (csv->at[blanks] == '"') {
        csv->at += blanks;
        UN_TRY(quoted(csv, out));
        if (*csv->at != 0 && *csv->at != csv->delimiter && !strchr("\r\n", *csv->at))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: line %zu: there is text behind a closing quote: \"%.20s\"",
                           csv->path, csv->line, csv->at);
    } else {
        *out = csv->at;
        while (*csv->at != 0 && *csv->at != csv->delimiter && !strchr("\r\n", *csv->at)) csv->at++;
    }
    char end = *csv->at;
    *last = end != csv->delimiter;
    if (end == 0) return UNSEEN_OK; /* the text's own NUL ends an unquoted field */
    *csv->at++ = 0;
    if (end == '\r' && *csv->at == '\n') csv->at++;
    if (*last) csv->line++;
    return UNSEEN_OK;
}

un_status un_csv_next(un_csv *csv, char **fields, size_t most, size_t *count) {
    int last = 0;
    size_t line = csv->line;
    *count = 0;
    while (!last) {
        char *field = NULL;
        UN_TRY(next_field(csv, &field, &last));
        trim(&field);
        if (*count < most) fields[*count] = field;
        (*count)++;
    }
    if (*count <= most) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has %zu fields where at most %zu are expected",
                   csv->path, line, *count, most);
}

void un_csv_bounds(const un_csv *csv, size_t *lines, size_t *delimiters) {
    *lines = 1;
    *delimiters = 0;
    for (const char *at = csv->at; *at; at++) {
        *lines += *at == '\n' || *at == '\r';
        *delimiters += *at == csv->delimiter;
    }
}

const char *un_csv_number(const char *text, double *out) {
    char *end = NULL;
    *out = strtod(text, &end);
    if (text[0] == 0) return "the value is missing";
    if (end != text && *end == ',') return "numbers are written with a decimal point, not a comma";
    if (end == text || *end != 0) return "this is not a number";
    if (!isfinite(*out)) return "the value must be finite";
    return NULL;
}
