/* msdn_network.c - MSDN's folded product, forward and backward, and its losses. See msdn.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "method/msdn/msdn.h"
#include "nn/loss.h"
#include "tensor/attribute_attention.h"
#include "tensor/kernels.h"

/* Rows of regions whose gradients are multiplied at a time: about 100 steps of 32, so that they and
 * the regions stay in the caches. */
enum { GROUP_ROWS = 3136, STEP_ROWS = 32 };

static un_status reserve_training(const msdn *n, msdn_batch *b, size_t images) {
    size_t rows = images * n->R, f = sizeof(float), most = GROUP_ROWS / n->R + 1;
    un_arena *a = &b->arena;
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->dpsi));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->dpsi2));
    UN_TRY(un_arena_alloc(a, images * b->classes->count, f, &b->ds1));
    UN_TRY(un_arena_alloc(a, images * b->classes->count, f, &b->ds2));
    if (n->type == UN_F32 || !un_features_row(n->data->features, 0))
        UN_TRY(un_arena_alloc(a, rows * n->F, un_dtype_size(n->type), &b->gathered));
    if (n->type == UN_F32) {
        b->x = b->gathered;
        return un_arena_alloc(a, rows * 4 * n->A, f, &b->dy);
    }
    return un_gemm_left_create(&b->left, 4 * n->A, (images < most ? images : most) * n->R);
}

un_status un_msdn_batch_create(const msdn *n, msdn_batch *b, const msdn_classes *classes,
                               size_t images, int training) {
    size_t rows = images * n->R, f = sizeof(float);
    un_arena *a = &b->arena;
    b->classes = classes;
    b->images = images;
    UN_TRY(un_arena_alloc(a, images, sizeof *b->rows, &b->rows));
    if (n->type == UN_BF16) UN_TRY(un_arena_alloc(a, rows, f, &b->squares));
    UN_TRY(un_arena_alloc(a, rows, f, &b->factor));
    UN_TRY(un_arena_alloc(a, rows * 4 * n->A, f, &b->y));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->psi));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->psi2));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->largest));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->share));
    UN_TRY(un_arena_alloc(a, rows, f, &b->largest2));
    UN_TRY(un_arena_alloc(a, rows, f, &b->share2));
    UN_TRY(un_arena_alloc(a, images * n->A, f, &b->scratch));
    UN_TRY(un_arena_alloc(a, images * classes->count, f, &b->s1));
    UN_TRY(un_arena_alloc(a, images * classes->count, f, &b->s2));
    return training ? reserve_training(n, b, images) : UNSEEN_OK;
}

void un_msdn_batch_free(msdn_batch *b) {
    un_gemm_left_free(b->left);
    un_arena_free(&b->arena);
    *b = (msdn_batch){0};
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
    if (n->settings.normalize_v) un_normalize_rows(n->vn, n->A, n->E, 1e-12f, n->v_norm);
    int bf16 = n->type == UN_BF16;
    for (size_t j = 0; j < 4; j++) {
        size_t at = j * n->A * n->F;
        const un_gemm_args product = {.m = n->A,
                                      .n = n->F,
                                      .k = n->E,
                                      .trans_b = part[j].transposed,
                                      .input = n->type,
                                      .output = n->type,
                                      .a_f32 = bf16,
                                      .b_f32 = bf16,
                                      .a = n->vn,
                                      .b = un_param_value(&n->base.params, part[j].parameter),
                                      .c = bf16 ? (void *)(n->q16 + at) : n->q + at};
        UN_TRY(un_gemm(&product));
    }
    const void *q = bf16 ? (const void *)n->q16 : n->q;
    if (n->packed) return un_gemm_repack(n->packed, 1, q, 0);
    return un_gemm_pack(&n->packed, n->type, 1, n->usual_rows, 4 * n->A, n->F, q, 0);
}

un_attribute_attention un_msdn_attention(const msdn *n, const msdn_batch *b, size_t i) {
    size_t at = i * n->A, row = i * n->R;
    return (un_attribute_attention){.regions = n->R,
                                    .attributes = n->A,
                                    .factor = b->factor + row,
                                    .y = b->y + row * 4 * n->A,
                                    .psi = b->psi + at,
                                    .psi2 = b->psi2 + at,
                                    .largest = b->largest + at,
                                    .share = b->share + at,
                                    .largest2 = b->largest2 + row,
                                    .share2 = b->share2 + row,
                                    .scratch = b->scratch + at,
                                    .dpsi = b->dpsi ? b->dpsi + at : NULL,
                                    .dpsi2 = b->dpsi2 ? b->dpsi2 + at : NULL};
}

