/* msdn_network.c - MSDN's folded product, forward and backward, and its losses. See msdn.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "method/msdn/msdn.h"
#include "nn/loss.h"
#include "tensor/attribute_attention.h"
#include "tensor/kernels.h"

un_status un_msdn_batch_create(const msdn *n, msdn_batch *b, const msdn_classes *classes,
                               size_t images, int training) {
    size_t rows = images * n->R, f = sizeof(float), operand = un_dtype_size(n->type);
    un_arena *a = &b->arena;
    b->classes = classes;
    b->images = images;
    UN_TRY(un_arena_alloc(a, rows * n->F, operand, &b->x));
    UN_TRY(un_arena_alloc(a, rows, f, &b->inverse_norm));
    UN_TRY(un_arena_alloc(a, rows * 4 * n->A, f, &b->y));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->psi));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->psi2));
    UN_TRY(un_arena_alloc(a, images * classes->count, f, &b->s1));
    UN_TRY(un_arena_alloc(a, images * classes->count, f, &b->s2));
    UN_TRY(un_arena_alloc(a, images * 4 * n->A, f, &b->scratch));
    if (!training) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(a, rows * 4 * n->A, operand, &b->dy));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->dpsi));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->dpsi2));
    UN_TRY(un_arena_alloc(a, images * classes->count, f, &b->ds1));
    return un_arena_alloc(a, images * classes->count, f, &b->ds2);
}

/* Rows of Q: which parameter makes them, and whether it is stored (F, E). */
typedef struct {
    size_t parameter;
    int transposed;
} block;

static void blocks(const msdn *n, block out[4]) {
    const block all[4] = {{n->w1, 0}, {n->w2, 0}, {n->w11, 1}, {n->w21, 0}};
    memcpy(out, all, sizeof all);
}

un_status un_msdn_fold(msdn *n) {
    block part[4];
    blocks(n, part);
    const float *v = un_param_value(&n->base.params, n->v);
    memcpy(n->vn, v, n->A * n->E * sizeof *v);
    if (n->normalize_v) un_normalize_rows(n->vn, n->A, n->E, 1e-12f, n->v_norm);
    for (size_t j = 0; j < 4; j++) {
        const un_gemm_args product = {.m = n->A,
                                      .n = n->F,
                                      .k = n->E,
                                      .trans_b = part[j].transposed,
                                      .input = UN_F32,
                                      .output = UN_F32,
                                      .a = n->vn,
                                      .b = un_param_value(&n->base.params, part[j].parameter),
                                      .c = n->q + j * n->A * n->F};
        UN_TRY(un_gemm(&product));
    }
    const void *q = n->q;
    if (n->type == UN_BF16) {
        un_convert_to_bf16(n->q, n->q16, 4 * n->A * n->F);
        q = n->q16;
    }
    if (n->packed) return un_gemm_repack(n->packed, 1, q, 0);
    return un_gemm_pack(&n->packed, n->type, 1, n->usual_rows, 4 * n->A, n->F, q, 0);
}

/* The attention of image i of a batch; gradients are NULL in the forward pass. */
static un_attribute_attention image_attention(const msdn *n, const msdn_batch *b, size_t i) {
    return (un_attribute_attention){.regions = n->R,
                                    .attributes = n->A,
                                    .psi = b->psi + i * n->A,
                                    .psi2 = b->psi2 + i * n->A,
                                    .dpsi = b->dpsi ? b->dpsi + i * n->A : NULL,
                                    .dpsi2 = b->dpsi2 ? b->dpsi2 + i * n->A : NULL,
                                    .scratch = b->scratch + i * 4 * n->A};
}

typedef struct {
    const msdn *n;
    const msdn_batch *b;
} image_job;

static void attend_images(size_t begin, size_t end, void *context) {
    const image_job *job = context;
    const msdn *n = job->n;
    for (size_t i = begin; i < end; i++) {
        un_attribute_attention a = image_attention(n, job->b, i);
        un_attribute_attend(&a, job->b->inverse_norm + i * n->R, job->b->y + i * n->R * 4 * n->A);
    }
}

