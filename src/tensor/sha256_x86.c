/*
 * sha256_x86.c - SHA-256 with Intel's SHA extensions (Intel 64 and IA-32 Architectures Software
 * Developer's Manual, volume 1, chapter 14): an instruction makes two rounds, two make four words
 * of the schedule. The eight words of the state lie as A B E F and C D G H.
 */
#include "tensor/sha256.h"

#ifdef UN_HAVE_X86_ISA

#include <immintrin.h>

#include "tensor/sha256_rounds.h"

static __m128i load(const void *at) { return _mm_loadu_si128(at); }

/* Words t + 16 … t + 19 of the schedule from words t … t + 15. */
static __m128i next_words(__m128i w0, __m128i w4, __m128i w8, __m128i w12) {
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8(w12, w8, 4));
    return _mm_sha256msg2_epu32(sum, w12);
}

void un_sha256_x86(uint32_t state[8], const unsigned char *data, size_t blocks) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i badc = _mm_shuffle_epi32(load(state), 0xB1);
    __m128i hgfe = _mm_shuffle_epi32(load(state + 4), 0x1B);
    __m128i abef = _mm_alignr_epi8(badc, hgfe, 8);
    __m128i cdgh = _mm_blend_epi16(hgfe, badc, 0xF0);
    for (; blocks > 0; blocks--, data += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w[4];
#pragma GCC unroll 16
        for (int g = 0; g < 16; g++) {
            if (g < 4)
                w[g] = _mm_shuffle_epi8(load(data + 16 * g), big_endian);
            else
                w[g & 3] = next_words(w[g & 3], w[(g + 1) & 3], w[(g + 2) & 3], w[(g + 3) & 3]);
            __m128i k = _mm_add_epi32(w[g & 3], load(un_sha256_rounds + 4 * g));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B);
    __m128i dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((void *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((void *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#endif
