/*
 * test_protocol.c - the measures against definitions spelt out the slow way: every accuracy is
 * recounted from the score matrix. The curve over gamma, and choosing gamma: test_curve.c.
 */
#include "protocol/report.h"
#include "unit/score_sample.h"

static void check_accuracy(const table *t, double gamma) {
    un_accuracy a;
    double U, S, T1, iU, iS, iT1;
    util_ok(un_accuracy_at(&t->p, gamma, &a));
    recount(t, 0, t->seen_count, gamma, 0, &S, &iS);
    recount(t, t->seen_count, t->n, gamma, 0, &U, &iU);
    recount(t, t->seen_count, t->n, 0, 1, &T1, &iT1);
    same(a.S, S, 1e-12);
    same(a.U, U, 1e-12);
    same(a.T1, T1, 1e-12);
    same(a.H, harmonic(U, S), 1e-12);
    same(a.image_S, iS, 1e-12);
    same(a.image_U, iU, 1e-12);
    same(a.image_T1, iT1, 1e-12);
    same(a.image_H, harmonic(iU, iS), 1e-12);
    assert_true(a.gamma == gamma);
}

static void accuracies_match_recount(void **state) {
    (void)state;
    static const double gammas[] = {0, -0.3, 0.25, 0.5, 1.75, -1, 100, -100};
    for (uint64_t k = 0; k < 600; k++) {
        table t;
        random_table(&t, k, 0);
        for (size_t g = 0; g < sizeof gammas / sizeof *gammas; g++) check_accuracy(&t, gammas[g]);
        un_predictions_free(&t.p);
    }
}

static void hand_made_table(void **state) {
    (void)state;
    table t;
    un_curve curve;
    un_accuracy a;
    hand_table(&t, 0);
    util_ok(un_accuracy_at(&t.p, 0, &a));
    util_near(a.S, 0.75, 1e-15); /* class 0: 1 of 2, class 2: 1 of 1 */
    util_near(a.U, 0.5, 1e-15);  /* class 1: 0 of 2, class 3: 1 of 1 */
    util_near(a.T1, 1.0, 1e-15);
    util_near(a.H, 0.6, 1e-15);
    util_near(a.image_S, 2.0 / 3, 1e-15);
    util_near(a.image_U, 1.0 / 3, 1e-15);
    util_near(a.image_H, 4.0 / 9, 1e-15);
    util_ok(un_curve_make(&curve, &t.p));
    static const double threshold[] = {-1, 1, 2, 3, 4};
    static const double U[] = {0, 0.5, 0.75, 0.75, 1, 1}, S[] = {0.75, 0.75, 0.75, 0.25, 0.25, 0};
    assert_int_equal(curve.count, 6);
    for (size_t j = 0; j < 5; j++) util_near(curve.threshold[j], threshold[j], 0);
    for (size_t j = 0; j < 6; j++) {
        util_near(curve.U[j], U[j], 1e-15);
        util_near(curve.S[j], S[j], 1e-15);
    }
    /* 0.5 * 0.75 + 0.25 * 0.75 + 0 + 0.25 * 0.25 + 0 */
    util_near(un_curve_area(&curve), 0.625, 1e-15);
    un_best_gamma best;
    util_ok(un_curve_best_gamma(&curve, 1, &best));
    util_near(best.mean_h, 0.75, 1e-15);
    util_near(best.gamma, 1.5, 1e-15);
    assert_true(best.decided);
    un_curve_free(&curve);
    un_predictions_free(&t.p);
}

static void extreme_gammas(void **state) {
    (void)state;
    table t;
    un_accuracy a;
    hand_table(&t, 0);
    util_ok(un_accuracy_at(&t.p, (double)INFINITY, &a));
    util_near(a.S, 0, 0);
    util_near(a.U, a.T1, 0);
    util_ok(un_accuracy_at(&t.p, -(double)INFINITY, &a));
    util_near(a.U, 0, 0);
    util_near(a.S, 0.75, 1e-15);
    util_near(a.H, 0, 0);
    un_predictions_free(&t.p);
}

