/*
 * deal.h - which ranks do which runs of several trainings; private to train/.
 *
 * A unit of work is a selection run of a training, or its final run, which begins when the selection
 * runs are done. Rank 0 deals: a team of ranks that is free asks it, handing over what its last unit
 * gave, and gets the next one, a final run together with what the selection runs of its training
 * gave. So nobody waits while there is work that can begin, however long runs turn out to be; who
 * does what changes no byte of a result. Rank 0 works, too, and answers between its steps.
 *
 * Selection runs go first, since others wait for them: by trainings, in each the longest first.
 */
#ifndef UN_TRAIN_DEAL_H
#define UN_TRAIN_DEAL_H

#include <signal.h>

#include "cluster/cluster.h"

typedef enum { UN_UNIT_SELECTION, UN_UNIT_FINAL, UN_UNIT_WHOLE } un_unit_kind;

typedef struct {
    un_unit_kind kind; /* WHOLE: all runs of a training, which depend on each other */
    size_t training, run;
    double cost; /* in images that are learned from */
} un_unit;

/* What a unit gave. */
typedef struct {
    void *data; /* [bytes] */
    size_t bytes;
} un_unit_result;

/* One rank's view; rank 0's knows all. */
typedef struct {
    un_unit *units; /* in the order in which they are dealt, the same at all ranks */
    size_t count;
    un_unit_result *results; /* [count] of rank 0: of the units that are done; of others: what came
                                with a unit */
    unsigned char *state;    /* [count] of rank 0 */
    size_t per_team, teams;
    unsigned char *waits;        /* [teams] of rank 0: who asked and has no answer */
    size_t finished;             /* [teams] that know that there is no more */
    un_cluster *team;            /* this rank's, borrowed; NULL: it alone */
    volatile sig_atomic_t *stop; /* NULL: never */
    int passed_on;               /* the wish to stop, to other ranks */
} un_deal;

enum { UN_NO_UNIT = -1 };

/* Takes `units`, from malloc, in any order. `per_team` ranks, one behind the other, are a team. */
un_status un_deal_open(un_deal *deal, un_unit *units, size_t count, size_t per_team,
                       un_cluster *team, volatile sig_atomic_t *stop);
void un_deal_close(un_deal *deal);

/* Collective over a team: its next unit, an index; UN_NO_UNIT: none is left. `done` is the unit that
 * it has done, or UN_NO_UNIT, and `result`, from malloc, what that gave; of the first rank of a team:
 * the others give NULL. Takes `result`. UNSEEN_E_INTERRUPTED when *stop while it waits. */
un_status un_deal_next(un_deal *deal, long done, un_unit_result *result, long *next);
/* Between two steps: rank 0 answers whoever asked, and if one rank is to stop, all hear of it and set
 * *stop, since a signal may have reached that one alone. Nothing to do for others than the first rank
 * of a team. */
un_status un_deal_serve(un_deal *deal);
/* What the selection runs of a training gave is not needed any more. */
void un_deal_forget(un_deal *deal, size_t training);

#endif
