/* linear.c - see linear.h. */
#include "nn/linear.h"

#include "tensor/kernels.h"

un_status un_linear_forward(const un_linear *layer, const un_params *params, un_dtype type,
                            const void *x, size_t rows, int relu, void *y, un_dtype output) {
    const un_gemm_args product = {.m = rows,
                                  .n = layer->out,
                                  .k = layer->in,
                                  .input = type,
                                  .output = output,
                                  .a = x,
                                  .b = un_param_operand(params, layer->weight, type),
                                  .c = y,
                                  .bias = un_param_value(params, layer->bias),
                                  .relu = relu};
    return un_gemm(&product);
}

un_status un_linear_backward(const un_linear *layer, const un_params *params, un_dtype type,
                             const void *x, size_t rows, const float *dy, const un_bf16 *dy16,
                             float *dx) {
    const void *operand = type == UN_BF16 ? (const void *)dy16 : (const void *)dy;
    const un_gemm_args weight = {.m = layer->in,
                                 .n = layer->out,
                                 .k = rows,
                                 .trans_a = 1,
                                 .input = type,
                                 .output = UN_F32,
                                 .a = x,
                                 .b = operand,
                                 .c = un_param_grad(params, layer->weight)};
    UN_TRY(un_gemm(&weight));
    un_column_sums(dy, rows, layer->out, un_param_grad(params, layer->bias));
    if (!dx) return UNSEEN_OK;
    const un_gemm_args input = {.m = rows,
                                .n = layer->in,
                                .k = layer->out,
                                .trans_b = 1,
                                .input = type,
                                .output = UN_F32,
                                .a = operand,
                                .b = un_param_operand(params, layer->weight, type),
                                .c = dx};
    return un_gemm(&input);
}
