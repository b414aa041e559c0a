/* test_task.c - what a run sees of a data set: classes, labels, and no test data in validation. */
#include "base/status.h"
#include "data/split.h"
#include "data/task.h"
#include "util.h"

/* Six images of classes 0, 0, 1, 1, 2, 2; class 2 is unseen, class 1 plays it in validation. */
static int32_t g_labels[] = {0, 0, 1, 1, 2, 2};
static int64_t g_trainval[] = {0, 1, 2}, g_test_seen[] = {3}, g_test_unseen[] = {4, 5};
static int64_t g_train[] = {0}, g_seen[] = {1}, g_unseen[] = {2};
static char g_names[3][8] = {"ant", "bee", "cat"};
static float g_att[] = {1, 0, 0, 1, 1, 1};

static un_dataset sample(void) {
    static char *names[] = {g_names[0], g_names[1], g_names[2]};
    un_dataset d = {.name = "sample",
                    .image_count = 6,
                    .class_count = 3,
                    .classes = names,
                    .labels = g_labels,
                    .trainval = {3, g_trainval},
                    .test_seen = {1, g_test_seen},
                    .test_unseen = {2, g_test_unseen},
                    .semantics_count = 1,
                    .fold_count = 1};
    d.semantics[0] = (un_semantics){.name = "att", .width = 2, .values = g_att};
    d.folds[0] = (un_fold){
        .source = "hand", .train = {1, g_train}, .seen = {1, g_seen}, .unseen = {1, g_unseen}};
    return d;
}

static const char *const g_semantics[] = {"att"};

static void final_task_has_every_class(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    util_ok(un_task_final(&task, &d, NULL, g_semantics, 1));
    assert_int_equal(task.classes.count, 3);
    assert_int_equal(task.classes.seen[0], 1);
    assert_int_equal(task.classes.seen[1], 1);
    assert_int_equal(task.classes.seen[2], 0);
    assert_int_equal(task.labels[5], 2);
    un_task_free(&task);
}

static void fold_task_drops_the_real_unseen_classes(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    util_ok(un_task_fold(&task, &d, 0, NULL, g_semantics, 1));
    assert_int_equal(task.classes.count, 2);
    assert_int_equal(task.classes.seen[0], 1);
    assert_int_equal(task.classes.seen[1], 0);
    assert_int_equal(task.labels[4], -1);
    assert_string_equal(task.classes.names[1], "bee");
    un_task_free(&task);
}

/* Whoever wrote the file: an image of the test sets must not reach selection. */
static void test_images_in_a_fold_are_refused(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    int64_t leaks[] = {3, 4};
    for (size_t i = 0; i < 2; i++) {
        d = sample();
        d.folds[0].seen = (un_index_list){1, &leaks[i]};
        util_fails(un_task_fold(&task, &d, 0, NULL, g_semantics, 1), UNSEEN_E_FORMAT,
                   "not in trainval");
        d = sample();
        d.folds[0].unseen = (un_index_list){1, &leaks[i]};
        util_fails(un_task_fold(&task, &d, 0, NULL, g_semantics, 1), UNSEEN_E_FORMAT,
                   "not in trainval");
        d = sample();
        d.folds[0].train = (un_index_list){1, &leaks[i]};
        util_fails(un_task_fold(&task, &d, 0, NULL, g_semantics, 1), UNSEEN_E_FORMAT,
                   "not in trainval");
    }
    /* a class on both sides, and a seen-class image of a class that is not trained on */
    d = sample();
    d.folds[0].unseen = (un_index_list){1, g_seen};
    util_fails(un_task_fold(&task, &d, 0, NULL, g_semantics, 1), UNSEEN_E_FORMAT,
               "trained on and plays");
    d = sample();
    d.folds[0].seen = (un_index_list){1, g_unseen};
    util_fails(un_task_fold(&task, &d, 0, NULL, g_semantics, 1), UNSEEN_E_FORMAT, "not trained on");
}

static void without_labels_there_is_no_task(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    d.labels = NULL;
    util_fails(un_task_final(&task, &d, NULL, g_semantics, 1), UNSEEN_E_ARGUMENT, "no labels");
    util_fails(un_task_fold(&task, &d, 0, NULL, g_semantics, 1), UNSEEN_E_ARGUMENT, "no labels");
}

/* Images without features are in no list; a class that is left without a training image is not
 * seen, and its test images count nowhere. */
static void images_without_features_take_no_part(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    const unsigned char no_bee[6] = {1, 1, 0, 1, 1, 0};
    util_ok(un_task_final(&task, &d, no_bee, g_semantics, 1));
    assert_int_equal(task.absent, 2);
    assert_int_equal(task.train.count, 2);
    assert_int_equal(task.unseen.count, 1);
    assert_int_equal(task.classes.count, 3);
    assert_int_equal(task.classes.seen[1], 0);
    assert_int_equal(task.seen.count, 0);
    assert_int_equal(task.untested, 1);
    assert_int_equal(task.untrained_count, 1);
    assert_string_equal(task.untrained[0], "bee");
    un_task_free(&task);
    const unsigned char one_ant[6] = {1, 0, 1, 1, 1, 1};
    util_ok(un_task_fold(&task, &d, 0, one_ant, g_semantics, 1));
    assert_int_equal(task.seen.count, 0);
    assert_int_equal(task.unseen.count, 1);
    un_task_free(&task);
    util_fails(un_task_fold(&task, &d, 0, no_bee, g_semantics, 1), UNSEEN_E_ARGUMENT,
               "no images that have features play unseen");
    const unsigned char none[6] = {0};
    util_fails(un_task_final(&task, &d, none, g_semantics, 1), UNSEEN_E_ARGUMENT,
               "no training images that have features");
}

