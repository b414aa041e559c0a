/*
 * test_curve.c - the seen-unseen curve at every gamma where it can change, recounted from the score
 * matrix, and the gamma that is chosen on one or several.
 */
#include "unit/score_sample.h"

/* A curve is right if each interval's accuracies are those of a gamma inside it, no
 * threshold is missing (the ends are the two extremes) and none is superfluous. */
static void check_curve(const table *t, const un_curve *curve) {
    double U = 0, S = 0, unused = 0;
    double area = t->seen_count == 0 || t->seen_count == t->n ? (double)NAN : 0;
    assert_true(curve->count >= 1);
    for (size_t j = 0; j < curve->count; j++) {
        double gamma = un_curve_gamma(curve, j);
        recount(t, t->seen_count, t->n, gamma, 0, &U, &unused);
        recount(t, 0, t->seen_count, gamma, 0, &S, &unused);
        same(curve->U[j], U, 1e-12);
        same(curve->S[j], S, 1e-12);
        assert_int_equal(un_curve_locate(curve, gamma), j);
        if (j == 0) continue;
        area += (curve->U[j] - curve->U[j - 1]) * (curve->S[j] + curve->S[j - 1]) / 2;
        if (!isnan(curve->U[j])) assert_true(curve->U[j] >= curve->U[j - 1] - 1e-12);
        if (!isnan(curve->S[j])) assert_true(curve->S[j] <= curve->S[j - 1] + 1e-12);
        assert_int_equal(un_curve_locate(curve, curve->threshold[j - 1]), j);
        if (j > 1) assert_true(curve->threshold[j - 1] > curve->threshold[j - 2]);
    }
    same(un_curve_area(curve), area, 1e-12);
    recount(t, t->seen_count, t->n, 1e6, 0, &U, &unused);
    recount(t, 0, t->seen_count, -1e6, 0, &S, &unused);
    same(curve->U[curve->count - 1], U, 1e-12);
    same(curve->S[0], S, 1e-12);
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
            same(curve.U[j], U, 1e-12);
            same(curve.S[j], S, 1e-12);
        }
        un_curve_free(&curve);
        un_predictions_free(&t.p);
    }
}

/* Several curves: every candidate is a middle between neighbouring thresholds of all. */
static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Over the folds that have images of both kinds; NaN if none has. */
static double mean_h(const table *t, size_t n, double gamma) {
    double sum = 0, measured = 0, U = 0, S = 0, unused = 0;
    for (size_t f = 0; f < n; f++) {
        recount(&t[f], t[f].seen_count, t[f].n, gamma, 0, &U, &unused);
        recount(&t[f], 0, t[f].seen_count, gamma, 0, &S, &unused);
        if (isnan(U) || isnan(S)) continue;
        sum += harmonic(U, S);
        measured++;
    }
    return measured > 0 ? sum / measured : (double)NAN;
}

/* Every interval between neighbouring thresholds, tried by counting. */
typedef struct {
    double low, high, h;
} interval;

static size_t all_intervals(const table *t, const un_curve *curve, size_t n, interval *out) {
    double all[3 * MAX_IMAGES];
    size_t count = 0, used = 0;
    for (size_t f = 0; f < n; f++) {
        if (t[f].seen_count == 0 || t[f].seen_count == t[f].n) continue;
        for (size_t j = 0; j + 1 < curve[f].count; j++) all[count++] = curve[f].threshold[j];
    }
    qsort(all, count, sizeof *all, by_value);
    for (size_t j = 0; j <= count; j++) {
        double low = j == 0 ? -(double)INFINITY : all[j - 1];
        double high = j == count ? (double)INFINITY : all[j];
        if (low == high) continue;
        double at = isfinite(low) && isfinite(high) ? low + (high - low) / 2
                    : isfinite(high)                ? high - 1
                    : isfinite(low)                 ? low + 1
                                                    : 0;
        out[used++] = (interval){low, high, mean_h(t, n, at)};
    }
    return used;
}

