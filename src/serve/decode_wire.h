/*
 * decode_wire.h - what the pool and its workers say to one another (decode.h). Messages go over a
 * socket that keeps their bounds, each way one at a time:
 *
 *     to the worker     un_decode_setup once, then un_decode_request
 *     from the worker   un_decode_reply, the first when it is ready
 *
 * Requests are numbered from 1, and a reply has its request's number (the first has 0), so that none is
 * taken for another one's.
 *
 * The memory that they share has a mark, the recipe (a string), the crop's pixels and the file's bytes,
 * one behind the other. The worker sets the mark when it has taken a request: one that died before has
 * not been broken by the picture. The pool believes nothing that a worker says: it takes a reply from
 * the socket, where it cannot change any more, and looks at it.
 */
#ifndef UN_SERVE_DECODE_WIRE_H
#define UN_SERVE_DECODE_WIRE_H

#include "base/status.h"

/* Descriptors of a worker. */
enum { UN_DECODE_SOCKET = 3, UN_DECODE_SHARED = 4 };

/* Pictures after which a worker is replaced: one that a picture took over, and that answers as before,
 * does not see other people's for ever. */
enum { UN_DECODE_PICTURES = 512 };

/* Bytes of the parts of the shared memory, together whole pages of any processor's; a side of a crop has 4096
 * pixels at most (recipe.h). */
enum {
    UN_DECODE_MARK = 64,
    UN_DECODE_RECIPE = (1 << 16) - UN_DECODE_MARK,
    UN_DECODE_PIXELS = 3 * 4096 * 4096,
    UN_DECODE_BEFORE_FILE = UN_DECODE_MARK + UN_DECODE_RECIPE + UN_DECODE_PIXELS
};

typedef struct {
    uint64_t max_pixels, max_bytes;
    uint64_t seconds; /* of processor time for one picture */
} un_decode_setup;

typedef struct {
    uint64_t number;
    uint64_t recipe; /* length of the string */
    uint64_t bytes;
} un_decode_request;

typedef struct {
    uint64_t number;
    uint32_t status; /* un_status */
    char message[512];
    unseen_crop crop;
} un_decode_reply;

#endif
