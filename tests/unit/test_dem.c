/*
 * test_dem.c - DEM against its definition: losses in double precision written
 * out, gradients by finite differences of that loss, sampling, scores.
 *
 * The double-precision network below is the definition from dem.h, sharing no
 * code with the library. Gradients of it by central differences, whose error is
 * far below f32's, judge the library's gradients without a step-size dilemma;
 * one test more perturbs the library's own parameters, to tie its loss to them.
 */
#include <math.h>

#include "unit/dem_sample.h"

enum { MAX_WIDTH = 64, MAX_SETS = 16 };

typedef struct {
    const char *name;
    size_t semantics;
    size_t width[2];
    const char *sets[MAX_SETS];
} network_case;

/* A large init_sd puts ReLUs on both sides of 0; widths of no power of two. */
static const network_case g_cases[] = {
    {"two-layer", 1, {7, 0}, {"hidden=9", "batch=8", "init_sd=0.5", "lambda=0.02,0.01"}},
    {"one-layer", 1, {7, 0}, {"network=one-layer", "batch=8", "init_sd=0.5", "lambda=0.03"}},
    {"fusion",
     2,
     {7, 5},
     {"semantics=att,word", "hidden=9", "batch=8", "init_sd=0.5", "modality_scale=3,1",
      "input_scale=0.5,2", "lambda=0.01,0.02,0.03"}},
};
enum { CASES = sizeof g_cases / sizeof *g_cases, C = 11, N = 45, D = 13 };

/* Without whitening, which test_whiten.c has. */
static un_method *make_method(const util_scene *s, const char *const *sets, const char *extra,
                              un_precision precision) {
    const char *all[MAX_SETS + 2];
    size_t n = 0;
    while (sets[n]) {
        all[n] = sets[n];
        n++;
    }
    all[n++] = "whiten=no";
    if (extra) all[n++] = extra;
    all[n] = NULL;
    return make_dem(s, all, precision);
}

/* f(a) of class c, by the definition. */
static void reference_forward(const un_method *method, const util_scene *s, const double *value,
                              size_t c, double *f) {
    const dem *d = (const dem *)method;
    double a[2][MAX_WIDTH], h[MAX_WIDTH], z[MAX_WIDTH] = {0};
    for (size_t m = 0; m < s->classes.semantics_count; m++) {
        const un_class_semantics *semantics = &s->classes.semantics[m];
        double scale = value[method->params.item[piece(method, "input_scale")].offset + m];
        for (size_t i = 0; i < semantics->width; i++)
            a[m][i] = scale * (double)semantics->values[c * semantics->width + i];
    }
    if (d->network == DEM_ONE_LAYER) {
        affine(method, value, "fc1", a[0], f);
    } else if (d->network == DEM_TWO_LAYER) {
        affine(method, value, "fc1", a[0], h);
        relu(h, d->hidden);
        affine(method, value, "fc2", h, f);
    } else {
        for (size_t m = 0; m < s->classes.semantics_count; m++) {
            affine(method, value, m == 0 ? "modality0" : "modality1", a[m], h);
            for (size_t j = 0; j < d->hidden; j++)
                z[j] += d->settings.modality_scale[m] * tanh(h[j]);
        }
        affine(method, value, "centre", z, f);
    }
    relu(f, s->features.width);
}

/* mean over B x D of (f(a_y) - x)^2, image by image. */
static double reference_loss(const un_method *method, const util_scene *s, const double *value,
                             const int64_t *images, size_t n) {
    double sum = 0, f[MAX_WIDTH];
    size_t width = s->features.width;
    for (size_t i = 0; i < n; i++) {
        reference_forward(method, s, value, (size_t)s->labels[images[i]], f);
        for (size_t j = 0; j < width; j++) {
            double error = f[j] - (double)s->rows[(size_t)images[i] * width + j];
            sum += error * error;
        }
    }
    return sum / ((double)n * (double)width);
}

