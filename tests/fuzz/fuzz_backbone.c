/*
 * fuzz_backbone.c - weights of a backbone: refused, or a picture goes through them. ResNet,
 * MobileNetV2, ViT and Swin, of which the seeds are tiny ones.
 */
#include "fuzz.h"

#include "vision/backbone.h"
#include "vision/transformer/swin.h"
#include "vision/transformer/vit.h"
#include "weights.h"

/* Pictures are S x S; larger maps are left alone. */
enum { S = 32, MOST_VALUES = 1 << 20 };

int fuzz_run_backbone(const uint8_t *data, size_t size) {
    un_backbone *b = NULL;
    size_t h = 0, w = 0;
    const char *path = fuzz_file("w.safetensors", data, size);
    if (!fuzz_taken(un_backbone_open(path, UN_PRECISION_F32, &b))) return 0;
    fuzz_touch_text(b->architecture);
    if (fuzz_taken(b->class->grid(b, S, &h, &w)) && h * w * b->width < MOST_VALUES) {
        float *picture = malloc((size_t)S * S * 3 * sizeof *picture);
        float *regions = malloc((h * w * b->width + 1) * sizeof *regions);
        float *pooled = malloc((b->width + 1) * sizeof *pooled);
        FUZZ_REQUIRE(picture && regions && pooled);
        for (size_t i = 0; i < (size_t)S * S * 3; i++) picture[i] = (float)(i % 13) / 13;
        if (fuzz_taken(b->class->forward(b, picture, 1, S, regions, pooled))) {
            fuzz_touch(regions, h * w * b->width * sizeof *regions);
            fuzz_touch(pooled, b->width * sizeof *pooled);
        }
        free(picture);
        free(regions);
        free(pooled);
    }
    un_backbone_close(b);
    return 1;
}

/* ---- seeds ---- */

enum { MOST_TENSORS = 400, CHANNELS = 2 };

typedef struct {
    fuzz_tensor tensors[MOST_TENSORS];
    size_t count;
} network;

static void add(network *n, const char *block, const char *name, const char *part, int rank,
                const size_t *shape) {
    fuzz_tensor *t = &n->tensors[n->count++];
    FUZZ_REQUIRE(n->count <= MOST_TENSORS);
    *t = (fuzz_tensor){.rank = rank};
    snprintf(t->name, sizeof t->name, "%s%s.%s", block, name, part);
    memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
}

static void add_conv(network *n, const char *block, const char *conv, const char *norm, size_t out,
                     size_t in, size_t kernel) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const size_t shape[] = {out, in, kernel, kernel};
    add(n, block, conv, "weight", 4, shape);
    for (size_t i = 0; i < 4; i++) add(n, block, norm, parts[i], 1, &out);
}

static void seed_resnet(const char *key, const char *value, const char *name) {
    static network n;
    size_t in = CHANNELS;
    n.count = 0;
    add_conv(&n, "", "conv1", "bn1", in, 3, 7);
    for (size_t s = 1; s <= 4; s++) {
        char block[32];
        snprintf(block, sizeof block, "layer%zu.0.", s);
        add_conv(&n, block, "conv1", "bn1", CHANNELS, in, 1);
        add_conv(&n, block, "conv2", "bn2", CHANNELS, CHANNELS, 3);
        add_conv(&n, block, "conv3", "bn3", 2 * CHANNELS, CHANNELS, 1);
        add_conv(&n, block, "downsample.0", "downsample.1", 2 * CHANNELS, in, 1);
        in = 2 * CHANNELS;
    }
    fuzz_seed_tensors(name, n.tensors, n.count, key, value);
}

static void seed_mobilenet(void) {
    static network n;
    size_t in = CHANNELS;
    add_conv(&n, "features.0.", "0", "1", in, 3, 3);
    for (size_t f = 1; f < 18; f++) {
        char block[32];
        size_t wide = f > 1 ? 2 * in : in;
        snprintf(block, sizeof block, "features.%zu.conv.", f);
        if (f > 1) add_conv(&n, block, "0.0", "0.1", wide, in, 1);
        add_conv(&n, block, f > 1 ? "1.0" : "0.0", f > 1 ? "1.1" : "0.1", wide, 1, 3);
        add_conv(&n, block, f > 1 ? "2" : "1", f > 1 ? "3" : "2", in, wide, 1);
    }
    add_conv(&n, "features.18.", "0", "1", 3 * CHANNELS, in, 1);
    fuzz_seed_tensors("mobilenetv2", n.tensors, n.count, NULL, NULL);
}

/* `inner` is what one shape claims; nothing is in that tensor if it is not 8. */
static void seed_vit(const char *name, int distilled, size_t inner) {
    un_params params = {0};
    un_vit vit = {0};
    const un_vit_config config = {.image = S,
                                  .patch = 16,
                                  .width = 4,
                                  .heads = 1,
                                  .inner = 8,
                                  .layers = 1,
                                  .distilled = distilled,
                                  .eps = 1e-12f,
                                  .family = distilled ? UN_VIT_DEIT : UN_VIT_HUGGING_FACE};
    FUZZ_REQUIRE(un_vit_declare(&vit, &params, "", &config) == UNSEEN_OK);
    for (size_t i = 0; i < params.count && inner != config.inner; i++) {
        un_param *p = &params.item[i];
        if (!strstr(p->name, ".intermediate.dense.weight")) continue;
        p->shape[0] = inner;
        p->shape[1] = 0;
    }
    fuzz_seed_params(name, &params, distilled ? "deit." : "", "heads", "1");
    un_vit_free(&vit);
    un_params_free(&params);
}

static void seed_swin(void) {
    un_params params = {0};
    un_swin swin = {0};
    FUZZ_REQUIRE(un_swin_declare(&swin, &params, "", &fuzz_swin) == UNSEEN_OK);
    fuzz_seed_params("swin", &params, "swin.", NULL, NULL);
    un_swin_free(&swin);
    un_params_free(&params);
}

void fuzz_seed_backbone(void) {
    seed_resnet(NULL, NULL, "resnet");
    seed_resnet("preprocess",
                "{\"resize\": 36, \"crop\": 32, \"interpolation\": \"bicubic\", \"square\": true}",
                "resnet_recipe");
    seed_mobilenet();
    seed_vit("vit", 0, 8);
    seed_vit("deit", 1, 8);
    seed_vit("bad_huge", 0, (size_t)1 << 40);
    seed_swin();
    fuzz_seed_file("bad_dataset", fuzz_test_data("v0.1/maps/dataset.safetensors"));
    fuzz_seed_text("bad_lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n");
}
