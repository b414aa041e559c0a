/*
 * test_mat.c - the MAT reader over files written here (mat_writer.h) and by other programs
 * (tests/data/mat): versions, compression, byte orders, numeric classes, text, what Python
 * writes, what cannot be read. Damaged files: test_mat_damage.c.
 */
#include "unit/mat_sample.h"

#include <unistd.h>

static void test_list(void **state) {
    (void)state;
    for (size_t k = 0; k < FLAVOURS; k++) {
        un_mat *mat = NULL;
        size_t count = 0;
        write_sample(g_flavours[k].form);
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        assert_string_equal(un_mat_version(mat), g_flavours[k].version);
        (void)un_mat_variables(mat, &count);
        assert_int_equal(count, 7);
        const un_mat_variable *v = un_mat_find(mat, "features");
        assert_non_null(v);
        assert_string_equal(v->class_name, "single");
        assert_int_equal(v->dims[0], ROWS); /* not transposed in v7.3 either */
        assert_int_equal(v->dims[1], COLUMNS);
        assert_int_equal(un_mat_find(mat, "names")->kind, UN_MAT_CELL);
        assert_int_equal(un_mat_find(mat, "lines")->kind, UN_MAT_TEXT);
        assert_int_equal(un_mat_find(mat, "complex")->kind, UN_MAT_OTHER);
        assert_int_equal(un_mat_find(mat, "cube")->rank, 3);
        assert_null(un_mat_find(mat, "feature"));
        un_mat_close(mat);
    }
}

static void test_numbers(void **state) {
    (void)state;
    for (size_t k = 0; k < FLAVOURS; k++) {
        un_mat *mat = NULL;
        double *values = NULL;
        const float *rows = NULL;
        write_sample(g_flavours[k].form);
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        assert_int_equal(un_mat_read_double(mat, "att", &values), UNSEEN_OK);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            assert_memory_equal(&values[i], &(double){(double)i / 3}, sizeof(double));
        free(values);
        assert_int_equal(un_mat_read_double(mat, "labels", &values), UNSEEN_OK);
        assert_true(values[0] == 1 && values[8] == 9);
        free(values);
        /* Slabs in any order, also of another class. */
        assert_int_equal(un_mat_read_columns(mat, "features", 7, 2, &rows), UNSEEN_OK);
        for (int i = 0; i < 2 * ROWS; i++) assert_true(rows[i] == (float)(7 * ROWS + i) * 0.25f);
        assert_int_equal(un_mat_read_columns(mat, "features", 0, 3, &rows), UNSEEN_OK);
        for (int i = 0; i < 3 * ROWS; i++) assert_true(rows[i] == (float)i * 0.25f);
        assert_int_equal(un_mat_read_columns(mat, "att", 1, 8, &rows), UNSEEN_OK);
        for (int i = 0; i < 8 * ROWS; i++) assert_true(rows[i] == (float)((double)(ROWS + i) / 3));
        assert_int_equal(un_mat_read_columns(mat, "labels", 0, 1, &rows), UNSEEN_OK);
        for (int i = 0; i < COLUMNS; i++) assert_true(rows[i] == (float)(i + 1));
        un_mat_close(mat);
    }
}

static void test_text(void **state) {
    (void)state;
    for (size_t k = 0; k < FLAVOURS; k++) {
        un_mat *mat = NULL;
        un_arena arena = {0};
        char **texts = NULL;
        size_t count = 0;
        write_sample(g_flavours[k].form);
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        assert_int_equal(un_mat_read_strings(mat, "names", &arena, &texts, &count), UNSEEN_OK);
        assert_int_equal(count, 3);
        assert_string_equal(texts[0], "cat");
        assert_string_equal(texts[1], "Laysan_Albatross");
        assert_string_equal(texts[2], "");
        assert_int_equal(un_mat_read_strings(mat, "lines", &arena, &texts, &count), UNSEEN_OK);
        assert_int_equal(count, 2);
        assert_string_equal(texts[0], "abc");
        assert_string_equal(texts[1], "XY d");
        un_arena_free(&arena);
        un_mat_close(mat);
    }
}

