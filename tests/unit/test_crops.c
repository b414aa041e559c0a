/* test_crops.c - pictures that were cropped beforehand, or are given as their features: answers,
 * features and explanations are bit for bit those of the pictures themselves. */
#include <math.h>

#include "base/json.h"
#include "image_sample.h"
#include "pictures_sample.h"

enum { ALL = C };

typedef struct {
    uint8_t *rgb; /* released with free() */
    unseen_crop where;
    unseen_picture picture; /* of the two */
} cropped;

static void crop_it(const unseen_model *model, const unseen_picture *picture, cropped *out) {
    const char *recipe = unseen_model_recipe(model);
    assert_non_null(recipe);
    util_ok(unseen_picture_crop(recipe, NULL, 0, NULL, 0, &out->where));
    size_t side = out->where.side, size = side * side * 3;
    assert_non_null(out->rgb = malloc(size));
    util_ok(unseen_picture_crop(recipe, picture, 0, out->rgb, size, &out->where));
    assert_int_equal(out->where.side, side);
    out->picture = (unseen_picture){
        .rgb = out->rgb, .width = side, .height = side, .stride = 3 * side, .cropped = &out->where};
}

/* What an explanation says but for the picture's name; released with free(). */
static char *explain_it(unseen_model *model, const unseen_picture *picture, const char *other) {
    unseen_explain_options o;
    unseen_explanation *x = NULL;
    json_t *json = NULL;
    char *text = NULL;
    unseen_explain_options_init(&o, sizeof o);
    o.instead_of = other;
    util_ok(unseen_explain(model, picture, &o, &x));
    const char *said = unseen_explanation_json(x);
    util_ok(un_json_parse(said, strlen(said), "explanation", &json));
    assert_int_equal(json_object_del(json, "image"), 0);
    util_ok(un_json_text(json, &text));
    json_decref(json);
    unseen_explanation_close(x);
    return text;
}

static void ask(unseen_model *model, const unseen_picture *picture, unseen_prediction best[ALL],
                unseen_answer *answer) {
    unseen_classify_options o;
    unseen_classify_options_init(&o, sizeof o);
    o.top = ALL;
    memset(best, 0, ALL * sizeof *best);
    util_ok(unseen_model_classify(model, picture, 1, &o, best, answer));
    if (answer->error) fail_msg("%s", answer->error);
}

/* The two are one and the same to the model. */
static void assert_alike(unseen_model *model, const unseen_picture *one,
                         const unseen_picture *two) {
    size_t bytes = unseen_model_feature_length(model) * sizeof(float);
    float *a = malloc(bytes), *b = malloc(bytes);
    unseen_prediction best[ALL], again[ALL];
    unseen_answer answer, other;
    util_ok(unseen_model_features(model, one, 1, a, NULL));
    util_ok(unseen_model_features(model, two, 1, b, NULL));
    assert_memory_equal(a, b, bytes);
    ask(model, one, best, &answer);
    ask(model, two, again, &other);
    assert_memory_equal(best, again, sizeof best);
    assert_int_equal(answer.ignored, other.ignored);
    char *why = explain_it(model, one, NULL), *why_again = explain_it(model, two, NULL);
    assert_string_equal(why, why_again);
    free(why);
    free(why_again);
    free(a);
    free(b);
}

static blob turned_jpeg(int orientation) {
    unsigned char rgb[WIDTH * HEIGHT * 3];
    paint(rgb, 3);
    VipsImage *image = vips_of(rgb, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB);
    vips_image_set_int(image, "orientation", orientation);
    return encode(image, ".jpg[Q=90]");
}

