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

#include "method/part.h"
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "nn/layers.h"
#include "nn/transformer.h"
#include "text/bert.h"
#include "vision/transformer/swin.h"
#include "vision/transformer/vit.h"

/* ---- the image side of DUET: from what the feature store has of a picture
 * to its visual tokens.
 *
 * Two kinds exist, behind one interface, so that another backbone is one more file:
 *   regions  Linear(F -> H) + LN of each region (R, F), a learned CLS token in front
 *   pixels   a transformer over the picture itself (ViT, DeiT or Swin), trained with
 *            the rest or frozen; its CLS and patch states (of Swin: the mean and the
 *            states of the last map), or as published one token made of the
 *            classifier's logits
 *
 * The parameters are pieces of the caller's set. An image side is immutable after
 * creation; the activations of a batch are a pass, of which there may be several.
 *
 * Letters: n pictures, T visual tokens of a picture, H their width. ---- */

typedef struct duet_image duet_image;
typedef struct duet_image_pass duet_image_pass;

typedef struct {
    const char *name;
    void (*destroy)(duet_image *image);
    /* From scratch, or from a file of weights where the caller loads one afterwards. */
    void (*initialize)(const duet_image *image, const un_params *params, uint64_t seed);
    un_status (*pass_create)(const duet_image *image, un_dtype type, int training,
                             duet_image_pass **out);
    void (*pass_free)(duet_image_pass *pass);
    /* What the store has of n pictures (n, R, F) f32 -> *tokens (n, T, H), owned by the pass
     * until its next forward. The first token of a picture is the one that its attributes are
     * read from. `dropout` is for a transformer that is trained; NULL: none. */
    un_status (*forward)(duet_image_pass *pass, const un_params *params, const float *features,
                         size_t n, const un_dropout_source *dropout, const float **tokens);
    /* The same from a bf16 copy of it, which stays where it is until backward is done; NULL if the
     * image side does not take one. Only in passes of bf16. */
    un_status (*forward16)(duet_image_pass *pass, const un_params *params, const un_bf16 *features,
                           size_t n, const float **tokens);
    /* The frozen part alone: the same pictures -> states (n, state_tokens, state_width) f32, which
     * forward takes in place of the store's values while image->from_states is set. NULL: no part
     * can be frozen. */
    un_status (*states)(duet_image_pass *pass, const un_params *params, const float *features,
                        size_t n, float *states);
    /* dtokens (n, T, H) of the last forward; adds to the gradients of the parameters. */
    un_status (*backward)(duet_image_pass *pass, const float *dtokens);
} duet_image_class;

/* Head of each kind's own structure. */
struct duet_image {
    const duet_image_class *class;
    size_t tokens;                     /* T */
    size_t leading;                    /* tokens that stand for no place of the picture */
    size_t width;                      /* H */
    int pixels;                        /* the store's rows are pictures, not regions */
    double flops;                      /* of one picture, forward */
    size_t frozen_first, frozen_count; /* pieces of the parameters that training leaves alone */
    size_t state_tokens, state_width;  /* what comes of them; 0: nothing is frozen */
    char frozen_settings[256];         /* what they depend on besides pictures and parameters */
    int from_states;
};

struct duet_image_pass {
    const duet_image *image;
};

typedef struct {
    size_t regions, features; /* R, F */
    size_t width;             /* H */
    int project;              /* 0: F is H already, only LN */
    float eps;
} duet_regions_config;

/* Declares "visual_cls", "region_projection.*" and "region_norm.*". */
un_status un_duet_regions_create(duet_image **out, un_params *params,
                                 const duet_regions_config *config);

typedef struct {
    size_t size;  /* S: pictures are S x S pixels of 3 colours, 0..255 */
    size_t width; /* H */
    un_vit_config vit;
    un_swin_config swin;         /* width 0: ViT or DeiT */
    int logit;                   /* one token Linear(K -> H) of the classifier's K logits */
    size_t labels;               /* K */
    int frozen;                  /* no gradient reaches the transformer */
    int recompute;               /* activations anew in the backward pass ... */
    size_t budget;               /* ... of blocks beyond that many bytes */
    float mean[3], deviation[3]; /* of colours scaled to 0..1 */
} duet_pixels_config;

/* Declares "deit.deit.*" or "deit.swin.*" (as the published models are called), with `logit`
 * also "deit.classifier.*" and "linear.*", else, where the transformer's width is not H,
 * "visual_projection.*". */
un_status un_duet_pixels_create(duet_image **out, un_params *params,
                                const duet_pixels_config *config);
/* Fills the transformer (and the classifier if the file has it) from a file of weights. */
un_status un_duet_pixels_load(const duet_image *image, const un_params *params,
                              const un_safetensors *file);

