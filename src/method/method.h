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

#include <signal.h>

#include "base/json.h"
#include "cluster/cluster.h"
#include "data/features.h"
#include "data/task.h"
#include "method/config.h"
#include "nn/params.h"

enum { UN_MAX_LOSSES = 12 };

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
    const json_t *spec;           /* for prediction: what save_spec gave after training; or NULL */
    un_cluster *ranks; /* that do each step together (part.h), borrowed; NULL: this process alone */
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

/* Masked-attribute prediction: how often a method names an attribute that is masked in a text, and
 * the best that a constant answer does on the very same: always the most frequent one of as many
 * word pieces. */
typedef struct {
    size_t count;    /* images whose class has an attribute */
    double in_group; /* fraction right, among the attributes of the masked one's group */
    double in_group_prior;
    double among_all; /* among all attributes; another one of the same words counts as right */
    double among_all_prior;
} un_masked_prediction;

/* What a method that learns in steps has. */
typedef struct {
    /* Steps of all epochs before this one: 0 for the first, and each epoch has at least one. */
    size_t (*steps_before)(const un_method *method, size_t epoch);
    /* Forward and backward: fills the gradients of params and losses[]. */
    un_status (*step)(un_method *method, size_t epoch, size_t step, double *losses);
    /* Floating-point operations of the matrix products of the step just done. */
    double (*step_flops)(const un_method *method);
    /* Settings of the optimiser that the trainer should run. */
    void (*optimizer)(const un_method *method, un_optimizer_settings *out);

    /* 1: no length is selected. Every run is as long as the setting "epochs" says, nothing stops it
     * earlier, and validation chooses gamma alone, after the last epoch. For methods whose schedule
     * belongs to their length. */
    int fixed_length;
    /* 1: several ranks can share a step. `step` then computes this rank's part of the gradients and
     * all of losses[], `plan` tells of its own images. */
    int splits;

    /* May be NULL: */

    /* The learning rate of an epoch where it changes; NULL: always the optimiser's. */
    double (*learning_rate)(const un_method *method, size_t epoch);
    /* The images that this step will read, for read-ahead: a borrowed list valid
     * until the next call; *count may be 0. */
    un_status (*plan)(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count);
    /* For what training leaves as it is, such as a frozen backbone: computes what that makes of
     * every image of setup->data, once, into a file that later runs take up, and gives it as the
     * feature store (owned by the method) that step and score take from then on in place of
     * setup->data's; the caller points setup->data there. *out stays NULL where there is none.
     * UNSEEN_E_INTERRUPTED when *stop (may be NULL): the next call goes on from there. `made`: the
     * file is there, another rank has made it, and it is an error if it cannot be opened; else one
     * that cannot be kept is no error but a warning. Called right after create. */
    un_status (*freeze)(un_method *method, int made, const volatile sig_atomic_t *stop,
                        const un_features **out);
} un_method_learner;

/* What a method in closed form has: it learns in one go, and chooses among a grid of settings.
 * Point p, 0 <= p < points, is to the trainer what the length of a training is elsewhere, so that
 * selection is the same for both. `prepare` gathers what all points share. */
typedef struct {
    /* Sets params and losses[]; depends on its point only. */
    un_status (*fit)(un_method *method, size_t point, double *losses);
    size_t (*points)(const un_method *method);
    /* The point to try after the n that were tried, given how well each did (larger is better, NaN:
     * nothing was measured); points() when the search is over. NULL: all, in order. */
    size_t (*next)(const un_method *method, const size_t *tried, const double *merit, size_t n);
    /* The settings of a point by their names, a new reference; NULL: out of memory. */
    json_t *(*settings)(const un_method *method, size_t point);
} un_method_closed_form;

/* Attention maps of the attributes over a picture. */
typedef struct {
    /* Attention of image features (R, F) f32: out (branches, A, h, w) row-major, h w the grid of
     * un_method_grid; UNSEEN_E_UNSUPPORTED if this model has none. */
    un_status (*attend)(un_method *method, const float *features, float *out);
    size_t branches;
    const char *const *titles; /* [branches] what each shows, a few words */
    /* Sets the grid of the maps where it is not that of the features; NULL: always that. */
    void (*grid)(const un_method *method, size_t *height, size_t *width);
} un_method_maps;

/* What a score is made of, for methods whose scores are sums over attributes: the score of class
 * c is its constant plus sum_i rows[c, i] sum_b out[b, i]. */
typedef struct {
    /* Attribute scores of image features (R, F) f32: out (branches, A), the weights of the
     * branches included. Where the score is a probability this is its logarithm, up to a number
     * that all classes share. */
    un_status (*score)(un_method *method, const float *features, float *out);
    size_t branches;
    /* The class attributes (C, A) as the scores use them, of the last set_classes; borrowed. */
    const float *(*class_rows)(const un_method *method);
    /* Whether the scores are made of the semantics at this place of the table, so that A counts
     * its values, too; NULL: they are made of all. */
    int (*made_of)(const un_method *method, size_t semantics);
    int scores_are_probabilities; /* so that they add up to the logarithms of scores */
} un_method_attribute_scores;

