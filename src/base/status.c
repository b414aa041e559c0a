/* status.c - the per-thread error sentence, log and progress, the version; see status.h. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/locale.h"
#include "unseen.h"

static _Thread_local char g_error[UN_ERROR_LENGTH];

/* Takes back a letter of UTF-8 that the end of the buffer cut in two. */
static void mend_end(void) {
    size_t length = strlen(g_error), at = length;
    if (length + 1 < sizeof g_error) return;
    while (at > 0 && length - at < 3 && ((unsigned char)g_error[at - 1] & 0xC0) == 0x80) at--;
    if (at == 0) return;
    unsigned char first = (unsigned char)g_error[at - 1];
    size_t letter = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (length - (at - 1) < letter) g_error[at - 1] = 0;
}

static void append_errno(int code) {
    char text[128];
    /* The GNU variant returns the string, which may or may not be `text`. */
    const char *reason = strerror_r(code, text, sizeof text);
    size_t used = strlen(g_error);
    snprintf(g_error + used, sizeof g_error - used, ": %s", reason);
    mend_end();
}

un_status un_fail(un_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof g_error, format, arguments);
    va_end(arguments);
    mend_end();
    return status;
}

un_status un_fail_errno(int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof g_error, format, arguments);
    va_end(arguments);
    mend_end();
    append_errno(code);
    return code == ENOMEM ? UNSEEN_E_MEMORY : UNSEEN_E_IO;
}

un_status un_fail_memory(size_t bytes) {
    if (bytes == 0) return un_fail(UNSEEN_E_MEMORY, "out of memory");
    return un_fail(UNSEEN_E_MEMORY, "out of memory: could not allocate %zu bytes", bytes);
}

un_status un_fail_prefix(un_status status, const char *format, ...) {
    char rest[UN_ERROR_LENGTH];
    memcpy(rest, g_error, sizeof rest);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(g_error, sizeof g_error, format, arguments);
    va_end(arguments);
    mend_end();
    size_t used = strlen(g_error);
    if (used + 3 >= sizeof g_error) return status; /* the prefix alone filled the buffer */
    /* A cut tail is better than a failure about a failure. */
    int room = (int)(sizeof g_error - used - 3);
    snprintf(g_error + used, sizeof g_error - used, ": %.*s", room, rest);
    mend_end();
    return status;
}

const char *un_error(void) { return g_error; }

/* ---- log and progress callbacks. ---- */

enum { MESSAGE_LENGTH = 2048 };
static const double REPORT_INTERVAL = 0.1;

static unseen_log_function g_log;
static void *g_log_user;
static unseen_progress_function g_progress;
static void *g_progress_user;
static volatile sig_atomic_t *g_stop;
static _Thread_local un_watch *t_watch; /* the innermost */

void un_set_log(unseen_log_function function, void *user) {
    g_log = function;
    g_log_user = user;
}

void un_log(unseen_log_level level, const char *format, ...) {
    if (!g_log) return;
    char message[MESSAGE_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    /* The function may call the library, whose failures are not those of the call under way. */
    char error[UN_ERROR_LENGTH];
    memcpy(error, g_error, sizeof error);
    un_locale_lend_host();
    g_log(level, message, g_log_user);
    un_locale_take_back();
    memcpy(g_error, error, sizeof error);
}

double un_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void un_set_progress(unseen_progress_function function, void *user, volatile sig_atomic_t *stop) {
    g_progress = function;
    g_progress_user = user;
    g_stop = stop;
}

void un_watch_begin(un_watch *watch, unseen_progress_function function, void *user) {
    *watch = (un_watch){.function = function, .user = user, .outer = t_watch};
    watch->stop = g_stop ? g_stop : &watch->own;
    t_watch = watch;
}

void un_watch_end(un_watch *watch) { t_watch = watch->outer; }

void un_progress_begin(un_progress *progress, const char *phase, const char *unit, size_t total) {
    progress->state = (unseen_progress){.phase = phase, .unit = unit, .total = total};
    progress->started = un_now();
    progress->last_report = progress->started;
}

static int is_watched(void) { return t_watch ? t_watch->function != NULL : g_progress != NULL; }

static void report(un_progress *progress, double now) {
    un_watch *watch = t_watch;
    unseen_progress_function function = watch ? watch->function : g_progress;
    progress->state.seconds = now - progress->started;
    progress->last_report = now;
    char error[UN_ERROR_LENGTH];
    memcpy(error, g_error, sizeof error); /* as for a log function */
    un_locale_lend_host();
    int stop = function(&progress->state, watch ? watch->user : g_progress_user);
    un_locale_take_back();
    memcpy(g_error, error, sizeof error);
    if (watch && stop) *watch->stop = 1;
}

void un_progress_update(un_progress *progress, size_t done) {
    progress->state.done = done;
    if (!is_watched()) return;
    double now = un_now();
    if (now - progress->last_report >= REPORT_INTERVAL) report(progress, now);
}

void un_progress_end(un_progress *progress) {
    progress->state.finished = 1;
    if (is_watched()) report(progress, un_now());
}

static un_status look_at_stop(const un_progress *progress) {
    const unseen_progress *p = &progress->state;
    const volatile sig_atomic_t *stop = t_watch ? t_watch->stop : g_stop;
    if (!stop || !*stop) return UNSEEN_OK;
    return un_fail(UNSEEN_E_INTERRUPTED, "stopped (%s) after %zu of %zu %s", p->phase, p->done,
                   p->total, p->unit);
}

un_status un_progress_step(un_progress *progress, size_t done) {
    un_progress_update(progress, done);
    return look_at_stop(progress);
}

un_status un_progress_finish(un_progress *progress, un_status status) {
    un_progress_end(progress);
    return status ? status : look_at_stop(progress);
}

/* ---- the version, set by the build. ---- */

const char *unseen_version(void) { return UNSEEN_VERSION; }
