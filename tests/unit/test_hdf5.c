/*
 * test_hdf5.c - HDF5 files written here: numbers of every kind are read the same way, whole, in
 * parts and in pieces, and what cannot be unpacked is named for what it is.
 */
#include <hdf5.h>
#include <unistd.h>

#include "data/readers/hdf5.h"
#include "unit/folder.h"
#include "util.h"

enum { ROWS = 5, COLUMNS = 7 };

static const char *file_path(void) { return in_folder("file.h5"); }

/* A new file with the data set "x", as `creation` says; closes the latter. */
static void write_set(hid_t stored, int rank, const hsize_t *dims, hid_t creation,
                      const void *data) {
    hid_t file = H5Fcreate(file_path(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set = H5Dcreate2(file, "x", stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(set >= 0);
    assert_true(H5Dwrite(set, stored, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Pclose(creation);
    H5Fclose(file);
}

static int is_set(size_t i) { return i * i % 3 == 1; }

/* h5py writes booleans as an enumeration of bytes. */
static hid_t boolean_type(void) {
    const signed char no = 0, yes = 1;
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    assert_true(H5Tenum_insert(type, "FALSE", &no) >= 0 && H5Tenum_insert(type, "TRUE", &yes) >= 0);
    return type;
}

typedef enum { CONTIGUOUS, COMPACT, CHUNKED, PACKED, LAYOUTS } layout;

static hid_t creation_of(layout how, int rank, const hsize_t *chunk) {
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (how == COMPACT) H5Pset_layout(creation, H5D_COMPACT);
    if (how >= CHUNKED) H5Pset_chunk(creation, rank, chunk);
    if (how == PACKED) H5Pset_deflate(creation, 4);
    return creation;
}

static void booleans_are_numbers_in_every_layout(void **state) {
    (void)state;
    static const hsize_t dims[2] = {ROWS, COLUMNS}, chunk[2] = {2, 3};
    signed char bits[ROWS * COLUMNS];
    hid_t type = boolean_type();
    for (size_t i = 0; i < sizeof bits; i++) bits[i] = (signed char)is_set(i);
    for (layout how = 0; how < LAYOUTS; how++) {
        un_hdf5 *file = NULL;
        double *all = NULL;
        const float *part = NULL;
        const size_t start[2] = {1, 2}, extent[2] = {3, 4};
        write_set(type, 2, dims, creation_of(how, 2, chunk), bits);
        util_ok(un_hdf5_open(&file, file_path()));
        util_ok(un_hdf5_read_double(file, "x", &all));
        for (size_t i = 0; i < sizeof bits; i++) assert_true(all[i] == is_set(i));
        util_ok(un_hdf5_read_part(file, "x", start, extent, &part));
        for (size_t i = 0; i < 12; i++)
            assert_true(part[i] == (float)is_set((1 + i / 4) * COLUMNS + 2 + i % 4));
        free(all);
        un_hdf5_close(file);
    }
    H5Tclose(type);
}

/* The same of maps [images, channels, height, width], which are read piece by piece. */
static void booleans_are_numbers_in_pieces(void **state) {
    (void)state;
    static const hsize_t dims[4] = {ROWS, 2, 3, 3}, chunk[4] = {2, 1, 3, 2};
    enum { MAP = 2 * 3 * 3 };
    signed char bits[ROWS * MAP];
    hid_t type = boolean_type();
    for (size_t i = 0; i < sizeof bits; i++) bits[i] = (signed char)is_set(i);
    for (layout how = 0; how < LAYOUTS; how++) {
        un_hdf5 *file = NULL;
        write_set(type, 4, dims, creation_of(how, 4, chunk), bits);
        util_ok(un_hdf5_open(&file, file_path()));
        /* Two blocks, one a channel. */
        const un_hdf5_blocks blocks = {{ROWS, 2, 3, 3}, {1, 1, 3, 3}, 2};
        const un_hdf5_piece piece = {1, 3, 0, 2, 64};
        const float *got = NULL;
        util_ok(un_hdf5_piece_ask(file, "x", &blocks, &piece));
        util_ok(un_hdf5_piece_wait(file, "x", &blocks, &piece, &got));
        for (size_t b = 0; b < 2; b++)
            for (size_t n = 0; n < 3; n++)
                for (size_t i = 0; i < 9; i++)
                    assert_true(got[(b * 3 + n) * 9 + i] ==
                                (float)is_set((n + 1) * MAP + b * 9 + i));
        un_hdf5_close(file);
    }
    H5Tclose(type);
}

/* Nine times gzip is gzip: what is unusual is the number of filters. */
static void too_many_filters_are_called_that(void **state) {
    (void)state;
    static const hsize_t dims[2] = {ROWS, COLUMNS};
    float values[ROWS * COLUMNS] = {0};
    for (int filters = 8; filters <= 9; filters++) {
        un_hdf5 *file = NULL;
        double *all = NULL;
        hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
        H5Pset_chunk(creation, 2, dims);
        for (int i = 0; i < filters; i++) assert_true(H5Pset_deflate(creation, 1) >= 0);
        assert_int_equal(H5Pget_nfilters(creation), filters);
        write_set(H5T_NATIVE_FLOAT, 2, dims, creation, values);
        util_ok(un_hdf5_open(&file, file_path()));
        if (filters == 8)
            util_ok(un_hdf5_read_double(file, "x", &all));
        else
            util_fails(un_hdf5_read_double(file, "x", &all), UNSEEN_E_UNSUPPORTED,
                       "packed by 9 filters one after the other, more than the 8 that are undone");
        free(all);
        un_hdf5_close(file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(booleans_are_numbers_in_every_layout),
        cmocka_unit_test(booleans_are_numbers_in_pieces),
        cmocka_unit_test(too_many_filters_are_called_that),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
