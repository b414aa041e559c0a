/*
 * classifier.h - from a picture to class scores: a model file and the backbone that
 * made its features, nothing else. What predict, explain, serve and the public
 * interface share.
 *
 * Shapes: C classes, A attributes, R = h w regions, F features of one, S x S pixels.
 */
#ifndef UN_ENGINE_CLASSIFIER_H
#define UN_ENGINE_CLASSIFIER_H

#include "model/model.h"
#include "vision/backbone.h"

typedef struct {
    un_model model;                 /* its classes are those of the file */
    un_class_table classes;         /* those to score: of the file and, after them, added ones */
    un_arena arena;                 /* of the table */
    un_backbone *backbone;          /* NULL until attached */
    un_recipe recipe;               /* of the features that the model was trained on */
    size_t grid_height, grid_width; /* h, w of the attention; 1 x 1 for pooled features */
    char *path;                     /* of the model, for sentences */
} un_classifier;

un_status un_classifier_open(un_classifier *classifier, const char *model, un_precision precision);
void un_classifier_close(un_classifier *classifier);

/* Opens the backbone and checks that it is the one that the model's features came from. `weights`
 * may be NULL if that was the built-in descriptor. */
un_status un_classifier_attach(un_classifier *classifier, const char *weights,
                               un_precision precision);

/* A class described after training. */
typedef struct {
    const char *name;
    size_t count;             /* stated attributes */
    const size_t *attributes; /* [count] their numbers */
    const float *values;      /* [count] */
} un_description;

/*
 * Adds `n` classes, which count as unseen. A name that the model knows as an unseen class
 * replaces its description; the name of a seen class is an error.
 *
 * With all A attributes stated the values are the class's row, in the unit of the training
 * table. Otherwise a value says how far the attribute is present, from 0 to 1, or in percent if
 * any value of the call exceeds 1; an attribute that is not stated is absent if another one of
 * its group (the part of the name before "::") is stated, and else has the mean of the model's
 * classes. If the rows of the model's classes have unit length, so gets this one.
 */
un_status un_classifier_describe(un_classifier *classifier, const un_description *descriptions,
                                 size_t n);

/* Number of the attribute called `name` (of the only modality); an error names the nearest. */
un_status un_classifier_attribute(const un_classifier *classifier, const char *name, size_t *out);

/* Normalised pictures (n, S, S, 3) to the model's features (n, R, F). */
un_status un_classifier_features(un_classifier *classifier, const float *pictures, size_t n,
                                 float *features);
/* Features to scores (n, C), seen classes lowered by the model's gamma if `calibrated`. */
un_status un_classifier_score(un_classifier *classifier, const float *features, size_t n,
                              int calibrated, float *scores);

/* Attribute scores of one image's features: out (A), branches added up, so that the score of class
 * c is a constant plus the sum over i of row[c, i] out[i] (method.h, class_rows).
 * UNSEEN_E_UNSUPPORTED for methods whose scores are no such sum. */
un_status un_classifier_attribute_scores(un_classifier *classifier, const float *features,
                                         float *out);

/* Which classes are candidates. */
typedef enum { UN_AMONG_ALL, UN_AMONG_SEEN, UN_AMONG_UNSEEN, UN_AMONG_NEW } un_among;
/* The best `top` candidates of one row of scores (C), best first, ties to the lower class; returns
 * how many there are. */
size_t un_classifier_top(const un_classifier *classifier, const float *scores, un_among among,
                         size_t top, size_t *out);

#endif
