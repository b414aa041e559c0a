/* routes.h - which resource an address means, and those that are there without computing. */
#ifndef UN_SERVE_ROUTES_H
#define UN_SERVE_ROUTES_H

#include "serve/assets.h"
#include "serve/engine.h"
#include "serve/models.h"
#include "serve/reply.h"

typedef enum {
    UN_ROUTE_NONE,
    UN_ROUTE_ASSET,
    UN_ROUTE_ALIVE,
    UN_ROUTE_READY,
    UN_ROUTE_METRICS,
    UN_ROUTE_MODELS,
    UN_ROUTE_MODEL,
    UN_ROUTE_SAMPLE,
    UN_ROUTE_PREDICT,
    UN_ROUTE_EXPLAIN
} un_route_kind;

typedef struct {
    un_route_kind kind;
    const un_asset *asset;
    char name[256]; /* of a model */
    size_t number;  /* of a sample */
} un_route;

/* Of a path as it was sent. UN_ROUTE_NONE: there is no such resource. */
un_route un_route_find(const char *path);
/* "GET, HEAD" or "POST". */
const char *un_route_methods(const un_route *route);
/* Whether it asks for the token where there is one. */
int un_route_is_guarded(const un_route *route);
/* It needs an answer of a model. */
int un_route_computes(const un_route *route);

/* What the resources are made of. */
typedef struct {
    un_models *models;
    un_engine *engine;
    un_decode_pool *pool;
    size_t connections;
    int ready;
} un_resources;

/* The answer to GET of a resource that needs no computing. `known`: the If-None-Match of the request
 * or NULL. */
un_reply un_route_get(const un_route *route, const un_resources *resources, const char *known);
/* No such model: 404, with the nearest name. */
un_reply un_reply_no_model(un_models *models, const char *name);

#endif
