/* predictions.c - see metrics.h: what is kept of the scores of each test image. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "protocol/metrics.h"
#include "tensor/kernels.h"

static const size_t CHUNK_BYTES = 32u * 1024 * 1024, MOST_IMAGES = 512; /* gathered at a time */

/* Whether score a of class i beats score b of class j. */
static int beats(double a, int32_t i, double b, int32_t j) { return a > b || (a == b && i < j); }

/* What the predictions of all images share. Many classes are scored for every image, so the loops
 * over them have no branches. */
typedef struct {
    const un_class_table *classes;
    int32_t *unseen;              /* [C] -1 for a class that is, 0 */
    double *subtracted[UN_RANKS]; /* [C] gamma of seen classes, 0 of others */
    int ranks;                    /* whether they are asked for */
} scan;

static un_status scan_create(scan *s, const un_class_table *classes, double rank_gamma) {
    const double gammas[UN_RANKS] = {
        [UN_RANK_CALIBRATED] = rank_gamma, [UN_RANK_UNSEEN_ONLY] = INFINITY};
    size_t C = classes->count;
    *s = (scan){.classes = classes, .ranks = !isnan(rank_gamma)};
    UN_TRY(un_alloc(C, sizeof *s->unseen, &s->unseen));
    for (int r = 0; r < UN_RANKS; r++) UN_TRY(un_alloc(C, sizeof(double), &s->subtracted[r]));
    for (size_t k = 0; k < C; k++) {
        s->unseen[k] = classes->seen[k] ? 0 : -1;
        for (int r = 0; r < UN_RANKS; r++) s->subtracted[r][k] = classes->seen[k] ? gammas[r] : 0.0;
    }
    return UNSEEN_OK;
}