static void test_wrong_questions(void **state) {
    (void)state;
    un_mat *mat = NULL;
    double *values = NULL;
    const float *rows = NULL;
    un_arena arena = {0};
    char **texts = NULL;
    size_t count = 0;
    write_sample(MAT_PACKED);
    assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
    util_fails(un_mat_read_double(mat, "none", &values), UNSEEN_E_FORMAT,
               "has no variable \"none\"");
    util_fails(un_mat_read_double(mat, "names", &values), UNSEEN_E_FORMAT, "class cell");
    util_fails(un_mat_read_double(mat, "complex", &values), UNSEEN_E_FORMAT, "complex");
    util_fails(un_mat_read_double(mat, "cube", &values), UNSEEN_E_FORMAT, "3 dimensions");
    util_fails(un_mat_read_columns(mat, "features", 8, 2, &rows), UNSEEN_E_ARGUMENT, "columns");
    util_fails(un_mat_read_columns(mat, "features", SIZE_MAX, 2, &rows), UNSEEN_E_ARGUMENT,
               "columns");
    util_fails(un_mat_read_strings(mat, "att", &arena, &texts, &count), UNSEEN_E_FORMAT,
               "class double");
    /* The reader is unharmed. */
    assert_int_equal(un_mat_read_double(mat, "att", &values), UNSEEN_OK);
    free(values);
    un_arena_free(&arena);
    un_mat_close(mat);
}

static void test_numeric_classes(void **state) {
    (void)state;
    static const struct {
        mat_class class;
        mat_type type;
        const char *name;
    } classes[] = {
        {MAT_DOUBLE, MI_DOUBLE, "double"}, {MAT_SINGLE, MI_SINGLE, "single"},
        {MAT_INT8, MI_INT8, "int8"},       {MAT_UINT8, MI_UINT8, "uint8"},
        {MAT_INT16, MI_INT16, "int16"},    {MAT_UINT16, MI_UINT16, "uint16"},
        {MAT_INT32, MI_INT32, "int32"},    {MAT_UINT32, MI_UINT32, "uint32"},
        {MAT_INT64, MI_INT64, "int64"},    {MAT_UINT64, MI_UINT64, "uint64"},
    };
    enum { CLASSES = sizeof classes / sizeof *classes };
    const double d[4] = {1, 2, 3, 100};
    const float s[4] = {1, 2, 3, 100};
    const int8_t i8[4] = {1, 2, 3, 100};
    const int16_t i16[4] = {1, 2, 3, 100};
    const int32_t i32[4] = {1, 2, 3, 100};
    const int64_t i64[4] = {1, 2, 3, 100};
    const void *data[CLASSES] = {d, s, i8, i8, i16, i16, i32, i32, i64, i64};
    for (size_t k = 0; k < FLAVOURS; k++) {
        mat_writer w = mat_create(sample_path(), g_flavours[k].form);
        for (size_t c = 0; c < CLASSES; c++)
            mat_put(&w, classes[c].name, classes[c].class, classes[c].type, 2, 2, data[c]);
        mat_close(&w);
        un_mat *mat = NULL;
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        for (size_t c = 0; c < CLASSES; c++) {
            double *values = NULL;
            const float *rows = NULL;
            assert_string_equal(un_mat_find(mat, classes[c].name)->class_name, classes[c].name);
            assert_int_equal(un_mat_read_double(mat, classes[c].name, &values), UNSEEN_OK);
            assert_true(values[0] == 1 && values[1] == 2 && values[2] == 3 && values[3] == 100);
            free(values);
            assert_int_equal(un_mat_read_columns(mat, classes[c].name, 0, 2, &rows), UNSEEN_OK);
            assert_true(rows[0] == 1 && rows[1] == 2 && rows[2] == 3 && rows[3] == 100);
            assert_int_equal(un_mat_read_columns(mat, classes[c].name, 1, 1, &rows), UNSEEN_OK);
            assert_true(rows[0] == 3 && rows[1] == 100);
        }
        un_mat_close(mat);
    }
}

/* Classes stored in a smaller type, as MATLAB does with whole numbers, read in
 * slabs that do not start at the beginning. */
