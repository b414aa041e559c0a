/* history.c - evaluations of the selection runs, and the choice made from them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "train/run.h"

static un_status reserve(history *h, size_t count) {
    if (count <= h->capacity) return UNSEEN_OK;
    size_t capacity = h->capacity ? 2 * h->capacity : 16;
    if (capacity < count) capacity = count;
    evaluation *items = realloc(h->items, capacity * sizeof *items);
    if (!items) return un_fail_memory(capacity * sizeof *items);
    h->items = items;
    h->capacity = capacity;
    return UNSEEN_OK;
}

void un_history_free(history *h) {
    free(h->items);
    *h = (history){0};
}

/* What serves as the measure of an evaluation, in this order: the wanted one, and where the fold
 * has no images for it the ones that need fewer of them. */
static const char *const g_fallback[] = {"T1", "S"};
enum { METRICS = 1 + sizeof g_fallback / sizeof *g_fallback };

static double value_of(const evaluation *e, const char *metric) {
    if (!strcmp(metric, "T1")) return e->T1;
    if (!strcmp(metric, "H")) return e->best_H;
    if (!strcmp(metric, "S")) return e->S;
    return e->AUSUC;
}

static const char *metric_number(const char *wanted, size_t k) {
    return k == 0 ? wanted : g_fallback[k - 1];
}

/* An evaluation's own measure, for comparison within its run; NaN where nothing is measured. */
static double merit(const evaluation *e, const char *wanted) {
    for (size_t k = 0; k < METRICS; k++) {
        double value = value_of(e, metric_number(wanted, k));
        if (!isnan(value)) return value;
    }
    return (double)NAN;
}

un_status un_history_append(history *h, const evaluation *e, const char *metric) {
    UN_TRY(reserve(h, h->count + 1));
    h->items[h->count] = *e;
    if (h->count == 0 || merit(e, metric) > merit(&h->items[h->best], metric)) h->best = h->count;
    h->count++;
    return UNSEEN_OK;
}

un_status un_history_add(trainer *t, size_t epoch, const un_predictions *p, evaluation **added) {
    history *h = &t->history[t->run];
    un_accuracy native;
    un_gamma_choice best;
    un_curve curve;
    evaluation e = {.epoch = epoch};
    UN_TRY(un_accuracy_at(p, 0, &native));
    UN_TRY(un_curve_make(&curve, p));
    un_status status = un_curve_best_gamma(&curve, 1, &best);
    if (!status) status = un_curve_store_add(&t->curves, t->options->output, &curve, &e.curve);
    if (!status) {
        e.points = curve.count;
        e.best_gamma = best.gamma;
        e.best_H = best.mean_h;
        e.AUSUC = un_curve_area(&curve);
        e.T1 = native.T1;
        e.U = native.U;
        e.S = native.S;
        e.H = native.H;
        status = un_history_append(h, &e, un_config_text(t->options->config, "metric"));
    }
    if (!status) *added = &h->items[h->count - 1];
    un_curve_free(&curve);
    return status;
}

/* The mean of a metric over the runs that measure it; NaN if none does. */
static double mean_of(const trainer *t, size_t index, const char *metric) {
    double sum = 0, n = 0;
    for (size_t r = 0; r < t->selection_runs; r++) {
        double value = value_of(&t->history[r].items[index], metric);
        if (isnan(value)) continue;
        sum += value;
        n++;
    }
    return n > 0 ? sum / n : (double)NAN;
}

/* The common gamma of all runs at one length. */
static un_status choose_gamma(trainer *t, size_t index) {
    un_curve curves[MAX_RUNS] = {{0}};
    un_gamma_choice best;
    un_status status = UNSEEN_OK;
    for (size_t r = 0; r < t->selection_runs && !status; r++) {
        const evaluation *e = &t->history[r].items[index];
        status = un_curve_store_read(&t->curves, e->curve, e->points, &curves[r]);
    }
    if (!status) status = un_curve_best_gamma(curves, t->selection_runs, &best);
    for (size_t r = 0; r < t->selection_runs; r++) un_curve_free(&curves[r]);
    UN_TRY(status);
    t->chosen.has_gamma = 1;
    t->chosen.gamma_decided = best.decided;
    t->chosen.gamma = best.gamma;
    t->chosen.H = best.mean_h;
    return UNSEEN_OK;
}

/* Which metric all lengths are compared by. */
static const char *choose_metric(const trainer *t) {
    const char *wanted = un_config_text(t->options->config, "metric");
    for (size_t k = 0; k < METRICS; k++)
        if (!isnan(mean_of(t, 0, metric_number(wanted, k)))) return metric_number(wanted, k);
    return NULL;
}

un_status un_history_choose(trainer *t) {
    if (t->selection_runs == 0) {
        size_t epochs =
            t->options->class->closed_form ? 1 : un_config_integer(t->options->config, "epochs");
        t->chosen =
            (choice){.epochs = epochs, .metric_name = un_config_text(t->options->config, "metric")};
        return UNSEEN_OK;
    }
    /* Runs that stopped early have fewer evaluations; only lengths that all reached compare. */
    size_t common = t->history[0].count, best = 0;
    for (size_t r = 1; r < t->selection_runs; r++)
        if (t->history[r].count < common) common = t->history[r].count;
    if (common == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "no evaluation fell into the training: lower "
                                          "evaluate_every or raise epochs");
    const char *metric = choose_metric(t);
    if (!metric)
        return un_fail(UNSEEN_E_ARGUMENT, "selection has no images to measure anything on: train "
                                          "with --select none, or import with other folds");
    t->chosen = (choice){.metric_name = metric, .metric = -1};
    for (size_t i = 0; i < common; i++) {
        double mean = mean_of(t, i, metric);
        if (!(mean > t->chosen.metric)) continue;
        best = i;
        t->chosen.metric = mean;
        t->chosen.epochs = t->history[0].items[i].epoch;
    }
    t->chosen.T1 = mean_of(t, best, "T1");
    return choose_gamma(t, best);
}
