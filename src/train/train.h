/*
 * train.h - training with honest selection.
 *
 * A training is a sequence of runs. Selection runs come first: one for each
 * validation fold (or, with --select test, one on the benchmark's own test sets,
 * as the published codes do). Each trains from scratch and is evaluated every so
 * many epochs; the length and gamma that do best on average over them are selected.
 * The final run trains on trainval for that length, and only then the test sets
 * are read, once. Where all pictures are to be learned from, the final run trains on
 * those of the test lists as well, and nothing is left to test it on.
 *
 * One training at a time writes a model, its checkpoint and its log: a lock beside the model, which
 * the system drops with the process, keeps a second one out.
 *
 * Every state between two steps can be written to a checkpoint; a run resumed from
 * one ends with the same bytes as one that was never stopped.
 */
#ifndef UN_TRAIN_TRAIN_H
#define UN_TRAIN_TRAIN_H

#include "base/json.h"
#include "train/identity.h"

/* Trains, writes the model, and returns the result on the test sets (new reference, see
 * protocol/report.h; with `all` every figure is null and "trained_on" is "all"). `model`, unless
 * NULL, becomes the model itself, to be closed. UNSEEN_E_INTERRUPTED after *stop: the checkpoint is
 * written. */
un_status un_train(const un_train_options *options, un_model *model, json_t **result);

/* One of several trainings that differ in these. */
typedef struct {
    uint64_t seed;
    const char *output, *log_path; /* NULL: no log */
} un_training;
/* A training is done: its result, which is borrowed, and its model, which becomes the function's, or
 * NULL. */
typedef un_status (*un_train_done)(size_t training, un_model *model, json_t *result, void *user);
/* All of them, by this process one after the other or, where there are several ranks
 * (cluster/cluster.h), by these together: collective. `done` is called for each, in order, by rank
 * 0, with the models if `want_models`, which ranks do not hand over (UNSEEN_E_UNSUPPORTED). Models
 * are the same bytes, whatever the number of ranks, unless several share the steps of a run
 * (options->ranks_per_run): these sum in another order. State of ranks that were stopped is in
 * MODEL.run<N>.checkpoint, one for each selection run, and MODEL.checkpoint; `resume` goes on from
 * there. */
un_status un_train_several(const un_train_options *options, const un_training *trainings,
                           size_t count, int want_models, un_train_done done, void *user);

/* Where one of several seeds goes: "a/birds.model" and seed 3 give "a/birds-seed3.model". Released
 * with free(). */
un_status un_train_seed_path(const char *path, uint64_t seed, char **out);

#endif
