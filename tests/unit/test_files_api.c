/* test_files_api.c - files through the public interface: data sets imported, with what a format has
 * and needs; word vectors of attributes; what is in a file. */
#include <unistd.h>

#include "base/json.h"
#include "folder.h"
#include "npy_writer.h"
#include "util.h"

enum { C = 10, A = 4, N = 60, F = 3 };

static float g_features[N * F], g_attributes[C * A];
static int32_t g_labels[N];

static void fill(void) {
    un_rng rng = un_rng_stream(5, "files", 0);
    un_rng_fill_uniform(&rng, g_features, (size_t)N * F, -1, 1);
    un_rng_fill_uniform(&rng, g_attributes, (size_t)C * A, 0, 1);
    for (size_t i = 0; i < N; i++) g_labels[i] = (int32_t)(i % C);
}

/* Options that import the arrays above, and the files that they name. */
static void put_arrays(unseen_import_options *o, const char **semantics, char *text, size_t size) {
    fill();
    put_npy(in_folder("x.npy"), 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 3), }",
            g_features, sizeof g_features);
    put_npy(in_folder("y.npy"), 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (60,), }",
            g_labels, sizeof g_labels);
    put_npy(in_folder("a.npy"), 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (10, 4), }",
            g_attributes, sizeof g_attributes);
    snprintf(text, size, "att=%s", in_folder("a.npy"));
    semantics[0] = text;
    unseen_import_options_init(o, sizeof *o);
    o->features = in_folder("x.npy");
    o->labels = in_folder("y.npy");
    o->semantics = semantics;
    o->semantics_count = 1;
}

static void arrays_are_imported(void **state) {
    (void)state;
    unseen_import_options o;
    unseen_dataset *data = NULL;
    const char *semantics[1], *path = in_folder("data");
    char text[500], *json = NULL;
    const int64_t one = 7;
    float row[F];
    put_arrays(&o, semantics, text, sizeof text);
    o.unseen_count = 3;
    o.features_name = "made";
    util_ok(unseen_import("arrays", path, &o));
    util_ok(unseen_dataset_open(path, &data));
    assert_int_equal(unseen_dataset_image_count(data), N);
    size_t unseen_classes = 0;
    for (size_t k = 0; k < C; k++) unseen_classes += unseen_dataset_class_seen(data, k) == 0;
    assert_int_equal(unseen_classes, 3);
    util_ok(unseen_dataset_features(data, "made", &one, 1, row));
    assert_memory_equal(row, g_features + 7 * F, sizeof row);
    unseen_dataset_close(data);
    util_ok(unseen_inspect(path, &json));
    assert_non_null(strstr(json, "\"kind\":\"data set\""));
    assert_non_null(strstr(json, "\"shape\":[60,1,3]"));
    unseen_free(json);
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, path);
}

static void what_a_format_lacks_or_needs_is_said(void **state) {
    (void)state;
    unseen_import_options o;
    const char *semantics[1], *path = in_folder("none");
    char text[500];
    put_arrays(&o, semantics, text, sizeof text);
    util_fails(unseen_import("arays", path, &o), UNSEEN_E_ARGUMENT, "xlsa17, region-maps");
    util_fails(unseen_import("arrays", path, NULL), UNSEEN_E_ARGUMENT, "needs features");
    util_fails(unseen_import("cub", path, &o), UNSEEN_E_ARGUMENT, "needs source");
    o.source = g_folder;
    util_fails(unseen_import("cub", path, &o), UNSEEN_E_ARGUMENT, "no use for features");
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "no use for source");
    o.source = NULL;
    o.dtype = "f16";
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "f16");
    o.unseen_count = -2;
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "-2");
    o.unseen_count = -1;
    o.dtype = NULL;
    o.scale = "metres";
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "metres");
    o.scale = NULL;
    o.orientation = (unseen_orientation)9;
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "orientation");
    o.orientation = UNSEEN_ORIENTATION_MODEL;
    o.unseen_count = -2;
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "unseen_count must be");
    o.unseen_count = PTRDIFF_MAX;
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "unseen");
    o.unseen_count = -1;
    semantics[0] = "att";
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "NAME=FILE");
    unseen_import_options birds;
    unseen_import_options_init(&birds, sizeof birds);
    birds.images_per_class = SIZE_MAX;
    util_fails(unseen_import("tinybirds", path, &birds), UNSEEN_E_ARGUMENT, "images of a class");
    birds.images_per_class = 5;
    birds.image_size = SIZE_MAX;
    util_fails(unseen_import("tinybirds", path, &birds), UNSEEN_E_ARGUMENT, "pixels a side");
    o.semantics = NULL;
    util_fails(unseen_import("arrays", path, &o), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_import("arrays", NULL, &o), UNSEEN_E_ARGUMENT, "NULL");
    assert_false(un_path_exists(path));
}

static void no_class_is_unseen(void **state) {
    (void)state;
    unseen_import_options o;
    unseen_dataset *data = NULL;
    const char *semantics[1];
    const int64_t *images = NULL;
    char text[500];
    size_t n = 1;
    put_arrays(&o, semantics, text, sizeof text);
    o.unseen = " ";
    util_ok(unseen_import("arrays", in_folder("all seen"), &o));
    util_ok(unseen_dataset_open(in_folder("all seen"), &data));
    util_ok(unseen_dataset_split(data, UNSEEN_TEST_UNSEEN, &images, &n));
    assert_int_equal(n, 0);
    unseen_dataset_close(data);
}

