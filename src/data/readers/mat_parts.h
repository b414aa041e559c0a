/*
 * mat_parts.h - what the parts of the MAT reader share; private to mat*.c.
 *
 * mat.c is the door; behind it a file is a un_mat5 (v5, read by ourselves) or a un_mat73
 * (v7.3, read through hdf5.h). Both hand out the same.
 */
#ifndef UN_DATA_READERS_MAT_PARTS_H
#define UN_DATA_READERS_MAT_PARTS_H

#include "data/readers/mat.h"

/* Largest matrix that is read at once, and what one slab of columns should take. */
#define UN_MAT_WHOLE_BYTES ((size_t)1 << 30)
#define UN_MAT_SLAB_BYTES ((size_t)4 << 20)

/* Columns of about UN_MAT_SLAB_BYTES as f32, at least 1. */
size_t un_mat_columns_of(size_t rows);
/* Elements of a matrix that may be read at once as doubles. */
un_status un_mat_whole_size(const char *path, const un_mat_variable *v, size_t *count);

/* ---- v5 ---- */

typedef struct un_mat5 un_mat5;

/* Walks through the whole file: every size against the file, every dimension against its
 * data, every compressed variable to its checksum. */
un_status un_mat5_open(un_mat5 **out, const char *path);
void un_mat5_close(un_mat5 *mat); /* NULL is allowed */
un_mat_variable *un_mat5_variables(un_mat5 *mat, size_t *count);
/* `number` is of the variable in that list, which has the kind that is read. */
un_status un_mat5_read_double(un_mat5 *mat, size_t number, double *out);
un_status un_mat5_read_columns(un_mat5 *mat, size_t number, size_t first, size_t count, float *out);
un_status un_mat5_read_strings(un_mat5 *mat, size_t number, un_arena *arena, char ***out,
                               size_t *count);

/* ---- v7.3 ---- */

typedef struct un_mat73 un_mat73;

un_status un_mat73_open(un_mat73 **out, const char *path);
void un_mat73_close(un_mat73 *mat); /* NULL is allowed */
un_mat_variable *un_mat73_variables(un_mat73 *mat, size_t *count);
un_status un_mat73_read_double(un_mat73 *mat, size_t number, double *out);
un_status un_mat73_read_columns(un_mat73 *mat, size_t number, size_t first, size_t count,
                                float *out);
un_status un_mat73_read_strings(un_mat73 *mat, size_t number, un_arena *arena, char ***out,
                                size_t *count);
/* Sees the matrix the other way round from now on. */
void un_mat73_transpose(un_mat73 *mat, size_t number);

#endif
