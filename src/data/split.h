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

#endif