/* Loss and all gradients of the step just done against the definition. */
static void check_step(un_method *method, const util_scene *s, const int64_t *images, size_t n,
                       double loss, const char *what) {
    const double h = 1e-6;
    double *value = double_values(method);
    double expected = reference_loss(method, s, value, images, n), largest = 0;
    util_near(loss, expected, 2e-6 * expected);
    size_t scale = piece(method, "input_scale");
    for (size_t i = 0; i < method->params.total; i++)
        largest = fmax(largest, fabs((double)method->params.grad[i]));
    assert_true(largest > 1e-4); /* the comparison below means something */
    for (size_t k = 0; k < method->params.count; k++) {
        const un_param *p = &method->params.item[k];
        for (size_t i = p->offset; i < p->offset + p->count; i++) {
            double kept = value[i], slope = 0;
            if (k != scale) { /* not learnt */
                value[i] = kept + h;
                double above = reference_loss(method, s, value, images, n);
                value[i] = kept - h;
                slope = (above - reference_loss(method, s, value, images, n)) / (2 * h);
                value[i] = kept;
            }
            double gap = fabs((double)method->params.grad[i] - slope);
            if (!(gap <= 2e-5 * largest))
                fail_msg("%s: gradient %zu of %s is %g, expected %g", what, i - p->offset, p->name,
                         (double)method->params.grad[i], slope);
        }
    }
    free(value);
}

static void mini_batches_follow_the_definition(void **state) {
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        util_scene s;
        util_scene_make(&s, C, N, D, g_cases[k].semantics, g_cases[k].width, 10 + k);
        un_method *method = make_method(&s, g_cases[k].sets, NULL, UN_PRECISION_F32);
        size_t steps = un_method_dem.learner->steps_before(method, 1);
        assert_int_equal(steps, (s.train.count + 7) / 8);
        for (size_t step = 0; step < steps; step++) {
            const int64_t *images = NULL;
            size_t n = 0;
            double losses[UN_MAX_LOSSES];
            util_ok(un_method_dem.learner->step(method, 2, step, losses));
            util_ok(un_method_dem.learner->plan(method, 2, step, &images, &n));
            assert_true(n > 0);
            check_step(method, &s, images, n, losses[0], g_cases[k].name);
        }
        util_check_done(method, 0, 1);
        un_method_dem.destroy(method);
        util_scene_free(&s);
    }
}

static void class_means_follow_the_definition(void **state) {
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        util_scene s;
        double losses[UN_MAX_LOSSES];
        util_scene_make(&s, C, N, D, g_cases[k].semantics, g_cases[k].width, 20 + k);
        un_method *method =
            make_method(&s, g_cases[k].sets, "batching=class-means", UN_PRECISION_F32);
        assert_int_equal(un_method_dem.learner->steps_before(method, 1), 1);
        util_ok(un_method_dem.learner->step(method, 0, 0, losses));
        check_step(method, &s, s.train.items, s.train.count, losses[0], g_cases[k].name);
        un_method_dem.destroy(method);
        util_scene_free(&s);
    }
}

/* The library's own loss moves with its own parameters as its gradient says. A step along the
 * gradient, small enough for the curvature (error h^2) and large enough for f32 (eps / h). */
static void own_loss_follows_own_gradient(void **state) {
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        util_scene s;
        double losses[UN_MAX_LOSSES], square = 0, along[2];
        util_scene_make(&s, C, N, D, g_cases[k].semantics, g_cases[k].width, 30 + k);
        un_method *method =
            make_method(&s, g_cases[k].sets, "batching=class-means", UN_PRECISION_F32);
        size_t total = method->params.total;
        float *kept = NULL, *slope = NULL;
        util_ok(un_alloc(total, sizeof *kept, &kept));
        util_ok(un_alloc(total, sizeof *slope, &slope));
        util_ok(un_method_dem.learner->step(method, 0, 0, losses));
        memcpy(kept, method->params.value, total * sizeof *kept);
        memcpy(slope, method->params.grad, total * sizeof *slope);
        for (size_t i = 0; i < total; i++) square += (double)slope[i] * (double)slope[i];
        for (int side = 0; side < 2; side++) {
            float h = (side ? 2e-3f : -2e-3f) / (float)sqrt(square);
            for (size_t i = 0; i < total; i++) method->params.value[i] = kept[i] + h * slope[i];
            util_ok(un_method_dem.learner->step(method, 0, 0, losses));
            along[side] = losses[0];
        }
        util_near((along[1] - along[0]) / 4e-3, sqrt(square), 5e-3 * sqrt(square));
        free(kept);
        free(slope);
        un_method_dem.destroy(method);
        util_scene_free(&s);
    }
}

