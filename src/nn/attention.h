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

#include "base/arena.h"
#include "nn/layers.h"
#include "tensor/kernels.h"

/* ---- a batch of sequences of different lengths without padding: the
 * tokens of all of them are rows, one sequence after the other. Everything but
 * attention works on rows and never sees where one ends. ---- */

typedef struct {
    size_t count;
    const size_t *start; /* [count + 1]: rows start[s] .. start[s+1]-1 are sequence s */
} un_sequences;

static inline size_t un_sequence_rows(const un_sequences *s) {
    return s->count > 0 ? s->start[s->count] : 0;
}

/* `count` sequences of `length` tokens each; the arena owns the list. */
un_status un_sequences_equal(un_arena *arena, size_t count, size_t length, un_sequences *out);
/* Sequences of the given lengths. */
un_status un_sequences_ragged(un_arena *arena, size_t count, const size_t *length,
                              un_sequences *out);

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

/* Only the queries of some rows x (rows, H): q (rows, H) ... */
un_status un_attention_queries(const un_attention_layer *layer, const un_params *params,
                               un_dtype type, const void *x, size_t rows, void *q);
/* ... of others only keys and values: kv (rows, 2H). */
un_status un_attention_keys(const un_attention_layer *layer, const un_params *params, un_dtype type,
                            const void *x, size_t rows, void *kv);

/* One direction: the queries of one batch of sequences attend to the keys of another; equal
 * batches make it self-attention. */
typedef struct {
    un_sequences queries, keys; /* equally many sequences */
    const void *q, *k;          /* first query and first key, of `type`; values are H behind keys */
    size_t ldq, ldk;            /* elements from row to row: 3H of qkv, H of q, 2H of kv */
    const float *key_mask;      /* [rows of keys], added to the scores; NULL: none */
    const float *bias;          /* (heads, queries, keys), added in every sequence; NULL: none */
    float *dbias;               /* backward: its gradient, added to; NULL: none */
    const unsigned char *group; /* [rows]: keys of other groups are masked; NULL: none */
    un_dropout dropout;         /* of the probabilities */
    float *log_sum;             /* (rows of queries, heads), for backward; NULL: not kept */
    float *probabilities;       /* (heads, queries, keys) a sequence; NULL: none */
} un_attention_view;

/* -> context (rows of queries, H) of `type`. */
un_status un_attention_mix(const un_attention_layer *layer, un_dtype type,
                           const un_attention_view *view, void *context);
/* dcontext (rows of queries, H) -> dq, and dk with the values' gradient behind it, which are of
 * `type`, lie as q and k do and are replaced. */
un_status un_attention_mix_backward(const un_attention_layer *layer, un_dtype type,
                                    const un_attention_view *view, const float *dcontext, void *dq,
                                    void *dk);

/* dqkv (rows, 3H) of `type`; x as in project. Adds to the gradients of the three layers; dx
 * (rows, H) is written or, if `add`, added to; NULL: none. */
un_status un_attention_project_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows, void *dqkv,
                                        float *dx, int add);

/* The same for what un_attention_queries and un_attention_keys made. */
un_status un_attention_queries_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows, void *dq,
                                        float *dx, int add);
un_status un_attention_keys_backward(const un_attention_layer *layer, const un_params *params,
                                     un_dtype type, const void *x, size_t rows, void *dkv,
                                     float *dx, int add);

/* ---- square maps of tokens cut into square windows, for attention within each
 * window (Liu et al.: "Swin Transformer", ICCV 2021): which token stands where, which
 * tokens of a shifted window are no neighbours, and the bias for relative positions.
 *
 * A map of h x h tokens, rows in row-major order, is filled up with zeros on the right
 * and below to p x p, p the next multiple of the window w; with a shift s it is then
 * rolled, so that token (y, x) of the rolled map is token ((y + s) mod p, (x + s) mod p).
 * Its windows lie one after the other, each in row-major order. ---- */

/* In the list of rows: beyond the edge, where a zero stands. */
#define UN_NO_ROW SIZE_MAX

typedef struct {
    size_t rows;                /* tokens of all windows: n p^2 */
    un_sequences sequences;     /* one a window, w^2 tokens long */
    const size_t *row;          /* [rows] of the maps, each of which is there once; UN_NO_ROW */
    const unsigned char *group; /* [rows]: equal where tokens of a window are neighbours; NULL:
                                   all are, there is no shift */
} un_windows;

/* p of a map of h x h. */
size_t un_windows_padded(size_t side, size_t window);
/* For n maps of h x h, 0 <= shift < window <= h; the arena owns the lists. */
un_status un_windows_make(un_arena *arena, size_t maps, size_t side, size_t window, size_t shift,
                          un_windows *out);

/* Rows of `bytes` bytes from the maps' order (n h^2) into that of the windows (n p^2), zeros
 * beyond the edge; and back, where those beyond the edge are dropped. */
void un_windows_gather(const un_windows *windows, const void *rows, size_t bytes, void *out);
void un_windows_scatter(const un_windows *windows, const void *in, size_t bytes, void *rows);

/* Which row of a table ((2W - 1)^2, heads) holds the bias of query (y, x) and key (v, u) of a
 * window of w x w, w <= W: (y - v + W - 1)(2W - 1) + x - u + W - 1. */
size_t un_relative_position(size_t query, size_t key, size_t table_window, size_t window);
/* table ((2W - 1)^2, heads) -> bias (heads, w^2, w^2) of all queries and keys. */
void un_position_bias(const float *table, size_t table_window, size_t window, size_t heads,
                      float *bias);
/* Adds to the gradient of the table. */
void un_position_bias_backward(const float *dbias, size_t table_window, size_t window, size_t heads,
                               float *dtable);

#endif
