/*
 * test_data.c - data set files, the split hash and feature stores.
 */
#include "unit/data_sample.h"

#include <sys/stat.h>

#include "data/features.h"
#include "tensor/sha256.h"

/* ---- data set files ---- */

static void test_dataset_round_trip(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    un_dataset back;
    const un_semantics *s = NULL;
    assert_int_equal(un_fold_propose(&d, 3), UNSEEN_OK);
    d.notes = json_pack("[s]", "a note");
    assert_int_equal(un_dataset_write(&d, g_folder), UNSEEN_OK);
    assert_int_equal(un_dataset_open(&back, g_folder), UNSEEN_OK);
    assert_string_equal(back.name, "small");
    assert_string_equal(back.split_hash, d.split_hash);
    assert_int_equal(back.image_count, N);
    assert_int_equal(back.class_count, C);
    assert_string_equal(back.classes[7], "hen");
    assert_null(back.images);
    assert_memory_equal(back.labels, d.labels, N * sizeof *d.labels);
    assert_same_list(&back.trainval, &d.trainval);
    assert_same_list(&back.test_seen, &d.test_seen);
    assert_same_list(&back.test_unseen, &d.test_unseen);
    assert_int_equal(un_dataset_require_semantics(&back, "att", &s), UNSEEN_OK);
    assert_memory_equal(s->values, d.semantics[0].values, C * A * sizeof *s->values);
    assert_string_equal(s->attributes[1], "größe");
    util_fails(un_dataset_require_semantics(&back, "sent", &s), UNSEEN_E_ARGUMENT, "it has: att");
    assert_int_equal(back.fold_count, d.fold_count);
    for (size_t k = 0; k < d.fold_count; k++) {
        assert_string_equal(back.folds[k].source, "proposed");
        assert_int_equal(back.folds[k].proposed, 1);
        assert_int_equal(back.folds[k].class_count, d.folds[k].class_count);
        assert_same_list(&back.folds[k].train, &d.folds[k].train);
        assert_same_list(&back.folds[k].seen, &d.folds[k].seen);
        assert_same_list(&back.folds[k].unseen, &d.folds[k].unseen);
    }
    assert_string_equal(json_string_value(json_array_get(back.notes, 0)), "a note");
    un_dataset_close(&back);
    drop(&d);
}

static void test_split_hash(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    char hash[65];
    char other[65];
    un_sha256 *reference = NULL;
    char line[32];
    /* The text of the documentation, built here a second time. */
    assert_int_equal(un_sha256_open(&reference), UNSEEN_OK);
    un_sha256_add(reference, "classes\n", 8);
    for (size_t c = 0; c < C; c++) {
        snprintf(line, sizeof line, "%s\n", g_names[c]);
        un_sha256_add(reference, line, strlen(line));
    }
    const un_index_list *lists[] = {&d.trainval, &d.test_seen, &d.test_unseen};
    static const char *const roles[] = {"trainval\n", "test_seen\n", "test_unseen\n"};
    for (size_t r = 0; r < 3; r++) {
        un_sha256_add(reference, roles[r], strlen(roles[r]));
        for (size_t i = 0; i < lists[r]->count; i++) {
            snprintf(line, sizeof line, "%d\n", (int)lists[r]->items[i]);
            un_sha256_add(reference, line, strlen(line));
        }
    }
    un_sha256_hex(reference, other);
    un_sha256_close(reference);
    assert_int_equal(un_split_hash(&d, hash), UNSEEN_OK);
    assert_string_equal(hash, other);
    assert_null(un_split_known_name(hash));
    assert_non_null(
        un_split_known_name("f2a06c8f72eb9c916b1de89437803fccb5b4ab0626b357f54f894bef926c1b2e"));
    d.classes[0][0] = 'A';
    assert_int_equal(un_split_hash(&d, other), UNSEEN_OK);
    assert_string_not_equal(hash, other);
    d.classes[0][0] = 'a';
    d.test_seen.count--;
    assert_int_equal(un_split_hash(&d, other), UNSEEN_OK);
    assert_string_not_equal(hash, other);
}

