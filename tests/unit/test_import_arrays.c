/* test_import_arrays.c - NumPy files as bytes, archives, and the import of arrays. */
#include "unit/data_sample.h"

#include <zip.h>

#include "data/check/check.h"
#include "data/features.h"
#include "data/readers/array_file.h"
#include "data/readers/import.h"
#include "tensor/safetensors.h"

/* A .npy file in memory; `header` is the dictionary. */
static size_t make_npy(unsigned char *out, int version, const char *header, const void *data,
                       size_t bytes) {
    size_t prefix = version == 1 ? 10 : 12;
    size_t length = (prefix + strlen(header) + 1 + 63) / 64 * 64 - prefix;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    for (size_t k = 8; k < prefix; k++) out[k] = (unsigned char)(length >> (8 * (k - 8)));
    memset(out + prefix, ' ', length);
    memcpy(out + prefix, header, strlen(header));
    out[prefix + length - 1] = '\n';
    memcpy(out + prefix + length, data, bytes);
    return prefix + length + bytes;
}

static void put_npy(const char *path, int version, const char *header, const void *data,
                    size_t bytes) {
    unsigned char *file = malloc(bytes + 4096);
    assert_non_null(file);
    assert_int_equal(un_file_write(path, file, make_npy(file, version, header, data, bytes)),
                     UNSEEN_OK);
    free(file);
}

static void open_array(un_array *a, const char *spec) {
    if (un_array_open(a, spec, g_folder)) fail_msg("%s", un_error());
}

/* ---- element types and orders ---- */

/* The values 0, 1, 2, 3, 4, 5 as each type, in both byte orders. */
static void test_types(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t size;
        unsigned char one[8], five[8]; /* big-endian */
    } types[] = {
        {"i1", 1, {1}, {5}},
        {"u1", 1, {1}, {5}},
        {"i2", 2, {0, 1}, {0, 5}},
        {"u2", 2, {0, 1}, {0, 5}},
        {"i4", 4, {0, 0, 0, 1}, {0, 0, 0, 5}},
        {"u4", 4, {0, 0, 0, 1}, {0, 0, 0, 5}},
        {"i8", 8, {0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 5}},
        {"u8", 8, {0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 5}},
        {"f2", 2, {0x3C, 0}, {0x45, 0}},
        {"f4", 4, {0x3F, 0x80}, {0x40, 0xA0}},
        {"f8", 8, {0x3F, 0xF0}, {0x40, 0x14}},
    };
    const char *path = in_folder("x.npy");
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (int version = 1; version <= 3; version++)
            for (int little = 0; little < 2; little++) {
                unsigned char data[16];
                char header[128];
                un_array a;
                double got[2];
                float floats[2];
                size_t n = types[t].size;
                for (size_t k = 0; k < n; k++) {
                    data[little ? n - 1 - k : k] = types[t].one[k];
                    data[n + (little ? n - 1 - k : k)] = types[t].five[k];
                }
                snprintf(header, sizeof header,
                         "{'descr': '%c%s', 'fortran_order': False, 'shape': (2,), }",
                         n == 1   ? '|'
                         : little ? '<'
                                  : '>',
                         types[t].name);
                put_npy(path, version, header, data, 2 * n);
                open_array(&a, path);
                assert_int_equal(a.rows, 2);
                assert_int_equal(a.width, 1);
                un_array_read_f64(&a, 0, 2, got);
                un_array_read_f32(&a, 1, 1, floats);
                assert_true(got[0] == 1 && got[1] == 5 && floats[0] == 5);
                un_array_close(&a);
            }
}

/* Element (i, j, k) of a (4, 3, 2) array is 100 i + 10 j + k, in both orders. */
static void test_orders(void **state) {
    (void)state;
    const char *path = in_folder("x.npy");
    for (int fortran = 0; fortran < 2; fortran++) {
        float data[24];
        float got[12];
        char header[128];
        un_array a;
        for (size_t i = 0; i < 4; i++)
            for (size_t j = 0; j < 3; j++)
                for (size_t k = 0; k < 2; k++)
                    data[fortran ? i + 4 * (j + 3 * k) : (i * 3 + j) * 2 + k] =
                        (float)(100 * i + 10 * j + k);
        snprintf(header, sizeof header,
                 "{\"shape\": (4, 3L, 2), \"descr\": \"<f4\", \"fortran_order\": %s}",
                 fortran ? "True" : "False");
        put_npy(path, 1, header, data, sizeof data);
        open_array(&a, path);
        assert_int_equal(a.rank, 3);
        assert_int_equal(a.width, 6);
        un_array_read_f32(&a, 2, 2, got);
        for (size_t e = 0; e < 12; e++)
            assert_true(got[e] == (float)(100 * (2 + e / 6) + 10 * (e / 2 % 3) + e % 2));
        un_array_close(&a);
    }
}

