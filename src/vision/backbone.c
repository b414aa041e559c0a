/*
 * backbone.c - finds the network that a weights file holds, by its tensors' names; and the
 * backbone that is none, builtin:pixels.
 */
#include "vision/backbone.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "nn/naming.h"
#include "tensor/gemm.h"
#include "tensor/sha256.h"
#include "vision/transformer/swin.h"

/* ---- "builtin:pixels": the picture itself as features, one region a pixel, three values
 * from 0 to 255, for methods that learn their own network from pixels. Whole numbers up to 256 are
 * exact in bf16, so a feature store of that type loses nothing. ---- */

enum { PIXEL_VALUES = 3, PIXEL_SIDE = 1024 };

static void pixels_destroy(un_backbone *backbone) { free(backbone); }

static un_status pixels_grid(const un_backbone *backbone, size_t size, size_t *height,
                             size_t *width) {
    (void)backbone;
    if (size == 0 || size > PIXEL_SIDE)
        return un_fail(UNSEEN_E_ARGUMENT, "pixels are kept of pictures up to %d x %d, not %zu",
                       PIXEL_SIDE, PIXEL_SIDE, size);
    *height = *width = size;
    return UNSEEN_OK;
}

static un_status pixels_forward(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                                float *regions, float *pooled) {
    (void)backbone;
    size_t values = size * size * PIXEL_VALUES;
    /* The recipe's arithmetic is right to a rounding; the levels are whole numbers. */
    for (size_t i = 0; regions && i < n * values; i++) regions[i] = rintf(pictures[i]);
    for (size_t i = 0; pooled && i < n; i++) {
        double sum[PIXEL_VALUES] = {0};
        for (size_t k = 0; k < values; k++)
            sum[k % PIXEL_VALUES] += (double)pictures[i * values + k];
        for (size_t c = 0; c < PIXEL_VALUES; c++)
            pooled[i * PIXEL_VALUES + c] = (float)(sum[c] / (double)(size * size));
    }
    return UNSEEN_OK;
}

static double pixels_flops(const un_backbone *backbone, size_t size) {
    (void)backbone;
    (void)size;
    return 0;
}

static const un_backbone_class g_pixels = {.name = "pixels",
                                           .destroy = pixels_destroy,
                                           .grid = pixels_grid,
                                           .forward = pixels_forward,
                                           .flops = pixels_flops};

un_status un_pixels_open(un_backbone **out) {
    un_backbone *backbone = NULL;
    UN_TRY(un_alloc(1, sizeof *backbone, &backbone));
    *backbone =
        (un_backbone){.class = &g_pixels, .width = PIXEL_VALUES, .precision = UN_PRECISION_F32};
    memcpy(backbone->architecture, "pixels-1", sizeof "pixels-1");
    un_recipe_default(&backbone->recipe);
    for (size_t c = 0; c < PIXEL_VALUES; c++) {
        backbone->recipe.mean[c] = 0;
        backbone->recipe.std[c] = 1.0F / 255; /* its input is 0..255 */
    }
    *out = backbone;
    return UNSEEN_OK;
}

/* ---- tensors of a file ---- */

/* ---- which network ---- */

