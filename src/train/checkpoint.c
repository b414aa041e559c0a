/*
 * checkpoint.c - the state of a training between two steps, as a safetensors file.
 *
 * Tensors: values (F32 [total], all parameters), first, second (F32 [trained], the
 * optimiser's state), curves.<run> (F64 [values], the curves of its evaluations one behind the
 * other, as history.c lays them out). Metadata "state": JSON with the position, loss sums,
 * evaluations, the identity (identity.h) that a resumed run must share and, of one selection run
 * that a rank has done, "part_done". Numbers are doubles in
 * JSON's 17 digits, which keep every bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/status.h"
#include "train/run.h"

static const char FORMAT[] = "unseen-checkpoint-2";

un_status un_checkpoint_path(const trainer *t, char **out) {
    size_t part = t->options->part;
    if (part > 0) return un_format(out, "%s.run%zu.checkpoint", t->options->output, part);
    return un_format(out, "%s.checkpoint", t->options->output);
}

static json_t *evaluation_json(const evaluation *e) {
    const double values[] = {e->T1, e->U, e->S, e->H, e->AUSUC, e->best_H, e->best_gamma};
    json_t *list = json_array();
    for (size_t i = 0; list && i < sizeof values / sizeof *values; i++)
        if (un_json_append(list, un_json_number(values[i]))) {
            json_decref(list);
            return NULL;
        }
    return json_pack("{s:I, s:I, s:o}", "epoch", (json_int_t)e->epoch, "points",
                     (json_int_t)e->points, "values", list);
}

static un_status state_json(const trainer *t, json_t **out) {
    json_t *state = json_pack(
        "{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "format", FORMAT, "identity",
        json_incref(t->identity), "run", (json_int_t)t->run, "epoch", (json_int_t)t->epoch, "step",
        (json_int_t)t->step, "steps_done", (json_int_t)t->steps_done, "loss_steps",
        (json_int_t)t->loss_steps, "log_offset", (json_int_t)un_train_log_offset(t));
    json_t *losses = json_array(), *runs = json_array();
    un_status status = state && losses && runs ? UNSEEN_OK : un_fail_memory(0);
    for (size_t i = 0; i <= UN_MAX_LOSSES && !status; i++)
        status = un_json_append(losses, json_real(t->loss_sum[i]));
    for (size_t r = 0; r < t->selection_runs && !status; r++) {
        json_t *list = json_array();
        for (size_t i = 0; i < t->history[r].count && !status; i++)
            status = un_json_append(list, evaluation_json(&t->history[r].items[i]));
        if (!status)
            status = un_json_append(runs, list);
        else
            json_decref(list);
    }
    if (!status) status = un_json_set(state, "loss_sum", json_incref(losses));
    if (!status) status = un_json_set(state, "history", json_incref(runs));
    if (!status && t->part_done) status = un_json_set(state, "part_done", json_true());
    json_decref(losses);
    json_decref(runs);
    if (status)
        json_decref(state);
    else
        *out = state;
    return status;
}

static un_status declare(un_st_writer *writer, const trainer *t) {
    size_t trained = t->method->params.trained;
    UN_TRY(un_st_writer_add(writer, "values", UN_F32, 1, &t->method->params.total));
    if (t->optimizer.second) UN_TRY(un_st_writer_add(writer, "second", UN_F32, 1, &trained));
    if (t->optimizer.first) UN_TRY(un_st_writer_add(writer, "first", UN_F32, 1, &trained));
    for (size_t r = 0; r < t->selection_runs; r++) {
        char name[32];
        snprintf(name, sizeof name, "curves.%zu", r);
        size_t values = 0;
        for (size_t i = 0; i < t->history[r].count; i++)
            values += 3 * t->history[r].items[i].points;
        UN_TRY(un_st_writer_add(writer, name, UN_F64, 1, &values));
    }
    return un_st_writer_begin(writer);
}

/* Copies the curves of one run from the store, one after the other. */
static un_status write_curves(un_st_writer *writer, size_t index, trainer *t, const history *h) {
    uint64_t at = 0;
    for (size_t i = 0; i < h->count; i++) {
        un_curve curve;
        UN_TRY(un_curve_store_read(&t->curves, h->items[i].curve, h->items[i].points, &curve));
        const double *const arrays[] = {curve.U, curve.S, curve.threshold};
        size_t bytes = curve.count * sizeof(double);
        un_status status = UNSEEN_OK;
        for (size_t k = 0; k < 3 && !status; k++, at += bytes)
            status = un_st_writer_write(writer, index, at, arrays[k], bytes);
        un_curve_free(&curve);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* Where pieces of the optimiser's state go, at the rank that writes; the first failure. */
typedef struct {
    un_st_writer *writer;
    size_t index;
    un_status status;
} state_sink;

/* Others need not end because one cannot write. */
static un_status take_state(void *context, size_t at, const float *piece, size_t n) {
    state_sink *sink = context;
    if (sink->writer && !sink->status)
        sink->status = un_st_writer_write(sink->writer, sink->index, at * sizeof *piece, piece,
                                          n * sizeof *piece);
    return UNSEEN_OK;
}

/* All arrays; `writer` is NULL at ranks that only tell their state. */
static un_status write_arrays(un_st_writer *writer, trainer *t) {
    const un_params *p = &t->method->params;
    state_sink sink = {.writer = writer};
    if (writer)
        sink.status =
            un_st_writer_write(writer, sink.index++, 0, p->value, p->total * sizeof(float));
    const float *const states[] = {t->optimizer.second, t->optimizer.first};
    for (size_t i = 0; i < 2; i++) {
        if (!states[i]) continue;
        UN_TRY(un_shared_spread(&t->shared, states[i], take_state, &sink));
        sink.index++;
    }
    UN_TRY(sink.status);
    for (size_t r = 0; r < t->selection_runs && writer; r++)
        UN_TRY(write_curves(writer, sink.index++, t, &t->history[r]));
    return UNSEEN_OK;
}

static un_status begin_file(trainer *t, un_st_writer **writer) {
    char *path = NULL, *text = NULL;
    json_t *state = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_checkpoint_path(t, &path));
    UN_GO(state_json(t, &state));
    UN_GO(un_json_text(state, &text));
    UN_GO(un_st_writer_open(writer, path));
    UN_GO(un_st_writer_metadata(*writer, "state", text));
    UN_GO(declare(*writer, t));
done:
    if (status) {
        un_st_writer_abort(*writer);
        *writer = NULL;
    }
    json_decref(state);
    free(text);
    free(path);
    return status;
}

/* How the writing went, from the rank that writes to the others. */
static un_status tell_others(const trainer *t, un_status status) {
    int32_t code = (int32_t)status;
    UN_TRY(un_cluster_broadcast(t->options->ranks, 0, &code, sizeof code));
    if (code != 0 && !un_run_writes(t))
        return un_fail((un_status)code, "the rank that writes it cannot");
    return status;
}

un_status un_checkpoint_save(trainer *t) {
    un_st_writer *writer = NULL;
    un_status begun = un_run_writes(t) ? begin_file(t, &writer) : UNSEEN_OK;
    un_status status = tell_others(t, begun);
    if (status) return status;
    status = write_arrays(writer, t);
    if (writer && !status)
        status = un_st_writer_commit(writer);
    else
        un_st_writer_abort(writer);
    return tell_others(t, status);
}

static un_status damaged(const un_safetensors *file, const char *what) {
    return un_fail(UNSEEN_E_FORMAT, "%s: not a usable checkpoint: %s; remove it to start anew",
                   file->path, what);
}

/* The bytes of an array of `total` f32; the file may be unaligned. */
static un_status find_array(const un_safetensors *file, const char *name, size_t total,
                            const void **out) {
    const un_st_entry *entry = NULL;
    UN_TRY(un_safetensors_require(file, name, 1, &entry));
    if (entry->tensor.shape[0] != total || entry->tensor.dtype != UN_F32)
        return damaged(file, "an array has the wrong shape");
    *out = entry->tensor.data;
    return UNSEEN_OK;
}

/* Parameters, and this rank's part of the optimiser's state. */
static un_status load_arrays(trainer *t, const un_safetensors *file) {
    const un_params *p = &t->method->params;
    const void *whole = NULL;
    const struct {
        const char *name;
        float *mine;
    } states[] = {{"second", t->optimizer.second}, {"first", t->optimizer.first}};
    UN_TRY(find_array(file, "values", p->total, &whole));
    memcpy(p->value, whole, p->total * sizeof *p->value);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        if (!states[i].mine) continue;
        UN_TRY(find_array(file, states[i].name, p->trained, &whole));
        un_shared_pick(&t->shared, whole, states[i].mine);
    }
    un_params_refresh(&t->method->params);
    return UNSEEN_OK;
}

