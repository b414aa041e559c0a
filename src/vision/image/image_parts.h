/*
 * image_parts.h - what the files of un_image share: see image.h for what it is.
 */
#ifndef UN_VISION_IMAGE_PARTS_H
#define UN_VISION_IMAGE_PARTS_H

#include "vision/image/image.h"

/* UNSEEN_E_FORMAT, with a sentence that names the picture, unless width x height pixels are
 * at least one and at most `limit`. */
un_status un_image_check_size(size_t width, size_t height, size_t limit, const char *name);

/* Turns the picture as the EXIF orientation 1 to 8 demands; other values change nothing. */
un_status un_image_orient(un_image *image, int orientation);

/* un_image_read_head from memory. */
un_status un_image_decode_head(const void *bytes, size_t size, const char *name,
                               un_image_head *out);

/* A BMP file in memory, starting with "BM". */
un_status un_bmp_decode(const unsigned char *bytes, size_t size, const char *name, size_t limit,
                        un_image *out);

/* One row of n CMYK pixels, 0 = no ink, of `stride` bytes each, to RGB. */
void un_cmyk_row(const unsigned char *in, size_t n, size_t stride, unsigned char *out);

#endif