/* ---- pictures changed a little for every step, so that a transformer trained
 * from scratch on few of them does not learn them by heart.
 *
 * Each picture is mirrored or not, enlarged or reduced, moved, and made brighter or
 * darker; its colours keep their ratios, since attributes tell of colours. Beyond its
 * edge a picture goes on with the colours of the edge. ---- */

/* How one picture is changed; lengths as fractions of its side. */
typedef struct {
    int mirrored;
    double zoom;        /* > 1: a part is shown larger */
    double down, right; /* where the middle of what is shown lies, from the picture's middle */
    double brightness;  /* factor of all colours */
} duet_change;

/* The change of picture `i` of mini-batch `index` of an epoch: zoom 2^-1/3 to 2^1/3, moved by
 * up to an eighth, brightness 0.8 to 1.25 (both log-uniform). */
duet_change un_duet_change_draw(uint64_t seed, size_t epoch, size_t index, size_t i);

/* in, out (S, S, 3), values 0..255; bilinear. `out` must not overlap `in`. */
void un_duet_change_apply(const duet_change *change, const float *in, size_t S, float *out);

/* n pictures, each with its own draw. */
void un_duet_augment(uint64_t seed, size_t epoch, size_t index, un_mask_rows pictures,
                     const float *in, size_t n, size_t S, float *out);

/* ---- DUET's cross-modal layer (LXMERT's): language states l and visual
 * states v attend to each other, then to themselves.
 *
 *     l1 = LN(l + O(Att(q = l, kv = v)))      one set of weights for both directions,
 *     v1 = LN(v + O(Att(q = v, kv = l)))      both from the original l and v
 *     l' = post-norm block(l1), v' = post-norm block(v1), each with its own weights
 *
 * Several layers are several of these, one after the other.
 *
 * Shapes: n sequence pairs; Rl language rows and Rv visual rows altogether, H wide.
 * Both batches are ragged; padding that is present as rows is hidden by a mask. ---- */

/* Sides of the layer. */
enum { DUET_LANGUAGE, DUET_VISION, DUET_SIDES };

typedef struct {
    un_attention_layer cross;
    un_norm norm;
    un_block block[DUET_SIDES];
} duet_xlayer;

/* Pieces "<prefix>visual_attention.att.query.weight" and so on, as LXMERT names them.
 * config->pre_norm must be 0. */
un_status un_duet_xlayer_declare(duet_xlayer *layer, un_params *params, const char *prefix,
                                 const un_block_config *config);
/* As torch's Linear; LN 1 and 0. `number`: of the layer. */
void un_duet_xlayer_initialize(const duet_xlayer *layer, const un_params *params, uint64_t seed,
                               uint64_t number);

typedef struct {
    const un_params *params;
    un_dtype type;
    un_sequences sequences[DUET_SIDES]; /* equally many */
    const float *key_mask[DUET_SIDES];  /* [Rl], [Rv], added to scores where the side's rows
                                           are keys (-10000 hides); NULL: none */
    un_dropout_source dropout;          /* the original trains with 0.1 and 0.1 */
    un_mask_rows rows[DUET_SIDES];      /* of a part of a batch, for the dropout masks; so has
                                           each subset its own */
    size_t layer;                       /* its number, for the dropout masks */
    int one_text; /* all pictures share the one language sequence, whose own output is neither
                     subset nor computed */
    const un_query_subset
        *subset[DUET_SIDES]; /* rows of the outputs (sequences, at least as many as the
                                            side has, and row only), W of a side; NULL: all.
                                            Nothing else is computed than what they need */
} duet_xlayer_context;

/* Activations of one side. */
typedef struct {
    size_t room;
    size_t active;        /* the first so many sequences have rows that are in the subset */
    size_t queries, keys; /* the first so many rows are queries, and keys */
    un_query_subset subset;
    un_arena subset_arena;
    const float *x; /* (R, H) the input, borrowed until backward is done */
    void *in;       /* (R, H) bf16 copy of it; NULL in f32 */
    void *qkv;      /* (R, 3H) operand */
    float *log_sum; /* (R, heads) */
    void *context;  /* (R, H) operand */
    float *sum;     /* (R, H) before LN */
    un_norm_state norm;
    float *crossed; /* (R, H) l1 or v1 */
    un_block_state block;
    float *out;           /* (R, H), or (W, H) */
    float *probabilities; /* of the cross attention of this side's queries, (heads, queries,
                             keys) a pair; NULL: none. The caller's */
    un_block_scratch scratch;
    un_arena arena;
} duet_xlayer_side;