static void test_stored_types(void **state) {
    (void)state;
    uint8_t bytes[ROWS * COLUMNS];
    int16_t words[ROWS * COLUMNS];
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        bytes[i] = (uint8_t)(3 * i);
        words[i] = (int16_t)(-100 * i);
    }
    for (size_t k = 0; k < FLAVOURS; k++) {
        if (g_flavours[k].form >= MAT_V73) continue; /* v7.3 has no such thing */
        mat_writer writer = mat_create(sample_path(), g_flavours[k].form);
        mat_put(&writer, "b", MAT_DOUBLE, MI_UINT8, ROWS, COLUMNS, bytes);
        mat_put(&writer, "w", MAT_SINGLE, MI_INT16, ROWS, COLUMNS, words);
        mat_put(&writer, "small", MAT_DOUBLE, MI_UINT8, 1, 3, bytes); /* inside its tag */
        mat_close(&writer);
        un_mat *mat = NULL;
        double *values = NULL;
        const float *rows = NULL;
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        assert_int_equal(un_mat_read_double(mat, "small", &values), UNSEEN_OK);
        assert_true(values[0] == 0 && values[1] == 3 && values[2] == 6);
        free(values);
        assert_int_equal(un_mat_read_columns(mat, "small", 1, 2, &rows), UNSEEN_OK);
        assert_true(rows[0] == 3 && rows[1] == 6);
        assert_int_equal(un_mat_read_double(mat, "b", &values), UNSEEN_OK);
        for (int i = 0; i < ROWS * COLUMNS; i++) assert_true(values[i] == 3.0 * i);
        free(values);
        for (size_t first = 0; first < COLUMNS; first += 2) {
            size_t n = (COLUMNS - first < 2 ? 1 : 2);
            assert_int_equal(un_mat_read_columns(mat, "b", first, n, &rows), UNSEEN_OK);
            for (size_t i = 0; i < n * ROWS; i++)
                assert_true(rows[i] == (float)(3 * (first * ROWS + i)));
            assert_int_equal(un_mat_read_columns(mat, "w", first, n, &rows), UNSEEN_OK);
            for (size_t i = 0; i < n * ROWS; i++)
                assert_true(rows[i] == -100.0f * (float)(first * ROWS + i));
        }
        un_mat_close(mat);
    }
}

/* MATLAB writes text in UTF-16; other programs in UTF-8 or Latin-1. */
static void test_encodings(void **state) {
    (void)state;
    uint16_t utf16[] = {'g', 'r', 0xFC, 'n', 0xD83D, 0xDE00};
    char utf8[] = "gr\xC3\xBCn";
    char latin1[] = "gr\xFCn";
    /* MATLAB's number of columns counts characters, not bytes. */
    mat_writer w = mat_create(sample_path(), MAT_PACKED);
    mat_put(&w, "utf16", MAT_CHAR, MI_UTF16, 1, 6, utf16);
    mat_put(&w, "utf8", MAT_CHAR, MI_UTF8, 1, 5, utf8);
    mat_put(&w, "latin1", MAT_CHAR, MI_UINT8, 1, 4, latin1);
    mat_close(&w);
    static const struct {
        const char *name, *text;
    } expected[] = {{"utf16", "gr\xC3\xBCn\xF0\x9F\x98\x80"},
                    {"utf8", "gr\xC3\xBCn"},
                    {"latin1", "gr\xC3\xBCn"}};
    un_mat *mat = NULL;
    un_arena arena = {0};
    assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
    for (size_t i = 0; i < 3; i++) {
        char **texts = NULL;
        size_t count = 0;
        assert_int_equal(un_mat_read_strings(mat, expected[i].name, &arena, &texts, &count),
                         UNSEEN_OK);
        assert_int_equal(count, 1);
        assert_string_equal(texts[0], expected[i].text);
    }
    un_arena_free(&arena);
    un_mat_close(mat);
}

/* How many strings there are is bounded by the file's bytes, not by a dimension that costs none. */
static void test_rows_of_nothing(void **state) {
    (void)state;
    static const size_t ROWS_SAID[] = {1, 0, 3, 1 << 20, INT32_MAX};
    static const size_t STRINGS[] = {1, 0, 0, 0, 0};
    for (size_t i = 0; i < sizeof STRINGS / sizeof *STRINGS; i++) {
        un_mat *mat = NULL;
        un_arena arena = {0};
        char **texts = NULL;
        size_t count = 7;
        mat_writer w = mat_create(sample_path(), i % 2 ? MAT_PLAIN : MAT_PACKED);
        mat_put(&w, "none", MAT_CHAR, MI_UTF16, ROWS_SAID[i], 0, "");
        mat_close(&w);
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        assert_int_equal(un_mat_read_strings(mat, "none", &arena, &texts, &count), UNSEEN_OK);
        assert_int_equal(count, STRINGS[i]);
        if (count > 0) assert_string_equal(texts[0], "");
        un_arena_free(&arena);
        un_mat_close(mat);
    }
}

