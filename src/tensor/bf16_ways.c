/*
 * bf16_ways.c - which way multiplies bf16 on this processor: what it has, whether that multiplies
 * right, and how fast.
 *
 * UNSEEN_ISA=amx|avx512bf16|avx512|avx2|portable|tiles names a way. Results differ between ways by
 * rounding; the same way, threads and seed give the same bytes.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parallel.h"
#include "base/status.h"
#include "tensor/bf16.h"

/* ---- what this processor has ---- */

#if defined(UN_HAVE_X86_ISA)
static int has_avx512(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

static int has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

void un_bf16_emulated_tiles(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab,
                            int add) {
    const un_bf16_moves *moves = &un_bf16_moves_baseline;
#if defined(UN_HAVE_X86_ISA)
    if (has_avx512())
        moves = &un_bf16_moves_avx512;
    else if (has_avx2())
        moves = &un_bf16_moves_avx2;
#endif
    moves->emulate_tiles(a, b, steps, slab, add);
}

enum { MOST_WAYS = 6 };

static un_bf16_way g_ways[MOST_WAYS];
static size_t g_count;

static un_bf16 number(size_t i) {
    return un_bf16_from_float((float)((i * 2654435761u >> 7) % 2001) / 1000.0f - 1.0f);
}

static void add(un_bf16_way way) { g_ways[g_count++] = way; }

static un_bf16_way widening(const char *name, const un_bf16_moves *moves) {
    return (un_bf16_way){.name = name, .block = moves->block, .moves = moves};
}

/* Instructions of their own first, then the rest by speed. */
static void find_ways(void) {
    g_count = 0; /* pthread_once begins again in a child that was forked meanwhile */
#if defined(UN_HAVE_X86_ISA)
    int avx512 = has_avx512();
    if (avx512 && strstr(un_cpu_features(), "amx_bf16") && un_bf16_amx_ready())
        add((un_bf16_way){.name = "amx",
                          .block = un_bf16_amx_block,
                          .moves = &un_bf16_moves_avx512,
                          .begin = un_bf16_amx_begin,
                          .end = un_bf16_amx_end,
                          .native = 1});
    if (avx512 && __builtin_cpu_supports("avx512bf16"))
        add((un_bf16_way){.name = "avx512bf16",
                          .block = un_bf16_avx512bf16_block,
                          .part = un_bf16_avx512bf16_part,
                          .moves = &un_bf16_moves_avx512,
                          .native = 1});
    if (avx512) add(widening("avx512", &un_bf16_moves_avx512));
    if (has_avx2()) add(widening("avx2", &un_bf16_moves_avx2));
#endif
    add(widening("portable", &un_bf16_moves_baseline));
    add((un_bf16_way){
        .name = "tiles", .block = un_bf16_emulated_tiles, .moves = &un_bf16_moves_baseline});
}

/* ---- how fast it is ---- */

/* Two panels as they are and a slab: 20 KiB, which every processor's L1 holds. In f32 it is 36, of
 * which the 16 of B and the rows of A at hand, that are met again, stay there. */
enum { BARE_STEPS = BF16_WIDE, LEAST_TURNS = 3, TURNS = 31 };

/* Seconds of a run: a hundred times what asking the clock takes, and so short that a run and the next
 * one mostly find the processor the same. */
static const double g_run = 4e-5;
/* Seconds after which no turn begins, since a block of an emulation takes 20 runs' time. */
static const double g_all = 6e-3;
/* Operations of a block. */
static const double g_block = 2.0 * BF16_PANEL * BF16_PANEL * BF16_STEP * BARE_STEPS;

static struct {
    un_bf16 a[BARE_STEPS * BF16_STEP_SIZE], b[BARE_STEPS * BF16_STEP_SIZE];
    float left[BF16_WIDE * BF16_WIDE_STEP], right[BF16_WIDE * BF16_WIDE_STEP];
} g_bare __attribute__((aligned(64)));

static void fill_bare(void) {
    for (size_t i = 0; i < BARE_STEPS * BF16_STEP_SIZE; i++) {
        g_bare.a[i] = number(i);
        g_bare.b[i] = number(i + 7);
    }
    un_bf16_moves_baseline.widen_left(g_bare.a, BF16_WIDE, g_bare.left);
    un_bf16_moves_baseline.widen_right(g_bare.b, BF16_WIDE, g_bare.right);
}

double un_bf16_bare_loop(const un_bf16_way *way, size_t blocks) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    float slab[BF16_PANEL * BF16_PANEL] __attribute__((aligned(64))) = {0};
    const int widens = un_bf16_widens(way);
    pthread_once(&once, fill_bare);
    if (way->begin) way->begin();
    for (size_t i = 0; i < blocks; i++) {
        if (widens)
            way->moves->multiply_wide(g_bare.left, g_bare.right, BARE_STEPS, slab, 1);
        else
            way->block(g_bare.a, g_bare.b, BARE_STEPS, slab, 1);
    }
    if (way->end) way->end();
    return g_block * (double)blocks;
}

