/* test_array_file.c - arrays in files: NumPy's as bytes, archives of them, safetensors. */
#include "unit/data_sample.h"

#include <zip.h>

#include "data/readers/array_file.h"
#include "tensor/safetensors.h"
#include "unit/npy_writer.h"

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
        util_fails(un_array_open(&a, path, g_folder), bad[i].status, bad[i].why);
    }
    put_npy(path, 4, bad[0].header, data, sizeof data);
    util_fails(un_array_open(&a, path, g_folder), UNSEEN_E_UNSUPPORTED, "version 4");
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
        util_fails(un_array_open(&a, path, g_folder), UNSEEN_E_ARGUMENT, "holds 2 arrays");
        snprintf(spec, sizeof spec, "%s:none", path);
        util_fails(un_array_open(&a, spec, g_folder), UNSEEN_E_ARGUMENT, "no array \"none\"");
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
        util_fails(un_array_open(&a, path, g_folder), UNSEEN_E_FORMAT, "archive");
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
    util_fails(un_array_open(&a, path, g_folder), UNSEEN_E_FORMAT, "it is damaged");
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
    util_fails(un_array_open(&a, path, g_folder), UNSEEN_E_ARGUMENT, "holds 2 tensors");
    snprintf(spec, sizeof spec, "%s:c", path);
    util_fails(un_array_open(&a, spec, g_folder), UNSEEN_E_ARGUMENT, "no tensor \"c\"");
    snprintf(spec, sizeof spec, "%s:b", path);
    open_array(&a, spec);
    un_array_read_f32(&a, 1, 1, got);
    assert_true(got[0] == 3 && got[1] == 4);
    un_array_close(&a);
    util_fails(un_array_open(&a, "no/such.npy", g_folder), UNSEEN_E_IO, "no/such.npy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),       cmocka_unit_test(test_orders),
        cmocka_unit_test(test_damaged_npy), cmocka_unit_test(test_archives),
        cmocka_unit_test(test_tensors),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
