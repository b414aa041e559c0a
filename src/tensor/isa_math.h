/*
 * isa_math.h - the functions of a number or a row that the loops of kernels_isa.c,
 * transformer_isa.c, attribute_attention.c and bf16_isa.c share: inlined and vectorised for each instruction
 * set. Private to tensor/.
 */
#ifndef UN_TENSOR_ISA_MATH_H
#define UN_TENSOR_ISA_MATH_H

#include <math.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

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

#if defined(__AVX512F__)
/* Sixteen of them: what compilers make of the loop takes three times as long. */
static inline void round_sixteen(const float *in, un_bf16 *out) {
    __m512 x = _mm512_loadu_ps(in);
    __m512i bits = _mm512_castps_si512(x), high = _mm512_srli_epi32(bits, 16);
    __m512i half =
        _mm512_add_epi32(_mm512_and_si512(high, _mm512_set1_epi32(1)), _mm512_set1_epi32(0x7FFF));
    __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, half), 16);
    rounded = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), high,
                                   _mm512_set1_epi32(0x40));
    _mm256_storeu_si256((__m256i *)(void *)out, _mm512_cvtepi32_epi16(rounded));
}
#endif

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

/* ---- GELU ---- */

/* Phi(x) and the density phi(x). erfc by Abramowitz and Stegun 7.1.26 (error 1.5e-7), taken
 * at |x| so that nothing cancels in the tail. */
static inline float normal(float x, float *density) {
    float z = fabsf(x) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float e = exponential(-z * z);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float tail = 0.5f * p * t * e;
    *density = 0.39894228f * e;
    return x < 0 ? tail : 1.0f - tail;
}

static inline float gelu_one(float x) {
    float density;
    return x * normal(x, &density);
}

static inline float gelu_slope(float x) {
    float density, phi = normal(x, &density);
    return phi + x * density;
}

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
    size_t i = 0;
#if defined(__AVX512F__)
    for (; i + 16 <= n; i += 16) round_sixteen(in + i, out + i);
#endif
    for (; i < n; i++) out[i] = round_bf16(in[i]);
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
