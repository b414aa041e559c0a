/*
 * test_recipe.c - resizing and recipes. That the results are PIL's is for golden_preprocess.c to show.
 */
#include "base/json.h"
#include "base/parallel.h"
#include "unit/image_sample.h"
#include "vision/image/recipe.h"

/* The rule of image.h for one axis, written down once more and slowly. */
static void slow_axis(const unsigned char *in, size_t n, size_t step, size_t m, int cubic,
                      unsigned char *out, size_t out_step) {
    double scale = (double)n / (double)m, wide = scale < 1 ? 1 : scale, s = (cubic ? 2 : 1) * wide;
    for (size_t x = 0; x < m; x++) {
        double c = ((double)x + 0.5) * scale, w[512], sum = 0;
        long from = (long)(c - s + 0.5), to = (long)(c + s + 0.5);
        if (from < 0) from = 0;
        if (to > (long)n) to = (long)n;
        for (long i = from; i < to; i++) {
            double t = ((double)i - c + 0.5) * (1 / wide);
            t = t < 0 ? -t : t;
            double v = t < 1 ? 1 - t : 0;
            if (cubic)
                v = t < 1   ? ((2 - 0.5) * t - (3 - 0.5)) * t * t + 1
                    : t < 2 ? (((t - 5) * t + 8) * t - 4) * -0.5
                            : 0;
            w[i - from] = v;
            sum += v;
        }
        int64_t total = 1 << 21;
        for (long i = from; i < to; i++) {
            double v = w[i - from] / sum * 4194304;
            total += (int64_t)(v < 0 ? v - 0.5 : v + 0.5) * in[(size_t)i * step];
        }
        total >>= 22;
        out[x * out_step] = (unsigned char)(total < 0 ? 0 : total > 255 ? 255 : total);
    }
}

static void slow_resize(const un_image *in, int cubic, un_image *out) {
    un_image middle;
    util_ok(un_image_create(out->width, in->height, &middle));
    for (size_t c = 0; c < 3; c++) {
        for (size_t y = 0; y < in->height; y++)
            slow_axis(in->pixels + y * in->width * 3 + c, in->width, 3, out->width, cubic,
                      middle.pixels + y * out->width * 3 + c, 3);
        for (size_t x = 0; x < out->width; x++)
            slow_axis(middle.pixels + x * 3 + c, in->height, out->width * 3, out->height, cubic,
                      out->pixels + x * 3 + c, out->width * 3);
    }
    un_image_free(&middle);
}

static void test_resize(void **state) {
    (void)state;
    static const size_t sizes[][4] = {{61, 47, 30, 23}, {61, 47, 61, 20}, {61, 47, 17, 47},
                                      {61, 47, 61, 47}, {61, 47, 90, 81}, {1, 1, 5, 7},
                                      {3, 200, 1, 1},   {200, 3, 64, 64}, {40, 2, 41, 1}};
    un_rng rng = un_rng_stream(3, "resize", 0);
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (int cubic = 0; cubic < 2; cubic++) {
            const size_t *s = sizes[k];
            un_interpolation how = cubic ? UN_BICUBIC : UN_BILINEAR;
            un_image in, out, want, part;
            util_ok(un_image_create(s[0], s[1], &in));
            util_ok(un_image_create(s[2], s[3], &want));
            for (size_t i = 0; i < s[0] * s[1] * 3; i++)
                in.pixels[i] = (unsigned char)(un_rng_below(&rng, 3) * 127);
            slow_resize(&in, cubic, &want);
            util_ok(un_image_resize(&in, s[2], s[3], how, &out));
            assert_memory_equal(out.pixels, want.pixels, s[2] * s[3] * 3);
            size_t x = s[2] / 3, y = s[3] / 4, w = (s[2] + 1) / 2, h = (s[3] + 1) / 2;
            util_ok(un_image_resize_part(&in, s[2], s[3], how, x, y, w, h, &part));
            for (size_t row = 0; row < h; row++)
                assert_memory_equal(part.pixels + row * w * 3,
                                    want.pixels + ((y + row) * s[2] + x) * 3, w * 3);
            un_image_free(&in);
            un_image_free(&out);
            un_image_free(&want);
            un_image_free(&part);
        }
    un_image empty = {0}, out;
    util_fails(un_image_resize(&empty, 5, 5, UN_BILINEAR, &out), UNSEEN_E_ARGUMENT, "5 x 5");
    util_ok(un_image_create(4, 4, &empty));
    util_fails(un_image_resize(&empty, 0, 5, UN_BILINEAR, &out), UNSEEN_E_ARGUMENT, "0 x 5");
    util_fails(un_image_resize_part(&empty, 8, 8, UN_BILINEAR, 5, 0, 4, 4, &out), UNSEEN_E_ARGUMENT,
               "not inside");
    un_image_free(&empty);
}

