/* text.c - text in foreign files: lines of fields, records of CSV and TSV, strings of binary files;
 * see text.h. */
#include "data/readers/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/file_kind.h"

enum { TEXT_LIMIT = 256 * 1024 * 1024 };
static const char BLANKS[] = " \t\r\v\f";

/* ---- lines ---- */

un_status un_lines_open(un_lines *lines, const char *path) {
    size_t length = 0;
    *lines = (un_lines){0};
    UN_TRY(un_file_read(path, TEXT_LIMIT, &lines->text, &length));
    un_status status = UNSEEN_OK;
    un_file_kind kind = un_kind_of(lines->text, length);
    if (strlen(lines->text) != length || kind == UN_KIND_HTML || kind == UN_KIND_LFS_POINTER)
        UN_GO(un_fail_kind(path, "a text file", kind));
    UN_GO(un_format(&lines->path, "%s", path));
    lines->next = lines->text;
    if (!strncmp(lines->text, "\xEF\xBB\xBF", 3)) lines->next += 3; /* a mark of UTF-8 */
done:
    if (status) un_lines_close(lines);
    return status;
}

un_status un_lines_open_in(un_lines *lines, const char *root, const char *name) {
    char *path = NULL;
    *lines = (un_lines){0};
    UN_TRY(un_path_join(root, name, &path));
    un_status status = un_lines_open(lines, path);
    free(path);
    return status;
}

void un_lines_close(un_lines *lines) {
    free(lines->path);
    free(lines->text);
    *lines = (un_lines){0};
}

/* Where the line at `text` ends, and how long the mark of its end is: LF, CR LF, CR, or 0 bytes. */
static char *line_end(char *text, size_t *mark) {
    char *end = text + strcspn(text, "\r\n");
    *mark = *end == 0 ? 0 : end[0] == '\r' && end[1] == '\n' ? 2 : 1;
    return end;
}

size_t un_lines_left(const un_lines *lines) {
    size_t n = 0, mark = 0;
    for (char *at = lines->next; at; at = mark > 0 ? at + mark : NULL, n++)
        at = line_end(at, &mark);
    return n;
}

int un_lines_next(un_lines *lines, char **line) {
    while (lines->next) {
        size_t mark = 0;
        char *text = lines->next, *end = line_end(text, &mark);
        lines->next = mark > 0 ? end + mark : NULL;
        *end = 0;
        lines->number++;
        text += strspn(text, BLANKS);
        size_t length = strlen(text);
        while (length > 0 && strchr(BLANKS, text[length - 1])) text[--length] = 0;
        if (length == 0) continue;
        *line = text;
        return 1;
    }
    return 0;
}

un_status un_lines_wrong(const un_lines *lines, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: %s", lines->path, lines->number, what);
}

/* The field ends where a blank or the line does. */
static int ends_field(const char *end) { return *end == 0 || strchr(BLANKS, *end) != NULL; }

un_status un_lines_whole(const un_lines *lines, char **rest, size_t low, size_t high, size_t *out) {
    char *end = NULL;
    errno = 0;
    unsigned long long x = **rest >= '0' && **rest <= '9' ? strtoull(*rest, &end, 10) : 0;
    if (!end || !ends_field(end) || errno != 0 || x < low || x > high)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: line %zu: \"%.40s\" should begin with a whole number from %zu to %zu",
                       lines->path, lines->number, *rest, low, high);
    *out = (size_t)x;
    *rest = end + strspn(end, BLANKS);
    return UNSEEN_OK;
}

un_status un_lines_number(const un_lines *lines, char **rest, double *out) {
    char *end = NULL;
    double x = strtod(*rest, &end);
    if (end == *rest || !ends_field(end) || !isfinite(x))
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.40s\" should begin with a number",
                       lines->path, lines->number, *rest);
    *out = x;
    *rest = end + strspn(end, BLANKS);
    return UNSEEN_OK;
}

un_status un_lines_text(const un_lines *lines, char *rest, char **out) {
    if (*rest == 0) return un_lines_wrong(lines, "the name is missing");
    if (!un_text_is_utf8((const unsigned char *)rest, strlen(rest)))
        return un_lines_wrong(lines, "the name is not valid UTF-8 text");
    *out = rest;
    return UNSEEN_OK;
}

