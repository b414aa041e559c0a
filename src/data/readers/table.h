/*
 * table.h - a table of classes and attributes as people keep it: CSV or TSV, one
 * class a row, the first column its name, a header with the attributes' names.
 *
 *     class,has fur,legs
 *     cat,1,4
 *     "owl, barn",0,2
 *
 * Records and fields are those of text.h. What spreadsheets leave
 * behind is overlooked: empty rows, and columns without a name in which nothing stands.
 * The decimal mark may be a comma where fields are apart by tabs or semicolons, if no number
 * has a point; in a column with percent signs every number but 0 must have one.
 */
#ifndef UN_DATA_READERS_TABLE_H
#define UN_DATA_READERS_TABLE_H

#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

typedef struct {
    size_t rows;       /* C */
    size_t columns;    /* A */
    char **names;      /* [C] */
    char **attributes; /* [A] */
    double *values;    /* [C, A]; NaN: not known, or not stated */
    size_t *lines;     /* [C] where each row begins */
    size_t unknown;    /* how many values are NaN */
} un_table;

typedef struct {
    char *const *unknown; /* texts that stand for an unknown value besides "?" (un_cell_format) */
    size_t unknown_count;
    int partial; /* 1: an empty cell states nothing, a row may end early */
} un_table_options;

/* Everything from `arena`. What is wrong is UNSEEN_E_FORMAT with line and column; so are an
 * empty cell, unless the options say otherwise, classes or attributes of one name, and a
 * first row that is no header because values stand in it. */
un_status un_table_read(const char *path, un_arena *arena, un_table *out);
un_status un_table_read_as(const char *path, const un_table_options *options, un_arena *arena,
                           un_table *out);

/* Whether the table lies the other way round: most of the `count` names of classes are names of
 * its columns. */
un_status un_table_is_turned(const un_table *t, char *const *names, size_t count, int *turned);

/* ---- what a cell says: a number as spreadsheets of several countries write it, a share in
 * percent, yes or no, or that the value is not known. ---- */

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
    const char *why; /* of EMPTY and WRONG: a sentence's end, "this is not a number", which goes
                        through un_worded */
} un_cell;

un_cell un_cell_read(const un_cell_format *format, const char *text);

/* Whether the text is a number whose decimal mark is a comma ("0,5", "78,5%") or a point. */
int un_cell_has_comma(const char *text);
int un_cell_has_point(const char *text);

/* Whether `value` is one of the numbers that stand for an unknown one: for arrays. */
int un_cell_is_unknown(const un_cell_format *format, double value);

#endif
