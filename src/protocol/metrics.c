/* metrics.c - see metrics.h: accuracies, the curve over all gammas, the best gamma. */
#include "protocol/metrics.h"

#include <math.h>
#include <stdlib.h>

/* ---- accuracies at one gamma ---- */

double un_harmonic(double u, double s) {
    if (isnan(u) || isnan(s)) return (double)NAN;
    return u + s > 0 ? 2 * u * s / (u + s) : 0.0;
}

void un_mean_deviation(double (*number)(const void *from, size_t i), const void *from, size_t n,
                       double *mean, double *deviation) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) sum += number(from, i) / (double)n;
    for (size_t i = 0; i < n; i++) squares += (number(from, i) - sum) * (number(from, i) - sum);
    *mean = n > 0 ? sum : (double)NAN;
    *deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : (double)NAN;
}

/* Right and all images of each class. */
typedef struct {
    size_t *right, *images;
    size_t classes;
} tally;

static un_status tally_open(tally *t, size_t classes) {
    *t = (tally){.classes = classes};
    UN_TRY(un_alloc(classes, sizeof *t->right, &t->right));
    un_status status = un_alloc(classes, sizeof *t->images, &t->images);
    if (status) free(t->right);
    return status;
}

static void tally_close(tally *t) {
    free(t->right);
    free(t->images);
}

static void tally_reset(tally *t) {
    for (size_t c = 0; c < t->classes; c++) t->right[c] = t->images[c] = 0;
}

/* Means over classes and over images; NaN without images. */
static void tally_means(const tally *t, double *per_class, double *per_image) {
    double sum = 0;
    size_t classes = 0, right = 0, images = 0;
    for (size_t c = 0; c < t->classes; c++) {
        if (t->images[c] == 0) continue;
        sum += (double)t->right[c] / (double)t->images[c];
        classes++;
        right += t->right[c];
        images += t->images[c];
    }
    *per_class = classes ? sum / (double)classes : (double)NAN;
    *per_image = images ? (double)right / (double)images : (double)NAN;
}

static void count(tally *t, const un_prediction *p, int right) {
    t->images[p->label]++;
    t->right[p->label] += right ? 1 : 0;
}

un_status un_accuracy_at(const un_predictions *p, double gamma, un_accuracy *out) {
    tally t;
    UN_TRY(tally_open(&t, p->classes->count));
    *out = (un_accuracy){.gamma = gamma};
    for (size_t i = 0; i < p->seen_count; i++)
        count(&t, &p->items[i], un_prediction_decide(&p->items[i], gamma) == p->items[i].label);
    tally_means(&t, &out->S, &out->image_S);
    tally_reset(&t);
    for (size_t i = p->seen_count; i < p->count; i++)
        count(&t, &p->items[i], un_prediction_decide(&p->items[i], gamma) == p->items[i].label);
    tally_means(&t, &out->U, &out->image_U);
    tally_reset(&t);
    for (size_t i = p->seen_count; i < p->count; i++)
        count(&t, &p->items[i], p->items[i].unseen == p->items[i].label);
    tally_means(&t, &out->T1, &out->image_T1);
    out->H = un_harmonic(out->U, out->S);
    out->image_H = un_harmonic(out->image_U, out->image_S);
    tally_close(&t);
    return UNSEEN_OK;
}

un_status un_class_accuracies(const un_predictions *p, double gamma, un_class_accuracy *out) {
    tally all, zero_shot;
    UN_TRY(tally_open(&all, p->classes->count));
    un_status status = tally_open(&zero_shot, p->classes->count);
    if (status) {
        tally_close(&all);
        return status;
    }
    for (size_t i = 0; i < p->count; i++) {
        const un_prediction *x = &p->items[i];
        count(&all, x, un_prediction_decide(x, gamma) == x->label);
        count(&zero_shot, x, x->unseen == x->label);
    }
    for (size_t c = 0; c < p->classes->count; c++) {
        double n = (double)all.images[c];
        out[c] = (un_class_accuracy){all.images[c], (double)NAN, (double)NAN};
        if (n > 0) out[c].accuracy = (double)all.right[c] / n;
        if (n > 0 && !p->classes->seen[c]) out[c].zero_shot = (double)zero_shot.right[c] / n;
    }
    tally_close(&all);
    tally_close(&zero_shot);
    return UNSEEN_OK;
}

void un_confusion(const un_predictions *p, double gamma, uint32_t *out) {
    size_t C = p->classes->count;
    for (size_t i = 0; i < C * C; i++) out[i] = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t predicted = (size_t)un_prediction_decide(&p->items[i], gamma);
        out[(size_t)p->items[i].label * C + predicted]++;
    }
}

un_status un_top_k(const un_predictions *p, int rank, int unseen, size_t k, double *out) {
    tally t;
    double per_image = 0;
    UN_TRY(tally_open(&t, p->classes->count));
    size_t begin = unseen ? p->seen_count : 0, end = unseen ? p->count : p->seen_count;
    for (size_t i = begin; i < end; i++) {
        int32_t r = p->items[i].rank[rank];
        count(&t, &p->items[i], r >= 0 && (size_t)r < k);
    }
    tally_means(&t, out, &per_image);
    tally_close(&t);
    return UNSEEN_OK;
}

/* ---- the exact seen-unseen curve ---- */

