/*
 * npy.h - the head of NumPy's array files, format versions 1 to 3. Private to readers/.
 *
 *     "\x93NUMPY" major minor, length of the header (2 bytes in version 1, else 4,
 *     little-endian), the header, the elements. The header is a Python dictionary:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
 */
#ifndef UN_DATA_READERS_NPY_H
#define UN_DATA_READERS_NPY_H

#include "data/readers/array_file.h"

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

#endif
