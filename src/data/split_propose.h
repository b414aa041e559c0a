/*
 * split_propose.h - a split for data that came without one: which classes play the
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
 *   test: what is taken from the others is there for measuring only.
 */
#ifndef UN_DATA_SPLIT_PROPOSE_H
#define UN_DATA_SPLIT_PROPOSE_H

#include "data/dataset.h"

typedef struct {
    char *const *unseen; /* names of the unseen classes, `unseen_count` of them; those without
                            images are so anyway */
    size_t unseen_count; /* 0: they are chosen */
    size_t number;       /* how many to choose; 0: a fifth */
    int no_unseen;       /* 1: none of the classes with images plays an unseen one */
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