/* A mini-batch of everything is the class-means step. */
static void full_batch_equals_class_means(void **state) {
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        util_scene s;
        double a[UN_MAX_LOSSES], b[UN_MAX_LOSSES], largest = 0;
        util_scene_make(&s, C, N, D, g_cases[k].semantics, g_cases[k].width, 40 + k);
        un_method *means =
            make_method(&s, g_cases[k].sets, "batching=class-means", UN_PRECISION_F32);
        un_method *mini = make_method(&s, g_cases[k].sets, "batch=1000", UN_PRECISION_F32);
        assert_int_equal(un_method_dem.learner->steps_before(mini, 1), 1);
        util_ok(un_method_dem.learner->step(means, 0, 0, a));
        util_ok(un_method_dem.learner->step(mini, 3, 0, b));
        util_near(a[0], b[0], 1e-6 * a[0]);
        for (size_t i = 0; i < means->params.total; i++)
            largest = fmax(largest, fabs((double)means->params.grad[i]));
        for (size_t i = 0; i < means->params.total; i++)
            util_near((double)means->params.grad[i], (double)mini->params.grad[i], 2e-6 * largest);
        un_method_dem.destroy(means);
        un_method_dem.destroy(mini);
        util_scene_free(&s);
    }
}

/* Features far from 0 with little spread: the constant is a small difference of large sums. */
static void constant_survives_an_offset(void **state) {
    (void)state;
    enum { WIDE = 64 };
    util_scene s;
    double losses[UN_MAX_LOSSES];
    util_scene_make(&s, C, N, WIDE, 1, g_cases[0].width, 50);
    for (size_t i = 0; i < (size_t)N * WIDE; i++) s.rows[i] = 8 + 0.01f * s.rows[i];
    un_method *method = make_method(&s, g_cases[0].sets, "batching=class-means", UN_PRECISION_F32);
    util_ok(un_method_dem.learner->step(method, 0, 0, losses));
    double constant = 0;
    for (size_t c = 0; c < C; c++) {
        for (size_t j = 0; j < WIDE; j++) {
            double n = 0, sum = 0, squares = 0;
            for (size_t i = 0; i < s.train.count; i++) {
                size_t image = (size_t)s.train.items[i];
                double x = (double)s.rows[image * WIDE + j] - 8;
                if ((size_t)s.labels[image] != c) continue;
                n++;
                sum += x;
                squares += x * x;
            }
            if (n > 0) constant += squares - sum * sum / n;
        }
    }
    constant /= (double)s.train.count * WIDE;
    util_near(((const dem *)method)->rows.constant, constant, 0.02 * constant);
    un_method_dem.destroy(method);
    util_scene_free(&s);
}

static int by_index(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* The whole epoch in order; returns its length. */
static size_t epoch_order(un_method *method, size_t epoch, int64_t *out) {
    size_t total = 0, steps = un_method_dem.learner->steps_before(method, 1);
    for (size_t step = 0; step < steps; step++) {
        const int64_t *images = NULL;
        size_t n = 0;
        util_ok(un_method_dem.learner->plan(method, epoch, step, &images, &n));
        if (step + 1 < steps) assert_int_equal(n, 8);
        memcpy(out + total, images, n * sizeof *out);
        total += n;
    }
    return total;
}

static void sampling(void **state) {
    (void)state;
    util_scene s;
    int64_t first[N], again[N], other[N], sorted[N];
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 60);
    assert_true(s.train.count % 8 != 0); /* the last batch is short */
    un_method *a = make_method(&s, g_cases[0].sets, NULL, UN_PRECISION_F32);
    un_method *b = make_method(&s, g_cases[0].sets, NULL, UN_PRECISION_F32);
    size_t n = epoch_order(a, 4, first);
    assert_int_equal(n, s.train.count);
    memcpy(sorted, first, n * sizeof *first);
    qsort(sorted, n, sizeof *sorted, by_index);
    assert_memory_equal(sorted, s.train.items, n * sizeof *sorted); /* each image once */
    epoch_order(a, 5, other);
    assert_true(memcmp(first, other, n * sizeof *first) != 0);
    epoch_order(b, 4, again); /* without the epochs before */
    assert_memory_equal(first, again, n * sizeof *first);
    const int64_t *images = NULL;
    size_t count = 1;
    util_ok(un_method_dem.learner->plan(a, 4, un_method_dem.learner->steps_before(a, 1), &images,
                                        &count));
    assert_int_equal(count, 0);
    double losses[UN_MAX_LOSSES];
    util_fails(un_method_dem.learner->step(a, 4, un_method_dem.learner->steps_before(a, 1), losses),
               UNSEEN_E_ARGUMENT, "beyond the epoch");
    ((dem *)b)->batches.seed++;
    ((dem *)b)->batches.epoch = SIZE_MAX;
    epoch_order(b, 4, again);
    assert_true(memcmp(first, again, n * sizeof *first) != 0);
    un_method_dem.destroy(a);
    un_method_dem.destroy(b);
    util_scene_free(&s);
}

