/* mat.c - reading MATLAB files; see mat.h. What kind of file it is tells who reads it: mat5.c, or
 * hdf5.c for v7.3. */
#include "data/readers/mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/names.h"
#include "data/readers/hdf5.h"
#include "data/readers/mat5.h"

/* What one slab of columns should take. */
static const size_t SLAB_BYTES = (size_t)4 << 20;

/* Columns of about SLAB_BYTES as f32, at least 1. */
static size_t columns_of(size_t rows) {
    size_t column = 0;
    if (__builtin_mul_overflow(rows, sizeof(float), &column) || column > SLAB_BYTES) return 1;
    return SLAB_BYTES / (column > 0 ? column : 1);
}

/* ---- v7.3, as the HDF5 that it is.
 *
 * MATLAB writes a matrix as a data set with its dimensions in the opposite order, so that
 * the bytes lie as in memory, and marks its class in attributes. Python programs (h5py)
 * write no marks; then the dimensions are taken as if MATLAB had written them, and the
 * caller who knows how many columns there should be may turn the matrix round. ---- */

/* Chunks span several columns; a slab that is cut through one unpacks it twice. */
static const size_t SLAB_MAX = (size_t)64 << 20;

typedef struct {
    un_hdf5 *file;
    un_mat_variable *variables;
    unsigned char *turned; /* [count]: seen the other way round */
    size_t count;
} mat73;

static un_mat_kind kind_of(const un_hdf5_variable *v) {
    const char *class = v->matlab_class;
    if (v->kind == UN_HDF5_CELLS || !strcmp(class, "cell")) return UN_MAT_CELL;
    if (v->kind == UN_HDF5_TEXT) return UN_MAT_TEXT;
    if (v->kind != UN_HDF5_NUMERIC || v->is_object) return UN_MAT_OTHER;
    return !strcmp(class, "char") ? UN_MAT_TEXT : UN_MAT_NUMERIC;
}

/* The columns that a whole number of chunks have, if that is not too much. */
static size_t slab_of(const un_hdf5_variable *h, const un_mat_variable *v) {
    size_t columns = columns_of(v->dims[0]);
    size_t chunk = h->rank == 2 ? h->chunk[0] : 0;
    size_t bytes = 0;
    if (chunk <= 1) return columns;
    if (chunk <= columns) return columns - columns % chunk;
    if (__builtin_mul_overflow(chunk * sizeof(float), v->dims[0], &bytes) || bytes > SLAB_MAX)
        return columns;
    return chunk;
}

