/* metrics.c - see metrics.h: predictions, accuracies, the curve over all gammas, the best gamma. */
#include "protocol/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "base/parallel.h"

/* ---- what is kept of the scores of each test image ---- */

static const size_t CHUNK_BYTES = 32u * 1024 * 1024; /* of gathered features */

/* Whether score a of class i beats score b of class j. */
static int beats(double a, int32_t i, double b, int32_t j) { return a > b || (a == b && i < j); }

/* What the predictions of all images share. Many classes are scored for every image, so the loops
 * over them have no branches. */
typedef struct {
    const un_class_table *classes;
    float *hidden[2]; /* [C] 0 for a class that is seen (0), unseen (1), -inf for others */
    double *subtracted[UN_RANKS]; /* [C] gamma of seen classes, 0 of others */
    int ranks;                    /* whether they are asked for */
} scan;

static un_status scan_create(scan *s, const un_class_table *classes, double rank_gamma) {
    const double gammas[UN_RANKS] = {
        [UN_RANK_CALIBRATED] = rank_gamma, [UN_RANK_UNSEEN_ONLY] = INFINITY};
    size_t C = classes->count;
    *s = (scan){.classes = classes, .ranks = !isnan(rank_gamma)};
    for (int h = 0; h < 2; h++) UN_TRY(un_alloc(C, sizeof(float), &s->hidden[h]));
    for (int r = 0; r < UN_RANKS; r++) UN_TRY(un_alloc(C, sizeof(double), &s->subtracted[r]));
    for (size_t k = 0; k < C; k++) {
        int seen = classes->seen[k] != 0;
        s->hidden[seen][k] = -INFINITY;
        for (int r = 0; r < UN_RANKS; r++) s->subtracted[r][k] = seen ? gammas[r] : 0.0;
    }
    return UNSEEN_OK;
}

static void scan_free(scan *s) {
    for (int h = 0; h < 2; h++) free(s->hidden[h]);
    for (int r = 0; r < UN_RANKS; r++) free(s->subtracted[r]);
    *s = (scan){0};
}

/* The best classes of both kinds, the first of equals; -1 where there is none of the kind. One pass
 * finds the scores, since a row of many classes comes from far. */
static void best_classes(const scan *s, const float *scores, un_prediction *p) {
    enum { LANES = 16 };
    const float *seen = s->hidden[0], *unseen = s->hidden[1];
    size_t C = s->classes->count, k = 0;
    float lane[2][LANES], best[2] = {-INFINITY, -INFINITY};
    for (size_t j = 0; j < LANES; j++) lane[0][j] = lane[1][j] = -INFINITY;
    for (; k + LANES <= C; k += LANES)
        for (size_t j = 0; j < LANES; j++) {
            float x = scores[k + j] + seen[k + j], y = scores[k + j] + unseen[k + j];
            lane[0][j] = x > lane[0][j] ? x : lane[0][j];
            lane[1][j] = y > lane[1][j] ? y : lane[1][j];
        }
    for (; k < C; k++)
        for (int h = 0; h < 2; h++) {
            float x = scores[k] + s->hidden[h][k];
            best[h] = x > best[h] ? x : best[h];
        }
    int32_t *const class[2] = {&p->seen, &p->unseen};
    float *const score[2] = {&p->seen_score, &p->unseen_score};
    for (int h = 0; h < 2; h++) {
        for (size_t j = 0; j < LANES; j++) best[h] = lane[h][j] > best[h] ? lane[h][j] : best[h];
        *class[h] = -1;
        if (best[h] == -INFINITY) continue; /* scores are finite */
        for (k = 0; scores[k] + s->hidden[h][k] != best[h];) k++;
        *class[h] = (int32_t)k;
        *score[h] = scores[k];
    }
}

/* Classes begin..end-1 whose calibrated score is above `own`, or `equal` to it. */
static int32_t count_ahead(const float *scores, const double *subtracted, size_t begin, size_t end,
                           double own, int equal) {
    int32_t count = 0;
    if (equal)
        for (size_t k = begin; k < end; k++) count += (double)scores[k] - subtracted[k] >= own;
    else
        for (size_t k = begin; k < end; k++) count += (double)scores[k] - subtracted[k] > own;
    return count;
}

static un_prediction scan_row(const scan *s, const float *scores, int32_t label) {
    un_prediction p = {.label = label};
    size_t C = s->classes->count, own_class = (size_t)label;
    best_classes(s, scores, &p);
    for (int r = 0; r < UN_RANKS; r++) {
        p.rank[r] = -1;
        if (!s->ranks || (r == UN_RANK_UNSEEN_ONLY && s->classes->seen[label])) continue;
        /* A class that scores alike is ahead if it stands before. */
        double own = (double)scores[label] - s->subtracted[r][label];
        p.rank[r] = count_ahead(scores, s->subtracted[r], 0, own_class, own, 1) +
                    count_ahead(scores, s->subtracted[r], own_class + 1, C, own, 0);
    }
    return p;
}

