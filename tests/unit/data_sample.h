/*
 * data_sample.h - what the tests of data sets share: one small data set, in memory and as files in
 * xlsa17's layout.
 */
#ifndef UN_TESTS_DATA_SAMPLE_H
#define UN_TESTS_DATA_SAMPLE_H

#include <math.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/readers/import.h"
#include "data/split.h"
#include "mat_writer.h"
#include "unit/folder.h"
#include "util.h"

/* ---- a small package in xlsa17's layout ---- */

/* Image i has class i mod C; the first SEEN classes are seen; of their images the
 * first PER_CLASS - 2 rounds are trainval. */
enum { C = 8, SEEN = 5, PER_CLASS = 10, N = C * PER_CLASS, A = 4, D = 6 };
enum {
    TRAINVAL = SEEN * (PER_CLASS - 2),
    TEST_SEEN = SEEN * 2,
    TEST_UNSEEN = (C - SEEN) * PER_CLASS
};

typedef struct {
    double trainval[N], test_seen[N], test_unseen[N]; /* 1-based */
    size_t trainval_count, test_seen_count, test_unseen_count;
    double train[N], val[N];
    size_t train_count, val_count; /* 0: not written */
    double labels[N];
    double att[A * C];
    float features[D * N];
    size_t name_count;        /* 0: no allclasses_names */
    mat_form form;            /* of its MAT files */
    int unmarked, turned;     /* mat_writer.h */
    int as_row;               /* labels and lists are (1, n) */
    const char *image_format; /* of image_files */
    const char *const *names; /* of the classes */
} package;

static const char *const g_names[C] = {"ant", "bee", "cat", "dog", "elk", "fox", "gnu", "hen"};

static inline package make_package(void) {
    package p = {.name_count = C,
                 .form = MAT_PACKED,
                 .image_format = "/home/a//images/%03d.jpg",
                 .names = g_names};
    for (size_t i = 0; i < N; i++) {
        double one_based = (double)i + 1;
        p.labels[i] = (double)(i % C) + 1;
        if (i % C >= SEEN)
            p.test_unseen[p.test_unseen_count++] = one_based;
        else if (i / C < PER_CLASS - 2)
            p.trainval[p.trainval_count++] = one_based;
        else
            p.test_seen[p.test_seen_count++] = one_based;
        for (size_t d = 0; d < D; d++) p.features[i * D + d] = (float)i + (float)d / 8;
    }
    for (size_t k = 0; k < A * C; k++) p.att[k] = (double)(k * k % 17) + 0.5;
    return p;
}

static inline void put_double(mat_writer *file, const char *name, size_t rows, size_t columns,
                              const double *data) {
    if (rows > 0) mat_put(file, name, MAT_DOUBLE, MI_DOUBLE, rows, columns, data);
}

/* `names`, or n of `format` with the number. */
static inline void put_names(mat_writer *file, const char *name, const char *format,
                             const char *const *names, size_t n) {
    static char numbered[N][64];
    const char *texts[N];
    for (size_t i = 0; i < n; i++) {
        if (!names && format) snprintf(numbered[i], sizeof numbered[i], format, (int)i);
        texts[i] = names ? names[i] : numbered[i];
    }
    mat_put_cells(file, name, texts, n, 1);
}

static inline void put_vector(mat_writer *file, const package *p, const char *name, size_t n,
                              const double *data) {
    if (n > 0) put_double(file, name, p->as_row ? 1 : n, p->as_row ? n : 1, data);
}

static inline void write_splits(package *p, const char *path) {
    mat_writer w = mat_create(path, p->form);
    mat_writer *file = &w;
    w.unmarked = p->unmarked;
    w.turned = p->turned;
    put_double(file, "att", A, C, p->att);
    if (p->name_count > 0) put_names(file, "allclasses_names", NULL, p->names, p->name_count);
    put_vector(file, p, "trainval_loc", p->trainval_count, p->trainval);
    put_vector(file, p, "test_seen_loc", p->test_seen_count, p->test_seen);
    put_vector(file, p, "test_unseen_loc", p->test_unseen_count, p->test_unseen);
    put_double(file, "train_loc", p->train_count, 1, p->train);
    put_double(file, "val_loc", p->val_count, 1, p->val);
    mat_close(file);
}