/* ---- files of other programs ---- */

static un_mat *open_foreign(const char *name) {
    un_mat *mat = NULL;
    char path[600];
    snprintf(path, sizeof path, "%s/mat/%s.mat", UNSEEN_TEST_DATA, name);
    if (un_mat_open(&mat, path) != UNSEEN_OK) fail_msg("%s: %s", name, un_error());
    return mat;
}

/* The matrix [ROWS, COLUMNS] whose numbers count column by column, divided. */
static void assert_counts(un_mat *mat, const char *name, double divisor, int as_float) {
    double *values = NULL;
    const float *columns = NULL;
    const un_mat_variable *v = un_mat_find(mat, name);
    assert_non_null(v);
    assert_int_equal(v->dims[0], ROWS);
    assert_int_equal(v->dims[1], COLUMNS);
    assert_int_equal(un_mat_read_double(mat, name, &values), UNSEEN_OK);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        assert_true(values[i] == (as_float ? (double)(float)(i / divisor) : i / divisor));
    free(values);
    for (size_t first = 0; first < COLUMNS; first += 4) {
        size_t n = COLUMNS - first < 4 ? COLUMNS - first : 4;
        assert_int_equal(un_mat_read_columns(mat, name, first, n, &columns), UNSEEN_OK);
        for (size_t i = 0; i < n * ROWS; i++)
            assert_true(columns[i] == (float)((double)(first * ROWS + i) / divisor));
    }
}

static void assert_texts(un_mat *mat, const char *name, const char *first, const char *second) {
    un_arena arena = {0};
    char **texts = NULL;
    size_t count = 0;
    if (un_mat_read_strings(mat, name, &arena, &texts, &count)) fail_msg("%s", un_error());
    assert_int_equal(count, 2);
    assert_string_equal(texts[0], first);
    assert_string_equal(texts[1], second);
    un_arena_free(&arena);
}

static void test_other_programs(void **state) {
    (void)state;
    static const char *const names[] = {
        "matio-v5", "matio-v5-packed", "matio-v73",   "matio-v73-packed",
        "scipy-v5", "scipy-v5-packed", "hdf5storage", "hdf5storage-unmarked",
        "h5py",     "h5py-userblock"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double *values = NULL;
        un_mat *mat = open_foreign(names[i]);
        /* Without marks either way is possible: the caller knows how many columns. */
        int marked = un_mat_find(mat, "att")->order_is_known;
        assert_int_equal(marked, i < 7);
        int turned = un_mat_orient(mat, "att", 1, COLUMNS);
        assert_int_equal(turned, !marked);
        assert_int_equal(un_mat_orient(mat, "att", 0, ROWS), 0);
        assert_int_equal(un_mat_orient(mat, "features", 1, COLUMNS), i == 7);
        assert_counts(mat, "att", 3, 0);
        assert_counts(mat, "features", 4, 1);
        assert_int_equal(un_mat_read_double(mat, "labels", &values), UNSEEN_OK);
        for (int k = 0; k < COLUMNS; k++) assert_true(values[k] == k + 1);
        free(values);
        assert_texts(mat, "names", "cat", "Laysan_Albatross");
        if (i < 6) assert_texts(mat, "lines", "abc", "XY d");
        if (i >= 8) assert_texts(mat, "cells", "cat", "Laysan_Albatross");
        un_mat_close(mat);
    }
}

