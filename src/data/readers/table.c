/* table.c - reading CSV and TSV tables of attributes; see table.h. */
#include "data/readers/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/names.h"
#include "base/status.h"
#include "data/readers/lines.h"
#include "data/readers/reader_child.h"

enum { SHOWN = 60, EARLY_ENDS = 1 << 20 };

typedef struct {
    const un_table_options *options;
    un_csv csv;
    un_arena *arena;  /* of what is read */
    un_arena scratch; /* of what it is read from */
    un_cell_format format;
    size_t width;  /* fields of the header, empty ones at its end not counted */
    size_t fields; /* those counted */
    char **header; /* [width] */
    char ***rows;  /* [C][width] "" where a row ends early */
    size_t most_cells;
    size_t *place; /* [width] number of the column's attribute, UN_NO_NAME: it has none */
    un_table *out;
} reader;

/* ---- the header ---- */

/* Names must differ: the numbers of two that do not, else *first == *second. */
static un_status find_repeated(char *const *names, size_t count, size_t *first, size_t *second) {
    un_name_index index;
    *first = *second = 0;
    UN_TRY(un_name_index_make(&index, names, count));
    (void)un_name_index_repeats(&index, first, second);
    un_name_index_free(&index);
    return UNSEEN_OK;
}

/* Two rows that are probably meant to be one: kept, as names that differ are two classes. */
static un_status tell_alike_rows(const reader *r) {
    un_name_index index;
    un_name_list alike = {0};
    UN_TRY(un_name_index_make(&index, r->out->names, r->out->rows));
    un_name_index_alike(&index, &alike);
    un_name_index_free(&index);
    if (alike.count > 0)
        un_log(
            UNSEEN_LOG_WARNING,
            "%s has classes that differ in spelling only: %s%s; they are different classes here; "
            "if one is meant, take the other row out",
            r->csv.path, alike.text, un_name_list_more(&alike));
    return UNSEEN_OK;
}

static int is_blank(char *const *fields, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (fields[i][0]) return 0;
    return 1;
}

/* A file of a program may number its attributes, and calls its first column something then. */
static int names_a_column(const char *text) {
    static const char *const words[] = {"",       "class",    "classes", "name", "names", "label",
                                        "labels", "category", "species", "kind", "id"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) return 1;
    return 0;
}

/* Values in every named field of the first row: it is a class, the header is missing. */
static un_status check_header(const reader *r, size_t line) {
    const un_cell_format format = {.decimal_comma = r->csv.delimiter != ','};
    if (names_a_column(r->header[0])) return UNSEEN_OK;
    for (size_t i = 1; i < r->width; i++) {
        un_cell_kind kind = un_cell_read(&format, r->header[i]).kind;
        if (kind == UN_CELL_WRONG) return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu has values (\"%.60s\", \"%.20s\") where the attributes' names are "
                   "expected; put a header above the classes, or, if these are names, \"class\" "
                   "before them",
                   r->csv.path, line, r->header[0], r->header[1]);
}

static un_status read_header(reader *r) {
    char **fields = NULL;
    size_t line = 0;
    do {
        if (*r->csv.at == 0) return un_fail(UNSEEN_E_FORMAT, "%s is empty", r->csv.path);
        line = r->csv.line;
        UN_TRY(un_csv_record(&r->csv, &fields, &r->width));
    } while (is_blank(fields, r->width));
    r->fields = r->width;
    while (r->width > 1 && fields[r->width - 1][0] == 0) r->width--;
    if (r->width < 2)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: the header has one field only; the first column is for the classes' "
                       "names, one more is needed for each attribute (commas, tabs or semicolons "
                       "between)",
                       r->csv.path);
    UN_TRY(un_arena_alloc(&r->scratch, r->width, sizeof *r->header, &r->header));
    memcpy(r->header, fields, r->width * sizeof *r->header);
    return check_header(r, line);
}

/* ---- rows of text ---- */

