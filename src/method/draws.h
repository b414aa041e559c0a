/*
 * draws.h - batches that every step draws anew from the training images, as MSDN and DEDN are
 * trained: a function of seed, epoch and step. (An epoch's permutation cut into steps: batches.h.)
 */
#ifndef UN_METHOD_DRAWS_H
#define UN_METHOD_DRAWS_H

#include "base/arena.h"
#include "data/split.h"
#include "method/config.h"

typedef enum {
    UN_DRAWS_RANDOM,   /* images at random */
    UN_DRAWS_BALANCED, /* one of each class that has any */
    UN_DRAWS_CLASSES   /* one of each of some random classes */
} un_draws_kind;

typedef struct {
    un_draws_kind kind;
    size_t size;         /* images asked for; of UN_DRAWS_BALANCED what classes there are */
    size_t epoch_images; /* e epochs have training images * e / this many steps */
    int several;         /* UN_DRAWS_CLASSES: size / classes images of each class if there are fewer
                            classes than images asked for; else one of each */
} un_draws_settings;

typedef struct {
    un_draws_settings settings;
    uint64_t seed;
    const un_index_list *train; /* borrowed */
    size_t size;                /* B: images of a step */
    size_t class_count, classes;
    size_t each;                        /* images of each class, where classes are drawn */
    size_t *class_begin;                /* [class_count + 1] into class_images */
    int64_t *class_images;              /* training images by class */
    int64_t *planned;                   /* [B] images of the step that was planned last */
    size_t planned_epoch, planned_step; /* which that is */
    int64_t *order, *scratch;           /* permutations */
} un_draws;

/* From a method's settings batch, epoch_images and sampling (random|balanced|classes). */
un_draws_settings un_draws_configure(const json_t *config);
/* `labels` [N] are rows of a table of class_count classes; `train`, which is borrowed, is not empty.
 * The arena owns what is allocated. */
un_status un_draws_create(un_draws *b, const un_draws_settings *settings, uint64_t seed,
                          const int32_t *labels, const un_index_list *train, size_t class_count,
                          un_arena *arena);
/* Steps of all epochs before this one, as published: ntrain epochs / epoch_images steps in all,
 * rounded down once, so that some epochs have a step more than others. Fewer images than that still
 * make a step. */
size_t un_draws_before(const un_draws *b, size_t epoch);
/* The b->size images of a step: a borrowed list, valid until the next call. */
const int64_t *un_draws_plan(un_draws *b, size_t epoch, size_t step);

#endif
