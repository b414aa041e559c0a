/* curve.c - see curve.h. */
#include "protocol/curve.h"

#include <math.h>
#include <stdlib.h>

double un_harmonic(double u, double s) { return u + s > 0 ? 2 * u * s / (u + s) : 0.0; }

/* What happens to the accuracies when one image's decision flips. */
typedef struct {
    double threshold;
    int32_t du; /* +1: becomes right, as an unseen-class image */
    int32_t ds; /* -1: stops being right, as a seen-class image */
    int32_t label;
} flip;

static int by_threshold(const void *a, const void *b) {
    double x = ((const flip *)a)->threshold, y = ((const flip *)b)->threshold;
    return x < y ? -1 : x > y;
}

/* weight[c]: what one right image of class c adds to U or S. */
static un_status class_shares(const un_predictions *p, double *weight) {
    size_t *images = NULL;
    UN_TRY(un_alloc(p->classes->count, sizeof *images, &images));
    size_t seen = 0, unseen = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t *n = &images[p->items[i].label];
        if ((*n)++ == 0) {
            if (i < p->seen_count)
                seen++;
            else
                unseen++;
        }
    }
    for (size_t i = 0; i < p->count; i++) {
        int32_t c = p->items[i].label;
        weight[c] = 1.0 / ((double)images[c] * (double)(i < p->seen_count ? seen : unseen));
    }
    free(images);
    return UNSEEN_OK;
}

/* All flips, and S at gamma = -infinity (U is 0 there if there are seen classes). */
static size_t collect_flips(const un_predictions *p, const double *weight, flip *flips, double *u,
                            double *s) {
    size_t n = 0;
    for (size_t i = 0; i < p->count; i++) {
        const un_prediction *x = &p->items[i];
        int is_seen = i < p->seen_count;
        int seen_right = x->seen == x->label, unseen_right = x->unseen == x->label;
        if (x->seen < 0 || x->unseen < 0) { /* never flips */
            if (seen_right || unseen_right) *(is_seen ? s : u) += weight[x->label];
            continue;
        }
        if (is_seen && seen_right) *s += weight[x->label];
        flips[n++] = (flip){(double)x->seen_score - (double)x->unseen_score,
                            !is_seen && unseen_right, -(is_seen && seen_right), x->label};
    }
    return n;
}

un_status un_curve_make(un_curve *curve, const un_predictions *p) {
    *curve = (un_curve){0};
    double *weight = NULL;
    flip *flips = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(p->classes->count, sizeof *weight, &weight));
    UN_GO(un_alloc(p->count, sizeof *flips, &flips));
    UN_GO(un_alloc(p->count + 1, sizeof(double), &curve->threshold));
    UN_GO(un_alloc(p->count + 1, sizeof(double), &curve->U));
    UN_GO(un_alloc(p->count + 1, sizeof(double), &curve->S));
    UN_GO(class_shares(p, weight));
    double u = 0, s = 0;
    size_t n = collect_flips(p, weight, flips, &u, &s);
    qsort(flips, n, sizeof *flips, by_threshold);
    curve->U[0] = u;
    curve->S[0] = s;
    curve->count = 1;
    for (size_t i = 0; i < n;) {
        double threshold = flips[i].threshold;
        for (; i < n && flips[i].threshold == threshold; i++) { /* equal ones flip together */
            u += flips[i].du * weight[flips[i].label];
            s += flips[i].ds * weight[flips[i].label];
        }
        curve->threshold[curve->count - 1] = threshold;
        curve->U[curve->count] = u;
        curve->S[curve->count] = s > 0 ? s : 0; /* sums of fractions may end at -1e-17 */
        curve->count++;
    }
done:
    free(weight);
    free(flips);
    if (status) un_curve_free(curve);
    return status;
}

void un_curve_free(un_curve *curve) {
    free(curve->threshold);
    free(curve->U);
    free(curve->S);
    *curve = (un_curve){0};
}

double un_curve_area(const un_curve *curve) {
    double area = 0;
    for (size_t j = 1; j < curve->count; j++)
        area += (curve->U[j] - curve->U[j - 1]) * (curve->S[j] + curve->S[j - 1]) / 2;
    return area;
}

/* The middle of the interval number j of n ascending thresholds; outside, half the whole span
 * beyond the end (one, if there is no span). */
static double interval_middle(const double *threshold, size_t n, size_t j) {
    if (n == 0) return 0;
    double span = threshold[n - 1] - threshold[0];
    double margin = span > 0 ? span / 2 : 1.0;
    if (j == 0) return threshold[0] - margin;
    if (j == n) return threshold[n - 1] + margin;
    return threshold[j - 1] + (threshold[j] - threshold[j - 1]) / 2;
}

double un_curve_gamma(const un_curve *curve, size_t j) {
    return interval_middle(curve->threshold, curve->count - 1, j);
}

size_t un_curve_locate(const un_curve *curve, double gamma) {
    size_t low = 0, high = curve->count - 1; /* first threshold above gamma lies in [low, high] */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->threshold[middle] <= gamma)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

un_status un_curve_best_gamma(const un_curve *curves, size_t n, double *gamma, double *mean_h) {
    size_t total = 0;
    for (size_t f = 0; f < n; f++) total += curves[f].count - 1;
    double *threshold = NULL;
    UN_TRY(un_alloc(total, sizeof *threshold, &threshold));
    size_t at = 0;
    for (size_t f = 0; f < n; f++)
        for (size_t j = 0; j + 1 < curves[f].count; j++) threshold[at++] = curves[f].threshold[j];
    qsort(threshold, total, sizeof *threshold, by_value);
    double best = -1, best_width = -1;
    for (size_t j = 0; j <= total; j++) {
        double width = j > 0 && j < total ? threshold[j] - threshold[j - 1] : 0;
        if (j > 0 && j < total && width == 0) continue;
        double g = interval_middle(threshold, total, j), h = 0;
        for (size_t f = 0; f < n; f++) {
            size_t point = un_curve_locate(&curves[f], g);
            h += un_harmonic(curves[f].U[point], curves[f].S[point]) / (double)n;
        }
        if (h > best + 1e-12 || (h > best - 1e-12 && width > best_width)) {
            best = h > best ? h : best;
            best_width = width;
            *gamma = g;
        }
    }
    *mean_h = best;
    free(threshold);
    return UNSEEN_OK;
}