/* Of this thread's own time: on a busy machine others have theirs meanwhile. */
static double own_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static double rate_of(const un_bf16_way *way, size_t blocks) {
    double started = own_seconds(), operations = un_bf16_bare_loop(way, blocks);
    return operations / (own_seconds() - started);
}

/* About so many blocks as take g_run. Of two runs one may be interrupted. */
static size_t count_blocks(const un_bf16_way *way) {
    double seconds = 0;
    size_t blocks = 1;
    for (;; blocks *= 2) {
        double rate = fmax(rate_of(way, blocks), rate_of(way, blocks));
        seconds = g_block * (double)blocks / rate;
        if (seconds >= g_run / 8) break;
    }
    return seconds < g_run ? (size_t)((double)blocks * g_run / seconds) + 1 : blocks;
}

typedef struct {
    size_t turns;
    double rate[MOST_WAYS][TURNS]; /* operations a second */
} contest;

/* On this thread, the ways in turns. */
static void measure(const un_bf16_way *const *ways, size_t count, contest *out) {
    size_t blocks[MOST_WAYS];
    for (size_t i = 0; i < count; i++) blocks[i] = count_blocks(ways[i]);
    double started = own_seconds();
    for (size_t turn = 0; turn < TURNS; turn++) {
        if (turn >= LEAST_TURNS && own_seconds() - started > g_all) break;
        for (size_t i = 0; i < count; i++) out->rate[i][turn] = rate_of(ways[i], blocks[i]);
        out->turns = turn + 1;
    }
}

/* Whether way i is `times` as fast as way j in most turns. */
static int is_faster(const contest *c, size_t i, size_t j, double times) {
    size_t turns = 0;
    for (size_t turn = 0; turn < c->turns; turn++)
        turns += c->rate[i][turn] > times * c->rate[j][turn];
    return turns > c->turns / 2;
}

/* ---- whether it multiplies right ---- */

enum { CHECK_M = 33, CHECK_N = 47, CHECK_K = 65 };

/* Ragged operands as they are and transposed, and their product. */
typedef struct {
    un_bf16 a[2][CHECK_M * CHECK_K], b[2][CHECK_K * CHECK_N];
    double right[CHECK_M * CHECK_N], size[CHECK_M * CHECK_N]; /* size: the sum of absolute values */
} sample;

static void fill_sample(sample *s) {
    for (size_t i = 0; i < CHECK_M; i++)
        for (size_t k = 0; k < CHECK_K; k++)
            s->a[0][i * CHECK_K + k] = s->a[1][k * CHECK_M + i] = number(i * CHECK_K + k);
    for (size_t k = 0; k < CHECK_K; k++)
        for (size_t j = 0; j < CHECK_N; j++)
            s->b[0][k * CHECK_N + j] = s->b[1][j * CHECK_K + k] = number(k * CHECK_N + j + 7);
    for (size_t e = 0; e < CHECK_M * CHECK_N; e++) {
        s->right[e] = s->size[e] = 0;
        for (size_t k = 0; k < CHECK_K; k++) {
            double x = (double)un_float_from_bf16(s->a[0][e / CHECK_N * CHECK_K + k]) *
                       (double)un_float_from_bf16(s->b[0][k * CHECK_N + e % CHECK_N]);
            s->right[e] += x;
            s->size[e] += fabs(x);
        }
    }
}

/* The product as callers have it made: packed from either order of storage, to f32 and to bf16.
 * Products of bf16 values are exact in f32, and 1e-6 of the sum of absolute values allows 16
 * roundings of sums; bf16 rounds by 2^-9, and 2^-8 is allowed. */
