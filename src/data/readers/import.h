/*
 * import.h - the imports: of arrays, of the benchmark packages of Xian et al., of region features
 * in HDF5, and of folders of pictures.
 *
 * Each makes a data set directory (data/dataset.h) that appears whole or not at all.
 */
#ifndef UN_DATA_READERS_IMPORT_H
#define UN_DATA_READERS_IMPORT_H

#include "data/features.h"
#include "data/readers/array_file.h"
#include "data/readers/attributes.h"
#include "data/readers/split_file.h"
#include "data/stage.h"

/* ---- importing features, labels and semantics that lie in arrays: video clips, sensors, sound,
 * anything that has a feature vector. ---- */

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

/* ---- a data set of arrays in memory (unseen_dataset.h). ---- */

/* Memory of *out is its own, but for features that are borrowed. Fails with UNSEEN_E_ARGUMENT or
 * UNSEEN_E_FORMAT, naming the array and the place. */
un_status un_import_memory(const unseen_arrays *arrays, un_dataset *out);
/* Writes such a data set as a directory, which must not exist or be empty. */
un_status un_memory_save(const un_dataset *dataset, const char *directory);

/* ---- importing the benchmarks' published features: the packages of Xian et al., feature files
 * like res101.mat and split files like att_splits.mat, MAT v5 or v7.3; and region features in HDF5,
 * the files of the MSDN line of work, feature_map_ResNet_101_{CUB,AWA2,SUN}.hdf5. ---- */

typedef struct {
    const char *features;      /* xlsa17: MAT file with features and labels; NULL: without features.
                                  Region maps: the HDF5 file */
    const char *features_name; /* name of the feature set; NULL: the file's stem */
    const char *splits;        /* MAT file. xlsa17: with the lists and att. Region maps: with class
                                  names, in the order of the labels; NULL: none */
    const un_named_path *semantics; /* further ones, of MAT files */
    size_t semantics_count;
    const char *const *validation; /* MAT files (train_loc/val_loc) or class lists */
    size_t validation_count;
    un_layout layout;   /* of region maps; AUTO: (N, F, h, w) unless the shape tells otherwise,
                           which is noted */
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
    size_t step_bytes; /* region maps in memory at a time; 0: 32 MiB */
} un_benchmark_options;

/* Both import into options->output, which must not exist or be empty; it appears
 * whole or not at all (data/stage.h). What cannot be right is an error that names
 * the place: numbers outside their range, values that are not finite, lists that
 * overlap, a class in both trainval_loc and test_unseen_loc, a class that another
 * semantics file lacks. Semantics of another file are matched to classes by name
 * where that file has allclasses_names, else by position. What the import could not do or verify is
 * in the data set's notes. */

/* Packages of Xian et al.
 *
 * Validation folds (readers/import_parts.h): every entry of `validation`; the split
 * file's own train_loc/val_loc; valclasses{1,2,3}.txt beside the split file; equal
 * ones merged; proposed ones if none of these exists.
 *
 * Without features there are neither labels nor image names, so folds come from
 * train_loc/val_loc only; N is the largest image number listed. Classes without
 * names are called class_001 and on. */
un_status un_import_xlsa17(const un_benchmark_options *options);

/* Region features in HDF5:
 *
 *     feature_map (N, F, h, w)   float, contiguous or in chunks, packed or not; (N, h, w, F)
 *                                is recognised or told (un_layout)
 *     labels (N)                 0-based
 *     trainval_loc, test_seen_loc, test_unseen_loc      0-based image numbers
 *     train_loc, val_loc         the same, optional
 *     att, original_att (C, A)   class attributes; original_att optional
 *     w2v_att (A, E)             word vectors of the attributes, optional
 *     allclasses_names (C), image_files (N)             text, optional
 *
 * Features become [N, h * w, F]; w2v_att becomes the vectors of att and original_att.
 *
 * Class names: those of the HDF5 file or of `splits`, which must then have as many
 * classes, and the same names if both have them; else class_001 and on. att comes
 * from `splits` if the HDF5 file has none. Validation folds: readers/import_parts.h.
 *
 * Memory does not grow with the file. Where one chunk spans so many images that
 * their rows exceed a step (h5py's own choice of chunks does), the rows are
 * gathered in an unlinked file in the directory being made, so that every chunk
 * is unpacked once. */
un_status un_import_region_maps(const un_benchmark_options *options);

/* ---- what the two share; private to readers/. ---- */

/* An import at work: begin, fill `dataset`, complete; end in any case. */
typedef struct {
    const un_benchmark_options *options;
    un_mat *splits; /* opened by the import; NULL: without */
    un_dataset dataset;
    un_stage stage;
} un_benchmark_import;

