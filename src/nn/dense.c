/* dense.c - see dense.h. */
#include "nn/dense.h"

#include "nn/naming.h"
#include "tensor/kernels_transformer.h"

un_status un_dense_declare(un_dense *layer, un_params *params, const char *name, size_t in,
                           size_t out) {
    *layer = (un_dense){.in = in, .out = out};
    UN_TRY(un_params_add_named(params, name, ".weight", 2, (size_t[]){out, in}, &layer->weight));
    return un_params_add_named(params, name, ".bias", 1, &out, &layer->bias);
}

un_status un_dense_forward(const un_dense *layer, const un_params *params, un_dtype type,
                           const void *x, size_t rows, un_dense_epilogue epilogue, void *y,
                           size_t ldy, un_dtype output) {
    const float *bias = layer->bias == UN_NO_BIAS ? NULL : un_param_value(params, layer->bias);
    const un_gemm_args product = {.m = rows,
                                  .n = layer->out,
                                  .k = layer->in,
                                  .trans_b = 1,
                                  .input = type,
                                  .output = output,
                                  .a = x,
                                  .b = un_param_operand(params, layer->weight, type),
                                  .c = y,
                                  .ldc = ldy,
                                  .bias = bias,
                                  .relu = epilogue == UN_DENSE_RELU,
                                  .gelu = epilogue == UN_DENSE_GELU,
                                  .accumulate = epilogue == UN_DENSE_ADD};
    return un_gemm(&product);
}

un_status un_dense_backward(const un_dense *layer, const un_params *params, un_dtype type,
                            const un_dense_gradient *g) {
    const void *operand = type == UN_BF16 ? (const void *)g->dy16 : (const void *)g->dy;
    size_t ld = g->lddy ? g->lddy : layer->out;
    const un_gemm_args weight = {.m = layer->out,
                                 .n = layer->in,
                                 .k = g->rows,
                                 .trans_a = 1,
                                 .input = type,
                                 .output = UN_F32,
                                 .a = operand,
                                 .lda = ld,
                                 .b = g->x,
                                 .c = un_param_grad(params, layer->weight),
                                 .accumulate = 1};
    UN_TRY(un_gemm(&weight));
    if (layer->bias != UN_NO_BIAS)
        un_column_sums_add(g->dy, g->rows, layer->out, ld, un_param_grad(params, layer->bias));
    if (!g->dx) return UNSEEN_OK;
    const un_gemm_args input = {.m = g->rows,
                                .n = layer->in,
                                .k = layer->out,
                                .input = type,
                                .output = UN_F32,
                                .a = operand,
                                .lda = ld,
                                .b = un_param_operand(params, layer->weight, type),
                                .c = g->dx,
                                .accumulate = g->add};
    return un_gemm(&input);
}
