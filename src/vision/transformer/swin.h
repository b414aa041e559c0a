/*
 * swin.h - the Swin transformer (Liu et al.: "Swin Transformer: Hierarchical Vision
 * Transformer using Shifted Windows", ICCV 2021): pictures to the states of a map of
 * tokens and their mean, forward and backward.
 *
 *     x = LN(W_p patches + b_p)                               a map of h x h tokens
 *     stage s: pre-norm transformer blocks with attention inside windows of w x w tokens,
 *         which every second block shifts by half a window, and a bias for relative positions;
 *         between stages the four tokens of 2 x 2 become one: W LN([x00 x10 x01 x11]),
 *         half the side and twice the width
 *     a final layer normalisation; state 0 is the mean of the others
 *
 * Pictures may have any size. As in Hugging Face's model, patches and maps are filled up
 * with zeros on the right and below (maps behind their normalisation, so that what fills a
 * window takes part in attention with the biases of keys and values); a map that is not
 * larger than a window is one window, not shifted. The window is then as small as the map,
 * its biases those of the same relative positions.
 *
 * In training a block may leave out what attention brings to a picture (stochastic depth;
 * as in Hugging Face's model the probability rises from 0 in the first block to the given
 * one in the last, and the feed-forward network is not left out). The published networks
 * were made with 0.1 and have no other dropout.
 *
 * Parameters are pieces of the caller's parameter set under Hugging Face's names behind a
 * prefix ("swin." + "embeddings.norm.weight"). Files may carry Hugging Face's names behind
 * any prefix, or torchvision's.
 *
 * Shapes: n pictures of S x S pixels, C wide in stage 0, H = C 2^(stages - 1) in the last one,
 * whose map has g x g tokens; T = 1 + g^2 states.
 */
#ifndef UN_VISION_SWIN_H
#define UN_VISION_SWIN_H

#include "nn/naming.h"
#include "nn/transformer.h"
#include "tensor/safetensors.h"

enum { UN_SWIN_STAGES = 8, UN_SWIN_WINDOW = 64, UN_SWIN_DEPTH = 256 }; /* the most there may be */

/* Whose naming and habits a file follows. */
typedef enum {
    UN_SWIN_HUGGING_FACE, /* pictures 224 x 224 bicubic, ImageNet's mean */
    UN_SWIN_TORCHVISION   /* bicubic 232 (238 for Swin-B, 246 for Swin-S), crop 224 */
} un_swin_family;

typedef struct {
    size_t image, patch; /* S that pictures usually have, P */
    size_t width, inner; /* C and the feed-forward width of stage 0; doubled by every stage */
    size_t stages;
    size_t depth[UN_SWIN_STAGES], heads[UN_SWIN_STAGES], window[UN_SWIN_STAGES];
    float eps; /* of layer normalisation */
    un_swin_family family;
} un_swin_config;

typedef struct {
    size_t width;    /* of its tokens */
    un_block *block; /* [depth] */
    size_t *table;   /* [depth] pieces: biases of relative positions ((2W - 1)^2, heads) */
    un_norm norm;    /* in front of the reduction; not in the last stage */
    un_dense reduce; /* (2 width, 4 width), no bias; not in the last stage */
} un_swin_stage;

typedef struct {
    un_swin_config config;
    size_t first, count; /* its pieces in the parameter set are consecutive */
    size_t prefix;       /* length of the prefix of their names */
    un_dense patches;    /* weight (C, 3, P, P) read as (C, 3PP) */
    un_norm patch_norm;
    un_swin_stage stage[UN_SWIN_STAGES];
    un_norm norm;
    un_arena arena;
} un_swin;

/* Whether the file looks like a Swin transformer at all. */
int un_swin_recognize(const un_safetensors *file);
/* Sizes from names and shapes; the picture's is what makes the first stage's windows fit into
 * every stage (7 x 4 x 8 = 224). */
un_status un_swin_config_read(const un_safetensors *file, un_swin_config *out);
/* Refuses sizes that no network can have: `code`, with a sentence that begins with `what`. */
un_status un_swin_config_check(const un_swin_config *config, un_status code, const char *what);

/* Declares the pieces; `prefix` may be "". The structure belongs to un_swin_free. */
un_status un_swin_declare(un_swin *swin, un_params *params, const char *prefix,
                          const un_swin_config *config);
void un_swin_free(un_swin *swin);
/* Fills allocated pieces from a file whose config has the same sizes. Follow with
 * un_params_refresh where there is a bf16 copy. */
