/*
 * method.h - the one interface of all methods. Training, evaluation, prediction
 * and serving know a method through this header and nothing else.
 *
 * Life of a method that learns:
 *     create(setup with data) -> freeze, prepare -> for every epoch and step: step, then
 *     the trainer's optimiser moves params -> set_classes -> score …
 * of one in closed form:
 *     create(setup with data) -> prepare -> for every point of its grid: fit -> set_classes …
 * of one that was loaded:
 *     create(setup without data) -> params filled from the file -> set_classes -> score …
 *
 * The method owns its sampling (which images make step s of epoch e is a function
 * of seed, e and s only, so that a resumed run needs no replay), its losses and its
 * gradients; the trainer owns optimiser, schedule, checkpoints and selection.
 *
 * Shapes: n images, R regions, F features of a region (R = 1 for pooled features),
 * C classes of the table.
 */
#ifndef UN_METHOD_METHOD_H
#define UN_METHOD_METHOD_H

#include <jansson.h>
#include <signal.h>

#include "data/features.h"
#include "data/task.h"
#include "method/config.h"
#include "nn/optimizer.h"

enum { UN_MAX_LOSSES = 12 };

typedef enum { UN_INPUT_POOLED, UN_INPUT_REGIONS, UN_INPUT_PIXELS } un_input_kind;

typedef struct un_method un_method;

/* The images a method learns from; everything is borrowed and outlives it. */
typedef struct {
    const un_features *features;
    const int32_t *labels;      /* [N], rows of the class table */
    const un_index_list *train; /* images to learn from */
} un_training_data;

typedef struct {
    const un_class_table *classes; /* borrowed during create only */
    size_t regions, width;         /* R, F of the input */
    uint64_t seed;
    un_precision precision;
    const json_t *config; /* complete and valid (un_config_*) */
    size_t available; /* parameters in the file that will fill them, for un_params; 0: none will */
    const un_training_data *data; /* NULL: for prediction only */
    const json_t *kept;           /* for prediction: what `keep` gave after training; or NULL */
} un_method_setup;

typedef struct {
    const char *name;    /* as on the command line */
    const char *config;  /* JSON object of the settings that differ from the defaults */
    const char *summary; /* one line for --help */
} un_preset;

/* How a picture divides its attention over groups of attributes; belongs to the method. */
typedef struct {
    size_t count;             /* G */
    const char *const *names; /* [G] */
    const float *share;       /* [G] what is missing to a sum of 1 goes elsewhere */
    const float *even;        /* [G] the share that attention without preference would give */
} un_group_attention;

/* How often a method names an attribute that is hidden from it, and the best that a constant
 * answer does on the very same: always the most frequent one of as many word pieces. */
typedef struct {
    size_t count;    /* images that had something to hide */
    double in_group; /* fraction right, among the attributes of the hidden one's group */
    double in_group_prior;
    double among_all; /* among all attributes; another one of the same words counts as right */
    double among_all_prior;
} un_recovered;

