/*
 * text.h - text in foreign files: lines of fields, records of CSV and TSV, and the strings of
 * binary files. Private to readers/ and to the reader of new classes.
 */
#ifndef UN_DATA_READERS_TEXT_H
#define UN_DATA_READERS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/status.h"

/* ---- the text files of the field: one record a line, fields apart by blanks or tabs, counted in
 * sentences from 1. Lines end in LF, CRLF or CR; a mark of UTF-8 is overlooked. ---- */

typedef struct {
    char *path;
    char *text;
    char *next;    /* rest of the text, NULL at its end */
    size_t number; /* of the current line */
} un_lines;

/* Reads the whole file; it must be text without NUL. */
un_status un_lines_open(un_lines *lines, const char *path);
/* ROOT/name. */
un_status un_lines_open_in(un_lines *lines, const char *root, const char *name);
void un_lines_close(un_lines *lines);

/* The next line that is not blank, blanks at both ends cut off; 0 at the end. It
 * may be changed and stays valid until close. */
int un_lines_next(un_lines *lines, char **line);
/* The most lines that un_lines_next can still give. */
size_t un_lines_left(const un_lines *lines);

/* A sentence about the current line. */
un_status un_lines_wrong(const un_lines *lines, const char *what);
/* Takes a whole number of `low` to `high` from the front of *rest. */
un_status un_lines_whole(const un_lines *lines, char **rest, size_t low, size_t high, size_t *out);
/* Takes a finite number. */
un_status un_lines_number(const un_lines *lines, char **rest, double *out);
/* Takes what is left, which must not be empty, and must be UTF-8. */
un_status un_lines_text(const un_lines *lines, char *rest, char **out);
/* Fails if something is left. */
un_status un_lines_end(const un_lines *lines, const char *rest);

/* A list of names, one a line, copied into `arena`; a name may stand in quotes, doubled within.
 * A file without a name is an error. */
un_status un_lines_read_names(const char *path, un_arena *arena, char ***out, size_t *count);

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

/* ---- text of foreign files as UTF-8: strings put one after the other, each
 * with a NUL, whatever encoding they had. ---- */

/* Zero-initialised ({0}); `data` is released with free(). */
typedef struct {
    char *data;
    size_t used, capacity;
} un_text;

un_status un_text_byte(un_text *text, unsigned byte);
/* What is not a character becomes U+FFFD. */
un_status un_text_code_point(un_text *text, uint32_t code);
/* n bytes and a NUL. Bytes that are not UTF-8 are Latin-1: files do not say which
 * of the two they mean. */
un_status un_text_string(un_text *text, const unsigned char *bytes, size_t n);

/* A matrix of characters, column by column as MATLAB keeps it. */
typedef struct {
    const unsigned char *data; /* in this machine's byte order, aligned to `size` */
    size_t size;               /* bytes of a code unit: 1 (UTF-8 or Latin-1), 2 (UTF-16), 4 */
    size_t units;
    size_t rows, width; /* as the file says; one row of UTF-8 may have more units */
} un_text_matrix;

/* One string a row, NULs at its end and, of several rows, blanks at its end cut off; adds
 * the number of rows to *count. *whole becomes 0, and nothing is put, if the units do not
 * make up rows x width. Several rows without a single unit are no strings. */
un_status un_text_rows(un_text *text, const un_text_matrix *matrix, size_t *count, int *whole);

/* Copies `count` strings that make up n bytes into `arena`; count + 1 pointers, the last
 * NULL. *whole becomes 0 if they are not so many. */
un_status un_text_split(const char *bytes, size_t n, size_t count, un_arena *arena, char ***out,
                        int *whole);

#endif