static void test_damaged_npy(void **state) {
    (void)state;
    static const struct {
        const char *header, *why;
        un_status status;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "12 bytes, 8 follow", 2},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "4 bytes, 8 follow", 2},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (), }", "single number", 2},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", "Python objects", 5},
        {"{'descr': '<U7', 'fortran_order': False, 'shape': (2,), }", "numpy.unique", 5},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "real numbers", 5},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", "real numbers", 5},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,)}", "records", 5},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2), }",
         "more than 8 dimensions", 5},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,), }",
         "too large", 2},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
         "overflows", 2},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "no number", 2},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", "True or False", 2},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': [2], }", "no tuple", 2},
        {"{'descr': '<f4', 'fortran_order': False, }", "is missing", 2},
        {"{'descr': '<f4', 'x': False, 'shape': (2,)}", "NumPy does not write", 2},
        {"{'descr': '<f4", "too long", 2},
        {"[]", "no dictionary", 2},
        {"", "no dictionary", 2},
    };
    float data[2] = {1, 2};
    const char *path = in_folder("x.npy");
    un_array a;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_npy(path, 1, bad[i].header, data, sizeof data);
        expect(un_array_open(&a, path, g_folder), bad[i].status, bad[i].why);
    }
    put_npy(path, 4, bad[0].header, data, sizeof data);
    expect(un_array_open(&a, path, g_folder), UNSEEN_E_UNSUPPORTED, "version 4");
    /* Cut at every length; every byte of the head changed. */
    unsigned char file[512];
    size_t size = make_npy(file, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
                           data, sizeof data);
    for (size_t n = 0; n < size; n++) {
        assert_int_equal(un_file_write(path, file, n), UNSEEN_OK);
        assert_int_not_equal(un_array_open(&a, path, g_folder), UNSEEN_OK);
    }
    for (size_t i = 0; i < size - sizeof data; i++)
        for (int bit = 0; bit < 8; bit++) {
            file[i] = (unsigned char)(file[i] ^ (1u << bit));
            assert_int_equal(un_file_write(path, file, size), UNSEEN_OK);
            if (un_array_open(&a, path, g_folder) == UNSEEN_OK) un_array_close(&a);
            file[i] = (unsigned char)(file[i] ^ (1u << bit));
        }
}

/* ---- archives and safetensors ---- */

static void put_npz(const char *path, int packed, const char *const *names, size_t count,
                    const unsigned char *file, size_t size) {
    int code = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    assert_non_null(zip);
    for (size_t i = 0; i < count; i++) {
        zip_source_t *source = zip_source_buffer(zip, file, size, 0);
        zip_int64_t index = zip_file_add(zip, names[i], source, 0);
        assert_true(index >= 0);
        zip_set_file_compression(zip, (zip_uint64_t)index, packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE,
                                 0);
    }
    assert_int_equal(zip_close(zip), 0);
}

