/*
 * lines.h - the text files of the field: one record a line, fields apart by blanks
 * or tabs, counted in sentences from 1. Lines end in LF, CRLF or CR; a mark of UTF-8 is
 * overlooked. Private to readers/.
 */
#ifndef UN_DATA_READERS_LINES_H
#define UN_DATA_READERS_LINES_H

#include "base/arena.h"

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

#endif
