/* table.c - reading tables of classes and attributes, and what their cells say; see table.h. */
#include "data/readers/table.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/names.h"
#include "base/status.h"
#include "data/readers/text.h"

/* ---- cells ---- */

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

/* What people write where they do not know a value. It is taken for that only where the user says
 * so: in some tables "na" is the name of a country, and "-" means no. */
static int may_mean_unknown(const char *text) {
    static const char *const words[] = {
        "na", "n/a", "n.a.",         "#n/a",         "nan", "null", "none",    "nil",
        "-",  "--",  "\xE2\x80\x93", "\xE2\x80\x94", ".",   "...",  "unknown", "missing"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strcasecmp(text, words[i])) return 1;
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
                   "({--unknown} "
                   "'' for empty cells)";
        return cell;
    }
    if (read_word(text, &cell.value)) return cell;
    cell.why = read_number(format, text, &cell);
    if (cell.why && may_mean_unknown(text))
        cell.why = strcasecmp(text, "nan") ? "this is not a number; if it says that the value is "
                                             "not known, write ? or name it "
                                             "({--unknown})"
                                           : "the value must be finite; if nan says that it is not "
                                             "known, write ? or name it ({--unknown})";
    if (cell.why)
        cell.kind = UN_CELL_WRONG;
    else if (un_cell_is_unknown(format, cell.value))
        cell.kind = UN_CELL_UNKNOWN;
    if (cell.kind == UN_CELL_WRONG || cell.kind == UN_CELL_UNKNOWN) cell.value = NAN;
    return cell;
}

/* ---- a table ---- */

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
static un_status report_alike_rows(const reader *r) {
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
    if (a == b) return report_alike_rows(r);
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
static un_status find_columns(reader *r) {
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
                   r->csv.path, r->out->lines[c], i + 1, r->out->names[c], r->header[i],
                   un_worded(why).text, text[0] ? ": \"" : "", (int)SHOWN, text,
                   text[0] ? "\"" : "");
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
    UN_TRY(find_columns(r));
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
