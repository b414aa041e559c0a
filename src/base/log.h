/*
 * log.h - messages for people (log) and a progress line with an ETA.
 *
 * The library never prints: both go to callbacks that a program installs, or
 * nowhere. The callbacks are process-wide and meant to be set once at start.
 */
#ifndef UN_BASE_LOG_H
#define UN_BASE_LOG_H

#include <stddef.h>

#include "unseen.h"

void un_log(unseen_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void un_set_log(unseen_log_function function, void *user);

/* One state of a long piece of work; eta_seconds < 0 while unknown. */
typedef struct {
    const char *label; /* "train fold 1", "import features" */
    const char *unit;  /* "epochs", "images" */
    size_t done;
    size_t total;
    double seconds;     /* since un_progress_begin */
    double eta_seconds; /* until done == total at the present rate */
    int finished;
} un_progress_state;

typedef void (*un_progress_function)(const un_progress_state *state, void *user);
void un_set_progress(un_progress_function function, void *user);

typedef struct {
    un_progress_state state;
    double started;
    double last_report;
} un_progress;

/* `label` and `unit` are borrowed until un_progress_end. */
void un_progress_begin(un_progress *progress, const char *label, const char *unit, size_t total);
/* Cheap: reports at most ten times a second. */
void un_progress_update(un_progress *progress, size_t done);
void un_progress_end(un_progress *progress);

/* Monotonic clock, seconds. */
double un_now(void);

#endif
