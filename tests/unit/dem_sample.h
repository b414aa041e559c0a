/*
 * dem_sample.h - what the tests of DEM share beside method_sample.h: layers of its definition in
 * double precision, which share no code with the library.
 */
#ifndef UN_TESTS_DEM_SAMPLE_H
#define UN_TESTS_DEM_SAMPLE_H

#include "method/dem/dem.h"
#include "unit/method_sample.h"

/* A prepared method with the defaults but for `sets` (NULL-terminated). */
static inline un_method *make_dem(const util_scene *s, const char *const *sets,
                                  un_precision precision) {
    return make_prepared(&un_method_dem, s, sets, precision);
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

#endif
