/* history.c - evaluations of the selection runs, the selection made from them, their curves in a file,
 * and the log. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/csv_writer.h"
#include "base/file.h"
#include "base/status.h"
#include "train/run.h"

/* ---- evaluations ---- */

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

const char *const un_metric_names[METRICS] = {"AUSUC", "H", "T1", "S"};

static double value_of(const evaluation *e, selection_metric metric) {
    switch (metric) {
    case METRIC_AUSUC: return e->AUSUC;
    case METRIC_H: return e->best_H;
    case METRIC_T1: return e->T1;
    case METRIC_S: return e->S;
    default: return (double)NAN;
    }
}

/* What serves as the measure of an evaluation, in this order: the one set, and where the fold has
 * no images for it the ones that need fewer of them. */
enum { MEASURES = 3 };
static selection_metric measure(selection_metric setting, size_t k) {
    const selection_metric order[MEASURES] = {setting, METRIC_T1, METRIC_S};
    return order[k];
}

static double merit_of(const evaluation *e, selection_metric setting) {
    for (size_t k = 0; k < MEASURES; k++) {
        double value = value_of(e, measure(setting, k));
        if (!isnan(value)) return value;
    }
    return (double)NAN;
}

un_status un_history_append(history *h, const evaluation *e, selection_metric metric) {
    UN_TRY(reserve(h, h->count + 1));
    h->items[h->count] = *e;
    if (h->count == 0 || merit_of(e, metric) > merit_of(&h->items[h->best], metric))
        h->best = h->count;
    h->count++;
    return UNSEEN_OK;
}

un_status un_history_add(trainer *t, size_t epoch, const un_predictions *p, evaluation **added) {
    history *h = &t->history[t->run];
    un_accuracy native;
    un_best_gamma best;
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
        status = un_history_append(h, &e, t->settings.metric);
    }
    if (!status) *added = &h->items[h->count - 1];
    un_curve_free(&curve);
    return status;
}

/* ---- between ranks ---- */

/* Their number, the evaluations, then of each its curve: U, S, threshold. */
un_status un_history_pack(trainer *t, size_t run, void **bytes, size_t *count) {
    const history *h = &t->history[run];
    char *out = NULL;
    size_t total = sizeof h->count + h->count * sizeof *h->items;
    for (size_t i = 0; i < h->count; i++) total += 3 * h->items[i].points * sizeof(double);
    UN_TRY(un_alloc(total, 1, &out));
    memcpy(out, &h->count, sizeof h->count);
    size_t at = sizeof h->count;
    if (h->count > 0) memcpy(out + at, h->items, h->count * sizeof *h->items);
    at += h->count * sizeof *h->items;
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < h->count && !status; i++) {
        un_curve curve;
        status = un_curve_store_read(&t->curves, h->items[i].curve, h->items[i].points, &curve);
        if (status) break;
        const double *const arrays[] = {curve.U, curve.S, curve.threshold};
        for (size_t k = 0; k < 3; k++, at += curve.count * sizeof(double))
            memcpy(out + at, arrays[k], curve.count * sizeof(double));
        un_curve_free(&curve);
    }
    if (status) {
        free(out);
        return status;
    }
    *bytes = out;
    *count = total;
    return UNSEEN_OK;
}

static un_status unpack_curve(trainer *t, const char *from, evaluation *e) {
    size_t bytes = e->points * sizeof(double);
    un_curve curve = {.count = e->points};
    un_status status = un_alloc(e->points, sizeof(double), &curve.U);
    if (!status) status = un_alloc(e->points, sizeof(double), &curve.S);
    if (!status) status = un_alloc(e->points, sizeof(double), &curve.threshold);
    if (!status) {
        memcpy(curve.U, from, bytes);
        memcpy(curve.S, from + bytes, bytes);
        memcpy(curve.threshold, from + 2 * bytes, bytes);
        status = un_curve_store_add(&t->curves, t->options->output, &curve, &e->curve);
    }
    un_curve_free(&curve);
    return status;
}

un_status un_history_unpack(trainer *t, size_t run, const void *bytes, size_t count) {
    const char *in = bytes;
    size_t items = 0;
    if (count < sizeof items) return un_fail(UNSEEN_E_FORMAT, "a rank sent half a result");
    memcpy(&items, in, sizeof items);
    size_t at = sizeof items + items * sizeof(evaluation);
    for (size_t i = 0; i < items; i++) {
        evaluation e;
        memcpy(&e, in + sizeof items + i * sizeof e, sizeof e);
        UN_TRY(unpack_curve(t, in + at, &e));
        at += 3 * e.points * sizeof(double);
        UN_TRY(un_history_append(&t->history[run], &e, t->settings.metric));
    }
    return UNSEEN_OK;
}

