/*
 * kernels.h - element-wise work, reductions, conversions, optimiser updates, and what a
 * transformer needs besides matrix products.
 *
 * The inner loops (kernels_isa.c, transformer_isa.c) are compiled once for each
 * instruction set and chosen at run time; kernels.c splits them over threads. Results
 * do not depend on their number. Everything computes in f32, and bf16 is a
 * storage format, but for attention: see un_attend_args.
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
/* y = x; n elements that do not overlap. */
void un_copy(const float *x, float *y, size_t n);
/* y += x, element by element; n elements. */
void un_add(const float *x, float *y, size_t n);
/* x *= a */
void un_scale(float a, float *x, size_t n);
/* out = tanh(x) */
void un_tanh(const float *x, float *out, size_t n);

/* Rows of x (rows, n), leading dimension ld: x = softmax(x), in place. */
void un_softmax_rows(float *x, size_t rows, size_t n, size_t ld);
/* Rows of x: x / max(||x||, eps) in place; norms[rows] receives ||x|| unless NULL. */
void un_normalize_rows(float *x, size_t rows, size_t n, float eps, float *norms);
/* Back through it: d (rows, n), the gradient of the unit rows, becomes that of x, in place:
 * (d - <d, unit> unit) / max(||x||, eps). */
void un_normalize_rows_backward(const float *unit, const float *norms, size_t rows, size_t n,
                                float eps, float *d);
/* ||x|| of every row, accumulated in f64. */
void un_row_norms(const float *x, size_t rows, size_t n, double *norms);
/* 1 / max(||row||, eps) of every row of x (rows, n). */
void un_inverse_row_norms(const float *x, size_t rows, size_t n, float eps, float *out);
/* out[j] += sum over rows of x (rows, n) with leading dimension ld. */
void un_column_sums_add(const float *x, size_t rows, size_t n, size_t ld, float *out);

/* The places of the largest of n scores x[i] with kind[i] = 0, and of those with kind[i] = -1: the
 * first of equals (-0 equals 0), n where there are none of the kind. Returns 0, and no places, where a score
 * of either is not finite. On the calling thread alone. */
int un_best_of_kinds(const float *x, const int32_t *kind, size_t n, size_t best[2]);

/* dx = y > 0 ? dx : 0, with y the output of a ReLU, of type f32 or bf16. */
void un_relu_backward(const void *y, un_dtype type, float *dx, size_t n);

/* ---- optimisers ---- */

/* One optimiser update of n parameters; the formulas are in nn/params.h. The
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

/* ---- transformers: layer normalisation, GELU, dropout and multi-head attention,
 * forward and backward.
 *
 * A batch of sequences is ragged: the tokens of all sequences lie one after the
 * other as rows, without padding, and start[s] says where sequence s begins. ---- */

/* y = gamma (x - mean) / sqrt(var + eps) + beta over the n elements of each row, var biased. */
typedef struct {
    size_t rows, n;
    float eps;
    const float *x;            /* (rows, n) */
    const float *gamma, *beta; /* [n] */
    float *y;                  /* (rows, n), NULL: not wanted; may be x */
    un_bf16 *y16;              /* (rows, n), NULL: not wanted */
    float *mean, *inverse;     /* [rows] of x: mean and 1/sqrt(var + eps); written forward
                                  unless NULL, read backward */
    const float *dy;           /* (rows, n), backward */
    float *dx;                 /* (rows, n), may be dy, NULL: not wanted */
    int add;                   /* dx += instead of = ; then dx is not dy */
    float *dgamma, *dbeta;     /* [n], added to */
} un_layer_norm_args;

void un_layer_norm_forward(const un_layer_norm_args *a);
void un_layer_norm_backward(const un_layer_norm_args *a);

/* y = x Phi(x), the exact form with erf (absolute error below 3e-7 |x|). x and y are both of
 * `type` (f32 or bf16) and may be the same. */
void un_gelu(const void *x, un_dtype type, void *y, size_t n);
/* dy *= gelu'(x) in place; dy16 receives the result rounded unless NULL. */
void un_gelu_backward(const void *x, un_dtype type, float *dy, un_bf16 *dy16, size_t n);

/* Inverted dropout: element (row, i) becomes 0 with `probability`, else x / (1 - probability).
 * The mask is a function of (seed, stream, row, i) alone, so that a backward pass or a
 * recomputation finds the same one. Streams come from un_rng_stream. An element takes 16 random
 * bits: the probability is rounded to a multiple of 2^-16, and the factor made for that. */
typedef struct {
    size_t cut; /* rows before it have their numbers plus shift[0], the others plus shift[1] */
    uint64_t shift[2];
} un_mask_rows; /* where the rows of a part of a batch are in the whole; 0: it is the whole */

static inline uint64_t un_mask_row(const un_mask_rows *rows, size_t row) {
    return row + rows->shift[row >= rows->cut];
}

typedef struct {
    float probability; /* 0 <= p < 0.9999; 0: nothing happens */
    uint64_t seed, stream;
    un_mask_rows rows; /* what rows are called; of attention, rows of queries */
} un_dropout;
/* x (rows, n) = residual + mask x; `residual` (rows, n) may be NULL. Applied to a gradient
 * without a residual it is its own backward pass. */
void un_dropout_rows(const un_dropout *dropout, float *x, const float *residual, size_t rows,
                     size_t n);

/* What is added to the score of a key of another group than the query's. */
#define UN_OTHER_GROUP (-100.0f)

/* Multi-head attention: for every sequence s and head, with the head's slice of d columns,
 *     P = softmax(scale Q K^T + key_mask + bias + group mask),   out = dropout(P) V.
 * Queries of sequence s are rows q_start[s] .. q_start[s+1]-1 of q and out, its keys and
 * values rows k_start[s] .. k_start[s+1]-1 of k and v. Every sequence needs a key. Of bf16, and where
 * the processor multiplies that, P, its gradient and dout are rounded to bf16 before they are. */
typedef struct {
    size_t sequences, heads, size; /* size: d, of one head */
    const size_t *q_start, *k_start;
    un_dtype type;              /* of q, k, v, out and gradients but dout: UN_F32 or UN_BF16 */
    const void *q, *k, *v;      /* first column of head 0 */
    size_t ldq, ldk;            /* elements from row to row of q; of k and v */
    const float *key_mask;      /* [rows of k], finite, added to the scores; NULL: none */
    const float *bias;          /* (heads, queries, keys), the same for every sequence, all of which
                                are then equally long; NULL: none */
    const unsigned char *group; /* [rows], of q and k alike: UN_OTHER_GROUP is added to the score
                                of a key whose group is not the query's; NULL: none */
    float scale;                /* 1/sqrt(d) */
    un_dropout dropout;         /* of P */
    void *out;                  /* (rows of q, heads d), dense; forward */
    float *log_sum;             /* (rows of q, heads): log sum exp of the scores; written
                                forward unless NULL, read backward */
    float *probabilities;       /* forward: P before dropout, (heads, queries, keys) of each
                                sequence, one sequence after the other; NULL: not wanted */
    const float *dout;          /* (rows of q, heads d); backward */
    void *dq, *dk, *dv; /* gradients, of `type`, replaced; rows as q, k, v with lddq, lddk */
    size_t lddq, lddk;
    float *dbias; /* backward: the gradient of bias, added to; NULL: not wanted */
} un_attend_args;

un_status un_attend_forward(const un_attend_args *a);
un_status un_attend_backward_heads(const un_attend_args *a);

#endif
