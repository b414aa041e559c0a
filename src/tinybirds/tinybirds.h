/*
 * tinybirds.h - the built-in data set: small birds, drawn by the program.
 *
 * 60 kinds, 45 seen and 15 unseen, described by 49 attributes in 14 groups (kinds.c).
 * Everything follows from the seed: the kinds, each individual, its picture. The picture
 * of an individual does not depend on how many others are drawn, nor on the threads.
 */
#ifndef UN_TINYBIRDS_TINYBIRDS_H
#define UN_TINYBIRDS_TINYBIRDS_H

#include "data/dataset.h"
#include "tinybirds/bird.h"

enum { UN_TINYBIRDS_SIZE = 224, UN_TINYBIRDS_IMAGES = 40 };
enum { UN_TINYBIRDS_MIN_SIZE = 64, UN_TINYBIRDS_MAX_SIZE = 1024 };
/* Of a seen kind's images, this share is test_seen. */
#define UN_TINYBIRDS_TEST_SHARE 0.2

typedef struct {
    uint64_t seed;
    size_t images_per_class; /* at least 5; 0: UN_TINYBIRDS_IMAGES */
    size_t size;             /* side in pixels, 64 to 1024; 0: UN_TINYBIRDS_SIZE */
    const char *name;        /* of the data set; NULL: "Tinybirds" */
    un_status (*finish)(un_dataset *dataset, void *user); /* called before the data set is
                                                             written; NULL: nothing to add */
    void *finish_user;
} un_tinybirds_options;

/* What one picture shows, before it is painted; tests change colours in it. */
typedef struct {
    un_bird bird;
    un_scene scene;
} un_tinybirds_view;

/* Individual `number` of kinds[kind]: its attribute values, pose, place and light. */
void un_tinybirds_view_create(un_tinybirds_view *view, uint64_t seed, const un_kind *kinds,
                              size_t kind, size_t number, size_t size);

/* Where the parts are: fractions of the picture, x0 y0 x1 y1, zero where not visible.
 * Part p of un_part_names has box[p]. Read from a map finer than the
 * picture, so exact to a pixel. */
typedef struct {
    float box[UN_PART_COUNT][4];
    unsigned char visible[UN_PART_COUNT]; /* 1: at least a fifth of it is not hidden */
    float object[4];                      /* of the whole visible bird */
} un_tinybirds_boxes;

/* Paints the view on a new RGB24 surface, released with cairo_surface_destroy. */
un_status un_tinybirds_paint(const un_tinybirds_view *view, cairo_surface_t **out);

/* Paints the view: rgb receives [size, size, 3] bytes; boxes may be NULL. May run in many
 * threads at once. */
un_status un_tinybirds_draw(const un_tinybirds_view *view, unsigned char *rgb,
                            un_tinybirds_boxes *boxes);

/* Makes the data set directory DIR, whole or not at all (data/stage.h):
 *     DIR/images/<Kind_name>/<nnn>.png
 *     DIR/dataset.safetensors   semantics original_att (percent of a kind's individuals that
 *                               have the attribute, over all its images) and att (its rows
 *                               of length 1); three proposed validation folds
 *     DIR/parts.safetensors     true boxes
 * Fails with UNSEEN_E_ARGUMENT on sizes out of range, else as the system does. */
un_status un_tinybirds_make(const un_tinybirds_options *options, const char *directory);

enum { UN_MAP_SCALE = 2 };
/* The map of parts that boxes are read from, for tests: part numbers at [2 size, 2 size] points,
 * UN_MAP_SCALE a pixel each way. */
un_status un_tinybirds_map(const un_tinybirds_view *view, unsigned char *map);

/* ---- the true boxes of Tinybirds as DIR/parts.safetensors (data/parts.h). ---- */

/* `boxes` of all images; every semantics of the data set has Tinybirds' attributes. */
un_status un_tinybirds_write_parts(const un_dataset *dataset, const un_tinybirds_boxes *boxes,
                                   const char *directory);

#endif
