/* draws.c - see draws.h. */
#include "method/draws.h"

#include "base/rng.h"

un_draws_settings un_draws_configure(const json_t *config) {
    return (un_draws_settings){.kind =
                                   un_config_is(config, "sampling", "balanced")  ? UN_DRAWS_BALANCED
                                   : un_config_is(config, "sampling", "classes") ? UN_DRAWS_CLASSES
                                                                                 : UN_DRAWS_RANDOM,
                               .size = un_config_integer(config, "batch"),
                               .epoch_images = un_config_integer(config, "epoch_images")};
}

un_status un_draws_create(un_draws *b, const un_draws_settings *settings, uint64_t seed,
                          const int32_t *labels, const un_index_list *train, size_t class_count,
                          un_arena *arena) {
    *b = (un_draws){.settings = *settings,
                    .seed = seed,
                    .train = train,
                    .size = settings->size,
                    .class_count = class_count,
                    .each = 1,
                    .planned_epoch = SIZE_MAX};
    UN_TRY(un_arena_alloc(arena, class_count + 1, sizeof(size_t), &b->class_begin));
    UN_TRY(un_arena_alloc(arena, train->count, sizeof(int64_t), &b->class_images));
    UN_TRY(un_arena_alloc(arena, train->count, sizeof(int64_t), &b->order));
    UN_TRY(un_arena_alloc(arena, train->count, sizeof(int64_t), &b->scratch));
    un_images_by_class(labels, train, class_count, b->class_begin, b->class_images);
    for (size_t c = 0; c < class_count; c++)
        b->classes += b->class_begin[c + 1] > b->class_begin[c];
    if (settings->kind == UN_DRAWS_RANDOM) {
        if (b->size > train->count) b->size = train->count;
    } else if (settings->kind == UN_DRAWS_BALANCED || b->size > b->classes) {
        if (settings->kind == UN_DRAWS_CLASSES && settings->several) b->each = b->size / b->classes;
        b->size = b->classes * b->each;
    }
    return un_arena_alloc(arena, b->size, sizeof(int64_t), &b->planned);
}

/* `each` images of a class: different ones as long as there are any. */
static void draw_class(un_draws *b, un_rng *rng, size_t begin, size_t end, int64_t *out) {
    if (b->each == 1) {
        out[0] = b->class_images[begin + (size_t)un_rng_below(rng, end - begin)];
        return;
    }
    for (size_t at = 0; at < b->each;) {
        size_t n = b->each - at < end - begin ? b->each - at : end - begin;
        un_rng_sample(rng, end - begin, n, b->scratch, out + at);
        for (size_t i = 0; i < n; i++, at++) out[at] = b->class_images[begin + (size_t)out[at]];
    }
}

/* Images of random classes, or of every class in order. */
static void draw_classes(un_draws *b, un_rng *rng) {
    size_t n = 0;
    for (size_t c = 0; c < b->class_count; c++)
        if (b->class_begin[c + 1] > b->class_begin[c]) b->order[n++] = (int64_t)c;
    if (b->settings.kind == UN_DRAWS_CLASSES) un_rng_shuffle(rng, b->order, n);
    for (size_t i = 0; i < b->size / b->each; i++)
        draw_class(b, rng, b->class_begin[b->order[i]], b->class_begin[b->order[i] + 1],
                   b->planned + i * b->each);
}

size_t un_draws_before(const un_draws *b, size_t epoch) {
    size_t images = b->train->count, of_epoch = b->settings.epoch_images;
    if (images < of_epoch) images = of_epoch;
    /* images * epoch / of_epoch without overflow */
    return images / of_epoch * epoch + images % of_epoch * (epoch % of_epoch) / of_epoch +
           images % of_epoch * (epoch / of_epoch);
}

const int64_t *un_draws_plan(un_draws *b, size_t epoch, size_t step) {
    if (b->planned_epoch == epoch && b->planned_step == step) return b->planned;
    un_rng rng = un_rng_stream(b->seed, "batch", un_draws_before(b, epoch) + step);
    if (b->settings.kind == UN_DRAWS_RANDOM) {
        un_rng_sample(&rng, b->train->count, b->size, b->order, b->planned);
        for (size_t i = 0; i < b->size; i++) b->planned[i] = b->train->items[b->planned[i]];
    } else {
        draw_classes(b, &rng);
    }
    b->planned_epoch = epoch;
    b->planned_step = step;
    return b->planned;
}
