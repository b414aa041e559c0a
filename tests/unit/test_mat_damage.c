/*
 * test_mat_damage.c - MAT files that are cut short, changed in places, lie about their sizes, or are
 * none: each is refused with a sentence that names the file.
 */
#include "unit/mat_sample.h"

/* Opens and reads everything; returns 1 if all of it went well. Any failure must
 * leave a sentence that names the file. */
static int read_everything(void) {
    un_mat *mat = NULL;
    size_t count = 0;
    if (un_mat_open(&mat, sample_path()) != UNSEEN_OK) {
        assert_non_null(strstr(un_error(), sample_path()));
        return 0;
    }
    int good = 1;
    const un_mat_variable *variables = un_mat_variables(mat, &count);
    for (size_t i = 0; i < count; i++) {
        const un_mat_variable *v = &variables[i];
        un_arena arena = {0};
        double *values = NULL;
        char **texts = NULL;
        size_t n = 0;
        un_status status = UNSEEN_OK;
        if (v->kind == UN_MAT_NUMERIC && v->rank == 2) {
            status = un_mat_read_double(mat, v->name, &values);
        } else if (v->kind == UN_MAT_CELL || v->kind == UN_MAT_TEXT) {
            status = un_mat_read_strings(mat, v->name, &arena, &texts, &n);
        }
        if (status) assert_non_null(strstr(un_error(), sample_path()));
        good = good && !status;
        free(values);
        un_arena_free(&arena);
    }
    un_mat_close(mat);
    return good && count == 7;
}

static void test_truncation(void **state) {
    (void)state;
    for (size_t k = 0; k < FLAVOURS; k++) {
        char *bytes = NULL;
        size_t n = 0;
        write_sample(g_flavours[k].form);
        assert_true(read_everything());
        assert_int_equal(un_file_read(sample_path(), 1 << 20, &bytes, &n), UNSEEN_OK);
        for (size_t cut = 0; cut < n; cut += n / 40 + 1) {
            write_bytes(sample_path(), bytes, cut);
            if (read_everything())
                fail_msg("version %s cut to %zu of %zu bytes was read", g_flavours[k].version, cut,
                         n);
        }
        free(bytes);
    }
}

static void test_byte_flips(void **state) {
    (void)state;
    for (size_t k = 0; k < FLAVOURS; k++) {
        char *bytes = NULL;
        char *copy = NULL;
        size_t n = 0;
        size_t refused = 0;
        un_rng rng = un_rng_stream(1, "mat flips", k);
        write_sample(g_flavours[k].form);
        assert_int_equal(un_file_read(sample_path(), 1 << 20, &bytes, &n), UNSEEN_OK);
        copy = malloc(n);
        assert_non_null(copy);
        for (int round = 0; round < 60; round++) {
            memcpy(copy, bytes, n);
            for (uint64_t i = 0; i <= un_rng_below(&rng, 8); i++)
                copy[116 + un_rng_below(&rng, n - 116)] = (char)un_rng_below(&rng, 256);
            write_bytes(sample_path(), copy, n);
            refused += !read_everything();
        }
        /* A compressed variable has a checksum, so hardly anything passes. */
        if (g_flavours[k].form == MAT_PACKED) assert_true(refused > 50);
        free(copy);
        free(bytes);
    }
}

/* Sets a 32-bit little-endian word of the sample's first variable, uncompressed v5:
 * header 128, tag 8, flags tag 8 + 8, dims tag 8 + 8, name tag. */
static void set_word(size_t at, uint32_t value) {
    char *bytes = NULL;
    size_t n = 0;
    write_sample(MAT_PLAIN);
    assert_int_equal(un_file_read(sample_path(), 1 << 20, &bytes, &n), UNSEEN_OK);
    for (size_t i = 0; i < 4; i++) bytes[at + i] = (char)(value >> (8 * i) & 0xFF);
    write_bytes(sample_path(), bytes, n);
    free(bytes);
}

static void test_lying_sizes(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
        const char *fragment;
    } lies[] = {
        {132, 0x7FFFFFFF, "cut short"},      /* the variable's size */
        {132, 64, "larger than the one"},    /* too small for its content */
        {128, 77, "no known type"},          /* its type */
        {144, 0x000000FF, "no known class"}, /* its class */
        {140, 16, "no flags"},               /* the size of its flags */
        {160, 0x7FFFFFFF, "dimensions"},     /* its rows */
        {160, 0xFFFFFFFF, "make no sense"},  /* negative */
        {156, 4, "make no sense"},           /* one dimension only */
        {160, ROWS - 1, "as much data as its dimensions"},
        {164, COLUMNS + 1, "as much data as its dimensions"},
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        un_mat *mat = NULL;
        set_word(lies[i].at, lies[i].value);
        util_fails(un_mat_open(&mat, sample_path()), UNSEEN_E_FORMAT, lies[i].fragment);
    }
}

static void test_other_files(void **state) {
    (void)state;
    un_mat *mat = NULL;
    char header[600];
    memset(header, ' ', sizeof header);
    assert_int_equal(un_mat_is_at(g_folder), 0);
    write_sample(MAT_PACKED);
    assert_int_equal(un_mat_is_at(sample_path()), 1);
    write_bytes(sample_path(), "", 0);
    assert_int_equal(un_mat_is_at(sample_path()), 0);
    util_fails(un_mat_open(&mat, sample_path()), UNSEEN_E_FORMAT, "not a MAT file");
    write_bytes(sample_path(), header, sizeof header);
    util_fails(un_mat_open(&mat, sample_path()), UNSEEN_E_FORMAT, "not a MAT file");
    memcpy(header + 124, "\x00\x02IM", 4);
    write_bytes(sample_path(), header, sizeof header); /* v7.3 without HDF5 in it */
    util_fails(un_mat_open(&mat, sample_path()), UNSEEN_E_FORMAT, "not a MAT file");
    memcpy(header, "\x89HDF\r\n\x1a\n", 8);
    write_bytes(sample_path(), header, sizeof header);
    util_fails(un_mat_open(&mat, sample_path()), UNSEEN_E_FORMAT, "libhdf5 cannot read it");
    util_fails(un_mat_open(&mat, g_folder), UNSEEN_E_IO, "not a regular file");
    util_fails(un_mat_open(&mat, "/nowhere/x.mat"), UNSEEN_E_IO, "/nowhere/x.mat");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_byte_flips),
        cmocka_unit_test(test_lying_sizes),
        cmocka_unit_test(test_other_files),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