/* How far the nearest of the best intervals is from 0. */
static double nearest_best(const interval *list, size_t count, double best) {
    double nearest = (double)INFINITY;
    for (size_t j = 0; j < count; j++)
        if (list[j].h > best - 1e-12)
            nearest = fmin(nearest, fmax(0, fmax(list[j].low, -list[j].high)));
    return nearest;
}

static void check_choice(const table *t, const un_curve *curve, size_t n) {
    interval list[3 * MAX_IMAGES + 1];
    size_t count = all_intervals(t, curve, n, list);
    un_best_gamma got;
    double best = -1, worst = 2;
    util_ok(un_curve_best_gamma(curve, n, &got));
    if (isnan(mean_h(t, n, 0))) {
        assert_true(isnan(got.mean_h) && !got.decided && got.gamma == 0);
        return;
    }
    for (size_t j = 0; j < count; j++) {
        best = fmax(best, list[j].h);
        worst = fmin(worst, list[j].h);
    }
    util_near(got.mean_h, best, 1e-12);
    assert_int_equal(got.decided, best - worst > 1e-12);
    if (!got.decided) {
        assert_true(got.gamma == 0);
        return;
    }
    util_near(mean_h(t, n, got.gamma), best, 1e-12); /* the gamma does give that mean */
    double nearest = nearest_best(list, count, best);
    for (size_t j = 0; j < count; j++) {
        if (!(list[j].low < got.gamma && got.gamma < list[j].high)) continue;
        /* Its plateau reaches down to where the nearest one does. */
        size_t first = j, last = j;
        while (first > 0 && list[first - 1].h > best - 1e-12) first--;
        while (last + 1 < count && list[last + 1].h > best - 1e-12) last++;
        util_near(fmax(0, fmax(list[first].low, -list[last].high)), nearest, 0);
        if (list[j].low < 0 && list[j].high > 0) assert_true(got.gamma == 0);
        return;
    }
    fail_msg("gamma %g lies on a threshold", got.gamma);
}

static void best_gamma_over_curves(void **state) {
    (void)state;
    enum { FOLDS = 3 };
    for (uint64_t k = 0; k < 300; k++) {
        table t[FOLDS];
        un_curve curve[FOLDS];
        size_t n = 1 + k % FOLDS;
        for (size_t f = 0; f < n; f++) {
            random_table(&t[f], 1000 + k * FOLDS + f, 0);
            util_ok(un_curve_make(&curve[f], &t[f].p));
        }
        check_choice(t, curve, n);
        for (size_t f = 0; f < n; f++) {
            un_curve_free(&curve[f]);
            un_predictions_free(&t[f].p);
        }
    }
}

/* Two classes, one seen; an image of each: right where gamma is below, or above, its threshold. */
static void choose_by_hand(double seen_threshold, double unseen_threshold, un_best_gamma *out) {
    table t = {.C = 2, .n = 2, .seen_count = 1, .seen = {1, 0}, .labels = {0, 1}};
    un_curve curve;
    t.scores[0] = (float)seen_threshold;
    t.scores[2] = (float)unseen_threshold;
    reduce(&t, 0);
    util_ok(un_curve_make(&curve, &t.p));
    util_ok(un_curve_best_gamma(&curve, 1, out));
    un_curve_free(&curve);
    un_predictions_free(&t.p);
}

/* H is 1 between the two thresholds and 0 elsewhere; where they cross it is 0 throughout, and an
 * extreme gamma would be as good as any. */
static void gamma_stays_near_zero(void **state) {
    (void)state;
    un_best_gamma got;
    choose_by_hand(5, -1, &got); /* both are right at 0 */
    assert_true(got.decided && got.gamma == 0);
    choose_by_hand(5, 2, &got);
    assert_true(got.decided && got.gamma == 3.5);
    choose_by_hand(-2, -5, &got);
    assert_true(got.decided && got.gamma == -3.5);
    choose_by_hand(-1, 1, &got); /* seen right below -1, unseen above 1 */
    assert_true(!got.decided && got.gamma == 0 && got.mean_h == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curve_matches_brute_force),
        cmocka_unit_test(best_gamma_over_curves),
        cmocka_unit_test(gamma_stays_near_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
