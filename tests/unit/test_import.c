/*
 * test_import.c - the xlsa17 import over files made here, and `check`.
 *
 * With UNSEEN_SHARED set to the shared folder, the real split files and CUB are
 * tested too.
 */
#include "unit/data_sample.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/status.h"
#include "data/check/check.h"
#include "data/features.h"
#include "data/stage.h"

/* ---- import ---- */

static void test_import(void **state) {
    (void)state;
    for (int version = 0; version < 2; version++) {
        package p = make_package();
        p.form = version ? MAT_V73 : MAT_PACKED;
        un_benchmark_options options = prepare(&p);
        un_dataset d;
        un_features f;
        import_and_open(&options, &d);
        assert_string_equal(d.name, "out");
        assert_int_equal(d.image_count, N);
        assert_int_equal(d.class_count, C);
        assert_string_equal(d.classes[3], "dog");
        assert_string_equal(d.images[7], "/home/a/images/007.jpg");
        assert_int_equal(d.labels[9], 1);
        assert_int_equal(d.trainval.count, TRAINVAL);
        assert_int_equal(d.test_seen.count, TEST_SEEN);
        assert_int_equal(d.test_unseen.count, TEST_UNSEEN);
        assert_int_equal(d.trainval.items[0], 0); /* 1-based no more */
        assert_int_equal(d.test_unseen.items[0], SEEN);
        for (size_t k = 0; k < C * A; k++) assert_true(d.semantics[0].values[k] == (float)p.att[k]);
        assert_int_equal(d.fold_count, 2); /* proposed */
        assert_int_equal(d.folds[0].proposed, 1);
        assert_int_equal(un_features_open(&f, options.output, NULL), UNSEEN_OK);
        assert_string_equal(f.name, "feat");
        assert_int_equal(f.regions, 1);
        assert_memory_equal(f.data, p.features, sizeof p.features);
        un_features_close(&f);
        un_dataset_close(&d);
        assert_false(un_path_exists(in_folder("out.partial")));
        assert_false(un_path_exists(in_folder("out/.lock")));
        util_fails(un_import_xlsa17(&options), UNSEEN_E_ARGUMENT, "not empty");
    }
}

static void test_import_without_features(void **state) {
    (void)state;
    package p = make_package();
    for (size_t i = 0; i < N; i++) {
        if (i % C < 3)
            p.train[p.train_count++] = (double)i + 1;
        else if (i % C < SEEN)
            p.val[p.val_count++] = (double)i + 1;
    }
    un_benchmark_options options = prepare(&p);
    un_dataset d;
    options.features = NULL;
    options.name = "lists";
    import_and_open(&options, &d);
    assert_string_equal(d.name, "lists");
    assert_int_equal(d.image_count, N); /* the largest number listed */
    assert_null(d.labels);
    assert_null(d.images);
    assert_int_equal(d.fold_count, 1);
    assert_int_equal(d.folds[0].leaked_train, 6);
    assert_int_equal(d.folds[0].leaked_val, 4);
    assert_true(json_array_size(d.notes) > 0);
    un_dataset_close(&d);
    json_t *report = NULL;
    assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
    assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
    assert_true(json_array_size(json_object_get(report, "not_verified")) >= 2);
    assert_true(json_is_null(json_object_get(report, "seen_classes")));
    json_decref(report);
}

