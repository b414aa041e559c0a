/*
 * linear_algebra.c - products and symmetric systems in double; see linear_algebra.h.
 *
 * Slices of DEPTH along k: both operands are packed once into slivers as high (wide) as
 * the kernel's tile, zero-padded, then the blocks of C are shared out over the threads.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/kernels_isa.h"
#include "tensor/linear_algebra.h"

/* A sliver of A and one of B fit the first cache, a block of A the second. */
enum { DEPTH = 256, BLOCK_ROWS = 96, BLOCK_COLUMNS = 192 };

typedef struct {
    const un_gemm64_args *args;
    const un_isa_table *isa;
    size_t from, depth;          /* the slice of k */
    size_t a_slivers, b_slivers; /* of the whole operands */
    size_t column_blocks;        /* of C */
    double *a, *b;               /* packed: [slivers, depth, tile side] */
} slice;

/* Memory for packed operands, kept from one product to the next: systems are solved in hundreds of
 * small ones. Starts as {0}. */
typedef struct {
    double *a, *b;
    size_t a_room, b_room;
} packing;

static void packing_free(packing *p) {
    free(p->a);
    free(p->b);
}

static un_status reserve(double **data, size_t *room, size_t count) {
    if (count <= *room) return UNSEEN_OK;
    free(*data);
    *data = NULL;
    *room = 0;
    UN_TRY(un_alloc(count, sizeof **data, data));
    *room = count;
    return UNSEEN_OK;
}

/* Sliver `which` of an operand whose element (i, p) is x[i * outer + p * inner], i < count. */
static void pack_sliver(const slice *s, const double *x, size_t outer, size_t inner, size_t count,
                        size_t side, size_t which, double *out) {
    size_t first = which * side;
    size_t used = count - first < side ? count - first : side;
    x += first * outer + s->from * inner;
    out += which * s->depth * side;
    for (size_t p = 0; p < s->depth; p++) {
        for (size_t i = 0; i < used; i++) out[p * side + i] = x[i * outer + p * inner];
        for (size_t i = used; i < side; i++) out[p * side + i] = 0;
    }
}

static void pack_range(size_t begin, size_t end, void *context) {
    const slice *s = context;
    const un_gemm64_args *g = s->args;
    for (size_t at = begin; at < end; at++) {
        if (at < s->a_slivers)
            pack_sliver(s, g->a, g->a_row, g->a_column, g->m, s->isa->tile_rows, at, s->a);
        else
            pack_sliver(s, g->b, g->b_column, g->b_row, g->n, s->isa->tile_columns,
                        at - s->a_slivers, s->b);
    }
}

/* Adds a tile to C at (row, column), cut off at the edges and at the diagonal. */
static void add_tile(const un_gemm64_args *g, const double *tile, size_t stride, size_t rows,
                     size_t row, size_t column) {
    for (size_t i = 0; i < rows && row + i < g->m; i++) {
        size_t end = column + stride < g->n ? column + stride : g->n;
        if (g->lower && end > row + i + 1) end = row + i + 1;
        double *c = g->c + (row + i) * g->ldc;
        for (size_t j = column; j < end; j++) c[j] += g->alpha * tile[i * stride + j - column];
    }
}

static void multiply_block(const slice *s, size_t row_begin, size_t column_begin) {
    const un_gemm64_args *g = s->args;
    size_t rows = s->isa->tile_rows;
    size_t columns = s->isa->tile_columns;
    size_t row_end = row_begin + BLOCK_ROWS < g->m ? row_begin + BLOCK_ROWS : g->m;
    size_t column_end = column_begin + BLOCK_COLUMNS < g->n ? column_begin + BLOCK_COLUMNS : g->n;
    double tile[UN_TILE64_MOST];
    for (size_t j = column_begin; j < column_end; j += columns) {
        for (size_t i = row_begin; i < row_end; i += rows) {
            if (g->lower && j > i + rows - 1) continue; /* wholly above the diagonal */
            /* i and j are multiples of the tile's sides: sliver i / rows starts at i * depth */
            s->isa->tile64(s->depth, s->a + i * s->depth, s->b + j * s->depth, tile);
            add_tile(g, tile, columns, rows, i, j);
        }
    }
}

static void multiply_range(size_t begin, size_t end, void *context) {
    const slice *s = context;
    for (size_t at = begin; at < end; at++)
        multiply_block(s, at / s->column_blocks * BLOCK_ROWS,
                       at % s->column_blocks * BLOCK_COLUMNS);
}