static void lowest_index_wins(void **state) {
    (void)state;
    table t = {.C = 4, .n = 2, .seen_count = 1, .seen = {0, 1, 1, 0}, .labels = {1, 0}};
    reduce(&t, 0); /* all scores are 0 */
    assert_int_equal(t.p.items[0].seen, 1);
    assert_int_equal(t.p.items[0].unseen, 0);
    assert_int_equal(un_prediction_decide(&t.p.items[0], 0), 0);
    un_predictions_free(&t.p);
    for (size_t c = 0; c < 4; c++) t.seen[c] = !t.seen[c];
    t.labels[0] = 0;
    t.labels[1] = 1;
    reduce(&t, 0);
    assert_int_equal(un_prediction_decide(&t.p.items[0], 0), 0);
    /* ties made by gamma, not by the scores */
    un_predictions_free(&t.p);
    static const float shifted[] = {2, 1, 0, 0, 0, 1, 2, 0};
    memcpy(t.scores, shifted, sizeof shifted);
    t.n = 2;
    t.labels[1] = 2;
    reduce(&t, 0);
    /* seen 0 at 2 - 1, unseen 1 at 1 */
    assert_int_equal(un_prediction_decide(&t.p.items[0], 1), 0);
    t.p.items[1] = (un_prediction){.seen = 3, .unseen = 2, .seen_score = 3, .unseen_score = 2};
    assert_int_equal(un_prediction_decide(&t.p.items[1], 1), 2);
    un_predictions_free(&t.p);
}

/* Classes strictly ahead, and equal ones of lower index. */
static int32_t rank_of(const table *t, size_t i, double gamma, int unseen_only) {
    size_t own = (size_t)t->labels[i];
    if (unseen_only && t->seen[own]) return -1;
    int32_t rank = 0;
    double mine = adjusted(t, i, own, gamma, unseen_only);
    for (size_t c = 0; c < t->C; c++) {
        double other = adjusted(t, i, c, gamma, unseen_only);
        if (c != own && (other > mine || (other == mine && c < own))) rank++;
    }
    return rank;
}

static double top_k_recount(const table *t, size_t begin, size_t end, double gamma, int unseen_only,
                            int32_t k) {
    double sum = 0, classes = 0;
    for (size_t c = 0; c < t->C; c++) {
        double own = 0, hits = 0;
        for (size_t i = begin; i < end; i++) {
            if ((size_t)t->labels[i] != c) continue;
            int32_t rank = rank_of(t, i, gamma, unseen_only);
            own++;
            hits += rank >= 0 && rank < k;
        }
        if (own > 0) sum += hits / own;
        classes += own > 0;
    }
    return classes > 0 ? sum / classes : (double)NAN;
}

static void ranks_and_top_k(void **state) {
    (void)state;
    const double rank_gamma = 0.5;
    const double gammas[UN_RANKS] = {[UN_RANK_NATIVE] = 0, [UN_RANK_CALIBRATED] = 0.5};
    for (uint64_t k = 0; k < 300; k++) {
        table t;
        random_table(&t, 5000 + k, rank_gamma);
        for (size_t i = 0; i < t.n; i++)
            for (int r = 0; r < UN_RANKS; r++)
                assert_int_equal(t.p.items[i].rank[r],
                                 rank_of(&t, i, gammas[r], r == UN_RANK_UNSEEN_ONLY));
        for (int r = 0; r < UN_RANKS; r++) {
            for (int32_t top = 1; top <= 5; top += 2) {
                double got = 0;
                int only = r == UN_RANK_UNSEEN_ONLY;
                util_ok(un_top_k(&t.p, r, 1, (size_t)top, &got));
                same(got, top_k_recount(&t, t.seen_count, t.n, gammas[r], only, top), 1e-12);
                if (only) continue;
                util_ok(un_top_k(&t.p, r, 0, (size_t)top, &got));
                same(got, top_k_recount(&t, 0, t.seen_count, gammas[r], 0, top), 1e-12);
            }
        }
        un_accuracy a;
        double top1 = 0;
        util_ok(un_accuracy_at(&t.p, rank_gamma, &a));
        util_ok(un_top_k(&t.p, UN_RANK_CALIBRATED, 1, 1, &top1));
        same(top1, a.U, 1e-12); /* top-1 is the accuracy */
        un_predictions_free(&t.p);
    }
}

