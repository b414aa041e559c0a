/*
 * update.h - importing pictures again over a data set that is there: what was made of pictures
 * that are still the same is kept.
 *
 * A picture is known by the bytes of its file, wherever it lies and whatever it is called now, so
 * that classes and pictures may come, go and be renamed.
 */
#ifndef UN_DATA_UPDATE_H
#define UN_DATA_UPDATE_H

#include "data/dataset.h"

/* Whether DIR is a data set that may be replaced without a loss: an error names what is none of
 * it, or features that do not say which pictures they were made of (those of version 0.1). */
un_status un_update_check(const char *directory);
/* Makes TO/features with the feature sets of the data set `from`, row by row for the images of
 * `dataset`: copied where the picture has one, absent otherwise. A set without any row in common is
 * left out, and a warning. A picture that cannot be read has no row, and is told of by a warning;
 * UN_PICTURE_FAILURES of them in a row are an error. */
un_status un_update_features(const un_dataset *dataset, const char *from, const char *to);

#endif
