/*
 * test_selection.c - what selection runs choose: gamma from the exact curves of all folds, and
 * what happens where a fold cannot measure something.
 */
#include <math.h>

#include "method/methods.h"
#include "train/run.h"
#include "util.h"

enum { FOLDS = 2, IMAGES = 3000, CLASSES = 6 };

static char g_output[256];

/* A trainer that is about to evaluate; its model would lie in a folder of its own. */
static void open_trainer(trainer *t, un_train_options *o, size_t runs) {
    const un_method_class *class = NULL;
    util_ok(un_method_find("dem", &class));
    *o = (un_train_options){.class = class, .output = g_output};
    o->config = util_config(class, NULL);
    *t = (trainer){.options = o, .selection_runs = runs};
}

static void close_trainer(trainer *t, un_train_options *o) {
    for (size_t r = 0; r < t->selection_runs; r++) un_history_free(&t->history[r]);
    un_curve_store_close(&t->curves);
    json_decref((json_t *)(uintptr_t)o->config);
}

/* Random scores of IMAGES images, in which seen classes lead by about `lead`. */
typedef struct {
    unsigned char seen[CLASSES];
    un_class_table classes;
    un_predictions p;
} fold;

static void make_fold(fold *f, uint64_t number, double lead) {
    un_rng rng = un_rng_stream(5, "selection", number);
    float *scores = NULL;
    int32_t labels[IMAGES];
    util_ok(un_alloc((size_t)IMAGES * CLASSES, sizeof *scores, &scores));
    *f = (fold){.seen = {1, 1, 1, 0, 0, 0}};
    f->classes = (un_class_table){.count = CLASSES, .seen = f->seen};
    for (size_t i = 0; i < IMAGES; i++) {
        labels[i] = (int32_t)((i < IMAGES / 2 ? 0 : 3) + un_rng_below(&rng, 3));
        for (size_t c = 0; c < CLASSES; c++)
            scores[i * CLASSES + c] = (float)(un_rng_normal(&rng) + (f->seen[c] ? lead : 0) +
                                              ((int32_t)c == labels[i] ? 1 : 0));
    }
    util_ok(un_predictions_from_scores(&f->p, &f->classes, scores, labels, IMAGES, IMAGES / 2, 0));
    free(scores);
}

static double mean_h(const fold *folds, double gamma) {
    double sum = 0;
    for (size_t f = 0; f < FOLDS; f++) {
        un_accuracy a;
        util_ok(un_accuracy_at(&folds[f].p, gamma, &a));
        sum += a.H / FOLDS;
    }
    return sum;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The best mean H over the folds, tried in every interval between two thresholds. */
static double best_by_trial(const fold *folds) {
    static double threshold[FOLDS * IMAGES];
    size_t n = 0;
    double best = 0;
    for (size_t f = 0; f < FOLDS; f++)
        for (size_t i = 0; i < IMAGES; i++)
            threshold[n++] =
                (double)folds[f].p.items[i].seen_score - (double)folds[f].p.items[i].unseen_score;
    qsort(threshold, n, sizeof *threshold, by_value);
    for (size_t i = 1; i < n; i++)
        if (threshold[i] > threshold[i - 1])
            best = fmax(best, mean_h(folds, threshold[i - 1] / 2 + threshold[i] / 2));
    return best;
}

/* Thousands of thresholds a fold: no point of the curves may be left out. */
static void gamma_of_folds_is_exact(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 3; k++) {
        trainer t;
        un_train_options o;
        fold folds[FOLDS];
        open_trainer(&t, &o, FOLDS);
        for (size_t f = 0; f < FOLDS; f++) {
            evaluation *e = NULL;
            make_fold(&folds[f], k * FOLDS + f, 0.5 + (double)k);
            t.run = f;
            util_ok(un_history_add(&t, 1, &folds[f].p, &e));
            assert_true(e->points > 2000);
        }
        util_ok(un_history_select(&t));
        double best = best_by_trial(folds);
        util_near(t.selected.H, best, 1e-12);
        util_near(mean_h(folds, t.selected.gamma), best, 1e-12);
        assert_true(t.selected.gamma_decided);
        for (size_t f = 0; f < FOLDS; f++) un_predictions_free(&folds[f].p);
        close_trainer(&t, &o);
    }
}

