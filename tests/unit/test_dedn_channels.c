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
    float *values; /* psi, sums and du, one behind the other */
    size_t at[4];  /* where each begins, and the end */
} channel_result;

static channel_result step_in_pieces(un_method *method, size_t rows) {
    dedn *n = (dedn *)method;
    double losses[UN_MAX_LOSSES];
    channel_result out = {0};
    assert_true(rows <= n->channels.rows);
    n->channels.rows = rows;
    n->channels.pieces = (2 * n->N + rows - 1) / rows;
    util_ok(un_method_dedn.learner->step(method, 0, 0, losses));
    const float *parts[] = {n->batch.channel_psi, n->batch.sums, n->channels.du};
    const size_t psis = n->draws.size * n->N, sizes[] = {psis, psis * 2 * n->R, 2 * n->N * n->R};
    for (size_t i = 0; i < 3; i++) out.at[i + 1] = out.at[i] + sizes[i];
    out.values = malloc(out.at[3] * sizeof *out.values);
    assert_non_null(out.values);
    for (size_t i = 0; i < 3; i++)
        memcpy(out.values + out.at[i], parts[i], sizes[i] * sizeof *out.values);
    return out;
}

/* In f32 the order of a sum may depend on a product's shape: a logit, of 9 terms and below 50 here, is
 * off by 450 2^-24, its exponential by that part, twice with the share's, and sums over 70 channels
 * by 70 2^-24 more. In bf16 what is rounded after that may fall to the other side: 2^-8 of a term. */
static void check_same(const channel_result *a, const channel_result *b, int bf16) {
    double bound = 970 * 0x1p-24 + (bf16 ? 0x1p-8 : 0);
    for (size_t part = 0; part < 3; part++) {
        double largest = 0;
        for (size_t i = a->at[part]; i < a->at[part + 1]; i++)
            largest = fmax(largest, fabs((double)a->values[i]));
        assert_true(largest > 0);
        for (size_t i = a->at[part]; i < a->at[part + 1]; i++)
            util_near((double)a->values[i], (double)b->values[i], bound * largest);
    }
}

/* The reference is the uncut stack on one thread. */
static void pieces_do_not_matter(void **state) {
    (void)state;
    static const size_t rows[] = {64, 32, 6, 2};
    for (int bf16 = 0; bf16 < 2; bf16++) {
        channel_result whole = {0};
        for (int threads = 1; threads <= 3; threads++) {
            util_scene s;
            util_ok(un_set_threads(threads));
            open_scene(&s, &g_wide, 30);
            un_method *method = make_method(&s, NULL, bf16 ? UN_PRECISION_BF16 : UN_PRECISION_F32);
            const dedn *n = (const dedn *)method;
            assert_int_equal(n->channels.rows, 2 * n->N);
            if (threads == 1) whole = step_in_pieces(method, 2 * n->N);
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
                channel_result cut = step_in_pieces(method, rows[i]);
                check_same(&whole, &cut, bf16);
                free(cut.values);
            }
            un_method_dedn.destroy(method);
            util_scene_free(&s);
        }
        free(whole.values);
    }
    util_ok(un_set_threads(0));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_do_not_matter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
