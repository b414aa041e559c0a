/*
 * split.h - making honest validation folds of a data set.
 *
 * Published train/val lists contain images of the test sets (on CUB 1173 + 591).
 * Every fold made here is intersected with trainval first, and says how many it
 * left out.
 */
#ifndef UN_DATA_SPLIT_H
#define UN_DATA_SPLIT_H

#include "data/dataset.h"

/* Share of each seen class's trainval images that plays test_seen in validation,
 * rounded to the nearest number, but at least 1 of 2 images or more. */
#define UN_HOLDOUT_SHARE 0.2
/* The hold-out's own seed: the same images whatever the seed of training. */
#define UN_HOLDOUT_SEED 20170605u

/* Adds a fold from published 0-based image lists (train_loc, val_loc), sorted.
 * With labels, a class with images of trainval in both lists is an error. */
un_status un_fold_add_lists(un_dataset *dataset, const char *source, const un_index_list *train,
                            const un_index_list *val);
/* Adds a fold from names of the classes that play the unseen ones. Names that
 * are not in the data set or not among its seen classes are an error (the
 * sentence names the nearest). Needs labels. */
un_status un_fold_add_classes(un_dataset *dataset, const char *source, char *const *names,
                              size_t count);
/* Adds up to `count` proposed folds: disjoint random fourths of the seen classes
 * (thirds if they are fewer than 16, halves if fewer than 6, and then not more
 * folds than parts). Needs labels and at least 2 seen classes. */
un_status un_fold_propose(un_dataset *dataset, size_t count);

/* Removes folds whose `unseen` lists equal an earlier fold's. */
void un_fold_merge_equal(un_dataset *dataset);

int un_index_list_contains(const un_index_list *list, int64_t item);
/* Sorts and returns the number of repeated entries, which stay in the list. */
size_t un_index_list_sort(un_index_list *list);
/* The images of `list` class by class, in the list's order within a class: those of class c are
 * images[begin[c]] to images[begin[c + 1] - 1]. labels[i] is the class of image i, 0 to
 * class_count - 1; begin has class_count + 1 entries, images as many as the list. */
void un_images_by_class(const int32_t *labels, const un_index_list *list, size_t class_count,
                        size_t *begin, int64_t *images);

/* ---- a split for data that came without one: which classes play the
 * unseen ones, and which images of the others are kept for testing.
 *
 * The choice follows from the seed, the class names' order and the labels alone:
 * - unseen classes: those that were named, or else a fifth of the classes that have
 *   images (rounded; at least 2 where there are 4 or more), taken in random order.
 *   An attribute that no seen class has cannot be learned, so a class is passed over
 *   at first if taking it would leave an attribute that it or a class taken before
 *   has without a seen class; if too few are left, those that orphan the fewest
 *   attributes follow. A class has an attribute if its value is above the mean over
 *   all classes.
 * - test_seen: a fifth of each seen class's images (UN_HOLDOUT_SHARE), rounded, at
 *   least 1 of 2 or more.
 * - trainval: the rest. Classes without images are the unseen ones, which nothing can
 *   test: what is taken from the others is there for measuring only. ---- */

typedef struct {
    char *const *unseen; /* names of the unseen classes, `unseen_count` of them; those without
                            images are so anyway */
    size_t unseen_count; /* 0: they are chosen */
    size_t number;       /* how many to choose; 0: a fifth */
    int no_unseen;       /* 1: none of the classes with images plays an unseen one */
    int some_unseen;     /* 1: nobody could ask for that, and no sentence says so */
    uint64_t seed;
    const char *where; /* for sentences: where the names stand */
} un_split_proposal;

typedef struct {
    size_t unseen;   /* classes with images that play the unseen ones */
    size_t empty;    /* classes without images: unseen ones that nothing tests */
    size_t orphaned; /* attributes that unseen classes have and no seen class has */
} un_split_outcome;

/* Fills the three lists of `dataset`, which has labels. The attributes are those of
 * its first semantics; without any the choice is random. Fails with UNSEEN_E_ARGUMENT
 * for unknown names and for numbers that leave no unseen or fewer than 2 seen classes.
 * With no_unseen test_unseen is empty; test_seen is where each class has one image only. */
un_status un_split_propose(un_dataset *dataset, const un_split_proposal *proposal,
                           un_split_outcome *outcome);

#endif
