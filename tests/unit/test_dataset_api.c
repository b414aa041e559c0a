/* test_dataset_api.c - data sets through the public interface: made of arrays in memory, written to
 * a directory and opened again, looked into, refused; structures of options of other versions. */
#include <math.h>
#include <stdalign.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "folder.h"
#include "util.h"

enum { C = 12, A = 5, N = 120, F = 7 };

static float g_features[N * F], g_attributes[C * A];
static int32_t g_labels[N];
static const char *const g_names[C] = {"ant", "bee", "cat",  "dog", "eel",  "fox",
                                       "gnu", "hen", "ibis", "jay", "kite", "lark"};
static const char *const g_attribute_names[A] = {"big", "small", "furry", "winged", "wet"};

static void fill_arrays(unseen_arrays *a) {
    un_rng rng = un_rng_stream(3, "arrays", 0);
    un_rng_fill_uniform(&rng, g_features, (size_t)N * F, -1, 1);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) g_labels[i] = (int32_t)(i % C);
    unseen_arrays_init(a, sizeof *a);
    a->name = "beasts";
    a->image_count = N;
    a->width = F;
    a->features = g_features;
    a->labels = g_labels;
    a->class_count = C;
    a->attribute_count = A;
    a->class_attributes = g_attributes;
    a->class_names = g_names;
    a->attribute_names = g_attribute_names;
}

static void an_array_becomes_a_data_set(void **state) {
    (void)state;
    unseen_arrays a;
    unseen_dataset *data = NULL;
    const float *values = NULL;
    const int64_t *images = NULL;
    size_t n = 0, k = 0, listed = 0;
    float rows[2 * F];
    fill_arrays(&a);
    util_ok(unseen_dataset_from_arrays(&a, &data));
    memset(g_labels, 0, sizeof g_labels); /* all is copied */
    assert_string_equal(unseen_dataset_name(data), "beasts");
    assert_int_equal(unseen_dataset_image_count(data), N);
    assert_int_equal(unseen_dataset_class_count(data), C);
    assert_string_equal(unseen_dataset_class_name(data, 3), "dog");
    assert_null(unseen_dataset_class_name(data, C));
    assert_null(unseen_dataset_image_name(data, 0));
    assert_int_equal(unseen_dataset_labels(data)[13], 1);
    assert_string_equal(unseen_dataset_semantics_name(data, 0), "att");
    assert_string_equal(unseen_dataset_attribute_name(data, "att", 2), "furry");
    assert_null(unseen_dataset_attribute_name(data, "att", A));
    util_ok(unseen_dataset_semantics(data, "original_att", &values, &n));
    assert_int_equal(n, A);
    assert_memory_equal(values, g_attributes, sizeof g_attributes);
    util_fails(unseen_dataset_semantics(data, "sent", &values, &n), UNSEEN_E_ARGUMENT, "sent");
    assert_string_equal(unseen_dataset_feature_set(data, 0), "features");
    assert_null(unseen_dataset_feature_set(data, 1));
    util_ok(unseen_dataset_feature_shape(data, NULL, &n, &k));
    assert_int_equal(n, 1);
    assert_int_equal(k, F);
    const int64_t some[] = {7, N - 1};
    util_ok(unseen_dataset_features(data, "features", some, 2, rows));
    assert_memory_equal(rows, g_features + 7 * F, F * sizeof *rows);
    assert_memory_equal(rows + F, g_features + (size_t)(N - 1) * F, F * sizeof *rows);
    const int64_t far = N;
    util_fails(unseen_dataset_features(data, NULL, &far, 1, rows), UNSEEN_E_ARGUMENT,
               "no image 120");
    for (int list = 0; list < 3; list++) {
        util_ok(unseen_dataset_split(data, (unseen_split_list)list, &images, &n));
        listed += n;
        for (size_t i = 0; i < n; i++)
            assert_int_equal(unseen_dataset_class_seen(data, (size_t)(images[i] % C)),
                             list != UNSEEN_TEST_UNSEEN);
    }
    assert_int_equal(listed, N);
    util_fails(unseen_dataset_split(data, (unseen_split_list)3, &images, &n), UNSEEN_E_ARGUMENT,
               "3 is no unseen_split_list");
    assert_true(unseen_dataset_fold_count(data) > 0);
    util_ok(unseen_dataset_fold(data, 0, UNSEEN_TRAINVAL, &images, &n));
    assert_true(n > 0);
    assert_non_null(strstr(unseen_dataset_notes(data), "proposed"));
    unseen_dataset_close(data);
}

