/* test_attribute_sums.c - what unseen.h says of unseen_attributes: with the classes' rows they make
 * the scores. Asked of models of every method that has them (tests/data/v0.1). */
#include <math.h>

#include "engine/classifier.h"
#include "unit/old_sample.h"
#include "unseen.h"

enum { MOST = 400 };

/* sums[c] = sum over i of row[c, i] found[i] of each image, beside the native scores. */
static void compare(const char *name, void (*check)(const double *sums, const float *scores,
                                                    const unsigned char *seen)) {
    char path[512];
    unseen_model *model = NULL;
    un_classifier c;
    float found[MOST], scores[CLASSES];
    snprintf(path, sizeof path, "%s/v0.1/%s.model", UNSEEN_TEST_DATA, name);
    util_ok(unseen_model_open(path, &model));
    util_ok(un_classifier_open(&c, path, UN_PRECISION_F32)); /* for the rows */
    size_t A = unseen_model_attribute_count(model);
    assert_in_range(A, 1, MOST);
    assert_int_equal(unseen_model_class_count(model), CLASSES);
    const float *rows = c.model.method->class->attribute_scores->class_rows(c.model.method);
    for (int n = 0; n < IMAGES; n++) {
        double sums[CLASSES] = {0};
        util_ok(unseen_attributes(model, g_features + n * LENGTH, found));
        util_ok(unseen_model_score(model, g_features + n * LENGTH, 1, UNSEEN_NATIVE, scores));
        for (size_t k = 0; k < CLASSES; k++)
            for (size_t i = 0; i < A; i++) sums[k] += (double)rows[k * A + i] * (double)found[i];
        check(sums, scores, c.classes.seen);
    }
    un_classifier_close(&c);
    unseen_model_close(model);
}

/* Scores are f32 sums of some hundred products of numbers around 1. */
static double rounding(double x) { return 2e-5 * fmax(1, fabs(x)); }

static void plain(const double *sums, const float *scores, const unsigned char *seen) {
    (void)seen;
    for (size_t k = 0; k < CLASSES; k++) util_near((double)scores[k], sums[k], rounding(sums[k]));
}

static void with_bias(const double *sums, const float *scores, const unsigned char *seen) {
    for (size_t k = 0; k < CLASSES; k++)
        util_near((double)scores[k], sums[k] + (seen[k] ? -1 : 1), rounding(sums[k]));
}

static void probabilities(const double *sums, const float *scores, const unsigned char *seen) {
    (void)seen;
    double most = -INFINITY, total = 0, most_difference = 0;
    for (size_t k = 0; k < CLASSES; k++) most = fmax(most, sums[k]);
    for (size_t k = 0; k < CLASSES; k++) total += exp(sums[k] - most);
    for (size_t k = 0; k < CLASSES; k++) {
        util_near((double)scores[k], exp(sums[k] - most) / total, rounding(1));
        most_difference = fmax(most_difference, fabs((double)scores[k] - sums[k]));
    }
    assert_true(most_difference > 0.1); /* the sums themselves are no scores */
}

static void eszsl_adds_up(void **state) {
    (void)state;
    compare("eszsl", plain);
}

static void msdn_adds_up_with_its_bias(void **state) {
    (void)state;
    compare("msdn", with_bias);
}

static void duet_adds_up_to_logarithms(void **state) {
    (void)state;
    compare("duet", probabilities);
}

static void dem_has_none(void **state) {
    (void)state;
    unseen_model *model = NULL;
    float found[MOST];
    util_ok(unseen_model_open(UNSEEN_TEST_DATA "/v0.1/dem.model", &model));
    util_fails(unseen_attributes(model, g_features, found), UNSEEN_E_UNSUPPORTED, "dem");
    unseen_model_close(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eszsl_adds_up), cmocka_unit_test(msdn_adds_up_with_its_bias),
        cmocka_unit_test(duet_adds_up_to_logarithms), cmocka_unit_test(dem_has_none)};
    return cmocka_run_group_tests(tests, open_features, NULL);
}
