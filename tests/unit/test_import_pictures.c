/*
 * test_import_pictures.c - the import of a user's own folder over trees made here, and proposed
 * splits.
 */
#include "unit/picture_sample.h"

#include "base/rng.h"
#include "data/check/check.h"
#include "data/parts.h"
#include "data/readers/import.h"
#include "data/readers/pictures.h"
#include "data/split.h"

/* ---- a user's folder ---- */

enum { KINDS = 10, PICTURES = 12 };

static un_picture_set_options prepare_folder(void) {
    static char table[1024];
    char name[64];
    forget("own");
    forget("out");
    snprintf(table, sizeof table, "class,a,b,c,d,e,f\n");
    for (int c = 0; c < KINDS; c++) {
        snprintf(table + strlen(table), sizeof table - strlen(table), "kind %d,%d,%d,%d,%d,.%d,1\n",
                 c, c % 2, c % 3 == 0, c % 5 == 1, c == 4, c);
        for (int i = 0; i < PICTURES; i++) {
            snprintf(name, sizeof name, "own/kind %d/%s%d.jpg", c, i % 2 ? "sub/" : "", i);
            put_file(name, "");
        }
    }
    snprintf(table + strlen(table), sizeof table - strlen(table), "ghost,1,1,0,0,1,1\n");
    write_text(in_folder("own.csv"), table);
    return (un_picture_set_options){.root = in_folder("own"),
                                    .attributes = in_folder("own.csv"),
                                    .split = {.seed = 1},
                                    .output = in_folder("out")};
}

static void open_folder(const un_picture_set_options *options, un_dataset *d) {
    forget("out");
    if (un_import_folder(options) || un_dataset_open(d, options->output))
        fail_msg("import failed: %s", un_error());
}

/* Writes the split with `front` for the "kind " before each picture; NULL: only the separator is
 * another. */
static void respell(const char *from, const char *to, const char *front) {
    char *text = NULL;
    size_t length = 0;
    assert_int_equal(un_file_read(from, 1 << 20, &text, &length), UNSEEN_OK);
    FILE *out = fopen(to, "w");
    assert_non_null(out);
    for (const char *at = text; *at; at++) {
        const char *end = strchr(at, '"');
        int is_path = at > text && at[-1] == '"' && !strncmp(at, "kind ", 5) &&
                      memchr(at, '/', (size_t)(end - at)) != NULL;
        if (is_path && front) {
            fputs(front, out);
            at += 5;
        }
        if (*at == '/' && (!front || front[0] == 'C'))
            fputs("\\\\", out);
        else
            fputc(*at, out);
    }
    fclose(out);
    free(text);
}

