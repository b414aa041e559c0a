/*
 * exchange.h - one request and its answer: checked when its head is there, its body taken as it comes,
 * given to a model, answered.
 */
#ifndef UN_SERVE_EXCHANGE_H
#define UN_SERVE_EXCHANGE_H

#include <stdatomic.h>

#include "base/foreign/microhttpd.h"
#include "serve/access_log.h"
#include "serve/guard.h"
#include "serve/routes.h"
#include "serve/watch.h"

/* What all requests use. */
typedef struct {
    const un_serve_options *options;
    const un_guard *guard;
    un_access_log *log;
    const un_resources *resources;
    un_watch_list *watch;
    atomic_int ending;  /* 1: connections are closed with their next answer */
    atomic_size_t held; /* bytes of bodies in memory */
} un_shared;

typedef struct un_exchange un_exchange;

/* What is sent, as it is, to who sends a body too slowly. */
extern const char un_exchange_slow[];

/* The first line of a request has come, with this target. NULL: no memory. */
un_exchange *un_exchange_begin(un_shared *shared, struct MHD_Connection *connection,
                               const char *target);
/* As libmicrohttpd calls its handler: once with the head, then with pieces of the body, then without
 * any, and again when it is to go on. MHD_NO: the connection is closed. */
enum MHD_Result un_exchange_go(un_exchange *exchange, const char *path, const char *method,
                               const char *bytes, size_t *size);
/* It is over, and released. `whole`: the answer was sent. NULL is allowed. */
void un_exchange_end(un_exchange *exchange, int whole);

#endif
