/*
 * mat.h - reading MATLAB files: v5 (compressed or not, either byte order) and v7.3.
 *
 * v5 is read by a reader of our own (mat5.c): every size is checked against the file,
 * every dimension against its data, every compressed stream to its checksum. v7.3 is
 * HDF5 and read as such (hdf5.h), by libhdf5 in a process of its own; a file that h5py
 * made without MATLAB's marks is one, too. v4 is named, with what to do.
 *
 * Nothing is held but what is asked for: a slab of columns at a time, a table of names.
 *
 * A handle is for one thread, the one that opened it. Numbers are in MATLAB's order:
 * column-major, so a column is contiguous.
 */
#ifndef UN_DATA_READERS_MAT_H
#define UN_DATA_READERS_MAT_H

#include "base/arena.h"
#include "base/file.h"
#include "tensor/tensor.h"

typedef enum {
    UN_MAT_OTHER = 0, /* struct, sparse, complex, string, table, …: listed, not readable */
    UN_MAT_NUMERIC,   /* any real numeric or logical class */
    UN_MAT_TEXT,      /* char array */
    UN_MAT_CELL
} un_mat_kind;

enum { UN_MAT_NAME = 64 };

typedef struct {
    char name[UN_MAT_NAME]; /* MATLAB allows 63 characters */
    char class_name[16];    /* "double", "uint16", "cell", "string", … */
    un_mat_kind kind;
    int rank;
    size_t dims[UN_MAX_RANK];
    size_t slab;        /* of a numeric matrix: columns to ask for at a time, at least 1 */
    int order_is_known; /* 0: no mark of MATLAB's says which dimension is the columns */
    int is_damaged;     /* of v7.3: cannot be opened */
} un_mat_variable;

typedef struct un_mat un_mat;

/* 4, 5 or 73 (7.3, any HDF5 file included) by the first bytes of a file; 0 if it is none. */
int un_mat_version_of(const un_map *file);
/* 1 if the file at `path` begins like one of these; 0 if it cannot be opened, too. */
int un_mat_is_at(const char *path);
/* Opens, checks and lists. UNSEEN_E_FORMAT for anything that is not an intact MAT v5 or
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
 * *out is borrowed until the next call on `mat`. Slabs one after the other cost one pass
 * through the file together; going back begins anew. */
un_status un_mat_read_columns(un_mat *mat, const char *name, size_t first, size_t count,
                              const float **out);
/* A matrix that Python saved without MATLAB's marks may lie either way: if dimension
 * `which` (0: rows, 1: columns) is not `size` but the other one is, it is seen the other way
 * round from now on and the result is 1. Otherwise, and for every other variable, 0. */
int un_mat_orient(un_mat *mat, const char *name, int which, size_t size);
/* The strings of a cell array, or the rows of a char array without trailing
 * blanks, as UTF-8 from `arena`. */
un_status un_mat_read_strings(un_mat *mat, const char *name, un_arena *arena, char ***out,
                              size_t *count);

#endif
