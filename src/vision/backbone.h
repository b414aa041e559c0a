/*
 * backbone.h - a pre-trained network that turns pictures into features. The architecture
 * is found from the names and shapes of a safetensors file:
 *     ResNet with bottlenecks, MobileNetV2    torchvision's names
 *     ViT, DeiT                               Hugging Face's names, torchvision's ViT
 *     Swin transformer                        Hugging Face's names, torchvision's
 *     "builtin:descriptor"                    no file: colour and gradient statistics
 *     "builtin:pixels"                        no file: the pixels themselves
 * One un_backbone may be used by one thread at a time; it computes in parallel.
 *
 * Shapes: n pictures, S x S pixels, a grid of h x w regions, R = h w, F features.
 */
#ifndef UN_VISION_BACKBONE_H
#define UN_VISION_BACKBONE_H

#include "tensor/safetensors.h"
#include "tensor/tensor.h"
#include "vision/image/recipe.h"

typedef struct un_backbone un_backbone;

typedef struct un_backbone_class {
    const char *name; /* "resnet", "mobilenetv2", "vit", "swin", "descriptor", "pixels" */
    void (*destroy)(un_backbone *backbone);
    /* The grid of regions for S x S pictures; an error if the network cannot take the size. */
    un_status (*grid)(const un_backbone *backbone, size_t size, size_t *height, size_t *width);
    /* Normalised pictures (n, S, S, 3) f32, or for those built in their 0..255 values, to
     * regions (n, h, w, F) and pooled (n, F); either may be NULL. */
    un_status (*forward)(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                         float *regions, float *pooled);
    /* Floating-point operations for one picture of S x S. */
    double (*flops)(const un_backbone *backbone, size_t size);
    /* Of convolutional networks, else NULL: how the latest forward computed a layer, see
     * un_conv_way; NULL beyond the last layer, and before the first forward. */
    const char *(*way)(const un_backbone *backbone, size_t layer);
} un_backbone_class;

/* Head of every network's own structure. */
struct un_backbone {
    const un_backbone_class *class;
    char architecture[64]; /* "resnet101", "mobilenet_v2", "vit_b_16", "descriptor-1" */
    char sha256[65];       /* of the whole weights file; of the name for those built in */
    size_t width;          /* F */
    un_recipe recipe;      /* of the file's metadata, or the architecture's usual one */
    un_precision precision;
};

/* Opens a weights file, or one that is built in. Anything that is not a whole known network
 * is an error that says what is missing. */
un_status un_backbone_open(const char *path, un_precision precision, un_backbone **out);
/* NULL is allowed. */
void un_backbone_close(un_backbone *backbone);
/* The path that opens the architecture without a file, NULL if it needs one. */
const char *un_backbone_builtin(const char *architecture);
/* The path of the i-th that needs no file, NULL beyond the last. */
const char *un_backbone_builtin_path(size_t i);

/* ---- for the networks of this room only: how backbone.c opens one for a file ----
 *
 * An opener checks that the file holds a whole network of its kind, takes what it needs
 * out of it (the file is closed afterwards) and fills in the head: class, architecture,
 * width, precision and the architecture's usual recipe. backbone.c then adds the file's
 * hash and, where its metadata has one, its own recipe. What UN_PRECISION_AUTO means is
 * the network's to say; left in the head, it is resolved for the processor. */

un_status un_resnet_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_mobilenet_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_vit_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_swin_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_descriptor_open(un_backbone **out);
un_status un_pixels_open(un_backbone **out);

#endif
