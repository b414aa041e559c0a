/* access_log.h - a line for each request, in the common log format, with the time it took. */
#ifndef UN_SERVE_ACCESS_LOG_H
#define UN_SERVE_ACCESS_LOG_H

#include <sys/socket.h>

#include "base/status.h"

typedef struct un_access_log un_access_log;

/* Appends to a file; NULL: there is no log. */
un_status un_access_log_open(const char *path, un_access_log **out);
void un_access_log_close(un_access_log *log);
/* Opens the file again: it may have been moved away. A failure leaves the old one. */
void un_access_log_reopen(un_access_log *log);
/* Any thread. `target` is what the client wrote: signs that are not plain are shown as \x1b. */
void un_access_log_write(un_access_log *log, const struct sockaddr *from, const char *method,
                         const char *target, int status, size_t size, double seconds);

#endif
