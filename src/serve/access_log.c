/* access_log.c - a line for each request; see access_log.h. */
#include "serve/access_log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { MOST_TARGET = 512 };

struct un_access_log {
    const char *path;
    int fd;
    pthread_mutex_t lock;
};

static int open_file(const char *path) {
    return un_open(path, O_WRONLY | O_APPEND | O_CREAT, 0640);
}

un_status un_access_log_open(const char *path, un_access_log **out) {
    *out = NULL;
    if (!path) return UNSEEN_OK;
    un_access_log *log = calloc(1, sizeof *log);
    if (!log) return un_fail_memory(sizeof *log);
    log->path = path;
    log->fd = open_file(path);
    if (log->fd < 0) {
        un_status status = un_fail_errno(errno, "cannot open the access log %s", path);
        free(log);
        return status;
    }
    pthread_mutex_init(&log->lock, NULL);
    *out = log;
    return UNSEEN_OK;
}

void un_access_log_close(un_access_log *log) {
    if (!log) return;
    close(log->fd);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

void un_access_log_reopen(un_access_log *log) {
    if (!log) return;
    int fd = open_file(log->path);
    if (fd < 0) {
        un_log(UNSEEN_LOG_ERROR, "cannot open the access log %s again: %s", log->path,
               strerror(errno));
        return;
    }
    pthread_mutex_lock(&log->lock);
    close(log->fd);
    log->fd = fd;
    pthread_mutex_unlock(&log->lock);
}

static void show(const char *text, char *out, size_t size) {
    size_t n = 0;
    for (const char *c = text; *c && n + 5 < size; c++) {
        const unsigned char byte = (unsigned char)*c;
        if (byte > ' ' && byte < 127 && byte != '"' && byte != '\\')
            out[n++] = *c;
        else
            n += (size_t)snprintf(out + n, size - n, "\\x%02x", byte);
    }
    out[n] = '\0';
}

static void show_address(const struct sockaddr *from, char *out, size_t size) {
    snprintf(out, size, "-");
    if (from && from->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, out, (socklen_t)size);
    if (from && from->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, out, (socklen_t)size);
}

void un_access_log_write(un_access_log *log, const struct sockaddr *from, const char *method,
                         const char *target, int status, size_t size, double seconds) {
    char line[MOST_TARGET + 256], shown[MOST_TARGET], name[64], address[64], when[64];
    struct tm at;
    const time_t now = time(NULL);
    if (!log) return;
    show(target, shown, sizeof shown);
    show(method, name, sizeof name);
    show_address(from, address, sizeof address);
    gmtime_r(&now, &at);
    strftime(when, sizeof when, "%d/%b/%Y:%H:%M:%S +0000", &at);
    const int n = snprintf(line, sizeof line, "%s - - [%s] \"%s %s\" %d %zu %.1fms\n", address,
                           when, name, shown, status, size, 1000 * seconds);
    pthread_mutex_lock(&log->lock);
    /* One call a line: lines of several servers do not mix. A full disk stops no answer. */
    if (n > 0 && write(log->fd, line, (size_t)n) < 0) errno = 0;
    pthread_mutex_unlock(&log->lock);
}
