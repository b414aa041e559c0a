/*
 * layers.h - the dense (fully connected) layer and layer normalisation, forward and
 * backward on caller-owned buffers.
 */
#ifndef UN_NN_LAYERS_H
#define UN_NN_LAYERS_H

#include "nn/params.h"
#include "tensor/gemm.h"

/* ---- the dense layer: y = x W^T + b, b (out). W is (out, in), as PyTorch's files have it, or
 * (in, out) where `in_first` says so, as DEM's models do: then y = x W + b. Operands of the
 * products are f32 or bf16 (`type`); accumulation, biases and gradients are f32. ---- */

/* In the place of the bias' piece: the layer has none. */
#define UN_NO_BIAS SIZE_MAX

typedef struct {
    size_t in, out;
    size_t weight, bias; /* pieces of the parameter set */
    int in_first;        /* W is (in, out) */
} un_dense;

/* What happens to a product before it is written. */
typedef enum { UN_DENSE_PLAIN, UN_DENSE_RELU } un_dense_epilogue;

/* Declares "<name>.weight", (out, in), and "<name>.bias". */
un_status un_dense_declare(un_dense *layer, un_params *params, const char *name, size_t in,
                           size_t out);

/* x (rows, in) of `type` -> y, rows of `out` elements that lie ldy apart (0: dense), of
 * `output` (f32, or bf16 if `type` is). */
un_status un_dense_forward(const un_dense *layer, const un_params *params, un_dtype type,
                           const void *x, size_t rows, un_dense_epilogue epilogue, void *y,
                           size_t ldy, un_dtype output);

/* y = GELU(x W^T + b), the exact form; y and, unless it is NULL, `linear`, which receives what GELU
 * is taken of, are (rows, out) of `type`. */
un_status un_dense_forward_gelu(const un_dense *layer, const un_params *params, un_dtype type,
                                const void *x, size_t rows, void *linear, void *y);

/* y = residual + x W^T + b, both (rows, out) of f32; y may be the residual. */
un_status un_dense_forward_add(const un_dense *layer, const un_params *params, un_dtype type,
                               const void *x, size_t rows, const float *residual, float *y);

/* The gradient of y: dy (rows, out) of f32 or, in bf16, its copy dy16, with rows lddy apart
 * (0: dense); x as in forward. In bf16 dy is read where `in_first` says that W is (in, out), for b,
 * and nowhere else. The gradients of W and b are added to, or written if `replace`.
 * dx (rows, in) f32 is written, or added to if `add`; NULL: not wanted. Where x came through
 * un_dense_forward_gelu of the layer before, `linear` is what that kept, and the gradient goes on to
 * that: dx, or in bf16 dx16 instead, is it. */
typedef struct {
    const void *x;
    const float *dy;
    const un_bf16 *dy16;
    size_t lddy;
    size_t rows;
    int replace;
    float *dx;
    int add;
    const void *linear; /* of `type`; NULL: none; not with add */
    un_bf16 *dx16;
} un_dense_gradient;
un_status un_dense_backward(const un_dense *layer, const un_params *params, un_dtype type,
                            const un_dense_gradient *gradient);

/* ---- layer normalisation with parameters of a parameter set:
 * y = gamma (x - mean) / sqrt(var + eps) + beta, over each row, biased variance. ---- */

typedef struct {
    size_t width;
    float eps;
    size_t weight, bias; /* pieces: gamma, beta */
} un_norm;

/* What backward needs to know of a forward pass. */
typedef struct {
    float *mean, *inverse; /* [rows]: mean and 1/sqrt(var + eps) of each row of x */
} un_norm_state;

/* Declares "<name>.weight" and "<name>.bias". */
un_status un_norm_declare(un_norm *norm, un_params *params, const char *name, size_t width,
                          float eps);
/* gamma 1, beta 0. */
void un_norm_initialize(const un_norm *norm, const un_params *params);

/* x (rows, width) -> y (rows, width) f32 and y16, its bf16 copy; either may be NULL, y may be
 * x. `state` NULL: nothing is kept. */
void un_norm_forward(const un_norm *norm, const un_params *params, const float *x, size_t rows,
                     float *y, un_bf16 *y16, const un_norm_state *state);
/* dy (rows, width), x as in forward -> dx, which is replaced (and may be dy) or added to if
 * `add`; NULL: not wanted. Adds to the gradients of gamma and beta. */
void un_norm_backward(const un_norm *norm, const un_params *params, const float *x, size_t rows,
                      const un_norm_state *state, const float *dy, float *dx, int add);

#endif
