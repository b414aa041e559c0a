/*
 * mat73.c - MAT v7.3 as the HDF5 that it is; see mat.h.
 *
 * MATLAB writes a matrix as a data set with its dimensions in the opposite order, so that
 * the bytes lie as in memory, and marks its class in attributes. Python programs (h5py)
 * write no marks; then the dimensions are taken as if MATLAB had written them, and the
 * caller who knows how many columns there should be may turn the matrix round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/readers/hdf5.h"
#include "data/readers/mat_parts.h"

/* Chunks span several columns; a slab that is cut through one unpacks it twice. */
static const size_t SLAB_MAX = (size_t)64 << 20;

struct un_mat73 {
    un_hdf5 *file;
    un_mat_variable *variables;
    unsigned char *turned; /* [count]: seen the other way round */
    size_t count;
};

static un_mat_kind kind_of(const un_hdf5_variable *v) {
    const char *class = v->matlab_class;
    if (v->kind == UN_HDF5_CELLS || !strcmp(class, "cell")) return UN_MAT_CELL;
    if (v->kind == UN_HDF5_TEXT) return UN_MAT_TEXT;
    if (v->kind != UN_HDF5_NUMERIC || v->is_object) return UN_MAT_OTHER;
    return !strcmp(class, "char") ? UN_MAT_TEXT : UN_MAT_NUMERIC;
}

/* The columns that a whole number of chunks have, if that is not too much. */
static size_t slab_of(const un_hdf5_variable *h, const un_mat_variable *v) {
    size_t columns = un_mat_columns_of(v->dims[0]);
    size_t chunk = h->rank == 2 ? h->chunk[0] : 0;
    size_t bytes = 0;
    if (chunk <= 1) return columns;
    if (chunk <= columns) return columns - columns % chunk;
    if (__builtin_mul_overflow(chunk * sizeof(float), v->dims[0], &bytes) || bytes > SLAB_MAX)
        return columns;
    return chunk;
}

static void describe(const un_hdf5_variable *h, un_mat_variable *out) {
    *out = (un_mat_variable){.kind = kind_of(h), .order_is_known = h->matlab_class[0] != 0};
    snprintf(out->name, sizeof out->name, "%s", h->name);
    const char *class = h->matlab_class[0] ? h->matlab_class : h->type_name;
    if (!strcmp(class, "function_handle")) class = "function handle";
    if (h->is_complex)
        snprintf(out->class_name, sizeof out->class_name, "complex %.7s", class);
    else
        snprintf(out->class_name, sizeof out->class_name, "%s", class);
    out->rank = h->rank < 2 ? 2 : h->rank;
    for (int k = 0; k < h->rank; k++) out->dims[k] = h->dims[h->rank - 1 - k];
    for (int k = h->rank; k < 2; k++) out->dims[k] = 1;
    out->slab = slab_of(h, out);
}

un_status un_mat73_open(un_mat73 **out, const char *path) {
    un_mat73 *mat = NULL;
    size_t count = 0;
    UN_TRY(un_alloc(1, sizeof *mat, &mat));
    un_status status = UNSEEN_OK;
    UN_GO(un_hdf5_open(&mat->file, path));
    const un_hdf5_variable *found = un_hdf5_variables(mat->file, &count);
    if (count == 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s has no variables in it; it is empty, damaged or cut short", path));
    UN_GO(un_alloc(count, sizeof *mat->variables, &mat->variables));
    UN_GO(un_alloc(count, 1, &mat->turned));
    for (mat->count = 0; mat->count < count; mat->count++)
        describe(&found[mat->count], &mat->variables[mat->count]);
    *out = mat;
    return UNSEEN_OK;
done:
    un_mat73_close(mat);
    return status;
}

void un_mat73_close(un_mat73 *mat) {
    if (!mat) return;
    un_hdf5_close(mat->file);
    free(mat->variables);
    free(mat->turned);
    free(mat);
}

un_mat_variable *un_mat73_variables(un_mat73 *mat, size_t *count) {
    *count = mat->count;
    return mat->variables;
}

void un_mat73_transpose(un_mat73 *mat, size_t number) {
    un_mat_variable *v = &mat->variables[number];
    size_t rows = v->dims[0];
    v->dims[0] = v->dims[1];
    v->dims[1] = rows;
    v->slab = un_mat_columns_of(v->dims[0]);
    mat->turned[number] ^= 1;
}

/* ---- reading ---- */

un_status un_mat73_read_double(un_mat73 *mat, size_t number, double *out) {
    const un_mat_variable *v = &mat->variables[number];
    size_t rows = v->dims[0];
    size_t columns = v->dims[1];
    double *values = NULL;
    UN_TRY(un_hdf5_read_double(mat->file, v->name, &values));
    for (size_t c = 0; c < columns; c++)
        for (size_t r = 0; r < rows; r++)
            out[c * rows + r] = values[mat->turned[number] ? r * columns + c : c * rows + r];
    free(values);
    return UNSEEN_OK;
}

un_status un_mat73_read_columns(un_mat73 *mat, size_t number, size_t first, size_t count,
                                float *out) {
    const un_mat_variable *v = &mat->variables[number];
    size_t rows = v->dims[0];
    int turned = mat->turned[number];
    const float *values = NULL;
    /* As the file has them: [columns, rows], or the other way round. */
    size_t start[2] = {turned ? 0 : first, turned ? first : 0};
    size_t extent[2] = {turned ? rows : count, turned ? count : rows};
    UN_TRY(un_hdf5_read_part(mat->file, v->name, start, extent, &values));
    for (size_t c = 0; c < count; c++)
        for (size_t r = 0; r < rows; r++)
            out[c * rows + r] = values[turned ? r * count + c : c * rows + r];
    return UNSEEN_OK;
}

un_status un_mat73_read_strings(un_mat73 *mat, size_t number, un_arena *arena, char ***out,
                                size_t *count) {
    return un_hdf5_read_strings(mat->file, mat->variables[number].name, arena, out, count);
}
