/*
 * decode.h - pictures from strangers, decoded by processes of their own: a few workers, which know no
 * model and no file, take bytes and give the crop that a network sees (unseen_picture_crop). A
 * picture that breaks its worker costs the sender an error and the server nothing.
 *
 * A worker is the program itself, started anew with the argument UN_DECODE_WORKER. Before it takes
 * its first picture it gives up what decoding does not need (base/confine.h). It ends with its parent.
 * Bytes and pixels lie in memory that the two share; a short message each way says what is there
 * (decode_wire.h).
 */
#ifndef UN_SERVE_DECODE_H
#define UN_SERVE_DECODE_H

#include "base/status.h"

#define UN_DECODE_WORKER "--decode-worker"

typedef struct un_decode_pool un_decode_pool;

typedef struct {
    int workers;       /* 1 to 64 */
    size_t max_pixels; /* of one picture; 0: the library's limit */
    size_t max_bytes;  /* of one picture file */
    int seconds;       /* of processor time for one picture, at least 1 */
} un_decode_options;

/* What became of a picture; status and message are those that unseen_picture_crop has for it, but for
 * the "picture 0: " before its sentences. */
typedef struct {
    un_status status;
    int too_large; /* 1: for its bytes, its pixels or the memory they need alone */
    int busy;      /* 1: nobody looked at it: no worker can be started, or the pool was stopped */
    char message[512]; /* UTF-8; "" if it is well */
    unseen_crop crop;
    uint8_t *rgb; /* [side, side, 3], the caller's, released with free(); NULL unless UNSEEN_OK */
} un_decoded;

/* Starts the workers and waits until they are ready: 0.2 s or so. Fails with a sentence if they do
 * not start. */
un_status un_decode_pool_open(const un_decode_options *options, un_decode_pool **out);
/* From now on un_decode fails at once, with UNSEEN_E_INTERRUPTED, and calls in progress do so within
 * 0.2 s. Any thread may call it, more than once. */
void un_decode_pool_stop(un_decode_pool *pool);
/* To be called when no picture is being decoded; NULL is allowed. */
void un_decode_pool_close(un_decode_pool *pool);

/* Decodes a picture file, n bytes, as the recipe says; any thread may call, and waits for a free
 * worker. One that breaks its worker, or takes too long, has UNSEEN_E_FORMAT; the worker's place is
 * taken by a new one. */
void un_decode(un_decode_pool *pool, const char *recipe, const void *bytes, size_t n,
               un_decoded *out);

/* Workers that had to be replaced. */
size_t un_decode_pool_restarts(const un_decode_pool *pool);
/* NULL where workers are confined by the system's filter of calls; else a sentence on what is
 * lacking. */
const char *un_decode_pool_lack(const un_decode_pool *pool);

/* The worker's whole life; returns its exit status. `fd` is its end of the socket; what it has
 * beside that are standard streams and UN_DECODE_SHARED. */
int un_decode_worker(int fd);

#endif
