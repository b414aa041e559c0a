/*
 * reader_text.h - text of foreign files as UTF-8: strings put one after the other, each
 * with a NUL, whatever encoding they had. Private to the readers.
 */
#ifndef UN_DATA_READERS_READER_TEXT_H
#define UN_DATA_READERS_READER_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/status.h"

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
