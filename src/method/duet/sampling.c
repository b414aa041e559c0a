/* sampling.c - the draws of a training step of DUET; see sampling.h.
 * The tables that they draw from come at the end. */
#include "method/duet/sampling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/split.h"

/* Weight of a class at distance zero: beyond all others, and still a number. */
static const double LEAST_DISTANCE = 1e-200;

/* The counters of a draw as one number; sampling.h has the bounds. */
static un_rng stream(const un_duet_sampler *s, const char *purpose, size_t epoch, size_t step,
                     size_t sample) {
    uint64_t index = (uint64_t)epoch << 44 | (uint64_t)step << 16 | (uint64_t)sample;
    return un_rng_stream(s->settings.seed, purpose, index);
}

/* ---- weights ---- */

void un_duet_mask_weights(const un_duet_sampler *s, const int64_t *item, size_t n, double *weight) {
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        least = fmin(least, s->frequency[item[i]]);
        most = fmax(most, s->frequency[item[i]]);
    }
    for (size_t i = 0; i < n; i++)
        weight[i] = most > least ? (s->frequency[item[i]] - least) / (most - least) : 1;
}

/* Insertion sort, stable: descending by sign * D[y]. n is a number of classes. */
static void sort_classes(const un_duet_sampler *s, size_t y, double sign, int64_t *item, size_t n) {
    const double *D = s->distance + y * s->settings.class_count;
    for (size_t i = 1; i < n; i++) {
        int64_t moved = item[i];
        size_t at = i;
        for (; at > 0 && sign * D[item[at - 1]] < sign * D[moved]; at--) item[at] = item[at - 1];
        item[at] = moved;
    }
}

static size_t half_of(size_t n) { return n == 0 ? 0 : n / 2 + 1 < n ? n / 2 + 1 : n; }

size_t un_duet_positives(const un_duet_sampler *s, size_t y, size_t m, int64_t *item,
                         double *weight) {
    const un_duet_sampler_settings *o = &s->settings;
    const double *D = s->distance + y * o->class_count;
    size_t n = 0;
    double sum = 0;
    for (size_t c = 0; c < o->class_count; c++)
        if (s->seen[c] && s->present[c * o->attribute_count + m]) item[n++] = (int64_t)c;
    sort_classes(s, y, 1, item, n);
    n = half_of(n);
    for (size_t i = 0; i < n; i++) sum += weight[i] = D[item[i]];
    for (size_t i = 0; i < n && !(sum > 0); i++) weight[i] = 1; /* all classes are alike */
    return n;
}

/* Whether class c has none of y's attributes of the group and another one of it. */
static int is_negative(const un_duet_sampler *s, size_t y, size_t group, size_t c) {
    size_t A = s->settings.attribute_count;
    const size_t *group_of = un_duet_texts_groups(s->settings.texts)->group_of;
    const unsigned char *has = s->present + y * A, *other = s->present + c * A;
    int differs = 0;
    for (size_t a = 0; a < A; a++) {
        if (group_of[a] != group || !other[a]) continue;
        if (has[a]) return 0;
        differs = 1;
    }
    return differs;
}

size_t un_duet_negatives(const un_duet_sampler *s, size_t y, size_t m, int64_t *item,
                         double *weight) {
    const un_duet_sampler_settings *o = &s->settings;
    const double *D = s->distance + y * o->class_count;
    size_t group = un_duet_texts_groups(o->texts)->group_of[m], n = 0;
    for (size_t c = 0; c < o->class_count; c++)
        if (s->seen[c] && is_negative(s, y, group, c)) item[n++] = (int64_t)c;
    sort_classes(s, y, -1, item, n);
    n = half_of(n);
    for (size_t i = 0; i < n; i++) weight[i] = 1 / fmax(D[item[i]], LEAST_DISTANCE);
    return n;
}

/* ---- single draws ---- */

/* An index below n with probability proportional to its weight; the sum is positive. */
static size_t draw_weighted(un_rng *rng, const double *weight, size_t n) {
    double sum = 0, at = 0;
    size_t last = 0;
    for (size_t i = 0; i < n; i++) sum += weight[i];
    double u = un_rng_uniform(rng) * sum;
    for (size_t i = 0; i < n; i++) {
        if (!(weight[i] > 0)) continue;
        last = i;
        at += weight[i];
        if (u < at) break;
    }
    return last; /* rounding may leave u at the end */
}

