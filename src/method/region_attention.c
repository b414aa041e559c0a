/* region_attention.c - the folded product and attention, forward and backward. See
 * region_attention.h. */
#include "method/region_attention.h"

#include <math.h>
#include <stdlib.h>

#include "base/parallel.h"
#include "tensor/kernels.h"

/* Rows of regions whose gradients are multiplied at a time: about 100 steps of 32, so that they and
 * the regions stay in the caches. */
enum { GROUP_ROWS = 3136, STEP_ROWS = 32 };

static const float SHORTEST = 1e-12f; /* region that is told from zeros */

/* Rows of Q, width of Y. */
static size_t lines(const un_region_shape *s) { return 2 * s->directions * s->attributes; }

/* ---- the folded matrix ---- */

un_status un_region_matrix_create(un_region_matrix *m, const un_region_shape *shape, int training) {
    size_t count = lines(shape) * shape->width;
    *m = (un_region_matrix){.shape = *shape};
    if (shape->type == UN_F32)
        UN_TRY(un_arena_alloc(&m->arena, count, sizeof *m->q, &m->q));
    else
        UN_TRY(un_arena_alloc(&m->arena, count, sizeof *m->q16, &m->q16));
    return training ? un_arena_alloc(&m->arena, count, sizeof *m->dq, &m->dq) : UNSEEN_OK;
}

void un_region_matrix_free(un_region_matrix *m) {
    un_packed_free(m->packed);
    un_arena_free(&m->arena);
    *m = (un_region_matrix){0};
}

un_status un_region_fold(un_region_matrix *m, const un_region_part *part) {
    size_t at = part->first * m->shape.width;
    int bf16 = m->shape.type == UN_BF16;
    const un_gemm_args product = {.m = part->rows,
                                  .n = m->shape.width,
                                  .k = part->vector_width,
                                  .trans_b = part->transposed,
                                  .input = m->shape.type,
                                  .output = m->shape.type,
                                  .a_f32 = bf16,
                                  .b_f32 = bf16,
                                  .a = part->v,
                                  .b = part->w,
                                  .c = bf16 ? (void *)(m->q16 + at) : m->q + at};
    return un_gemm(&product);
}

un_status un_region_matrix_pack(un_region_matrix *m, size_t rows) {
    const un_region_shape *s = &m->shape;
    const void *q = s->type == UN_BF16 ? (const void *)m->q16 : m->q;
    if (m->packed) return un_gemm_repack(m->packed, 1, q, 0);
    return un_gemm_pack(&m->packed, s->type, 1, rows, lines(s), s->width, q, 0);
}

un_status un_region_unfold(const un_region_matrix *m, const un_region_part *part) {
    size_t E = part->vector_width, F = m->shape.width;
    const float *dq = m->dq + part->first * F;
    int bf16 = m->shape.type == UN_BF16;
    const un_gemm_args matrix = {.m = part->transposed ? F : E,
                                 .n = part->transposed ? E : F,
                                 .k = part->rows,
                                 .trans_a = 1,
                                 .input = m->shape.type,
                                 .output = UN_F32,
                                 .a_f32 = bf16,
                                 .b_f32 = bf16,
                                 .a = part->transposed ? dq : part->v,
                                 .b = part->transposed ? part->v : dq,
                                 .c = part->dw};
    UN_TRY(un_gemm(&matrix));
    const un_gemm_args vectors = {.m = part->rows,
                                  .n = E,
                                  .k = F,
                                  .trans_b = !part->transposed,
                                  .input = m->shape.type,
                                  .output = UN_F32,
                                  .a_f32 = bf16,
                                  .b_f32 = bf16,
                                  .a = dq,
                                  .b = part->w,
                                  .c = part->dv,
                                  .accumulate = 1};
    return un_gemm(&vectors);
}

/* ---- batches ---- */

static un_status reserve_training(un_region_batch *b, const un_features *features) {
    const un_region_shape *s = &b->shape;
    size_t rows = b->images * s->regions, most = GROUP_ROWS / s->regions + 1, f = sizeof(float);
    UN_TRY(un_arena_alloc(&b->arena, b->images * s->attributes, f, &b->dpsi));
    if (s->directions > 1)
        UN_TRY(un_arena_alloc(&b->arena, b->images * s->attributes, f, &b->dpsi2));
    if (s->type == UN_F32 || !un_features_row(features, 0))
        UN_TRY(un_arena_alloc(&b->arena, rows * s->width, un_dtype_size(s->type), &b->gathered));
    if (s->type == UN_F32) {
        b->x = b->gathered;
        return un_arena_alloc(&b->arena, rows * lines(s), f, &b->dy);
    }
    if (lines(s) == 0) return UNSEEN_OK;
    return un_gemm_left_create(&b->left, lines(s),
                               (b->images < most ? b->images : most) * s->regions);
}

