/*
 * test_cnzsl.c - CNZSL against its definition in double precision: losses, running statistics and
 * scores written out, gradients by central differences, in both forms of standardisation; sampling,
 * settings, models.
 *
 * The definition shares no code with the library.
 */
#include <math.h>
#include <unistd.h>

#include "base/json.h"
#include "method/cnzsl/cnzsl.h"
#include "model/model.h"
#include "unit/method_sample.h"

enum { C = 11, SEEN = 8, N = 45, D = 13, H = 9, MAX = 24 };

static const size_t g_width[] = {7, 5};
static const un_method_learner *learner(void) { return un_method_cnzsl.learner; }

typedef struct {
    const char *name;
    size_t semantics;
    const char *sets[8];
} form;

static const form g_forms[] = {
    {"variance", 1, {"hidden=9", "batch=16"}},
    {"deviation", 1, {"hidden=9", "batch=16", "standardise=deviation"}},
    {"no ReLU", 1, {"hidden=9", "batch=16", "final_relu=no", "scale=10"}},
    {"whitened", 1, {"hidden=9", "batch=16", "whiten=0.5", "standardise=deviation"}},
    {"fused",
     2,
     {"hidden=9", "batch=16", "semantics=att,word", "modality_scale=1,0.5",
      "standardise=deviation"}},
};
enum { FORMS = sizeof g_forms / sizeof *g_forms };

static un_method *make(const util_scene *s, size_t k) {
    return make_prepared(&un_method_cnzsl, s, g_forms[k].sets, UN_PRECISION_BF16);
}

/* ---- the definition ---- */

/* sqrt(A_m) times a unit row, times its weight; side by side. */
static size_t describe(const util_scene *s, size_t k, size_t c, double *a) {
    size_t A = 0;
    for (size_t m = 0; m < g_forms[k].semantics; m++) {
        size_t width = g_width[m];
        const float *row = s->classes.semantics[m].values + c * width;
        double norm = 0, weight = m == 1 ? 0.5 : 1;
        for (size_t i = 0; i < width; i++) norm += (double)row[i] * (double)row[i];
        for (size_t i = 0; i < width; i++)
            a[A++] = weight * sqrt((double)width) * (double)row[i] / sqrt(norm);
    }
    return A;
}

/* y (out) = W x + b, W (out, in) */
static void affine(const un_method *method, const double *value, const char *layer, const double *x,
                   double *y) {
    char name[32];
    snprintf(name, sizeof name, "%s.weight", layer);
    const un_param *w = &method->params.item[piece(method, name)];
    snprintf(name, sizeof name, "%s.bias", layer);
    const un_param *b = &method->params.item[piece(method, name)];
    for (size_t o = 0; o < w->shape[0]; o++) {
        y[o] = value[b->offset + o];
        for (size_t i = 0; i < w->shape[1]; i++)
            y[o] += x[i] * value[w->offset + o * w->shape[1] + i];
    }
}

typedef struct {
    double mean[2][H], variance[2][H]; /* the latter with divisor rows - 1 */
} statistics;

/* N of z (rows, H) in place; by its own rows, which st receives, or by st as it is. */
static void standardise(int deviation, double (*z)[H], size_t rows, int own, double *mean,
                        double *variance) {
    for (size_t j = 0; j < H; j++) {
        double sum = 0, squares = 0;
        for (size_t r = 0; r < rows; r++) sum += z[r][j];
        for (size_t r = 0; r < rows; r++) squares += pow(z[r][j] - sum / (double)rows, 2);
        if (own) {
            mean[j] = sum / (double)rows;
            variance[j] = squares / (double)(rows - 1);
        }
        double v = own && deviation ? squares / (double)rows : variance[j];
        for (size_t r = 0; r < rows; r++)
            z[r][j] = (z[r][j] - mean[j]) / (deviation ? sqrt(v + 1e-5) : v + 1e-5);
    }
}

