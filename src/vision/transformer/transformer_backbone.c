/*
 * transformer_backbone.c - the transformers for pictures as feature extractors. Of a
 * vision transformer the states of the patches after the last normalisation are the
 * regions and that of CLS is the pooled feature, of a Swin transformer the states of the
 * last map and their mean. See vit.h and swin.h for the networks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vision/backbone.h"
#include "vision/transformer/swin.h"
#include "vision/transformer/vit.h"

typedef struct network network;

typedef struct {
    un_backbone base;
    const network *network;
    un_params params;
    union {
        struct {
            un_vit network;
            un_vit_pass pass;
        } vit;
        struct {
            un_swin network;
            un_swin_pass pass;
        } swin;
    } of;
} transformer;

/* What differs from one kind of transformer to another. */
struct network {
    un_backbone_class class;
    size_t chunk; /* pictures at a time: enough rows for the products, little memory */
    /* Sizes of the file's network into the head and the pieces of the parameter set. */
    un_status (*declare)(transformer *t, const un_safetensors *file);
    /* The pieces from the file, and room for a pass. */
    un_status (*load)(transformer *t, const un_safetensors *file, un_dtype type);
    void (*free)(transformer *t);
    un_status (*side)(const transformer *t, size_t size, size_t *side); /* of the grid of regions */
    /* States of n pictures: of each some `leading` ones, the first the pooled feature, then those
     * of the regions. */
    un_status (*forward)(transformer *t, const float *pictures, size_t n, size_t size,
                         size_t *leading, const float **states);
};

/* ---- the vision transformer ---- */

