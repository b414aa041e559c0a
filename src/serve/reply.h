/* reply.h - what is sent back: a status, a body, and headers that depend on them. */
#ifndef UN_SERVE_REPLY_H
#define UN_SERVE_REPLY_H

#include <stddef.h>

typedef struct {
    int status;
    const char *type; /* of the body; NULL: JSON */
    const void *body;
    size_t size;
    char *owned; /* the body, to be released with free() once it was sent; NULL: it outlives the
                    server */
    const char *etag;    /* NULL: it is not to be kept by anybody */
    const char *allow;   /* methods, of 405 and of OPTIONS; NULL */
    const char *seconds; /* after which it may be tried again; NULL */
} un_reply;

/* An error's, with its JSON. */
un_reply un_reply_error(int status, const char *message);
/* Of text that was allocated, NULL included. */
un_reply un_reply_text(int status, const char *type, char *text);

#endif