static inline void write_features(package *p, const char *path) {
    mat_writer w = mat_create(path, p->form);
    mat_writer *file = &w;
    w.unmarked = p->unmarked;
    w.turned = p->turned;
    mat_put(file, "features", MAT_SINGLE, MI_SINGLE, D, N, p->features);
    put_vector(file, p, "labels", N, p->labels);
    put_names(file, "image_files", p->image_format, NULL, N);
    mat_close(file);
}

static inline void write_text(const char *path, const char *text) {
    assert_int_equal(un_file_write(path, text, strlen(text)), UNSEEN_OK);
}

/* The options of an import from the files of `p`, written here. */
static inline un_benchmark_options prepare(package *p) {
    const char *splits = in_folder("splits.mat");
    const char *features = in_folder("feat.mat");
    write_splits(p, splits);
    write_features(p, features);
    for (int k = 1; k <= 3; k++) {
        char name[32];
        snprintf(name, sizeof name, "valclasses%d.txt", k);
        unlink(in_folder(name));
    }
    assert_int_equal(un_directory_remove(in_folder("out")), UNSEEN_OK);
    return (un_benchmark_options){
        .features = features, .splits = splits, .dtype = UN_F32, .output = in_folder("out")};
}

/* Imports and opens; the sentence is shown if that fails. */
static inline void import_and_open(const un_benchmark_options *options, un_dataset *dataset) {
    if (un_import_xlsa17(options) || un_dataset_open(dataset, options->output))
        fail_msg("import failed: %s", un_error());
}

/* An import that must fail, and leave nothing. */
static inline void refuse(package *p, const char *fragment) {
    un_benchmark_options options = prepare(p);
    un_status status = un_import_xlsa17(&options);
    if (status == UNSEEN_OK || !strstr(un_error(), fragment))
        fail_msg("status %d, sentence \"%s\", expected \"%s\" in it", (int)status, un_error(),
                 fragment);
    assert_false(un_path_exists(in_folder("out")));
    assert_false(un_path_exists(in_folder("out.partial")));
}

/* ---- data set files ---- */

/* A data set in memory, as an importer would build it; static parts. */
static inline un_dataset make_dataset(void) {
    static char *classes[C];
    static int32_t labels[N];
    static int64_t trainval[N], test_seen[N], test_unseen[N];
    static float att[C * A];
    static char attribute_names[A][16] = {"has wings", "größe", "c", "d"};
    static char *attributes[A];
    static char names[C][8];
    un_dataset d = {.name = "small",
                    .image_count = N,
                    .class_count = C,
                    .classes = classes,
                    .labels = labels,
                    .trainval = {0, trainval},
                    .test_seen = {0, test_seen},
                    .test_unseen = {0, test_unseen},
                    .semantics_count = 1};
    package p = make_package();
    for (size_t c = 0; c < C; c++) {
        snprintf(names[c], sizeof names[c], "%s", g_names[c]);
        classes[c] = names[c];
    }
    for (size_t i = 0; i < N; i++) labels[i] = (int32_t)p.labels[i] - 1;
    for (size_t i = 0; i < p.trainval_count; i++)
        trainval[d.trainval.count++] = (int64_t)p.trainval[i] - 1;
    for (size_t i = 0; i < p.test_seen_count; i++)
        test_seen[d.test_seen.count++] = (int64_t)p.test_seen[i] - 1;
    for (size_t i = 0; i < p.test_unseen_count; i++)
        test_unseen[d.test_unseen.count++] = (int64_t)p.test_unseen[i] - 1;
    for (size_t i = 0; i < C * A; i++) att[i] = (float)p.att[i];
    for (size_t i = 0; i < A; i++) attributes[i] = attribute_names[i];
    d.semantics[0] =
        (un_semantics){.name = "att", .width = A, .values = att, .attributes = attributes};
    return d;
}

/* Frees what functions added to the static data set above. */
static inline void drop(un_dataset *d) {
    json_decref(d->notes);
    un_arena_free(&d->arena);
}

static inline void assert_same_list(const un_index_list *a, const un_index_list *b) {
    assert_int_equal(a->count, b->count);
    if (a->count > 0) assert_memory_equal(a->items, b->items, a->count * sizeof *a->items);
}

#endif
