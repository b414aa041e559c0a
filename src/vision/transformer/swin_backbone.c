/*
 * swin_backbone.c - the Swin transformer as a feature extractor: the states of the last
 * map after the last normalisation are the regions, their mean is the pooled feature.
 * See swin.h for the network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vision/backbone.h"
#include "vision/transformer/swin.h"

/* Pictures at a time: enough rows for the products of the last stage, little memory. */
enum { CHUNK = 8 };

typedef struct {
    un_backbone base;
    un_params params;
    un_swin swin;
    un_swin_pass pass;
} swin_backbone;

static void swin_destroy(un_backbone *backbone) {
    if (!backbone) return;
    swin_backbone *b = (swin_backbone *)backbone;
    un_swin_pass_free(&b->pass);
    un_swin_free(&b->swin);
    un_params_free(&b->params);
    free(b);
}

static un_status swin_grid(const un_backbone *backbone, size_t size, size_t *height,
                           size_t *width) {
    const swin_backbone *b = (const swin_backbone *)backbone;
    UN_TRY(un_swin_grid(&b->swin, size, height));
    *width = *height;
    return UNSEEN_OK;
}

static double swin_flops(const un_backbone *backbone, size_t size) {
    return un_swin_flops(&((const swin_backbone *)backbone)->swin, size);
}

static un_status swin_forward(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                              float *regions, float *pooled) {
    swin_backbone *b = (swin_backbone *)backbone;
    size_t grid = 0, H = b->base.width;
    UN_TRY(un_swin_grid(&b->swin, size, &grid));
    size_t N = grid * grid;
    for (size_t begin = 0; begin < n; begin += CHUNK) {
        size_t count = n - begin < CHUNK ? n - begin : CHUNK;
        const float *states = NULL;
        UN_TRY(un_swin_forward(&b->pass, &b->params, pictures + begin * size * size * 3, count,
                               size, NULL, &states));
        for (size_t i = 0; i < count; i++) {
            const float *of = states + i * (N + 1) * H;
            if (pooled) memcpy(pooled + (begin + i) * H, of, H * sizeof *of);
            if (regions) memcpy(regions + (begin + i) * N * H, of + H, N * H * sizeof *of);
        }
    }
    return UNSEEN_OK;
}

static const un_backbone_class g_class = {.name = "swin",
                                          .destroy = swin_destroy,
                                          .grid = swin_grid,
                                          .forward = swin_forward,
                                          .flops = swin_flops};

/* The published sizes: depths 2, 2, `third`, 2. `resize` is torchvision's. */
static const struct {
    size_t width, third, resize;
    const char *letter;
} g_known[] = {{96, 6, 232, "t"}, {96, 18, 246, "s"}, {128, 18, 238, "b"}, {192, 18, 256, "l"}};

enum { KNOWN = sizeof g_known / sizeof *g_known };

/* Index among the published sizes, or KNOWN. */
static size_t find_known(const un_swin_config *c) {
    size_t i = 0;
    if (c->stages != 4 || c->depth[0] != 2 || c->depth[1] != 2 || c->depth[3] != 2) return KNOWN;
    while (i < KNOWN && (g_known[i].width != c->width || g_known[i].third != c->depth[2])) i++;
    return i;
}

/* "swin_b_4_7": patch and window; sizes that have no letter are written out: "swin_32x2-2_4_3". */
static void name_architecture(const un_swin_config *c, char *out, size_t size) {
    size_t known = find_known(c);
    int used = known < KNOWN ? snprintf(out, size, "swin_%s", g_known[known].letter)
                             : snprintf(out, size, "swin_%zu", c->width);
    for (size_t s = 0; s < c->stages && known == KNOWN; s++)
        used += snprintf(out + used, size - (size_t)used, s ? "-%zu" : "x%zu", c->depth[s]);
    snprintf(out + used, size - (size_t)used, "_%zu_%zu", c->patch, c->window[0]);
}

/* What the family's pictures are prepared with, at the size that the windows fit. */
static void usual_recipe(const un_swin_config *c, un_recipe *out) {
    size_t known = find_known(c);
    *out = (un_recipe){.resize = 224,
                       .crop = 224,
                       .square = 1,
                       .interpolation = UN_BICUBIC,
                       .mean = {0.485f, 0.456f, 0.406f},
                       .std = {0.229f, 0.224f, 0.225f}};
    if (c->family == UN_SWIN_TORCHVISION) {
        out->square = 0;
        out->resize = known < KNOWN ? g_known[known].resize : 256;
    }
    enum { LARGEST = 2048 }; /* no one's usual picture, but a file may say so */
    if (c->image != out->crop && c->image <= LARGEST) {
        out->resize = out->resize * c->image / out->crop;
        out->crop = c->image;
    }
}

/* Sizes that the file does not back are refused before memory is taken for them. */
static un_status check_backing(const un_safetensors *file, const un_params *params) {
    size_t there = 0, declared = 0;
    for (size_t i = 0; i < file->count; i++) there += un_tensor_count(&file->entries[i].tensor);
    for (size_t i = 0; i < params->count && declared <= there; i++)
        declared += params->item[i].count;
    if (declared <= there) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: the shapes contradict each other: they tell of a Swin transformer that "
                   "has more than the file's %zu numbers",
                   file->path, there);
}

un_status un_swin_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    swin_backbone *b = NULL;
    un_swin_config config;
    un_status status = UNSEEN_OK;
    UN_TRY(un_swin_config_read(file, &config));
    UN_TRY(un_alloc(1, sizeof *b, &b));
    un_dtype type = un_precision_dtype(precision);
    b->base.class = &g_class;
    b->base.width = un_swin_width(&config);
    b->base.precision = un_precision_resolve(precision);
    name_architecture(&config, b->base.architecture, sizeof b->base.architecture);
    usual_recipe(&config, &b->base.recipe);
    UN_GO(un_swin_declare(&b->swin, &b->params, "", &config));
    UN_GO(check_backing(file, &b->params));
    UN_GO(un_params_allocate(&b->params, 0, type == UN_BF16));
    UN_GO(un_swin_load(&b->swin, &b->params, file));
    un_params_refresh(&b->params);
    UN_GO(un_swin_pass_create(&b->pass, &b->swin, type, 0, 0));
    *out = &b->base;
done:
    if (status) swin_destroy(&b->base);
    return status;
}
