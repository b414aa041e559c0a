/*
 * import.h - importing features, labels and semantics that lie in arrays: video clips,
 * sensors, sound, anything that has a feature vector.
 */
#ifndef UN_READERS_IMPORT_H
#define UN_READERS_IMPORT_H

#include "data/readers/attributes.h"
#include "data/readers/lines.h"
#include "data/readers/split_file.h"

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

/* ---- importing the benchmark packages of Xian et al.: feature files
 * like res101.mat and split files like att_splits.mat, MAT v5 or v7.3. ---- */

typedef struct {
    const char *features;      /* MAT file with features and labels; NULL: without features */
    const char *features_name; /* name of the feature set; NULL: the file's stem */
    const char *splits;        /* MAT file with the lists and att */
    const un_named_path *semantics;
    size_t semantics_count;
    const char *const *validation; /* MAT files (train_loc/val_loc) or class lists */
    size_t validation_count;
    un_dtype dtype;     /* of the feature store: UN_F32 or UN_BF16 */
    const char *name;   /* of the data set; NULL: the output directory's name */
    const char *output; /* directory to make */
    const char *images; /* folder with the pictures; NULL: without. The images' names become
                           paths below it (pictures.h: un_import_find_images) */
    int allow_missing;  /* images without a picture are no error */
    un_orientation
        orientation; /* of the pictures; UNSAID: stored, as published features were made */
    un_status (*finish)(un_dataset *dataset, void *user); /* called before the features are read;
                                                             NULL: nothing to add */
    void *finish_user;
} un_xlsa17_options;

/* Imports into options->output, which must not exist or be empty; it appears
 * whole or not at all (data/stage.h). What cannot be right is an error that names
 * the place: numbers outside their range, values that are not finite, lists that
 * overlap, a class in both trainval_loc and test_unseen_loc, a class that another
 * semantics file lacks. Semantics of another file are matched to classes by name
 * where that file has allclasses_names, else by position.
 *
 * Validation folds (readers/validation.h): every entry of `validation`; the split
 * file's own train_loc/val_loc; valclasses{1,2,3}.txt beside the split file; equal
 * ones merged; proposed ones if none of these exists.
 *
 * Without features there are neither labels nor image names, so folds come from
 * train_loc/val_loc only; N is the largest image number listed. Classes without
 * names are called class_001 and on. What the import could not do or verify is
 * in the data set's notes. */
un_status un_import_xlsa17(const un_xlsa17_options *options);

#endif
