/*
 * score_sample.h - what the tests of the protocol share: score matrices, random or made by hand,
 * and accuracies recounted from them by the definition.
 */
#ifndef UN_TESTS_SCORE_SAMPLE_H
#define UN_TESTS_SCORE_SAMPLE_H

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

static inline void reduce(table *t, double rank_gamma) {
    t->classes = (un_class_table){.count = t->C, .seen = t->seen};
    util_ok(un_predictions_from_scores(&t->p, &t->classes, t->scores, t->labels, t->n,
                                       t->seen_count, rank_gamma));
}

/* `levels` > 0 quantises the scores, which makes ties common. */
static inline void random_table(table *t, uint64_t number, double rank_gamma) {
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
static inline double adjusted(const table *t, size_t i, size_t c, double gamma, int unseen_only) {
    if (unseen_only && t->seen[c]) return -(double)INFINITY;
    return (double)t->scores[i * t->C + c] - (t->seen[c] ? gamma : 0);
}

/* Straight from the definition; a finite gamma. */
static inline size_t chosen_class(const table *t, size_t i, double gamma, int unseen_only) {
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
static inline void recount(const table *t, size_t begin, size_t end, double gamma, int unseen_only,
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

static inline double harmonic(double u, double s) {
    if (isnan(u) || isnan(s)) return (double)NAN;
    return u + s > 0 ? 2 * u * s / (u + s) : 0;
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

static inline void hand_table(table *t, double rank_gamma) {
    *t = (table){
        .C = 4, .n = 6, .seen_count = 3, .seen = {1, 0, 1, 0}, .labels = {0, 0, 2, 1, 1, 3}};
    memcpy(t->scores, g_hand, sizeof g_hand);
    reduce(t, rank_gamma);
}

#endif