static void test_archives(void **state) {
    (void)state;
    enum { ROWS = 100000 };
    static const char *const names[] = {"features.npy", "odd:name.npy"};
    unsigned char *file = malloc(ROWS * 4 + 256);
    int32_t *data = malloc(ROWS * 4);
    const char *path = in_folder("x.npz");
    char spec[512];
    un_array a;
    assert_true(file && data);
    for (int32_t i = 0; i < ROWS; i++) data[i] = i;
    size_t size =
        make_npy(file, 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (100000, 1)}", data,
                 (size_t)ROWS * 4);
    for (int packed = 0; packed < 2; packed++) {
        double got = 0;
        put_npz(path, packed, names, 2, file, size);
        expect(un_array_open(&a, path, g_folder), UNSEEN_E_ARGUMENT, "holds 2 arrays");
        snprintf(spec, sizeof spec, "%s:none", path);
        expect(un_array_open(&a, spec, g_folder), UNSEEN_E_ARGUMENT, "no array \"none\"");
        snprintf(spec, sizeof spec, "%s:features", path);
        open_array(&a, spec);
        un_array_read_f64(&a, ROWS - 1, 1, &got);
        assert_true(got == ROWS - 1);
        un_array_close(&a);
        put_npz(path, packed, names, 1, file, size);
        open_array(&a, path);
        assert_int_equal(a.rows, ROWS);
        un_array_close(&a);
        /* A changed byte in the data is a wrong checksum. */
        char *bytes = NULL;
        size_t length = 0;
        assert_int_equal(un_file_read(path, 1 << 24, &bytes, &length), UNSEEN_OK);
        bytes[length / 2] = (char)(bytes[length / 2] ^ 1);
        assert_int_equal(un_file_write(path, bytes, length), UNSEEN_OK);
        expect(un_array_open(&a, path, g_folder), UNSEEN_E_FORMAT, "archive");
        bytes[length / 2] = (char)(bytes[length / 2] ^ 1);
        for (size_t n = 0; n < length; n += length / 60 + 1) {
            assert_int_equal(un_file_write(path, bytes, n), UNSEEN_OK);
            assert_int_not_equal(un_array_open(&a, path, g_folder), UNSEEN_OK);
        }
        /* Heads and directory, byte by byte. */
        for (size_t k = 0; k < 160; k++) {
            size_t at = k < 80 ? k : length - 1 - (k - 80);
            bytes[at] = (char)(bytes[at] ^ 0x21);
            assert_int_equal(un_file_write(path, bytes, length), UNSEEN_OK);
            if (un_array_open(&a, path, g_folder) == UNSEEN_OK) un_array_close(&a);
            bytes[at] = (char)(bytes[at] ^ 0x21);
        }
        free(bytes);
    }
    /* A header that promises more than the archive has. */
    size = make_npy(file, 1, "{'descr': '<i4', 'fortran_order': False, 'shape': (9000000,)}", data,
                    64);
    put_npz(path, 1, names, 1, file, size);
    expect(un_array_open(&a, path, g_folder), UNSEEN_E_FORMAT, "it is damaged");
    free(file);
    free(data);
}

static void test_tensors(void **state) {
    (void)state;
    const char *path = in_folder("x.safetensors");
    const size_t shape[2] = {2, 2};
    const float values[4] = {1, 2, 3, 4};
    char spec[512];
    un_st_writer *writer = NULL;
    un_array a;
    float got[2];
    assert_int_equal(un_st_writer_open(&writer, path), UNSEEN_OK);
    assert_int_equal(un_st_writer_add(writer, "a", UN_F32, 2, shape), UNSEEN_OK);
    assert_int_equal(un_st_writer_add(writer, "b", UN_F32, 2, shape), UNSEEN_OK);
    assert_int_equal(un_st_writer_begin(writer), UNSEEN_OK);
    for (size_t t = 0; t < 2; t++)
        assert_int_equal(un_st_writer_write(writer, t, 0, values, sizeof values), UNSEEN_OK);
    assert_int_equal(un_st_writer_commit(writer), UNSEEN_OK);
    expect(un_array_open(&a, path, g_folder), UNSEEN_E_ARGUMENT, "holds 2 tensors");
    snprintf(spec, sizeof spec, "%s:c", path);
    expect(un_array_open(&a, spec, g_folder), UNSEEN_E_ARGUMENT, "no tensor \"c\"");
    snprintf(spec, sizeof spec, "%s:b", path);
    open_array(&a, spec);
    un_array_read_f32(&a, 1, 1, got);
    assert_true(got[0] == 3 && got[1] == 4);
    un_array_close(&a);
    expect(un_array_open(&a, "no/such.npy", g_folder), UNSEEN_E_IO, "no/such.npy");
}

