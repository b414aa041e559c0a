/* winograd_f32.c - F(2 x 2, 3 x 3) in f32 with AVX-512; see conv.h and winograd_loops.h. */
#include "tensor/winograd.h"

#if defined(UN_HAVE_X86_ISA)

#include <immintrin.h>

typedef float value;
typedef __m512 factors;

/* The first 16 channels of a group, and the others. */
typedef struct {
    __m512 a, b;
} channels;

static inline channels load_channels(const value *p, size_t block) {
    return (channels){_mm512_loadu_ps(p), _mm512_loadu_ps(p + block)};
}

static inline void store_channels(value *v, channels x) {
    _mm512_storeu_ps(v, x.a);
    _mm512_storeu_ps(v + 16, x.b);
}

static inline __m512 load_lanes(const value *p) { return _mm512_loadu_ps(p); }
static inline void store_lanes(value *p, __m512 x) { _mm512_storeu_ps(p, x); }

static inline factors load_factors(const value *u) { return _mm512_loadu_ps(u); }
static inline factors repeat_factor(const value *v) { return _mm512_set1_ps(*v); }

static inline __m512 add_product(__m512 sum, factors a, factors b) {
    return _mm512_fmadd_ps(a, b, sum);
}

#include "tensor/winograd_loops.h"

void un_winograd_group_f32(const un_winograd_job *j, size_t first, size_t tiles, void *v,
                           float *m) {
    run_group(j, first, tiles, v, m);
}

#endif
