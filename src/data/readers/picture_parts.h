/*
 * picture_parts.h - what the imports of folders of pictures share; private to
 * readers/.
 */
#ifndef UN_DATA_READERS_PICTURE_PARTS_H
#define UN_DATA_READERS_PICTURE_PARTS_H

#include "data/readers/picture_set.h"
#include "data/stage.h"

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
