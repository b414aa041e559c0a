/*
 * lines.h - the text files of the field: one record a line, fields apart by blanks
 * or tabs, counted in sentences from 1. Lines end in LF, CRLF or CR; a mark of UTF-8 is
 * overlooked. Private to readers/.
 */
#ifndef UN_DATA_READERS_LINES_H
#define UN_DATA_READERS_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/names.h"
#include "base/status.h"

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

/* ---- what a cell of a table says: a number as spreadsheets of several countries write it, a
 * share in percent, yes or no, or that the value is not known. Private to readers/ and to the
 * reader of new classes. ---- */

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

/* ---- where the channels of a feature map stand: behind the positions, (N, h, w, F), as
 * TensorFlow has them, or before, (N, F, h, w), as PyTorch has them. Private to readers/. ---- */

typedef enum {
    UN_LAYOUT_AUTO = 0, /* not said, or not to be told */
    UN_LAYOUT_NHWC,     /* channels last; (N, R, F) */
    UN_LAYOUT_NCHW      /* channels first; (N, F, R) */
} un_layout;

/* "auto", "nhwc" or "nchw". */
un_status un_layout_parse(const char *text, un_layout *out);
/* What the dimensions after the images tell: maps are square, and channels many more than
 * positions along a side. AUTO if they tell nothing. */
un_layout un_layout_guess(const size_t dims[3]);

/* ---- text of foreign files as UTF-8: strings put one after the other, each
 * with a NUL, whatever encoding they had. Private to the readers. ---- */

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
