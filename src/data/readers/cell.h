/*
 * cell.h - what a cell of a table says: a number as spreadsheets of several countries write it, a
 * share in percent, yes or no, or that the value is not known. Private to readers/ and to the
 * reader of new classes.
 */
#ifndef UN_DATA_READERS_CELL_H
#define UN_DATA_READERS_CELL_H

#include <stddef.h>

typedef enum {
    UN_CELL_NUMBER,  /* also true and false, as 1 and 0 */
    UN_CELL_PERCENT, /* "78%": a number, 0.78 */
    UN_CELL_UNKNOWN, /* "?" or one of the texts that stand for it */
    UN_CELL_EMPTY,
    UN_CELL_WRONG
} un_cell_kind;

typedef struct {
    int decimal_comma; /* 1: "0,5" is a half */
    /* Texts that stand for an unknown value besides "?"; a number stands for all spellings of it
     * (-1 for -1.0), "" for the empty cell. */
    char *const *unknown;
    size_t unknown_count;
} un_cell_format;

typedef struct {
    un_cell_kind kind;
    double value;    /* of NUMBER and PERCENT, finite; else NaN */
    const char *why; /* of EMPTY and WRONG: a sentence's end, "this is not a number" */
} un_cell;

un_cell un_cell_read(const un_cell_format *format, const char *text);

/* Whether the text is a number whose decimal mark is a comma ("0,5", "78,5%") or a point. */
int un_cell_has_comma(const char *text);
int un_cell_has_point(const char *text);

/* Whether `value` is one of the numbers that stand for an unknown one: for arrays. */
int un_cell_is_unknown(const un_cell_format *format, double value);

#endif
