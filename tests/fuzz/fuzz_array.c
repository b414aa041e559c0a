/*
 * fuzz_array.c - a .npy, .npz or safetensors file as an array: opened, or refused; every element
 * can be read.
 */
#include "fuzz.h"

#include <zip.h>

#include "data/readers/array_file.h"

/* Elements read at most: time is better spent on other inputs. */
enum { READ_LIMIT = 1 << 16 };

int fuzz_run_array(const uint8_t *data, size_t size) {
    un_array a;
    if (!fuzz_taken(un_array_open(&a, fuzz_file("a.npy", data, size), fuzz_folder()))) return 0;
    if (a.width > 0 && a.width <= READ_LIMIT && a.rows > 0) {
        double *row = malloc(a.width * sizeof *row);
        float *last = malloc(a.width * sizeof *last);
        FUZZ_REQUIRE(row && last);
        un_array_read_f64(&a, 0, 1, row);
        un_array_read_f32(&a, a.rows - 1, 1, last);
        fuzz_touch(row, a.width * sizeof *row);
        fuzz_touch(last, a.width * sizeof *last);
        free(row);
        free(last);
    }
    un_array_close(&a);
    return 1;
}

/* A .npy file of zeros and ones; returns its size. */
static size_t make_npy(unsigned char *out, int version, const char *dictionary, size_t bytes) {
    size_t head = version == 1 ? 10 : 12, length = strlen(dictionary) + 1;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (unsigned char)version;
    out[7] = 0;
    memset(out + 8, 0, 4);
    out[8] = (unsigned char)(length & 255);
    out[9] = (unsigned char)(length >> 8);
    memcpy(out + head, dictionary, length - 1);
    out[head + length - 1] = '\n';
    for (size_t i = 0; i < bytes; i++) out[head + length + i] = i % 8 == 0;
    return head + length + bytes;
}

static void seed_zip(const char *name, const void *member, size_t size, int packed) {
    const char *path = fuzz_path("seed.zip");
    int error = 0;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &error);
    FUZZ_REQUIRE(zip);
    zip_source_t *source = zip_source_buffer(zip, member, size, 0);
    zip_int64_t index = zip_file_add(zip, "features.npy", source, ZIP_FL_OVERWRITE);
    FUZZ_REQUIRE(index >= 0);
    zip_set_file_compression(zip, (zip_uint64_t)index, packed ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0);
    zip_file_set_dostime(zip, (zip_uint64_t)index, 0, 33, 0); /* the same bytes every time */
    FUZZ_REQUIRE(zip_close(zip) == 0);
    fuzz_seed_file(name, path);
}

void fuzz_seed_array(void) {
    static const struct {
        const char *name;
        int version;
        const char *dictionary;
        size_t bytes;
    } arrays[] = {
        {"f4", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", 48},
        {"f8_fortran", 1, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", 48},
        {"f2_big", 1, "{'descr': '>f2', 'fortran_order': False, 'shape': (2, 2, 2), }", 16},
        {"i8_vector", 2, "{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }", 40},
        {"u1", 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 1), }", 4},
        {"bool_v3", 3, "{'descr': '|b1', 'fortran_order': False, 'shape': (6,), }", 6},
        {"bad_object", 1, "{'descr': '|O', 'fortran_order': False, 'shape': (6,), }", 6},
        {"bad_short", 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (30, 4), }", 48},
        {"bad_huge", 1,
         "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 48},
    };
    unsigned char bytes[512];
    size_t size = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        size = make_npy(bytes, arrays[i].version, arrays[i].dictionary, arrays[i].bytes);
        fuzz_seed(arrays[i].name, bytes, size);
    }
    size = make_npy(bytes, 1, arrays[0].dictionary, 48);
    seed_zip("npz_packed", bytes, size, 1);
    seed_zip("npz_stored", bytes, size, 0);
    fuzz_seed_file("safetensors", fuzz_test_data("v0.1/maps/features/maps.safetensors"));
}
