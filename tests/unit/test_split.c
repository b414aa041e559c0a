/*
 * test_split.c - validation folds: honest, repeatable, merged where equal.
 */
#include "unit/data_sample.h"

static void test_index_lists(void **state) {
    (void)state;
    int64_t items[] = {5, 3, 9, 3, 1};
    un_index_list list = {5, items};
    const un_index_list empty = {0, NULL};
    assert_int_equal(un_index_list_sort(&list), 1);
    assert_true(items[0] == 1 && items[1] == 3 && items[2] == 3 && items[4] == 9);
    assert_true(un_index_list_contains(&list, 9) && un_index_list_contains(&list, 1));
    assert_false(un_index_list_contains(&list, 4) || un_index_list_contains(&list, 10));
    assert_false(un_index_list_contains(&empty, 0));
}

/* Every image in exactly one of a fold's lists and in trainval. */
static void assert_honest(const un_dataset *d, const un_fold *f) {
    const un_index_list *lists[] = {&f->train, &f->seen, &f->unseen};
    size_t total = 0;
    for (size_t k = 0; k < 3; k++) {
        total += lists[k]->count;
        for (size_t i = 0; i < lists[k]->count; i++) {
            int64_t image = lists[k]->items[i];
            assert_true(un_index_list_contains(&d->trainval, image));
            for (size_t m = 0; m < 3; m++)
                assert_int_equal(un_index_list_contains(lists[m], image), m == k);
        }
    }
    assert_true(total <= d->trainval.count);
    for (size_t i = 0; i < f->unseen.count; i++)
        for (size_t k = 0; k < f->train.count; k++)
            assert_int_not_equal(d->labels[f->unseen.items[i]], d->labels[f->train.items[k]]);
}

static void test_fold_by_classes(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    char cat[] = "cat";
    char elk[] = "elk";
    char fox[] = "fox";
    char cot[] = "catt";
    char *names[] = {cat, elk};
    char *unseen[] = {fox};
    char *misspelt[] = {cot};
    assert_int_equal(un_fold_add_classes(&d, "list.txt", names, 2), UNSEEN_OK);
    const un_fold *f = &d.folds[0];
    assert_honest(&d, f);
    assert_int_equal(f->class_count, 2);
    assert_string_equal(f->classes[0], "cat");
    assert_int_equal(f->unseen.count, 2 * (PER_CLASS - 2));
    /* 20 % of 8 is 1.6: two of each of the three others. */
    assert_int_equal(f->seen.count, 3 * 2);
    assert_int_equal(f->train.count, 3 * (PER_CLASS - 2 - 2));
    util_fails(un_fold_add_classes(&d, "list.txt", unseen, 1), UNSEEN_E_FORMAT,
               "no images in trainval");
    util_fails(un_fold_add_classes(&d, "list.txt", misspelt, 1), UNSEEN_E_FORMAT,
               "did you mean \"cat\"");
    /* The held-out images of a class are the same in every fold. */
    assert_int_equal(un_fold_add_classes(&d, "other.txt", names + 1, 1), UNSEEN_OK);
    for (size_t i = 0; i < f->seen.count; i++)
        assert_true(un_index_list_contains(&d.folds[1].seen, d.folds[0].seen.items[i]));
    d.labels = NULL;
    util_fails(un_fold_add_classes(&d, "list.txt", names, 2), UNSEEN_E_ARGUMENT, "labels");
    drop(&d);
}

static void test_fold_by_lists(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    int64_t train[N];
    int64_t val[N];
    un_index_list t = {0, train};
    un_index_list v = {0, val};
    /* As published: all images of classes 0 to 2 against 3 and 4, test_seen included. */
    for (int64_t i = 0; i < N; i++) {
        if (i % C < 3)
            train[t.count++] = i;
        else if (i % C < SEEN)
            val[v.count++] = i;
    }
    assert_int_equal(un_fold_add_lists(&d, "s.mat", &t, &v), UNSEEN_OK);
    const un_fold *f = &d.folds[0];
    assert_honest(&d, f);
    assert_int_equal(f->listed_train, 3 * PER_CLASS);
    assert_int_equal(f->listed_val, 2 * PER_CLASS);
    assert_int_equal(f->leaked_train, 3 * 2);
    assert_int_equal(f->leaked_val, 2 * 2);
    assert_int_equal(f->unseen.count, 2 * (PER_CLASS - 2));
    assert_int_equal(f->train.count + f->seen.count, 3 * (PER_CLASS - 2));
    /* The same classes by name give the same fold, and merge with it. */
    char dog[] = "dog";
    char elk[] = "elk";
    char *names[] = {dog, elk};
    assert_int_equal(un_fold_add_classes(&d, "valclasses.txt", names, 2), UNSEEN_OK);
    assert_same_list(&d.folds[0].train, &d.folds[1].train);
    assert_same_list(&d.folds[0].seen, &d.folds[1].seen);
    un_fold_merge_equal(&d);
    assert_int_equal(d.fold_count, 1);
    assert_string_equal(d.folds[0].source, "s.mat");
    train[t.count - 1] = N;
    util_fails(un_fold_add_lists(&d, "s.mat", &t, &v), UNSEEN_E_FORMAT, "outside");
    t.count--;
    val[0] = train[0];
    (void)un_index_list_sort(&v);
    util_fails(un_fold_add_lists(&d, "s.mat", &t, &v), UNSEEN_E_FORMAT,
               "both train_loc and val_loc");
    drop(&d);
}

