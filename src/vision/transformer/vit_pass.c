/* vit_pass.c - the vision transformer over one batch, forward and backward; see vit.h. */
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/kernels.h"
#include "vision/transformer/vit_parts.h"

un_status un_vit_pass_create(un_vit_pass *pass, const un_vit *vit, un_dtype type, int training,
                             int recompute) {
    *pass = (un_vit_pass){.vit = vit};
    return un_encoder_pass_create(&pass->encoder, &vit->encoder, type, training, recompute);
}

void un_vit_pass_free(un_vit_pass *pass) {
    un_encoder_pass_free(&pass->encoder);
    un_arena_free(&pass->arena);
    un_arena_free(&pass->lengths);
    *pass = (un_vit_pass){0};
}

static size_t leading_tokens(const un_vit *vit) { return vit->config.distilled ? 2 : 1; }

/* Room for n pictures with a grid of `grid`. */
static un_status reserve(un_vit_pass *pass, size_t n, size_t grid) {
    const un_vit *vit = pass->vit;
    size_t T = un_vit_tokens(vit, grid), rows = n * T, H = vit->config.width;
    un_dtype type = pass->encoder.type;
    un_arena *a = &pass->arena;
    if (n != pass->pictures || grid != pass->grid) {
        un_arena_free(&pass->lengths);
        UN_TRY(un_sequences_equal(&pass->lengths, n, T, &pass->context.sequences));
        pass->pictures = n;
        pass->grid = grid;
    }
    UN_TRY(un_encoder_pass_reserve(&pass->encoder, rows));
    if (rows <= pass->room) return UNSEEN_OK;
    un_arena_free(a);
    pass->room = 0;
    UN_TRY(un_arena_alloc(a, rows * vit->patches.in, un_dtype_size(type), &pass->patches));
    UN_TRY(un_arena_alloc(a, rows * H, sizeof(float), &pass->positions));
    UN_TRY(un_arena_alloc(a, rows * H, sizeof(float), &pass->states));
    if (pass->encoder.training) {
        UN_TRY(un_arena_alloc(a, rows, sizeof(float), &pass->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, sizeof(float), &pass->norm.inverse));
        UN_TRY(un_arena_alloc(a, rows * H, sizeof(float), &pass->d));
        UN_TRY(un_arena_alloc(a, rows * vit->patches.in, sizeof(float), &pass->dpatches));
        if (type == UN_BF16) UN_TRY(un_arena_alloc(a, rows * H, sizeof(un_bf16), &pass->d16));
    }
    pass->room = rows;
    return UNSEEN_OK;
}

typedef struct {
    const un_vit_pass *pass;
    const float *pictures;
    float *dpictures;
} patch_job;

/* One row of patches of a picture: pixels (P, S, 3) and patches (grid, 3, P, P). */
static void gather_patches(const patch_job *j, size_t picture, size_t row) {
    size_t P = j->pass->vit->config.patch, grid = j->pass->grid, S = grid * P, K = 3 * P * P;
    const float *pixels = j->pictures + (picture * S + row * P) * S * 3;
    size_t first = (picture * grid + row) * grid * K;
    float *out = (float *)j->pass->patches + first;
    un_bf16 *out16 = (un_bf16 *)j->pass->patches + first;
    int bf16 = j->pass->encoder.type == UN_BF16;
    for (size_t x = 0; x < grid; x++) {
        for (size_t i = 0; i < K; i++) {
            size_t colour = i / (P * P), dy = i / P % P, dx = i % P;
            float value = pixels[(dy * S + x * P + dx) * 3 + colour];
            if (bf16)
                out16[x * K + i] = un_bf16_from_float(value);
            else
                out[x * K + i] = value;
        }
    }
}

static void gather_range(size_t begin, size_t end, void *context) {
    const patch_job *j = context;
    for (size_t i = begin; i < end; i++) gather_patches(j, i / j->pass->grid, i % j->pass->grid);
}

/* x[0] = tokens and projected patches, plus positions. */
static un_status embed(un_vit_pass *pass, const un_params *params, const float *pictures) {
    const un_vit *vit = pass->vit;
    size_t leading = leading_tokens(vit), H = vit->config.width, n = pass->pictures;
    size_t N = pass->grid * pass->grid, T = N + leading, K = vit->patches.in;
    un_dtype type = pass->encoder.type;
    patch_job job = {.pass = pass, .pictures = pictures};
    un_parallel_for(n * pass->grid, 1, gather_range, &job);
    un_vit_positions(un_param_value(params, vit->positions), vit->config.image / vit->config.patch,
                     leading, H, pass->grid, pass->positions);
    un_axpy(1, un_param_value(params, vit->cls), pass->positions, H);
    if (vit->config.distilled)
        un_axpy(1, un_param_value(params, vit->distillation), pass->positions + H, H);
    for (size_t i = 0; i < n; i++) {
        float *x = pass->encoder.x[0] + i * T * H;
        un_copy(pass->positions, x, T * H);
        UN_TRY(un_dense_forward(&vit->patches, params, type,
                                (unsigned char *)pass->patches + i * N * K * un_dtype_size(type), N,
                                UN_DENSE_ADD, x + leading * H, 0, UN_F32));
    }
    return UNSEEN_OK;
}

