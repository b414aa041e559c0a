/*
 * csv_writer.h - the one way CSV is written: rows in memory, then into a file as a whole.
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
} un_csv_writer;

un_status un_csv_writer_open(un_csv_writer *csv);
/* Fields; the caller prints commas and ends of lines, and what is no text of others, to
 * csv->stream. */
void un_csv_writer_text(un_csv_writer *csv, const char *text);
/* 17 digits, which keep every bit; empty where `x` is not finite. */
void un_csv_writer_number(un_csv_writer *csv, double x);
/* Makes csv->text complete; it is released with free(). On failure nothing is left. */
un_status un_csv_writer_end(un_csv_writer *csv);
/* un_csv_writer_end, and the text into a file. */
un_status un_csv_writer_write(un_csv_writer *csv, const char *path);

#endif
