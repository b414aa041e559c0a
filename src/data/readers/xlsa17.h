/*
 * xlsa17.h - importing the benchmark packages of Xian et al.: feature files
 * like res101.mat and split files like att_splits.mat, MAT v5 or v7.3.
 */
#ifndef UN_DATA_READERS_XLSA17_H
#define UN_DATA_READERS_XLSA17_H

#include "data/readers/semantics_file.h"

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
