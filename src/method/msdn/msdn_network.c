/* msdn_network.c - MSDN's folded matrix, forward and backward, and its losses. See msdn.h. */
#include <stdlib.h>
#include <string.h>

#include "method/msdn/msdn.h"
#include "nn/loss.h"
#include "tensor/kernels.h"

un_status un_msdn_batch_create(const msdn *n, msdn_batch *b, const un_class_rows *classes,
                               size_t images, int training) {
    size_t scores = images * classes->count;
    b->classes = classes;
    UN_TRY(un_arena_alloc(&b->arena, scores, sizeof(float), &b->s1));
    UN_TRY(un_arena_alloc(&b->arena, scores, sizeof(float), &b->s2));
    if (training) {
        UN_TRY(un_arena_alloc(&b->arena, scores, sizeof(float), &b->ds1));
        UN_TRY(un_arena_alloc(&b->arena, scores, sizeof(float), &b->ds2));
    }
    if (!training) return un_region_batch_create(&b->look, &n->shape, images, NULL);
    b->first = n->part.first;
    return un_region_batch_create(&b->look, &n->shape, n->part.count, n->data->features);
}

void un_msdn_batch_free(msdn_batch *b) {
    un_region_batch_free(&b->look);
    un_arena_free(&b->arena);
    *b = (msdn_batch){0};
}

/* The four blocks of A rows of Q; W_1_1 is stored (F, E). */
static void blocks(const msdn *n, un_region_part out[4]) {
    const un_params *p = &n->base.params;
    const size_t weights[4] = {n->w1, n->w2, n->w11, n->w21};
    for (size_t j = 0; j < 4; j++)
        out[j] = (un_region_part){.first = j * n->A,
                                  .rows = n->A,
                                  .vector_width = n->E,
                                  .v = n->vn,
                                  .w = un_param_value(p, weights[j]),
                                  .transposed = j == 2,
                                  .dv = n->dvn,
                                  .dw = p->grad ? un_param_grad(p, weights[j]) : NULL};
}

un_status un_msdn_fold(msdn *n) {
    un_region_part part[4];
    blocks(n, part);
    const float *v = un_param_value(&n->base.params, n->v);
    memcpy(n->vn, v, n->A * n->E * sizeof *v);
    if (n->settings.normalize_v) un_normalize_rows(n->vn, n->A, n->E, 1e-12f, n->v_norm);
    for (size_t j = 0; j < 4; j++) UN_TRY(un_region_fold(&n->folded, &part[j]));
    return un_region_matrix_pack(&n->folded, n->usual_rows);
}

un_status un_msdn_forward(msdn *n, msdn_batch *b, size_t images) {
    UN_TRY(un_region_forward(&b->look, &n->folded, images));
    size_t at = b->first * b->classes->count;
    UN_TRY(un_class_rows_score(b->classes, b->look.psi, images, b->s1 + at));
    return un_class_rows_score(b->classes, b->look.psi2, images, b->s2 + at);
}

/* Through the normalisation of V's rows. */
static void vector_gradient(msdn *n) {
    float *dv = un_param_grad(&n->base.params, n->v);
    memcpy(dv, n->dvn, n->A * n->E * sizeof *dv);
    if (n->settings.normalize_v)
        un_normalize_rows_backward(n->vn, n->v_norm, n->A, n->E, 1e-12f, dv);
}

un_status un_msdn_backward(msdn *n, msdn_batch *b, size_t images) {
    un_region_part part[4];
    size_t at = b->first * b->classes->count;
    UN_TRY(un_class_rows_gradient(b->classes, b->ds1 + at, images, b->look.dpsi));
    UN_TRY(un_class_rows_gradient(b->classes, b->ds2 + at, images, b->look.dpsi2));
    UN_TRY(un_region_backward(&b->look, &n->folded, images));
    blocks(n, part);
    memset(n->dvn, 0, n->A * n->E * sizeof *n->dvn);
    for (size_t j = 0; j < 4; j++) UN_TRY(un_region_unfold(&n->folded, &part[j]));
    vector_gradient(n);
    return UNSEEN_OK;
}

/* ---- MSDN's losses and their gradients with respect to both branches'
 * scores. Batches are small here (B x C): plain f64. ---- */

/* Cross-entropy over all classes of the scores without bias; its gradient is added to ds. */
static double cross_entropy(const un_class_rows *c, const float *s, const int32_t *labels,
                            size_t images, double *p, double *ds) {
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++, s += c->count, ds += c->count) {
        for (size_t k = 0; k < c->count; k++) p[k] = (double)s[k] - (double)c->bias[k];
        loss += un_cross_entropy_f64(p, NULL, c->count, (size_t)labels[b], share, p, ds);
    }
    return loss;
}

/* p (B, C) = softmax of the scores with their bias. */
static void probabilities(const un_class_rows *c, const float *s, size_t images, double *p) {
    for (size_t b = 0; b < images; b++, s += c->count, p += c->count) {
        for (size_t k = 0; k < c->count; k++) p[k] = (double)s[k];
        un_softmax_f64(p, NULL, c->count, p);
    }
}

un_status un_msdn_losses(const msdn *n, msdn_batch *b, const int32_t *labels, size_t images,
                         double losses[MSDN_LOSSES]) {
    const un_class_rows *c = &n->trained;
    size_t count = images * c->count;
    double *work = NULL;
    UN_TRY(un_alloc(4 * count + c->count, sizeof *work, &work));
    double *p1 = work, *p2 = p1 + count, *ds1 = p2 + count, *ds2 = ds1 + count, *row = ds2 + count;
    losses[MSDN_CE1] = cross_entropy(c, b->s1, labels, images, row, ds1);
    losses[MSDN_CE2] = cross_entropy(c, b->s2, labels, images, row, ds2);
    probabilities(c, b->s1, images, p1);
    probabilities(c, b->s2, images, p2);
    losses[MSDN_CAL1] = un_self_calibration(p1, c->seen, images, c->count, n->settings.lambda, ds1);
    losses[MSDN_CAL2] = un_self_calibration(p2, c->seen, images, c->count, n->settings.lambda, ds2);
    losses[MSDN_DISTILL] =
        n->settings.eta *
        (un_score_distance(b->s1, b->s2, images, c->count, n->settings.squared_distance, 0,
                           n->settings.eta, ds1, ds2) +
         un_jensen_shannon(p1, p2, images, c->count, n->settings.eta, row, ds1, ds2));
    for (size_t i = 0; i < count; i++) {
        b->ds1[i] = (float)ds1[i];
        b->ds2[i] = (float)ds2[i];
    }
    free(work);
    return UNSEEN_OK;
}
