/*
 * vit_backbone.c - the vision transformer as a feature extractor: the states of the
 * patches after the last normalisation are the regions, that of CLS is the pooled
 * feature. See vit.h for the network.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vision/backbone.h"
#include "vision/transformer/vit.h"

/* Pictures at a time: enough rows for the products, little memory. */
enum { CHUNK = 16 };

typedef struct {
    un_backbone base;
    un_params params;
    un_vit vit;
    un_vit_pass pass;
} vit_backbone;

static void vit_destroy(un_backbone *backbone) {
    if (!backbone) return;
    vit_backbone *b = (vit_backbone *)backbone;
    un_vit_pass_free(&b->pass);
    un_vit_free(&b->vit);
    un_params_free(&b->params);
    free(b);
}

static un_status vit_grid(const un_backbone *backbone, size_t size, size_t *height, size_t *width) {
    const vit_backbone *b = (const vit_backbone *)backbone;
    UN_TRY(un_vit_grid(&b->vit, size, height));
    *width = *height;
    return UNSEEN_OK;
}

static double vit_flops(const un_backbone *backbone, size_t size) {
    const vit_backbone *b = (const vit_backbone *)backbone;
    return un_vit_flops(&b->vit, size / b->vit.config.patch);
}

static un_status vit_forward(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                             float *regions, float *pooled) {
    vit_backbone *b = (vit_backbone *)backbone;
    size_t grid = 0, H = b->vit.config.width;
    UN_TRY(un_vit_grid(&b->vit, size, &grid));
    size_t N = grid * grid, T = un_vit_tokens(&b->vit, grid);
    for (size_t begin = 0; begin < n; begin += CHUNK) {
        size_t count = n - begin < CHUNK ? n - begin : CHUNK;
        const float *states = NULL;
        UN_TRY(un_vit_forward(&b->pass, &b->params, pictures + begin * size * size * 3, count, size,
                              NULL, &states));
        for (size_t i = 0; i < count; i++) {
            const float *of = states + i * T * H;
            if (pooled) memcpy(pooled + (begin + i) * H, of, H * sizeof *of);
            if (regions)
                memcpy(regions + (begin + i) * N * H, of + (T - N) * H, N * H * sizeof *of);
        }
    }
    return UNSEEN_OK;
}

static const un_backbone_class g_class = {.name = "vit",
                                          .destroy = vit_destroy,
                                          .grid = vit_grid,
                                          .forward = vit_forward,
                                          .flops = vit_flops};

/* "vit_b_16", "deit_s_16"; sizes that have no letter are written out: "vit_96x3_8". */
static void name_architecture(const un_vit_config *c, char *out, size_t size) {
    static const struct {
        size_t width, layers;
        const char *letter;
    } known[] = {{192, 12, "ti"}, {384, 12, "s"}, {768, 12, "b"}, {1024, 24, "l"}, {1280, 32, "h"}};
    const char *family = c->family == UN_VIT_DEIT ? "deit" : "vit";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].width != c->width || known[i].layers != c->layers) continue;
        snprintf(out, size, "%s_%s_%zu", family, known[i].letter, c->patch);
        return;
    }
    snprintf(out, size, "%s_%zux%zu_%zu", family, c->width, c->layers, c->patch);
}

/* What the family's pictures are prepared with, at the size that the positions are for. */
static void usual_recipe(const un_vit_config *c, un_recipe *out) {
    static const un_recipe usual[] = {
        [UN_VIT_HUGGING_FACE] = {.resize = 224,
                                 .crop = 224,
                                 .square = 1,
                                 .interpolation = UN_BILINEAR,
                                 .mean = {0.5f, 0.5f, 0.5f},
                                 .std = {0.5f, 0.5f, 0.5f}},
        [UN_VIT_DEIT] = {.resize = 256,
                         .crop = 224,
                         .square = 1,
                         .interpolation = UN_BICUBIC,
                         .mean = {0.485f, 0.456f, 0.406f},
                         .std = {0.229f, 0.224f, 0.225f}},
        [UN_VIT_TORCHVISION] = {.resize = 256,
                                .crop = 224,
                                .square = 0,
                                .interpolation = UN_BILINEAR,
                                .mean = {0.485f, 0.456f, 0.406f},
                                .std = {0.229f, 0.224f, 0.225f}},
    };
    *out = usual[c->family];
    if (c->image != out->crop) {
        out->resize = out->resize * c->image / out->crop;
        out->crop = c->image;
    }
}

un_status un_vit_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    vit_backbone *b = NULL;
    un_vit_config config;
    un_status status = UNSEEN_OK;
    UN_TRY(un_vit_config_read(file, &config));
    UN_TRY(un_alloc(1, sizeof *b, &b));
    un_dtype type = un_precision_dtype(precision);
    b->base.class = &g_class;
    b->base.width = config.width;
    b->base.precision = un_precision_resolve(precision);
    name_architecture(&config, b->base.architecture, sizeof b->base.architecture);
    usual_recipe(&config, &b->base.recipe);
    UN_GO(un_vit_declare(&b->vit, &b->params, "", &config));
    UN_GO(un_params_allocate(&b->params, 0, type == UN_BF16));
    UN_GO(un_vit_load(&b->vit, &b->params, file));
    un_params_refresh(&b->params);
    UN_GO(un_vit_pass_create(&b->pass, &b->vit, type, 0, 0));
    *out = &b->base;
done:
    if (status) vit_destroy(&b->base);
    return status;
}
