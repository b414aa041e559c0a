/*
 * csv_writer.h - the one way CSV is written: row by row into memory, then into a file as a whole;
 * or into a stream of the caller's, as a log is.
 *
 * Texts are quoted where RFC 4180 asks for it. A spreadsheet takes a text that begins with = + - or
 * @ (or a tab) for a formula and runs it, so such a text gets a ' in front; numbers are untouched.
 */
#ifndef UN_BASE_CSV_WRITER_H
#define UN_BASE_CSV_WRITER_H

#include <stdio.h>

#include "base/status.h"

typedef struct {
    char *text; /* valid after un_csv_writer_end */
    size_t size;
    FILE *stream;
    int begun; /* there are fields in this row */
} un_csv_writer;

/* In memory. A writer into a caller's stream is (un_csv_writer){.stream = …}; it is never ended. */
un_status un_csv_writer_open(un_csv_writer *csv);

/* The next field of the row. */
void un_csv_writer_text(un_csv_writer *csv, const char *text);
/* 17 digits, which keep every bit; empty where `x` is not finite. */
void un_csv_writer_number(un_csv_writer *csv, double x);
/* Something of our own that needs no quotes: a number in a form of its own, the names of columns,
 * several with commas between. */
void un_csv_writer_print(un_csv_writer *csv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void un_csv_writer_row(un_csv_writer *csv); /* ends it */

/* Makes csv->text complete; it is released with free(). On failure nothing is left. */
un_status un_csv_writer_end(un_csv_writer *csv);
/* un_csv_writer_end, and the text into a file. */
un_status un_csv_writer_write(un_csv_writer *csv, const char *path);

#endif
