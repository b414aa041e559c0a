/*
 * mlm_head.h - DUET's head for masked words: logits = W_d LN(gelu(W h + b)) + b_d,
 * with weights of its own (not the word embeddings).
 *
 * Shapes: R rows of states, H wide, V words. The decoder is as wide as the
 * vocabulary, so callers hand in the rows they have a loss for and no others.
 */
#ifndef UN_METHOD_DUET_MLM_HEAD_H
#define UN_METHOD_DUET_MLM_HEAD_H

#include "nn/dense.h"
#include "nn/layer_norm.h"

typedef struct {
    un_dense dense;
    un_norm norm;
    un_dense decoder;
} duet_mlm_head;

/* Pieces "<prefix>predictions.transform.dense.weight" and so on; the file name
 * "predictions.decoder.bias" is the same parameter as "predictions.bias" and not declared. */
un_status duet_mlm_declare(duet_mlm_head *head, un_params *params, const char *prefix, size_t width,
                           size_t vocabulary, float eps);
/* As torch's Linear; LN 1 and 0. */
void duet_mlm_initialize(const duet_mlm_head *head, const un_params *params, uint64_t seed);

/* Activations of one batch of rows. */
typedef struct {
    const duet_mlm_head *head;
    un_dtype type;
    int training;
    size_t rows, room;
    void *in;      /* (R, H) operand: the states; f32: a copy, so that callers may reuse theirs */
    float *before; /* (R, H) W h + b */
    float *active; /* (R, H) its GELU */
    un_norm_state norm;
    void *normal;       /* (R, H) operand of the decoder */
    float *logits;      /* (R, V) */
    float *d;           /* (R, H) */
    un_bf16 *d16;       /* (R, H) */
    un_bf16 *dlogits16; /* (R, V) */
    un_arena arena;
} duet_mlm_pass;

un_status duet_mlm_pass_create(duet_mlm_pass *pass, const duet_mlm_head *head, un_dtype type,
                               int training);
void duet_mlm_pass_free(duet_mlm_pass *pass);

/* hidden (R, H) -> *logits (R, V), owned by the pass; the caller may turn them into their own
 * gradient in place. */
un_status duet_mlm_forward(duet_mlm_pass *pass, const un_params *params, const float *hidden,
                           size_t rows, float **logits);
/* dlogits (R, V) -> dhidden (R, H), added to if `add`; NULL: not wanted. Adds to the gradients of
 * the parameters. */
un_status duet_mlm_backward(duet_mlm_pass *pass, const un_params *params, const float *dlogits,
                            float *dhidden, int add);

#endif
