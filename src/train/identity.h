/*
 * identity.h - a training as it is asked for, and what makes two of them one and the same: the
 * method with all its settings and the files that they name, data set (split, labels, folds,
 * descriptions), feature set, selection, precision (in bf16 the way to multiply it, too), steps, seed
 * and version of the program. A checkpoint is continued, a model is "already trained", and models are
 * seeds of one training only where these agree.
 *
 * An identity is a JSON object, flat but for groups of one kind, and holds no paths: data and
 * files are there by their SHA-256.
 */
#ifndef UN_TRAIN_IDENTITY_H
#define UN_TRAIN_IDENTITY_H

#include <signal.h>

#include "method/method.h"
#include "model/model.h"

typedef enum { UN_SELECT_VALIDATION, UN_SELECT_TEST, UN_SELECT_NONE } un_select;
/* "validation", "selected on test", "none". */
const char *un_select_text(un_select select);

/* What a method makes of what it leaves as it is (un_method_learner.freeze): of ranks all use the one
 * that rank 0 has made or, where it could not be kept, none, for bytes would differ. */
typedef enum { UN_FROZEN_MAKE = 0, UN_FROZEN_MADE, UN_FROZEN_NONE } un_train_frozen;

/* What is asked of a training; everything is borrowed. */
typedef struct {
    const un_method_class *class;
    const char *preset;   /* name for the manifest */
    const json_t *config; /* complete */
    const un_dataset *dataset;
    const un_features *features;
    uint64_t seed;
    un_precision precision;
    un_select select;
    size_t folds;                /* of the data set's validation folds the first so many; 0: all */
    int all;                     /* 1: the final run learns from the test lists, too */
    size_t max_steps;            /* of every run; 0: no limit but the epochs */
    const char *output;          /* model file; NULL: none, and no checkpoint */
    const char *log_path;        /* CSV, NULL: none */
    int resume;                  /* go on from <output>.checkpoint if it is there; where
                                          there is none, a model of the same identity is not
                                          trained again, its result is returned */
    size_t part;                 /* r + 1: selection run r alone, whose state is kept in
                                          <output>.run<r + 1>.checkpoint; 0: all runs */
    un_cluster *ranks;           /* that share the steps of a run, the method permitting, borrowed;
                                          NULL: this process alone */
    size_t ranks_per_run;        /* for un_train_several, which makes `ranks` of it; 0: 1 */
    un_dtype wire;               /* of gradients between them: UN_F32, UN_BF16 */
    un_train_frozen frozen;      /* set by un_train_several */
    int locked;                  /* another rank holds the lock on the output */
    double checkpoint_seconds;   /* between checkpoints; <= 0: only when stopped */
    volatile sig_atomic_t *stop; /* set by a signal handler, or where another rank is to
                                          stop; NULL: never */
    un_status (*between)(void *user); /* called between steps; NULL: nothing to do */
    void *between_user;
} un_train_options;

/* Trainings that choose length and gamma, before the final one: one for each validation fold used, one
 * on the test lists, or none. */
size_t un_train_selection_runs(const un_train_options *options);

/* How bf16 is multiplied here where this training multiplies any; else NULL. */
const char *un_train_bf16_way(const un_train_options *options);

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
