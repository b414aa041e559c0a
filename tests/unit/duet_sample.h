/*
 * duet_sample.h - what the tests of DUET as a method share: a small scene, small sizes,
 * gradients of whole steps by finite differences, a model that is created again.
 */
#ifndef UN_TESTS_DUET_SAMPLE_H
#define UN_TESTS_DUET_SAMPLE_H

#include <math.h>

#include "method/duet/duet.h"
#include "util.h"

enum { C = 9, A = 11, N = 40, R = 5, F = 8, SIDE = 16 };

static const char *const g_names[A] = {"has_bill_shape::curved", "has_bill_shape::hooked sea",
                                       "has_bill_shape::dagger", "has_wing_color::blue",
                                       "has_wing_color::brown",  "has_wing_color::light blue",
                                       "has_size::large",        "has_size::small",
                                       "has_eye_color::black",   "has_eye_color::dark red",
                                       "has_eye_color::yellow"};

/* `width`: F of regions, 3 for pixels of SIDE x SIDE. */
static inline void make_scene(util_scene *s, size_t regions, size_t width) {
    static const size_t widths[] = {A, 4};
    util_scene_make(s, C, N, regions * width, 2, widths, 3);
    s->features.regions = regions;
    s->features.width = width;
    util_ok(
        un_arena_alloc(&s->arena, A, sizeof(char *), (void *)&s->classes.semantics[0].attributes));
    for (size_t a = 0; a < A; a++)
        util_ok(un_arena_string(&s->arena, g_names[a], &s->classes.semantics[0].attributes[a]));
    if (width == 3)
        for (size_t i = 0; i < N * regions * width; i++) s->rows[i] *= 170;
}

static const char *const g_sizes[] = {
    "hidden=8",      "heads=2",         "inner=12",       "text_layers=1",      "image_hidden=8",
    "image_heads=2", "image_inner=12",  "image_layers=1", "max_length=48",      "batch=4",
    "labels=6",      "dropout=0",       "contrast=0.5",   "class_contrast=0.5", "calibration=0.5",
    "mse=1",         "temperature=0.5", "patch=8",        "prune_pieces=0",     "swin_width=6",
    "swin_window=2", "swin_depths=2,1", "swin_heads=2,3", "regress=first",      NULL};

/* Settings of a case after the small sizes. */
static inline json_t *make_config(const char *const *sets) {
    json_t *config = util_config(&un_method_duet, g_sizes);
    for (size_t i = 0; sets && sets[i]; i++)
        util_ok(un_config_set(&un_method_duet, config, sets[i]));
    return config;
}

static inline un_status open_method(const util_scene *s, const json_t *config, const json_t *spec,
                                    un_method **out) {
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .seed = 5,
                                   .precision = UN_PRECISION_F32,
                                   .config = config,
                                   .data = spec ? NULL : &s->data,
                                   .spec = spec};
    return un_method_duet.create(&setup, out);
}

static inline un_method *make_method(const util_scene *s, const char *const *sets) {
    json_t *config = make_config(sets);
    un_method *method = NULL;
    util_ok(open_method(s, config, NULL, &method));
    json_decref(config);
    return method;
}

/* Nothing is as small as it starts, so that every gradient counts. */
static inline void set_parameters(un_method *method) {
    un_rng rng = un_rng_stream(7, "test", 2);
    for (size_t i = 0; i < method->params.count; i++) {
        const un_param *item = &method->params.item[i];
        int norm = strstr(item->name, "orm.weight") != NULL;
        un_rng_fill_normal(&rng, un_param_value(&method->params, i), item->count, norm ? 1 : 0,
                           norm ? 0.1 : 0.3);
    }
}

static inline double total_loss(un_method *method, size_t step) {
    double losses[UN_MAX_LOSSES] = {0}, total = 0;
    util_ok(un_method_duet.learner->step(method, 0, step, losses));
    for (size_t i = 0; i < DUET_TERMS; i++) total += losses[i];
    return total;
}

/* The slope of the loss along a direction of length 1, by central differences of step h. */
static inline double slope_along(un_method *method, size_t index, const float *direction,
                                 double length, double h, size_t step) {
    size_t count = method->params.item[index].count;
    float *value = un_param_value(&method->params, index), *kept = NULL;
    double ends[2];
    util_ok(un_alloc(count, sizeof *kept, &kept));
    memcpy(kept, value, count * sizeof *kept);
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < count; i++)
            value[i] = (float)((double)kept[i] + (side ? h : -h) * (double)direction[i] / length);
        ends[side] = total_loss(method, step);
    }
    memcpy(value, kept, count * sizeof *kept);
    free(kept);
    return (ends[1] - ends[0]) / (2 * h);
}

/* Each piece is moved along its own gradient: the slope there is the gradient's length. A long
 * step may cross a kink of ReLU, a short one drowns in rounding; one of both must agree. */
