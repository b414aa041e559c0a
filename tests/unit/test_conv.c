/* test_conv.c - convolutions and pooling against their definition in double precision. */
#include <math.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/conv.h"
#include "util.h"

typedef struct {
    un_conv_spec spec;
    size_t n, h, w;
    int add;
    un_map_layout layout;
} conv_case;

static size_t pad_before(un_padding padding, size_t k, size_t s, size_t n) {
    if (padding == UN_PAD_SYMMETRIC) return k / 2;
    size_t reach = ((n + s - 1) / s - 1) * s + k;
    return reach > n ? (reach - n) / 2 : 0;
}

/* One output by definition, before the activation; x (n, h, w, in), weights (out, in, k, k). */
static double one_output(const conv_case *t, const float *x, const float *weights, size_t i,
                         size_t oy, size_t ox, size_t o) {
    const un_conv_spec *s = &t->spec;
    size_t filters = s->depthwise ? 1 : s->in, k = s->kernel;
    double sum = 0;
    for (size_t ky = 0; ky < k; ky++)
        for (size_t kx = 0; kx < k; kx++) {
            size_t y = oy * s->stride + ky - pad_before(s->padding, k, s->stride, t->h);
            size_t z = ox * s->stride + kx - pad_before(s->padding, k, s->stride, t->w);
            if (y >= t->h || z >= t->w) continue; /* wrapped below 0 as well */
            const float *pixel = x + ((i * t->h + y) * t->w + z) * s->in;
            for (size_t c = 0; c < filters; c++)
                sum += (double)pixel[s->depthwise ? o : c] *
                       (double)weights[((o * filters + c) * k + ky) * k + kx];
        }
    return sum;
}

static double activate(un_conv_activation activation, double x) {
    if (activation != UN_CONV_LINEAR && x < 0) x = 0;
    return activation == UN_CONV_RELU6 && x > 6 ? 6 : x;
}

/* Converts to the case's layout and type. */
static void *in_layout(const un_feature_map *map, const float *plain) {
    un_feature_map from = *map;
    size_t bytes = 0;
    void *data = NULL;
    from.type = UN_F32;
    from.layout = UN_CHANNELS_LAST;
    util_ok(un_feature_map_bytes(map, &bytes));
    util_ok(un_alloc(bytes, 1, &data));
    util_ok(un_feature_map_convert(&from, plain, map, data));
    return data;
}

/* oneDNN's reference loop is a hundred times slower than the rest, and right: it does not show
 * otherwise. */
static void check_way(const char *way) {
    assert_non_null(way);
#if defined(UN_HAVE_X86_ISA)
    if (strstr(way, "ref")) fail_msg("computed by %s", way);
#endif
}

/* Five standard deviations by conv.h. In bf16 both transformed factors are rounded: a variance of
 * 25 / 9 per product of these values (variance 1/3 each, so 1 for nine of them), times that of two
 * roundings, 2 (0.41 u)^2 with u = 2^-8. In f32 all else is: 25 / 9 (C^2 / 2 + 8 C) (0.41 u)^2 with
 * u = 2^-24. */
static double winograd_error(const un_conv_spec *s) {
    double in = (double)s->in;
    if (s->type == UN_BF16) return 5 * 0x1p-8 * 0.41 * sqrt(2 * 25.0 / 9 * in);
    return 5 * 0x1p-24 * 0.41 * sqrt(25.0 / 9 * (in * in / 2 + 8 * in));
}

