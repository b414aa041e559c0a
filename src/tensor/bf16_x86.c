/*
 * bf16_x86.c - blocks by instructions that multiply bf16: AMX tiles, and AVX-512's VDPBF16PS.
 *
 * Tiles are loaded and stored in inline assembly: gcc 12's functions for them do not tell the compiler
 * that they read and write memory. A thread's tile registers are configured before its first block and
 * released after its last, since oneDNN has configurations of its own.
 */
#include "tensor/bf16.h"

#if defined(UN_HAVE_X86_ISA)

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- AMX ---- */

enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };

int un_bf16_amx_ready(void) {
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/* Eight tiles of 16 rows of 64 bytes. */
static const struct {
    uint8_t palette, start, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} g_tiles __attribute__((aligned(64))) = {
    .palette = 1,
    .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
    .rows = {16, 16, 16, 16, 16, 16, 16, 16},
};

#define AMX __attribute__((target("amx-tile,amx-bf16")))

AMX void un_bf16_amx_begin(void) { __asm__ volatile("ldtilecfg %0" : : "m"(g_tiles) : "memory"); }

AMX void un_bf16_amx_end(void) { __asm__ volatile("tilerelease" : : : "memory"); }

/* Tiles 0 to 3 are the block's quarters, 4 is of A, 6 and 7 are of B. A is read once, past L1, where
 * B's chunk stays. */
AMX static inline void amx_step(const un_bf16 *a, const un_bf16 *b) {
    __asm__ volatile("tileloaddt1 (%0,%2,1), %%tmm4\n\t"
                     "tileloadd (%1,%2,1), %%tmm6\n\t"
                     "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
                     "tileloadd 1024(%1,%2,1), %%tmm7\n\t"
                     "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
                     "tileloaddt1 1024(%0,%2,1), %%tmm5\n\t"
                     "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\t"
                     "tdpbf16ps %%tmm7, %%tmm5, %%tmm3\n\t"
                     :
                     : "r"(a), "r"(b), "r"((size_t)64)
                     : "memory");
}

AMX void un_bf16_amx_block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    const size_t row = BF16_PANEL * sizeof *slab;
    if (add)
        __asm__ volatile("tileloadd (%0,%1,1), %%tmm0\n\t"
                         "tileloadd 64(%0,%1,1), %%tmm1\n\t"
                         "tileloadd (%2,%1,1), %%tmm2\n\t"
                         "tileloadd 64(%2,%1,1), %%tmm3\n\t"
                         :
                         : "r"(slab), "r"(row), "r"(slab + 16 * BF16_PANEL)
                         : "memory");
    else
        __asm__ volatile("tilezero %%tmm0\n\t"
                         "tilezero %%tmm1\n\t"
                         "tilezero %%tmm2\n\t"
                         "tilezero %%tmm3\n\t"
                         :
                         :
                         : "memory");
    for (size_t s = 0; s < steps; s++) amx_step(a + s * BF16_STEP_SIZE, b + s * BF16_STEP_SIZE);
    __asm__ volatile("tilestored %%tmm0, (%0,%1,1)\n\t"
                     "tilestored %%tmm1, 64(%0,%1,1)\n\t"
                     "tilestored %%tmm2, (%2,%1,1)\n\t"
                     "tilestored %%tmm3, 64(%2,%1,1)\n\t"
                     :
                     : "r"(slab), "r"(row), "r"(slab + 16 * BF16_PANEL)
                     : "memory");
}

/* ---- AVX-512 BF16 ---- */

enum {
    ROWS = 8,
    ROW = 32,
    PAIRS = 16,
    TILE_ROWS = 16,
    /* bytes to the chunk of B that comes next, which is fetched into L2 from beyond it */
    AHEAD = BF16_CHUNK * BF16_STEP_SIZE * (int)sizeof(un_bf16)
};

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

__attribute__((target("avx512f,avx512bf16"))) static void
eight_rows(const un_bf16 *a, const un_bf16 *b, size_t pairs, float *slab, int add) {
    __m512 sum[ROWS][2];
    UNROLL for (size_t r = 0; r < ROWS; r++) {
        UNROLL for (size_t v = 0; v < 2; v++) {
            sum[r][v] = add ? _mm512_load_ps(slab + r * BF16_PANEL + v * 16) : _mm512_setzero_ps();
        }
    }
    for (size_t some = 0; pairs > 0; pairs -= some, a += BF16_STEP_SIZE, b += BF16_STEP_SIZE) {
        some = pairs < PAIRS ? pairs : PAIRS;
        for (size_t p = 0; p < some; p++) {
            const char *ahead = (const char *)((uintptr_t)(b + p * ROW) + AHEAD);
            _mm_prefetch(ahead, _MM_HINT_T1);
            _mm_prefetch(ahead + BF16_TILE * sizeof *b, _MM_HINT_T1);
            __m512i right0 = _mm512_loadu_si512(b + p * ROW);
            __m512i right1 = _mm512_loadu_si512(b + BF16_TILE + p * ROW);
            UNROLL for (size_t r = 0; r < ROWS; r++) {
                int pair;
                __builtin_memcpy(&pair, a + r * ROW + 2 * p, sizeof pair);
                __m512i left = _mm512_set1_epi32(pair);
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], (__m512bh)left, (__m512bh)right0);
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], (__m512bh)left, (__m512bh)right1);
            }
        }
    }
    UNROLL for (size_t r = 0; r < ROWS; r++) {
        UNROLL for (size_t v = 0; v < 2; v++) {
            _mm512_store_ps(slab + r * BF16_PANEL + v * 16, sum[r][v]);
        }
    }
}

void un_bf16_avx512bf16_part(const un_bf16 *a, const un_bf16 *b, size_t rows, size_t depth,
                             float *slab, int add) {
    for (size_t r = 0; r < rows; r += ROWS)
        eight_rows(a + r / TILE_ROWS * BF16_TILE + r % TILE_ROWS * ROW, b, (depth + 1) / 2,
                   slab + r * BF16_PANEL, add);
}

void un_bf16_avx512bf16_block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab,
                              int add) {
    un_bf16_avx512bf16_part(a, b, BF16_PANEL, steps * BF16_STEP, slab, add);
}

#else
typedef int un_bf16_no_x86; /* a translation unit must not be empty */
#endif