static void memory_and_directory_agree(void **state) {
    (void)state;
    const char *path = in_folder("beasts");
    unseen_arrays a;
    unseen_dataset *data = NULL, *opened = NULL;
    const char *json = NULL;
    float one[N * F], two[N * F];
    int64_t all[N];
    fill_arrays(&a);
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_dataset_save(data, path));
    util_ok(unseen_dataset_open(path, &opened));
    assert_string_equal(unseen_dataset_split_hash(data), unseen_dataset_split_hash(opened));
    assert_null(unseen_dataset_split_name(data)); /* not a published one */
    for (size_t i = 0; i < N; i++) all[i] = (int64_t)i;
    util_ok(unseen_dataset_features(data, NULL, all, N, one));
    util_ok(unseen_dataset_features(opened, NULL, all, N, two));
    assert_memory_equal(one, two, sizeof one);
    char *checked = NULL;
    util_ok(unseen_dataset_check(opened, &json));
    assert_non_null(checked = strdup(json));
    assert_non_null(strstr(json, "\"errors\":[]"));
    util_ok(unseen_dataset_check(data, &json)); /* features and their hash among it */
    assert_string_equal(json, checked);
    free(checked);
    util_fails(unseen_dataset_save(opened, path), UNSEEN_E_ARGUMENT, "already");
    util_fails(unseen_dataset_save(data, path), UNSEEN_E_ARGUMENT, path);
    unseen_dataset_close(data);
    unseen_dataset_close(opened);
}

static void count_warnings(unseen_log_level level, const char *message, void *user) {
    (void)message;
    *(int *)user += level <= UNSEEN_LOG_WARNING;
}

/* Whoever hands in lists knows which are empty, and there is no place for folds of their own. */
static void empty_test_lists_are_no_warning(void **state) {
    (void)state;
    static int64_t all[N];
    unseen_arrays a;
    unseen_dataset *data = NULL;
    int warnings = 0;
    fill_arrays(&a);
    for (size_t i = 0; i < N; i++) all[i] = (int64_t)i;
    a.trainval = all, a.trainval_count = N;
    a.test_seen = a.test_unseen = all;
    unseen_set_log(count_warnings, &warnings);
    util_ok(unseen_dataset_from_arrays(&a, &data));
    unseen_set_log(NULL, NULL);
    assert_int_equal(warnings, 0);
    assert_true(unseen_dataset_fold_count(data) > 0);
    assert_non_null(strstr(unseen_dataset_notes(data), "folds were proposed"));
    unseen_dataset_close(data);
}

static void lists_and_borrowed_halves(void **state) {
    (void)state;
    static alignas(64) uint16_t half[N * F];
    static int64_t lists[3][N];
    size_t counts[3] = {0};
    unseen_arrays a;
    unseen_dataset *data = NULL;
    const int64_t *images = NULL;
    size_t n = 0;
    float row[F];
    fill_arrays(&a);
    for (size_t i = 0; i < (size_t)N * F; i++) half[i] = un_bf16_from_float(g_features[i]);
    for (size_t i = N; i-- > 0;) { /* descending: they are sorted */
        int list = g_labels[i] >= 9 ? UNSEEN_TEST_UNSEEN
                   : i < C          ? UNSEEN_TEST_SEEN
                                    : UNSEEN_TRAINVAL;
        lists[list][counts[list]++] = (int64_t)i;
    }
    a.dtype = UNSEEN_BF16;
    a.features = half;
    a.copy_features = 0;
    a.trainval = lists[0], a.trainval_count = counts[0];
    a.test_seen = lists[1], a.test_seen_count = counts[1];
    a.test_unseen = lists[2], a.test_unseen_count = counts[2];
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_dataset_split(data, UNSEEN_TEST_SEEN, &images, &n));
    assert_int_equal(n, 9);
    assert_int_equal(images[0], 0);
    const int64_t fifth = 5;
    half[5 * F] = un_bf16_from_float(0.5F);
    util_ok(unseen_dataset_features(data, NULL, &fifth, 1, row));
    assert_true(row[0] == 0.5F); /* borrowed */
    unseen_dataset_close(data);

    lists[0][0] = lists[2][0];
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_FORMAT, "test_unseen");
    lists[0][0] = N;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_FORMAT, "trainval");
}

static void unseen_classes_are_named(void **state) {
    (void)state;
    static const char *const unseen[] = {"Fox", "gnu"};
    unseen_arrays a;
    unseen_dataset *data = NULL;
    fill_arrays(&a);
    a.unseen = unseen;
    a.unseen_count = 2;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    for (size_t k = 0; k < C; k++)
        assert_int_equal(unseen_dataset_class_seen(data, k), k != 5 && k != 6);
    unseen_dataset_close(data);
    a.unseen = (const char *const[]){"fax", "gnu"};
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_FORMAT, "fox");
    a.unseen = NULL;
    a.unseen_count = 11;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "12 classes");
}