/* One tensor or metadata string of a data set file replaced. */
typedef struct {
    const char *metadata, *value; /* a metadata key and its value, NULL to leave out */
    const char *tensor;           /* a tensor, replaced by the next three */
    un_dtype dtype;
    size_t count;
    const void *data;
    const char *fragment;
} spoil;

static void write_spoiled(const spoil *s) {
    static const struct {
        const char *key, *value;
    } metadata[] = {{"format", "unseen-dataset"},
                    {"format_version", "1"},
                    {"name", "x"},
                    {"image_count", "4"},
                    {"classes", "[\"a\",\"b\"]"}};
    static const int32_t labels[4] = {0, 1, 0, 1};
    static const int64_t lists[4] = {0, 1, 2, 3};
    static const float att[4] = {1, 2, 3, 4};
    const size_t shape[2] = {2, 2};
    struct {
        const char *name;
        un_dtype dtype;
        int rank;
        size_t shape[2];
        const void *data;
    } tensors[] = {{"labels", UN_I32, 1, {4}, labels},
                   {"split.trainval", UN_I64, 1, {2}, lists},
                   {"split.test_seen", UN_I64, 1, {1}, lists + 2},
                   {"split.test_unseen", UN_I64, 1, {1}, lists + 3},
                   {"semantics.att", UN_F32, 2, {shape[0], shape[1]}, att}};
    un_st_writer *writer = NULL;
    assert_int_equal(un_st_writer_open(&writer, in_folder("dataset.safetensors")), UNSEEN_OK);
    for (size_t i = 0; i < sizeof metadata / sizeof *metadata; i++)
        if (!s->metadata || strcmp(metadata[i].key, s->metadata) != 0)
            assert_int_equal(un_st_writer_metadata(writer, metadata[i].key, metadata[i].value),
                             UNSEEN_OK);
    if (s->metadata && s->value)
        assert_int_equal(un_st_writer_metadata(writer, s->metadata, s->value), UNSEEN_OK);
    for (size_t i = 0; i < 5; i++) {
        if (s->tensor && !strcmp(tensors[i].name, s->tensor)) {
            tensors[i].dtype = s->dtype;
            tensors[i].rank = 1;
            tensors[i].shape[0] = s->count;
            tensors[i].data = s->data;
        }
        assert_int_equal(un_st_writer_add(writer, tensors[i].name, tensors[i].dtype,
                                          tensors[i].rank, tensors[i].shape),
                         UNSEEN_OK);
    }
    assert_int_equal(un_st_writer_begin(writer), UNSEEN_OK);
    for (size_t i = 0; i < 5; i++) {
        size_t bytes = un_dtype_size(tensors[i].dtype) * tensors[i].shape[0];
        if (tensors[i].rank == 2) bytes *= tensors[i].shape[1];
        assert_int_equal(un_st_writer_write(writer, i, 0, tensors[i].data, bytes), UNSEEN_OK);
    }
    assert_int_equal(un_st_writer_commit(writer), UNSEEN_OK);
}

