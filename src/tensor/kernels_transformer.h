/*
 * kernels_transformer.h - what a transformer needs besides matrix products: layer
 * normalisation, GELU, dropout and multi-head attention, forward and backward.
 *
 * As in kernels.h the inner loops (transformer_isa.c) exist once for each
 * instruction set; this layer splits them over threads. Everything computes in
 * f32; bf16 is a storage format. Results do not depend on the number of threads.
 *
 * A batch of sequences is ragged: the tokens of all sequences lie one after the
 * other as rows, without padding, and start[s] says where sequence s begins.
 */
#ifndef UN_TENSOR_KERNELS_TRANSFORMER_H
#define UN_TENSOR_KERNELS_TRANSFORMER_H

#include "tensor/tensor.h"

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

/* y = x; n elements that do not overlap. */
void un_copy(const float *x, float *y, size_t n);
/* y += x, element by element; n elements. */
void un_add(const float *x, float *y, size_t n);
/* out[j] += sum over rows of x (rows, n) with leading dimension ld. */
void un_column_sums_add(const float *x, size_t rows, size_t n, size_t ld, float *out);

/* Inverted dropout: element (row, i) becomes 0 with `probability`, else x / (1 - probability).
 * The mask is a function of (seed, stream, row, i) alone, so that a backward pass or a
 * recomputation finds the same one. Streams come from un_rng_stream. An element takes 16 random
 * bits: the probability is rounded to a multiple of 2^-16, and the factor made for that. */
typedef struct {
    float probability; /* 0 <= p < 0.9999; 0: nothing happens */
    uint64_t seed, stream;
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
 * values rows k_start[s] .. k_start[s+1]-1 of k and v. Every sequence needs a key. */
typedef struct {
    size_t sequences, heads, size; /* size: d, of one head */
    const size_t *q_start, *k_start;
    un_dtype type;              /* of q, k, v and out: UN_F32 or UN_BF16 */
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
    float *dq, *dk, *dv;        /* gradients, replaced; rows as q, k, v with lddq and lddk */
    size_t lddq, lddk;
    float *dbias; /* backward: the gradient of bias, added to; NULL: not wanted */
} un_attend_args;

un_status un_attend_forward(const un_attend_args *a);
un_status un_attend_backward_heads(const un_attend_args *a);

#endif
