/*
 * bf16_isa.c - moving bf16 matrices in and out of panels, and multiplying them in f32: plain C that
 * compilers vectorise, compiled once for each instruction set.
 */
#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "tensor/bf16.h"
#include "tensor/isa_math.h"
#include "tensor/isa_matrix.h"

#ifndef UN_BF16_TABLE
#define UN_BF16_TABLE un_bf16_moves_baseline
#endif

enum { ROW = 32 /* elements of a tile's row */, TILE_ROWS = 16, PAIRS = 16 };

typedef uint32_t pairs __attribute__((vector_size(VECTOR * sizeof(uint32_t))));

/* ---- multiplying ---- */

/* The pairs of a tile as f32: the first of each pair of row r to out + r ld, the second to `second`
 * floats behind it. */
static inline void widen_tile(const un_bf16 *tile, float *out, size_t ld, size_t second) {
    for (size_t r = 0; r < TILE_ROWS; r++, tile += ROW, out += ld) {
        UNROLL for (size_t i = 0; i < PAIRS; i += VECTOR) {
            pairs both, low, high;
            memcpy(&both, tile + 2 * i, sizeof both);
            low = both << 16;
            high = both & 0xFFFF0000u;
            memcpy(out + i, &low, sizeof low);
            memcpy(out + second + i, &high, sizeof high);
        }
    }
}

/* Elements of a row of a widened left panel: of each step first the even ones of k, then the odd. */
enum { LONG = BF16_WIDE * BF16_STEP };

static void widen_left(const un_bf16 *a, size_t steps, float *out) {
    for (size_t s = 0; s < steps; s++, a += BF16_STEP_SIZE)
        for (size_t t = 0; t < 2; t++)
            widen_tile(a + t * BF16_TILE, out + t * TILE_ROWS * LONG + s * BF16_STEP, LONG, PAIRS);
}

/* Rows of 32 columns, in the same order of k. */
static void widen_right(const un_bf16 *b, size_t steps, float *out) {
    for (size_t s = 0; s < steps; s++, b += BF16_STEP_SIZE, out += BF16_WIDE_STEP)
        for (size_t t = 0; t < 2; t++)
            widen_tile(b + t * BF16_TILE, out + t * PAIRS, BF16_PANEL, (size_t)PAIRS * BF16_PANEL);
}

static void multiply_wide(const float *a, const float *b, size_t steps, float *slab, int add) {
    multiply(&(product){BF16_PANEL, BF16_PANEL, steps * BF16_STEP, a, LONG, 1, b, BF16_PANEL, slab,
                        BF16_PANEL, add});
}

static void block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    float left[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64)));
    float right[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64)));
    for (size_t s = 0; s < steps; s += BF16_WIDE, add = 1) {
        size_t some = steps - s < BF16_WIDE ? steps - s : BF16_WIDE;
        widen_left(a + s * BF16_STEP_SIZE, some, left);
        widen_right(b + s * BF16_STEP_SIZE, some, right);
        multiply_wide(left, right, some, slab, add);
    }
}

/* ---- tiles, emulated ---- */

typedef int32_t integers __attribute__((vector_size(VECTOR * sizeof(int32_t))));

/* Subnormal numbers are zeros of their sign. */
static inline vector flush(vector x) {
    integers bits = (integers)x, subnormal = (bits & INT32_MAX) < 0x00800000;
    return (vector)(bits & ~(subnormal & INT32_MAX));
}

