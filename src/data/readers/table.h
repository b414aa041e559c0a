/*
 * table.h - a table of classes and attributes as people keep it: CSV or TSV, one
 * class a row, the first column its name, a header with the attributes' names.
 *
 *     class,has fur,legs
 *     cat,1,4
 *     "owl, barn",0,2
 *
 * Fields are apart by commas, tabs or semicolons, whichever the header has most of;
 * quotes as in RFC 4180; UTF-8, with or without a mark; lines end in LF or CRLF.
 * Every value must be a finite number with a decimal point.
 */
#ifndef UN_DATA_READERS_TABLE_H
#define UN_DATA_READERS_TABLE_H

#include "base/arena.h"

typedef struct {
    size_t rows;       /* C */
    size_t columns;    /* A */
    char **names;      /* [C] */
    char **attributes; /* [A] */
    double *values;    /* [C, A] */
} un_table;

/* Everything from `arena`. What is wrong is UNSEEN_E_FORMAT with line and column. */
un_status un_table_read(const char *path, un_arena *arena, un_table *out);

#endif
