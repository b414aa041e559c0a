/* cell.c - see cell.h. */
#include "data/readers/cell.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/readers/csv.h"

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
