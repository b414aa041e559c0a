/*
 * test_backbone.c - small convolutional networks with random weights: what is read, what is refused,
 * and that batches, sizes and chunks do not change a picture's features. Their values are checked by
 * golden data.
 */
#include <math.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "tensor/conv.h"
#include "tensor/sha256.h"
#include "util.h"
#include "vision/cnn/cnn.h"

/* ------------------------------------------------------------------ files */

enum { MAX_TENSORS = 400, CHANNELS = 8 };

/* What a file shall hold; every extent is known before anything is written. */
typedef struct {
    size_t count;
    struct {
        char name[96];
        un_dtype type;
        int rank;
        size_t shape[4];
    } tensors[MAX_TENSORS];
    const char *padding;
    const char *negative; /* tensor whose values shall be negative */
} plan;

static void want(plan *p, const char *name, const char *part, int rank, const size_t *shape) {
    assert_true(p->count < MAX_TENSORS);
    snprintf(p->tensors[p->count].name, sizeof p->tensors[0].name, "%s%s", name, part);
    p->tensors[p->count].rank = rank;
    p->tensors[p->count].type = UN_F32;
    for (int i = 0; i < rank; i++) p->tensors[p->count].shape[i] = shape[i];
    p->count++;
}

static void want_conv(plan *p, const char *block, const char *conv, const char *norm, size_t out,
                      size_t in, size_t kernel) {
    char name[64];
    const size_t shape[] = {out, in, kernel, kernel};
    snprintf(name, sizeof name, "%s%s", block, conv);
    want(p, name, ".weight", 4, shape);
    snprintf(name, sizeof name, "%s%s", block, norm);
    want(p, name, ".weight", 1, &out);
    want(p, name, ".bias", 1, &out);
    want(p, name, ".running_mean", 1, &out);
    want(p, name, ".running_var", 1, &out);
    want(p, name, ".num_batches_tracked", 0, NULL);
    p->tensors[p->count - 1].type = UN_I64;
}

static void plan_resnet(plan *p, size_t a, size_t b, size_t c, size_t d) {
    const size_t blocks[] = {a, b, c, d};
    size_t in = CHANNELS;
    *p = (plan){0};
    want_conv(p, "", "conv1", "bn1", in, 3, 7);
    for (size_t s = 0; s < 4; s++)
        for (size_t j = 0; j < blocks[s]; j++) {
            char block[32];
            snprintf(block, sizeof block, "layer%zu.%zu.", s + 1, j);
            want_conv(p, block, "conv1", "bn1", CHANNELS, in, 1);
            want_conv(p, block, "conv2", "bn2", CHANNELS, CHANNELS, 3);
            want_conv(p, block, "conv3", "bn3", 2 * CHANNELS, CHANNELS, 1);
            if (j == 0) want_conv(p, block, "downsample.0", "downsample.1", 2 * CHANNELS, in, 1);
            in = 2 * CHANNELS;
        }
}

static void plan_mobilenet(plan *p) {
    size_t in = CHANNELS;
    *p = (plan){0};
    want_conv(p, "features.0.", "0", "1", in, 3, 3);
    for (size_t f = 1; f < 18; f++) {
        char block[32];
        size_t out = f < 9 ? CHANNELS : 2 * CHANNELS, wide = f > 1 ? 2 * in : in;
        snprintf(block, sizeof block, "features.%zu.conv.", f);
        if (f > 1) want_conv(p, block, "0.0", "0.1", wide, in, 1);
        want_conv(p, block, f > 1 ? "1.0" : "0.0", f > 1 ? "1.1" : "0.1", wide, 1, 3);
        want_conv(p, block, f > 1 ? "2" : "1", f > 1 ? "3" : "2", out, wide, 1);
        in = out;
    }
    want_conv(p, "features.18.", "0", "1", 3 * CHANNELS, in, 1);
}

static size_t find(const plan *p, const char *name) {
    for (size_t i = 0; i < p->count; i++)
        if (!strcmp(p->tensors[i].name, name)) return i;
    fail_msg("no tensor %s", name);
    return 0;
}

static void drop(plan *p, const char *name) {
    size_t i = find(p, name);
    p->tensors[i] = p->tensors[--p->count];
}

static const char *g_path = "test_backbone.safetensors";

