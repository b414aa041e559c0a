/*
 * http.h - connections, requests and their limits, by libmicrohttpd.
 *
 * A request's body is counted while it comes and kept in memory; one that is refused is read and
 * dropped up to a limit, so that its sender gets to read why. While a model is asked the connection is
 * suspended: no thread waits for it.
 */
#ifndef UN_SERVE_HTTP_H
#define UN_SERVE_HTTP_H

#include "serve/access_log.h"
#include "serve/guard.h"
#include "serve/routes.h"

typedef struct un_http un_http;

/* Has the system allow as many open files as there may be connections, and fails if it does not. */
un_status un_http_reserve(const un_serve_options *options);
/* Begins to serve, after un_foreign_need(UN_MICROHTTPD); everything is borrowed. `address` becomes where, "http://127.0.0.1:8080", the
 * http's. */
un_status un_http_open(const un_serve_options *options, const un_guard *guard, un_access_log *log,
                       const un_resources *resources, un_http **out, const char **address);
/* No more connections are accepted; those that are there get answers, and are then closed. */
void un_http_quiesce(un_http *http);
/* Connections that are owed an answer. */
size_t un_http_owed(un_http *http);
/* No job may be on its way. NULL is allowed. */
void un_http_close(un_http *http);

#endif
