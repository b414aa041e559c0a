/*
 * bf16_panels.c - operands of bf16 products, from where they lie into panels: rows or columns, in one
 * place or in pieces, bf16 or f32.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"

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

/* Columns of stored rows that are copied together, so that memory is read in long runs. */
enum { STRIP = 512 };

/* rows x columns of the stored matrix from (row, column) on as bf16, to rows of STRIP elements. */
static void copy_strip(const un_bf16_operand *o, size_t row, size_t rows, size_t column,
                       size_t columns, un_bf16 *strip) {
    size_t together = 0;
    for (size_t done = 0; done < rows; done += together) {
        together = rows - done;
        const char *from = stored(o, row + done, &together);
        for (size_t r = 0; r < together; r++) {
            un_bf16 *to = strip + (done + r) * STRIP;
            if (o->f32)
                o->moves->narrow((const float *)(const void *)from + r * o->ld + column, to,
                                 columns);
            else
                memcpy(to, (const un_bf16 *)(const void *)from + r * o->ld + column,
                       columns * sizeof *to);
        }
    }
}

/* Whether rows have to be copied before they are cut into tiles. */
static int far(const un_bf16_operand *o) { return o->f32 || o->pieces; }

static void pack_tile(const un_bf16_operand *o, const un_bf16 *from, size_t ld, size_t lines,
                      size_t depth, un_bf16 *tile) {
    if (lines == 0 || depth == 0) {
        memset(tile, 0, BF16_TILE * sizeof *tile);
    } else if (o->along) {
        o->moves->copy_rows(from, ld, lines, depth, tile);
        if (o->right) o->moves->transpose(tile);
    } else {
        o->moves->pair_rows(from, ld, depth, lines, tile);
        if (!o->right) o->moves->transpose(tile);
    }
}

/* `panels` from `panel` on, `steps` from `first` on, into panels of out_steps steps each. Their
 * stored rows, 32 or `panels` times 32, are near enough to be read tile by tile, or copied. */
static void pack_near(const un_bf16_operand *o, size_t panel, size_t panels, size_t first,
                      size_t steps, un_bf16 *out, size_t out_steps) {
    un_bf16 strip[BF16_PANEL * STRIP];
    size_t line = panel * BF16_PANEL, k = first * BF16_STEP;
    size_t lines = left_over(o->lines, line, panels * BF16_PANEL);
    size_t depth = left_over(o->k, k, steps * BF16_STEP), ld = o->ld;
    const un_bf16 *from = strip;
    size_t row = o->along ? line : k, column = o->along ? k : line;
    if (far(o)) {
        copy_strip(o, row, o->along ? lines : depth, column, o->along ? depth : lines, strip);
        ld = STRIP;
    } else {
        from = (const un_bf16 *)o->data + row * ld + column;
    }
    for (size_t i = 0; i < panels; i++)
        for (size_t s = 0; s < steps; s++)
            for (size_t t = 0; t < 2; t++) {
                size_t at = i * BF16_PANEL + t * BF16_LINES, deep = s * BF16_STEP;
                size_t some = left_over(lines, at, BF16_LINES);
                size_t these = left_over(depth, deep, BF16_STEP);
                /* Not beyond the matrix, not even in thought. */
                size_t skip = some && these ? (o->along ? at * ld + deep : deep * ld + at) : 0;
                pack_tile(o, from + skip, ld, some, these,
                          out + (i * out_steps + s) * BF16_STEP_SIZE + t * BF16_TILE);
            }
}

void un_bf16_pack_panel(const un_bf16_operand *o, size_t panel, size_t first, size_t steps,
                        un_bf16 *out) {
    size_t run = !o->along ? 1 : far(o) ? STRIP / BF16_STEP : steps;
    for (size_t s = 0; s < steps; s += run)
        pack_near(o, panel, 1, first + s, steps - s < run ? steps - s : run,
                  out + s * BF16_STEP_SIZE, steps);
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

/* Step `at` of all panels, of which the first is `panel`. */
static void pack_step(const packing *p, size_t panel, size_t at) {
    size_t run = STRIP / BF16_PANEL;
    for (size_t i = 0; i < p->panels; i += run)
        pack_near(p->from, panel + i, p->panels - i < run ? p->panels - i : run, p->first + at, 1,
                  p->out + (i * p->steps + at) * BF16_STEP_SIZE, p->steps);
}

static void pack_steps(size_t begin, size_t end, void *context) {
    for (size_t s = begin; s < end; s++) pack_step(context, 0, s);
}

void un_bf16_pack_group(const un_bf16_operand *o, size_t panel, size_t panels, size_t first,
                        size_t steps, un_bf16 *out) {
    const packing p = {o, panels, first, steps, out};
    if (o->along)
        for (size_t i = 0; i < panels; i++)
            un_bf16_pack_panel(o, panel + i, first, steps, out + i * steps * BF16_STEP_SIZE);
    else
        for (size_t s = 0; s < steps; s++) pack_step(&p, panel, s);
}

void un_bf16_pack_panels(const un_bf16_operand *o, size_t first, size_t steps, un_bf16 *out) {
    packing p = {o, un_bf16_units(o->lines, BF16_PANEL), first, steps, out};
    /* Stored rows are read whole: over panels, each reads one cache line of rows pages apart. */
    if (o->along)
        un_parallel_for(p.panels, 1, pack_panels, &p);
    else
        un_parallel_for(steps, 1, pack_steps, &p);
}

size_t un_bf16_packed_size(size_t lines, size_t k) {
    return un_bf16_units(lines, BF16_PANEL) * un_bf16_units(k, BF16_STEP) * BF16_STEP_SIZE;
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
    un_bf16_pack_panels(&o, 0, un_bf16_units(k, BF16_STEP), out);
}

/* ---- left operands that are made 32 of k at a time ---- */

un_status un_gemm_left_create(un_gemm_left **out, size_t m, size_t k) {
    un_status status = UNSEEN_OK;
    un_gemm_left *left = calloc(1, sizeof *left);
    if (!left) return un_fail_memory(sizeof *left);
    left->lines = m;
    left->steps = un_bf16_units(k, BF16_STEP);
    UN_GO(un_alloc(un_bf16_packed_size(m, k), sizeof *left->panels, &left->panels));
    *out = left;
done:
    if (status) un_gemm_left_free(left);
    return status;
}

void un_bf16_fill_left(const un_bf16_way *way, un_gemm_left *left, size_t step, size_t n,
                       const un_bf16 *columns, size_t ld) {
    const un_bf16_operand o = {
        .moves = way->moves, .data = columns, .ld = ld, .lines = left->lines, .k = n};
    pack_near(&o, 0, un_bf16_units(left->lines, BF16_PANEL), 0, 1,
              left->panels + step * BF16_STEP_SIZE, left->steps);
}

void un_gemm_left_free(un_gemm_left *left) {
    if (!left) return;
    free(left->panels);
    free(left);
}