static void test_folder(void **state) {
    (void)state;
    un_picture_set_options options = prepare_folder();
    un_dataset d;
    un_dataset again;
    unsigned char flags[KINDS + 1];
    options.split.write = in_folder("split.json");
    open_folder(&options, &d);
    assert_int_equal(d.class_count, KINDS + 1);
    assert_int_equal(d.image_count, KINDS * PICTURES);
    assert_string_equal(d.classes[KINDS], "ghost");
    assert_string_equal(d.images[0], "kind 0/0.jpg");
    assert_string_equal(d.semantics[0].name, "att");
    assert_string_equal(d.semantics[0].attributes[3], "d");
    assert_string_equal(d.semantics[1].name, "original_att");
    /* 10 classes with pictures: 2 unseen, 2 of 12 pictures held out of each other. */
    assert_int_equal(d.test_unseen.count, 2 * PICTURES);
    assert_int_equal(d.test_seen.count, 8 * 2);
    assert_int_equal(d.trainval.count, 8 * 10);
    assert_int_equal(d.fold_count, 3);
    /* Class 4 alone has d: it must be seen. */
    un_dataset_classes_of(&d, &d.trainval, flags);
    assert_int_equal(flags[4], 1);
    char hash[65];
    memcpy(hash, d.split_hash, sizeof hash);
    /* The same seed gives the same split, another one another. */
    open_folder(&options, &again);
    assert_string_equal(again.split_hash, hash);
    un_dataset_close(&again);
    /* What was written comes back: split and folds. */
    options.split.write = NULL;
    options.split.file = in_folder("split.json");
    open_folder(&options, &again);
    assert_string_equal(again.split_hash, hash);
    assert_int_equal(again.fold_count, 3);
    for (size_t k = 0; k < 3; k++) {
        assert_same_list(&again.folds[k].train, &d.folds[k].train);
        assert_same_list(&again.folds[k].seen, &d.folds[k].seen);
        assert_same_list(&again.folds[k].unseen, &d.folds[k].unseen);
        assert_int_equal(again.folds[k].proposed, 1);
    }
    un_dataset_close(&again);
    un_dataset_close(&d);
    /* And as Windows writes paths, or with folders in front. */
    static const char *const fronts[] = {NULL, "images/kind ", "./kind ",
                                         "C:\\\\me\\\\.\\\\images\\\\kind "};
    for (size_t k = 0; k < sizeof fronts / sizeof *fronts; k++) {
        respell(in_folder("split.json"), in_folder("spelt.json"), fronts[k]);
        options.split.file = in_folder("spelt.json");
        open_folder(&options, &again);
        assert_string_equal(again.split_hash, hash);
        un_dataset_close(&again);
    }
    options.split.file = NULL;
    options.split.seed = 2;
    open_folder(&options, &again);
    assert_string_not_equal(again.split_hash, hash);
    un_dataset_close(&again);
    options.split.unseen = "kind 3, kind 4";
    open_folder(&options, &again);
    un_dataset_classes_of(&again, &again.test_unseen, flags);
    for (int c = 0; c < KINDS; c++) assert_int_equal(flags[c], c == 3 || c == 4);
    un_dataset_close(&again);
    json_t *report = NULL;
    assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
    assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
    assert_int_equal(json_integer_value(json_object_get(report, "missing_pictures")), 0);
    json_decref(report);
}

static void refuse_folder(const un_picture_set_options *options, const char *why) {
    forget("out");
    un_status status = un_import_folder(options);
    if (status == UNSEEN_OK || !strstr(un_error(), why))
        fail_msg("status %d, sentence \"%s\", expected \"%s\" in it", (int)status, un_error(), why);
    assert_false(un_path_exists(in_folder("out")));
    assert_false(un_path_exists(in_folder("out.partial")));
}

static void test_folder_refusals(void **state) {
    (void)state;
    un_picture_set_options options = prepare_folder();
    static const struct {
        const char *json, *why;
    } splits[] = {
        {"[]", "an object"},
        {"{\"unsen\": [\"kind 1\"]}", "did you mean \"unseen\""},
        {"{\"unseen\": [\"kind 11\"]}", "did you mean \"kind 1\""},
        {"{\"unseen\": [3]}", "not a name"},
        {"{\"unseen_count\": 9}", "cannot be chosen"},
        {"{\"unseen_count\": 2, \"unseen\": [\"kind 1\"]}", "only one"},
        {"{\"trainval\": [0]}", "only 1 of them"},
        {"{\"trainval\": [0], \"test_seen\": [1], \"test_unseen\": [120]}", "1-based"},
        {"{\"trainval\": [0, 120], \"test_seen\": [1], \"test_unseen\": [12]}",
         "count from 0 to 119"},
        {"{\"trainval\": [0], \"test_seen\": [-1], \"test_unseen\": [12]}", "count from 0 to 119"},
        {"{\"trainval\": [0, 0], \"test_seen\": [1], \"test_unseen\": [12]}", "more than once"},
        {"{\"trainval\": [0], \"test_seen\": [1], \"test_unseen\": [2]}", "both trainval"},
        {"{\"trainval\": [0], \"test_seen\": [0], \"test_unseen\": [12]}", "image 0 is in both"},
        {"{\"trainval\": [], \"test_seen\": [0], \"test_unseen\": [12]}", "is empty"},
        {"{\"trainval\": [\"kind 0/none.jpg\"], \"test_seen\": [1], \"test_unseen\": [12]}",
         "does not have"},
        {"{\"trainval\": [\"0.jpg\"], \"test_seen\": [1], \"test_unseen\": [12]}",
         "one of several"},
        {"{\"trainval\": [true], \"test_seen\": [1], \"test_unseen\": [12]}", "neither a number"},
        {"{\"unseen\": [\"kind 1\"], \"folds\": [3]}", "no fold"},
        {"{\"unseen\": [\"kind 1\"], \"folds\": [{\"classes\": [\"kind 1\"]}]}", "no images in"},
        {"{\"classes\": [\"kund 1\"], \"unseen\": [\"kind 1\"]}", "did you mean \"kind 1\""}};
    options.split.file = in_folder("bad.json");
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
        write_text(in_folder("bad.json"), splits[i].json);
        refuse_folder(&options, splits[i].why);
        if (strstr(splits[i].json, "[0, 120]")) assert_null(strstr(un_error(), "1-based"));
    }
    options.split.unseen_number = 2;
    refuse_folder(&options, "exclude each other");
    options.split.file = NULL;
    options.split.unseen_number = 9;
    refuse_folder(&options, "cannot be chosen");
    options.split.unseen_number = 0;
    options.split.unseen = "kind 1,,kind 2";
    refuse_folder(&options, "empty name");
    options.split.unseen = NULL;
    put_file("own/kint 1/x.jpg", "");
    refuse_folder(&options, "has no row in");
    refuse_folder(&options, "did you mean \"kind 1\"");
    forget("own");
    put_file("own/lonely.jpg", "");
    refuse_folder(&options, "lie in the folder itself");
    options.root = in_folder("nowhere");
    refuse_folder(&options, "nowhere");
}

