/*
 * mpi.c - cluster.h on MPI: what `unseen-mpi` has in the place of single.c.
 *
 * MPI's own waiting keeps a processor busy; here every wait is a request that is asked for now and
 * then, so that many ranks may share a processor, and one that waits for hours for the result of
 * another sleeps.
 */
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "cluster/cluster.h"

enum { PIECE = 1 << 30 }; /* MPI counts in int */
static const double AWAKE_SECONDS = 0.002, NAP_SECONDS = 0.0001, LONG_NAP_SECONDS = 0.005;

/* A message that is on its way. */
typedef struct posted {
    MPI_Request request;
    struct posted *next;
    unsigned char bytes[];
} posted;

struct un_cluster {
    MPI_Comm comm;
    size_t rank, size;
};

static un_cluster g_all;
static MPI_Comm g_farewell; /* of those who leave, apart from all other traffic */
static int g_begun, g_apart, g_neighbours = 1;
static int g_broken; /* a request was given up */
static char g_place[MPI_MAX_PROCESSOR_NAME + 32];
static posted *g_posted;

/* ---- waiting ---- */

static un_status check(int code) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS) return UNSEEN_OK;
    MPI_Error_string(code, text, &length);
    return un_fail(UNSEEN_E_IO, "the ranks cannot reach each other: %s", text);
}

/* Between two looks at what is waited for since `start`. */
static void rest(double start) {
    double waited = un_now() - start;
    if (waited < AWAKE_SECONDS) {
        sched_yield();
        return;
    }
    double nap = waited < 1 ? NAP_SECONDS : LONG_NAP_SECONDS;
    const struct timespec time = {.tv_nsec = (long)(nap * 1e9)};
    nanosleep(&time, NULL);
}

static un_status finish(int code, MPI_Request *request) {
    double start = un_now();
    UN_TRY(check(code));
    for (int done = 0;;) {
        UN_TRY(check(MPI_Test(request, &done, MPI_STATUS_IGNORE)));
        if (done) return UNSEEN_OK;
        rest(start);
    }
}

/* ---- life ---- */

/* Ranks on this machine that may run on the same processors. A launcher that gives ranks processors of
 * their own, or a socket to several of them, gives others different ones. */
static un_status count_neighbours(void) {
    MPI_Comm machine;
    int count = 1;
    cpu_set_t mine, *all = NULL;
    CPU_ZERO(&mine);
    sched_getaffinity(0, sizeof mine, &mine);
    UN_TRY(
        check(MPI_Comm_split_type(g_all.comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine)));
    MPI_Comm_size(machine, &count);
    un_status status = un_alloc((size_t)count, sizeof *all, &all);
    if (!status)
        status = check(MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, all, (int)sizeof mine,
                                     MPI_BYTE, machine));
    g_neighbours = 0;
    for (int i = 0; i < count && !status; i++) g_neighbours += CPU_EQUAL(&all[i], &mine);
    if (status) g_neighbours = 1;
    free(all);
    MPI_Comm_free(&machine);
    return status;
}

un_status un_cluster_begin(void) {
    int provided = 0, rank = 0, size = 1, length = 0;
    char host[MPI_MAX_PROCESSOR_NAME] = "";
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS)
        return un_fail(UNSEEN_E_IO, "MPI does not start");
    if (provided < MPI_THREAD_FUNNELED)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "this MPI does not work in programs that have threads");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    UN_TRY(check(MPI_Comm_dup(MPI_COMM_WORLD, &g_all.comm)));
    UN_TRY(check(MPI_Comm_dup(MPI_COMM_WORLD, &g_farewell)));
    MPI_Comm_rank(g_all.comm, &rank);
    MPI_Comm_size(g_all.comm, &size);
    MPI_Get_processor_name(host, &length);
    g_all.rank = (size_t)rank;
    g_all.size = (size_t)size;
    if (size > 1) snprintf(g_place, sizeof g_place, "rank %d on %s", rank, host);
    g_begun = 1;
    return count_neighbours();
}