static void scan_free(scan *s) {
    free(s->unseen);
    for (int r = 0; r < UN_RANKS; r++) free(s->subtracted[r]);
    *s = (scan){0};
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

/* 0 where a score is not finite. */
static int scan_row(const scan *s, const float *scores, int32_t label, un_prediction *out) {
    size_t C = s->classes->count, own_class = (size_t)label, best[2];
    if (!un_best_of_kinds(scores, s->unseen, C, best)) return 0;
    un_prediction p = {.label = label, .seen = -1, .unseen = -1};
    if (best[0] < C) {
        p.seen = (int32_t)best[0];
        p.seen_score = scores[best[0]];
    }
    if (best[1] < C) {
        p.unseen = (int32_t)best[1];
        p.unseen_score = scores[best[1]];
    }
    for (int r = 0; r < UN_RANKS; r++) {
        p.rank[r] = -1;
        if (!s->ranks || (r == UN_RANK_UNSEEN_ONLY && s->classes->seen[label])) continue;
        /* A class that scores alike is ahead if it stands before. */
        double own = (double)scores[label] - s->subtracted[r][label];
        p.rank[r] = count_ahead(scores, s->subtracted[r], 0, own_class, own, 1) +
                    count_ahead(scores, s->subtracted[r], own_class + 1, C, own, 0);
    }
    *out = p;
    return 1;
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
        int32_t label = j->labels[j->images ? (size_t)j->images[i] : i];
        bad += !scan_row(j->scan, j->scores + i * C, label, &j->out[i]);
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

/* Images are scored some at a time. Where the cuts lie does not depend on the number of ranks, for
 * the last bits of a score may depend on how many are scored together. */
typedef struct {
    const un_index_list *list;
    size_t from, count; /* of the list */
    size_t at;          /* among the predictions */
} chunk;

/* All chunks of a task. */
typedef struct {
    const un_task *task;
    size_t most;        /* images of one */
    size_t seen, count; /* of seen classes, of all */
} cuts;

static cuts cut(const un_features *features, const un_task *task) {
    size_t most = CHUNK_BYTES / (features->regions * features->width * sizeof(float));
    cuts c = {.task = task, .most = most < 1 ? 1 : most > MOST_IMAGES ? MOST_IMAGES : most};
    c.seen = (task->seen.count + c.most - 1) / c.most;
    c.count = c.seen + (task->unseen.count + c.most - 1) / c.most;
    return c;
}

static chunk chunk_of(const cuts *c, size_t number) {
    int seen = number < c->seen;
    chunk k = {.list = seen ? &c->task->seen : &c->task->unseen,
               .from = (seen ? number : number - c->seen) * c->most};
    size_t rest = k.list->count - k.from;
    k.count = rest < c->most ? rest : c->most;
    k.at = k.from + (seen ? 0 : c->task->seen.count);
    return k;
}

/* Where the predictions of a chunk begin; one behind the last, too. */
static size_t place_of(const cuts *c, size_t number) {
    return number < c->count ? chunk_of(c, number).at : c->task->seen.count + c->task->unseen.count;
}

typedef struct {
    const float *rows;
    size_t width;
} row_check;

/* How many rows hold a number that is not finite: such an x has x - x other than 0. */
static double count_bad_rows(size_t begin, size_t end, void *context) {
    const row_check *c = context;
    double bad = 0;
    for (size_t i = begin; i < end; i++) {
        const float *row = c->rows + i * c->width;
        int odd = 0;
        for (size_t j = 0; j < c->width; j++) odd |= !(row[j] - row[j] == 0);
        bad += odd;
    }
    return bad;
}

/* Some methods would score images without any sense and say nothing. */
static un_status check_rows(const un_features *features, const float *rows, const int64_t *images,
                            size_t n) {
    row_check c = {rows, features->regions * features->width};
    if (un_parallel_sum(n, 8, count_bad_rows, &c) == 0) return UNSEEN_OK;
    UN_TRY(un_features_require_finite(features, images, n));
    size_t i = 0; /* a mean of regions that are too large */
    while (count_bad_rows(i, i + 1, &c) == 0) i++;
    return un_fail(UNSEEN_E_FORMAT, "feature set %s: the features of image %lld are too large",
                   features->name, (long long)images[i]);
}

/* Scores chunks begin .. end-1. */
static un_status score_chunks(un_predictions *out, un_method *method, const scan *s,
                              const un_features *features, const cuts *c, size_t begin, size_t end,
                              un_progress *progress) {
    float *rows = NULL, *scores = NULL;
    un_status status = UNSEEN_OK;
    if (begin == end) return UNSEEN_OK;
    UN_GO(un_alloc(c->most * features->regions * features->width, sizeof *rows, &rows));
    UN_GO(un_alloc(c->most * s->classes->count, sizeof *scores, &scores));
    for (size_t i = begin; i < end; i++) {
        chunk k = chunk_of(c, i);
        const int64_t *images = k.list->items + k.from;
        un_features_gather_f32(features, images, k.count, rows);
        UN_GO(check_rows(features, rows, images, k.count));
        UN_GO(method->class->score(method, rows, k.count, scores));
        UN_GO(predict_rows(&(rows_job){s, scores, c->task->labels, images, out->items + k.at},
                           k.count));
        if (progress) UN_GO(un_progress_step(progress, k.at + k.count));
    }
done:
    free(rows);
    free(scores);
    return status;
}

/* What the ranks have scored, at all of them. */
static un_status gather(un_predictions *out, size_t begin, size_t end, un_cluster *ranks) {
    un_gathered all;
    size_t bytes = out->count * sizeof *out->items;
    if (un_cluster_size(ranks) == 1) return UNSEEN_OK;
    UN_TRY(un_cluster_gather(ranks, out->items + begin, (end - begin) * sizeof *out->items, &all));
    un_status status = all.begin[all.count] == bytes
                           ? UNSEEN_OK
                           : un_fail(UNSEEN_E_ARGUMENT, "the ranks have scored other images");
    if (!status) memcpy(out->items, all.data, bytes);
    un_gathered_free(&all);
    return status;
}

un_status un_predictions_make(un_predictions *out, un_method *method, const un_features *features,
                              const un_task *task, double rank_gamma, un_cluster *ranks,
                              const char *phase) {
    un_progress progress, *told = phase ? &progress : NULL;
    size_t n = un_cluster_size(ranks), rank = un_cluster_rank(ranks);
    const cuts c = cut(features, task);
    const size_t first = c.count * rank / n, last = c.count * (rank + 1) / n;
    scan s = {0};
    un_status status = begin(out, &task->classes, task->seen.count + task->unseen.count,
                             task->seen.count, rank_gamma);
    if (told) un_progress_begin(told, phase, "images", out->count);
    if (!status) status = scan_create(&s, &task->classes, rank_gamma);
    if (!status) status = score_chunks(out, method, &s, features, &c, first, last, told);
    if (told) status = un_progress_finish(told, status);
    status = un_cluster_agree_within(ranks, status);
    if (!status) status = gather(out, place_of(&c, first), place_of(&c, last), ranks);
    scan_free(&s);
    if (status) un_predictions_free(out);
    return status;
}

void un_predictions_free(un_predictions *predictions) {
    free(predictions->items);
    *predictions = (un_predictions){0};
}
