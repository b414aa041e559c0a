/*
 * test_whiten.c - whitening against its definition in double precision (method/whiten.h), and DEM
 * with whitened features: losses, gradients, scores, and a model file that knows it all.
 *
 * The definition below forms every matrix in full and shares no code with the library.
 */
#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/json.h"
#include "method/whiten.h"
#include "model/model.h"
#include "unit/dem_sample.h"
#include "util.h"

enum { C = 11, A = 7, MAX = 64 };

static const size_t g_width[] = {A, 0};

/* Directions of very different spread, mixed, and an offset; column 0 is constant. */
static void stretch(util_scene *s) {
    size_t D = s->features.width;
    for (size_t i = 0; i < s->features.image_count; i++) {
        float *x = s->rows + i * D;
        for (size_t j = 1; j < D; j++)
            x[j] = 3 + x[j] * (j % 5 == 0 ? 4.0F : 0.5F) + 0.7F * x[(j * 7) % D];
        x[0] = 2;
    }
}

typedef struct {
    double mean[MAX], S[MAX][MAX], t, shrinkage;
} definition;

/* mu, S, t and Ledoit and Wolf's shrinkage, the latter by its sum of N matrices. */
static void define(const util_scene *s, definition *d) {
    size_t D = s->features.width, N = s->train.count;
    double means[C][MAX] = {{0}}, images[C] = {0}, error = 0, distance = 0;
    *d = (definition){0};
    for (size_t i = 0; i < N; i++) {
        const float *x = s->rows + (size_t)s->train.items[i] * D;
        size_t c = (size_t)s->labels[s->train.items[i]];
        images[c]++;
        for (size_t j = 0; j < D; j++) means[c][j] += (double)x[j];
        for (size_t j = 0; j < D; j++) d->mean[j] += (double)x[j] / (double)N;
    }
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < N; i++) {
            const float *x = s->rows + (size_t)s->train.items[i] * D;
            size_t c = (size_t)s->labels[s->train.items[i]];
            for (size_t j = 0; j < D; j++)
                for (size_t k = 0; k < D; k++) {
                    double product = ((double)x[j] - means[c][j] / images[c]) *
                                     ((double)x[k] - means[c][k] / images[c]);
                    if (pass == 0) d->S[j][k] += product / (double)N;
                    double gap = product - d->S[j][k];
                    if (pass == 1) error += gap * gap / (double)N / (double)N;
                }
        }
    for (size_t j = 0; j < D; j++) d->t += d->S[j][j] / (double)D;
    for (size_t j = 0; j < D; j++)
        for (size_t k = 0; k < D; k++) distance += pow(d->S[j][k] - (j == k ? d->t : 0), 2);
    d->shrinkage = error < distance ? error / distance : 1;
}

static void check_fit(size_t N, size_t D, double shrinkage, uint64_t seed) {
    util_scene s;
    definition d;
    double used = NAN;
    float mean[MAX], *weight = NULL;
    util_scene_make(&s, C, N, D, 1, g_width, seed);
    stretch(&s);
    define(&s, &d);
    util_ok(un_alloc(D * D, sizeof *weight, &weight));
    util_ok(un_whiten_fit(&s.data, C, shrinkage, mean, weight, &used));
    if (isnan(shrinkage)) assert_true(d.shrinkage > 0.001 && d.shrinkage < 0.9);
    util_near(used, isnan(shrinkage) ? d.shrinkage : shrinkage, 1e-12);
    for (size_t j = 0; j < D; j++) util_near((double)mean[j], d.mean[j], 1e-6);
    /* W' M W = I. The condition of M is below 1e5 here, f32 has 2^-24. */
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++) {
            double sum = 0;
            for (size_t k = 0; k < D; k++)
                for (size_t l = 0; l < D; l++)
                    sum += (double)weight[k * D + i] * (double)weight[l * D + j] *
                           ((1 - used) * d.S[k][l] + (k == l ? used * d.t : 0));
            util_near(sum, i == j ? 1 : 0, 2e-4);
            if (i > j) assert_true(weight[i * D + j] == 0);
        }
    free(weight);
    util_scene_free(&s);
}