/* What a rank says as it leaves. */
typedef struct {
    int code;
    char sentence[UN_ERROR_LENGTH];
} farewell;

/* Whether the others came within `patience` seconds, or at all if that is negative. */
static int meet(const farewell *own, farewell *all, double patience) {
    MPI_Request request = MPI_REQUEST_NULL;
    double start = un_now();
    int done = 0;
    if (MPI_Iallgather(own, (int)sizeof *own, MPI_BYTE, all, (int)sizeof *all, MPI_BYTE, g_farewell,
                       &request) != MPI_SUCCESS)
        return 0;
    for (;;) {
        if (MPI_Test(&request, &done, MPI_STATUS_IGNORE) != MPI_SUCCESS) return 0;
        if (done) return 1;
        if (patience >= 0 && un_now() - start > patience) return 0;
        rest(start);
    }
}

/* Messages that nobody will fetch are given up. */
static void forget_posted(void) {
    for (posted *p = g_posted, *next; p; p = next) {
        int done = 0;
        next = p->next;
        if (MPI_Test(&p->request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done) free(p);
    }
    g_posted = NULL;
}

void un_cluster_leave(int *code, const char *sentence, double patience, int *tell, int *together) {
    farewell own = {.code = *code}, *all = NULL;
    *tell = *sentence != 0;
    *together = 0;
    if (!g_begun || un_alloc(g_all.size, sizeof *all, &all) != UNSEEN_OK) return;
    snprintf(own.sentence, sizeof own.sentence, "%s", sentence);
    int met = meet(&own, all, *code > 0 ? patience : -1);
    if (met) {
        *together = !g_broken;
        for (size_t r = 0; r < g_all.size; r++) {
            if (all[r].code == UN_CLUSTER_IDLE) continue;
            if (own.code == UN_CLUSTER_IDLE) {
                *code = all[r].code;
                break;
            }
            int same = all[r].code == own.code && !strcmp(all[r].sentence, own.sentence);
            if (same && r < g_all.rank) *tell = 0;
            /* One that leaves well while others do not has nothing to abort. */
            if (!same && own.code != 0) *together = 0;
        }
    }
    if (met) free(all); /* else MPI may still write into it */
}

void un_cluster_end(void) {
    if (!g_begun) return;
    forget_posted();
    MPI_Finalize();
    g_begun = 0;
}

void un_cluster_abort(int code) {
    if (g_begun) MPI_Abort(MPI_COMM_WORLD, code);
    _Exit(code);
}

un_cluster *un_cluster_all(void) { return g_begun ? &g_all : NULL; }

size_t un_cluster_rank(const un_cluster *group) { return group ? group->rank : 0; }

size_t un_cluster_size(const un_cluster *group) { return group ? group->size : 1; }

const char *un_cluster_place(void) { return g_place; }

int un_cluster_processors(int processors) {
    return processors > g_neighbours ? processors / g_neighbours : 1;
}

void un_cluster_set_apart(int apart) { g_apart = apart; }

int un_cluster_is_apart(void) { return g_apart || g_all.rank == 0; }

/* ---- groups ---- */

un_status un_cluster_split(un_cluster *group, size_t colour, un_cluster **out) {
    un_cluster *fresh = NULL;
    int rank = 0, size = 1;
    *out = NULL;
    if (!group) return UNSEEN_OK;
    UN_TRY(un_alloc(1, sizeof *fresh, &fresh));
    un_status status =
        check(MPI_Comm_split(group->comm, (int)colour, (int)group->rank, &fresh->comm));
    if (status) {
        free(fresh);
        return status;
    }
    MPI_Comm_rank(fresh->comm, &rank);
    MPI_Comm_size(fresh->comm, &size);
    fresh->rank = (size_t)rank;
    fresh->size = (size_t)size;
    *out = fresh;
    return UNSEEN_OK;
}

void un_cluster_free(un_cluster *group) {
    if (!group || group == &g_all) return;
    /* MPI_Comm_free is collective, and a rank that failed alone comes here, too: what the group has in
     * MPI is there to the end. */
    free(group);
}

/* ---- traffic ---- */

un_status un_cluster_barrier(un_cluster *group) {
    MPI_Request request = MPI_REQUEST_NULL;
    if (!group) return UNSEEN_OK;
    return finish(MPI_Ibarrier(group->comm, &request), &request);
}

un_status un_cluster_broadcast(un_cluster *group, size_t root, void *data, size_t bytes) {
    if (!group) return UNSEEN_OK;
    for (size_t at = 0; at < bytes; at += PIECE) {
        MPI_Request request = MPI_REQUEST_NULL;
        size_t part = bytes - at < PIECE ? bytes - at : PIECE;
        UN_TRY(finish(
            MPI_Ibcast((char *)data + at, (int)part, MPI_BYTE, (int)root, group->comm, &request),
            &request));
    }
    return UNSEEN_OK;
}

static un_status gather_sizes(un_cluster *group, size_t bytes, un_gathered *all) {
    MPI_Request request = MPI_REQUEST_NULL;
    uint64_t own = bytes, *sizes = NULL;
    UN_TRY(un_alloc(all->count, sizeof *sizes, &sizes));
    un_status status =
        finish(MPI_Iallgather(&own, 1, MPI_UINT64_T, sizes, 1, MPI_UINT64_T, group->comm, &request),
               &request);
    for (size_t r = 0; r < all->count; r++) all->begin[r + 1] = all->begin[r] + sizes[r];
    free(sizes);
    return status;
}

/* In one call, where an int can count all. */
static un_status gather_at_once(un_cluster *group, const void *data, un_gathered *all) {
    MPI_Request request = MPI_REQUEST_NULL;
    int *counts = NULL, *places = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(all->count, sizeof *counts, &counts));
    UN_GO(un_alloc(all->count, sizeof *places, &places));
    for (size_t r = 0; r < all->count; r++) {
        counts[r] = (int)(all->begin[r + 1] - all->begin[r]);
        places[r] = (int)all->begin[r];
    }
    UN_GO(finish(MPI_Iallgatherv(data, counts[group->rank], MPI_BYTE, all->data, counts, places,
                                 MPI_BYTE, group->comm, &request),
                 &request));
done:
    free(counts);
    free(places);
    return status;
}