static int starts(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

typedef struct {
    un_status (*open)(const un_safetensors *file, un_precision precision, un_backbone **out);
    const char *telling; /* how a name goes on behind what the network is wrapped in */
    int strip;           /* the opener wants names without that */
    const char *name;    /* for sentences */
} family;

/* Swin's other names are ViT's or MobileNet's, so it comes first. */
static const family g_families[] = {{un_vit_open, "embeddings.patch_embeddings.", 0, "ViT or DeiT"},
                                    {un_vit_open, "conv_proj.", 0, "ViT"},
                                    {un_resnet_open, "layer1.", 1, "ResNet"},
                                    {un_mobilenet_open, "features.0.", 1, "MobileNetV2"}};
static const family g_swin = {un_swin_open, "", 0, "Swin transformer"};

/* Where `part` begins at a component of the name, else NULL. */
static const char *component(const char *name, const char *part) {
    const char *at = strstr(name, part);
    while (at && at > name && at[-1] != '.') at = strstr(at + 1, part);
    return at;
}

/* One telling name is enough to choose; what is missing is then told by the network itself.
 * *prefix receives what stands in front of the telling part ("module."): to be released. */
static un_status recognise_family(const un_safetensors *file, const family **out, char **prefix) {
    *out = un_swin_recognize(file) ? &g_swin : NULL;
    *prefix = NULL;
    for (size_t i = 0; i < file->count && !*out; i++)
        for (size_t f = 0; f < sizeof g_families / sizeof *g_families && !*out; f++) {
            const char *name = file->entries[i].name;
            const char *at = component(name, g_families[f].telling);
            if (!at) continue;
            *out = &g_families[f];
            UN_TRY(un_format(prefix, "%.*s", (int)(at - name), name));
        }
    return UNSEEN_OK;
}

/* ---- opening ---- */

/* Those that need no file: a path, and how the architecture's name begins. */
static const struct {
    const char *path, *architecture;
    un_status (*open)(un_backbone **out);
} g_builtin[] = {{"builtin:descriptor", "descriptor-", un_descriptor_open},
                 {"builtin:pixels", "pixels-", un_pixels_open}};
enum { BUILTINS = sizeof g_builtin / sizeof *g_builtin };

/* The hash of a file's bytes, by a thread of its own while the network is made of them. */
typedef struct {
    const un_map *map;
    char sha256[65];
    un_status status;
    int started;
    pthread_t thread;
} hashing;

static void *hash_bytes(void *context) {
    hashing *h = context;
    h->status = un_sha256_of(h->map->data, h->map->size, h->sha256);
    return NULL;
}

static void start_hashing(hashing *h) {
    h->started = un_thread_count() > 1 && pthread_create(&h->thread, NULL, hash_bytes, h) == 0;
}

/* A failure's sentence would stay in that thread: this one tries itself. */
static un_status end_hashing(hashing *h, int wanted) {
    if (h->started) pthread_join(h->thread, NULL);
    if (wanted && (!h->started || h->status)) hash_bytes(h);
    h->started = 0;
    return wanted ? h->status : UNSEEN_OK;
}

static un_status open_file(const char *path, un_precision precision, un_backbone **out) {
    un_safetensors file;
    UN_TRY(un_safetensors_load(&file, path));
    un_status status = UNSEEN_OK;
    hashing hash = {.map = &file.map};
    const family *network = NULL;
    char *prefix = NULL;
    UN_GO(recognise_family(&file, &network, &prefix));
    if (!network)
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s: not a known network; expected a ResNet or MobileNetV2 with "
                      "torchvision's tensor names, or a ViT, DeiT or Swin transformer with "
                      "Hugging Face's or torchvision's",
                      path));
    start_hashing(&hash);
    if (network->strip) UN_GO(un_safetensors_strip(&file, prefix));
    UN_GO(network->open(&file, precision, out));
    UN_GO(un_weights_check_taken(&file, network->name, 0));
    (*out)->precision = un_precision_resolve((*out)->precision);
    const char *recipe = un_safetensors_metadata(&file, "preprocess");
    if (recipe) UN_GO(un_recipe_parse(recipe, path, &(*out)->recipe));
    UN_GO(end_hashing(&hash, 1));
    memcpy((*out)->sha256, hash.sha256, sizeof hash.sha256);
done:
    (void)end_hashing(&hash, 0);
    free(prefix);
    un_safetensors_close(&file);
    return status;
}

un_status un_backbone_open(const char *path, un_precision precision, un_backbone **out) {
    *out = NULL;
    un_status (*builtin)(un_backbone **) = NULL;
    for (size_t i = 0; i < BUILTINS; i++)
        if (strcmp(path, g_builtin[i].path) == 0) builtin = g_builtin[i].open;
    un_status status = builtin ? builtin(out) : open_file(path, precision, out);
    if (!status && !(*out)->sha256[0])
        status = un_sha256_of((*out)->architecture, strlen((*out)->architecture), (*out)->sha256);
    if (status) {
        un_backbone_close(*out);
        *out = NULL;
    }
    return status;
}

const char *un_backbone_builtin(const char *architecture) {
    for (size_t i = 0; i < BUILTINS; i++)
        if (starts(architecture, g_builtin[i].architecture)) return g_builtin[i].path;
    return NULL;
}

const char *un_backbone_builtin_path(size_t i) { return i < BUILTINS ? g_builtin[i].path : NULL; }

void un_backbone_close(un_backbone *backbone) {
    if (backbone) backbone->class->destroy(backbone);
}