static int noted(const un_dataset *d, const char *text) {
    for (size_t i = 0; i < json_array_size(d->notes); i++)
        if (strstr(json_string_value(json_array_get(d->notes, i)), text)) return 1;
    return 0;
}

/* Folders, tables and lists that spell a class otherwise. */
static void test_spellings(void **state) {
    (void)state;
    un_picture_set_options options = prepare_folder();
    un_dataset d;
    unsigned char flags[6];
    const char *validation = in_folder("val.txt");
    forget("own");
    static const char *const folders[] = {"Red Fox", "owl_barn", "Cafe\xCC\x81", "gnu", "hen"};
    for (size_t k = 0; k < 5; k++)
        for (int i = 0; i < 4; i++) {
            char name[64];
            snprintf(name, sizeof name, "own/%s/%d.jpg", folders[k], i);
            put_file(name, "");
        }
    static const char table[] = "class,a,b\nred_fox,1,0\nowl barn,0,1\ncaf\xC3\xA9,1,1\n"
                                "gnu,0.5,0\nhen,0,0.5\n";
    write_text(in_folder("own.csv"), table);
    /* A list with a mark, quotes and blank lines, as old Macs end them. */
    write_text(in_folder("val.txt"), "\xEF\xBB\xBF\"Red_Fox\"\r\rCAF\xC3\x89\r");
    options.split.unseen = " Owl Barn ,GNU";
    options.split.validation = &validation;
    options.split.validation_count = 1;
    open_folder(&options, &d);
    assert_int_equal(d.image_count, 20);
    assert_string_equal(d.classes[d.labels[0]], "caf\xC3\xA9");
    assert_true(noted(&d, "folders that are spelt otherwise"));
    assert_true(noted(&d, "\"Red Fox\" for \"red_fox\""));
    assert_true(noted(&d, "option unseen: names that are spelt otherwise"));
    un_dataset_classes_of(&d, &d.test_unseen, flags);
    for (int c = 0; c < 5; c++) assert_int_equal(flags[c], c == 1 || c == 3);
    assert_int_equal(d.fold_count, 1);
    assert_int_equal(d.folds[0].class_count, 2);
    un_dataset_close(&d);
    /* JSON splits, too. */
    options.split.unseen = NULL;
    options.split.validation_count = 0;
    options.split.file = in_folder("s.json");
    write_text(options.split.file,
               "{\"unseen\": [\"HEN\"], \"folds\": [{\"classes\": [\"RED fox\"]}]}");
    open_folder(&options, &d);
    un_dataset_classes_of(&d, &d.test_unseen, flags);
    for (int c = 0; c < 5; c++) assert_int_equal(flags[c], c == 4);
    un_dataset_close(&d);
    /* All that mean nothing are told, and what is left in the table. */
    options.split.file = NULL;
    put_file("own/gun/1.jpg", "");
    put_file("own/zebra/1.jpg", "");
    put_file("own/GNU/1.jpg", "");
    forget("own/hen");
    refuse_folder(&options, "\"gun\" (did you mean \"gnu\"?)");
    refuse_folder(&options, "\"zebra\"");
    refuse_folder(&options, "\"GNU\"");
    refuse_folder(&options, "rows without a folder: \"hen\"");
}

