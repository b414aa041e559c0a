/*
 * test_msdn_sampling.c - which images make a step of MSDN's training, and how many steps an
 * epoch has.
 */
#include "msdn_sample.h"

enum { IMAGES = 240, EPOCHS = 150, STEPS = 4 };

static const struct {
    const char *sets[4];
    size_t count; /* images of a step */
} g_samplings[] = {{{"sampling=random", "batch=8"}, 8},
                   {{"sampling=balanced", "batch=2"}, 7},
                   {{"sampling=classes", "batch=5"}, 5},
                   {{"sampling=classes", "batch=50"}, 7}};

/* Distinct images, of distinct classes unless drawn at random. */
static void check_batch(const util_scene *s, size_t k, const int64_t *images, size_t *drawn) {
    for (size_t i = 0; i < g_samplings[k].count; i++) {
        drawn[images[i]]++;
        for (size_t j = 0; j < i; j++) {
            assert_true(images[i] != images[j]);
            if (k > 0) assert_int_not_equal(s->labels[images[i]], s->labels[images[j]]);
        }
    }
}

/* One method trains forwards and plans each next step before the one under way, as the trainer
 * does, and is evaluated in between; another goes backwards and does nothing else. */
static void check_sampling(const util_scene *s, size_t k) {
    double ahead[2 * STEPS][UN_MAX_LOSSES], plain[UN_MAX_LOSSES];
    const int64_t *images = NULL;
    float scores[C];
    size_t n = 0, drawn[IMAGES] = {0}, bytes = MSDN_LOSSES * sizeof **ahead;
    un_method *a = make_method(s, g_samplings[k].sets, UN_PRECISION_F32);
    un_method *b = make_method(s, g_samplings[k].sets, UN_PRECISION_F32);
    for (size_t e = 0; e <= EPOCHS; e++)
        assert_int_equal(un_method_msdn.learner->steps_before(a, e), 206 * e / 50);
    for (size_t i = 0; i < 2 * STEPS; i++) {
        util_ok(un_method_msdn.learner->plan(a, (i + 1) / STEPS, (i + 1) % STEPS, &images, &n));
        util_ok(un_method_msdn.learner->step(a, i / STEPS, i % STEPS, ahead[i]));
        util_ok(un_method_msdn.set_classes(a, &s->classes));
        util_ok(un_method_msdn.score(a, s->rows, 1, scores));
    }
    for (size_t i = (size_t)EPOCHS * STEPS; i-- > 0;) {
        util_ok(un_method_msdn.learner->plan(b, i / STEPS, i % STEPS, &images, &n));
        assert_int_equal(n, g_samplings[k].count);
        check_batch(s, k, images, drawn);
        if (i >= 2 * STEPS) continue;
        util_ok(un_method_msdn.learner->step(b, i / STEPS, i % STEPS, plain));
        assert_memory_equal(plain, ahead[i], bytes);
        for (size_t j = 0; j < i; j++) assert_memory_not_equal(plain, ahead[j], bytes);
    }
    for (size_t i = 0; i < IMAGES; i++) assert_int_equal(drawn[i] > 0, i % 7 != 6);
    ((msdn *)b)->draws.seed++;
    util_ok(un_method_msdn.learner->step(b, 1, 0, plain));
    assert_memory_not_equal(plain, ahead[STEPS], bytes);
    un_method_msdn.destroy(a);
    un_method_msdn.destroy(b);
}

/* Class 4 counts as seen but has no image: seven classes can be drawn. */
static void batches_depend_on_seed_epoch_and_step_only(void **state) {
    (void)state;
    util_scene s;
    make_scene(&s, &g_shapes[0], IMAGES);
    for (size_t i = 0; i < IMAGES; i++) s.labels[i] -= s.labels[i] == 4;
    assert_int_equal(s.train.count, 206);
    for (size_t k = 0; k < sizeof g_samplings / sizeof *g_samplings; k++) check_sampling(&s, k);
    util_scene_free(&s);
}

/* The published numbers of iterations, ntrain epochs / 50; no epoch is empty, nothing overflows. */
static void training_is_as_long_as_published(void **state) {
    (void)state;
    static const size_t cases[][3] = {{7057, 30, 4234},
                                      {23527, 50, 23527},
                                      {10320, 70, 14448},
                                      {3, 40, 40},
                                      {1000000007, 1000000000, 20000000140000000}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const un_index_list train = {.count = cases[k][0]};
        const msdn n = {.draws = {.train = &train, .settings.epoch_images = 50}};
        assert_int_equal(un_method_msdn.learner->steps_before(&n.base, cases[k][1]), cases[k][2]);
        for (size_t e = 0; e < 200; e++)
            assert_true(un_method_msdn.learner->steps_before(&n.base, e) <
                        un_method_msdn.learner->steps_before(&n.base, e + 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_depend_on_seed_epoch_and_step_only),
        cmocka_unit_test(training_is_as_long_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
