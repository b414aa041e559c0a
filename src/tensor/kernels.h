/*
 * kernels.h - element-wise work, reductions and conversions.
 *
 * The inner loops (kernels_isa.c) are compiled once for each instruction set and
 * chosen at run time; this layer splits them over threads. Results do not depend on
 * their number.
 */
#ifndef UN_TENSOR_KERNELS_H
#define UN_TENSOR_KERNELS_H

#include "tensor/tensor.h"

/* "avx512", "avx2" or "baseline": which build of the loops runs here. */
const char *un_kernels_isa(void);

void un_convert_to_bf16(const float *in, un_bf16 *out, size_t n);
void un_convert_to_f32(const un_bf16 *in, float *out, size_t n);
/* The same on the calling thread alone, for callers that already run in parallel. */
void un_narrow(const float *in, un_bf16 *out, size_t n);
void un_widen(const un_bf16 *in, float *out, size_t n);

/* sum x_i, sum x_i^2 and sum x_i y_i; lanes in f32, blocks of 4096 in f64. */
double un_sum(const float *x, size_t n);
double un_sum_squares(const float *x, size_t n);
double un_dot(const float *x, const float *y, size_t n);

/* out[width] = the mean of `rows` rows of x; one row is copied. */
void un_mean_row(const float *x, size_t rows, size_t width, float *out);
/* y += a x */
void un_axpy(float a, const float *x, float *y, size_t n);
/* x *= a */
void un_scale(float a, float *x, size_t n);
/* out = tanh(x) */
void un_tanh(const float *x, float *out, size_t n);

/* Rows of x (rows, n), leading dimension ld: x = softmax(x), in place. */
void un_softmax_rows(float *x, size_t rows, size_t n, size_t ld);
/* Rows of x: x / max(||x||, eps) in place; norms[rows] receives ||x|| unless NULL. */
void un_normalize_rows(float *x, size_t rows, size_t n, float eps, float *norms);
/* ||x|| of every row, accumulated in f64. */
void un_row_norms(const float *x, size_t rows, size_t n, double *norms);
/* out[j] = sum over rows of x (rows, n). */
void un_column_sums(const float *x, size_t rows, size_t n, float *out);

/* dx = y > 0 ? dx : 0, with y the output of a ReLU, of type f32 or bf16. */
void un_relu_backward(const void *y, un_dtype type, float *dx, size_t n);

/* Attention pooling of one image's regions in MSDN's two directions. y is (R, 4A): for each
 * region the values S, logits, S', logits' of every attribute.
 * Both functions are serial: callers go over images in parallel.
 *   psi_i  = sum_r P_ri S_ri,   P  = softmax over regions of the logits
 *   psi2_i = sum_r P'_ri S'_ri, P' = softmax over attributes of the logits'
 */
typedef struct {
    size_t regions, attributes; /* R, A */
    float *psi, *psi2;          /* [A] */
    const float *dpsi, *dpsi2;  /* [A], backward only */
    float *scratch;             /* [4A] */
} un_attention;
/* y holds raw products; each region's row is multiplied by inverse_norm[r] first. Leaves
 * S, P, S', P' in y, and psi, psi2. */
void un_attend(const un_attention *a, const float *inverse_norm, float *y);
/* From y as un_attend left it: the gradient with respect to the raw products, into dy (f32) or
 * dy16 (bf16), whichever is not NULL. Neither overlaps y. */
void un_attend_backward(const un_attention *a, const float *inverse_norm, const float *y, float *dy,
                        un_bf16 *dy16);
/* 1 / max(||row||, eps) of every row of x (rows, n), of type f32 or bf16. */
void un_inverse_row_norms(const void *x, un_dtype type, size_t rows, size_t n, float eps,
                          float *out);

/* One optimiser update of n parameters; the formulas are in nn/optimizer.h. The
 * return value is sum p^2 before the update. `shadow` receives bf16(p) unless NULL. */
typedef struct {
    float lr; /* already bias-corrected for Adam */
    float beta1, beta2;
    float rest1, rest2; /* 1 - beta1, 1 - beta2, rounded once: in f32 the subtraction cancels */
    float epsilon;
    float decay;   /* L2: added to the gradient as decay * p */
    float v_scale; /* 1/(1 - beta2^t) for torch's Adam, 1 for TensorFlow's */
    float momentum;
} un_update;
double un_adam_update(const un_update *u, float *p, const float *g, float *m, float *v,
                      un_bf16 *shadow, size_t n);
/* `buffer` (the momentum) may be NULL. v is the running mean of squares, beta2 its decay. */
double un_rmsprop_update(const un_update *u, float *p, const float *g, float *v, float *buffer,
                         un_bf16 *shadow, size_t n);

#endif