typedef struct {
    const msdn *n;
    const msdn_batch *b;
    size_t first, rows; /* of regions, in the backward pass */
} job;

static const float SHORTEST = 1e-12f; /* region that is told from zeros */

static void attend_images(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) {
        un_attribute_attention a = un_msdn_attention(j->n, j->b, i);
        un_attribute_attend(&a);
    }
}

/* As soon as an image's products are there. */
static void attend_piece(size_t i, void *context) {
    const job *j = context;
    for (size_t r = i * j->n->R; r < (i + 1) * j->n->R; r++) {
        float length = sqrtf(j->b->squares[r]);
        j->b->factor[r] = 1.0f / (length > SHORTEST ? length : SHORTEST);
    }
    attend_images(i, i + 1, context);
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
    job all = {.n = n, .b = b};
    un_gemm_args product = {.m = images * n->R,
                            .n = 4 * n->A,
                            .k = n->F,
                            .input = n->type,
                            .output = UN_F32,
                            .packed = n->packed,
                            .c = b->y};
    if (n->type == UN_BF16) {
        product.a_pieces = b->rows;
        product.piece_rows = n->R;
        product.a_f32 = b->rows_f32;
        product.a_squares = b->squares;
        product.piece_done = attend_piece;
        product.piece_context = &all;
        UN_TRY(un_gemm(&product));
    } else {
        product.a = b->x;
        un_inverse_row_norms(b->x, images * n->R, n->F, SHORTEST, b->factor);
        UN_TRY(un_gemm(&product));
        un_parallel_for(images, 1, attend_images, &all);
    }
    UN_TRY(class_scores(n, b, b->psi, images, b->s1));
    return class_scores(n, b, b->psi2, images, b->s2);
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
    int bf16 = n->type == UN_BF16;
    const un_gemm_args matrix = {.m = part.transposed ? n->F : n->E,
                                 .n = part.transposed ? n->E : n->F,
                                 .k = n->A,
                                 .trans_a = 1,
                                 .input = n->type,
                                 .output = UN_F32,
                                 .a_f32 = bf16,
                                 .b_f32 = bf16,
                                 .a = part.transposed ? dq : n->vn,
                                 .b = part.transposed ? n->vn : dq,
                                 .c = gradient};
    UN_TRY(un_gemm(&matrix));
    const un_gemm_args vectors = {.m = n->A,
                                  .n = n->E,
                                  .k = n->F,
                                  .trans_b = !part.transposed,
                                  .input = n->type,
                                  .output = UN_F32,
                                  .a_f32 = bf16,
                                  .b_f32 = bf16,
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
    for (size_t i = 0; n->settings.normalize_v && i < n->A; i++) {
        float *row = dv + i * n->E;
        const float *unit = n->vn + i * n->E;
        float norm = n->v_norm[i] > 1e-12f ? n->v_norm[i] : 1e-12f;
        un_axpy((float)-un_dot(row, unit, n->E), unit, row, n->E);
        un_scale(1.0f / norm, row, n->E);
    }
}

/* ---- from the attention's gradients to Q's ---- */

/* Gradient of the products of region `row` of a batch. */
static void region_gradient(const job *j, size_t row, float *dy) {
    un_attribute_attention a = un_msdn_attention(j->n, j->b, row / j->n->R);
    un_attribute_attend_backward(&a, row % j->n->R, dy);
}

static void region_gradients(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t row = begin; row < end; row++)
        region_gradient(j, row, j->b->dy + row * 4 * j->n->A);
}

/* Straight into the left operand, 32 regions at a time; scratch of a slot is one row and then 32
 * of bf16. */
typedef struct {
    job group;
    float *scratch;
    size_t size; /* floats of a slot */
} packing;