/* ---- the import ---- */

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
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "row 11, column 1 is not a finite");
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
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "class \"i\" has no image");
    options = prepare_arrays();
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 8)}", rows, 4 * 8 * 8);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "transpose it");
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
        {"8, 3, 3", {3, 3, 8}, 1, UN_LAYOUT_AUTO, "--layout nhwc"},
        {"2, 3, 3", {3, 3, 2}, 1, UN_LAYOUT_AUTO, "--layout nhwc"},
        {"32, 2, 3", {2, 3, 32}, 1, UN_LAYOUT_AUTO, "80 x 32 x 2 x 3"},
        {"2, 3, 32", {2, 3, 32}, 0, UN_LAYOUT_AUTO, NULL},
        {"4, 4, 4", {4, 4, 4}, 0, UN_LAYOUT_AUTO, NULL},
        {"4, 4, 4", {4, 4, 4}, 1, UN_LAYOUT_NCHW, NULL},
        {"8, 3, 3", {8, 3, 3}, 0, UN_LAYOUT_NHWC, NULL}, /* told: no guess */
        {"6, 8", {1, 6, 8}, 0, UN_LAYOUT_AUTO, NULL},
        {"8, 6", {1, 6, 8}, 1, UN_LAYOUT_NCHW, NULL},
        {"64, 4", {1, 64, 4}, 0, UN_LAYOUT_AUTO, "--layout nchw"},
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
            noted |= strstr(text, maps[k].note ? maps[k].note : "--layout") != NULL;
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
    expect(un_layout_parse("nhcw", &layout), UNSEEN_E_ARGUMENT, "auto, nhwc or nchw");
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
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "labels.argmax(axis=1)");
    /* The other way round, in features and in semantics. */
    options = prepare_arrays();
    options.split.file = NULL;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 80)}",
            p.features, sizeof p.features);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "transposed: one row must be one image");
    options = prepare_arrays();
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4, 8)}", p.att, sizeof p.att);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "it has as many columns: transpose it");
    options.split.file = NULL; /* nothing names the classes, but the labels count them */
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "it seems to be transposed");
    double tall[12 * C] = {0};
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f8', 'fortran_order': False, 'shape': (12, 8)}", tall, sizeof tall);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "it seems to be transposed");
    /* Infinite features, negative labels. */
    options = prepare_arrays();
    p.features[9] = INFINITY;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (80, 6)}",
            p.features, sizeof p.features);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "feature 3 of image 1 is infinite");
    options = prepare_arrays();
    numbers[3] = -1;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            N * sizeof *numbers);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "label 3 is -1; labels are whole numbers");
    options = prepare_arrays();
    write_text(options.split.file, "{\"trainval\": [0], \"test_seen\": [0], \"test_unseen\": [5]}");
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT,
           "image 0 is in both trainval and test_seen");
    write_text(options.split.file, "{\"trainval\": [0], \"test_seen\": [1], \"test_unseen\": [8]}");
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT,
           "class \"class_001\" has images in both trainval and test_unseen");
    assert_int_equal(un_file_write(options.split.file, "\xFF\xFE{\0\"\0", 6), UNSEEN_OK);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "save it as UTF-8");
}

static void test_import_refusals(void **state) {
    (void)state;
    un_arrays_options options = prepare_arrays();
    float nothing[80 * 6] = {0};
    int64_t numbers[80] = {0};
    numbers[3] = 8;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            sizeof numbers);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "label 3 is 8; labels are whole numbers");
    assert_null(strstr(un_error(), "1-based")); /* for there are 0s */
    for (size_t i = 0; i < N; i++) numbers[i] = (int64_t)(i % C) + 1;
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (80,)}", numbers,
            sizeof numbers);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "are they 1-based?");
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (79,)}", numbers,
            79 * 8);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "79 labels for the 80 rows");
    put_npy(options.labels, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (40, 2)}",
            numbers, sizeof numbers);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "one column");
    options = prepare_arrays();
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (480,)}",
            nothing, sizeof nothing);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "(N, F)");
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 6)}",
            nothing, 0);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "is empty");
    nothing[7] = NAN;
    put_npy(options.features, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (80, 6)}",
            nothing, sizeof nothing);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "feature 1 of image 1 is not a number");
    options = prepare_arrays();
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (7, 4)}", nothing, 7 * 4 * 4);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "7 rows for 8 classes");
    put_npy(options.semantics[0].path, 1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (8, 4)}", nothing, 8 * 4 * 4);
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "row 1, column 3 is not a finite");
    options = prepare_arrays();
    un_named_path table = {"att", in_folder("t.csv")};
    write_text(table.path, "c,x\nant,1\n");
    options.semantics = &table;
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "no row for class \"bee\"");
    write_text(table.path, "x,ant,bee,cat,dog,elk,fox,gnu,hen\na,1,2,3,4,5,6,7,8\n");
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "it seems to be transposed");
    options = prepare_arrays();
    options.names = in_folder("names.txt");
    write_text(options.names, "ant\nbee\ncat\ndog\nelk\nfox\nfox\nhen\n");
    expect(un_import_arrays(&options), UNSEEN_E_FORMAT, "both called \"fox\"");
    assert_false(un_path_exists(in_folder("out")));
    assert_false(un_path_exists(in_folder("out.partial")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_types),
                                       cmocka_unit_test(test_orders),
                                       cmocka_unit_test(test_damaged_npy),
                                       cmocka_unit_test(test_archives),
                                       cmocka_unit_test(test_tensors),
                                       cmocka_unit_test(test_import_arrays),
                                       cmocka_unit_test(test_layouts),
                                       cmocka_unit_test(test_habits),
                                       cmocka_unit_test(test_semantics_of_images),
                                       cmocka_unit_test(test_import_refusals)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
