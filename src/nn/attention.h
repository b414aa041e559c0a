/*
 * attention.h - multi-head attention with its projections: queries, keys and
 * values by three linear layers, and a fourth for what the heads gathered.
 *
 *     [Q K V] = x [Wq Wk Wv]^T + [bq bk bv]        un_attention_project
 *     context = softmax(Q K^T / sqrt(d)) V         un_attention_mix
 *     output  = context Wo^T + bo                  layer->output, a un_dense
 *
 * The steps are apart because a cross-modal layer lets the queries of one side
 * meet the keys and values of the other. Residuals, normalisation and dropout of
 * the output are the caller's (transformer.h).
 */
#ifndef UN_NN_ATTENTION_H
#define UN_NN_ATTENTION_H

#include "nn/dense.h"
#include "nn/sequences.h"
#include "tensor/kernels_transformer.h"

typedef struct {
    size_t width, heads; /* H; heads divides it */
    un_dense query, key, value, output;
    int fused;       /* the three lie together in the parameter set: one product */
    un_dense merged; /* that product, (3H, H) */
} un_attention_layer;

/* Names of the four linear layers behind a common prefix. */
typedef struct {
    const char *query, *key, *value, *output;
} un_attention_names;

un_status un_attention_declare(un_attention_layer *layer, un_params *params, const char *prefix,
                               const un_attention_names *names, size_t width, size_t heads);

/* x (rows, H) of `type` -> qkv (rows, 3H) of `type`. */
un_status un_attention_project(const un_attention_layer *layer, const un_params *params,
                               un_dtype type, const void *x, size_t rows, void *qkv);

/* Of some rows x (rows, H) only the queries are asked for: q (rows, H) ... */
un_status un_attention_queries(const un_attention_layer *layer, const un_params *params,
                               un_dtype type, const void *x, size_t rows, void *q);
/* ... of others only keys and values: kv (rows, 2H). */
un_status un_attention_keys(const un_attention_layer *layer, const un_params *params, un_dtype type,
                            const void *x, size_t rows, void *kv);

/* One direction: the queries of one batch of sequences look at the keys of another; equal
 * batches make it self-attention. */
typedef struct {
    un_sequences queries, keys; /* equally many sequences */
    const void *q, *k;          /* first query and first key, of `type`; values are H behind keys */
    size_t ldq, ldk;            /* elements from row to row: 3H of qkv, H of q, 2H of kv */
    const float *key_mask;      /* [rows of keys], added to the scores; NULL: none */
    const float *bias;          /* (heads, queries, keys), added in every sequence; NULL: none */
    float *dbias;               /* backward: its gradient, added to; NULL: not wanted */
    const unsigned char *group; /* [rows]: keys of other groups are masked; NULL: none */
    un_dropout dropout;         /* of the probabilities */
    float *log_sum;             /* (rows of queries, heads), for backward; NULL: not kept */
    float *probabilities;       /* (heads, queries, keys) a sequence; NULL: not wanted */
} un_attention_view;

/* -> context (rows of queries, H) of `type`. */
un_status un_attention_mix(const un_attention_layer *layer, un_dtype type,
                           const un_attention_view *view, void *context);
/* dcontext (rows of queries, H) -> dq, and dk with the values' gradient behind it, which lie as q
 * and k do and are replaced. */
un_status un_attention_mix_backward(const un_attention_layer *layer, un_dtype type,
                                    const un_attention_view *view, const float *dcontext, float *dq,
                                    float *dk);

/* dqkv (rows, 3H) f32 and in bf16 its copy; x as in project. Adds to the gradients of the
 * three layers; dx (rows, H) is written or, if `add`, added to; NULL: not wanted. */
un_status un_attention_project_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows,
                                        const float *dqkv, const un_bf16 *dqkv16, float *dx,
                                        int add);

/* The same for what un_attention_queries and un_attention_keys made. */
un_status un_attention_queries_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows, const float *dq,
                                        const un_bf16 *dq16, float *dx, int add);
un_status un_attention_keys_backward(const un_attention_layer *layer, const un_params *params,
                                     un_dtype type, const void *x, size_t rows, const float *dkv,
                                     const un_bf16 *dkv16, float *dx, int add);

#endif
