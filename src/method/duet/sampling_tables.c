/* sampling_tables.c - the tables that DUET's draws need; see sampling.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method/duet/sampling.h"

/* Attributes of these groups of AWA2 are counted as if three more classes had them. */
static const char *const g_common_groups[] = {"habit", "diet", "behaviour", "role"};
enum { COMMON_EXTRA = 3 };

static un_status check_settings(const un_duet_sampler_settings *o) {
    const un_attribute_groups *groups = un_duet_texts_groups(o->texts);
    if (groups->count != o->attribute_count)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "texts of %zu attributes do not fit a class table of %zu: the groups "
                       "belong to another data set",
                       groups->count, o->attribute_count);
    if (o->class_count == 0 || o->train->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "there is no class or no image to learn from");
    if (!(o->attribute_miss >= 0 && o->attribute_miss <= 1))
        return un_fail(UNSEEN_E_ARGUMENT, "attribute_miss is %g, not a probability",
                       o->attribute_miss);
    for (size_t i = 0; i < o->train->count; i++) {
        int32_t label = o->labels[o->train->items[i]];
        if (label < 0 || (size_t)label >= o->class_count)
            return un_fail(UNSEEN_E_ARGUMENT, "image %lld is of class %d, of %zu classes",
                           (long long)o->train->items[i], (int)label, o->class_count);
    }
    for (size_t i = 0; i < o->class_count * o->attribute_count; i++)
        if (!isfinite(o->values[i]))
            return un_fail(UNSEEN_E_ARGUMENT, "attribute %zu of class %zu is not a number",
                           i % o->attribute_count + 1, i / o->attribute_count + 1);
    return UNSEEN_OK;
}

/* Images of the training list, class by class. */
static un_status sort_images(un_duet_sampler *s) {
    const un_duet_sampler_settings *o = &s->settings;
    size_t C = o->class_count;
    size_t *next = NULL;
    UN_TRY(un_arena_alloc(&s->arena, C, 1, &s->seen));
    UN_TRY(un_arena_alloc(&s->arena, C + 1, sizeof *s->class_begin, &s->class_begin));
    UN_TRY(un_arena_alloc(&s->arena, o->train->count, sizeof *s->class_images, &s->class_images));
    for (size_t i = 0; i < o->train->count; i++)
        s->class_begin[o->labels[o->train->items[i]] + 1]++;
    for (size_t c = 0; c < C; c++) {
        s->seen[c] = s->class_begin[c + 1] > 0;
        s->class_begin[c + 1] += s->class_begin[c];
    }
    UN_TRY(un_alloc(C, sizeof *next, &next));
    for (size_t i = 0; i < o->train->count; i++) {
        size_t c = (size_t)o->labels[o->train->items[i]];
        s->class_images[s->class_begin[c] + next[c]++] = o->train->items[i];
    }
    free(next);
    return UNSEEN_OK;
}

/* As published, or: above the mean over all classes, or above the threshold. */
static un_status mark_present(un_duet_sampler *s) {
    const un_duet_sampler_settings *o = &s->settings;
    size_t C = o->class_count, A = o->attribute_count;
    UN_TRY(un_arena_alloc(&s->arena, C * A, 1, &s->present));
    for (size_t a = 0; a < A; a++) {
        double limit = o->threshold;
        if (isnan(limit)) {
            limit = 0;
            for (size_t c = 0; c < C; c++) limit += (double)o->values[c * A + a];
            limit /= (double)C;
        }
        for (size_t c = 0; c < C; c++)
            s->present[c * A + a] =
                o->binary ? o->binary[c * A + a] > 0.5F : (double)o->values[c * A + a] > limit;
    }
    return UNSEEN_OK;
}

static un_status scale_values(un_duet_sampler *s) {
    const un_duet_sampler_settings *o = &s->settings;
    size_t C = o->class_count, A = o->attribute_count;
    double least = INFINITY, most = -INFINITY;
    UN_TRY(un_arena_alloc(&s->arena, C * A, sizeof *s->attr01, &s->attr01));
    for (size_t i = 0; i < C * A; i++) {
        if (!s->seen[i / A]) continue;
        least = fmin(least, (double)o->values[i]);
        most = fmax(most, (double)o->values[i]);
    }
    double range = most > least ? most - least : 1;
    for (size_t i = 0; i < C * A; i++)
        s->attr01[i] = s->seen[i / A] ? ((double)o->values[i] - least) / range : 0;
    return UNSEEN_OK;
}

