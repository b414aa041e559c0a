/*
 * split_source.h - where the split of an imported data set comes from, when its
 * images are files or rows of an array rather than a benchmark package. Private to
 * readers/.
 */
#ifndef UN_DATA_READERS_SPLIT_SOURCE_H
#define UN_DATA_READERS_SPLIT_SOURCE_H

#include "data/readers/split_file.h"
#include "data/readers/validation.h"

typedef struct {
    const char *file;        /* .mat in xlsa17's layout, else JSON (split_file.h); NULL: none */
    const char *image_files; /* MAT file whose image_files are in the order that a MAT split
                                counts in; NULL: the data's own order */
    const char *unseen;      /* names of unseen classes, commas between; NULL: none */
    size_t unseen_number;    /* how many to choose; 0: a fifth */
    int no_unseen;           /* 1: none; only the classes without images are unseen */
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
