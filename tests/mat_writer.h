/*
 * mat_writer.h - MAT files for the tests: v5 (plain, packed, either byte order) written by
 * hand, v7.3 with libhdf5 and MATLAB's marks.
 *
 * It knows nothing of the reader. Files of other programs, which test both, are in
 * tests/data/mat.
 */
#ifndef UN_TESTS_MAT_WRITER_H
#define UN_TESTS_MAT_WRITER_H

#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef enum {
    MAT_CELL = 1,
    MAT_CHAR = 4,
    MAT_DOUBLE = 6,
    MAT_SINGLE,
    MAT_INT8,
    MAT_UINT8,
    MAT_INT16,
    MAT_UINT16,
    MAT_INT32,
    MAT_UINT32,
    MAT_INT64,
    MAT_UINT64
} mat_class;

/* How numbers are stored (v5); a class may be stored in a smaller type. */
typedef enum {
    MI_INT8 = 1,
    MI_UINT8,
    MI_INT16,
    MI_UINT16,
    MI_INT32,
    MI_UINT32,
    MI_SINGLE,
    MI_DOUBLE = 9,
    MI_INT64 = 12,
    MI_UINT64 = 13,
    MI_MATRIX = 14,
    MI_COMPRESSED = 15,
    MI_UTF8 = 16,
    MI_UTF16 = 17
} mat_type;

typedef enum { MAT_PLAIN, MAT_PACKED, MAT_BIG, MAT_BIG_PACKED, MAT_V73, MAT_V73_PACKED } mat_form;

typedef struct {
    mat_form form;
    char path[500];
    FILE *file;     /* v5 */
    hid_t h5, refs; /* v7.3 */
    int ref_count;
    int unmarked; /* v7.3 without MATLAB's marks, as h5py writes it */
    int turned;   /* and with rows before columns, as NumPy has them */
} mat_writer;

/* Every step must succeed: a test without its file tests nothing. */
#define MAT_NEED(condition)                                                                        \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: cannot write a MAT file: %s\n", __FILE__, __LINE__,            \
                    #condition);                                                                   \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static inline int mat_is_v73(const mat_writer *w) { return w->form >= MAT_V73; }
static inline int mat_is_big(const mat_writer *w) {
    return w->form == MAT_BIG || w->form == MAT_BIG_PACKED;
}

/* ---- v5 ---- */

typedef struct {
    unsigned char *bytes;
    size_t used, room;
    int big;
} mat_buffer;

static inline void mat_add(mat_buffer *b, const void *bytes, size_t n) {
    if (b->used + n > b->room) {
        b->room = 2 * (b->used + n) + 256;
        b->bytes = realloc(b->bytes, b->room);
        MAT_NEED(b->bytes);
    }
    if (n > 0) memcpy(b->bytes + b->used, bytes, n);
    b->used += n;
}

static inline void mat_add_word(mat_buffer *b, uint32_t value) {
    unsigned char bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[b->big ? 3 - i : i] = (unsigned char)(value >> (8 * i) & 0xFF);
    mat_add(b, bytes, 4);
}

static inline size_t mat_type_size(mat_type type) {
    static const size_t sizes[] = {0, 1, 1, 2, 2, 4, 4, 4, 0, 8, 0, 0, 8, 8, 0, 0, 1, 2};
    return sizes[type];
}

/* A sub-element; up to four bytes go into its tag. */
static inline void mat_add_element(mat_buffer *b, mat_type type, size_t n, const void *data) {
    static const unsigned char zeros[8];
    size_t size = mat_type_size(type);
    size_t bytes = n * size;
    int small = bytes > 0 && bytes <= 4;
    if (small) {
        mat_add_word(b, (uint32_t)bytes << 16 | (uint32_t)type);
    } else {
        mat_add_word(b, (uint32_t)type);
        mat_add_word(b, (uint32_t)bytes);
    }
    if (!b->big) mat_add(b, data, bytes);
    for (size_t i = 0; i < n && b->big; i++) {
        unsigned char element[8];
        for (size_t k = 0; k < size; k++)
            element[size - 1 - k] = ((const unsigned char *)data)[i * size + k];
        mat_add(b, element, size);
    }
    mat_add(b, zeros, small ? 4 - bytes : (8 - bytes % 8) % 8);
}

