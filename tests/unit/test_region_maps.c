/*
 * test_region_maps.c - the import of region features in HDF5 over files made here:
 * layouts, element types, chunks of every shape, and files that are wrong or damaged.
 */
#include "unit/data_sample.h"

#include <hdf5.h>

#include "base/rng.h"
#include "base/status.h"
#include "data/check/check.h"
#include "data/features.h"
#include "data/readers/import.h"

enum { F = 20, E = 3, MAX_PLANE = 49 };

/* What a file is made of; the package has the lists, 1-based. */
typedef struct {
    package p;
    size_t images, height, width; /* images: of feature_map */
    size_t chunk[4];              /* 0: contiguous */
    int deflate, doubles, partial;
    int last;              /* feature_map is (N, h, w, F) */
    int filters;           /* bits: 1 shuffle, 2 deflate, 4 fletcher32 */
    double add;            /* to all indices and labels */
    int names;             /* 0: none, 1: fixed length, 2: variable length */
    const char *leave_out; /* a set that is not written */
    size_t vectors;        /* rows of w2v_att */
    float bad;             /* in the last image, if not 0 */
    int turned;            /* att, attributes x classes */
} maps;

static maps make_maps(void) {
    return (maps){.p = make_package(), .images = N, .height = 3, .width = 2, .vectors = A};
}

/* Exact in bf16. */
static float value(size_t image, size_t f, size_t region) {
    return (float)((image * 7 + f * 3 + region * 5) % 251);
}

