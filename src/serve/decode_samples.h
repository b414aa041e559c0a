/*
 * decode_samples.h - a picture of each kind that is decoded through a library, as small as it can be:
 * decoding it loads all that decoding its kind needs, before nothing can be loaded any more.
 */
#ifndef UN_SERVE_DECODE_SAMPLES_H
#define UN_SERVE_DECODE_SAMPLES_H

#include <stddef.h>

typedef struct {
    const unsigned char *bytes;
    size_t size;
} un_decode_sample;

/* Ends with bytes NULL. */
extern const un_decode_sample un_decode_samples[];

#endif
