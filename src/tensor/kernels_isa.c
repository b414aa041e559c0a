/*
 * kernels_isa.c - the inner loops, plain C that compilers vectorise.
 *
 * Compiled several times with other target flags and another UN_ISA_TABLE name.
 * Reductions keep LANES partial sums so that they vectorise without letting the
 * compiler reorder floating point, and so that every instruction set adds in the
 * same order.
 */
#include "tensor/kernels_isa.h"

#include <math.h>

#include "tensor/isa_math.h"

#ifndef UN_ISA_TABLE
#define UN_ISA_TABLE un_isa_baseline
#define UN_TRANSFORMER_TABLE un_transformer_baseline
#define UN_ISA_NAME "baseline"
#endif

enum { BLOCK = 4096 };

static void to_bf16(const float *in, un_bf16 *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = round_bf16(in[i]);
}

static void to_f32(const un_bf16 *in, float *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = widen(in[i]);
}

/* LANES partial sums as one value. Arrays of them do the same sums, but gcc 12 turns a loop over
 * such an array into scalar code or shuffles. Never passed by value: the ABI depends on flags. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

static double sum(const float *x, size_t n) {
    double total = 0;
    for (size_t begin = 0; begin < n; begin += BLOCK) {
        size_t end = begin + BLOCK < n ? begin + BLOCK : n, i = begin;
        lanes partial = {0}, piece;
        for (; i + LANES <= end; i += LANES) {
            memcpy(&piece, x + i, sizeof piece);
            partial += piece;
        }
        total += add_lanes((const float *)&partial);
        for (; i < end; i++) total += (double)x[i];
    }
    return total;
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

static void scale(float a, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] *= a;
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

static void softmax(float *x, size_t n) {
    float largest = -INFINITY;
    for (size_t i = 0; i < n; i++) largest = x[i] > largest ? x[i] : largest;
    for (size_t i = 0; i < n; i++) x[i] = exponential(x[i] - largest);
    scale((float)(1.0 / sum(x, n)), x, n);
}

static void relu_backward_f32(const float *restrict y, float *restrict dx, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] = y[i] > 0 ? dx[i] : 0.0f;
}

static void relu_backward_bf16(const un_bf16 *restrict y, float *restrict dx, size_t n) {
    for (size_t i = 0; i < n; i++) dx[i] = widen(y[i]) > 0 ? dx[i] : 0.0f;
}

/* Softmax over regions, column by column; the columns are the vector lanes. */
static void attend_regions(const un_attention *a, float *restrict y) {
    size_t A = a->attributes, R = a->regions, row = 4 * A;
    float *restrict largest = a->scratch, *restrict total = a->scratch + A;
    float *restrict psi = a->psi;
    for (size_t i = 0; i < A; i++) {
        largest[i] = -INFINITY;
        total[i] = 0;
        psi[i] = 0;
    }
    for (size_t r = 0; r < R; r++) {
        const float *logit = y + r * row + A;
        for (size_t i = 0; i < A; i++) largest[i] = logit[i] > largest[i] ? logit[i] : largest[i];
    }
    for (size_t r = 0; r < R; r++) {
        const float *restrict value = y + r * row;
        float *restrict logit = y + r * row + A;
        for (size_t i = 0; i < A; i++) {
            float e = exponential(logit[i] - largest[i]);
            logit[i] = e;
            total[i] += e;
            psi[i] += e * value[i];
        }
    }
    for (size_t i = 0; i < A; i++) {
        total[i] = 1.0f / total[i];
        psi[i] *= total[i];
    }
    for (size_t r = 0; r < R; r++) {
        float *restrict p = y + r * row + A;
        for (size_t i = 0; i < A; i++) p[i] *= total[i];
    }
}

/* Softmax over attributes, region by region. */
static void attend_attributes(const un_attention *a, float *restrict y) {
    size_t A = a->attributes, R = a->regions, row = 4 * A;
    float *restrict psi = a->psi2;
    for (size_t i = 0; i < A; i++) psi[i] = 0;
    for (size_t r = 0; r < R; r++) {
        const float *restrict value = y + r * row + 2 * A;
        float *restrict p = y + r * row + 3 * A;
        softmax(p, A);
        for (size_t i = 0; i < A; i++) psi[i] += p[i] * value[i];
    }
}

static void attend(const un_attention *a, const float *inverse_norm, float *y) {
    size_t row = 4 * a->attributes;
    for (size_t r = 0; r < a->regions; r++) scale(inverse_norm[r], y + r * row, row);
    attend_regions(a, y);
    attend_attributes(a, y);
}

/* One region's row of gradients: dS = P dpsi, dlogit = P dpsi (S - psi), and the same for the
 * other direction with the mean over attributes instead of psi. */
static inline void attend_backward_row(const un_attention *a, float scale_by,
                                       const float *restrict y, float *restrict dy) {
    size_t A = a->attributes;
    const float *restrict psi = a->psi, *restrict dpsi = a->dpsi, *restrict dpsi2 = a->dpsi2;
    const float *s = y, *p = y + A, *s2 = y + 2 * A, *p2 = y + 3 * A;
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= A; i += LANES)
        for (size_t j = 0; j < LANES; j++) lane[j] += p2[i + j] * s2[i + j] * dpsi2[i + j];
    for (; i < A; i++) lane[0] += p2[i] * s2[i] * dpsi2[i];
    float mean = (float)add_lanes(lane);
    for (i = 0; i < A; i++) {
        float value = s[i], weight = scale_by * p[i] * dpsi[i];
        float value2 = s2[i], weight2 = scale_by * p2[i];
        dy[i] = weight;
        dy[A + i] = weight * (value - psi[i]);
        dy[2 * A + i] = weight2 * dpsi2[i];
        dy[3 * A + i] = weight2 * (value2 * dpsi2[i] - mean);
    }
}

static void attend_backward(const un_attention *a, const float *inverse_norm, const float *y,
                            float *dy, un_bf16 *dy16) {
    size_t row = 4 * a->attributes;
    for (size_t r = 0; r < a->regions; r++) {
        float *out = dy ? dy + r * row : a->scratch;
        attend_backward_row(a, inverse_norm[r], y + r * row, out);
        if (dy16) to_bf16(out, dy16 + r * row, row);
    }
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
        if (shadow) to_bf16(p + begin, shadow + begin, end - begin);
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
        if (shadow) to_bf16(p + begin, shadow + begin, end - begin);
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

const un_isa_table UN_ISA_TABLE = {
    .name = UN_ISA_NAME,
    .transformer = &UN_TRANSFORMER_TABLE,
    .to_bf16 = to_bf16,
    .to_f32 = to_f32,
    .sum = sum,
    .dot = dot,
    .axpy = axpy,
    .scale = scale,
    .tanh = hyperbolic_tangent,
    .softmax = softmax,
    .relu_backward_f32 = relu_backward_f32,
    .relu_backward_bf16 = relu_backward_bf16,
    .attend = attend,
    .attend_backward = attend_backward,
    .adam = adam,
    .rmsprop = rmsprop,
    .tile_rows = TILE_ROWS,
    .tile_columns = TILE_COLUMNS,
    .tile64 = tile64,
};
