/*
 * bf16_panels.c - operands of bf16 products, from where they lie into panels: rows or columns, in one
 * place or in pieces, bf16 or f32.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"

enum { TILE_LINES = 16 };

static size_t up(size_t n, size_t unit) { return (n + unit - 1) / unit; }

/* `count` <= limit of the elements from `at` on. */
static size_t left_over(size_t all, size_t at, size_t limit) {
    return at >= all ? 0 : all - at < limit ? all - at : limit;
}

/* Where stored row `row` begins, and how many of `rows` rows follow it at equal distances. */
static const char *stored(const un_bf16_operand *o, size_t row, size_t *rows) {
    size_t size = un_dtype_size(o->f32 ? UN_F32 : UN_BF16);
    if (!o->pieces) return (const char *)o->data + row * o->ld * size;
    size_t within = row % o->piece_rows;
    if (*rows > o->piece_rows - within) *rows = o->piece_rows - within;
    return (const char *)o->pieces[row / o->piece_rows] + within * o->ld * size;
}

/* rows x columns of the stored matrix from (row, column) on as bf16: where they lie, or in `copy`,
 * whose rows have BF16_STEP elements. */
static const un_bf16 *fetch(const un_bf16_operand *o, size_t row, size_t rows, size_t column,
                            size_t columns, un_bf16 *copy, size_t *ld) {
    size_t together = rows;
    const char *from = stored(o, row, &together);
    *ld = o->ld;
    if (!o->f32 && together == rows) return (const un_bf16 *)(const void *)from + column;
    *ld = BF16_STEP;
    for (size_t done = 0; done < rows; done += together) {
        together = rows - done;
        from = stored(o, row + done, &together);
        for (size_t r = 0; r < together; r++) {
            un_bf16 *to = copy + (done + r) * BF16_STEP;
            if (o->f32)
                o->moves->narrow((const float *)(const void *)from + r * o->ld + column, to,
                                 columns);
            else
                memcpy(to, (const un_bf16 *)(const void *)from + r * o->ld + column,
                       columns * sizeof *to);
        }
    }
    return copy;
}

static void pack_tile(const un_bf16_operand *o, size_t line, size_t k, un_bf16 *tile) {
    size_t lines = left_over(o->lines, line, TILE_LINES), depth = left_over(o->k, k, BF16_STEP), ld;
    un_bf16 copy[BF16_STEP * BF16_STEP];
    if (lines == 0 || depth == 0) {
        memset(tile, 0, BF16_TILE * sizeof *tile);
    } else if (o->along) {
        const un_bf16 *from = fetch(o, line, lines, k, depth, copy, &ld);
        o->moves->copy_rows(from, ld, lines, depth, tile);
        if (o->right) o->moves->transpose(tile);
    } else {
        const un_bf16 *from = fetch(o, k, depth, line, lines, copy, &ld);
        o->moves->pair_rows(from, ld, depth, lines, tile);
        if (!o->right) o->moves->transpose(tile);
    }
}

static void pack_step(const un_bf16_operand *o, size_t panel, size_t step, un_bf16 *out) {
    for (size_t t = 0; t < 2; t++)
        pack_tile(o, panel * BF16_PANEL + TILE_LINES * t, step * BF16_STEP, out + t * BF16_TILE);
}

void un_bf16_pack_panel(const un_bf16_operand *o, size_t panel, size_t first, size_t steps,
                        un_bf16 *out) {
    for (size_t s = 0; s < steps; s++) pack_step(o, panel, first + s, out + s * BF16_STEP_SIZE);
}

typedef struct {
    const un_bf16_operand *from;
    size_t panels, first, steps;
    un_bf16 *out;
} packing;

static void pack_panels(size_t begin, size_t end, void *context) {
    const packing *p = context;
    for (size_t i = begin; i < end; i++)
        un_bf16_pack_panel(p->from, i, p->first, p->steps, p->out + i * p->steps * BF16_STEP_SIZE);
}

static void pack_steps(size_t begin, size_t end, void *context) {
    const packing *p = context;
    for (size_t s = begin; s < end; s++)
        for (size_t i = 0; i < p->panels; i++)
            pack_step(p->from, i, p->first + s, p->out + (i * p->steps + s) * BF16_STEP_SIZE);
}

void un_bf16_pack_panels(const un_bf16_operand *o, size_t first, size_t steps, un_bf16 *out) {
    packing p = {o, up(o->lines, BF16_PANEL), first, steps, out};
    /* Stored rows are read whole: over panels, each reads one cache line of rows pages apart. */
    if (o->along)
        un_parallel_for(p.panels, 1, pack_panels, &p);
    else
        un_parallel_for(steps, 1, pack_steps, &p);
}

size_t un_bf16_packed_size(size_t lines, size_t k) {
    return up(lines, BF16_PANEL) * up(k, BF16_STEP) * BF16_STEP_SIZE;
}

void un_bf16_pack_right(const un_bf16_way *way, int trans_b, size_t n, size_t k, const un_bf16 *b,
                        size_t ldb, un_bf16 *out) {
    const un_bf16_operand o = {.moves = way->moves,
                               .data = b,
                               .ld = ldb,
                               .lines = n,
                               .k = k,
                               .along = trans_b,
                               .right = 1};
    un_bf16_pack_panels(&o, 0, up(k, BF16_STEP), out);
}

/* ---- left operands that are made 32 of k at a time ---- */

un_status un_gemm_left_create(un_gemm_left **out, size_t m, size_t k) {
    un_status status = UNSEEN_OK;
    un_gemm_left *left = calloc(1, sizeof *left);
    if (!left) return un_fail_memory(sizeof *left);
    left->lines = m;
    left->steps = up(k, BF16_STEP);
    UN_GO(un_alloc(un_bf16_packed_size(m, k), sizeof *left->panels, &left->panels));
    *out = left;
done:
    if (status) un_gemm_left_free(left);
    return status;
}

void un_gemm_left_fill(un_gemm_left *left, size_t step, size_t n, const un_bf16 *columns,
                       size_t ld) {
    const un_bf16_operand o = {.moves = un_bf16_way_here()->moves,
                               .data = columns,
                               .ld = ld,
                               .lines = left->lines,
                               .k = n};
    for (size_t i = 0; i < up(left->lines, BF16_PANEL); i++)
        pack_step(&o, i, 0, left->panels + (i * left->steps + step) * BF16_STEP_SIZE);
}

void un_gemm_left_free(un_gemm_left *left) {
    if (!left) return;
    free(left->panels);
    free(left);
}
