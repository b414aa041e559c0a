/* metrics.h - counts of what the server did, as Prometheus reads them (its text format 0.0.4). */
#ifndef UN_SERVE_METRICS_H
#define UN_SERVE_METRICS_H

#include <stddef.h>

/* Counted for the process, by any thread. */
void un_metrics_begin(void);
/* A request was answered with this status, after so long. 0: its connection was closed instead. */
void un_metrics_request(int status, double seconds);
/* The network took so many pictures at a time. */
void un_metrics_batch(size_t pictures);

/* What others count. */
typedef struct {
    size_t queue_length;
    size_t connections;
    size_t decode_restarts;
} un_metrics_state;
/* Released with free(); NULL: no memory. */
char *un_metrics_text(const un_metrics_state *state);

#endif
