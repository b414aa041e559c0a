/*
 * orientation.h - whether pictures are turned as their EXIF orientation demands.
 *
 * Cameras store what the sensor saw and note how it was held; viewers turn the picture, the
 * programs that made the published benchmarks did not. Whatever is learned from pictures that lie
 * must not be asked about pictures that stand: so the word travels from the data set to the recipe
 * of its features and from there into the models.
 */
#ifndef UN_BASE_ORIENTATION_H
#define UN_BASE_ORIENTATION_H

#include "base/status.h"

typedef enum {
    UN_ORIENTATION_UNSAID, /* files of before there was a choice; pictures were taken as stored */
    UN_ORIENTATION_STORED, /* as the pixels lie in the file */
    UN_ORIENTATION_EXIF    /* as a viewer shows them */
} un_orientation;

/* "stored" or "exif"; NULL if unsaid. */
const char *un_orientation_name(un_orientation orientation);
/* UNSEEN_E_ARGUMENT for any other text. */
un_status un_orientation_parse(const char *text, un_orientation *out);

#endif
