/* batches.c - see batches.h. */
#include "method/batches.h"

#include <string.h>

#include "base/rng.h"

un_status un_batches_create(un_batches *b, un_arena *arena, const un_index_list *train,
                            size_t batch, uint64_t seed) {
    *b = (un_batches){.train = train, .batch = batch, .seed = seed, .epoch = SIZE_MAX};
    return un_arena_alloc(arena, train->count, sizeof *b->order, &b->order);
}

size_t un_batches_per_epoch(const un_batches *b) {
    return (b->train->count + b->batch - 1) / b->batch;
}

void un_batches_plan(un_batches *b, size_t epoch, size_t step, const int64_t **images,
                     size_t *count) {
    size_t n = b->train->count, begin = step * b->batch;
    if (b->epoch != epoch) {
        un_rng rng = un_rng_stream(b->seed, "shuffle", epoch);
        memcpy(b->order, b->train->items, n * sizeof *b->order);
        un_rng_shuffle(&rng, b->order, n);
        b->epoch = epoch;
    }
    *images = b->order + (begin < n ? begin : n);
    *count = begin >= n ? 0 : n - begin < b->batch ? n - begin : b->batch;
}
