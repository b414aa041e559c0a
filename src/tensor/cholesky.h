/*
 * cholesky.h - symmetric positive definite systems in double.
 *
 * A = L L^T, by halving: all but the blocks of 32 on the diagonal is products (gemm64.h),
 * so that it runs at their speed. 4096 rows are 23 GFLOP.
 */
#ifndef UN_TENSOR_CHOLESKY_H
#define UN_TENSOR_CHOLESKY_H

#include <stddef.h>

#include "base/status.h"

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