un_status un_region_batch_create(un_region_batch *b, const un_region_shape *s, size_t images,
                                 const un_features *features) {
    size_t rows = images * s->regions, N = s->attributes, f = sizeof(float);
    un_arena *a = &b->arena;
    *b = (un_region_batch){.shape = *s, .images = images};
    UN_TRY(un_arena_alloc(a, images, sizeof *b->rows, &b->rows));
    if (s->type == UN_BF16) UN_TRY(un_arena_alloc(a, rows, f, &b->squares));
    UN_TRY(un_arena_alloc(a, rows, f, &b->factor));
    UN_TRY(un_arena_alloc(a, rows * lines(s), f, &b->y));
    UN_TRY(un_arena_alloc(a, images * N, f, &b->psi));
    UN_TRY(un_arena_alloc(a, images * N, f, &b->largest));
    UN_TRY(un_arena_alloc(a, images * N, f, &b->share));
    if (s->directions > 1) {
        UN_TRY(un_arena_alloc(a, images * N, f, &b->psi2));
        UN_TRY(un_arena_alloc(a, rows, f, &b->largest2));
        UN_TRY(un_arena_alloc(a, rows, f, &b->share2));
        UN_TRY(un_arena_alloc(a, images * N, f, &b->scratch));
    }
    return features ? reserve_training(b, features) : UNSEEN_OK;
}

void un_region_batch_free(un_region_batch *b) {
    un_gemm_left_free(b->left);
    un_arena_free(&b->arena);
    *b = (un_region_batch){0};
}

void un_region_batch_gather(un_region_batch *b, const un_features *features, const int64_t *images,
                            size_t count) {
    size_t size = b->shape.regions * b->shape.width;
    if (b->shape.type == UN_F32) {
        un_features_gather_f32(features, images, count, b->gathered);
        return;
    }
    if (b->gathered) un_features_gather_bf16(features, images, count, b->gathered);
    b->rows_f32 = !b->gathered && features->dtype == UN_F32;
    for (size_t i = 0; i < count; i++)
        b->rows[i] = b->gathered ? (const un_bf16 *)b->gathered + i * size
                                 : un_features_row(features, (size_t)images[i]);
}

void un_region_batch_set(un_region_batch *b, const float *features, size_t count) {
    b->x = features;
    b->rows_f32 = 1;
    for (size_t i = 0; i < count; i++)
        b->rows[i] = features + i * b->shape.regions * b->shape.width;
}

/* ---- forward ---- */

un_attribute_attention un_region_attention(const un_region_batch *b, size_t i) {
    size_t at = i * b->shape.attributes, row = i * b->shape.regions;
    un_attribute_attention out = {.regions = b->shape.regions,
                                  .attributes = b->shape.attributes,
                                  .factor = b->factor + row,
                                  .y = b->y + row * lines(&b->shape),
                                  .psi = b->psi + at,
                                  .largest = b->largest + at,
                                  .share = b->share + at,
                                  .dpsi = b->dpsi ? b->dpsi + at : NULL};
    if (b->shape.directions > 1) {
        out.psi2 = b->psi2 + at;
        out.largest2 = b->largest2 + row;
        out.share2 = b->share2 + row;
        out.scratch = b->scratch + at;
        out.dpsi2 = b->dpsi2 ? b->dpsi2 + at : NULL;
    }
    return out;
}

static void attend_images(size_t begin, size_t end, void *context) {
    for (size_t i = begin; i < end; i++) {
        un_attribute_attention a = un_region_attention(context, i);
        un_attribute_attend(&a);
    }
}

/* As soon as an image's products are there. */
static void attend_piece(size_t i, void *context) {
    const un_region_batch *b = context;
    for (size_t r = i * b->shape.regions; r < (i + 1) * b->shape.regions; r++) {
        float length = sqrtf(b->squares[r]);
        b->factor[r] = 1.0f / (length > SHORTEST ? length : SHORTEST);
    }
    attend_images(i, i + 1, context);
}

un_status un_region_forward(un_region_batch *b, const un_region_matrix *m, size_t images) {
    const un_region_shape *s = &b->shape;
    un_gemm_args product = {.m = images * s->regions,
                            .n = lines(s),
                            .k = s->width,
                            .input = s->type,
                            .output = UN_F32,
                            .packed = m->packed,
                            .c = b->y};
    if (s->type == UN_BF16) {
        product.a_pieces = b->rows;
        product.piece_rows = s->regions;
        product.a_f32 = b->rows_f32;
        product.a_squares = b->squares;
        product.piece_done = attend_piece;
        product.piece_context = b;
        return un_gemm(&product);
    }
    product.a = b->x;
    un_inverse_row_norms(b->x, images * s->regions, s->width, SHORTEST, b->factor);
    UN_TRY(un_gemm(&product));
    un_parallel_for(images, 1, attend_images, b);
    return UNSEEN_OK;
}

