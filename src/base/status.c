/* status.c - sentences, the error of each thread, log and progress, the version; see status.h. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/locale.h"
#include "unseen.h"

/* ---- sentences ---- */

/* Longest format with options or commands in it; tests/tools/sentences.py holds them to it. */
enum { FORMAT_LENGTH = 1024 };

static int g_is_program;

void un_speak_as_program(void) { g_is_program = 1; }

/* Takes back a letter of UTF-8 that the end of the buffer cut in two. */
static void mend_end(char *text, size_t size) {
    size_t length = strlen(text), at = length;
    if (length + 1 < size) return;
    while (at > 0 && length - at < 3 && ((unsigned char)text[at - 1] & 0xC0) == 0x80) at--;
    if (at == 0) return;
    unsigned char first = (unsigned char)text[at - 1];
    size_t letter = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    if (length - (at - 1) < letter) text[at - 1] = 0;
}

/* A text that is being put together; what does not fit is left out. */
typedef struct {
    char *text;
    size_t size, used;
} words;

static void add(words *w, const char *text, size_t n) {
    for (size_t i = 0; i < n && w->used + 1 < w->size; i++) w->text[w->used++] = text[i];
}

/* What stands in braces: [at, end) is "A|B" or "--option", or else nothing to choose from. */
static int add_choice(words *w, const char *at, const char *end) {
    const char *bar = memchr(at, '|', (size_t)(end - at));
    int is_option = !bar && end - at > 2 && at[0] == '-' && at[1] == '-';
    if ((!bar && !is_option) || memchr(at, '{', (size_t)(end - at))) return 0;
    if (bar && g_is_program) {
        add(w, at, (size_t)(bar - at));
    } else if (bar) {
        add(w, bar + 1, (size_t)(end - bar - 1));
    } else if (g_is_program) {
        add(w, at, (size_t)(end - at));
    } else {
        add(w, "option ", 7);
        for (at += 2; at < end; at++) add(w, *at == '-' ? "_" : at, 1);
    }
    return 1;
}

/* Puts in what the reader can use. */
static const char *choose(const char *text, char *out, size_t size) {
    words w = {out, size, 0};
    while (*text) {
        const char *end = *text == '{' ? strchr(text, '}') : NULL;
        if (end && add_choice(&w, text + 1, end)) {
            text = end + 1;
        } else {
            add(&w, text++, 1);
        }
    }
    out[w.used] = 0;
    return out;
}

void un_sentence(char *out, size_t size, const char *format, va_list arguments) {
    char chosen[FORMAT_LENGTH];
    vsnprintf(out, size, strchr(format, '{') ? choose(format, chosen, sizeof chosen) : format,
              arguments);
    mend_end(out, size);
}

un_phrase un_worded(const char *text) {
    un_phrase phrase;
    choose(text, phrase.text, sizeof phrase.text);
    return phrase;
}

/* ---- failures ---- */

static _Thread_local char g_error[UN_ERROR_LENGTH];
static _Thread_local int g_code; /* errno of that failure, or 0 */

/* The sentence becomes what `format` says. Its arguments may lie in the sentence that is there: a
 * caller may give unseen_last_error() as a name. */
static void say(int code, const char *format, va_list arguments) {
    char fresh[UN_ERROR_LENGTH];
    un_sentence(fresh, sizeof fresh, format, arguments);
    memcpy(g_error, fresh, strlen(fresh) + 1);
    g_code = code;
}

/* Puts ": rest" behind it; a tail that is cut is better than a failure about a failure. */
static void append(const char *rest) {
    size_t used = strlen(g_error);
    if (used + 3 >= sizeof g_error) return; /* it filled the buffer alone */
    int room = (int)(sizeof g_error - used - 3);
    snprintf(g_error + used, sizeof g_error - used, ": %.*s", room, rest);
    mend_end(g_error, sizeof g_error);
}

un_status un_fail(un_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(0, format, arguments);
    va_end(arguments);
    return status;
}

un_status un_fail_errno(int code, const char *format, ...) {
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    say(code, format, arguments);
    va_end(arguments);
    /* The GNU variant returns the string, which may or may not be `text`. */
    append(strerror_r(code, text, sizeof text));
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
    say(g_code, format, arguments);
    va_end(arguments);
    append(rest);
    return status;
}

const char *un_error(void) { return g_error; }

int un_error_code(void) { return g_code; }

void un_failure_keep(un_failure *failure) {
    memcpy(failure->sentence, g_error, sizeof g_error);
    failure->code = g_code;
}

un_status un_failure_put_back(const un_failure *failure, un_status status) {
    memcpy(g_error, failure->sentence, sizeof g_error);
    g_code = failure->code;
    return status;
}

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

/* A message that waits until this thread holds no lock. */
typedef struct waiting {
    struct waiting *next;
    unseen_log_level level;
    char message[];
} waiting;
static _Thread_local int t_held; /* how often un_log_hold was called and not yet released */
static _Thread_local waiting *t_first, **t_end;

/* Without memory for it the message is lost. */
static void keep(unseen_log_level level, const char *message) {
    size_t bytes = strlen(message) + 1;
    waiting *w = malloc(sizeof *w + bytes);
    if (!w) return;
    w->next = NULL;
    w->level = level;
    memcpy(w->message, message, bytes);
    *(t_first ? t_end : &t_first) = w;
    t_end = &w->next;
}

static void tell(unseen_log_level level, const char *message) {
    if (!g_log) return;
    /* The function may call the library, whose failures are not those of the call under way. */
    un_failure under_way;
    un_failure_keep(&under_way);
    un_locale_lend_host();
    g_log(level, message, g_log_user);
    un_locale_take_back();
    un_failure_put_back(&under_way, UNSEEN_OK);
}

void un_log(unseen_log_level level, const char *format, ...) {
    if (!g_log) return;
    char message[MESSAGE_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    un_sentence(message, sizeof message, format, arguments);
    va_end(arguments);
    if (t_held > 0)
        keep(level, message);
    else
        tell(level, message);
}

void un_log_hold(void) { t_held++; }

void un_log_release(void) {
    if (--t_held > 0) return;
    while (t_first) { /* the function may have more to be told meanwhile */
        waiting *w = t_first;
        t_first = w->next;
        tell(w->level, w->message);
        free(w);
    }
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
    un_failure under_way; /* as for a log function */
    un_failure_keep(&under_way);
    un_locale_lend_host();
    int stop = function(&progress->state, watch ? watch->user : g_progress_user);
    un_locale_take_back();
    un_failure_put_back(&under_way, UNSEEN_OK);
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