static void put_set(hid_t file, const maps *m, const char *name, hid_t stored, hid_t type, int rank,
                    const hsize_t *dims, const void *data, hid_t creation) {
    if (m->leave_out && !strcmp(m->leave_out, name)) return;
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set = H5Dcreate2(file, name, stored, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    assert_true(set >= 0);
    if (data) assert_true(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void put_map(hid_t file, const maps *m) {
    size_t d[3] = {F, m->height, m->width};
    if (m->last) memcpy(d, (size_t[3]){m->height, m->width, F}, sizeof d);
    static float data[N * F * MAX_PLANE];
    size_t plane = m->height * m->width;
    hsize_t dims[4] = {m->images, d[0], d[1], d[2]};
    hsize_t chunk[4] = {m->chunk[0], m->chunk[1], m->chunk[2], m->chunk[3]};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    for (size_t i = 0; i < m->images; i++)
        for (size_t f = 0; f < F; f++)
            for (size_t r = 0; r < plane; r++)
                data[m->last ? (i * plane + r) * F + f : (i * F + f) * plane + r] = value(i, f, r);
    if (m->bad != 0) data[m->images * F * plane - 1] = m->bad;
    if (chunk[0] > 0) H5Pset_chunk(creation, 4, chunk);
    if (m->filters & 1) H5Pset_shuffle(creation);
    if (m->deflate || (m->filters & 2)) H5Pset_deflate(creation, 1);
    if (m->filters & 4) H5Pset_fletcher32(creation);
    put_set(file, m, "feature_map", m->doubles ? H5T_IEEE_F64LE : H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
            4, dims, m->partial ? NULL : data, creation);
    H5Pclose(creation);
}

static void put_numbers(hid_t file, const maps *m, const char *name, const double *values,
                        size_t n) {
    int64_t shifted[N];
    hsize_t dims[1] = {n};
    if (n == 0) return;
    for (size_t i = 0; i < n; i++) shifted[i] = (int64_t)(values[i] + m->add) - 1;
    put_set(file, m, name, H5T_STD_I64LE, H5T_NATIVE_INT64, 1, dims, shifted, H5P_DEFAULT);
}

static void put_text(hid_t file, const maps *m) {
    hid_t type = H5Tcopy(H5T_C_S1);
    hsize_t dims[1] = {C};
    char fixed[C][8] = {{0}};
    for (size_t i = 0; i < C; i++) snprintf(fixed[i], sizeof fixed[i], "%s", g_names[i]);
    H5Tset_size(type, m->names == 1 ? sizeof fixed[0] : H5T_VARIABLE);
    put_set(file, m, "allclasses_names", type, type, 1, dims,
            m->names == 1 ? (const void *)fixed : (const void *)g_names, H5P_DEFAULT);
    H5Tclose(type);
}

static void write_maps(const maps *m, const char *path) {
    double w2v[2 * A * E];
    hsize_t table[2] = {m->turned ? A : C, m->turned ? C : A};
    hsize_t vectors[2] = {m->vectors, E};
    for (size_t i = 0; i < 2 * A * E; i++) w2v[i] = (double)i / 4;
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    put_map(file, m);
    put_numbers(file, m, "labels", m->p.labels, N);
    put_numbers(file, m, "trainval_loc", m->p.trainval, m->p.trainval_count);
    put_numbers(file, m, "test_seen_loc", m->p.test_seen, m->p.test_seen_count);
    put_numbers(file, m, "test_unseen_loc", m->p.test_unseen, m->p.test_unseen_count);
    put_numbers(file, m, "train_loc", m->p.train, m->p.train_count);
    put_numbers(file, m, "val_loc", m->p.val, m->p.val_count);
    put_set(file, m, "att", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, table, m->p.att, H5P_DEFAULT);
    put_set(file, m, "original_att", H5T_IEEE_F32LE, H5T_NATIVE_DOUBLE, 2, table, m->p.att,
            H5P_DEFAULT);
    put_set(file, m, "w2v_att", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, vectors, w2v, H5P_DEFAULT);
    if (m->names) put_text(file, m);
    H5Fclose(file);
}

static un_benchmark_options prepare_maps(const maps *m) {
    const char *path = in_folder("maps.hdf5");
    write_maps(m, path);
    assert_int_equal(un_directory_remove(in_folder("out")), UNSEEN_OK);
    return (un_benchmark_options){.features = path, .dtype = UN_BF16, .output = in_folder("out")};
}

static void check_features(const char *directory, const maps *m) {
    static float rows[N * F * MAX_PLANE];
    size_t regions = m->height * m->width;
    int64_t all[N];
    un_features f;
    for (size_t i = 0; i < N; i++) all[i] = (int64_t)i;
    assert_int_equal(un_features_open(&f, directory, "maps"), UNSEEN_OK);
    assert_int_equal(f.image_count, N);
    assert_int_equal(f.regions, regions);
    assert_int_equal(f.width, F);
    assert_int_equal(f.grid_height, m->height);
    assert_int_equal(f.grid_width, m->width);
    un_features_gather_f32(&f, all, N, rows);
    for (size_t i = 0; i < N; i++)
        for (size_t r = 0; r < regions; r++)
            for (size_t k = 0; k < F; k++)
                assert_true(rows[(i * regions + r) * F + k] == value(i, k, r));
    un_features_close(&f);
}

static void import_maps(const un_benchmark_options *options, un_dataset *d) {
    if (un_import_region_maps(options) || un_dataset_open(d, options->output))
        fail_msg("import failed: %s", un_error());
}

static void refuse_maps(const maps *m, const char *fragment) {
    un_benchmark_options options = prepare_maps(m);
    un_status status = un_import_region_maps(&options);
    if (status == UNSEEN_OK || !strstr(un_error(), fragment))
        fail_msg("status %d, sentence \"%s\", expected \"%s\" in it", (int)status, un_error(),
                 fragment);
    assert_false(un_path_exists(in_folder("out")));
    assert_false(un_path_exists(in_folder("out.partial")));
}

/* ---- tests ---- */

static void test_contents(void **state) {
    (void)state;
    for (int names = 0; names < 3; names++) {
        maps m = make_maps();
        un_dataset d;
        m.names = names;
        un_benchmark_options options = prepare_maps(&m);
        import_maps(&options, &d);
        assert_int_equal(d.class_count, C);
        assert_string_equal(d.classes[3], names ? "dog" : "class_004");
        assert_null(d.images);
        for (size_t i = 0; i < N; i++) assert_int_equal(d.labels[i], i % C);
        assert_int_equal(d.trainval.count, TRAINVAL);
        assert_int_equal(d.trainval.items[0], 0);
        assert_int_equal(d.test_unseen.items[0], SEEN);
        assert_int_equal(d.semantics_count, 2);
        for (size_t s = 0; s < 2; s++) {
            for (size_t k = 0; k < C * A; k++)
                assert_true(d.semantics[s].values[k] == (float)m.p.att[k]);
            assert_int_equal(d.semantics[s].vector_width, E);
            for (size_t k = 0; k < A * E; k++)
                assert_true(d.semantics[s].vectors[k] == (float)k / 4);
        }
        assert_true(d.fold_count > 0 && d.folds[0].proposed);
        un_dataset_close(&d);
        check_features(options.output, &m);
        json_t *report = NULL;
        assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
        assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
        json_decref(report);
    }
}

/* Every way to cut the map, in small steps, so that there are many pieces; the
 * rows of whole chunks exceed a step where chunk[0] is large. */
static void test_layouts(void **state) {
    (void)state;
    static const size_t chunks[][4] = {{0, 0, 0, 0},  {1, F, 7, 7},  {7, 8, 3, 2}, {N, 4, 1, 1},
                                       {33, 6, 2, 7}, {16, F, 1, 5}, {3, 1, 7, 7}};
    static const size_t steps[] = {0, 1, 20000, 150000};
    for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++)
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            maps m = make_maps();
            un_dataset d;
            m.height = m.width = 7;
            m.doubles = s == 3;
            m.deflate = chunks[k][0] > 0;
            memcpy(m.chunk, chunks[k], sizeof m.chunk);
            un_benchmark_options options = prepare_maps(&m);
            options.step_bytes = steps[s];
            options.dtype = s % 2 ? UN_F32 : UN_BF16;
            import_maps(&options, &d);
            un_dataset_close(&d);
            check_features(options.output, &m);
        }
}

/* Channels behind the positions: recognised and noted, or told. */
static void test_channels_last(void **state) {
    (void)state;
    static const struct {
        size_t height, width, chunk[4];
        un_layout layout;
        int noted;
    } cases[] = {{7, 7, {0, 0, 0, 0}, UN_LAYOUT_AUTO, 1},
                 {3, 3, {16, 2, 3, 7}, UN_LAYOUT_AUTO, 1},
                 {3, 5, {7, 2, 2, 6}, UN_LAYOUT_AUTO, 1},
                 {3, 2, {33, 1, 2, 8}, UN_LAYOUT_NHWC, 0}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (size_t step = 0; step <= 20000; step += 20000) {
            maps m = make_maps();
            un_dataset d;
            int noted = 0;
            m.last = 1;
            m.deflate = cases[k].chunk[0] > 0;
            m.height = cases[k].height;
            m.width = cases[k].width;
            memcpy(m.chunk, cases[k].chunk, sizeof m.chunk);
            un_benchmark_options options = prepare_maps(&m);
            options.layout = cases[k].layout;
            options.step_bytes = step;
            import_maps(&options, &d);
            for (size_t i = 0; i < json_array_size(d.notes); i++)
                noted |= strstr(json_string_value(json_array_get(d.notes, i)),
                                "option layout nchw") != NULL;
            assert_int_equal(noted, cases[k].noted);
            un_dataset_close(&d);
            check_features(options.output, &m);
        }
}

static void test_folds(void **state) {
    (void)state;
    maps m = make_maps();
    un_dataset d;
    m.names = 2;
    for (size_t i = 0; i < N; i++) {
        if (i % C < 3)
            m.p.train[m.p.train_count++] = (double)i + 1;
        else if (i % C < SEEN)
            m.p.val[m.p.val_count++] = (double)i + 1;
    }
    un_benchmark_options options = prepare_maps(&m);
    const char *files[2] = {in_folder("valclasses1.txt"), in_folder("mine.txt")};
    options.validation = files;
    options.validation_count = 1;
    write_text(files[0], "yak\nant\nzebra\ncat\n"); /* published: what is not here is left out */
    import_maps(&options, &d);
    assert_int_equal(d.fold_count, 2);
    assert_string_equal(d.folds[0].source, "valclasses1.txt");
    assert_int_equal(d.folds[0].class_count, 2);
    assert_non_null(strstr(json_string_value(json_array_get(d.notes, 1)), "2 of its 4 classes"));
    assert_string_equal(d.folds[1].source, "maps.hdf5 train_loc/val_loc");
    assert_int_equal(d.folds[1].class_count, 2);
    assert_int_equal(d.folds[1].leaked_train, 6);
    un_dataset_close(&d);
    assert_int_equal(un_directory_remove(options.output), UNSEEN_OK);
    write_text(files[0], "yak\nzebra\n");
    util_fails(un_import_region_maps(&options), UNSEEN_E_FORMAT, "no class \"yak\"");
    write_text(files[1], "ant\nfog\n"); /* one's own list: a slip of the pen */
    options.validation = files + 1;
    util_fails(un_import_region_maps(&options), UNSEEN_E_FORMAT, "did you mean \"dog\"");
}

static void test_splits(void **state) {
    (void)state;
    maps m = make_maps();
    un_dataset d;
    un_benchmark_options options = prepare_maps(&m);
    write_splits(&m.p, in_folder("splits.mat"));
    options.splits = in_folder("splits.mat");
    import_maps(&options, &d);
    assert_string_equal(d.classes[3], "dog");
    un_dataset_close(&d);
    m.leave_out = "att"; /* then it is the split file's */
    options = prepare_maps(&m);
    options.splits = in_folder("splits.mat");
    import_maps(&options, &d);
    assert_string_equal(d.semantics[0].name, "att");
    for (size_t k = 0; k < C * A; k++) assert_true(d.semantics[0].values[k] == (float)m.p.att[k]);
    assert_int_equal(d.semantics[0].vector_width, E);
    un_dataset_close(&d);
    refuse_maps(&m, "no data set \"att\"");
}

static void test_wrong(void **state) {
    (void)state;
    static const char *const needed[] = {"feature_map",  "labels",          "att",
                                         "trainval_loc", "test_unseen_loc", "test_seen_loc"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        maps m = make_maps();
        m.leave_out = needed[i];
        refuse_maps(&m, needed[i]);
    }
    maps m = make_maps();
    m.images = N - 1;
    refuse_maps(&m, "80 labels for the 79 images");
    m = make_maps();
    m.add = 1;
    refuse_maps(&m, "are they 1-based?");
    m = make_maps();
    m.p.labels[5] = C + 1; /* as large, but there are 0s, too */
    refuse_maps(&m, "the label of image 5 is 8; labels are whole, from 0 to 7");
    assert_null(strstr(un_error(), "1-based"));
    m = make_maps();
    m.turned = 1;
    m.names = 0;
    refuse_maps(&m, "\"att\" seems to be transposed");
    m.names = 1;
    refuse_maps(&m, "\"att\" seems to be transposed");
    m = make_maps();
    m.p.test_unseen[0] = N + 1;
    refuse_maps(&m, "is this list 1-based?");
    m.p.test_unseen[0] = 0;
    refuse_maps(&m, "entry 1 of \"test_unseen_loc\" is -1");
    m = make_maps();
    m.p.trainval[1] = m.p.trainval[0];
    refuse_maps(&m, "lists image 0 more than once");
    m = make_maps();
    m.p.test_seen[0] = m.p.trainval[2];
    refuse_maps(&m, "image 2 is in both trainval_loc and test_seen_loc");
    m = make_maps();
    m.p.labels[0] = C;
    refuse_maps(&m, "do the lists and labels belong together");
    m = make_maps();
    m.vectors = A + 1;
    refuse_maps(&m, "5 rows for 4 attributes");
    m = make_maps();
    m.bad = NAN;
    refuse_maps(&m, "not a number");
    m.bad = INFINITY;
    refuse_maps(&m, "infinite");
    m = make_maps();
    m.p.att[2] = NAN;
    refuse_maps(&m, "not a finite number");
    m = make_maps();
    m.partial = 1;
    refuse_maps(&m, "never written");
    memcpy(m.chunk, (size_t[4]){8, 4, 3, 2}, sizeof m.chunk);
    refuse_maps(&m, "never written");
}

/* ---- storage that is shorter than the data set ---- */

typedef enum { SHORT_CHUNK, SHORT_COMPACT, SHORT_CONTIGUOUS, LONG_CHUNK, SHORT_KINDS } shortage;

/* att with the `layout` that is to be cut: libhdf5 would read on in its heap. */
static void write_att(hid_t file, const maps *m, shortage how) {
    hsize_t dims[2] = {C, A};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (how == SHORT_CHUNK || how == LONG_CHUNK) {
        H5Pset_chunk(creation, 2, dims);
        H5Pset_shuffle(creation);
        H5Pset_deflate(creation, 4);
    }
    if (how == SHORT_COMPACT) H5Pset_layout(creation, H5D_COMPACT);
    H5Ldelete(file, "att", H5P_DEFAULT);
    put_set(file, m, "att", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, 2, dims, m->p.att, creation);
    H5Pclose(creation);
    if (how != SHORT_CHUNK && how != LONG_CHUNK) return;
    /* A whole and intact zlib stream, of too few or too many bytes. */
    static const unsigned char zeros[2 * C * A * 8];
    unsigned char packed[1024];
    uLongf n = sizeof packed;
    hsize_t first[2] = {0, 0};
    hid_t set = H5Dopen2(file, "att", H5P_DEFAULT);
    assert_int_equal(compress(packed, &n, zeros, how == SHORT_CHUNK ? 64 : sizeof zeros), Z_OK);
    assert_true(H5Dwrite_chunk(set, H5P_DEFAULT, 0, first, n, packed) >= 0);
    H5Dclose(set);
}

/* Changes the size in the message that tells the layout of a data set of C x A doubles. */
static void cut_layout(const char *path, shortage how) {
    char *bytes = NULL;
    size_t n = 0;
    unsigned changed = 0;
    const uint64_t size = C * A * sizeof(double);
    assert_int_equal(un_file_read(path, SIZE_MAX, &bytes, &n), UNSEEN_OK);
    for (size_t i = 0; i + 18 < n; i++) {
        uint16_t compact = 0;
        uint64_t contiguous = 0;
        memcpy(&compact, bytes + i + 2, sizeof compact);
        memcpy(&contiguous, bytes + i + 10, sizeof contiguous);
        if (bytes[i] != 3 || bytes[i + 1] != (how == SHORT_COMPACT ? 0 : 1)) continue;
        if (how == SHORT_COMPACT ? compact != size : contiguous != size) continue;
        bytes[i + (how == SHORT_COMPACT ? 2 : 10)] = 64; /* of 256 */
        bytes[i + (how == SHORT_COMPACT ? 3 : 11)] = 0;
        changed++;
    }
    assert_true(changed >= 1);
    assert_int_equal(un_file_write(path, bytes, n), UNSEEN_OK);
    free(bytes);
}

static void write_short(const char *path, shortage how) {
    maps m = make_maps();
    m.names = 2;
    write_maps(&m, path);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    write_att(file, &m, how);
    H5Fclose(file);
    if (how == SHORT_COMPACT || how == SHORT_CONTIGUOUS) cut_layout(path, how);
}

/* HDF5 1.14 itself refuses to open a data set that has less than it needs. */
static int opens(const char *path, const char *name) {
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5I_INVALID_HID;
    assert_true(file >= 0);
    H5E_BEGIN_TRY { set = H5Dopen2(file, name, H5P_DEFAULT); }
    H5E_END_TRY
    if (set >= 0) H5Dclose(set);
    H5Fclose(file);
    return set >= 0;
}

static void test_short_storage(void **state) {
    (void)state;
    static const char *const sentences[SHORT_KINDS] = {
        "a chunk of \"att\" unpacks to 64 bytes, 256 are needed", "\"att\" has 64 bytes",
        "\"att\" has 64 bytes", "unpacks to more than a chunk"};
    for (int how = 0; how < SHORT_KINDS; how++) {
        char path[400];
        snprintf(path, sizeof path, "%s", in_folder("short.hdf5"));
        write_short(path, (shortage)how);
        assert_int_equal(un_directory_remove(in_folder("out")), UNSEEN_OK);
        un_benchmark_options options = {
            .features = path, .dtype = UN_BF16, .output = in_folder("out")};
        const char *sentence = opens(path, "att") ? sentences[how] : "libhdf5 cannot open \"att\"";
        util_fails(un_import_region_maps(&options), UNSEEN_E_FORMAT, sentence);
        assert_false(un_path_exists(in_folder("out")));
        /* The same file as v7.3 of MATLAB's: one reader. */
        un_mat *mat = NULL;
        double *values = NULL;
        assert_int_equal(un_mat_open(&mat, path), UNSEEN_OK);
        util_fails(un_mat_read_double(mat, "att", &values), UNSEEN_E_FORMAT, sentence);
        un_mat_close(mat);
    }
}

/* Every filter that is undone, alone and together, over chunks that end beyond the border. */
static void test_filters(void **state) {
    (void)state;
    for (int filters = 0; filters < 8; filters++) {
        maps m = make_maps();
        un_dataset d;
        m.names = 2;
        m.filters = filters;
        memcpy(m.chunk, (size_t[4]){33, 6, 2, 2}, sizeof m.chunk);
        un_benchmark_options options = prepare_maps(&m);
        options.dtype = UN_F32;
        import_maps(&options, &d);
        un_dataset_close(&d);
        check_features(options.output, &m);
    }
    /* One bit of a chunk, and its checksum. */
    maps m = make_maps();
    char *bytes = NULL;
    size_t n = 0;
    m.filters = 4;
    memcpy(m.chunk, (size_t[4]){N, F, 3, 2}, sizeof m.chunk);
    un_benchmark_options options = prepare_maps(&m);
    assert_int_equal(un_file_read(options.features, SIZE_MAX, &bytes, &n), UNSEEN_OK);
    float pattern[6];
    for (size_t r = 0; r < 6; r++) pattern[r] = value(40, 5, r);
    char *hit = memmem(bytes, n, pattern, sizeof pattern);
    assert_non_null(hit);
    hit[2] ^= 1;
    assert_int_equal(un_file_write(options.features, bytes, n), UNSEEN_OK);
    util_fails(un_import_region_maps(&options), UNSEEN_E_FORMAT, "has a wrong checksum");
    free(bytes);
}

static void test_no_hdf5(void **state) {
    (void)state;
    maps m = make_maps();
    un_benchmark_options options = prepare_maps(&m);
    options.features = in_folder("none.hdf5");
    util_fails(un_import_region_maps(&options), UNSEEN_E_IO, "none.hdf5");
    write_text(options.features, "no HDF5 file");
    util_fails(un_import_region_maps(&options), UNSEEN_E_FORMAT, "not an HDF5 file");
}

/* Files cut short and with bytes changed: a sentence or a data set, nothing else. */
static void test_damaged(void **state) {
    (void)state;
    maps m = make_maps();
    char *bytes = NULL;
    char *copy = NULL;
    size_t size = 0;
    size_t refused = 0;
    enum { ROUNDS = 300 };
    m.names = 2;
    m.deflate = 1;
    memcpy(m.chunk, (size_t[4]){16, 10, 3, 2}, sizeof m.chunk);
    un_benchmark_options options = prepare_maps(&m);
    char file[400];
    char output[400]; /* in_folder's paths do not last so long */
    snprintf(file, sizeof file, "%s", options.features);
    snprintf(output, sizeof output, "%s", options.output);
    options.features = file;
    options.output = output;
    assert_int_equal(un_file_read(options.features, SIZE_MAX, &bytes, &size), UNSEEN_OK);
    assert_int_equal(un_alloc(size, 1, &copy), UNSEEN_OK);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        un_rng rng = un_rng_stream(7, "damage", round);
        size_t length = size;
        memcpy(copy, bytes, size);
        if (round % 4 == 0) length = (size_t)un_rng_below(&rng, size);
        /* Half of the changes go to the front, where the structure is dense. */
        for (uint64_t k = 0; k < 1 + round % 8; k++)
            copy[un_rng_below(&rng, k % 2 && size > 4096 ? 4096 : size)] =
                (char)un_rng_below(&rng, 256);
        assert_int_equal(un_file_write(options.features, copy, length), UNSEEN_OK);
        if (un_import_region_maps(&options) != UNSEEN_OK) {
            refused++;
            assert_true(strlen(un_error()) > 20);
            assert_false(un_path_exists(options.output));
        }
        assert_false(un_path_exists(in_folder("out.partial")));
        assert_int_equal(un_directory_remove(options.output), UNSEEN_OK);
    }
    assert_true(refused > ROUNDS / 4);
    free(bytes);
    free(copy);
}

/* With "--write FILE" it only makes a file, for the tests of the program, with "--write-short
 * FILE KIND" one whose att is cut. */
int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--write")) {
        maps m = make_maps();
        m.height = m.width = 7;
        m.names = 2;
        write_maps(&m, argv[2]);
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "--write-short")) {
        write_short(argv[2], (shortage)atoi(argv[3]));
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels_last), cmocka_unit_test(test_contents),
        cmocka_unit_test(test_layouts),       cmocka_unit_test(test_short_storage),
        cmocka_unit_test(test_filters),       cmocka_unit_test(test_folds),
        cmocka_unit_test(test_splits),        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_no_hdf5),       cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