static void pack_gradients(size_t begin, size_t end, un_slot slot, void *context) {
    const packing *p = context;
    size_t width = 4 * p->group.n->A;
    float *row = p->scratch + slot.index * p->size;
    un_bf16 *rows = (un_bf16 *)(void *)(row + width);
    for (size_t s = begin; s < end; s++) {
        size_t first = s * STEP_ROWS, count = p->group.rows - first;
        if (count > STEP_ROWS) count = STEP_ROWS;
        for (size_t k = 0; k < count; k++) {
            region_gradient(&p->group, p->group.first + first + k, row);
            un_narrow(row, rows + k * width, width);
        }
        un_gemm_left_fill(p->group.b->left, s, count, rows, width);
    }
}

/* dQ += dY^T X over the images from `first` on. */
static un_status add_group(msdn *n, const msdn_batch *b, size_t first, size_t images) {
    packing p = {.group = {n, b, first * n->R, images * n->R},
                 .size = 4 * n->A * (1 + STEP_ROWS / 2)};
    size_t steps = (p.group.rows + STEP_ROWS - 1) / STEP_ROWS, slots = un_slot_count(steps, 1);
    UN_TRY(un_alloc(slots * p.size, sizeof *p.scratch, &p.scratch));
    un_parallel_slots(steps, slots, pack_gradients, &p);
    free(p.scratch);
    const un_gemm_args product = {.m = 4 * n->A,
                                  .n = n->F,
                                  .k = p.group.rows,
                                  .input = UN_BF16,
                                  .output = UN_F32,
                                  .left = b->left,
                                  .b_pieces = b->rows + first,
                                  .piece_rows = n->R,
                                  .b_f32 = b->rows_f32,
                                  .c = n->dq,
                                  .accumulate = first > 0};
    return un_gemm(&product);
}

static un_status fold_gradient_bf16(msdn *n, const msdn_batch *b, size_t images) {
    size_t groups = (images * n->R + GROUP_ROWS - 1) / GROUP_ROWS;
    size_t share = (images + groups - 1) / groups;
    for (size_t i = 0; i < images; i += share)
        UN_TRY(add_group(n, b, i, images - i < share ? images - i : share));
    return UNSEEN_OK;
}

static un_status fold_gradient_f32(msdn *n, const msdn_batch *b, size_t images) {
    job all = {.n = n, .b = b};
    un_parallel_for(images * n->R, 1, region_gradients, &all);
    const un_gemm_args product = {.m = 4 * n->A,
                                  .n = n->F,
                                  .k = images * n->R,
                                  .trans_a = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = b->dy,
                                  .b = b->x,
                                  .c = n->dq};
    return un_gemm(&product);
}

un_status un_msdn_backward(msdn *n, msdn_batch *b, size_t images) {
    UN_TRY(score_gradient(n, b, b->ds1, images, b->dpsi));
    UN_TRY(score_gradient(n, b, b->ds2, images, b->dpsi2));
    if (n->type == UN_BF16)
        UN_TRY(fold_gradient_bf16(n, b, images));
    else
        UN_TRY(fold_gradient_f32(n, b, images));
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
        loss += share * (n->settings.squared_distance ? squares : cubes / norm);
        for (size_t k = 0; k < c->count; k++) {
            double d = (double)s1[b * c->count + k] - (double)s2[b * c->count + k];
            double slope = n->settings.squared_distance
                               ? 2 * d
                               : 3 * d * fabs(d) / norm - cubes * d / (norm * norm * norm);
            ds1[b * c->count + k] += n->settings.eta * share * slope;
            ds2[b * c->count + k] -= n->settings.eta * share * slope;
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
    losses[MSDN_CAL1] = un_self_calibration(p1, c->seen, images, c->count, n->settings.lambda, ds1);
    losses[MSDN_CAL2] = un_self_calibration(p2, c->seen, images, c->count, n->settings.lambda, ds2);
    losses[MSDN_DISTILL] = n->settings.eta * (distance(n, b->s1, b->s2, images, ds1, ds2) +
                                              un_jensen_shannon(p1, p2, images, c->count,
                                                                n->settings.eta, row, ds1, ds2));
    for (size_t i = 0; i < count; i++) {
        b->ds1[i] = (float)ds1[i];
        b->ds2[i] = (float)ds2[i];
    }
    free(work);
    return UNSEEN_OK;
}
