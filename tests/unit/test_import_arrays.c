/* test_import_arrays.c - the import of arrays: layouts, labels, semantics, what is refused. */
#include "unit/data_sample.h"

#include "data/check/check.h"
#include "data/features.h"
#include "unit/npy_writer.h"

static un_arrays_options prepare_arrays(void) {
    static const un_named_path semantics = {"att", NULL};
    static un_named_path named;
    static char features[400];
    static char labels[400];
    static char att[400];
    static char output[400];
    static char splits[400];
    package p = make_package();
    int64_t numbers[N];
    snprintf(features, sizeof features, "%s/f.npy", g_folder);
    snprintf(labels, sizeof labels, "%s/l.npy", g_folder);
    snprintf(att, sizeof att, "%s/a.npy", g_folder);
    snprintf(output, sizeof output, "%s/out", g_folder);
    snprintf(splits, sizeof splits, "%s/s.json", g_folder);
    for (size_t i = 0; i < N; i++) numbers[i] = (int64_t)p.labels[i] - 1;
    put_npy(features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (80, 6)}", p.features,
            sizeof p.features);
    put_npy(labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            sizeof numbers);
    put_npy(att, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (8, 4)}", p.att,
            sizeof p.att);
    write_text(splits, "{\"classes\": [\"ant\", \"bee\", \"cat\", \"dog\", \"elk\", \"fox\", "
                       "\"gnu\", \"hen\"], \"unseen\": [\"fox\", \"hen\"]}");
    assert_int_equal(un_directory_remove(output), UNSEEN_OK);
    named = semantics;
    named.path = att;
    return (un_arrays_options){.features = features,
                               .labels = labels,
                               .semantics = &named,
                               .semantics_count = 1,
                               .split = {.file = splits, .seed = 1},
                               .dtype = UN_F32,
                               .output = output};
}

static void test_import_arrays(void **state) {
    (void)state;
    package p = make_package();
    un_arrays_options options = prepare_arrays();
    un_dataset d;
    un_features f;
    if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
        fail_msg("%s", un_error());
    assert_int_equal(d.image_count, N);
    assert_string_equal(d.classes[5], "fox");
    assert_null(d.images);
    assert_int_equal(d.labels[9], 1);
    assert_int_equal(d.test_unseen.count, 2 * PER_CLASS);
    assert_int_equal(d.test_seen.count, 6 * 2);
    assert_int_equal(d.semantics_count, 2);
    assert_string_equal(d.semantics[1].name, "original_att");
    for (size_t k = 0; k < C * A; k++) assert_true(d.semantics[1].values[k] == (float)p.att[k]);
    assert_int_equal(un_features_open(&f, options.output, "f"), UNSEEN_OK);
    assert_int_equal(f.regions, 1);
    assert_memory_equal(f.data, p.features, sizeof p.features);
    un_features_close(&f);
    un_dataset_close(&d);
    json_t *report = NULL;
    assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
    assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
    json_decref(report);
    /* Regions, and a table with its rows in another order. */
    options = prepare_arrays();
    un_named_path table = {"att", in_folder("t.csv")};
    write_text(table.path, "c,x,y\nhen,8,1\ngnu,7,2\nfox,6,3\nelk,5,4\ndog,4,1\ncat,3,2\nbee,2,3\n"
                           "ant,1,9\nzebra,0,1\n");
    options.semantics = &table;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': True, 'shape': (80, 1, 2, 3)}",
            p.features, sizeof p.features);
    options.features_name = "maps";
    if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
        fail_msg("%s", un_error());
    assert_string_equal(d.semantics[0].attributes[1], "y");
    assert_true(d.semantics[1].values[0] == 1 && d.semantics[1].values[14] == 8);
    assert_int_equal(un_features_open(&f, options.output, "maps"), UNSEEN_OK);
    assert_int_equal(f.regions, 2);
    assert_int_equal(f.grid_width, 2);
    assert_int_equal(f.width, 3);
    un_features_close(&f);
    un_dataset_close(&d);
    /* Without names and without a split. */
    options = prepare_arrays();
    options.split.file = NULL;
    if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
        fail_msg("%s", un_error());
    assert_string_equal(d.classes[7], "class_008");
    un_dataset_close(&d);
}