/* Planning ahead, into the next epoch, must not change the step under way. */
static void planning_ahead_changes_nothing(void **state) {
    (void)state;
    util_scene s;
    double plain[UN_MAX_LOSSES], ahead[UN_MAX_LOSSES];
    const int64_t *images = NULL;
    size_t n = 0;
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 61);
    un_method *method = make_method(&s, g_cases[0].sets, NULL, UN_PRECISION_F32);
    util_ok(un_method_dem.learner->step(method, 0, 3, plain));
    util_ok(un_method_dem.learner->plan(method, 1, 0, &images, &n));
    util_ok(un_method_dem.learner->step(method, 0, 3, ahead));
    assert_true(plain[0] == ahead[0]);
    un_method_dem.destroy(method);
    util_scene_free(&s);
}

/* Scores against distances in double precision. */
static void check_scores(const char *distance, size_t n) {
    util_scene s;
    char set[32];
    double p[MAX_WIDTH];
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 70);
    snprintf(set, sizeof set, "distance=%s", distance);
    un_method *method = make_method(&s, g_cases[0].sets, set, UN_PRECISION_F32);
    float *scores = NULL;
    util_ok(un_alloc(n * C, sizeof *scores, &scores));
    util_ok(un_method_dem.set_classes(method, &s.classes));
    util_ok(un_method_dem.score(method, s.rows, n, scores));
    double *value = double_values(method);
    for (size_t c = 0; c < C; c++) {
        reference_forward(method, &s, value, c, p);
        for (size_t i = 0; i < n; i++) {
            double xx = 0, pp = 0, xp = 0, gap = 0;
            for (size_t j = 0; j < D; j++) {
                double x = (double)s.rows[i * D + j];
                xx += x * x;
                pp += p[j] * p[j];
                xp += x * p[j];
                gap += (x - p[j]) * (x - p[j]);
            }
            double cosine = xx > 0 && pp > 0 ? xp / sqrt(xx * pp) : 0;
            double expected = *distance == 'c' ? cosine - 1 : -sqrt(gap);
            util_near((double)scores[i * C + c], expected, 5e-6);
        }
    }
    free(value);
    free(scores);
    un_method_dem.destroy(method);
    util_scene_free(&s);
}

static void scores_are_distances(void **state) {
    (void)state;
    for (size_t n = 1; n <= N; n += 11) {
        check_scores("euclidean", n);
        check_scores("cosine", n);
    }
}

static void zero_vectors(void **state) {
    (void)state;
    util_scene s;
    float features[2 * D] = {0}, scores[2 * C];
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 71);
    for (size_t j = 0; j < D; j++) features[D + j] = 1;
    for (int euclidean = 0; euclidean < 2; euclidean++) {
        un_method *method =
            make_method(&s, g_cases[0].sets, euclidean ? "distance=euclidean" : "distance=cosine",
                        UN_PRECISION_F32);
        const un_param *w = &method->params.item[piece(method, "fc2.weight")];
        for (size_t i = 0; i < w->count; i++) method->params.value[w->offset + i] = -1;
        util_ok(un_method_dem.set_classes(method, &s.classes)); /* every prototype is 0 */
        util_ok(un_method_dem.score(method, features, 2, scores));
        for (size_t c = 0; c < C; c++) {
            util_near((double)scores[c], euclidean ? 0 : -1, 0);
            util_near((double)scores[C + c], euclidean ? -sqrt((double)D) : -1, 1e-6);
        }
        un_method_dem.destroy(method);
    }
    util_scene_free(&s);
}

static void wrong_classes_fail_with_a_sentence(void **state) {
    (void)state;
    util_scene s;
    float scores[C];
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 72);
    un_method *method = make_method(&s, g_cases[0].sets, NULL, UN_PRECISION_F32);
    util_fails(un_method_dem.score(method, s.rows, 1, scores), UNSEEN_E_ARGUMENT, "no classes");
    un_class_table wrong = s.classes;
    wrong.semantics[0].width--;
    util_fails(un_method_dem.set_classes(method, &wrong), UNSEEN_E_ARGUMENT,
               "has 6 values a class, the model was trained on 7");
    wrong = s.classes;
    wrong.semantics_count = 2;
    util_fails(un_method_dem.set_classes(method, &wrong), UNSEEN_E_ARGUMENT, "needs 1 semantics");
    wrong = s.classes;
    wrong.count = 0;
    assert_int_not_equal(un_method_dem.set_classes(method, &wrong), UNSEEN_OK);
    util_ok(un_method_dem.set_classes(method, &s.classes)); /* and still works */
    util_ok(un_method_dem.score(method, s.rows, 1, scores));
    un_method_dem.destroy(method);
    util_scene_free(&s);
}

