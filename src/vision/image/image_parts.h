/*
 * image_parts.h - what the files of un_image share: see image.h for what it is.
 */
#ifndef UN_VISION_IMAGE_PARTS_H
#define UN_VISION_IMAGE_PARTS_H

#include <stddef.h>

#include "base/file_kind.h"
#include "base/status.h"
#include "vision/image/image.h"

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

/* ---- libvips ---- */

/* Loads and starts what decoding that kind needs of it. */
un_status un_vips_prepare(un_file_kind kind);

/* Between these two a thread is in libvips, to itself (alone) or beside others. What it says of the
 * picture `name`, or NULL, goes to the log at the end, when no lock is held. They do not nest. */
void un_vips_take(const char *name, int alone);
void un_vips_leave(void);

/* Whether it was started in a parent of this process. */
int un_vips_was_forked(void);

/* ---- memory for decoding, over all threads: how much may be held at once, and whether the
 * system would give it.
 *
 * A small file may promise a large picture, and every thread may meet one. And GLib, which
 * libvips stands on, ends the process if it gets no memory; so it is asked for here first, where a
 * lack of it is an error like others.
 *
 * A thread releases a picture before it decodes the next one. ---- */

/* Bytes that all threads together may hold: 2^27 pixels of RGB. One picture may always go ahead. */
extern const size_t un_decoding_budget;

/* UNSEEN_E_MEMORY unless the system gives `bytes` now; nothing is kept. */
un_status un_memory_check(size_t bytes);

/* Takes `bytes` from the budget, and waits for other threads until they fit. A thread that already
 * holds some does not wait, as it might wait for itself. UNSEEN_E_MEMORY if the system would not
 * give them, or too little beside them, to a thread that decodes alone. */
un_status un_budget_take(size_t bytes);
/* Gives them back; by the thread that took them, if possible. */
void un_budget_return(size_t bytes);

/* Bytes held now, and the most that were held at once since the process began. */
typedef struct {
    size_t held, most;
} un_budget_usage;
un_budget_usage un_budget_now(void);

#endif