static void test_hostile_dataset(void **state) {
    (void)state;
    static const int32_t big[4] = {0, 1, 2, 0};
    static const int32_t negative[4] = {0, -1, 1, 0};
    static const int64_t outside[2] = {0, 4};
    static const int64_t minus[2] = {-1, 0};
    static const int64_t unsorted[2] = {1, 0};
    static const int64_t none[1] = {0};
    const spoil spoils[] = {
        {"format", "something", NULL, UN_F32, 0, NULL, "not a data set"},
        {"format", NULL, NULL, UN_F32, 0, NULL, "not a data set"},
        {"format_version", "2", NULL, UN_F32, 0, NULL, "version 2"},
        {"image_count", "-4", NULL, UN_F32, 0, NULL, "image_count"},
        {"image_count", "4x", NULL, UN_F32, 0, NULL, "image_count"},
        {"image_count", "99999999999999999999", NULL, UN_F32, 0, NULL, "image_count"},
        {"image_count", "1000000000000", NULL, UN_F32, 0, NULL, "image_count"},
        {"image_count", NULL, NULL, UN_F32, 0, NULL, "image_count"},
        {"image_count", "5", NULL, UN_F32, 0, NULL, "4 labels for 5 images"},
        {"classes", NULL, NULL, UN_F32, 0, NULL, "classes"},
        {"classes", "[]", NULL, UN_F32, 0, NULL, "classes"},
        {"classes", "{}", NULL, UN_F32, 0, NULL, "classes is not a list"},
        {"classes", "[1,2]", NULL, UN_F32, 0, NULL, "not a name"},
        {"classes", "[\"a\\u0000b\",\"c\"]", NULL, UN_F32, 0, NULL, "not a name"},
        {"classes", "[\"a\"", NULL, UN_F32, 0, NULL, "JSON"},
        {"classes", "[\"a\",\"b\",\"c\"]", NULL, UN_F32, 0, NULL, "matrix of 3 rows"},
        {"images", "[\"a\"]", NULL, UN_F32, 0, NULL, "lists 1 names, expected 4"},
        {"attributes.att", "[\"a\"]", NULL, UN_F32, 0, NULL, "lists 1 names, expected 2"},
        {"folds", "{}", NULL, UN_F32, 0, NULL, "folds"},
        {"folds", "[1]", NULL, UN_F32, 0, NULL, "source"},
        {"folds",
         "[{\"source\":\"x\",\"listed_train\":0,\"listed_val\":0,\"leaked_train\":0,"
         "\"leaked_val\":0}]",
         NULL, UN_F32, 0, NULL, "fold.0.train is missing"},
        {"folds", "[1,2,3,4,5,6,7,8,9]", NULL, UN_F32, 0, NULL, "folds"},
        {"notes", "[1]", NULL, UN_F32, 0, NULL, "notes"},
        {NULL, NULL, "labels", UN_I64, 2, outside, "I32"},
        {NULL, NULL, "labels", UN_I32, 3, big, "3 labels for 4 images"},
        {NULL, NULL, "labels", UN_I32, 4, big, "label 2"},
        {NULL, NULL, "labels", UN_I32, 4, negative, "label -1"},
        {NULL, NULL, "split.trainval", UN_I32, 4, big, "I64"},
        {NULL, NULL, "split.trainval", UN_I64, 2, outside, "image 4"},
        {NULL, NULL, "split.trainval", UN_I64, 2, minus, "image -1"},
        {NULL, NULL, "split.test_seen", UN_I64, 2, unsorted, "not sorted"},
        {NULL, NULL, "semantics.att", UN_I64, 1, none, "F32 matrix"},
    };
    un_dataset d;
    const spoil nothing = {0};
    write_spoiled(&nothing);
    assert_int_equal(un_dataset_open(&d, g_folder), UNSEEN_OK);
    un_dataset_close(&d);
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        write_spoiled(&spoils[i]);
        if (un_dataset_open(&d, g_folder) == UNSEEN_OK || !strstr(un_error(), spoils[i].fragment))
            fail_msg("spoil %zu: sentence \"%s\", expected \"%s\" in it", i, un_error(),
                     spoils[i].fragment);
    }
    unlink(in_folder("dataset.safetensors"));
    util_fails(un_dataset_open(&d, g_folder), UNSEEN_E_FORMAT, "not a data set directory");
    util_fails(un_dataset_open(&d, "/nowhere"), UNSEEN_E_IO, "/nowhere");
}

/* ---- features ---- */