static void measure_lengths(size_t begin, size_t end, void *context) {
    const un_region_batch *b = context;
    size_t F = b->shape.width, R = b->shape.regions;
    for (size_t row = begin; row < end; row++) {
        size_t at = row % R * F;
        double squares = 0;
        if (b->rows_f32) {
            const float *x = (const float *)b->rows[row / R] + at;
            squares = un_dot(x, x, F);
        } else {
            const un_bf16 *x = (const un_bf16 *)b->rows[row / R] + at;
            for (size_t f = 0; f < F; f++) {
                double value = (double)un_float_from_bf16(x[f]);
                squares += value * value;
            }
        }
        float length = (float)sqrt(squares);
        b->factor[row] = 1.0f / (length > SHORTEST ? length : SHORTEST);
    }
}

void un_region_lengths(un_region_batch *b, size_t images) {
    size_t rows = images * b->shape.regions;
    if (b->shape.type == UN_F32)
        un_inverse_row_norms(b->x, rows, b->shape.width, SHORTEST, b->factor);
    else
        un_parallel_for(rows, 64, measure_lengths, b);
}

/* ---- backward: from the attention's gradients to Q's ---- */

typedef struct {
    un_region_batch *b;
    size_t first, rows; /* regions of a group of images */
    float *scratch;     /* of each slot a row, and then 32 of bf16 */
    size_t size;        /* floats of a slot */
} group;

/* Gradient of the products of region `row` of a batch. */
static void region_gradient(const un_region_batch *b, size_t row, float *dy) {
    un_attribute_attention a = un_region_attention(b, row / b->shape.regions);
    un_attribute_attend_backward(&a, row % b->shape.regions, dy);
}

static void region_gradients(size_t begin, size_t end, void *context) {
    const un_region_batch *b = context;
    for (size_t row = begin; row < end; row++)
        region_gradient(b, row, b->dy + row * lines(&b->shape));
}

/* Straight into the left operand, 32 regions at a time. */
static void pack_gradients(size_t begin, size_t end, un_slot slot, void *context) {
    const group *g = context;
    size_t width = lines(&g->b->shape);
    float *row = g->scratch + slot.index * g->size;
    un_bf16 *rows = (un_bf16 *)(void *)(row + width);
    for (size_t s = begin; s < end; s++) {
        size_t first = s * STEP_ROWS, count = g->rows - first;
        if (count > STEP_ROWS) count = STEP_ROWS;
        for (size_t k = 0; k < count; k++) {
            region_gradient(g->b, g->first + first + k, row);
            un_narrow(row, rows + k * width, width);
        }
        un_gemm_left_fill(g->b->left, s, count, rows, width);
    }
}

/* dQ += dY^T X over the images from `first` on. */
static un_status add_group(un_region_batch *b, un_region_matrix *m, size_t first, size_t images) {
    size_t R = b->shape.regions, width = lines(&b->shape);
    group g = {b, first * R, images * R, .size = width * (1 + STEP_ROWS / 2)};
    size_t steps = (g.rows + STEP_ROWS - 1) / STEP_ROWS, slots = un_slot_count(steps, 1);
    UN_TRY(un_alloc(slots * g.size, sizeof *g.scratch, &g.scratch));
    un_parallel_slots(steps, slots, pack_gradients, &g);
    free(g.scratch);
    const un_gemm_args product = {.m = width,
                                  .n = b->shape.width,
                                  .k = g.rows,
                                  .input = UN_BF16,
                                  .output = UN_F32,
                                  .left = b->left,
                                  .b_pieces = b->rows + first,
                                  .piece_rows = R,
                                  .b_f32 = b->rows_f32,
                                  .c = m->dq,
                                  .accumulate = first > 0};
    return un_gemm(&product);
}

static un_status backward_bf16(un_region_batch *b, un_region_matrix *m, size_t images) {
    size_t groups = (images * b->shape.regions + GROUP_ROWS - 1) / GROUP_ROWS;
    size_t share = (images + groups - 1) / groups;
    for (size_t i = 0; i < images; i += share)
        UN_TRY(add_group(b, m, i, images - i < share ? images - i : share));
    return UNSEEN_OK;
}

un_status un_region_backward(un_region_batch *b, un_region_matrix *m, size_t images) {
    if (b->shape.type == UN_BF16) return backward_bf16(b, m, images);
    un_parallel_for(images * b->shape.regions, 1, region_gradients, b);
    const un_gemm_args product = {.m = lines(&b->shape),
                                  .n = b->shape.width,
                                  .k = images * b->shape.regions,
                                  .trans_a = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = b->dy,
                                  .b = b->x,
                                  .c = m->dq};
    return un_gemm(&product);
}
