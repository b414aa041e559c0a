/*
 * rng.h - counter-based random numbers with named streams.
 *
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011). The key is the user's seed; the upper half of the
 * counter is a stream, named by purpose and number ("shuffle", 17), the lower
 * half counts. So any piece of work can be redone without replaying what came
 * before it: resuming needs no generator state, only (seed, stream, number).
 */
#ifndef UN_BASE_RNG_H
#define UN_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t seed;
    uint64_t stream;
    uint64_t block;     /* next counter value */
    uint32_t word[4];   /* the current block's output */
    unsigned next_word; /* 4: used up */
    double spare;       /* second normal of a Box-Muller pair */
    int has_spare;
} un_rng;

/* The stream called `name`, number `index` (an epoch, a fold, a layer). */
un_rng un_rng_stream(uint64_t seed, const char *name, uint64_t index);

/* The bare generator, for known-answer tests. */
void un_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

uint32_t un_rng_u32(un_rng *rng);
uint64_t un_rng_u64(un_rng *rng);
/* Uniform in [0, 1), 53 bits. */
double un_rng_uniform(un_rng *rng);
/* Unbiased integer in [0, n); n > 0. */
uint64_t un_rng_below(un_rng *rng, uint64_t n);
/* Standard normal (Box-Muller). */
double un_rng_normal(un_rng *rng);
/* Standard normal redrawn until it lies in [-2, 2] (TensorFlow's truncated_normal). */
double un_rng_truncated_normal(un_rng *rng);

void un_rng_fill_normal(un_rng *rng, float *out, size_t n, double mean, double sd);
void un_rng_fill_truncated_normal(un_rng *rng, float *out, size_t n, double sd);
void un_rng_fill_uniform(un_rng *rng, float *out, size_t n, double low, double high);

/* Shuffles in place (Fisher-Yates). */
void un_rng_shuffle(un_rng *rng, int64_t *items, size_t n);
/* k distinct values of 0..n-1 in random order into out[k]; `scratch` holds n
 * values; k <= n. */
void un_rng_sample(un_rng *rng, size_t n, size_t k, int64_t *scratch, int64_t *out);
/* k distinct indices, drawn one after the other with probability proportional
 * to weight among those left (Efraimidis-Spirakis keys). Weights are >= 0;
 * those that are 0 are never drawn. `keys` holds n doubles. Returns how many
 * were drawn: fewer than k if fewer weights are positive. */
size_t un_rng_sample_weighted(un_rng *rng, const double *weight, size_t n, size_t k, double *keys,
                              int64_t *out);

#endif
