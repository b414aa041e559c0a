/*
 * mat.h - reading MATLAB files: v5 (compressed or not) and v7.3.
 *
 * A thin layer over libmatio that stays safe on damaged files. Neither libmatio
 * nor libhdf5 survives arbitrary bytes: on damaged copies of real files they
 * crash, loop, ask for absurd amounts of memory, and, worse, hand out zeros for
 * data that were cut off. Two guards stand before them:
 * - v5 files are walked first by a reader of our own (mat5.c): every size
 *   against the file, every dimension against its data, every compressed stream
 *   to its checksum;
 * - libmatio then runs in a child process of its own with limits on memory and
 *   processor time (reader_child.h). It hands arrays over in shared memory; when it
 *   dies, the caller gets a sentence.
 *
 * A handle is for one thread, the one that opened it: the child ends with that
 * thread. Numbers are in MATLAB's order: column-major, so a column is contiguous.
 */
#ifndef UN_DATA_READERS_MAT_H
#define UN_DATA_READERS_MAT_H

#include "base/arena.h"
#include "tensor/tensor.h"

typedef enum {
    UN_MAT_OTHER = 0, /* struct, sparse, complex, function handle, …: listed, not readable */
    UN_MAT_NUMERIC,   /* any real numeric or logical class */
    UN_MAT_TEXT,      /* char array */
    UN_MAT_CELL
} un_mat_kind;

enum { UN_MAT_NAME = 64 };

typedef struct {
    char name[UN_MAT_NAME]; /* MATLAB allows 63 characters */
    char class_name[16];    /* "double", "uint16", "cell", … */
    un_mat_kind kind;
    int rank;
    size_t dims[UN_MAX_RANK];
} un_mat_variable;

typedef struct un_mat un_mat;

/* Opens and lists. UNSEEN_E_FORMAT for anything that is not an intact MAT v5 or
 * v7.3 file. */
un_status un_mat_open(un_mat **out, const char *path);
/* NULL is allowed. */
void un_mat_close(un_mat *mat);

const char *un_mat_path(const un_mat *mat);
/* The variables in file order, borrowed; names longer than MATLAB allows are left out. */
const un_mat_variable *un_mat_variables(const un_mat *mat, size_t *count);
/* "5" or "7.3". */
const char *un_mat_version(const un_mat *mat);
/* NULL if there is no such variable. */
const un_mat_variable *un_mat_find(const un_mat *mat, const char *name);
/* The variable, of `kind` and with two dimensions, or a sentence that says what
 * is there instead. */
un_status un_mat_require(const un_mat *mat, const char *name, un_mat_kind kind,
                         const un_mat_variable **out);

/* A whole numeric matrix as doubles, column-major, released with free(); at most
 * 1 GiB. */
un_status un_mat_read_double(un_mat *mat, const char *name, double **out);
/* Columns first … first + count - 1 of a numeric matrix as f32 [count, rows].
 * *out is borrowed until the next call on `mat`. Every call on a compressed
 * variable unpacks it from its beginning: ask for un_mat_slab_columns at a time. */
un_status un_mat_read_columns(un_mat *mat, const char *name, size_t first, size_t count,
                              const float **out);
/* Columns of about 128 MiB, at least 1. */
size_t un_mat_slab_columns(const un_mat_variable *variable);
/* The strings of a cell array, or the rows of a char array without trailing
 * blanks, as UTF-8 from `arena`. */
un_status un_mat_read_strings(un_mat *mat, const char *name, un_arena *arena, char ***out,
                              size_t *count);

#endif