static void test_import_validation(void **state) {
    (void)state;
    package p = make_package();
    un_benchmark_options options = prepare(&p);
    const char *list = in_folder("classes.txt");
    const char *broken = in_folder("broken.txt");
    un_dataset d;
    write_text(list, "  cat\r\n\nelk \n");
    write_text(broken, "cat\nfog\n");
    write_text(in_folder("valclasses1.txt"), "elk\ncat\n"); /* the same classes */
    write_text(in_folder("valclasses2.txt"), "ant\n");
    write_text(in_folder("valclasses3.txt"), "hen\n"); /* an unseen class: left out */
    options.validation = &list;
    options.validation_count = 1;
    import_and_open(&options, &d);
    assert_int_equal(d.fold_count, 2);
    assert_string_equal(d.folds[0].source, "classes.txt");
    assert_string_equal(d.folds[1].source, "valclasses2.txt");
    assert_int_equal(d.folds[1].class_count, 1);
    assert_int_equal(json_array_size(d.notes), 1);
    assert_non_null(strstr(json_string_value(json_array_get(d.notes, 0)), "hen"));
    un_dataset_close(&d);
    assert_int_equal(un_directory_remove(options.output), UNSEEN_OK);
    /* A published list that is named although it would be found: one fold, one note. */
    const char *beside = in_folder("valclasses1.txt");
    write_text(beside, "elk\nyak\ncat\n");
    options.validation = &beside;
    import_and_open(&options, &d);
    assert_int_equal(d.fold_count, 2);
    assert_int_equal(json_array_size(d.notes), 2);
    assert_non_null(strstr(json_string_value(json_array_get(d.notes, 0)), "1 of its 3 classes"));
    un_dataset_close(&d);
    assert_int_equal(un_directory_remove(options.output), UNSEEN_OK);
    options.validation = &broken; /* what was asked for must work */
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "did you mean \"dog\"");
    options.validation = &options.features;
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "train_loc");
    assert_false(un_path_exists(options.output));
}

/* A further class table with other names in another order. */
static void write_semantics(const char *path, const char *variable, const char *const *names,
                            size_t n, double *values, size_t rows, size_t columns) {
    unlink(path);
    mat_writer w = mat_create(path, MAT_PACKED);
    mat_writer *file = &w;
    assert_non_null(file);
    put_double(file, variable, rows, columns, values);
    if (n > 0) put_names(file, "allclasses_names", NULL, names, n);
    mat_close(file);
}

static void test_import_semantics(void **state) {
    (void)state;
    static const char *const shuffled[C + 1] = {"hen", "gnu", "fox", "extra", "elk",
                                                "dog", "cat", "bee", "ant"};
    package p = make_package();
    un_benchmark_options options = prepare(&p);
    const char *path = in_folder("more.mat");
    double values[2 * (C + 1)];
    un_dataset d;
    const un_semantics *s = NULL;
    const un_named_path named = {"more", path};
    const un_named_path taken = {"att", path};
    for (size_t i = 0; i < 2 * (C + 1); i++) values[i] = (double)i;
    options.semantics = &named;
    options.semantics_count = 1;
    write_semantics(path, "att", shuffled, C + 1, values, 2, C + 1);
    import_and_open(&options, &d);
    assert_int_equal(un_dataset_require_semantics(&d, "more", &s), UNSEEN_OK);
    assert_int_equal(s->width, 2);
    assert_true(s->values[0] == 16 && s->values[1] == 17); /* ant: column 8 */
    assert_true(s->values[14] == 0 && s->values[15] == 1); /* hen: column 0 */
    un_dataset_close(&d);
    un_directory_remove(options.output);

    /* embeddings: one row a class, matched by position and noted. */
    write_semantics(path, "embeddings", NULL, 0, values, C, 2);
    import_and_open(&options, &d);
    assert_int_equal(un_dataset_require_semantics(&d, "more", &s), UNSEEN_OK);
    assert_true(s->values[2] == 1 && s->values[3] == 9); /* class 1 of column-major [8, 2] */
    un_dataset_close(&d);
    un_directory_remove(options.output);

    write_semantics(path, "att", shuffled + 1, C, values, 2, C); /* without hen */
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "has no class \"hen\"");
    write_semantics(path, "att", NULL, 0, values, 2, C + 1);
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "9 classes without names");
    write_semantics(path, "other", NULL, 0, values, 2, C);
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "neither \"att\"");
    values[3] = NAN;
    write_semantics(path, "att", NULL, 0, values, 2, C);
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "class \"bee\", attribute 2");
    options.semantics = &taken;
    util_fails(un_import_xlsa17(&options), UNSEEN_E_ARGUMENT, "two semantics called \"att\"");
    assert_false(un_path_exists(options.output));
}

