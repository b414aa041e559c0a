/* single.c - cluster.h for a process that is alone: what the library and `unseen` have. */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "cluster/cluster.h"

un_status un_cluster_begin(void) { return UNSEEN_OK; }

void un_cluster_leave(int *code, const char *sentence, double patience, int *tell, int *together) {
    (void)code;
    (void)patience;
    *tell = *sentence != 0;
    *together = 1;
}

void un_cluster_end(void) {}

void un_cluster_abort(int code) { _Exit(code); }

un_cluster *un_cluster_all(void) { return NULL; }

size_t un_cluster_rank(const un_cluster *group) {
    (void)group;
    return 0;
}

size_t un_cluster_size(const un_cluster *group) {
    (void)group;
    return 1;
}

const char *un_cluster_place(void) { return ""; }

int un_cluster_processors(int processors) { return processors; }

void un_cluster_set_apart(int apart) { (void)apart; }

int un_cluster_is_apart(void) { return 1; }

un_status un_cluster_split(un_cluster *group, size_t colour, un_cluster **out) {
    (void)group;
    (void)colour;
    *out = NULL;
    return UNSEEN_OK;
}

void un_cluster_free(un_cluster *group) { (void)group; }

un_status un_cluster_barrier(un_cluster *group) {
    (void)group;
    return UNSEEN_OK;
}

un_status un_cluster_broadcast(un_cluster *group, size_t root, void *data, size_t bytes) {
    (void)group;
    (void)root;
    (void)data;
    (void)bytes;
    return UNSEEN_OK;
}

un_status un_cluster_gather(un_cluster *group, const void *data, size_t bytes, un_gathered *all) {
    (void)group;
    *all = (un_gathered){.count = 1};
    un_status status = un_alloc(bytes, 1, &all->data);
    if (!status) status = un_alloc(2, sizeof *all->begin, &all->begin);
    if (status) {
        un_gathered_free(all);
        return status;
    }
    if (bytes > 0) memcpy(all->data, data, bytes);
    all->begin[1] = bytes;
    return UNSEEN_OK;
}

un_status un_cluster_exchange(un_cluster *group, const void *send, void *receive, size_t bytes) {
    (void)group;
    if (bytes > 0) memcpy(receive, send, bytes);
    return UNSEEN_OK;
}

un_status un_cluster_share(un_cluster *group, const void *mine, void *all, size_t bytes) {
    return un_cluster_exchange(group, mine, all, bytes);
}

/* What is started is done: out stays NULL. */
un_status un_cluster_exchange_start(un_cluster *group, const void *send, void *receive,
                                    size_t bytes, un_cluster_request **out) {
    *out = NULL;
    return un_cluster_exchange(group, send, receive, bytes);
}

un_status un_cluster_share_start(un_cluster *group, const void *mine, void *all, size_t bytes,
                                 un_cluster_request **out) {
    *out = NULL;
    return un_cluster_share(group, mine, all, bytes);
}

un_status un_cluster_test(un_cluster_request **request, int *done) {
    *request = NULL;
    *done = 1;
    return UNSEEN_OK;
}

un_status un_cluster_wait(un_cluster_request *const *requests, size_t n) {
    (void)requests;
    (void)n;
    return UNSEEN_OK;
}

void un_cluster_give_up(un_cluster_request **request) { *request = NULL; }

static un_status nobody(void) { return un_fail(UNSEEN_E_ARGUMENT, "there is no other rank"); }

un_status un_cluster_post(un_cluster *group, size_t to, int tag, const void *data, size_t bytes) {
    (void)group;
    (void)to;
    (void)tag;
    (void)data;
    (void)bytes;
    return nobody();
}

un_status un_cluster_fetch(un_cluster *group, size_t from, int tag,
                           const volatile sig_atomic_t *stop, void **data, size_t *bytes) {
    (void)group;
    (void)from;
    (void)tag;
    (void)stop;
    *data = NULL;
    *bytes = 0;
    return nobody();
}

un_status un_cluster_look(un_cluster *group, int tag, size_t *from, int *there) {
    (void)group;
    (void)tag;
    *from = 0;
    *there = 0;
    return UNSEEN_OK;
}

un_status un_cluster_await(un_cluster *group, int tag, const volatile sig_atomic_t *stop,
                           size_t *from) {
    (void)group;
    (void)tag;
    (void)stop;
    *from = 0;
    return nobody();
}