typedef struct un_method_class {
    const char *name;       /* "dem" */
    const char *title;      /* with the paper */
    const char *score_unit; /* "negative distance": the unit of scores and gamma */
    un_input_kind input;
    /* Whether, with these settings, each class's description is brought to length 1; NULL: never. */
    int (*unit_rows)(const json_t *config);
    int trains_with_unseen_rows; /* unseen classes' attributes enter the loss: the manifest says so */
    const char *const
        *losses; /* names of step()'s terms, NULL-terminated; the L2 term is the trainer's */
    const un_option *options; /* key == NULL ends */
    const un_preset *presets; /* name == NULL ends; the first is the default */

    un_status (*create)(const un_method_setup *setup, un_method **out);
    void (*destroy)(un_method *method);
    /* For what training leaves as it is, such as a frozen backbone: computes what that makes of
     * every image of setup->data, once, into a file that later runs take up, and gives it as the
     * feature store (owned by the method) that step and score take from then on in place of
     * setup->data's; the caller points setup->data there. *out stays NULL where there is none.
     * UNSEEN_E_INTERRUPTED when *stop (may be NULL): the next call goes on from there. Called
     * right after create; may be NULL. */
    un_status (*freeze)(un_method *method, const volatile sig_atomic_t *stop,
                        const un_features **out);
    /* One pass over the training images before the first step; may be NULL. */
    un_status (*prepare)(un_method *method);
    /* Steps of all epochs before this one: 0 for the first, and each epoch has at least one. */
    size_t (*steps_before)(const un_method *method, size_t epoch);
    /* The images that this step will read, for read-ahead: a borrowed list valid
     * until the next call; *count may be 0. May be NULL. */
    un_status (*plan)(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count);
    /* Forward and backward: fills the gradients of params and losses[]. */
    un_status (*step)(un_method *method, size_t epoch, size_t step, double *losses);
    /* Floating-point operations of the matrix products of the step just done. */
    double (*step_flops)(const un_method *method);
    /* Settings of the optimiser that the trainer should run. NULL for closed forms. */
    void (*optimizer)(const un_method *method, un_optimizer_settings *out);
    /* The learning rate of an epoch where it changes; NULL: always the optimiser's. */
    double (*learning_rate)(const un_method *method, size_t epoch);
    /* What creating the trained method again takes beyond its configuration, such as sizes that
     * came from files: a JSON object for the model's manifest. NULL: nothing. */
    un_status (*keep)(const un_method *method, json_t **out);
    /* Closed-form methods learn here instead of in steps; else NULL. What they choose among is a
     * grid of settings: point p, 0 <= p < fit_points, is to the trainer what the length of a
     * training is elsewhere, so that selection is the same for both. prepare gathers what all
     * points share; a fit sets params and losses[] and depends on its point only. */
    un_status (*fit)(un_method *method, size_t point, double *losses);
    size_t (*fit_points)(const un_method *method);
    /* The settings of a point by their names, a new reference; NULL: out of memory. */
    json_t *(*fit_settings)(const un_method *method, size_t point);
    /* The classes to score from now on, with the parameters as they are now. Any
     * classes whose modalities have the trained widths will do. */
    un_status (*set_classes)(un_method *method, const un_class_table *classes);
    /* features (n, R, F) f32 -> scores (n, C), higher is better. */
    un_status (*score)(un_method *method, const float *features, size_t n, float *scores);
    /* Attention maps of image features (R, F) f32: maps (branches, A, h, w) row-major, h w the
     * grid of un_method_grid; UNSEEN_E_UNSUPPORTED if this model has none, NULL for methods
     * without. */
    un_status (*attention)(un_method *method, const float *features, float *maps);
    size_t attention_branches;
    const char *const *attention_titles; /* [attention_branches] what each shows, a few words */
    /* Sets the grid of the maps where it is not that of the features; NULL: always that. */
    void (*attention_grid)(const un_method *method, size_t *height, size_t *width);
    /* The attention of image features (R, F) f32 over groups of attributes; the arrays of *out are
     * valid until the next call. UNSEEN_E_UNSUPPORTED if this model has none, NULL for methods
     * without. */
    un_status (*group_attention)(un_method *method, const float *features, un_group_attention *out);
    /* Hides one attribute of each image's class, as in training, and asks for it: labels [N], rows
     * of the class table. UNSEEN_E_UNSUPPORTED if this model cannot, NULL for methods without. */
    un_status (*recovery)(un_method *method, const un_class_table *classes,
                          const un_features *features, const int32_t *labels,
                          const un_index_list *images, un_recovered *out);
    /* Attribute scores of image features (R, F) f32: out (branches, A), the weights of the
     * branches included, so that the score of class c is its constant plus
     * sum_i att[c, i] sum_b out[b, i], att from class_rows; of a probability this is the logarithm,
     * up to a number that all classes share. NULL for methods whose scores are no such sum. */
    un_status (*attributes)(un_method *method, const float *features, float *out);
    /* Whether the scores are made of the semantics at this place of the table, so that A counts
     * its values, too; NULL: they are made of all. */
    int (*scores_with)(const un_method *method, size_t modality);
    /* The class attributes (C, A) as the scores use them, of the last set_classes; borrowed. */
    const float *(*class_rows)(const un_method *method);
    /* Branches of `attributes`. */
    size_t attribute_branches;
    int scores_are_probabilities; /* so that `attributes` add up to their logarithms */
} un_method_class;

/* Head of every method's own structure. */
struct un_method {
    const un_method_class *class;
    un_params params;
};

/* All methods, NULL-terminated. */
extern const un_method_class *const un_methods[];
/* Fails with a sentence that names the nearest. */
un_status un_method_find(const char *name, const un_method_class **out);
/* The grid of the attention maps of a method whose features are a grid of height x width. */
void un_method_grid(const un_method *method, size_t *height, size_t *width);
/* Number of terms in class->losses. */
size_t un_method_loss_count(const un_method_class *class);

#endif
