/* exchange.c - one request and its answer; see exchange.h. */
#include "serve/exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "serve/metrics.h"
#include "serve/url.h"

/* How long a connection may take, in seconds; a body longer by what it weighs. */
static const double HEAD_SECONDS = 15, BODY_SECONDS = 15, SEND_SECONDS = 60, IDLE_SECONDS = 60;
static const double SLOWEST = 64e3; /* bytes a second */

/* Of a body that nobody wants, so much is read before the connection is closed. */
enum { DROPPED_UPLOADS = 4, FIRST_ROOM = 64 * 1024 };

typedef enum { NEW, RECEIVING, DROPPING, WAITING, ANSWERED } state;

struct un_exchange {
    un_shared *shared;
    struct MHD_Connection *connection;
    un_connection *watched;
    double started;
    char *target, method[16]; /* for the log */
    state state;
    un_route route;
    int closes; /* 1: where the request ends is not sure */
    double body_began;
    uint64_t expected;        /* bytes of the body; UINT64_MAX: it comes in chunks */
    un_job *job;              /* of a question */
    un_reply refusal;         /* status 0: none */
    size_t room;              /* bytes of the job's body that are allocated */
    size_t received, dropped; /* of the body; the latter of what nobody wants */
    int status;               /* that was sent */
    size_t sent;
};

const char un_exchange_slow[] =
    "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json; charset=utf-8\r\n"
    "Connection: close\r\n\r\n"
    "{\"error\":{\"status\":408,\"message\":\"the rest of the request did not come in time\"}}";

static const char *header(const un_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

un_exchange *un_exchange_begin(un_shared *shared, struct MHD_Connection *connection,
                               const char *target) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    un_exchange *x = calloc(1, sizeof *x);
    if (!x || !info || !info->socket_context) {
        free(x);
        return NULL;
    }
    *x = (un_exchange){.shared = shared, .connection = connection, .started = un_now()};
    x->watched = info->socket_context;
    x->target = strdup(target);
    un_connection_turn(shared->watch, x->watched, UN_HEAD, HEAD_SECONDS);
    return x;
}

/* ---- the answer ---- */

static const char g_policy[] = "default-src 'self'; img-src 'self' blob: data:; base-uri 'none'; "
                               "form-action 'self'; frame-ancestors 'none'";

static void add_header(struct MHD_Response *response, const char *name, const char *value) {
    if (value) MHD_add_response_header(response, name, value);
}

static void add_headers(const un_exchange *x, struct MHD_Response *response, const un_reply *r) {
    const char *origin = header(x, "Origin");
    const int allowed = un_guard_allows_origin(x->shared->guard, origin);
    if (r->size > 0)
        add_header(response, "Content-Type", r->type ? r->type : "application/json; charset=utf-8");
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Content-Security-Policy", g_policy);
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Cross-Origin-Resource-Policy", allowed ? "cross-origin" : "same-origin");
    add_header(response, "Cache-Control", r->etag ? "no-cache" : "no-store");
    add_header(response, "ETag", r->etag);
    add_header(response, "Allow", r->allow);
    add_header(response, "Retry-After", r->seconds);
    if (r->status == 401) add_header(response, "WWW-Authenticate", "Bearer");
    if (x->shared->guard->origins.count > 0) add_header(response, "Vary", "Origin");
    if (allowed) {
        add_header(response, "Access-Control-Allow-Origin", origin);
        if (!strcmp(x->method, "OPTIONS")) {
            add_header(response, "Access-Control-Allow-Methods", r->allow);
            add_header(response, "Access-Control-Allow-Headers", "Authorization, Content-Type");
            add_header(response, "Access-Control-Max-Age", "600");
        }
    }
    if (x->closes || atomic_load(&x->shared->ending)) add_header(response, "Connection", "close");
}

