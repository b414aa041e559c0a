/* test_shared_dataset.c - one data set used by trainings, evaluations and accessors of several threads
 * at once, none of which made it. */
#include <pthread.h>

#include "folder.h"
#include "util.h"

enum { C = 8, A = 4, N = 160, F = 6, ROUNDS = 12 };

static float g_features[N * F], g_attributes[C * A];
static int32_t g_labels[N];
static _Atomic int g_wrong;

static unseen_dataset *make_data(void) {
    un_rng rng = un_rng_stream(5, "shared", 0);
    unseen_arrays a;
    unseen_dataset *data = NULL;
    un_rng_fill_uniform(&rng, g_features, (size_t)N * F, -1, 1);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) g_labels[i] = (int32_t)(i % C);
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N;
    a.width = F;
    a.features = g_features;
    a.labels = g_labels;
    a.class_count = C;
    a.attribute_count = A;
    a.class_attributes = g_attributes;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_dataset_save(data, in_folder("shared")));
    unseen_dataset_close(data);
    util_ok(unseen_dataset_open(in_folder("shared"), &data));
    return data;
}

static void *train_and_evaluate(void *context) {
    for (int i = 0; i < ROUNDS / 4; i++) {
        unseen_model *model = NULL;
        unseen_result *result = NULL;
        g_wrong += unseen_train("eszsl", context, NULL, &model, NULL) != UNSEEN_OK;
        g_wrong += unseen_evaluate(model, context, NULL, &result) != UNSEEN_OK;
        g_wrong += !(unseen_result_number(result, "H") >= 0);
        unseen_result_close(result);
        unseen_model_close(model);
    }
    return NULL;
}

/* What it is told stays true while others ask the same. */
static void *look(void *context) {
    const char *first = unseen_dataset_feature_set(context, 0), *json = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t image = i % N, *images = NULL;
        size_t count = 0, width = 0;
        const float *values = NULL;
        float row[F];
        g_wrong += unseen_dataset_feature_set(context, 0) != first;
        g_wrong += !first || strcmp(first, "features") != 0;
        g_wrong += unseen_dataset_feature_set(context, 1) != NULL;
        g_wrong += unseen_dataset_features(context, NULL, &image, 1, row) != UNSEEN_OK;
        g_wrong += memcmp(row, g_features + image * F, sizeof row) != 0;
        g_wrong += unseen_dataset_split(context, UNSEEN_TRAINVAL, &images, &count) != UNSEEN_OK;
        g_wrong += unseen_dataset_semantics(context, "att", &values, &width) != UNSEEN_OK;
        g_wrong += unseen_dataset_class_seen(context, 0) < 0;
        if (i % 4 > 0) continue;
        const char *again = NULL;
        g_wrong += unseen_dataset_check(context, &again) != UNSEEN_OK;
        g_wrong += json && again != json;
        g_wrong += !again || !strstr(again, "\"errors\":[]");
        json = again;
    }
    return NULL;
}

static void threads_share_a_data_set(void **state) {
    (void)state;
    void *(*const work[])(void *) = {train_and_evaluate, look, train_and_evaluate, look, look};
    enum { THREADS = sizeof work / sizeof *work };
    pthread_t threads[THREADS];
    unseen_dataset *data = make_data();
    g_wrong = 0;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work[i], data), 0);
    for (size_t i = 0; i < THREADS; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(g_wrong, 0);
    unseen_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_a_data_set)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
