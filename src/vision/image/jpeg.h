/* jpeg.h - a picture as a JPEG file in memory, for reports that carry their pictures. */
#ifndef UN_VISION_JPEG_H
#define UN_VISION_JPEG_H

#include "vision/image/image.h"

/* `quality` 1 to 100; *bytes is released with free(). */
un_status un_image_jpeg(const un_image *image, int quality, unsigned char **bytes, size_t *size);

#endif
