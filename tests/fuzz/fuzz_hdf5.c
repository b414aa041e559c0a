/*
 * fuzz_hdf5.c - an HDF5 file of region features: listed, read and imported, or refused. libhdf5
 * itself is at work in a child (reader_child.h), whose crashes are sentences here.
 */
#include "fuzz.h"

#include <hdf5.h>

#include "data/readers/hdf5.h"
#include "data/readers/import.h"

/* Values beyond this are left alone: time is better spent on other inputs. */
enum { READ_LIMIT = 1 << 22 };

static void read_variable(un_hdf5 *file, const un_hdf5_variable *v) {
    un_arena arena = {0};
    double *values = NULL;
    char **strings = NULL;
    size_t count = 1;
    for (int k = 0; k < v->rank; k++)
        if (__builtin_mul_overflow(count, v->dims[k], &count)) return;
    if (count > READ_LIMIT) return;
    if (v->kind == UN_HDF5_NUMERIC && fuzz_taken(un_hdf5_read_double(file, v->name, &values))) {
        fuzz_touch(values, count * sizeof *values);
        free(values);
    }
    if (v->kind == UN_HDF5_TEXT &&
        fuzz_taken(un_hdf5_read_strings(file, v->name, &arena, &strings, &count)))
        for (size_t i = 0; i < count; i++) fuzz_touch_text(strings[i]);
    un_arena_free(&arena);
}

static const char *const g_names[] = {"feature_map",      "labels",     "att",
                                      "allclasses_names", "w2v_att",    "trainval_loc",
                                      "test_unseen_loc",  "image_files"};

void fuzz_use_hdf5(un_hdf5 *file) {
    for (size_t i = 0; i < sizeof g_names / sizeof *g_names; i++) {
        const un_hdf5_variable *v = un_hdf5_find(file, g_names[i]);
        if (v) read_variable(file, v);
    }
}

int fuzz_run_hdf5(const uint8_t *data, size_t size) {
    un_hdf5 *file = NULL;
    const char *path = fuzz_file("maps.hdf5", data, size);
    if (!fuzz_taken(un_hdf5_open(&file, path))) return 0;
    fuzz_use_hdf5(file);
    un_hdf5_close(file);
    const un_benchmark_options options = {
        .features = path, .dtype = UN_F32, .output = fuzz_path("out")};
    if (!fuzz_taken(un_import_region_maps(&options))) return 0;
    fuzz_check_import(options.output);
    return 1;
}

static void put(hid_t file, const char *name, hid_t stored, hid_t type, int rank,
                const hsize_t *dims, const void *data, const hsize_t *chunk) {
    hid_t space = H5Screate_simple(rank, dims, NULL), creation = H5Pcreate(H5P_DATASET_CREATE);
    /* The same bytes every time. */
    H5Pset_obj_track_times(creation, 0);
    if (chunk) {
        H5Pset_chunk(creation, rank, chunk);
        H5Pset_deflate(creation, 6);
    }
    hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    FUZZ_REQUIRE(set >= 0 && H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Pclose(creation);
    H5Sclose(space);
}

static void put_names(hid_t file, int fixed) {
    const char *names[4] = {"ant", "bee", "cat", "dog"};
    char padded[4][8] = {"ant", "bee", "cat", "dog"};
    const hsize_t dims[] = {4};
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, fixed ? sizeof padded[0] : H5T_VARIABLE);
    put(file, "allclasses_names", type, type, 1, dims,
        fixed ? (const void *)padded : (const void *)names, NULL);
    H5Tclose(type);
}

/* 8 images of 4 classes, 2 features of 1 x 2 regions. */
static void seed(const char *name, int packed, int fixed) {
    const hsize_t map[] = {8, 2, 1, 2}, chunk[] = {3, 2, 1, 2}, n[] = {8}, table[] = {4, 2};
    const hsize_t counts[] = {4, 2, 2};
    const int64_t labels[] = {0, 0, 1, 1, 2, 2, 3, 3};
    const int64_t lists[3][4] = {{0, 1, 2, 4}, {3, 5}, {6, 7}};
    const double att[] = {0, 1, 1, 0, 1, 1, 0.5, 0.25};
    static const char *const list_names[] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};
    float values[32];
    for (size_t i = 0; i < 32; i++) values[i] = (float)i / 4;
    const char *path = fuzz_path("seed.hdf5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    FUZZ_REQUIRE(file >= 0);
    put(file, "feature_map", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, 4, map, values,
        packed ? chunk : NULL);
    put(file, "labels", H5T_STD_I64LE, H5T_NATIVE_INT64, 1, n, labels, NULL);
    for (size_t i = 0; i < 3; i++)
        put(file, list_names[i], H5T_STD_I32LE, H5T_NATIVE_INT64, 1, &counts[i], lists[i], NULL);
    put(file, "att", H5T_IEEE_F64BE, H5T_NATIVE_DOUBLE, 2, table, att, NULL);
    put_names(file, fixed);
    H5Fclose(file);
    fuzz_seed_file(name, path);
}

void fuzz_seed_hdf5(void) {
    seed("contiguous", 0, 1);
    seed("packed", 1, 0);
    fuzz_seed_text("bad_text", "no HDF5");
    fuzz_seed("bad_head", "\x89HDF\r\n\x1A\n\0\0\0\0\0\x08\x08\0", 16);
}
