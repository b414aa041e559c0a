/*
 * pictures_sample.h - pictures in the colours of their classes, on disk and in memory, and a model
 * that was trained on them through the public interface, with the built-in descriptor.
 */
#ifndef UN_TESTS_PICTURES_SAMPLE_H
#define UN_TESTS_PICTURES_SAMPLE_H

#include <sys/stat.h>

#include "folder.h"
#include "util.h"

enum { C = 6, A = 4, N = 48, SIDE = 48, HEAD = 54, BYTES = HEAD + SIDE * SIDE * 3 };

static const char *const g_attribute_names[A] = {"red", "green", "blue", "striped"};
static float g_attributes[C * A];
static unsigned char g_rgb[N][SIDE * SIDE * 3];
static unsigned char g_bytes[N][BYTES]; /* the same as BMP files */
static char g_names[N][16], g_paths[N][300];
static const char *g_name_list[N];
static int32_t g_labels[N];

/* A picture in the colours of its class, with noise. */
static inline void paint_class(size_t i, un_rng *rng) {
    static const unsigned char head[HEAD] = {
        'B', 'M', [10] = HEAD, [14] = 40, [18] = SIDE, [22] = SIDE, [26] = 1, [28] = 24};
    const float *a = g_attributes + (size_t)g_labels[i] * A;
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < 3; c++) {
                float stripe = y / 4 % 2 ? a[3] : 0;
                float v = 200 * a[c] * (1 - 0.7F * stripe) + (float)un_rng_below(rng, 50);
                g_rgb[i][(y * SIDE + x) * 3 + c] = (unsigned char)v;
            }
    memcpy(g_bytes[i], head, HEAD);
    for (size_t y = 0; y < SIDE; y++)
        for (size_t x = 0; x < SIDE; x++)
            for (size_t c = 0; c < 3; c++)
                g_bytes[i][HEAD + ((SIDE - 1 - y) * SIDE + x) * 3 + (2 - c)] =
                    g_rgb[i][(y * SIDE + x) * 3 + c];
}

static inline void save_set(void) {
    static const float nothing[N] = {0};
    un_rng rng = un_rng_stream(2, "pictures", 0);
    unseen_arrays a;
    unseen_dataset *data = NULL;
    assert_int_equal(mkdir(in_folder("pictures"), 0777), 0);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) {
        g_labels[i] = (int32_t)(i % C);
        snprintf(g_names[i], sizeof g_names[i], "%02zu.bmp", i);
        snprintf(g_paths[i], sizeof g_paths[i], "%s/pictures/%s", g_folder, g_names[i]);
        g_name_list[i] = g_names[i];
        paint_class(i, &rng);
        write_bytes(g_paths[i], g_bytes[i], BYTES);
    }
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N, a.width = 1, a.features = nothing, a.labels = g_labels;
    a.class_count = C, a.attribute_count = A, a.class_attributes = g_attributes;
    a.attribute_names = g_attribute_names;
    a.image_names = g_name_list;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_dataset_save(data, in_folder("set")));
    unseen_dataset_close(data);
}

/* The trained model's file. */
static const char *const g_model = "pictures.model";

static inline void train_on_pictures(unseen_dataset *data, const char *features) {
    static const char *const settings[] = {"epochs=3", "vectors=one-hot"};
    unseen_train_options t;
    unseen_train_options_init(&t, sizeof t);
    t.features = features;
    t.settings = settings;
    t.setting_count = 2;
    t.output = in_folder(g_model);
    util_ok(unseen_train("msdn", data, &t, NULL, NULL));
}

static inline unseen_model *open_model(void) {
    unseen_model *model = NULL;
    util_ok(unseen_model_open(in_folder(g_model), &model));
    return model;
}

/* All of it: pictures, features, model. */
static inline int make_model(void **state) {
    unseen_dataset *data = NULL;
    unseen_extract_options e;
    unseen_extract_result made = {.size = sizeof made};
    if (make_folder(state) != 0) return -1;
    save_set();
    util_ok(unseen_dataset_open(in_folder("set"), &data));
    util_ok(unseen_dataset_use_images(data, in_folder("pictures")));
    unseen_extract_options_init(&e, sizeof e);
    e.image_size = SIDE;
    util_ok(unseen_extract(data, &e, &made));
    train_on_pictures(data, made.regions_name);
    unseen_dataset_close(data);
    return 0;
}

#endif
