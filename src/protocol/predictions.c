/* predictions.c - see predictions.h. */
#include "protocol/predictions.h"

#include <math.h>
#include <stdlib.h>

static const size_t CHUNK_BYTES = 32u * 1024 * 1024; /* of gathered features */

/* Whether score a of class i beats score b of class j. */
static int beats(double a, int32_t i, double b, int32_t j) { return a > b || (a == b && i < j); }

un_prediction un_prediction_make(const un_class_table *classes, const float *scores, int32_t label,
                                 double rank_gamma) {
    un_prediction p = {.label = label, .seen = -1, .unseen = -1};
    for (size_t k = 0; k < classes->count; k++) {
        int32_t *best = classes->seen[k] ? &p.seen : &p.unseen;
        float *score = classes->seen[k] ? &p.seen_score : &p.unseen_score;
        if (*best < 0 || scores[k] > *score) {
            *best = (int32_t)k;
            *score = scores[k];
        }
    }
    const double gammas[UN_RANKS] = {
        [UN_RANK_CALIBRATED] = rank_gamma, [UN_RANK_UNSEEN_ONLY] = INFINITY};
    int label_seen = classes->seen[label];
    for (int r = 0; r < UN_RANKS; r++) {
        if (r == UN_RANK_UNSEEN_ONLY && label_seen) {
            p.rank[r] = -1;
            continue;
        }
        double own = (double)scores[label] - (label_seen ? gammas[r] : 0.0);
        for (size_t k = 0; k < classes->count; k++) {
            double other = (double)scores[k] - (classes->seen[k] ? gammas[r] : 0.0);
            if ((int32_t)k != label && beats(other, (int32_t)k, own, label)) p.rank[r]++;
        }
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

static un_status check_row(const float *scores, size_t n) {
    for (size_t k = 0; k < n; k++)
        if (!isfinite(scores[k]))
            return un_fail(UNSEEN_E_FORMAT,
                           "the model gives a score that is not finite: training diverged, or the "
                           "model file is damaged; try a lower lr");
    return UNSEEN_OK;
}

un_status un_predictions_from_scores(un_predictions *out, const un_class_table *classes,
                                     const float *scores, const int32_t *labels, size_t n,
                                     size_t seen_count, double rank_gamma) {
    UN_TRY(begin(out, classes, n, seen_count, rank_gamma));
    for (size_t i = 0; i < n; i++) {
        const float *row = scores + i * classes->count;
        un_status status = check_row(row, classes->count);
        if (status) {
            un_predictions_free(out);
            return status;
        }
        out->items[i] = un_prediction_make(classes, row, labels[i], rank_gamma);
    }
    return UNSEEN_OK;
}

/* Scores one list of images into items[at...]. */
static un_status score_list(un_predictions *out, size_t at, un_method *method,
                            const un_features *features, const un_task *task,
                            const un_index_list *list, float *rows, float *scores, size_t chunk) {
    size_t C = task->classes.count;
    for (size_t i = 0; i < list->count; i += chunk) {
        size_t n = list->count - i < chunk ? list->count - i : chunk;
        un_features_gather_f32(features, list->items + i, n, rows);
        UN_TRY(method->class->score(method, rows, n, scores));
        for (size_t j = 0; j < n; j++) {
            int32_t label = task->labels[list->items[i + j]];
            UN_TRY(check_row(scores + j * C, C));
            out->items[at + i + j] =
                un_prediction_make(&task->classes, scores + j * C, label, out->rank_gamma);
        }
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
    un_status status = UNSEEN_OK;
    UN_TRY(begin(out, &task->classes, task->seen.count + task->unseen.count, task->seen.count,
                 rank_gamma));
    UN_GO(un_alloc(chunk * row, sizeof *rows, &rows));
    UN_GO(un_alloc(chunk * task->classes.count, sizeof *scores, &scores));
    UN_GO(score_list(out, 0, method, features, task, &task->seen, rows, scores, chunk));
    UN_GO(score_list(out, task->seen.count, method, features, task, &task->unseen, rows, scores,
                     chunk));
done:
    free(rows);
    free(scores);
    if (status) un_predictions_free(out);
    return status;
}

void un_predictions_free(un_predictions *predictions) {
    free(predictions->items);
    *predictions = (un_predictions){0};
}