static inline void mat_begin_matrix(mat_buffer *b, const char *name, mat_class class,
                                    uint32_t flags, int rank, const size_t *dims) {
    uint32_t head[2] = {(uint32_t) class | flags, 0};
    int32_t sizes[8];
    for (int k = 0; k < rank; k++) sizes[k] = (int32_t)dims[k];
    mat_add_word(b, MI_MATRIX);
    mat_add_word(b, 0); /* set by mat_end_matrix */
    mat_add_word(b, MI_UINT32);
    mat_add_word(b, 8);
    mat_add_word(b, head[0]);
    mat_add_word(b, head[1]);
    mat_add_element(b, MI_INT32, (size_t)rank, sizes);
    mat_add_element(b, MI_INT8, strlen(name), name);
}

static inline void mat_end_matrix(mat_buffer *b, size_t begin) {
    mat_buffer length = {.big = b->big};
    mat_add_word(&length, (uint32_t)(b->used - begin - 8));
    memcpy(b->bytes + begin + 4, length.bytes, 4);
    free(length.bytes);
}

static inline void mat_write_v5(mat_writer *w, mat_buffer *b) {
    if (w->form == MAT_PACKED || w->form == MAT_BIG_PACKED) {
        uLongf n = compressBound(b->used);
        unsigned char *packed = malloc(n);
        mat_buffer tag = {.big = b->big};
        MAT_NEED(packed && compress2(packed, &n, b->bytes, b->used, 6) == Z_OK);
        mat_add_word(&tag, MI_COMPRESSED);
        mat_add_word(&tag, (uint32_t)n);
        MAT_NEED(fwrite(tag.bytes, 1, 8, w->file) == 8 && fwrite(packed, 1, n, w->file) == n);
        free(tag.bytes);
        free(packed);
    } else {
        MAT_NEED(fwrite(b->bytes, 1, b->used, w->file) == b->used);
    }
    free(b->bytes);
}

/* ---- v7.3 ---- */

static inline hid_t mat_h5_type(mat_type type) {
    switch (type) {
    case MI_INT8: return H5T_NATIVE_INT8;
    case MI_INT16: return H5T_NATIVE_INT16;
    case MI_UINT16:
    case MI_UTF16: return H5T_NATIVE_UINT16;
    case MI_INT32: return H5T_NATIVE_INT32;
    case MI_UINT32: return H5T_NATIVE_UINT32;
    case MI_SINGLE: return H5T_NATIVE_FLOAT;
    case MI_DOUBLE: return H5T_NATIVE_DOUBLE;
    case MI_INT64: return H5T_NATIVE_INT64;
    case MI_UINT64: return H5T_NATIVE_UINT64;
    default: return H5T_NATIVE_UINT8;
    }
}

static inline void mat_mark(hid_t object, const char *class) {
    hid_t type = H5Tcopy(H5T_C_S1);
    hid_t scalar = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(class));
    hid_t attribute = H5Acreate2(object, "MATLAB_class", type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    MAT_NEED(attribute >= 0 && H5Awrite(attribute, type, class) >= 0);
    H5Aclose(attribute);
    H5Sclose(scalar);
    H5Tclose(type);
}

static inline void mat_mark_number(hid_t object, const char *name, int value) {
    hid_t scalar = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT);
    MAT_NEED(attribute >= 0 && H5Awrite(attribute, H5T_NATIVE_INT, &value) >= 0);
    H5Aclose(attribute);
    H5Sclose(scalar);
}

