/*
 * test_row_store.c - rows that outlive an interruption: whatever happened in between, the file in
 * the end has the bytes of one that was written in one go, or the next run says why not.
 */
#include "unit/data_sample.h"

#include "data/row_store.h"
#include "tensor/sha256.h"

enum { ROWS = 6, LENGTH = 5 };

static const un_features_description g_description = {.image_count = ROWS,
                                                      .regions = 1,
                                                      .width = LENGTH,
                                                      .grid_height = 1,
                                                      .grid_width = 1,
                                                      .dtype = UN_F32,
                                                      .source = "test"};

static char g_path[600], g_partial[700], g_journal[600];

static void open_store(un_row_store *store, int version) {
    snprintf(g_path, sizeof g_path, "%s/rows.safetensors", g_folder);
    snprintf(g_partial, sizeof g_partial, "%s.partial", g_path);
    snprintf(g_journal, sizeof g_journal, "%s/rows.journal", g_folder);
    assert_int_equal(un_row_store_open(store, g_path,
                                       json_pack("{s:s, s:i}", "made", "so", "version", version),
                                       ROWS),
                     UNSEEN_OK);
    assert_string_equal(store->journal, g_journal);
}

/* Rows first to last - 1; `shift` tells those of one computation from another's. */
static void append(un_row_store *store, size_t first, size_t last, float shift) {
    float row[LENGTH];
    for (size_t i = first; i < last; i++) {
        for (size_t k = 0; k < LENGTH; k++) row[k] = (float)(i * 10 + k) + shift;
        assert_int_equal(un_features_writer_append(store->writer, row, 1), UNSEEN_OK);
    }
}

/* Rows 0 to `appended` - 1, of which the first `saved` are vouched for; then the run is gone, as
 * after a kill. */
static void interrupt(size_t appended, size_t saved, json_t *notes) {
    un_row_store store;
    open_store(&store, 1);
    assert_int_equal(un_row_store_begin(&store, &g_description, 0), UNSEEN_OK);
    append(&store, 0, saved, 0);
    if (saved > 0) assert_int_equal(un_row_store_save(&store, saved, notes), UNSEEN_OK);
    append(&store, saved, appended, 100); /* none of these may show in the end */
    un_row_store_close(&store);
    json_decref(notes);
    assert_false(un_path_exists(g_path));
    assert_true(un_path_exists(g_partial));
    assert_int_equal(un_path_exists(g_journal), saved > 0);
}

/* Goes on where `expected` rows are left, and looks at the whole. */
static void finish(size_t expected) {
    static char whole[65];
    char hash[65];
    un_row_store store;
    un_features features;
    open_store(&store, 1);
    assert_int_equal(un_row_store_left(&store, NULL), expected);
    assert_int_equal(un_row_store_begin(&store, &g_description, expected), UNSEEN_OK);
    append(&store, expected, ROWS, 0);
    assert_int_equal(un_row_store_commit(&store), UNSEEN_OK);
    un_row_store_close(&store);
    assert_false(un_path_exists(g_partial));
    assert_false(un_path_exists(g_journal));
    assert_int_equal(un_features_open_file(&features, g_path), UNSEEN_OK);
    assert_int_equal(un_sha256_of(features.file.map.data, features.file.map.size, hash), UNSEEN_OK);
    un_features_close(&features);
    if (!whole[0]) memcpy(whole, hash, sizeof whole); /* the first one is never interrupted */
    assert_string_equal(hash, whole);
    assert_int_equal(unlink(g_path), 0);
}

static void test_in_one_go(void **state) {
    (void)state;
    finish(0);
}

static void test_killed(void **state) {
    (void)state;
    for (size_t saved = 0; saved <= ROWS; saved++)
        for (size_t appended = saved; appended <= ROWS; appended++) {
            interrupt(appended, saved, NULL);
            finish(saved);
        }
    interrupt(2, 2, NULL); /* and twice in a row */
    un_row_store store;
    open_store(&store, 1);
    assert_int_equal(un_row_store_begin(&store, &g_description, 2), UNSEEN_OK);
    assert_false(un_row_store_due(&store));
    append(&store, 2, 4, 0);
    assert_int_equal(un_row_store_save(&store, 4, NULL), UNSEEN_OK);
    append(&store, 4, ROWS, 100);
    un_row_store_close(&store);
    finish(4);
}

