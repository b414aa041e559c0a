/*
 * cluster.h - several processes, the ranks, that do one piece of work on one or more machines.
 *
 * There are two forms of what stands here. In the library and in `unseen` a process is alone: it
 * is rank 0 of 1, and every function below is trivial. `unseen-mpi` is the same program linked with
 * the form on MPI. So no caller asks whether there is a cluster.
 *
 * A group that is NULL is the calling process alone, everywhere. "Collective" functions are called
 * by all ranks of a group in the same order. All functions are called by one thread, the one that
 * called un_cluster_begin. Ranks that wait sleep; none waits for one that is dead, for MPI ends
 * the others then.
 *
 * Failures: what all ranks must know before they go on, they agree on (un_cluster_agree). Where
 * one fails alone, later, it says so and ends all (un_cluster_leave).
 */
#ifndef UN_CLUSTER_CLUSTER_H
#define UN_CLUSTER_CLUSTER_H

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/status.h"

typedef struct un_cluster un_cluster;

/* ---- life ---- */

/* Joins the others, which mpirun has started; once, before all else. */
un_status un_cluster_begin(void);
/* The code of a rank that had nothing to do. */
enum { UN_CLUSTER_IDLE = -1 };
/* Says farewell with an exit code and, if it is not 0, the sentence that says why ("" for none); an idle
 * rank gets the code of the first that was not. Waits for the others: as long as it takes where all
 * is well, else `patience` seconds. *tell becomes 1 if this rank is to print its sentence: every
 * rank with one of its own is, of those that share one the first. *together becomes 1 if all came
 * and share it: un_cluster_end has to follow, when all is printed; if not, un_cluster_abort. */
void un_cluster_leave(int *code, const char *sentence, double patience, int *tell, int *together);
void un_cluster_end(void);
/* Ends all ranks at once, with this exit code. */
_Noreturn void un_cluster_abort(int code);

/* All ranks. */
un_cluster *un_cluster_all(void);
size_t un_cluster_rank(const un_cluster *group);
size_t un_cluster_size(const un_cluster *group);
/* The place of this process, for sentences: "rank 2 on node7"; "" of one that is alone. */
const char *un_cluster_place(void);
/* How many of `processors`, those that this process may run on, it should use, for ranks that share
 * a machine may have been given the same ones. At least 1. */
int un_cluster_processors(int processors);

/* Whether this rank works on something of its own now, so that what it says is news. At the
 * beginning all ranks do and say the same, and rank 0 speaks for them. */
void un_cluster_set_apart(int apart);
int un_cluster_is_apart(void);

/* ---- groups ---- */

/* Collective: the ranks of `group` with the same colour become a group, in the same order.
 * Released with un_cluster_free. */
un_status un_cluster_split(un_cluster *group, size_t colour, un_cluster **out);
void un_cluster_free(un_cluster *group);

/* ---- traffic; all of it collective but for messages from one rank to another ---- */

un_status un_cluster_barrier(un_cluster *group);
/* The bytes of rank `root` at all ranks. */
un_status un_cluster_broadcast(un_cluster *group, size_t root, void *data, size_t bytes);

/* What each rank gave, in the order of ranks. */
typedef struct {
    size_t count;        /* ranks */
    unsigned char *data; /* one behind the other */
    size_t *begin;       /* [count + 1] into data */
} un_gathered;
/* Every rank gives bytes, as many as it likes, and gets all. */
un_status un_cluster_gather(un_cluster *group, const void *data, size_t bytes, un_gathered *all);
static inline void un_gathered_free(un_gathered *all) {
    free(all->data);
    free(all->begin);
    *all = (un_gathered){0};
}

/* Equal blocks, as many as ranks: block r of `send` goes to rank r, and block r of `receive` becomes
 * what rank r had for this one. */
un_status un_cluster_exchange(un_cluster *group, const void *send, void *receive, size_t bytes);
/* Every rank's block at all ranks, in the order of ranks, all of one size. */
un_status un_cluster_share(un_cluster *group, const void *mine, void *all, size_t bytes);

/* The same two as requests, which travel while this process computes. Both buffers are lent until it
 * is done, or for good if it is given up. Ranks start the requests of a group in the same order as its
 * other collective functions; a group of its own (un_cluster_split) lets them be started whenever one
 * is ready. MPI moves bytes in its functions only: whoever computes for long asks un_cluster_test
 * now and then. */
typedef struct un_cluster_request un_cluster_request;
un_status un_cluster_exchange_start(un_cluster *group, const void *send, void *receive,
                                    size_t bytes, un_cluster_request **out);
un_status un_cluster_share_start(un_cluster *group, const void *mine, void *all, size_t bytes,
                                 un_cluster_request **out);
/* Whether it is done, and then releases it: *request becomes NULL. NULL is done. */
un_status un_cluster_test(un_cluster_request **request, int *done);
/* Waits until one of n requests, none of them NULL, is done; un_cluster_test tells which. */
un_status un_cluster_wait(un_cluster_request *const *requests, size_t n);
/* Of a rank that fails: nobody waits for the request any more. This rank then leaves by
 * un_cluster_abort, since the others may never come to it. */
void un_cluster_give_up(un_cluster_request **request);

/* Sends a copy to another rank; returns at once. Messages with one tag arrive in order. */
un_status un_cluster_post(un_cluster *group, size_t to, int tag, const void *data, size_t bytes);
/* Waits for a message from another rank; *data is released with free(). UNSEEN_E_INTERRUPTED when
 * *stop (may be NULL). */
un_status un_cluster_fetch(un_cluster *group, size_t from, int tag,
                           const volatile sig_atomic_t *stop, void **data, size_t *bytes);
/* Whether there is a message with this tag that can be fetched, and which rank it is from. Returns at
 * once; calling it now and then also brings on what this rank has posted. */
un_status un_cluster_look(un_cluster *group, int tag, size_t *from, int *there);
/* Waits until there is one. UNSEEN_E_INTERRUPTED when *stop (may be NULL). */
un_status un_cluster_await(un_cluster *group, int tag, const volatile sig_atomic_t *stop,
                           size_t *from);

/* ---- agreeing; built on un_cluster_gather, in both forms (agree.c) ---- */

/* Collective over all ranks: fails everywhere if one rank comes with a failure, with the sentence of
 * the first such rank and its place, or where all say the same with that. */
un_status un_cluster_agree(un_status mine);
/* The same over the ranks of a group. */
un_status un_cluster_agree_within(un_cluster *group, un_status mine);
/* Collective over all ranks: returns when all are here. One that waits has UNSEEN_E_INTERRUPTED when
 * *stop (may be NULL), also where others never come because they were stopped elsewhere. */
un_status un_cluster_meet(const volatile sig_atomic_t *stop);
/* Collective over all ranks: fails everywhere unless all have the same text; `what` names it in
 * the sentence, which shows the two texts if `shown`. */
un_status un_cluster_same(const char *what, const char *text, int shown);
/* Collective over all ranks: fails everywhere unless the folder of `path` is one that all share. Rank 0
 * puts a file beside `path` for that long, which all others have to find (folder.c). */
un_status un_cluster_same_folder(const char *path);

#endif