un_status un_cluster_gather(un_cluster *group, const void *data, size_t bytes, un_gathered *all) {
    un_status status = UNSEEN_OK;
    *all = (un_gathered){.count = un_cluster_size(group)};
    UN_GO(un_alloc(all->count + 1, sizeof *all->begin, &all->begin));
    if (group)
        UN_GO(gather_sizes(group, bytes, all));
    else
        all->begin[1] = bytes;
    UN_GO(un_alloc(all->begin[all->count], 1, &all->data));
    if (group && all->begin[all->count] < PIECE) {
        UN_GO(gather_at_once(group, data, all));
        goto done;
    }
    size_t rank = un_cluster_rank(group);
    if (bytes > 0) memcpy(all->data + all->begin[rank], data, bytes);
    for (size_t r = 0; r < all->count; r++)
        UN_GO(un_cluster_broadcast(group, r, all->data + all->begin[r],
                                   all->begin[r + 1] - all->begin[r]));
done:
    if (status) un_gathered_free(all);
    return status;
}

/* ---- requests ---- */

struct un_cluster_request {
    un_cluster *group;
    MPI_Request request;
    int done;
};

/* Room for one, of blocks that MPI can count; *out stays NULL for a process alone. */
static un_status make_request(un_cluster *group, size_t bytes, un_cluster_request **out) {
    *out = NULL;
    if (bytes >= PIECE)
        return un_fail(UNSEEN_E_ARGUMENT, "a block of %zu bytes is too large for ranks", bytes);
    if (!group) return UNSEEN_OK;
    UN_TRY(un_alloc(1, sizeof **out, out));
    (*out)->group = group;
    (*out)->request = MPI_REQUEST_NULL;
    return UNSEEN_OK;
}