/* Row r of the triangle's work grows with r: slots take rows of blocks alternately. */
static void multiply_triangle(size_t begin, size_t end, un_slot slot, void *context) {
    const slice *s = context;
    (void)begin;
    (void)end;
    size_t blocks = (s->args->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    for (size_t r = slot.index; r < blocks; r += slot.count)
        for (size_t c = 0; c < s->column_blocks; c++)
            if (c * BLOCK_COLUMNS < (r + 1) * BLOCK_ROWS)
                multiply_block(s, r * BLOCK_ROWS, c * BLOCK_COLUMNS);
}

static void multiply_slice(slice *s) {
    const un_gemm64_args *g = s->args;
    size_t row_blocks = (g->m + BLOCK_ROWS - 1) / BLOCK_ROWS;
    un_parallel_for(s->a_slivers + s->b_slivers, 4, pack_range, s);
    if (g->lower)
        un_parallel_slots(row_blocks, un_slot_count(row_blocks, 1), multiply_triangle, s);
    else
        un_parallel_for(row_blocks * s->column_blocks, 1, multiply_range, s);
}

static un_status multiply(const un_gemm64_args *g, packing *p) {
    if (g->m == 0 || g->n == 0) return UNSEEN_OK;
    slice s = {.args = g, .isa = un_isa()};
    size_t rows = s.isa->tile_rows;
    size_t columns = s.isa->tile_columns;
    s.a_slivers = (g->m + rows - 1) / rows;
    s.b_slivers = (g->n + columns - 1) / columns;
    s.column_blocks = (g->n + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    size_t depth = g->k < DEPTH ? g->k : DEPTH;
    UN_TRY(reserve(&p->a, &p->a_room, s.a_slivers * rows * depth));
    UN_TRY(reserve(&p->b, &p->b_room, s.b_slivers * columns * depth));
    s.a = p->a;
    s.b = p->b;
    for (s.from = 0; s.from < g->k; s.from += DEPTH) {
        s.depth = g->k - s.from < DEPTH ? g->k - s.from : DEPTH;
        multiply_slice(&s);
    }
    return UNSEEN_OK;
}

un_status un_gemm64(const un_gemm64_args *g) {
    packing p = {0};
    un_status status = multiply(g, &p);
    packing_free(&p);
    return status;
}

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
                               size_t ldx, packing *p) {
    if (n <= BASE) {
        rows_job job = {.l = l, .n = n, .ldl = ldl, .x = x, .ldx = ldx};
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) job.transposed[j * BASE + i] = l[i * ldl + j];
        un_parallel_for(rows, 32, forward_range, &job);
        return UNSEEN_OK;
    }
    size_t half = n / 2;
    UN_TRY(solve_forward(l, half, ldl, x, rows, ldx, p));
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
    UN_TRY(multiply(&product, p));
    return solve_forward(l + half * ldl + half, n - half, ldl, x + half, rows, ldx, p);
}

/* x (rows, n) <- x L^-1 */
static un_status solve_backward(const double *l, size_t n, size_t ldl, double *x, size_t rows,
                                size_t ldx, packing *p) {
    if (n <= BASE) {
        rows_job job = {.l = l, .n = n, .ldl = ldl, .x = x, .ldx = ldx};
        un_parallel_for(rows, 32, backward_range, &job);
        return UNSEEN_OK;
    }
    size_t half = n / 2;
    UN_TRY(solve_backward(l + half * ldl + half, n - half, ldl, x + half, rows, ldx, p));
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
    UN_TRY(multiply(&product, p));
    return solve_backward(l, half, ldl, x, rows, ldx, p);
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

static un_status factor(double *a, size_t n, size_t lda, packing *p) {
    if (n <= BASE) return factor_small(a, n, lda);
    size_t half = n / 2;
    double *below = a + half * lda;
    UN_TRY(factor(a, half, lda, p));
    UN_TRY(solve_forward(a, half, lda, below, n - half, lda, p));
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
    UN_TRY(multiply(&product, p));
    return factor(below + half, n - half, lda, p);
}

un_status un_cholesky(double *a, size_t n) {
    packing p = {0};
    un_status status = factor(a, n, n, &p);
    packing_free(&p);
    return status;
}

un_status un_cholesky_solve(const double *l, size_t n, double *x, size_t rows) {
    packing p = {0};
    un_status status = solve_forward(l, n, n, x, rows, n, &p);
    if (!status) status = solve_backward(l, n, n, x, rows, n, &p);
    packing_free(&p);
    return status;
}

un_status un_cholesky_whiten(const double *l, size_t n, double *x, size_t rows) {
    packing p = {0};
    un_status status = solve_forward(l, n, n, x, rows, n, &p);
    packing_free(&p);
    return status;
}