/* One evaluation whose curve is the `points` points at `values`. */
static un_status load_evaluation(trainer *t, const un_safetensors *file, const json_t *item,
                                 const void *values, size_t points, evaluation *e) {
    const json_t *v = json_object_get(item, "values");
    size_t epoch = 0;
    UN_TRY(un_json_get_size(item, "epoch", file->path, &epoch));
    if (epoch < 1) return damaged(file, "an evaluation before the first epoch");
    *e = (evaluation){.epoch = epoch, .points = points};
    double *const fields[] = {&e->T1, &e->U, &e->S, &e->H, &e->AUSUC, &e->best_H, &e->best_gamma};
    for (size_t j = 0; j < sizeof fields / sizeof *fields; j++) {
        const json_t *x = json_array_get(v, j);
        *fields[j] = json_is_number(x) ? json_number_value(x) : (double)NAN;
    }
    un_curve curve = {.count = points};
    un_status status = un_alloc(3 * points, sizeof(double), &curve.U);
    if (status) return status;
    memcpy(curve.U, values, 3 * points * sizeof(double)); /* the file may be unaligned */
    curve.S = curve.U + points;
    curve.threshold = curve.U + 2 * points;
    for (size_t j = 0; j + 1 < points && !status; j++)
        if (!isfinite(curve.threshold[j]) ||
            (j > 0 && curve.threshold[j] <= curve.threshold[j - 1]))
            status = damaged(file, "the thresholds of a curve do not ascend");
    if (!status) status = un_curve_store_add(&t->curves, t->options->output, &curve, &e->curve);
    free(curve.U);
    return status;
}

