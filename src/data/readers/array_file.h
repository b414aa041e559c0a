/*
 * array_file.h - arrays as NumPy and safetensors keep them, read row by row without
 * holding them in memory.
 *
 *     X.npy                 versions 1 to 3, C or Fortran order, either byte order
 *     X.npz:features        one member of an archive, packed or not; the name may be left
 *                           out if it is the only one
 *     F.safetensors:tensor  likewise
 *
 * Elements: integers of 1 to 8 bytes, booleans, floats of 2, 4 and 8 bytes, bf16. Files
 * are mapped; a member of an archive is unpacked into a nameless file first, so that its
 * checksum is known to be right before a number is used.
 */
#ifndef UN_DATA_READERS_ARRAY_FILE_H
#define UN_DATA_READERS_ARRAY_FILE_H

#include "tensor/safetensors.h"

typedef struct {
    char *spec;   /* as given: for sentences */
    char *member; /* of an archive or a safetensors file; NULL: a file of its own */
    un_dtype dtype;
    int swapped; /* bytes of an element are in the other order than ours */
    int fortran; /* the first dimension is contiguous */
    int rank;    /* at least 1 */
    size_t shape[UN_MAX_RANK];
    size_t rows;  /* shape[0] */
    size_t width; /* elements of a row: product of the other dimensions */
    const unsigned char *data;
    un_map map;          /* of a .npy file or an unpacked member */
    un_safetensors file; /* path NULL: not one */
} un_array;

/* Opens "FILE" or "FILE:MEMBER". `folder` takes the nameless file if one is needed. */
un_status un_array_open(un_array *array, const char *spec, const char *folder);
/* Harmless on a zeroed one. */
void un_array_close(un_array *array);

/* Rows first … first + count - 1, each in C order, as [count, width]. */
void un_array_read_f32(const un_array *array, size_t first, size_t count, float *out);
void un_array_read_f64(const un_array *array, size_t first, size_t count, double *out);

/* ---- the head of NumPy's array files, format versions 1 to 3. Private to readers/.
 *
 *     "\x93NUMPY" major minor, length of the header (2 bytes in version 1, else 4,
 *     little-endian), the header, the elements. The header is a Python dictionary:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } ---- */

/* Enough bytes for every header that is accepted. */
#define UN_NPY_HEAD ((size_t)12 + 65536)

/* Whether these bytes begin like such a file. */
int un_npy_begins(const void *bytes, size_t size);

/* Fills dtype, swapped, fortran, rank, shape, rows and width of `array`; *offset is where
 * its elements begin and *bytes how many bytes they take. `bytes_at_hand` of the file are
 * at `head`, all of it or UN_NPY_HEAD. UNSEEN_E_FORMAT for a damaged header,
 * UNSEEN_E_UNSUPPORTED for elements that are not real numbers. */
un_status un_npy_head(un_array *array, const unsigned char *head, size_t bytes_at_hand,
                      size_t *offset, size_t *bytes);

/* rows and width of the shape; fails if a size overflows. */
un_status un_array_measure(un_array *array, size_t *bytes);

/* ---- where the channels of a feature map stand: behind the positions, (N, h, w, F), as
 * TensorFlow has them, or before, (N, F, h, w), as PyTorch has them. ---- */

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

#endif
