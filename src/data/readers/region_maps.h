/*
 * region_maps.h - importing region features in HDF5, the files of the MSDN line
 * of work: feature_map_ResNet_101_{CUB,AWA2,SUN}.hdf5.
 *
 *     feature_map (N, F, h, w)   float, contiguous or in chunks, packed or not; (N, h, w, F)
 *                                is recognised or told (layout.h)
 *     labels (N)                 0-based
 *     trainval_loc, test_seen_loc, test_unseen_loc      0-based image numbers
 *     train_loc, val_loc         the same, optional
 *     att, original_att (C, A)   class attributes; original_att optional
 *     w2v_att (A, E)             word vectors of the attributes, optional
 *     allclasses_names (C), image_files (N)             text, optional
 */
#ifndef UN_DATA_READERS_REGION_MAPS_H
#define UN_DATA_READERS_REGION_MAPS_H

#include "data/features.h"
#include "data/readers/attributes.h"
#include "data/readers/hdf5.h"
#include "data/readers/lines.h"

typedef struct {
    const char *file;   /* HDF5 */
    const char *splits; /* MAT file with class names, in the order of the labels; NULL: none */
    const un_named_path *semantics; /* further ones, of MAT files */
    size_t semantics_count;
    const char *features_name;     /* name of the feature set; NULL: the file's stem */
    const char *const *validation; /* MAT files (train_loc/val_loc) or class lists */
    size_t validation_count;
    un_layout layout;   /* of feature_map; AUTO: (N, F, h, w) unless its shape tells otherwise,
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
    size_t step_bytes; /* features in memory at a time; 0: 32 MiB */
} un_region_maps_options;

/* Imports into options->output, which must not exist or be empty; it appears
 * whole or not at all (data/stage.h). What cannot be right is an error that names
 * the place. Features become [N, h * w, F]; w2v_att becomes the vectors of att
 * and original_att.
 *
 * Class names: those of the HDF5 file or of `splits`, which must then have as many
 * classes, and the same names if both have them; else class_001 and on. att comes
 * from `splits` if the HDF5 file has none. Validation folds: readers/validation.h.
 *
 * Memory does not grow with the file. Where one chunk spans so many images that
 * their rows exceed a step (h5py's own choice of chunks does), the rows are
 * gathered in an unlinked file in the directory being made, so that every chunk
 * is unpacked once. */
un_status un_import_region_maps(const un_region_maps_options *options);

/* ---- the features of a region-map file into a feature store:
 * [N, F, h, w] or [N, h, w, F] to [N, h * w, F], piece by piece. Private to readers/. ---- */

/* Appends all images of `variable` (of rank 4) to `writer`. `folder` takes a
 * nameless file if one is needed; step_bytes as in region_maps.h. `layout` is not AUTO. */
un_status un_region_features_copy(un_hdf5 *file, const un_hdf5_variable *variable,
                                  un_features_writer *writer, const char *folder, un_layout layout,
                                  size_t step_bytes);

#endif
