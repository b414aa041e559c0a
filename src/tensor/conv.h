/*
 * conv.h - convolutions and max pooling over feature maps, forward only, f32 or bf16
 * with f32 accumulation; the implementation is oneDNN (conv_onednn.c) and, for 3 x 3 with AVX-512,
 * winograd.c.
 *
 * A feature map is (n, h, w, c) in one of three layouts. Kernels run fastest in
 * UN_CHANNELS_BLOCKED on most processors; un_conv_layout tells. A caller converts at
 * both ends of a network and stays in that layout between.
 */
#ifndef UN_TENSOR_CONV_H
#define UN_TENSOR_CONV_H

#include "tensor/tensor.h"

typedef enum {
    UN_CHANNELS_LAST,   /* (n, h, w, c) */
    UN_CHANNELS_FIRST,  /* (n, c, h, w) */
    UN_CHANNELS_BLOCKED /* (n, c / b, h, w, b), the last block filled with zeros; b is the
                           processor's number of f32 lanes */
} un_map_layout;

/* Shape and storage of a feature map; UN_F32 or UN_BF16. */
typedef struct {
    size_t n, h, w, c;
    un_dtype type;
    un_map_layout layout;
} un_feature_map;

/* Whether this processor has instructions for convolutions of this type. oneDNN's kernels that emulate
 * those of bf16 take two to four times as long as f32; without AVX-512 oneDNN 2 has none at all. */
int un_conv_native(un_dtype type);
/* The layout in which convolutions of this type are fastest here. */
un_map_layout un_conv_layout(un_dtype type);
/* Bytes to reserve. UNSEEN_E_UNSUPPORTED if the map has more than 2^30 - 1 elements. */
un_status un_feature_map_bytes(const un_feature_map *map, size_t *out);
/* Copies between layouts and types; n, h, w, c agree. */
un_status un_feature_map_convert(const un_feature_map *from, const void *in,
                                 const un_feature_map *to, void *out);

/* How edges are filled with zeros (for max pooling: not looked at). */
typedef enum {
    UN_PAD_SYMMETRIC, /* floor(k / 2) on all sides, as torchvision's networks do */
    UN_PAD_TF_SAME    /* TensorFlow's SAME: total = max((ceil(n / s) - 1) s + k - n, 0),
                         of which floor(total / 2) lie before */
} un_padding;

/* Rows or columns that come out of n. */
size_t un_conv_extent(un_padding padding, size_t kernel, size_t stride, size_t n);

typedef enum { UN_CONV_LINEAR, UN_CONV_RELU, UN_CONV_RELU6 } un_conv_activation;

typedef struct {
    size_t in, out, kernel, stride; /* channels; side and step of the square window */
    int depthwise;                  /* one filter a channel: in == out */
    un_padding padding;
    un_conv_activation activation;
    un_dtype type; /* of both maps: UN_F32 or UN_BF16 */
} un_conv_spec;

/* Weights, bias and the primitives made for the shapes met so far. One thread at a time. */
typedef struct un_conv un_conv;

/* weights[out, in, kernel, kernel] ([out, 1, kernel, kernel] if depthwise) and bias[out] are
 * copied. */
un_status un_conv_create(const un_conv_spec *spec, const float *weights, const float *bias,
                         un_conv **out);
/* The same with weights of un_alloc, which are taken over, on failure too. */
un_status un_conv_create_from(const un_conv_spec *spec, float *weights, const float *bias,
                              un_conv **out);
void un_conv_free(un_conv *conv);
const un_conv_spec *un_conv_spec_of(const un_conv *conv);
/* Shape of the output for an input; type and layout are the input's, except that
 * UN_CHANNELS_FIRST gives un_conv_layout(). */
void un_conv_output(const un_conv *conv, const un_feature_map *in, un_feature_map *out);

/* Which way the latest run was computed: oneDNN's name of the implementation ("jit:avx512_core"),
 * after "f32 " if there was none in bf16 and the layer was computed in f32; "winograd" for
 * winograd.c. Of oneDNN's, NULL before the first run. */
const char *un_conv_way(const un_conv *conv);

/* Working memory that layers of one thread share; starts as {0}. */
typedef struct {
    void *data;
    size_t bytes;
} un_conv_scratch;
/* At least `bytes` bytes; what was there is lost. */
un_status un_conv_scratch_reserve(un_conv_scratch *scratch, size_t bytes);
void un_conv_scratch_free(un_conv_scratch *scratch);

/* y = act(conv(x) + bias), or act(conv(x) + bias + y) with `add`. x and y do not overlap. */
un_status un_conv_run(un_conv *conv, const un_feature_map *in, const void *x, int add, void *y,
                      un_conv_scratch *scratch);

/* Max pooling. */
typedef struct un_pool un_pool;
un_status un_pool_create(size_t kernel, size_t stride, un_padding padding, un_pool **out);
void un_pool_free(un_pool *pool);
void un_pool_output(const un_pool *pool, const un_feature_map *in, un_feature_map *out);
un_status un_pool_run(un_pool *pool, const un_feature_map *in, const void *x, void *y,
                      un_conv_scratch *scratch);
const char *un_pool_way(const un_pool *pool);

/* ---- 3 x 3 convolutions of stride 1 by Winograd's minimal filtering F(2 x 2, 3 x 3) (Lavin and
 * Gray 2016): 16 products where the definition has 36. oneDNN 2.6 has it in f32 only, and takes it
 * or not by the number of pictures; here the layer alone decides, so that a picture's values are
 * the same in every batch. Private to the room; conv_onednn.c chooses.
 *
 * Tiles of the input and the filters are transformed in f32 and, for bf16, rounded to that once;
 * products accumulate in f32, and the output is transformed in f32. For independent values, of
 * variance s^2 and filters of 1, a transformed value is a sum of four, 4 s^2, transformed filters
 * have variances (1, 3/4, 3/4) x (1, 3/4, 3/4), and an output adds nine products of each channel,
 * (5/2)^2 4 = 25 s^2 against 9 by definition.
 *
 * In bf16 rounded operands make the error: sqrt(25 / 9) = 5/3 of the definition's.
 *
 * In f32 it is the roundings of the sums, each 0.41 u of what it rounds with u = 2^-24. Nine sums of
 * C products have 25 C^2 / 2 (0.41 u s)^2 in all, where one sum of 9 C has 81 C^2 / 2. To that come
 * one rounding of U, two of V and four on the way to an output, each at most 25 C (0.41 u s)^2: from
 * 32 channels on the error is below the definition's. ---- */

typedef struct un_winograd un_winograd;

/* Whether this processor and this file can do such convolutions. */
int un_winograd_fits(const un_conv_spec *spec);

/* weights[out, in, 3, 3] and bias[out] are copied. */
un_status un_winograd_create(const un_conv_spec *spec, const float *weights, const float *bias,
                             un_winograd **out);
void un_winograd_free(un_winograd *winograd);
/* As un_conv_run; x and y are UN_CHANNELS_LAST or UN_CHANNELS_BLOCKED by 16. */
un_status un_winograd_run(const un_winograd *winograd, const un_feature_map *in, const void *x,
                          int add, void *y, un_conv_scratch *scratch);

#endif
