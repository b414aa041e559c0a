/* serve.c - begins to serve, waits for signals, ends; see serve.h. */
#include "serve/serve.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/foreign/foreign.h"
#include "base/parallel.h"
#include "serve/engine.h"
#include "serve/http.h"
#include "serve/metrics.h"

enum { TICK_MS = 200, SETTLE_MS = 200, DECODERS_LEAST = 2, DECODERS_MOST = 8, DECODE_SECONDS = 10 };
/* From the signal to the end: what is in flight; what is left then is answered with 503. */
static const double PATIENCE = 8, LAST_WORDS = 0.5;
/* When all ends at once, whatever is going on: a network in its pass, a model that is being read. */
static const time_t LAST_RESORT = 9;

void un_serve_options_init(un_serve_options *options) {
    *options = (un_serve_options){.precision = "auto",
                                  .host = "127.0.0.1",
                                  .port = 8080,
                                  .max_upload = 20u << 20,
                                  .max_pixels = 50000000,
                                  .max_in_flight = 64,
                                  .batch = 8,
                                  .batch_wait_ms = 4};
}

/* All that serves, in the order in which it begins. */
typedef struct {
    const un_serve_options *options;
    un_guard guard;
    un_access_log *log;
    un_resources resources;
    un_http *http;
    pthread_t reloading;
    int reload_started;
    atomic_int reload_runs;
} server;

/* ---- signals: blocked in all threads, and waited for ---- */

static void fill_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

static void *reload(void *context) {
    server *s = context;
    un_models_reload(s->resources.models);
    atomic_store(&s->reload_runs, 0);
    return NULL;
}

/* One at a time; beside the requests. */
static void begin_reload(server *s) {
    un_access_log_reopen(s->log);
    if (atomic_load(&s->reload_runs)) {
        un_log(UNSEEN_LOG_WARNING, "the models are being loaded already");
        return;
    }
    if (s->reload_started) pthread_join(s->reloading, NULL);
    atomic_store(&s->reload_runs, 1);
    s->reload_started = pthread_create(&s->reloading, NULL, reload, s) == 0;
    if (!s->reload_started) {
        atomic_store(&s->reload_runs, 0);
        un_log(UNSEEN_LOG_ERROR, "the models cannot be loaded anew: no thread can be started");
    }
}

static void wait_for_the_end(server *s, const sigset_t *signals) {
    const struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
    for (;;) {
        const int number = sigtimedwait(signals, NULL, &tick);
        if (number == SIGHUP) begin_reload(s);
        if (number == SIGTERM || number == SIGINT) break;
        if (s->options->stop && *s->options->stop) break;
    }
}

static void wait_ms(long ms) {
    const struct timespec pause = {.tv_nsec = ms * 1000000L};
    nanosleep(&pause, NULL);
}

/* Until nobody is owed an answer, for so many seconds at most. */
static void wait_for_answers(server *s, double seconds) {
    const double until = un_now() + seconds;
    while (un_http_owed(s->http) > 0 && un_now() < until) wait_ms(10);
}

/* ---- begin and end ---- */

static un_status begin(server *s, un_serve_options *o) {
    const char *address = NULL;
    const un_decode_options decode = {.workers = (int)o->decoders,
                                      .max_pixels = o->max_pixels,
                                      .max_bytes = o->max_upload,
                                      .seconds = DECODE_SECONDS};
    UN_TRY(un_foreign_need(UN_MICROHTTPD)); /* told before anything is loaded */
    UN_TRY(un_http_reserve(o));
    UN_TRY(un_guard_open(&s->guard, o));
    UN_TRY(un_access_log_open(o->access_log, &s->log));
    UN_TRY(un_decode_pool_open(&decode, &s->resources.pool));
    const char *lack = un_decode_pool_lack(s->resources.pool);
    if (lack) un_log(UNSEEN_LOG_WARNING, "%s", lack);
    UN_TRY(un_models_open(o, &s->resources.models));
    UN_TRY(un_engine_open(o, s->resources.pool, &s->resources.engine));
    un_metrics_begin();
    UN_TRY(un_http_open(o, &s->guard, s->log, &s->resources, &s->http, &address));
    if (o->listening) o->listening(address, o->user);
    return UNSEEN_OK;
}

/* What cannot be interrupted is not waited for. */
static void *last_resort(void *context) {
    sem_t *ended = context;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += LAST_RESORT;
    while (sem_timedwait(ended, &until) != 0) {
        if (errno != ETIMEDOUT) continue;
        un_log(UNSEEN_LOG_ERROR, "the end did not come in time: what was not answered is cut off");
        _exit(EXIT_FAILURE);
    }
    return NULL;
}

/* What is in flight is finished first. Whoever serves may ask the engine and the models until
 * un_http_close. */
static void end_serving(server *s) {
    if (s->resources.models) un_models_stop(s->resources.models);
    if (s->http) {
        un_http_quiesce(s->http);
        wait_ms(SETTLE_MS); /* what was sent before is read */
        wait_for_answers(s, PATIENCE);
    }
    if (s->resources.pool) un_decode_pool_stop(s->resources.pool);
    un_engine_stop(s->resources.engine);
    if (s->http) wait_for_answers(s, LAST_WORDS);
    un_http_close(s->http);
    if (s->reload_started) pthread_join(s->reloading, NULL);
}

static void end(server *s) {
    pthread_t watcher;
    sem_t ended;
    sem_init(&ended, 0, 0);
    const int watched = pthread_create(&watcher, NULL, last_resort, &ended) == 0;
    end_serving(s);
    un_engine_close(s->resources.engine);
    un_models_close(s->resources.models);
    un_decode_pool_close(s->resources.pool);
    un_access_log_close(s->log);
    un_guard_close(&s->guard);
    sem_post(&ended);
    if (watched) pthread_join(watcher, NULL);
    sem_destroy(&ended);
}

static size_t decoders(void) {
    const int processors = un_processor_count();
    if (processors < DECODERS_LEAST) return DECODERS_LEAST;
    return processors > DECODERS_MOST ? DECODERS_MOST : (size_t)processors;
}

un_status un_serve(const un_serve_options *options) {
    un_serve_options o = *options;
    server s = {.options = &o};
    sigset_t signals, before;
    fill_signals(&signals);
    if (o.decoders == 0) o.decoders = decoders();
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    un_status status = begin(&s, &o);
    if (!status) wait_for_the_end(&s, &signals);
    end(&s);
    /* One that came meanwhile has had its effect. */
    const struct timespec now = {0};
    while (sigtimedwait(&signals, NULL, &now) > 0) continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
