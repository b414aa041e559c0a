/*
 * cnzsl.h - the parts of CNZSL (Skorokhodov, Elhoseiny: "Class Normalization for (Continual)?
 * Generalized Zero-Shot Learning", ICLR 2021), shared by the files of this folder and their tests
 * only.
 *
 * A perceptron turns the semantics of a class into a prototype in the visual space; an image
 * belongs to the prototype of the largest cosine. Over a table of classes, one row each:
 *   h1 = relu(a W1' + b1),  u = h1 W2' + b2,  h2 = relu(N1(u)),  s2 = N2(h2),
 *   p = relu(s2 W3' + b3)
 *   score(x, c) = scale cos(x, p_c)
 * N is standardisation over classes (nn/standardise.h): in training by the seen classes, all of
 * them in every step, whose statistics are kept as running means; everywhere else by these. The
 * last relu is left out where features have either sign. Loss: the mean cross-entropy of the
 * scores over the seen classes.
 *
 * The row of a class: a = r att / |att| with r = sqrt(A), so that its values are 1 in quadratic
 * mean. Several semantics lie side by side, each so scaled and times a weight of its own (ours).
 *
 * Letters: A values of the semantics, all of them; h hidden, D visual, C classes, S seen classes of
 * the training, B images of a step.
 */
#ifndef UN_METHOD_CNZSL_H
#define UN_METHOD_CNZSL_H

#include "method/batches.h"
#include "method/part.h"
#include "method/pooled.h"
#include "nn/layers.h"
#include "nn/standardise.h"

/* The settings as the configuration gives them; the same from creation on. Owner: cnzsl.c. */
typedef struct {
    double modality_scale[UN_MAX_CLASS_SEMANTICS]; /* weight of each semantics */
    size_t hidden;
    un_standardise_form form;
    int final_relu; /* as it came out of yes, no, auto */
    double scale, seen_factor;
    size_t epochs, batch;
    double lr_fall, decay;
    un_optimizer_settings optimizer;
} cnzsl_settings;

/* The network over a table of classes, and back. */
typedef struct {
    size_t rows;        /* classes */
    un_part own;        /* those that this rank takes through the layers; training */
    float *input;       /* [rows, A] */
    float *h1, *u, *s1; /* [rows, h] */
    float *h2, *s2;     /* [rows, h] */
    float *prototype;   /* [rows, D]; unit rows where un_cnzsl_normalise says so */
    float *norm;        /* [rows] of the prototypes before */
    float *mean[2];     /* [h] of the step's own rows, for N1 and N2; training */
    float *variance[2]; /* [h] divisor rows - 1 */
    float *d_prototype; /* [rows, D] */
    float *d_s2, *d_h2; /* [rows, h] */
    float *d_u, *d_h1;  /* [rows, h] */
} cnzsl_pass;

typedef struct {
    un_method base; /* first: a un_method * is a cnzsl * */
    cnzsl_settings settings;
    size_t semantics_count;
    size_t width[UN_MAX_CLASS_SEMANTICS]; /* A_m */
    size_t A, visual;                     /* visual: D */
    un_pooled pooled;
    un_dense fc1, fc2, fc3;
    size_t running_mean[2], running_variance[2]; /* fixed parameters [h], for N1 and N2 */

    /* training */
    un_arena arena;
    un_cluster *ranks;  /* that share a step, borrowed; NULL: alone */
    cnzsl_pass pass;    /* over the seen classes, in the order of the table */
    size_t class_count; /* C of the training table */
    int32_t *seen_row;  /* [C] row in pass; -1: not seen */
    un_batches batches;
    float *raw, *rows;   /* [B, D] features; as they are compared */
    float *inverse_norm; /* [B] */
    int64_t *label;      /* [B] rows of pass */
    double *weight;      /* [B] 1/B */
    float *logits;       /* [B, S], then their gradient */
    size_t step_images;

    /* scoring */
    size_t scored;     /* C of the table being scored; 0: none is */
    un_packed *packed; /* prototypes, of length scale (times seen_factor), transposed */
} cnzsl;

extern const un_method_class un_method_cnzsl;

/* ---- cnzsl_network.c ---- */

un_status un_cnzsl_network_declare(cnzsl *n);
void un_cnzsl_network_initialize(cnzsl *n, uint64_t seed);
/* Buffers for `rows` classes, those of `training` with it. */
un_status un_cnzsl_pass_create(const cnzsl *n, cnzsl_pass *pass, un_arena *arena, size_t rows,
                               int training);
/* Class `class` of a table into row `row` of pass->input. */
void un_cnzsl_input(const cnzsl *n, const cnzsl_pass *pass, size_t row,
                    const un_class_table *classes, size_t class);
/* The first `rows` rows of pass->input -> pass->prototype: by the statistics of the rows, which move
 * the running ones, if `training`, else by the running ones. Training: collective, `rows` all. */
un_status un_cnzsl_forward(cnzsl *n, cnzsl_pass *pass, size_t rows, int training);
/* Prototypes to length 1, and their norms to pass->norm. */
void un_cnzsl_normalise(const cnzsl *n, cnzsl_pass *pass, size_t rows);
/* All gradients, of this rank's rows, from pass->d_prototype, that of the unit prototypes.
 * Collective. */
un_status un_cnzsl_backward(cnzsl *n, cnzsl_pass *pass);

#endif
