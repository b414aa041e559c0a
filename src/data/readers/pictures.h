/*
 * pictures.h - the picture files below a folder: listing them, finding those that
 * other people's paths mean, and the size of one without decoding it. Private to
 * readers/.
 */
#ifndef UN_DATA_READERS_PICTURES_H
#define UN_DATA_READERS_PICTURES_H

#include "data/dataset.h"
#include "data/readers/attributes.h"
#include "data/readers/split_file.h"
#include "data/stage.h"

/* Whether the name ends like a picture that can be decoded: .jpg .jpeg .jpe .png
 * .webp .tif .tiff .gif .bmp, in either case. */
int un_picture_named(const char *name);

typedef struct {
    size_t count;
    char **names;   /* paths below the folder, sorted bytewise */
    size_t loops;   /* links that lead back to a folder above them, not followed */
    size_t other;   /* other files that were left aside, hidden ones not counted */
    size_t unnamed; /* pictures left aside because their names are not UTF-8 */
} un_picture_list;

/* All pictures below `root`, at any depth, from `arena`: files that are named like one or begin like
 * one, also of kinds that cannot be decoded. Links are followed but for loops; hidden files and
 * folders (".x") and __MACOSX are left out. Names that are not UTF-8 are counted and left aside, or
 * taken as they are if `raw`. */
un_status un_pictures_list(const char *root, int raw, un_arena *arena, un_picture_list *out);

/* Finds paths by their ends. */
typedef struct {
    size_t count;
    const char **keys; /* sorted from the end; borrowed names */
    size_t *numbers;   /* keys[i] is names[numbers[i]] */
} un_suffix_index;

un_status un_suffix_index_make(un_suffix_index *index, un_arena *arena, char *const *names,
                               size_t count);

typedef enum { UN_MATCH_NONE, UN_MATCH_ONE, UN_MATCH_SEVERAL } un_match;

/* The name that shares the most last components with `path`, its own last one at
 * least; one equal to `path` is preferred. *shared is the length of that end. */
un_match un_suffix_find(const un_suffix_index *index, const char *path, size_t *number,
                        size_t *shared);

/* place[i] = number of the name in `index` that paths[i] means, -1 if there is none.
 * Several names that fit one path equally well, and two paths that fit one name
 * equally well, are errors; of two that fit unequally the worse has none. `where`
 * is for sentences. `index` was made of `names`. */
un_status un_suffix_match(const un_suffix_index *index, char *const *names, char *const *paths,
                          size_t count, const char *where, int64_t *place);

/* Renames the data set's images after the files below `root` that their names mean
 * and sets image_root. An image without a file is an error unless allow_missing; how
 * many there are becomes a note, and they keep their names. */
un_status un_import_find_images(un_dataset *dataset, const char *root, int allow_missing);

/* dataset->image_root = the absolute path of `root`, which must be a folder; the pictures are to be
 * taken as stored, as those of the published benchmarks were. */
un_status un_import_image_root(un_dataset *dataset, const char *root);

/* Width and height in pixels from the head of a JPEG or PNG file, as stored (EXIF
 * orientation ignored). */
un_status un_picture_size(const char *path, size_t *width, size_t *height);

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

/* A text file of rows x columns numbers, one row a line; released with free(). */
un_status un_read_matrix(const char *root, const char *file, size_t rows, size_t columns,
                         double **out);

/* CUB's part annotations, where ROOT has them, into the stage. Image i of the data set
 * is number ids[i] of images.txt. */
un_status un_import_cub_parts(un_picture_import *import, const size_t *ids);

#endif