static void birds_are_drawn(void **state) {
    (void)state;
    unseen_import_options o;
    unseen_dataset *data = NULL;
    const float *vectors = NULL;
    size_t width = 0;
    unseen_import_options_init(&o, sizeof o);
    o.images_per_class = 5;
    o.image_size = 64;
    util_ok(unseen_import("tinybirds", in_folder("birds"), &o));
    util_ok(unseen_dataset_open(in_folder("birds"), &data));
    assert_int_equal(unseen_dataset_image_count(data), 300);
    assert_true(un_path_exists(unseen_dataset_image_folder(data)));
    util_ok(unseen_dataset_words(data, "att", &vectors, &width));
    assert_true(vectors && width > 0);
    unseen_dataset_close(data);
}

/* ---- word vectors ---- */

static void words_are_added_in_memory_and_kept(void **state) {
    (void)state;
    static const char *const names[A] = {"red wing", "red beak", "long tail", "webbed foot"};
    unseen_arrays a;
    unseen_words_options o;
    unseen_dataset *data = NULL, *opened = NULL;
    const float *vectors = NULL, *kept = NULL;
    size_t width = 1, same = 0;
    fill();
    unseen_arrays_init(&a, sizeof a);
    a.image_count = N;
    a.width = F;
    a.features = g_features;
    a.labels = g_labels;
    a.class_count = C;
    a.attribute_count = A;
    a.class_attributes = g_attributes;
    a.attribute_names = names;
    util_ok(unseen_dataset_from_arrays(&a, &data));
    util_ok(unseen_dataset_words(data, "att", &vectors, &width));
    assert_null(vectors);
    assert_int_equal(width, 0);
    util_fails(unseen_dataset_words(data, "sent", &vectors, &width), UNSEEN_E_ARGUMENT, "sent");
    util_ok(unseen_dataset_add_words(data, "builtin:words", NULL));
    util_ok(unseen_dataset_words(data, "att", &vectors, &width));
    assert_int_equal(width, 300);
    util_ok(unseen_dataset_save(data, in_folder("saved")));
    util_ok(unseen_dataset_open(in_folder("saved"), &opened));
    util_ok(unseen_dataset_words(opened, "att", &kept, &same));
    assert_int_equal(same, width);
    assert_memory_equal(kept, vectors, A * width * sizeof *kept);

    /* A file of vectors, to one description of an opened data set, whose directory has them then. */
    static const char glove[] = "red 1 2\nlong 3 4\nfoot 5 6\n";
    static const char *const some[] = {"original_att"};
    write_bytes(in_folder("glove.txt"), glove, sizeof glove - 1);
    unseen_words_options_init(&o, sizeof o);
    o.semantics = some;
    o.semantics_count = 1;
    util_ok(unseen_dataset_add_words(opened, in_folder("glove.txt"), &o));
    unseen_dataset_close(opened);
    util_ok(unseen_dataset_open(in_folder("saved"), &opened));
    util_ok(unseen_dataset_words(opened, "original_att", &kept, &same));
    assert_int_equal(same, 2);
    assert_memory_equal(kept, ((const float[]){1, 2, 1, 2, 3, 4, 5, 6}), 8 * sizeof *kept);
    util_ok(unseen_dataset_words(opened, "att", &kept, &same));
    assert_int_equal(same, 300);

    /* What fails leaves all as it was. */
    static const char other[] = "whale 1 2 3\n";
    write_bytes(in_folder("other.txt"), other, sizeof other - 1);
    util_fails(unseen_dataset_add_words(opened, in_folder("other.txt"), NULL), UNSEEN_E_FORMAT,
               "other.txt");
    util_ok(unseen_dataset_words(opened, "att", &kept, &same));
    assert_int_equal(same, 300);
    o.semantics = NULL;
    util_fails(unseen_dataset_add_words(opened, "builtin:words", &o), UNSEEN_E_ARGUMENT, "NULL");
    util_fails(unseen_dataset_add_words(opened, NULL, NULL), UNSEEN_E_ARGUMENT, "NULL");
    unseen_dataset_close(opened);
    unseen_dataset_close(data);
}

static void what_is_no_file_of_ours_is_refused(void **state) {
    (void)state;
    char *json = NULL;
    write_bytes(in_folder("poem"), "roses are red", 13);
    util_fails(unseen_inspect(in_folder("poem"), &json), UNSEEN_E_FORMAT, "poem");
    util_fails(unseen_inspect(in_folder("nowhere"), &json), UNSEEN_E_IO, "nowhere");
    util_fails(unseen_inspect(NULL, &json), UNSEEN_E_ARGUMENT, "NULL");
    assert_null(json);
    unseen_free(NULL);
}

#define IN_FOLDER(TEST) cmocka_unit_test_setup_teardown(TEST, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {IN_FOLDER(arrays_are_imported),
                                       IN_FOLDER(what_a_format_lacks_or_needs_is_said),
                                       IN_FOLDER(no_class_is_unseen),
                                       IN_FOLDER(birds_are_drawn),
                                       IN_FOLDER(words_are_added_in_memory_and_kept),
                                       IN_FOLDER(what_is_no_file_of_ours_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
