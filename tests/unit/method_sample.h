/*
 * method_sample.h - what the tests of methods share that compare with a definition in double
 * precision: a method on a small training set, and its parameters by name.
 */
#ifndef UN_TESTS_METHOD_SAMPLE_H
#define UN_TESTS_METHOD_SAMPLE_H

#include "util.h"

/* A prepared method with the defaults but for `sets` (NULL-terminated). */
static inline un_method *make_prepared(const un_method_class *class, const util_scene *s,
                                       const char *const *sets, un_precision precision) {
    json_t *config = util_config(class, sets);
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->features.regions,
                                   .width = s->features.width,
                                   .seed = 5,
                                   .precision = precision,
                                   .config = config,
                                   .data = &s->data};
    un_method *method = NULL;
    util_ok(class->create(&setup, &method));
    util_ok(un_method_prepare(method));
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

static inline void relu(double *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

/* All parameters; released with free(). */
static inline double *double_values(const un_method *method) {
    double *value = NULL;
    util_ok(un_alloc(method->params.total, sizeof *value, &value));
    for (size_t i = 0; i < method->params.total; i++) value[i] = (double)method->params.value[i];
    return value;
}

#endif
