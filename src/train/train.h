/*
 * train.h - training with honest selection.
 *
 * A training is a sequence of runs. Selection runs come first: one for each
 * validation fold (or, with --select test, one on the benchmark's own test sets,
 * as the published codes do). Each trains from scratch and is evaluated every so
 * many epochs; the length and gamma that do best on average over them are chosen.
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

#include <signal.h>

#include "method/method.h"
#include "model/model.h"

typedef enum { UN_SELECT_VALIDATION, UN_SELECT_TEST, UN_SELECT_NONE } un_select;

typedef struct {
    const un_method_class *class;
    const char *preset;   /* name for the manifest */
    const json_t *config; /* complete */
    const un_dataset *dataset;
    const un_features *features;
    uint64_t seed;
    un_precision precision;
    un_select select;
    int all;                           /* 1: the final run learns from the test lists, too */
    size_t max_steps;                  /* of every run; 0: no limit but the epochs */
    const char *output;                /* model file */
    const char *log_path;              /* CSV, NULL: none */
    int resume;                        /* go on from <output>.checkpoint if it is there; where
                                          there is none, a model of the same identity (identity.h)
                                          is not trained again, its result is returned */
    double checkpoint_seconds;         /* between checkpoints; <= 0: only when stopped */
    const volatile sig_atomic_t *stop; /* set by a signal handler; NULL: never */
} un_train_options;

/* Trains, writes the model, and returns the result on the test sets (new reference, see
 * protocol/report.h; with `all` every figure is null and "trained_on" is "all").
 * UNSEEN_E_INTERRUPTED after *stop: the checkpoint is written. */
un_status un_train(const un_train_options *options, json_t **result);

/* "validation", "selected on test", "none". */
const char *un_select_text(un_select select);

/* ---- what makes two trainings one and the same: the method with all its settings and the
 * files that they name, data set (split, labels, folds, descriptions), feature set, selection,
 * precision, steps and seed. A checkpoint is continued, a model is "already trained", and models
 * are seeds of one training only where these agree.
 *
 * An identity is a JSON object, flat but for groups of one kind, and holds no paths: data and
 * files are there by their SHA-256. ---- */

/* `config` and `files` are as un_config_portable gives them. *out is a new reference. */
un_status un_identity_make(const un_train_options *options, const json_t *config,
                           const json_t *files, json_t **out);

/* The identity that a model carries; of one that was written before there were identities, what
 * else it tells: parts are missing then. *out is a new reference. */
un_status un_identity_of_model(const un_model *model, json_t **out);
/* The same from the manifest alone: without the descriptions of an older model's classes. */
un_status un_identity_of_manifest(const json_t *manifest, json_t **out);

/* The first part in which two identities differ, in words: "setting lr (was 0.1, is 0.2)"; NULL if
 * they agree in all parts that both have. Released with free(). */
un_status un_identity_difference(const json_t *was, const json_t *is, char **out);
/* Whether they differ in the seed at most. */
int un_identity_same_but_seed(const json_t *a, const json_t *b);

#endif
