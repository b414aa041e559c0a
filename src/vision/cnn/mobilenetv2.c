/*
 * mobilenetv2.c - MobileNetV2 (Sandler et al. 2018) of any width from torchvision's tensors.
 * Blocks 2, 4, 7 and 14 halve the picture, as does the first convolution. A block has a shortcut
 * where its stride is 1 and its channels stay the same; "classifier" is not needed.
 *
 * Precision "auto" is f32 here. Depthwise filters have nine weights, so what rounding does to
 * them does not average out: with ImageNet weights and photographs, rounding the weights alone to
 * bf16 changes pooled features by 7 % in the root mean square (f32: 3e-6), PyTorch's autocast by
 * 10 %. The network is so small that reading the pictures takes longer.
 */
#include <stdio.h>

#include "vision/cnn/cnn.h"

enum { FEATURES = 19, LAST = FEATURES - 1, NAME_LENGTH = 96 };

static const un_backbone_class g_class = {.name = "mobilenetv2",
                                          .destroy = un_cnn_destroy,
                                          .grid = un_cnn_grid,
                                          .forward = un_cnn_forward_square,
                                          .flops = un_cnn_flops,
                                          .way = un_cnn_way};

static size_t stride_of(size_t feature) {
    return feature == 0 || feature == 2 || feature == 4 || feature == 7 || feature == 14 ? 2 : 1;
}

/* features.<feature>.<conv> with its norm features.<feature>.<norm>. */
static un_status add(un_cnn *cnn, const un_safetensors *file, size_t feature, const char *conv,
                     const char *norm, un_cnn_conv spec, size_t *channels) {
    char conv_name[NAME_LENGTH], norm_name[NAME_LENGTH];
    snprintf(conv_name, sizeof conv_name, "features.%zu.%s", feature, conv);
    snprintf(norm_name, sizeof norm_name, "features.%zu.%s", feature, norm);
    spec.conv = conv_name;
    spec.norm = norm_name;
    return un_cnn_add_conv(cnn, file, &spec, channels);
}

/* First and last: an ordinary convolution. */
static un_status add_plain(un_cnn *cnn, const un_safetensors *file, size_t feature, size_t kernel,
                           size_t *channels) {
    return add(cnn, file, feature, "0", "1",
               (un_cnn_conv){.in = *channels,
                             .kernel = kernel,
                             .stride = stride_of(feature),
                             .activation = UN_CONV_RELU6,
                             .input = feature == 0 ? UN_CNN_INPUT : cnn->count - 1,
                             .residual = UN_CNN_NONE},
               channels);
}

/* Inverted residual: 1 x 1 expansion (not in the first block), depthwise 3 x 3, 1 x 1 projection
 * without activation. */
static un_status add_block(un_cnn *cnn, const un_safetensors *file, size_t feature,
                           size_t *channels) {
    size_t x = cnn->count - 1, in = *channels, wide = in, out = 0;
    int expands = feature > 1;
    if (expands)
        UN_TRY(add(cnn, file, feature, "conv.0.0", "conv.0.1",
                   (un_cnn_conv){.in = in,
                                 .kernel = 1,
                                 .stride = 1,
                                 .activation = UN_CONV_RELU6,
                                 .input = x,
                                 .residual = UN_CNN_NONE},
                   &wide));
    UN_TRY(add(cnn, file, feature, expands ? "conv.1.0" : "conv.0.0",
               expands ? "conv.1.1" : "conv.0.1",
               (un_cnn_conv){.in = wide,
                             .out = wide,
                             .kernel = 3,
                             .stride = stride_of(feature),
                             .depthwise = 1,
                             .activation = UN_CONV_RELU6,
                             .input = cnn->count - 1,
                             .residual = UN_CNN_NONE},
               &wide));
    const char *conv = expands ? "conv.2" : "conv.1", *norm = expands ? "conv.3" : "conv.2";
    char name[NAME_LENGTH];
    const size_t shape[] = {UN_ANY_EXTENT, wide, 1, 1};
    const un_st_entry *entry = NULL;
    snprintf(name, sizeof name, "features.%zu.%s.weight", feature, conv);
    UN_TRY(un_backbone_find(file, name, 4, shape, &entry));
    out = entry->tensor.shape[0];
    return add(cnn, file, feature, conv, norm,
               (un_cnn_conv){.in = wide,
                             .out = out,
                             .kernel = 1,
                             .stride = 1,
                             .input = cnn->count - 1,
                             .residual = stride_of(feature) == 1 && in == out ? x : UN_CNN_NONE},
               channels);
}

static un_status add_features(un_cnn *cnn, const un_safetensors *file) {
    size_t channels = 3;
    for (size_t f = 0; f < FEATURES; f++) {
        if (f == 0 || f == LAST)
            UN_TRY(add_plain(cnn, file, f, f == 0 ? 3 : 1, &channels));
        else
            UN_TRY(add_block(cnn, file, f, &channels));
        UN_TRY(un_cnn_name(cnn, "features.%zu", f));
    }
    return un_cnn_finish(cnn, channels);
}

un_status un_mobilenet_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    un_cnn *cnn = NULL;
    size_t found = un_cnn_block_count(file, "features.");
    if (found > FEATURES)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: features.%zu: a MobileNetV2 has features 0 to %d; another network?",
                       file->path, found - 1, LAST);
    if (precision == UN_PRECISION_AUTO) precision = UN_PRECISION_F32;
    UN_TRY(un_cnn_create(file, precision, &g_class, 3 * (size_t)FEATURES, &cnn));
    snprintf(cnn->base.architecture, sizeof cnn->base.architecture, "mobilenet_v2");
    un_status status = add_features(cnn, file);
    if (status)
        un_cnn_destroy(&cnn->base);
    else
        *out = &cnn->base;
    return status;
}
