/*
 * test_row_store.c - rows that outlive an interruption: whatever happened in between, the file in
 * the end has the bytes of one that was written in one go, or the next run says why not.
 */
#include "unit/data_sample.h"

#include <fcntl.h>
#include <sys/stat.h>

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

/* Completes the file, and looks at the whole. */
static void commit(un_row_store *store) {
    static char whole[65];
    char hash[65];
    un_features features;
    assert_int_equal(un_row_store_commit(store), UNSEEN_OK);
    un_row_store_close(store);
    assert_false(un_path_exists(g_partial));
    assert_false(un_path_exists(g_journal));
    assert_int_equal(un_features_open_file(&features, g_path), UNSEEN_OK);
    assert_int_equal(un_sha256_of(features.file.map.data, features.file.map.size, hash), UNSEEN_OK);
    un_features_close(&features);
    if (!whole[0]) memcpy(whole, hash, sizeof whole); /* the first one is never interrupted */
    assert_string_equal(hash, whole);
    assert_int_equal(unlink(g_path), 0);
}

/* Goes on where `expected` rows are left. */
static void finish(size_t expected) {
    un_row_store store;
    open_store(&store, 1);
    assert_int_equal(un_row_store_left(&store, NULL), expected);
    assert_int_equal(un_row_store_begin(&store, &g_description, expected), UNSEEN_OK);
    append(&store, expected, ROWS, 0);
    commit(&store);
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

/* How many open descriptors of the partial file there are, and how many can read. */
static void count_descriptors(size_t *open, size_t *reading) {
    *open = *reading = 0;
    for (int fd = 0; fd < 64; fd++) {
        char link[64], target[700] = "";
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        if (readlink(link, target, sizeof target - 1) < 0 || !strstr(target, ".partial")) continue;
        ++*open;
        *reading += (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
    }
}

/* Bytes of the header, where a rank that joins has nothing to write. */
static void swap_header(char *bytes) {
    char before[64];
    FILE *file = fopen(g_partial, "r+");
    assert_non_null(file);
    assert_int_equal(fread(before, 1, sizeof before, file), sizeof before);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, sizeof before, file), sizeof before);
    assert_int_equal(fclose(file), 0);
    memcpy(bytes, before, sizeof before);
}

/* One file of two writers, who see nothing of each other's pages: see base/partial.c. */
static void test_shared(void **state) {
    (void)state;
    static const unsigned char there[ROWS] = {1, 1};
    char bytes[64] = "not ours", kept[64];
    size_t open = 0, reading = 0;
    un_row_store first, other;
    interrupt(2, 2, NULL);
    open_store(&first, 1);
    open_store(&other, 1);
    assert_int_equal(un_row_store_begin_rows(&first, &g_description, there, NULL, 1), UNSEEN_OK);
    count_descriptors(&open, &reading);
    assert_int_equal(open, 2);
    assert_int_equal(reading, 1); /* holds the lock, and nothing is done through it */
    memcpy(kept, bytes, sizeof kept);
    swap_header(bytes);
    assert_int_equal(un_row_store_join(&other, &g_description, 1), UNSEEN_OK);
    count_descriptors(&open, &reading);
    assert_int_equal(open, 3);
    assert_int_equal(reading, 1);
    un_features_writer_go_to(other.writer, 4);
    append(&other, 4, ROWS, 0);
    append(&first, 2, 4, 0);
    assert_int_equal(un_row_store_leave(&other), UNSEEN_OK);
    count_descriptors(&open, &reading);
    assert_int_equal(open, 2);
    swap_header(bytes);
    assert_memory_equal(bytes, kept, sizeof kept);
    un_row_store_close(&other);
    assert_int_equal(un_features_writer_take_over(first.writer), UNSEEN_OK);
    commit(&first);
    count_descriptors(&open, &reading);
    assert_int_equal(open, 0);

    /* What is there is not what the first one began: a folder that is not shared. */
    interrupt(2, 2, NULL);
    assert_int_equal(truncate(g_partial, 500), 0);
    open_store(&other, 1);
    util_fails(un_row_store_join(&other, &g_description, 1), UNSEEN_E_FORMAT, "rank 0");
    un_row_store_close(&other);
    struct stat st;
    assert_int_equal(stat(g_partial, &st), 0);
    assert_int_equal(st.st_size, 500);
    assert_int_equal(unlink(g_partial), 0);
    assert_int_equal(unlink(g_journal), 0);
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
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