/* ---- the selection ---- */

/* What run r has for evaluation `index` of the first run: lengths stand in the same order in all
 * runs, points of a grid are searched for; NULL: it did not come to it. */
static const evaluation *counterpart(const trainer *t, size_t r, size_t index) {
    const history *h = &t->history[r];
    if (t->options->class->learner) return index < h->count ? &h->items[index] : NULL;
    for (size_t i = 0; i < h->count; i++)
        if (h->items[i].epoch == t->history[0].items[index].epoch) return &h->items[i];
    return NULL;
}

/* Whether the first `runs` selection runs all came to this evaluation: only these compare. */
static int is_common(const trainer *t, size_t runs, size_t index) {
    for (size_t r = 0; r < runs; r++)
        if (!counterpart(t, r, index)) return 0;
    return 1;
}

/* The mean of a metric over the first runs, those that measure it; NaN if none does. */
static double mean_of(const trainer *t, size_t runs, size_t index, selection_metric metric) {
    double sum = 0, n = 0;
    for (size_t r = 0; r < runs; r++) {
        double value = value_of(counterpart(t, r, index), metric);
        if (isnan(value)) continue;
        sum += value;
        n++;
    }
    return n > 0 ? sum / n : (double)NAN;
}

/* The common gamma of all runs at one length. */
static un_status select_gamma(trainer *t, size_t index) {
    un_curve curves[MAX_RUNS] = {{0}};
    un_best_gamma best = {0};
    un_status status = UNSEEN_OK;
    for (size_t r = 0; r < t->selection_runs && !status; r++) {
        const evaluation *e = counterpart(t, r, index);
        status = un_curve_store_read(&t->curves, e->curve, e->points, &curves[r]);
    }
    if (!status) status = un_curve_best_gamma(curves, t->selection_runs, &best);
    for (size_t r = 0; r < t->selection_runs; r++) un_curve_free(&curves[r]);
    UN_TRY(status);
    t->selected.has_gamma = 1;
    t->selected.gamma_decided = best.decided;
    t->selected.gamma = best.gamma;
    t->selected.H = best.mean_h;
    return UNSEEN_OK;
}

/* Which metric all lengths are compared by, as evaluation `index` has it; METRICS: none is
 * measured. */
static selection_metric select_metric(const trainer *t, size_t index) {
    for (size_t k = 0; k < MEASURES; k++) {
        selection_metric metric = measure(t->settings.metric, k);
        if (!isnan(mean_of(t, t->selection_runs, index, metric))) return metric;
    }
    return METRICS;
}

typedef struct {
    size_t epoch;
    double merit;
} candidate;

/* The best first; of equals the earlier one. */
static int by_merit(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->merit != y->merit) return x->merit > y->merit ? -1 : 1;
    return x->epoch < y->epoch ? -1 : x->epoch > y->epoch;
}

/* Point n of those that run t->run has to try of a grid that the first run did not try whole: the
 * better half of what all runs before it tried. *more = 0: there are no more. */
static un_status survivor(const trainer *t, size_t n, size_t *epoch, int *more) {
    const history *first = &t->history[0];
    candidate *all = NULL;
    size_t count = 0;
    UN_TRY(un_alloc(first->count + 1, sizeof *all, &all));
    for (size_t i = 0; i < first->count; i++) {
        if (!is_common(t, t->run, i)) continue;
        double merit = mean_of(t, t->run, i, t->settings.metric);
        all[count++] = (candidate){first->items[i].epoch, isnan(merit) ? -1 : merit};
    }
    qsort(all, count, sizeof *all, by_merit);
    *more = n < (count + 1) / 2;
    if (*more) *epoch = all[n].epoch;
    free(all);
    return UNSEEN_OK;
}

un_status un_history_next_point(const trainer *t, size_t *point, int *more) {
    const un_method_closed_form *closed = t->options->class->closed_form;
    if (un_run_is_final(t)) {
        *point = t->selected.epochs - 1;
        *more = t->epoch < t->selected.epochs;
        return UNSEEN_OK;
    }
    const history *h = &t->history[t->run], *first = &t->history[0];
    size_t points = closed->points(t->method), n = h->count;
    if (t->run > 0 && first->count < points) {
        size_t epoch = 1;
        UN_TRY(survivor(t, n, &epoch, more));
        *point = epoch - 1;
        return UNSEEN_OK;
    }
    if (t->run > 0 || !closed->next) {
        *point = n;
        *more = n < points;
        return UNSEEN_OK;
    }
    size_t *tried = NULL;
    double *merit = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(n + 1, sizeof *tried, &tried));
    UN_GO(un_alloc(n + 1, sizeof *merit, &merit));
    for (size_t i = 0; i < n; i++) {
        tried[i] = h->items[i].epoch - 1;
        merit[i] = merit_of(&h->items[i], t->settings.metric);
    }
    *point = closed->next(t->method, tried, merit, n);
    *more = *point < points;