static un_status count_attributes(un_duet_sampler *s) {
    const un_duet_sampler_settings *o = &s->settings;
    const un_attribute_groups *g = un_duet_texts_groups(o->texts);
    size_t A = o->attribute_count;
    UN_TRY(un_arena_alloc(&s->arena, A, sizeof *s->frequency, &s->frequency));
    for (size_t a = 0; a < A; a++) {
        size_t count = 0, extra = 0;
        for (size_t c = 0; c < o->class_count; c++) count += s->seen[c] && s->present[c * A + a];
        for (size_t k = 0; k < sizeof g_common_groups / sizeof *g_common_groups; k++)
            if (!strcmp(g->groups[g->group_of[a]], g_common_groups[k])) extra = COMMON_EXTRA;
        s->frequency[a] = count > 0 ? 1.0 / (double)(count + extra) : 0;
    }
    return UNSEEN_OK;
}

static un_status measure_distances(un_duet_sampler *s) {
    size_t C = s->settings.class_count, A = s->settings.attribute_count;
    UN_TRY(un_arena_alloc(&s->arena, C * C, sizeof *s->distance, &s->distance));
    for (size_t i = 0; i < C; i++) {
        s->distance[i * C + i] = 1;
        for (size_t j = 0; j < i; j++) {
            double sum = 0;
            for (size_t a = 0; a < A; a++) sum += fabs(s->attr01[i * A + a] - s->attr01[j * A + a]);
            s->distance[i * C + j] = s->distance[j * C + i] = sum * sum;
        }
    }
    return UNSEEN_OK;
}

static un_status create(un_duet_sampler *s) {
    const un_duet_sampler_settings *o = &s->settings;
    size_t cells = 0;
    if (__builtin_mul_overflow(o->class_count, o->attribute_count, &cells) ||
        __builtin_mul_overflow(o->class_count, o->class_count, &cells))
        return un_fail(UNSEEN_E_ARGUMENT, "%zu classes of %zu attributes are too many",
                       o->class_count, o->attribute_count);
    UN_TRY(check_settings(o));
    UN_TRY(sort_images(s));
    UN_TRY(mark_present(s));
    UN_TRY(scale_values(s));
    UN_TRY(count_attributes(s));
    return measure_distances(s);
}

un_status un_duet_sampler_create(un_duet_sampler **out, const un_duet_sampler_settings *settings) {
    un_duet_sampler *s = NULL;
    UN_TRY(un_alloc(1, sizeof *s, &s));
    s->settings = *settings;
    un_status status = create(s);
    if (status) {
        un_duet_sampler_free(s);
        return status;
    }
    s->settings.values = s->settings.binary = NULL;
    s->settings.labels = NULL;
    *out = s;
    return UNSEEN_OK;
}

void un_duet_sampler_free(un_duet_sampler *s) {
    if (!s) return;
    un_arena_free(&s->arena);
    free(s);
}

un_status un_duet_sample_alloc(const un_duet_sampler *s, un_arena *arena, un_duet_sample *sample) {
    size_t A = s->settings.attribute_count, C = s->settings.class_count, n = A > C ? A : C;
    *sample = (un_duet_sample){0};
    UN_TRY(un_arena_alloc(arena, n, sizeof *sample->weight, &sample->weight));
    UN_TRY(un_arena_alloc(arena, n, sizeof *sample->keys, &sample->keys));
    UN_TRY(un_arena_alloc(arena, n, sizeof *sample->drawn, &sample->drawn));
    UN_TRY(un_arena_alloc(arena, n, sizeof *sample->candidate, &sample->candidate));
    for (size_t i = 0; i < UN_DUET_PAIRS; i++)
        UN_TRY(un_arena_alloc(arena, A, 1, &sample->pair[i].present));
    return UNSEEN_OK;
}
