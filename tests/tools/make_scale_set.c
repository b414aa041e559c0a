/*
 * make_scale_set.c - generated features, labels and attributes of any size, to measure what many
 * classes and many images cost (bench/scale.sh).
 *
 *     make_scale_set FILE.safetensors CLASSES IMAGES [ATTRIBUTES WIDTH [NOISE]]
 *
 * Tensors: features (IMAGES, WIDTH), labels (IMAGES), att (CLASSES, ATTRIBUTES), for `unseen import
 * arrays`. A class's features are a random linear map of its attributes, and a part that no attribute
 * tells; an image's are those plus noise, through a ReLU. Every class has as many images, but for a
 * rest, in random order. The default noise makes classes overlap: among 200 to 2000 unseen classes a
 * linear method names a third to two thirds of the images.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "tensor/safetensors.h"

enum { BLOCK = 1024 };

typedef struct {
    size_t classes, images, attributes, width;
    float noise;       /* deviation of a feature, where that of classes' means is about 1 */
    float *att, *mean; /* [classes, attributes], [classes, width] */
    int64_t *labels;   /* [images] */
    size_t first;      /* image of the block under way */
    float *block;      /* [BLOCK, width] */
} set;

/* The part that attributes do not tell has a third of the deviation of the one that they do. */
static void make_means(size_t begin, size_t end, void *context) {
    set *s = context;
    float *map = malloc(s->attributes * s->width * sizeof *map);
    if (!map) abort();
    un_rng rng = un_rng_stream(1, "map", 0);
    un_rng_fill_normal(&rng, map, s->attributes * s->width, 0, sqrt(12 / (double)s->attributes));
    for (size_t c = begin; c < end; c++) {
        float *mean = s->mean + c * s->width, *att = s->att + c * s->attributes;
        rng = un_rng_stream(1, "class", c);
        un_rng_fill_uniform(&rng, att, s->attributes, 0, 1);
        un_rng_fill_normal(&rng, mean, s->width, 0, 1.0 / 3);
        for (size_t a = 0; a < s->attributes; a++)
            for (size_t j = 0; j < s->width; j++)
                mean[j] += (att[a] - 0.5f) * map[a * s->width + j];
    }
    free(map);
}

static void make_images(size_t begin, size_t end, void *context) {
    set *s = context;
    for (size_t i = begin; i < end; i++) {
        const float *mean = s->mean + (size_t)s->labels[s->first + i] * s->width;
        float *row = s->block + i * s->width;
        un_rng rng = un_rng_stream(1, "image", s->first + i);
        un_rng_fill_normal(&rng, row, s->width, 0, (double)s->noise);
        for (size_t j = 0; j < s->width; j++) row[j] = fmaxf(row[j] + mean[j], 0);
    }
}

static un_status make(set *s) {
    UN_TRY(un_alloc(s->classes * s->attributes, sizeof *s->att, &s->att));
    UN_TRY(un_alloc(s->classes * s->width, sizeof *s->mean, &s->mean));
    UN_TRY(un_alloc(s->images, sizeof *s->labels, &s->labels));
    UN_TRY(un_alloc(BLOCK * s->width, sizeof *s->block, &s->block));
    un_parallel_for(s->classes, 64, make_means, s);
    for (size_t i = 0; i < s->images; i++) s->labels[i] = (int64_t)(i % s->classes);
    un_rng rng = un_rng_stream(1, "order", 0);
    un_rng_shuffle(&rng, s->labels, s->images);
    return UNSEEN_OK;
}

static un_status write_all(set *s, un_st_writer *w) {
    const size_t x[] = {s->images, s->width}, att[] = {s->classes, s->attributes};
    const size_t row = s->width * sizeof(float);
    UN_TRY(un_st_writer_add(w, "features", UN_F32, 2, x));
    UN_TRY(un_st_writer_add(w, "labels", UN_I64, 1, x));
    UN_TRY(un_st_writer_add(w, "att", UN_F32, 2, att));
    UN_TRY(un_st_writer_begin(w));
    for (s->first = 0; s->first < s->images; s->first += BLOCK) {
        size_t n = s->images - s->first < BLOCK ? s->images - s->first : BLOCK;
        un_parallel_for(n, 16, make_images, s);
        UN_TRY(un_st_writer_write(w, 0, s->first * row, s->block, n * row));
    }
    UN_TRY(un_st_writer_write(w, 1, 0, s->labels, s->images * sizeof *s->labels));
    return un_st_writer_write(w, 2, 0, s->att, s->classes * s->attributes * sizeof *s->att);
}

int main(int argc, char **argv) {
    set s = {.attributes = 300, .width = 512, .noise = 5};
    size_t *const sizes[] = {&s.classes, &s.images, &s.attributes, &s.width};
    for (int i = 2; i < argc && i < 6; i++) *sizes[i - 2] = strtoull(argv[i], NULL, 10);
    if (argc > 6) s.noise = strtof(argv[6], NULL);
    if (argc < 4 || s.classes == 0 || s.images < s.classes || s.attributes == 0 || s.width == 0) {
        fprintf(stderr, "usage: make_scale_set FILE.safetensors CLASSES IMAGES [ATTRIBUTES WIDTH "
                        "[NOISE]]\n");
        return 2;
    }
    un_st_writer *writer = NULL;
    un_status status = make(&s);
    if (!status) status = un_st_writer_open(&writer, argv[1]);
    if (!status) status = write_all(&s, writer);
    if (!status)
        status = un_st_writer_commit(writer);
    else
        un_st_writer_abort(writer);
    if (status) fprintf(stderr, "make_scale_set: %s\n", un_error());
    free(s.att);
    free(s.mean);
    free(s.labels);
    free(s.block);
    return status ? 1 : 0;
}