static void test_import_refuses(void **state) {
    (void)state;
    package p = make_package();
    p.trainval[3] = 0;
    refuse(&p, "0-based");
    p = make_package();
    p.test_seen[0] = N + 1;
    refuse(&p, "from 1 to 80");
    p = make_package();
    p.test_seen[0] = 1.5;
    refuse(&p, "1.5");
    p = make_package();
    p.test_seen[0] = NAN;
    refuse(&p, "test_seen_loc");
    p = make_package();
    p.trainval[1] = p.trainval[0];
    refuse(&p, "more than once");
    p = make_package();
    p.test_seen[0] = p.trainval[0];
    refuse(&p, "in both trainval_loc and test_seen_loc");
    p = make_package();
    p.labels[0] = 0; /* one 0, but also the largest: no other base */
    refuse(&p, "labels are whole, from 1 to 8");
    assert_null(strstr(un_error(), "0-based"));
    p = make_package();
    for (size_t i = 0; i < N; i++) p.labels[i] -= 1;
    refuse(&p, "are they 0-based?");
    p = make_package();
    p.labels[5] = C + 1;
    refuse(&p, "label of image 6 is 9");
    p = make_package();
    p.labels[0] = 6; /* an unseen class in trainval */
    refuse(&p, "class \"fox\" has images in both");
    p = make_package();
    p.att[A * 2 + 1] = NAN;
    refuse(&p, "class \"cat\", attribute 2");
    p = make_package();
    p.features[D * 70 + 4] = NAN;
    refuse(&p, "feature 4 of image 70 is not a number");
    p = make_package();
    p.features[0] = INFINITY;
    refuse(&p, "infinite");
    p = make_package();
    p.name_count = C - 1;
    refuse(&p, "7 names");
    p = make_package(); /* by MATLAB, so there is no doubt which way they lie */
    p.form = MAT_V73;
    p.turned = 1;
    refuse(&p, "one column a class); it seems to be transposed");
    p = make_package();
    p.labels[7] = -1;
    refuse(&p, "the label of image 8 is -1");
    p = make_package();
    p.labels[7] = 1.5;
    refuse(&p, "the label of image 8 is 1.5");
    static const char *const twice[C] = {"ant", "bee", "cat", "dog", "elk", "fox", "bee", "hen"};
    p = make_package();
    p.names = twice;
    refuse(&p, "classes 2 and 7 are both called \"bee\"");
    p = make_package();
    p.test_unseen_count = 0; /* not written at all */
    refuse(&p, "no variable \"test_unseen_loc\"");
}

/* The same package as other programs write it gives the same data set. */
static void test_import_variants(void **state) {
    (void)state;
    static const struct {
        mat_form form;
        int unmarked, turned, as_row;
        const char *note; /* NULL: none about it */
    } variants[] = {{MAT_PLAIN, 0, 0, 0, NULL},
                    {MAT_BIG_PACKED, 0, 0, 1, NULL},
                    {MAT_V73_PACKED, 0, 0, 1, NULL},
                    {MAT_V73, 1, 0, 0, NULL},
                    {MAT_V73, 1, 1, 0, "\"att\" was not saved by MATLAB"},
                    {MAT_V73_PACKED, 1, 1, 1, "\"features\" was not saved by MATLAB"}};
    for (size_t k = 0; k < sizeof variants / sizeof *variants; k++) {
        package p = make_package();
        un_dataset d;
        un_features f;
        int noted = 0;
        p.form = variants[k].form;
        p.unmarked = variants[k].unmarked;
        p.turned = variants[k].turned;
        p.as_row = variants[k].as_row;
        p.image_format = k % 2 ? "C:\\data\\images\\%03d.jpg" : "/home/a//images/%03d.jpg";
        un_benchmark_options options = prepare(&p);
        import_and_open(&options, &d);
        assert_string_equal(d.classes[3], "dog");
        assert_string_equal(d.images[7],
                            k % 2 ? "C:/data/images/007.jpg" : "/home/a/images/007.jpg");
        for (size_t i = 0; i < C * A; i++) assert_true(d.semantics[0].values[i] == (float)p.att[i]);
        for (size_t i = 0; i < N; i++) assert_int_equal(d.labels[i], i % C);
        assert_int_equal(d.test_unseen.count, TEST_UNSEEN);
        for (size_t i = 0; i < json_array_size(d.notes); i++)
            noted |= variants[k].note && strstr(json_string_value(json_array_get(d.notes, i)),
                                                variants[k].note) != NULL;
        assert_int_equal(noted, variants[k].note != NULL);
        assert_int_equal(un_features_open(&f, options.output, NULL), UNSEEN_OK);
        assert_memory_equal(f.data, p.features, sizeof p.features);
        un_features_close(&f);
        un_dataset_close(&d);
    }
}