static int is_used(int64_t image, const int64_t *used, size_t n) {
    for (size_t k = 0; k < n; k++)
        if (used[k] == image) return 1;
    return 0;
}

/* An image of the class that is none of used[n]; any where they are all used. */
static int64_t draw_image(const un_duet_sampler *s, un_rng *rng, size_t class, const int64_t *used,
                          size_t n) {
    const int64_t *images = s->class_images + s->class_begin[class];
    size_t count = s->class_begin[class + 1] - s->class_begin[class], left = 0, at = 0;
    for (size_t i = 0; i < count; i++) left += !is_used(images[i], used, n);
    if (left == 0) return images[un_rng_below(rng, count)];
    for (size_t skip = (size_t)un_rng_below(rng, left);; at++) {
        if (is_used(images[at], used, n)) continue;
        if (skip-- == 0) return images[at];
    }
}

/* Every present attribute but `kept` goes with probability attribute_miss. */
static void drop_attributes(const un_duet_sampler *s, un_rng *rng, size_t class, size_t kept,
                            unsigned char *present) {
    size_t A = s->settings.attribute_count;
    memcpy(present, s->present + class * A, A);
    for (size_t a = 0; a < A; a++)
        if (present[a] && a != kept && un_rng_uniform(rng) < s->settings.attribute_miss)
            present[a] = 0;
}

/* A text of too many pieces becomes one of `kept` and of others in the order in which
 * the mask's probabilities draw them, as long as they fit. */
static void prune(const un_duet_sampler *s, un_rng *rng, size_t kept, un_duet_sample *w,
                  unsigned char *present) {
    const un_duet_sampler_settings *o = &s->settings;
    size_t n = 0, self = 0;
    if (o->prune_pieces == 0 || un_duet_texts_pieces(o->texts, present) <= o->prune_pieces) return;
    for (size_t a = 0; a < o->attribute_count; a++) {
        if (!present[a]) continue;
        if (a == kept) self = n;
        w->candidate[n++] = (int64_t)a;
    }
    un_duet_mask_weights(s, w->candidate, n, w->weight);
    w->weight[self] = 0;
    size_t most = o->prune_attributes < n ? o->prune_attributes : n;
    size_t count = un_rng_sample_weighted(rng, w->weight, n, most, w->keys, w->drawn);
    memset(present, 0, o->attribute_count);
    present[kept] = 1;
    for (size_t i = 0; i < count; i++) {
        size_t a = (size_t)w->candidate[w->drawn[i]];
        present[a] = 1;
        if (un_duet_texts_pieces(o->texts, present) <= o->prune_pieces) continue;
        present[a] = 0;
        return;
    }
}

static void fill_pair(const un_duet_sampler *s, un_rng *rng, int64_t image, size_t class,
                      size_t attribute, un_duet_sample *w, un_duet_pair *pair) {
    pair->image = image;
    pair->class = class;
    pair->attribute = attribute;
    drop_attributes(s, rng, class, attribute, pair->present);
    prune(s, rng, attribute, w, pair->present);
}

/* ---- a sample ---- */

/* The attribute to mask, UN_NO_ATTRIBUTE if the class has none. */
static size_t draw_mask(const un_duet_sampler *s, un_rng *rng, size_t y, un_duet_sample *w) {
    size_t A = s->settings.attribute_count, n = 0;
    for (size_t a = 0; a < A; a++)
        if (s->present[y * A + a]) w->candidate[n++] = (int64_t)a;
    if (n == 0) return UN_NO_ATTRIBUTE;
    un_duet_mask_weights(s, w->candidate, n, w->weight);
    return (size_t)w->candidate[draw_weighted(rng, w->weight, n)];
}

static void draw_positive(const un_duet_sampler *s, un_rng *rng, un_duet_sample *w) {
    const un_duet_pair *self = &w->pair[0];
    size_t A = s->settings.attribute_count, m = self->attribute;
    size_t n = un_duet_positives(s, self->class, m, w->candidate, w->weight);
    size_t class = (size_t)w->candidate[draw_weighted(rng, w->weight, n)];
    int64_t image = draw_image(s, rng, class, &self->image, 1);
    w->contrast_weight = fmin(w->mask_weight, s->attr01[class * A + m]);
    fill_pair(s, rng, image, class, m, w, &w->pair[1]);
}

