/*
 * region_attention.h - attributes that look at the regions of images through one folded matrix:
 * what MSDN and DEDN have in common.
 *
 * For an image with regions X (R, F), each of which counts with length 1, and N attributes a matrix
 * Q (2 D N, F) makes Y = X Q^T: the values and the logits of the attributes, in D = 1 or 2
 * directions as tensor/attribute_attention.h has them. A batch is one product over all regions, and
 * its gradient one dQ = dY^T X; the length of a region is a factor on its row of Y. In bf16 the
 * regions are multiplied where they lie in the feature file, and attended to image by image as
 * soon as the rows are there.
 *
 * Rows of Q are products of attributes' vectors with weights, which un_region_fold multiplies and
 * un_region_unfold takes apart again.
 *
 * Letters: N attributes, D directions, R regions, F feature width, E vector width, B images.
 */
#ifndef UN_METHOD_REGION_ATTENTION_H
#define UN_METHOD_REGION_ATTENTION_H

#include "data/features.h"
#include "tensor/attribute_attention.h"
#include "tensor/gemm.h"

typedef struct {
    size_t attributes, regions, width; /* N, R, F */
    size_t directions;                 /* D */
    un_dtype type;                     /* of the large products' operands: UN_F32 or UN_BF16 */
} un_region_shape;

/* The folded matrix. */
typedef struct {
    un_region_shape shape;
    float *q;          /* (2DN, F) in f32 */
    un_bf16 *q16;      /* the same in bf16 */
    float *dq;         /* (2DN, F) its gradient; NULL when only predicting */
    un_packed *packed; /* Q^T for the forward product */
    un_arena arena;
} un_region_matrix;

/* Some rows of Q as a product of vectors and weights, all f32. */
typedef struct {
    size_t first, rows, vector_width; /* of Q; E */
    const float *v;                   /* (rows, E) */
    const float *w;                   /* (E, F), or (F, E) if transposed */
    int transposed;
    float *dv, *dw; /* for un_region_unfold: dv is added to, dw replaced */
} un_region_part;

un_status un_region_matrix_create(un_region_matrix *m, const un_region_shape *shape, int training);
void un_region_matrix_free(un_region_matrix *m);
/* The rows of one part. */
un_status un_region_fold(un_region_matrix *m, const un_region_part *part);
/* Makes the matrix ready, after all its parts; `rows`: regions of a usual batch. */
un_status un_region_matrix_pack(un_region_matrix *m, size_t rows);
/* From dq to the gradients of one part. */
un_status un_region_unfold(const un_region_matrix *m, const un_region_part *part);

/* One batch's buffers, for `images` images at most. */
typedef struct {
    un_region_shape shape;
    size_t images;
    /* What comes in: in bf16 each image's (R, F) where it lies; in f32 all in one place. */
    const void **rows; /* [B] */
    int rows_f32;      /* `rows` are of f32, else of bf16 */
    const float *x;    /* (B R, F) */
    void *gathered;    /* (B R, F) of the operand type, for training; NULL: rows lie well */

    float *squares;           /* [B R] of each region's length */
    float *factor;            /* [B R] 1 / length */
    float *y;                 /* (B R, 2DN) raw products */
    float *psi, *psi2;        /* (B, N); psi2 NULL for one direction */
    float *largest, *share;   /* (B, N) as un_attribute_attention keeps them */
    float *largest2, *share2; /* [B R] */
    float *scratch;           /* (B, N) */
    float *dpsi, *dpsi2;      /* (B, N) the caller's, for the backward pass; as all below */
    float *dy;                /* (B R, 2DN) in f32 */
    un_gemm_left *left;       /* the same of a group of images in bf16 */
    un_arena arena;
} un_region_batch;

/* `features`: what training images come from, borrowed; NULL for scoring. */
un_status un_region_batch_create(un_region_batch *b, const un_region_shape *shape, size_t images,
                                 const un_features *features);
void un_region_batch_free(un_region_batch *b);
/* The next images: of the feature store, or (count, R, F) f32 that must stay until they are done
 * with. Rows are multiplied where they lie if they can be. */
void un_region_batch_gather(un_region_batch *b, const un_features *features, const int64_t *images,
                            size_t count);
void un_region_batch_set(un_region_batch *b, const float *features, size_t count);
/* What comes in -> attention of `images` images: factor, psi and psi2. */
un_status un_region_forward(un_region_batch *b, const un_region_matrix *m, size_t images);
/* What comes in -> factor alone, for what looks at regions otherwise; the shape may then have no
 * attributes. */
void un_region_lengths(un_region_batch *b, size_t images);
/* The attention of image i of a batch, after a forward pass. */
un_attribute_attention un_region_attention(const un_region_batch *b, size_t i);
/* dpsi, dpsi2 -> m->dq. */
un_status un_region_backward(un_region_batch *b, un_region_matrix *m, size_t images);

#endif