/* train/ and test/ above the classes are no classes. */
static void test_folders_above(void **state) {
    (void)state;
    un_picture_set_options options = prepare_folder();
    un_dataset d;
    forget("own");
    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 4; i++) {
            char name[64];
            snprintf(name, sizeof name, "own/%s/kind %d/%d.jpg", i == 3 ? "test" : "train", c, i);
            put_file(name, "");
        }
    write_text(in_folder("own.csv"), "c,a\nkind 0,0\nkind 1,1\nkind 2,.3\nkind 3,.4\nkind 4,.5\n");
    open_folder(&options, &d);
    assert_int_equal(d.class_count, 5);
    assert_int_equal(d.image_count, 20);
    assert_string_equal(d.images[0], "test/kind 0/3.jpg");
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(strstr(d.images[i], "kind ")[5] - '0', d.labels[i]);
    assert_true(noted(&d, "stand above those of the classes"));
    un_dataset_close(&d);
    put_file("own/train/unknown/1.jpg", "");
    refuse_folder(&options, "\"unknown\"");
    forget("own/train/unknown");
    /* A class may be called so. */
    write_text(in_folder("own.csv"), "c,a\ntest,0\ntrain,1\nkind 2,.3\nkind 3,.4\n");
    put_file("own/kind 2/1.jpg", "");
    put_file("own/kind 2/2.jpg", "");
    put_file("own/kind 3/1.jpg", "");
    open_folder(&options, &d);
    assert_int_equal(d.labels[0], 2);
    assert_string_equal(d.classes[d.labels[d.image_count - 1]], "train");
    un_dataset_close(&d);
}

