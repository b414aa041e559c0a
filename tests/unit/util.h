/*
 * util.h - what several numerical tests share: cmocka with its prerequisites, a
 * check of un_status that shows the sentence, and small training sets in memory.
 */
#ifndef UN_TESTS_UTIL_H
#define UN_TESTS_UTIL_H

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "method/method.h"
#include "tensor/gemm.h"

/* 1 in a program under AddressSanitizer, which is slow and keeps what was freed, and under either
 * sanitizer that has memory of its own beside each byte. */
#if defined(__SANITIZE_ADDRESS__)
#define UTIL_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define UTIL_SHADOWED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UTIL_ASAN 1
#elif __has_feature(thread_sanitizer)
#define UTIL_SHADOWED 1
#endif
#endif
#ifndef UTIL_ASAN
#define UTIL_ASAN 0
#endif
#ifndef UTIL_SHADOWED
#define UTIL_SHADOWED UTIL_ASAN
#endif

/* Ends a program that is to test another way of multiplying bf16 than it has got (UNSEEN_ISA). */
static inline void util_skip_other_way(void) {
    const char *wanted = getenv("UNSEEN_ISA");
    if (wanted && *wanted && strcmp(wanted, un_gemm_bf16_way(NULL)) != 0) exit(77);
}

/* The call must succeed. */
#define util_ok(call)                                                                              \
    do {                                                                                           \
        if ((call) != UNSEEN_OK) fail_msg("%s: %s", #call, un_error());                            \
    } while (0)

/* The call must fail with `status` and a sentence that contains `part`. */
#define util_fails(call, status, part)                                                             \
    do {                                                                                           \
        int util_status_ = (int)(call);                                                            \
        if (util_status_ != (int)(status) || !strstr(un_error(), (part)))                          \
            fail_msg("%s: status %d, expected %d; \"%s\" is to say \"%s\"", #call, util_status_,   \
                     (int)(status), un_error(), (part));                                           \
    } while (0)

/* |got - want| <= tolerance; NaN fails. */
#define util_near(got, want, tolerance)                                                            \
    do {                                                                                           \
        double util_got_ = (got), util_want_ = (want), util_tolerance_ = (tolerance);              \
        double util_gap_ = util_got_ - util_want_;                                                 \
        if (!(util_gap_ <= util_tolerance_ && -util_gap_ <= util_tolerance_))                      \
            fail_msg("%s is %.9g, expected %.9g within %.2g", #got, util_got_, util_want_,         \
                     util_tolerance_);                                                             \
    } while (0)

/* A training set in memory: classes, two in three of them seen, and images of
 * the seen ones. */
typedef struct {
    un_arena arena;
    un_class_table classes;
    float *rows; /* (N, D) */
    un_features features;
    int32_t *labels;
    un_index_list train; /* every image but each seventh */
    un_training_data data;
} util_scene;

static inline un_class_table util_classes(un_arena *arena, size_t C, size_t semantics,
                                          const size_t *width, un_rng *rng) {
    un_class_table t = {.count = C, .semantics_count = semantics};
    util_ok(un_arena_alloc(arena, C, sizeof *t.names, &t.names));
    util_ok(un_arena_alloc(arena, C, 1, &t.seen));
    for (size_t c = 0; c < C; c++) {
        char name[32];
        snprintf(name, sizeof name, "class %zu", c);
        util_ok(un_arena_string(arena, name, &t.names[c]));
        t.seen[c] = c % 3 != 2;
    }
    for (size_t m = 0; m < semantics; m++) {
        t.semantics[m] = (un_class_semantics){.name = m == 0 ? "att" : "word", .width = width[m]};
        util_ok(un_arena_alloc(arena, C * width[m], sizeof(float), &t.semantics[m].values));
        un_rng_fill_uniform(rng, t.semantics[m].values, C * width[m], 0, 1);
    }
    return t;
}

static inline void util_scene_make(util_scene *s, size_t C, size_t N, size_t D, size_t semantics,
                                   const size_t *width, uint64_t seed) {
    un_rng rng = un_rng_stream(seed, "test", 0);
    *s = (util_scene){0};
    s->classes = util_classes(&s->arena, C, semantics, width, &rng);
    util_ok(un_arena_alloc(&s->arena, N * D, sizeof(float), &s->rows));
    util_ok(un_arena_alloc(&s->arena, N, sizeof *s->labels, &s->labels));
    util_ok(un_arena_alloc(&s->arena, N, sizeof *s->train.items, &s->train.items));
    un_rng_fill_uniform(&rng, s->rows, N * D, 0, 1.5);
    for (size_t i = 0; i < N; i++) {
        size_t c = (size_t)un_rng_below(&rng, C);
        s->labels[i] = (int32_t)(s->classes.seen[c] ? c : c - 1);
        if (i % 7 != 6) s->train.items[s->train.count++] = (int64_t)i;
    }
    s->features = (un_features){.image_count = N,
                                .regions = 1,
                                .width = D,
                                .grid_height = 1,
                                .grid_width = 1,
                                .dtype = UN_F32,
                                .data = (const unsigned char *)s->rows,
                                .row_bytes = D * sizeof(float)};
    s->data = (un_training_data){&s->features, s->labels, &s->train};
}

static inline void util_scene_free(util_scene *s) { un_arena_free(&s->arena); }

/* Defaults of a method with some settings changed ("key=value", NULL-terminated). */
static inline json_t *util_config(const un_method_class *class, const char *const *sets) {
    json_t *config = NULL;
    util_ok(un_config_create(class, NULL, &config));
    for (size_t i = 0; sets && sets[i]; i++) util_ok(un_config_set(class, config, sets[i]));
    return config;
}

/* What a step says that it is done with (un_params_ready), held against its gradients. */
typedef struct {
    un_params *params;
    const float *expected; /* gradients of the same step */
    size_t from, times;
} util_done;

static inline un_status util_hear_done(void *context, size_t from) {
    util_done *d = context;
    if (from >= d->from) return UNSEEN_OK; /* no news */
    assert_memory_equal(d->params->grad + from, d->expected + from,
                        (d->from - from) * sizeof(float));
    for (size_t i = from; i < d->from; i++) d->params->value[i] = NAN; /* nobody reads them */
    un_params_refresh_part(d->params, from, d->from);
    d->from = from;
    d->times++;
    return UNSEEN_OK;
}

/* Step `step` of epoch 0: gradients are final and values not read any more where the step says so,
 * `times` times; the gradients of the last step stay. */
static inline void util_check_done(un_method *method, size_t step, size_t times) {
    un_params *p = &method->params;
    double losses[UN_MAX_LOSSES] = {0};
    float *grad = NULL, *value = NULL;
    util_ok(un_alloc(p->trained, sizeof *grad, &grad));
    util_ok(un_alloc(p->trained, sizeof *value, &value));
    util_ok(method->class->learner->step(method, 0, step, losses));
    memcpy(grad, p->grad, p->trained * sizeof *grad);
    memcpy(value, p->value, p->trained * sizeof *value);
    util_done done = {.params = p, .expected = grad, .from = p->trained};
    p->watch = (un_params_watch){util_hear_done, &done};
    util_ok(method->class->learner->step(method, 0, step, losses));
    p->watch = (un_params_watch){0};
    assert_int_equal(done.times, times);
    assert_memory_equal(p->grad, grad, p->trained * sizeof *grad);
    memcpy(p->value, value, p->trained * sizeof *value);
    un_params_refresh(p);
    free(grad);
    free(value);
}

/* [n] numbers from -1 to 1, such as bf16 holds where asked for; released with free(). */
static inline float *util_uniform(un_rng *rng, size_t n, int bf16) {
    float *x = NULL;
    util_ok(un_alloc(n, sizeof *x, &x));
    un_rng_fill_uniform(rng, x, n, -1, 1);
    for (size_t i = 0; i < n && bf16; i++) x[i] = un_float_from_bf16(un_bf16_from_float(x[i]));
    return x;
}

/* Descriptors that this process has open, with what it takes to look. */
static inline size_t util_open_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    size_t n = 0;
    assert_non_null(folder);
    while (readdir(folder)) n++;
    closedir(folder);
    return n;
}

#endif