un_status un_swin_load(const un_swin *swin, const un_params *params, const un_safetensors *file);
/* N(0, 0.02) for weights and tables, 0 for biases, LN 1 and 0. */
void un_swin_initialize(const un_swin *swin, const un_params *params, uint64_t seed);

/* H. */
size_t un_swin_width(const un_swin_config *config);
/* Tokens a side of stage `stage`'s map for pictures of S x S pixels. */
size_t un_swin_side(const un_swin_config *config, size_t size, size_t stage);
/* g: of the last stage's. Fails for pictures without pixels. */
un_status un_swin_grid(const un_swin *swin, size_t size, size_t *grid);
/* Floating-point operations of one picture of S x S, forward. */
double un_swin_flops(const un_swin *swin, size_t size);

/* One stage of one batch. */
typedef struct {
    size_t start[2];       /* 0 and its rows, n h^2 */
    size_t side, window;   /* h and w of the last forward pass */
    un_windows windows[2]; /* of blocks 0, 2, … and of the others */
    float **x;             /* [depth + 1] (rows, width): inputs of the blocks and the result */
    size_t kept;           /* the last so many blocks keep their activations in a training pass */
    un_block_state *state; /* [kept]; the pass's own serves the others */
} un_swin_map;

/* Activations of one batch. */
typedef struct {
    const un_swin *swin;
    const un_params *params;   /* of the last forward pass */
    un_dropout_source dropout; /* of the last forward pass */
    un_dtype type;             /* of operands: UN_F32 or UN_BF16 */
    int training, recompute;
    size_t budget; /* with recompute: bytes for the activations of blocks, 0 by default; the last
                      blocks keep theirs as long as they fit in, and nothing is computed again if
                      all do. The caller's, before the first forward pass */
    size_t pictures, size; /* of the last forward pass; 0: there was none */
    size_t room;           /* pictures of `size` that there is room for */
    un_swin_map map[UN_SWIN_STAGES];
    un_block_state state;     /* of any block that does not keep its own */
    un_block_scratch scratch; /* of any block */
    void *patches;            /* (n h^2, 3PP) operand */
    float *projected;         /* (n h^2, C) before LN */
    float *merged;            /* (n h^2 / 4, 4 width) of one stage, before LN */
    void *merged_operand;     /* the same behind it */
    float *drop_path;         /* [n] of one block: 0 where attention is left out */
    float *bias, *dbias;      /* (heads, w^2, w^2) of one block */
    float *normal;            /* (n g^2, H) behind the last LN */
    float *states;            /* (n, T, H): the result */
    un_norm_state patch_norm, merge_norm, norm;
    float *d, *other;      /* (rows, width) of any stage */
    un_bf16 *d16;          /* the same in bf16, NULL in f32 */
    un_arena arena, lists; /* buffers; the windows of the last forward pass */
} un_swin_pass;

/* `training`: keep what backward needs; `recompute`: beyond the budget of the blocks only their
 * inputs. */
un_status un_swin_pass_create(un_swin_pass *pass, const un_swin *swin, un_dtype type, int training,
                              int recompute);
void un_swin_pass_free(un_swin_pass *pass);

/* Normalised pictures (n, S, S, 3) f32 -> *states (n, T, H), owned by the pass until its next
 * forward: the mean of the map's states (Hugging Face's pooler_output), then these. `dropout` may
 * be NULL: none. */
un_status un_swin_forward(un_swin_pass *pass, const un_params *params, const float *pictures,
                          size_t n, size_t size, const un_dropout_source *dropout,
                          const float **states);
/* dstates (n, T, H): the gradient of the states of the last forward. Adds to the gradients of
 * the parameters; dpictures (n, S, S, 3) is written unless NULL. */
un_status un_swin_backward(un_swin_pass *pass, const float *dstates, float *dpictures);

/* ---- what the files of the Swin transformer share. Private. ---- */

/* How a file names its tensors. */
typedef struct {
    un_swin_family family;
    char prefix[UN_NAME_LENGTH];
} swin_naming;

/* 0 if the names are of no Swin transformer. */
int un_swin_find_naming(const un_safetensors *file, swin_naming *out);
/* The file's name of the piece called `ours` (without our prefix). *third: which rows of a
 * tensor that holds query, key and value, or -1: the tensor is the whole piece. */
un_status un_swin_file_name(const swin_naming *naming, const char *ours, char out[UN_NAME_LENGTH],
                            int *third);

/* w of stage `stage` on a map of h x h. */
size_t un_swin_window(const un_swin_config *config, size_t stage, size_t side);

#endif
