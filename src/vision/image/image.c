/* image.c - the container of pictures: making, releasing, turning; see image.h. */
#include "vision/image/image.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "vision/image/budget.h"
#include "vision/image/image_parts.h"

un_status un_image_create(size_t width, size_t height, un_image *out) {
    *out = (un_image){0};
    size_t count = 0;
    if (width == 0 || height == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "a picture of %zu x %zu pixels is empty", width, height);
    if (__builtin_mul_overflow(width, height, &count))
        return un_fail(UNSEEN_E_MEMORY, "out of memory: a picture of %zu x %zu pixels", width,
                       height);
    UN_TRY(un_alloc(count, 3, &out->pixels));
    out->width = width;
    out->height = height;
    return UNSEEN_OK;
}

void un_image_free(un_image *image) {
    free(image->pixels);
    un_budget_return(image->budget);
    *image = (un_image){0};
}

un_status un_image_check_size(size_t width, size_t height, size_t limit, const char *name) {
    size_t count = 0;
    if (width == 0 || height == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: the picture has no pixels (%zu x %zu)", name, width,
                       height);
    if (__builtin_mul_overflow(width, height, &count) || count > limit)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: %zu x %zu pixels are more than the %zu accepted; reduce the picture",
                       name, width, height, limit);
    return UNSEEN_OK;
}

/* Orientations 5 to 8 exchange rows and columns; then 2, 3, 6, 7 mirror the source's columns
 * and 3, 4, 7, 8 its rows (EXIF 2.32, tag 0x0112). */
static int swaps(int o) { return o >= 5 && o <= 8; }
static int mirrors_x(int o) { return o == 2 || o == 3 || o == 7 || o == 8; }
static int mirrors_y(int o) { return o == 3 || o == 4 || o == 6 || o == 7; }

un_status un_image_orient(un_image *image, int orientation) {
    if (orientation < 2 || orientation > 8) return UNSEEN_OK;
    size_t width = image->width, height = image->height;
    int swap = swaps(orientation);
    int mirror_x = mirrors_x(orientation), mirror_y = mirrors_y(orientation);
    un_image turned;
    UN_TRY(un_image_create(swap ? height : width, swap ? width : height, &turned));
    unsigned char *out = turned.pixels;
    for (size_t y = 0; y < turned.height; y++) {
        for (size_t x = 0; x < turned.width; x++, out += 3) {
            size_t from_x = swap ? y : x, from_y = swap ? x : y;
            if (mirror_x) from_x = width - 1 - from_x;
            if (mirror_y) from_y = height - 1 - from_y;
            memcpy(out, image->pixels + (from_y * width + from_x) * 3, 3);
        }
    }
    turned.budget = image->budget;
    turned.ignored = image->ignored;
    image->budget = 0;
    un_image_free(image);
    *image = turned;
    return UNSEEN_OK;
}

void un_image_turn_point(int orientation, double *x, double *y) {
    double from_x = mirrors_x(orientation) ? 1 - *x : *x;
    double from_y = mirrors_y(orientation) ? 1 - *y : *y;
    *x = swaps(orientation) ? from_y : from_x;
    *y = swaps(orientation) ? from_x : from_y;
}

/* a b / 255, rounded, for a and b of 0..255. */
static unsigned scale_255(unsigned a, unsigned b) {
    unsigned t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

void un_cmyk_row(const unsigned char *in, size_t n, size_t stride, unsigned char *out) {
    for (size_t i = 0; i < n; i++, in += stride, out += 3) {
        unsigned light = 255U - in[3];
        for (size_t c = 0; c < 3; c++) out[c] = (unsigned char)(light - scale_255(in[c], light));
    }
}

static const size_t LARGEST_FILE = (size_t)1 << 30;

un_status un_image_read(const char *path, const un_image_options *options, un_image *out) {
    char *bytes = NULL;
    size_t size = 0;
    *out = (un_image){0};
    UN_TRY(un_file_read(path, LARGEST_FILE, &bytes, &size));
    un_status status = un_image_decode(bytes, size, path, options, out);
    free(bytes);
    return status;
}

un_status un_image_read_head(const char *path, un_image_head *out) {
    char *bytes = NULL;
    size_t size = 0;
    *out = (un_image_head){0};
    UN_TRY(un_file_read(path, LARGEST_FILE, &bytes, &size));
    un_status status = un_image_decode_head(bytes, size, path, out);
    free(bytes);
    return status;
}