/* More classes than one chunk of the scorer holds, and another number than in training. */
static void many_classes(void **state) {
    (void)state;
    enum { MANY = 700 };
    util_scene s;
    float *scores = NULL, alone = 0;
    un_rng rng = un_rng_stream(73, "test", 1);
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 73);
    un_method *method = make_method(&s, g_cases[0].sets, NULL, UN_PRECISION_F32);
    un_class_table many = util_classes(&s.arena, MANY, 1, g_cases[0].width, &rng);
    util_ok(un_alloc(MANY, sizeof *scores, &scores));
    util_ok(un_method_dem.set_classes(method, &many));
    util_ok(un_method_dem.score(method, s.rows, 1, scores));
    for (size_t c = 0; c < MANY; c += 51) {
        un_class_table one = many;
        one.count = 1;
        one.semantics[0].values = many.semantics[0].values + c * one.semantics[0].width;
        util_ok(un_method_dem.set_classes(method, &one));
        util_ok(un_method_dem.score(method, s.rows, 1, &alone));
        util_near((double)alone, (double)scores[c], 2e-6);
    }
    free(scores);
    un_method_dem.destroy(method);
    util_scene_free(&s);
}

/* bf16 has 8 bits: a few parts in a thousand of the largest, not more. */
static void bf16_is_close(void **state) {
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        util_scene s;
        double a[UN_MAX_LOSSES], b[UN_MAX_LOSSES], gap = 0, norm = 0;
        util_scene_make(&s, C, N, D, g_cases[k].semantics, g_cases[k].width, 80 + k);
        un_method *exact = make_method(&s, g_cases[k].sets, NULL, UN_PRECISION_F32);
        un_method *rounded = make_method(&s, g_cases[k].sets, NULL, UN_PRECISION_BF16);
        assert_non_null(rounded->params.value16);
        assert_memory_equal(exact->params.value, rounded->params.value,
                            exact->params.total * sizeof(float));
        util_ok(un_method_dem.learner->step(exact, 0, 0, a));
        util_ok(un_method_dem.learner->step(rounded, 0, 0, b));
        util_near(b[0], a[0], 0.01 * a[0]);
        for (size_t i = 0; i < exact->params.total; i++) {
            double x = (double)exact->params.grad[i], y = (double)rounded->params.grad[i];
            gap += (x - y) * (x - y);
            norm += x * x;
        }
        util_near(sqrt(gap / norm), 0, 0.02);
        assert_true(gap > 0); /* it did compute in bf16 */
        un_method_dem.destroy(exact);
        un_method_dem.destroy(rounded);
        util_scene_free(&s);
    }
}

/* Training lowers the loss by what the definition allows, and ends with the same bytes. */
static void training_learns_and_repeats(void **state) {
    (void)state;
    util_scene s;
    un_method *method[2];
    util_scene_make(&s, C, N, D, 1, g_cases[0].width, 90);
    for (int run = 0; run < 2; run++) {
        double losses[UN_MAX_LOSSES], start = 0;
        un_optimizer optimizer;
        un_optimizer_settings settings;
        method[run] = make_method(&s, g_cases[0].sets, "lr=0.01", UN_PRECISION_F32);
        un_method_dem.learner->optimizer(method[run], &settings);
        util_near(settings.lr, 0.01, 0);
        util_ok(un_optimizer_create(&optimizer, &settings, &method[run]->params));
        for (size_t epoch = 0; epoch < 40; epoch++) {
            for (size_t step = 0; step < un_method_dem.learner->steps_before(method[run], 1);
                 step++) {
                util_ok(un_method_dem.learner->step(method[run], epoch, step, losses));
                un_optimizer_step(&optimizer, &method[run]->params);
                if (epoch + step == 0) start = losses[0];
            }
        }
        assert_true(losses[0] < 0.5 * start);
        un_optimizer_free(&optimizer);
    }
    assert_memory_equal(method[0]->params.value, method[1]->params.value,
                        method[0]->params.total * sizeof(float));
    un_method_dem.destroy(method[0]);
    un_method_dem.destroy(method[1]);
    util_scene_free(&s);
}

