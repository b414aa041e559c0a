/*
 * split_file.h - a split as a JSON file, for data that people bring themselves.
 *
 *     {"classes":     ["ant", …],             names in the order of the labels
 *      "trainval":    [0, 1, …],              images by number, from 0, or by name
 *      "test_seen":   […],
 *      "test_unseen": […],
 *      "folds":       [{"source": "mine", "classes": ["bee", …]},    classes that play unseen
 *                      {"source": "other", "train": […], "unseen": […]}]}
 * or, where the rest shall be proposed (split.h),
 *     {"unseen": ["ant", …]}    or    {"unseen_count": 5}
 * where an empty list and 0 mean that no class with images is unseen.
 * `classes` and `folds` may be missing; nothing else is known. A fold's lists may name
 * any images: they are cut to trainval, and a fifth of each class of `train` is held
 * out to play test_seen (split.h).
 */
#ifndef UN_DATA_READERS_SPLIT_FILE_H
#define UN_DATA_READERS_SPLIT_FILE_H

#include "data/readers/import_parts.h"
#include "data/split.h"

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

/* ---- where the split of an imported data set comes from, when its
 * images are files or rows of an array rather than a benchmark package. Private to
 * readers/. ---- */

typedef struct {
    const char *file;        /* .mat in xlsa17's layout, else JSON (split_file.h); NULL: none */
    const char *image_files; /* MAT file whose image_files are in the order that a MAT split
                                counts in; NULL: the data's own order */
    const char *unseen;      /* names of unseen classes, commas between; NULL: none */
    size_t unseen_number;    /* how many to choose; 0: a fifth */
    int no_unseen;           /* 1: none; only the classes without images are unseen */
    int some_unseen;         /* 1: nothing could have asked for none */
    uint64_t seed;           /* of what is proposed */
    const char *const *validation;
    size_t validation_count;
    const char *write; /* where to write the split as JSON; NULL: nowhere */
} un_split_options;

/* A split file that is open. */
typedef struct {
    const un_split_options *options;
    un_mat *mat;        /* NULL: not a MAT file */
    un_split_file json; /* value NULL: not a JSON file */
} un_split_source;

/* Options that contradict each other are UNSEEN_E_ARGUMENT. Without a file the source
 * is empty. */
un_status un_split_source_open(un_split_source *source, const un_split_options *options);
void un_split_source_close(un_split_source *source);

/* Puts classes that have images into the order of the source, where it has one: order[i]
 * is the number of the class that comes i-th. Every one of the `count` names must be in
 * a source that lists classes. */
un_status un_split_source_order(const un_split_source *source, char *const *names, size_t count,
                                un_arena *arena, size_t *order);

/* Fills lists and folds of `dataset`, whose labels, classes and semantics are there, and
 * notes what was proposed. `numbering` tells what the numbers of a MAT split mean (NULL:
 * the data set's images); image_files overrides it. `unseen` with `unseen_where` are the
 * classes to propose a split with where the options say nothing (count 0: chosen). */
typedef struct {
    const un_numbering *numbering;
    char *const *unseen;
    size_t unseen_count;
    const char *unseen_where;
} un_split_defaults;
un_status un_split_source_apply(const un_split_source *source, un_dataset *dataset,
                                const un_split_defaults *defaults);

/* Writes the split where the options say so. */
un_status un_split_source_write(const un_split_source *source, const un_dataset *dataset);

#endif
