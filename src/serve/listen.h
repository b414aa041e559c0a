/* listen.h - a socket to serve on. */
#ifndef UN_SERVE_LISTEN_H
#define UN_SERVE_LISTEN_H

#include "base/status.h"

/* Listens on the first address of a host; port 0: any that is free. *address, released with free(),
 * is where: "http://127.0.0.1:8080". */
un_status un_listen(const char *host, unsigned port, int *fd, char **address);

#endif
