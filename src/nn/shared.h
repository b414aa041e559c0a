/*
 * shared.h - parameters that several ranks train together, each from its own part of a step's
 * images.
 *
 * Every rank has all values and gradients; the optimiser's state is split. The flat arrays are cut
 * into windows, and each window into a piece for each rank, its owner. In a step the gradients of a
 * window go to their owners, each of whom adds up those of its piece in the order of ranks in f32
 * and moves the values, and these go to all. So the result depends on the number of ranks, and never
 * on timing. P parameters are 8 P (n - 1) / n bytes in and out of each of n ranks, 6 P (n - 1) / n
 * with gradients in bf16.
 *
 * Windows go from the last to the first, several on their way at once, and set out as soon as the
 * backward pass is done with them (un_params_ready): while it computes the gradients of the first
 * layers, those of the last ones travel, and their new values after them. What is left is waited for
 * in un_shared_end. A rank has room for UN_SHARED_SLOTS windows, to send and to receive: 96 MiB, and
 * for one piece.
 */
#ifndef UN_NN_SHARED_H
#define UN_NN_SHARED_H

#include "cluster/cluster.h"
#include "nn/params.h"

/* Windows on their way at once, and the usual elements of one, of all ranks together. */
enum { UN_SHARED_LANES = 2, UN_SHARED_SLOTS = 3, UN_SHARED_WINDOW = 1 << 22 };

/* A window that is on its way. */
typedef struct {
    un_cluster_request *request;
    void *sent, *received; /* [ranks * piece] each */
} un_shared_slot;

typedef struct {
    un_cluster *ranks;     /* borrowed; NULL: this process alone */
    un_dtype wire;         /* of gradients on their way: UN_F32, or UN_BF16, rounded before the sum
                              except for the owner's own */
    un_params *params;     /* borrowed */
    size_t windows, piece; /* a window is [ranks * piece]; pieces of the last may be shorter */
    size_t own;            /* elements that this rank moves */
    un_cluster *lane[UN_SHARED_LANES]; /* the same ranks: for gradients, for values; from the first
                                          step on, since not all ranks open each run */
    un_shared_slot slot[UN_SHARED_SLOTS];
    float *wide; /* [piece] */
    un_arena arena;
    /* the step under way */
    un_optimizer *optimizer;  /* NULL: none is */
    size_t ready;             /* elements from here on are */
    size_t sent, moved, done; /* windows, from the last one: whose gradients set out, whose values
                                 did, that are through */
    double l2;
    double waited; /* seconds, in all steps so far, with nothing else to do */
} un_shared;

/* For a set that is allocated; a window has `window` elements, rounded up to 16 for each
 * rank. */
un_status un_shared_create(un_shared *shared, un_cluster *ranks, un_dtype wire, un_params *params,
                           size_t window);
/* Also in the middle of a step that failed. */
void un_shared_free(un_shared *shared);

/* Both collective, around the computation of a step's gradients; `optimizer` has the elements of this
 * rank, and its learning rate is that of the step. Between the two nobody else uses it. */
un_status un_shared_begin(un_shared *shared, un_optimizer *optimizer);
/* un_optimizer_step by all ranks together. *l2 is that of all parameters. */
un_status un_shared_end(un_shared *shared, double *l2);

/* Collective: a state array of the optimisers, of which each rank has its elements at `mine`, whole at
 * all ranks, a piece at a time in their order; `take` gets each with its place. */
typedef un_status (*un_shared_take)(void *context, size_t at, const float *piece, size_t n);
un_status un_shared_spread(un_shared *shared, const float *mine, un_shared_take take,
                           void *context);
/* The elements of this rank from the bytes of a whole array. */
void un_shared_pick(const un_shared *shared, const void *whole, float *mine);

/* Collective: values[n] become their sums over the ranks, in the order of ranks. */
un_status un_shared_sum(un_cluster *ranks, double *values, size_t n);

#endif