/* How far apart sums of rounded fractions may be and still be one number. */
static const double SAME = 1e-12;

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
        /* Sums of fractions may end beside 0; one right image makes more than that. */
        curve->S[curve->count] = s > SAME ? s : 0;
        curve->count++;
    }
    for (size_t j = 0; j < curve->count; j++) {
        if (p->seen_count == 0) curve->S[j] = (double)NAN;
        if (p->seen_count == p->count) curve->U[j] = (double)NAN;
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
    double area = isnan(curve->U[0]) || isnan(curve->S[0]) ? (double)NAN : 0;
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

/* ---- the best common gamma of several curves ---- */

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* What the intervals between all thresholds of several curves come to. */
typedef struct {
    size_t count;      /* thresholds, n of all curves; intervals: one more */
    double *threshold; /* [count] ascending */
    double *mean_h;    /* [count + 1], -1: the interval is empty */
} joint;

static int is_measured(const un_curve *c) { return !isnan(c->U[0]) && !isnan(c->S[0]); }

static un_status joint_open(joint *t, const un_curve *curves, size_t n) {
    size_t total = 0, at = 0, measured = 0;
    *t = (joint){0};
    for (size_t f = 0; f < n; f++) total += is_measured(&curves[f]) ? curves[f].count - 1 : 0;
    UN_TRY(un_alloc(total + 1, sizeof(double), &t->threshold));
    un_status status = un_alloc(total + 1, sizeof(double), &t->mean_h);
    if (status) return status;
    for (size_t f = 0; f < n; f++) {
        if (!is_measured(&curves[f])) continue;
        measured++;
        for (size_t j = 0; j + 1 < curves[f].count; j++)
            t->threshold[at++] = curves[f].threshold[j];
    }
    qsort(t->threshold, total, sizeof(double), by_value);
    t->count = total;
    for (size_t j = 0; j <= total; j++) {
        t->mean_h[j] = -1;
        if (j > 0 && j < total && t->threshold[j] == t->threshold[j - 1]) continue;
        double gamma = interval_middle(t->threshold, total, j), h = 0;
        for (size_t f = 0; f < n; f++) {
            if (!is_measured(&curves[f])) continue;
            size_t point = un_curve_locate(&curves[f], gamma);
            h += un_harmonic(curves[f].U[point], curves[f].S[point]) / (double)measured;
        }
        t->mean_h[j] = h;
    }
    return UNSEEN_OK;
}

static void joint_close(joint *t) {
    free(t->threshold);
    free(t->mean_h);
}

static double lower_end(const joint *t, size_t j) {
    return j > 0 ? t->threshold[j - 1] : -(double)INFINITY;
}

static double upper_end(const joint *t, size_t j) {
    return j < t->count ? t->threshold[j] : (double)INFINITY;
}

/* Intervals first .. last of one mean H, and what speaks for them. */
typedef struct {
    size_t first, last;
    double distance, width;
} plateau;

static plateau measure_plateau(const joint *t, size_t first, size_t last) {
    double low = lower_end(t, first), high = upper_end(t, last);
    return (plateau){first, last, fmax(0, fmax(low, -high)), high - low};
}

/* The gamma of a plateau. Between two of its intervals ties may make a third value of H, so the
 * answer lies inside of one. */
static double plateau_gamma(const joint *t, const plateau *p) {
    double low = lower_end(t, p->first), high = upper_end(t, p->last);
    double aim = low < 0 && high > 0 ? 0 : low / 2 + high / 2;
    if (!isfinite(aim)) /* open to one side: the interval on the side of 0 */
        return interval_middle(t->threshold, t->count, low < 0 ? p->last : p->first);
    for (size_t j = p->first; j <= p->last; j++) {
        if (t->mean_h[j] < 0 || aim >= upper_end(t, j)) continue;
        return aim == 0 && lower_end(t, j) < 0 ? 0 : interval_middle(t->threshold, t->count, j);
    }
    return interval_middle(t->threshold, t->count, p->last);
}

static plateau best_plateau(const joint *t, double mean_h) {
    plateau best = {.distance = (double)INFINITY};
    for (size_t j = 0; j <= t->count; j++) {
        if (t->mean_h[j] < mean_h - SAME) continue;
        size_t last = j;
        for (size_t k = j; k <= t->count && (t->mean_h[k] < 0 || t->mean_h[k] >= mean_h - SAME);
             k++)
            if (t->mean_h[k] >= 0) last = k;
        plateau p = measure_plateau(t, j, last);
        if (p.distance < best.distance || (p.distance == best.distance && p.width > best.width))
            best = p;
        j = last;
    }
    return best;
}

un_status un_curve_best_gamma(const un_curve *curves, size_t n, un_best_gamma *out) {
    size_t measured = 0;
    *out = (un_best_gamma){.mean_h = (double)NAN};
    for (size_t f = 0; f < n; f++) measured += is_measured(&curves[f]) ? 1 : 0;
    if (measured == 0) return UNSEEN_OK;
    joint t;
    un_status status = joint_open(&t, curves, n);
    double best = -1, worst = 2;
    for (size_t j = 0; j <= t.count && !status; j++) {
        if (t.mean_h[j] < 0) continue;
        best = fmax(best, t.mean_h[j]);
        worst = fmin(worst, t.mean_h[j]);
    }
    if (!status) {
        out->mean_h = best;
        out->decided = best - worst > SAME;
        if (out->decided) {
            plateau p = best_plateau(&t, best);
            out->gamma = plateau_gamma(&t, &p);
        }
    }
    joint_close(&t);
    return status;
}
