/*
 * test_rng.c - random numbers: known answers, moments, and draws and choices counted against their
 * probabilities.
 */
#include <math.h>

#include "base/rng.h"
#include "util.h"

/* Random123's known answers for philox4x32-10 (counter, key, output). */
static void philox_known_answers(void **state) {
    (void)state;
    static const uint32_t known[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (size_t k = 0; k < 3; k++) {
        uint32_t out[4];
        un_philox4x32(known[k], known[k] + 4, out);
        assert_memory_equal(out, known[k] + 6, sizeof out);
    }
}

static void streams_are_their_own(void **state) {
    (void)state;
    enum { STREAMS = 6, LENGTH = 4096 };
    static const struct {
        uint64_t seed;
        const char *name;
        uint64_t index;
    } named[STREAMS] = {{1, "shuffle", 0}, {1, "shuffle", 1}, {1, "init", 0},
                        {2, "shuffle", 0}, {1, "shufflf", 0}, {1ull << 32, "shuffle", 0}};
    static uint32_t words[STREAMS][LENGTH];
    for (size_t s = 0; s < STREAMS; s++) {
        un_rng rng = un_rng_stream(named[s].seed, named[s].name, named[s].index);
        for (size_t i = 0; i < LENGTH; i++) words[s][i] = un_rng_u32(&rng);
        un_rng again = un_rng_stream(named[s].seed, named[s].name, named[s].index);
        for (size_t i = 0; i < LENGTH; i++) assert_int_equal(un_rng_u32(&again), words[s][i]);
    }
    for (size_t s = 0; s < STREAMS; s++) {
        for (size_t t = 0; t < s; t++) {
            size_t bits = 0; /* half of all bits differ: sd of the count is sqrt(n)/2 */
            for (size_t i = 0; i < LENGTH; i++)
                bits += (size_t)__builtin_popcount(words[s][i] ^ words[t][i]);
            util_near((double)bits, 16.0 * LENGTH, 6 * 0.5 * sqrt(32.0 * LENGTH));
        }
    }
}

/* Moments of n draws: each within six standard errors. */
static void uniform_moments(void **state) {
    (void)state;
    enum { DRAWS = 400000 };
    un_rng rng = un_rng_stream(1, "uniform", 0);
    double sum = 0, squares = 0, low = 1, high = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = un_rng_uniform(&rng);
        assert_true(x >= 0 && x < 1);
        sum += x;
        squares += x * x;
        low = fmin(low, x);
        high = fmax(high, x);
    }
    util_near(sum / DRAWS, 0.5, 6 * sqrt(1.0 / 12 / DRAWS));
    util_near(squares / DRAWS, 1.0 / 3, 6 * sqrt(4.0 / 45 / DRAWS));
    assert_true(low < 1e-4 && high > 1 - 1e-4);
}

static void normal_moments(void **state) {
    (void)state;
    enum { DRAWS = 400000 };
    un_rng rng = un_rng_stream(1, "normal", 0);
    double m[5] = {0}, beyond = 0, neighbours = 0, last = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = un_rng_normal(&rng), power = 1;
        for (int k = 1; k <= 4; k++) m[k] += power *= x;
        beyond += fabs(x) > 1.959963985;
        neighbours += x * last; /* the two of a Box-Muller pair are independent */
        last = x;
    }
    util_near(m[1] / DRAWS, 0, 6 / sqrt(DRAWS));
    util_near(m[2] / DRAWS, 1, 6 * sqrt(2.0 / DRAWS));
    util_near(m[3] / DRAWS, 0, 6 * sqrt(15.0 / DRAWS));
    util_near(m[4] / DRAWS, 3, 6 * sqrt(96.0 / DRAWS));
    util_near(beyond / DRAWS, 0.05, 6 * sqrt(0.05 * 0.95 / DRAWS));
    util_near(neighbours / DRAWS, 0, 6 / sqrt(DRAWS));
}

/* A normal cut at 2 sd has variance 1 - 4 phi(2) / (2 Phi(2) - 1) = 0.77413. */
static void truncated_normal(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    const double sd = 0.1, variance = 0.7741302 * 0.1 * 0.1;
    static float x[DRAWS];
    double sum = 0, squares = 0, largest = 0;
    un_rng rng = un_rng_stream(1, "truncated", 0);
    un_rng_fill_truncated_normal(&rng, x, DRAWS, sd);
    for (int i = 0; i < DRAWS; i++) {
        sum += (double)x[i];
        squares += (double)x[i] * (double)x[i];
        largest = fmax(largest, fabs((double)x[i]));
    }
    assert_true(largest <= 0.2000001 && largest > 0.199);
    util_near(sum / DRAWS, 0, 6 * sqrt(variance / DRAWS));
    util_near(squares / DRAWS, variance, 6 * variance * sqrt(1.2 / DRAWS));
}

/* Pearson's statistic of counts against probabilities. */
static double chi_square(const size_t *count, const double *p, size_t n, double draws) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double expected = p[i] * draws, gap = (double)count[i] - expected;
        sum += gap * gap / expected;
    }
    return sum;
}

/* 99.99 % of chi-square with n - 1 degrees of freedom lies below (Wilson-Hilferty). */
static double chi_square_limit(size_t n) {
    double k = (double)n - 1, c = 2.0 / (9 * k), z = 3.719;
    return k * pow(1 - c + z * sqrt(c), 3);
}

