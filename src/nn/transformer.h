/*
 * transformer.h - transformer blocks (self-attention, then a feed-forward network of
 * two linear layers with GELU between) and a stack of them, forward and backward.
 *
 *     post-norm (BERT)   a = LN1(x + Att(x)),      y = LN2(a + FF(a))
 *     pre-norm (ViT)     a = x + Att(LN1(x)),      y = a + FF(LN2(a))
 *
 * Dropout, where asked for, acts on the attention probabilities and on the outputs
 * of Att and FF before they are added. Linear layers compute in the operand type
 * (f32 or bf16); normalisation, softmax, residuals and gradients are f32.
 *
 * Attention is within sequences of rows, or (Swin) within windows of maps of rows,
 * with a bias for relative positions.
 *
 * A stack comes in two parts: un_encoder names the parameters; a un_encoder_pass
 * holds the activations of one batch. Several passes may be under way over one
 * encoder, each to be propagated back before it runs forward again. A pass that is
 * not for training overwrites its activations layer by layer. With `recompute` a
 * training pass keeps the input of every block only and computes the rest again
 * during the backward pass: about a quarter of the memory for 4/3 of the time; or of as many
 * blocks as do not fit into a budget.
 */
#ifndef UN_NN_TRANSFORMER_H
#define UN_NN_TRANSFORMER_H

#include "base/rng.h"
#include "nn/attention.h"
#include "nn/layers.h"

typedef struct {
    size_t width, heads, inner; /* H, heads, I */
    int pre_norm;
    float eps;
} un_block_config;

/* Names behind a prefix that ends with a dot. */
typedef struct {
    un_attention_names attention;
    const char *norm1, *inner, *outer, *norm2;
} un_block_names;

typedef struct {
    un_block_config config;
    un_attention_layer attention;
    un_norm norm1, norm2;
    un_dense inner, outer; /* (I, H), (H, I) */
} un_block;

un_status un_block_declare(un_block *block, un_params *params, const char *prefix,
                           const un_block_names *names, const un_block_config *config);

/* Where the random masks of a forward pass come from: a function of seed, draw and the place
 * in the network, so that backward and recomputation find them again. A new draw for every
 * forward pass. */
typedef struct {
    float hidden;    /* probability for outputs of sublayers and embeddings */
    float attention; /* probability for attention weights */
    float path;      /* largest probability of stochastic depth, where a network has that */
    uint64_t seed, draw;
    un_mask_rows rows; /* of a batch that is a part of another, for `path` its pictures */
} un_dropout_source;

/* The mask of place `site` ("bert.attention") in layer `layer` < 65536. */
un_dropout un_dropout_make(const un_dropout_source *source, float probability, const char *site,
                           size_t layer);

/* The rows of a batch whose output is asked for, for the last block of a stack: all rows are keys
 * and values, but queries, feed-forward network and output are those of W rows only, one after
 * the other. Dropout masks go by their place among the subset. */
typedef struct {
    un_sequences sequences; /* as many as the batch has; start[] counts rows of the subset */
    const size_t *row;      /* [W] rows of the batch, ascending */
    un_mask_rows rows;      /* places in the subset of the whole batch, for dropout */
    void *operand, *query;  /* (W, H) operands; work space from un_query_subset_reserve */
    float *x;               /* (W, H) their input; backward: its gradient */
    void *dquery;           /* (W, H) operand; training only */
} un_query_subset;

un_status un_query_subset_reserve(un_query_subset *subset, size_t width, un_dtype type,
                                  int training, un_arena *arena);

/* What a pass is run with; the same for its backward. */
typedef struct {
    const un_params *params;
    un_dtype type; /* of operands: UN_F32 or UN_BF16 */
    un_sequences sequences;
    const float *key_mask;     /* [rows], added to attention scores; NULL: none */
    const un_windows *windows; /* attention within these instead of `sequences`, pre-norm only;
                                  NULL: none. Without a key_mask */
    const float *bias;         /* (heads, tokens, tokens) of every window; NULL: none */
    float *dbias;              /* backward: its gradient, added to; NULL: none */
    un_dropout_source dropout; /* zero probabilities: none; `path` is not read */
    const float *drop_path;    /* [maps] what the attention's result is multiplied with before it
                                  is added to the rows of each map (stochastic depth); training
                                  only; NULL: 1 */
    size_t maps;               /* with drop_path: equally many rows each */
    const un_query_subset *subset; /* NULL: all rows. Post-norm blocks only */
} un_pass_context;