/* Prototypes (rows, D) of classes[rows]; `own` as above. */
static void prototypes(const un_method *method, const util_scene *s, size_t k, const double *value,
                       const size_t *classes, size_t rows, int own, statistics *st,
                       double (*p)[D]) {
    const cnzsl *n = (const cnzsl *)method;
    int deviation = n->settings.form == UN_BY_DEVIATION;
    double a[MAX], h[H], z[C][H];
    for (size_t r = 0; r < rows; r++) {
        describe(s, k, classes[r], a);
        affine(method, value, "fc1", a, h);
        relu(h, H);
        affine(method, value, "fc2", h, z[r]);
    }
    standardise(deviation, z, rows, own, st->mean[0], st->variance[0]);
    for (size_t r = 0; r < rows; r++) relu(z[r], H);
    standardise(deviation, z, rows, own, st->mean[1], st->variance[1]);
    for (size_t r = 0; r < rows; r++) {
        affine(method, value, "fc3", z[r], p[r]);
        if (n->settings.final_relu) relu(p[r], D);
    }
}

static double cosine(const double *x, const double *y) {
    double dot = 0, xx = 0, yy = 0;
    for (size_t j = 0; j < D; j++) {
        dot += x[j] * y[j];
        xx += x[j] * x[j];
        yy += y[j] * y[j];
    }
    return xx > 0 && yy > 0 ? dot / sqrt(xx * yy) : 0;
}

/* Image i as it is compared. */
static void feature(const un_method *method, const util_scene *s, size_t i, double *x) {
    const float *row = s->rows + i * D;
    for (size_t j = 0; j < D; j++) x[j] = (double)row[j];
    if (!((const cnzsl *)method)->pooled.whitened) return;
    const float *mean = un_param_value(&method->params, piece(method, "whiten.mean"));
    const float *weight = un_param_value(&method->params, piece(method, "whiten.weight"));
    for (size_t j = 0; j < D; j++) {
        x[j] = 0;
        for (size_t l = 0; l < D; l++)
            x[j] += ((double)row[l] - (double)mean[l]) * (double)weight[l * D + j];
    }
}

static size_t seen_classes(const util_scene *s, size_t *out) {
    size_t n = 0;
    for (size_t c = 0; c < s->classes.count; c++)
        if (s->classes.seen[c]) out[n++] = c;
    return n;
}

static double define_loss(const un_method *method, const util_scene *s, size_t k,
                          const double *value, const int64_t *images, size_t n, statistics *st) {
    size_t classes[C], rows = seen_classes(s, classes);
    double p[C][D], loss = 0, x[D];
    prototypes(method, s, k, value, classes, rows, 1, st, p);
    for (size_t i = 0; i < n; i++) {
        double sum = 0, of_label = 0;
        feature(method, s, (size_t)images[i], x);
        for (size_t r = 0; r < rows; r++) {
            double score = ((const cnzsl *)method)->settings.scale * cosine(x, p[r]);
            sum += exp(score);
            if ((int32_t)classes[r] == s->labels[images[i]]) of_label = score;
        }
        loss += (log(sum) - of_label) / (double)n;
    }
    return loss;
}

/* ---- steps ---- */

/* An image and a class without any value, too; and whitened features, which take either sign. */
static void make_scene(util_scene *s, size_t k, uint64_t seed) {
    util_scene_make(s, C, N, D, g_forms[k].semantics, g_width, seed);
    memset(s->rows + 3 * (size_t)D, 0, D * sizeof *s->rows);
}