/* "vit_b_16", "deit_s_16"; sizes that have no letter are written out: "vit_96x3_8". */
static void name_vit(const un_vit_config *c, char *out, size_t size) {
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
static void vit_recipe(const un_vit_config *c, un_recipe *out) {
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

static un_status vit_declare(transformer *t, const un_safetensors *file) {
    un_vit_config config;
    UN_TRY(un_vit_config_read(file, &config));
    t->base.width = config.width;
    name_vit(&config, t->base.architecture, sizeof t->base.architecture);
    vit_recipe(&config, &t->base.recipe);
    return un_vit_declare(&t->of.vit.network, &t->params, "", &config);
}

static un_status vit_load(transformer *t, const un_safetensors *file, un_dtype type) {
    UN_TRY(un_vit_load(&t->of.vit.network, &t->params, file));
    return un_vit_pass_create(&t->of.vit.pass, &t->of.vit.network, type, 0, 0);
}

static void vit_free(transformer *t) {
    un_vit_pass_free(&t->of.vit.pass);
    un_vit_free(&t->of.vit.network);
}

static un_status vit_side(const transformer *t, size_t size, size_t *side) {
    return un_vit_grid(&t->of.vit.network, size, side);
}

static un_status vit_forward(transformer *t, const float *pictures, size_t n, size_t size,
                             size_t *leading, const float **states) {
    *leading = un_vit_tokens(&t->of.vit.network, 0);
    return un_vit_forward(&t->of.vit.pass, &t->params, pictures, n, size, NULL, states);
}

static double vit_flops(const un_backbone *backbone, size_t size) {
    const un_vit *vit = &((const transformer *)backbone)->of.vit.network;
    return un_vit_flops(vit, size / vit->config.patch);
}

/* ---- the Swin transformer ---- */

/* The published sizes: depths 2, 2, `third`, 2. `resize` is torchvision's. */
static const struct {
    size_t width, third, resize;
    const char *letter;
} g_swins[] = {{96, 6, 232, "t"}, {96, 18, 246, "s"}, {128, 18, 238, "b"}, {192, 18, 256, "l"}};

enum { SWINS = sizeof g_swins / sizeof *g_swins };

/* Index among the published sizes, or SWINS. */
static size_t find_swin(const un_swin_config *c) {
    size_t i = 0;
    if (c->stages != 4 || c->depth[0] != 2 || c->depth[1] != 2 || c->depth[3] != 2) return SWINS;
    while (i < SWINS && (g_swins[i].width != c->width || g_swins[i].third != c->depth[2])) i++;
    return i;
}

/* "swin_b_4_7": patch and window; sizes that have no letter are written out: "swin_32x2-2_4_3". */
static void name_swin(const un_swin_config *c, char *out, size_t size) {
    size_t known = find_swin(c);
    int used = known < SWINS ? snprintf(out, size, "swin_%s", g_swins[known].letter)
                             : snprintf(out, size, "swin_%zu", c->width);
    for (size_t s = 0; s < c->stages && known == SWINS; s++)
        used += snprintf(out + used, size - (size_t)used, s ? "-%zu" : "x%zu", c->depth[s]);
    snprintf(out + used, size - (size_t)used, "_%zu_%zu", c->patch, c->window[0]);
}

/* What the family's pictures are prepared with, at the size that the windows fit. */
static void swin_recipe(const un_swin_config *c, un_recipe *out) {
    size_t known = find_swin(c);
    *out = (un_recipe){.resize = 224,
                       .crop = 224,
                       .square = 1,
                       .interpolation = UN_BICUBIC,
                       .mean = {0.485f, 0.456f, 0.406f},
                       .std = {0.229f, 0.224f, 0.225f}};
    if (c->family == UN_SWIN_TORCHVISION) {
        out->square = 0;
        out->resize = known < SWINS ? g_swins[known].resize : 256;
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

static un_status swin_declare(transformer *t, const un_safetensors *file) {
    un_swin_config config;
    UN_TRY(un_swin_config_read(file, &config));
    t->base.width = un_swin_width(&config);
    name_swin(&config, t->base.architecture, sizeof t->base.architecture);
    swin_recipe(&config, &t->base.recipe);
    UN_TRY(un_swin_declare(&t->of.swin.network, &t->params, "", &config));
    return check_backing(file, &t->params);
}

static un_status swin_load(transformer *t, const un_safetensors *file, un_dtype type) {
    UN_TRY(un_swin_load(&t->of.swin.network, &t->params, file));
    return un_swin_pass_create(&t->of.swin.pass, &t->of.swin.network, type, 0, 0);
}

static void swin_free(transformer *t) {
    un_swin_pass_free(&t->of.swin.pass);
    un_swin_free(&t->of.swin.network);
}

static un_status swin_side(const transformer *t, size_t size, size_t *side) {
    return un_swin_grid(&t->of.swin.network, size, side);
}

static un_status swin_forward(transformer *t, const float *pictures, size_t n, size_t size,
                              size_t *leading, const float **states) {
    *leading = 1;
    return un_swin_forward(&t->of.swin.pass, &t->params, pictures, n, size, NULL, states);
}

static double swin_flops(const un_backbone *backbone, size_t size) {
    return un_swin_flops(&((const transformer *)backbone)->of.swin.network, size);
}

/* ---- either ---- */

static void destroy(un_backbone *backbone) {
    if (!backbone) return;
    transformer *t = (transformer *)backbone;
    t->network->free(t);
    un_params_free(&t->params);
    free(t);
}

static un_status grid(const un_backbone *backbone, size_t size, size_t *height, size_t *width) {
    const transformer *t = (const transformer *)backbone;
    UN_TRY(t->network->side(t, size, height));
    *width = *height;
    return UNSEEN_OK;
}

static un_status forward(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                         float *regions, float *pooled) {
    transformer *t = (transformer *)backbone;
    size_t side = 0, H = t->base.width, chunk = t->network->chunk;
    UN_TRY(t->network->side(t, size, &side));
    size_t N = side * side;
    for (size_t begin = 0; begin < n; begin += chunk) {
        size_t count = n - begin < chunk ? n - begin : chunk, leading = 0;
        const float *states = NULL;
        UN_TRY(t->network->forward(t, pictures + begin * size * size * 3, count, size, &leading,
                                   &states));
        for (size_t i = 0; i < count; i++) {
            const float *of = states + i * (leading + N) * H;
            if (pooled) memcpy(pooled + (begin + i) * H, of, H * sizeof *of);
            if (regions)
                memcpy(regions + (begin + i) * N * H, of + leading * H, N * H * sizeof *of);
        }
    }
    return UNSEEN_OK;
}

static un_status open_transformer(const network *kind, const un_safetensors *file,
                                  un_precision precision, un_backbone **out) {
    transformer *t = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_alloc(1, sizeof *t, &t));
    un_dtype type = un_precision_dtype(precision);
    t->network = kind;
    t->base.class = &kind->class;
    t->base.precision = un_precision_resolve(precision);
    UN_GO(kind->declare(t, file));
    UN_GO(type == UN_BF16 ? un_params_allocate_packed(&t->params)
                          : un_params_allocate(&t->params, 0, 0));
    UN_GO(kind->load(t, file, type));
    *out = &t->base;
done:
    if (status) destroy(&t->base);
    return status;
}

static const network g_vit = {.class = {.name = "vit",
                                        .destroy = destroy,
                                        .grid = grid,
                                        .forward = forward,
                                        .flops = vit_flops},
                              .chunk = 16,
                              .declare = vit_declare,
                              .load = vit_load,
                              .free = vit_free,
                              .side = vit_side,
                              .forward = vit_forward};
static const network g_swin = {.class = {.name = "swin",
                                         .destroy = destroy,
                                         .grid = grid,
                                         .forward = forward,
                                         .flops = swin_flops},
                               .chunk = 8,
                               .declare = swin_declare,
                               .load = swin_load,
                               .free = swin_free,
                               .side = swin_side,
                               .forward = swin_forward};

un_status un_vit_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    return open_transformer(&g_vit, file, precision, out);
}

un_status un_swin_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    return open_transformer(&g_swin, file, precision, out);
}
