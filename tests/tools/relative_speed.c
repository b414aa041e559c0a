/*
 * relative_speed.c - how many times as fast as plain loops a block of a bf16 product and a product of
 * f32 are on this machine: two lines at the end of `make test`, for information. No time makes it
 * fail.
 */
#include <stdio.h>

#include "base/parallel.h"
#include "base/status.h"
#include "tensor/bf16.h"

enum { SIDE = 256, STEPS = 16, DEPTH = STEPS * BF16_STEP, RUNS = 7, BLOCKS = 64 };

static float g_a[SIDE * SIDE], g_b[SIDE * SIDE], g_c[SIDE * SIDE];
static un_bf16 g_left[STEPS * BF16_STEP_SIZE] __attribute__((aligned(64)));
static un_bf16 g_right[STEPS * BF16_STEP_SIZE] __attribute__((aligned(64)));
static float g_slab[BF16_PANEL * BF16_PANEL] __attribute__((aligned(64)));

static void plain_f32(void) {
    for (size_t i = 0; i < SIDE; i++) {
        float *c = g_c + i * SIDE;
        for (size_t j = 0; j < SIDE; j++) c[j] = 0;
        for (size_t k = 0; k < SIDE; k++)
            for (size_t j = 0; j < SIDE; j++) c[j] += g_a[i * SIDE + k] * g_b[k * SIDE + j];
    }
}

static void our_f32(void) {
    const un_gemm_args product = {.m = SIDE,
                                  .n = SIDE,
                                  .k = SIDE,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = g_a,
                                  .b = g_b,
                                  .c = g_c};
    if (un_gemm(&product)) printf("f32 product: %s\n", un_error());
}

/* Of BF16_PANEL rows and columns that lie in rows of DEPTH elements. */
static void plain_bf16(void) {
    for (size_t i = 0; i < BF16_PANEL; i++)
        for (size_t j = 0; j < BF16_PANEL; j++) {
            float sum = 0;
            for (size_t k = 0; k < DEPTH; k++)
                sum += un_float_from_bf16(g_left[i * DEPTH + k]) *
                       un_float_from_bf16(g_right[j * DEPTH + k]);
            g_slab[i * BF16_PANEL + j] = sum;
        }
}

static void our_bf16(void) {
    const un_bf16_way *way = un_bf16_way_here();
    if (way->begin) way->begin();
    for (size_t i = 0; i < BLOCKS; i++) way->block(g_left, g_right, STEPS, g_slab, 0);
    if (way->end) way->end();
}

/* Seconds of the shortest of some runs. */
static double shortest(void (*work)(void)) {
    double best = 1e9;
    for (int run = 0; run < RUNS; run++) {
        double started = un_now();
        work();
        double seconds = un_now() - started;
        if (seconds < best) best = seconds;
    }
    return best;
}

int main(void) {
    double rate = 0;
    const double flop32 = 2.0 * SIDE * SIDE * SIDE;
    const double flop16 = 2.0 * BF16_PANEL * BF16_PANEL * DEPTH;
    for (size_t i = 0; i < SIDE * SIDE; i++) g_a[i] = g_b[i] = (float)(i % 7) * 0.25f - 0.75f;
    for (size_t i = 0; i < STEPS * BF16_STEP_SIZE; i++)
        g_left[i] = g_right[i] = un_bf16_from_float((float)(i % 5) * 0.5f - 1.0f);
    double plain = shortest(plain_f32), ours = shortest(our_f32);
    printf("for information: f32 product of %d x %d, %s, %d threads: %.1f GFLOP/s, %.1f x plain "
           "loops\n",
           SIDE, SIDE, un_gemm_backend(), un_thread_count(), flop32 / ours / 1e9, plain / ours);
    plain = shortest(plain_bf16);
    ours = shortest(our_bf16) / BLOCKS;
    printf("for information: block of a bf16 product, %s, one thread: %.1f GFLOP/s, %.1f x plain "
           "loops\n",
           un_gemm_bf16_way(&rate), flop16 / ours / 1e9, plain / ours);
    return 0;
}
