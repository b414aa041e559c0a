/* jpeg.c - see jpeg.h. */
#include "vision/image/jpeg.h"

#include <string.h>
#include <vips/vips.h>

#include "base/arena.h"
#include "vision/image/image_parts.h"

un_status un_image_jpeg(const un_image *image, int quality, unsigned char **bytes, size_t *size) {
    void *buffer = NULL;
    size_t n = 0;
    UN_TRY(un_image_prepare());
    VipsImage *picture =
        vips_image_new_from_memory(image->pixels, 3 * image->width * image->height,
                                   (int)image->width, (int)image->height, 3, VIPS_FORMAT_UCHAR);
    if (!picture) return un_fail_memory(3 * image->width * image->height);
    /* Without this libvips takes three bands of unknown meaning and warns. */
    picture->Type = VIPS_INTERPRETATION_sRGB;
    int failed = vips_jpegsave_buffer(picture, &buffer, &n, "Q", quality, "strip", TRUE,
                                      "optimize_coding", TRUE, NULL);
    g_object_unref(picture);
    if (failed)
        return un_fail(UNSEEN_E_MEMORY, "a picture of %zu x %zu pixels cannot be written as JPEG",
                       image->width, image->height);
    un_status status = un_alloc(n, 1, bytes);
    if (!status) {
        memcpy(*bytes, buffer, n);
        *size = n;
    }
    g_free(buffer);
    return status;
}