static int multiplies_right(const un_bf16_way *way, const sample *s) {
    for (int turned = 0; turned < 2; turned++) {
        float c[CHECK_M * CHECK_N];
        un_dtype type = turned ? UN_BF16 : UN_F32;
        const un_gemm_args args = {.m = CHECK_M,
                                   .n = CHECK_N,
                                   .k = CHECK_K,
                                   .trans_a = turned,
                                   .trans_b = turned,
                                   .input = UN_BF16,
                                   .output = type,
                                   .a = s->a[turned],
                                   .b = s->b[turned],
                                   .c = c};
        memset(c, 0xFF, sizeof c); /* NaN */
        /* Without memory nothing is known against it. */
        if (un_bf16_multiply(way, &args, NULL)) return 1;
        for (size_t e = 0; e < CHECK_M * CHECK_N; e++) {
            double allowed = 1e-6 * s->size[e] + (turned ? fabs(s->right[e]) / 256 : 0);
            if (!(fabs(un_element(type, c, e) - s->right[e]) <= allowed)) return 0;
        }
    }
    return 1;
}

/* People are told of a way that cannot be used. */
static int may_take(const un_bf16_way *way, const sample *s) {
    if (multiplies_right(way, s)) return 1;
    un_log(UNSEEN_LOG_WARNING, "this processor's %s multiplies bf16 wrongly; it is not used",
           way->name);
    return 0;
}

/* ---- the choice ---- */

/* A way with instructions of its own is taken where it is so many times as fast as the best without.
 * VDPBF16PS is twice as fast as f32 on Zen 4 and half as fast on Sapphire Rapids, which their flags
 * do not tell; AMX is eight times as fast as either. The threshold lies as far, as a ratio, from 2 as
 * from 1. Another way would give other bytes: it must not be a matter of luck. What slows this
 * processor for a while slows neighbouring runs alike, and most turns decide: with 14 processes on
 * two processors, a way twice as fast and one that is as fast were told apart in 4,000 choices of
 * 4,000; by the best of five runs of 0.2 ms each, 1 choice of 100 was another one. */
static const double g_worth = 1.4142;

/* Of those that multiply right; NULL if none does. `wrong` is known to be so, or NULL. */
static const un_bf16_way *fastest(const un_bf16_way *ways, size_t count, const un_bf16_way *wrong,
                                  const sample *s) {
    const un_bf16_way *right[MOST_WAYS];
    contest rates;
    size_t n = 0, best = 0;
    /* Of those without, the first is the fastest. */
    for (size_t i = 0; i < count && (n == 0 || right[n - 1]->native); i++)
        if (&ways[i] != wrong && may_take(&ways[i], s)) right[n++] = &ways[i];
    if (n == 0) return NULL;
    if (n > 1) {
        measure(right, n, &rates);
        best = n - 1;
        for (size_t i = n - 1; i-- > 0;)
            if (is_faster(&rates, i, best, g_worth)) best = i;
    }
    return right[best];
}

static const un_bf16_way *find(const un_bf16_way *ways, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(ways[i].name, name)) return &ways[i];
    char names[128] = "";
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", ways[i].name);
    }
    un_log(
        UNSEEN_LOG_WARNING,
        "UNSEEN_ISA=%s is not a way of this processor to multiply bf16 (%s); the fastest is taken",
        name, names);
    return NULL;
}

const un_bf16_way *un_bf16_choose(const un_bf16_way *ways, size_t count, const char *name) {
    sample s;
    fill_sample(&s);
    const un_bf16_way *named = name && *name ? find(ways, count, name) : NULL;
    if (named && may_take(named, &s)) return named;
    const un_bf16_way *best = fastest(ways, count, named, &s);
    if (best) return best;
    un_log(UNSEEN_LOG_WARNING, "no way to multiply bf16 is right on this processor; %s is taken",
           ways[count - 1].name);
    return &ways[count - 1];
}

/* ---- of this process ---- */

static const un_bf16_way *g_here;
static double g_rate;

static void select_way(void) {
    find_ways();
    g_here = un_bf16_choose(g_ways, g_count, getenv("UNSEEN_ISA"));
}

static void select_way_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    un_log_hold(); /* what there is to tell of the choice: it is not made before pthread_once ends */
    pthread_once(&once, select_way);
    un_log_release();
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

static void measure_here(void) {
    contest alone;
    measure(&g_here, 1, &alone);
    for (size_t turn = 0; turn < alone.turns; turn++) g_rate = fmax(g_rate, alone.rate[0][turn]);
}

const char *un_gemm_bf16_way(double *rate) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    select_way_once();
    if (rate) pthread_once(&once, measure_here);
    if (rate) *rate = g_rate;
    return g_here->name;
}