static un_status keep_row(reader *r, char **fields, size_t count, size_t line) {
    un_table *t = r->out;
    char **row = NULL;
    size_t named = r->width;
    while (count > r->width && fields[count - 1][0] == 0) count--;
    while (named > 1 && r->header[named - 1][0] == 0) named--;
    if (count > r->width && count <= r->fields)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: column %zu has no name, but line %zu has \"%.60s\" in it", r->csv.path,
                       count, line, fields[count - 1]);
    if (count > r->width)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: line %zu has %zu fields where at most %zu are expected", r->csv.path,
                       line, count, r->width);
    if (count < named && !r->options->partial)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has %zu fields, the header has %zu",
                       r->csv.path, line, count, r->width);
    if (fields[0][0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu has no class name in its first column",
                       r->csv.path, line);
    /* Rows that end early must not make a small file ask for much. */
    if ((t->rows + 1) * r->width > r->most_cells)
        return un_fail(UNSEEN_E_FORMAT, "%s: line %zu: rows have far fewer fields than the header",
                       r->csv.path, line);
    UN_TRY(un_arena_alloc(&r->scratch, r->width, sizeof *row, &row));
    for (size_t i = 0; i < r->width; i++) row[i] = i < count ? fields[i] : "";
    r->rows[t->rows] = row;
    t->lines[t->rows] = line;
    return un_arena_string(r->arena, fields[0], &t->names[t->rows++]);
}

static un_status read_rows(reader *r) {
    un_table *t = r->out;
    size_t most = 0;
    size_t cells = 0;
    /* No more rows than lines, and hardly more values than delimiters: what a hostile
     * header of a million columns asks for stays within the file's own size. */
    un_csv_bounds(&r->csv, &most, &cells);
    r->most_cells = cells + most + EARLY_ENDS;
    UN_TRY(un_arena_alloc(r->arena, most, sizeof *t->names, &t->names));
    UN_TRY(un_arena_alloc(r->arena, most, sizeof *t->lines, &t->lines));
    UN_TRY(un_arena_alloc(&r->scratch, most, sizeof *r->rows, &r->rows));
    while (*r->csv.at) {
        char **fields = NULL;
        size_t count = 0;
        size_t line = r->csv.line;
        UN_TRY(un_csv_record(&r->csv, &fields, &count));
        if (is_blank(fields, count)) continue;
        UN_TRY(keep_row(r, fields, count, line));
    }
    if (t->rows == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s has a header, but no classes below it", r->csv.path);
    size_t a = 0, b = 0;
    UN_TRY(find_repeated(t->names, t->rows, &a, &b));
    if (a == b) return tell_alike_rows(r);
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: class %zu and class %zu have the same name, \"%.200s\" (lines %zu and %zu)",
                   r->csv.path, a + 1, b + 1, t->names[a], t->lines[a], t->lines[b]);
}

/* ---- columns ---- */

static un_status check_columns(const reader *r) {
    const un_table *t = r->out;
    size_t a = 0, b = 0, first = 0, second = 0;
    UN_TRY(find_repeated(t->attributes, t->columns, &a, &b));
    if (a == b) return UNSEEN_OK;
    for (size_t i = 1; i < r->width; i++) {
        if (r->place[i] == a) first = i + 1;
        if (r->place[i] == b) second = i + 1;
    }
    return un_fail(UNSEEN_E_FORMAT, "%s: column %zu and column %zu have the same name, \"%.200s\"",
                   r->csv.path, first, second, t->attributes[a]);
}

/* A column without a name is none if nothing stands in it. */
static un_status take_columns(reader *r) {
    un_table *t = r->out;
    UN_TRY(un_arena_alloc(&r->scratch, r->width, sizeof *r->place, &r->place));
    UN_TRY(un_arena_alloc(r->arena, r->width, sizeof *t->attributes, &t->attributes));
    for (size_t i = 1; i < r->width; i++) {
        r->place[i] = UN_NO_NAME;
        for (size_t c = 0; c < t->rows && r->header[i][0] == 0; c++)
            if (r->rows[c][i][0])
                return un_fail(UNSEEN_E_FORMAT,
                               "%s: column %zu has no name, but line %zu has \"%.60s\" in it",
                               r->csv.path, i + 1, t->lines[c], r->rows[c][i]);
        if (r->header[i][0] == 0) continue;
        r->place[i] = t->columns;
        UN_TRY(un_arena_string(r->arena, r->header[i], &t->attributes[t->columns++]));
    }
    return check_columns(r);
}

