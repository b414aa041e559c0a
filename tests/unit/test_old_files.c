/*
 * test_old_files.c - files that version 0.1 wrote open for ever: tests/data/v0.1 holds a data set
 * with its features, a model of each method trained on it, and the calibrated scores which that
 * version gave to the first 20 images ([20, 10] f32, little-endian, MODEL.scores). tests/data/v0.2
 * has models of the methods that came later, trained on the same data set.
 *
 * The models were trained by `unseen train METHOD --data maps --threads 1 --precision f32` with
 * small networks. A later build multiplies in another order or with another instruction set, so
 * scores agree within rounding, not to the bit.
 */
#include <math.h>

#include "base/file.h"
#include "data/dataset.h"
#include "unit/old_sample.h"
#include "unseen.h"

static void opens_data_set(void **state) {
    (void)state;
    un_dataset d;
    util_ok(un_dataset_open(&d, g_directory));
    assert_int_equal(d.image_count, 100);
    assert_int_equal(d.class_count, CLASSES);
    assert_int_equal(d.semantics[0].vector_width, 300);
    assert_string_equal(d.classes[9], "kind_009");
    assert_int_equal(d.fold_count, 1);
    un_dataset_close(&d);
}

/* Opens VERSION/MODEL and compares what it gives with what it gave. */
static void check_model(const char *name) {
    char path[512];
    float *want = NULL, got[IMAGES * CLASSES];
    size_t length = 0;
    unseen_model *model = NULL;
    snprintf(path, sizeof path, "%s/%s.model", UNSEEN_TEST_DATA, name);
    util_ok(unseen_model_open(path, &model));
    assert_int_equal(unseen_model_feature_length(model), LENGTH);
    assert_int_equal(unseen_model_class_count(model), CLASSES);
    util_ok(unseen_model_score(model, g_features, IMAGES, UNSEEN_CALIBRATED, got));
    snprintf(path, sizeof path, "%s/%s.scores", UNSEEN_TEST_DATA, name);
    util_ok(un_file_read(path, 1 << 16, (char **)&want, &length));
    assert_int_equal(length, sizeof got);
    /* Scores are sums of some hundred products of numbers around 1, DUET's after a softmax. */
    for (int i = 0; i < IMAGES * CLASSES; i++)
        util_near(got[i], want[i], 2e-5 * fmax(1, fabs((double)want[i])));
    free(want);
    unseen_model_close(model);
}

static void opens_dem(void **state) {
    (void)state;
    check_model("v0.1/dem");
}

static void opens_dem_without_whitening(void **state) {
    (void)state;
    check_model("v0.1/dem_raw");
}

/* By its running statistics, and whitened. */
static void opens_cnzsl(void **state) {
    (void)state;
    check_model("v0.2/cnzsl");
}

static void opens_duet(void **state) {
    (void)state;
    check_model("v0.1/duet");
}

static void opens_eszsl(void **state) {
    (void)state;
    check_model("v0.1/eszsl");
}

static void opens_msdn(void **state) {
    (void)state;
    check_model("v0.1/msdn");
}

/* Its groups come from the attributes' names, which the model keeps as groups. */
static void opens_dedn(void **state) {
    (void)state;
    check_model("v0.2/dedn");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_data_set),
        cmocka_unit_test(opens_dem),
        cmocka_unit_test(opens_dem_without_whitening),
        cmocka_unit_test(opens_cnzsl),
        cmocka_unit_test(opens_duet),
        cmocka_unit_test(opens_eszsl),
        cmocka_unit_test(opens_msdn),
        cmocka_unit_test(opens_dedn),
    };
    return cmocka_run_group_tests(tests, open_features, NULL);
}
