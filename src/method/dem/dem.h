/*
 * dem.h - the parts of DEM (Zhang, Xiang, Gong: "Learning a Deep Embedding Model
 * for Zero-Shot Learning", CVPR 2017), shared by the files of this folder and their tests only.
 *
 * Classes are embedded into the visual space: a network f maps class semantics to
 * a prototype there; an image belongs to the nearest prototype.
 *   two-layer  f(a) = relu(relu(a W1 + b1) W2 + b2)
 *   one-layer  f(a) = relu(a W + b)
 *   fusion     f(u_1..u_M) = relu((sum_m s_m tanh(u_m W_m + b_m)) Wc + bc)
 * With whitened features (method/whiten.h), which have either sign, the last relu is left out, and
 * x is the whitened feature everywhere below.
 * Loss of a step: mean over B x D of (f(a_y) - x)^2, plus lambda/2 |theta|^2, which
 * the trainer's optimiser adds.
 *
 * The loss sees the images of one class only through their number, mean and
 * spread: sum_b |f(a_y) - x_b|^2 = sum_c n_c |f_c - mean_c|^2 + sum_b |x_b - mean_y|^2.
 * So a step works on one row per class that occurs, in mini-batches (where it saves
 * the repeats) and with all images at once (class-means batching) alike.
 *
 * Letters: A_m width of semantics m, h hidden, D visual, C classes, G rows of a step,
 * B images of a step.
 */
#ifndef UN_METHOD_DEM_H
#define UN_METHOD_DEM_H

#include "cluster/cluster.h"
#include "method/batches.h"
#include "method/pooled.h"
#include "nn/layers.h"

typedef enum { DEM_TWO_LAYER, DEM_ONE_LAYER, DEM_FUSION } dem_network;

enum { DEM_MAX_LAYERS = UN_MAX_CLASS_SEMANTICS + 1 };

/* The settings as the configuration gives them, all of them; the same from creation on. What
 * follows from them and the data is in dem. Lists hold the value of every place: one that was given
 * for all is there as often as is needed. Owner: dem.c. */
typedef struct {
    int network_is_auto; /* fusion for several semantics, two layers for one */
    dem_network network; /* where it is not auto */
    size_t hidden;
    double modality_scale[UN_MAX_CLASS_SEMANTICS]; /* s_m */
    double input_scale[UN_MAX_CLASS_SEMANTICS];    /* NAN: auto, rows to a common norm */
    size_t lambda_count;           /* as given: 1 serves all, or one for each layer */
    double lambda[DEM_MAX_LAYERS]; /* L2 weights, first layers then last */
    int cosine;                    /* the distance: cosine, not Euclidean */
    int class_means;               /* the batching: class means, not mini-batches */
    size_t batch;                  /* B of mini-batches */
    un_optimizer_settings optimizer;
    double init_sd, init_bias;
} dem_settings;

/* One row per class that occurs in this rank's part of the step. */
typedef struct {
    size_t rows;     /* G */
    int32_t *class;  /* [G] row of the class table */
    double *weight;  /* [G] images of that class / (B D), B those of all ranks */
    float *target;   /* [G, D] their mean */
    double constant; /* sum_b |x_b - mean_y|^2 / (B D) */
} dem_rows;

typedef struct {
    un_method base; /* first: a un_method * is a dem * */
    dem_settings settings;
    dem_network network;
    un_dtype type; /* of GEMM operands */
    size_t semantics_count;
    size_t width[UN_MAX_CLASS_SEMANTICS]; /* A_m */
    size_t hidden, visual;                /* h, D */
    un_pooled pooled;                     /* x of features */
    size_t input_scale;                   /* parameter [M]: what semantics are multiplied by */
    un_dense first[UN_MAX_CLASS_SEMANTICS];
    un_dense last;

    /* training */
    const un_training_data *data; /* pooled.data */
    uint64_t seed;
    un_cluster *ranks;                        /* that share a step, borrowed; NULL: alone */
    size_t class_count;                       /* C of the training table */
    float *semantics[UN_MAX_CLASS_SEMANTICS]; /* [C, A_m], scaled */
    un_batches batches;
    float *gathered;       /* [B, D], whitened if so set */
    float *raw;            /* [B, D] features before whitening; NULL without */
    size_t step_images;    /* gathered in this step; 0 with class means */
    int32_t *row_of_class; /* [C] scratch */
    dem_rows rows;

    /* activations of a step, G rows at most */
    float *input[UN_MAX_CLASS_SEMANTICS]; /* [G, A_m] */
    un_bf16 *input16[UN_MAX_CLASS_SEMANTICS];
    float *branch[UN_MAX_CLASS_SEMANTICS]; /* [G, h] tanh outputs (fusion) */
    float *middle;                         /* [G, h] input of the last layer */
    un_bf16 *middle16;
    float *output;   /* [G, D] f */
    float *d_output; /* [G, D] */
    un_bf16 *d_output16;
    float *d_middle; /* [G, h] */
    float *d_branch; /* [G, h] */
    un_bf16 *d_middle16;
    un_arena arena;

    /* scoring */
    size_t scored;          /* C of the table being scored */
    float *prototypes;      /* [C, D] */
    double *prototype_norm; /* [C] */
    un_packed *packed;      /* prototypes, transposed */
} dem;

extern const un_method_class un_method_dem;

/* dem_network.c: which images make a step, as one row per class. */
un_status un_dem_rows_create(dem *d);
un_status un_dem_rows_prepare(dem *d);
size_t un_dem_rows_steps_per_epoch(const dem *d);
un_status un_dem_rows_plan(dem *d, size_t epoch, size_t step, const int64_t **images,
                           size_t *count);
un_status un_dem_rows_fill(dem *d, size_t epoch, size_t step);

/* dem_network.c: forward and backward. */
un_status un_dem_network_declare(dem *d);
void un_dem_network_initialize(dem *d, const un_class_table *classes);
un_status un_dem_network_workspace(dem *d, size_t rows, int training);
/* d->input (and, in bf16, d->input16) -> d->output, for `rows` rows. */
un_status un_dem_network_forward(dem *d, size_t rows, un_dtype type);
/* Loss of the rows in d->rows and all gradients. */
un_status un_dem_network_backward(dem *d, double *fit);

#endif