/* Activations of one block, R rows. Operands are of the context's type. W: rows of windows, or R
 * without windows. */
typedef struct {
    void *in;       /* (W, H) operand of the projections */
    void *qkv;      /* (W, 3H) operand */
    float *log_sum; /* (W, heads) */
    void *context;  /* (R, H) operand */
    void *other;    /* (W, H) operand on its way into windows or out of them; NULL without */
    float *sum1;    /* (R, H) x + Att */
    un_norm_state norm1, norm2;
    float *middle;        /* (R, H) LN1(sum1); post-norm only */
    void *middle_operand; /* (R, H) operand of the feed-forward network */
    void *hidden;         /* (R, I) operand, before GELU; training only */
    void *active;         /* (R, I) operand, after it */
    float *sum2;          /* (R, H) a + FF; post-norm only */
    float *probabilities; /* (heads, T, T) a sequence; NULL: none. The caller's */
    int training;
} un_block_state;

/* Work space of a block's backward pass. */
typedef struct {
    float *masked;   /* (W, H) */
    un_bf16 *row16;  /* (R, H); NULL in f32 */
    float *dcontext; /* (R, H) */
    void *dhidden;   /* (R, I) operand */
    void *dqkv;      /* (W, 3H) operand */
} un_block_scratch;

/* `windowed`: rows of windows, at least `rows`; 0: no windows. */
un_status un_block_state_create(const un_block_config *config, un_dtype type, size_t rows,
                                size_t windowed, int training, un_arena *arena,
                                un_block_state *out);
/* What un_block_state_create takes for training, to a few hundred bytes. */
size_t un_block_state_bytes(const un_block_config *config, un_dtype type, size_t rows,
                            size_t windowed);
un_status un_block_scratch_create(const un_block_config *config, un_dtype type, size_t rows,
                                  size_t windowed, un_arena *arena, un_block_scratch *out);

/* x (R, H) -> y (R, H), or of the rows of the subset alone, one after the other. Unless training, y
 * may be x (pre-norm), and there is no dropout. y NULL: only what backward needs. `site` and
 * `layer` name the dropout masks. */
un_status un_block_forward(const un_block *block, const un_pass_context *context, const char *site,
                           size_t layer, const float *x, un_block_state *state, float *y);
/* d (R, H): the gradient of y on entry (with rows of the subset in so many of its first), of x on
 * return. Adds to the parameters' gradients. x and state as forward left them. */
un_status un_block_backward(const un_block *block, const un_pass_context *context, const char *site,
                            size_t layer, const float *x, const un_block_state *state,
                            un_block_scratch *scratch, float *d);

typedef struct {
    size_t layers;
    const un_block *block; /* [layers] */
    const char *site;      /* names the dropout masks */
} un_encoder;

typedef struct {
    const un_encoder *encoder;
    un_dtype type;
    int training, recompute;
    size_t budget; /* with recompute: bytes for the activations of blocks, 0 by default; the last
                      blocks keep theirs as long as they fit in, and nothing is computed again if
                      all do. The caller's, before rows are reserved */
    size_t kept;   /* so many do */
    float **probabilities; /* [layers], each NULL or room for that layer's; the caller's */
    size_t rows;           /* room for so many */
    float **x;             /* [layers + 1] of (R, H): inputs of the blocks and the result */
    un_block_state *state; /* [layers], or one */
    un_block_scratch scratch;
    un_arena arena, rows_arena; /* the lists; what has `rows` rows */
} un_encoder_pass;

un_status un_encoder_pass_create(un_encoder_pass *pass, const un_encoder *encoder, un_dtype type,
                                 int training, int recompute);
void un_encoder_pass_free(un_encoder_pass *pass);
/* Room for `rows` tokens; what was there is lost if it has to grow. Then x[0] may be filled. */
un_status un_encoder_pass_reserve(un_encoder_pass *pass, size_t rows);
/* x[0] (R, H) -> x[layers]. */
un_status un_encoder_forward(un_encoder_pass *pass, const un_pass_context *context);
/* d (R, H): from the gradient of x[layers] to that of x[0]. */
un_status un_encoder_backward(un_encoder_pass *pass, const un_pass_context *context, float *d);

#endif