static void confusion_and_class_table(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 200; k++) {
        table t;
        uint32_t cells[MAX_CLASSES * MAX_CLASSES];
        un_class_accuracy rows[MAX_CLASSES];
        random_table(&t, 9000 + k, 0);
        un_confusion(&t.p, 0.25, cells);
        util_ok(un_class_accuracies(&t.p, 0.25, rows));
        size_t total = 0;
        for (size_t c = 0; c < t.C; c++) {
            size_t images = 0, row = 0, zero_shot = 0;
            for (size_t i = 0; i < t.n; i++) {
                images += (size_t)t.labels[i] == c;
                zero_shot += (size_t)t.labels[i] == c && chosen_class(&t, i, 0, 1) == c;
            }
            for (size_t d = 0; d < t.C; d++) row += cells[c * t.C + d];
            total += row;
            assert_int_equal(row, images);
            assert_int_equal(rows[c].images, images);
            assert_int_equal(isnan(rows[c].accuracy), images == 0);
            assert_int_equal(isnan(rows[c].zero_shot), images == 0 || t.seen[c]);
            if (images == 0) continue;
            util_near(rows[c].accuracy, (double)cells[c * t.C + c] / (double)images, 1e-15);
            if (!t.seen[c]) util_near(rows[c].zero_shot, (double)zero_shot / (double)images, 1e-15);
        }
        assert_int_equal(total, t.n);
        for (size_t i = 0; i < t.n; i++) {
            size_t own = (size_t)t.labels[i] * t.C + chosen_class(&t, i, 0.25, 0);
            assert_true(cells[own]-- > 0); /* every image is in its cell */
        }
        un_predictions_free(&t.p);
    }
}

static void empty_sets(void **state) {
    (void)state;
    table t = {.C = 3, .seen = {1, 1, 0}};
    un_accuracy a;
    un_curve curve;
    un_best_gamma best;
    reduce(&t, 0);
    util_ok(un_accuracy_at(&t.p, 0, &a));
    assert_true(isnan(a.T1) && isnan(a.U) && isnan(a.S) && isnan(a.H));
    util_ok(un_curve_make(&curve, &t.p));
    assert_int_equal(curve.count, 1);
    assert_true(isnan(un_curve_area(&curve)));
    assert_int_equal(un_curve_locate(&curve, 3.0), 0);
    util_ok(un_curve_best_gamma(&curve, 1, &best));
    assert_true(best.gamma == 0 && isnan(best.mean_h) && !best.decided);
    un_curve_free(&curve);
    un_predictions_free(&t.p);
}

