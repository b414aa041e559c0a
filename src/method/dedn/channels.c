/* channels.c - DEDN's channel path: two products an image. See dedn.h. */
#include "base/parallel.h"
#include "method/dedn/dedn.h"
#include "tensor/kernels.h"

/* Rows of the stacked matrix that are attended to as soon as they are multiplied. */
enum { PIECE_ROWS = 32 };

un_status un_dedn_channels_create(const dedn *n, dedn_channels *c) {
    size_t rows = 2 * n->N, pieces = (rows + PIECE_ROWS - 1) / PIECE_ROWS;
    size_t size = un_dtype_size(n->shape.type);
    *c = (dedn_channels){0};
    UN_TRY(un_arena_alloc(&c->arena, rows * n->R, sizeof(float), &c->u));
    if (n->data) UN_TRY(un_arena_alloc(&c->arena, rows * n->R, sizeof(float), &c->du));
    UN_TRY(un_arena_alloc(&c->arena, rows * n->R, size, &c->scaled));
    UN_TRY(un_arena_alloc(&c->arena, pieces, sizeof *c->pieces, &c->pieces));
    for (size_t i = 0; i < pieces; i++)
        c->pieces[i] = (const char *)c->scaled + i * PIECE_ROWS * n->R * size;
    if (n->shape.type == UN_BF16)
        UN_TRY(un_arena_alloc(&c->arena, rows * n->F, sizeof(un_bf16), &c->narrow));
    return un_arena_alloc(&c->arena, rows * n->F, sizeof(float), &c->products);
}

void un_dedn_channels_free(dedn_channels *c) {
    un_arena_free(&c->arena);
    *c = (dedn_channels){0};
}

/* One image's work. */
typedef struct {
    const dedn *n;
    const float *factor; /* [R] */
    float *psi;          /* [N] */
    int sums;            /* Q and its gradients will be multiplied */
} image;

static void scale_rows(size_t begin, size_t end, void *context) {
    const image *j = context;
    const dedn_channels *c = &j->n->channels;
    size_t R = j->n->R;
    for (size_t i = begin * R; i < end * R; i += R) {
        if (j->n->shape.type == UN_F32) {
            float *to = (float *)c->scaled + i;
            for (size_t r = 0; r < R; r++) to[r] = c->u[i + r] * j->factor[r];
        } else {
            un_bf16 *to = (un_bf16 *)c->scaled + i;
            for (size_t r = 0; r < R; r++) to[r] = un_bf16_from_float(c->u[i + r] * j->factor[r]);
        }
    }
}

/* Rows of the stack, from logits and values to what the second product takes. */
static void attend_rows(size_t begin, size_t end, void *context) {
    const image *j = context;
    const dedn_channels *c = &j->n->channels;
    size_t F = j->n->F;
    for (size_t i = begin; i < end; i++) {
        float *logit = c->products + 2 * i * F;
        j->psi[i] = un_channel_attend(logit, logit + F, F);
        if (c->narrow && j->sums) un_narrow(logit, c->narrow + 2 * i * F, 2 * F);
    }
}

static void attend_piece(size_t piece, void *context) {
    const image *j = context;
    size_t first = piece * PIECE_ROWS / 2, end = first + PIECE_ROWS / 2;
    attend_rows(first, end < j->n->N ? end : j->n->N, context);
}

/* The regions of image i where they lie. */
static void set_regions(const dedn *n, const un_region_batch *look, size_t i,
                        un_gemm_args *product) {
    product->input = n->shape.type;
    product->b =
        n->shape.type == UN_F32 ? (const void *)(look->x + i * n->R * n->F) : look->rows[i];
    product->b_f32 = n->shape.type == UN_BF16 && look->rows_f32;
}

/* psi of image i, and, unless `sums` is NULL, (2N, R) there. */
static un_status attend_image(dedn *n, dedn_batch *b, size_t i, float *sums) {
    const dedn_channels *c = &n->channels;
    image one = {n, b->look.factor + i * n->R, b->channel_psi + i * n->N, sums != NULL};
    un_parallel_for(2 * n->N, 16, scale_rows, &one);
    un_gemm_args product = {
        .m = 2 * n->N, .n = n->F, .k = n->R, .output = UN_F32, .a = c->scaled, .c = c->products};
    set_regions(n, &b->look, i, &product);
    if (n->shape.type == UN_BF16) {
        product.a_pieces = c->pieces;
        product.piece_rows = PIECE_ROWS;
        product.piece_done = attend_piece;
        product.piece_context = &one;
    }
    UN_TRY(un_gemm(&product));
    if (n->shape.type == UN_F32) un_parallel_for(n->N, 1, attend_rows, &one);
    if (!sums) return UNSEEN_OK;
    un_gemm_args pooled = {.m = 2 * n->N,
                           .n = n->R,
                           .k = n->F,
                           .trans_b = 1,
                           .output = UN_F32,
                           .a = c->narrow ? (const void *)c->narrow : c->products,
                           .c = sums};
    set_regions(n, &b->look, i, &pooled);
    return un_gemm(&pooled);
}

un_status un_dedn_channels_forward(dedn *n, dedn_batch *b, size_t images) {
    for (size_t i = 0; i < images; i++)
        UN_TRY(attend_image(n, b, i, b->channel_dpsi ? b->sums + i * 2 * n->N * n->R : NULL));
    return UNSEEN_OK;
}

un_status un_dedn_channels_of_first(dedn *n, dedn_batch *b) {
    return attend_image(n, b, 0, b->sums);
}

/* ---- backward ---- */

typedef struct {
    dedn *n;
    const dedn_batch *b;
    size_t images;
} job;

/* du of rows 2j, 2j + 1 is dpsi_j times the sums of the other: of Q (T - psi) for the logits, of Q
 * for the values. */
static void gather_gradients(size_t begin, size_t end, void *context) {
    const job *g = context;
    const dedn *n = g->n;
    size_t R = n->R;
    for (size_t j = begin; j < end; j++) {
        float *restrict logit = n->channels.du + 2 * j * R, *restrict value = logit + R;
        for (size_t r = 0; r < 2 * R; r++) logit[r] = 0;
        for (size_t i = 0; i < g->images; i++) {
            const float *q = g->b->sums + (i * 2 * n->N + 2 * j) * R, *slope = q + R;
            const float *factor = g->b->look.factor + i * R;
            float by = g->b->channel_dpsi[i * n->N + j];
            for (size_t r = 0; r < R; r++) {
                float times = by * factor[r];
                logit[r] += times * slope[r];
                value[r] += times * q[r];
            }
        }
    }
}

void un_dedn_channels_backward(dedn *n, const dedn_batch *b, size_t images) {
    job g = {n, b, images};
    un_parallel_for(n->N, 1, gather_gradients, &g);
}
