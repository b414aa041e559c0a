/*
 * test_descriptor.c - the built-in descriptor: ranges, determinism, and that its features tell
 * what they should.
 */
#include <math.h>

#include "base/parallel.h"
#include "unit/util.h"
#include "vision/backbone.h"

enum { SIZE = 96, GRID = SIZE / 16, COUNT = 5 };

static un_backbone *g_descriptor;

static int begin(void **state) {
    (void)state;
    return un_descriptor_open(&g_descriptor) != UNSEEN_OK;
}

static int end(void **state) {
    (void)state;
    g_descriptor->class->destroy(g_descriptor);
    return 0;
}

static float *make(size_t n) {
    float *out = NULL;
    util_ok(un_alloc(n, sizeof *out, &out));
    return out;
}

static float *forward(const float *pictures, size_t n, float **pooled) {
    float *regions = make(n * GRID * GRID * g_descriptor->width);
    *pooled = make(n * g_descriptor->width);
    util_ok(g_descriptor->class->forward(g_descriptor, pictures, n, SIZE, regions, *pooled));
    return regions;
}

static void test_head(void **state) {
    (void)state;
    const un_backbone *d = g_descriptor;
    size_t h = 0, w = 0;
    assert_string_equal(d->architecture, "descriptor-1");
    assert_string_equal(d->class->name, "descriptor");
    assert_int_equal(strlen(d->sha256), 64);
    assert_true(d->width >= 200 && d->width <= 512);
    assert_true(d->class->flops(d, 224) > 1e6);
    util_ok(d->class->grid(d, 224, &h, &w));
    assert_int_equal(h, 14);
    assert_int_equal(w, 14);
    util_fails(d->class->grid(d, 225, &h, &w), UNSEEN_E_ARGUMENT, "not 225");
    util_fails(d->class->grid(d, 16, &h, &w), UNSEEN_E_ARGUMENT, "not 16");
    util_fails(d->class->grid(d, 1 << 20, &h, &w), UNSEEN_E_ARGUMENT, "1024");
}

/* The recipe hands over 0..255. */
static void test_recipe(void **state) {
    (void)state;
    un_image image;
    float values[256 * 3];
    util_ok(un_image_create(256, 1, &image));
    for (size_t i = 0; i < 256 * 3; i++) image.pixels[i] = (unsigned char)(i / 3);
    un_recipe_normalize(&g_descriptor->recipe, &image, values);
    for (size_t i = 0; i < 256 * 3; i++) util_near((double)values[i], (double)(i / 3), 1e-4);
    un_image_free(&image);
}

static void random_pictures(float *out, size_t n) {
    un_rng rng = un_rng_stream(11, "descriptor", 0);
    for (size_t i = 0; i < n; i++) {
        /* Blocks of colour, so that there are edges and even parts. */
        for (size_t y = 0; y < SIZE; y++)
            for (size_t x = 0; x < SIZE; x++)
                for (size_t c = 0; c < 3; c++)
                    out[((i * SIZE + y) * SIZE + x) * 3 + c] =
                        (float)((x / 13 * 71 + y / 17 * 37 + c * 90 + i * 50) % 256);
        for (size_t k = 0; k < SIZE * SIZE; k++)
            if (i % 2) out[i * SIZE * SIZE * 3 + k] = (float)un_rng_below(&rng, 256);
    }
}

/* Within 0..1, the pooled ones their mean, the same whatever the number of threads and whichever
 * output is wanted. */