/* What is listed and not read is named with what to do. */
static void test_advice(void **state) {
    (void)state;
    un_mat *mat = open_foreign("scipy-others");
    double *values = NULL;
    un_arena arena = {0};
    char **texts = NULL;
    size_t count = 0;
    util_fails(un_mat_read_double(mat, "sparse", &values), UNSEEN_E_FORMAT, "class sparse");
    util_fails(un_mat_read_double(mat, "sparse", &values), UNSEEN_E_FORMAT, "full(");
    util_fails(un_mat_read_double(mat, "struct", &values), UNSEEN_E_FORMAT, "-struct");
    util_fails(un_mat_read_double(mat, "complex", &values), UNSEEN_E_FORMAT, "real(");
    util_fails(un_mat_read_strings(mat, "nested", &arena, &texts, &count), UNSEEN_E_FORMAT,
               "several lines of text");
    assert_string_equal(un_mat_find(mat, "logical")->class_name, "logical");
    assert_int_equal(un_mat_read_double(mat, "logical", &values), UNSEEN_OK);
    assert_true(values[0] == 1 && values[1] == 0 && values[2] == 1);
    free(values);
    assert_int_equal(un_mat_read_double(mat, "number", &values), UNSEEN_OK);
    assert_true(values[0] == 7);
    free(values);
    assert_int_equal(un_mat_find(mat, "empty")->dims[1], 3);
    assert_int_equal(un_mat_read_double(mat, "empty", &values), UNSEEN_OK);
    free(values);
    assert_texts(mat, "row", "a", "bc");
    un_mat_close(mat);
    for (int form = MAT_PLAIN; form <= MAT_V73; form++) {
        mat_writer w = mat_create(sample_path(), (mat_form)form);
        mat_put_object(&w, "names", "string");
        mat_put_object(&w, "att", "table");
        mat_put(&w, "last", MAT_DOUBLE, MI_DOUBLE, 1, 1, &(double){5});
        mat_close(&w);
        assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
        util_fails(un_mat_read_strings(mat, "names", &arena, &texts, &count), UNSEEN_E_FORMAT,
                   "class string");
        util_fails(un_mat_read_strings(mat, "names", &arena, &texts, &count), UNSEEN_E_FORMAT,
                   "cellstr");
        util_fails(un_mat_read_double(mat, "att", &values), UNSEEN_E_FORMAT, "table2array");
        assert_int_equal(un_mat_read_double(mat, "last", &values), UNSEEN_OK);
        free(values);
        un_mat_close(mat);
    }
    un_arena_free(&arena);
    char path[600];
    snprintf(path, sizeof path, "%s/mat/scipy-v4.mat", UNSEEN_TEST_DATA);
    util_fails(un_mat_open(&mat, path), UNSEEN_E_UNSUPPORTED, "version 4; save it as version 5");
}

/* A large packed matrix is not held: neither packed nor unpacked. */
static void test_memory(void **state) {
    (void)state;
    enum { TALL = 4096, WIDE = 16384 }; /* 256 MiB */
    float *data = NULL;
    un_mat *mat = NULL;
    const float *rows = NULL;
    assert_int_equal(un_alloc((size_t)TALL * WIDE, sizeof *data, &data), UNSEEN_OK);
    for (size_t i = 0; i < WIDE; i++) data[i * TALL] = (float)i;
    mat_writer w = mat_create(sample_path(), MAT_PLAIN);
    mat_put(&w, "features", MAT_SINGLE, MI_SINGLE, TALL, WIDE, data);
    mat_close(&w);
    free(data);
    size_t before = un_memory_anonymous_kib();
    assert_int_equal(un_mat_open(&mat, sample_path()), UNSEEN_OK);
    size_t slab = un_mat_find(mat, "features")->slab;
    assert_in_range(slab, 1, WIDE / 8);
    for (size_t first = 0; first < WIDE; first += slab) {
        size_t n = WIDE - first < slab ? WIDE - first : slab;
        assert_int_equal(un_mat_read_columns(mat, "features", first, n, &rows), UNSEEN_OK);
        for (size_t i = 0; i < n; i++) assert_true(rows[i * TALL] == (float)(first + i));
        assert_true(un_memory_anonymous_kib() < before + 24 * 1024);
    }
    un_mat_close(mat);
    unlink(sample_path());
}

/* Several readers at once, and none left behind. */
static void test_many_readers(void **state) {
    (void)state;
    un_mat *mats[8];
    double *values = NULL;
    write_sample(MAT_V73);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(un_mat_open(&mats[i], sample_path()), UNSEEN_OK);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(un_mat_read_double(mats[7 - i], "att", &values), UNSEEN_OK);
        free(values);
    }
    for (size_t i = 0; i < 8; i++) un_mat_close(mats[i]);
    un_mat_close(NULL);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "r");
    if (!children) skip(); /* this kernel does not tell */
    int first = fgetc(children);
    fclose(children);
    assert_int_equal(first, EOF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_wrong_questions),
        cmocka_unit_test(test_numeric_classes),
        cmocka_unit_test(test_stored_types),
        cmocka_unit_test(test_encodings),
        cmocka_unit_test(test_rows_of_nothing),
        cmocka_unit_test(test_many_readers),
        cmocka_unit_test(test_other_programs),
        cmocka_unit_test(test_advice),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
