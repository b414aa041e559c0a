/*
 * models.h - the models that are served, by name. A model that is loaded anew takes the place of the
 * old one for requests from then on; those that have the old one keep it until they are answered.
 */
#ifndef UN_SERVE_MODELS_H
#define UN_SERVE_MODELS_H

#include <stdatomic.h>

#include "base/json.h"
#include "base/names.h"
#include "serve/samples.h"
#include "serve/serve.h"

typedef struct {
    atomic_size_t users;
    char *name, *url;    /* url: the name as a piece of an address */
    unseen_model *model; /* of the thread that computes, alone */
    char *recipe;        /* of its pictures; NULL: it cannot be asked about pictures */
    size_t feature_length;
    size_t class_count;
    unsigned char *is_new; /* [class_count] 1: described after training */
    int probabilities;     /* scores are */
    json_t *row;           /* of GET /v1/models */
    char *card;            /* GET /v1/models/NAME */
    const un_samples *samples;
} un_served;

typedef struct un_models un_models;

/* Opens all; the options are borrowed. */
un_status un_models_open(const un_serve_options *options, un_models **out);
void un_models_close(un_models *models);

/* A model by its name, to be released; NULL: there is none. Any thread. */
un_served *un_models_take(un_models *models, const char *name);
void un_served_release(un_served *served);
/* The answer of GET /v1/models, released with free(); NULL: no memory. Any thread. */
char *un_models_list(un_models *models);
/* `; did you mean "NAME"?` or "". */
un_suggestion un_models_suggest(un_models *models, const char *name);

/* Loads all anew, one at a time; one that cannot be loaded stays as it is, and the log says why. */
void un_models_reload(un_models *models);
/* Has a loading that is going on end soon. Any thread. */
void un_models_stop(un_models *models);

#endif