un_status un_lines_end(const un_lines *lines, const char *rest) {
    if (*rest == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: \"%.40s\" is more than expected", lines->path,
                   lines->number, rest);
}

/* Undoes quotes around the whole of a name. */
static void unquote(char *name) {
    size_t length = strlen(name);
    if (length < 2 || name[0] != '"' || name[length - 1] != '"') return;
    char *to = name;
    for (size_t i = 1; i < length - 1; i++) {
        *to++ = name[i];
        if (name[i] == '"' && name[i + 1] == '"' && i + 2 < length) i++;
    }
    *to = 0;
}

un_status un_lines_read_names(const char *path, un_arena *arena, char ***out, size_t *count) {
    un_lines lines;
    char *line = NULL;
    size_t most = 1;
    UN_TRY(un_lines_open(&lines, path));
    un_status status = UNSEEN_OK;
    for (const char *at = lines.next; *at; at++) most += *at == '\n' || *at == '\r';
    *count = 0;
    UN_GO(un_arena_alloc(arena, most, sizeof **out, out));
    while (un_lines_next(&lines, &line)) {
        unquote(line);
        UN_GO(un_lines_text(&lines, line, &line));
        UN_GO(un_arena_string(arena, line, &(*out)[*count]));
        (*count)++;
    }
    if (*count == 0) status = un_fail(UNSEEN_E_FORMAT, "%s has no names in it", path);
done:
    un_lines_close(&lines);
    return status;
}

/* ---- CSV: the delimiter ---- */

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

static void count_characters(const char *text, char delimiter, census *out) {
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
        count_characters(text, choices[k], &c);
        size_t used = 0;
        for (size_t i = 0; i < c.records; i++) used += c.counts[i] > 0;
        size_t merit = most_alike(&c) + used;
        if (merit <= most) continue;
        most = merit;
        best = choices[k];
    }
    return best;
}

/* What a first line such as "sep=;" says, which is written for spreadsheets and skipped; 0: there
 * is none. */
static char told_delimiter(un_csv *csv) {
    char c = strncasecmp(csv->at, "sep=", 4) ? 0 : csv->at[4];
    if (!c || c == '\r' || c == '\n') return 0;
    size_t end = strncmp(csv->at + 5, "\r\n", 2) == 0;
    if (csv->at[5 + end] != '\n' && csv->at[5] != '\r') return 0;
    csv->at += 5 + end + 1;
    csv->line = 2;
    return c;
}

/* ---- CSV: opening ---- */

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
    UN_TRY(un_file_read(path, TEXT_LIMIT, &csv->text, &length));
    un_status status = require_text(path, csv->text, length);
    if (status) {
        un_csv_close(csv);
        return status;
    }
    csv->at = csv->text + (strncmp(csv->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0);
    csv->delimiter = told_delimiter(csv);
    if (!csv->delimiter) csv->delimiter = find_delimiter(csv->at);
    return UNSEEN_OK;
}

void un_csv_close(un_csv *csv) {
    free(csv->text);
    free(csv->fields);
    *csv = (un_csv){0};
}

/* ---- CSV: records ---- */

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
    if (text[0] == 0) return "the value is missing";
    int minus = strncmp(text, "\xE2\x88\x92", 3) == 0; /* U+2212, as typesetters write it */
    if (minus) text += 3;
    *out = strtod(text, &end);
    if (minus) *out = -*out;
    if (end != text && *end == ',') return "numbers are written with a decimal point, not a comma";
    if (end == text || *end != 0 || strpbrk(text, "xX") || (minus && strchr("+-", text[0])))
        return "this is not a number";
    if (!isfinite(*out)) return "the value must be finite";
    return NULL;
}

/* ---- strings of binary files as UTF-8 ---- */

un_status un_text_byte(un_text *t, unsigned byte) {
    if (t->used == t->capacity) {
        size_t capacity = t->capacity ? 2 * t->capacity : 64 * 1024;
        char *grown = realloc(t->data, capacity);
        if (!grown) return un_fail_memory(capacity);
        t->data = grown;
        t->capacity = capacity;
    }
    t->data[t->used++] = (char)byte;
    return UNSEEN_OK;
}

