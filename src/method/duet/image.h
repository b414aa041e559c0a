/*
 * image.h - the image side of DUET: from what the feature store has of a picture
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
 * Letters: n pictures, T visual tokens of a picture, H their width.
 */
#ifndef UN_METHOD_DUET_IMAGE_H
#define UN_METHOD_DUET_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "vision/transformer/swin.h"
#include "vision/transformer/vit.h"

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
void un_duet_augment(uint64_t seed, size_t epoch, size_t index, const float *in, size_t n, size_t S,
                     float *out);

#endif