/* Rounded once, whatever the compiler may join or part. */
static inline vector multiply_add(vector a, vector b, vector c) {
#if defined(__AVX512F__)
    return (vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__AVX2__)
    return (vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    for (size_t i = 0; i < VECTOR; i++) c[i] = fmaf(a[i], b[i], c[i]);
    return c;
#endif
}

static inline void flush_all(float *x, size_t n) {
    for (size_t i = 0; i < n; i += VECTOR) store(x + i, flush(load(x + i)));
}

/* A row of a widened step with 32 columns: the products of even and of odd elements of k are summed
 * apart, each from zero by fused multiply-adds, then together, then with what was there. */
static inline void add_tile_row(const float *row, const float *right, float *sums) {
    enum { WIDTH = BF16_PANEL / VECTOR };
    vector even[WIDTH] = {{0}}, odd[WIDTH] = {{0}};
    for (size_t p = 0; p < PAIRS; p++, right += BF16_PANEL) {
        vector first = row[p] - (vector){0}, second = row[PAIRS + p] - (vector){0};
        UNROLL for (size_t v = 0; v < WIDTH; v++) {
            const float *column = right + v * VECTOR;
            even[v] = flush(multiply_add(first, load(column), even[v]));
            odd[v] = flush(multiply_add(second, load(column + PAIRS * BF16_PANEL), odd[v]));
        }
    }
    UNROLL for (size_t v = 0; v < WIDTH; v++) {
        vector before = flush(load(sums + v * VECTOR));
        store(sums + v * VECTOR, flush(before + flush(even[v] + odd[v])));
    }
}

/* As TDPBF16PS adds. */
static void emulate_tiles(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    float left[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64)));
    float right[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64)));
    if (!add) memset(slab, 0, BF16_PANEL * BF16_PANEL * sizeof *slab);
    for (size_t s = 0; s < steps; s += BF16_WIDE) {
        size_t some = steps - s < BF16_WIDE ? steps - s : BF16_WIDE;
        widen_left(a + s * BF16_STEP_SIZE, some, left);
        widen_right(b + s * BF16_STEP_SIZE, some, right);
        for (size_t r = 0; r < BF16_PANEL; r++) flush_all(left + r * LONG, some * BF16_STEP);
        flush_all(right, some * BF16_WIDE_STEP);
        for (size_t i = 0; i < some; i++)
            for (size_t r = 0; r < BF16_PANEL; r++)
                add_tile_row(left + r * LONG + i * BF16_STEP, right + i * BF16_WIDE_STEP,
                             slab + r * BF16_PANEL);
    }
}

/* ---- packing ---- */

static void copy_rows(const un_bf16 *in, size_t ld, size_t rows, size_t columns, un_bf16 *tile) {
    if (rows < TILE_ROWS || columns < ROW) memset(tile, 0, BF16_TILE * sizeof *tile);
    if (columns == ROW) {
        for (size_t r = 0; r < rows; r++) memcpy(tile + r * ROW, in + r * ld, ROW * sizeof *tile);
        return;
    }
    for (size_t r = 0; r < rows; r++) memcpy(tile + r * ROW, in + r * ld, columns * sizeof *tile);
}

static void pair_rows(const un_bf16 *in, size_t ld, size_t rows, size_t columns, un_bf16 *tile) {
    if (rows == 2 * PAIRS && columns == PAIRS) {
        for (size_t p = 0; p < PAIRS; p++) {
            const un_bf16 *even = in + 2 * p * ld, *odd = even + ld;
            uint32_t row[PAIRS];
            for (size_t j = 0; j < PAIRS; j++) row[j] = (uint32_t)odd[j] << 16 | even[j];
            memcpy(tile + p * ROW, row, sizeof row);
        }
        return;
    }
    memset(tile, 0, BF16_TILE * sizeof *tile);
    for (size_t k = 0; k < rows; k++)
        for (size_t j = 0; j < columns; j++) tile[k / 2 * ROW + 2 * j + k % 2] = in[k * ld + j];
}

static void transpose(un_bf16 *tile) {
    float turned[TILE_ROWS * PAIRS]; /* pairs as bits; never computed with */
    memcpy(turned, tile, sizeof turned);
    transpose_square(turned, PAIRS, turned, PAIRS);
    memcpy(tile, turned, sizeof turned);
}