un_status un_vit_forward(un_vit_pass *pass, const un_params *params, const float *pictures,
                         size_t n, size_t size, const un_dropout_source *dropout,
                         const float **states) {
    const un_vit *vit = pass->vit;
    size_t grid = 0;
    UN_TRY(un_vit_grid(vit, size, &grid));
    UN_TRY(reserve(pass, n, grid));
    pass->context.params = params;
    pass->context.type = pass->encoder.type;
    pass->context.dropout = dropout ? *dropout : (un_dropout_source){0};
    UN_TRY(embed(pass, params, pictures));
    UN_TRY(un_encoder_forward(&pass->encoder, &pass->context));
    un_norm_forward(&vit->norm, params, pass->encoder.x[vit->config.layers],
                    un_sequence_rows(&pass->context.sequences), pass->states, NULL,
                    pass->encoder.training ? &pass->norm : NULL);
    *states = pass->states;
    return UNSEEN_OK;
}

static void scatter_range(size_t begin, size_t end, void *context) {
    const patch_job *j = context;
    size_t P = j->pass->vit->config.patch, grid = j->pass->grid, S = grid * P, K = 3 * P * P;
    for (size_t row = begin; row < end; row++)
        for (size_t x = 0; x < grid; x++)
            for (size_t i = 0; i < K; i++) {
                size_t colour = i / (P * P), y = row * P + i / P % P, column = x * P + i % P;
                j->dpictures[(y * S + column) * 3 + colour] =
                    j->pass->dpatches[(row * grid + x) * K + i];
            }
}

/* From the gradient of x[0] to tokens, positions, projection and pictures. */
static un_status embed_backward(un_vit_pass *pass, float *dpictures) {
    const un_vit *vit = pass->vit;
    const un_params *params = pass->context.params;
    size_t leading = leading_tokens(vit), H = vit->config.width, n = pass->pictures;
    size_t N = pass->grid * pass->grid, T = N + leading, K = vit->patches.in;
    size_t S = pass->grid * vit->config.patch;
    un_dtype type = pass->encoder.type;
    if (type == UN_BF16) un_convert_to_bf16(pass->d, pass->d16, n * T * H);
    memset(pass->positions, 0, T * H * sizeof *pass->positions);
    for (size_t i = 0; i < n; i++) {
        size_t at = (i * T + leading) * H;
        const un_dense_gradient g = {.x = (unsigned char *)pass->patches +
                                          i * N * K * un_dtype_size(type),
                                     .dy = pass->d + at,
                                     .dy16 = pass->d16 ? pass->d16 + at : NULL,
                                     .rows = N,
                                     .dx = dpictures ? pass->dpatches : NULL};
        UN_TRY(un_dense_backward(&vit->patches, params, type, &g));
        un_add(pass->d + i * T * H, pass->positions, T * H);
        if (!dpictures) continue;
        patch_job job = {.pass = pass, .dpictures = dpictures + i * S * S * 3};
        un_parallel_for(pass->grid, 1, scatter_range, &job);
    }
    un_axpy(1, pass->positions, un_param_grad(params, vit->cls), H);
    if (vit->config.distilled)
        un_axpy(1, pass->positions + H, un_param_grad(params, vit->distillation), H);
    un_vit_positions_backward(pass->positions, vit->config.image / vit->config.patch, leading, H,
                              pass->grid, un_param_grad(params, vit->positions));
    return UNSEEN_OK;
}

un_status un_vit_backward(un_vit_pass *pass, const float *dstates, float *dpictures) {
    const un_vit *vit = pass->vit;
    if (!pass->encoder.training || pass->pictures == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "no training pass of the vision transformer to go back");
    un_norm_backward(&vit->norm, pass->context.params, pass->encoder.x[vit->config.layers],
                     un_sequence_rows(&pass->context.sequences), &pass->norm, dstates, pass->d, 0);
    UN_TRY(un_encoder_backward(&pass->encoder, &pass->context, pass->d));
    return embed_backward(pass, dpictures);
}