/* Loss, running statistics and all gradients of a step by the definition. */
static void check_step(size_t k, uint64_t seed) {
    const double h = 1e-6;
    util_scene s;
    statistics st, other;
    double losses[UN_MAX_LOSSES];
    const int64_t *images = NULL;
    size_t n = 0;
    make_scene(&s, k, seed);
    un_method *method = make(&s, k);
    const un_params *p = &method->params;
    util_ok(learner()->plan(method, 1, 2, &images, &n));
    assert_true(n > 0 && n < 16); /* the short one */
    double *value = double_values(method);
    double expected = define_loss(method, &s, k, value, images, n, &st);
    util_ok(learner()->step(method, 1, 2, losses));
    util_near(losses[0], expected, 1e-5 * expected);
    static const char *const names[] = {"running_mean.1", "running_mean.2", "running_var.1",
                                        "running_var.2"};
    for (size_t i = 0; i < 4 * H; i++) {
        double step = i / H < 2 ? st.mean[i / H % 2][i % H] : st.variance[i / H % 2][i % H];
        const float *running = un_param_value(p, piece(method, names[i / H]));
        util_near((double)running[i % H], (i / H < 2 ? 0 : 0.9) + 0.1 * step,
                  1e-5 * fmax(1, fabs(step)));
    }
    for (size_t q = 0; p->item[q].offset < p->trained; q++) {
        const un_param *item = &p->item[q];
        int no_effect = !strcmp(item->name, "fc2.bias");
        double largest = 0, *slope = NULL;
        util_ok(un_alloc(item->count, sizeof *slope, &slope));
        for (size_t i = 0; i < item->count; i++) {
            double before = value[item->offset + i];
            value[item->offset + i] = before + h;
            slope[i] = define_loss(method, &s, k, value, images, n, &other);
            value[item->offset + i] = before - h;
            slope[i] -= define_loss(method, &s, k, value, images, n, &other);
            value[item->offset + i] = before;
            slope[i] /= 2 * h;
            largest = fmax(largest, fabs(slope[i]));
        }
        if (no_effect) util_near(largest, 0, 1e-6);
        if (!no_effect) assert_true(largest > 1e-4);
        for (size_t i = 0; i < item->count; i++) {
            double gap = fabs((double)un_param_grad(p, q)[i] - slope[i]);
            if (!(gap <= (no_effect ? 1e-6 : 2e-4 * largest)))
                fail_msg("%s: gradient %zu of %s is %g, expected %g", g_forms[k].name, i,
                         item->name, (double)un_param_grad(p, q)[i], slope[i]);
            if (no_effect) assert_true(un_param_grad(p, q)[i] == 0);
        }
        free(slope);
    }
    free(value);
    util_check_done(method, 0, 1);
    un_method_cnzsl.destroy(method);
    util_scene_free(&s);
}

static void steps_follow_the_definition(void **state) {
    (void)state;
    for (size_t k = 0; k < FORMS; k++)
        for (uint64_t seed = 20; seed < 23; seed++) check_step(k, seed);
}

/* Some steps of training with the optimiser; the last loss. */
static double train(un_method *method, size_t epochs) {
    un_optimizer optimizer;
    un_optimizer_settings settings;
    double losses[UN_MAX_LOSSES] = {0};
    learner()->optimizer(method, &settings);
    util_ok(un_optimizer_create(&optimizer, &settings, &method->params));
    for (size_t epoch = 0; epoch < epochs; epoch++)
        for (size_t step = 0; step < learner()->steps_before(method, 1); step++) {
            util_ok(learner()->step(method, epoch, step, losses));
            optimizer.settings.lr = learner()->learning_rate(method, epoch);
            un_optimizer_step(&optimizer, &method->params);
        }
    un_optimizer_free(&optimizer);
    return losses[0];
}

static void training_learns_and_repeats(void **state) {
    (void)state;
    static const char *const sets[] = {"hidden=9", "batch=16", "lr=0.01", NULL};
    util_scene s;
    un_method *method[2];
    make_scene(&s, 0, 40);
    for (int run = 0; run < 2; run++) {
        method[run] = make_prepared(&un_method_cnzsl, &s, sets, UN_PRECISION_F32);
        double first = train(method[run], 1);
        assert_true(train(method[run], 40) < 0.7 * first);
    }
    assert_memory_equal(method[0]->params.value, method[1]->params.value,
                        method[0]->params.total * sizeof(float));
    un_method_cnzsl.destroy(method[0]);
    un_method_cnzsl.destroy(method[1]);
    util_scene_free(&s);
}

/* The rate falls behind half of the epochs, whatever their number, and one epoch has the full one. */
static void the_learning_rate_falls(void **state) {
    (void)state;
    static const struct {
        const char *epochs;
        size_t full; /* epochs of the full rate */
    } cases[] = {{"epochs=50", 25}, {"epochs=5", 3}, {"epochs=1", 1}, {"epochs=2", 1}};
    util_scene s;
    make_scene(&s, 0, 41);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const char *const sets[] = {"hidden=9", cases[k].epochs, NULL};
        un_method *method = make_prepared(&un_method_cnzsl, &s, sets, UN_PRECISION_F32);
        for (size_t epoch = 0; epoch < 50; epoch++)
            util_near(learner()->learning_rate(method, epoch), epoch < cases[k].full ? 5e-4 : 5e-5,
                      1e-12);
        un_method_cnzsl.destroy(method);
    }
    util_scene_free(&s);
}

/* ---- scores ---- */

/* All classes, and two of them alone, by running statistics that are no longer those of the start;
 * more images than are handed over at once. */
