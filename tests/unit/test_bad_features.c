/* test_bad_features.c - a feature file in which something is no number: every method that is trained on
 * it says which image, not that its settings are at fault. */
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#include "data/features.h"
#include "folder.h"
#include "util.h"

enum { C = 12, A = 6, N = 240, F = 16, GRID = 2, R = GRID * GRID };

static float g_features[N * R * F], g_attributes[C * A];
static int32_t g_labels[N];
static const char *const g_attribute_names[A] = {"size::big",    "size::small", "coat::furry",
                                                 "coat::winged", "wet::yes",    "wet::no"};

static unseen_dataset *make_set(const char *directory, size_t regions) {
    un_rng rng = un_rng_stream(5, "bad features", 0);
    unseen_arrays a;
    unseen_dataset *data = NULL;
    un_rng_fill_uniform(&rng, g_features, N * regions * F, 0, 1);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) g_labels[i] = (int32_t)(i % C);
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N, a.regions = regions, a.width = F;
    if (regions == R) a.grid_height = a.grid_width = GRID;
    a.features = g_features, a.labels = g_labels;
    a.class_count = C, a.attribute_count = A, a.class_attributes = g_attributes;
    a.attribute_names = g_attribute_names;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_dataset_add_words(data, "builtin:words", NULL));
    util_ok(unseen_dataset_save(data, directory));
    unseen_dataset_close(data);
    util_ok(unseen_dataset_open(directory, &data));
    return data;
}

/* Value 3 of an image that every run learns from, on the disk. */
static int64_t spoil(const unseen_dataset *data, const char *directory, size_t regions,
                     float value) {
    char path[600];
    un_features f;
    const int64_t *images = NULL;
    size_t n = 0;
    util_ok(unseen_dataset_split(data, UNSEEN_TRAINVAL, &images, &n));
    const int64_t image = images[n / 2];
    util_ok(un_features_open(&f, directory, NULL));
    const off_t at = (const unsigned char *)f.data - f.file.map.data +
                     (off_t)(((size_t)image * regions * F + 3) * sizeof(float));
    un_features_close(&f);
    snprintf(path, sizeof path, "%s/features/features.safetensors", directory);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &value, sizeof value, at), sizeof value);
    close(fd);
    return image;
}

static const struct {
    const char *method;
    size_t regions;
    const char *settings[12];
} g_trainings[] = {
    {"dem", 1, {"epochs=2"}},
    {"dem", 1, {"epochs=2", "whiten=no"}},
    {"dem", R, {"epochs=2"}},
    {"eszsl", 1, {NULL}},
    {"cnzsl", 1, {"epochs=2"}},
    {"cnzsl", 1, {"epochs=2", "whiten=no"}},
    {"msdn", R, {"epochs=2"}},
    {"dedn", R, {"epochs=2"}},
    {"duet",
     R,
     {"epochs=2", "hidden=16", "heads=2", "inner=24", "text_layers=1", "batch=8", "max_length=64",
      "image_hidden=16", "image_heads=2", "image_inner=24", "image_layers=1"}},
};
enum { TRAININGS = sizeof g_trainings / sizeof *g_trainings };

static void the_image_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < 2 * TRAININGS; i++) {
        const size_t t = i / 2, regions = g_trainings[t].regions;
        char name[24], sentence[80];
        snprintf(name, sizeof name, "set%zu", i);
        const char *directory = in_folder(name);
        unseen_dataset *data = make_set(directory, regions);
        const float value = i % 2 ? INFINITY : NAN;
        const int64_t image = spoil(data, directory, regions, value);
        unseen_train_options o;
        unseen_train_options_init(&o, sizeof o);
        o.settings = g_trainings[t].settings;
        while (o.setting_count < 12 && o.settings[o.setting_count]) o.setting_count++;
        o.select = "none";
        if (strcmp(g_trainings[t].method, "eszsl") == 0) o.select = "validation";
        snprintf(sentence, sizeof sentence, "feature set features: value 3 of image %lld is not",
                 (long long)image);
        unseen_status status = unseen_train(g_trainings[t].method, data, &o, NULL, NULL);
        if (status != UNSEEN_E_FORMAT || !strstr(unseen_last_error(), sentence))
            fail_msg("%s, training %zu: status %d, \"%s\"", g_trainings[t].method, t, (int)status,
                     status ? unseen_last_error() : "");
        unseen_dataset_close(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_image_is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