done:
    free(tried);
    free(merit);
    return status;
}

un_status un_history_select(trainer *t) {
    if (t->selection_runs == 0) {
        size_t epochs = t->options->class->closed_form ? 1 : t->settings.epochs;
        t->selected = (selection){.epochs = epochs, .by = t->settings.metric};
        return UNSEEN_OK;
    }
    /* Runs that stopped early have fewer evaluations. */
    size_t count = t->history[0].count, begin = 0, best = 0;
    while (begin < count && !is_common(t, t->selection_runs, begin)) begin++;
    if (un_method_has_fixed_length(t->options->class)) /* the last one alone */
        for (size_t i = begin; i < count; i++)
            if (is_common(t, t->selection_runs, i)) begin = i;
    if (begin == count)
        return un_fail(UNSEEN_E_ARGUMENT, "no evaluation fell into the training: lower "
                                          "evaluate_every or raise epochs");
    selection_metric metric = select_metric(t, begin);
    if (metric == METRICS)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "selection has no images to measure anything on: train with {--select} "
                       "none, or import with other folds");
    t->selected = (selection){.by = metric, .metric = -1};
    for (size_t i = begin; i < count; i++) {
        if (!is_common(t, t->selection_runs, i)) continue;
        double mean = mean_of(t, t->selection_runs, i, metric);
        if (!(mean > t->selected.metric)) continue;
        best = i;
        t->selected.metric = mean;
        t->selected.epochs = t->history[0].items[i].epoch;
    }
    t->selected.T1 = mean_of(t, t->selection_runs, best, METRIC_T1);
    return select_gamma(t, best);
}

/* ---- exact seen-unseen curves, in a file without a name ---- */

/* A curve is written as three arrays of its points: U, S, threshold; the last threshold is inf. */

un_status un_curve_store_add(curve_store *store, const char *beside, const un_curve *curve,
                             uint64_t *at) {
    if (!store->open) {
        UN_TRY(un_scratch_open(&store->file, beside));
        store->open = 1;
    }
    size_t bytes = curve->count * sizeof(double);
    const double last = (double)INFINITY;
    UN_TRY(un_atomic_write(&store->file, curve->U, bytes, store->end));
    UN_TRY(un_atomic_write(&store->file, curve->S, bytes, store->end + bytes));
    UN_TRY(un_atomic_write(&store->file, curve->threshold, bytes - sizeof last,
                           store->end + 2 * bytes));
    UN_TRY(un_atomic_write(&store->file, &last, sizeof last, store->end + 3 * bytes - sizeof last));
    *at = store->end;
    store->end += 3 * bytes;
    return UNSEEN_OK;
}

un_status un_curve_store_read(curve_store *store, uint64_t at, size_t points, un_curve *out) {
    size_t bytes = points * sizeof(double);
    *out = (un_curve){.count = points};
    un_status status = un_alloc(points, sizeof(double), &out->U);
    if (!status) status = un_alloc(points, sizeof(double), &out->S);
    if (!status) status = un_alloc(points, sizeof(double), &out->threshold);
    if (!status) status = un_atomic_read(&store->file, out->U, bytes, at);
    if (!status) status = un_atomic_read(&store->file, out->S, bytes, at + bytes);
    if (!status) status = un_atomic_read(&store->file, out->threshold, bytes, at + 2 * bytes);
    if (status) un_curve_free(out);
    return status;
}

void un_curve_store_close(curve_store *store) {
    if (store->open) un_atomic_abort(&store->file);
    *store = (curve_store){0};
}

/* ---- the CSV log of a training: one row an evaluation (or, in the final run, as often). ---- */

static void write_header(trainer *t) {
    un_csv_writer csv = {.stream = t->log};
    un_csv_writer_print(&csv, "run,step,epoch,loss");
    for (const char *const *name = t->options->class->losses; *name; name++)
        un_csv_writer_text(&csv, *name);
    un_csv_writer_print(&csv, "l2,T1,U,S,H,AUSUC,best_H,best_gamma,seconds");
    un_csv_writer_row(&csv);
}

