/*
 * bert.h - the BERT encoder: token ids to the states of tokens, forward and backward.
 *
 *     x = dropout(LN(word + position + type)), then post-norm transformer blocks
 *
 * A batch is ragged (nn/attention.h): sequences without padding cost what they are
 * long. Padding that is to be computed as the original does is part of a sequence
 * and masked as a key (key_mask).
 *
 * Parameters are pieces of the caller's parameter set under Hugging Face's names
 * behind a prefix ("bert." + "embeddings.word_embeddings.weight"). A pooler or heads
 * in a file are left alone. Files of the first years call the two parameters of
 * LayerNorm gamma and beta; they are read too.
 *
 * Shapes: R tokens of all sequences, H wide, V words, M positions.
 */
#ifndef UN_TEXT_BERT_H
#define UN_TEXT_BERT_H

#include "nn/transformer.h"
#include "tensor/safetensors.h"

typedef struct {
    size_t vocabulary, positions, types;
    size_t width, heads, inner, layers;
    float eps; /* 1e-12 */
} un_bert_config;

typedef struct {
    un_bert_config config;
    size_t first, count; /* its pieces in the parameter set are consecutive */
    size_t prefix;       /* length of the prefix of their names */
    size_t words, positions, types;
    un_norm norm;
    un_block *block;
    un_encoder encoder;
    un_arena arena;
} un_bert;

/* Sizes from names and shapes; heads from the metadata "heads" or "num_attention_heads", else
 * H / 64. */
un_status un_bert_config_read(const un_safetensors *file, un_bert_config *out);

/* Declares the pieces; `prefix` may be "". The structure belongs to un_bert_free. */
un_status un_bert_declare(un_bert *bert, un_params *params, const char *prefix,
                          const un_bert_config *config);
void un_bert_free(un_bert *bert);
/* Fills allocated pieces from a file whose config has the same sizes. Follow with
 * un_params_refresh where there is a bf16 copy. */
un_status un_bert_load(const un_bert *bert, const un_params *params, const un_safetensors *file);
/* N(0, 0.02) for weights and embeddings ([PAD]'s row 0), 0 for biases, LN 1 and 0. */
void un_bert_initialize(const un_bert *bert, const un_params *params, uint64_t seed);

/* The id whose embedding receives no gradient (padding_idx in the original). */
enum { UN_BERT_PAD = 0 };

typedef struct {
    un_sequences sequences;
    const int64_t *ids;    /* [R], 0 <= id < V */
    const int64_t *types;  /* [R], 0 <= type < types; NULL: all 0 */
    const float *key_mask; /* [R], added to attention scores, -10000 hides; NULL: none */
} un_bert_batch;

/* Activations of one batch; it keeps its own copy of the batch. */
typedef struct {
    const un_bert *bert;
    un_encoder_pass encoder;
    un_pass_context context;       /* of the last forward pass */
    size_t room;                   /* rows there is room for */
    int64_t *ids, *types, *places; /* [R]: copies, and each token's position */
    float *key_mask;               /* [R] */
    float *sum;                    /* (R, H): the embeddings before LN */
    un_norm_state norm;
    float *d;         /* (R, H) */
    un_arena arena;   /* what has room for `room` rows */
    un_arena lengths; /* context.sequences */
} un_bert_pass;

/* `training`: keep what backward needs; `recompute`: of the blocks only their inputs. */
un_status un_bert_pass_create(un_bert_pass *pass, const un_bert *bert, un_dtype type, int training,
                              int recompute);
void un_bert_pass_free(un_bert_pass *pass);

/* -> *states (R, H), the last hidden states, owned by the pass until its next forward.
 * `dropout` may be NULL (none); the original trains with 0.1 and 0.1. */
un_status un_bert_forward(un_bert_pass *pass, const un_params *params, const un_bert_batch *batch,
                          const un_dropout_source *dropout, const float **states);
/* dstates (R, H): the gradient of the states of the last forward. Adds to the gradients of the
 * parameters. */
un_status un_bert_backward(un_bert_pass *pass, const float *dstates);

#endif