static void test_repeatable(void **state) {
    (void)state;
    size_t F = g_descriptor->width;
    float *pictures = make(COUNT * SIZE * SIZE * 3), *pooled = NULL, *again_pooled = NULL;
    int threads = un_thread_count();
    random_pictures(pictures, COUNT);
    util_ok(un_set_threads(1));
    float *regions = forward(pictures, COUNT, &pooled);
    for (int t = 2; t <= 3; t++) {
        util_ok(un_set_threads(t));
        float *again = forward(pictures, COUNT, &again_pooled);
        assert_memory_equal(regions, again, COUNT * GRID * GRID * F * sizeof *again);
        assert_memory_equal(pooled, again_pooled, COUNT * F * sizeof *again);
        free(again);
        memset(again_pooled, 0, COUNT * F * sizeof *again_pooled);
        util_ok(
            g_descriptor->class->forward(g_descriptor, pictures, COUNT, SIZE, NULL, again_pooled));
        assert_memory_equal(pooled, again_pooled, COUNT * F * sizeof *again);
        free(again_pooled);
    }
    util_ok(un_set_threads(threads));
    for (size_t i = 0; i < COUNT; i++)
        for (size_t f = 0; f < F; f++) {
            double sum = 0;
            for (size_t r = 0; r < GRID * GRID; r++) {
                double x = (double)regions[(i * GRID * GRID + r) * F + f];
                assert_true(x >= 0 && x <= 1);
                sum += x;
            }
            util_near((double)pooled[i * F + f], sum / (GRID * GRID), 1e-6);
        }
    free(pictures);
    free(pooled);
    free(regions);
}

/* NaN, infinite and huge values give finite features. */
static void test_any_input(void **state) {
    (void)state;
    float *pictures = make(SIZE * SIZE * 3), *pooled = NULL;
    const float odd[] = {NAN, INFINITY, -INFINITY, 1e30F, -7, 300};
    for (size_t i = 0; i < SIZE * SIZE * 3; i++) pictures[i] = odd[i % 6];
    float *regions = forward(pictures, 1, &pooled);
    for (size_t f = 0; f < g_descriptor->width; f++) assert_true(isfinite(pooled[f]));
    free(pictures);
    free(pooled);
    free(regions);
}

static double distance(const float *a, const float *b) {
    double sum = 0;
    for (size_t f = 0; f < g_descriptor->width; f++) sum += (double)((a[f] - b[f]) * (a[f] - b[f]));
    return sqrt(sum);
}

/* A disc of one colour on another; `shift` moves it, `stripes` runs lines through it. */
static void disc(float *out, const float colour[3], const float ground[3], size_t shift,
                 int stripes) {
    for (size_t y = 0; y < SIZE; y++)
        for (size_t x = 0; x < SIZE; x++) {
            double dy = (double)y - SIZE / 2.0, dx = (double)x - SIZE / 2.0 - (double)shift;
            int inside = dx * dx + dy * dy < 600 && !(stripes && y % 6 < 3);
            for (size_t c = 0; c < 3; c++)
                out[(y * SIZE + x) * 3 + c] = inside ? colour[c] : ground[c];
        }
}

/* A moved disc resembles the disc more than one of another colour or with stripes does; and what
 * is foreign to the frame counts in the second half. */
static void test_meaning(void **state) {
    (void)state;
    const float red[3] = {200, 30, 30}, blue[3] = {40, 80, 190}, grass[3] = {70, 140, 60};
    size_t F = g_descriptor->width, pixels = SIZE * SIZE * 3;
    float *pictures = make(4 * pixels), *pooled = NULL;
    disc(pictures, red, grass, 0, 0);
    disc(pictures + pixels, red, grass, 8, 0);
    disc(pictures + 2 * pixels, blue, grass, 0, 0);
    disc(pictures + 3 * pixels, red, grass, 0, 1);
    float *regions = forward(pictures, 4, &pooled);
    double moved = distance(pooled, pooled + F);
    assert_true(moved * 2 < distance(pooled, pooled + 2 * F));
    assert_true(moved * 2 < distance(pooled, pooled + 3 * F));
    double centre = 0, corner = 0;
    const float *middle = regions + (GRID / 2 * GRID + GRID / 2) * F;
    for (size_t f = F / 2; f < F; f++) {
        centre += (double)middle[f];
        corner += (double)regions[f];
    }
    assert_true(centre > 5 * corner);
    free(pictures);
    free(pooled);
    free(regions);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),       cmocka_unit_test(test_recipe),
        cmocka_unit_test(test_repeatable), cmocka_unit_test(test_any_input),
        cmocka_unit_test(test_meaning),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
