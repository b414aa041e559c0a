/* csv.c - see csv.h. */
#include "data/readers/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "data/readers/reader_child.h"

enum { LIMIT = 256 * 1024 * 1024 };

/* ---- the delimiter ---- */

/* How often `delimiter` stands in each record of the beginning of a text. */
enum { LOOKED_AT = 200 };
typedef struct {
    size_t counts[LOOKED_AT];
    size_t records; /* blank lines not counted */
} census;

/* The end of the record that begins at `at`. A quote opens only at a field's beginning, so that
 * 6" is no quote. */
static const char *count_record(const char *at, char delimiter, size_t *count) {
    int begins = 1, quoted = 0, inside = 0;
    *count = 0;
    for (; *at && (inside || !strchr("\r\n", *at)); at++) {
        if (*at == '"' && inside) {
            inside = 0;
        } else if (*at == '"' && (begins || (quoted && at[-1] == '"'))) {
            quoted = inside = 1; /* a doubled one opens again at once */
        } else if (*at == delimiter && !inside) {
            (*count)++;
            quoted = 0;
        }
        begins = !inside && (*at == delimiter || (begins && *at == ' '));
    }
    return at;
}

static void take_census(const char *text, char delimiter, census *out) {
    out->records = 0;
    while (*text && out->records < LOOKED_AT) {
        text += strspn(text, " \r\n");
        if (*text) text = count_record(text, delimiter, &out->counts[out->records++]);
    }
}

/* The records that have as many delimiters as most others have, none not counted. */
static size_t most_alike(const census *c) {
    size_t best = 0;
    for (size_t i = 0; i < c->records; i++) {
        size_t same = 0;
        for (size_t k = 0; k < c->records; k++) same += c->counts[k] == c->counts[i];
        if (c->counts[i] > 0 && same > best) best = same;
    }
    return best;
}

/* The header alone does not tell: names may hold commas, and numbers decimal ones. The delimiter
 * of a table stands equally often in every record; in lists of NAME,ATTRIBUTE=VALUE it stands at
 * least in every one. Of equals the one that is rarer in names and numbers. */
static char find_delimiter(const char *text) {
    static const char choices[] = {'\t', ';', ','};
    char best = ',';
    size_t most = 0;
    for (size_t k = 0; k < sizeof choices; k++) {
        census c;
        take_census(text, choices[k], &c);
        size_t used = 0;
        for (size_t i = 0; i < c.records; i++) used += c.counts[i] > 0;
        size_t merit = most_alike(&c) + used;
        if (merit <= most) continue;
        most = merit;
        best = choices[k];
    }
    return best;
}

/* ---- opening ---- */

/* The line of the first byte that is not UTF-8. */
static size_t first_wrong_line(const char *text, size_t length) {
    size_t line = 1;
    for (size_t from = 0, at = 0; at <= length; at++) {
        if (at < length && text[at] != '\n') continue;
        if (!un_text_is_utf8((const unsigned char *)text + from, at - from)) return line;
        from = at + 1;
        line++;
    }
    return line;
}

/* That the bytes are UTF-8 text without NUL, else a sentence that says what they are. */
static un_status require_text(const char *path, const char *text, size_t length) {
    un_file_kind kind = un_kind_of(text, length);
    int is_text = un_text_is_utf8((const unsigned char *)text, length);
    if (is_text && (kind == UN_KIND_TEXT || kind == UN_KIND_EMPTY || kind == UN_KIND_UNKNOWN))
        return UNSEEN_OK;
    if (is_text && kind != UN_KIND_HTML && kind != UN_KIND_LFS_POINTER && kind != UN_KIND_XML)
        return UNSEEN_OK; /* a table may begin like JSON, or "BM" */
    if (kind != UN_KIND_TEXT && kind != UN_KIND_UNKNOWN && kind != UN_KIND_JSON)
        return un_fail_kind(path, "a table in UTF-8", kind);
    if (memchr(text, 0, length))
        return un_fail(
            UNSEEN_E_FORMAT,
            "%s is not UTF-8 text: line %zu has a NUL byte; save the table as CSV in UTF-8", path,
            first_wrong_line(text, length));
    return un_fail(UNSEEN_E_FORMAT,
                   "%s is not UTF-8 text: line %zu has letters in another encoding, Latin-1 or "
                   "Windows-1252 perhaps; save the table as CSV in UTF-8",
                   path, first_wrong_line(text, length));
}

un_status un_csv_open(un_csv *csv, const char *path) {
    size_t length = 0;
    *csv = (un_csv){.path = path, .line = 1};
    UN_TRY(un_file_read(path, LIMIT, &csv->text, &length));
    un_status status = require_text(path, csv->text, length);
    if (status) {
        un_csv_close(csv);
        return status;
    }
    csv->at = csv->text + (strncmp(csv->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    csv->delimiter = find_delimiter(csv->at);
    return UNSEEN_OK;
}

void un_csv_close(un_csv *csv) {
    free(csv->text);
    free(csv->fields);
    *csv = (un_csv){0};
}

/* ---- records ---- */

/* The length of the blank that `text` begins with: a blank, a tab, a no-break space. */
static size_t blank_length(const char *text) {
    if (*text == ' ' || *text == '\t') return 1;
    return strncmp(text, "\xC2\xA0", 2) == 0 ? 2 : 0;
}

static void trim(char **text) {
    for (size_t n = blank_length(*text); n > 0; n = blank_length(*text)) *text += n;
    size_t length = strlen(*text);
    for (;;) {
        if (length > 0 && blank_length(*text + length - 1) == 1)
            length -= 1;
        else if (length > 1 && blank_length(*text + length - 2) == 2)
            length -= 2;
        else
            break;
    }
    (*text)[length] = 0;
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

un_status un_csv_record(un_csv *csv, char ***fields, size_t *count) {
    int last = 0;
    *count = 0;
    while (!last) {
        char *field = NULL;
        UN_TRY(next_field(csv, &field, &last));
        trim(&field);
        if (*count == csv->capacity) {
            size_t capacity = csv->capacity ? 2 * csv->capacity : 64;
            char **grown = realloc(csv->fields, capacity * sizeof *grown);
            if (!grown) return un_fail_memory(capacity * sizeof *grown);
            csv->fields = grown;
            csv->capacity = capacity;
        }
        csv->fields[(*count)++] = field;
    }
    *fields = csv->fields;
    return UNSEEN_OK;
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
