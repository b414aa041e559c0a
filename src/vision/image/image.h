/*
 * image.h - pictures as 8-bit RGB: decoded from files or memory through libvips,
 * resampled exactly as PIL does, and turned into a network's input by a recipe.
 *
 * Decoding gives what PIL's Image.open(f).convert('RGB') gives: grey and palette
 * become RGB, alpha is dropped without compositing, CMYK is the plain formula (no
 * ICC): of a JPEG, whose samples s are stored inverted, R = s_k - round((255 - s_c)
 * s_k / 255) and so on. ICC profiles and gamma are ignored. What differs: 16-bit grey
 * keeps the high byte, as 16-bit colour does (PIL cuts it at 255, which makes it white);
 * floating-point TIFF is refused; what a GIF's first frame leaves free is black.
 *
 * The format is told from the first bytes, never from the name; only that format's
 * loader runs, on memory, and every other loader of libvips is blocked. BMP is read here
 * (decode.c): libvips leaves it to ImageMagick. A truncated file is an error.
 */
#ifndef UN_VISION_IMAGE_H
#define UN_VISION_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/file_kind.h"
#include "base/status.h"

typedef struct {
    size_t width, height;  /* in pixels */
    unsigned char *pixels; /* [height, width, 3] RGB, row-major; NULL: empty */
    int ignored;           /* EXIF orientation, 2 to 8, that decoding did not honour; 0: none */
    size_t budget;         /* bytes of the decoding budget, returned with the pixels */
} un_image;

typedef struct {
    int orient;        /* honour the EXIF orientation (what a viewer shows); 0: ignore it, as
                          the benchmark pipelines do. TIFF's and HEIF's own, which tell how rows are
                          stored, are always honoured, as by PIL */
    size_t max_pixels; /* width x height of the largest picture to accept, checked before
                          any pixel is decoded; 0: 128 Mpixel (2^27) */
} un_image_options;

/* The default of max_pixels. */
#define UN_IMAGE_MOST_PIXELS ((size_t)1 << 27)

/* Unless width x height pixels are at least one (UNSEEN_E_FORMAT) and at most `limit`
 * (UNSEEN_E_UNSUPPORTED, the size in *refused) a sentence that names the picture. */
un_status un_image_check_size(size_t width, size_t height, size_t limit, const char *name,
                              un_image *refused);

/* Starts the library that decodes (libvips), which decoding does by itself; called beforehand, a
 * lack of memory for it is told once: UNSEEN_E_MEMORY, or UNSEEN_E_UNSUPPORTED if it does not
 * start. */
un_status un_image_prepare(void);
/* Whether pictures of that kind are decoded here; HEIF only where libvips was built with it. */
int un_image_reads(un_file_kind kind);
/* Decodes a file (JPEG, PNG, WebP, TIFF, GIF, BMP, and HEIF, which are
 * HEIC and AVIF, where libvips was built with it; the first frame of several). Fails with
 * UNSEEN_E_FORMAT, UNSEEN_E_UNSUPPORTED (a picture, but of a kind that is not read),
 * UNSEEN_E_IO or UNSEEN_E_MEMORY and a sentence that names the file; *out is then empty, but has the
 * size of a picture that is larger than is accepted (UNSEEN_E_UNSUPPORTED).
 * `options` may be NULL for all zero. Single-threaded; may run in many threads at once. */
un_status un_image_read(const char *path, const un_image_options *options, un_image *out);
/* The same from memory; `name` is for the sentence. */
un_status un_image_decode(const void *bytes, size_t size, const char *name,
                          const un_image_options *options, un_image *out);
/* What decoding would give, from the picture's head alone. `orientation` is 1 to 8: how the picture
 * of width x height would be turned if EXIF is honoured, which the size does not take into account.
 * Fails as un_image_read does. */
typedef struct {
    size_t width, height;
    int orientation;
} un_image_head;
un_status un_image_read_head(const char *path, un_image_head *out);
/* Where the point (x, y), both 0 to 1 across the picture, is once it was turned. */
void un_image_turn_point(int orientation, double *x, double *y);
/* A black picture. */
un_status un_image_create(size_t width, size_t height, un_image *out);
/* Releases the pixels and empties the structure; harmless on an empty one. */
void un_image_free(un_image *image);

typedef enum { UN_BILINEAR, UN_BICUBIC } un_interpolation;

/* Resamples to width x height as PIL 9 does, bit for bit: triangle or cubic (a = -0.5)
 * filter widened by the reduction, 22-bit fixed-point weights, horizontal pass first,
 * rounding to 8 bits between the passes. */
un_status un_image_resize(const un_image *image, size_t width, size_t height,
                          un_interpolation interpolation, un_image *out);

/* The part of the resized picture that starts at (x, y) and has part_width x part_height
 * pixels; the same pixels as those of the whole, without computing the rest. */
un_status un_image_resize_part(const un_image *image, size_t width, size_t height,
                               un_interpolation interpolation, size_t x, size_t y,
                               size_t part_width, size_t part_height, un_image *out);

/* ---- a picture as a JPEG file in memory, for reports that carry their pictures. ---- */

/* `quality` 1 to 100; *bytes is released with free(). */
un_status un_image_jpeg(const un_image *image, int quality, unsigned char **bytes, size_t *size);

#endif