/* A method of fixed length takes the last evaluation that all folds came to, whatever was better
 * before, and gamma from it; another takes the best. */
static void fixed_lengths_take_the_last(void **state) {
    (void)state;
    for (int fixed = 0; fixed < 2; fixed++) {
        trainer t;
        un_train_options o;
        fold good, bad;
        evaluation *e = NULL;
        open_trainer(&t, &o, FOLDS);
        un_method_learner learner = *o.class->learner;
        un_method_class class = *o.class;
        learner.fixed_length = fixed;
        class.learner = &learner;
        o.class = &class;
        make_fold(&good, 1, 0.5);
        make_fold(&bad, 1, 0.5);
        for (size_t i = 0; i < bad.p.count; i += 3) /* a third of the images is wrong */
            bad.p.items[i].unseen = bad.p.items[i].seen = -1;
        const fold last[FOLDS] = {bad, bad};
        for (t.run = 0; t.run < FOLDS; t.run++) {
            util_ok(un_history_add(&t, 10, &good.p, &e));
            util_ok(un_history_add(&t, 20, &bad.p, &e));
        }
        util_ok(un_history_select(&t));
        assert_int_equal(t.selected.epochs, fixed ? 20 : 10);
        if (fixed) util_near(t.selected.H, best_by_trial(last), 1e-12);
        un_predictions_free(&good.p);
        un_predictions_free(&bad.p);
        close_trainer(&t, &o);
    }
}

/* A fold without images of seen classes has no AUSUC: T1 decides, and gamma stays 0. */
static void fold_without_seen_images(void **state) {
    (void)state;
    trainer t;
    un_train_options o;
    fold f;
    evaluation *e = NULL;
    open_trainer(&t, &o, 1);
    make_fold(&f, 0, 1);
    size_t skip = f.p.seen_count;
    memmove(f.p.items, f.p.items + skip, (f.p.count - skip) * sizeof *f.p.items);
    f.p.count -= skip;
    f.p.seen_count = 0;
    util_ok(un_history_add(&t, 3, &f.p, &e));
    assert_true(isnan(e->S) && isnan(e->H) && isnan(e->AUSUC) && !isnan(e->T1));
    for (size_t i = 0; i < f.p.count; i++) f.p.items[i].unseen = f.p.items[i].label;
    util_ok(un_history_add(&t, 5, &f.p, &e)); /* all right among unseen classes */
    util_ok(un_history_select(&t));
    assert_int_equal(t.selected.by, METRIC_T1);
    assert_int_equal(t.selected.epochs, 5);
    util_near(t.selected.T1, 1, 1e-12);
    assert_true(t.selected.gamma == 0 && !t.selected.gamma_decided && isnan(t.selected.H));
    un_predictions_free(&f.p);
    close_trainer(&t, &o);
}

/* Nothing can be measured: a sentence. */
static void fold_without_images(void **state) {
    (void)state;
    trainer t;
    un_train_options o;
    fold f;
    evaluation *e = NULL;
    open_trainer(&t, &o, 1);
    make_fold(&f, 0, 1);
    f.p.count = f.p.seen_count = 0;
    util_ok(un_history_add(&t, 1, &f.p, &e));
    assert_int_equal(un_history_select(&t), UNSEEN_E_ARGUMENT);
    assert_non_null(strstr(un_error(), "option select none"));
    un_predictions_free(&f.p);
    close_trainer(&t, &o);
}

int main(void) {
    const char *base = getenv("TMPDIR");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gamma_of_folds_is_exact),
        cmocka_unit_test(fixed_lengths_take_the_last),
        cmocka_unit_test(fold_without_seen_images),
        cmocka_unit_test(fold_without_images),
    };
    snprintf(g_output, sizeof g_output, "%s/unseen-selection.model", base && *base ? base : "/tmp");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
