/*
 * test_protocol.c - the measures against definitions spelt out the slow way:
 * every accuracy is recounted from the score matrix, the seen-unseen curve at
 * every gamma where it can change.
 */
#include <math.h>

#include "protocol/metrics.h"
#include "protocol/report.h"
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

/* As util_near, and NaN is NaN: what has no images was not measured. */
#define same(got, want, tolerance)                                                                 \
    do {                                                                                           \
        double same_want_ = (want);                                                                \
        if (isnan(same_want_))                                                                     \
            assert_true(isnan(got));                                                               \
        else                                                                                       \
            util_near(got, same_want_, tolerance);                                                 \
    } while (0)

/* Per-class and per-image accuracy of images begin..end-1; NaN without images. */
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
    *per_class = classes > 0 ? sum / classes : (double)NAN;
    *per_image = end > begin ? right / (double)(end - begin) : (double)NAN;
}

static double harmonic(double u, double s) {
    if (isnan(u) || isnan(s)) return (double)NAN;
    return u + s > 0 ? 2 * u * s / (u + s) : 0;
}

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
    un_gamma_choice best;
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
    un_gamma_choice got;
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
static void choose_by_hand(double seen_threshold, double unseen_threshold, un_gamma_choice *out) {
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
    un_gamma_choice got;
    choose_by_hand(5, -1, &got); /* both are right at 0 */
    assert_true(got.decided && got.gamma == 0);
    choose_by_hand(5, 2, &got);
    assert_true(got.decided && got.gamma == 3.5);
    choose_by_hand(-2, -5, &got);
    assert_true(got.decided && got.gamma == -3.5);
    choose_by_hand(-1, 1, &got); /* seen right below -1, unseen above 1 */
    assert_true(!got.decided && got.gamma == 0 && got.mean_h == 0);
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
    un_gamma_choice best;
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
        cmocka_unit_test(curve_matches_brute_force),
        cmocka_unit_test(hand_made_table),
        cmocka_unit_test(extreme_gammas),
        cmocka_unit_test(lowest_index_wins),
        cmocka_unit_test(best_gamma_over_curves),
        cmocka_unit_test(gamma_stays_near_zero),
        cmocka_unit_test(ranks_and_top_k),
        cmocka_unit_test(confusion_and_class_table),
        cmocka_unit_test(empty_sets),
        cmocka_unit_test(scores_must_be_finite),
        cmocka_unit_test(json_of_empty_sets),
        cmocka_unit_test(selection_names_its_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
