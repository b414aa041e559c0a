/* golden_regions.c - see golden_regions.h. */
#include "golden_regions.h"

#include <stdio.h>

/* "<prefix><name>" in one place, until the next call. */
static const char *full(const golden_scene *s, const char *name) {
    static char text[64];
    snprintf(text, sizeof text, "%s%s", s->prefix, name);
    return text;
}

static un_status make_classes(golden *g, golden_scene *s) {
    un_class_table *t = &s->classes;
    un_class_semantics *m = &t->semantics[0];
    size_t seen_count = 0;
    int64_t *seen = NULL;
    float *vectors = NULL;
    t->semantics_count = 1;
    m->name = "att";
    UN_TRY(golden_dimension(g, full(s, "att"), 2, 0, &t->count));
    UN_TRY(golden_dimension(g, full(s, "att"), 2, 1, &m->width));
    UN_TRY(golden_dimension(g, full(s, "w2v"), 2, 1, &m->vector_width));
    UN_TRY(golden_f32(g, full(s, "att"), t->count * m->width, &m->values));
    UN_TRY(golden_f32(g, full(s, "w2v"), m->width * m->vector_width, &vectors));
    m->vectors = vectors;
    UN_TRY(golden_count(g, full(s, "seen"), &seen_count));
    UN_TRY(golden_i64(g, full(s, "seen"), seen_count, &seen));
    UN_TRY(un_arena_alloc(&g->arena, t->count, 1, &t->seen));
    UN_TRY(un_arena_alloc(&g->arena, t->count, sizeof *t->names, &t->names));
    for (size_t i = 0; i < seen_count; i++) t->seen[seen[i]] = 1;
    return UNSEEN_OK;
}

/* One image a batch row of some seen class: only their number matters, batches come from the file.
 */
static un_status make_images(golden *g, golden_scene *s) {
    size_t height = 0, width = 0, seen = 0;
    UN_TRY(golden_dimension(g, full(s, "step0.x"), 4, 0, &s->images));
    UN_TRY(golden_dimension(g, full(s, "step0.x"), 4, 1, &s->width));
    UN_TRY(golden_dimension(g, full(s, "step0.x"), 4, 2, &height));
    UN_TRY(golden_dimension(g, full(s, "step0.x"), 4, 3, &width));
    s->regions = height * width;
    while (!s->classes.seen[seen]) seen++;
    UN_TRY(un_arena_alloc(&g->arena, s->images, sizeof *s->labels, &s->labels));
    UN_TRY(un_arena_alloc(&g->arena, s->images, sizeof *s->train.items, &s->train.items));
    for (size_t i = 0; i < s->images; i++) {
        s->labels[i] = (int32_t)seen;
        s->train.items[s->train.count++] = (int64_t)i;
    }
    s->data = (un_training_data){&s->features, s->labels, &s->train};
    return UNSEEN_OK;
}

un_status golden_scene_make(golden *g, const char *prefix, golden_scene *s) {
    double steps = 0;
    static const float nowhere = 0; /* batches come from the file, not from features */
    *s = (golden_scene){.prefix = prefix,
                        .features = {.data = (const unsigned char *)&nowhere},
                        .settings = {.kind = UN_RMSPROP}};
    UN_TRY(make_classes(g, s));
    UN_TRY(make_images(g, s));
    UN_TRY(golden_number(g, "lr", &s->settings.lr));
    UN_TRY(golden_number(g, "weight_decay", &s->decay));
    UN_TRY(golden_number(g, "momentum", &s->settings.momentum));
    UN_TRY(golden_number(g, "alpha", &s->settings.beta2));
    UN_TRY(golden_number(g, "eps", &s->settings.epsilon));
    UN_TRY(golden_number(g, "steps", &steps));
    s->steps = (size_t)steps;
    return UNSEEN_OK;
}

un_status golden_scene_method(const golden *g, const golden_scene *s, const un_method_class *class,
                              const json_t *config, un_method **out) {
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->regions,
                                   .width = s->width,
                                   .precision = golden_precision(g),
                                   .config = config,
                                   .data = &s->data};
    return class->create(&setup, out);
}

un_status golden_rows(golden *g, const golden_scene *s, const char *name, size_t n, float *rows) {
    float *x = NULL;
    UN_TRY(golden_f32(g, name, n * s->width * s->regions, &x));
    for (size_t b = 0; b < n; b++)
        for (size_t f = 0; f < s->width; f++)
            for (size_t r = 0; r < s->regions; r++)
                rows[(b * s->regions + r) * s->width + f] = x[(b * s->width + f) * s->regions + r];
    return UNSEEN_OK;
}

un_status golden_scene_batch(golden *g, const golden_scene *s, size_t step, un_region_batch *batch,
                             int32_t *labels) {
    char name[64];
    int64_t *y = NULL;
    float *rows = NULL;
    UN_TRY(un_arena_alloc(&g->arena, s->images * s->regions * s->width, sizeof *rows, &rows));
    snprintf(name, sizeof name, "%sstep%zu.x", s->prefix, step);
    UN_TRY(golden_rows(g, s, name, s->images, rows));
    un_region_batch_set(batch, rows, s->images);
    snprintf(name, sizeof name, "%sstep%zu.y", s->prefix, step);
    UN_TRY(golden_i64(g, name, s->images, &y));
    for (size_t b = 0; b < s->images; b++) labels[b] = (int32_t)y[b];
    return UNSEEN_OK;
}
