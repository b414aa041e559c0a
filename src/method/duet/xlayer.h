/*
 * xlayer.h - DUET's cross-modal layer (LXMERT's): language states l and visual
 * states v look at each other, then at themselves.
 *
 *     l1 = LN(l + O(Att(q = l, kv = v)))      one set of weights for both directions,
 *     v1 = LN(v + O(Att(q = v, kv = l)))      both from the original l and v
 *     l' = post-norm block(l1), v' = post-norm block(v1), each with its own weights
 *
 * Several layers are several of these, one after the other.
 *
 * Shapes: n sequence pairs; Rl language rows and Rv visual rows altogether, H wide.
 * Both batches are ragged; padding that is present as rows is hidden by a mask.
 */
#ifndef UN_METHOD_DUET_XLAYER_H
#define UN_METHOD_DUET_XLAYER_H

#include "nn/transformer.h"

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
    size_t layer;                       /* its number, for the dropout masks */
    int one_text; /* all pictures share the one language sequence, whose own output is neither
                     wanted nor computed */
    const un_wanted *wanted[DUET_SIDES]; /* rows of the outputs (sequences, at least as many as the
                                            side has, and row only), W of a side; NULL: all.
                                            Nothing else is computed than what they need */
} duet_xlayer_context;

/* Activations of one side. */
typedef struct {
    size_t room;
    size_t active;        /* the first so many sequences have rows that are wanted */
    size_t queries, keys; /* the first so many rows look, and are looked at */
    un_wanted wanted;
    un_arena wanted_arena;
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
                             keys) a pair; NULL: not wanted. The caller's */
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

/* x[side] (R, H) -> pass->side[side].out (R, H), of wanted rows (W, H); with one_text of vision
 * only. */
un_status un_duet_xlayer_forward(duet_xlayer_pass *pass, const duet_xlayer_context *context,
                                 const float *const x[DUET_SIDES]);
/* d[side] (R, H): the gradients of the outputs on entry (of wanted rows in the first W; with
 * one_text that of language is not read), of the inputs on return. Adds to the gradients of the
 * parameters. */
un_status un_duet_xlayer_backward(duet_xlayer_pass *pass, float *const d[DUET_SIDES]);

/* Prediction with one fixed text: its keys and values are made once ... */
un_status un_duet_xlayer_fix_language(duet_xlayer_pass *pass, const un_params *params,
                                      const float *language, size_t rows, const float *key_mask);
/* ... and pictures see them: v (Rv, H) -> pass->side[DUET_VISION].out (Rv, H), or of the wanted
 * rows (W, H) unless NULL; the same as forward with that text for every picture. The language side
 * is not computed. */
un_status un_duet_xlayer_see(duet_xlayer_pass *pass, const float *vision,
                             const un_sequences *sequences, const un_wanted *wanted);

#endif