static void describe(const un_hdf5_variable *h, un_mat_variable *out) {
    *out = (un_mat_variable){
        .kind = kind_of(h), .order_is_known = h->matlab_class[0] != 0, .is_damaged = h->is_damaged};
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

static void mat73_close(mat73 *mat) {
    if (!mat) return;
    un_hdf5_close(mat->file);
    free(mat->variables);
    free(mat->turned);
    free(mat);
}

static un_status mat73_open(mat73 **out, const char *path) {
    mat73 *mat = NULL;
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
    mat73_close(mat);
    return status;
}

static un_mat_variable *mat73_variables(mat73 *mat, size_t *count) {
    *count = mat->count;
    return mat->variables;
}

static void mat73_transpose(mat73 *mat, size_t number) {
    un_mat_variable *v = &mat->variables[number];
    size_t rows = v->dims[0];
    v->dims[0] = v->dims[1];
    v->dims[1] = rows;
    v->slab = columns_of(v->dims[0]);
    mat->turned[number] ^= 1;
}

static un_status mat73_read_double(mat73 *mat, size_t number, double *out) {
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

static un_status mat73_read_columns(mat73 *mat, size_t number, size_t first, size_t count,
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

static un_status mat73_read_strings(mat73 *mat, size_t number, un_arena *arena, char ***out,
                                    size_t *count) {
    return un_hdf5_read_strings(mat->file, mat->variables[number].name, arena, out, count);
}

/* ---- one handle for both versions ---- */

struct un_mat {
    char *path;
    un_mat5 *v5; /* one of the two is not NULL */
    mat73 *v73;
    un_mat_variable *variables; /* theirs */
    size_t count;
    float *slab; /* of un_mat_read_columns */
    size_t slab_room;
};

/* ---- which kind of file ---- */

static uint32_t word(const unsigned char *d, int big) {
    return big ? (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3]
               : (uint32_t)d[3] << 24 | (uint32_t)d[2] << 16 | (uint32_t)d[1] << 8 | d[0];
}

/* v4 has no magic number: five words, of which the first is made of digits that tell the
 * byte order and types, and a name. */
static int is_version_4(const un_map *map) {
    enum { HEADER = 20 };
    for (int big = 0; big < 2; big++) {
        if (map->size < HEADER) return 0;
        uint32_t type = word(map->data, big);
        uint32_t imaginary = word(map->data + 12, big);
        uint32_t name = word(map->data + 16, big);
        int digits = type / 1000 <= 4 && type / 100 % 10 == 0 && type / 10 % 10 <= 5 &&
                     type % 10 <= 2 && (big ? type / 1000 == 1 : type / 1000 != 1);
        if (!digits || imaginary > 1 || name < 2 || name > map->size - HEADER) continue;
        const unsigned char *text = map->data + HEADER;
        uint32_t n = 0;
        while (n < name && text[n] > ' ' && text[n] < 127) n++;
        if (n > 0 && n == name - 1 && text[n] == 0) return 1;
    }
    return 0;
}

int un_mat_version_of(const un_map *file) {
    enum { HEADER = 128, SUPERBLOCK = 512 };
    const unsigned char *d = file->data;
    int little = file->size >= HEADER && d[126] == 'I' && d[127] == 'M';
    int big = file->size >= HEADER && d[126] == 'M' && d[127] == 'I';
    unsigned marked = little ? d[124] | (unsigned)d[125] << 8
                      : big  ? d[125] | (unsigned)d[124] << 8
                             : 0;
    if (marked == 0x0100) return 5;
    for (size_t at = 0; at <= SUPERBLOCK; at += SUPERBLOCK)
        if (un_kind_hdf5_at(d, file->size, at)) return 73;
    return is_version_4(file) ? 4 : 0;
}

int un_mat_is_at(const char *path) {
    un_map map;
    if (un_map_open(&map, path) != UNSEEN_OK) return 0;
    int version = un_mat_version_of(&map);
    un_map_close(&map);
    return version != 0;
}

static un_status recognise(const char *path, int *version) {
    un_map map;
    UN_TRY(un_map_open(&map, path));
    un_status status = UNSEEN_OK;
    *version = un_mat_version_of(&map);
    un_map_close(&map);
    if (*version == 4)
        status = un_fail(UNSEEN_E_UNSUPPORTED,
                         "%s is a MAT file of version 4; save it as version 5: in MATLAB with "
                         "save(…, '-v7'), in Python with scipy.io.savemat(…, format='5')",
                         path);
    else if (*version == 0)
        status = un_fail_kind(path, "a MAT file of version 5 or 7.3", un_kind_of_file(path));
    return status;
}

un_status un_mat_open(un_mat **out, const char *path) {
    un_mat *mat = calloc(1, sizeof *mat);
    int version = 0;
    if (!mat) return un_fail_memory(sizeof *mat);
    un_status status = un_format(&mat->path, "%s", path);
    if (!status) status = recognise(mat->path, &version);
    if (!status) status = version == 5 ? un_mat5_open(&mat->v5, path) : mat73_open(&mat->v73, path);
    if (status) {
        un_mat_close(mat);
        return status;
    }
    mat->variables =
        mat->v5 ? un_mat5_variables(mat->v5, &mat->count) : mat73_variables(mat->v73, &mat->count);
    for (size_t i = 0; mat->v5 && i < mat->count; i++)
        mat->variables[i].slab = columns_of(mat->variables[i].dims[0]);
    *out = mat;
    return UNSEEN_OK;
}

void un_mat_close(un_mat *mat) {
    if (!mat) return;
    un_mat5_close(mat->v5);
    mat73_close(mat->v73);
    free(mat->slab);
    free(mat->path);
    free(mat);
}

const char *un_mat_path(const un_mat *mat) { return mat->path; }
const char *un_mat_version(const un_mat *mat) { return mat->v5 ? "5" : "7.3"; }

/* ---- variables ---- */

const un_mat_variable *un_mat_variables(const un_mat *mat, size_t *count) {
    *count = mat->count;
    return mat->variables;
}

const un_mat_variable *un_mat_find(const un_mat *mat, const char *name) {
    for (size_t i = 0; i < mat->count; i++)
        if (!strcmp(mat->variables[i].name, name)) return &mat->variables[i];
    return NULL;
}

static un_status missing(const un_mat *mat, const char *name) {
    un_name_list there = {0};
    for (size_t i = 0; i < mat->count; i++)
        un_name_list_say(&there, mat->count, "%s", mat->variables[i].name);
    return un_fail(UNSEEN_E_FORMAT, "%s has no variable \"%s\"; it has: %s%s", mat->path, name,
                   mat->count > 0 ? there.text : "none", un_name_list_more(&there));
}

/* What to do about a variable of another class; "" if there is nothing to say. */
static const char *advice(const un_mat_variable *v) {
    static const struct {
        const char *class, *text;
    } known[] = {
        {"string", "; save cellstr(…) of it"},
        {"table", "; save its columns: table2array(…), cellstr(…)"},
        {"categorical", "; save cellstr(…) of it"},
        {"sparse", "; save full(…) of it"},
        {"struct", "; save its fields: save(FILE, '-struct', NAME)"},
        {"function handle", "; save the values that it computes"},
        {"complex double", "; save real(…) of it"},
        {"complex single", "; save real(…) of it"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(v->class_name, known[i].class)) return known[i].text;
    return "";
}

static un_status unexpected(const un_mat *mat, const un_mat_variable *v, const char *expected) {
    return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is of class %s with %d dimensions, expected %s%s",
                   mat->path, v->name, v->class_name, v->rank, expected, advice(v));
}

un_status un_mat_require(const un_mat *mat, const char *name, un_mat_kind kind,
                         const un_mat_variable **out) {
    static const char *const KINDS[] = {"something", "a numeric matrix", "text",
                                        "a cell array of text"};
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v) return missing(mat, name);
    if (v->is_damaged) return un_hdf5_cannot_open(mat->path, name);
    if (v->kind != kind || v->rank != 2) return unexpected(mat, v, KINDS[kind]);
    *out = v;
    return UNSEEN_OK;
}

int un_mat_orient(un_mat *mat, const char *name, int which, size_t size) {
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v || v->order_is_known || v->kind != UN_MAT_NUMERIC || v->rank != 2) return 0;
    if (v->dims[which] == size || v->dims[1 - which] != size) return 0;
    mat73_transpose(mat->v73, (size_t)(v - mat->variables));
    return 1;
}

/* ---- reading ---- */

/* Elements of a matrix that may be read at once as doubles. */
static un_status whole_size(const char *path, const un_mat_variable *v, size_t *count) {
    if (!__builtin_mul_overflow(v->dims[0], v->dims[1], count) &&
        *count <= UN_MAT_WHOLE_BYTES / sizeof(double))
        return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: \"%s\" is a matrix of more than %zu MiB", path,
                   v->name, UN_MAT_WHOLE_BYTES >> 20);
}

