/*
 * test_standardise.c - standardisation of columns (nn/standardise.h) against its definition in
 * double precision, and its backward pass against finite differences of that.
 */
#include <math.h>

#include "nn/standardise.h"
#include "util.h"

enum { MOST = 40 * 150 };

static const un_standardise_form g_forms[] = {UN_BY_VARIANCE, UN_BY_DEVIATION};

/* N(z) in full, with the variance that divisor rows - 1 gives. */
static void define(un_standardise_form form, const double *z, size_t rows, size_t n, double *s,
                   double *mean, double *variance) {
    for (size_t i = 0; i < n; i++) {
        mean[i] = variance[i] = 0;
        for (size_t r = 0; r < rows; r++) mean[i] += z[r * n + i] / (double)rows;
        for (size_t r = 0; r < rows; r++)
            variance[i] += pow(z[r * n + i] - mean[i], 2) / (double)(rows - 1);
        double of_rows = variance[i] * (double)(rows - 1) / (double)rows;
        double q = form == UN_BY_VARIANCE ? variance[i] + 1e-5 : sqrt(of_rows + 1e-5);
        for (size_t r = 0; r < rows; r++) s[r * n + i] = (z[r * n + i] - mean[i]) / q;
    }
}

/* Columns of different offset and spread; f32's rounding of z is part of the input. */
static void fill(un_rng *rng, size_t rows, size_t n, float *z, double *wide) {
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            double spread = pow(10, (double)(i % 5) - 3);
            z[r * n + i] = (float)(un_rng_normal(rng) * spread + (double)(i % 4));
            wide[r * n + i] = (double)z[r * n + i];
        }
}

static void check(un_standardise_form form, size_t rows, size_t n, uint64_t seed) {
    static float z[MOST], s[MOST], g[MOST], dz[MOST];
    static double wide[MOST], expected[MOST];
    float mean[150], variance[150];
    double mean64[150], variance64[150];
    un_rng rng = un_rng_stream(seed, "test", 0);
    fill(&rng, rows, n, z, wide);
    un_rng_fill_normal(&rng, g, rows * n, 0, 1);
    un_standardise(form, z, rows, n, mean, variance, s);
    un_standardise_backward(form, z, rows, n, g, dz);
    define(form, wide, rows, n, expected, mean64, variance64);
    for (size_t i = 0; i < n; i++) {
        double largest = 0, slopes[MOST / 2], steepest = 0;
        util_near((double)mean[i], mean64[i], 1e-6 * fmax(1, fabs(mean64[i])));
        util_near((double)variance[i], variance64[i], 1e-6 * variance64[i]);
        for (size_t r = 0; r < rows; r++) largest = fmax(largest, fabs(expected[r * n + i]));
        for (size_t r = 0; r < rows; r++)
            util_near((double)s[r * n + i], expected[r * n + i], 1e-6 * largest);
        /* sum g N(z) of this column alone, moved by each of its values; what rounding makes of the
         * difference counts where the slope itself is next to 0, as that of two rows is */
        double h = 1e-4 * sqrt(variance64[i]), rounding = 0;
        for (size_t r = 0; r < rows; r++) {
            double side[2], column[2][MOST / 2], m = 0, v = 0;
            for (int k = 0; k < 2; k++) {
                for (size_t t = 0; t < rows; t++) column[0][t] = wide[t * n + i];
                column[0][r] += k ? h : -h;
                define(form, column[0], rows, 1, column[1], &m, &v);
                side[k] = 0;
                for (size_t t = 0; t < rows; t++) {
                    side[k] += (double)g[t * n + i] * column[1][t];
                    rounding =
                        fmax(rounding, fabs((double)g[t * n + i] * column[1][t]) * 1e-14 / h);
                }
            }
            slopes[r] = (side[1] - side[0]) / (2 * h);
            steepest = fmax(steepest, fabs(slopes[r]));
        }
        for (size_t r = 0; r < rows; r++)
            util_near((double)dz[r * n + i], slopes[r], 2e-6 * steepest + rounding);
    }
    un_standardise_backward(form, z, rows, n, g, g);
    assert_memory_equal(g, dz, rows * n * sizeof *g);
}

static void both_ways_follow_the_definition(void **state) {
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        check(g_forms[k], 40, 5, 1);
        check(g_forms[k], 2, 64, 2);
        check(g_forms[k], 7, 150, 3); /* blocks of columns, and a rest */
    }
}

/* By kept statistics every row is on its own. */
static void kept_statistics_are_used_as_they_are(void **state) {
    (void)state;
    enum { N = 3 };
    const float z[] = {1, 2, 3, -4, 5, 0.5F}, mean[] = {0, 1, 2}, variance[] = {4, 0, 0.25F};
    for (size_t k = 0; k < 2; k++) {
        float s[2 * N];
        un_standardise_by(g_forms[k], z, 2, N, mean, variance, s);
        for (size_t i = 0; i < 2 * N; i++) {
            double v = (double)variance[i % N] + 1e-5;
            double expected = ((double)z[i] - (double)mean[i % N]) / (k == 0 ? v : sqrt(v));
            util_near((double)s[i], expected, 1e-6 * fabs(expected));
        }
    }
}

/* A column that is the same in all rows becomes 0, and so does its part in the others' gradients. */
static void constant_columns_are_zero(void **state) {
    (void)state;
    enum { ROWS = 150 };
    for (size_t k = 0; k < 2; k++) {
        float z[ROWS], s[ROWS], g[ROWS], mean = 0, variance = 0;
        double sum = 0;
        for (size_t r = 0; r < ROWS; r++) z[r] = 0.1F, g[r] = (float)r;
        un_standardise(g_forms[k], z, ROWS, 1, &mean, &variance, s);
        for (size_t r = 0; r < ROWS; r++) assert_true(s[r] == 0);
        assert_true(mean == 0.1F && variance == 0);
        un_standardise_backward(g_forms[k], z, ROWS, 1, g, g);
        for (size_t r = 0; r < ROWS; r++) sum += (double)g[r];
        util_near(sum, 0, 1e-6 * (double)g[ROWS - 1] * ROWS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways_follow_the_definition),
        cmocka_unit_test(kept_statistics_are_used_as_they_are),
        cmocka_unit_test(constant_columns_are_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
