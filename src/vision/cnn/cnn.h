/*
 * cnn.h - a convolutional network as a list of layers, which ResNet and MobileNetV2 build
 * from their tensors and this runs. Private to the room and to tests.
 *
 * Batch norm is folded into the convolution before it. A layer reads the output of an
 * earlier one, and may add another's before its activation; that one is not read later,
 * so its memory becomes the layer's output.
 */
#ifndef UN_VISION_CNN_H
#define UN_VISION_CNN_H

#include "base/arena.h"
#include "tensor/conv.h"
#include "vision/backbone.h"

/* The network's input in place of a layer; no residual. */
#define UN_CNN_INPUT SIZE_MAX
#define UN_CNN_NONE SIZE_MAX

typedef struct {
    const char *name; /* of the block whose output this is ("layer2", "features.7"), or NULL */
    un_conv *conv;    /* NULL: max pooling */
    un_pool *pool;
    size_t input;    /* layer whose output is read, or UN_CNN_INPUT */
    size_t residual; /* layer whose output is added, or UN_CNN_NONE */
    size_t last;     /* last layer that reads this one's output */
    size_t slot;     /* of the memory */
} un_cnn_layer;

enum { UN_CNN_SLOTS = 6 };

typedef struct {
    un_backbone base;
    un_padding padding; /* of the file's metadata: "padding": "tf_same" */
    un_dtype type;
    un_arena arena; /* layers and names */
    un_cnn_layer *layers;
    size_t count, capacity;
    un_conv_scratch slots[UN_CNN_SLOTS]; /* feature maps, each as large as the largest it held */
    un_conv_scratch input, output; /* the pictures in the network's type, the regions in f32 */
    un_conv_scratch scratch;       /* of the convolutions */
} un_cnn;

/* An empty network for at most `capacity` layers. */
un_status un_cnn_create(const un_safetensors *file, un_precision precision,
                        const un_backbone_class *class, size_t capacity, un_cnn **out);
/* un_backbone_class.destroy */
void un_cnn_destroy(un_backbone *backbone);

/* A convolution of the file with its batch norm. */
typedef struct {
    const char *conv, *norm; /* names of the modules, without ".weight" */
    size_t in, out;          /* channels; `out` may be UN_ANY_EXTENT */
    size_t kernel, stride;
    int depthwise;
    un_conv_activation activation;
    size_t input, residual; /* layers */
} un_cnn_conv;

/* Adds a layer; *channels receives its output channels. Its number is cnn->count - 1. */
un_status un_cnn_add_conv(un_cnn *cnn, const un_safetensors *file, const un_cnn_conv *conv,
                          size_t *channels);
un_status un_cnn_add_max_pool(un_cnn *cnn, size_t input, size_t kernel, size_t stride);
/* Names the output of the last layer. */
un_status un_cnn_name(un_cnn *cnn, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Plans the memory, once all layers are there. `width` is set from the last one. */
un_status un_cnn_finish(un_cnn *cnn, size_t width);

/* 1 + the largest number that follows `prefix` and precedes '.' in a tensor's name, at most
 * 1000; 0 if there is none. So a missing block in the middle is missed, not skipped. */
size_t un_cnn_block_count(const un_safetensors *file, const char *prefix);

/* A block's output to be read on the way: `out` is (n, h, w, c), f32. */
typedef struct {
    const char *name;
    float *out;
} un_cnn_tap;

/* Pictures (n, height, width, 3) to regions and pooled, as un_backbone_class.forward;
 * taps[tap_count] are filled as well. */
un_status un_cnn_forward(un_cnn *cnn, const float *pictures, size_t n, size_t height, size_t width,
                         float *regions, float *pooled, const un_cnn_tap *taps, size_t tap_count);
/* Shape of a block's output for one picture; NULL names the last. */
un_status un_cnn_shape(const un_cnn *cnn, const char *name, size_t height, size_t width,
                       un_feature_map *out);

/* un_backbone_class's functions. */
un_status un_cnn_grid(const un_backbone *backbone, size_t size, size_t *height, size_t *width);
un_status un_cnn_forward_square(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                                float *regions, float *pooled);
double un_cnn_flops(const un_backbone *backbone, size_t size);
const char *un_cnn_way(const un_backbone *backbone, size_t layer);

/* ---- tensors of a file of weights ---- */

/* In an expected shape: any extent above 0. */
enum { UN_ANY_EXTENT = 0 };

/* A tensor of the file as f32. It must be F32, BF16 or F16 and of `rank` and `shape`
 * (entries may be UN_ANY_EXTENT), and not empty; the sentence names the tensor. *out is
 * released with free(). */
un_status un_cnn_tensor(const un_safetensors *file, const char *name, int rank, const size_t *shape,
                        float **out);
/* The same checks without the copy, for reading extents. */
un_status un_cnn_find_tensor(const un_safetensors *file, const char *name, int rank,
                             const size_t *shape, const un_st_entry **out);

#endif