static void whitening_follows_the_definition(void **state) {
    (void)state;
    check_fit(60, 13, (double)NAN, 1);
    check_fit(700, 40, (double)NAN, 2); /* more images than a block */
    check_fit(30, 40, (double)NAN, 3);  /* fewer than values */
    check_fit(60, 13, 0.25, 4);
    check_fit(60, 13, 1, 5);
}

static void what_cannot_be_whitened_is_refused(void **state) {
    (void)state;
    util_scene s;
    float mean[MAX], weight[MAX * MAX];
    double used = 0;
    util_scene_make(&s, C, 30, 40, 1, g_width, 6);
    util_fails(un_whiten_fit(&s.data, C, 0, mean, weight, &used), UNSEEN_E_ARGUMENT,
               "whiten: shrinkage 0 with 26 training images of 40 values (a larger one helps)");
    memset(s.rows, 0, 30 * 40 * sizeof *s.rows);
    util_fails(un_whiten_fit(&s.data, C, 0.5, mean, weight, &used), UNSEEN_E_ARGUMENT,
               "use whiten=no");
    s.features.regions = 300;
    util_fails(un_whiten_fit(&s.data, C, 0.5, mean, weight, &used), UNSEEN_E_ARGUMENT,
               "an image has 12000 values, whitening takes at most 8192");
    util_scene_free(&s);
}

/* Far less than the images take. AddressSanitizer keeps what was freed, so it cannot tell. */
static void memory_does_not_grow_with_images(void **state) {
    (void)state;
#if UTIL_ASAN
    skip();
#else
    enum { D = 32, N = 200000 };
    float mean[D], weight[D * D];
    double used = 0;
    struct rusage before, after;
    util_scene s;
    util_scene_make(&s, C, N, D, 1, g_width, 7);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    util_ok(un_whiten_fit(&s.data, C, (double)NAN, mean, weight, &used));
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 4096); /* KiB; the images are 25000 */
    util_scene_free(&s);
#endif
}

/* ---- DEM ---- */

/* f(a) of class c: no ReLU at the end. */
static void prototype(const un_method *method, const util_scene *s, const double *value, size_t c,
                      double *f) {
    double a[MAX], h[MAX], scale = value[method->params.item[piece(method, "input_scale")].offset];
    for (size_t i = 0; i < A; i++) a[i] = scale * (double)s->classes.semantics[0].values[c * A + i];
    affine(method, value, "fc1", a, h);
    relu(h, ((const dem *)method)->hidden);
    affine(method, value, "fc2", h, f);
}

/* (x - mu) W in double. */
static void whitened(const un_method *method, const float *x, size_t D, double *out) {
    const float *mean = un_param_value(&method->params, piece(method, "whiten.mean"));
    const float *weight = un_param_value(&method->params, piece(method, "whiten.weight"));
    for (size_t j = 0; j < D; j++) out[j] = 0;
    for (size_t i = 0; i < D; i++)
        for (size_t j = 0; j < D; j++)
            out[j] += ((double)x[i] - (double)mean[i]) * (double)weight[i * D + j];
}

static double define_loss(const un_method *method, const util_scene *s, const double *value,
                          const int64_t *images, size_t n) {
    size_t D = s->features.width;
    double sum = 0, f[MAX], x[MAX];
    for (size_t i = 0; i < n; i++) {
        prototype(method, s, value, (size_t)s->labels[images[i]], f);
        whitened(method, s->rows + (size_t)images[i] * D, D, x);
        for (size_t j = 0; j < D; j++) sum += (f[j] - x[j]) * (f[j] - x[j]);
    }
    return sum / ((double)n * (double)D);
}

/* Values of both signs in the last layer, which starts at 0. */
static void shake(un_method *method) {
    const un_param *w = &method->params.item[piece(method, "fc2.weight")];
    un_rng rng = un_rng_stream(9, "test", 2);
    for (size_t i = 0; i < w->count; i++) assert_true(method->params.value[w->offset + i] == 0);
    un_rng_fill_normal(&rng, method->params.value + w->offset, w->count, 0, 0.5);
}

/* Loss and gradients of one step by central differences of the definition, whose error is far
 * below f32's. */