/* libmicrohttpd wants bodies that it does not change without const. */
static struct MHD_Response *make_response(const un_reply *r) {
    return MHD_create_response_from_buffer(r->size, (void *)(uintptr_t)r->body,
                                           r->owned ? MHD_RESPMEM_MUST_FREE
                                                    : MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_reply(un_exchange *x, un_reply r) {
    struct MHD_Response *response = make_response(&r);
    if (!response) {
        free(r.owned);
        return MHD_NO;
    }
    add_headers(x, response, &r);
    x->state = ANSWERED;
    x->status = r.status;
    x->sent = r.size;
    un_connection_turn(x->shared->watch, x->watched, UN_SENDING,
                       SEND_SECONDS + (double)r.size / SLOWEST);
    const enum MHD_Result result = MHD_queue_response(x->connection, (unsigned)r.status, response);
    MHD_destroy_response(response);
    return result;
}

static un_reply take_refusal(un_exchange *x) {
    const un_reply reply = x->refusal;
    x->refusal = (un_reply){0};
    return reply;
}

static un_reply job_reply(un_exchange *x) {
    un_reply reply = un_reply_text(x->job->status, NULL, x->job->text);
    x->job->text = NULL;
    if (reply.status == 503) reply.seconds = "1";
    return reply;
}

static enum MHD_Result answer(un_exchange *x) {
    if (x->refusal.status) return send_reply(x, take_refusal(x));
    if (x->job) return send_reply(x, job_reply(x));
    if (!strcmp(x->method, "OPTIONS"))
        return send_reply(x, (un_reply){.status = 204, .allow = un_route_methods(&x->route)});
    un_resources now = *x->shared->resources;
    now.connections = un_connection_count(x->shared->watch);
    now.ready = !atomic_load(&x->shared->ending);
    return send_reply(x, un_route_get(&x->route, &now, header(x, "If-None-Match")));
}

/* ---- the head ---- */

static void refuse(un_exchange *x, un_reply reply) {
    free(x->refusal.owned);
    x->refusal = reply;
}

static void refuse_with(un_exchange *x, int status, const char *message) {
    refuse(x, un_reply_error(status, message));
}

/* How often headers occur that may do so once. */
typedef struct {
    size_t lengths, encodings, hosts;
} head_counts;

static enum MHD_Result count_header(void *user, enum MHD_ValueKind kind, const char *key,
                                    const char *value) {
    head_counts *counts = user;
    (void)kind;
    (void)value;
    counts->lengths += !strcasecmp(key, "Content-Length");
    counts->encodings += !strcasecmp(key, "Transfer-Encoding");
    counts->hosts += !strcasecmp(key, "Host");
    return MHD_YES;
}

/* A proxy may have understood such a request otherwise, so nothing behind it is read. */
static int check_head(un_exchange *x) {
    head_counts n = {0};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_header, &n);
    x->closes = n.lengths + n.encodings > 1 || n.hosts > 1;
    if (n.hosts > 1)
        refuse_with(x, 400, "a request has one Host");
    else if (n.lengths > 0 && n.encodings > 0)
        refuse_with(x, 400, "a request has either a Content-Length or a Transfer-Encoding");
    else if (x->closes)
        refuse_with(x, 400, "a request has one Content-Length or Transfer-Encoding");
    return !x->refusal.status;
}

/* 1: nothing is wrong so far, of any request. */
static int check_sender(un_exchange *x) {
    const char *host = header(x, "Host");
    if (!un_guard_knows_host(x->shared->guard, host))
        refuse_with(x, 403,
                    "the Host of the request is no name of this server; --allow-host NAME allows "
                    "one");
    else if (!un_guard_knows_origin(x->shared->guard, header(x, "Origin"), host))
        refuse_with(x, 403,
                    "pages of this Origin may not ask this server; --allow-origin URL allows them");
    return !x->refusal.status;
}

static int is_method(const un_exchange *x, const char *methods) {
    const char *at = strstr(methods, x->method);
    const size_t n = strlen(x->method);
    return n > 0 && at && (at[n] == ',' || !at[n]) && (at == methods || at[-1] == ' ');
}

static int check_resource(un_exchange *x) {
    const char *methods = un_route_methods(&x->route);
    if (x->route.kind == UN_ROUTE_NONE) {
        refuse_with(x, 404, "there is no such resource");
    } else if (!strcmp(x->method, "OPTIONS")) {
        return 1;
    } else if (!is_method(x, methods)) {
        refuse_with(x, 405,
                    un_route_computes(&x->route) ? "only POST is possible here"
                                                 : "only GET and HEAD are possible here");
        x->refusal.allow = methods;
    } else if (un_route_is_guarded(&x->route) &&
               !un_guard_knows_token(x->shared->guard, header(x, "Authorization"))) {
        refuse_with(x, 401, "this server asks for a token: Authorization: Bearer TOKEN");
    }
    return !x->refusal.status;
}

static enum MHD_Result take_parameter(void *user, enum MHD_ValueKind kind, const char *key,
                                      const char *value) {
    un_exchange *x = user;
    (void)kind;
    char *own_key = strdup(key), *own_value = strdup(value ? value : "");
    int status = own_key && own_value ? 0 : un_refuse(500, "out of memory");
    if (!status && !(un_url_decode(own_key) && un_url_decode(own_value)))
        status = un_refuse(400, "the address has a damaged escape sequence");
    if (!status) status = un_question_parameter(&x->job->question, own_key, own_value);
    if (status) refuse_with(x, status, un_error());
    free(own_key);
    free(own_value);
    return status ? MHD_NO : MHD_YES;
}

static void on_done(un_job *job, void *user) {
    un_exchange *x = user;
    (void)job;
    MHD_resume_connection(x->connection);
}

static int make_job(un_exchange *x) {
    const char *type = header(x, "Content-Type");
    un_served *served = un_models_take(x->shared->resources->models, x->route.name);
    if (!served) {
        refuse(x, un_reply_no_model(x->shared->resources->models, x->route.name));
        return 0;
    }
    x->job = calloc(1, sizeof *x->job);
    if (!x->job) {
        un_served_release(served);
        refuse_with(x, 500, "out of memory");
        return 0;
    }
    x->job->served = served;
    x->job->done = on_done;
    x->job->user = x;
    x->job->content_type = strdup(type);
    un_question_init(&x->job->question, x->route.kind == UN_ROUTE_EXPLAIN);
    if (!x->job->content_type) refuse_with(x, 500, "out of memory");
    MHD_get_connection_values(x->connection, MHD_GET_ARGUMENT_KIND, take_parameter, x);
    return !x->refusal.status;
}

/* Of a question: a body is to come that can be read, and somebody has time for it. */
static int check_question(un_exchange *x) {
    const un_serve_options *o = x->shared->options;
    char text[160];
    if (x->expected == 0 && !header(x, "Content-Length")) {
        refuse_with(x, 411, "the request has no body: send a picture, JSON or a form");
    } else if (x->expected != UINT64_MAX && x->expected > o->max_upload) {
        snprintf(text, sizeof text, "a request has %zu bytes at most, this one %llu", o->max_upload,
                 (unsigned long long)x->expected);
        refuse_with(x, 413, text);
    } else if (un_body_kind_of(header(x, "Content-Type")) == UN_BODY_UNKNOWN) {
        refuse_with(x, 415,
                    "the Content-Type must be image/..., application/octet-stream, "
                    "application/json or multipart/form-data");
    } else if (!un_engine_has_room(x->shared->resources->engine)) {
        refuse_with(x, 503, "too many requests wait for an answer; try again");
    } else {
        return make_job(x);
    }
    return 0;
}

/* Which the library has checked. */
static uint64_t body_length(const un_exchange *x) {
    const char *length = header(x, "Content-Length");
    if (header(x, "Transfer-Encoding")) return UINT64_MAX;
    return length ? strtoull(length, NULL, 10) : 0;
}

/* For a body, by what has come of it. 0: it was too slow. */
static int allow_time(un_exchange *x) {
    const double seconds = BODY_SECONDS + (double)x->received / SLOWEST;
    return un_connection_turn(x->shared->watch, x->watched, UN_RECEIVING,
                              x->body_began + seconds - un_now());
}

static enum MHD_Result take_head(un_exchange *x, const char *path, const char *method) {
    const un_serve_options *o = x->shared->options;
    const char *expect = header(x, "Expect");
    snprintf(x->method, sizeof x->method, "%s", method);
    x->expected = body_length(x);
    x->route = un_route_find(path);
    if (check_head(x) && check_sender(x) && check_resource(x) && un_route_computes(&x->route) &&
        strcmp(x->method, "OPTIONS") != 0)
        check_question(x);
    const uint64_t most = (uint64_t)DROPPED_UPLOADS * o->max_upload;
    /* Who waits for a word before sending, or sends too much, gets it now. */
    if (x->refusal.status && (x->closes || (expect && !strcasecmp(expect, "100-continue")) ||
                              (x->expected != UINT64_MAX && x->expected > most)))
        return send_reply(x, take_refusal(x));
    x->state = x->job && !x->refusal.status ? RECEIVING : DROPPING;
    x->body_began = un_now();
    return allow_time(x) ? MHD_YES : MHD_NO;
}

/* ---- the body ---- */

static void release_body(un_exchange *x) {
    atomic_fetch_sub(&x->shared->held, x->room);
    x->room = 0;
}

/* All bodies together. */
static size_t most_held(const un_serve_options *o) {
    const size_t quarter = o->max_in_flight * o->max_upload / 4;
    return quarter > 2 * o->max_upload ? quarter : 2 * o->max_upload;
}

static int grow(un_exchange *x, size_t needed) {
    un_job *job = x->job;
    size_t room = x->room ? 2 * x->room : FIRST_ROOM;
    if (room < needed) room = needed;
    if (room > x->expected && x->expected >= needed) room = (size_t)x->expected;
    const size_t more = room - x->room;
    if (atomic_fetch_add(&x->shared->held, more) + more > most_held(x->shared->options)) {
        atomic_fetch_sub(&x->shared->held, more);
        refuse_with(x, 503, "too many requests are being sent; try again");
        return 0;
    }
    x->room = room;
    unsigned char *body = realloc(job->body, room);
    if (!body) {
        refuse_with(x, 503, "there is no memory for the request; try again");
        return 0;
    }
    job->body = body;
    return 1;
}

static void drop_job(un_exchange *x) {
    release_body(x);
    un_job_free(x->job);
    x->job = NULL;
    x->state = DROPPING;
}

static void take_piece(un_exchange *x, const char *bytes, size_t n) {
    const size_t most = x->shared->options->max_upload;
    un_job *job = x->job;
    if (job->size + n > most) {
        char text[160];
        snprintf(text, sizeof text, "a request has %zu bytes at most", most);
        refuse_with(x, 413, text);
    } else if (job->size + n <= x->room || grow(x, job->size + n)) {
        memcpy(job->body + job->size, bytes, n);
        job->size += n;
        return;
    }
    drop_job(x);
}

/* The connection waits without a thread until on_done. */
static enum MHD_Result submit(un_exchange *x) {
    if (x->job->size == 0) {
        refuse_with(x, 400, "the request's body is empty");
        return answer(x);
    }
    x->state = WAITING;
    if (!un_connection_turn(x->shared->watch, x->watched, UN_WAITING, 0)) return MHD_NO;
    MHD_suspend_connection(x->connection);
    if (un_engine_submit(x->shared->resources->engine, x->job)) return MHD_YES;
    refuse_with(x, 503, "too many requests wait for an answer; try again");
    MHD_resume_connection(x->connection);
    return MHD_YES;
}

static enum MHD_Result drop_piece(un_exchange *x, size_t n) {
    x->dropped += n;
    if (x->dropped <= DROPPED_UPLOADS * x->shared->options->max_upload) return MHD_YES;
    x->status = x->refusal.status;
    return MHD_NO;
}

enum MHD_Result un_exchange_go(un_exchange *x, const char *path, const char *method,
                               const char *bytes, size_t *size) {
    const size_t n = *size;
    *size = 0;
    x->received += n;
    if ((x->state == RECEIVING || x->state == DROPPING) && n > 0 && !allow_time(x)) return MHD_NO;
    switch (x->state) {
    case NEW: return take_head(x, path, method);
    case RECEIVING:
        if (n == 0) return submit(x);
        take_piece(x, bytes, n);
        return MHD_YES;
    case DROPPING: return n > 0 ? drop_piece(x, n) : answer(x);
    case WAITING: return answer(x);
    default: return MHD_YES;
    }
}

/* ---- the end ---- */

/* What the client got, as far as we know. */
static int final_status(un_exchange *x, int whole) {
    if (whole) return x->status;
    if (un_connection_was_cut(x->shared->watch, x->watched) == UN_RECEIVING) return 408;
    return x->state == ANSWERED || x->state == DROPPING ? x->status : 0;
}

void un_exchange_end(un_exchange *x, int whole) {
    if (!x) return;
    const double seconds = un_now() - x->started;
    const int status = final_status(x, whole);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    un_metrics_request(status, seconds);
    un_access_log_write(x->shared->log, info ? info->client_addr : NULL,
                        *x->method ? x->method : "-", x->target ? x->target : "-", status, x->sent,
                        seconds);
    un_connection_turn(x->shared->watch, x->watched, UN_IDLE, IDLE_SECONDS);
    release_body(x);
    un_job_free(x->job);
    free(x->refusal.owned);
    free(x->target);
    free(x);
}