int32_t un_prediction_decide(const un_prediction *p, double gamma) {
    if (p->seen < 0) return p->unseen;
    if (p->unseen < 0) return p->seen;
    double seen = (double)p->seen_score - gamma;
    return beats(seen, p->seen, (double)p->unseen_score, p->unseen) ? p->seen : p->unseen;
}

static un_status begin(un_predictions *out, const un_class_table *classes, size_t n,
                       size_t seen_count, double rank_gamma) {
    *out = (un_predictions){
        .classes = classes, .seen_count = seen_count, .count = n, .rank_gamma = rank_gamma};
    return un_alloc(n, sizeof *out->items, &out->items);
}

static int is_finite_row(const float *scores, size_t n) {
    int finite = 1;
    for (size_t k = 0; k < n; k++) finite &= fabsf(scores[k]) <= FLT_MAX;
    return finite;
}

/* Rows of scores into predictions, in parallel. */
typedef struct {
    const scan *scan;
    const float *scores;   /* (n, C) */
    const int32_t *labels; /* of all images */
    const int64_t *images; /* [n] rows of labels; NULL: in order */
    un_prediction *out;    /* [n] */
} rows_job;

/* How many rows have a score that is not finite. */
static double scan_rows(size_t begin, size_t end, void *context) {
    const rows_job *j = context;
    size_t C = j->scan->classes->count;
    double bad = 0;
    for (size_t i = begin; i < end; i++) {
        const float *row = j->scores + i * C;
        if (is_finite_row(row, C))
            j->out[i] = scan_row(j->scan, row, j->labels[j->images ? (size_t)j->images[i] : i]);
        else
            bad++;
    }
    return bad;
}

static un_status predict_rows(const rows_job *job, size_t n) {
    enum { ROWS = 8 };
    if (un_parallel_sum(n, ROWS, scan_rows, (void *)(uintptr_t)job) == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "the model gives a score that is not finite: training diverged, or the "
                   "model file is damaged; try a lower lr");
}

un_status un_predictions_from_scores(un_predictions *out, const un_class_table *classes,
                                     const float *scores, const int32_t *labels, size_t n,
                                     size_t seen_count, double rank_gamma) {
    scan s = {0};
    un_status status = UNSEEN_OK;
    UN_TRY(begin(out, classes, n, seen_count, rank_gamma));
    UN_GO(scan_create(&s, classes, rank_gamma));
    UN_GO(predict_rows(&(rows_job){&s, scores, labels, NULL, out->items}, n));
done:
    scan_free(&s);
    if (status) un_predictions_free(out);
    return status;
}

/* Scores one list of images into items[at...]. */
static un_status score_list(un_predictions *out, size_t at, un_method *method, const scan *s,
                            const un_features *features, const un_task *task,
                            const un_index_list *list, float *rows, float *scores, size_t chunk) {
    for (size_t i = 0; i < list->count; i += chunk) {
        size_t n = list->count - i < chunk ? list->count - i : chunk;
        un_features_gather_f32(features, list->items + i, n, rows);
        UN_TRY(method->class->score(method, rows, n, scores));
        UN_TRY(predict_rows(
            &(rows_job){s, scores, task->labels, list->items + i, out->items + at + i}, n));
    }
    return UNSEEN_OK;
}

un_status un_predictions_make(un_predictions *out, un_method *method, const un_features *features,
                              const un_task *task, double rank_gamma) {
    size_t row = features->regions * features->width;
    size_t chunk = CHUNK_BYTES / (row * sizeof(float));
    if (chunk < 1) chunk = 1;
    if (chunk > 512) chunk = 512;
    float *rows = NULL, *scores = NULL;
    scan s = {0};
    un_status status = UNSEEN_OK;
    UN_TRY(begin(out, &task->classes, task->seen.count + task->unseen.count, task->seen.count,
                 rank_gamma));
    UN_GO(scan_create(&s, &task->classes, rank_gamma));
    UN_GO(un_alloc(chunk * row, sizeof *rows, &rows));
    UN_GO(un_alloc(chunk * task->classes.count, sizeof *scores, &scores));
    UN_GO(score_list(out, 0, method, &s, features, task, &task->seen, rows, scores, chunk));
    UN_GO(score_list(out, task->seen.count, method, &s, features, task, &task->unseen, rows, scores,
                     chunk));
done:
    scan_free(&s);
    free(rows);
    free(scores);
    if (status) un_predictions_free(out);
    return status;
}

void un_predictions_free(un_predictions *predictions) {
    free(predictions->items);
    *predictions = (un_predictions){0};
}

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
