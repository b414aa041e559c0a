/*
 * test_import_published.c - the imports of the folders of CUB and AWA2 over trees made here. With
 * UNSEEN_SHARED set, the real CUB of 50 classes, too.
 */
#include "unit/picture_sample.h"

#include "base/rng.h"
#include "data/check/check.h"
#include "data/parts.h"
#include "data/readers/import.h"
#include "data/readers/pictures.h"
#include "data/split.h"

/* The smallest head of a JPEG that tells a size. */
static void put_jpeg(const char *name, unsigned width, unsigned height) {
    unsigned char bytes[] = {0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 0, 0, 0xFF, 0xC0, 0, 11,
                             8,    0,    0,    0,    0, 3, 0, 0, 0,    0,    0, 0};
    bytes[13] = (unsigned char)(height >> 8);
    bytes[14] = (unsigned char)height;
    bytes[15] = (unsigned char)(width >> 8);
    bytes[16] = (unsigned char)width;
    char path[400];
    snprintf(path, sizeof path, "%s/%s", g_folder, name);
    put_file(name, "");
    assert_int_equal(un_file_write(path, bytes, sizeof bytes), UNSEEN_OK);
}

static un_picture_set_options prepare_awa2(void) {
    char name[64];
    forget("awa2");
    forget("out");
    static const char *const kinds[] = {"ox", "fox", "killer+whale", "bat", "cow"};
    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 5; i++) {
            snprintf(name, sizeof name, "awa2/JPEGImages/%s/%s_%d.jpg", kinds[c], kinds[c],
                     10001 + i);
            put_file(name, "");
        }
    put_file(
        "awa2/classes.txt",
        "     1\tox\n     2\tfox\n     3\tkiller+whale\n     4\tbat\n     5\tcow\n     6\tant\n");
    put_file("awa2/predicates.txt", "    1\tblack\n    2\twhite fur\n");
    put_file("awa2/predicate-matrix-continuous.txt",
             " -1.00   3.00\n  4.00 3\n0 100.0\n 6.00 8\n1 1\n7 7\n");
    put_file("awa2/testclasses.txt", "fox\nant\n");
    return (un_picture_set_options){
        .root = in_folder("awa2"), .split = {.seed = 1}, .output = in_folder("out")};
}

static void test_awa2(void **state) {
    (void)state;
    un_picture_set_options options = prepare_awa2();
    un_dataset d;
    unsigned char flags[5];
    if (un_import_awa2(&options) || un_dataset_open(&d, options.output)) fail_msg("%s", un_error());
    assert_int_equal(d.class_count, 5); /* ant has no pictures */
    assert_string_equal(d.classes[2], "killer+whale");
    assert_string_equal(d.images[0], "bat/bat_10001.jpg");
    assert_int_equal(d.labels[0], 3);
    assert_string_equal(d.semantics[0].attributes[1], "white fur");
    assert_true(fabsf(d.semantics[0].values[2] - 0.8f) < 1e-7f);
    assert_true(d.semantics[1].values[0] == -1.0f);
    un_dataset_classes_of(&d, &d.test_unseen, flags);
    for (int c = 0; c < 5; c++) assert_int_equal(flags[c], c == 1);
    assert_int_equal(d.test_seen.count, 4);
    un_dataset_close(&d);
    forget("out");
    put_file("awa2/JPEGImages/cat/cat_1.jpg", "");
    util_fails(un_import_awa2(&options), UNSEEN_E_FORMAT, "in no folder of a class");
    forget("awa2/JPEGImages/cat");
    put_file("awa2/predicate-matrix-continuous.txt", "1 2\n3 4\n5 6\n7 8\n9 1\n");
    util_fails(un_import_awa2(&options), UNSEEN_E_FORMAT, "5 rows for 6 classes");
    put_file("awa2/predicate-matrix-continuous.txt", "1 2\n3 4\n5 6\n7 8\n9 x\n1 1\n");
    util_fails(un_import_awa2(&options), UNSEEN_E_FORMAT, "line 5");
    put_file("awa2/predicate-matrix-continuous.txt", "1 2 3\n");
    util_fails(un_import_awa2(&options), UNSEEN_E_FORMAT, "more than expected");
    put_file("awa2/testclasses.txt", "focks\n");
    put_file("awa2/predicate-matrix-continuous.txt", "1 2\n3 4\n5 6\n7 8\n9 1\n1 1\n");
    util_fails(un_import_awa2(&options), UNSEEN_E_FORMAT, "did you mean \"fox\"");
    assert_false(un_path_exists(in_folder("out")));
}