static void write_file(const plan *p) {
    un_st_writer *writer = NULL;
    un_rng rng = un_rng_stream(5, "weights", 0);
    util_ok(un_st_writer_open(&writer, g_path));
    for (size_t i = 0; i < p->count; i++)
        util_ok(un_st_writer_add(writer, p->tensors[i].name, p->tensors[i].type, p->tensors[i].rank,
                                 p->tensors[i].shape));
    if (p->padding) util_ok(un_st_writer_metadata(writer, "padding", p->padding));
    util_ok(un_st_writer_begin(writer));
    for (size_t i = 0; i < p->count; i++) {
        size_t n = 1;
        for (int d = 0; d < p->tensors[i].rank; d++) n *= p->tensors[i].shape[d];
        float *x = util_uniform(&rng, n + 1, 0);
        int negative = p->negative && !strcmp(p->negative, p->tensors[i].name);
        for (size_t j = 0; j < n && strstr(p->tensors[i].name, "running_var"); j++)
            x[j] = negative ? -1.0f : 1.5f + x[j];
        util_ok(un_st_writer_write(writer, i, 0, x, n * un_dtype_size(p->tensors[i].type)));
        free(x);
    }
    util_ok(un_st_writer_commit(writer));
}

static un_status open_plan(const plan *p, un_precision precision, un_backbone **out) {
    write_file(p);
    un_status status = un_backbone_open(g_path, precision, out);
    unlink(g_path);
    return status;
}

static void refuse(const plan *p, const char *part) {
    un_backbone *b = NULL;
    util_fails(open_plan(p, UN_PRECISION_F32, &b), UNSEEN_E_FORMAT, part);
    assert_null(b);
}

static void test_not_whole(void **state) {
    (void)state;
    static plan p;
    plan_resnet(&p, 1, 2, 1, 1);
    drop(&p, "layer2.1.bn2.running_var");
    refuse(&p, "\"layer2.1.bn2.running_var\" is missing");
    plan_resnet(&p, 1, 3, 1, 1);
    for (size_t i = p.count; i-- > 0;) /* a block in the middle */
        if (!strncmp(p.tensors[i].name, "layer2.1.", 9)) drop(&p, p.tensors[i].name);
    refuse(&p, "\"layer2.1.conv1.weight\" is missing");
    plan_resnet(&p, 1, 1, 1, 0);
    refuse(&p, "layer4.0.");
    plan_resnet(&p, 1, 1, 1, 1);
    p.tensors[find(&p, "layer3.0.conv2.weight")].shape[3] = 5;
    refuse(&p, "\"layer3.0.conv2.weight\" has shape (8, 8, 3, 5), expected (any, 8, 3, 3)");
    plan_resnet(&p, 1, 1, 1, 1);
    p.tensors[find(&p, "bn1.bias")].shape[0] = 9;
    refuse(&p, "\"bn1.bias\" has shape (9), expected (8)");
    plan_resnet(&p, 1, 1, 1, 1);
    p.tensors[find(&p, "conv1.weight")].type = UN_I32;
    refuse(&p, "\"conv1.weight\" is I32");
    plan_resnet(&p, 1, 1, 1, 1);
    p.negative = "layer1.0.bn1.running_var";
    refuse(&p, "\"layer1.0.bn1\": channel 0");
    plan_resnet(&p, 1, 1, 1, 1);
    p.padding = "valid";
    refuse(&p, "metadata \"padding\" is \"valid\"");
    plan_mobilenet(&p);
    drop(&p, "features.7.conv.1.0.weight");
    refuse(&p, "\"features.7.conv.1.0.weight\" is missing");
    plan_mobilenet(&p);
    p.tensors[find(&p, "features.5.conv.1.0.weight")].shape[1] = 2;
    refuse(&p, "\"features.5.conv.1.0.weight\" has shape (16, 2, 3, 3), expected (16, 1, 3, 3)");
    plan_mobilenet(&p);
    want_conv(&p, "features.19.", "0", "1", 8, 24, 1);
    refuse(&p, "features.19");
    p = (plan){0};
    want(&p, "word_vectors", "", 1, (const size_t[]){4});
    refuse(&p, "not a known network");
}

/* All names behind a prefix, as wrappers of training programs leave them. */
static void wrap(plan *p, const char *prefix) {
    for (size_t i = 0; i < p->count; i++) {
        char name[sizeof p->tensors[i].name];
        snprintf(name, sizeof name, "%s%s", prefix, p->tensors[i].name);
        memcpy(p->tensors[i].name, name, sizeof name);
    }
}

static void refuse_left(const plan *p, const char *part) {
    un_backbone *b = NULL;
    util_fails(open_plan(p, UN_PRECISION_F32, &b), UNSEEN_E_UNSUPPORTED, part);
    assert_null(b);
}