/* `class` NULL: without a mark, as h5py writes. Returns the data set, open. */
static inline hid_t mat_h5_set(mat_writer *w, hid_t where, const char *name, const char *class,
                               hid_t type, int rank, const size_t *dims, const void *data) {
    hsize_t sizes[8];
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    for (int k = 0; k < rank; k++) sizes[k] = dims[rank - 1 - k];
    hid_t space = H5Screate_simple(rank, sizes, NULL);
    if (w->form == MAT_V73_PACKED && H5Sget_simple_extent_npoints(space) > 0) {
        H5Pset_chunk(creation, rank, sizes);
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 6);
    }
    hid_t set = H5Dcreate2(where, name, type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    MAT_NEED(set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    if (class && !w->unmarked) mat_mark(set, class);
    H5Sclose(space);
    H5Pclose(creation);
    return set;
}

static inline const char *mat_class_name(mat_class class) {
    static const char *const names[] = {"",       "cell",   "",      "",      "char",  "",
                                        "double", "single", "int8",  "uint8", "int16", "uint16",
                                        "int32",  "uint32", "int64", "uint64"};
    return names[class];
}

/* ---- both ---- */

static inline mat_writer mat_create(const char *path, mat_form form) {
    mat_writer w = {.form = form, .h5 = -1, .refs = -1};
    snprintf(w.path, sizeof w.path, "%s", path);
    remove(path);
    if (mat_is_v73(&w)) {
        hid_t creation = H5Pcreate(H5P_FILE_CREATE);
        H5Pset_userblock(creation, 512);
        w.h5 = H5Fcreate(path, H5F_ACC_TRUNC, creation, H5P_DEFAULT);
        H5Pclose(creation);
        MAT_NEED(w.h5 >= 0);
        return w;
    }
    unsigned char header[128];
    memset(header, ' ', 116);
    memset(header + 116, 0, 8);
    memcpy(header, "MATLAB 5.0 MAT-file, a test", 27);
    memcpy(header + 124, mat_is_big(&w) ? "\x01\x00MI" : "\x00\x01IM", 4);
    w.file = fopen(path, "wb");
    MAT_NEED(w.file && fwrite(header, 1, sizeof header, w.file) == sizeof header);
    return w;
}

static inline void mat_close(mat_writer *w) {
    if (!mat_is_v73(w)) {
        MAT_NEED(fclose(w->file) == 0);
        return;
    }
    if (w->refs >= 0) H5Gclose(w->refs);
    MAT_NEED(H5Fclose(w->h5) >= 0);
    unsigned char header[128];
    memset(header, ' ', 116);
    memset(header + 116, 0, 8);
    memcpy(header, "MATLAB 7.3 MAT-file, a test", 27);
    memcpy(header + 124, "\x00\x02IM", 4);
    FILE *file = fopen(w->path, "r+b");
    MAT_NEED(file && fwrite(header, 1, sizeof header, file) == sizeof header && fclose(file) == 0);
}

/* Real numbers of any rank. In v7.3 the class is stored as itself: `type` must be its own. */
static inline void mat_put_array(mat_writer *w, const char *name, mat_class class, mat_type type,
                                 int rank, const size_t *dims, const void *data) {
    size_t n = 1;
    for (int k = 0; k < rank; k++) n *= dims[k];
    if (mat_is_v73(w)) {
        hid_t set =
            mat_h5_set(w, w->h5, name, mat_class_name(class), mat_h5_type(type), rank, dims, data);
        if (class == MAT_CHAR) mat_mark_number(set, "MATLAB_int_decode", 2);
        H5Dclose(set);
        return;
    }
    mat_buffer b = {.big = mat_is_big(w)};
    mat_begin_matrix(&b, name, class, 0, rank, dims);
    mat_add_element(&b, type, n, data);
    mat_end_matrix(&b, 0);
    mat_write_v5(w, &b);
}

static inline void mat_put(mat_writer *w, const char *name, mat_class class, mat_type type,
                           size_t rows, size_t columns, const void *data) {
    const size_t dims[2] = {rows, columns};
    if (w->turned && rows > 1 && columns > 1) {
        const size_t turned_dims[2] = {columns, rows};
        size_t size = mat_type_size(type);
        unsigned char *turned = malloc(rows * columns * size);
        MAT_NEED(turned);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                memcpy(turned + (r * columns + c) * size,
                       (const unsigned char *)data + (c * rows + r) * size, size);
        mat_put_array(w, name, class, type, 2, turned_dims, turned);
        free(turned);
        return;
    }
    mat_put_array(w, name, class, type, 2, dims, data);
}

static inline void mat_put_complex(mat_writer *w, const char *name, size_t n, const double *re,
                                   const double *im) {
    const size_t dims[2] = {1, n};
    if (mat_is_v73(w)) {
        hid_t type = H5Tcreate(H5T_COMPOUND, 16);
        double *pairs = malloc(n * 16);
        MAT_NEED(pairs && H5Tinsert(type, "real", 0, H5T_NATIVE_DOUBLE) >= 0 &&
                 H5Tinsert(type, "imag", 8, H5T_NATIVE_DOUBLE) >= 0);
        for (size_t i = 0; i < n; i++) {
            pairs[2 * i] = re[i];
            pairs[2 * i + 1] = im[i];
        }
        H5Dclose(mat_h5_set(w, w->h5, name, "double", type, 2, dims, pairs));
        free(pairs);
        H5Tclose(type);
        return;
    }
    mat_buffer b = {.big = mat_is_big(w)};
    mat_begin_matrix(&b, name, MAT_DOUBLE, 1u << 11, 2, dims);
    mat_add_element(&b, MI_DOUBLE, n, re);
    mat_add_element(&b, MI_DOUBLE, n, im);
    mat_end_matrix(&b, 0);
    mat_write_v5(w, &b);
}

/* An object as MATLAB saves it in v5: a name, a class and numbers that only MATLAB knows. */
static inline void mat_put_object(mat_writer *w, const char *name, const char *class) {
    const uint32_t secret[6] = {0xDD000000, 2, 1, 1, 1, 1};
    const size_t dims[2] = {6, 1};
    if (mat_is_v73(w)) {
        hid_t set = mat_h5_set(w, w->h5, name, class, H5T_NATIVE_UINT32, 2, dims, secret);
        mat_mark_number(set, "MATLAB_object_decode", 3);
        H5Dclose(set);
        return;
    }
    mat_buffer b = {.big = mat_is_big(w)};
    mat_add_word(&b, MI_MATRIX);
    mat_add_word(&b, 0);
    mat_add_word(&b, MI_UINT32);
    mat_add_word(&b, 8);
    mat_add_word(&b, 17);
    mat_add_word(&b, 0);
    mat_add_element(&b, MI_INT8, strlen(name), name);
    mat_add_element(&b, MI_INT8, 4, "MCOS");
    mat_add_element(&b, MI_INT8, strlen(class), class);
    size_t begin = b.used;
    mat_begin_matrix(&b, "", MAT_UINT32, 0, 2, dims);
    mat_add_element(&b, MI_UINT32, 6, secret);
    mat_end_matrix(&b, begin);
    mat_end_matrix(&b, 0);
    mat_write_v5(w, &b);
}

/* A cell array of texts: UTF-8 in v5, and of ASCII in v7.3. "" is an empty cell. */
static inline void mat_put_cells(mat_writer *w, const char *name, const char *const *texts,
                                 size_t rows, size_t columns) {
    const size_t dims[2] = {rows, columns};
    size_t n = rows * columns;
    if (mat_is_v73(w)) {
        hobj_ref_t *references = calloc(n + 1, sizeof *references);
        MAT_NEED(references);
        if (w->refs < 0)
            w->refs = H5Gcreate2(w->h5, "#refs#", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        for (size_t i = 0; i < n; i++) {
            uint16_t units[256];
            uint64_t nothing[2] = {0, 0};
            char label[32];
            size_t length = strlen(texts[i]);
            size_t size[2] = {1, length};
            snprintf(label, sizeof label, "r%d", w->ref_count++);
            MAT_NEED(length < 256);
            for (size_t k = 0; k < length; k++) units[k] = (unsigned char)texts[i][k];
            hid_t set = length > 0 ? mat_h5_set(w, w->refs, label, "char", H5T_NATIVE_UINT16, 2,
                                                size, units)
                                   : mat_h5_set(w, w->refs, label, "char", H5T_NATIVE_UINT64, 1,
                                                (size_t[1]){2}, nothing);
            if (length == 0) mat_mark_number(set, "MATLAB_empty", 1);
            H5Dclose(set);
            MAT_NEED(H5Rcreate(&references[i], w->refs, label, H5R_OBJECT, -1) >= 0);
        }
        H5Dclose(mat_h5_set(w, w->h5, name, "cell", H5T_STD_REF_OBJ, 2, dims, references));
        free(references);
        return;
    }
    mat_buffer b = {.big = mat_is_big(w)};
    mat_begin_matrix(&b, name, MAT_CELL, 0, 2, dims);
    for (size_t i = 0; i < n; i++) {
        size_t begin = b.used;
        size_t size[2] = {texts[i][0] ? 1 : 0, strlen(texts[i])};
        mat_begin_matrix(&b, "", MAT_CHAR, 0, 2, size);
        mat_add_element(&b, MI_UTF8, size[1], texts[i]);
        mat_end_matrix(&b, begin);
    }
    mat_end_matrix(&b, 0);
    mat_write_v5(w, &b);
}

#endif
