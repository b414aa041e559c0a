/* decode_worker.c - the life of a process that decodes pictures for its parent; see decode.h. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "serve/decode.h"
#include "serve/decode_samples.h"
#include "serve/decode_wire.h"

/* Bytes for each pixel while it is decoded, the most that any kind needs, and beside pixels: threads
 * of the libraries, a file's copy, the crop. */
enum { BYTES_PER_PIXEL = 18, NICENESS = 3, START_SECONDS = 60 };
static const size_t BESIDE = (size_t)256 << 20, MOST_PIXELS = (size_t)1 << 27;

typedef struct {
    int fd;
    un_decode_setup setup;
    volatile unsigned char *mark; /* the shared memory: 1: the request was taken */
    char *recipe;                 /* [UN_DECODE_RECIPE] */
    unsigned char *pixels;        /* [UN_DECODE_PIXELS] */
    const unsigned char *bytes;   /* [setup.max_bytes] */
} worker;

/* 1: a whole message; 0: the parent is gone, or does not speak our language. */
static int take(const worker *w, void *message, size_t size) {
    ssize_t n = 0;
    do n = recv(w->fd, message, size, MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)size;
}

static int give(const worker *w, const un_decode_reply *reply) {
    ssize_t n = 0;
    do n = send(w->fd, reply, sizeof *reply, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == sizeof *reply;
}

/* The parent ends a worker by closing the socket. What is meant for the parent, and comes to all
 * processes of a terminal or a service, is the parent's affair. */
static void ignore_signals(void) {
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGXFSZ};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) signal(ignored[i], SIG_IGN);
}

static un_status map_shared(worker *w) {
    size_t size = UN_DECODE_BEFORE_FILE + w->setup.max_bytes;
    unsigned char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, UN_DECODE_SHARED, 0);
    if (at == MAP_FAILED) return un_fail_errno(errno, "cannot map the shared memory");
    w->mark = at;
    w->recipe = (char *)at + UN_DECODE_MARK;
    w->pixels = at + UN_DECODE_MARK + UN_DECODE_RECIPE;
    w->bytes = at + UN_DECODE_BEFORE_FILE;
    return UNSEEN_OK;
}

static un_status decode(const worker *w, const void *bytes, size_t n, const char *recipe,
                        unseen_crop *crop) {
    const unseen_picture picture = {.bytes = bytes, .byte_count = n};
    return unseen_picture_crop(recipe, &picture, w->setup.max_pixels, w->pixels, UN_DECODE_PIXELS,
                               crop);
}

/* Has everything loaded that decoding needs. A kind that this system does not read is none that will
 * be read later. */
static void warm_up(const worker *w) {
    unseen_crop crop;
    for (const un_decode_sample *s = un_decode_samples; s->bytes; s++)
        (void)decode(w, s->bytes, s->size, "{\"resize\": 8, \"crop\": 8}", &crop);
}

/* Where memory ends, a worker goes before anything else does. */
static void go_first(void) {
    FILE *file = fopen("/proc/self/oom_score_adj", "we");
    if (!file) return;
    fputs("1000", file);
    fclose(file);
}

static size_t memory_limit(const worker *w) {
    size_t pixels = w->setup.max_pixels ? w->setup.max_pixels : MOST_PIXELS;
    return pixels * BYTES_PER_PIXEL + w->setup.max_bytes + BESIDE;
}

static void answer(const worker *w, const un_decode_request *request, un_decode_reply *reply) {
    un_status status = UNSEEN_OK;
    memset(reply, 0, sizeof *reply);
    reply->number = request->number;
    if (request->recipe >= UN_DECODE_RECIPE || request->bytes > w->setup.max_bytes) {
        status = un_fail(UNSEEN_E_ARGUMENT, "a request of %llu bytes, more than was agreed on",
                         (unsigned long long)request->bytes);
    } else {
        w->recipe[request->recipe] = 0;
        status = decode(w, w->bytes, (size_t)request->bytes, w->recipe, &reply->crop);
    }
    reply->status = status;
    if (status) snprintf(reply->message, sizeof reply->message, "%s", un_error());
}

static un_status begin(worker *w, un_decode_reply *reply) {
    int filtered = 0;
    UN_TRY(map_shared(w));
    close(UN_DECODE_SHARED);
    go_first();
    setpriority(PRIO_PROCESS, 0, NICENESS); /* the network goes first, as with threads */
    mallopt(M_ARENA_MAX, 1);                /* each would reserve address space */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);     /* large buffers go back to the system */
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    warm_up(w);
    UN_TRY(un_confine(memory_limit(w), START_SECONDS + UN_DECODE_PICTURES * w->setup.seconds,
                      &filtered));
    if (!filtered)
        snprintf(
            reply->message, sizeof reply->message,
            "this system does not filter the calls of processes that decode pictures: one that a "
            "picture takes over opens no file and no connection, but it can start programs, "
            "signal this user's processes, and rename, empty or remove this user's files; as "
            "root it can lift its limits, too");
    return UNSEEN_OK;
}

int un_decode_worker(int fd) {
    worker w = {.fd = fd};
    un_decode_request request;
    un_decode_reply reply = {0};
    ignore_signals();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "unseen-decode"); /* in lists of processes */
    if (!take(&w, &w.setup, sizeof w.setup)) return 1;
    reply.status = begin(&w, &reply);
    if (reply.status) snprintf(reply.message, sizeof reply.message, "%s", un_error());
    if (!give(&w, &reply) || reply.status) return 1;
    while (take(&w, &request, sizeof request)) {
        *w.mark = 1;
        answer(&w, &request, &reply);
        if (!give(&w, &reply)) return 1;
    }
    return 0;
}