static void check_conv(const conv_case *t) {
    const un_conv_spec *s = &t->spec;
    int bf16 = s->type == UN_BF16;
    un_rng rng = un_rng_stream(7, "conv", s->in * 1000 + s->out);
    size_t filter = (s->depthwise ? 1 : s->in) * s->kernel * s->kernel;
    un_feature_map in = {t->n, t->h, t->w, s->in, s->type, t->layout}, out, plain;
    un_conv *conv = NULL;
    un_conv_scratch scratch = {0};
    float *x = util_uniform(&rng, t->n * t->h * t->w * s->in, bf16);
    float *weights = util_uniform(&rng, s->out * filter, bf16),
          *bias = util_uniform(&rng, s->out, 0);
    util_ok(un_conv_create(s, weights, bias, &conv));
    un_conv_output(conv, &in, &out);
    plain = out;
    plain.type = UN_F32;
    plain.layout = UN_CHANNELS_LAST;
    size_t count = out.n * out.h * out.w * out.c;
    float *before = util_uniform(&rng, count, bf16), *got = util_uniform(&rng, count, 0);
    void *a = in_layout(&in, x), *b = in_layout(&out, before);
    util_ok(un_conv_run(conv, &in, a, t->add, b, &scratch));
    check_way(un_conv_way(conv));
    util_ok(un_feature_map_convert(&out, b, &plain, got));
    /* f32: the sum's own rounding, generously; bf16: the same and one rounding of the result. */
    double absolute = 4e-6 * (double)filter * 0.1 + 4e-6, relative = bf16 ? 0x1p-8 : 1e-6;
    if (un_winograd_fits(s)) absolute = winograd_error(s) + (bf16 ? absolute : 0);
    size_t step = count > 3000 ? count / 1500 : 1;
    for (size_t j = 0; j < count; j += step) {
        size_t o = j % out.c, ox = j / out.c % out.w, oy = j / out.c / out.w % out.h;
        size_t i = j / out.c / out.w / out.h;
        double want = one_output(t, x, weights, i, oy, ox, o) + (double)bias[o];
        if (t->add) want += (double)before[j];
        want = activate(s->activation, want);
        util_near((double)got[j], want, absolute + relative * fabs(want));
    }
    un_conv_free(conv);
    un_conv_scratch_free(&scratch);
    free(x);
    free(weights);
    free(bias);
    free(before);
    free(got);
    free(a);
    free(b);
}

static void test_convolutions(void **state) {
    (void)state;
    static const conv_case cases[] = {
        {{3, 24, 7, 2, 0, UN_PAD_SYMMETRIC, UN_CONV_RELU, UN_F32}, 2, 17, 22, 0, UN_CHANNELS_FIRST},
        {{3, 16, 3, 2, 0, UN_PAD_TF_SAME, UN_CONV_RELU6, UN_F32}, 2, 16, 15, 0, UN_CHANNELS_FIRST},
        /* for which 2.6 has no kernel in bf16 as they are given */
        {{32, 40, 3, 1, 0, UN_PAD_SYMMETRIC, UN_CONV_RELU, UN_F32}, 2, 7, 5, 1, UN_CHANNELS_FIRST},
        {{32, 32, 3, 1, 1, UN_PAD_SYMMETRIC, UN_CONV_RELU6, UN_F32}, 2, 7, 5, 0, UN_CHANNELS_FIRST},
        {{24, 40, 1, 1, 0, UN_PAD_SYMMETRIC, UN_CONV_RELU, UN_F32}, 3, 7, 5, 1, UN_CHANNELS_LAST},
        {{24, 40, 1, 2, 0, UN_PAD_SYMMETRIC, UN_CONV_LINEAR, UN_F32}, 1, 8, 9, 0, UN_CHANNELS_LAST},
        {{24, 40, 3, 2, 0, UN_PAD_TF_SAME, UN_CONV_RELU, UN_F32}, 2, 8, 9, 0, UN_CHANNELS_LAST},
        {{24, 24, 3, 2, 1, UN_PAD_TF_SAME, UN_CONV_RELU6, UN_F32}, 2, 8, 9, 0, UN_CHANNELS_LAST},
        {{20, 20, 5, 1, 1, UN_PAD_SYMMETRIC, UN_CONV_RELU6, UN_F32}, 1, 9, 3, 0, UN_CHANNELS_LAST},
        {{32, 32, 3, 1, 0, UN_PAD_TF_SAME, UN_CONV_LINEAR, UN_F32}, 1, 1, 1, 1, UN_CHANNELS_LAST},
        /* by Winograd's algorithm where there is AVX-512 */
        {{64, 64, 3, 1, 0, UN_PAD_SYMMETRIC, UN_CONV_RELU, UN_F32},
         1,
         28,
         30,
         0,
         UN_CHANNELS_FIRST},
        {{64, 64, 3, 1, 0, UN_PAD_SYMMETRIC, UN_CONV_RELU, UN_F32}, 2, 28, 30, 0, UN_CHANNELS_LAST},
        {{64, 96, 3, 1, 0, UN_PAD_TF_SAME, UN_CONV_RELU6, UN_F32}, 3, 9, 6, 1, UN_CHANNELS_LAST},
        {{128, 64, 3, 1, 0, UN_PAD_SYMMETRIC, UN_CONV_RELU, UN_F32},
         2,
         14,
         13,
         0,
         UN_CHANNELS_LAST}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        conv_case t = cases[i];
        check_conv(&t);
        t.spec.type = UN_BF16;
        check_conv(&t);
        if (t.layout != UN_CHANNELS_LAST) continue;
        t.layout = UN_CHANNELS_BLOCKED;
        check_conv(&t);
        t.spec.type = UN_F32;
        check_conv(&t);
    }
}

