/*
 * run.h - the state of a training and its pieces; private to train/.
 */
#ifndef UN_TRAIN_RUN_H
#define UN_TRAIN_RUN_H

#include <stdio.h>

#include "protocol/metrics.h"
#include "train/train.h"

enum { THIN_POINTS = 512, MAX_RUNS = UN_MAX_FOLDS };

/* One evaluation of a selection run. The curve is kept, thinned to THIN_POINTS
 * points, because the best common gamma is known only when all folds are done. */
typedef struct {
    size_t epoch; /* epochs done, or points of a closed form's grid */
    double T1, U, S, H, AUSUC, best_H, best_gamma;
    size_t points;
    double (*curve)[3]; /* [THIN_POINTS] upper threshold (inf for the last), U, S */
} evaluation;

typedef struct {
    size_t count, capacity;
    evaluation *items;
    size_t best; /* index of the best so far by the chosen metric */
} history;

/* What selection decided. */
typedef struct {
    size_t epochs; /* of a closed form: the point of its grid, from 1 */
    int has_gamma;
    double gamma;
    double metric, T1, H; /* means over the selection runs at the chosen length */
} choice;

typedef struct {
    const un_train_options *options;
    json_t *config, *files; /* as a model keeps them: un_config_portable */
    size_t selection_runs;
    history history[MAX_RUNS];
    /* position: run, epoch and step that come next */
    size_t run, epoch, step;
    uint64_t steps_done;                /* in this run */
    double loss_sum[UN_MAX_LOSSES + 1]; /* since the last log row; the last is L2 */
    size_t loss_steps;
    choice chosen;
    /* the run under way */
    int run_open;
    un_task task;
    un_training_data data;
    un_method *method;
    un_optimizer optimizer;
    double run_started, last_checkpoint;
    FILE *log;
} trainer;

/* run.c: opening, stepping and closing a run. */
size_t run_epochs(const trainer *t);
un_status run_open(trainer *t);
void run_close(trainer *t);
/* Trains to the end of the run or until stopped. */
un_status run_train(trainer *t);
int is_final(const trainer *t);
/* Steps of the epoch under way; a closed form's point counts as one. */
size_t run_epoch_steps(const trainer *t);

/* history.c */
un_status history_add(history *h, const trainer *t, size_t epoch, const un_predictions *p,
                      evaluation **added);
un_status history_reserve(history *h, size_t count);
void history_free(history *h);
double evaluation_metric(const evaluation *e, const char *metric);
un_status history_choose(trainer *t);

/* checkpoint.c */
un_status checkpoint_path(const trainer *t, char **out);
un_status checkpoint_save(trainer *t);
/* *found = 0 if there is none. Opens the run that it was made in. */
un_status checkpoint_load(trainer *t, int *found);
un_status checkpoint_remove(trainer *t);

/* log.c: the CSV file. */
un_status log_open(trainer *t, long offset);
un_status log_row(trainer *t, const evaluation *e);
long log_offset(const trainer *t);
void log_close(trainer *t);

#endif
