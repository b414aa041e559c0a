/*
 * winograd.c - F(2 x 2, 3 x 3) in bf16 with AVX-512 BF16 instructions; see conv.h.
 *
 * A thread takes some ROWS x n tiles of 4 x 4 pixels (2 x 2 outputs each), transforms them into
 * V[16, tiles, C], and for 32 output channels after the other multiplies each of the 16
 * V[f] (tiles, C) with U[f] (C, 32) and transforms the 16 products back. V stays in its second
 * level cache; U is read once for each such group of tiles. Of every GROUP of channels V and U have
 * first those with even numbers, then those with odd ones, as pairs of bf16 fall apart into f32.
 */
#include "tensor/conv.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"

enum {
    LANES = 16,   /* f32 values of a register, channels of a block */
    GROUP = 32,   /* input channels that are transformed together */
    COLUMNS = 32, /* output channels at once: two registers */
    ROWS = 14,    /* tiles at once: 2 x 14 sums and what they are made of fill the registers */
    POINTS = 16,  /* of a 4 x 4 tile */
    AHEAD = 16 * 2 * COLUMNS, /* values of U to fetch ahead: beyond a panel lies the next one */
    CACHE = 448 * 1024,       /* bytes for V: half of the second level cache */
    MOST = 4 * ROWS           /* tiles of a group: their 16 products are as much again */
};

struct un_winograd {
    un_conv_spec spec;
    un_bf16 *filters; /* U[out / 32, 16, in / 2, 32, 2]; V's order of channels */
    float *bias;
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

#if defined(__x86_64__)
#include <immintrin.h>

/* ---- Winograd's ---- */

#define NATIVE __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define NATIVE_INLINE NATIVE __attribute__((always_inline)) static inline

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif

/* One run: shapes, strides and where things are. */
typedef struct {
    const un_winograd *winograd;
    const un_bf16 *x;
    un_bf16 *y;
    size_t h, w, tiles_h, tiles_w; /* of a picture */
    size_t pixel, block;           /* values from one pixel, from 16 channels, to the next: input */
    size_t image;                  /* from one picture to the next */
    size_t out_pixel, out_block, out_image;
    size_t group;  /* most tiles at once */
    char *scratch; /* of all slots */
    size_t slot_bytes;
} job;

/* Where a tile lies; rows and columns may reach over the edge. */
typedef struct {
    size_t image;
    ptrdiff_t y, x; /* of the first output */
} place;

static place tile_place(const job *j, size_t tile) {
    size_t area = j->tiles_h * j->tiles_w, in_image = tile % area;
    return (place){tile / area, (ptrdiff_t)(in_image / j->tiles_w) * 2,
                   (ptrdiff_t)(in_image % j->tiles_w) * 2};
}

/* Goes to the next tile; whether that begins a row. */
static inline size_t next_tile(const job *j, place *at) {
    at->x += 2;
    if (at->x < (ptrdiff_t)j->w) return 0;
    at->x = 0;
    at->y += 2;
    if (at->y < (ptrdiff_t)j->h) return 1;
    at->y = 0;
    at->image++;
    return 1;
}

NATIVE_INLINE void store_bf16(un_bf16 *p, __m512 x) {
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

/* Of GROUP channels those with even numbers, and those with odd ones. */
typedef struct {
    __m512 even, odd;
} channels;

NATIVE_INLINE channels add(channels a, channels b) {
    return (channels){_mm512_add_ps(a.even, b.even), _mm512_add_ps(a.odd, b.odd)};
}

NATIVE_INLINE channels subtract(channels a, channels b) {
    return (channels){_mm512_sub_ps(a.even, b.even), _mm512_sub_ps(a.odd, b.odd)};
}

/* Pairs of bf16 as f32: the first by a shift, the second by clearing the first. */
NATIVE_INLINE channels load_channels(const un_bf16 *p, size_t block) {
    __m512i pairs =
        _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p)),
                           _mm256_loadu_si256((const __m256i *)(p + block)), 1);
    return (channels){
        _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
        _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000)))};
}