/* What a method that reads texts of the attributes has beside scores. */
typedef struct {
    /* Masks one attribute of each image's class, as in training, and predicts it: labels [N], rows
     * of the class table. UNSEEN_E_UNSUPPORTED if this model cannot. */
    un_status (*masked_prediction)(un_method *method, const un_class_table *classes,
                                   const un_features *features, const int32_t *labels,
                                   const un_index_list *images, un_masked_prediction *out);
} un_method_text_probe;

/* Attention over groups of attributes. */
typedef struct {
    /* Of image features (R, F) f32; the arrays of *out are valid until the next call.
     * UNSEEN_E_UNSUPPORTED if this model has none. */
    un_status (*attend)(un_method *method, const float *features, un_group_attention *out);
    const char *title; /* of a chart of it */
    const char
        *most; /* what is said before the groups with the largest shares: "it looks most at" */
    const char *whole; /* of what the shares are: "the attention on the text" */
} un_method_group_attention;

/* A method: what everybody must have, then the tables of what it has beside. */
typedef struct un_method_class {
    const char *name;       /* "dem" */
    const char *title;      /* with the paper */
    const char *score_unit; /* "negative distance": the unit of scores and gamma */
    /* What it learns from. One that takes pooled features is offered region features as well, as
     * they are, and takes their means: un_features_averaged in training, un_mean_row in score. */
    un_features_kind input;
    int f32_only;                /* nothing is multiplied in bf16, whatever the precision */
    int trains_with_unseen_rows; /* unseen classes' attributes enter the loss: the manifest says so
                                  */
    const char *const
        *losses; /* names of step()'s terms, NULL-terminated; the L2 term is the trainer's */
    const un_option *options; /* key == NULL ends */
    const un_preset *presets; /* name == NULL ends; the first is the default */

    un_status (*create)(const un_method_setup *setup, un_method **out);
    void (*destroy)(un_method *method);
    /* The classes to score from now on, with the parameters as they are now. Any
     * classes whose semantics have the trained widths will do. */
    un_status (*set_classes)(un_method *method, const un_class_table *classes);
    /* features (n, R, F) f32 -> scores (n, C), higher is better. */
    un_status (*score)(un_method *method, const float *features, size_t n, float *scores);

    /* May be NULL: */

    /* One pass over the training images before the first step or fit; NULL: none is needed. */
    un_status (*prepare)(un_method *method);
    /* Whether it takes features of this kind with these settings; NULL: those of `input` only. */
    int (*takes)(const json_t *config, un_features_kind kind);
    /* Whether, with these settings, each class's description is brought to length 1; NULL: never. */
    int (*unit_rows)(const json_t *config);
    /* The specification of the trained method: what creating it again takes beyond its
     * configuration, such as sizes that came from files. A JSON object for the model's manifest,
     * where it is called "kept". NULL: nothing. */
    un_status (*save_spec)(const un_method *method, json_t **out);

    /* Exactly one of these two. */
    const un_method_learner *learner;
    const un_method_closed_form *closed_form;
    /* What the method can show; NULL: it cannot. */
    const un_method_maps *maps;
    const un_method_attribute_scores *attribute_scores;
    const un_method_text_probe *text_probe;
    const un_method_group_attention *group_attention;
} un_method_class;

/* Head of every method's own structure. */
struct un_method {
    const un_method_class *class;
    un_params params;
};

/* Whether a method takes features of this kind as they are. */
int un_method_takes(const un_method_class *class, const json_t *config, un_features_kind kind);
/* The grid of the attention maps of a method whose features are a grid of height x width. */
void un_method_grid(const un_method *method, size_t *height, size_t *width);
/* That classes have `count` semantics of these widths, as a method was trained on. */
un_status un_method_check_classes(const un_class_table *classes, size_t count, const size_t *width);
/* What a method needs before its first step or fit, if anything. */
un_status un_method_prepare(un_method *method);
/* Maps of a class and what they show; 0 and NULL for one that has none. */
size_t un_method_map_branches(const un_method_class *class);
const char *const *un_method_map_titles(const un_method_class *class);
/* Whether validation chooses gamma alone, and no length or point of a grid. */
int un_method_has_fixed_length(const un_method_class *class);
/* Whether attribute scores add up to the logarithms of its scores. */
int un_method_scores_are_probabilities(const un_method_class *class);
/* What calibrated scores are beside score_unit, in words: "less gamma 0.1 for seen classes"; ""
 * where gamma is 0. */
void un_method_calibration_text(const un_method_class *class, double gamma, char *out, size_t size);
/* The unit of calibrated scores, that of the method and those words. */
void un_method_score_unit(const un_method_class *class, double gamma, char *out, size_t size);
/* Number of terms in class->losses. */
size_t un_method_loss_count(const un_method_class *class);

#endif
