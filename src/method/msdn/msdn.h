/*
 * msdn.h - the parts of MSDN (Chen et al.: "MSDN: Mutually Semantic Distillation
 * Network for Zero-Shot Learning", CVPR 2022), shared by the files of this folder and their tests
 * only.
 *
 * Two attention branches over region features teach each other. For an image with
 * regions X (R, F), each region L2-normalised, and attribute vectors Vn (A, E):
 *   attribute -> visual: S  = X (Vn W_1)^T,     P  = softmax over regions of X (Vn W_2)^T
 *   visual -> attribute: S' = X (Vn W_1_1^T)^T, P' = softmax over attributes of X (Vn W_2_1)^T
 *   psi_i = sum_r P_ri S_ri, psi'_i = sum_r P'_ri S'_ri; s1 = psi att^T + m, s2 = psi' att^T + m
 * with att (C, A) the class attributes and m = +1 for unseen, -1 for seen classes.
 *
 * The four (A, F) matrices are folded into one Q (4A, F), so that a step is one
 * product Y = X Q^T over all regions of the batch and one dQ = dY^T X; everything
 * else is small. The normalisation of a region is a factor on its row of Y.
 *
 * Letters: A attributes, C classes, R regions, F feature width, E vector width, B images.
 */
#ifndef UN_METHOD_MSDN_H
#define UN_METHOD_MSDN_H

#include "method/class_rows.h"
#include "method/draws.h"
#include "method/method.h"
#include "method/part.h"
#include "method/region_attention.h"

typedef enum { MSDN_CE1, MSDN_CE2, MSDN_CAL1, MSDN_CAL2, MSDN_DISTILL, MSDN_LOSSES } msdn_loss_term;

/* The settings as the configuration gives them, all of them; the same from creation on. What
 * follows from them and the data is in msdn. */
typedef struct {
    int one_hot; /* V starts at the identity, E = A */
    int normalize_v, clip_negative;
    double lambda, eta, weight1, weight2;
    int squared_distance; /* the paper's |d|^2 instead of the code's form */
    un_draws_settings draws;
    un_optimizer_settings optimizer;
    float decay; /* L2 */
} msdn_settings;

/* One step's buffers. */
typedef struct {
    const un_class_rows *classes;
    size_t first;         /* row of s1 … ds2 of the first image of `look`, which may be a part */
    un_region_batch look; /* both directions */
    float *s1, *s2;       /* [B, C] */
    float *ds1, *ds2;     /* [B, C], training only */
    un_arena arena;
} msdn_batch;

typedef struct {
    un_method base; /* first: a un_method * is an msdn * */
    msdn_settings settings;
    un_region_shape shape;
    size_t A, E, F, R;
    size_t v, w1, w2, w11, w21; /* parameters */

    un_region_matrix folded;
    float *vn, *dvn;   /* [A, E] */
    float *v_norm;     /* [A] */
    size_t usual_rows; /* regions of a usual batch, for packing */

    /* scoring */
    un_class_rows scored;
    msdn_batch scoring;

    /* training */
    un_class_rows trained;
    const un_training_data *data;
    uint64_t seed;
    un_draws draws;
    un_part part; /* of a step that this rank does */
    msdn_batch batch;
    double step_flops;
    un_arena arena;
} msdn;

extern const un_method_class un_method_msdn;

/* msdn_network.c: forward and backward, and the losses in between. */
/* For a training step, of which this rank does n->part, or for scoring `images`. */
un_status un_msdn_batch_create(const msdn *n, msdn_batch *b, const un_class_rows *classes,
                               size_t images, int training);
void un_msdn_batch_free(msdn_batch *b);
/* Vn and Q from the parameters; must follow every change of them. */
un_status un_msdn_fold(msdn *n);
/* What comes in, `images` images -> attention and scores of b->classes, bias included. */
un_status un_msdn_forward(msdn *n, msdn_batch *b, size_t images);
/* b->ds1, ds2 -> all gradients. */
un_status un_msdn_backward(msdn *n, msdn_batch *b, size_t images);

/* Loss terms, weights included, and ds1, ds2 of a batch. */
un_status un_msdn_losses(const msdn *n, msdn_batch *b, const int32_t *labels, size_t images,
                         double losses[MSDN_LOSSES]);

#endif