static void write_store(const char *path, un_dtype dtype, size_t n, size_t regions, size_t width) {
    un_features_writer *writer = NULL;
    const un_features_description description = {.image_count = n,
                                                 .regions = regions,
                                                 .width = width,
                                                 .grid_height = regions,
                                                 .grid_width = 1,
                                                 .dtype = dtype,
                                                 .source = "test",
                                                 .recipe = "{\"size\":7}"};
    float row[64];
    assert_true(regions * width <= 64);
    assert_int_equal(un_features_writer_open(&writer, path, &description), UNSEEN_OK);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < regions * width; k++) row[k] = (float)i + (float)k / 64;
        assert_int_equal(un_features_writer_append(writer, row, 1), UNSEEN_OK);
    }
    assert_int_equal(un_features_writer_commit(writer), UNSEEN_OK);
}

static void test_feature_store(void **state) {
    (void)state;
    un_features f;
    char **names = NULL;
    size_t count = 0;
    assert_int_equal(un_features_list(g_folder, &names, &count), UNSEEN_OK);
    assert_int_equal(count, 0);
    un_names_free(names);
    util_fails(un_features_open(&f, g_folder, NULL), UNSEEN_E_ARGUMENT, "no features");
    assert_int_equal(mkdir(in_folder("features"), 0777), 0);
    write_store(in_folder("features/pooled.safetensors"), UN_F32, 10, 1, 6);
    assert_int_equal(un_features_open(&f, g_folder, NULL), UNSEEN_OK);
    assert_string_equal(f.name, "pooled");
    un_features_close(&f);
    write_store(in_folder("features/maps.safetensors"), UN_BF16, 12, 4, 3);
    util_fails(un_features_open(&f, g_folder, NULL), UNSEEN_E_ARGUMENT, "maps, pooled");
    util_fails(un_features_open(&f, g_folder, "map"), UNSEEN_E_ARGUMENT, "maps, pooled");
    assert_int_equal(un_features_open(&f, g_folder, "maps"), UNSEEN_OK);
    assert_int_equal(f.image_count, 12);
    assert_int_equal(f.regions, 4);
    assert_int_equal(f.width, 3);
    assert_int_equal(f.grid_height, 4);
    assert_int_equal(f.dtype, UN_BF16);
    assert_string_equal(f.recipe, "{\"size\":7}");
    char hash[65];
    un_sha256 *sha = NULL;
    assert_int_equal(un_sha256_open(&sha), UNSEEN_OK);
    un_sha256_add(sha, f.data, 12 * f.row_bytes);
    un_sha256_hex(sha, hash);
    un_sha256_close(sha);
    assert_string_equal(f.sha256, hash);
    un_features_close(&f);
    un_directory_remove(in_folder("features"));
}

/* A foreign file may start its data at any byte. */
static void test_gather_unaligned(void **state) {
    (void)state;
    enum { ROW = 2500 }; /* several pieces */
    static float values[2 * ROW], wide[ROW];
    static un_bf16 narrow[ROW];
    static unsigned char shifted[sizeof values + 1];
    const int64_t second = 1;
    for (size_t i = 0; i < 2 * ROW; i++) values[i] = (float)i / 64;
    memcpy(shifted + 1, values, sizeof values);
    un_features f = {.image_count = 2,
                     .regions = 4,
                     .width = ROW / 4,
                     .dtype = UN_F32,
                     .data = shifted + 1,
                     .row_bytes = sizeof values / 2};
    un_features_gather_bf16(&f, &second, 1, narrow);
    for (size_t i = 0; i < ROW; i++)
        assert_int_equal(narrow[i], un_bf16_from_float(values[ROW + i]));
    memcpy(shifted + 1 + sizeof narrow, narrow, sizeof narrow);
    f.dtype = UN_BF16;
    f.row_bytes = sizeof narrow;
    un_features_gather_f32(&f, &second, 1, wide);
    for (size_t i = 0; i < ROW; i++)
        assert_true(wide[i] == un_float_from_bf16(un_bf16_from_float(values[ROW + i])));
}