/* A pure zero-shot split has no test images of seen classes: what needs them is null in JSON. */
static void json_of_empty_sets(void **state) {
    (void)state;
    static const char *const null_without_seen[] = {"S", "H", "AUSUC", "H_best_curve",
                                                    "best_curve"};
    static const char *const null_without_unseen[] = {"T1", "U", "H", "AUSUC"};
    for (int seen = 0; seen < 2; seen++) {
        table t = {.C = 2, .n = 1, .seen_count = (size_t)seen, .seen = {1, 0}, .labels = {!seen}};
        static char names[2][4] = {"a", "b"};
        char *list[] = {names[0], names[1]};
        json_t *result = NULL;
        const un_result_context context = {.method = "m",
                                           .score_unit = "u",
                                           .selection = "none",
                                           .split_hash = "",
                                           .gamma_source = "native"};
        reduce(&t, 0);
        t.classes.names = list;
        util_ok(un_result_json(&t.p, &context, &result));
        const char *const *nulls = seen ? null_without_unseen : null_without_seen;
        for (size_t k = 0; k < (seen ? 4u : 5u); k++)
            if (!json_is_null(json_object_get(result, nulls[k])))
                fail_msg("\"%s\" is not null", nulls[k]);
        assert_true(json_is_number(json_object_get(result, seen ? "S" : "T1")));
        const json_t *native = json_object_get(result, "native");
        assert_true(json_is_null(json_object_get(native, seen ? "U" : "S")));
        assert_true(json_is_null(json_object_get(native, "H")));
        const json_t *images = json_object_get(result, "per_image");
        assert_true(json_is_null(json_object_get(images, "H")));
        assert_true(
            json_is_null(json_object_get(json_object_get(result, "top5"), seen ? "U" : "S")));
        json_decref(result);
        un_predictions_free(&t.p);
    }
}

/* Figures at a gamma that the test sets chose do not stand under the name of validation. */
static void selection_names_its_figures(void **state) {
    (void)state;
    static const char *const selections[] = {"validation", "selected on test"};
    static const char *const keys[] = {"validation", "selected_on_test"};
    static char names[4][4] = {"a", "b", "c", "d"};
    char *list[] = {names[0], names[1], names[2], names[3]};
    for (size_t k = 0; k < 2; k++) {
        table t;
        json_t *result = NULL, *results = json_array(), *summary = NULL;
        const un_result_context context = {.method = "m",
                                           .score_unit = "u",
                                           .selection = selections[k],
                                           .split_hash = "",
                                           .gamma = 1.5,
                                           .gamma_source = selections[k],
                                           .has_selected_gamma = 1,
                                           .selected_gamma = 1.5};
        hand_table(&t, 0);
        t.classes.names = list;
        util_ok(un_result_json(&t.p, &context, &result));
        assert_true(json_is_object(json_object_get(result, keys[k])));
        assert_true(json_is_null(json_object_get(result, keys[1 - k])));
        assert_ptr_equal(un_result_selected(result), json_object_get(result, keys[k]));
        un_json_push(&results, result);
        util_ok(un_result_summary(results, &summary));
        const json_t *mean = json_object_get(summary, "mean");
        char name[40];
        snprintf(name, sizeof name, "%s_H", keys[k]);
        util_near(json_number_value(json_object_get(mean, name)), 0.75, 1e-12);
        snprintf(name, sizeof name, "%s_H", keys[1 - k]);
        assert_true(json_is_null(json_object_get(mean, name)));
        json_decref(summary);
        json_decref(results);
        un_predictions_free(&t.p);
    }
}

/* Both would poison every comparison that follows: NaN directly, two infinities of the
 * same sign through their difference. */
static void scores_must_be_finite(void **state) {
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t k = 0; k < 3; k++) {
        table t = {.C = 2, .n = 1, .seen_count = 1, .seen = {1, 0}, .scores = {bad[k], bad[k]}};
        t.classes = (un_class_table){.count = t.C, .seen = t.seen};
        un_status status =
            un_predictions_from_scores(&t.p, &t.classes, t.scores, t.labels, t.n, t.seen_count, 0);
        assert_int_equal(status, UNSEEN_E_FORMAT);
        assert_non_null(strstr(un_error(), "training diverged"));
        assert_null(t.p.items);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accuracies_match_recount),
        cmocka_unit_test(hand_made_table),
        cmocka_unit_test(extreme_gammas),
        cmocka_unit_test(lowest_index_wins),
        cmocka_unit_test(ranks_and_top_k),
        cmocka_unit_test(confusion_and_class_table),
        cmocka_unit_test(empty_sets),
        cmocka_unit_test(scores_must_be_finite),
        cmocka_unit_test(json_of_empty_sets),
        cmocka_unit_test(selection_names_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