static void check_step(const char *batching, uint64_t seed) {
    enum { D = 13, N = 45 };
    const char *const sets[] = {"hidden=9", "batch=8", "init_sd=0.5", batching, NULL};
    const double h = 1e-6;
    util_scene s;
    double losses[UN_MAX_LOSSES], largest = 0;
    const int64_t *images = NULL;
    size_t n = 0;
    util_scene_make(&s, C, N, D, 1, g_width, seed);
    stretch(&s);
    un_method *method = make_dem(&s, sets, UN_PRECISION_F32);
    shake(method);
    un_params *p = &method->params;
    util_ok(un_method_dem.learner->plan(method, 1, 2, &images, &n));
    if (n == 0) { /* class means: all of them */
        images = s.train.items;
        n = s.train.count;
    }
    double *value = double_values(method);
    double expected = define_loss(method, &s, value, images, n);
    util_ok(un_method_dem.learner->step(method, 1, 2, losses));
    util_near(losses[0], expected, 1e-5 * expected);
    for (size_t i = 0; i < p->trained; i++) largest = fmax(largest, fabs((double)p->grad[i]));
    for (size_t k = 0; k < piece(method, "input_scale"); k++)
        for (size_t i = p->item[k].offset; i < p->item[k].offset + p->item[k].count; i++) {
            double before = value[i];
            value[i] = before + h;
            double above = define_loss(method, &s, value, images, n);
            value[i] = before - h;
            double below = define_loss(method, &s, value, images, n);
            value[i] = before;
            util_near((double)p->grad[i], (above - below) / (2 * h), 1e-4 * largest);
        }
    free(value);
    un_method_dem.destroy(method);
    util_scene_free(&s);
}

static void steps_follow_the_definition(void **state) {
    (void)state;
    for (uint64_t seed = 20; seed < 23; seed++) {
        check_step("batching=mini", seed);
        check_step("batching=class-means", seed);
    }
}

/* Distances between whitened features and prototypes, for more images than the scorer's chunk. */
static void scores_are_whitened_distances(void **state) {
    (void)state;
    enum { D = 13, N = 300 };
    static const char *const distances[] = {"distance=euclidean", "distance=cosine"};
    for (size_t k = 0; k < 2; k++) {
        const char *const sets[] = {"hidden=9", distances[k], NULL};
        util_scene s;
        static float scores[N * C];
        util_scene_make(&s, C, N, D, 1, g_width, 30);
        stretch(&s);
        un_method *method = make_dem(&s, sets, UN_PRECISION_BF16);
        shake(method);
        double *value = double_values(method);
        util_ok(un_method_dem.set_classes(method, &s.classes));
        util_ok(un_method_dem.score(method, s.rows, N, scores));
        for (size_t i = 0; i < N; i += 7)
            for (size_t c = 0; c < C; c++) {
                double f[MAX], x[MAX], dot = 0, xx = 0, ff = 0, gap = 0;
                prototype(method, &s, value, c, f);
                whitened(method, s.rows + i * D, D, x);
                for (size_t j = 0; j < D; j++) {
                    dot += f[j] * x[j];
                    xx += x[j] * x[j];
                    ff += f[j] * f[j];
                    gap += (f[j] - x[j]) * (f[j] - x[j]);
                }
                util_near((double)scores[i * C + c], k ? dot / sqrt(xx * ff) - 1 : -sqrt(gap),
                          2e-5);
            }
        free(value);
        un_method_dem.destroy(method);
        util_scene_free(&s);
    }
}

/* Only the training images count: others may say anything. */
static void other_images_change_nothing(void **state) {
    (void)state;
    enum { D = 13, N = 60 };
    util_scene s;
    un_method *method[2];
    util_scene_make(&s, C, N, D, 1, g_width, 40);
    for (int run = 0; run < 2; run++) {
        method[run] = make_dem(&s, NULL, UN_PRECISION_F32);
        for (size_t i = 6; i < N; i += 7) /* util_scene: not in the list */
            for (size_t j = 0; j < D; j++) s.rows[i * D + j] = 1000;
    }
    assert_memory_equal(method[0]->params.value, method[1]->params.value,
                        method[0]->params.total * sizeof(float));
    un_method_dem.destroy(method[0]);
    un_method_dem.destroy(method[1]);
    util_scene_free(&s);
}

