/* guard.c - who may ask; see guard.h. */
#include "serve/guard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { LEAST_TOKEN = 16, MOST_TOKEN = 512 };

/* ---- the token ---- */

/* The file's only word. */
static un_status take_token(const char *path, const char *text, size_t n, char **out) {
    while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: a token is one word of ASCII letters, digits and signs", path);
    if (n < LEAST_TOKEN || n > MOST_TOKEN)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: a token has %d to %d letters, this one has %zu; for example: "
                       "openssl rand -hex 32 > %s",
                       path, LEAST_TOKEN, MOST_TOKEN, n, path);
    *out = strndup(text, n);
    return *out ? UNSEEN_OK : un_fail_memory(n);
}

static un_status read_token(const char *path, char **out) {
    char text[MOST_TOKEN + 64];
    struct stat held;
    size_t n = 0;
    int fd = un_open(path, O_RDONLY, 0);
    if (fd < 0) return un_fail_errno(errno, "cannot open the token file %s", path);
    if (fstat(fd, &held) == 0 && S_ISREG(held.st_mode) && (held.st_mode & (S_IRGRP | S_IROTH)))
        un_log(UNSEEN_LOG_WARNING, "%s can be read by others on this machine: chmod 600 %s", path,
               path);
    for (ssize_t got = 1; got > 0 && n < sizeof text; n += (size_t)(got > 0 ? got : 0)) {
        got = read(fd, text + n, sizeof text - n);
        if (got < 0) {
            un_status status = un_fail_errno(errno, "cannot read the token file %s", path);
            close(fd);
            return status;
        }
    }
    close(fd);
    return take_token(path, text, n, out);
}

int un_guard_is_loopback(const char *host) {
    struct in_addr four;
    struct in6_addr six;
    if (!strcasecmp(host, "localhost")) return 1;
    if (inet_pton(AF_INET, host, &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

un_status un_guard_open(un_guard *guard, const un_serve_options *o) {
    *guard = (un_guard){.host = o->host, .hosts = o->hosts, .origins = o->origins};
    if (o->token_file) return read_token(o->token_file, &guard->token);
    if (o->no_token || un_guard_is_loopback(o->host)) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s can be reached from other machines: give --token-file FILE, whose word "
                   "every request must bring, or --no-token if everybody may ask",
                   o->host);
}

void un_guard_close(un_guard *guard) {
    free(guard->token);
    guard->token = NULL;
}

int un_guard_knows_token(const un_guard *guard, const char *authorization) {
    static const char scheme[] = "Bearer ";
    const char *own = guard->token;
    if (!own) return 1;
    if (!authorization || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) return 0;
    const char *given = authorization + sizeof scheme - 1;
    while (*given == ' ') given++;
    /* As many steps as the given word has letters, whatever they are. */
    const size_t n = strlen(given), length = strlen(own);
    volatile unsigned differ = n != length;
    for (size_t i = 0; i < n; i++)
        differ |= (unsigned)(unsigned char)given[i] ^ (unsigned)(unsigned char)own[i % length];
    return !differ;
}

/* ---- names ---- */

/* "name:8080" or "[::1]:8080" without the port; 0: no such thing. */
static int host_name(const char *host, char *out, size_t size) {
    const char *end = NULL;
    const char *begin = host;
    if (*host == '[') {
        end = strchr(++begin, ']');
        if (!end || (end[1] && end[1] != ':')) return 0;
    } else {
        end = begin + strcspn(begin, ":");
    }
    const char *port = strchr(end, ':');
    if (port && port[1 + strspn(port + 1, "0123456789")]) return 0;
    if (end == begin || (size_t)(end - begin) >= size) return 0;
    memcpy(out, begin, (size_t)(end - begin));
    out[end - begin] = '\0';
    return 1;
}

static int is_address(const char *name) {
    unsigned char bytes[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

static int among(un_words words, const char *name) {
    for (size_t i = 0; i < words.count; i++)
        if (!strcasecmp(words.items[i], name)) return 1;
    return 0;
}

/* Names are other people's to point where they like; an address is not. */
int un_guard_knows_host(const un_guard *guard, const char *host) {
    char name[256];
    if (!host || !host_name(host, name, sizeof name)) return 0;
    return is_address(name) || !strcasecmp(name, "localhost") || !strcasecmp(name, guard->host) ||
           among(guard->hosts, name);
}

int un_guard_allows_origin(const un_guard *guard, const char *origin) {
    return origin && (among(guard->origins, "*") || among(guard->origins, origin));
}

int un_guard_knows_origin(const un_guard *guard, const char *origin, const char *host) {
    if (!origin || un_guard_allows_origin(guard, origin)) return 1;
    const char *name = strstr(origin, "://");
    return name && host && !strcasecmp(name + 3, host);
}