/* A row of attributes for each image is no row for each class: the mean of a class's images is. */
static void test_semantics_of_images(void **state) {
    (void)state;
    static const char header[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (80, 2)}";
    double rows[N][2];
    for (size_t i = 0; i < N; i++) { /* image i has class i mod 8 */
        rows[i][0] = 0.1 * (double)(i % C);
        rows[i][1] = (double)(i % C) + (i < N / 2 ? 0.5 : -0.5);
    }
    for (int named = 0; named < 2; named++) {
        un_arrays_options options = prepare_arrays();
        un_dataset d;
        if (!named) options.split.file = NULL;
        put_npy(options.semantics[0].path, 1, header, rows, sizeof rows);
        if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
            fail_msg("%s", un_error());
        assert_int_equal(d.class_count, C);
        const un_semantics *s = un_dataset_semantics(&d, "original_att");
        for (size_t c = 0; c < C; c++) {
            assert_true(s->values[2 * c] == (float)(0.1 * (double)c)); /* equal rows: their value */
            assert_true(fabs((double)s->values[2 * c + 1] - (double)c) < 1e-6);
        }
        int told = 0;
        for (size_t i = 0; i < json_array_size(d.notes); i++)
            told |=
                strstr(json_string_value(json_array_get(d.notes, i)),
                       "a row for each of the 80 images, not for each of the 8 classes") != NULL;
        assert_true(told);
        un_dataset_close(&d);
    }
    un_arrays_options options = prepare_arrays();
    rows[11][1] = NAN;
    put_npy(options.semantics[0].path, 1, header, rows, sizeof rows);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "row 11, column 1 is not a finite");
    /* Unknown for one image: the class has what its others have. */
    char *const unknown[] = {"nan"};
    un_dataset d;
    options.values.unknown = unknown;
    options.values.unknown_count = 1;
    if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
        fail_msg("%s", un_error());
    un_dataset_close(&d);
    options = prepare_arrays();
    options.names = in_folder("nine.txt");
    options.split.file = NULL;
    write_text(options.names, "a\nb\nc\nd\ne\nf\ng\nh\ni\n");
    put_npy(options.semantics[0].path, 1, header, rows, sizeof rows);
    options.values.unknown = unknown;
    options.values.unknown_count = 1;
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "class \"i\" has no image");
    options = prepare_arrays();
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 8)}", rows, 4 * 8 * 8);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "transpose it");
}

/* The features of an image are (position y, x; channel f): 100 y + 10 x + f, plus the image. */
static void put_maps(const char *path, const char *shape, const size_t dims[3], int first) {
    static float data[80 * 400];
    size_t h = dims[0], w = dims[1], channels = dims[2], n = 0;
    char header[128];
    assert_true(h * w * channels <= 400);
    for (size_t i = 0; i < 80; i++)
        for (size_t e = 0; e < h * w * channels; e++) {
            size_t f = first ? e / (h * w) : e % channels;
            size_t at = first ? e % (h * w) : e / channels;
            data[n++] = (float)(1000 * i + 100 * (at / w) + 10 * (at % w) + f);
        }
    snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (80, %s)}",
             shape);
    put_npy(path, 1, header, data, n * sizeof *data);
}

static void test_layouts(void **state) {
    (void)state;
    static const struct {
        const char *shape;
        size_t dims[3]; /* h, w, channels */
        int first;
        un_layout layout;
        const char *note;
    } maps[] = {
        {"3, 3, 8", {3, 3, 8}, 0, UN_LAYOUT_AUTO, NULL},
        {"8, 3, 3", {3, 3, 8}, 1, UN_LAYOUT_AUTO, "option layout nhwc"},
        {"2, 3, 3", {3, 3, 2}, 1, UN_LAYOUT_AUTO, "option layout nhwc"},
        {"32, 2, 3", {2, 3, 32}, 1, UN_LAYOUT_AUTO, "80 x 32 x 2 x 3"},
        {"2, 3, 32", {2, 3, 32}, 0, UN_LAYOUT_AUTO, NULL},
        {"4, 4, 4", {4, 4, 4}, 0, UN_LAYOUT_AUTO, NULL},
        {"4, 4, 4", {4, 4, 4}, 1, UN_LAYOUT_NCHW, NULL},
        {"8, 3, 3", {8, 3, 3}, 0, UN_LAYOUT_NHWC, NULL}, /* told: no guess */
        {"6, 8", {1, 6, 8}, 0, UN_LAYOUT_AUTO, NULL},
        {"8, 6", {1, 6, 8}, 1, UN_LAYOUT_NCHW, NULL},
        {"64, 4", {1, 64, 4}, 0, UN_LAYOUT_AUTO, "option layout nchw"},
    };
    for (size_t k = 0; k < sizeof maps / sizeof *maps; k++) {
        un_arrays_options options = prepare_arrays();
        un_dataset d;
        un_features f;
        float row[400];
        const size_t *dims = maps[k].dims;
        int noted = 0;
        put_maps(options.features, maps[k].shape, dims, maps[k].first);
        options.layout = maps[k].layout;
        if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
            fail_msg("%s", un_error());
        for (size_t i = 0; i < json_array_size(d.notes); i++) {
            const char *text = json_string_value(json_array_get(d.notes, i));
            noted |= strstr(text, maps[k].note ? maps[k].note : "option layout") != NULL;
        }
        assert_int_equal(noted, maps[k].note != NULL);
        assert_int_equal(un_features_open(&f, options.output, "f"), UNSEEN_OK);
        assert_int_equal(f.width, dims[2]);
        assert_int_equal(f.regions, dims[0] * dims[1]);
        assert_int_equal(f.grid_height, dims[0]);
        assert_int_equal(f.grid_width, dims[1]);
        un_features_gather_f32(&f, &(int64_t){79}, 1, row);
        for (size_t at = 0; at < dims[0] * dims[1]; at++)
            for (size_t c = 0; c < dims[2]; c++)
                assert_true(row[at * dims[2] + c] ==
                            (float)(79000 + 100 * (at / dims[1]) + 10 * (at % dims[1]) + c));
        un_features_close(&f);
        un_dataset_close(&d);
    }
    un_layout layout = UN_LAYOUT_AUTO;
    util_fails(un_layout_parse("nhcw", &layout), UNSEEN_E_ARGUMENT, "auto, nhwc or nchw");
}

