/*
 * gemm64.c - see gemm64.h.
 *
 * Slices of DEPTH along k: both operands are packed once into slivers as high (wide) as
 * the kernel's tile, zero-padded, then the blocks of C are shared out over the threads.
 */
#include "tensor/gemm64.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/kernels_isa.h"

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

un_status un_gemm64(const un_gemm64_args *g) {
    if (g->m == 0 || g->n == 0) return UNSEEN_OK;
    slice s = {.args = g, .isa = un_isa()};
    size_t rows = s.isa->tile_rows;
    size_t columns = s.isa->tile_columns;
    s.a_slivers = (g->m + rows - 1) / rows;
    s.b_slivers = (g->n + columns - 1) / columns;
    s.column_blocks = (g->n + BLOCK_COLUMNS - 1) / BLOCK_COLUMNS;
    un_status status = UNSEEN_OK;
    size_t depth = g->k < DEPTH ? g->k : DEPTH;
    UN_GO(un_alloc(s.a_slivers * rows * depth, sizeof(double), &s.a));
    UN_GO(un_alloc(s.b_slivers * columns * depth, sizeof(double), &s.b));
    for (s.from = 0; s.from < g->k; s.from += DEPTH) {
        s.depth = g->k - s.from < DEPTH ? g->k - s.from : DEPTH;
        multiply_slice(&s);
    }
done:
    free(s.a);
    free(s.b);
    return status;
}
