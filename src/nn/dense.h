/*
 * dense.h - a fully connected layer in PyTorch's orientation, whose weights come
 * from and go to files of that convention; gradients are added up.
 *
 * y = x W^T + b, W (out, in), b (out). Operands of the products are f32 or bf16
 * (`type`); accumulation, biases and gradients are f32. (linear.h is the layer of
 * the methods that keep W as (in, out) and replace gradients.)
 */
#ifndef UN_NN_DENSE_H
#define UN_NN_DENSE_H

#include "nn/params.h"
#include "tensor/gemm.h"

/* In the place of the bias' piece: the layer has none. */
#define UN_NO_BIAS SIZE_MAX

typedef struct {
    size_t in, out;
    size_t weight, bias; /* pieces of the parameter set */
} un_dense;

/* What happens to a product before it is written. */
typedef enum {
    UN_DENSE_PLAIN,
    UN_DENSE_RELU,
    UN_DENSE_GELU, /* the exact form */
    UN_DENSE_ADD   /* y += x W^T + b: a residual */
} un_dense_epilogue;

/* Declares "<name>.weight" and "<name>.bias". */
un_status un_dense_declare(un_dense *layer, un_params *params, const char *name, size_t in,
                           size_t out);

/* x (rows, in) of `type` -> y, rows of `out` elements that lie ldy apart (0: dense), of
 * `output` (f32, or bf16 if `type` is). */
un_status un_dense_forward(const un_dense *layer, const un_params *params, un_dtype type,
                           const void *x, size_t rows, un_dense_epilogue epilogue, void *y,
                           size_t ldy, un_dtype output);

/* The gradient of y: dy (rows, out) of f32 and, in bf16, its copy dy16, with rows lddy apart
 * (0: dense). Adds to the gradients of W and b; x as in forward. dx (rows, in) f32 is written,
 * or added to if `add`; NULL: not wanted. */
typedef struct {
    const void *x;
    const float *dy;
    const un_bf16 *dy16;
    size_t lddy;
    size_t rows;
    float *dx;
    int add;
} un_dense_gradient;
un_status un_dense_backward(const un_dense *layer, const un_params *params, un_dtype type,
                            const un_dense_gradient *gradient);

#endif
