/*
 * network.h - DUET's network (Chen et al., AAAI 2023): an image side and a text
 * encoder that meet in cross-modal layers, and the heads on top.
 *
 *     visual tokens = image side(picture)            language states = BERT(text)
 *     (l, v) = cross-modal layers(language states, visual tokens)
 *     g = Linear(H -> A)(first state of v)           attribute scores
 *     contrast projection = Linear(relu(Linear(.)))  of mean states of l
 *     head for masked words                          duet_mlm_head
 *
 * Without text, v goes through one transformer block of its own instead.
 *
 * The network is immutable parameters and sizes; a pass holds the activations of
 * one batch of pairs (picture i beside text i).
 *
 * Letters: n pairs, T visual tokens, H width, A attributes.
 */
#ifndef UN_METHOD_DUET_NETWORK_H
#define UN_METHOD_DUET_NETWORK_H

#include "method/duet/image.h"
#include "method/duet/xlayer.h"
#include "nn/dense.h"
#include "nn/layer_norm.h"
#include "text/bert.h"

/* ---- DUET's head for masked words: logits = W_d LN(gelu(W h + b)) + b_d,
 * with weights of its own (not the word embeddings).
 *
 * Shapes: R rows of states, H wide, V words. The decoder is as wide as the
 * vocabulary, so callers hand in the rows they have a loss for and no others. ---- */

typedef struct {
    un_dense dense;
    un_norm norm;
    un_dense decoder;
} duet_mlm_head;

/* Pieces "<prefix>predictions.transform.dense.weight" and so on; the file name
 * "predictions.decoder.bias" is the same parameter as "predictions.bias" and not declared. */
un_status un_duet_mlm_declare(duet_mlm_head *head, un_params *params, const char *prefix,
                              size_t width, size_t vocabulary, float eps);
/* As torch's Linear; LN 1 and 0. */
void un_duet_mlm_initialize(const duet_mlm_head *head, const un_params *params, uint64_t seed);

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

un_status un_duet_mlm_pass_create(duet_mlm_pass *pass, const duet_mlm_head *head, un_dtype type,
                                  int training);
void un_duet_mlm_pass_free(duet_mlm_pass *pass);

/* hidden (R, H) -> *logits (R, V), owned by the pass; the caller may turn them into their own
 * gradient in place. */
un_status un_duet_mlm_forward(duet_mlm_pass *pass, const un_params *params, const float *hidden,
                              size_t rows, float **logits);
/* dlogits (R, V) -> dhidden (R, H), added to if `add`; NULL: not wanted. Adds to the gradients of
 * the parameters. */
un_status un_duet_mlm_backward(duet_mlm_pass *pass, const un_params *params, const float *dlogits,
                               float *dhidden, int add);

/* ---- the network ---- */

enum { DUET_MAX_XLAYERS = 8 };

typedef struct {
    size_t attributes;   /* A: width of g */
    int with_text;       /* 0: no text, no cross-modal layer */
    un_bert_config text; /* width is H, and the cross-modal layers' sizes */
    size_t xlayers;      /* 1 .. DUET_MAX_XLAYERS */
    int recompute;       /* text encoder: activations anew in the backward pass ... */
    size_t budget;       /* ... of blocks beyond that many bytes */
    un_dtype type;       /* of the large products' operands */
} duet_network_config;

typedef struct {
    duet_network_config config;
    duet_image *image; /* owned */
    un_bert bert;
    duet_xlayer xlayer[DUET_MAX_XLAYERS];
    un_block alone; /* without text */
    un_dense attributes;
    un_dense contrast1, contrast2;
    duet_mlm_head mlm;
} duet_network;

/* Declares everything after the image side's pieces, which `image` has declared already; the
 * network owns `image` from then on, also if it fails. */
un_status un_duet_network_declare(duet_network *network, un_params *params, duet_image *image,
                                  const duet_network_config *config);