NATIVE_INLINE void store_channels(un_bf16 *v, channels x) {
    _mm512_storeu_si512(v, (__m512i)_mm512_cvtne2ps_pbh(x.odd, x.even));
}

/* B^T of one column of the tile at `at`; image: GROUP channels of its picture. */
NATIVE_INLINE void transform_column(const job *j, const un_bf16 *image, place at, ptrdiff_t column,
                                    channels out[4]) {
    const channels none = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    ptrdiff_t x = at.x - 1 + column, height = x >= 0 && x < (ptrdiff_t)j->w ? (ptrdiff_t)j->h : 0;
    channels d[4];
    UNROLL for (ptrdiff_t i = 0; i < 4; i++) {
        ptrdiff_t y = at.y - 1 + i, pixel = y * (ptrdiff_t)j->w + x;
        int inside = y >= 0 && y < height;
        d[i] = inside ? load_channels(image + (size_t)pixel * j->pixel, j->block) : none;
    }
    out[0] = subtract(d[0], d[2]);
    out[1] = add(d[1], d[2]);
    out[2] = subtract(d[2], d[1]);
    out[3] = subtract(d[1], d[3]);
}

/* B^T d B of `tiles` tiles from `first` on and GROUP channels from c on into V[f][tile]. The last
 * two columns of a tile are the first two of the next one in its row. */
NATIVE static void transform_input(const job *j, size_t first, size_t tiles, size_t c, un_bf16 *v) {
    size_t in = j->winograd->spec.in, step = tiles * in;
    place at = tile_place(j, first);
    channels left[2][4], right[2][4];
    v += c;
    for (size_t t = 0, begins = 1; t < tiles; t++, v += in) {
        const un_bf16 *image = j->x + at.image * j->image + c / LANES * j->block;
        if (begins) {
            transform_column(j, image, at, 0, left[0]);
            transform_column(j, image, at, 1, left[1]);
        }
        transform_column(j, image, at, 2, right[0]);
        transform_column(j, image, at, 3, right[1]);
        UNROLL for (size_t i = 0; i < 4; i++) {
            un_bf16 *to = v + 4 * i * step;
            store_channels(to, subtract(left[0][i], right[0][i]));
            store_channels(to + step, add(left[1][i], right[0][i]));
            store_channels(to + 2 * step, subtract(right[0][i], left[1][i]));
            store_channels(to + 3 * step, subtract(left[1][i], right[1][i]));
            left[0][i] = right[0][i];
            left[1][i] = right[1][i];
        }
        begins = next_tile(j, &at);
    }
}

