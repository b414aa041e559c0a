/* http.c - connections, requests and their limits; see http.h. */
#include "serve/http.h"

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/foreign/microhttpd.h"
#include "serve/exchange.h"
#include "serve/listen.h"

/* Of what the library answers by itself, and of idle connections as a last resort. */
enum { IO_THREADS = 2, MEMORY = 64 * 1024, IDLE_SECONDS = 75, CONNECTIONS_LEAST = 256 };

struct un_http {
    un_shared shared; /* what all requests use */
    struct MHD_Daemon *daemon;
    int socket;
    char *address;
};

/* ---- what libmicrohttpd calls ---- */

/* Addresses are taken apart here, as they were sent (routes.c). */
static size_t keep_escapes(void *user, struct MHD_Connection *connection, char *text) {
    (void)user;
    (void)connection;
    return strlen(text);
}

static void on_message(void *user, const char *format, va_list values) {
    char text[512];
    (void)user;
    vsnprintf(text, sizeof text, format, values);
    text[strcspn(text, "\r\n")] = '\0';
    un_log(UNSEEN_LOG_DEBUG, "libmicrohttpd: %s", text);
}

static size_t most_connections(const un_serve_options *options) {
    const size_t wanted = 4 * options->max_in_flight;
    return wanted < CONNECTIONS_LEAST ? CONNECTIONS_LEAST : wanted;
}

static void on_connection(void *user, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what) {
    un_shared *shared = user;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        un_connection_make_room(shared->watch, most_connections(shared->options));
        *context = info ? un_connection_add(shared->watch, info->connect_fd) : NULL;
    } else {
        un_connection_remove(shared->watch, *context);
        *context = NULL;
    }
}

static void *on_target(void *user, const char *target, struct MHD_Connection *connection) {
    return un_exchange_begin(user, connection, target);
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *bytes,
                                  size_t *size, void **context) {
    (void)user;
    (void)connection;
    (void)version;
    if (!*context) return MHD_NO;
    return un_exchange_go(*context, path, method, bytes, size);
}

static void on_completed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_RequestTerminationCode how) {
    (void)user;
    (void)connection;
    un_exchange_end(*context, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *context = NULL;
}

/* ---- begin and end ---- */

un_status un_http_reserve(const un_serve_options *o) {
    enum { OTHER_FILES = 128, FILES_OF_DECODER = 4 };
    const rlim_t needed = most_connections(o) + OTHER_FILES + FILES_OF_DECODER * o->decoders;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return un_fail_errno(errno, "no limit of open files");
    if (files.rlim_cur >= needed) return UNSEEN_OK;
    if (files.rlim_max < needed)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "--max-in-flight %zu takes %llu open files, and the system allows %llu: "
                       "lower it, or raise the limit (ulimit -n)",
                       o->max_in_flight, (unsigned long long)needed,
                       (unsigned long long)files.rlim_max);
    files.rlim_cur = needed;
    if (setrlimit(RLIMIT_NOFILE, &files))
        return un_fail_errno(errno, "cannot raise the limit of open files");
    return UNSEEN_OK;
}

static un_status start(un_http *http) {
    const un_serve_options *o = http->shared.options;
    /* Never reached: libmicrohttpd stops to accept there, and with several threads may not begin
     * again. Those that were cut to make room are counted until it has seen that. */
    const unsigned most = (unsigned)(2 * IO_THREADS * most_connections(o)); /* shared by threads */
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        on_request, &http->shared, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL,
        MHD_OPTION_LISTEN_SOCKET, http->socket, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)IO_THREADS,
        MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, &http->shared, MHD_OPTION_NOTIFY_COMPLETED, on_completed, &http->shared,
        MHD_OPTION_URI_LOG_CALLBACK, on_target, &http->shared, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    if (http->daemon) {
        http->socket = -1; /* it is the daemon's now */
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_IO, "libmicrohttpd cannot start to serve %s", http->address);
}

un_status un_http_open(const un_serve_options *options, const un_guard *guard, un_access_log *log,
                       const un_resources *resources, un_http **out, const char **address) {
    un_http *http = calloc(1, sizeof *http);
    if (!http) return un_fail_memory(sizeof *http);
    un_status status = UNSEEN_OK;
    http->socket = -1;
    http->shared.options = options;
    http->shared.guard = guard;
    http->shared.log = log;
    http->shared.resources = resources;
    UN_GO(un_watch_list_open(un_exchange_slow, &http->shared.watch));
    UN_GO(un_listen(options->host, options->port, &http->socket, &http->address));
    UN_GO(start(http));
    *address = http->address;
    *out = http;
    return UNSEEN_OK;
done:
    un_http_close(http);
    return status;
}

/* Connections that the system has accepted for us are served, too. */
void un_http_quiesce(un_http *http) {
    atomic_store(&http->shared.ending, 1);
    int fd = MHD_quiesce_daemon(http->daemon);
    while (fd >= 0) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int one = accept4(fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (one < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (one < 0) break;
        MHD_add_connection(http->daemon, one, (struct sockaddr *)&from, size);
    }
    if (fd >= 0) close(fd);
    un_watch_hurry(http->shared.watch);
}

size_t un_http_owed(un_http *http) { return un_connection_owed(http->shared.watch); }

void un_http_close(un_http *http) {
    if (!http) return;
    if (http->daemon) MHD_stop_daemon(http->daemon);
    un_watch_list_close(http->shared.watch);
    if (http->socket >= 0) close(http->socket);
    free(http->address);
    free(http);
}
