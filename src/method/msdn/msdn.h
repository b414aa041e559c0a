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

#include "method/method.h"
#include "tensor/attribute_attention.h"
#include "tensor/gemm.h"

typedef enum { MSDN_RANDOM, MSDN_BALANCED, MSDN_CLASSES } msdn_sampling;
typedef enum { MSDN_CE1, MSDN_CE2, MSDN_CAL1, MSDN_CAL2, MSDN_DISTILL, MSDN_LOSSES } msdn_loss_term;

/* The settings as the configuration gives them, all of them; the same from creation on. What
 * follows from them and the data is in msdn. */
typedef struct {
    int one_hot; /* V starts at the identity, E = A */
    int normalize_v, clip_negative;
    double lambda, eta, weight1, weight2;
    int squared_distance; /* the paper's |d|^2 instead of the code's form */
    msdn_sampling sampling;
    size_t batch_size;
    size_t epoch_images; /* an epoch has training images / this many steps */
    un_optimizer_settings optimizer;
    float decay; /* L2 */
} msdn_settings;

/* Classes as the network sees them. */
typedef struct {
    size_t count;        /* C */
    float *att;          /* [C, A] unit rows */
    float *bias;         /* [C] m: +1 unseen, -1 seen */
    unsigned char *seen; /* [C] */
    un_arena arena;
} msdn_classes;

/* One step's buffers, for `images` images at most. */
typedef struct {
    const msdn_classes *classes;
    size_t images;
    /* What comes in: in bf16 each image's (R, F) where it lies; in f32 all in one place. */
    const void **rows; /* [B] */
    int rows_f32;      /* `rows` are of f32, else of bf16 */
    const float *x;    /* [B R, F] */
    void *gathered;    /* [B R, F] of the operand type, for training; NULL: rows lie well */

    float *squares;           /* [B R] of each region's length */
    float *factor;            /* [B R] 1 / length */
    float *y;                 /* [B R, 4A] raw products */
    float *psi, *psi2;        /* [B, A] */
    float *largest, *share;   /* [B, A] as un_attribute_attention keeps them */
    float *largest2, *share2; /* [B R] */
    float *scratch;           /* [B, A] */
    float *s1, *s2;           /* [B, C] */
    float *dpsi, *dpsi2;      /* [B, A] training only, as all below */
    float *ds1, *ds2;         /* [B, C] */
    float *dy;                /* [B R, 4A] in f32 */
    un_gemm_left *left;       /* the same of a group of images in bf16 */
    un_arena arena;
} msdn_batch;

typedef struct {
    un_method base; /* first: a un_method * is an msdn * */
    msdn_settings settings;
    un_dtype type; /* of the large products' operands */
    size_t A, E, F, R;
    size_t v, w1, w2, w11, w21; /* parameters */

    /* folded matrices */
    float *vn;         /* [A, E] */
    float *v_norm;     /* [A] */
    float *q;          /* [4A, F] in f32 */
    un_bf16 *q16;      /* the same in bf16 */
    float *dq;         /* [4A, F] */
    un_packed *packed; /* Q^T for the forward product */
    size_t usual_rows; /* regions of a usual batch, for packing */
    float *dvn;        /* [A, E] */

    /* scoring */
    msdn_classes scored;
    msdn_batch scoring;

    /* training */
    msdn_classes trained;
    const un_training_data *data;
    uint64_t seed;
    size_t batch_size; /* B: the setting, or one of each class, or all images if fewer */
    int64_t *planned;  /* [B] images of the step that was planned last */
    size_t planned_epoch, planned_step;
    int64_t *order;        /* scratch: a permutation */
    size_t seen_classes;   /* with training images */
    size_t *class_begin;   /* [C + 1] into class_images */
    int64_t *class_images; /* training images grouped by class */
    msdn_batch batch;
    double step_flops;
    un_arena arena;
} msdn;

extern const un_method_class un_method_msdn;

/* msdn_network.c: forward and backward, and the losses in between. */
un_status un_msdn_batch_create(const msdn *n, msdn_batch *b, const msdn_classes *classes,
                               size_t images, int training);
void un_msdn_batch_free(msdn_batch *b);
/* Vn and Q from the parameters; must follow every change of them. */
un_status un_msdn_fold(msdn *n);
/* What comes in -> attention and scores of b->classes, bias included. */
un_status un_msdn_forward(msdn *n, msdn_batch *b, size_t images);
/* The attention of image i of a batch, after a forward pass. */
un_attribute_attention un_msdn_attention(const msdn *n, const msdn_batch *b, size_t i);
/* b->ds1, ds2 -> all gradients. */
un_status un_msdn_backward(msdn *n, msdn_batch *b, size_t images);

/* Loss terms, weights included, and ds1, ds2 of a batch. */
un_status un_msdn_losses(const msdn *n, msdn_batch *b, const int32_t *labels, size_t images,
                         double losses[MSDN_LOSSES]);

#endif