static inline void check_piece(un_method *method, size_t index, const float *grad, size_t step) {
    static const double lengths[] = {4e-3, 8e-4, 2e-4};
    const un_param *item = &method->params.item[index];
    double squares = 0, slope = 0;
    for (size_t i = 0; i < item->count; i++) squares += (double)grad[i] * (double)grad[i];
    double length = sqrt(squares);
    if (length < 1e-5) return; /* keys' biases: zero by definition */
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        slope = slope_along(method, index, grad, length, lengths[k], step);
        if (fabs(slope - length) <= 2e-2 * length + 1e-3) return;
    }
    fail_msg("%s: slope %.6g, gradient %.6g", item->name, slope, length);
}

/* Each layer of a transformer, and of those between both sides, tells when it is done. */
static inline size_t count_layers(const un_method *method) {
    const duet_method *m = (const duet_method *)method;
    size_t layers = m->settings.with_text ? m->settings.cross_layers + m->spec.text.layers : 1;
    if (m->spec.swin.width == 0) return layers + (m->spec.vit.width > 0 ? m->spec.vit.layers : 0);
    for (size_t s = 0; s < m->spec.swin.stages; s++) layers += m->spec.swin.depth[s];
    return layers;
}

static inline void check_gradients(const char *const *sets, size_t regions, size_t width,
                                   size_t step) {
    util_scene s;
    make_scene(&s, regions, width);
    un_method *method = make_method(&s, sets);
    float *grad = NULL;
    set_parameters(method);
    assert_true(isfinite(total_loss(method, step)));
    util_ok(un_alloc(method->params.total, sizeof *grad, &grad));
    memcpy(grad, method->params.grad, method->params.total * sizeof *grad);
    for (size_t i = 0; i < method->params.count; i++)
        check_piece(method, i, grad + method->params.item[i].offset, step);
    util_check_done(method, step, count_layers(method));
    free(grad);
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

/* ---- what is asserted of every image side ---- */

/* A frozen transformer receives nothing; what lies behind it does. */
static inline void check_frozen(const char *side) {
    util_scene s;
    make_scene(&s, SIDE * SIDE, 3);
    un_method *method = make_method(&s, (const char *const[]){side, "mask_pro=0", "image_hidden=12",
                                                              "freeze_backbone=yes", NULL});
    total_loss(method, 0);
    for (size_t i = 0; i < method->params.count; i++) {
        const un_param *item = &method->params.item[i];
        const float *grad = un_param_grad(&method->params, i);
        double sum = 0;
        for (size_t k = 0; k < item->count; k++) sum += fabs((double)grad[k]);
        if (!strncmp(item->name, "deit.", 5)) assert_true(sum == 0);
        if (!strcmp(item->name, "visual_projection.weight")) assert_true(sum > 0);
    }
    un_method_duet.destroy(method);
    util_scene_free(&s);
}

static inline void move_parameters(un_method *method) {
    for (size_t i = 0; i < method->params.total; i++)
        method->params.value[i] -= 0.01f * method->params.grad[i];
}

/* The specification makes the same scores; so do classes that came later. */
static inline void check_again(const char *const *sets, size_t regions, size_t width) {
    util_scene s;
    make_scene(&s, regions, width);
    json_t *config = make_config(sets), *spec = NULL, *read = NULL;
    un_method *first = NULL, *second = NULL;
    float scores[2][3 * C];
    char *text = NULL;
    util_ok(open_method(&s, config, NULL, &first));
    set_parameters(first);
    total_loss(first, 0);
    move_parameters(first);
    util_ok(un_method_duet.save_spec(first, &spec));
    text = un_json_dump(spec, 0);
    read = json_loads(text, 0, NULL);
    util_ok(open_method(&s, config, read, &second));
    assert_int_equal(first->params.count, second->params.count);
    memcpy(second->params.value, first->params.value, first->params.total * sizeof(float));
    un_method *methods[] = {first, second};
    for (size_t i = 0; i < 2; i++) {
        util_ok(un_method_duet.set_classes(methods[i], &s.classes));
        util_ok(un_method_duet.score(methods[i], s.rows, 3, scores[i]));
    }
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
    for (size_t i = 0; i < 3; i++) {
        double sum = 0;
        for (size_t k = 0; k < C; k++) sum += (double)scores[0][i * C + k];
        util_near(sum, 1, 1e-5);
    }
    /* One class fewer: the others' odds stay as they are. */
    un_class_table fewer = s.classes;
    fewer.count = C - 1;
    util_ok(un_method_duet.set_classes(second, &fewer));
    util_ok(un_method_duet.score(second, s.rows, 1, scores[1]));
    util_near((double)(scores[1][0] / scores[1][1]), (double)(scores[0][0] / scores[0][1]), 1e-4);
    free(text);
    json_decref(read);
    json_decref(spec);
    json_decref(config);
    un_method_duet.destroy(first);
    un_method_duet.destroy(second);
    util_scene_free(&s);
}

static inline void refuse(const util_scene *s, const char *const *sets, un_status status,
                          const char *part) {
    json_t *config = make_config(sets);
    un_method *method = NULL;
    util_fails(open_method(s, config, NULL, &method), status, part);
    json_decref(config);
}

#endif
