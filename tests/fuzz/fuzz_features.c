/* fuzz_features.c - a feature store: refused, or every image's row can be gathered. */
#include "fuzz.h"

#include "data/features.h"

enum { ROW_LIMIT = 1 << 20 };

static void gather(const un_features *f) {
    size_t row = f->regions * f->width;
    const int64_t images[] = {0, (int64_t)f->image_count - 1};
    if (f->image_count == 0 || row == 0 || row > ROW_LIMIT) return;
    float *values = malloc(2 * row * sizeof *values);
    un_bf16 *small = malloc(2 * row * sizeof *small);
    FUZZ_REQUIRE(values && small);
    un_features_prefetch(f, images, 2);
    un_features_gather_f32(f, images, 2, values);
    un_features_gather_bf16(f, images, 2, small);
    fuzz_touch(values, 2 * row * sizeof *values);
    fuzz_touch(small, 2 * row * sizeof *small);
    free(values);
    free(small);
}

int fuzz_run_features(const uint8_t *data, size_t size) {
    un_features f;
    const char *path = fuzz_file("maps.safetensors", data, size);
    if (!fuzz_taken(un_features_open_file(&f, path))) return 0;
    FUZZ_REQUIRE(f.grid_height * f.grid_width == f.regions);
    fuzz_touch_text(f.sha256);
    fuzz_touch_text(f.recipe);
    gather(&f);
    un_features_close(&f);
    return 1;
}

static void seed(const char *name, un_dtype dtype, size_t height, size_t width) {
    const un_features_description d = {.image_count = 3,
                                       .regions = height * width,
                                       .width = 2,
                                       .grid_height = height,
                                       .grid_width = width,
                                       .dtype = dtype,
                                       .source = "generated"};
    un_features_writer *writer = NULL;
    float rows[3 * 6 * 2];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) rows[i] = (float)i / 4;
    FUZZ_REQUIRE(un_features_writer_open(&writer, fuzz_path("s.safetensors"), &d) == UNSEEN_OK);
    FUZZ_REQUIRE(un_features_writer_append(writer, rows, 3) == UNSEEN_OK);
    FUZZ_REQUIRE(un_features_writer_commit(writer) == UNSEEN_OK);
    fuzz_seed_file(name, fuzz_path("s.safetensors"));
}

void fuzz_seed_features(void) {
    seed("pooled", UN_F32, 1, 1);
    seed("regions", UN_BF16, 2, 3);
    fuzz_seed_file("version_0.1", fuzz_test_data("v0.1/maps/features/maps.safetensors"));
    fuzz_seed_text("bad_text", "no features");
}