static void test_import_bad_places(void **state) {
    (void)state;
    package p = make_package();
    un_benchmark_options options = prepare(&p);
    options.output = "/nowhere/deep/out";
    util_fails(un_import_xlsa17(&options), UNSEEN_E_IO, "/nowhere/deep/out");
    options.output = in_folder("splits.mat");
    util_fails(un_import_xlsa17(&options), UNSEEN_E_IO, "splits.mat");
    options.output = in_folder("out");
    options.splits = "/nowhere/s.mat";
    util_fails(un_import_xlsa17(&options), UNSEEN_E_IO, "/nowhere/s.mat");
    options.splits = in_folder("splits.mat");
    options.features_name = "../evil";
    util_fails(un_import_xlsa17(&options), UNSEEN_E_ARGUMENT, "cannot be the name");
    options.features_name = NULL;
    /* The split file of one data set with the features of another. */
    options.features = options.splits;
    util_fails(un_import_xlsa17(&options), UNSEEN_E_FORMAT, "no variable \"features\"");
    assert_false(un_path_exists(in_folder("out")));
    /* An empty directory is as good as none. */
    options.features = in_folder("feat.mat");
    assert_int_equal(mkdir(in_folder("out"), 0777), 0);
    un_dataset d;
    import_and_open(&options, &d);
    un_dataset_close(&d);
}

static int die(const unseen_progress *progress, void *user) {
    (void)user;
    if (progress->finished) raise(SIGKILL); /* features are written, nothing else */
    return 0;
}