static un_picture_set_options prepare_cub(void) {
    forget("cub");
    forget("out");
    char list[2048] = "";
    char classes[1024] = "";
    char locs[4096] = "";
    char boxes[2048] = "";
    char name[96];
    int id = 0;
    for (int c = 0; c < 5; c++)
        for (int i = 0; i < 4; i++) {
            id++;
            snprintf(name, sizeof name, "00%d.Bird/b_%d.jpg", c + 1, i);
            const char *front = i == 2 ? ".\\images\\" : ""; /* a list written on Windows */
            snprintf(list + strlen(list), sizeof list - strlen(list), "%d %s%s\n", id, front, name);
            if (i > 0) *strrchr(list, '/') = '\\';
            snprintf(classes + strlen(classes), sizeof classes - strlen(classes), "%d %d\n", id,
                     c + 1);
            snprintf(locs + strlen(locs), sizeof locs - strlen(locs),
                     "%d 1 50.0 20.0 1\n%d 2 0.0 0.0 0\n%d 3 250.0 30.0 1\n", id, id, id);
            snprintf(boxes + strlen(boxes), sizeof boxes - strlen(boxes),
                     "%d 10.0 20.0 300.0 40.0\n", id);
            if (c == 4 || (c == 0 && i == 2)) continue; /* not here */
            char path[128];
            snprintf(path, sizeof path, "cub/images/%s", name);
            put_jpeg(path, 200, 100);
        }
    put_file("cub/images.txt", list);
    put_file("cub/image_class_labels.txt", classes);
    put_file("cub/classes.txt", "1 001.Bird\n2 002.Bird\n3 003.Bird\n4 004.Bird\n5 005.Bird\n");
    put_file("cub/attributes/class_attribute_labels_continuous.txt",
             "3.0 4.0\n0.0 5.0\n1.0 0.0\n2.0 2.0\n9.0 9.0\n");
    put_file("attributes.txt", "1 has_bill_shape::dagger\n2 has_size::large_(16_-_32_in)\n");
    put_file("cub/parts/parts.txt", "1 beak\n2 left eye\n3 tail\n");
    put_file("cub/parts/part_locs.txt", locs);
    put_file("cub/bounding_boxes.txt", boxes);
    return (un_picture_set_options){
        .root = in_folder("cub"), .split = {.seed = 1}, .output = in_folder("out")};
}

