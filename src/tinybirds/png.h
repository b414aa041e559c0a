/*
 * png.h - writing a picture as PNG, fast.
 *
 * Lossless, 8-bit RGB, each row by the filter that leaves the smallest differences. These
 * compress well without searching for matches, which would take longer than painting.
 */
#ifndef UN_DATA_TINYBIRDS_PNG_H
#define UN_DATA_TINYBIRDS_PNG_H

#include <stddef.h>

#include "base/status.h"

/* rgb is [height, width, 3], width and height 1 to 16384. *out is released with free(). */
un_status un_png_encode(const unsigned char *rgb, size_t width, size_t height, unsigned char **out,
                        size_t *length);

#endif
