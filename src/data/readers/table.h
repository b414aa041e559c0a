/*
 * table.h - a table of classes and attributes as people keep it: CSV or TSV, one
 * class a row, the first column its name, a header with the attributes' names.
 *
 *     class,has fur,legs
 *     cat,1,4
 *     "owl, barn",0,2
 *
 * Records and fields are those of csv.h, values those of cell.h. What spreadsheets leave
 * behind is overlooked: empty rows, and columns without a name in which nothing stands.
 * The decimal mark may be a comma where fields are apart by tabs or semicolons, if no number
 * has a point; in a column with percent signs every number but 0 must have one.
 */
#ifndef UN_DATA_READERS_TABLE_H
#define UN_DATA_READERS_TABLE_H

#include "base/arena.h"
#include "data/readers/csv.h"

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
    char *const *unknown; /* texts that stand for an unknown value besides "?" (cell.h) */
    size_t unknown_count;
    int partial; /* 1: an empty cell states nothing, a row may end early */
} un_table_options;

/* Everything from `arena`. What is wrong is UNSEEN_E_FORMAT with line and column; so are an
 * empty cell, unless the options say otherwise, classes or attributes of one name, and a
 * first row that is no header because values stand in it. */
un_status un_table_read(const char *path, un_arena *arena, un_table *out);
un_status un_table_read_as(const char *path, const un_table_options *options, un_arena *arena,
                           un_table *out);

#endif