static void test_killed_import(void **state) {
    (void)state;
    package p = make_package();
    un_benchmark_options options = prepare(&p);
    pid_t child = fork();
    if (child == 0) {
        un_set_progress(die, NULL, NULL);
        (void)un_import_xlsa17(&options);
        _exit(0);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    assert_false(un_path_exists(options.output));
    assert_true(un_path_exists(in_folder("out.partial")));
    un_dataset d;
    import_and_open(&options, &d); /* clears what was left */
    un_dataset_close(&d);
    assert_false(un_path_exists(in_folder("out.partial")));
}

static void test_concurrent_import(void **state) {
    (void)state;
    package p = make_package();
    un_benchmark_options options = prepare(&p);
    un_stage stage;
    assert_int_equal(un_stage_open(&stage, options.output), UNSEEN_OK);
    util_fails(un_import_xlsa17(&options), UNSEEN_E_ARGUMENT, "another import");
    assert_true(un_path_exists(in_folder("out.partial/.lock"))); /* the other's is untouched */
    un_stage_abort(&stage);
    assert_false(un_path_exists(in_folder("out.partial")));
    un_dataset d;
    import_and_open(&options, &d);
    un_dataset_close(&d);
}

/* ---- check ---- */

static json_t *check_list(const char *directory, const char *key) {
    json_t *report = NULL;
    if (un_check(directory, &report) != UNSEEN_OK) fail_msg("check failed: %s", un_error());
    json_t *list = json_incref(json_object_get(report, key));
    json_decref(report);
    return list;
}

static int mentions(const json_t *list, const char *fragment) {
    size_t i = 0;
    const json_t *sentence = NULL;
    json_array_foreach(list, i, sentence) {
        if (strstr(json_string_value(sentence), fragment)) return 1;
    }
    return 0;
}

static void expect_error(un_dataset *d, const char *fragment) {
    assert_int_equal(un_dataset_write(d, g_folder), UNSEEN_OK);
    json_t *errors = check_list(g_folder, "errors");
    if (!mentions(errors, fragment))
        fail_msg("no error about \"%s\", there are %zu", fragment, json_array_size(errors));
    json_decref(errors);
}

static void test_check_finds(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    assert_int_equal(un_fold_propose(&d, 2), UNSEEN_OK);
    assert_int_equal(un_dataset_write(&d, g_folder), UNSEEN_OK);
    json_t *errors = check_list(g_folder, "errors");
    assert_int_equal(json_array_size(errors), 0);
    json_decref(errors);

    int64_t saved = d.trainval.items[1];
    d.trainval.items[1] = d.trainval.items[0];
    expect_error(&d, "more than once");
    d.trainval.items[1] = saved;
    int32_t label = d.labels[0];
    d.labels[0] = SEEN;
    expect_error(&d, "class \"fox\" has images in both trainval and test_unseen");
    d.labels[0] = label;
    saved = d.test_seen.items[0];
    d.test_seen.items[0] = d.trainval.items[0];
    expect_error(&d, "in both trainval and test_seen");
    d.test_seen.items[0] = saved;
    saved = d.folds[0].unseen.items[0];
    d.folds[0].unseen.items[0] = d.folds[0].train.items[0];
    (void)un_index_list_sort(&d.folds[0].unseen);
    expect_error(&d, "fold 1: its train and unseen lists share");
    d.folds[0].unseen.items[0] = d.test_seen.items[0];
    (void)un_index_list_sort(&d.folds[0].unseen);
    expect_error(&d, "not in trainval");
    d.fold_count = 0;
    char *name = d.classes[1];
    d.classes[1] = d.classes[0];
    expect_error(&d, "1 class names occur more than once");
    d.classes[1] = name;
    float value = d.semantics[0].values[5];
    d.semantics[0].values[5] = NAN;
    expect_error(&d, "attribute 1 of class \"bee\"");
    d.semantics[0].values[5] = value;
    memcpy(d.semantics[0].values + A, d.semantics[0].values, A * sizeof(float));
    expect_error(&d, "\"ant\" and \"bee\" have equal rows");
    drop(&d);
}

static void test_check_features(void **state) {
    (void)state;
    package p = make_package();
    memcpy(p.features + D, p.features, D * sizeof *p.features); /* image 1 repeats image 0 */
    un_benchmark_options options = prepare(&p);
    un_dataset d;
    import_and_open(&options, &d);
    un_dataset_close(&d);
    json_t *warnings = check_list(options.output, "warnings");
    assert_true(mentions(warnings, "1 image repeats the features of another (0 and 1"));
    json_decref(warnings);
    json_t *errors = check_list(options.output, "errors");
    assert_int_equal(json_array_size(errors), 0);
    json_decref(errors);
    /* One bit of the last image's features. */
    FILE *file = fopen(in_folder("out/features/feat.safetensors"), "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, -1, SEEK_END), 0);
    assert_int_equal(fputc(0x7F, file), 0x7F);
    fclose(file);
    errors = check_list(options.output, "errors");
    assert_true(mentions(errors, "damaged"));
    json_decref(errors);
    write_text(in_folder("out/features/feat.safetensors"), "rubbish that is no file");
    errors = check_list(options.output, "errors");
    assert_true(mentions(errors, "cannot be read"));
    json_decref(errors);
}

/* ---- the real files ---- */

static const char *shared(const char *name) {
    static char paths[4][600];
    static unsigned next;
    const char *root = getenv("UNSEEN_SHARED");
    if (root && !un_path_exists(root)) root = NULL;
    if (!root || !root[0]) {
        print_message("no folder at UNSEEN_SHARED: the real data are not tested\n");
        skip();
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/data/xlsa17/%s", root, name);
    return path;
}

static void test_real_splits(void **state) {
    (void)state;
    static const struct {
        const char *folder, *known;
        size_t images, classes, trainval, test_seen, test_unseen, leaked_train, leaked_val;
    } sets[] = {
        {"CUB", "CUB, Proposed Split of 2020", 11788, 200, 7057, 1764, 2967, 0, 0},
        {"SUN", "SUN, Proposed Split of 2020", 14340, 717, 10320, 2580, 1440, 2320, 260},
        {"AWA1", "AWA1, Proposed Split of 2020", 30475, 50, 19832, 4958, 5685, 3404, 1554},
        {"AWA2", "AWA2, Proposed Split of 2020", 37322, 50, 23527, 5882, 7913, 4031, 1851},
        {"APY", "aPY, Proposed Split of 2020", 15339, 32, 5932, 1483, 7924, 0, 0},
        {"FLO", "FLO, Proposed Split of 2020", 8189, 102, 5631, 1403, 1155, 1173, 230},
    };
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        char name[64];
        snprintf(name, sizeof name, "%s/att_splits.mat", sets[k].folder);
        un_directory_remove(in_folder("real"));
        const un_benchmark_options options = {
            .splits = shared(name), .dtype = UN_F32, .output = in_folder("real")};
        un_dataset d;
        import_and_open(&options, &d);
        assert_int_equal(d.image_count, sets[k].images);
        assert_int_equal(d.class_count, sets[k].classes);
        assert_int_equal(d.trainval.count, sets[k].trainval);
        assert_int_equal(d.test_seen.count, sets[k].test_seen);
        assert_int_equal(d.test_unseen.count, sets[k].test_unseen);
        assert_string_equal(un_split_known_name(d.split_hash), sets[k].known);
        assert_int_equal(d.fold_count, sets[k].leaked_train > 0);
        if (d.fold_count > 0) {
            assert_int_equal(d.folds[0].leaked_train, sets[k].leaked_train);
            assert_int_equal(d.folds[0].leaked_val, sets[k].leaked_val);
        }
        un_dataset_close(&d);
    }
}

static void test_real_cub(void **state) {
    (void)state;
    const char *sent = shared("CUB/sent_splits.mat");
    const un_named_path semantics = {"sent", sent};
    const un_benchmark_options options = {.features = shared("CUB/vgg_fc7.mat"),
                                          .splits = shared("CUB/att_splits.mat"),
                                          .semantics = &semantics,
                                          .semantics_count = 1,
                                          .validation = &sent,
                                          .validation_count = 1,
                                          .dtype = UN_BF16,
                                          .output = in_folder("cub")};
    un_dataset d;
    json_t *report = NULL;
    import_and_open(&options, &d);
    assert_int_equal(d.fold_count, 3); /* the lists equal valclasses1.txt */
    const un_fold *f = &d.folds[0];
    assert_int_equal(f->leaked_train, 1173);
    assert_int_equal(f->leaked_val, 591);
    assert_int_equal(f->train.count + f->seen.count, 4702);
    assert_int_equal(f->unseen.count, 2355);
    for (size_t k = 0; k < 3; k++) {
        assert_int_equal(d.folds[k].class_count, 50);
        assert_int_equal(d.folds[k].train.count + d.folds[k].seen.count + d.folds[k].unseen.count,
                         d.trainval.count);
    }
    un_dataset_close(&d);
    assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
    assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
    assert_int_equal(json_integer_value(json_object_get(report, "seen_classes")), 150);
    assert_int_equal(json_integer_value(json_object_get(report, "unseen_classes")), 50);
    assert_string_equal(json_string_value(json_object_get(report, "split_name")),
                        "CUB, Proposed Split of 2020");
    json_decref(report);
}

int main(void) {
    const struct CMUnitTest imports[] = {
        cmocka_unit_test(test_import),
        cmocka_unit_test(test_import_without_features),
        cmocka_unit_test(test_import_validation),
        cmocka_unit_test(test_import_semantics),
        cmocka_unit_test(test_import_refuses),
        cmocka_unit_test(test_import_variants),
        cmocka_unit_test(test_import_bad_places),
        cmocka_unit_test(test_killed_import),
        cmocka_unit_test(test_concurrent_import),
    };
    const struct CMUnitTest checks[] = {
        cmocka_unit_test(test_check_finds),
        cmocka_unit_test(test_check_features),
    };
    const struct CMUnitTest real[] = {
        cmocka_unit_test(test_real_splits),
        cmocka_unit_test(test_real_cub),
    };
    int failed = cmocka_run_group_tests_name("imports", imports, make_folder, remove_folder);
    failed += cmocka_run_group_tests_name("check", checks, make_folder, remove_folder);
    failed += cmocka_run_group_tests_name("real data", real, make_folder, remove_folder);
    return failed ? 1 : 0;
}
