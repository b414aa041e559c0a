/*
 * handles.h - what is behind the pointers of the public interface (unseen.h), and how its functions
 * take structures of options. The files *_api.c are that interface; they check what a caller gives,
 * and the files beside them do the work.
 */
#ifndef UN_ENGINE_HANDLES_H
#define UN_ENGINE_HANDLES_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/locale.h"
#include "base/status.h"
#include "data/dataset.h"
#include "engine/classifier.h"
#include "engine/evaluation.h"
#include "engine/explain.h"
#include "train/identity.h"

struct unseen_dataset {
    un_dataset data;
    atomic_size_t users; /* handles and results that need it */
    char *notes;         /* JSON; NULL: not asked for yet */
    unsigned char *seen; /* [C] 1: it has images in trainval */
    /* Answers of accessors that look anew each time, as long as it is open; several threads may ask
     * at once. */
    pthread_mutex_t lock;
    char **answers; /* [answer_count] different ones */
    size_t answer_count;
};

/* One user more, and one less: the last one releases it; NULL is allowed. */
unseen_dataset *un_dataset_share(const unseen_dataset *data);

struct unseen_model {
    un_classifier classifier;
    char **errors; /* [error_count] sentences of the last call about pictures, or NULL */
    size_t error_count;
    char *recipe;      /* JSON of the backbone's, as pictures are turned now; NULL: there is none */
    char *description; /* JSON, as last asked for */
};

/* A handle on a classifier that was opened; it is released if there is no memory for one. */
un_status un_model_handle(un_classifier *classifier, unseen_model **out);

/* That n rows of D features, those of images `first` and on, are numbers. */
un_status un_features_check(const unseen_model *model, const float *features, size_t n,
                            size_t first);

/* What a training or an evaluation came to. */
struct unseen_result {
    json_t *json;
    char *text;
    unseen_dataset
        *data;        /* the rest is an evaluation's, which uses its names; NULL: a training's */
    json_t *manifest; /* the model's, whose words it uses, too */
    un_evaluation evaluation;
    un_curve curve;
    double *gamma; /* [curve.count] */
};

struct unseen_explanation {
    un_explanation explanation;
    char *image, *note; /* NULL: there is nothing to note */
    size_t top;
    char *json;
    char *png; /* the last one asked for */
};

/* A handle on the result of a training; takes the reference, NULL included. */
un_status un_result_handle(json_t *json, unseen_result **out);

/* ---- options ---- */

/* A caller's orientation as the library has it, and that classes that one names are of their
 * enumeration: UNSEEN_E_ARGUMENT for other values. */
un_status un_orientation_take(unseen_orientation orientation, un_orientation *out);
un_status un_among_check(unseen_among among);

/* Fills a structure of a caller's size with defaults; both begin with their size. */
void un_options_init(void *options, size_t size, const void *defaults, size_t known);
/* *out, which holds the defaults and is `known` bytes, takes over what a caller of this or another
 * version set; NULL: nothing. `name` is for the sentence. */
un_status un_options_take(const void *options, const char *name, void *out, size_t known);

#endif
