/*
 * test_example_method.c - the worked example of a method runs: on classes that lie where their
 * descriptions say it is right, it learns through the trainer as the methods of the library do,
 * and a second one, given what a model file would keep, scores alike.
 */
#include <unistd.h>

#include "base/file.h"
#include "example/nearest_mean.h"
#include "train/train.h"
#include "util.h"

enum { C = 9, A = 3, F = 6, N = 90 };

/* Pictures of class c are W a_c and a little noise: what alike descriptions promise is true. */
static void make_scene(util_scene *s) {
    const size_t width = A;
    un_rng rng = un_rng_stream(7, "example", 0);
    float w[F * A];
    util_scene_make(s, C, N, F, 1, &width, 3);
    un_rng_fill_uniform(&rng, w, F * A, -1, 1);
    for (size_t i = 0; i < N; i++) {
        const float *a = s->classes.semantics[0].values + (size_t)s->labels[i] * A;
        for (size_t j = 0; j < F; j++) {
            float x = 0.01f * (float)((i * 7 + j) % 5);
            for (size_t k = 0; k < A; k++) x += w[j * A + k] * a[k];
            s->rows[i * F + j] = x;
        }
    }
}

/* Regions are offered to it where pooled features are meant: their means must give the same. */
static void takes_means_of_regions(void **state) {
    (void)state;
    enum { R = 4 };
    util_scene s;
    double losses[UN_MAX_LOSSES] = {0};
    float scores[2][C], *split = NULL;
    make_scene(&s);
    util_ok(un_alloc((size_t)N * R * F, sizeof *split, &split));
    for (size_t i = 0; i < (size_t)N * R * F; i++) { /* exact in f32: their mean is the row */
        float off = 0.25f * ((float)(i / F % R) - 1.5f);
        split[i] = s.rows[i / (R * F) * F + i % F] + off;
    }
    json_t *config = util_config(&un_method_nearest_mean, NULL);
    for (size_t k = 0; k < 2; k++) {
        un_method *method = NULL;
        if (k > 0) {
            s.features.regions = R;
            s.features.data = (const unsigned char *)split;
            s.features.row_bytes *= R;
        }
        const un_method_setup setup = {.classes = &s.classes,
                                       .regions = s.features.regions,
                                       .width = F,
                                       .config = config,
                                       .data = &s.data};
        util_ok(un_method_nearest_mean.create(&setup, &method));
        assert_int_equal(method->params.item[0].shape[1], F);
        util_ok(un_method_nearest_mean.closed_form->fit(method, 0, losses));
        util_ok(un_method_nearest_mean.set_classes(method, &s.classes));
        util_ok(un_method_nearest_mean.score(method, k > 0 ? split : s.rows, 1, scores[k]));
        un_method_nearest_mean.destroy(method);
    }
    for (size_t c = 0; c < C; c++) util_near((double)scores[1][c], (double)scores[0][c], 1e-5);
    json_decref(config);
    free(split);
    util_scene_free(&s);
}

static un_method *make(const util_scene *s, const un_training_data *data, const json_t *spec) {
    json_t *config = util_config(&un_method_nearest_mean, NULL);
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = 1,
                                   .width = F,
                                   .config = config,
                                   .data = data,
                                   .spec = spec};
    un_method *method = NULL;
    util_ok(un_method_nearest_mean.create(&setup, &method));
    json_decref(config);
    return method;
}

static void learns_and_is_created_again(void **state) {
    (void)state;
    util_scene s;
    double losses[UN_MAX_LOSSES] = {0};
    float scores[2][C];
    json_t *spec = NULL;
    make_scene(&s);
    un_method *method = make(&s, &s.data, NULL);
    const un_method_class *class = method->class;
    util_ok(un_method_prepare(method));
    util_ok(class->closed_form->fit(method, 0, losses));
    assert_true(losses[0] > 0 && losses[0] < 1e-2); /* the noise alone */
    util_ok(class->save_spec(method, &spec));
    un_method *again = make(&s, NULL, spec);
    assert_int_equal(again->params.total, method->params.total);
    memcpy(again->params.value, method->params.value, method->params.total * sizeof(float));
    util_ok(class->set_classes(method, &s.classes));
    util_ok(class->set_classes(again, &s.classes));
    size_t right = 0;
    for (size_t i = 0; i < N; i++) {
        size_t best = 0;
        util_ok(class->score(method, s.rows + i * F, 1, scores[0]));
        util_ok(class->score(again, s.rows + i * F, 1, scores[1]));
        assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
        for (size_t c = 1; c < C; c++)
            if (scores[0][c] > scores[0][best]) best = c;
        right += best == (size_t)s.labels[i];
    }
    assert_true(right > N * 9 / 10);
    json_decref(spec);
    class->destroy(method);
    class->destroy(again);
    util_scene_free(&s);
}

static void is_trained_like_any_other(void **state) {
    (void)state;
    const char *directory = UNSEEN_TEST_DATA "/v0.1/maps";
    char output[] = "/tmp/unseen-example-XXXXXX";
    un_dataset dataset;
    un_features features;
    json_t *config = util_config(&un_method_nearest_mean, NULL), *result = NULL;
    util_ok(un_dataset_open(&dataset, directory));
    util_ok(un_features_open(&features, directory, NULL));
    close(mkstemp(output));
    const un_train_options options = {.class = &un_method_nearest_mean,
                                      .config = config,
                                      .dataset = &dataset,
                                      .features = &features,
                                      .output = output};
    util_ok(un_train(&options, NULL, &result));
    assert_non_null(json_object_get(result, "T1"));
    assert_true(un_path_exists(output));
    unlink(output);
    json_decref(result);
    json_decref(config);
    un_features_close(&features);
    un_dataset_close(&dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(learns_and_is_created_again),
                                       cmocka_unit_test(takes_means_of_regions),
                                       cmocka_unit_test(is_trained_like_any_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
