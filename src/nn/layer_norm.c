/* layer_norm.c - see layer_norm.h. */
#include "nn/layer_norm.h"

#include "nn/naming.h"
#include "tensor/kernels_transformer.h"

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