/* s = psi att^T + m. */
static un_status class_scores(const msdn *n, const msdn_batch *b, const float *psi, size_t images,
                              float *s) {
    const un_gemm_args product = {.m = images,
                                  .n = b->classes->count,
                                  .k = n->A,
                                  .trans_b = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = psi,
                                  .b = b->classes->att,
                                  .c = s,
                                  .bias = b->classes->bias};
    return un_gemm(&product);
}

un_status un_msdn_forward(msdn *n, msdn_batch *b, size_t images) {
    size_t rows = images * n->R;
    un_inverse_row_norms(b->x, n->type, rows, n->F, 1e-12f, b->inverse_norm);
    const un_gemm_args product = {.m = rows,
                                  .n = 4 * n->A,
                                  .k = n->F,
                                  .input = n->type,
                                  .output = UN_F32,
                                  .a = b->x,
                                  .packed = n->packed,
                                  .c = b->y};
    UN_TRY(un_gemm(&product));
    image_job job = {n, b};
    un_parallel_for(images, 1, attend_images, &job);
    UN_TRY(class_scores(n, b, b->psi, images, b->s1));
    return class_scores(n, b, b->psi2, images, b->s2);
}

static void attend_images_backward(size_t begin, size_t end, void *context) {
    const image_job *job = context;
    const msdn *n = job->n;
    size_t size = n->R * 4 * n->A;
    for (size_t i = begin; i < end; i++) {
        un_attribute_attention a = image_attention(n, job->b, i);
        float *dy = n->type == UN_F32 ? (float *)job->b->dy + i * size : NULL;
        un_bf16 *dy16 = n->type == UN_BF16 ? (un_bf16 *)job->b->dy + i * size : NULL;
        un_attribute_attend_backward(&a, job->b->inverse_norm + i * n->R, job->b->y + i * size, dy,
                                     dy16);
    }
}

/* dpsi = ds att. */
static un_status score_gradient(const msdn *n, const msdn_batch *b, const float *ds, size_t images,
                                float *dpsi) {
    const un_gemm_args product = {.m = images,
                                  .n = n->A,
                                  .k = b->classes->count,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = ds,
                                  .b = b->classes->att,
                                  .c = dpsi};
    return un_gemm(&product);
}

/* From dQ to one of the four matrices and to Vn. */
static un_status unfold(msdn *n, size_t j, block part) {
    const float *dq = n->dq + j * n->A * n->F;
    float *gradient = un_param_grad(&n->base.params, part.parameter);
    const un_gemm_args matrix = {.m = part.transposed ? n->F : n->E,
                                 .n = part.transposed ? n->E : n->F,
                                 .k = n->A,
                                 .trans_a = 1,
                                 .input = UN_F32,
                                 .output = UN_F32,
                                 .a = part.transposed ? dq : n->vn,
                                 .b = part.transposed ? n->vn : dq,
                                 .c = gradient};
    UN_TRY(un_gemm(&matrix));
    const un_gemm_args vectors = {.m = n->A,
                                  .n = n->E,
                                  .k = n->F,
                                  .trans_b = !part.transposed,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = dq,
                                  .b = un_param_value(&n->base.params, part.parameter),
                                  .c = n->dvn,
                                  .accumulate = j > 0};
    return un_gemm(&vectors);
}

/* Through the normalisation of V's rows: (dvn - <dvn, vn> vn) / |v|. */
static void vector_gradient(msdn *n) {
    float *dv = un_param_grad(&n->base.params, n->v);
    memcpy(dv, n->dvn, n->A * n->E * sizeof *dv);
    for (size_t i = 0; n->normalize_v && i < n->A; i++) {
        float *row = dv + i * n->E;
        const float *unit = n->vn + i * n->E;
        float norm = n->v_norm[i] > 1e-12f ? n->v_norm[i] : 1e-12f;
        un_axpy((float)-un_dot(row, unit, n->E), unit, row, n->E);
        un_scale(1.0f / norm, row, n->E);
    }
}

