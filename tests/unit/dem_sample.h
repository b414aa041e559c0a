/*
 * dem_sample.h - what the tests of DEM share: a method on a small training set, and the layers of
 * its definition in double precision, which share no code with the library.
 */
#ifndef UN_TESTS_DEM_SAMPLE_H
#define UN_TESTS_DEM_SAMPLE_H

#include "method/dem/dem.h"
#include "util.h"

/* A prepared method with the defaults but for `sets` (NULL-terminated). */
static inline un_method *make_dem(const util_scene *s, const char *const *sets,
                                  un_precision precision) {
    json_t *config = util_config(&un_method_dem, sets);
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .seed = 5,
                                   .precision = precision,
                                   .config = config,
                                   .data = &s->data};
    un_method *method = NULL;
    util_ok(un_method_dem.create(&setup, &method));
    util_ok(un_method_dem.prepare(method));
    json_decref(config);
    return method;
}

/* The index of a piece by name. */
static inline size_t piece(const un_method *method, const char *name) {
    for (size_t k = 0; k < method->params.count; k++)
        if (!strcmp(method->params.item[k].name, name)) return k;
    fail_msg("no parameter \"%s\"", name);
    return 0;
}

/* y (out) = x (in) W + b with the parameters in `value`, all in double. */
static inline void affine(const un_method *method, const double *value, const char *layer,
                          const double *x, double *y) {
    char name[64];
    snprintf(name, sizeof name, "%s.weight", layer);
    const un_param *w = &method->params.item[piece(method, name)];
    snprintf(name, sizeof name, "%s.bias", layer);
    const un_param *b = &method->params.item[piece(method, name)];
    for (size_t o = 0; o < w->shape[1]; o++) {
        y[o] = value[b->offset + o];
        for (size_t i = 0; i < w->shape[0]; i++)
            y[o] += x[i] * value[w->offset + i * w->shape[1] + o];
    }
}

static inline void relu(double *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static inline double *double_values(const un_method *method) {
    double *value = NULL;
    util_ok(un_alloc(method->params.total, sizeof *value, &value));
    for (size_t i = 0; i < method->params.total; i++) value[i] = (double)method->params.value[i];
    return value;
}

#endif
