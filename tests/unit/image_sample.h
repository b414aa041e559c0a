/*
 * image_sample.h - a picture in every format: libvips encodes, BMP is written by hand.
 */
#ifndef UN_TESTS_IMAGE_SAMPLE_H
#define UN_TESTS_IMAGE_SAMPLE_H

#include <vips/vips.h>

#include "base/status.h"
#include "unit/util.h"
#include "vision/image/image_parts.h"

enum { WIDTH = 61, HEIGHT = 47, FORMATS = 6 };

static const char *const g_endings[FORMATS] = {"jpg", "png", "webp", "tif", "gif", "bmp"};

typedef struct {
    unsigned char *bytes; /* released with free() */
    size_t size;
} blob;

/* Smooth with a little noise; `bands` samples a pixel. */
static inline void paint(unsigned char *out, size_t bands) {
    un_rng rng = un_rng_stream(7, "picture", bands);
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++)
            for (size_t b = 0; b < bands; b++)
                out[(y * WIDTH + x) * bands + b] =
                    (unsigned char)((x * (3 - b % 3) + y * (1 + b)) % 240 + un_rng_below(&rng, 16));
}

static inline VipsImage *vips_of(const void *pixels, size_t bands, VipsBandFormat format,
                                 VipsInterpretation kind) {
    size_t each = format == VIPS_FORMAT_USHORT ? 2 : 1;
    VipsImage *image = vips_image_new_from_memory_copy(pixels, WIDTH * HEIGHT * bands * each, WIDTH,
                                                       HEIGHT, (int)bands, format);
    assert_non_null(image);
    image->Type = kind;
    return image;
}

/* Consumes `image`. `ending` may have options: ".png[palette]". */
static inline blob encode(VipsImage *image, const char *ending) {
    void *bytes = NULL;
    blob out = {0};
    if (vips_image_write_to_buffer(image, ending, &bytes, &out.size, NULL) != 0)
        fail_msg("%s: %s", ending, vips_error_buffer());
    g_object_unref(image);
    out.bytes = malloc(out.size);
    assert_non_null(out.bytes);
    memcpy(out.bytes, bytes, out.size);
    g_free(bytes);
    return out;
}

static inline void put(unsigned char *at, size_t value, size_t n) {
    for (size_t i = 0; i < n; i++) at[i] = (unsigned char)(value >> 8 * i);
}

/* A bottom-up bitmap of 24 bits. */
static inline blob encode_bmp(const unsigned char *rgb) {
    size_t stride = (WIDTH * 3 + 3) / 4 * 4;
    blob out = {.size = 54 + stride * HEIGHT};
    out.bytes = calloc(1, out.size);
    assert_non_null(out.bytes);
    memcpy(out.bytes, "BM", 2);
    put(out.bytes + 2, out.size, 4);
    put(out.bytes + 10, 54, 4);
    put(out.bytes + 14, 40, 4);
    put(out.bytes + 18, WIDTH, 4);
    put(out.bytes + 22, HEIGHT, 4);
    put(out.bytes + 26, 1, 2);
    put(out.bytes + 28, 24, 2);
    for (size_t y = 0; y < HEIGHT; y++)
        for (size_t x = 0; x < WIDTH; x++)
            for (size_t c = 0; c < 3; c++)
                out.bytes[54 + (HEIGHT - 1 - y) * stride + 3 * x + c] =
                    rgb[(y * WIDTH + x) * 3 + 2 - c];
    return out;
}

static inline blob sample(size_t format) {
    static const char *const how[] = {".jpg[Q=90]", ".png", ".webp[lossless]",
                                      ".tif[compression=deflate]", ".gif"};
    unsigned char rgb[WIDTH * HEIGHT * 3];
    paint(rgb, 3);
    if (format == FORMATS - 1) return encode_bmp(rgb);
    return encode(vips_of(rgb, 3, VIPS_FORMAT_UCHAR, VIPS_INTERPRETATION_sRGB), how[format]);
}

static inline un_status decode(const blob *b, const char *name, un_image *out) {
    return un_image_decode(b->bytes, b->size, name, NULL, out);
}

static inline void assert_pixels(const un_image *image, const unsigned char *rgb) {
    assert_int_equal(image->width, WIDTH);
    assert_int_equal(image->height, HEIGHT);
    assert_memory_equal(image->pixels, rgb, WIDTH * HEIGHT * 3);
}

/* Starts libvips through the library, as a program would. */
static inline int begin(void **state) {
    (void)state;
    un_image image;
    return un_image_decode("\xff\xd8\xff", 3, "start", NULL, &image) == UNSEEN_OK;
}

/* Good and damaged pictures by turns, on several threads. */
typedef struct {
    const blob *good, *bad;
    int wrong[256];
} shared_work;

static inline void decode_some(size_t begin, size_t end, void *context) {
    shared_work *w = context;
    for (size_t i = begin; i < end; i++) {
        const blob *b = i % 3 == 0 ? &w->bad[i % 2] : &w->good[i % FORMATS];
        char name[32];
        un_image image;
        snprintf(name, sizeof name, "number-%zu-", i);
        un_status status = decode(b, name, &image);
        if (i % 3 != 0)
            w->wrong[i] = status != UNSEEN_OK;
        else
            w->wrong[i] = status != UNSEEN_E_FORMAT || strncmp(un_error(), name, strlen(name)) != 0;
        un_image_free(&image);
    }
}

#endif
