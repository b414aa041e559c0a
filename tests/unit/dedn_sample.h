/*
 * dedn_sample.h - what the tests of DEDN share: shapes, scenes whose attributes have names of groups,
 * and methods on them.
 */
#ifndef UN_TESTS_DEDN_SAMPLE_H
#define UN_TESTS_DEDN_SAMPLE_H

#include "method/dedn/dedn.h"
#include "region_sample.h"

enum { SHAPES = 5 };

/* A multiple of the vector width beside it; one region; nobody seen, all; more channels than lanes. */
static const shape g_shapes[SHAPES] = {
    {"odd", 7, 5, 9, 4, 2, DENSE},
    {"one region", 5, 4, 7, 1, 2, DENSE},
    {"all seen", 5, 3, 17, 6, 1, DENSE},
    {"all unseen", 6, 3, 4, 5, 0, DENSE},
    {"one of everything", 1, 1, 1, 1, 2, DENSE},
};

/* Names of three groups, in turns: a group's attributes do not lie side by side. */
static inline void name_attributes(util_scene *s) {
    un_class_semantics *m = &s->classes.semantics[0];
    util_ok(un_arena_alloc(&s->arena, m->width, sizeof(char *), (void *)&m->attributes));
    for (size_t i = 0; i < m->width; i++) {
        char name[48];
        snprintf(name, sizeof name, "has_%s_color::value %zu",
                 i % 3 == 0   ? "wing"
                 : i % 3 == 1 ? "leg"
                              : "eye",
                 i);
        util_ok(un_arena_string(&s->arena, name, &m->attributes[i]));
    }
}

static inline void open_scene(util_scene *s, const shape *k, size_t N) {
    make_scene(s, k, N);
    name_attributes(s);
}

static inline un_status try_method(const util_scene *s, const char *const *sets, un_precision type,
                                   const json_t *spec, un_method **out) {
    json_t *config = util_config(&un_method_dedn, sets);
    util_ok(un_config_set(&un_method_dedn, config, "clip_negative=yes")); /* make_scene has some */
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .seed = 5,
                                   .precision = type,
                                   .config = config,
                                   .spec = spec,
                                   .data = spec ? NULL : &s->data};
    un_status status = un_method_dedn.create(&setup, out);
    json_decref(config);
    return status;
}

/* Nothing is saturated. */
static inline void set_parameters(un_method *method) {
    un_rng rng = un_rng_stream(7, "test", 2);
    for (size_t i = 0; i < method->params.count; i++)
        un_rng_fill_normal(&rng, un_param_value(&method->params, i), method->params.item[i].count,
                           0, 0.7);
}

static inline un_method *make_method(const util_scene *s, const char *const *sets,
                                     un_precision type) {
    un_method *method = NULL;
    util_ok(try_method(s, sets, type, NULL, &method));
    set_parameters(method);
    return method;
}

#endif
