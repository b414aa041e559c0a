/*
 * isa_math.h - the functions of a number or a row that the loops of kernels_isa.c,
 * transformer_isa.c and attribute_attention.c share: inlined and vectorised for each instruction
 * set. Private to tensor/.
 */
#ifndef UN_TENSOR_ISA_MATH_H
#define UN_TENSOR_ISA_MATH_H

#include <math.h>
#include <string.h>

#include "tensor/tensor.h"

/* Partial sums of a reduction; the same number for every instruction set, so that all add in
 * the same order. */
enum { LANES = 16 };

static inline un_bf16 round_bf16(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rounded = (bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16;
    uint32_t quiet = bits >> 16 | 0x40u;
    return (un_bf16)((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}

static inline float widen(un_bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double add_lanes(const float *lane) {
    double total = 0;
    /* cppcheck-suppress objectIndex; a vector of LANES */
    for (int j = 0; j < LANES; j++) total += (double)lane[j];
    return total;
}

/* exp by range reduction to |r| <= ln2/2 and a polynomial of degree 6; relative
 * error below 2^-22. Saturates outside [-87.3, 88.3]. */
static inline float exponential(float x) {
    const float ln2_high = 0.693145751953125f, ln2_low = 1.42860677e-6f;
    x = x < -87.3f ? -87.3f : x;
    x = x > 88.3f ? 88.3f : x;
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float t = x * 1.44269504f + shift;
    float k = t - shift;
    float r = (x - k * ln2_high) - k * ln2_low;
    float p = 1.0f / 720.0f;
    p = p * r + 1.0f / 120.0f;
    p = p * r + 1.0f / 24.0f;
    p = p * r + 1.0f / 6.0f;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t exponent = (int32_t)(k == k ? k : 0.0f) + 127; /* a NaN stays one through p */
    uint32_t bits = (uint32_t)exponent << 23;
    float power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

/* exp(x) of a score below the largest, or below the row's log sum. What e^-80 and less would add to
 * a sum of values is lost in rounding; but keys that are masked, and the padding, would all become
 * the least that exponential() gives, and times any factor below one a subnormal number, of which
 * each multiplication takes a hundred cycles. */
static inline float softmax_weight(float x) { return x < -80.0f ? 0.0f : exponential(x); }

/* ---- rows of n elements ---- */

/* An integer that is larger where x is, -0 below 0, and NaNs beyond the infinities. Loops that find
 * the largest of such integers need no care for NaNs, so compilers make vectors of them. */
static inline int32_t order_of(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (bits >> 31 & 0x7FFFFFFF);
}

/* The largest of n numbers, NaN if one is a positive NaN. */
static inline float largest_of(const float *x, size_t n) {
    int32_t most = INT32_MIN;
    for (size_t i = 0; i < n; i++) {
        int32_t order = order_of(x[i]);
        most = order > most ? order : most;
    }
    most ^= most >> 31 & 0x7FFFFFFF;
    float value;
    memcpy(&value, &most, sizeof value);
    return value;
}

/* Elements whose sum is one f32 vector of partial sums; blocks are added in f64. */
enum { BLOCK = 4096 };

static inline void narrow_row(const float *in, un_bf16 *out, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = round_bf16(in[i]);
}

/* LANES partial sums as one value. Arrays of them do the same sums, but gcc 12 turns a loop over
 * such an array into scalar code or shuffles. Never passed by value: the ABI depends on flags. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float))));

static inline double sum_row(const float *x, size_t n) {
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

static inline void scale_row(float a, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] *= a;
}

static inline void softmax_row(float *x, size_t n) {
    float largest = largest_of(x, n);
    for (size_t i = 0; i < n; i++) x[i] = exponential(x[i] - largest);
    scale_row((float)(1.0 / sum_row(x, n)), x, n);
}

#endif
