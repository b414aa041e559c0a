/*
 * picture_set.h - importing data sets that are folders of pictures: CUB, AWA2, and
 * anybody's own.
 *
 * None of them has features yet: `unseen extract` makes them from the pictures.
 */
#ifndef UN_DATA_READERS_PICTURE_SET_H
#define UN_DATA_READERS_PICTURE_SET_H

#include "data/readers/attributes.h"
#include "data/readers/split_source.h"

typedef struct {
    const char *root;            /* the data set's folder */
    const char *attributes;      /* folder: the table of classes and attributes (table.h) */
    un_attribute_options values; /* folder: how they are read, what is done to them first */
    un_split_options split;
    const char *name;   /* of the data set; NULL: the output directory's name */
    const char *output; /* directory to make */
    int update;         /* where that is a data set, put the new one in its place, which keeps the
                           features of unchanged pictures (data/update.h) */
    un_orientation
        orientation; /* of the pictures; UNSAID: exif of a folder, stored of CUB and AWA2,
                                   whose published features were made so */
    un_status (*finish)(un_dataset *dataset, void *user); /* called before the data set is
                                                             written; NULL: nothing to add */
    void *finish_user;
} un_picture_set_options;

/* All three import into options->output, which must not exist or be empty unless `update` is set;
 * it appears whole or not at all (data/stage.h). Names of images are paths below image_root.
 * Without a split one is proposed (data/split_propose.h). */

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

#endif