static void test_lists_of_unseen(void **state) {
    (void)state;
    un_picture_set_options options = prepare_folder();
    un_dataset d;
    unsigned char flags[6];
    forget("own");
    static const char *const folders[] = {"owl, barn", "@home", "say \"hi\"", "gnu", "hen"};
    for (size_t k = 0; k < 5; k++)
        for (int i = 0; i < 4; i++) {
            char name[64];
            snprintf(name, sizeof name, "own/%s/%d.jpg", folders[k], i);
            put_file(name, "");
        }
    write_text(in_folder("own.csv"), "class,a,b\n\"owl, barn\",1,0\n@home,0,1\n"
                                     "\"say \"\"hi\"\"\",1,1\ngnu,0.5,0\nhen,0,0.5\n");
    write_text(in_folder("list.txt"), "\xEF\xBB\xBFowl, barn\r\n\r\nhen\r\n");
    static char at[420];
    snprintf(at, sizeof at, "@%s", in_folder("list.txt"));
    const struct {
        const char *unseen;
        int want[5];
    } cases[] = {{"\"owl, barn\",hen", {1, 0, 0, 0, 1}},
                 {"owl, barn", {1, 0, 0, 0, 0}},
                 {"@home", {0, 1, 0, 0, 0}},
                 {"\"say \"\"hi\"\"\", gnu", {0, 0, 1, 1, 0}},
                 {in_folder("list.txt"), {1, 0, 0, 0, 1}},
                 {at, {1, 0, 0, 0, 1}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options.split.unseen = cases[i].unseen;
        open_folder(&options, &d);
        un_dataset_classes_of(&d, &d.test_unseen, flags);
        for (int c = 0; c < 5; c++)
            if (flags[c] != cases[i].want[c]) fail_msg("--unseen %s: class %d", cases[i].unseen, c);
        un_dataset_close(&d);
    }
    options.split.unseen = "@nowhere.txt";
    refuse_folder(&options, "nowhere.txt");
    options.split.unseen = "owl, hen";
    refuse_folder(&options, "no class \"owl\"");
    write_text(in_folder("list.txt"), "\n");
    options.split.unseen = at;
    refuse_folder(&options, "no names in it");
}

/* Scaling: percent and shares stay as they are, mixed units go to their range. */
static void test_scaling(void **state) {
    (void)state;
    static const struct {
        double values[4]; /* two classes, two attributes */
        un_scale scale;
        double want[4];
    } cases[] = {{{0.6, 0.8, 0, 0.5}, UN_SCALE_AUTO, {0.6, 0.8, 0, 1}},
                 {{30, 40, 0, 50}, UN_SCALE_AUTO, {0.6, 0.8, 0, 1}},
                 {{1, 40, 0, 50}, UN_SCALE_AUTO, {1, 0, 0, 1}},
                 {{-1, 4000, 1, 5000}, UN_SCALE_AUTO, {0, 0, M_SQRT1_2, M_SQRT1_2}},
                 {{30, 0, 50, 0}, UN_SCALE_AUTO, {1, 0, 1, 0}},
                 {{3, 4, 5, 0}, UN_SCALE_NONE, {0.6, 0.8, 1, 0}},
                 {{3e200, 4e200, 5, 0}, UN_SCALE_AS_GIVEN, {0, 0, 0, 0}},
                 {{3, 3, 4, 3}, UN_SCALE_RANGE, {0, 0, 1, 0}},
                 {{3, 4, 5, 0}, UN_SCALE_AS_GIVEN, {3, 4, 5, 0}}};
    static char *classes[2] = {"x", "y"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        un_dataset d = {.class_count = 2, .classes = classes};
        const un_attribute_options options = {.scale = cases[i].scale};
        un_status status = un_import_attributes(&d, "att", cases[i].values, 2, NULL, &options);
        if (cases[i].values[0] > 1e38) {
            assert_int_equal(status, UNSEEN_E_FORMAT);
        } else {
            assert_int_equal(status, UNSEEN_OK);
            assert_int_equal(d.semantics_count, cases[i].scale == UN_SCALE_AS_GIVEN ? 1 : 2);
            for (int k = 0; k < 4; k++)
                assert_true(fabs((double)d.semantics[0].values[k] - cases[i].want[k]) < 1e-7);
        }
        drop(&d);
    }
}

/* Over many random tables: no attribute is left without a seen class where that can be
 * avoided, and the lists are what split.h says. */
static void test_proposals(void **state) {
    (void)state;
    static char *classes[C] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    static float att[C * A];
    static int32_t labels[N];
    for (size_t i = 0; i < N; i++) labels[i] = (int32_t)(i % C);
    for (uint64_t seed = 0; seed < 200; seed++) {
        un_rng rng = un_rng_stream(seed, "table", 0);
        un_split_proposal p = {.seed = seed, .where = "test"};
        un_split_outcome outcome;
        un_dataset d = {.image_count = N,
                        .class_count = C,
                        .classes = classes,
                        .labels = labels,
                        .semantics_count = 1,
                        .semantics = {{.name = "att", .width = A, .values = att}}};
        size_t owners[A] = {0};
        int avoidable = 0;
        for (size_t i = 0; i < (size_t)C * A; i++) att[i] = (float)un_rng_below(&rng, 2);
        assert_int_equal(un_split_propose(&d, &p, &outcome), UNSEEN_OK);
        assert_int_equal(outcome.unseen, 2);
        assert_int_equal(d.test_unseen.count, 2 * PER_CLASS);
        assert_int_equal(d.test_seen.count, 6 * PER_CLASS / 5);
        assert_int_equal(d.trainval.count, 6 * (PER_CLASS - PER_CLASS / 5));
        /* Is there a pair of classes that leaves every attribute an owner? */
        for (size_t c = 0; c < C; c++)
            for (size_t a = 0; a < A; a++) owners[a] += att[c * A + a] > 0;
        for (size_t x = 0; x < C; x++)
            for (size_t y = 0; y < x; y++) {
                int good = 1;
                for (size_t a = 0; a < A; a++) {
                    size_t taken = (att[x * A + a] > 0) + (size_t)(att[y * A + a] > 0);
                    /* All or none owning it: the mean is not exceeded. */
                    if (owners[a] < C && taken > 0 && owners[a] == taken) good = 0;
                }
                avoidable |= good;
            }
        if (avoidable) assert_int_equal(outcome.orphaned, 0);
        drop(&d);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder),          cmocka_unit_test(test_folder_refusals),
        cmocka_unit_test(test_spellings),       cmocka_unit_test(test_folders_above),
        cmocka_unit_test(test_lists_of_unseen), cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_proposals),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
