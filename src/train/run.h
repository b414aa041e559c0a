/*
 * run.h - the state of a training, and what works on it; private to train/.
 */
#ifndef UN_TRAIN_RUN_H
#define UN_TRAIN_RUN_H

#include <stdio.h>

#include "base/file.h"
#include "method/method.h"
#include "nn/shared.h"
#include "protocol/metrics.h"
#include "train/identity.h"

enum { MAX_RUNS = UN_MAX_FOLDS };

/* One evaluation of a selection run; NaN is what the fold has no images for. The curve is kept,
 * because the best common gamma is known only when all folds are done. */
typedef struct {
    size_t epoch; /* epochs done, or points of a closed form's grid */
    double T1, U, S, H, AUSUC, best_H, best_gamma;
    size_t points;  /* of the curve */
    uint64_t curve; /* where it lies in the store */
} evaluation;

/* The exact curves of all evaluations. They grow with the number of validation images, so they
 * lie in a file without a name beside the model, not in memory. */
typedef struct {
    un_atomic_file file;
    int open;
    uint64_t end;
} curve_store;

/* What selection can maximise; seen accuracy only where nothing else is measured. */
typedef enum { METRIC_AUSUC, METRIC_H, METRIC_T1, METRIC_S, METRICS } selection_metric;
extern const char *const un_metric_names[METRICS];

/* What the configuration says of the training itself; a method reads its own settings. */
typedef struct {
    size_t epochs, evaluate_every, patience; /* not of closed forms; no patience: 0 */
    selection_metric metric;
    size_t semantics_count; /* as it says; `semantics` has no more than fit */
    const char *semantics[UN_MAX_CLASS_SEMANTICS]; /* names, borrowed from the configuration */
} train_settings;

/* The evaluations of one run. */
typedef struct {
    size_t count, capacity;
    evaluation *items;
    size_t best; /* index of the best so far by the metric of selection */
} history;

/* What selection decided. */
typedef struct {
    size_t epochs; /* of a closed form: the point of its grid, from 1 */
    int has_gamma;
    int gamma_decided; /* 0: no gamma was better than another, it is 0 */
    double gamma;
    selection_metric by;  /* what the length was selected by: the setting, or what could be
                            measured in its place */
    double metric, T1, H; /* means over the selection runs at the selected length */
} selection;

typedef struct {
    const un_train_options *options;
    train_settings settings;
    json_t *config, *files; /* as a model keeps them: un_config_portable */
    json_t *identity;       /* identity.h */
    int to_file;            /* the output is one; nothing can lie beside a pipe or device */
    un_lock lock;           /* on the output: one training at a time */
    size_t selection_runs;
    history history[MAX_RUNS];
    curve_store curves;
    /* position: run, epoch and step that come next */
    size_t run, epoch, step;
    int part_done;                      /* of a training of one selection run: it is */
    uint64_t steps_done;                /* in this run */
    double loss_sum[UN_MAX_LOSSES + 1]; /* since the last log row; the last is L2 */
    size_t loss_steps;
    selection selected;
    /* the run under way */
    int run_is_open;
    un_task task;
    un_training_data data;
    un_method *method;
    un_optimizer optimizer; /* of this rank's elements */
    un_shared shared;       /* options->ranks and their traffic */
    double run_started, last_checkpoint;
    FILE *log;
} trainer;

/* Of ranks that share a run the first alone writes: log, checkpoint, model. */
static inline int un_run_writes(const trainer *t) {
    return un_cluster_rank(t->options->ranks) == 0;
}

/* ---- train.c: a training, from its options to the model ---- */

/* What can be told before any work: options that do not fit together or the data set, an output
 * that cannot be written. Warns of what is odd. */
un_status un_train_check(const un_train_options *options);
/* A trainer at its first run, which is not open; un_trainer_close releases it in any case. */
un_status un_trainer_open(trainer *t, const un_train_options *options);
void un_trainer_close(trainer *t);
/* Keeps other trainings from an output. What is written through, a pipe, is nobody's alone. */
un_status un_train_lock(const char *output, un_lock *lock);
/* With --resume: the result of a model that this very training has written before, else NULL. */
un_status un_train_find_finished(const trainer *t, un_model *found, json_t **result);
/* Selects from the selection runs, which are done, and opens the final run. */
un_status un_train_begin_final(trainer *t);
/* After the final run: tests, writes the model. */
un_status un_train_finish(trainer *t, un_model *model, json_t **result);

