/* layers.c - see layers.h. */
#include "nn/layers.h"

#include <string.h>

#include "nn/naming.h"
#include "tensor/kernels.h"

un_status un_dense_declare(un_dense *layer, un_params *params, const char *name, size_t in,
                           size_t out) {
    *layer = (un_dense){.in = in, .out = out};
    UN_TRY(un_params_add_named(params, name, ".weight", 2, (size_t[]){out, in}, &layer->weight));
    un_param_begins_matrix(params, layer->weight, out, in);
    return un_params_add_named(params, name, ".bias", 1, &out, &layer->bias);
}

/* y = x W^T + b, nothing more; output's type and place are the caller's. */
static un_status describe(const un_dense *layer, const un_params *params, un_dtype type,
                          const void *x, size_t rows, un_gemm_args *out) {
    const un_packed *packed = NULL;
    if (type == UN_BF16)
        UN_TRY(un_param_packed(params, layer->weight, !layer->in_first, layer->out, layer->in,
                               &packed));
    *out = (un_gemm_args){.m = rows,
                          .n = layer->out,
                          .k = layer->in,
                          .trans_b = !layer->in_first,
                          .input = type,
                          .a = x,
                          .b = un_param_operand(params, layer->weight, type),
                          .packed = packed,
                          .bias = layer->bias == UN_NO_BIAS ? NULL
                                                            : un_param_value(params, layer->bias)};
    return UNSEEN_OK;
}

un_status un_dense_forward(const un_dense *layer, const un_params *params, un_dtype type,
                           const void *x, size_t rows, un_dense_epilogue epilogue, void *y,
                           size_t ldy, un_dtype output) {
    un_gemm_args product;
    UN_TRY(describe(layer, params, type, x, rows, &product));
    product.output = output;
    product.c = y;
    product.ldc = ldy;
    product.relu = epilogue == UN_DENSE_RELU;
    return un_gemm(&product);
}

un_status un_dense_forward_gelu(const un_dense *layer, const un_params *params, un_dtype type,
                                const void *x, size_t rows, void *linear, void *y) {
    un_gemm_args product;
    UN_TRY(describe(layer, params, type, x, rows, &product));
    product.output = type;
    product.c = y;
    product.gelu = 1;
    product.linear = linear;
    return un_gemm(&product);
}

un_status un_dense_forward_add(const un_dense *layer, const un_params *params, un_dtype type,
                               const void *x, size_t rows, const float *residual, float *y) {
    un_gemm_args product;
    UN_TRY(describe(layer, params, type, x, rows, &product));
    product.output = UN_F32;
    product.c = y;
    product.residual = residual;
    return un_gemm(&product);
}

un_status un_dense_backward(const un_dense *layer, const un_params *params, un_dtype type,
                            const un_dense_gradient *g) {
    UN_TRY(un_params_poll(params));
    const void *operand = type == UN_BF16 ? (const void *)g->dy16 : (const void *)g->dy;
    size_t ld = g->lddy ? g->lddy : layer->out;
    int in_first = layer->in_first;
    float *bias = layer->bias == UN_NO_BIAS ? NULL : un_param_grad(params, layer->bias);
    int sums = bias && type == UN_BF16 && !in_first; /* as the product reads dy */
    if (bias && g->replace) memset(bias, 0, layer->out * sizeof *bias);
    const un_gemm_args weight = {.m = in_first ? layer->in : layer->out,
                                 .n = in_first ? layer->out : layer->in,
                                 .k = g->rows,
                                 .trans_a = 1,
                                 .input = type,
                                 .output = UN_F32,
                                 .a = in_first ? g->x : operand,
                                 .lda = in_first ? 0 : ld,
                                 .b = in_first ? operand : g->x,
                                 .ldb = in_first ? ld : 0,
                                 .c = un_param_grad(params, layer->weight),
                                 .accumulate = !g->replace,
                                 .a_sums = sums ? bias : NULL};
    UN_TRY(un_gemm(&weight));
    if (bias && !sums) un_column_sums_add(g->dy, g->rows, layer->out, ld, bias);
    if (!g->dx && !g->dx16) return UNSEEN_OK;
    const un_gemm_args input = {.m = g->rows,
                                .n = layer->in,
                                .k = layer->out,
                                .trans_b = in_first,
                                .input = type,
                                .output = g->dx16 ? UN_BF16 : UN_F32,
                                .a = operand,
                                .lda = ld,
                                .b = un_param_operand(params, layer->weight, type),
                                .c = g->dx16 ? (void *)g->dx16 : (void *)g->dx,
                                .accumulate = g->add,
                                .gelu_slope = g->linear};
    return un_gemm(&input);
}

un_status un_norm_declare(un_norm *norm, un_params *params, const char *name, size_t width,
                          float eps) {
    *norm = (un_norm){.width = width, .eps = eps};
    UN_TRY(un_params_add_named(params, name, ".weight", 1, &width, &norm->weight));
    return un_params_add_named(params, name, ".bias", 1, &width, &norm->bias);
}

void un_norm_initialize(const un_norm *norm, const un_params *params) {
    float *gamma = un_param_value(params, norm->weight), *beta = un_param_value(params, norm->bias);
    for (size_t i = 0; i < norm->width; i++) {
        gamma[i] = 1;
        beta[i] = 0;
    }
}

void un_norm_forward(const un_norm *norm, const un_params *params, const float *x, size_t rows,
                     float *y, un_bf16 *y16, const un_norm_state *state) {
    const un_layer_norm_args args = {.rows = rows,
                                     .n = norm->width,
                                     .eps = norm->eps,
                                     .x = x,
                                     .gamma = un_param_value(params, norm->weight),
                                     .beta = un_param_value(params, norm->bias),
                                     .y = y,
                                     .y16 = y16,
                                     .mean = state ? state->mean : NULL,
                                     .inverse = state ? state->inverse : NULL};
    un_layer_norm_forward(&args);
}

void un_norm_backward(const un_norm *norm, const un_params *params, const float *x, size_t rows,
                      const un_norm_state *state, const float *dy, float *dx, int add) {
    const un_layer_norm_args args = {.rows = rows,
                                     .n = norm->width,
                                     .eps = norm->eps,
                                     .x = x,
                                     .gamma = un_param_value(params, norm->weight),
                                     .mean = state->mean,
                                     .inverse = state->inverse,
                                     .dy = dy,
                                     .dx = dx,
                                     .add = add,
                                     .dgamma = un_param_grad(params, norm->weight),
                                     .dbeta = un_param_grad(params, norm->bias)};
    un_layer_norm_backward(&args);
}