static un_status load_history(trainer *t, const un_safetensors *file, size_t r,
                              const json_t *list) {
    char name[32];
    const un_st_entry *curves = NULL;
    snprintf(name, sizeof name, "curves.%zu", r);
    UN_TRY(un_safetensors_require(file, name, 1, &curves));
    if (curves->tensor.dtype != UN_F64) return damaged(file, "the curves have the wrong type");
    size_t total = curves->tensor.shape[0], at = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *item = json_array_get(list, i);
        json_int_t points = json_integer_value(json_object_get(item, "points"));
        evaluation e;
        if (points < 1 || (size_t)points > (total - at) / 3)
            return damaged(file, "the evaluations and their curves differ in number");
        UN_TRY(load_evaluation(t, file, item,
                               (const char *)curves->tensor.data + at * sizeof(double),
                               (size_t)points, &e));
        UN_TRY(un_history_append(&t->history[r], &e, t->settings.metric));
        at += 3 * (size_t)points;
    }
    return at == total ? UNSEEN_OK : damaged(file, "a curve belongs to no evaluation");
}

static un_status load_position(trainer *t, const un_safetensors *file, const json_t *state,
                               size_t *log_at) {
    size_t steps = 0;
    UN_TRY(un_json_get_size(state, "run", file->path, &t->run));
    UN_TRY(un_json_get_size(state, "epoch", file->path, &t->epoch));
    UN_TRY(un_json_get_size(state, "step", file->path, &t->step));
    UN_TRY(un_json_get_size(state, "steps_done", file->path, &steps));
    UN_TRY(un_json_get_size(state, "loss_steps", file->path, &t->loss_steps));
    UN_TRY(un_json_get_size(state, "log_offset", file->path, log_at));
    t->steps_done = steps;
    const json_t *losses = json_object_get(state, "loss_sum");
    for (size_t i = 0; i <= UN_MAX_LOSSES; i++)
        t->loss_sum[i] = json_number_value(json_array_get(losses, i));
    t->part_done = json_is_true(json_object_get(state, "part_done"));
    if (t->run > t->selection_runs) return damaged(file, "its run does not exist");
    if (t->options->part > 0 && t->run + 1 != t->options->part)
        return damaged(file, "it is another run's");
    const json_t *runs = json_object_get(state, "history");
    for (size_t r = 0; r < t->selection_runs; r++)
        UN_TRY(load_history(t, file, r, json_array_get(runs, r)));
    return UNSEEN_OK;
}