/* m (rows, 32) = v (rows, C) u (C, 32); n rows, a constant where this is called. */
NATIVE_INLINE void multiply_rows(const int n, const un_bf16 *v, const un_bf16 *u, size_t depth,
                                 float *m) {
    __m512 sum[ROWS][2];
    for (int r = 0; r < n; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();
    for (size_t c = 0; c < depth; c += 2) {
        __m512bh left = (__m512bh)_mm512_loadu_si512(u + c * COLUMNS);
        __m512bh right = (__m512bh)_mm512_loadu_si512(u + c * COLUMNS + 2 * LANES);
        _mm_prefetch((const char *)(u + c * COLUMNS + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const char *)(u + c * COLUMNS + AHEAD + 2 * LANES), _MM_HINT_T0);
        for (int r = 0; r < n; r++) {
            int pair = 0;
            memcpy(&pair, v + (size_t)r * depth + c, sizeof pair);
            __m512bh both = (__m512bh)_mm512_set1_epi32(pair);
            sum[r][0] = _mm512_dpbf16_ps(sum[r][0], left, both);
            sum[r][1] = _mm512_dpbf16_ps(sum[r][1], right, both);
        }
    }
    for (int r = 0; r < n; r++) {
        _mm512_storeu_ps(m + r * COLUMNS, sum[r][0]);
        _mm512_storeu_ps(m + r * COLUMNS + LANES, sum[r][1]);
    }
}

/* Any number of rows, in equal parts of at most ROWS. */
NATIVE static void multiply(size_t rows, const un_bf16 *v, const un_bf16 *u, size_t depth,
                            float *m) {
    size_t parts = (rows + ROWS - 1) / ROWS;
    for (; parts > 0; parts--) {
        size_t n = (rows + parts - 1) / parts;
        switch (n) {
#define CASE(count)                                                                                \
    case count: multiply_rows(count, v, u, depth, m); break
            CASE(1);
            CASE(2);
            CASE(3);
            CASE(4);
            CASE(5);
            CASE(6);
            CASE(7);
            CASE(8);
            CASE(9);
            CASE(10);
            CASE(11);
            CASE(12);
            CASE(13);
#undef CASE
        default: multiply_rows(ROWS, v, u, depth, m);
        }
        rows -= n;
        v += n * depth;
        m += n * COLUMNS;
    }
}

NATIVE_INLINE __m512 activate(un_conv_activation activation, __m512 x) {
    if (activation != UN_CONV_LINEAR) x = _mm512_max_ps(x, _mm512_setzero_ps());
    if (activation == UN_CONV_RELU6) x = _mm512_min_ps(x, _mm512_set1_ps(6));
    return x;
}

/* A^T m A + bias of one tile and 16 channels; m[f * step]. */
NATIVE static void transform_output(const job *j, place at, const float *m, size_t step,
                                    size_t channel) {
    const un_conv_spec *s = &j->winograd->spec;
    __m512 bias = _mm512_loadu_ps(j->winograd->bias + channel), t[2][4], o[2][2];
    un_bf16 *y = j->y + at.image * j->out_image + channel / LANES * j->out_block;
    for (size_t i = 0; i < 4; i++) {
        __m512 a[4];
        for (size_t k = 0; k < 4; k++) a[k] = _mm512_loadu_ps(m + (4 * k + i) * step);
        t[0][i] = _mm512_add_ps(_mm512_add_ps(a[0], a[1]), a[2]);
        t[1][i] = _mm512_sub_ps(_mm512_sub_ps(a[1], a[2]), a[3]);
    }
    for (int i = 0; i < 2; i++) {
        o[i][0] = _mm512_add_ps(_mm512_add_ps(t[i][0], t[i][1]), t[i][2]);
        o[i][1] = _mm512_sub_ps(_mm512_sub_ps(t[i][1], t[i][2]), t[i][3]);
    }
    for (size_t i = 0; i < 4; i++) {
        size_t row = (size_t)at.y + i / 2, column = (size_t)at.x + i % 2;
        if (row >= j->h || column >= j->w) continue;
        store_bf16(y + (row * j->w + column) * j->out_pixel,
                   activate(s->activation, _mm512_add_ps(o[i / 2][i % 2], bias)));
    }
}

static void run_group(const job *j, size_t first, size_t tiles, un_bf16 *v, float *m) {
    const un_conv_spec *s = &j->winograd->spec;
    size_t panel = s->in * COLUMNS, panels = s->out / COLUMNS, step = tiles * COLUMNS;
    for (size_t c = 0; c < s->in; c += GROUP) transform_input(j, first, tiles, c, v);
    for (size_t k = 0; k < panels; k++) {
        for (size_t f = 0; f < POINTS; f++)
            multiply(tiles, v + f * tiles * s->in, j->winograd->filters + (k * POINTS + f) * panel,
                     s->in, m + f * step);
        place at = tile_place(j, first);
        for (size_t t = 0; t < tiles; t++, next_tile(j, &at))
            for (size_t c = 0; c < COLUMNS; c += LANES)
                transform_output(j, at, m + t * COLUMNS + c, step, k * COLUMNS + c);
    }
}

/* The tiles of one thread, in groups of equal size. */
static void run_tiles(size_t begin, size_t end, un_slot slot, void *context) {
    const job *j = context;
    char *own = j->scratch + slot.index * j->slot_bytes;
    void *v = own, *m = own + POINTS * j->group * j->winograd->spec.in * sizeof(un_bf16);
    while (begin < end) {
        size_t left = end - begin, groups = (left + j->group - 1) / j->group;
        size_t tiles = (left + groups - 1) / groups;
        run_group(j, begin, tiles, v, m);
        begin += tiles;
    }
}

/* Its products are dot products of pairs (VDPBF16PS), which tiles are far faster than: where the
 * processor has these, oneDNN's direct convolution is taken. */
int un_winograd_fits(const un_conv_spec *s) {
    if (s->type != UN_BF16 || s->kernel != 3 || s->stride != 1 || s->depthwise ||
        s->in % GROUP != 0 || s->out % COLUMNS != 0)
        return 0;
    const un_bf16_way *way = un_bf16_way_here();
    return way->native && !way->begin;
}

/* Strides of one picture's map: from pixel to pixel, from 16 channels to the next. */
static void strides(const un_feature_map *map, size_t depth, size_t *pixel, size_t *block) {
    int blocked = map->layout == UN_CHANNELS_BLOCKED;
    *pixel = blocked ? LANES : depth;
    *block = blocked ? map->h * map->w * LANES : LANES;
}

un_status un_winograd_run(const un_winograd *winograd, const un_feature_map *in, const un_bf16 *x,
                          un_bf16 *y, un_conv_scratch *scratch) {
    const un_conv_spec *s = &winograd->spec;
    job j = {.winograd = winograd, .x = x, .y = y, .h = in->h, .w = in->w};
    j.tiles_h = (in->h + 1) / 2;
    j.tiles_w = (in->w + 1) / 2;
    j.image = in->h * in->w * s->in;
    j.out_image = in->h * in->w * s->out;
    strides(in, s->in, &j.pixel, &j.block);
    strides(in, s->out, &j.out_pixel, &j.out_block);
    j.group = CACHE / (POINTS * sizeof(un_bf16) * s->in) / ROWS * ROWS;
    if (j.group < ROWS) j.group = ROWS;
    if (j.group > MOST) j.group = MOST;
    j.slot_bytes = j.group * POINTS * (s->in * sizeof(un_bf16) + COLUMNS * sizeof(float));
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

un_status un_winograd_run(const un_winograd *winograd, const un_feature_map *in, const un_bf16 *x,
                          un_bf16 *y, un_conv_scratch *scratch) {
    (void)winograd, (void)in, (void)x, (void)y, (void)scratch;
    return un_fail(UNSEEN_E_UNSUPPORTED, "this processor has no bf16 instructions");
}

#endif

/* Multiplications saved must outweigh the transforms, about a third of what remains. */
int un_winograd_pays(const un_feature_map *in) {
    size_t tiles = (in->h + 1) / 2 * ((in->w + 1) / 2);
    return 4 * POINTS * tiles < 3 * 9 * in->h * in->w;
}

/* G g G^T of one filter, rounded once. */
static void transform_filter(const float *g, un_bf16 *out, size_t step) {
    static const double G[4][3] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++) {
            double sum = 0;
            for (size_t a = 0; a < 3; a++)
                for (size_t b = 0; b < 3; b++) sum += G[i][a] * (double)g[3 * a + b] * G[k][b];
            out[(4 * i + k) * step] = un_bf16_from_float((float)sum);
        }
}

typedef struct {
    const float *weights;
    un_winograd *winograd;
} filter_job;

static void transform_filters(size_t begin, size_t end, void *context) {
    const filter_job *work = context;
    const un_conv_spec *s = &work->winograd->spec;
    size_t panel = s->in * COLUMNS;
    for (size_t o = begin; o < end; o++)
        for (size_t i = 0; i < s->in; i++) {
            size_t k = i / GROUP * GROUP + i % 2 * LANES + i % GROUP / 2; /* its place in V */
            size_t at =
                o / COLUMNS * POINTS * panel + k / 2 * 2 * COLUMNS + o % COLUMNS * 2 + k % 2;
            transform_filter(work->weights + (o * s->in + i) * 9, work->winograd->filters + at,
                             panel);
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
    UN_GO(un_alloc(count, POINTS * sizeof *w->filters, &w->filters));
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
