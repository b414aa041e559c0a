/*
 * batches.h - mini-batches as most trainings take them: each epoch has a permutation of the
 * training images of its own, cut into batches one after the other, the last of which may be short.
 */
#ifndef UN_METHOD_BATCHES_H
#define UN_METHOD_BATCHES_H

#include "base/arena.h"
#include "data/dataset.h"

typedef struct {
    const un_index_list *train; /* borrowed */
    size_t batch;
    uint64_t seed;
    int64_t *order; /* [train->count] the permutation of `epoch` */
    size_t epoch;   /* SIZE_MAX: none yet */
} un_batches;

un_status un_batches_create(un_batches *batches, un_arena *arena, const un_index_list *train,
                            size_t batch, uint64_t seed);
/* Batches of an epoch. */
size_t un_batches_per_epoch(const un_batches *batches);
/* The images of one batch, which depend on seed, epoch and step alone: borrowed until another
 * epoch is asked for; *count is 0 behind the last. */
void un_batches_plan(un_batches *batches, size_t epoch, size_t step, const int64_t **images,
                     size_t *count);

#endif