/* Epochs, or points of a closed form's grid, which only an open method knows. */
static un_status check_epochs(const trainer *t, const un_safetensors *file) {
    const un_method_closed_form *closed = t->options->class->closed_form;
    size_t most = closed ? closed->points(t->method) : t->settings.epochs;
    for (size_t r = 0; r < t->selection_runs; r++)
        for (size_t i = 0; i < t->history[r].count; i++)
            if (t->history[r].items[i].epoch > most)
                return damaged(file, "an evaluation behind the last epoch");
    return UNSEEN_OK;
}

static un_status check_identity(const trainer *t, const un_safetensors *file, const json_t *was) {
    char *difference = NULL;
    if (!json_is_object(was)) return damaged(file, "it does not say what it belongs to");
    UN_TRY(un_identity_difference(was, t->identity, &difference));
    un_status status =
        difference ? un_fail(UNSEEN_E_ARGUMENT,
                             "%s belongs to another training, which differs in %s: give the same, "
                             "or remove the checkpoint",
                             file->path, difference)
                   : UNSEEN_OK;
    free(difference);
    return status;
}

/* The state of a checkpoint of this very training; a new reference. */
static un_status open_state(const trainer *t, const un_safetensors *file, json_t **out) {
    const char *text = un_safetensors_metadata(file, "state");
    json_t *state = NULL;
    if (!text) return damaged(file, "it has no state");
    UN_TRY(un_json_parse(text, strlen(text), file->path, &state));
    const char *format = json_string_value(json_object_get(state, "format"));
    un_status status = !format || strcmp(format, FORMAT) != 0
                           ? damaged(file, "its format is another version's")
                           : check_identity(t, file, json_object_get(state, "identity"));
    if (status)
        json_decref(state);
    else
        *out = state;
    return status;
}

/* One that is found is not expected without --resume. */
static un_status expect(const trainer *t, const char *path, int found) {
    if (!found || t->options->resume) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s is left from a training that was stopped: go on with {--resume}, or "
                   "remove it",
                   path);
}

un_status un_checkpoint_examine(const trainer *t, const char *path, int *found, size_t *run) {
    un_safetensors file;
    json_t *state = NULL;
    *found = un_path_exists(path);
    if (!*found) return UNSEEN_OK;
    UN_TRY(expect(t, path, *found));
    UN_TRY(un_safetensors_load(&file, path));
    un_status status = open_state(t, &file, &state);
    if (!status) status = un_json_get_size(state, "run", path, run);
    json_decref(state);
    un_safetensors_close(&file);
    return status;
}

static un_status restore(trainer *t, const un_safetensors *file) {
    json_t *state = NULL;
    size_t log_at = 0;
    un_status status = UNSEEN_OK;
    UN_TRY(open_state(t, file, &state));
    UN_GO(load_position(t, file, state, &log_at));
    if (un_run_is_final(t)) UN_GO(un_history_select(t));
    UN_GO(un_run_open(t));
    UN_GO(check_epochs(t, file));
    UN_GO(load_arrays(t, file));
    t->optimizer.steps = t->optimizer.settings.fresh ? t->step : t->steps_done;
    if (t->epoch > un_run_epochs(t) || t->step >= un_run_epoch_steps(t))
        UN_GO(damaged(file, "its position lies outside the run"));
    UN_GO(un_train_log_open(t, (long)log_at));
done:
    json_decref(state);
    return status;
}

un_status un_checkpoint_load(trainer *t, int *found) {
    char *path = NULL;
    un_safetensors file;
    *found = 0;
    if (!t->to_file) return UNSEEN_OK;
    UN_TRY(un_checkpoint_path(t, &path));
    *found = un_path_exists(path);
    un_status status = UNSEEN_OK;
    UN_GO(un_cluster_broadcast(t->options->ranks, 0, found, sizeof *found));
    UN_GO(expect(t, path, *found));
    if (!*found) goto done;
    UN_GO(un_safetensors_load(&file, path));
    status = restore(t, &file);
    un_safetensors_close(&file);
    if (!status && !t->part_done)
        un_log(UNSEEN_LOG_INFO, "resuming %s after %llu steps", t->task.name,
               (unsigned long long)t->steps_done);
done:
    free(path);
    return status;
}

un_status un_checkpoint_remove(trainer *t) {
    char *path = NULL;
    if (!t->to_file || !un_run_writes(t)) return UNSEEN_OK;
    UN_TRY(un_checkpoint_path(t, &path));
    un_status status = un_file_remove(path);
    free(path);
    return status;
}
