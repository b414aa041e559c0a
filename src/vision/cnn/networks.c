/*
 * networks.c - which layers the networks have, from torchvision's tensors: ResNet with bottleneck
 * blocks, MobileNetV2.
 */
#include <stdio.h>
#include <string.h>

#include "vision/cnn/cnn.h"

/* ---- ResNet (He et al. 2016), with the stride on the 3 x 3 convolution. The number of blocks and
 * all channels are read from the file, so wide networks are taken as well; "fc" and
 * "num_batches_tracked" are not needed. ---- */

enum { STAGES = 4, BLOCK_LENGTH = 48, RESNET_NAME = 96 };

static const un_backbone_class resnet_g_class = {.name = "resnet",
                                                 .destroy = un_cnn_destroy,
                                                 .grid = un_cnn_grid,
                                                 .forward = un_cnn_forward_square,
                                                 .flops = un_cnn_flops,
                                                 .way = un_cnn_way};

typedef struct {
    un_cnn *cnn;
    const un_safetensors *file;
    size_t channels; /* of the last block's output */
} builder;

/* One convolution with batch norm; the names are <block>.<conv> and <block>.<norm>. */
static un_status resnet_add(builder *b, const char *block, const char *conv, const char *norm,
                            un_cnn_conv spec, size_t *channels) {
    char conv_name[RESNET_NAME], norm_name[RESNET_NAME];
    snprintf(conv_name, sizeof conv_name, "%s%s", block, conv);
    snprintf(norm_name, sizeof norm_name, "%s%s", block, norm);
    spec.conv = conv_name;
    spec.norm = norm_name;
    return un_cnn_add_conv(b->cnn, b->file, &spec, channels);
}

/* relu(conv3(relu(conv2(relu(conv1(x))))) + x), or with x through the projection. */
static un_status resnet_add_block(builder *b, const char *block, size_t stride, int project) {
    size_t x = b->cnn->count - 1, shortcut = x, in = b->channels, middle = 0, inner = 0, out = 0;
    if (project) {
        UN_TRY(resnet_add(
            b, block, "downsample.0", "downsample.1",
            (un_cnn_conv){
                .in = in, .kernel = 1, .stride = stride, .input = x, .residual = UN_CNN_NONE},
            &out));
        shortcut = b->cnn->count - 1;
    } else {
        out = in;
    }
    UN_TRY(resnet_add(b, block, "conv1", "bn1",
                      (un_cnn_conv){.in = in,
                                    .kernel = 1,
                                    .stride = 1,
                                    .activation = UN_CONV_RELU,
                                    .input = x,
                                    .residual = UN_CNN_NONE},
                      &middle));
    UN_TRY(resnet_add(b, block, "conv2", "bn2",
                      (un_cnn_conv){.in = middle,
                                    .kernel = 3,
                                    .stride = stride,
                                    .activation = UN_CONV_RELU,
                                    .input = b->cnn->count - 1,
                                    .residual = UN_CNN_NONE},
                      &inner));
    return resnet_add(b, block, "conv3", "bn3",
                      (un_cnn_conv){.in = inner,
                                    .out = out,
                                    .kernel = 1,
                                    .stride = 1,
                                    .activation = UN_CONV_RELU,
                                    .input = b->cnn->count - 1,
                                    .residual = shortcut},
                      &b->channels);
}

static un_status add_stem(builder *b) {
    UN_TRY(resnet_add(b, "", "conv1", "bn1",
                      (un_cnn_conv){.in = 3,
                                    .kernel = 7,
                                    .stride = 2,
                                    .activation = UN_CONV_RELU,
                                    .input = UN_CNN_INPUT,
                                    .residual = UN_CNN_NONE},
                      &b->channels));
    UN_TRY(un_cnn_add_max_pool(b->cnn, 0, 3, 2));
    return un_cnn_name(b->cnn, "stem");
}

static un_status add_stages(builder *b, const size_t *blocks) {
    for (size_t s = 0; s < STAGES; s++) {
        for (size_t j = 0; j < blocks[s]; j++) {
            char block[BLOCK_LENGTH], projection[RESNET_NAME];
            snprintf(block, sizeof block, "layer%zu.%zu.", s + 1, j);
            snprintf(projection, sizeof projection, "%sdownsample.0.weight", block);
            /* The first of a stage always has it: its shape changes. */
            int project = j == 0 || un_safetensors_find(b->file, projection) != NULL;
            UN_TRY(resnet_add_block(b, block, s > 0 && j == 0 ? 2 : 1, project));
        }
        UN_TRY(un_cnn_name(b->cnn, "layer%zu", s + 1));
    }
    return UNSEEN_OK;
}