static void test_recipe_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *sentence;
    } wrong[] = {
        {"[]", "must be a JSON object"},
        {"{\"resize\": 0}", "\"resize\" must be"},
        {"{\"crop\": 5000}", "\"crop\" must be"},
        {"{\"crop\": 224.5}", "\"crop\" must be"},
        {"{\"resize\": 200, \"crop\": 224}", "\"crop\" 224 is larger"},
        {"{\"square\": 1}", "\"square\" must be true"},
        {"{\"interpolation\": \"nearest\"}", "\"bilinear\" or \"bicubic\""},
        {"{\"mean\": [1, 2]}", "\"mean\" must be three"},
        {"{\"std\": [1, 0, 1]}", "\"std\" must be three numbers above 0"},
        {"{\"std\": [1, 1e-60, 1]}", "\"std\" must be"},
        {"{\"size\": 3}", "unknown key \"size\""},
        {"{", "w.safetensors: not valid JSON"},
    };
    un_recipe r, again;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        util_fails(un_recipe_parse(wrong[i].text, "w.safetensors", &r), UNSEEN_E_FORMAT,
                   wrong[i].sentence);
    util_ok(un_recipe_parse("{}", "w", &r));
    assert_int_equal(r.resize, 256);
    assert_int_equal(r.crop, 224);
    assert_int_equal(r.orientation, UN_ORIENTATION_UNSAID);
    util_ok(un_recipe_parse("{\"orientation\": \"exif\"}", "w", &r));
    assert_int_equal(r.orientation, UN_ORIENTATION_EXIF);
    util_fails(un_recipe_parse("{\"orientation\": 6}", "w", &r), UNSEEN_E_FORMAT, "stored");
    util_ok(un_recipe_parse("{\"crop\": 384}", "w", &r));
    assert_int_equal(r.resize, 384);
    util_ok(un_recipe_parse("{\"resize\": 256, \"square\": true, \"crop\": 224, \"interpolation\":"
                            "\"bicubic\", \"mean\": [0.5, 0.25, 0], \"std\": [0.1, 0.2, 0.3]}",
                            "w", &r));
    json_t *json = un_recipe_json(&r);
    char *text = NULL;
    assert_non_null(json);
    util_ok(un_json_text(json, &text));
    util_ok(un_recipe_parse(text, "w", &again));
    assert_true(again.square && again.interpolation == UN_BICUBIC);
    assert_memory_equal(r.std, again.std, sizeof r.std);
    assert_non_null(strstr(text, "0.1"));
    free(text);
    json_decref(json);
    un_recipe_rescale(&r, 224);
    assert_int_equal(r.resize, 256);
    un_recipe_rescale(&r, 448);
    assert_int_equal(r.resize, 448);
    assert_int_equal(r.crop, 448);
}

static void test_recipe_crop(void **state) {
    (void)state;
    un_recipe r;
    un_image in, crop, whole;
    un_crop_box box;
    un_recipe_default(&r);
    r.resize = 16;
    r.crop = 12;
    util_ok(un_image_create(43, 32, &in)); /* 21 x 16: offsets 4 (of 4.5) and 2 */
    for (size_t i = 0; i < 43 * 32 * 3; i++) in.pixels[i] = (unsigned char)(i * 31 % 251);
    util_ok(un_recipe_crop(&r, &in, &crop, &box));
    util_ok(un_image_resize(&in, 21, 16, UN_BILINEAR, &whole));
    for (size_t y = 0; y < 12; y++)
        assert_memory_equal(crop.pixels + y * 36, whole.pixels + ((y + 2) * 21 + 4) * 3, 36);
    util_near(box.x, 4 * 43.0 / 21, 1e-12);
    util_near(box.y, 4, 1e-12);
    util_near(box.width, 12 * 43.0 / 21, 1e-12);
    util_near(box.height, 24, 1e-12);
    float values[12 * 12 * 3];
    un_recipe_normalize(&r, &crop, values);
    for (size_t i = 0; i < 12 * 12 * 3; i++)
        assert_true(values[i] == ((float)crop.pixels[i] / 255.0F - r.mean[i % 3]) / r.std[i % 3]);
    un_image_free(&crop);
    un_image_free(&whole);
    r.square = 1;
    util_ok(un_recipe_crop(&r, &in, &crop, &box));
    util_near(box.x, 2 * 43.0 / 16, 1e-12);
    util_near(box.height, 24, 1e-12);
    un_image_free(&crop);
    un_image_free(&in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_recipe_text),
        cmocka_unit_test(test_recipe_crop),
    };
    return cmocka_run_group_tests(tests, begin, NULL);
}