/* Tensors that the network has no place for mean another network; heads and counters do not. */
static void test_left_behind(void **state) {
    (void)state;
    static plan p;
    const size_t one[] = {CHANNELS};
    un_backbone *b = NULL;
    plan_resnet(&p, 1, 2, 1, 1);
    want(&p, "layer1.0.se.fc1", ".weight", 1, one);
    want(&p, "layer2.1.se.fc1", ".weight", 1, one);
    refuse_left(&p, "2 of its tensors, \"layer1.0.se.fc1.weight\" for one");
    plan_resnet(&p, 1, 1, 1, 1);
    want(&p, "layer1.0.fc", ".weight", 1, one); /* a head's name, but inside a block */
    refuse_left(&p, "\"layer1.0.fc.weight\"");
    plan_mobilenet(&p);
    want(&p, "features.4.conv.4.fc1", ".weight", 1, one);
    refuse_left(&p, "\"features.4.conv.4.fc1.weight\" for one, have no place in a MobileNetV2");
    for (int wrapped = 0; wrapped < 3; wrapped++) {
        static const char *const prefixes[] = {"", "module.", "state_dict.model."};
        plan_resnet(&p, 1, 1, 1, 1);
        want(&p, "fc", ".weight", 1, one);
        want(&p, "head", ".bias", 1, one);
        wrap(&p, prefixes[wrapped]);
        want(&p, "classifier.1", ".weight", 1, one);
        util_ok(open_plan(&p, UN_PRECISION_F32, &b));
        assert_string_equal(b->class->name, "resnet");
        un_backbone_close(b);
        plan_mobilenet(&p);
        want(&p, "classifier.1", ".weight", 1, one);
        wrap(&p, prefixes[wrapped]);
        util_ok(open_plan(&p, UN_PRECISION_F32, &b));
        assert_string_equal(b->class->name, "mobilenetv2");
        un_backbone_close(b);
    }
    /* Two networks in one file: it is not for us to choose. */
    plan_resnet(&p, 1, 1, 1, 1);
    wrap(&p, "encoder_q.");
    want(&p, "encoder_k.conv1", ".weight", 1, one);
    refuse_left(&p, "\"encoder_k.conv1.weight\"");
    plan_resnet(&p, 1, 1, 1, 1);
    wrap(&p, "module.");
    want(&p, "conv1", ".weight", 1, one);
    un_status status = open_plan(&p, UN_PRECISION_F32, &b);
    assert_int_equal(status, UNSEEN_E_FORMAT);
    assert_non_null(strstr(un_error(), "with and without \"module.\""));
}

static void test_architectures(void **state) {
    (void)state;
    static plan p;
    static const struct {
        size_t blocks[4];
        const char *name;
    } known[] = {{{1, 1, 2, 1}, "resnet"}, {{3, 4, 6, 3}, "resnet50"}};
    un_precision precision = un_precision_resolve(UN_PRECISION_AUTO);
    /* Where oneDNN is held back from bf16, own products are not. */
    if (!un_conv_native(un_precision_dtype(precision))) precision = UN_PRECISION_F32;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const size_t *n = known[i].blocks;
        un_backbone *b = NULL;
        plan_resnet(&p, n[0], n[1], n[2], n[3]);
        util_ok(open_plan(&p, UN_PRECISION_AUTO, &b));
        assert_string_equal(b->architecture, known[i].name);
        assert_int_equal(b->width, 2 * CHANNELS);
        assert_int_equal(b->precision, precision);
        assert_int_equal(b->recipe.crop, 224);
        un_backbone_close(b);
    }
    un_backbone *b = NULL;
    plan_mobilenet(&p);
    util_ok(open_plan(&p, UN_PRECISION_AUTO, &b));
    assert_string_equal(b->architecture, "mobilenet_v2");
    assert_string_equal(b->class->name, "mobilenetv2");
    assert_int_equal(b->precision, UN_PRECISION_F32);
    size_t h = 0, w = 0;
    util_ok(b->class->grid(b, 224, &h, &w));
    assert_int_equal(h, 7);
    util_ok(b->class->grid(b, 33, &h, &w));
    assert_int_equal(w, 2);
    util_fails(b->class->grid(b, 0, &h, &w), UNSEEN_E_ARGUMENT, "pictures of 0 x 0");
    util_fails(b->class->grid(b, 100000, &h, &w), UNSEEN_E_ARGUMENT, "100000");
    un_backbone_close(b);
}

static void test_hash(void **state) {
    (void)state;
    static plan p;
    char want_hex[65], *bytes = NULL;
    size_t length = 0;
    un_backbone *b = NULL;
    un_sha256 *sha = NULL;
    plan_resnet(&p, 1, 1, 1, 1);
    write_file(&p);
    util_ok(un_file_read(g_path, 1 << 22, &bytes, &length));
    util_ok(un_sha256_open(&sha));
    util_ok(un_sha256_add(sha, bytes, length));
    util_ok(un_sha256_hex(sha, want_hex));
    util_ok(un_backbone_open(g_path, UN_PRECISION_F32, &b));
    assert_string_equal(b->sha256, want_hex);
    un_sha256_close(sha);
    un_backbone_close(b);
    free(bytes);
    unlink(g_path);
}

