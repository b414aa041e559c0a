/*
 * csv.h - records of a CSV or TSV file. Fields are apart by commas, tabs or
 * semicolons, whichever stand equally often in the most records; quotes as in RFC 4180;
 * UTF-8, with or without a mark; lines end in LF, CRLF or CR; blanks around a field,
 * no-break spaces too, are cut off.
 */
#ifndef UN_DATA_READERS_CSV_H
#define UN_DATA_READERS_CSV_H

#include <stddef.h>

#include "base/status.h"

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