un_status un_mat_read_double(un_mat *mat, const char *name, double **out) {
    const un_mat_variable *v = NULL;
    double *values = NULL;
    size_t count = 0;
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    UN_TRY(whole_size(mat->path, v, &count));
    UN_TRY(un_alloc(count, sizeof *values, &values));
    size_t number = (size_t)(v - mat->variables);
    un_status status = mat->v5 ? un_mat5_read_double(mat->v5, number, values)
                               : mat73_read_double(mat->v73, number, values);
    if (status)
        free(values);
    else
        *out = values;
    return status;
}

un_status un_mat_read_columns(un_mat *mat, const char *name, size_t first, size_t count,
                              const float **out) {
    const un_mat_variable *v = NULL;
    size_t elements = 0;
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    if (count == 0 || first > v->dims[1] || count > v->dims[1] - first)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: \"%s\" has not so many columns", mat->path, name);
    if (__builtin_mul_overflow(v->dims[0], count, &elements) ||
        elements > UN_MAT_WHOLE_BYTES / sizeof(float))
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s: more than %zu MiB of \"%s\" in one piece",
                       mat->path, UN_MAT_WHOLE_BYTES >> 20, name);
    if (elements > mat->slab_room) {
        free(mat->slab);
        mat->slab = NULL;
        mat->slab_room = 0;
        UN_TRY(un_alloc(elements, sizeof *mat->slab, &mat->slab));
        mat->slab_room = elements;
    }
    size_t number = (size_t)(v - mat->variables);
    *out = mat->slab;
    return mat->v5 ? un_mat5_read_columns(mat->v5, number, first, count, mat->slab)
                   : mat73_read_columns(mat->v73, number, first, count, mat->slab);
}

un_status un_mat_read_strings(un_mat *mat, const char *name, un_arena *arena, char ***out,
                              size_t *count) {
    const un_mat_variable *v = un_mat_find(mat, name);
    if (!v) return missing(mat, name);
    if (v->kind != UN_MAT_CELL && v->kind != UN_MAT_TEXT)
        return unexpected(mat, v, "a cell array of text");
    size_t number = (size_t)(v - mat->variables);
    return mat->v5 ? un_mat5_read_strings(mat->v5, number, arena, out, count)
                   : mat73_read_strings(mat->v73, number, arena, out, count);
}
