/*
 * guard.h - who may ask: the name that a request calls the server by (against DNS rebinding), the page
 * that a browser sends it from (against other sites' pages), and the token.
 */
#ifndef UN_SERVE_GUARD_H
#define UN_SERVE_GUARD_H

#include "serve/serve.h"

typedef struct {
    const char *host; /* that is listened on */
    un_words hosts, origins;
    char *token; /* NULL: none is asked for */
} un_guard;

/* Reads the token of the options, and refuses to serve other hosts than this one without. */
un_status un_guard_open(un_guard *guard, const un_serve_options *options);
void un_guard_close(un_guard *guard);

/* Whether an address or a name means this host alone. */
int un_guard_is_loopback(const char *host);
/* Whether the Host of a request is a name of this server: an address, "localhost", the one that is
 * listened on or one that was allowed. NULL is none. */
int un_guard_knows_host(const un_guard *guard, const char *host);
/* Whether a page may ask: no Origin, one of this server itself, or one that was allowed. */
int un_guard_knows_origin(const un_guard *guard, const char *origin, const char *host);
/* Whether it is one that was allowed, which is told to the browser. */
int un_guard_allows_origin(const un_guard *guard, const char *origin);
/* "Bearer TOKEN" is right, or no token is asked for. Its time tells nothing about the token. */
int un_guard_knows_token(const un_guard *guard, const char *authorization);

#endif
