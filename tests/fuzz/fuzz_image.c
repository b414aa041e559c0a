/*
 * fuzz_image.c - arbitrary bytes as a picture: every call ends with pixels or with a sentence
 * that names the file.
 */
#include "fuzz.h"

#include "vision/image/image.h"

static const char NAME[] = "input";

static volatile unsigned g_sink; /* keeps the reads */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* Small pictures are decoded faster and find as much. */
    const un_image_options options = {.orient = 1, .max_pixels = (size_t)1 << 20};
    un_image image;
    if (un_image_decode(data, size, NAME, &options, &image) != UNSEEN_OK) {
        if (strncmp(un_error(), NAME, sizeof NAME - 1) != 0 || image.pixels) abort();
        return 0;
    }
    for (size_t i = 0; i < image.width * image.height * 3; i++) g_sink += image.pixels[i];
    un_image_free(&image);
    return 0;
}
