/*
 * vit.h - the vision transformer (ViT, DeiT): pictures to the states of patches,
 * forward and backward.
 *
 *     x = [CLS; distillation token (DeiT); W_p patches + b_p] + positions
 *     pre-norm transformer blocks, a final layer normalisation
 *
 * A patch is P x P pixels, patches in row-major order. Pictures may have another
 * size than the network was made for: the position embeddings of the patches are
 * then resampled to the new grid by bicubic interpolation (a = -0.75, half-pixel
 * centres, edges repeated), as Hugging Face's interpolate_pos_encoding=True does
 * with an explicit size; gradients go back through that.
 *
 * Parameters are pieces of the caller's parameter set under Hugging Face's names
 * behind a prefix ("deit.deit." + "embeddings.cls_token"), so that one optimiser
 * moves several networks. Files may carry Hugging Face's names behind any prefix,
 * or torchvision's.
 *
 * Shapes: n pictures of S x S pixels, h = w = S/P, N = h w patches, T = N + 1 (or 2
 * with a distillation token) tokens, H wide.
 */
#ifndef UN_VISION_VIT_H
#define UN_VISION_VIT_H

#include "nn/transformer.h"
#include "tensor/safetensors.h"

/* Whose naming and habits a file follows. */
typedef enum {
    UN_VIT_HUGGING_FACE, /* epsilon 1e-12; pictures 224 x 224 bilinear, scaled to -1..1 */
    UN_VIT_DEIT,         /* the same names; bicubic 256, crop 224, ImageNet's mean */
    UN_VIT_TORCHVISION   /* epsilon 1e-6; bilinear 256, crop 224, ImageNet's mean */
} un_vit_family;

typedef struct {
    size_t image, patch;                /* S that the positions are for, P */
    size_t width, heads, inner, layers; /* H, …, I */
    int distilled;                      /* a distillation token follows CLS */
    float eps;                          /* of layer normalisation */
    un_vit_family family;
} un_vit_config;

typedef struct {
    un_vit_config config;
    size_t first, count; /* its pieces in the parameter set are consecutive */
    size_t prefix;       /* length of the prefix of their names */
    size_t cls, distillation, positions;
    un_dense patches; /* weight (H, 3, P, P) read as (H, 3PP) */
    un_block *block;
    un_encoder encoder;
    un_norm norm;
    un_arena arena;
} un_vit;

/* Sizes from names and shapes. The number of heads cannot be seen in weights: metadata
 * "heads" or "num_attention_heads", else H / 64 (16 for the published widths 1280 and 1408). */
un_status un_vit_config_read(const un_safetensors *file, un_vit_config *out);

/* Declares the pieces; `prefix` may be "". The structure belongs to un_vit_free. */
un_status un_vit_declare(un_vit *vit, un_params *params, const char *prefix,
                         const un_vit_config *config);
void un_vit_free(un_vit *vit);
/* Fills allocated pieces from a file whose config has the same sizes. Follow with
 * un_params_refresh where there is a bf16 copy. */
un_status un_vit_load(const un_vit *vit, const un_params *params, const un_safetensors *file);
/* N(0, 0.02) for weights, tokens and positions, 0 for biases, LN 1 and 0. */
void un_vit_initialize(const un_vit *vit, const un_params *params, uint64_t seed);

/* h = w of pictures of `size`; fails if the patch does not divide it. */
un_status un_vit_grid(const un_vit *vit, size_t size, size_t *grid);
/* Tokens T of a picture with a grid of `grid` x `grid`. */
size_t un_vit_tokens(const un_vit *vit, size_t grid);
/* Floating-point operations of one picture, forward. */
double un_vit_flops(const un_vit *vit, size_t grid);

/* Activations of one batch. */
typedef struct {
    const un_vit *vit;
    un_encoder_pass encoder;
    un_pass_context context; /* of the last forward pass */
    size_t pictures, grid;   /* of the last forward pass; pictures is also the room there is */
    size_t room;             /* rows there is room for */
    void *patches;           /* (n N, 3PP) operand */
    float *positions;        /* (T, H), resampled; backward: their gradient */
    float *states;           /* (n T, H) after the last normalisation: the result */
    un_norm_state norm;
    float *d;         /* (n T, H) */
    un_bf16 *d16;     /* the same in bf16, NULL in f32 */
    float *dpatches;  /* (N, 3PP): of one picture */
    un_arena arena;   /* what has room for `room` rows */
    un_arena lengths; /* context.sequences */
} un_vit_pass;

/* `training`: keep what backward needs; `recompute`: of the blocks only their inputs. */
un_status un_vit_pass_create(un_vit_pass *pass, const un_vit *vit, un_dtype type, int training,
                             int recompute);
void un_vit_pass_free(un_vit_pass *pass);

/* Normalised pictures (n, S, S, 3) f32 -> *states (n, T, H), owned by the pass until its next
 * forward. State 0 of a picture is CLS, the patches come last. `dropout` may be NULL (ViT and
 * DeiT are trained without). */
un_status un_vit_forward(un_vit_pass *pass, const un_params *params, const float *pictures,
                         size_t n, size_t size, const un_dropout_source *dropout,
                         const float **states);
/* dstates (n, T, H): the gradient of the states of the last forward. Adds to the gradients of
 * the parameters; dpictures (n, S, S, 3) is written unless NULL. */
un_status un_vit_backward(un_vit_pass *pass, const float *dstates, float *dpictures);

/* ---- what the files of the vision transformer share. Private. ---- */

/* Positions (tokens, H) of a g x g grid: `leading` rows as they are, then the patches' of a
 * base x base grid resampled bicubically. */
void un_vit_positions(const float *base_positions, size_t base, size_t leading, size_t width,
                      size_t grid, float *out);
/* Adds to the gradient of the base positions what comes from the resampled ones. */
void un_vit_positions_backward(const float *gradient, size_t base, size_t leading, size_t width,
                               size_t grid, float *base_gradient);

#endif
