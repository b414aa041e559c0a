/*
 * arrays.h - importing features, labels and semantics that lie in arrays: video clips,
 * sensors, sound, anything that has a feature vector.
 */
#ifndef UN_DATA_READERS_ARRAYS_H
#define UN_DATA_READERS_ARRAYS_H

#include "data/readers/attributes.h"
#include "data/readers/layout.h"
#include "data/readers/split_source.h"
#include "data/readers/xlsa17.h"

typedef struct {
    const char *features;           /* array_file.h: (N, F), (N, R, F) or (N, h, w, F) */
    un_layout layout;               /* of them; AUTO: as above unless the shape of a map tells
                                       otherwise, which is noted */
    const char *labels;             /* (N), (N, 1) or (1, N): whole numbers from 0 */
    const un_named_path *semantics; /* each an array (C, A), or a table .csv or .tsv (table.h) */
    size_t semantics_count;         /* at least 1 */
    const char *names; /* text with the classes' names, one a line, in the order of the labels;
                          NULL: those of the split file, else those of the first table, else
                          class_001 and on */
    un_attribute_options values; /* of the semantics: how they are read, what is done to them */
    un_split_options split;
    const char *features_name; /* NULL: the member's name, or the file's stem */
    un_dtype dtype;            /* of the feature store: UN_F32 or UN_BF16 */
    const char *name;          /* of the data set; NULL: the output directory's name */
    const char *output;        /* directory to make */
    un_status (*finish)(un_dataset *dataset, void *user); /* called before the features are read;
                                                             NULL: nothing to add */
    void *finish_user;
} un_arrays_options;

/* Imports into options->output, which must not exist or be empty; it appears whole or
 * not at all (data/stage.h). A table's rows are matched to the classes by name. Labels
 * that are text are not read. Memory does not grow with N. */
un_status un_import_arrays(const un_arrays_options *options);

#endif