static void scores_are_scaled_cosines(void **state) {
    (void)state;
    for (size_t k = 0; k < FORMS; k++) {
        util_scene s;
        statistics st;
        static float scores[N * C], pair[N * 2];
        double p[C][D], x[D];
        size_t classes[C];
        make_scene(&s, k, 50 + k);
        un_method *method = make(&s, k);
        train(method, 3);
        double *value = double_values(method);
        static const char *const means[] = {"running_mean.1", "running_mean.2"};
        static const char *const variances[] = {"running_var.1", "running_var.2"};
        for (size_t i = 0; i < 2 * H; i++) {
            st.mean[i / H][i % H] =
                value[method->params.item[piece(method, means[i / H])].offset + i % H];
            st.variance[i / H][i % H] =
                value[method->params.item[piece(method, variances[i / H])].offset + i % H];
        }
        for (size_t c = 0; c < C; c++) classes[c] = c;
        prototypes(method, &s, k, value, classes, C, 0, &st, p);
        util_fails(un_method_cnzsl.score(method, s.rows, N, scores), UNSEEN_E_ARGUMENT,
                   "no classes were set");
        util_ok(un_method_cnzsl.set_classes(method, &s.classes));
        util_ok(un_method_cnzsl.score(method, s.rows, N, scores));
        double scale = ((const cnzsl *)method)->settings.scale;
        for (size_t i = 0; i < N; i++) {
            feature(method, &s, i, x);
            for (size_t c = 0; c < C; c++)
                util_near((double)scores[i * C + c], scale * cosine(x, p[c]), 5e-5 * scale);
        }
        un_class_table few = s.classes;
        few.count = 2;
        util_ok(un_method_cnzsl.set_classes(method, &few));
        util_ok(un_method_cnzsl.score(method, s.rows, N, pair));
        for (size_t i = 0; i < 2 * N; i++)
            util_near((double)pair[i], (double)scores[i / 2 * C + i % 2], 1e-5 * scale);
        free(value);
        un_method_cnzsl.destroy(method);
        util_scene_free(&s);
    }
}

static void seen_scores_take_their_factor(void **state) {
    (void)state;
    static const char *const sets[][3] = {{"hidden=9", "seen_factor=1", NULL},
                                          {"hidden=9", "seen_factor=0.95", NULL}};
    util_scene s;
    static float scores[2][N * C];
    make_scene(&s, 0, 60);
    for (size_t k = 0; k < 2; k++) {
        un_method *method = make_prepared(&un_method_cnzsl, &s, sets[k], UN_PRECISION_F32);
        util_ok(un_method_cnzsl.set_classes(method, &s.classes));
        util_ok(un_method_cnzsl.score(method, s.rows, N, scores[k]));
        un_method_cnzsl.destroy(method);
    }
    for (size_t i = 0; i < N * C; i++)
        util_near((double)scores[1][i], (s.classes.seen[i % C] ? 0.95 : 1) * (double)scores[0][i],
                  1e-5);
    util_scene_free(&s);
}

/* Regions count by their mean, in steps and scores. */
static void regions_are_averaged(void **state) {
    (void)state;
    enum { R = 4 };
    util_scene s, pooled;
    un_rng rng = un_rng_stream(4, "regions", 0);
    float scores[2][N * C];
    util_scene_make(&s, C, N, R * D, 1, g_width, 70);
    util_scene_make(&pooled, C, N, D, 1, g_width, 70);
    un_rng_fill_uniform(&rng, s.rows, (size_t)N * R * D, 0, 1.5);
    for (size_t i = 0; i < (size_t)N * D; i++) {
        double sum = 0;
        for (size_t r = 0; r < R; r++) sum += (double)s.rows[(i / D * R + r) * D + i % D];
        pooled.rows[i] = (float)(sum / R);
    }
    pooled.data.labels = s.data.labels;
    s.features.regions = R;
    s.features.width = D;
    for (size_t k = 0; k < 4; k += 3) { /* as they are, and whitened */
        const util_scene *scenes[] = {&s, &pooled};
        double losses[2][UN_MAX_LOSSES];
        for (size_t i = 0; i < 2; i++) {
            un_method *method = make(scenes[i], k);
            util_ok(learner()->step(method, 0, 0, losses[i]));
            util_ok(un_method_cnzsl.set_classes(method, &s.classes));
            util_ok(un_method_cnzsl.score(method, scenes[i]->rows, N, scores[i]));
            un_method_cnzsl.destroy(method);
        }
        util_near(losses[0][0], losses[1][0], 1e-4 * losses[1][0]);
        for (size_t i = 0; i < N * C; i++)
            util_near((double)scores[0][i], (double)scores[1][i], 2e-3);
    }
    util_scene_free(&s);
    util_scene_free(&pooled);
}

