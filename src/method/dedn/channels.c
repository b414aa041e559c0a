/* channels.c - DEDN's channel path: two products for each piece of the stack of an image. See
 * dedn.h. */
#include "base/parallel.h"
#include "method/dedn/dedn.h"
#include "tensor/kernels.h"

/* What a thread works on stays in its second cache: in f32 so many bytes of logits and values. A
 * bf16 product packs the regions first, which more rows have to pay for. */
enum { PIECE_BYTES = 1 << 20, PIECE_BYTES_BF16 = 4 << 20 };
/* Rows that are attended to as soon as they are multiplied in bf16. */
enum { DONE_ROWS = 32 };

/* Rows of a piece: pairs of logits and values, of whole blocks of DONE_ROWS where there are more
 * than that. */
static size_t piece_rows(const dedn *n) {
    size_t bytes = n->shape.type == UN_F32 ? PIECE_BYTES : PIECE_BYTES_BF16;
    size_t rows = bytes / (n->F * sizeof(float)) / DONE_ROWS * DONE_ROWS;
    if (rows < DONE_ROWS) rows = DONE_ROWS;
    return rows < 2 * n->N ? rows : 2 * n->N;
}

static un_status reserve_slot(const dedn *n, dedn_channels *c, dedn_channel_slot *s) {
    size_t blocks = (c->rows + DONE_ROWS - 1) / DONE_ROWS, size = un_dtype_size(n->shape.type);
    UN_TRY(un_arena_alloc(&c->arena, c->rows * n->R, size, &s->scaled));
    UN_TRY(un_arena_alloc(&c->arena, blocks, sizeof *s->blocks, &s->blocks));
    for (size_t i = 0; i < blocks; i++)
        s->blocks[i] = (const char *)s->scaled + i * DONE_ROWS * n->R * size;
    if (n->shape.type == UN_BF16)
        UN_TRY(un_arena_alloc(&c->arena, c->rows * n->F, sizeof(un_bf16), &s->narrow));
    return un_arena_alloc(&c->arena, c->rows * n->F, sizeof(float), &s->products);
}

un_status un_dedn_channels_create(const dedn *n, dedn_channels *c) {
    size_t images = n->data ? n->settings.draws.size : DEDN_SCORE_IMAGES;
    *c = (dedn_channels){.rows = piece_rows(n)};
    c->pieces = (2 * n->N + c->rows - 1) / c->rows;
    c->slots = un_slot_count(images * c->pieces, 1);
    UN_TRY(un_arena_alloc(&c->arena, 2 * n->N * n->R, sizeof(float), &c->u));
    if (n->data) UN_TRY(un_arena_alloc(&c->arena, 2 * n->N * n->R, sizeof(float), &c->du));
    UN_TRY(un_arena_alloc(&c->arena, c->slots, sizeof *c->slot, &c->slot));
    for (size_t i = 0; i < c->slots; i++) UN_TRY(reserve_slot(n, c, &c->slot[i]));
    return UNSEEN_OK;
}

void un_dedn_channels_free(dedn_channels *c) {
    un_arena_free(&c->arena);
    *c = (dedn_channels){0};
}

/* All pieces of all images. */
typedef struct {
    const dedn *n;
    const dedn_batch *b;
    float *sums; /* (images, 2N, R), or NULL: psi alone */
} forward_job;

/* Rows `first` to `first` + `rows` of the stack, of one image. */
typedef struct {
    const dedn *n;
    const dedn_channel_slot *slot;
    const float *factor; /* [R] */
    float *psi;          /* [rows / 2] */
    size_t first, rows;
    int sums; /* Q and its gradients will be multiplied */
} piece;

static void scale_rows(const piece *p) {
    size_t R = p->n->R;
    const float *u = p->n->channels.u + p->first * R;
    for (size_t i = 0; i < p->rows * R; i += R) {
        if (p->n->shape.type == UN_F32) {
            float *to = (float *)p->slot->scaled + i;
            for (size_t r = 0; r < R; r++) to[r] = u[i + r] * p->factor[r];
        } else {
            un_bf16 *to = (un_bf16 *)p->slot->scaled + i;
            for (size_t r = 0; r < R; r++) to[r] = un_bf16_from_float(u[i + r] * p->factor[r]);
        }
    }
}

