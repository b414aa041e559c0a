/* metrics.c - counts of what the server did; see metrics.h. */
#include "serve/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"

/* Upper ends of the buckets; the last one has none. */
static const double g_seconds[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                   0.25,  0.5,    1,     2.5,  5,     10};
static const double g_pictures[] = {1, 2, 4, 8, 16, 32, 64};
enum {
    SECONDS = sizeof g_seconds / sizeof *g_seconds,
    PICTURES = sizeof g_pictures / sizeof *g_pictures,
    STATUSES = 600
};

typedef struct {
    unsigned long long counts[SECONDS + 1]; /* as many as the longer of the two needs */
    double sum;
} histogram;

static struct {
    pthread_mutex_t lock;
    double started;
    unsigned long long statuses[STATUSES];
    histogram seconds, batches;
} g = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void observe(histogram *h, const double *ends, size_t n, double value) {
    size_t i = 0;
    while (i < n && value > ends[i]) i++;
    h->counts[i]++;
    h->sum += value;
}

void un_metrics_begin(void) {
    pthread_mutex_lock(&g.lock);
    g.started = un_now();
    pthread_mutex_unlock(&g.lock);
}

void un_metrics_request(int status, double seconds) {
    pthread_mutex_lock(&g.lock);
    g.statuses[status >= 0 && status < STATUSES ? status : 0]++;
    observe(&g.seconds, g_seconds, SECONDS, seconds);
    pthread_mutex_unlock(&g.lock);
}

void un_metrics_batch(size_t pictures) {
    pthread_mutex_lock(&g.lock);
    observe(&g.batches, g_pictures, PICTURES, (double)pictures);
    pthread_mutex_unlock(&g.lock);
}

static void print_head(FILE *out, const char *name, const char *type, const char *help) {
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_gauge(FILE *out, const char *name, const char *help, double value) {
    print_head(out, name, "gauge", help);
    fprintf(out, "%s %.15g\n", name, value);
}

static void print_histogram(FILE *out, const char *name, const char *help, const histogram *h,
                            const double *ends, size_t n) {
    unsigned long long sum = 0;
    print_head(out, name, "histogram", help);
    for (size_t i = 0; i < n; i++) {
        sum += h->counts[i];
        fprintf(out, "%s_bucket{le=\"%g\"} %llu\n", name, ends[i], sum);
    }
    sum += h->counts[n];
    fprintf(out, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum %.9g\n%s_count %llu\n", name, sum, name,
            h->sum, name, sum);
}

/* Of the process, bytes; 0: the system does not tell. */
static double resident_bytes(void) {
    long long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) return 0;
    if (fscanf(file, "%lld %lld", &size, &resident) != 2) resident = 0;
    fclose(file);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

char *un_metrics_text(const un_metrics_state *state) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    pthread_mutex_lock(&g.lock);
    print_head(out, "unseen_requests_total", "counter",
               "Requests by HTTP status; 0: the connection was closed.");
    for (size_t i = 0; i < STATUSES; i++)
        if (g.statuses[i])
            fprintf(out, "unseen_requests_total{status=\"%zu\"} %llu\n", i, g.statuses[i]);
    print_histogram(out, "unseen_request_seconds", "From a request's head to its answer's end.",
                    &g.seconds, g_seconds, SECONDS);
    print_histogram(out, "unseen_batch_size", "Pictures that the network took at a time.",
                    &g.batches, g_pictures, PICTURES);
    const double uptime = un_now() - g.started;
    pthread_mutex_unlock(&g.lock);
    print_gauge(out, "unseen_queue_length", "Requests that wait for an answer.",
                (double)state->queue_length);
    print_gauge(out, "unseen_connections", "Open connections.", (double)state->connections);
    print_head(out, "unseen_decode_restarts_total", "counter",
               "Decoding processes that died and were replaced.");
    fprintf(out, "unseen_decode_restarts_total %zu\n", state->decode_restarts);
    print_gauge(out, "process_resident_memory_bytes", "Resident memory of the server's process.",
                resident_bytes());
    print_gauge(out, "unseen_uptime_seconds", "Since the server began.", uptime);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