un_status un_benchmark_begin(un_benchmark_import *import);
/* labels from `values`, one for each image, that count the classes from `base`. Where one does not,
 * and no other base explains it, `hint` ends the sentence. */
un_status un_benchmark_labels(un_benchmark_import *import, const double *values, int base,
                              const char *hint);
/* dataset->images are `count` names as the file has them: checks and tidies them. */
un_status un_benchmark_image_names(un_benchmark_import *import, size_t count);
/* Finds the pictures, calls options->finish, copies features of this shape (`suffix`: the file's
 * ending; copy NULL: there are none) and writes everything; the directory is there then. */
un_status un_benchmark_complete(un_benchmark_import *import, const char *suffix,
                                const un_features_description *shape,
                                un_status (*copy)(void *user, un_features_writer *writer),
                                void *user);
void un_benchmark_end(un_benchmark_import *import);

/* ---- importing data sets that are folders of pictures: CUB, AWA2, and
 * anybody's own.
 *
 * None of them has features yet: `unseen extract` makes them from the pictures. ---- */

typedef struct {
    const char *root;            /* the data set's folder */
    const char *attributes;      /* folder: the table of classes and attributes (table.h) */
    un_attribute_options values; /* folder: how they are read, what is done to them first */
    un_split_options split;
    const char *name;   /* of the data set; NULL: the output directory's name */
    const char *output; /* directory to make */
    int update;         /* where that is a data set, put the new one in its place, which keeps the
                           features of unchanged pictures (data/stage.h) */
    un_orientation
        orientation; /* of the pictures; UNSAID: exif of a folder, stored of CUB and AWA2,
                                   whose published features were made so */
    un_status (*finish)(un_dataset *dataset, void *user); /* called before the data set is
                                                             written; NULL: nothing to add */
    void *finish_user;
} un_picture_set_options;

/* All three import into options->output, which must not exist or be empty unless `update` is set;
 * it appears whole or not at all (data/stage.h). Names of images are paths below image_root.
 * Without a split one is proposed (data/split.h). */

/* Caltech-UCSD Birds: classes.txt, images.txt, image_class_labels.txt, attributes/
 * attributes.txt (or that file in ROOT or beside it), attributes/
 * class_attribute_labels_continuous.txt, images/. Of the pictures listed those count
 * that exist, of the classes those that have pictures. Numbers of a MAT split are those
 * of images.txt less 1, the order of the published features. Classes are in the order
 * of the MAT split, else of classes.txt. With parts/parts.txt, parts/part_locs.txt and
 * bounding_boxes.txt (pixels of the original pictures, whose sizes original_sizes.txt
 * tells where the pictures were reduced) the data set gets parts (data/parts.h). */
un_status un_import_cub(const un_picture_set_options *options);

/* Animals with Attributes 2: JPEGImages/<class>/, classes.txt, predicates.txt,
 * predicate-matrix-continuous.txt; testclasses.txt has the unseen classes where no
 * split is given. Numbers of a MAT split count the pictures in the order of their
 * paths, all of which must be there, unless image_files tells their order. */
un_status un_import_awa2(const un_picture_set_options *options);

/* A folder with a folder for each class, and a table of attributes. Pictures may lie
 * deeper. A class of the table without pictures is an unseen one that nothing tests;
 * a folder without a row is an error. */
un_status un_import_folder(const un_picture_set_options *options);

/* ---- what the imports of folders of pictures share; private to
 * readers/. ---- */

/* An import at work: begin, fill `dataset` but for its split, split, complete; end in
 * any case. */
typedef struct {
    const un_picture_set_options *options;
    un_split_source source;
    un_dataset dataset;
    un_stage stage;
} un_picture_import;

un_status un_picture_begin(un_picture_import *import, const un_picture_set_options *options);
/* Calls options->finish and writes everything; the directory is there then. */
un_status un_picture_complete(un_picture_import *import);
void un_picture_end(un_picture_import *import);

/* The classes that have pictures, in the order of the split, and the labels of the
 * data set's images: image i has class all[class_of[i]]. (*rows)[c] is the place of the
 * data set's class c in `all`. */
un_status un_picture_classes(un_picture_import *import, un_arena *scratch, char *const *all,
                             size_t count, const size_t *class_of, size_t **rows);
/* "att" and "original_att" from a file with a row for each of `count` classes; rows as
 * above; `names` are those of its columns. */
un_status un_picture_attributes(un_picture_import *import, const char *file, size_t count,
                                const size_t *rows, char **names, size_t width);

#endif
