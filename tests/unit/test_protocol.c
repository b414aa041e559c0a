/*
 * test_protocol.c - the measures against definitions spelt out the slow way:
 * every accuracy is recounted from the score matrix, the seen-unseen curve at
 * every gamma where it can change.
 */
#include <math.h>

#include "protocol/metrics.h"
#include "util.h"

enum { MAX_CLASSES = 12, MAX_IMAGES = 60 };

/* A random case, or one made by hand. */
typedef struct {
    size_t C, n, seen_count;
    unsigned char seen[MAX_CLASSES];
    float scores[MAX_IMAGES * MAX_CLASSES];
    int32_t labels[MAX_IMAGES];
    un_class_table classes;
    un_predictions p;
} table;

static void reduce(table *t, double rank_gamma) {
    t->classes = (un_class_table){.count = t->C, .seen = t->seen};
    util_ok(un_predictions_from_scores(&t->p, &t->classes, t->scores, t->labels, t->n,
                                       t->seen_count, rank_gamma));
}

/* `levels` > 0 quantises the scores, which makes ties common. */
static void random_table(table *t, uint64_t number, double rank_gamma) {
    un_rng rng = un_rng_stream(1, "protocol", number);
    *t = (table){.C = 1 + (size_t)un_rng_below(&rng, MAX_CLASSES)};
    size_t levels = number % 3 == 0 ? 0 : 2 + (size_t)un_rng_below(&rng, 6);
    size_t kinds = (size_t)un_rng_below(&rng, 6); /* sometimes only seen or only unseen classes */
    size_t seen_classes = 0, seen_list[MAX_CLASSES], unseen_list[MAX_CLASSES];
    for (size_t c = 0; c < t->C; c++) {
        t->seen[c] = kinds == 0 ? 1 : kinds == 1 ? 0 : un_rng_below(&rng, 2) == 1;
        if (t->seen[c])
            seen_list[seen_classes++] = c;
        else
            unseen_list[c - seen_classes] = c;
    }
    size_t unseen_classes = t->C - seen_classes;
    size_t a = seen_classes ? (size_t)un_rng_below(&rng, MAX_IMAGES / 2) : 0;
    size_t b = unseen_classes ? (size_t)un_rng_below(&rng, MAX_IMAGES / 2) : 0;
    t->seen_count = a;
    t->n = a + b;
    for (size_t i = 0; i < t->n; i++)
        t->labels[i] = (int32_t)(i < a ? seen_list[un_rng_below(&rng, seen_classes)]
                                       : unseen_list[un_rng_below(&rng, unseen_classes)]);
    for (size_t i = 0; i < t->n * t->C; i++)
        t->scores[i] =
            levels ? (float)un_rng_below(&rng, levels) / 4.0f : (float)un_rng_normal(&rng);
    reduce(t, rank_gamma);
}

/* What a class counts for with gamma subtracted; -inf leaves it out. */
static double adjusted(const table *t, size_t i, size_t c, double gamma, int unseen_only) {
    if (unseen_only && t->seen[c]) return -(double)INFINITY;
    return (double)t->scores[i * t->C + c] - (t->seen[c] ? gamma : 0);
}

/* Straight from the definition; a finite gamma. */
static size_t chosen_class(const table *t, size_t i, double gamma, int unseen_only) {
    size_t best = t->C;
    for (size_t c = 0; c < t->C; c++) {
        if (unseen_only && t->seen[c]) continue;
        if (best == t->C ||
            adjusted(t, i, c, gamma, unseen_only) > adjusted(t, i, best, gamma, unseen_only))
            best = c;
    }
    return best;
}

/* Per-class and per-image accuracy of images begin..end-1. */
static void recount(const table *t, size_t begin, size_t end, double gamma, int unseen_only,
                    double *per_class, double *per_image) {
    double sum = 0, classes = 0, right = 0;
    for (size_t c = 0; c < t->C; c++) {
        double own = 0, hits = 0;
        for (size_t i = begin; i < end; i++) {
            if ((size_t)t->labels[i] != c) continue;
            own++;
            hits += chosen_class(t, i, gamma, unseen_only) == c;
        }
        if (own > 0) {
            sum += hits / own;
            classes++;
        }
        right += hits;
    }
    *per_class = classes > 0 ? sum / classes : 0;
    *per_image = end > begin ? right / (double)(end - begin) : 0;
}

static double harmonic(double u, double s) { return u + s > 0 ? 2 * u * s / (u + s) : 0; }