/* The file alone scores as the method that was saved did, bit for bit. */
static void model_keeps_the_whitening(void **state) {
    (void)state;
    enum { D = 20, N = 60 };
    const char *const sets[] = {"hidden=9", "whiten=auto", NULL};
    char path[] = "/tmp/unseen-whiten-XXXXXX";
    util_scene s;
    un_model model;
    float before[N * C], after[N * C];
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    util_scene_make(&s, C, N, D, 1, g_width, 50);
    stretch(&s);
    un_method *method = make_dem(&s, sets, UN_PRECISION_F32);
    shake(method);
    util_ok(un_method_dem.set_classes(method, &s.classes));
    util_ok(un_method_dem.score(method, s.rows, N, before));
    json_t *config = util_config(&un_method_dem, sets);
    json_t *manifest = json_pack("{s:s, s:o, s:s, s:{s:i, s:i}}", "method", "dem", "config", config,
                                 "precision", "f32", "input", "regions", 1, "width", D);
    assert_non_null(manifest);
    util_ok(un_model_save(path, method, &s.classes, manifest));
    util_ok(un_model_open(&model, path, UN_PRECISION_AUTO));
    util_ok(un_method_dem.score(model.method, s.rows, N, after));
    assert_memory_equal(before, after, sizeof before);
    un_model_close(&model);
    json_decref(manifest);
    un_method_dem.destroy(method);
    util_scene_free(&s);
    unlink(path);
}

/* A file from before there was whitening says nothing of it, and is read without. */
static void older_models_open(void **state) {
    (void)state;
    enum { D = 20, N = 60 };
    const char *const sets[] = {"hidden=9", "whiten=no", NULL};
    char path[] = "/tmp/unseen-whiten-XXXXXX";
    util_scene s;
    un_model model;
    int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    util_scene_make(&s, C, N, D, 1, g_width, 51);
    un_method *method = make_dem(&s, sets, UN_PRECISION_F32);
    json_t *config = util_config(&un_method_dem, sets);
    assert_int_equal(json_object_del(config, "whiten"), 0);
    json_t *manifest = json_pack("{s:s, s:o, s:s, s:{s:i, s:i}}", "method", "dem", "config", config,
                                 "precision", "f32", "input", "regions", 1, "width", D);
    util_ok(un_model_save(path, method, &s.classes, manifest));
    util_ok(un_model_open(&model, path, UN_PRECISION_AUTO));
    assert_int_equal(model.method->params.count, method->params.count);
    un_model_close(&model);
    json_decref(manifest);
    un_method_dem.destroy(method);
    util_scene_free(&s);
    unlink(path);
}

/* auto leaves what is too wide as it is; a number insists. */
static void wide_features_stay_as_they_are(void **state) {
    (void)state;
    enum { WIDE = UN_WHITEN_MAX_WIDTH + 1 };
    static const char *const sets[][3] = {{"hidden=4", "whiten=auto", NULL},
                                          {"hidden=4", "whiten=no", NULL}};
    util_scene s;
    un_method *method[2];
    util_scene_make(&s, C, 12, WIDE, 1, g_width, 60);
    for (int k = 0; k < 2; k++) method[k] = make_dem(&s, sets[k], UN_PRECISION_F32);
    assert_int_equal(method[0]->params.count, method[1]->params.count);
    assert_memory_equal(method[0]->params.value, method[1]->params.value,
                        method[0]->params.total * sizeof(float));
    un_method_dem.destroy(method[0]);
    un_method_dem.destroy(method[1]);
    util_scene_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whitening_follows_the_definition),
        cmocka_unit_test(what_cannot_be_whitened_is_refused),
        cmocka_unit_test(memory_does_not_grow_with_images),
        cmocka_unit_test(steps_follow_the_definition),
        cmocka_unit_test(scores_are_whitened_distances),
        cmocka_unit_test(other_images_change_nothing),
        cmocka_unit_test(model_keeps_the_whitening),
        cmocka_unit_test(older_models_open),
        cmocka_unit_test(wide_features_stay_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
