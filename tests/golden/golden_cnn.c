/*
 * golden_cnn.c - convolutional networks against golden data, through the file's own names: the
 * golden file is opened as a weights file.
 *
 * bf16 has a unit roundoff of u = 2^-8, and rounding an arbitrary number to it has a relative error
 * of 0.41 u in the mean square (2 u / sqrt(12), times the mean of 1 / m for mantissas m in [1, 2)).
 * A convolution reads activations and weights that were each rounded once, independently: so each
 * adds sqrt(2) 0.41 u, relative to the root mean square of its output, and L of them in a row
 * sqrt(2 L) 0.41 u. The largest of a tensor's errors is compared, four to five standard deviations
 * among 10^3 to 10^5 values, with the largest value, which is not below the root mean square. Hence
 * 5 sqrt(2 L) 0.41 u, with L counted up to the block; a convolution that may be done by Winograd's
 * algorithm counts for 25 / 9 (tensor/conv.h).
 */
#include "golden_cnn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tensor/conv.h"
#include "vision/cnn/cnn.h"

enum { NAME_LENGTH = 128, MAX_TAPS = 8 };

typedef struct {
    golden *g;
    un_cnn *cnn;
    size_t n, h, w;      /* of in.image */
    const float *images; /* (n, h, w, 3) */
} scene;

/* (n, c, h, w) from (n, h, w, c). */
static un_status channels_first(scene *s, const float *in, const un_feature_map *map, float **out) {
    size_t area = map->h * map->w;
    UN_TRY(un_arena_alloc(&s->g->arena, s->n * area * map->c, sizeof **out, out));
    for (size_t i = 0; i < s->n; i++)
        for (size_t r = 0; r < area; r++)
            for (size_t c = 0; c < map->c; c++)
                (*out)[(i * map->c + c) * area + r] = in[(i * area + r) * map->c + c];
    return UNSEEN_OK;
}

static un_status load_images(scene *s) {
    float *raw = NULL, *out = NULL;
    size_t channels = 0;
    UN_TRY(golden_dimension(s->g, "in.image", 4, 0, &s->n));
    UN_TRY(golden_dimension(s->g, "in.image", 4, 1, &channels));
    UN_TRY(golden_dimension(s->g, "in.image", 4, 2, &s->h));
    UN_TRY(golden_dimension(s->g, "in.image", 4, 3, &s->w));
    if (channels != 3)
        return un_fail(UNSEEN_E_FORMAT, "%s: in.image has not 3 channels", s->g->file->path);
    size_t area = s->h * s->w;
    UN_TRY(golden_f32(s->g, "in.image", s->n * 3 * area, &raw));
    UN_TRY(un_arena_alloc(&s->g->arena, s->n * 3 * area, sizeof *out, &out));
    for (size_t i = 0; i < s->n; i++)
        for (size_t r = 0; r < area; r++)
            for (size_t c = 0; c < 3; c++)
                out[(i * area + r) * 3 + c] = raw[(i * 3 + c) * area + r];
    s->images = out;
    return UNSEEN_OK;
}

/* 2e-5 in f32; in bf16 as derived above, for the convolutions up to `block`. */
static double tolerance(const scene *s, const char *block) {
    double convolutions = 0;
    if (s->cnn->type == UN_F32) return GOLDEN_OUTPUT;
    for (size_t i = 0; i < s->cnn->count; i++) {
        const char *name = s->cnn->layers[i].name;
        const un_conv *conv = s->cnn->layers[i].conv;
        if (conv) convolutions += un_winograd_fits(un_conv_spec_of(conv)) ? 25.0 / 9 : 1;
        if (block && name && !strcmp(name, block)) break;
    }
    return 5 * sqrt(2 * convolutions) * 0.41 * 0x1p-8;
}

