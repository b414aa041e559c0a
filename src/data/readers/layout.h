/*
 * layout.h - where the channels of a feature map stand: behind the positions, (N, h, w, F), as
 * TensorFlow has them, or before, (N, F, h, w), as PyTorch has them. Private to readers/.
 */
#ifndef UN_DATA_READERS_LAYOUT_H
#define UN_DATA_READERS_LAYOUT_H

#include "base/status.h"

typedef enum {
    UN_LAYOUT_AUTO = 0, /* not said, or not to be told */
    UN_LAYOUT_NHWC,     /* channels last; (N, R, F) */
    UN_LAYOUT_NCHW      /* channels first; (N, F, R) */
} un_layout;

/* "auto", "nhwc" or "nchw". */
un_status un_layout_parse(const char *text, un_layout *out);
/* What the dimensions after the images tell: maps are square, and channels many more than
 * positions along a side. AUTO if they tell nothing. */
un_layout un_layout_guess(const size_t dims[3]);

#endif