/* ---- settings and models ---- */

static void settings_that_do_not_fit_are_refused(void **state) {
    (void)state;
    static const struct {
        size_t semantics, seen;
        const char *sets[3], *sentence;
    } bad[] = {
        {1, 1, {"hidden=9"}, "takes two of them at least; there is one"},
        {1, 0, {"hidden=9"}, "takes two of them at least; there are none"},
        {2, 8, {"semantics=att,word", "modality_scale=1,2,3"}, "one for each of the 2 semantics"},
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        util_scene s;
        un_method *method = NULL;
        size_t seen = 0;
        util_scene_make(&s, C, N, D, bad[k].semantics, g_width, 80);
        for (size_t c = 0; c < C; c++)
            s.classes.seen[c] = s.classes.seen[c] && seen++ < bad[k].seen;
        json_t *config = util_config(&un_method_cnzsl, bad[k].sets);
        const un_method_setup setup = {
            .classes = &s.classes, .regions = 1, .width = D, .config = config, .data = &s.data};
        util_fails(un_method_cnzsl.create(&setup, &method), UNSEEN_E_ARGUMENT, bad[k].sentence);
        json_decref(config);
        util_scene_free(&s);
    }
    json_t *config = util_config(&un_method_cnzsl, NULL);
    util_fails(un_config_set(&un_method_cnzsl, config, "standardise=std"), UNSEEN_E_ARGUMENT,
               "must be one of variance|deviation");
    util_fails(un_config_set(&un_method_cnzsl, config, "seen_factor=1.1"), UNSEEN_E_ARGUMENT,
               "between 0 and 1");
    json_decref(config);
}

static void wrong_classes_fail_with_a_sentence(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, 0, 81);
    un_method *method = make(&s, 0);
    un_class_table wrong = s.classes;
    wrong.semantics[0].width--;
    util_fails(un_method_cnzsl.set_classes(method, &wrong), UNSEEN_E_ARGUMENT,
               "has 6 values a class, the model was trained on 7");
    wrong = s.classes;
    wrong.count = 0;
    util_fails(un_method_cnzsl.set_classes(method, &wrong), UNSEEN_E_ARGUMENT, "no classes");
    un_method_cnzsl.destroy(method);
    util_scene_free(&s);
}

/* The file alone scores as the method that was saved did, bit for bit. */
static void models_keep_everything(void **state) {
    (void)state;
    for (size_t k = 0; k < FORMS; k++) {
        char path[] = "/tmp/unseen-cnzsl-XXXXXX";
        util_scene s;
        un_model model;
        float before[N * C], after[N * C];
        int file = mkstemp(path);
        assert_true(file >= 0);
        close(file);
        make_scene(&s, k, 90 + k);
        un_method *method = make(&s, k);
        train(method, 2);
        util_ok(un_method_cnzsl.set_classes(method, &s.classes));
        util_ok(un_method_cnzsl.score(method, s.rows, N, before));
        json_t *config = util_config(&un_method_cnzsl, g_forms[k].sets);
        json_t *manifest = json_pack("{s:s, s:o, s:s, s:{s:i, s:i}}", "method", "cnzsl", "config",
                                     config, "precision", "f32", "input", "regions", 1, "width", D);
        assert_non_null(manifest);
        util_ok(un_model_save(path, method, &s.classes, manifest));
        util_ok(un_model_open(&model, path, UN_PRECISION_AUTO));
        util_ok(un_method_cnzsl.score(model.method, s.rows, N, after));
        assert_memory_equal(before, after, sizeof before);
        un_model_close(&model);
        json_decref(manifest);
        un_method_cnzsl.destroy(method);
        util_scene_free(&s);
        unlink(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_follow_the_definition),
        cmocka_unit_test(training_learns_and_repeats),
        cmocka_unit_test(the_learning_rate_falls),
        cmocka_unit_test(scores_are_scaled_cosines),
        cmocka_unit_test(seen_scores_take_their_factor),
        cmocka_unit_test(regions_are_averaged),
        cmocka_unit_test(settings_that_do_not_fit_are_refused),
        cmocka_unit_test(wrong_classes_fail_with_a_sentence),
        cmocka_unit_test(models_keep_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