typedef struct {
    const duet_xlayer *layer;
    un_dtype type;
    int training;
    duet_xlayer_context context; /* of the last forward; its lists and masks stay the caller's */
    size_t fixed_rows;           /* of the fixed text */
    size_t whole[DUET_SIDES][2]; /* a side as one sequence: 0, rows */
    duet_xlayer_side side[DUET_SIDES];
} duet_xlayer_pass;

un_status un_duet_xlayer_pass_create(duet_xlayer_pass *pass, const duet_xlayer *layer,
                                     un_dtype type, int training);
void un_duet_xlayer_pass_free(duet_xlayer_pass *pass);

/* x[side] (R, H) -> pass->side[side].out (R, H), of rows of the subset (W, H); with one_text of
 * vision only. */
un_status un_duet_xlayer_forward(duet_xlayer_pass *pass, const duet_xlayer_context *context,
                                 const float *const x[DUET_SIDES]);
/* d[side] (R, H): the gradients of the outputs on entry (of rows of the subset in the first W; with
 * one_text that of language is not read), of the inputs on return. Adds to the gradients of the
 * parameters. */
un_status un_duet_xlayer_backward(duet_xlayer_pass *pass, float *const d[DUET_SIDES]);

/* Prediction with one fixed text: its keys and values are made once ... */
un_status un_duet_xlayer_fix_language(duet_xlayer_pass *pass, const un_params *params,
                                      const float *language, size_t rows, const float *key_mask);
/* ... and pictures attend to them: v (Rv, H) -> pass->side[DUET_VISION].out (Rv, H), or of the
 * subset rows (W, H) unless NULL; the same as forward with that text for every picture. The
 * language side is not computed. */
un_status un_duet_xlayer_forward_vision(duet_xlayer_pass *pass, const float *vision,
                                        const un_sequences *sequences,
                                        const un_query_subset *subset);

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
/* dlogits (R, V) -> dhidden (R, H), added to if `add`; NULL: none. Adds to the gradients of
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
                               (The cross-modal layer attends to padding, as
                               published.) */
} duet_text_batch;