/* Tiles are divided among threads and into groups that begin anywhere in a row; a picture gives the
 * same bytes all the same, alone and among others. */
static void check_tiles(un_dtype type) {
    enum { N = 3, H = 15, W = 30, C = 64, ONE = H * W * C };
    const un_conv_spec spec = {
        .in = C, .out = C, .kernel = 3, .stride = 1, .activation = UN_CONV_RELU, .type = type};
    if (!un_winograd_fits(&spec)) return;
    un_rng rng = un_rng_stream(7, "tiles", 0);
    un_conv *conv = NULL;
    un_conv_scratch scratch = {0};
    un_feature_map in = {N, H, W, C, type, UN_CHANNELS_LAST};
    const size_t one = ONE * un_dtype_size(type);
    float *weights = util_uniform(&rng, (size_t)C * C * 9, 0), *bias = util_uniform(&rng, C, 0);
    float *plain = util_uniform(&rng, N * ONE, 0);
    char *x = in_layout(&in, plain), *whole = in_layout(&in, plain), *y = in_layout(&in, plain);
    util_ok(un_conv_create(&spec, weights, bias, &conv));
    util_ok(un_set_threads(1));
    util_ok(un_conv_run(conv, &in, x, 0, whole, &scratch));
    assert_string_equal(un_conv_way(conv), "winograd");
    for (int threads = 2; threads <= 5; threads++) {
        util_ok(un_set_threads(threads));
        util_ok(un_conv_run(conv, &in, x, 0, y, &scratch));
        assert_memory_equal(whole, y, N * one);
    }
    util_ok(un_set_threads(0));
    in.n = 1;
    for (size_t i = 0; i < N; i++) {
        util_ok(un_conv_run(conv, &in, x + i * one, 0, y, &scratch));
        assert_memory_equal(whole + i * one, y, one);
    }
    un_conv_free(conv);
    un_conv_scratch_free(&scratch);
    free(weights);
    free(bias);
    free(plain);
    free(x);
    free(whole);
    free(y);
}

static void winograd_bytes(void **state) {
    (void)state;
    check_tiles(UN_F32);
    check_tiles(UN_BF16);
}

/* The side of the pictures that networks are for. oneDNN has kernels for x86 only, elsewhere there
 * is nothing but its reference loop to find, which takes an emulator half an hour for such pictures:
 * there the smallest do that reach the last layer. */
#if defined(UN_HAVE_X86_ISA)
enum { PICTURE = 224 };
#else
enum { PICTURE = 32 };
#endif