static const char *architecture(const size_t *blocks) {
    static const struct {
        size_t blocks[STAGES];
        const char *name;
    } known[] = {
        {{3, 4, 6, 3}, "resnet50"}, {{3, 4, 23, 3}, "resnet101"}, {{3, 8, 36, 3}, "resnet152"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!memcmp(known[i].blocks, blocks, sizeof known[i].blocks)) return known[i].name;
    return "resnet";
}

un_status un_resnet_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    size_t blocks[STAGES], layers = 2;
    for (size_t s = 0; s < STAGES; s++) {
        char prefix[RESNET_NAME];
        snprintf(prefix, sizeof prefix, "layer%zu.", s + 1);
        blocks[s] = un_cnn_block_count(file, prefix);
        if (blocks[s] == 0) blocks[s] = 1; /* to be missed by name */
        layers += 4 * blocks[s];
    }
    builder b = {.file = file};
    UN_TRY(un_cnn_create(file, precision, &resnet_g_class, layers, &b.cnn));
    snprintf(b.cnn->base.architecture, sizeof b.cnn->base.architecture, "%s", architecture(blocks));
    un_status status = add_stem(&b);
    if (!status) status = add_stages(&b, blocks);
    if (!status) status = un_cnn_finish(b.cnn, b.channels);
    if (status)
        un_cnn_destroy(&b.cnn->base);
    else
        *out = &b.cnn->base;
    return status;
}

/* ---- MobileNetV2 (Sandler et al. 2018) of any width from torchvision's tensors.
 * Blocks 2, 4, 7 and 14 halve the picture, as does the first convolution. A block has a shortcut
 * where its stride is 1 and its channels stay the same; "classifier" is not needed.
 *
 * Precision "auto" is f32 here. Depthwise filters have nine weights, so what rounding does to
 * them does not average out: with ImageNet weights and photographs, rounding the weights alone to
 * bf16 changes pooled features by 7 % in the root mean square (f32: 3e-6), PyTorch's autocast by
 * 10 %. The network is so small that reading the pictures takes longer. ---- */

enum { FEATURES = 19, LAST = FEATURES - 1, MOBILENET_NAME = 96 };

static const un_backbone_class mobilenet_g_class = {.name = "mobilenetv2",
                                                    .destroy = un_cnn_destroy,
                                                    .grid = un_cnn_grid,
                                                    .forward = un_cnn_forward_square,
                                                    .flops = un_cnn_flops,
                                                    .way = un_cnn_way};

static size_t stride_of(size_t feature) {
    return feature == 0 || feature == 2 || feature == 4 || feature == 7 || feature == 14 ? 2 : 1;
}

/* features.<feature>.<conv> with its norm features.<feature>.<norm>. */
static un_status mobilenet_add(un_cnn *cnn, const un_safetensors *file, size_t feature,
                               const char *conv, const char *norm, un_cnn_conv spec,
                               size_t *channels) {
    char conv_name[MOBILENET_NAME], norm_name[MOBILENET_NAME];
    snprintf(conv_name, sizeof conv_name, "features.%zu.%s", feature, conv);
    snprintf(norm_name, sizeof norm_name, "features.%zu.%s", feature, norm);
    spec.conv = conv_name;
    spec.norm = norm_name;
    return un_cnn_add_conv(cnn, file, &spec, channels);
}

/* First and last: an ordinary convolution. */
static un_status add_plain(un_cnn *cnn, const un_safetensors *file, size_t feature, size_t kernel,
                           size_t *channels) {
    return mobilenet_add(cnn, file, feature, "0", "1",
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
static un_status mobilenet_add_block(un_cnn *cnn, const un_safetensors *file, size_t feature,
                                     size_t *channels) {
    size_t x = cnn->count - 1, in = *channels, wide = in, out = 0;
    int expands = feature > 1;
    if (expands)
        UN_TRY(mobilenet_add(cnn, file, feature, "conv.0.0", "conv.0.1",
                             (un_cnn_conv){.in = in,
                                           .kernel = 1,
                                           .stride = 1,
                                           .activation = UN_CONV_RELU6,
                                           .input = x,
                                           .residual = UN_CNN_NONE},
                             &wide));
    UN_TRY(mobilenet_add(cnn, file, feature, expands ? "conv.1.0" : "conv.0.0",
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
    char name[MOBILENET_NAME];
    const size_t shape[] = {UN_ANY_EXTENT, wide, 1, 1};
    const un_st_entry *entry = NULL;
    snprintf(name, sizeof name, "features.%zu.%s.weight", feature, conv);
    UN_TRY(un_cnn_find_tensor(file, name, 4, shape, &entry));
    out = entry->tensor.shape[0];
    return mobilenet_add(
        cnn, file, feature, conv, norm,
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
            UN_TRY(mobilenet_add_block(cnn, file, f, &channels));
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
    UN_TRY(un_cnn_create(file, precision, &mobilenet_g_class, 3 * (size_t)FEATURES, &cnn));
    snprintf(cnn->base.architecture, sizeof cnn->base.architecture, "mobilenet_v2");
    un_status status = add_features(cnn, file);
    if (status)
        un_cnn_destroy(&cnn->base);
    else
        *out = &cnn->base;
    return status;
}
