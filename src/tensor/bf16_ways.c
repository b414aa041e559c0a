/*
 * bf16_ways.c - which way multiplies bf16 on this processor: what it has, whether that multiplies
 * right, and how fast.
 *
 * UNSEEN_ISA=amx|avx512bf16|avx512|avx2|portable|tiles names a way. Results differ between ways by
 * rounding; the same way, threads and seed give the same bytes.
 */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parallel.h"
#include "base/status.h"
#include "tensor/bf16.h"

/* ---- tiles, emulated ---- */

static float widen(un_bf16 x) {
    float value = un_float_from_bf16(x);
    return fabsf(value) < FLT_MIN ? copysignf(0.0f, value) : value;
}

static float flush(float x) { return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x; }

/* TDPBF16PS: the products of even and of odd elements of k are summed apart, each from zero by
 * fused multiply-adds, then together, then with what was there; subnormal numbers are zeros. */
static float tile_sum(const un_bf16 *row, const un_bf16 *column, float before) {
    float even = 0, odd = 0;
    for (size_t p = 0; p < 16; p++) {
        even = flush(fmaf(widen(row[2 * p]), widen(column[p * 32]), even));
        odd = flush(fmaf(widen(row[2 * p + 1]), widen(column[p * 32 + 1]), odd));
    }
    return flush(before + flush(even + odd));
}

void un_bf16_emulated_tiles(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab,
                            int add) {
    if (!add) memset(slab, 0, BF16_PANEL * BF16_PANEL * sizeof *slab);
    for (size_t s = 0; s < steps; s++, a += BF16_STEP_SIZE, b += BF16_STEP_SIZE)
        for (size_t r = 0; r < BF16_PANEL; r++)
            for (size_t j = 0; j < BF16_PANEL; j++) {
                float *sum = slab + r * BF16_PANEL + j;
                *sum = tile_sum(a + r / 16 * BF16_TILE + r % 16 * 32,
                                b + j / 16 * BF16_TILE + 2 * (j % 16), flush(*sum));
            }
}

/* ---- what this processor has ---- */

enum { MOST_WAYS = 6, CHECK_STEPS = 3, BARE_STEPS = 16 /* 64 KiB of both panels or less */ };

static un_bf16_way g_ways[MOST_WAYS];
static size_t g_count;
static const un_bf16_way *g_here;
static double g_rate;

static un_bf16 number(size_t i) {
    return un_bf16_from_float((float)((i * 2654435761u >> 7) % 2001) / 1000.0f - 1.0f);
}

/* A panel product with ragged zeros against the emulation. The sum of n products of exact bf16
 * values is off by at most n roundings of f32; 1e-6 of the sum of absolute values allows 8. */
static int multiplies_right(const un_bf16_way *way) {
    static un_bf16 a[CHECK_STEPS * BF16_STEP_SIZE] __attribute__((aligned(64)));
    static un_bf16 b[CHECK_STEPS * BF16_STEP_SIZE] __attribute__((aligned(64)));
    static float slab[1024] __attribute__((aligned(64))), right[1024] __attribute__((aligned(64)));
    for (size_t i = 0; i < sizeof a / sizeof *a; i++) {
        a[i] = i % 32 < 27 ? number(i) : 0;
        b[i] = i / 32 % 16 < 13 ? number(i + 7) : 0;
    }
    if (way->begin) way->begin();
    way->block(a, b, CHECK_STEPS - 1, slab, 0);
    way->block(a + (CHECK_STEPS - 1) * BF16_STEP_SIZE, b + (CHECK_STEPS - 1) * BF16_STEP_SIZE, 1,
               slab, 1);
    if (way->end) way->end();
    un_bf16_emulated_tiles(a, b, CHECK_STEPS, right, 0);
    float most = CHECK_STEPS * BF16_STEP; /* of the sum of absolute values */
    for (size_t i = 0; i < 1024; i++)
        if (!(fabsf(slab[i] - right[i]) <= 1e-6f * most)) return 0;
    return 1;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double un_bf16_bare_loop(const un_bf16_way *way, size_t rounds) {
    un_bf16 a[BARE_STEPS * BF16_STEP_SIZE] __attribute__((aligned(64))) = {0};
    un_bf16 b[BARE_STEPS * BF16_STEP_SIZE] __attribute__((aligned(64))) = {0};
    float left[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64))) = {0};
    float right[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64))) = {0};
    float slab[BF16_PANEL * BF16_PANEL] __attribute__((aligned(64))) = {0};
    const int widens = un_bf16_widens(way);
    const size_t steps = widens ? BF16_WIDE : BARE_STEPS, blocks = rounds * BARE_STEPS / steps;
    if (way->begin) way->begin();
    for (size_t i = 0; i < blocks; i++) {
        if (widens)
            way->moves->multiply_wide(left, right, steps, slab, 1);
        else
            way->block(a, b, steps, slab, 1);
    }
    if (way->end) way->end();
    return 2.0 * BF16_PANEL * BF16_PANEL * BF16_STEP * (double)(blocks * steps);
}

