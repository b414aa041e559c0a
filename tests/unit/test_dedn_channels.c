/*
 * test_dedn_channels.c - DEDN's channel path piece by piece: however the stack is cut, and whichever
 * thread makes a piece, the numbers are those of the uncut one. That those are right is test_dedn's
 * affair.
 */
#include <math.h>

#include "base/parallel.h"
#include "dedn_sample.h"

/* 76 rows of logits and values. */
static const shape g_wide = {"wide", 19, 5, 70, 9, 2, DENSE};

typedef struct {
    float *psi, *sums;
} channel_result;

static float *copy_of(const float *values, size_t n) {
    float *copy = malloc(n * sizeof *copy);
    assert_non_null(copy);
    return memcpy(copy, values, n * sizeof *copy);
}

static channel_result step_in_pieces(un_method *method, size_t rows) {
    dedn *n = (dedn *)method;
    double losses[UN_MAX_LOSSES];
    channel_result out = {NULL, NULL};
    assert_true(rows <= n->channels.rows);
    n->channels.rows = rows;
    n->channels.pieces = (2 * n->N + rows - 1) / rows;
    util_ok(un_method_dedn.learner->step(method, 0, 0, losses));
    size_t psis = n->draws.size * n->N, sums = psis * 2 * n->R;
    out.psi = copy_of(n->batch.channel_psi, psis);
    out.sums = copy_of(n->batch.sums, sums);
    return out;
}

/* Sums of the same terms, whose order in f32 may depend on a product's shape; bf16 rounds before
 * them. A term of a sum of n is off by n 2^-24 of the largest at most: 70 channels. */
static void check_same(const float *a, const float *b, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)a[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < n; i++) util_near((double)a[i], (double)b[i], 70 * 0x1p-24 * largest);
}

static void pieces_do_not_matter(void **state) {
    (void)state;
    static const size_t rows[] = {64, 32, 6, 2};
    for (int p = 0; p < 2; p++)
        for (int threads = 1; threads <= 3; threads += 2) {
            util_scene s;
            util_ok(un_set_threads(threads));
            open_scene(&s, &g_wide, 30);
            un_method *method = make_method(&s, NULL, p ? UN_PRECISION_BF16 : UN_PRECISION_F32);
            const dedn *n = (const dedn *)method;
            assert_int_equal(n->channels.rows, 2 * n->N);
            channel_result whole = step_in_pieces(method, 2 * n->N);
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                channel_result cut = step_in_pieces(method, rows[i]);
                check_same(whole.psi, cut.psi, n->draws.size * n->N);
                check_same(whole.sums, cut.sums, n->draws.size * n->N * 2 * n->R);
                free(cut.psi);
                free(cut.sums);
            }
            free(whole.psi);
            free(whole.sums);
            un_method_dedn.destroy(method);
            util_scene_free(&s);
        }
    util_ok(un_set_threads(0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_do_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
