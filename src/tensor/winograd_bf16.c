/*
 * winograd_bf16.c - F(2 x 2, 3 x 3) in bf16 with AVX-512's products of pairs (VDPBF16PS); see
 * conv.h and winograd_loops.h.
 */
#include "tensor/winograd.h"

#if defined(UN_HAVE_X86_ISA)

#include <immintrin.h>
#include <string.h>

typedef un_bf16 value;
typedef __m512bh factors;

/* Of a group's channels those with even numbers, and those with odd ones: as pairs fall apart. */
typedef struct {
    __m512 a, b;
} channels;

/* Pairs of bf16 as f32: the first by a shift, the second by clearing the first. */
static inline channels load_channels(const value *p, size_t block) {
    __m512i pairs =
        _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p)),
                           _mm256_loadu_si256((const __m256i *)(p + block)), 1);
    return (channels){
        _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
        _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000)))};
}

static inline void store_channels(value *v, channels x) {
    _mm512_storeu_si512(v, (__m512i)_mm512_cvtne2ps_pbh(x.b, x.a));
}

static inline __m512 load_lanes(const value *p) {
    __m256i halves = _mm256_loadu_si256((const __m256i *)p);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

static inline void store_lanes(value *p, __m512 x) {
    _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(x));
}

static inline factors load_factors(const value *u) { return (factors)_mm512_loadu_si512(u); }

static inline factors repeat_factor(const value *v) {
    int pair = 0;
    memcpy(&pair, v, sizeof pair);
    return (factors)_mm512_set1_epi32(pair);
}

static inline __m512 add_product(__m512 sum, factors a, factors b) {
    return _mm512_dpbf16_ps(sum, a, b);
}

#include "tensor/winograd_loops.h"

void un_winograd_group_bf16(const un_winograd_job *j, size_t first, size_t tiles, void *v,
                            float *m) {
    run_group(j, first, tiles, v, m);
}

#endif