static void crops_are_their_pictures(void **state) {
    (void)state;
    static const unseen_orientation orientations[] = {
        UNSEEN_ORIENTATION_MODEL, UNSEEN_ORIENTATION_STORED, UNSEEN_ORIENTATION_EXIF};
    unseen_model *model = open_model();
    assert_null(unseen_model_recipe(model));
    util_ok(unseen_model_attach_backbone(model, NULL));
    for (size_t way = 0; way < 3; way++) {
        util_ok(unseen_model_set_orientation(model, orientations[way]));
        int exif = strstr(unseen_model_recipe(model), "\"exif\"") != NULL;
        assert_int_equal(exif, way == 2);
        for (size_t f = 0; f <= FORMATS; f++) {
            blob b = f < FORMATS ? sample(f) : turned_jpeg(6);
            const unseen_picture whole = {.bytes = b.bytes, .byte_count = b.size};
            int upright = f == FORMATS && exif;
            cropped c;
            crop_it(model, &whole, &c);
            assert_int_equal(c.where.picture_width, upright ? HEIGHT : WIDTH);
            assert_int_equal(c.where.picture_height, upright ? WIDTH : HEIGHT);
            assert_int_equal(c.where.ignored, f == FORMATS && !exif);
            util_near(c.where.width, c.where.height, 1.0);
            assert_alike(model, &whole, &c.picture);
            free(c.rgb);
            free(b.bytes);
        }
    }
    unseen_model_close(model);
}

/* A crop is not cropped again, which would take more off where the recipe does. */
static void recipes_crop_once(void **state) {
    (void)state;
    static const char recipe[] = "{\"resize\": 40, \"crop\": 32}";
    uint8_t once[32 * 32 * 3], twice[32 * 32 * 3];
    unseen_crop where;
    blob b = sample(1);
    const unseen_picture whole = {.bytes = b.bytes, .byte_count = b.size};
    util_ok(unseen_picture_crop(recipe, &whole, 0, once, sizeof once, &where));
    util_near(where.height, 32.0 * HEIGHT / 40, 1e-12);
    const unseen_picture pixels = {.rgb = once, .width = 32, .height = 32, .stride = 96};
    util_ok(unseen_picture_crop(recipe, &pixels, 0, twice, sizeof twice, &where));
    assert_true(memcmp(once, twice, sizeof once) != 0);
    util_near(where.x, 3.2, 1e-12);
    free(b.bytes);
}

static void what_cannot_be_cropped(void **state) {
    (void)state;
    static const char recipe[] = "{\"resize\": 32, \"crop\": 32}";
    uint8_t rgb[32 * 32 * 3];
    unseen_crop where = {.side = 7};
    blob b = sample(1), large = sample(5);
    const float features[1] = {0};
    const unseen_picture whole = {.bytes = b.bytes, .byte_count = b.size},
                         cut = {.bytes = b.bytes, .byte_count = b.size / 2},
                         nothing = {.path = "/nowhere/a.png"}, row = {.features = features},
                         text = {.bytes = "no picture", .byte_count = 10};
    size_t n = sizeof rgb, limit = WIDTH * HEIGHT;
    util_fails(unseen_picture_crop(NULL, &whole, 0, rgb, n, &where), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_picture_crop(recipe, NULL, 0, rgb, n, &where), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_picture_crop(recipe, &whole, 0, rgb, n, NULL), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_picture_crop("{", &whole, 0, rgb, n, &where), UNSEEN_E_FORMAT, "recipe");
    util_fails(unseen_picture_crop(recipe, &whole, 0, rgb, n - 1, &where), UNSEEN_E_ARGUMENT,
               "needs 3072 bytes");
    util_fails(unseen_picture_crop(recipe, &row, 0, rgb, n, &where), UNSEEN_E_ARGUMENT, "features");
    util_fails(unseen_picture_crop(recipe, &cut, 0, rgb, n, &where), UNSEEN_E_FORMAT, "picture 0");
    util_fails(unseen_picture_crop(recipe, &text, 0, rgb, n, &where), UNSEEN_E_FORMAT, "picture 0");
    util_fails(unseen_picture_crop(recipe, &nothing, 0, rgb, n, &where), UNSEEN_E_IO, "/nowhere");
    util_ok(unseen_picture_crop(recipe, &whole, limit, rgb, n, &where));
    where.side = 7;
    util_fails(unseen_picture_crop(recipe, &whole, limit - 1, rgb, n, &where), UNSEEN_E_UNSUPPORTED,
               "61 x 47 pixels are more than the 2866 accepted");
    util_fails(unseen_picture_crop(
                   recipe, &(unseen_picture){.bytes = large.bytes, .byte_count = large.size},
                   limit - 1, rgb, n, &where),
               UNSEEN_E_UNSUPPORTED, "61 x 47");
    assert_int_equal(where.picture_width, WIDTH);
    assert_int_equal(where.picture_height, HEIGHT);
    assert_int_equal(where.side, 0);
    where.side = 7;
    util_fails(unseen_picture_crop(recipe, &cut, 0, rgb, n, &where), UNSEEN_E_FORMAT, "damaged");
    assert_int_equal(where.side + where.picture_width, 0);
    where.side = 7;
    util_fails(unseen_picture_crop("{", &whole, 0, rgb, n, &where), UNSEEN_E_FORMAT, "recipe");
    assert_int_equal(where.side, 0);
    /* Pixels are counted like those of a file. */
    const unseen_picture pixels = {.rgb = rgb, .width = 32, .height = 32, .stride = 96};
    uint8_t out[32 * 32 * 3];
    util_ok(unseen_picture_crop(recipe, &pixels, 1024, out, n, &where));
    util_fails(unseen_picture_crop(recipe, &pixels, 1023, out, n, &where), UNSEEN_E_UNSUPPORTED,
               "32 x 32 pixels are more than the 1023 accepted");
    assert_int_equal(where.picture_width, 32);
    assert_int_equal(where.side, 0);
    free(b.bytes);
    free(large.bytes);
}