/* Whether commas are decimal marks: where numbers have them, none with a point beside. */
static un_status find_decimal_mark(reader *r) {
    const un_table *t = r->out;
    size_t comma = SIZE_MAX, point = SIZE_MAX; /* rows */
    if (r->csv.delimiter == ',') return UNSEEN_OK;
    for (size_t c = 0; c < t->rows; c++)
        for (size_t i = 1; i < r->width; i++) {
            if (comma == SIZE_MAX && un_cell_has_comma(r->rows[c][i])) comma = c;
            if (point == SIZE_MAX && un_cell_has_point(r->rows[c][i])) point = c;
        }
    r->format.decimal_comma = comma != SIZE_MAX;
    if (comma == SIZE_MAX || point == SIZE_MAX) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s has numbers with a decimal comma (line %zu) and with a decimal point (line "
                   "%zu); write all with a point",
                   r->csv.path, t->lines[comma], t->lines[point]);
}

/* ---- values ---- */

static un_status wrong_value(const reader *r, size_t c, size_t i, const char *why) {
    const char *text = r->rows[c][i];
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: line %zu, column %zu (class \"%.100s\", attribute \"%.100s\"): %s%s%.*s%s",
                   r->csv.path, r->out->lines[c], i + 1, r->out->names[c], r->header[i], why,
                   text[0] ? ": \"" : "", (int)SHOWN, text, text[0] ? "\"" : "");
}

/* One column into values[·, a]. */
static un_status read_column(reader *r, size_t i, size_t a) {
    un_table *t = r->out;
    size_t percent = SIZE_MAX, plain = SIZE_MAX; /* rows with a percent sign, and without */
    for (size_t c = 0; c < t->rows; c++) {
        un_cell cell = un_cell_read(&r->format, r->rows[c][i]);
        if (cell.kind == UN_CELL_WRONG || (cell.kind == UN_CELL_EMPTY && !r->options->partial))
            return wrong_value(r, c, i, cell.why);
        if (cell.kind == UN_CELL_PERCENT) percent = c;
        if (cell.kind == UN_CELL_NUMBER && cell.value != 0) plain = c;
        t->values[c * t->columns + a] = cell.value;
        t->unknown += isnan(cell.value) != 0;
    }
    if (percent == SIZE_MAX || plain == SIZE_MAX) return UNSEEN_OK;
    return wrong_value(r, plain, i,
                       "other values of this attribute are in percent (78%), this one has no "
                       "percent sign");
}

static un_status read_all(reader *r) {
    un_table *t = r->out;
    UN_TRY(read_header(r));
    UN_TRY(read_rows(r));
    UN_TRY(take_columns(r));
    UN_TRY(find_decimal_mark(r));
    UN_TRY(un_arena_alloc(r->arena, t->rows * t->columns, sizeof *t->values, &t->values));
    for (size_t i = 1; i < r->width; i++)
        if (r->place[i] != UN_NO_NAME) UN_TRY(read_column(r, i, r->place[i]));
    return UNSEEN_OK;
}

un_status un_table_read_as(const char *path, const un_table_options *options, un_arena *arena,
                           un_table *out) {
    reader r = {.options = options,
                .arena = arena,
                .format = {.unknown = options->unknown, .unknown_count = options->unknown_count},
                .out = out};
    *out = (un_table){0};
    UN_TRY(un_csv_open(&r.csv, path));
    un_status status = read_all(&r);
    un_csv_close(&r.csv);
    un_arena_free(&r.scratch);
    return status;
}

un_status un_table_read(const char *path, un_arena *arena, un_table *out) {
    return un_table_read_as(path, &(un_table_options){0}, arena, out);
}

un_status un_table_is_turned(const un_table *t, char *const *names, size_t count, int *turned) {
    un_name_index index;
    size_t found = 0;
    UN_TRY(un_name_index_make(&index, t->attributes, t->columns));
    for (size_t i = 0; i < count; i++) found += un_name_find(&index, names[i]) != UN_NO_NAME;
    un_name_index_free(&index);
    *turned = 2 * found > count;
    return UNSEEN_OK;
}

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
