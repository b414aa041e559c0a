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
    unsigned char *described;       /* [C] 1: described after training; NULL: as in the file */
    un_precision precision;         /* as asked for; of a backbone, too */
    un_arena arena;                 /* of the table */
    un_backbone *backbone;          /* NULL until attached */
    un_recipe recipe;               /* of the features that the model was trained on */
    un_orientation trained;         /* its orientation there; the recipe's may have been changed */
    un_orientation requested;       /* the orientation asked for, UNSAID: as trained */
    size_t grid_height, grid_width; /* h, w of the attention; 1 x 1 for pooled features */
    char *path;                     /* of the model, for sentences */
} un_classifier;

un_status un_classifier_open(un_classifier *classifier, const char *model, un_precision precision);
/* For what has its `model` already: the rest; `path` is for sentences. */
un_status un_classifier_begin(un_classifier *classifier, const char *path);
/* The model's file without its folder, for sentences that strangers get to read. */
const char *un_classifier_name(const un_classifier *classifier);
/* Another one with the same weights, classes and gamma, without a backbone. */
un_status un_classifier_clone(const un_classifier *from, un_classifier *out);
void un_classifier_close(un_classifier *classifier);

/* Opens the backbone and checks that it is the one that the model's features came from. `weights`
 * may be NULL if that was the built-in descriptor. */
un_status un_classifier_attach(un_classifier *classifier, const char *weights);

/* Has pictures turned otherwise than those that the model learned from; UN_ORIENTATION_UNSAID: as
 * those. Holds for backbones attached later, too. */
void un_classifier_orient(un_classifier *classifier, un_orientation orientation);

/* A class described after training. */
typedef struct {
    const char *name;
    size_t count;             /* stated attributes */
    const size_t *attributes; /* [count] their numbers */
    const double *values;     /* [count] */
} un_description;

/*
 * Adds `n` classes, which count as unseen. A name that the model knows gets the new description in
 * place of its own; of a class that it was trained on a warning says so, and it stays a seen one.
 *
 * Where the model keeps what was done to the values of its classes (un_class_semantics, scaling), a
 * value is in the unit of the training table, and equal values give the row that the training class
 * has. Attributes that were brought to 0 to 1 by their range are brought there by the same range;
 * a value outside it is a warning, one that is farther outside than the range is wide an error.
 * Where all attributes share a unit, shares or percent, a description of some of the A attributes
 * may be in shares, 0 to 1, or in percent if a value of the call exceeds 1. Models of version 0.1
 * do not keep it: with all A attributes the values are the row in the unit of the table, else as
 * above.
 *
 * An attribute that is not stated is absent (0, or the least value there was) if another one of its
 * group (un_attribute_value) is stated, and else has the mean of the training table. Rows get
 * length 1 where those of the model have it.
 */
un_status un_classifier_describe(un_classifier *classifier, const un_description *descriptions,
                                 size_t n);

/* The same for class k, which gets the description's name (NULL: keeps its own). */
un_status un_classifier_replace(un_classifier *classifier, size_t k,
                                const un_description *description);
/* Takes class k out; the last one stays. */
un_status un_classifier_remove(un_classifier *classifier, size_t k);

/* What people say of an attribute in a description of some of them. */
typedef enum {
    UN_VALUES_SHARES,  /* 0 to 1 */
    UN_VALUES_PERCENT, /* 0 to 100 */
    UN_VALUES_OTHER    /* of a unit that is each attribute's own, or none of these */
} un_value_unit;
un_value_unit un_classifier_value_unit(const un_classifier *classifier);

/* out[i] = number of the attribute (of the only semantics) that names[i] means (base/names.h); an
 * error lists those that mean none, with the nearest. */
un_status un_classifier_attributes(const un_classifier *classifier, char *const *names,
                                   size_t count, size_t *out);

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

/* The best `top` candidates of one row of scores (C), best first, ties to the lower class; returns
 * how many there are. */
size_t un_classifier_top(const un_classifier *classifier, const float *scores, unseen_among among,
                         size_t top, size_t *out);

/* What calibrated scores are: the method's unit, and what was taken from seen classes. */
void un_classifier_score_unit(const un_classifier *classifier, char *out, size_t size);

/* ---- classes that people describe in a file, for a trained model.
 *
 * Two forms of CSV or TSV:
 *     a table as the imports read it (data/readers/table.h): the first line names attributes, then
 *     a line a class, name first; attributes may be left out, and cells empty or "?"
 *         class,has_bill_color::red,has_size::small
 *         Northern Cardinal,0.9,1
 *     lines of what is known: NAME,ATTRIBUTE=VALUE,…
 *         Northern Cardinal,has_bill_color::red=0.9,has_size::small=1
 * What values mean, and what becomes of attributes that are not stated, is in
 * un_classifier_describe. What stood for unknown values when the data set was imported does so
 * here. ---- */

/* Fails with a sentence that names the file and the line. */
un_status un_new_classes_read(un_classifier *classifier, const char *path);

#endif