/* Runs one layer on a picture of zeros and returns the side of its output. */
static size_t try_layer(un_dtype type, size_t in, size_t out, size_t kernel, size_t stride,
                        int depthwise, int add, size_t side) {
    un_conv_spec spec = {.in = in,
                         .out = out,
                         .kernel = kernel,
                         .stride = stride,
                         .depthwise = depthwise,
                         .padding = UN_PAD_SYMMETRIC,
                         .activation = UN_CONV_RELU,
                         .type = type};
    un_map_layout layout = un_conv_layout(type);
    if (in == 3 && layout == UN_CHANNELS_BLOCKED) layout = UN_CHANNELS_FIRST; /* as in cnn.c */
    un_feature_map from = {1, side, side, in, type, layout}, to;
    un_conv_scratch scratch = {0};
    un_conv *conv = NULL;
    size_t bytes[2] = {0};
    float *weights = calloc(in * out * kernel * kernel, sizeof *weights);
    float *bias = calloc(out, sizeof *bias);
    void *x = NULL, *y = NULL;
    util_ok(un_conv_create(&spec, weights, bias, &conv));
    un_conv_output(conv, &from, &to);
    util_ok(un_feature_map_bytes(&from, &bytes[0]));
    util_ok(un_feature_map_bytes(&to, &bytes[1]));
    util_ok(un_alloc(bytes[0], 1, &x));
    util_ok(un_alloc(bytes[1], 1, &y));
    util_ok(un_conv_run(conv, &from, x, add, y, &scratch));
    check_way(un_conv_way(conv));
    un_conv_free(conv);
    un_conv_scratch_free(&scratch);
    free(weights);
    free(bias);
    free(x);
    free(y);
    return to.h;
}

/* ResNet-50, -101 and -152 differ in how often their blocks are repeated. */
static void try_resnet(un_dtype type) {
    size_t side = try_layer(type, 3, 64, 7, 2, 0, 0, PICTURE) / 2, in = 64;
    for (size_t stage = 0; stage < 4; stage++) {
        size_t width = (size_t)64 << stage, out = 4 * width, stride = stage ? 2 : 1;
        for (size_t block = 0; block < 2; block++, stride = 1, in = out) {
            if (block == 0) try_layer(type, in, out, 1, stride, 0, 0, side);
            try_layer(type, in, width, 1, 1, 0, 0, side);
            side = try_layer(type, width, width, 3, stride, 0, 0, side);
            try_layer(type, width, out, 1, 1, 0, 1, side);
        }
    }
}

static void try_mobilenet(un_dtype type) {
    static const size_t stages[][4] = {/* expansion, channels, blocks, stride: table 2 */
                                       {1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 2, 2}, {6, 64, 2, 2},
                                       {6, 96, 2, 1}, {6, 160, 2, 2}, {6, 320, 1, 1}};
    size_t side = try_layer(type, 3, 32, 3, 2, 0, 0, PICTURE), in = 32;
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++)
        for (size_t block = 0; block < stages[s][2]; block++, in = stages[s][1]) {
            size_t wide = in * stages[s][0];
            if (wide != in) try_layer(type, in, wide, 1, 1, 0, 0, side);
            side = try_layer(type, wide, wide, 3, block ? 1 : stages[s][3], 1, 0, side);
            try_layer(type, wide, stages[s][1], 1, 1, 0, block > 0, side);
        }
    try_layer(type, in, 1280, 1, 1, 0, 0, side);
}

static void every_layer_has_a_kernel(void **state) {
    (void)state;
    static const un_dtype types[] = {UN_F32, UN_BF16};
    for (size_t i = 0; i < 2; i++) {
        try_resnet(types[i]);
        try_mobilenet(types[i]);
    }
}

/* A layer of a network for pictures and how it is read there. */
typedef struct {
    size_t in, out, kernel, stride, side;
    int depthwise, add;
} layer;