/* What counts is what a model was trained on, not which images have features today. */
static void task_of_a_model_takes_seen_from_the_model(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    char *names[] = {"cat", "ant", "bee"};
    unsigned char trained[] = {0, 1, 0};
    un_class_table model = {.count = 3,
                            .names = names,
                            .seen = trained,
                            .semantics_count = 1,
                            .semantics = {{.name = "att"}}};
    util_ok(un_task_of_model(&task, &d, NULL, &model));
    assert_int_equal(task.classes.seen[0], 1);
    assert_int_equal(task.classes.seen[1], 0); /* bee has training images */
    assert_int_equal(task.classes.seen[2], 0);
    assert_int_equal(task.seen.count, 0);
    assert_int_equal(task.unseen.count, 2);
    assert_int_equal(task.untrained_count, 1);
    assert_string_equal(task.untrained[0], "bee");
    assert_int_equal(task.trained_count, 0);
    un_task_free(&task);
    trained[2] = 1;
    const unsigned char no_training[6] = {0, 0, 0, 1, 1, 1};
    util_ok(un_task_of_model(&task, &d, no_training, &model));
    assert_int_equal(task.train.count, 0);
    assert_int_equal(task.seen.count, 1);
    assert_int_equal(task.classes.seen[1], 1);
    assert_int_equal(task.untrained_count, 0);
    un_task_free(&task);
    trained[0] = 1; /* an unseen class of the split that the model learned */
    util_ok(un_task_of_model(&task, &d, NULL, &model));
    assert_int_equal(task.unseen.count, 0);
    assert_int_equal(task.untested, 2);
    assert_int_equal(task.trained_count, 1);
    assert_string_equal(task.trained[0], "cat");
    un_task_free(&task);
}

static void take_message(unseen_log_level level, const char *message, void *user) {
    (void)level;
    snprintf(user, 400, "%s", message);
}

static void classes_are_told_in_their_number(void **state) {
    (void)state;
    char *names[] = {g_names[0], g_names[1], g_names[2], g_names[0], g_names[1], g_names[2]};
    static const struct {
        size_t untrained, trained;
        int is_of_model;
        const char *sentence;
    } cases[] = {
        {1, 0, 0,
         "1 seen class (\"ant\") has no training image with features: scored like an unseen class, "
         "and its test images count nowhere"},
        {2, 0, 0,
         "2 seen classes (\"ant\", \"bee\") have no training image with features: scored like "
         "unseen classes, and their test images count nowhere"},
        {6, 0, 1,
         "6 seen classes (\"ant\", \"bee\", \"cat\", \"ant\", \"bee\" and 1 more) were not trained "
         "on by the model: scored like unseen classes, and their test images count nowhere"},
        {0, 1, 1,
         "the model was trained on 1 class (\"ant\") that the split has for unseen: scored like a "
         "seen class, and its test images count nowhere"},
        {0, 2, 1,
         "the model was trained on 2 classes (\"ant\", \"bee\") that the split has for unseen: "
         "scored like seen classes, and their test images count nowhere"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const un_task task = {.is_of_model = cases[i].is_of_model,
                              .untrained_count = cases[i].untrained,
                              .untrained = names,
                              .trained_count = cases[i].trained,
                              .trained = names};
        char said[400] = "";
        un_set_log(take_message, said);
        un_task_log(&task);
        un_set_log(NULL, NULL);
        assert_string_equal(said, cases[i].sentence);
    }
}

static void whole_task_learns_from_every_list(void **state) {
    (void)state;
    un_dataset d = sample();
    un_task task;
    util_ok(un_task_whole(&task, &d, NULL, g_semantics, 1));
    assert_int_equal(task.train.count, 6);
    assert_int_equal(task.seen.count + task.unseen.count, 0);
    for (size_t c = 0; c < 3; c++) assert_int_equal(task.classes.seen[c], 1);
    un_task_free(&task);
    const unsigned char present[6] = {1, 1, 1, 1, 0, 0};
    util_ok(un_task_whole(&task, &d, present, g_semantics, 1));
    assert_int_equal(task.train.count, 4);
    assert_int_equal(task.classes.seen[2], 0);
    assert_string_equal(task.untrained[0], "cat");
    un_task_free(&task);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(final_task_has_every_class),
        cmocka_unit_test(fold_task_drops_the_real_unseen_classes),
        cmocka_unit_test(test_images_in_a_fold_are_refused),
        cmocka_unit_test(without_labels_there_is_no_task),
        cmocka_unit_test(images_without_features_take_no_part),
        cmocka_unit_test(task_of_a_model_takes_seen_from_the_model),
        cmocka_unit_test(classes_are_told_in_their_number),
        cmocka_unit_test(whole_task_learns_from_every_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
