/*
 * eszsl.h - the parts of ESZSL (Romera-Paredes, Torr: "An embarrassingly simple approach
 * to zero-shot learning", ICML 2015), private to its files and tests.
 *
 * A bilinear score x V s of features x and class attributes s, fitted in closed form: the V
 * that minimises
 *     |X V S' - Y|^2 + gamma |V S'|^2 + lambda |X V|^2 + gamma lambda |V|^2
 * over the training images X (N, F), the seen classes' attributes S (z, A) and Y (N, z), 1 for
 * an image's class and -1 for the others, is
 *     V = (X'X + gamma I)^-1 X'Y S (S'S + lambda I)^-1.
 *
 * X enters through X'X, the sums of each class and its number of images only, which are summed
 * in one pass over the features: memory does not grow with N. All in double: with few images
 * X'X is singular, and gamma may be a billionth of its largest eigenvalue. The system is solved
 * in this form also when N < F, where one of N rows would do: that one needs all features at
 * once, and gains nothing when N is near F, the usual case in a validation fold.
 *
 * Letters: N images, R regions, F feature width, A attributes, C classes, z seen classes.
 */
#ifndef UN_METHOD_ESZSL_H
#define UN_METHOD_ESZSL_H

#include "method/method.h"
#include "tensor/gemm.h"

typedef enum { ESZSL_RAW, ESZSL_CENTER, ESZSL_STANDARD } eszsl_columns;

typedef enum { ESZSL_AUTO, ESZSL_WHOLE, ESZSL_LOCAL } eszsl_search;

enum { ESZSL_MAX_VALUES = 16 }; /* of gamma and of lambda */

/* The settings as the configuration gives them, all of them; the same from creation on. */
typedef struct {
    int unit_features, unit_classes;
    eszsl_columns columns;
    eszsl_search search;
    size_t gamma_count, lambda_count; /* as given, which may be more than the arrays hold */
    double gamma[ESZSL_MAX_VALUES], lambda[ESZSL_MAX_VALUES];
} eszsl_settings;

typedef struct {
    un_method base; /* first: a un_method * is an eszsl * */
    eszsl_settings settings;
    size_t A, F, R;
    size_t v, offset; /* parameters: V (F, A) for raw features, and what to add to x V (A) */

    /* training */
    const un_training_data *data;
    size_t class_count;    /* C of the training table */
    size_t seen;           /* z: classes with training images */
    size_t *seen_of_class; /* [C] 0..z-1 */
    size_t *images;        /* [z] of each seen class */
    double *s;             /* [z, A] */
    double *gram;          /* [F, F] lower triangle of X'X */
    double *sums;          /* [z, F] */
    double *mean, *scale;  /* [F] a column x of X enters as (x - mean) scale */
    double *b;             /* [A, F] (X'Y S)' */
    double *k;             /* [A, A] S'S */
    double *factor;        /* [F, F] of X'X + gamma I */
    double *w;             /* [F, A] (X'X + gamma I)^-1 X'Y S */
    size_t factored;       /* which gamma they are of; SIZE_MAX: none */
    un_arena arena;

    /* scoring */
    size_t scored;     /* C of the table being scored */
    float *rows;       /* [C, A] attributes */
    float *constant;   /* [C] */
    un_packed *basis;  /* Q (F, A); NULL: images are multiplied as they are */
    un_packed *packed; /* V s of every class, L' s where there is Q */
} eszsl;

/* ---- score.c ---- */

/* Features of n images (n, R, F) as the method sees them: the mean over regions, of unit length if
 * the settings say so; out (n, F). */
void un_eszsl_represent(const eszsl *e, const float *features, size_t n, float *out);
/* Class attributes as the method sees them: out (count, A). */
void un_eszsl_describe(const eszsl *e, const float *values, size_t count, float *out);

/* As in un_method_class and un_method_attribute_scores; the attributes are x V + offset. */
un_status un_eszsl_set_classes(un_method *method, const un_class_table *classes);
un_status un_eszsl_score(un_method *method, const float *features, size_t n, float *scores);
un_status un_eszsl_attributes(un_method *method, const float *features, float *out);
void un_eszsl_free_scoring(eszsl *e);

extern const un_method_class un_method_eszsl;

#endif