static void wrong_crops_and_features_are_told(void **state) {
    (void)state;
    unseen_model *model = open_model();
    const unseen_picture whole = {.bytes = g_bytes[0], .byte_count = BYTES};
    size_t D = unseen_model_feature_length(model);
    float *row = calloc(D, sizeof *row);
    unseen_prediction best[5];
    unseen_explanation *explanation = NULL;
    cropped c;
    assert_non_null(row);
    util_ok(unseen_model_attach_backbone(model, NULL));
    crop_it(model, &whole, &c);
    unseen_picture p = c.picture;
    p.rgb = NULL, p.path = "a.png";
    util_fails(unseen_model_classify(model, &p, 1, NULL, best, NULL), UNSEEN_E_ARGUMENT, "cropped");
    p = c.picture, p.width--;
    util_fails(unseen_model_classify(model, &p, 1, NULL, best, NULL), UNSEEN_E_ARGUMENT,
               "its rgb are 47 x 48");
    c.where.side--;
    p = c.picture, p.width--, p.height--;
    util_fails(unseen_model_classify(model, &p, 1, NULL, best, NULL), UNSEEN_E_ARGUMENT,
               "cropped to 47 pixels a side, the model's recipe to 48");
    util_fails(unseen_explain(model, &p, NULL, &explanation), UNSEEN_E_ARGUMENT,
               "the model's recipe to 48");
    c.where.side++;
    const double x = c.where.x, height = c.where.height;
    p = c.picture, c.where.x = NAN;
    util_fails(unseen_explain(model, &p, NULL, &explanation), UNSEEN_E_ARGUMENT, "no part of a");
    c.where.x = x, c.where.height = -height;
    util_fails(unseen_explain(model, &p, NULL, &explanation), UNSEEN_E_ARGUMENT, "no part of a");
    c.where.height = height;
    p = whole, p.features = row;
    util_fails(unseen_model_classify(model, &p, 1, NULL, best, NULL), UNSEEN_E_ARGUMENT, "2 forms");
    util_fails(unseen_explain(model, &p, NULL, &explanation), UNSEEN_E_ARGUMENT, "2 forms");
    row[3] = INFINITY;
    const unseen_picture two[] = {whole, {.features = row}};
    util_fails(unseen_model_classify(model, two, 2, NULL, best, NULL), UNSEEN_E_ARGUMENT,
               "feature 3 of image 1 is not a finite number");
    util_fails(unseen_explain(model, &two[1], NULL, &explanation), UNSEEN_E_ARGUMENT, "feature 3");
    free(row);
    free(c.rgb);
    unseen_model_close(model);
}