static void check_accuracy(const table *t, double gamma) {
    un_accuracy a;
    double U, S, T1, iU, iS, iT1;
    util_ok(un_accuracy_at(&t->p, gamma, &a));
    recount(t, 0, t->seen_count, gamma, 0, &S, &iS);
    recount(t, t->seen_count, t->n, gamma, 0, &U, &iU);
    recount(t, t->seen_count, t->n, 0, 1, &T1, &iT1);
    util_near(a.S, S, 1e-12);
    util_near(a.U, U, 1e-12);
    util_near(a.T1, T1, 1e-12);
    util_near(a.H, harmonic(U, S), 1e-12);
    util_near(a.image_S, iS, 1e-12);
    util_near(a.image_U, iU, 1e-12);
    util_near(a.image_T1, iT1, 1e-12);
    util_near(a.image_H, harmonic(iU, iS), 1e-12);
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

/* A curve is right if each interval's accuracies are those of a gamma inside it, no
 * threshold is missing (the ends are the two extremes) and none is superfluous. */
static void check_curve(const table *t, const un_curve *curve) {
    double U = 0, S = 0, unused = 0, area = 0;
    assert_true(curve->count >= 1);
    for (size_t j = 0; j < curve->count; j++) {
        double gamma = un_curve_gamma(curve, j);
        recount(t, t->seen_count, t->n, gamma, 0, &U, &unused);
        recount(t, 0, t->seen_count, gamma, 0, &S, &unused);
        util_near(curve->U[j], U, 1e-12);
        util_near(curve->S[j], S, 1e-12);
        assert_int_equal(un_curve_locate(curve, gamma), j);
        if (j == 0) continue;
        area += (curve->U[j] - curve->U[j - 1]) * (curve->S[j] + curve->S[j - 1]) / 2;
        assert_true(curve->U[j] >= curve->U[j - 1] - 1e-12);
        assert_true(curve->S[j] <= curve->S[j - 1] + 1e-12);
        assert_int_equal(un_curve_locate(curve, curve->threshold[j - 1]), j);
        if (j > 1) assert_true(curve->threshold[j - 1] > curve->threshold[j - 2]);
    }
    util_near(un_curve_area(curve), area, 1e-12);
    recount(t, t->seen_count, t->n, 1e6, 0, &U, &unused);
    recount(t, 0, t->seen_count, -1e6, 0, &S, &unused);
    util_near(curve->U[curve->count - 1], U, 1e-12);
    util_near(curve->S[0], S, 1e-12);
}

static void curve_matches_brute_force(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 600; k++) {
        table t;
        un_curve curve;
        random_table(&t, k, 0);
        util_ok(un_curve_make(&curve, &t.p));
        check_curve(&t, &curve);
        /* a dense grid finds nothing that the curve does not have */
        for (int g = -40; g <= 40; g++) {
            double gamma = 0.1 * g + 0.013, U = 0, S = 0, unused = 0;
            size_t j = un_curve_locate(&curve, gamma);
            recount(&t, t.seen_count, t.n, gamma, 0, &U, &unused);
            recount(&t, 0, t.seen_count, gamma, 0, &S, &unused);
            util_near(curve.U[j], U, 1e-12);
            util_near(curve.S[j], S, 1e-12);
        }
        un_curve_free(&curve);
        un_predictions_free(&t.p);
    }
}

/* Four classes, 0 and 2 seen. Seen images: of 0 two, of 2 one; unseen: of 1 two, of 3 one.
 * Thresholds (best seen - best unseen), by image:
 *   0: label 0, seen 0 at 5, unseen 1 at 1: 4, right below
 *   1: label 0, seen 2 at 3, unseen 3 at 2: 1, never right
 *   2: label 2, seen 2 at 4, unseen 1 at 2: 2, right below
 *   3: label 1, seen 0 at 3, unseen 1 at 2: 1, right above
 *   4: label 1, seen 2 at 6, unseen 1 at 3: 3, right above
 *   5: label 3, seen 0 at 2, unseen 3 at 3: -1, right above */
static const float g_hand[] = {
    5, 1, 2, 0, /* 0 */
    1, 0, 3, 2, /* 1 */
    1, 2, 4, 1, /* 2 */
    3, 2, 1, 0, /* 3 */
    2, 3, 6, 1, /* 4 */
    2, 1, 0, 3, /* 5 */
};

