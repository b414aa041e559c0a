/*
 * test_picture_files.c - what imports of folders are made of: listing pictures, finding
 * files by the end of a path, and tables of attributes.
 */
#include "unit/picture_sample.h"

#include "base/rng.h"
#include "data/check/check.h"
#include "data/readers/pictures.h"
#include "data/readers/table.h"

/* ---- listing and finding ---- */

static void test_listing(void **state) {
    (void)state;
    un_arena arena = {0};
    un_picture_list list;
    put_file("tree/b/2.JPG", "");
    put_file("tree/b/10.jpeg", "");
    put_file("tree/a/deep/er/x y.PnG", "");
    put_file("tree/a/.hidden.jpg", "");
    put_file("tree/.git/1.jpg", "");
    put_file("tree/a/notes.txt", "");
    put_file("tree/a/jpg", "");
    put_file("tree/a/grün\n.webp", "");
    assert_int_equal(symlink("..", in_folder("tree/a/loop")), 0);
    assert_int_equal(symlink("nowhere.jpg", in_folder("tree/a/dangling.jpg")), 0);
    assert_int_equal(symlink("b", in_folder("tree/c")), 0);
    /* By content where the name does not tell; what cannot be decoded is not passed over. */
    put_file("tree/d/jpeg", "\xff\xd8\xff\xe0");
    put_file("tree/d/phone.HEIC", "");
    put_file("tree/d/page", "<!DOCTYPE html>");
    put_file("tree/__MACOSX/a/1.jpg", "");
    if (un_pictures_list(in_folder("tree"), 0, &arena, &list)) fail_msg("%s", un_error());
    static const char *const want[] = {
        "a/deep/er/x y.PnG", "a/grün\n.webp", "b/10.jpeg", "b/2.JPG",
        "c/10.jpeg",         "c/2.JPG",       "d/jpeg",    "d/phone.HEIC"};
    assert_int_equal(list.count, 8);
    for (size_t i = 0; i < 8; i++) assert_string_equal(list.names[i], want[i]);
    assert_int_equal(list.loops, 1);
    put_file("tree/a/\xFF.jpg", "");
    if (un_pictures_list(in_folder("tree"), 0, &arena, &list)) fail_msg("%s", un_error());
    assert_int_equal(list.count, 8);
    assert_int_equal(list.unnamed, 1);
    if (un_pictures_list(in_folder("tree"), 1, &arena, &list)) fail_msg("%s", un_error());
    assert_int_equal(list.count, 9);
    util_fails(un_pictures_list(in_folder("none"), 0, &arena, &list), UNSEEN_E_IO, "none");
    un_arena_free(&arena);
    forget("tree");
}

/* The definition: count common last components with every name. */
static size_t common_components(const char *a, const char *b) {
    size_t m = strlen(a);
    size_t n = strlen(b);
    size_t common = 0;
    for (size_t k = 0;; k++) {
        int end_a = k == m || a[m - 1 - k] == '/';
        int end_b = k == n || b[n - 1 - k] == '/';
        if (end_a && end_b) common++;
        if (k == m || k == n || a[m - 1 - k] != b[n - 1 - k]) return common;
    }
}

static void test_suffixes(void **state) {
    (void)state;
    enum { NAMES = 200, QUERIES = 2000 };
    un_arena arena = {0};
    un_suffix_index index;
    char *names[NAMES];
    un_rng rng = un_rng_stream(3, "suffixes", 0);
    for (size_t i = 0; i < NAMES; i++) {
        char text[64] = "";
        size_t parts = 1 + (size_t)un_rng_below(&rng, 4);
        for (size_t k = 0; k < parts; k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%c%s", k ? "/" : "",
                     'a' + (int)un_rng_below(&rng, 3), un_rng_below(&rng, 2) ? "b" : "");
        snprintf(text + strlen(text), sizeof text - strlen(text), "/%zu", i % 40);
        assert_int_equal(un_arena_string(&arena, text, &names[i]), UNSEEN_OK);
    }
    assert_int_equal(un_suffix_index_make(&index, &arena, names, NAMES), UNSEEN_OK);
    size_t outcomes[3] = {0, 0, 0};
    for (size_t q = 0; q < QUERIES; q++) {
        char path[64];
        size_t number = 0;
        size_t shared = 0;
        size_t best = 0;
        size_t fitting = 0;
        int equal = 0;
        snprintf(path, sizeof path, "%s%c%s/%d", q % 2 ? "x/" : "",
                 'a' + (int)un_rng_below(&rng, 3), un_rng_below(&rng, 2) ? "/a" : "",
                 (int)un_rng_below(&rng, 44));
        for (size_t i = 0; i < NAMES; i++) {
            size_t common = common_components(names[i], path);
            if (common > best) fitting = 0;
            if (common > best) best = common;
            fitting += common == best && best > 0;
            equal |= !strcmp(names[i], path);
        }
        un_match match = un_suffix_find(&index, path, &number, &shared);
        if (equal && match == UN_MATCH_ONE)
            assert_string_equal(names[number], path);
        else if (!equal)
            assert_int_equal(match, fitting == 0   ? UN_MATCH_NONE
                                    : fitting == 1 ? UN_MATCH_ONE
                                                   : UN_MATCH_SEVERAL);
        if (match == UN_MATCH_ONE) assert_int_equal(common_components(names[number], path), best);
        outcomes[match]++;
    }
    for (int k = 0; k < 3; k++) assert_true(outcomes[k] > 0);
    un_arena_free(&arena);
}