un_status un_train_log_open(trainer *t, long offset) {
    const char *path = t->options->log_path;
    if (!path || !un_run_writes(t)) return UNSEEN_OK;
    struct stat st;
    int file = 0, fd = un_output_open(path, &file);
    if (fd >= 0 && file && un_lock_open_file(fd, path) == UN_LOCK_BUSY) {
        close(fd);
        return un_fail(UNSEEN_E_ARGUMENT,
                       "another training is writing the log %s at this moment: wait for it, or "
                       "give each training a log of its own",
                       path);
    }
    if (fd < 0 || fstat(fd, &st) != 0 || !(t->log = fdopen(fd, "w"))) {
        int code = errno;
        if (fd >= 0) close(fd);
        return un_fail_errno(code, "cannot write the log %s", path);
    }
    /* To a pipe or terminal nothing can be taken back; or the log was removed meanwhile. */
    if (!file || st.st_size < offset) offset = 0;
    if (file && offset == 0 && ftruncate(fd, 0) != 0)
        return un_fail_errno(errno, "cannot write the log %s", path);
    if (offset > 0) {
        /* Rows after the checkpoint will be written again. */
        if (ftruncate(fileno(t->log), offset) != 0 || fseek(t->log, offset, SEEK_SET) != 0)
            return un_fail_errno(errno, "cannot continue the log %s", path);
        return UNSEEN_OK;
    }
    write_header(t);
    return UNSEEN_OK;
}

long un_train_log_offset(const trainer *t) {
    if (!t->log) return 0;
    fflush(t->log);
    (void)fsync(fileno(t->log)); /* a checkpoint must not know more than the disk */
    long offset = ftell(t->log);
    return offset > 0 ? offset : 0; /* a pipe has none */
}

/* Empty fields in the final run, and for what the fold has no images for. */
static void write_evaluation(un_csv_writer *csv, const evaluation *e) {
    const double none = (double)NAN;
    const double fields[] = {e ? e->T1 : none, e ? e->U : none,     e ? e->S : none,
                             e ? e->H : none,  e ? e->AUSUC : none, e ? e->best_H : none};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (isnan(fields[i]))
            un_csv_writer_text(csv, "");
        else
            un_csv_writer_print(csv, "%.6f", fields[i]);
    if (e)
        un_csv_writer_print(csv, "%.9g", e->best_gamma);
    else
        un_csv_writer_text(csv, "");
}

un_status un_train_log_row(trainer *t, const evaluation *e) {
    size_t terms = un_method_loss_count(t->options->class);
    double n = t->loss_steps > 0 ? (double)t->loss_steps : 1.0;
    double total = 0;
    double seconds = un_now() - t->run_started;
    for (size_t i = 0; i <= terms; i++) total += t->loss_sum[i] / n;
    un_log(UNSEEN_LOG_DEBUG, "%s: epoch %zu, loss %.6g%s", t->task.name, t->epoch, total,
           e ? "" : " (final run)");
    if (t->log) {
        un_csv_writer csv = {.stream = t->log};
        un_csv_writer_text(&csv, un_run_is_final(t) ? "final" : t->task.name);
        un_csv_writer_print(&csv, "%llu,%zu,%.9g", (unsigned long long)t->steps_done, t->epoch,
                            total);
        for (size_t i = 0; i <= terms; i++) un_csv_writer_print(&csv, "%.9g", t->loss_sum[i] / n);
        write_evaluation(&csv, e);
        un_csv_writer_print(&csv, "%.3f", seconds);
        un_csv_writer_row(&csv);
        if (fflush(t->log) != 0)
            return un_fail_errno(errno, "cannot write the log %s", t->options->log_path);
    }
    memset(t->loss_sum, 0, sizeof t->loss_sum);
    t->loss_steps = 0;
    return UNSEEN_OK;
}

un_status un_train_log_append(trainer *t, const char *path) {
    char *text = NULL;
    size_t length = 0;
    if (!t->log) return UNSEEN_OK;
    UN_TRY(un_file_read(path, SIZE_MAX / 2, &text, &length));
    const char *rows = memchr(text, '\n', length); /* behind the header */
    size_t left = rows ? length - (size_t)(rows + 1 - text) : 0;
    int failed = left > 0 && fwrite(rows + 1, 1, left, t->log) != left;
    free(text);
    if (failed || fflush(t->log) != 0)
        return un_fail_errno(errno, "cannot write the log %s", t->options->log_path);
    return UNSEEN_OK;
}

void un_train_log_close(trainer *t) {
    if (t->log) fclose(t->log);
    t->log = NULL;
}