un_status un_msdn_backward(msdn *n, msdn_batch *b, size_t images) {
    UN_TRY(score_gradient(n, b, b->ds1, images, b->dpsi));
    UN_TRY(score_gradient(n, b, b->ds2, images, b->dpsi2));
    image_job job = {n, b};
    un_parallel_for(images, 1, attend_images_backward, &job);
    const un_gemm_args product = {.m = 4 * n->A,
                                  .n = n->F,
                                  .k = images * n->R,
                                  .trans_a = 1,
                                  .input = n->type,
                                  .output = UN_F32,
                                  .a = b->dy,
                                  .b = b->x,
                                  .c = n->dq};
    UN_TRY(un_gemm(&product));
    block part[4];
    blocks(n, part);
    for (size_t j = 0; j < 4; j++) UN_TRY(unfold(n, j, part[j]));
    vector_gradient(n);
    return UNSEEN_OK;
}

/* ---- MSDN's losses and their gradients with respect to both branches'
 * scores. Batches are small here (B x C): plain f64. ---- */

/* Cross-entropy over all classes of the scores without bias; its gradient is added to ds. */
static double cross_entropy(const msdn_classes *c, const float *s, const int32_t *labels,
                            size_t images, double *p, double *ds) {
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++, s += c->count, ds += c->count) {
        for (size_t k = 0; k < c->count; k++) p[k] = (double)s[k] - (double)c->bias[k];
        loss += un_cross_entropy_f64(p, NULL, c->count, (size_t)labels[b], share, p, ds);
    }
    return loss;
}

/* p (B, C) = softmax of the scores with their bias. */
static void probabilities(const msdn_classes *c, const float *s, size_t images, double *p) {
    for (size_t b = 0; b < images; b++, s += c->count, p += c->count) {
        for (size_t k = 0; k < c->count; k++) p[k] = (double)s[k];
        un_softmax_f64(p, NULL, c->count, p);
    }
}

/* Distance of the two branches' scores: sum |d|^3 / |d| (the published code's) or |d|^2 (the
 * paper's text), averaged over the batch; the gradient times eta is added to both. */
static double distance(const msdn *n, const float *s1, const float *s2, size_t images, double *ds1,
                       double *ds2) {
    const msdn_classes *c = &n->trained;
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++) {
        double squares = 0, cubes = 0;
        for (size_t k = 0; k < c->count; k++) {
            double d = (double)s1[b * c->count + k] - (double)s2[b * c->count + k];
            squares += d * d;
            cubes += fabs(d * d * d);
        }
        double norm = sqrt(squares);
        if (norm == 0) continue;
        loss += share * (n->squared_distance ? squares : cubes / norm);
        for (size_t k = 0; k < c->count; k++) {
            double d = (double)s1[b * c->count + k] - (double)s2[b * c->count + k];
            double slope = n->squared_distance
                               ? 2 * d
                               : 3 * d * fabs(d) / norm - cubes * d / (norm * norm * norm);
            ds1[b * c->count + k] += n->eta * share * slope;
            ds2[b * c->count + k] -= n->eta * share * slope;
        }
    }
    return loss;
}

un_status un_msdn_losses(const msdn *n, msdn_batch *b, const int32_t *labels, size_t images,
                         double losses[MSDN_LOSSES]) {
    const msdn_classes *c = &n->trained;
    size_t count = images * c->count;
    double *work = NULL;
    UN_TRY(un_alloc(4 * count + c->count, sizeof *work, &work));
    double *p1 = work, *p2 = p1 + count, *ds1 = p2 + count, *ds2 = ds1 + count, *row = ds2 + count;
    losses[MSDN_CE1] = cross_entropy(c, b->s1, labels, images, row, ds1);
    losses[MSDN_CE2] = cross_entropy(c, b->s2, labels, images, row, ds2);
    probabilities(c, b->s1, images, p1);
    probabilities(c, b->s2, images, p2);
    losses[MSDN_CAL1] = un_self_calibration(p1, c->seen, images, c->count, n->lambda, ds1);
    losses[MSDN_CAL2] = un_self_calibration(p2, c->seen, images, c->count, n->lambda, ds2);
    losses[MSDN_DISTILL] =
        n->eta * (distance(n, b->s1, b->s2, images, ds1, ds2) +
                  un_jensen_shannon(p1, p2, images, c->count, n->eta, row, ds1, ds2));
    for (size_t i = 0; i < count; i++) {
        b->ds1[i] = (float)ds1[i];
        b->ds2[i] = (float)ds2[i];
    }
    free(work);
    return UNSEEN_OK;
}
