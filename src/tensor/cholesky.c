/* cholesky.c - see cholesky.h. */
#include "tensor/cholesky.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/gemm64.h"

enum { BASE = 32 }; /* up to this size, plain loops */

/* A block of L, the rows to be solved, and their leading dimensions. */
typedef struct {
    const double *l;
    size_t n, ldl;
    double *x;
    size_t ldx;
    double transposed[BASE * BASE]; /* L^T of a small block, so that inner loops run along it */
} rows_job;

/* y L^T = x for some rows: forwards, each solved element leaves those behind it. */
static void forward_range(size_t begin, size_t end, void *context) {
    const rows_job *job = context;
    for (size_t r = begin; r < end; r++) {
        double *x = job->x + r * job->ldx;
        for (size_t j = 0; j < job->n; j++) {
            const double *column = job->transposed + j * BASE;
            x[j] /= column[j];
            for (size_t k = j + 1; k < job->n; k++) x[k] -= x[j] * column[k];
        }
    }
}

/* y L = x for some rows: backwards. */
static void backward_range(size_t begin, size_t end, void *context) {
    const rows_job *job = context;
    for (size_t r = begin; r < end; r++) {
        double *x = job->x + r * job->ldx;
        for (size_t j = job->n; j-- > 0;) {
            const double *row = job->l + j * job->ldl;
            x[j] /= row[j];
            for (size_t k = 0; k < j; k++) x[k] -= x[j] * row[k];
        }
    }
}

/* x (rows, n) <- x L^-T */
static un_status solve_forward(const double *l, size_t n, size_t ldl, double *x, size_t rows,
                               size_t ldx) {
    if (n <= BASE) {
        rows_job job = {.l = l, .n = n, .ldl = ldl, .x = x, .ldx = ldx};
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) job.transposed[j * BASE + i] = l[i * ldl + j];
        un_parallel_for(rows, 32, forward_range, &job);
        return UNSEEN_OK;
    }
    size_t half = n / 2;
    UN_TRY(solve_forward(l, half, ldl, x, rows, ldx));
    const un_gemm64_args product = {.m = rows,
                                    .n = n - half,
                                    .k = half,
                                    .alpha = -1,
                                    .a = x,
                                    .a_row = ldx,
                                    .a_column = 1,
                                    .b = l + half * ldl,
                                    .b_row = 1,
                                    .b_column = ldl,
                                    .c = x + half,
                                    .ldc = ldx};
    UN_TRY(un_gemm64(&product));
    return solve_forward(l + half * ldl + half, n - half, ldl, x + half, rows, ldx);
}

/* x (rows, n) <- x L^-1 */
static un_status solve_backward(const double *l, size_t n, size_t ldl, double *x, size_t rows,
                                size_t ldx) {
    if (n <= BASE) {
        rows_job job = {.l = l, .n = n, .ldl = ldl, .x = x, .ldx = ldx};
        un_parallel_for(rows, 32, backward_range, &job);
        return UNSEEN_OK;
    }
    size_t half = n / 2;
    UN_TRY(solve_backward(l + half * ldl + half, n - half, ldl, x + half, rows, ldx));
    const un_gemm64_args product = {.m = rows,
                                    .n = half,
                                    .k = n - half,
                                    .alpha = -1,
                                    .a = x + half,
                                    .a_row = ldx,
                                    .a_column = 1,
                                    .b = l + half * ldl,
                                    .b_row = ldl,
                                    .b_column = 1,
                                    .c = x,
                                    .ldc = ldx};
    UN_TRY(un_gemm64(&product));
    return solve_backward(l, half, ldl, x, rows, ldx);
}

static un_status factor_small(double *a, size_t n, size_t lda) {
    for (size_t j = 0; j < n; j++) {
        double *pivot_row = a + j * lda;
        for (size_t k = 0; k < j; k++) pivot_row[j] -= pivot_row[k] * pivot_row[k];
        if (!(pivot_row[j] > 0) || !isfinite(pivot_row[j]))
            return un_fail(UNSEEN_E_ARGUMENT, "a matrix is not positive definite in double "
                                              "precision");
        pivot_row[j] = sqrt(pivot_row[j]);
        for (size_t i = j + 1; i < n; i++) {
            double *row = a + i * lda;
            for (size_t k = 0; k < j; k++) row[j] -= row[k] * pivot_row[k];
            row[j] /= pivot_row[j];
        }
    }
    return UNSEEN_OK;
}

static un_status factor(double *a, size_t n, size_t lda) {
    if (n <= BASE) return factor_small(a, n, lda);
    size_t half = n / 2;
    double *below = a + half * lda;
    UN_TRY(factor(a, half, lda));
    UN_TRY(solve_forward(a, half, lda, below, n - half, lda));
    const un_gemm64_args product = {.m = n - half,
                                    .n = n - half,
                                    .k = half,
                                    .alpha = -1,
                                    .a = below,
                                    .a_row = lda,
                                    .a_column = 1,
                                    .b = below,
                                    .b_row = 1,
                                    .b_column = lda,
                                    .c = below + half,
                                    .ldc = lda,
                                    .lower = 1};
    UN_TRY(un_gemm64(&product));
    return factor(below + half, n - half, lda);
}

un_status un_cholesky(double *a, size_t n) { return factor(a, n, n); }

un_status un_cholesky_solve(const double *l, size_t n, double *x, size_t rows) {
    UN_TRY(solve_forward(l, n, n, x, rows, n));
    return solve_backward(l, n, n, x, rows, n);
}

un_status un_cholesky_whiten(const double *l, size_t n, double *x, size_t rows) {
    return solve_forward(l, n, n, x, rows, n);
}
