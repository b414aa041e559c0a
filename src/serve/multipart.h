/*
 * multipart.h - a form's parts (RFC 7578) in a body that is in memory as a whole. Nothing is copied.
 */
#ifndef UN_SERVE_MULTIPART_H
#define UN_SERVE_MULTIPART_H

#include "base/status.h"

typedef struct {
    char name[64]; /* of the field */
    const void *bytes;
    size_t size;
} un_part;

/* Takes the body apart as its content type says: at most `most` parts, UNSEEN_E_FORMAT for more, and
 * for what is no such form. */
un_status un_multipart_split(const char *content_type, const void *body, size_t size,
                             un_part *parts, size_t most, size_t *count);

#endif
