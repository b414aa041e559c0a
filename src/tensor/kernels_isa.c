/*
 * kernels_isa.c - the inner loops, plain C that compilers vectorise.
 *
 * Compiled several times with other target flags and another UN_ISA_TABLE name.
 * Reductions keep LANES partial sums so that they vectorise without letting the
 * compiler reorder floating point, and so that every instruction set adds in the
 * same order.
 */
#include "tensor/kernels_isa.h"

#include <float.h>
#include <math.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "tensor/isa_math.h"

#ifndef UN_ISA_TABLE
#define UN_ISA_TABLE un_isa_baseline
#define UN_TRANSFORMER_TABLE un_transformer_baseline
#define UN_ATTRIBUTE_TABLE un_attribute_baseline
#define UN_ISA_NAME "baseline"
#endif

static void to_f32(const un_bf16 *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = widen(in[i]);
}

static double dot(const float *x, const float *y, size_t n) {
    double total = 0;
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        size_t end = begin + BLOCK < n ? begin + BLOCK : n, i = begin;
        lanes partial = {0}, left, right;
        for (; i + LANES <= end; i += LANES) {
            memcpy(&left, x + i, sizeof left);
            memcpy(&right, y + i, sizeof right);
            partial += left * right;
        }
        total += add_lanes((const float *)&partial);
        for (; i < end; i++) total += (double)x[i] * (double)y[i];
    }
    return total;
}

static void axpy(float a, const float *restrict x, float *restrict y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

/* (e^2x - 1)/(e^2x + 1); below 0.03, where that cancels, the series x - x^3/3. */
static void hyperbolic_tangent(const float *x, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float e = exponential(2.0f * x[i]);
        float far = 1.0f - 2.0f / (e + 1.0f);
        float near = x[i] - x[i] * x[i] * x[i] * (1.0f / 3.0f);
        out[i] = fabsf(x[i]) < 0.03f ? near : far;
    }
}

/* Finds the largest of pieces first, then their places in the pieces that had them. No number has
 * INT32_MIN for its order. Masks and not ?: of kind[i], of which gcc 12 makes branches. */
static int best_of_kinds(const float *x, const int32_t *kind, size_t n, size_t best[2]) {
    enum { PIECE = 512 };
    const int32_t highest = order_of(FLT_MAX), lowest = order_of(-FLT_MAX);
    int32_t most[2] = {INT32_MIN, INT32_MIN};
    best[0] = best[1] = n;
    for (size_t begin = 0; begin < n; begin += PIECE) {
        size_t end = begin + PIECE < n ? begin + PIECE : n;
        int32_t first = INT32_MIN, second = INT32_MIN, least = INT32_MAX;
        for (size_t i = begin; i < end; i++) {
            int32_t order = order_of(x[i] + 0.0f); /* of -0 that of 0 */
            int32_t a = (order & ~kind[i]) | (INT32_MIN & kind[i]);
            int32_t b = (order & kind[i]) | (INT32_MIN & ~kind[i]);
            first = a > first ? a : first;
            second = b > second ? b : second;
            least = order < least ? order : least;
        }
        if (first > highest || second > highest || least < lowest) return 0;
        if (first > most[0]) {
            most[0] = first;
            best[0] = begin;
        }
        if (second > most[1]) {
            most[1] = second;
            best[1] = begin;
        }
    }
    for (int k = 0; k < 2; k++)
        while (best[k] < n && (kind[best[k]] != -k || order_of(x[best[k]] + 0.0f) != most[k]))
            best[k]++;
    return 1;
}

static void relu_backward_f32(const float *restrict y, float *restrict dx, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dx[i] : 0.0f;
}

static void relu_backward_bf16(const un_bf16 *restrict y, float *restrict dx, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] = widen(y[i]) > 0 ? dx[i] : 0.0f;
}

/* One parameter of Adam; returns its square before the update. */
static inline float adam_one(const un_update *c, float *p, float g, float *m, float *v) {
    float value = *p;
    float gradient = g + c->decay * value;
    float m1 = c->beta1 * *m + c->rest1 * gradient;
    float v1 = c->beta2 * *v + c->rest2 * gradient * gradient;
    *m = m1;
    *v = v1;
    *p = value - c->lr * m1 / (sqrtf(v1 * c->v_scale) + c->epsilon);
    return value * value;
}

static double adam(const un_update *u, float *restrict p, const float *restrict g,
                   float *restrict m, float *restrict v, un_bf16 *restrict shadow, size_t n) {
    const un_update c = *u;
    double total = 0;
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        size_t end = begin + BLOCK < n ? begin + BLOCK : n, i = begin;
        float lane[LANES] = {0};
        for (; i + LANES <= end; i += LANES)
            for (size_t j = 0; j < LANES; j++)
                lane[j] += adam_one(&c, &p[i + j], g[i + j], &m[i + j], &v[i + j]);
        for (; i < end; i++) lane[0] += adam_one(&c, &p[i], g[i], &m[i], &v[i]);
        if (shadow) narrow_row(p + begin, shadow + begin, end - begin);
        total += add_lanes(lane);
    }
    return total;
}

