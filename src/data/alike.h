/*
 * alike.h - classes whose descriptions differ in length only.
 *
 * Most methods bring a class's row to length 1 first; rows of one direction, such as
 * (1, 2) and (2, 4), are the same class to them.
 */
#ifndef UN_DATA_ALIKE_H
#define UN_DATA_ALIKE_H

#include <stddef.h>

#include "base/status.h"

typedef struct {
    size_t count;      /* pairs */
    size_t (*pair)[2]; /* [count] the lower class first; in order; released with un_alike_free */
} un_alike;

/* Rows of values (C, A) whose unit vectors are at most UN_ALIKE_DISTANCE apart. Rows of zeros have
 * no direction and are never alike. At most `most` pairs are told. */
#define UN_ALIKE_DISTANCE 1e-4
un_status un_alike_find(const float *values, size_t C, size_t A, size_t most, un_alike *out);
void un_alike_free(un_alike *alike);

#endif
