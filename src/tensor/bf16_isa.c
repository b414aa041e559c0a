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
#define UN_TRANSFORMER_TABLE un_transformer_baseline
#endif

enum { ROW = 32 /* elements of a tile's row */, TILE_ROWS = 16, PAIRS = 16 };

typedef uint32_t pairs __attribute__((vector_size(VECTOR * sizeof(uint32_t))));

static inline pairs load_pairs(const un_bf16 *p) {
    pairs v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline vector as_floats(pairs v) {
    vector x;
    memcpy(&x, &v, sizeof x);
    return x;
}

/* ---- multiplying ---- */

enum { BLOCK_ROWS = VECTOR == 16 ? 8 : 4 };

/* BLOCK_ROWS rows by two vectors of columns stay in registers. */
static inline void widened(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    vector sum[BLOCK_ROWS][2];
    UNROLL for (size_t r = 0; r < BLOCK_ROWS; r++) {
        UNROLL for (size_t v = 0; v < 2; v++) {
            if (add)
                sum[r][v] = load(slab + r * BF16_PANEL + v * VECTOR);
            else
                sum[r][v] = (vector){0};
        }
    }
    /* Two vectors are neighbours in a tile, or, where one fills its row, in two tiles. */
    const size_t next = (size_t)VECTOR == (size_t)PAIRS ? BF16_TILE : 2 * VECTOR;
    for (size_t s = 0; s < steps; s++, a += BF16_STEP_SIZE, b += BF16_STEP_SIZE) {
        for (size_t p = 0; p < PAIRS; p++) {
            vector even[2], odd[2];
            UNROLL for (size_t v = 0; v < 2; v++) {
                pairs right = load_pairs(b + p * ROW + v * next);
                even[v] = as_floats(right << 16);
                odd[v] = as_floats(right & 0xFFFF0000u);
            }
            UNROLL for (size_t r = 0; r < BLOCK_ROWS; r++) {
                uint32_t pair;
                memcpy(&pair, a + r * ROW + 2 * p, sizeof pair);
                pairs left = (pairs){0} + pair;
                vector low = as_floats(left << 16), high = as_floats(left & 0xFFFF0000u);
                UNROLL for (size_t v = 0; v < 2; v++) {
                    sum[r][v] += low * even[v];
                    sum[r][v] += high * odd[v];
                }
            }
        }
    }
    UNROLL for (size_t r = 0; r < BLOCK_ROWS; r++) {
        UNROLL for (size_t v = 0; v < 2; v++) store(slab + r * BF16_PANEL + v * VECTOR, sum[r][v]);
    }
}

static void block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    for (size_t r = 0; r < BF16_PANEL; r += BLOCK_ROWS) {
        const un_bf16 *rows = a + r / TILE_ROWS * BF16_TILE + r % TILE_ROWS * ROW;
        for (size_t j = 0; j < BF16_PANEL; j += 2 * VECTOR) {
            const un_bf16 *columns = b + j / PAIRS * BF16_TILE + j % PAIRS * 2;
            widened(rows, columns, steps, slab + r * BF16_PANEL + j, add);
        }
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

static void square_rows(const un_bf16 *panel, size_t steps, float *out) {
    for (size_t r = 0; r < BF16_PANEL; r++) {
        const un_bf16 *row = panel + r / TILE_ROWS * BF16_TILE + r % TILE_ROWS * ROW;
        lanes sum = {0};
        for (size_t s = 0; s < steps; s++, row += BF16_STEP_SIZE) {
            float x[ROW];
            for (size_t j = 0; j < ROW; j++) x[j] = widen(row[j]);
            lanes low, high;
            memcpy(&low, x, sizeof low);
            memcpy(&high, x + LANES, sizeof high);
            sum += low * low;
            sum += high * high;
        }
        out[r] = (float)add_lanes((const float *)&sum);
    }
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
    for (size_t j = 0; j < BF16_PANEL; j++) rounded[j] = round_bf16(row[j]);
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

/* Blocks at the matrix's edge go through copies of whole width. */
static void finish_edge(const un_bf16_output *out, const float *slab, size_t i, size_t j,
                        size_t rows, size_t columns) {
    size_t size = un_dtype_size(out->type);
    float bias[BF16_PANEL] = {0};
    if (out->bias) memcpy(bias, out->bias + j, columns * sizeof *bias);
    for (size_t r = 0; r < rows; r++) {
        float row[BF16_PANEL], before[BF16_PANEL] = {0}; /* of either type */
        char *c = (char *)out->c + ((i + r) * out->ldc + j) * size;
        memcpy(row, slab + r * BF16_PANEL, sizeof row);
        if (out->accumulate) memcpy(before, c, columns * size);
        finish_row(out, row, bias, out->accumulate ? before : NULL);
        if (out->gelu) UN_TRANSFORMER_TABLE.gelu(row, UN_F32, row, BF16_PANEL);
        un_bf16 rounded[BF16_PANEL];
        for (size_t k = 0; k < BF16_PANEL; k++) rounded[k] = round_bf16(row[k]);
        memcpy(c, out->type == UN_F32 ? (const void *)row : rounded, columns * size);
    }
}

/* Rows of whole width of which nothing is asked but to be stored, or added to f32. */
static void finish_plain(const un_bf16_output *out, const float *slab, size_t rows, size_t at) {
    float *c = out->c;
    for (size_t r = 0; r < rows; r++, at += out->ldc, slab += BF16_PANEL) {
        if (out->accumulate)
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
    if (!out->bias && !out->relu && !out->gelu && !(out->accumulate && out->type != UN_F32)) {
        finish_plain(out, slab, rows, i * out->ldc + j);
        return;
    }
    const float *bias = out->bias ? out->bias + j : NULL;
    for (size_t r = 0; r < rows; r++) {
        float row[BF16_PANEL];
        char *c = (char *)out->c + ((i + r) * out->ldc + j) * size;
        memcpy(row, slab + r * BF16_PANEL, sizeof row);
        finish_row(out, row, bias, out->accumulate ? c : NULL);
        if (out->gelu) UN_TRANSFORMER_TABLE.gelu(row, UN_F32, row, BF16_PANEL);
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
    .copy_rows = copy_rows,
    .pair_rows = pair_rows,
    .transpose = transpose,
    .finish = finish,
    .fence = fence,
    .narrow = narrow_row,
    .square_rows = square_rows,
};
