/* msdn_sample.c - which images make a step of MSDN. See msdn.h. */
#include <string.h>

#include "base/rng.h"
#include "method/msdn/msdn.h"

un_status un_msdn_sample_create(msdn *n) {
    const un_index_list *train = n->data->train;
    size_t C = n->trained.count;
    UN_TRY(un_arena_alloc(&n->arena, C + 1, sizeof(size_t), &n->class_begin));
    UN_TRY(un_arena_alloc(&n->arena, train->count, sizeof(int64_t), &n->class_images));
    UN_TRY(un_arena_alloc(&n->arena, train->count, sizeof(int64_t), &n->order));
    for (size_t i = 0; i < train->count; i++)
        n->class_begin[n->data->labels[train->items[i]] + 1]++;
    for (size_t c = 0; c < C; c++) {
        if (n->class_begin[c + 1] > 0) n->seen_classes++;
        n->class_begin[c + 1] += n->class_begin[c];
    }
    size_t *next = NULL;
    UN_TRY(un_arena_alloc(&n->arena, C, sizeof *next, &next));
    for (size_t i = 0; i < train->count; i++) {
        size_t c = (size_t)n->data->labels[train->items[i]];
        n->class_images[n->class_begin[c] + next[c]++] = train->items[i];
    }
    size_t most = n->sampling == MSDN_RANDOM ? train->count : n->seen_classes;
    if (n->sampling == MSDN_BALANCED || n->batch_size > most) n->batch_size = most;
    n->planned_epoch = SIZE_MAX;
    return un_arena_alloc(&n->arena, train->count, sizeof(int64_t), &n->planned);
}

/* One random image of each class in `classes` (or of every seen class, in order). */
static void one_of_each(msdn *n, un_rng *rng) {
    size_t seen = 0, C = n->trained.count;
    for (size_t c = 0; c < C; c++)
        if (n->class_begin[c + 1] > n->class_begin[c]) n->order[seen++] = (int64_t)c;
    if (n->sampling == MSDN_CLASSES) un_rng_shuffle(rng, n->order, seen);
    for (size_t i = 0; i < n->batch_size; i++) {
        size_t begin = n->class_begin[n->order[i]], end = n->class_begin[n->order[i] + 1];
        n->planned[i] = n->class_images[begin + (size_t)un_rng_below(rng, end - begin)];
    }
}

un_status un_msdn_plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                       size_t *count) {
    msdn *n = (msdn *)method;
    if (n->planned_epoch != epoch || n->planned_step != step) {
        un_rng rng = un_rng_stream(n->seed, "batch", un_msdn_steps_before(method, epoch) + step);
        if (n->sampling == MSDN_RANDOM) {
            size_t total = n->data->train->count;
            un_rng_choose(&rng, total, n->batch_size, n->order, n->planned);
            for (size_t i = 0; i < n->batch_size; i++)
                n->planned[i] = n->data->train->items[n->planned[i]];
        } else {
            one_of_each(n, &rng);
        }
        n->planned_epoch = epoch;
        n->planned_step = step;
    }
    *images = n->planned;
    *count = n->batch_size;
    return UNSEEN_OK;
}