/* Operations a second of one thread: the best of some short runs. */
static double rate_of(const un_bf16_way *way) {
    double best = 0;
    for (size_t run = 0; run < 8; run++) {
        double start = seconds(), operations = un_bf16_bare_loop(way, 4);
        double rate = operations / (seconds() - start + 1e-9);
        if (rate > best) best = rate;
    }
    return best;
}

static void add(un_bf16_way way) {
    if (multiplies_right(&way))
        g_ways[g_count++] = way;
    else
        un_log(UNSEEN_LOG_WARNING, "this processor's %s multiplies bf16 wrongly; it is not used",
               way.name);
}

static void find_ways(void) {
#if defined(UN_HAVE_X86_ISA)
    __builtin_cpu_init();
    int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && strstr(un_cpu_features(), "amx_bf16") && un_bf16_amx_ready())
        add((un_bf16_way){"amx", un_bf16_amx_block, &un_bf16_moves_avx512, un_bf16_amx_begin,
                          un_bf16_amx_end, 1});
    if (avx512 && __builtin_cpu_supports("avx512bf16"))
        add((un_bf16_way){"avx512bf16", un_bf16_avx512bf16_block, &un_bf16_moves_avx512, NULL, NULL,
                          1});
    if (avx512)
        add((un_bf16_way){"avx512", un_bf16_moves_avx512.block, &un_bf16_moves_avx512, NULL, NULL,
                          0});
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        add((un_bf16_way){"avx2", un_bf16_moves_avx2.block, &un_bf16_moves_avx2, NULL, NULL, 0});
#endif
    add((un_bf16_way){"portable", un_bf16_moves_baseline.block, &un_bf16_moves_baseline, NULL, NULL,
                      0});
    add((un_bf16_way){"tiles", un_bf16_emulated_tiles, &un_bf16_moves_baseline, NULL, NULL, 0});
}

/* ---- the choice ---- */

static const un_bf16_way *find(const char *name) {
    for (size_t i = 0; i < g_count; i++)
        if (!strcmp(g_ways[i].name, name)) return &g_ways[i];
    return NULL;
}

/* AMX is eight times as fast as anything else; VDPBF16PS is twice the f32 rate on some processors
 * and half of it on others, which their flags do not tell. The rest widens to f32. */
static const un_bf16_way *fastest(void) {
    const un_bf16_way *amx = find("amx"), *pairs = find("avx512bf16"), *wide = find("avx512");
    if (amx) return amx;
    if (pairs && (!wide || rate_of(pairs) > 1.4 * rate_of(wide))) return pairs;
    if (wide) return wide;
    return find("avx2") ? find("avx2") : find("portable");
}

static void select_way(void) {
    find_ways();
    const char *name = getenv("UNSEEN_ISA");
    if (name && *name) {
        g_here = find(name);
        if (!g_here)
            un_log(UNSEEN_LOG_WARNING,
                   "UNSEEN_ISA=%s is not a way of this processor to multiply bf16; the fastest is "
                   "taken",
                   name);
    }
    if (!g_here) g_here = fastest();
    if (g_here) g_rate = rate_of(g_here);
}

static void select_way_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, select_way);
}

const un_bf16_way *un_bf16_way_here(void) {
    select_way_once();
    return g_here;
}

const un_bf16_way *un_bf16_way_at(size_t i) {
    select_way_once();
    return i < g_count ? &g_ways[i] : NULL;
}

un_precision un_precision_resolve(un_precision precision) {
    if (precision != UN_PRECISION_AUTO) return precision;
    return un_bf16_way_here()->native ? UN_PRECISION_BF16 : UN_PRECISION_F32;
}

un_dtype un_precision_dtype(un_precision precision) {
    return un_precision_resolve(precision) == UN_PRECISION_BF16 ? UN_BF16 : UN_F32;
}

const char *un_gemm_bf16_way(double *rate) {
    select_way_once();
    *rate = g_here ? g_rate : 0;
    return g_here ? g_here->name : NULL;
}
