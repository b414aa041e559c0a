/* watch.c - connections and their time; see watch.h. */
#include "serve/watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { TICK_MS = 250 };
static const double HURRY = 1; /* seconds for a head, in the end */

struct un_connection {
    un_connection *next, *previous;
    int fd;
    un_phase phase, cut; /* cut: UN_PHASES, or in which phase it was cut off */
    int asked;           /* 1: a request has begun */
    double until;
};

struct un_watch_list {
    const char *slow;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t end;
    pthread_t thread;
    int ending;
    int hurrying; /* 1: heads have little time */
    size_t count;
    un_connection *first;
};

/* The socket stays open, so that nobody gets its number meanwhile; its owner finds it ended. */
static void cut(un_watch_list *list, un_connection *c) {
    if (c->phase == UN_RECEIVING &&
        send(c->fd, list->slow, strlen(list->slow), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        errno = 0; /* it does not even read */
    c->cut = c->phase;
    shutdown(c->fd, SHUT_RDWR);
}

static void look(un_watch_list *list) {
    const double now = un_now();
    for (un_connection *c = list->first; c; c = c->next)
        if (c->phase != UN_WAITING && c->cut == UN_PHASES && now > c->until) cut(list, c);
}

static void *run(void *context) {
    un_watch_list *list = context;
    pthread_mutex_lock(&list->lock);
    while (!list->ending) {
        struct timespec next;
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_nsec += TICK_MS * 1000000L;
        if (next.tv_nsec >= 1000000000L) {
            next.tv_sec++;
            next.tv_nsec -= 1000000000L;
        }
        pthread_cond_timedwait(&list->end, &list->lock, &next);
        look(list);
    }
    pthread_mutex_unlock(&list->lock);
    return NULL;
}

un_status un_watch_list_open(const char *slow, un_watch_list **out) {
    pthread_condattr_t monotonic;
    un_watch_list *list = calloc(1, sizeof *list);
    if (!list) return un_fail_memory(sizeof *list);
    list->slow = slow;
    pthread_mutex_init(&list->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&list->end, &monotonic);
    pthread_condattr_destroy(&monotonic);
    const int code = pthread_create(&list->thread, NULL, run, list);
    if (code) {
        free(list);
        return un_fail_errno(code, "cannot start a thread");
    }
    *out = list;
    return UNSEEN_OK;
}

void un_watch_list_close(un_watch_list *list) {
    if (!list) return;
    pthread_mutex_lock(&list->lock);
    list->ending = 1;
    pthread_cond_signal(&list->end);
    pthread_mutex_unlock(&list->lock);
    pthread_join(list->thread, NULL);
    pthread_cond_destroy(&list->end);
    pthread_mutex_destroy(&list->lock);
    free(list);
}

/* Connections whose first or present request has not come so far that its head is whole. */
static int owes_head(const un_connection *c) {
    return c->phase == UN_HEAD || (c->phase == UN_IDLE && !c->asked);
}

/* The lock is held. */
static void enter(un_watch_list *list, un_connection *c, un_phase phase, double seconds) {
    c->phase = phase;
    c->asked |= phase != UN_IDLE;
    if (list->hurrying && owes_head(c) && seconds > HURRY) seconds = HURRY;
    c->until = un_now() + seconds;
}

void un_watch_hurry(un_watch_list *list) {
    pthread_mutex_lock(&list->lock);
    const double soon = un_now() + HURRY;
    list->hurrying = 1;
    for (un_connection *c = list->first; c; c = c->next)
        if (owes_head(c) && c->until > soon) c->until = soon;
    pthread_mutex_unlock(&list->lock);
}

un_connection *un_connection_add(un_watch_list *list, int fd) {
    enum { FIRST_HEAD = 15 }; /* seconds */
    un_connection *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    *c = (un_connection){.fd = fd, .phase = UN_IDLE, .cut = UN_PHASES};
    pthread_mutex_lock(&list->lock);
    enter(list, c, UN_IDLE, FIRST_HEAD);
    c->next = list->first;
    if (c->next) c->next->previous = c;
    list->first = c;
    list->count++;
    pthread_mutex_unlock(&list->lock);
    return c;
}

void un_connection_remove(un_watch_list *list, un_connection *c) {
    if (!c) return;
    pthread_mutex_lock(&list->lock);
    if (c->next) c->next->previous = c->previous;
    if (c->previous)
        c->previous->next = c->next;
    else
        list->first = c->next;
    list->count--;
    pthread_mutex_unlock(&list->lock);
    free(c);
}

int un_connection_turn(un_watch_list *list, un_connection *c, un_phase phase, double seconds) {
    pthread_mutex_lock(&list->lock);
    const int whole = c->cut == UN_PHASES;
    enter(list, c, phase, seconds);
    pthread_mutex_unlock(&list->lock);
    return whole;
}

un_phase un_connection_was_cut(un_watch_list *list, un_connection *c) {
    pthread_mutex_lock(&list->lock);
    const un_phase phase = c->cut;
    pthread_mutex_unlock(&list->lock);
    return phase;
}

void un_connection_make_room(un_watch_list *list, size_t most) {
    un_connection *oldest = NULL;
    pthread_mutex_lock(&list->lock);
    size_t left = 0; /* that are not on their way out */
    for (un_connection *c = list->first; c; c = c->next) {
        if (c->cut != UN_PHASES) continue;
        left++;
        /* The list begins with the newest. */
        if (c->phase == UN_IDLE || c->phase == UN_HEAD) oldest = c;
    }
    if (left >= most && oldest) cut(list, oldest);
    pthread_mutex_unlock(&list->lock);
}

size_t un_connection_count(un_watch_list *list) {
    pthread_mutex_lock(&list->lock);
    const size_t n = list->count;
    pthread_mutex_unlock(&list->lock);
    return n;
}

size_t un_connection_owed(un_watch_list *list) {
    size_t n = 0;
    pthread_mutex_lock(&list->lock);
    for (const un_connection *c = list->first; c; c = c->next)
        n += c->cut == UN_PHASES && (c->phase != UN_IDLE || !c->asked);
    pthread_mutex_unlock(&list->lock);
    return n;
}