/* ---- manifest.c ---- */

/* The model's manifest but for "kept" and "metrics"; a new reference. */
un_status un_train_manifest(const trainer *t, json_t **out);

/* ---- steps.c ---- */

/* Trains to the end of the run that is open, or until stopped. */
un_status un_train_run(trainer *t);

/* ---- run.c: the run under way ---- */

un_status un_run_open(trainer *t);
/* The status of a failure of the run that is open; where something came out that is no number, and
 * features that it learns from are none, the sentence tells of them in its place. */
un_status un_run_blame(const trainer *t, un_status status);
void un_run_close(trainer *t);
int un_run_is_final(const trainer *t);
/* Epochs of the run; a closed form's points, of which it may leave some out. */
size_t un_run_epochs(const trainer *t);
/* Steps of the epoch under way; a closed form's point counts as one. */
size_t un_run_epoch_steps(const trainer *t);

/* ---- history.c: the evaluations of all runs, their curves, and the log ---- */

/* Adds an evaluation to the run under way. */
un_status un_history_add(trainer *t, size_t epoch, const un_predictions *p, evaluation **added);
/* Adds one that is complete, and keeps the best up to date. */
un_status un_history_append(history *h, const evaluation *e, selection_metric metric);
void un_history_free(history *h);
/* The point of a closed form that comes next: in the first selection run as the method searches, in
 * the others the better half of those before where it was a search, in the final run the selected
 * one. *more = 0: none. */
un_status un_history_next_point(const trainer *t, size_t *point, int *more);
/* Sets t->selected from all runs. */
un_status un_history_select(trainer *t);
/* The evaluations of a run, and their curves, as bytes for another rank, released with free(); and
 * from there into run `run` of a trainer. */
un_status un_history_pack(trainer *t, size_t run, void **bytes, size_t *count);
un_status un_history_unpack(trainer *t, size_t run, const void *bytes, size_t count);

/* Keeps a curve and says where; `beside` is the path that the file lies beside. */
un_status un_curve_store_add(curve_store *store, const char *beside, const un_curve *curve,
                             uint64_t *at);
/* A curve of so many points into fresh arrays, released with un_curve_free. */
un_status un_curve_store_read(curve_store *store, uint64_t at, size_t points, un_curve *out);
void un_curve_store_close(curve_store *store);

/* The CSV log, a row an evaluation or, in the final run, as often. The offset of 0 begins anew. */
un_status un_train_log_open(trainer *t, long offset);
un_status un_train_log_row(trainer *t, const evaluation *e);
/* Adds the rows of a part's log, a file of that name that is there. */
un_status un_train_log_append(trainer *t, const char *path);
long un_train_log_offset(const trainer *t);
void un_train_log_close(trainer *t);

/* ---- checkpoint.c: the state between two steps, in a file ---- */

un_status un_checkpoint_path(const trainer *t, char **out);
/* Collective over options->ranks, as un_checkpoint_load: the first of them writes. */
un_status un_checkpoint_save(trainer *t);
/* *found = 0 if there is none, as of what is written to a pipe or device. Opens the run that it was
 * made in. */
un_status un_checkpoint_load(trainer *t, int *found);
/* By one rank alone: whether there is one at `path`, and of which run, without opening that. Fails if
 * it is another training's, or if nobody has said --resume. */
un_status un_checkpoint_examine(const trainer *t, const char *path, int *found, size_t *run);
un_status un_checkpoint_remove(trainer *t);

/* ---- run.c: which features a method learns from ---- */

/* Opens the feature set of a data set to train with. `name` names one; NULL takes the only one that the
 * method can use as it is, or where there is none, the only one whose regions it can average. The
 * log says which, unless there is no other. Fails with a sentence that lists them if several fit
 * or none does. */
un_status un_train_inputs_open(un_features *features, const un_dataset *dataset, const char *name,
                               const un_method_class *class, const json_t *config);
/* That a method can learn from these features; says so in the log where regions are averaged. */
un_status un_train_inputs_check(const un_features *features, const un_method_class *class,
                                const json_t *config);

#endif