static void test_fold_without_labels(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    int64_t train[] = {0, 1, 2, 64};
    int64_t val[] = {3, 4, 67, 68};
    const un_index_list t = {4, train};
    const un_index_list v = {4, val};
    d.labels = NULL;
    assert_int_equal(un_fold_add_lists(&d, "s.mat", &t, &v), UNSEEN_OK);
    assert_int_equal(d.folds[0].train.count, 3);
    assert_int_equal(d.folds[0].seen.count, 0);
    assert_int_equal(d.folds[0].unseen.count, 2);
    assert_int_equal(d.folds[0].leaked_train, 1);
    assert_int_equal(d.folds[0].leaked_val, 2);
    assert_null(d.folds[0].classes);
    util_fails(un_fold_propose(&d, 3), UNSEEN_E_ARGUMENT, "labels");
    drop(&d);
}

static void test_proposed_folds(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    un_dataset again = make_dataset();
    unsigned char seen[C];
    size_t unseen_classes = 0;
    assert_int_equal(un_fold_propose(&d, 3), UNSEEN_OK);
    assert_int_equal(un_fold_propose(&again, 3), UNSEEN_OK);
    assert_int_equal(d.fold_count, 2); /* five classes are cut into halves */
    for (size_t k = 0; k < d.fold_count; k++) {
        assert_honest(&d, &d.folds[k]);
        assert_same_list(&d.folds[k].unseen, &again.folds[k].unseen);
        assert_same_list(&d.folds[k].seen, &again.folds[k].seen);
        un_dataset_classes_of(&d, &d.folds[k].unseen, seen);
        for (size_t c = 0; c < C; c++) unseen_classes += seen[c];
    }
    assert_int_equal(unseen_classes, SEEN); /* disjoint, and together all */
    drop(&again);
    drop(&d);
}

/* The rule of the hold-out: nearest to 20 %, at least one of two or more. */
static void test_holdout_sizes(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 7, 8, 12, 13, 100};
    static const size_t held[] = {0, 1, 1, 1, 2, 2, 3, 20};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t n = sizes[k];
        char a[] = "a";
        char b[] = "b";
        char c[] = "c";
        char *classes[] = {a, b, c};
        int32_t labels[128];
        int64_t trainval[128];
        int64_t rest[2] = {(int64_t)n + 2, (int64_t)n + 3};
        for (size_t i = 0; i < n + 4; i++) {
            labels[i] = i < n ? 0 : i < n + 2 ? 1 : 2;
            trainval[i] = (int64_t)i;
        }
        un_dataset d = {.name = "h",
                        .image_count = n + 4,
                        .class_count = 3,
                        .classes = classes,
                        .labels = labels,
                        .trainval = {n + 2, trainval},
                        .test_seen = {0, rest},
                        .test_unseen = {2, rest}};
        assert_int_equal(un_fold_add_classes(&d, "x", classes + 1, 1), UNSEEN_OK);
        assert_int_equal(d.folds[0].seen.count, held[k]);
        assert_int_equal(d.folds[0].train.count, n - held[k]);
        drop(&d);
    }
}

static void test_images_by_class(void **state) {
    (void)state;
    static const int32_t labels[] = {3, 0, 3, 1, 0, 3, 1};
    int64_t items[] = {0, 1, 2, 4, 5, 6}, images[6];
    static const int64_t expected[] = {1, 4, 6, 0, 2, 5};
    static const size_t begins[] = {0, 2, 3, 3, 6, 6};
    const un_index_list list = {6, items}, empty = {0};
    size_t begin[6];
    un_images_by_class(labels, &list, 5, begin, images); /* classes 2 and 4 have none */
    assert_memory_equal(begin, begins, sizeof begins);
    assert_memory_equal(images, expected, sizeof expected);
    un_images_by_class(labels, &empty, 5, begin, images);
    for (size_t c = 0; c <= 5; c++) assert_int_equal(begin[c], 0);
}

int main(void) {
    const struct CMUnitTest folds[] = {
        cmocka_unit_test(test_images_by_class),     cmocka_unit_test(test_index_lists),
        cmocka_unit_test(test_fold_by_classes),     cmocka_unit_test(test_fold_by_lists),
        cmocka_unit_test(test_fold_without_labels), cmocka_unit_test(test_proposed_folds),
        cmocka_unit_test(test_holdout_sizes),
    };
    int failed = cmocka_run_group_tests_name("folds", folds, make_folder, remove_folder);
    return failed ? 1 : 0;
}
