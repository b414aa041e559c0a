/*
 * winograd.c - F(2 x 2, 3 x 3): which convolutions it takes, their filters, and how tiles are dealt
 * out; see conv.h. The loops are in winograd_loops.h.
 */
#include "tensor/winograd.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"
#include "tensor/feature_map.h"
#include "tensor/kernels.h"

enum {
    CACHE = 448 * 1024, /* bytes for V: half of the second level cache */
    MOST = 4 * ROWS     /* tiles of a group: their 16 products are as much again */
};

/* ---- working memory of a convolution, this one's and oneDNN's ---- */

un_status un_conv_scratch_reserve(un_conv_scratch *scratch, size_t bytes) {
    if (scratch->bytes >= bytes) return UNSEEN_OK;
    un_conv_scratch_free(scratch);
    UN_TRY(un_alloc(bytes, 1, &scratch->data));
    scratch->bytes = bytes;
    return UNSEEN_OK;
}

void un_conv_scratch_free(un_conv_scratch *scratch) {
    free(scratch->data);
    *scratch = (un_conv_scratch){0};
}

/* ---- the choice ---- */

#if defined(UN_HAVE_X86_ISA)

/* In bf16 products are dot products of pairs (VDPBF16PS), which tiles are far faster than: where
 * the processor has these, oneDNN's direct convolution is taken. */
static int has_products(un_dtype type) {
    if (type == UN_F32) return strcmp(un_kernels_isa(), "avx512") == 0;
    const un_bf16_way *way = un_bf16_way_here();
    return way->native && !way->begin;
}

/* Held back from AVX-512, oneDNN has blocks of eight channels in its maps. */
int un_winograd_fits(const un_conv_spec *s) {
    return s->kernel == 3 && s->stride == 1 && !s->depthwise && s->in % GROUP == 0 &&
           s->out % COLUMNS == 0 && un_conv_blocks() == LANES && has_products(s->type);
}

/* ---- running ---- */

/* The tiles of one thread, in groups of equal size. */
static void run_tiles(size_t begin, size_t end, un_slot slot, void *context) {
    const un_winograd_job *j = context;
    const un_conv_spec *s = &j->winograd->spec;
    char *own = j->scratch + slot.index * j->slot_bytes;
    void *v = own, *m = own + POINTS * j->group * j->row * un_dtype_size(s->type);
    while (begin < end) {
        size_t left = end - begin, groups = (left + j->group - 1) / j->group;
        size_t tiles = (left + groups - 1) / groups;
        if (s->type == UN_BF16)
            un_winograd_group_bf16(j, begin, tiles, v, m);
        else
            un_winograd_group_f32(j, begin, tiles, v, m);
        begin += tiles;
    }
}

/* Strides of one picture's map: from pixel to pixel, from 16 channels to the next. */
static void strides(const un_feature_map *map, size_t depth, size_t *pixel, size_t *block) {
    int blocked = map->layout == UN_CHANNELS_BLOCKED;
    *pixel = blocked ? LANES : depth;
    *block = blocked ? map->h * map->w * LANES : LANES;
}

un_status un_winograd_run(const un_winograd *winograd, const un_feature_map *in, const void *x,
                          int add, void *y, un_conv_scratch *scratch) {
    const un_conv_spec *s = &winograd->spec;
    const size_t size = un_dtype_size(s->type);
    un_winograd_job j = {.winograd = winograd, .x = x, .y = y, .add = add, .h = in->h, .w = in->w};
    j.tiles_h = (in->h + 1) / 2;
    j.tiles_w = (in->w + 1) / 2;
    j.image = in->h * in->w * s->in;
    j.out_image = in->h * in->w * s->out;
    strides(in, s->in, &j.pixel, &j.block);
    strides(in, s->out, &j.out_pixel, &j.out_block);
    j.row = s->in;
    j.group = CACHE / (POINTS * size * j.row) / ROWS * ROWS;
    if (j.group < ROWS) j.group = ROWS;
    if (j.group > MOST) j.group = MOST;
    j.slot_bytes = j.group * POINTS * (j.row * size + COLUMNS * sizeof(float));
    size_t tiles = in->n * j.tiles_h * j.tiles_w, slots = un_slot_count(tiles, ROWS);
    UN_TRY(un_conv_scratch_reserve(scratch, slots * j.slot_bytes));
    j.scratch = scratch->data;
    un_parallel_slots(tiles, slots, run_tiles, &j);
    return UNSEEN_OK;
}

