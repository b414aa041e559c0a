/*
 * region_features.h - the features of a region-map file into a feature store:
 * [N, F, h, w] or [N, h, w, F] to [N, h * w, F], piece by piece. Private to readers/.
 */
#ifndef UN_DATA_READERS_REGION_FEATURES_H
#define UN_DATA_READERS_REGION_FEATURES_H

#include "data/features.h"
#include "data/readers/hdf5.h"
#include "data/readers/layout.h"

/* Appends all images of `variable` (of rank 4) to `writer`. `folder` takes a
 * nameless file if one is needed; step_bytes as in region_maps.h. `layout` is not AUTO. */
un_status un_region_features_copy(un_hdf5 *file, const un_hdf5_variable *variable,
                                  un_features_writer *writer, const char *folder, un_layout layout,
                                  size_t step_bytes);

#endif