/* One of the attributes of m's group that the class has. */
static size_t draw_other(const un_duet_sampler *s, un_rng *rng, size_t class, size_t m,
                         un_duet_sample *w) {
    size_t A = s->settings.attribute_count, n = 0;
    const size_t *group_of = un_duet_texts_groups(s->settings.texts)->group_of;
    for (size_t a = 0; a < A; a++)
        if (group_of[a] == group_of[m] && s->present[class * A + a]) w->candidate[n++] = (int64_t)a;
    return (size_t)w->candidate[un_rng_below(rng, n)];
}

/* Two classes, or one twice, and two pairs of each. 0: there is no valid class. */
static int draw_negatives(const un_duet_sampler *s, un_rng *rng, un_duet_sample *w) {
    const un_duet_pair *self = &w->pair[0];
    int64_t used[UN_DUET_NEGATIVES];
    size_t class[2];
    size_t n = un_duet_negatives(s, self->class, self->attribute, w->candidate, w->weight);
    if (n == 0) return 0;
    size_t drawn = un_rng_sample_weighted(rng, w->weight, n, 2, w->keys, w->drawn);
    for (size_t k = 0; k < 2; k++) class[k] = (size_t)w->candidate[w->drawn[k < drawn ? k : 0]];
    for (size_t i = 0; i < UN_DUET_NEGATIVES; i++) {
        size_t c = class[i / 2];
        /* Images used up in the other class do no harm, they are not of this one. */
        used[i] = draw_image(s, rng, c, used, i);
        size_t other = draw_other(s, rng, c, self->attribute, w);
        fill_pair(s, rng, used[i], c, other, w, &w->pair[2 + i]);
    }
    return 1;
}

void un_duet_draw(const un_duet_sampler *s, size_t epoch, size_t step, size_t sample, int64_t image,
                  size_t class, un_duet_sample *out) {
    un_rng rng = stream(s, "duet sample", epoch, step, sample);
    size_t A = s->settings.attribute_count;
    un_duet_pair *self = &out->pair[0];
    self->image = image;
    self->class = class;
    self->attribute = draw_mask(s, &rng, class, out);
    out->has_mask = self->attribute != UN_NO_ATTRIBUTE;
    out->has_contrast = 0;
    out->mask_weight = out->contrast_weight = 0;
    if (!out->has_mask) {
        memset(self->present, 0, A);
        return;
    }
    out->mask_weight = s->attr01[class * A + self->attribute];
    fill_pair(s, &rng, image, class, self->attribute, out, self);
    out->has_contrast = draw_negatives(s, &rng, out);
    if (out->has_contrast) draw_positive(s, &rng, out);
}

/* ---- a step ---- */

double un_duet_draw_policy(const un_duet_sampler *s, size_t epoch, size_t step) {
    un_rng rng = stream(s, "duet policy", epoch, step, 0);
    return un_rng_uniform(&rng);
}

un_status un_duet_draw_batch(const un_duet_sampler *s, size_t epoch, size_t step, size_t B,
                             int64_t *images) {
    const un_index_list *train = s->settings.train;
    un_rng rng = stream(s, "duet batch", epoch, step, 0);
    if (B > train->count)
        return un_fail(UNSEEN_E_ARGUMENT, "a batch of %zu images out of %zu: make it smaller", B,
                       train->count);
    /* Floyd's choice of B out of n without a list of n, then a shuffle. */
    for (size_t i = 0; i < B; i++) {
        size_t last = train->count - B + i;
        int64_t image = train->items[un_rng_below(&rng, last + 1)];
        size_t k = 0;
        while (k < i && images[k] != image) k++;
        images[i] = k < i ? train->items[last] : image;
    }
    un_rng_shuffle(&rng, images, B);
    return UNSEEN_OK;
}

int64_t un_duet_draw_partner(const un_duet_sampler *s, size_t epoch, size_t step, size_t sample,
                             int64_t image, size_t class) {
    un_rng rng = stream(s, "duet partner", epoch, step, sample);
    return draw_image(s, &rng, class, &image, 1);
}

/* ---- the tables that draws need ---- */

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
    UN_TRY(un_arena_alloc(&s->arena, C, 1, &s->seen));
    UN_TRY(un_arena_alloc(&s->arena, C + 1, sizeof *s->class_begin, &s->class_begin));
    UN_TRY(un_arena_alloc(&s->arena, o->train->count, sizeof *s->class_images, &s->class_images));
    un_images_by_class(o->labels, o->train, C, s->class_begin, s->class_images);
    for (size_t c = 0; c < C; c++) s->seen[c] = s->class_begin[c + 1] > s->class_begin[c];
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