#else

int un_winograd_fits(const un_conv_spec *s) {
    (void)s;
    return 0;
}

un_status un_winograd_run(const un_winograd *winograd, const un_feature_map *in, const void *x,
                          int add, void *y, un_conv_scratch *scratch) {
    (void)winograd, (void)in, (void)x, (void)add, (void)y, (void)scratch;
    return un_fail(UNSEEN_E_UNSUPPORTED, "this processor has no AVX-512");
}

#endif

/* ---- filters ---- */

/* G g, of rows `apart` values apart. */
static void transform_rows(const double *g, size_t apart, double out[4]) {
    double middle = g[apart], ends = g[0] + g[2 * apart];
    out[0] = g[0];
    out[1] = 0.5 * (ends + middle);
    out[2] = 0.5 * (ends - middle);
    out[3] = g[2 * apart];
}

/* G g G^T of one filter. */
static void transform_filter(const float *g, double out[POINTS]) {
    double wide[9], columns[3][4], rows[4][3];
    for (size_t i = 0; i < 9; i++) wide[i] = (double)g[i];
    for (size_t b = 0; b < 3; b++) transform_rows(wide + b, 3, columns[b]);
    for (size_t i = 0; i < 4; i++)
        for (size_t b = 0; b < 3; b++) rows[i][b] = columns[b][i];
    for (size_t i = 0; i < 4; i++) transform_rows(rows[i], 1, out + 4 * i);
}

typedef struct {
    const float *weights;
    un_winograd *winograd;
} filter_job;

/* Where U[0] has input channel i and output channel o. */
static size_t place_of(const un_conv_spec *s, size_t o, size_t i) {
    size_t panels = o / COLUMNS * POINTS * s->in * COLUMNS, column = o % COLUMNS;
    if (s->type == UN_F32) return panels + i * COLUMNS + column;
    size_t k = i / GROUP * GROUP + i % 2 * LANES + i % GROUP / 2; /* its place in V */
    return panels + k / 2 * 2 * COLUMNS + column * 2 + k % 2;
}

/* Rounded once. */
static void transform_filters(size_t begin, size_t end, void *context) {
    const filter_job *work = context;
    const un_conv_spec *s = &work->winograd->spec;
    size_t panel = s->in * COLUMNS;
    float *filters = work->winograd->filters;
    un_bf16 *filters16 = work->winograd->filters;
    for (size_t o = begin; o < end; o++)
        for (size_t i = 0; i < s->in; i++) {
            double u[POINTS];
            size_t at = place_of(s, o, i);
            transform_filter(work->weights + (o * s->in + i) * 9, u);
            for (size_t f = 0; f < POINTS; f++, at += panel) {
                if (s->type == UN_BF16)
                    filters16[at] = un_bf16_from_float((float)u[f]);
                else
                    filters[at] = (float)u[f];
            }
        }
}

un_status un_winograd_create(const un_conv_spec *spec, const float *weights, const float *bias,
                             un_winograd **out) {
    un_winograd *w = calloc(1, sizeof *w);
    if (!w) return un_fail_memory(sizeof *w);
    un_status status = UNSEEN_OK;
    w->spec = *spec;
    size_t count = 0;
    if (__builtin_mul_overflow(spec->in, spec->out, &count)) UN_GO(un_fail_memory(SIZE_MAX));
    UN_GO(un_alloc(count, POINTS * un_dtype_size(spec->type), &w->filters));
    UN_GO(un_alloc(spec->out, sizeof *bias, &w->bias));
    memcpy(w->bias, bias, spec->out * sizeof *bias);
    filter_job work = {weights, w};
    un_parallel_for(spec->out, 1, transform_filters, &work);
    *out = w;
done:
    if (status) un_winograd_free(w);
    return status;
}

void un_winograd_free(un_winograd *winograd) {
    if (!winograd) return;
    free(winograd->filters);
    free(winograd->bias);
    free(winograd);
}