static inline void add_rows(const un_bf16 *panel, size_t steps, const int squared, float *out) {
    for (size_t r = 0; r < BF16_PANEL; r++) {
        const un_bf16 *row = panel + r / TILE_ROWS * BF16_TILE + r % TILE_ROWS * ROW;
        lanes sum = {0};
        for (size_t s = 0; s < steps; s++, row += BF16_STEP_SIZE) {
            float x[ROW];
            for (size_t j = 0; j < ROW; j++) x[j] = widen(row[j]);
            lanes low, high;
            memcpy(&low, x, sizeof low);
            memcpy(&high, x + LANES, sizeof high);
            sum += squared ? low * low : low;
            sum += squared ? high * high : high;
        }
        out[r] = (float)add_lanes((const float *)&sum);
    }
}

static void square_rows(const un_bf16 *panel, size_t steps, float *out) {
    add_rows(panel, steps, 1, out);
}

static void sum_rows(const un_bf16 *panel, size_t steps, float *out) {
    add_rows(panel, steps, 0, out);
}

/* ---- finished blocks ---- */

enum { VECTORS = BF16_PANEL / VECTOR };

static inline void put_f32(float *c, const float *row, int stream) {
#if defined(__AVX512F__)
    if (stream) {
        _mm512_stream_ps(c, _mm512_loadu_ps(row));
        _mm512_stream_ps(c + 16, _mm512_loadu_ps(row + 16));
        return;
    }
#elif defined(__AVX2__)
    if (stream) {
        for (size_t j = 0; j < BF16_PANEL; j += 8)
            _mm256_stream_ps(c + j, _mm256_loadu_ps(row + j));
        return;
    }
#endif
    (void)stream;
    memcpy(c, row, BF16_PANEL * sizeof *c);
}

static inline void put_bf16(un_bf16 *c, const float *row, int stream) {
    un_bf16 rounded[BF16_PANEL] __attribute__((aligned(64)));
    narrow_row(row, rounded, BF16_PANEL);
#if defined(__AVX512F__)
    if (stream) {
        _mm512_stream_si512((void *)c, _mm512_load_si512(rounded));
        return;
    }
#elif defined(__AVX2__)
    if (stream) {
        _mm256_stream_si256((void *)c, _mm256_load_si256((const void *)rounded));
        _mm256_stream_si256((void *)(c + 16), _mm256_load_si256((const void *)(rounded + 16)));
        return;
    }
#endif
    (void)stream;
    memcpy(c, rounded, sizeof rounded);
}

/* A row of the block, whole: bias, activation, what was there before. */
static inline void finish_row(const un_bf16_output *out, float *row, const float *bias,
                              const void *before) {
    if (bias)
        for (size_t j = 0; j < BF16_PANEL; j++) row[j] += bias[j];
    if (out->relu)
        for (size_t j = 0; j < BF16_PANEL; j++) row[j] = row[j] < 0 ? 0 : row[j];
    if (before && out->type == UN_F32) {
        const float *c = before;
        for (size_t j = 0; j < BF16_PANEL; j++) row[j] += c[j];
    } else if (before) {
        const un_bf16 *c = before;
        for (size_t j = 0; j < BF16_PANEL; j++) row[j] += widen(c[j]);
    }
}

/* The activation of a row, whole; `linear` receives what GELU is taken of, if it is not NULL. */
static inline void activate(const un_bf16_output *out, float *row, void *linear,
                            const void *slope) {
    if (linear && out->type == UN_F32)
        put_f32(linear, row, out->stream);
    else if (linear)
        put_bf16(linear, row, out->stream);
    if (out->gelu)
        for (size_t j = 0; j < BF16_PANEL; j++) row[j] = gelu_one(row[j]);
    if (slope && out->type == UN_F32)
        for (size_t j = 0; j < BF16_PANEL; j++) row[j] *= gelu_slope(((const float *)slope)[j]);
    else if (slope)
        for (size_t j = 0; j < BF16_PANEL; j++)
            row[j] *= gelu_slope(widen(((const un_bf16 *)slope)[j]));
}

/* Byte `at` of an array, where there is one. */
static inline void *place(const void *array, size_t at) {
    return array ? (void *)((uintptr_t)array + at) : NULL;
}

/* A row of C's type. */
typedef union {
    float f32[BF16_PANEL];
    un_bf16 bf16[BF16_PANEL];
} output_row;