/* Labels in a row; JSON with a BOM; one-hot labels and lists of JSON are called by their names. */
static void test_habits(void **state) {
    (void)state;
    un_arrays_options options = prepare_arrays();
    package p = make_package();
    int64_t numbers[N * C] = {0};
    un_dataset d;
    for (size_t i = 0; i < N; i++) numbers[i] = (int64_t)p.labels[i] - 1;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 80)}",
            numbers, N * sizeof *numbers);
    write_text(options.split.file, "\xEF\xBB\xBF{\"unseen\": [\"class_008\"]}");
    if (un_import_arrays(&options) || un_dataset_open(&d, options.output))
        fail_msg("%s", un_error());
    for (size_t i = 0; i < N; i++) assert_int_equal(d.labels[i], i % C);
    assert_int_equal(d.test_unseen.count, PER_CLASS);
    un_dataset_close(&d);
    options = prepare_arrays();
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80, 8)}",
            numbers, sizeof numbers);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "labels.argmax(axis=1)");
    /* The other way round, in features and in semantics. */
    options = prepare_arrays();
    options.split.file = NULL;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 80)}",
            p.features, sizeof p.features);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT,
               "transposed: one row must be one image");
    options = prepare_arrays();
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 8)}", p.att, sizeof p.att);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "it has as many columns: transpose it");
    options.split.file = NULL; /* nothing names the classes, but the labels count them */
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "it seems to be transposed");
    double tall[12 * C] = {0};
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (12, 8)}", tall, sizeof tall);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "it seems to be transposed");
    /* Infinite features, negative labels. */
    options = prepare_arrays();
    p.features[9] = INFINITY;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (80, 6)}",
            p.features, sizeof p.features);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "feature 3 of image 1 is infinite");
    options = prepare_arrays();
    numbers[3] = -1;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            N * sizeof *numbers);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT,
               "label 3 is -1; labels are whole numbers");
    options = prepare_arrays();
    write_text(options.split.file, "{\"trainval\": [0], \"test_seen\": [0], \"test_unseen\": [5]}");
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT,
               "image 0 is in both trainval and test_seen");
    write_text(options.split.file, "{\"trainval\": [0], \"test_seen\": [1], \"test_unseen\": [8]}");
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT,
               "class \"class_001\" has images in both trainval and test_unseen");
    assert_int_equal(un_file_write(options.split.file, "\xFF\xFE{\0\"\0", 6), UNSEEN_OK);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "save it as UTF-8");
}

static void test_import_refusals(void **state) {
    (void)state;
    un_arrays_options options = prepare_arrays();
    float nothing[80 * 6] = {0};
    int64_t numbers[80] = {0};
    numbers[3] = 8;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            sizeof numbers);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT,
               "label 3 is 8; labels are whole numbers");
    assert_null(strstr(un_error(), "1-based")); /* for there are 0s */
    for (size_t i = 0; i < N; i++) numbers[i] = (int64_t)(i % C) + 1;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            sizeof numbers);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "are they 1-based?");
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (79,)}", numbers,
            79 * 8);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "79 labels for the 80 rows");
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (40, 2)}",
            numbers, sizeof numbers);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "one column");
    options = prepare_arrays();
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (480,)}",
            nothing, sizeof nothing);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "(N, F)");
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 6)}",
            nothing, 0);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "is empty");
    nothing[7] = NAN;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (80, 6)}",
            nothing, sizeof nothing);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "feature 1 of image 1 is not a number");
    options = prepare_arrays();
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 4)}", nothing, 7 * 4 * 4);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "7 rows for 8 classes");
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 4)}", nothing, 8 * 4 * 4);
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "row 1, column 3 is not a finite");
    options = prepare_arrays();
    un_named_path table = {"att", in_folder("t.csv")};
    write_text(table.path, "c,x\nant,1\n");
    options.semantics = &table;
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "no row for class \"bee\"");
    write_text(table.path, "x,ant,bee,cat,dog,elk,fox,gnu,hen\na,1,2,3,4,5,6,7,8\n");
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "it seems to be transposed");
    options = prepare_arrays();
    options.names = in_folder("names.txt");
    write_text(options.names, "ant\nbee\ncat\ndog\nelk\nfox\nfox\nhen\n");
    util_fails(un_import_arrays(&options), UNSEEN_E_FORMAT, "both called \"fox\"");
    assert_false(un_path_exists(in_folder("out")));
    assert_false(un_path_exists(in_folder("out.partial")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_import_arrays), cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_habits), cmocka_unit_test(test_semantics_of_images),
        cmocka_unit_test(test_import_refusals)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