static double rmsprop(const un_update *u, float *restrict p, const float *restrict g,
                      float *restrict v, float *restrict buffer, un_bf16 *restrict shadow,
                      size_t n) {
    const un_update c = *u;
    double total = 0;
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        size_t end = begin + BLOCK < n ? begin + BLOCK : n;
        total += dot(p + begin, p + begin, end - begin);
        for (size_t i = begin; i < end; i++) {
            float gradient = g[i] + c.decay * p[i];
            v[i] = c.beta2 * v[i] + c.rest2 * gradient * gradient;
            float move = gradient / (sqrtf(v[i]) + c.epsilon);
            if (buffer) move = buffer[i] = c.momentum * buffer[i] + move;
            p[i] -= c.lr * move;
        }
        if (shadow) narrow_row(p + begin, shadow + begin, end - begin);
    }
    return total;
}

/* A tile is two vectors wide and as high as the registers allow: 24 of AVX-512's 32 vectors, 12
 * of AVX2's 16. Its rows are spelt out one by one because gcc spills an array of them. */
#define FOUR_ROWS(DO) DO(0) DO(1) DO(2) DO(3)
#if defined(__AVX512F__)
enum { TILE_ROWS = 12, VECTOR = 8 };
#define ALL_ROWS(DO) FOUR_ROWS(DO) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#elif defined(__AVX2__)
enum { TILE_ROWS = 6, VECTOR = 4 };
#define ALL_ROWS(DO) FOUR_ROWS(DO) DO(4) DO(5)
#else
enum { TILE_ROWS = 4, VECTOR = 2 };
#define ALL_ROWS(DO) FOUR_ROWS(DO)
#endif
enum { TILE_COLUMNS = 2 * VECTOR };
_Static_assert((int)TILE_ROWS *TILE_COLUMNS <= UN_TILE64_MOST, "callers' buffers hold a tile");
typedef double vector __attribute__((vector_size(VECTOR * sizeof(double))));

#define CLEAR(i) vector left##i = {0}, right##i = {0};
#define ADD(i)                                                                                     \
    left##i += a[i] * left;                                                                        \
    right##i += a[i] * right;
#define STORE(i)                                                                                   \
    memcpy(out + (i)*TILE_COLUMNS, &left##i, sizeof(vector));                                      \
    memcpy(out + (i)*TILE_COLUMNS + VECTOR, &right##i, sizeof(vector));

static void tile64(size_t k, const double *restrict a, const double *restrict b,
                   double *restrict out) {
    ALL_ROWS(CLEAR)
    for (size_t p = 0; p < k; p++, a += TILE_ROWS, b += TILE_COLUMNS) {
        vector left, right;
        memcpy(&left, b, sizeof left);
        memcpy(&right, b + VECTOR, sizeof right);
        ALL_ROWS(ADD)
    }
    ALL_ROWS(STORE)
}

/* ---- bare loops ---- */

#if defined(__AVX512F__)
typedef __m512 whole;
#define SET(x) _mm512_set1_ps(x)
#define MULTIPLY_ADD(x, y, z) _mm512_fmadd_ps(x, y, z)
#define STREAM(p, x) _mm512_stream_ps(p, x)
#elif defined(__AVX2__)
typedef __m256 whole;
#define SET(x) _mm256_set1_ps(x)
#define MULTIPLY_ADD(x, y, z) _mm256_fmadd_ps(x, y, z)
#define STREAM(p, x) _mm256_stream_ps(p, x)
#elif defined(__SSE2__)
typedef __m128 whole;
#define SET(x) _mm_set1_ps(x)
#define MULTIPLY_ADD(x, y, z) _mm_add_ps(_mm_mul_ps(x, y), z)
#define STREAM(p, x) _mm_stream_ps(p, x)
#else
typedef float whole __attribute__((vector_size(4 * sizeof(float))));
#define SET(x) ((whole){x, x, x, x})
#define MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
#define STREAM(p, x) memcpy(p, &(x), sizeof(whole))
#endif
enum { WHOLE = sizeof(whole) / sizeof(float), SUMS = 12 /* more than latency times units */ };
#define TWELVE(DO) FOUR_ROWS(DO) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
/* Sums that begin with the same would be one sum to a compiler. */
#define BEGIN_SUM(i) whole sum##i = SET(x[1] * (float)(i));
#define NEXT_SUM(i) sum##i = MULTIPLY_ADD(sum##i, factor, term);
#define END_SUM(i) term += sum##i;

static double multiply_add(size_t rounds, float x[2]) {
    whole factor = SET(x[0]), term = SET(x[1]);
    TWELVE(BEGIN_SUM)
    for (size_t r = 0; r < rounds; r++) {
        TWELVE(NEXT_SUM)
    }
    TWELVE(END_SUM)
    memcpy(x, &term, sizeof *x);
    return 2.0 * SUMS * WHOLE * (double)rounds;
}

static void fill(float value, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = value;
}

static void stream_fill(float value, float *x, size_t n) {
    whole v = SET(value);
    for (size_t i = 0; i < n; i += WHOLE) STREAM(x + i, v);
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

const un_isa_table UN_ISA_TABLE = {
    .name = UN_ISA_NAME,
    .transformer = &UN_TRANSFORMER_TABLE,
    .attribute = &UN_ATTRIBUTE_TABLE,
    .to_bf16 = narrow_row,
    .to_f32 = to_f32,
    .sum = sum_row,
    .dot = dot,
    .axpy = axpy,
    .scale = scale_row,
    .tanh = hyperbolic_tangent,
    .softmax = softmax_row,
    .best_of_kinds = best_of_kinds,
    .relu_backward_f32 = relu_backward_f32,
    .relu_backward_bf16 = relu_backward_bf16,
    .adam = adam,
    .rmsprop = rmsprop,
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_COLUMNS,
    .tile64 = tile64,
    .multiply_add = multiply_add,
    .fill = fill,
    .stream_fill = stream_fill,
};