/* Blocks at the matrix's edge go through copies of whole width. */
static void finish_edge(const un_bf16_output *out, const float *slab, size_t i, size_t j,
                        size_t rows, size_t columns) {
    size_t size = un_dtype_size(out->type);
    float bias[BF16_PANEL] = {0};
    un_bf16_output near = *out;
    near.stream = 0;
    if (out->bias) memcpy(bias, out->bias + j, columns * sizeof *bias);
    for (size_t r = 0; r < rows; r++) {
        float row[BF16_PANEL];
        output_row before = {{0}}, linear, slope = {{0}}, finished;
        size_t at = ((i + r) * out->ldc + j) * size;
        char *c = place(out->c, at);
        memcpy(row, slab + r * BF16_PANEL, sizeof row);
        if (out->before) memcpy(&before, place(out->before, at), columns * size);
        if (out->gelu_slope) memcpy(&slope, place(out->gelu_slope, at), columns * size);
        finish_row(out, row, bias, out->before ? &before : NULL);
        activate(&near, row, out->linear ? &linear : NULL, out->gelu_slope ? &slope : NULL);
        if (out->linear) memcpy(place(out->linear, at), &linear, columns * size);
        if (out->type == UN_F32)
            put_f32(finished.f32, row, 0);
        else
            put_bf16(finished.bf16, row, 0);
        memcpy(c, &finished, columns * size);
    }
}

/* Rows of whole width of which nothing is asked but to be stored, or added to f32 in place. */
static void finish_plain(const un_bf16_output *out, const float *slab, size_t rows, size_t at) {
    float *c = out->c;
    for (size_t r = 0; r < rows; r++, at += out->ldc, slab += BF16_PANEL) {
        if (out->before)
            for (size_t j = 0; j < BF16_PANEL; j++) c[at + j] += slab[j];
        else if (out->type == UN_F32)
            put_f32(c + at, slab, out->stream);
        else
            put_bf16((un_bf16 *)out->c + at, slab, out->stream);
    }
}

static void finish(const un_bf16_output *out, const float *slab, size_t i, size_t j) {
    size_t rows = out->m - i < BF16_PANEL ? out->m - i : BF16_PANEL;
    size_t columns = out->n - j < BF16_PANEL ? out->n - j : BF16_PANEL;
    size_t size = out->type == UN_F32 ? sizeof(float) : sizeof(un_bf16);
    if (columns < BF16_PANEL) {
        finish_edge(out, slab, i, j, rows, columns);
        return;
    }
    if (!out->bias && !out->relu && !out->gelu && !out->gelu_slope &&
        (!out->before || (out->before == out->c && out->type == UN_F32))) {
        finish_plain(out, slab, rows, i * out->ldc + j);
        return;
    }
    const float *bias = out->bias ? out->bias + j : NULL;
    for (size_t r = 0; r < rows; r++) {
        float row[BF16_PANEL];
        size_t at = ((i + r) * out->ldc + j) * size;
        char *c = place(out->c, at);
        memcpy(row, slab + r * BF16_PANEL, sizeof row);
        finish_row(out, row, bias, place(out->before, at));
        activate(out, row, place(out->linear, at), place(out->gelu_slope, at));
        if (out->type == UN_F32)
            put_f32((float *)(void *)c, row, out->stream);
        else
            put_bf16((un_bf16 *)(void *)c, row, out->stream);
    }
}

static void fence(void) {
#if defined(__AVX2__)
    _mm_sfence();
#endif
}

const un_bf16_moves UN_BF16_TABLE = {
    .block = block,
    .emulate_tiles = emulate_tiles,
    .widen_left = widen_left,
    .widen_right = widen_right,
    .multiply_wide = multiply_wide,
    .copy_rows = copy_rows,
    .pair_rows = pair_rows,
    .transpose = transpose,
    .finish = finish,
    .fence = fence,
    .narrow = narrow_row,
    .square_rows = square_rows,
    .sum_rows = sum_rows,
};