/* What a picture gives alone on one thread, it gives among others and on more threads. */
static void check_pictures(const layer *l, un_dtype type) {
    enum { MOST = 8 };
    static const size_t numbers[] = {1, 3, 4, 5, MOST};
    static const int threads[] = {1, 2, 4};
    const un_conv_spec spec = {.in = l->in,
                               .out = l->out,
                               .kernel = l->kernel,
                               .stride = l->stride,
                               .depthwise = l->depthwise,
                               .activation = UN_CONV_RELU,
                               .type = type};
    un_rng rng = un_rng_stream(7, "pictures", l->in + l->side);
    un_map_layout layout = un_conv_layout(type);
    if (l->in == 3 && layout == UN_CHANNELS_BLOCKED) layout = UN_CHANNELS_FIRST; /* as in cnn.c */
    un_feature_map from = {MOST, l->side, l->side, l->in, type, layout}, to;
    size_t filter = (l->depthwise ? 1 : l->in) * l->kernel * l->kernel, bytes[2] = {0};
    un_conv_scratch scratch = {0};
    un_conv *conv = NULL;
    float *weights = util_uniform(&rng, l->out * filter, 0), *bias = util_uniform(&rng, l->out, 0);
    util_ok(un_conv_create(&spec, weights, bias, &conv));
    un_conv_output(conv, &from, &to);
    float *plain[] = {util_uniform(&rng, MOST * l->side * l->side * l->in, 0),
                      util_uniform(&rng, MOST * to.h * to.w * l->out, 0)};
    char *x = in_layout(&from, plain[0]), *before = in_layout(&to, plain[1]);
    char *alone = in_layout(&to, plain[1]), *y = in_layout(&to, plain[1]);
    from.n = to.n = 1;
    util_ok(un_feature_map_bytes(&from, &bytes[0]));
    util_ok(un_feature_map_bytes(&to, &bytes[1]));
    util_ok(un_set_threads(1));
    for (size_t i = 0; i < MOST; i++)
        util_ok(un_conv_run(conv, &from, x + i * bytes[0], l->add, alone + i * bytes[1], &scratch));
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++) {
            from.n = numbers[j];
            util_ok(un_set_threads(threads[i]));
            memcpy(y, before, numbers[j] * bytes[1]);
            util_ok(un_conv_run(conv, &from, x, l->add, y, &scratch));
            if (memcmp(alone, y, numbers[j] * bytes[1]) != 0)
                fail_msg("%zu x %zu, %zu to %zu channels, side %zu: %zu pictures on %d threads",
                         l->kernel, l->kernel, l->in, l->out, l->side, numbers[j], threads[i]);
        }
    util_ok(un_set_threads(0));
    un_conv_free(conv);
    un_conv_scratch_free(&scratch);
    free(weights);
    free(bias);
    free(plain[0]);
    free(plain[1]);
    free(x);
    free(before);
    free(alone);
    free(y);
}

static void pictures_do_not_depend_on_others(void **state) {
    (void)state;
    static const layer layers[] = {
        {3, 64, 7, 2, PICTURE / 2, 0, 0},
        /* of ResNet-50 and its like */
        {64, 64, 3, 1, PICTURE / 4, 0, 0},
        {128, 128, 3, 2, PICTURE / 4, 0, 0},
        {128, 128, 3, 1, PICTURE / 8, 0, 0},
        {256, 256, 3, 1, PICTURE / 16, 0, 0},
        {512, 512, 3, 2, PICTURE / 16, 0, 0},
        {512, 512, 3, 1, PICTURE / 32, 0, 0},
        {512, 256, 1, 2, PICTURE / 8, 0, 0},
        {256, 1024, 1, 1, PICTURE / 16, 0, 1},
        {1024, 256, 1, 1, PICTURE / 16, 0, 0},
        /* of MobileNetV2 */
        {3, 32, 3, 2, PICTURE / 2, 0, 0},
        {96, 96, 3, 2, PICTURE / 4, 1, 0},
        {144, 24, 1, 1, PICTURE / 4, 0, 1},
        {576, 576, 3, 1, PICTURE / 16, 1, 0},
        {320, 1280, 1, 1, PICTURE / 32, 0, 0},
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        check_pictures(&layers[i], UN_F32);
        check_pictures(&layers[i], UN_BF16);
    }
}

/* More shapes than a convolution remembers, and the first again. */
static void test_many_shapes(void **state) {
    (void)state;
    const un_conv_spec spec = {.in = 16, .out = 16, .kernel = 3, .stride = 1, .type = UN_F32};
    un_rng rng = un_rng_stream(7, "shapes", 0);
    float *x = util_uniform(&rng, (size_t)16 * 12 * 12 * 2, 0),
          *weights = util_uniform(&rng, 16 * 16 * 9, 0);
    float *bias = util_uniform(&rng, 16, 0), *first = util_uniform(&rng, 16 * 9, 0);
    float *y = util_uniform(&rng, (size_t)16 * 12 * 12 * 2, 0);
    un_conv *conv = NULL;
    un_conv_scratch scratch = {0};
    util_ok(un_conv_create(&spec, weights, bias, &conv));
    for (size_t round = 0; round < 3; round++)
        for (size_t side = 3; side <= 12; side++) {
            un_feature_map in = {1 + side % 2, side, side, 16, UN_F32, UN_CHANNELS_LAST};
            util_ok(un_conv_run(conv, &in, x, 0, y, &scratch));
            if (side > 3) continue;
            if (round == 0) memcpy(first, y, 16 * 9 * sizeof *y);
            assert_memory_equal(first, y, 16 * 9 * sizeof *y);
        }
    un_conv_free(conv);
    un_conv_scratch_free(&scratch);
    free(x);
    free(y);
    free(weights);
    free(bias);
    free(first);
}