static un_status started(int code, un_cluster_request **request) {
    un_status status = check(code);
    if (!status) return UNSEEN_OK;
    free(*request);
    *request = NULL;
    return status;
}

un_status un_cluster_exchange_start(un_cluster *group, const void *send, void *receive,
                                    size_t bytes, un_cluster_request **out) {
    UN_TRY(make_request(group, bytes, out));
    if (!group) {
        if (bytes > 0) memcpy(receive, send, bytes);
        return UNSEEN_OK;
    }
    return started(MPI_Ialltoall(send, (int)bytes, MPI_BYTE, receive, (int)bytes, MPI_BYTE,
                                 group->comm, &(*out)->request),
                   out);
}

un_status un_cluster_share_start(un_cluster *group, const void *mine, void *all, size_t bytes,
                                 un_cluster_request **out) {
    UN_TRY(make_request(group, bytes, out));
    if (!group) {
        if (bytes > 0) memcpy(all, mine, bytes);
        return UNSEEN_OK;
    }
    return started(MPI_Iallgather(mine, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE,
                                  group->comm, &(*out)->request),
                   out);
}

static un_status look(un_cluster_request *r) {
    return r->done ? UNSEEN_OK : check(MPI_Test(&r->request, &r->done, MPI_STATUS_IGNORE));
}

un_status un_cluster_test(un_cluster_request **request, int *done) {
    *done = 1;
    if (!*request) return UNSEEN_OK;
    UN_TRY(look(*request));
    *done = (*request)->done;
    if (!*done) return UNSEEN_OK;
    free(*request);
    *request = NULL;
    return UNSEEN_OK;
}

un_status un_cluster_wait(un_cluster_request *const *requests, size_t n) {
    double start = un_now();
    for (int done = n == 0; !done;) {
        for (size_t i = 0; i < n; i++) {
            UN_TRY(look(requests[i]));
            done |= requests[i]->done;
        }
        if (!done) rest(start);
    }
    return UNSEEN_OK;
}

/* MPI has no way to cancel what all ranks do together: it may still write into the buffers, and
 * neither the group nor MPI itself can be ended in order. */
void un_cluster_give_up(un_cluster_request **request) {
    if (!*request) return;
    g_broken = 1;
    free(*request);
    *request = NULL;
}

static un_status complete(un_cluster_request *request) {
    if (!request) return UNSEEN_OK;
    un_status status = un_cluster_wait(&request, 1);
    if (status)
        un_cluster_give_up(&request);
    else
        free(request);
    return status;
}

un_status un_cluster_exchange(un_cluster *group, const void *send, void *receive, size_t bytes) {
    un_cluster_request *request = NULL;
    UN_TRY(un_cluster_exchange_start(group, send, receive, bytes, &request));
    return complete(request);
}

un_status un_cluster_share(un_cluster *group, const void *mine, void *all, size_t bytes) {
    un_cluster_request *request = NULL;
    UN_TRY(un_cluster_share_start(group, mine, all, bytes, &request));
    return complete(request);
}

/* Frees what has arrived. */
static un_status sweep(void) {
    for (posted **link = &g_posted; *link;) {
        posted *p = *link;
        int done = 0;
        UN_TRY(check(MPI_Test(&p->request, &done, MPI_STATUS_IGNORE)));
        if (done) {
            *link = p->next;
            free(p);
        } else {
            link = &p->next;
        }
    }
    return UNSEEN_OK;
}

static un_status post_piece(un_cluster *group, size_t to, int tag, const void *data, size_t bytes) {
    posted *p = NULL;
    UN_TRY(un_alloc(1, sizeof *p + bytes, &p));
    if (bytes > 0) memcpy(p->bytes, data, bytes);
    un_status status =
        check(MPI_Isend(p->bytes, (int)bytes, MPI_BYTE, (int)to, tag, group->comm, &p->request));
    if (status) {
        free(p);
        return status;
    }
    p->next = g_posted;
    g_posted = p;
    return UNSEEN_OK;
}