static void test_gather(void **state) {
    (void)state;
    static const int64_t images[] = {9, 0, 3, 3, 7};
    enum { ROW = 12 };
    const char *path = in_folder("gather.safetensors");
    for (int bf16 = 0; bf16 < 2; bf16++) {
        un_features f;
        float wide[5 * ROW];
        un_bf16 narrow[5 * ROW];
        write_store(path, bf16 ? UN_BF16 : UN_F32, 10, 4, 3);
        assert_int_equal(un_features_open_file(&f, path), UNSEEN_OK);
        un_features_gather_f32(&f, images, 5, wide);
        un_features_gather_bf16(&f, images, 5, narrow);
        for (size_t i = 0; i < 5; i++) {
            for (size_t k = 0; k < ROW; k++) {
                float value = (float)images[i] + (float)k / 64;
                un_bf16 rounded = un_bf16_from_float(value);
                assert_true(wide[i * ROW + k] == (bf16 ? un_float_from_bf16(rounded) : value));
                assert_int_equal(narrow[i * ROW + k], rounded);
            }
        }
        un_features_close(&f);
    }
}

static void test_feature_writer_refuses(void **state) {
    (void)state;
    un_features_writer *writer = NULL;
    const char *path = in_folder("bad.safetensors");
    un_features_description d = {.image_count = 4,
                                 .regions = 1,
                                 .width = 3,
                                 .grid_height = 1,
                                 .grid_width = 1,
                                 .dtype = UN_F32,
                                 .source = "test"};
    float rows[12] = {0};
    rows[7] = NAN;
    assert_int_equal(un_features_writer_open(&writer, path, &d), UNSEEN_OK);
    assert_int_equal(un_features_writer_append(writer, rows, 2), UNSEEN_OK);
    rows[1] = INFINITY;
    util_fails(un_features_writer_append(writer, rows, 1), UNSEEN_E_FORMAT,
               "feature 1 of image 2 is infinite");
    rows[1] = 0;
    util_fails(un_features_writer_append(writer, rows + 6, 1), UNSEEN_E_FORMAT,
               "feature 1 of image 2 is not a number");
    util_fails(un_features_writer_append(writer, rows, 3), UNSEEN_E_ARGUMENT, "more images");
    util_fails(un_features_writer_commit(writer), UNSEEN_E_ARGUMENT, "2 of 4 images");
    assert_false(un_path_exists(path));
    d.dtype = UN_BF16;
    rows[0] = 3.4e38f;
    assert_int_equal(un_features_writer_open(&writer, path, &d), UNSEEN_OK);
    util_fails(un_features_writer_append(writer, rows, 1), UNSEEN_E_FORMAT, "too large for bf16");
    un_features_writer_abort(writer);
    d.dtype = UN_I64;
    util_fails(un_features_writer_open(&writer, path, &d), UNSEEN_E_ARGUMENT, "I64");
    d.dtype = UN_F32;
    d.grid_height = 2;
    util_fails(un_features_writer_open(&writer, path, &d), UNSEEN_E_ARGUMENT, "grid");
    d.grid_height = 1;
    d.recipe = "{";
    util_fails(un_features_writer_open(&writer, path, &d), UNSEEN_E_FORMAT, "recipe");
}

int main(void) {
    const struct CMUnitTest datasets[] = {
        cmocka_unit_test(test_dataset_round_trip),
        cmocka_unit_test(test_split_hash),
        cmocka_unit_test(test_hostile_dataset),
    };
    const struct CMUnitTest features[] = {
        cmocka_unit_test(test_feature_store),
        cmocka_unit_test(test_gather),
        cmocka_unit_test(test_gather_unaligned),
        cmocka_unit_test(test_feature_writer_refuses),
    };
    int failed = cmocka_run_group_tests_name("data sets", datasets, make_folder, remove_folder);
    failed += cmocka_run_group_tests_name("features", features, make_folder, remove_folder);
    return failed ? 1 : 0;
}
