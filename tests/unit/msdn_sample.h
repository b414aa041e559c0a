/*
 * msdn_sample.h - what the tests of MSDN share: methods on scenes of every awkward
 * shape whose parameters are random, as training starts with them, or special.
 */
#ifndef UN_TESTS_MSDN_SAMPLE_H
#define UN_TESTS_MSDN_SAMPLE_H

#include "method/msdn/msdn.h"
#include "region_sample.h"

enum { PIECES = 5, SHAPES = 8, INITIAL_SHAPE = 6 };

/* A multiple of the vector width, and on either side of it; odd F; one region; one of all. */
static const shape g_shapes[SHAPES] = {
    {"odd", 19, 5, 9, 4, 2, DENSE},           {"one region", 17, 4, 7, 1, 2, DENSE},
    {"whole vectors", 32, 3, 5, 3, 2, DENSE}, {"all seen", 5, 3, 11, 6, 1, DENSE},
    {"all unseen", 6, 3, 4, 5, 0, DENSE},     {"one of everything", 1, 1, 1, 1, 2, DENSE},
    {"initial", 19, 5, 9, 4, 2, INITIAL},     {"equal branches", 5, 3, 7, 4, 2, EQUAL},
};

static inline un_method *make_method(const util_scene *s, const char *const *sets,
                                     un_precision type) {
    json_t *config = util_config(&un_method_msdn, sets);
    util_ok(un_config_set(&un_method_msdn, config, "clip_negative=yes")); /* make_scene has some */
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .seed = 5,
                                   .precision = type,
                                   .config = config,
                                   .data = s->data.train ? &s->data : NULL};
    un_method *method = NULL;
    util_ok(un_method_msdn.create(&setup, &method));
    json_decref(config);
    return method;
}

/* Nothing is saturated. Row 1 of V stays 0, as its word vector. */
static inline void set_parameters(un_method *method, origin from) {
    const un_param *item = method->params.item;
    un_rng rng = un_rng_stream(7, "test", 2);
    float *value = method->params.value;
    for (size_t k = 0; k < PIECES && from != INITIAL; k++) {
        un_rng_fill_normal(&rng, value + item[k].offset, item[k].count, 0, 1);
        if (from == EQUAL && (k == 1 || k == 3)) /* every value attended to is 0 */
            memset(value + item[k].offset, 0, item[k].count * sizeof *value);
    }
    if (item[0].shape[0] > 1) memset(value + item[0].shape[1], 0, item[0].shape[1] * sizeof *value);
}

static inline un_method *open_method(util_scene *s, const shape *k, size_t N,
                                     const char *const *sets) {
    make_scene(s, k, N);
    un_method *method = make_method(s, sets, UN_PRECISION_F32);
    set_parameters(method, k->origin);
    return method;
}

static inline void close_method(un_method *method, util_scene *s) {
    un_method_msdn.destroy(method);
    util_scene_free(s);
}

#endif
