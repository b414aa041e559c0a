/* listen.c - a socket to serve on; see listen.h. */
#include "serve/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"

enum { BACKLOG = 1024 };

static un_status fail(const char *host, unsigned port, int code) {
    if (code == EADDRINUSE)
        return un_fail(UNSEEN_E_IO,
                       "port %u of %s is taken by another program; --port N takes another, "
                       "--port 0 any that is free",
                       port, host);
    return un_fail_errno(code, "cannot listen on port %u of %s", port, host);
}

static un_status listen_on(const struct addrinfo *at, const char *host, unsigned port, int *fd) {
    const int on = 1;
    int s = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0) return fail(host, port, errno);
    if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        (at->ai_family == AF_INET6 && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on)) ||
        bind(s, at->ai_addr, at->ai_addrlen) || listen(s, BACKLOG)) {
        const int code = errno;
        close(s);
        return fail(host, port, code);
    }
    *fd = s;
    return UNSEEN_OK;
}

static un_status tell_address(int fd, char **out) {
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    char host[NI_MAXHOST], port[NI_MAXSERV];
    if (getsockname(fd, (struct sockaddr *)&at, &size))
        return un_fail_errno(errno, "cannot tell the port");
    if (getnameinfo((struct sockaddr *)&at, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return un_fail(UNSEEN_E_IO, "cannot tell the address");
    return un_format(out, at.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

un_status un_listen(const char *host, unsigned port, int *fd, char **address) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[16];
    snprintf(service, sizeof service, "%u", port);
    const int code = getaddrinfo(host, service, &hints, &found);
    if (code)
        return un_fail(UNSEEN_E_IO, "there is no host %s to listen on: %s", host,
                       gai_strerror(code));
    un_status status = listen_on(found, host, port, fd);
    freeaddrinfo(found);
    return status ? status : tell_address(*fd, address);
}