/* 2 x multiply-adds of every convolution, by hand for 32 x 32 pictures of the 1-1-1-1 network. */
static void test_flops(void **state) {
    (void)state;
    static plan p;
    un_backbone *b = NULL;
    plan_resnet(&p, 1, 1, 1, 1);
    util_ok(open_plan(&p, UN_PRECISION_F32, &b));
    const double C = CHANNELS;
    double macs = 16 * 16 * C * 3 * 49;
    macs += 8 * 8 * (C * C + 9 * C * C + 2 * C * C + 2 * C * C);
    for (double side = 4; side >= 1; side /= 2)
        macs += side * side * (4 * 2 * C * C + 9 * C * C + 2 * C * C + 4 * C * C);
    util_near(b->class->flops(b, 32), 2 * macs, 0.5);
    un_backbone_close(b);
}

/* ------------------------------------------------------------------ forward */

/* 11 pictures are more than one chunk; each alone gives the same bytes. */
static void check_batches(const plan *p, un_precision precision) {
    enum { N = 11, SIDE = 40 };
    un_backbone *b = NULL;
    size_t h = 0, w = 0, area = (size_t)SIDE * SIDE * 3;
    un_rng rng = un_rng_stream(9, "pictures", 0);
    util_ok(open_plan(p, precision, &b));
    util_ok(b->class->grid(b, SIDE, &h, &w));
    size_t F = b->width, row = h * w * F;
    float *x = util_uniform(&rng, N * area, 0), *regions = util_uniform(&rng, N * row, 0);
    float *pooled = util_uniform(&rng, N * F, 0), *one = util_uniform(&rng, row, 0);
    float *mean = util_uniform(&rng, F, 0);
    util_ok(b->class->forward(b, x, N, SIDE, regions, pooled));
    double largest = 0;
    for (size_t i = 0; i < N * row; i++) largest = fmax(largest, fabs((double)regions[i]));
    assert_true(largest > 0 && isfinite(largest));
    for (size_t i = 0; i < N; i += 5) {
        util_ok(b->class->forward(b, x + i * area, 1, SIDE, one, NULL));
        util_ok(b->class->forward(b, x + i * area, 1, SIDE, NULL, mean));
        assert_memory_equal(one, regions + i * row, row * sizeof *one);
        assert_memory_equal(mean, pooled + i * F, F * sizeof *mean);
        for (size_t c = 0; c < F; c++) {
            double sum = 0;
            for (size_t r = 0; r < h * w; r++) sum += (double)regions[i * row + r * F + c];
            util_near((double)pooled[i * F + c], sum / (double)(h * w), 1e-6 * largest);
        }
    }
    util_ok(b->class->forward(b, x, 0, SIDE, regions, pooled));
    util_ok(b->class->forward(b, x, 1, 17, one, NULL)); /* another size, then the first again */
    util_ok(b->class->forward(b, x, 1, SIDE, one, NULL));
    assert_memory_equal(one, regions, row * sizeof *one);
    un_backbone_close(b);
    free(x);
    free(regions);
    free(pooled);
    free(one);
    free(mean);
}

static void test_batches(void **state) {
    (void)state;
    static plan p;
    plan_resnet(&p, 1, 2, 1, 2);
    check_batches(&p, UN_PRECISION_F32);
    check_batches(&p, UN_PRECISION_BF16);
    p.padding = "tf_same";
    check_batches(&p, UN_PRECISION_F32);
    plan_mobilenet(&p);
    check_batches(&p, UN_PRECISION_F32);
    check_batches(&p, UN_PRECISION_BF16);
}

static void test_taps(void **state) {
    (void)state;
    static plan p;
    un_backbone *b = NULL;
    un_feature_map map;
    plan_resnet(&p, 1, 1, 1, 1);
    util_ok(open_plan(&p, UN_PRECISION_F32, &b));
    const un_cnn *cnn = (const un_cnn *)b;
    util_ok(un_cnn_shape(cnn, "layer1", 80, 96, &map));
    assert_int_equal(map.h, 20);
    assert_int_equal(map.w, 24);
    assert_int_equal(map.c, 2 * CHANNELS);
    util_fails(un_cnn_shape(cnn, "layer9", 80, 96, &map), UNSEEN_E_ARGUMENT, "no block");
    un_backbone_close(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_whole),   cmocka_unit_test(test_architectures),
        cmocka_unit_test(test_hash),        cmocka_unit_test(test_flops),
        cmocka_unit_test(test_batches),     cmocka_unit_test(test_taps),
        cmocka_unit_test(test_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
