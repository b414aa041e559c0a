/* rng.c - Philox4x32-10 and the distributions on top of it; see rng.h. */
#include "base/rng.h"

#include <float.h>
#include <math.h>

static uint64_t mix64(uint64_t x) { /* splitmix64 finaliser */
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

un_rng un_rng_stream(uint64_t seed, const char *name, uint64_t index) {
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a of the name */
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 0x100000001B3u;
    return (un_rng){.seed = seed, .stream = mix64(hash ^ mix64(index)), .next_word = 4};
}

void un_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint32_t un_rng_u32(un_rng *rng) {
    if (rng->next_word == 4) {
        const uint32_t counter[4] = {(uint32_t)rng->block, (uint32_t)(rng->block >> 32),
                                     (uint32_t)rng->stream, (uint32_t)(rng->stream >> 32)};
        const uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
        un_philox4x32(counter, key, rng->word);
        rng->block++;
        rng->next_word = 0;
    }
    return rng->word[rng->next_word++];
}

uint64_t un_rng_u64(un_rng *rng) {
    uint64_t high = un_rng_u32(rng);
    return high << 32 | un_rng_u32(rng);
}

double un_rng_uniform(un_rng *rng) { return (double)(un_rng_u64(rng) >> 11) * 0x1p-53; }

uint64_t un_rng_below(un_rng *rng, uint64_t n) {
    /* Reject the incomplete last cycle, so that every residue is equally likely. */
    uint64_t limit = UINT64_MAX - (UINT64_MAX % n + 1) % n;
    uint64_t value = un_rng_u64(rng);
    while (value > limit) value = un_rng_u64(rng);
    return value % n;
}

double un_rng_normal(un_rng *rng) {
    if (rng->has_spare) {
        rng->has_spare = 0;
        return rng->spare;
    }
    const double two_pi = 6.283185307179586476925;
    double u = 1.0 - un_rng_uniform(rng); /* (0, 1]: the logarithm is finite */
    double angle = two_pi * un_rng_uniform(rng);
    double radius = sqrt(-2.0 * log(u));
    rng->spare = radius * sin(angle);
    rng->has_spare = 1;
    return radius * cos(angle);
}

double un_rng_truncated_normal(un_rng *rng) {
    double x = un_rng_normal(rng);
    while (fabs(x) > 2.0) x = un_rng_normal(rng);
    return x;
}

void un_rng_fill_normal(un_rng *rng, float *out, size_t n, double mean, double sd) {
    for (size_t i = 0; i < n; i++) out[i] = (float)(mean + sd * un_rng_normal(rng));
}

void un_rng_fill_truncated_normal(un_rng *rng, float *out, size_t n, double sd) {
    for (size_t i = 0; i < n; i++) out[i] = (float)(sd * un_rng_truncated_normal(rng));
}

void un_rng_fill_uniform(un_rng *rng, float *out, size_t n, double low, double high) {
    for (size_t i = 0; i < n; i++) out[i] = (float)(low + (high - low) * un_rng_uniform(rng));
}

void un_rng_shuffle(un_rng *rng, int64_t *items, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)un_rng_below(rng, i);
        int64_t swap = items[i - 1];
        items[i - 1] = items[j];
        items[j] = swap;
    }
}

void un_rng_sample(un_rng *rng, size_t n, size_t k, int64_t *scratch, int64_t *out) {
    for (size_t i = 0; i < n; i++) scratch[i] = (int64_t)i;
    for (size_t i = 0; i < k; i++) {
        size_t j = i + (size_t)un_rng_below(rng, n - i);
        out[i] = scratch[j];
        scratch[j] = scratch[i];
    }
}

size_t un_rng_sample_weighted(un_rng *rng, const double *weight, size_t n, size_t k, double *keys,
                              int64_t *out) {
    /* The k smallest exponential variates with rates `weight`, in ascending order, are a
     * sequential draw without replacement. */
    size_t positive = 0;
    for (size_t i = 0; i < n; i++) {
        double u = 1.0 - un_rng_uniform(rng);
        /* tiny weights overflow: they still come before those that are never drawn */
        keys[i] = weight[i] > 0 ? fmin(-log(u) / weight[i], DBL_MAX) : INFINITY;
        if (weight[i] > 0) positive++;
    }
    if (k > positive) k = positive;
    for (size_t drawn = 0; drawn < k; drawn++) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (keys[i] < keys[best]) best = i;
        out[drawn] = (int64_t)best;
        keys[best] = INFINITY;
    }
    return k;
}
