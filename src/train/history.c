/* history.c - evaluations of the selection runs, and the choice made from them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/run.h"

un_status history_reserve(history *h, size_t count) {
    if (count <= h->capacity) return UNSEEN_OK;
    size_t capacity = h->capacity ? 2 * h->capacity : 16;
    if (capacity < count) capacity = count;
    evaluation *items = realloc(h->items, capacity * sizeof *items);
    if (!items) return un_fail_memory(capacity * sizeof *items);
    h->items = items;
    h->capacity = capacity;
    return UNSEEN_OK;
}

void history_free(history *h) {
    for (size_t i = 0; i < h->count; i++) free(h->items[i].curve);
    free(h->items);
    *h = (history){0};
}

/* Keeps evenly spaced points, first and last included. */
static void thin(const un_curve *curve, evaluation *e) {
    e->points = curve->count < THIN_POINTS ? curve->count : THIN_POINTS;
    for (size_t i = 0; i < e->points; i++) {
        size_t j = e->points > 1 ? i * (curve->count - 1) / (e->points - 1) : 0;
        e->curve[i][0] = j + 1 < curve->count ? curve->threshold[j] : (double)INFINITY;
        e->curve[i][1] = curve->U[j];
        e->curve[i][2] = curve->S[j];
    }
}

double evaluation_metric(const evaluation *e, const char *metric) {
    if (!strcmp(metric, "T1")) return e->T1;
    if (!strcmp(metric, "H")) return e->best_H;
    return e->AUSUC;
}

un_status history_add(history *h, const trainer *t, size_t epoch, const un_predictions *p,
                      evaluation **added) {
    un_accuracy native;
    un_curve curve;
    evaluation e = {.epoch = epoch};
    UN_TRY(un_accuracy_at(p, 0, &native));
    UN_TRY(history_reserve(h, h->count + 1));
    UN_TRY(un_curve_make(&curve, p));
    un_status status = un_curve_best_gamma(&curve, 1, &e.best_gamma, &e.best_H);
    if (!status) status = un_alloc(THIN_POINTS, sizeof *e.curve, &e.curve);
    if (!status) {
        thin(&curve, &e);
        e.AUSUC = un_curve_area(&curve);
        e.T1 = native.T1;
        e.U = native.U;
        e.S = native.S;
        e.H = native.H;
        h->items[h->count] = e;
        *added = &h->items[h->count];
        const char *metric = un_config_text(t->options->config, "metric");
        if (h->count == 0 ||
            evaluation_metric(&e, metric) > evaluation_metric(&h->items[h->best], metric))
            h->best = h->count;
        h->count++;
    }
    un_curve_free(&curve);
    return status;
}

/* An evaluation's thinned curve as a curve; the arrays belong to the caller's buffers. */
static void unthin(const evaluation *e, double *buffer, un_curve *curve) {
    *curve = (un_curve){.count = e->points,
                        .threshold = buffer,
                        .U = buffer + THIN_POINTS,
                        .S = buffer + 2 * (size_t)THIN_POINTS};
    for (size_t i = 0; i < e->points; i++) {
        curve->threshold[i] = e->curve[i][0];
        curve->U[i] = e->curve[i][1];
        curve->S[i] = e->curve[i][2];
    }
}

static un_status choose_gamma(trainer *t, size_t index) {
    un_curve curves[MAX_RUNS];
    double *buffer = NULL;
    UN_TRY(un_alloc(t->selection_runs * 3 * THIN_POINTS, sizeof *buffer, &buffer));
    for (size_t r = 0; r < t->selection_runs; r++)
        unthin(&t->history[r].items[index], buffer + r * 3 * THIN_POINTS, &curves[r]);
    un_status status =
        un_curve_best_gamma(curves, t->selection_runs, &t->chosen.gamma, &t->chosen.H);
    t->chosen.has_gamma = 1;
    free(buffer);
    return status;
}

un_status history_choose(trainer *t) {
    if (t->selection_runs == 0) {
        size_t epochs =
            t->options->class->closed_form ? 1 : un_config_integer(t->options->config, "epochs");
        t->chosen = (choice){.epochs = epochs};
        return UNSEEN_OK;
    }
    /* Runs that stopped early have fewer evaluations; only lengths that all reached compare. */
    size_t common = t->history[0].count, best = 0;
    for (size_t r = 1; r < t->selection_runs; r++)
        if (t->history[r].count < common) common = t->history[r].count;
    if (common == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "no evaluation fell into the training: lower "
                                          "evaluate_every or raise epochs");
    const char *metric = un_config_text(t->options->config, "metric");
    double n = (double)t->selection_runs;
    t->chosen.metric = -1;
    for (size_t i = 0; i < common; i++) {
        double mean = 0, t1 = 0;
        for (size_t r = 0; r < t->selection_runs; r++) {
            mean += evaluation_metric(&t->history[r].items[i], metric) / n;
            t1 += t->history[r].items[i].T1 / n;
        }
        if (mean <= t->chosen.metric) continue;
        best = i;
        t->chosen.metric = mean;
        t->chosen.T1 = t1;
        t->chosen.epochs = t->history[0].items[i].epoch;
    }
    return choose_gamma(t, best);
}