/* The length first, then the bytes. */
un_status un_cluster_post(un_cluster *group, size_t to, int tag, const void *data, size_t bytes) {
    uint64_t length = bytes;
    if (!group || to == group->rank) return un_fail(UNSEEN_E_ARGUMENT, "there is no other rank");
    UN_TRY(sweep());
    UN_TRY(post_piece(group, to, tag, &length, sizeof length));
    for (size_t at = 0; at < bytes; at += PIECE)
        UN_TRY(post_piece(group, to, tag, (const char *)data + at,
                          bytes - at < PIECE ? bytes - at : PIECE));
    return UNSEEN_OK;
}

/* Looks for a message from rank `from`, or MPI_ANY_SOURCE, and brings on those of this rank. */
static un_status look_for(un_cluster *group, int from, int tag, int *sender, int *there) {
    MPI_Status found = {0};
    UN_TRY(check(MPI_Iprobe(from, tag, group->comm, there, &found)));
    *sender = *there ? found.MPI_SOURCE : 0;
    return *there ? UNSEEN_OK : sweep();
}

static un_status wait_for(un_cluster *group, int from, int tag, const volatile sig_atomic_t *stop,
                          int *sender) {
    double start = un_now();
    for (;;) {
        int there = 0;
        UN_TRY(look_for(group, from, tag, sender, &there));
        if (there) return UNSEEN_OK;
        if (stop && *stop && from == MPI_ANY_SOURCE)
            return un_fail(UNSEEN_E_INTERRUPTED, "stopped while waiting for other ranks");
        if (stop && *stop)
            return un_fail(UNSEEN_E_INTERRUPTED, "stopped while waiting for rank %d", from);
        rest(start);
    }
}

un_status un_cluster_look(un_cluster *group, int tag, size_t *from, int *there) {
    int sender = 0;
    *from = 0;
    *there = 0;
    if (!group) return UNSEEN_OK;
    UN_TRY(look_for(group, MPI_ANY_SOURCE, tag, &sender, there));
    *from = (size_t)sender;
    return UNSEEN_OK;
}

un_status un_cluster_await(un_cluster *group, int tag, const volatile sig_atomic_t *stop,
                           size_t *from) {
    int sender = 0;
    if (!group) return un_fail(UNSEEN_E_ARGUMENT, "there is no other rank");
    UN_TRY(wait_for(group, MPI_ANY_SOURCE, tag, stop, &sender));
    *from = (size_t)sender;
    return UNSEEN_OK;
}

static un_status fetch_piece(un_cluster *group, size_t from, int tag,
                             const volatile sig_atomic_t *stop, void *data, size_t bytes) {
    MPI_Request request = MPI_REQUEST_NULL;
    int sender = 0;
    UN_TRY(wait_for(group, (int)from, tag, stop, &sender));
    return finish(MPI_Irecv(data, (int)bytes, MPI_BYTE, (int)from, tag, group->comm, &request),
                  &request);
}

un_status un_cluster_fetch(un_cluster *group, size_t from, int tag,
                           const volatile sig_atomic_t *stop, void **data, size_t *bytes) {
    uint64_t length = 0;
    char *fresh = NULL;
    *data = NULL;
    *bytes = 0;
    if (!group || from == group->rank) return un_fail(UNSEEN_E_ARGUMENT, "there is no other rank");
    UN_TRY(fetch_piece(group, from, tag, stop, &length, sizeof length));
    UN_TRY(un_alloc(length + 1, 1, &fresh));
    un_status status = UNSEEN_OK;
    for (size_t at = 0; at < length && !status; at += PIECE)
        status = fetch_piece(group, from, tag, stop, fresh + at,
                             length - at < PIECE ? length - at : PIECE);
    if (status) {
        free(fresh);
        return status;
    }
    *data = fresh;
    *bytes = length;
    return UNSEEN_OK;
}