static void hand_table(table *t, double rank_gamma) {
    *t = (table){
        .C = 4, .n = 6, .seen_count = 3, .seen = {1, 0, 1, 0}, .labels = {0, 0, 2, 1, 1, 3}};
    memcpy(t->scores, g_hand, sizeof g_hand);
    reduce(t, rank_gamma);
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
    double gamma = 0, mean = 0;
    util_ok(un_curve_best_gamma(&curve, 1, &gamma, &mean));
    util_near(mean, 0.75, 1e-15);
    util_near(gamma, 1.5, 1e-15);
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

/* Several curves: every candidate is a middle between neighbouring thresholds of all. */
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double mean_h(const table *t, size_t n, double gamma) {
    double mean = 0, U = 0, S = 0, unused = 0;
    for (size_t f = 0; f < n; f++) {
        recount(&t[f], t[f].seen_count, t[f].n, gamma, 0, &U, &unused);
        recount(&t[f], 0, t[f].seen_count, gamma, 0, &S, &unused);
        mean += harmonic(U, S) / (double)n;
    }
    return mean;
}

static void best_gamma_over_curves(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 120; k++) {
        enum { FOLDS = 3 };
        table t[FOLDS];
        un_curve curve[FOLDS];
        double all[FOLDS * MAX_IMAGES], gamma = NAN, mean = NAN, best = 0;
        size_t n = 1 + k % FOLDS, count = 0;
        for (size_t f = 0; f < n; f++) {
            random_table(&t[f], 1000 + k * FOLDS + f, 0);
            util_ok(un_curve_make(&curve[f], &t[f].p));
            for (size_t j = 0; j + 1 < curve[f].count; j++) all[count++] = curve[f].threshold[j];
        }
        util_ok(un_curve_best_gamma(curve, n, &gamma, &mean));
        qsort(all, count, sizeof *all, by_value);
        for (size_t j = 0; j <= count; j++) {
            double at = count == 0   ? 0
                        : j == 0     ? all[0] - 1
                        : j == count ? all[count - 1] + 1
                                     : 0.5 * (all[j - 1] + all[j]);
            if (j > 0 && j < count && all[j] == all[j - 1]) continue;
            double h = mean_h(t, n, at);
            if (h > best) best = h;
        }
        util_near(mean, best, 1e-12);
        assert_true(isfinite(gamma));
        util_near(mean_h(t, n, gamma), best, 1e-12); /* the gamma does give that mean */
        for (size_t f = 0; f < n; f++) {
            un_curve_free(&curve[f]);
            un_predictions_free(&t[f].p);
        }
    }
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
    return classes > 0 ? sum / classes : 0;
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
                util_near(got, top_k_recount(&t, t.seen_count, t.n, gammas[r], only, top), 1e-12);
                if (only) continue;
                util_ok(un_top_k(&t.p, r, 0, (size_t)top, &got));
                util_near(got, top_k_recount(&t, 0, t.seen_count, gammas[r], 0, top), 1e-12);
            }
        }
        un_accuracy a;
        double top1 = 0;
        util_ok(un_accuracy_at(&t.p, rank_gamma, &a));
        util_ok(un_top_k(&t.p, UN_RANK_CALIBRATED, 1, 1, &top1));
        util_near(top1, a.U, 1e-12); /* top-1 is the accuracy */
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
    double gamma = NAN, mean = NAN;
    reduce(&t, 0);
    util_ok(un_accuracy_at(&t.p, 0, &a));
    assert_true(a.T1 == 0 && a.U == 0 && a.S == 0 && a.H == 0);
    util_ok(un_curve_make(&curve, &t.p));
    assert_int_equal(curve.count, 1);
    util_near(un_curve_area(&curve), 0, 0);
    assert_int_equal(un_curve_locate(&curve, 3.0), 0);
    util_ok(un_curve_best_gamma(&curve, 1, &gamma, &mean));
    util_near(gamma, 0, 0);
    util_near(mean, 0, 0);
    un_curve_free(&curve);
    un_predictions_free(&t.p);
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
        cmocka_unit_test(curve_matches_brute_force),
        cmocka_unit_test(hand_made_table),
        cmocka_unit_test(extreme_gammas),
        cmocka_unit_test(lowest_index_wins),
        cmocka_unit_test(best_gamma_over_curves),
        cmocka_unit_test(ranks_and_top_k),
        cmocka_unit_test(confusion_and_class_table),
        cmocka_unit_test(empty_sets),
        cmocka_unit_test(scores_must_be_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
