/*
 * linear.h - a fully connected layer, forward and backward, on caller-owned buffers.
 *
 * y = act(x W + b), W (in, out), b (out). Operands of the GEMMs are f32 or bf16
 * (`type`), accumulation, biases and gradients f32.
 */
#ifndef UN_NN_LINEAR_H
#define UN_NN_LINEAR_H

#include "nn/params.h"
#include "tensor/gemm.h"

typedef struct {
    size_t in, out;
    size_t weight, bias; /* pieces of the parameter set */
} un_linear;

/* x (rows, in) of `type` -> y (rows, out) of `output` (f32, or bf16 if type is). */
un_status un_linear_forward(const un_linear *layer, const un_params *params, un_dtype type,
                            const void *x, size_t rows, int relu, void *y, un_dtype output);

/* dy (rows, out) f32 and, in bf16, its copy dy16; x as in forward. Writes the
 * gradients of W and b; dx (rows, in) f32 unless NULL. */
un_status un_linear_backward(const un_linear *layer, const un_params *params, un_dtype type,
                             const void *x, size_t rows, const float *dy, const un_bf16 *dy16,
                             float *dx);

#endif
