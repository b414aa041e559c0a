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

/* Whether the table lies the other way round: most of the `count` names of classes are names of
 * its columns. */
un_status un_table_is_turned(const un_table *t, char *const *names, size_t count, int *turned);

/* ---- records of a CSV or TSV file. Fields are apart by commas, tabs or
 * semicolons, whichever stand equally often in the most records; quotes as in RFC 4180;
 * UTF-8, with or without a mark; lines end in LF, CRLF or CR; blanks around a field,
 * no-break spaces too, are cut off. ---- */

typedef struct {
    const char *path; /* borrowed, for sentences */
    char *text;       /* the whole file */
    char *at;         /* what is not read yet */
    char delimiter;
    size_t line;     /* of `at`, from 1 */
    char **fields;   /* of the last record of un_csv_record */
    size_t capacity; /* of `fields` */
} un_csv;

un_status un_csv_open(un_csv *csv, const char *path);
void un_csv_close(un_csv *csv);

/* The next record into fields[0..most-1], valid until close; *count is the number of its fields,
 * more than `most` is an error. A blank line has one empty field. Call while *csv->at. */
un_status un_csv_next(un_csv *csv, char **fields, size_t most, size_t *count);

/* The same without a limit; *fields is valid until the next record, what it points to until close.
 */
un_status un_csv_record(un_csv *csv, char ***fields, size_t *count);

/* Upper limits of what is left, for allocation: lines, and delimiters. */
void un_csv_bounds(const un_csv *csv, size_t *lines, size_t *delimiters);

/* A finite number with a decimal point; NULL, or why it is none. */
const char *un_csv_number(const char *text, double *out);

#endif
