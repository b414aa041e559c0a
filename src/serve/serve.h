/*
 * serve.h - `unseen serve`: models asked over HTTP, by programs in JSON and by people on a page.
 *
 * docs/http.md says what is asked and answered. The room knows unseen.h and base/ only, and is a part
 * of the program, not of the library. From a request to its answer:
 *
 *     http.c       connections, headers, bodies as they come, limits (libmicrohttpd)
 *     guard.c      Host, Origin, token
 *     routes.c     which resource, and those that are there already: page, models, metrics
 *     question.c   a body to what is asked (multipart.c takes forms apart)
 *     engine.c     jobs through threads: bodies read and pictures decoded by several, the network on
 *                  one, which takes the pictures of several jobs at a time
 *     answer.c     what the model says to JSON
 *     models.c     the models, loaded anew by SIGHUP
 *     watch.c      who is slow
 *     decode.c     pictures decoded in confined processes
 *
 * No client's bytes end the process, name a file or stay after its answer.
 */
#ifndef UN_SERVE_SERVE_H
#define UN_SERVE_SERVE_H

#include <signal.h>

#include "base/status.h"

/* What a question may hold. */
enum {
    UN_MOST_PICTURES = 16,
    UN_MOST_ROWS = 64,      /* of features */
    UN_MOST_CLASSES = 100,  /* of one's own */
    UN_LONGEST_NAME = 200,  /* of a class, bytes */
    UN_MOST_TOP = 1000,     /* candidates */
    UN_MOST_SHOWN = 50,     /* attributes of each list of an explanation */
    UN_MOST_JSON = 4 << 20, /* bytes of JSON */
    UN_MOST_MODELS = 64
};

/* A list of words that outlives its users. */
typedef struct {
    const char *const *items;
    size_t count;
} un_words;

typedef struct {
    un_words models;    /* files; a model's name is the file's, without ".model" */
    un_words backbones; /* weights files: a model takes the one that it fits */
    un_words classes; /* files of classes for everyone, as `unseen predict --classes` reads them */
    const char *data; /* data set directory for sample pictures and curves; NULL: none */
    const char *images; /* the folder of its pictures; NULL: where it says */
    const char *precision;
    unseen_orientation orientation;
    const char *host;       /* name or address to listen on */
    unsigned port;          /* 0: any that is free */
    const char *token_file; /* NULL: none */
    int no_token;           /* 1: serve hosts other than this one without a token */
    un_words hosts;         /* further names that requests may call the server by */
    un_words origins;       /* pages of other servers that may ask; "*": all */
    size_t max_upload;      /* bytes of a body */
    size_t max_pixels;      /* of a picture; 0: the library's own limit */
    size_t max_in_flight;   /* requests that wait for an answer */
    size_t batch;           /* pictures that the network takes at a time */
    unsigned batch_wait_ms; /* for more pictures, while some are being decoded */
    size_t decoders;        /* processes that decode; 0: one for each processor, 2 to 8 */
    const char *access_log; /* file; NULL: none */
    /* Called once requests are taken: the address, "http://127.0.0.1:8080". */
    void (*listening)(const char *address, void *user);
    void *user;
    const volatile sig_atomic_t *stop; /* 1: to end as after SIGTERM; NULL: signals alone say so */
} un_serve_options;

/* Defaults of all but the lists. */
void un_serve_options_init(un_serve_options *options);

/* Serves until SIGTERM or SIGINT: then no more are accepted, and those that are in flight get their
 * answers, for 8 seconds at most. SIGHUP loads the models anew and opens the access log again. Fails
 * if it cannot begin. Signals of the calling thread are as before afterwards. */
un_status un_serve(const un_serve_options *options);

#endif