static void test_conv_refusals(void **state) {
    (void)state;
    float value = 0;
    un_conv *conv = NULL;
    un_conv_spec spec = {.in = 4, .out = 8, .kernel = 2, .stride = 1, .type = UN_F32};
    util_fails(un_conv_create(&spec, &value, &value, &conv), UNSEEN_E_ARGUMENT, "not supported");
    spec.kernel = 3;
    spec.depthwise = 1;
    util_fails(un_conv_create(&spec, &value, &value, &conv), UNSEEN_E_ARGUMENT, "not supported");
    size_t bytes = 0;
    un_feature_map map = {1, 1 << 20, 1 << 20, 64, UN_F32, UN_CHANNELS_LAST};
    util_fails(un_feature_map_bytes(&map, &bytes), UNSEEN_E_UNSUPPORTED, "too large");
    map = (un_feature_map){SIZE_MAX, 3, 3, 3, UN_F32, UN_CHANNELS_LAST};
    util_fails(un_feature_map_bytes(&map, &bytes), UNSEEN_E_UNSUPPORTED, "too large");
    map.n = 0;
    util_fails(un_feature_map_bytes(&map, &bytes), UNSEEN_E_UNSUPPORTED, "empty");
}

static void test_max_pool(void **state) {
    (void)state;
    for (int same = 0; same < 2; same++) {
        un_padding padding = same ? UN_PAD_TF_SAME : UN_PAD_SYMMETRIC;
        un_feature_map in = {2, 9, 10, 20, UN_F32, UN_CHANNELS_LAST}, out;
        un_rng rng = un_rng_stream(3, "pool", 0);
        float *x = util_uniform(&rng, in.n * in.h * in.w * in.c, 0);
        for (size_t i = 0; i < in.n * in.h * in.w * in.c; i++) x[i] -= 2; /* zeros would win */
        un_pool *pool = NULL;
        un_conv_scratch scratch = {0};
        util_ok(un_pool_create(3, 2, padding, &pool));
        un_pool_output(pool, &in, &out);
        assert_int_equal(out.h, 5);
        assert_int_equal(out.w, 5);
        float *y = util_uniform(&rng, out.n * out.h * out.w * out.c, 0);
        util_ok(un_pool_run(pool, &in, x, y, &scratch));
        check_way(un_pool_way(pool));
        for (size_t j = 0; j < out.n * out.h * out.w * out.c; j++) {
            size_t c = j % out.c, ox = j / out.c % out.w, oy = j / out.c / out.w % out.h;
            double want = -INFINITY;
            for (size_t k = 0; k < 9; k++) {
                size_t r = oy * 2 + k / 3 - pad_before(padding, 3, 2, in.h);
                size_t z = ox * 2 + k % 3 - pad_before(padding, 3, 2, in.w);
                if (r >= in.h || z >= in.w) continue;
                double v =
                    (double)x[((j / out.c / out.w / out.h * in.h + r) * in.w + z) * in.c + c];
                if (v > want) want = v;
            }
            util_near((double)y[j], want, 0);
        }
        un_pool_free(pool);
        un_conv_scratch_free(&scratch);
        free(x);
        free(y);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolutions),
        cmocka_unit_test(winograd_bytes),
        cmocka_unit_test(every_layer_has_a_kernel),
        cmocka_unit_test(test_many_shapes),
        cmocka_unit_test(pictures_do_not_depend_on_others),
        cmocka_unit_test(test_conv_refusals),
        cmocka_unit_test(test_max_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