static void below_is_unbiased(void **state) {
    (void)state;
    enum { DRAWS = 300000 };
    static const uint64_t sizes[] = {2, 3, 7, 10, 64, 1000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t count[1000] = {0};
        double p[1000];
        un_rng rng = un_rng_stream(3, "below", k);
        for (size_t i = 0; i < sizes[k]; i++) p[i] = 1.0 / (double)sizes[k];
        for (int i = 0; i < DRAWS; i++) {
            uint64_t x = un_rng_below(&rng, sizes[k]);
            assert_true(x < sizes[k]);
            count[x]++;
        }
        assert_true(chi_square(count, p, sizes[k], DRAWS) < chi_square_limit(sizes[k]));
    }
    /* 3/4 of the range: plain remainders would hit the lower third twice as often */
    const uint64_t n = 3ull << 62;
    size_t low = 0;
    un_rng rng = un_rng_stream(3, "below", 100);
    for (int i = 0; i < DRAWS; i++) {
        uint64_t x = un_rng_below(&rng, n);
        assert_true(x < n);
        low += x < (1ull << 62);
    }
    util_near((double)low / DRAWS, 1.0 / 3, 6 * sqrt(2.0 / 9 / DRAWS));
    assert_int_equal(un_rng_below(&rng, 1), 0);
}

static size_t order_of_three(const int64_t *x) {
    return (size_t)(x[0] * 2 + (x[1] > x[2])); /* 0..5 for the six orders of 0, 1, 2 */
}

static void shuffle_is_a_uniform_permutation(void **state) {
    (void)state;
    enum { DRAWS = 120000, LONG = 257 };
    size_t count[6] = {0};
    const double sixth = 1.0 / 6, p[6] = {sixth, sixth, sixth, sixth, sixth, sixth};
    un_rng rng = un_rng_stream(4, "shuffle", 0);
    for (int i = 0; i < DRAWS; i++) {
        int64_t x[3] = {0, 1, 2};
        un_rng_shuffle(&rng, x, 3);
        count[order_of_three(x)]++;
    }
    assert_true(chi_square(count, p, 6, DRAWS) < chi_square_limit(6));
    int64_t items[LONG], moved = 0;
    unsigned char found[LONG] = {0};
    for (int64_t i = 0; i < LONG; i++) items[i] = i;
    un_rng_shuffle(&rng, items, LONG);
    for (int64_t i = 0; i < LONG; i++) {
        assert_true(items[i] >= 0 && items[i] < LONG && !found[items[i]]);
        found[items[i]] = 1;
        moved += items[i] != i;
    }
    assert_true(moved > LONG / 2);
    un_rng_shuffle(&rng, NULL, 0);
}

static void samples_are_uniform(void **state) {
    (void)state;
    enum { DRAWS = 120000 };
    size_t count[12] = {0};
    double p[12];
    un_rng rng = un_rng_stream(5, "choose", 0);
    for (size_t i = 0; i < 12; i++) p[i] = 1.0 / 12; /* ordered pairs of 4 */
    for (int i = 0; i < DRAWS; i++) {
        int64_t scratch[4], out[2];
        un_rng_sample(&rng, 4, 2, scratch, out);
        assert_true(out[0] >= 0 && out[0] < 4 && out[1] >= 0 && out[1] < 4 && out[0] != out[1]);
        count[out[0] * 3 + out[1] - (out[1] > out[0])]++;
    }
    assert_true(chi_square(count, p, 12, DRAWS) < chi_square_limit(12));
    int64_t scratch[5], out[5], sum = 0;
    un_rng_sample(&rng, 5, 5, scratch, out);
    for (int i = 0; i < 5; i++) sum += 1 << out[i];
    assert_int_equal(sum, 31); /* all five, each once */
}

/* First i with w_i / W, then j with w_j / (W - w_i). */
static void weighted_samples_match_their_probabilities(void **state) {
    (void)state;
    enum { DRAWS = 200000 };
    const double w[3] = {0.2, 1.0, 2.8}, W = 4;
    size_t count[6] = {0}, slot = 0;
    double p[6], keys[3];
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            if (i != j) p[slot++] = w[i] / W * w[j] / (W - w[i]);
    un_rng rng = un_rng_stream(6, "weighted", 0);
    for (int k = 0; k < DRAWS; k++) {
        int64_t out[2];
        assert_int_equal(un_rng_sample_weighted(&rng, w, 3, 2, keys, out), 2);
        count[out[0] * 2 + out[1] - (out[1] > out[0])]++;
    }
    assert_true(chi_square(count, p, 6, DRAWS) < chi_square_limit(6));
}

static void weightless_items_are_never_drawn(void **state) {
    (void)state;
    const double some[5] = {0, 3, 0, 1, 0}, none[3] = {0}, tiny[3] = {0, 1e-310, 2};
    double keys[5];
    un_rng rng = un_rng_stream(6, "weighted", 1);
    for (int k = 0; k < 1000; k++) {
        int64_t out[5] = {-1, -1, -1, -1, -1};
        assert_int_equal(un_rng_sample_weighted(&rng, some, 5, 4, keys, out), 2);
        assert_int_equal(out[0] + out[1], 4); /* 1 and 3 */
        assert_int_equal(out[2], -1);
        assert_int_equal(un_rng_sample_weighted(&rng, none, 3, 2, keys, out), 0);
        assert_int_equal(un_rng_sample_weighted(&rng, tiny, 3, 2, keys, out), 2);
        assert_int_equal(out[0], 2);
        assert_int_equal(out[1], 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(streams_are_their_own),
        cmocka_unit_test(uniform_moments),
        cmocka_unit_test(normal_moments),
        cmocka_unit_test(truncated_normal),
        cmocka_unit_test(below_is_unbiased),
        cmocka_unit_test(shuffle_is_a_uniform_permutation),
        cmocka_unit_test(samples_are_uniform),
        cmocka_unit_test(weighted_samples_match_their_probabilities),
        cmocka_unit_test(weightless_items_are_never_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
