/*
 * fuzz_model.c - a model file: refused, or everything that the public interface offers works on
 * it: scores, attributes, attention, a class more, a picture.
 */
#include "fuzz.h"

enum { IMAGES = 2, LARGEST = 1 << 16 };

/* What depends on the features of an image. */
static void look(unseen_model *model, const float *features) {
    size_t h = 0, w = 0, A = unseen_model_attribute_count(model);
    size_t branches = unseen_model_branch_count(model);
    unseen_model_grid(model, &h, &w);
    FUZZ_REQUIRE(h > 0 && w > 0);
    if (A > LARGEST || h * w > LARGEST || A * h * w > LARGEST) return;
    float *attributes = malloc((A + 1) * sizeof *attributes);
    float *maps = malloc((branches * A * h * w + 1) * sizeof *maps);
    FUZZ_REQUIRE(attributes && maps);
    if (fuzz_taken(unseen_attributes(model, features, attributes)))
        fuzz_touch(attributes, A * sizeof *attributes);
    if (fuzz_taken(unseen_attention(model, features, maps)))
        fuzz_touch(maps, branches * A * h * w * sizeof *maps);
    free(attributes);
    free(maps);
}

static void score(unseen_model *model) {
    size_t D = unseen_model_feature_length(model), C = unseen_model_class_count(model);
    if (D > LARGEST || C > LARGEST) return;
    float *features = malloc((IMAGES * D + 1) * sizeof *features);
    float *scores = malloc((IMAGES * C + 1) * sizeof *scores);
    FUZZ_REQUIRE(features && scores);
    for (size_t i = 0; i < IMAGES * D; i++) features[i] = (float)(i % 7) / 8;
    for (int calibrated = 0; calibrated < 2; calibrated++)
        if (fuzz_taken(unseen_model_score(model, features, IMAGES, (unseen_calibration)calibrated,
                                          scores)))
            fuzz_touch(scores, IMAGES * C * sizeof *scores);
    look(model, features);
    free(features);
    free(scores);
}

static void add_class(unseen_model *model) {
    size_t A = unseen_model_attribute_count(model), before = unseen_model_class_count(model);
    const char *first = unseen_model_attribute_name(model, 0);
    const float value = 0.5f;
    if (A == 0 || !first) return;
    if (!fuzz_taken(unseen_model_add_class(model, "one more", &first, &value, 1))) return;
    FUZZ_REQUIRE(unseen_model_class_count(model) == before + 1);
}

static void classify(unseen_model *model) {
    unsigned char pixels[8 * 8 * 3];
    unseen_prediction best[3];
    size_t count = 0;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 31);
    if (!fuzz_taken(unseen_model_attach_backbone(model, NULL))) return;
    if (fuzz_taken(
            unseen_classify_pixels(model, pixels, 8, 8, 24, UNSEEN_AMONG_ALL, 3, best, &count)))
        for (size_t i = 0; i < count; i++) fuzz_touch_text(best[i].label);
}

int fuzz_run_model(const uint8_t *data, size_t size) {
    unseen_model *model = NULL;
    if (!fuzz_taken(unseen_model_open(fuzz_file("a.model", data, size), &model))) return 0;
    for (size_t c = 0; c < unseen_model_class_count(model); c++)
        fuzz_touch_text(unseen_model_class_name(model, c));
    fuzz_touch_text(unseen_model_manifest(model));
    score(model);
    add_class(model);
    score(model);
    classify(model);
    unseen_model_close(model);
    return 1;
}

/* The models of version 0.1 in tests/data are replayed beside these (CMakeLists.txt). */
void fuzz_seed_model(void) {
    fuzz_seed_file("bad_dataset", fuzz_test_data("v0.1/maps/dataset.safetensors"));
    fuzz_seed_text("bad_text", "class,a\nx,1\n");
}
