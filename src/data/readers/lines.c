/* lines.c - see lines.h. */
#include "data/readers/lines.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "data/readers/reader_child.h"
#include "data/readers/table.h"

enum { TEXT_LIMIT = 256 * 1024 * 1024 };
static const char BLANKS[] = " \t\r\v\f";

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

int un_lines_next(un_lines *lines, char **line) {
    while (lines->next) {
        char *text = lines->next;
        char *end = text + strcspn(text, "\r\n");
        size_t mark = *end == 0 ? 0 : end[0] == '\r' && end[1] == '\n' ? 2 : 1;
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

enum { LONGEST = 64 }; /* of a number's text */

/* Digits, at most one sign in front and one `mark` between or before digits, perhaps a percent
 * sign; no exponent. Returns where the mark is, NULL if the text is not of this form. */
static const char *decimal_mark(const char *text, char mark) {
    const char *at = text + (*text == '-' || *text == '+');
    const char *found = NULL;
    size_t digits = 0;
    for (; *at; at++) {
        if (*at >= '0' && *at <= '9')
            digits++;
        else if (*at == mark && !found)
            found = at;
        else
            break;
    }
    at += strspn(at, " ");
    at += *at == '%';
    return digits > 0 && *at == 0 && found && found[1] >= '0' && found[1] <= '9' ? found : NULL;
}

int un_cell_has_comma(const char *text) { return decimal_mark(text, ',') != NULL; }
int un_cell_has_point(const char *text) { return decimal_mark(text, '.') != NULL; }

/* What spreadsheets write for true and false, and what people do. */
static int read_word(const char *text, double *value) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"true", 1}, {"false", 0}, {"yes", 1}, {"no", 0},   {"y", 1},
                 {"n", 0},    {"wahr", 1},  {"ja", 1},  {"nein", 0}, {"falsch", 0},
                 {"vrai", 1}, {"faux", 0},  {"oui", 1}, {"non", 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i].word)) {
            *value = words[i].value;
            return 1;
        }
    return 0;
}

/* NULL, or why the text is no number. */
static const char *read_number(const un_cell_format *format, const char *text, un_cell *out) {
    char copy[LONGEST];
    size_t length = strlen(text);
    const char *comma = format->decimal_comma ? decimal_mark(text, ',') : NULL;
    if (length >= sizeof copy) return un_csv_number(text, &out->value);
    memcpy(copy, text, length + 1);
    if (comma) copy[comma - text] = '.';
    if (length > 1 && copy[length - 1] == '%') {
        out->kind = UN_CELL_PERCENT;
        copy[--length] = 0;
        while (length > 0 && copy[length - 1] == ' ') copy[--length] = 0;
    }
    const char *why = un_csv_number(copy, &out->value);
    if (out->kind == UN_CELL_PERCENT) out->value /= 100;
    return why;
}

int un_cell_is_unknown(const un_cell_format *format, double value) {
    for (size_t i = 0; i < format->unknown_count; i++) {
        un_cell cell = {.kind = UN_CELL_NUMBER};
        const un_cell_format plain = {0};
        if (!strcasecmp(format->unknown[i], "nan") && isnan(value)) return 1;
        if (!read_number(&plain, format->unknown[i], &cell) && cell.value == value) return 1;
    }
    return 0;
}

static int is_unknown_text(const un_cell_format *format, const char *text) {
    if (!strcmp(text, "?")) return 1;
    for (size_t i = 0; i < format->unknown_count; i++)
        if (!strcasecmp(text, format->unknown[i])) return 1;
    return 0;
}

un_cell un_cell_read(const un_cell_format *format, const char *text) {
    un_cell cell = {.kind = UN_CELL_NUMBER, .value = NAN};
    if (is_unknown_text(format, text)) {
        cell.kind = UN_CELL_UNKNOWN;
        return cell;
    }
    if (text[0] == 0) {
        cell.kind = UN_CELL_EMPTY;
        cell.why = "the value is missing; where it is not known write ? or name what stands there "
                   "(--unknown '' for empty cells)";
        return cell;
    }
    if (read_word(text, &cell.value)) return cell;
    cell.why = read_number(format, text, &cell);
    if (cell.why)
        cell.kind = UN_CELL_WRONG;
    else if (un_cell_is_unknown(format, cell.value))
        cell.kind = UN_CELL_UNKNOWN;
    if (cell.kind == UN_CELL_WRONG || cell.kind == UN_CELL_UNKNOWN) cell.value = NAN;
    return cell;
}

/* ---- channels first or last; see layout.h. ---- */

static const char *const NAMES[] = {"auto", "nhwc", "nchw"};

un_status un_layout_parse(const char *text, un_layout *out) {
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, NAMES[i]) != 0) continue;
        *out = (un_layout)i;
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "the layout is auto, nhwc or nchw, not \"%.100s\"", text);
}

un_layout un_layout_guess(const size_t dims[3]) {
    enum { MANY = 4 }; /* times as many channels as positions along a side */
    int first_is_square = dims[1] == dims[2];
    int last_is_square = dims[0] == dims[1];
    if (first_is_square && !last_is_square) return UN_LAYOUT_NCHW;
    if (last_is_square && !first_is_square) return UN_LAYOUT_NHWC;
    if (dims[0] / MANY >= dims[1] && dims[0] / MANY >= dims[2]) return UN_LAYOUT_NCHW;
    if (dims[2] / MANY >= dims[0] && dims[2] / MANY >= dims[1]) return UN_LAYOUT_NHWC;
    return UN_LAYOUT_AUTO;
}

/* ---- text of foreign files as UTF-8; see reader_text.h. ---- */

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
