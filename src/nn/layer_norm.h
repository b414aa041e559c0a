/*
 * layer_norm.h - layer normalisation with parameters of a parameter set:
 * y = gamma (x - mean) / sqrt(var + eps) + beta, over each row, biased variance.
 */
#ifndef UN_NN_LAYER_NORM_H
#define UN_NN_LAYER_NORM_H

#include "nn/params.h"

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