/* xlsa17 --images: authors' paths to files. */
static void test_find_images(void **state) {
    (void)state;
    package p = make_package();
    un_benchmark_options options = prepare(&p);
    un_dataset d;
    char name[64];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "root/deep/images/%03d.jpg", i);
        put_file(name, "");
    }
    options.images = in_folder("root");
    import_and_open(&options, &d);
    assert_string_equal(d.images[7], "deep/images/007.jpg");
    assert_string_equal(d.image_root + strlen(d.image_root) - 5, "/root");
    assert_int_equal(d.image_root[0], '/');
    un_dataset_close(&d);
    forget("out");
    put_file("root/copy/images/004.jpg", "");
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "004.jpg\" may be");
    unlink(in_folder("root/copy/images/004.jpg"));
    unlink(in_folder("root/deep/images/011.jpg"));
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "1 of 80 images have no file");
    assert_false(un_path_exists(options.output));
    options.allow_missing = 1;
    import_and_open(&options, &d);
    assert_string_equal(d.images[11], "/home/a/images/011.jpg");
    assert_string_equal(d.images[12], "deep/images/012.jpg");
    un_dataset_close(&d);
    json_t *report = NULL;
    assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
    assert_int_equal(json_integer_value(json_object_get(report, "missing_pictures")), 1);
    assert_true(json_array_size(json_object_get(report, "warnings")) > 0);
    json_decref(report);
    forget("out");
    forget("root");
    mkdir(in_folder("root"), 0777);
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "80 of 80 images");
    options.features = NULL;
    util_fails(un_import_xlsa17(&options), UNSEEN_E_ARGUMENT, "feature file");
}

/* ---- tables ---- */

static void read_table(const char *text, un_arena *arena, un_table *t) {
    write_text(in_folder("table.csv"), text);
    if (un_table_read(in_folder("table.csv"), arena, t)) fail_msg("%s", un_error());
}

static void test_tables(void **state) {
    (void)state;
    un_arena arena = {0};
    un_table t;
    read_table("\xEF\xBB\xBF"
               "class,has fur,\"legs, \"\"many\"\"\"\r\n cat , 1,4e0\r\n\r\n\"owl, barn\",0,-2.5",
               &arena, &t);
    assert_int_equal(t.rows, 2);
    assert_int_equal(t.columns, 2);
    assert_string_equal(t.attributes[1], "legs, \"many\"");
    assert_string_equal(t.names[0], "cat");
    assert_string_equal(t.names[1], "owl, barn");
    assert_true(t.values[1] == 4 && t.values[3] == -2.5);
    read_table("\nc\ta, b\td\nü\t1\t2\n\"two\nlines\"\t3\t4\n", &arena, &t);
    assert_string_equal(t.attributes[0], "a, b");
    assert_string_equal(t.names[1], "two\nlines");
    read_table("c;a\rx;1\ry;2\r", &arena, &t);
    assert_int_equal(t.rows, 2);
    static const struct {
        const char *text, *why;
    } bad[] = {{"", "is empty"},
               {"\n\n", "is empty"},
               {"c,a\n", "no classes"},
               {"class\ncat\n", "one field only"},
               {"c,a,b\nx,1,2\ny,1\n", "line 3 has 2 fields, the header has 3"},
               {"c,a\nx,1,2\n", "line 2 has 3 fields where at most 2"},
               {"c,a,b\nx,1,\n", "line 2, column 3 (class \"x\", attribute \"b\"): the value is"},
               {"c,a\nx,nan\n", "must be finite"},
               {"c,a\nx,1e999\n", "must be finite"},
               {"c,a\nx,big\n", "not a number: \"big\""},
               {"c,a\nx,\"1,5\"\n", "decimal point"},
               {"c,a\nx,1 2\n", "not a number"},
               {"c,a\nx,1\nx,2\n", "class 1 and class 2 have the same name"},
               {"c,a,a\nx,1,2\n", "column 2 and column 3 have the same name"},
               {"c,a,\nx,1,2\n", "column 3 has no name"},
               {"c,a\n,1\n", "no class name"},
               {"c,a\n\"x,1\n", "never closed"},
               {"c,a\n\"x\"y,1\n", "behind a closing quote"},
               {"c,a\n\xFFx,1\n", "UTF-8"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(in_folder("table.csv"), bad[i].text);
        util_fails(un_table_read(in_folder("table.csv"), &arena, &t), UNSEEN_E_FORMAT, bad[i].why);
    }
    assert_int_equal(un_file_write(in_folder("table.csv"), "c,a\nx\0,1\n", 9), UNSEEN_OK);
    util_fails(un_table_read(in_folder("table.csv"), &arena, &t), UNSEEN_E_FORMAT, "UTF-8");
    un_arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listing), cmocka_unit_test(test_suffixes),
        cmocka_unit_test(test_find_images), cmocka_unit_test(test_tables)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