static void test_cub(void **state) {
    (void)state;
    un_picture_set_options options = prepare_cub();
    un_dataset d;
    un_parts p;
    if (un_import_cub(&options) || un_dataset_open(&d, options.output)) fail_msg("%s", un_error());
    assert_int_equal(d.class_count, 4);
    assert_int_equal(d.image_count, 15);
    assert_string_equal(d.images[2], "001.Bird/b_3.jpg");
    assert_int_equal(d.labels[3], 1);
    assert_string_equal(d.semantics[0].attributes[0], "has_bill_shape::dagger");
    assert_true(fabsf(d.semantics[0].values[0] - 0.6f) < 1e-7f);
    if (un_parts_open(&p, options.output, &d)) fail_msg("%s", un_error());
    assert_true(p.boxes[0] == 0.25f && p.boxes[1] == 0.2f && p.boxes[2] == 0.25f);
    assert_int_equal(p.visible[1], 0);
    assert_true(p.boxes[8] == 1.0f); /* beyond the picture */
    assert_true(p.objects[0] == 0.05f && p.objects[2] == 1.0f && p.objects[3] == 0.6f);
    assert_int_equal(un_parts_of_attribute(&p, "att", 0)->items[0], 0);
    assert_int_equal(un_parts_of_attribute(&p, "original_att", 1)->count, 0);
    un_parts_close(&p);
    un_dataset_close(&d);
    json_t *report = NULL;
    assert_int_equal(un_check(options.output, &report), UNSEEN_OK);
    assert_int_equal(json_array_size(json_object_get(report, "errors")), 0);
    json_decref(report);
    forget("out");
    /* Sizes of the originals: twice the pictures' here. */
    put_file("cub/original_sizes.txt", "1 400 200\n");
    if (un_import_cub(&options) || un_dataset_open(&d, options.output)) fail_msg("%s", un_error());
    if (un_parts_open(&p, options.output, &d)) fail_msg("%s", un_error());
    assert_true(p.boxes[0] == 0.125f && p.boxes[12] == 0.25f);
    un_parts_close(&p);
    un_dataset_close(&d);
    forget("out");
}