static void test_notes(void **state) {
    (void)state;
    un_row_store store;
    json_t *journal = NULL;
    interrupt(4, 3, json_pack("{s:[i]}", "damaged", 1));
    open_store(&store, 1);
    assert_int_equal(un_row_store_left(&store, &journal), 3);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(journal, "damaged"), 0)), 1);
    json_decref(journal);
    un_row_store_discard(&store);
    assert_false(un_path_exists(g_partial));
    assert_false(un_path_exists(g_journal));
    assert_int_equal(un_row_store_left(&store, &journal), 0);
    assert_null(journal);
    un_row_store_close(&store);
}

static void test_other_identity(void **state) {
    (void)state;
    un_row_store store;
    json_t *journal = NULL;
    interrupt(5, 5, NULL);
    open_store(&store, 2);
    assert_int_equal(un_row_store_left(&store, &journal), 0);
    assert_null(journal);
    assert_true(un_path_exists(g_journal)); /* until the first row is overwritten */
    assert_int_equal(un_row_store_begin(&store, &g_description, 0), UNSEEN_OK);
    assert_false(un_path_exists(g_journal));
    un_row_store_close(&store);
    finish(0); /* nor are those rows taken up by the first */
}

static void test_damaged_journal(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t left;
    } journals[] = {
        {"", 0},
        {"{\"identity\": {\"made\": \"so\", \"ver", 0},
        {"[]", 0},
        {"{\"done\": 3}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}, \"done\": 0}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}, \"done\": -1}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}, \"done\": \"3\"}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}, \"done\": 2.0}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}, \"done\": 7}", 0},
        {"{\"identity\": {\"made\": \"so\"}, \"done\": 3}", 0},
        {"{\"identity\": {\"made\": \"so\", \"version\": 1}, \"done\": 3}", 3},
        {"{\"recipe\": {\"made\": \"so\", \"version\": 1}, \"done\": 3}", 3}, /* version 0.1.0's */
        {"{\"recipe\": {\"made\": \"so\", \"version\": 2}, \"done\": 3}", 0},
    };
    for (size_t i = 0; i < sizeof journals / sizeof *journals; i++) {
        interrupt(3, 3, NULL);
        FILE *file = fopen(g_journal, "w");
        assert_non_null(file);
        assert_true(fputs(journals[i].text, file) >= 0);
        assert_int_equal(fclose(file), 0);
        finish(journals[i].left);
    }
}

/* A journal that vouches for rows that are not there. */
static void test_damaged_rows(void **state) {
    (void)state;
    un_row_store store;
    interrupt(3, 3, NULL);
    assert_int_equal(unlink(g_partial), 0);
    finish(0);
    interrupt(3, 3, NULL);
    assert_int_equal(truncate(g_partial, 300), 0);
    open_store(&store, 1);
    assert_int_equal(un_row_store_left(&store, NULL), 3);
    util_fails(un_row_store_begin(&store, &g_description, 3), UNSEEN_E_FORMAT, "run this again");
    un_row_store_close(&store);
    finish(0);
}

static void test_too_few_rows(void **state) {
    (void)state;
    un_row_store store;
    open_store(&store, 1);
    assert_int_equal(un_row_store_begin(&store, &g_description, 0), UNSEEN_OK);
    append(&store, 0, 4, 0);
    assert_int_equal(un_row_store_save(&store, 4, NULL), UNSEEN_OK);
    util_fails(un_row_store_commit(&store), UNSEEN_E_ARGUMENT, "4 of 6 images");
    un_row_store_close(&store);
    finish(4); /* they were not lost with it */
}

static void test_arguments(void **state) {
    (void)state;
    un_row_store store;
    util_fails(un_row_store_open(&store, "rows.bin", json_object(), ROWS), UNSEEN_E_ARGUMENT,
               "no name of a feature file");
    util_fails(un_row_store_open(&store, ".safetensors", json_object(), ROWS), UNSEEN_E_ARGUMENT,
               "no name of a feature file");
    assert_int_equal(un_row_store_open(&store, "a.safetensors", NULL, ROWS), UNSEEN_E_MEMORY);
    un_row_store_discard(&store); /* of one that is not open: nothing */
    un_row_store_close(&store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_one_go),       cmocka_unit_test(test_killed),
        cmocka_unit_test(test_notes),           cmocka_unit_test(test_other_identity),
        cmocka_unit_test(test_damaged_journal), cmocka_unit_test(test_damaged_rows),
        cmocka_unit_test(test_too_few_rows),    cmocka_unit_test(test_arguments),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
