/*
 * make_region_set.c - a generated data set of region features of any size, for
 * measuring how training streams what does not fit in memory.
 *
 *     make_region_set DIR [IMAGES REGIONS WIDTH ATTRIBUTES CLASSES]
 *
 * Defaults are CUB's: 11788 images, 14 x 14 regions of 2048 values, 312 attributes,
 * 200 classes. Features are random, stored as bf16; 64 different images repeat, each
 * written out in full, so that the file has real blocks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/rng.h"
#include "data/features.h"
#include "data/split.h"

enum { DIFFERENT = 64, VECTOR_WIDTH = 300 };

typedef struct {
    const char *directory;
    size_t images, regions, width, attributes, classes;
} request;

static un_status write_features(const request *q) {
    char path[4096];
    size_t row = q->regions * q->width;
    float *rows = NULL;
    un_features_writer *writer = NULL;
    snprintf(path, sizeof path, "%s/features", q->directory);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/features/maps.safetensors", q->directory);
    const un_features_description description = {.image_count = q->images,
                                                 .regions = q->regions,
                                                 .width = q->width,
                                                 .grid_height = 1,
                                                 .grid_width = q->regions,
                                                 .dtype = UN_BF16,
                                                 .source = "generated"};
    UN_TRY(un_alloc(DIFFERENT * row, sizeof *rows, &rows));
    un_rng rng = un_rng_stream(1, "maps", 0);
    for (size_t i = 0; i < DIFFERENT * row; i++) {
        uint32_t bits = un_rng_u32(&rng);
        rows[i] = bits & 1u ? (float)(bits >> 8) * 0x1p-24f : 0.0f;
    }
    un_status status = un_features_writer_open(&writer, path, &description);
    for (size_t i = 0; i < q->images && !status; i++)
        status = un_features_writer_append(writer, rows + i % DIFFERENT * row, 1);
    free(rows);
    if (!status) return un_features_writer_commit(writer);
    un_features_writer_abort(writer);
    return status;
}

/* The last quarter of the classes is unseen; a fifth of the others' images is test_seen. */
static un_status fill(un_dataset *d, const request *q) {
    un_semantics *s = &d->semantics[0];
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    un_rng rng = un_rng_stream(1, "classes", 0);
    UN_TRY(un_arena_alloc(&d->arena, q->classes, sizeof *d->classes, &d->classes));
    UN_TRY(un_arena_alloc(&d->arena, q->images, sizeof *d->labels, &d->labels));
    for (size_t l = 0; l < 3; l++)
        UN_TRY(un_arena_alloc(&d->arena, q->images, sizeof(int64_t), &lists[l]->items));
    *s = (un_semantics){.name = "att", .width = q->attributes, .vector_width = VECTOR_WIDTH};
    UN_TRY(un_arena_alloc(&d->arena, q->classes * s->width, sizeof(float), &s->values));
    UN_TRY(un_arena_alloc(&d->arena, s->width * VECTOR_WIDTH, sizeof(float), &s->vectors));
    un_rng_fill_uniform(&rng, s->values, q->classes * s->width, 0, 1);
    un_rng_fill_normal(&rng, s->vectors, s->width * VECTOR_WIDTH, 0, 1);
    UN_TRY(un_arena_alloc(&d->arena, s->width, sizeof *s->attributes, (void *)&s->attributes));
    for (size_t a = 0; a < s->width; a++) {
        char name[64]; /* of CUB's form, four to a group */
        snprintf(name, sizeof name, "has_part%zu_color::shade_%zu", a / 4, a % 4);
        UN_TRY(un_arena_string(&d->arena, name, &s->attributes[a]));
    }
    for (size_t c = 0; c < q->classes; c++) {
        char name[32];
        snprintf(name, sizeof name, "kind_%03zu", c);
        UN_TRY(un_arena_string(&d->arena, name, &d->classes[c]));
    }
    for (size_t i = 0; i < q->images; i++) {
        size_t class = i % q->classes;
        d->labels[i] = (int32_t) class;
        un_index_list *list = class >= q->classes - q->classes / 4 ? &d->test_unseen
                              : i / q->classes % 5 == 4            ? &d->test_seen
                                                                   : &d->trainval;
        list->items[list->count++] = (int64_t)i;
    }
    return un_fold_propose(d, 1);
}

int main(int argc, char **argv) {
    request q = {argc > 1 ? argv[1] : NULL, 11788, 196, 2048, 312, 200};
    size_t *const sizes[] = {&q.images, &q.regions, &q.width, &q.attributes, &q.classes};
    for (int i = 2; i < argc && i < 7; i++) *sizes[i - 2] = strtoull(argv[i], NULL, 10);
    if (argc < 2 || q.classes < 8 || q.images < 10 * q.classes) {
        fprintf(stderr, "usage: make_region_set DIR [IMAGES REGIONS WIDTH ATTRIBUTES CLASSES]\n");
        return 2;
    }
    un_dataset d = {.name = "maps", .class_count = q.classes, .image_count = q.images};
    d.semantics_count = 1;
    mkdir(q.directory, 0777);
    un_status status = fill(&d, &q);
    if (!status) status = un_dataset_write(&d, q.directory);
    if (!status) status = write_features(&q);
    if (status) fprintf(stderr, "make_region_set: %s\n", un_error());
    json_decref(d.notes);
    un_arena_free(&d.arena);
    return status ? 1 : 0;
}