/* Features, crops and files mixed in one call. */
static void features_stand_for_pictures(void **state) {
    (void)state;
    unseen_model *model = open_model();
    size_t D = unseen_model_feature_length(model);
    float *rows = malloc(N * D * sizeof *rows), *again = malloc(N * D * sizeof *rows);
    unseen_picture pictures[N];
    cropped crops[N];
    unseen_prediction best[N * ALL], other[N * ALL];
    unseen_answer answers[N];
    unseen_classify_options o;
    util_ok(unseen_model_attach_backbone(model, NULL));
    for (size_t i = 0; i < N; i++) pictures[i] = (unseen_picture){.path = g_paths[i]};
    unseen_classify_options_init(&o, sizeof o);
    o.top = ALL;
    memset(best, 0, sizeof best);
    memset(other, 0, sizeof other);
    util_ok(unseen_model_features(model, pictures, N, rows, NULL));
    util_ok(unseen_model_classify(model, pictures, N, &o, best, answers));
    for (size_t i = 0; i < N; i++) {
        crop_it(model, &pictures[i], &crops[i]);
        if (i % 3 == 1) pictures[i] = crops[i].picture;
        if (i % 3 == 2 || i >= N - 20) pictures[i] = (unseen_picture){.features = rows + i * D};
    }
    util_ok(unseen_model_classify(model, pictures, N, &o, other, answers));
    assert_memory_equal(best, other, sizeof best);
    for (size_t i = 0; i < N; i++) assert_int_equal(answers[i].count, ALL);
    util_ok(unseen_model_features(model, pictures, N, again, answers));
    assert_memory_equal(rows, again, N * D * sizeof *rows);
    for (size_t i = 0; i < N; i++) free(crops[i].rgb);
    free(rows);
    free(again);
    unseen_model_close(model);
}

/* A clone has no backbone, and may have classes of its own. */
static void a_clone_answers_and_explains(void **state) {
    (void)state;
    static const char *const names[] = {"red", "striped"};
    static const float values[] = {1, 1};
    unseen_model *model = open_model(), *clone = NULL;
    float *row = malloc(unseen_model_feature_length(model) * sizeof *row);
    const unseen_picture whole = {.path = g_paths[1]};
    unseen_prediction best[ALL], same[ALL];
    unseen_answer answer;
    unseen_explanation *x = NULL;
    const void *png = NULL;
    size_t size = 0;
    cropped c;
    util_ok(unseen_model_attach_backbone(model, NULL));
    util_ok(unseen_model_features(model, &whole, 1, row, NULL));
    crop_it(model, &whole, &c);
    util_ok(unseen_model_clone(model, &clone));
    assert_null(unseen_model_recipe(clone));
    const unseen_picture features = {.features = row};
    unseen_picture both = c.picture;
    both.features = row;
    ask(model, &whole, best, &answer);
    ask(clone, &features, same, &answer);
    for (size_t k = 0; k < ALL; k++) {
        assert_string_equal(best[k].label, same[k].label);
        assert_true(best[k].score == same[k].score);
    }
    char *told = explain_it(model, &whole, NULL), *again = explain_it(clone, &both, NULL);
    assert_string_equal(told, again);
    free(again);
    again = explain_it(clone, &features, NULL);
    assert_non_null(strstr(again, "\"crop\":null"));
    util_ok(unseen_model_add_class(clone, "a new one", names, values, 2));
    free(again);
    again = explain_it(clone, &both, "a new one");
    assert_non_null(strstr(again, "\"instead_of\":{\"label\":\"a new one\""));
    util_fails(unseen_explain(clone, &c.picture, NULL, &x), UNSEEN_E_ARGUMENT, "no backbone");
    util_ok(unseen_explain(clone, &features, NULL, &x));
    util_fails(unseen_explanation_png(x, UNSEEN_DRAWING_SHEET, &png, &size), UNSEEN_E_ARGUMENT,
               "no picture to draw on");
    util_fails(unseen_explanation_write(x, g_folder, "why"), UNSEEN_E_ARGUMENT, "no picture");
    util_ok(unseen_explanation_png(x, UNSEEN_DRAWING_CONTRIBUTIONS, &png, &size));
    unseen_explanation_close(x);
    util_ok(unseen_explain(clone, &both, NULL, &x));
    util_ok(unseen_explanation_png(x, UNSEEN_DRAWING_SHEET, &png, &size));
    unseen_explanation_close(x);
    free(told);
    free(again);
    free(row);
    free(c.rgb);
    unseen_model_close(clone);
    unseen_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crops_are_their_pictures),
        cmocka_unit_test(recipes_crop_once),
        cmocka_unit_test(what_cannot_be_cropped),
        cmocka_unit_test(wrong_crops_and_features_are_told),
        cmocka_unit_test(features_stand_for_pictures),
        cmocka_unit_test(a_clone_answers_and_explains),
    };
    return cmocka_run_group_tests(tests, make_model, remove_folder);
}
