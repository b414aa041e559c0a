/*
 * make_dataset.c - a small generated data set for tests that drive the program.
 *
 *     make_dataset DIR [IMAGES_PER_CLASS [WIDTH [SCALE [without-seen|without-unseen]]]]
 *
 * 16 classes (12 seen, 4 unseen) of 10 binary attributes; an image's features are a
 * fixed random linear map of its class's attributes through a ReLU, plus noise: easy
 * to learn, and learnable for unseen classes too. SCALE 0 makes all images alike. The last word
 * empties the list of test images of seen, or of unseen, classes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "data/features.h"
#include "data/split.h"

enum { CLASSES = 16, SEEN = 12, ATTRIBUTES = 10 };

static un_status write_features(const un_dataset *d, const char *directory, size_t width,
                                double scale) {
    char path[4096];
    snprintf(path, sizeof path, "%s/features", directory);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/features/toy.safetensors", directory);
    const un_features_description description = {.image_count = d->image_count,
                                                 .regions = 1,
                                                 .width = width,
                                                 .grid_height = 1,
                                                 .grid_width = 1,
                                                 .dtype = UN_F32,
                                                 .source = "generated"};
    un_features_writer *writer = NULL;
    float *map = NULL, *row = NULL;
    UN_TRY(un_alloc(ATTRIBUTES * width, sizeof *map, &map));
    UN_TRY(un_alloc(width, sizeof *row, &row));
    un_rng rng = un_rng_stream(7, "features", 0);
    un_rng_fill_normal(&rng, map, ATTRIBUTES * width, 0, 1);
    UN_TRY(un_features_writer_open(&writer, path, &description));
    for (size_t i = 0; i < d->image_count; i++) {
        const float *a = d->semantics[0].values + (size_t)d->labels[i] * ATTRIBUTES;
        for (size_t j = 0; j < width; j++) {
            double x = 0.3 * un_rng_normal(&rng);
            for (size_t k = 0; k < ATTRIBUTES; k++) x += (double)(a[k] * map[k * width + j]);
            row[j] = x > 0 ? (float)(scale * x) : 0.0f;
        }
        UN_TRY(un_features_writer_append(writer, row, 1));
    }
    free(map);
    free(row);
    return un_features_writer_commit(writer);
}

static un_status add_lists(un_dataset *d, size_t per_class) {
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (size_t l = 0; l < 3; l++)
        UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof(int64_t), &lists[l]->items));
    for (size_t i = 0; i < d->image_count; i++) {
        size_t class = i / per_class;
        d->labels[i] = (int32_t) class;
        un_index_list *list = class >= SEEN                               ? &d->test_unseen
                              : i % per_class < per_class - per_class / 5 ? &d->trainval
                                                                          : &d->test_seen;
        list->items[list->count++] = (int64_t)i;
    }
    return un_fold_propose(d, 2);
}

static un_status make(const char *directory, size_t per_class, size_t width, double scale,
                      const char *without) {
    un_dataset d = {.name = "toy", .class_count = CLASSES, .image_count = CLASSES * per_class};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&d.arena, CLASSES, sizeof *d.classes, &d.classes));
    UN_GO(un_arena_alloc(&d.arena, d.image_count, sizeof *d.labels, &d.labels));
    d.semantics_count = 1;
    d.semantics[0] = (un_semantics){.name = "att", .width = ATTRIBUTES};
    UN_GO(un_arena_alloc(&d.arena, CLASSES * ATTRIBUTES, sizeof(float), &d.semantics[0].values));
    for (size_t c = 0; c < CLASSES; c++) {
        char name[32];
        snprintf(name, sizeof name, "kind_%02zu", c);
        UN_GO(un_arena_string(&d.arena, name, &d.classes[c]));
        un_rng rng = un_rng_stream(3, "class", c);
        for (size_t k = 0; k < ATTRIBUTES; k++)
            d.semantics[0].values[c * ATTRIBUTES + k] = un_rng_below(&rng, 2) ? 1.0f : 0.0f;
    }
    UN_GO(add_lists(&d, per_class));
    if (!strcmp(without, "without-seen")) d.test_seen.count = 0;
    if (!strcmp(without, "without-unseen")) d.test_unseen.count = 0;
    mkdir(directory, 0777);
    UN_GO(un_dataset_write(&d, directory));
    UN_GO(write_features(&d, directory, width, scale));
done:
    json_decref(d.notes);
    un_arena_free(&d.arena);
    return status;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: make_dataset DIR [IMAGES_PER_CLASS [WIDTH [SCALE [WITHOUT]]]]\n");
        return 2;
    }
    size_t per_class = argc > 2 ? strtoull(argv[2], NULL, 10) : 30;
    size_t width = argc > 3 ? strtoull(argv[3], NULL, 10) : 32;
    double scale = argc > 4 ? strtod(argv[4], NULL) : 1.0;
    const char *without = argc > 5 ? argv[5] : "";
    if (make(argv[1], per_class, width, scale, without) == UNSEEN_OK) return 0;
    fprintf(stderr, "make_dataset: %s\n", un_error());
    return 1;
}
