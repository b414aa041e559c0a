/*
 * split_file.h - a split as a JSON file, for data that people bring themselves.
 *
 *     {"classes":     ["ant", …],             names in the order of the labels
 *      "trainval":    [0, 1, …],              images by number, from 0, or by name
 *      "test_seen":   […],
 *      "test_unseen": […],
 *      "folds":       [{"source": "mine", "classes": ["bee", …]},    classes that play unseen
 *                      {"source": "other", "train": […], "unseen": […]}]}
 * or, where the rest shall be proposed (split_propose.h),
 *     {"unseen": ["ant", …]}    or    {"unseen_count": 5}
 * where an empty list and 0 mean that no class with images is unseen.
 * `classes` and `folds` may be missing; nothing else is known. A fold's lists may name
 * any images: they are cut to trainval, and a fifth of each class of `train` is held
 * out to play test_seen (split.h).
 */
#ifndef UN_DATA_READERS_SPLIT_FILE_H
#define UN_DATA_READERS_SPLIT_FILE_H

#include "data/split_propose.h"

typedef struct {
    char *path;
    json_t *value;
} un_split_file;

/* Reads and checks what the file alone can tell. */
un_status un_split_file_open(un_split_file *file, const char *path);
/* Harmless on a zeroed one. */
void un_split_file_close(un_split_file *file);

/* Names from "classes", from `arena`; *count 0 if there are none. */
un_status un_split_file_classes(const un_split_file *file, un_arena *arena, char ***out,
                                size_t *count);

/* Fills the lists of `dataset`, which has labels, and adds the folds; a split that the
 * file leaves open is proposed with `seed`: *outcome says what came of it and
 * *proposed is 1. Names of images are the data set's, whole or an end of them that
 * only one has. */
un_status un_split_file_apply(const un_split_file *file, uint64_t seed, un_dataset *dataset,
                              int *proposed, un_split_outcome *outcome);

/* Writes the split of `dataset` in this form, by image names where there are any. */
un_status un_split_file_write(const un_dataset *dataset, const char *path);

#endif