/* Pairs of rows, from logits and values to what the second product takes. */
static void attend_rows(size_t begin, size_t end, void *context) {
    const piece *p = context;
    size_t F = p->n->F;
    for (size_t i = begin; i < end; i++) {
        float *logit = p->slot->products + 2 * i * F;
        p->psi[i] = un_channel_attend(logit, logit + F, F);
        if (p->slot->narrow && p->sums) un_narrow(logit, p->slot->narrow + 2 * i * F, 2 * F);
    }
}

static void attend_block(size_t block, void *context) {
    const piece *p = context;
    size_t first = block * DONE_ROWS / 2, end = first + DONE_ROWS / 2;
    attend_rows(first, end < p->rows / 2 ? end : p->rows / 2, context);
}

/* The regions of image i where they lie. */
static void set_regions(const dedn *n, const un_region_batch *look, size_t i,
                        un_gemm_args *product) {
    product->input = n->shape.type;
    product->b =
        n->shape.type == UN_F32 ? (const void *)(look->x + i * n->R * n->F) : look->rows[i];
    product->b_f32 = n->shape.type == UN_BF16 && look->rows_f32;
}

/* psi of a piece of image i, and, unless `sums` is NULL, (rows, R) there. */
static un_status attend_piece(piece *p, const un_region_batch *look, size_t i, float *sums) {
    const dedn *n = p->n;
    scale_rows(p);
    un_gemm_args product = {.m = p->rows,
                            .n = n->F,
                            .k = n->R,
                            .output = UN_F32,
                            .a = p->slot->scaled,
                            .c = p->slot->products};
    set_regions(n, look, i, &product);
    if (n->shape.type == UN_BF16) {
        product.a_pieces = p->slot->blocks;
        product.piece_rows = DONE_ROWS;
        product.piece_done = attend_block;
        product.piece_context = p;
    }
    UN_TRY(un_gemm(&product));
    /* By this thread, unless the piece is all there is to do. */
    if (n->shape.type == UN_F32) un_parallel_for(p->rows / 2, 1, attend_rows, p);
    if (!sums) return UNSEEN_OK;
    un_gemm_args pooled = {.m = p->rows,
                           .n = n->R,
                           .k = n->F,
                           .trans_b = 1,
                           .output = UN_F32,
                           .a = p->slot->narrow ? (const void *)p->slot->narrow : p->slot->products,
                           .c = sums};
    set_regions(n, look, i, &pooled);
    return un_gemm(&pooled);
}

static un_status attend_item(size_t item, un_slot slot, void *context) {
    const forward_job *j = context;
    const dedn *n = j->n;
    const dedn_channels *c = &n->channels;
    size_t i = item / c->pieces, first = item % c->pieces * c->rows, left = 2 * n->N - first;
    piece p = {.n = n,
               .slot = &c->slot[slot.index],
               .factor = j->b->look.factor + i * n->R,
               .psi = j->b->channel_psi + i * n->N + first / 2,
               .first = first,
               .rows = left < c->rows ? left : c->rows,
               .sums = j->sums != NULL};
    return attend_piece(&p, &j->b->look, i,
                        j->sums ? j->sums + (i * 2 * n->N + first) * n->R : NULL);
}

static un_status attend_images(const dedn *n, const dedn_batch *b, size_t images, float *sums) {
    forward_job j = {n, b, sums};
    return un_parallel_try(images * n->channels.pieces, n->channels.slots, attend_item, &j);
}

un_status un_dedn_channels_forward(dedn *n, dedn_batch *b, size_t images) {
    return attend_images(n, b, images, b->channel_dpsi ? b->sums : NULL);
}

un_status un_dedn_channels_of_first(dedn *n, dedn_batch *b) {
    return attend_images(n, b, 1, b->sums);
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