void un_duet_network_free(duet_network *network);
/* From scratch, a function of the seed. */
void un_duet_network_initialize(const duet_network *network, const un_params *params,
                                uint64_t seed);

/* The texts of a batch: as many as pictures, or one that all share. */
typedef struct {
    un_sequences sequences; /* rows are tokens */
    const int64_t *ids;     /* [rows] */
    const float *key_mask;  /* [rows] of the text encoder only: -10000 hides padding; NULL: none.
                               (The cross-modal layer sees padding, as published.) */
} duet_text_batch;

typedef struct {
    const duet_network *network;
    const un_params *params; /* of the last forward */
    int training;
    const un_bf16 *features16; /* (n, R, F), the caller's: if not NULL, forward reads these
                                  instead, which must stay until backward is done */
    duet_image_pass *image;
    un_bert_pass bert;
    duet_xlayer_pass xlayer[DUET_MAX_XLAYERS];
    un_encoder_pass alone;
    un_encoder alone_encoder;
    un_pass_context alone_context;
    /* of the last forward */
    size_t pictures;
    int shared, copied; /* one text for all, seen by all at once, or copied for every picture */
    un_wanted alone_wanted;
    un_sequences text, vision;
    const float *visual_tokens; /* (n T, H) */
    const float *text_states;   /* (rows, H) of the text encoder */
    const float *vis;           /* (n T, H), or of the wanted rows (W, H) */
    const float *lang;          /* (rows, H), likewise; NULL where the texts' own states were not
                                   computed */
    float *copy;                /* (n rows, H): text_states for every picture */
    float *d[DUET_SIDES];
    size_t room[DUET_SIDES], copy_room; /* rows */
    un_arena arena[DUET_SIDES], copy_arena, lists;
} duet_pass;

un_status un_duet_pass_create(duet_pass *pass, const duet_network *network, int training);
void un_duet_pass_free(duet_pass *pass);

/* What the store has of n pictures and their texts -> pass->vis and pass->lang. `text` is not
 * read by a network without text. `dropout` is for text encoder and cross-modal layers, its `path`
 * for the picture's transformer; NULL: none. `wanted` says which rows of both are asked for
 * (sequences and row; kept until backward is done): the last layer then computes no others; NULL,
 * or of a side: all. */
un_status un_duet_forward(duet_pass *pass, const un_params *params, const float *features, size_t n,
                          const duet_text_batch *text, const un_dropout_source *dropout,
                          const un_wanted *const wanted[DUET_SIDES]);
/* Room for dvis (n T, H) and dlang (rows, H; NULL: zero), whose first rows are the gradients of
 * pass->vis and pass->lang, and which are lost. Adds to all gradients. */
un_status un_duet_backward(duet_pass *pass, float *dvis, float *dlang);

/* g (n, A) from first states (n, H), and back: dfirst (n, H) is written. */
un_status un_duet_attributes_forward(const duet_network *network, const un_params *params,
                                     const float *first, size_t n, float *g);
un_status un_duet_attributes_backward(const duet_network *network, const un_params *params,
                                      const float *first, const float *dg, size_t n, float *dfirst);
/* Row 0 of each of the first `count` of n pictures, for un_duet_forward, where 0 means that nothing of
 * a side is wanted; the arena owns the lists. */
un_status un_duet_first_rows(const duet_network *network, size_t count, size_t n, un_arena *arena,
                             un_wanted *out);

/* Contrast projection of rows (n, H): hidden (n, H) is kept for backward, out (n, H). */
un_status un_duet_contrast_forward(const duet_network *network, const un_params *params,
                                   const float *x, size_t n, float *hidden, float *out);
/* dout (n, H) -> dx (n, H); dhidden (n, H) is work space. */
un_status un_duet_contrast_backward(const duet_network *network, const un_params *params,
                                    const float *x, const float *hidden, const float *dout,
                                    size_t n, float *dhidden, float *dx);

#endif
