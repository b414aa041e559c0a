/*
 * gemm64.h - matrix products in double, for what f32 is too coarse for: sums over a whole
 * data set and the linear systems made of them. Not for training steps: gemm.h is.
 *
 * C += alpha op(A) op(B), blocked and packed, on all threads. Every element is summed in
 * the same order whatever the thread count.
 */
#ifndef UN_TENSOR_GEMM64_H
#define UN_TENSOR_GEMM64_H

#include <stddef.h>

#include "base/status.h"

typedef struct {
    size_t m, n, k;
    double alpha;
    /* op(A)[i, p] = a[i * a_row + p * a_column], i < m, p < k; so transposing costs nothing */
    const double *a;
    size_t a_row, a_column;
    /* op(B)[p, j] = b[p * b_row + j * b_column], j < n */
    const double *b;
    size_t b_row, b_column;
    double *c; /* [m, n]; overlaps neither a nor b */
    size_t ldc;
    int lower; /* C is square and only its elements on and below the diagonal are touched */
} un_gemm64_args;

/* UNSEEN_E_MEMORY if there is no room for the packed operands. */
un_status un_gemm64(const un_gemm64_args *args);

#endif