static un_status compare_blocks(scene *s, const golden_block *blocks, const un_cnn_tap *taps,
                                size_t count) {
    for (size_t i = 0; i < count; i++) {
        un_feature_map map;
        float *turned = NULL;
        UN_TRY(un_cnn_shape(s->cnn, blocks[i].block, s->h, s->w, &map));
        UN_TRY(channels_first(s, taps[i].out, &map, &turned));
        UN_TRY(golden_compare_f32(s->g, blocks[i].reference, turned, s->n * map.h * map.w * map.c,
                                  tolerance(s, blocks[i].block)));
    }
    return UNSEEN_OK;
}

static un_status compare_logits(scene *s, const float *pooled, const char *head) {
    char name[NAME_LENGTH];
    size_t classes = 0, width = s->cnn->base.width;
    float *weight = NULL, *bias = NULL, *logits = NULL;
    snprintf(name, sizeof name, "%s.weight", head);
    UN_TRY(golden_dimension(s->g, name, 2, 0, &classes));
    UN_TRY(golden_f32(s->g, name, classes * width, &weight));
    snprintf(name, sizeof name, "%s.bias", head);
    UN_TRY(golden_f32(s->g, name, classes, &bias));
    UN_TRY(un_arena_alloc(&s->g->arena, s->n * classes, sizeof *logits, &logits));
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < classes; k++) {
            double sum = (double)bias[k];
            for (size_t c = 0; c < width; c++)
                sum += (double)weight[k * width + c] * (double)pooled[i * width + c];
            logits[i * classes + k] = (float)sum;
        }
    return golden_compare_f32(s->g, "out.logits", logits, s->n * classes, tolerance(s, NULL));
}

/* The forward pass and all comparisons. */
static un_status compare(scene *s, const golden_block *blocks, size_t count, const char *head) {
    golden *g = s->g;
    un_cnn_tap taps[MAX_TAPS];
    un_feature_map last;
    float *regions = NULL, *pooled = NULL;
    UN_TRY(un_cnn_shape(s->cnn, NULL, s->h, s->w, &last));
    size_t values = s->n * last.h * last.w * last.c;
    UN_TRY(un_arena_alloc(&g->arena, values, sizeof *regions, &regions));
    UN_TRY(un_arena_alloc(&g->arena, s->n * last.c, sizeof *pooled, &pooled));
    for (size_t i = 0; i < count; i++) {
        un_feature_map map;
        taps[i] = (un_cnn_tap){.name = blocks[i].block};
        UN_TRY(un_cnn_shape(s->cnn, blocks[i].block, s->h, s->w, &map));
        UN_TRY(
            un_arena_alloc(&g->arena, s->n * map.h * map.w * map.c, sizeof(float), &taps[i].out));
    }
    UN_TRY(un_cnn_forward(s->cnn, s->images, s->n, s->h, s->w, regions, pooled, taps, count));
    UN_TRY(compare_blocks(s, blocks, taps, count));
    float *turned = NULL;
    UN_TRY(channels_first(s, regions, &last, &turned));
    UN_TRY(golden_compare_f32(g, "out.feature_map", turned, values, tolerance(s, NULL)));
    UN_TRY(golden_compare_f32(g, "out.pooled", pooled, s->n * last.c, tolerance(s, NULL)));
    return compare_logits(s, pooled, head);
}

un_status golden_check_cnn(golden *g, golden_opener open, const golden_block *blocks, size_t count,
                           const char *head) {
    golden_block present[MAX_TAPS];
    size_t n = 0;
    scene s = {.g = g};
    for (size_t i = 0; i < count && n < MAX_TAPS; i++)
        if (un_safetensors_find(g->file, blocks[i].reference)) present[n++] = blocks[i];
    if (n == 0) return un_fail(UNSEEN_E_FORMAT, "%s: no block's output to compare", g->file->path);
    UN_TRY(load_images(&s));
    un_backbone *backbone = NULL;
    /* Not un_backbone_open: the inputs and outputs beside the weights are no network's. */
    UN_TRY(open(g->file, golden_precision(g), &backbone));
    s.cnn = (un_cnn *)backbone;
    un_status status = compare(&s, present, n, head);
    un_backbone_close(backbone);
    return status;
}
