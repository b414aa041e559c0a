/*
 * linear_algebra.h - matrix products in double, for what f32 is too coarse for: sums over a whole
 * data set and the linear systems made of them. Not for training steps: gemm.h is.
 *
 * C += alpha op(A) op(B), blocked and packed, on all threads. Every element is summed in
 * the same order whatever the thread count.
 */
#ifndef UN_TENSOR_LINEAR_ALGEBRA_H
#define UN_TENSOR_LINEAR_ALGEBRA_H

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

/* ---- symmetric positive definite systems in double.
 *
 * A = L L^T, by halving: all but the blocks of 32 on the diagonal is products (un_gemm64),
 * so that it runs at their speed. 4096 rows are 23 GFLOP. ---- */

/* a (n, n), of which the lower triangle is read, becomes L in the lower triangle; what is above
 * the diagonal stays as it was. UNSEEN_E_ARGUMENT if A is not positive definite in double: its
 * least eigenvalue must exceed about n 2^-53 of its largest. */
un_status un_cholesky(double *a, size_t n);

/* Each row x of x (rows, n) becomes the solution y of A y = x, with L as un_cholesky left it. */
un_status un_cholesky_solve(const double *l, size_t n, double *x, size_t rows);

/* Each row x of x (rows, n) becomes x L^-T, the solution y of L y = x: rows whose covariance is A
 * become rows whose covariance is I. */
un_status un_cholesky_whiten(const double *l, size_t n, double *x, size_t rows);

#endif