un_status un_text_code_point(un_text *t, uint32_t code) {
    if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) code = 0xFFFD;
    if (code < 0x80) return un_text_byte(t, code);
    if (code < 0x800) {
        UN_TRY(un_text_byte(t, 0xC0 | code >> 6));
    } else {
        if (code < 0x10000) {
            UN_TRY(un_text_byte(t, 0xE0 | code >> 12));
        } else {
            UN_TRY(un_text_byte(t, 0xF0 | code >> 18));
            UN_TRY(un_text_byte(t, 0x80 | (code >> 12 & 0x3F)));
        }
        UN_TRY(un_text_byte(t, 0x80 | (code >> 6 & 0x3F)));
    }
    return un_text_byte(t, 0x80 | (code & 0x3F));
}

un_status un_text_string(un_text *t, const unsigned char *bytes, size_t n) {
    int as_it_is = un_text_is_utf8(bytes, n);
    for (size_t i = 0; i < n; i++)
        UN_TRY(as_it_is ? un_text_byte(t, bytes[i]) : un_text_code_point(t, bytes[i]));
    return un_text_byte(t, 0);
}

/* ---- matrices of characters ---- */

static uint32_t unit(const un_text_matrix *m, size_t i) {
    uint16_t two = 0;
    uint32_t four = 0;
    if (m->size == 1) return m->data[i];
    if (m->size == 2) {
        memcpy(&two, m->data + 2 * i, sizeof two);
        return two;
    }
    memcpy(&four, m->data + 4 * i, sizeof four);
    return four;
}

/* The units from, from + step, … (n of them) as one string. */
static un_status put_row(un_text *t, const un_text_matrix *m, size_t from, size_t step, size_t n) {
    size_t begin = t->used;
    while (n > 0 && unit(m, from + (n - 1) * step) == 0) n--; /* padding of C programs */
    if (m->size == 1) {
        for (size_t i = 0; i < n; i++) UN_TRY(un_text_byte(t, unit(m, from + i * step)));
        if (n == 0 || un_text_is_utf8((const unsigned char *)t->data + begin, n))
            return un_text_byte(t, 0);
        t->used = begin;
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t code = unit(m, from + i * step);
        uint32_t next = i + 1 < n ? unit(m, from + (i + 1) * step) : 0;
        if (m->size == 2 && code >= 0xD800 && code < 0xDC00 && next >= 0xDC00 && next < 0xE000) {
            UN_TRY(un_text_code_point(t, 0x10000 + ((code - 0xD800) << 10) + (next - 0xDC00)));
            i++;
        } else {
            UN_TRY(un_text_code_point(t, code));
        }
    }
    return un_text_byte(t, 0);
}

un_status un_text_rows(un_text *t, const un_text_matrix *m, size_t *count, int *whole) {
    size_t width = m->rows == 1 ? m->units : m->width; /* one row is taken by its bytes */
    size_t needed = 0;
    *whole = !__builtin_mul_overflow(m->rows, width, &needed) && needed == m->units;
    /* Nothing in the file bounds how many rows of nothing it says there are. */
    if (*whole && m->units == 0 && m->rows > 1) return UNSEEN_OK;
    for (size_t row = 0; *whole && row < m->rows; row++) {
        size_t n = width;
        while (m->rows > 1 && n > 0 && unit(m, row + (n - 1) * m->rows) == ' ') n--;
        UN_TRY(put_row(t, m, row, m->rows, n));
        (*count)++;
    }
    return UNSEEN_OK;
}

un_status un_text_split(const char *bytes, size_t n, size_t count, un_arena *arena, char ***out,
                        int *whole) {
    char *text = NULL;
    char **strings = NULL;
    /* Counted before anything is reserved: as many strings have as many NULs. */
    size_t ends = 0;
    for (size_t i = 0; i < n; i++) ends += bytes[i] == 0;
    *whole = ends == count && (n == 0 || bytes[n - 1] == 0);
    if (!*whole) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(arena, n, 1, &text));
    UN_TRY(un_arena_alloc(arena, count + 1, sizeof *strings, &strings));
    if (n > 0) memcpy(text, bytes, n);
    for (size_t i = 0; i < count; i++) {
        strings[i] = text;
        text += strlen(text) + 1;
    }
    *out = strings;
    return UNSEEN_OK;
}
