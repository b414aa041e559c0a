/*
 * resnet.c - ResNet with bottleneck blocks (He et al. 2016) from torchvision's tensors, with the
 * stride on the 3 x 3 convolution. The number of blocks and all channels are read from the file,
 * so wide networks are taken as well; "fc" and "num_batches_tracked" are not needed.
 */
#include <stdio.h>
#include <string.h>

#include "vision/cnn/cnn.h"

enum { STAGES = 4, BLOCK_LENGTH = 48, NAME_LENGTH = 96 };

static const un_backbone_class g_class = {.name = "resnet",
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
static un_status add(builder *b, const char *block, const char *conv, const char *norm,
                     un_cnn_conv spec, size_t *channels) {
    char conv_name[NAME_LENGTH], norm_name[NAME_LENGTH];
    snprintf(conv_name, sizeof conv_name, "%s%s", block, conv);
    snprintf(norm_name, sizeof norm_name, "%s%s", block, norm);
    spec.conv = conv_name;
    spec.norm = norm_name;
    return un_cnn_add_conv(b->cnn, b->file, &spec, channels);
}

/* relu(conv3(relu(conv2(relu(conv1(x))))) + x), or with x through the projection. */
static un_status add_block(builder *b, const char *block, size_t stride, int project) {
    size_t x = b->cnn->count - 1, shortcut = x, in = b->channels, middle = 0, inner = 0, out = 0;
    if (project) {
        UN_TRY(
            add(b, block, "downsample.0", "downsample.1",
                (un_cnn_conv){
                    .in = in, .kernel = 1, .stride = stride, .input = x, .residual = UN_CNN_NONE},
                &out));
        shortcut = b->cnn->count - 1;
    } else {
        out = in;
    }
    UN_TRY(add(b, block, "conv1", "bn1",
               (un_cnn_conv){.in = in,
                             .kernel = 1,
                             .stride = 1,
                             .activation = UN_CONV_RELU,
                             .input = x,
                             .residual = UN_CNN_NONE},
               &middle));
    UN_TRY(add(b, block, "conv2", "bn2",
               (un_cnn_conv){.in = middle,
                             .kernel = 3,
                             .stride = stride,
                             .activation = UN_CONV_RELU,
                             .input = b->cnn->count - 1,
                             .residual = UN_CNN_NONE},
               &inner));
    return add(b, block, "conv3", "bn3",
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
    UN_TRY(add(b, "", "conv1", "bn1",
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
            char block[BLOCK_LENGTH], projection[NAME_LENGTH];
            snprintf(block, sizeof block, "layer%zu.%zu.", s + 1, j);
            snprintf(projection, sizeof projection, "%sdownsample.0.weight", block);
            /* The first of a stage always has it: its shape changes. */
            int project = j == 0 || un_safetensors_find(b->file, projection) != NULL;
            UN_TRY(add_block(b, block, s > 0 && j == 0 ? 2 : 1, project));
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
        char prefix[NAME_LENGTH];
        snprintf(prefix, sizeof prefix, "layer%zu.", s + 1);
        blocks[s] = un_cnn_block_count(file, prefix);
        if (blocks[s] == 0) blocks[s] = 1; /* to be missed by name */
        layers += 4 * blocks[s];
    }
    builder b = {.file = file};
    UN_TRY(un_cnn_create(file, precision, &g_class, layers, &b.cnn));
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
