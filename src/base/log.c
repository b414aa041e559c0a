/* log.c - log and progress callbacks. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "base/locale.h"

enum { MESSAGE_LENGTH = 2048 };
static const double REPORT_INTERVAL = 0.1;

static unseen_log_function g_log;
static void *g_log_user;
static un_progress_function g_progress;
static void *g_progress_user;

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
    un_locale_lend_host();
    g_log(level, message, g_log_user);
    un_locale_take_back();
}

double un_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void un_set_progress(un_progress_function function, void *user) {
    g_progress = function;
    g_progress_user = user;
}

void un_progress_begin(un_progress *progress, const char *label, const char *unit, size_t total) {
    progress->state = (un_progress_state){
        .label = label, .unit = unit, .done = 0, .total = total, .seconds = 0, .eta_seconds = -1};
    progress->started = un_now();
    progress->last_report = progress->started;
}

static void report(un_progress *progress, double now) {
    un_progress_state *s = &progress->state;
    s->seconds = now - progress->started;
    s->eta_seconds = -1;
    if (s->done > 0 && s->total >= s->done)
        s->eta_seconds = s->seconds * (double)(s->total - s->done) / (double)s->done;
    progress->last_report = now;
    g_progress(s, g_progress_user);
}

void un_progress_update(un_progress *progress, size_t done) {
    progress->state.done = done;
    if (!g_progress) return;
    double now = un_now();
    if (now - progress->last_report >= REPORT_INTERVAL) report(progress, now);
}

void un_progress_end(un_progress *progress) {
    progress->state.finished = 1;
    if (g_progress) report(progress, un_now());
}
