/* routes.c - which resource an address means, and those that are there; see routes.h. */
#include "serve/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serve/metrics.h"
#include "serve/url.h"

/* ---- replies ---- */

un_reply un_reply_text(int status, const char *type, char *text) {
    static const char lost[] = "{\"error\":{\"status\":500,\"message\":\"out of memory\"}}";
    if (!text) return (un_reply){.status = 500, .body = lost, .size = sizeof lost - 1};
    return (un_reply){
        .status = status, .type = type, .body = text, .size = strlen(text), .owned = text};
}

un_reply un_reply_error(int status, const char *message) {
    json_t *error = un_error_json(status, message);
    un_reply reply = un_reply_text(status, NULL, un_answer_text(error));
    json_decref(error);
    if (status == 503 || status == 429) reply.seconds = "1";
    return reply;
}

un_reply un_reply_no_model(un_models *models, const char *name) {
    un_refuse(404, "there is no model \"%.*s\" here%s", un_name_fit(name, 100), name,
              un_models_suggest(models, name).text);
    return un_reply_error(404, un_error());
}

/* ---- addresses ---- */

static const un_asset *find_asset(const char *path) {
    for (const un_asset *a = un_assets; a->path; a++)
        if (!strcmp(a->path, path)) return a;
    return NULL;
}

/* Of what follows "/v1/models/". */
static un_route find_of_model(const char *rest) {
    un_route route = {0};
    const size_t n = strcspn(rest, "/");
    if (n == 0 || n >= sizeof route.name) return route;
    memcpy(route.name, rest, n);
    route.name[n] = '\0';
    if (!un_url_decode(route.name)) return route;
    rest += n;
    if (!*rest) route.kind = UN_ROUTE_MODEL;
    if (!strcmp(rest, "/predict")) route.kind = UN_ROUTE_PREDICT;
    if (!strcmp(rest, "/explain")) route.kind = UN_ROUTE_EXPLAIN;
    if (!strncmp(rest, "/samples/", 9)) {
        const size_t digits = strspn(rest + 9, "0123456789");
        if (digits == 0 || digits > 4 || rest[9 + digits]) return route;
        route.kind = UN_ROUTE_SAMPLE;
        route.number = (size_t)atoi(rest + 9);
    }
    return route;
}

un_route un_route_find(const char *path) {
    static const struct {
        const char *path;
        un_route_kind kind;
    } fixed[] = {{"/healthz", UN_ROUTE_ALIVE},
                 {"/readyz", UN_ROUTE_READY},
                 {"/metrics", UN_ROUTE_METRICS},
                 {"/v1/models", UN_ROUTE_MODELS}};
    static const char models[] = "/v1/models/";
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (!strcmp(fixed[i].path, path)) return (un_route){.kind = fixed[i].kind};
    if (!strncmp(path, models, sizeof models - 1)) return find_of_model(path + sizeof models - 1);
    const un_asset *asset = find_asset(path);
    return (un_route){.kind = asset ? UN_ROUTE_ASSET : UN_ROUTE_NONE, .asset = asset};
}

int un_route_computes(const un_route *route) {
    return route->kind == UN_ROUTE_PREDICT || route->kind == UN_ROUTE_EXPLAIN;
}

const char *un_route_methods(const un_route *route) {
    return un_route_computes(route) ? "POST" : "GET, HEAD";
}

int un_route_is_guarded(const un_route *route) {
    return route->kind != UN_ROUTE_ASSET && route->kind != UN_ROUTE_ALIVE &&
           route->kind != UN_ROUTE_READY;
}

/* ---- what is there ---- */

static un_reply get_asset(const un_asset *asset, const char *known) {
    un_reply reply = {.status = 200,
                      .type = asset->type,
                      .body = asset->bytes,
                      .size = asset->size,
                      .etag = asset->etag};
    if (known && (strstr(known, asset->etag) || !strcmp(known, "*"))) {
        reply.status = 304;
        reply.size = 0;
    }
    return reply;
}

static un_reply get_metrics(const un_resources *r) {
    const un_metrics_state state = {.queue_length = un_engine_length(r->engine),
                                    .connections = r->connections,
                                    .decode_restarts = un_decode_pool_restarts(r->pool)};
    return un_reply_text(200, "text/plain; version=0.0.4; charset=utf-8", un_metrics_text(&state));
}

static un_reply get_sample(const un_served *s, size_t number) {
    if (!s->recipe || number >= s->samples->count)
        return un_reply_error(404, "there is no such sample picture");
    const un_sample *sample = &s->samples->items[number];
    return (un_reply){
        .status = 200, .type = sample->type, .body = sample->bytes, .size = sample->size};
}

static un_reply get_of_model(const un_route *route, un_models *models) {
    un_served *s = un_models_take(models, route->name);
    if (!s) return un_reply_no_model(models, route->name);
    const un_reply reply = route->kind == UN_ROUTE_SAMPLE
                               ? get_sample(s, route->number)
                               : un_reply_text(200, NULL, strdup(s->card));
    un_served_release(s);
    return reply;
}

un_reply un_route_get(const un_route *route, const un_resources *r, const char *known) {
    static const char plain[] = "text/plain; charset=utf-8";
    switch (route->kind) {
    case UN_ROUTE_ASSET: return get_asset(route->asset, known);
    case UN_ROUTE_ALIVE: return un_reply_text(200, plain, strdup("ok\n"));
    case UN_ROUTE_READY:
        return un_reply_text(r->ready ? 200 : 503, plain,
                             strdup(r->ready ? "ok\n" : "the server is being stopped\n"));
    case UN_ROUTE_METRICS: return get_metrics(r);
    case UN_ROUTE_MODELS: return un_reply_text(200, NULL, un_models_list(r->models));
    case UN_ROUTE_MODEL:
    case UN_ROUTE_SAMPLE: return get_of_model(route, r->models);
    default:
        return un_reply_error(404, "there is no such resource; docs/http.md lists those that are");
    }
}