static void settings_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        size_t semantics;
        const char *sets[3], *sentence;
    } bad[] = {
        {2, {"semantics=att,word", "network=two-layer"}, "need network=fusion"},
        {2, {"semantics=att,word", "network=one-layer"}, "need network=fusion"},
        {1, {"lambda=1,2,3"}, "lambda needs one value, or one for each of 2 layers"},
        {1, {"network=one-layer", "lambda=1,2"}, "one for each of 1 layers"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        util_scene s;
        un_method *method = NULL;
        util_scene_make(&s, C, N, D, bad[k].semantics, g_cases[2].width, 95);
        json_t *config = util_config(&un_method_dem, bad[k].sets);
        const un_method_setup setup = {.classes = &s.classes,
                                       .regions = 1,
                                       .width = D,
                                       .precision = UN_PRECISION_F32,
                                       .config = config,
                                       .data = &s.data};
        util_fails(un_method_dem.create(&setup, &method), UNSEEN_E_ARGUMENT, bad[k].sentence);
        json_decref(config);
        util_scene_free(&s);
    }
}

/* Regions are averaged, in training and in scoring: the same as training on their means. */
static void regions_are_averaged(void **state) {
    (void)state;
    enum { R = 5 };
    util_scene s, pooled;
    un_rng rng = un_rng_stream(4, "regions", 0);
    float *regions = NULL, *means = NULL, scores[2][3 * C];
    const int64_t images[] = {0, 7, 31};
    util_scene_make(&s, C, N, R * D, 1, g_cases[0].width, 12);
    util_scene_make(&pooled, C, N, D, 1, g_cases[0].width, 12);
    regions = s.rows;
    means = pooled.rows;
    un_rng_fill_uniform(&rng, regions, (size_t)N * R * D, 0, 1.5);
    for (size_t i = 0; i < (size_t)N * D; i++) {
        double sum = 0;
        for (size_t r = 0; r < R; r++) sum += (double)regions[(i / D * R + r) * D + i % D];
        means[i] = (float)(sum / R);
    }
    pooled.data.labels = s.data.labels;
    s.features.regions = R;
    s.features.width = D;
    float gathered[3 * D];
    const un_features view = un_features_averaged(&s.features);
    un_features_gather_f32(&view, images, 3, gathered);
    for (size_t i = 0; i < 3 * D; i++)
        util_near((double)gathered[i], (double)means[(size_t)images[i / D] * D + i % D], 1e-6);
    for (int whiten = 0; whiten < 2; whiten++) {
        for (int k = 0; k < 2; k++) {
            const util_scene *scene = k == 0 ? &s : &pooled;
            un_method *method =
                make_method(scene, g_cases[0].sets, whiten ? "whiten=0.5" : NULL, UN_PRECISION_F32);
            double losses[UN_MAX_LOSSES];
            float rows[3 * R * D];
            util_ok(un_method_dem.learner->step(method, 0, 0, losses));
            util_ok(un_method_dem.set_classes(method, &s.classes));
            un_features_gather_f32(&scene->features, images, 3, rows);
            util_ok(un_method_dem.score(method, rows, 3, scores[k]));
            json_t *spec = NULL;
            util_ok(un_method_dem.save_spec(method, &spec));
            assert_int_equal(json_object_get(spec, "regions") != NULL, k == 0);
            json_decref(spec);
            un_method_dem.destroy(method);
        }
        for (size_t i = 0; i < 3 * C; i++)
            util_near((double)scores[0][i], (double)scores[1][i], 2e-5);
    }
    util_scene_free(&s);
    util_scene_free(&pooled);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mini_batches_follow_the_definition),
        cmocka_unit_test(class_means_follow_the_definition),
        cmocka_unit_test(own_loss_follows_own_gradient),
        cmocka_unit_test(full_batch_equals_class_means),
        cmocka_unit_test(constant_survives_an_offset),
        cmocka_unit_test(sampling),
        cmocka_unit_test(planning_ahead_changes_nothing),
        cmocka_unit_test(scores_are_distances),
        cmocka_unit_test(zero_vectors),
        cmocka_unit_test(wrong_classes_fail_with_a_sentence),
        cmocka_unit_test(many_classes),
        cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(training_learns_and_repeats),
        cmocka_unit_test(settings_that_do_not_fit_are_refused),
        cmocka_unit_test(regions_are_averaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