static void test_cub_refusals(void **state) {
    (void)state;
    un_picture_set_options options = prepare_cub();
    static const struct {
        const char *file, *text, *why;
    } bad[] = {{"cub/classes.txt", "1 001.Bird\n1 002.Bird\n", "number 1 occurs more than once"},
               {"cub/classes.txt", "x 001.Bird\n", "line 1: \"x 001.Bird\" should begin with"},
               {"cub/classes.txt", "1\n", "the name is missing"},
               {"cub/images.txt", "1 ../../etc/passwd\n", "out of the folder"},
               {"cub/images.txt", "99999999999 a.jpg\n", "whole number"},
               {"cub/images.txt", "1 none.jpg\n", "none of the 1 pictures"},
               {"cub/images.txt", "1 a\r2 b\r3 c\r4 d\r5 e\r6 f\r7 g\r8 h\r9 i\r10 j\r", "the 10"},
               {"cub/image_class_labels.txt", "1 1\n", "no class for image 2"},
               {"cub/image_class_labels.txt", "1 77\n", "from 1 to 5"},
               {"cub/attributes/class_attribute_labels_continuous.txt", "1 2\n", "1 rows for 5"},
               {"cub/attributes/class_attribute_labels_continuous.txt", "1\n", "with a number"},
               {"cub/parts/parts.txt", "1 a\n1 b\n", "number is taken"},
               {"cub/parts/part_locs.txt", "1 9 1 1 1\n", "no such part"},
               {"cub/parts/part_locs.txt", "1 1 1 1 7\n", "0 to 1"},
               {"cub/bounding_boxes.txt", "1 1 1 -1 7\n", "no size"},
               {"cub/bounding_boxes.txt", "1 1 1 1 7\n", "no box for"},
               {"cub/original_sizes.txt", "1 0 5\n", "at least 1"},
               {"cub/images/001.Bird/b_0.jpg", "no picture", "its size cannot be read"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options = prepare_cub();
        put_file(bad[i].file, bad[i].text);
        util_fails(un_import_cub(&options), UNSEEN_E_FORMAT, bad[i].why);
        assert_false(un_path_exists(in_folder("out")));
        assert_false(un_path_exists(in_folder("out.partial")));
    }
    options = prepare_cub();
    unlink(in_folder("attributes.txt"));
    util_fails(un_import_cub(&options), UNSEEN_E_IO, "attributes.txt");
}

/* The 50 classes, restricted from the Proposed Split of 200. */
static void test_real_cub(void **state) {
    (void)state;
    const char *shared = getenv("UNSEEN_SHARED");
    char root[512];
    char splits[512];
    char features[512];
    snprintf(root, sizeof root, "%s/data/cub50", shared ? shared : "");
    snprintf(splits, sizeof splits, "%s/data/xlsa17/CUB/att_splits.mat", shared ? shared : "");
    snprintf(features, sizeof features, "%s/data/xlsa17/CUB/vgg_fc7.mat", shared ? shared : "");
    if (!shared || !un_path_is_directory(root)) skip();
    forget("out");
    un_picture_set_options options = {
        .root = root, .split = {.file = splits, .seed = 1}, .output = in_folder("out")};
    un_dataset d;
    un_parts p;
    unsigned char flags[50];
    static const char unseen[][5] = {"004.", "012.", "023.", "026.", "028.",
                                     "031.", "033.", "043.", "045.", "049."};
    if (un_import_cub(&options) || un_dataset_open(&d, options.output)) fail_msg("%s", un_error());
    assert_int_equal(d.class_count, 50);
    assert_int_equal(d.trainval.count, 1837);
    assert_int_equal(d.test_seen.count, 460);
    assert_int_equal(d.test_unseen.count, 592);
    un_dataset_classes_of(&d, &d.test_unseen, flags);
    for (size_t c = 0; c < 50; c++) {
        int wanted = 0;
        for (size_t k = 0; k < 10; k++) wanted |= !strncmp(d.classes[c], unseen[k], 4);
        assert_int_equal(flags[c], wanted);
    }
    /* att and original_att are what att_splits.mat has, classes in its order. */
    un_mat *mat = NULL;
    char **names = NULL;
    size_t count = 0;
    double *att[2] = {NULL, NULL};
    assert_int_equal(un_mat_open(&mat, splits), UNSEEN_OK);
    assert_int_equal(un_mat_read_strings(mat, "allclasses_names", &d.arena, &names, &count),
                     UNSEEN_OK);
    assert_int_equal(un_mat_read_double(mat, "att", &att[0]), UNSEEN_OK);
    assert_int_equal(un_mat_read_double(mat, "original_att", &att[1]), UNSEEN_OK);
    size_t next = 0;
    for (size_t c = 0; c < count && next < 50; c++) {
        if (strcmp(names[c], d.classes[next]) != 0) continue;
        for (int k = 0; k < 2; k++)
            for (size_t a = 0; a < 312; a++) {
                float want = (float)att[k][c * 312 + a];
                /* Two ways to the same double may differ in its last bit, so the float
                 * may in its own: half a unit of 2^-23 each. */
                assert_true(fabsf(d.semantics[k].values[next * 312 + a] - want) <=
                            1.2e-7f * fabsf(want));
            }
        next++;
    }
    assert_int_equal(next, 50);
    free(att[0]);
    free(att[1]);
    un_mat_close(mat);
    if (un_parts_open(&p, options.output, &d)) fail_msg("%s", un_error());
    assert_int_equal(p.part_count, 15);
    for (size_t a = 0; a < 312; a++) {
        const un_part_list *list = un_parts_of_attribute(&p, "att", a);
        int whole = strstr(d.semantics[0].attributes[a], "has_size") != NULL ||
                    strstr(d.semantics[0].attributes[a], "has_shape") != NULL ||
                    strstr(d.semantics[0].attributes[a], "has_primary") != NULL;
        assert_int_equal(list->count == 0, whole);
    }
    un_parts_close(&p);
    char hash[65];
    memcpy(hash, d.split_hash, sizeof hash);
    un_dataset_close(&d);
    forget("out");
    /* The same by the names of the published features' images. */
    options.split.image_files = features;
    if (un_import_cub(&options) || un_dataset_open(&d, options.output)) fail_msg("%s", un_error());
    assert_string_equal(d.split_hash, hash);
    un_dataset_close(&d);
    forget("out");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_awa2),
        cmocka_unit_test(test_cub),
        cmocka_unit_test(test_cub_refusals),
        cmocka_unit_test(test_real_cub),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