static void bad_arrays_are_named(void **state) {
    (void)state;
    unseen_arrays a;
    unseen_dataset *data = NULL;
    fill_arrays(&a);
    g_features[3 * F + 2] = NAN;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_FORMAT, "value 2 of image 3");
    fill_arrays(&a);
    g_labels[4] = C;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_FORMAT, "image 4 has class 12");
    fill_arrays(&a);
    g_attributes[A + 1] = INFINITY;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_FORMAT, "\"bee\"");
    fill_arrays(&a);
    a.dtype = (unseen_dtype)9;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "9 is no unseen_dtype");
    fill_arrays(&a);
    a.attribute_count = 0;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "0 attributes");
    fill_arrays(&a);
    a.regions = 4, a.grid_height = 2, a.grid_width = 3;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "2 x 3");
    fill_arrays(&a);
    a.image_count = SIZE_MAX / 2;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "images");
    fill_arrays(&a);
    a.trainval_count = 3;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT,
               "trainval counts 3 images and is NULL");
    a.trainval = (const int64_t[]){0, 1, 2};
    a.trainval_count = N + 1;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT,
               "trainval counts 121 images, there are 120");
    fill_arrays(&a);
    a.unseen = g_names, a.unseen_count = SIZE_MAX / 16;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "unseen counts");
    fill_arrays(&a);
    a.unseen_count = SIZE_MAX;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "unseen");
    fill_arrays(&a);
    a.scale = "metres";
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "metres");
    fill_arrays(&a);
    a.attribute_names = (const char *const[A]){"big", "small", "big", "winged", "wet"};
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "same name, \"big\"");
    fill_arrays(&a);
    a.class_names = (const char *const[C]){"ant", "\xff"};
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "not UTF-8");
    fill_arrays(&a);
    a.labels = NULL;
    util_fails(unseen_dataset_from_arrays(&a, &data), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_dataset_from_arrays(NULL, &data), UNSEEN_E_ARGUMENT, "NULL");
    assert_null(data);
    unseen_dataset_close(NULL);
}

static int note(const unseen_progress *progress, void *user) {
    size_t *seen = user;
    seen[0]++;
    seen[1] += progress->finished && !strcmp(progress->phase, "check features") &&
               progress->done == N && progress->total == N;
    return seen[2] != 0;
}

static void a_check_tells_how_far_it_is(void **state) {
    (void)state;
    unseen_arrays a;
    unseen_dataset *data = NULL;
    unseen_check_options o;
    const char *with = NULL, *without = NULL;
    size_t seen[3] = {0};
    fill_arrays(&a);
    util_ok(unseen_dataset_from_arrays(&a, &data));
    unseen_check_options_init(&o, sizeof o);
    o.progress = note;
    o.user = seen;
    util_ok(unseen_dataset_check_with(data, &o, &with));
    assert_int_equal(seen[1], 1);
    util_ok(unseen_dataset_check(data, &without));
    assert_string_equal(with, without);
    seen[2] = 1;
    util_fails(unseen_dataset_check_with(data, &o, &with), UNSEEN_E_INTERRUPTED, "check features");
    assert_ptr_equal(with, without);
    o.size = 0;
    util_fails(unseen_dataset_check_with(data, &o, &with), UNSEEN_E_ARGUMENT, "init");
    unseen_dataset_close(data);
}

/* Options of a program that was compiled with another version. */
static void options_grow(void **state) {
    (void)state;
    struct {
        unseen_arrays now;
        size_t later;
    } larger;
    unseen_arrays smaller;
    unseen_dataset *data = NULL;
    fill_arrays(&larger.now);
    unseen_arrays filled = larger.now;
    unseen_arrays_init((unseen_arrays *)&larger, sizeof larger);
    assert_int_equal(larger.now.size, sizeof larger);
    assert_int_equal(larger.later, 0);
    filled.size = sizeof larger;
    larger.now = filled;
    util_ok(unseen_dataset_from_arrays(&larger.now, &data));
    unseen_dataset_close(data);
    larger.later = 1;
    util_fails(unseen_dataset_from_arrays(&larger.now, &data), UNSEEN_E_UNSUPPORTED,
               "unseen_arrays");
    /* One that knows nothing behind the names: what follows has its default, whatever lies there. */
    memset(&smaller, 0x55, sizeof smaller);
    unseen_arrays_init(&smaller, offsetof(unseen_arrays, trainval));
    assert_true(smaller.split_seed == 0x5555555555555555u); /* not ours to write to */
    filled.size = offsetof(unseen_arrays, trainval);
    memcpy(&smaller, &filled, filled.size);
    util_ok(unseen_dataset_from_arrays(&smaller, &data));
    unseen_dataset_close(data);
    memset(&smaller, 0, sizeof smaller);
    util_fails(unseen_dataset_from_arrays(&smaller, &data), UNSEEN_E_ARGUMENT, "init");
    memset(&smaller, 0x55, sizeof smaller); /* nor is what lies there a size */
    util_fails(unseen_dataset_from_arrays(&smaller, &data), UNSEEN_E_ARGUMENT, "init");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_becomes_a_data_set),
        cmocka_unit_test_setup_teardown(memory_and_directory_agree, make_folder, remove_folder),
        cmocka_unit_test(empty_test_lists_are_no_warning),
        cmocka_unit_test(lists_and_borrowed_halves),
        cmocka_unit_test(unseen_classes_are_named),
        cmocka_unit_test(bad_arrays_are_named),
        cmocka_unit_test(a_check_tells_how_far_it_is),
        cmocka_unit_test(options_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