typedef struct {
    const duet_network *network;
    const un_params *params; /* of the last forward */
    int training;
    const un_bf16 *features16; /* (n, R, F), the caller's: if not NULL, forward reads these
                                  instead, which must stay until backward is done */
    un_mask_rows picture_rows, rows[DUET_SIDES]; /* of a part of a batch, the caller's */
    duet_image_pass *image;
    un_bert_pass bert;
    duet_xlayer_pass xlayer[DUET_MAX_XLAYERS];
    un_encoder_pass alone;
    un_encoder alone_encoder;
    un_pass_context alone_context;
    /* of the last forward */
    size_t pictures;
    int shared, copied; /* one text for all, seen by all at once, or copied for every picture */
    un_query_subset alone_subset;
    un_sequences text, vision;
    const float *visual_tokens; /* (n T, H) */
    const float *text_states;   /* (rows, H) of the text encoder */
    const float *vis;           /* (n T, H), or of the rows of the subset (W, H) */
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
 * for the picture's transformer; NULL: none. `subset` says which rows of both are computed
 * (sequences and row; kept until backward is done): the last layer then computes no others; NULL,
 * or of a side: all. */
un_status un_duet_forward(duet_pass *pass, const un_params *params, const float *features, size_t n,
                          const duet_text_batch *text, const un_dropout_source *dropout,
                          const un_query_subset *const subset[DUET_SIDES]);
/* Room for dvis (n T, H) and dlang (rows, H; NULL: zero), whose first rows are the gradients of
 * pass->vis and pass->lang, and which are lost. Adds to all gradients. */
un_status un_duet_backward(duet_pass *pass, float *dvis, float *dlang);

/* Through a dense layer that computes in f32, from dy (rows, out): adds to its gradients; dx (rows,
 * in) is written unless NULL. x is what the layer was given. */
un_status un_duet_dense_backward(const un_dense *layer, const un_params *params, const float *x,
                                 const float *dy, size_t rows, float *dx);

/* g (n, A) from first states (n, H), and back: dfirst (n, H) is written. */
un_status un_duet_attributes_forward(const duet_network *network, const un_params *params,
                                     const float *first, size_t n, float *g);
un_status un_duet_attributes_backward(const duet_network *network, const un_params *params,
                                      const float *first, const float *dg, size_t n, float *dfirst);
/* Row 0 of each of the first `count` of n pictures, for un_duet_forward, where 0 means that nothing
 * of a side is in the subset; the arena owns the lists. */
un_status un_duet_first_rows(const duet_network *network, size_t count, size_t n, un_arena *arena,
                             un_query_subset *out);

/* Contrast projection of rows (n, H): hidden (n, H) is kept for backward, out (n, H). */
un_status un_duet_contrast_forward(const duet_network *network, const un_params *params,
                                   const float *x, size_t n, float *hidden, float *out);
/* dout (n, H) -> dx (n, H); dhidden (n, H) is work space. */
un_status un_duet_contrast_backward(const duet_network *network, const un_params *params,
                                    const float *x, const float *hidden, const float *dout,
                                    size_t n, float *dhidden, float *dx);

/* ---- DUET's losses over attribute scores and features, with their
 * gradients. Batches are small here: plain f64, on one thread.
 *
 * Letters: n pictures, A attributes, C classes, H width of features. ---- */

/* Classes as the losses take them. */
typedef struct {
    size_t count, attributes;  /* C, A */
    const float *att;          /* (C, A) unit rows */
    const unsigned char *seen; /* [C] */
} duet_loss_classes;

enum { DUET_CLASS, DUET_MSE, DUET_CALIBRATION, DUET_CLASS_TERMS };

/* Scores s = g att^T. Terms, each times its weight:
 *   class        mean cross-entropy of softmax over the seen columns; `twice`: cross-entropy
 *                applied to the softmax once more, as the published code does
 *   mse          mean over n A of (g - att[y])^2
 *   calibration  -log of the batch mean of the unseen classes' share in softmax(s + m),
 *                m = +1 unseen, -1 seen; 0 if no class is unseen
 * g (n, A), label[n] in 0..C-1 and seen. Adds the gradient to dg (n, A). */
un_status un_duet_class_losses(const duet_loss_classes *classes,
                               const double weight[DUET_CLASS_TERMS], int twice, const float *g,
                               const int32_t *label, size_t n, double loss[DUET_CLASS_TERMS],
                               float *dg);

/* InfoNCE over 2B features (2B, H), row i and row i + B being partners, with cosine similarity:
 * loss_i = -log of the partner's share among all other rows. Rows of the same class (label[B])
 * that are not the partner are left out, or as published count with similarity 0. Returns
 * weight * mean; adds the gradient to d (2B, H). */
un_status un_duet_info_nce(const float *features, const int32_t *label, size_t B, size_t H,
                           double temperature, int published, double weight, double *loss,
                           float *d);

/* One sample's attribute-level contrast: logits are the dot products of feature[0] with
 * feature[1..pairs-1] (rows of H), the target is feature[1]. Returns weight * cross-entropy;
 * d (pairs, H) is set. */
double un_duet_attribute_contrast(const float *features, size_t pairs, size_t H, double weight,
                                  float *d);

/* ---- the parts of DUET's objective from the network's outputs to their
 * gradients: losses of the visual states, of the masked words, and of the
 * words of six (picture, text) pairs.
 *
 * Letters as in network.h; B samples, V words. ---- */

/* Class losses on the first B pictures; class-level contrast if another B follow, the partners. Of
 * ranks that share them each has its part of both. */
typedef struct {
    const un_part *part; /* NULL: this process has all */
    const duet_loss_classes *classes;
    const int32_t *label; /* [B] rows of the class table */
    size_t samples;       /* B, of all ranks */
    int partners;
    double weight[DUET_CLASS_TERMS];
    double contrast; /* weight of the class-level contrast */
    double temperature;
    int published; /* double softmax; same-class pairs count with similarity 0 */
} duet_visual_targets;

/* First visual states (b, H) or, with partners, (2b, H), of the b images of this part ->
 * loss[DUET_CLASS_TERMS + 1] of all, weights included, the last the contrast; adds to dfirst, as
 * large. Collective. */
un_status un_duet_visual_losses(const duet_network *network, const un_params *params,
                                const duet_visual_targets *targets, const float *first,
                                double *loss, float *dfirst);

/* Rows of the language states given at which a word is to be named. */
typedef struct {
    size_t count;
    const size_t *row;
    const int64_t *label; /* word */
    const double *weight; /* of each row's cross-entropy */
} duet_word_targets;

/* Adds to dlang (rows, H). */
un_status un_duet_word_loss(duet_mlm_pass *pass, const un_params *params,
                            const duet_word_targets *targets, const float *lang, double *loss,
                            float *dlang);

/* Groups of pairs; the feature of a pair is the projection of the mean of some rows. */
typedef struct {
    size_t groups, pairs;
    const size_t *begin;  /* [groups * pairs + 1] into row; no pair is without rows */
    const size_t *row;    /* rows of the language states */
    const double *weight; /* [groups] */
} duet_contrast_targets;

/* Adds to dlang (rows, H). pooled, features (groups pairs, H): left there unless NULL. */
un_status un_duet_contrast_loss(const duet_network *network, const un_params *params,
                                const duet_contrast_targets *targets, const float *lang,
                                double *loss, float *dlang, float *pooled, float *features);

#endif
