/*
 * shared.h - parameters that several ranks train together, each from its own part of a step's
 * images.
 *
 * Every rank has all values and gradients; the optimiser's state is split: a rank owns one stretch
 * of the flat arrays. In a step gradients of a stretch go to its owner, who adds them up in the order
 * of ranks in f32 and moves the values, and these go to all. So the result depends on the number of
 * ranks, and never on timing. P parameters are 8 P (n - 1) / n bytes in and out of each of n ranks, 6
 * P (n - 1) / n with gradients in bf16.
 */
#ifndef UN_NN_SHARED_H
#define UN_NN_SHARED_H

#include "cluster/cluster.h"
#include "nn/params.h"

typedef struct {
    un_cluster *ranks;     /* borrowed; NULL: this process alone */
    un_dtype wire;         /* of gradients on their way: UN_F32, or UN_BF16, rounded before the sum
                              except for the owner's own */
    size_t stretch;        /* elements of one, a multiple of 16; the last may be shorter */
    size_t piece;          /* elements of one that travel at once */
    void *sent, *received; /* [ranks * piece] */
    float *wide;           /* [piece] */
    un_arena arena;
} un_shared;

/* For `trained` parameters; *begin and *end are the stretch of this rank. */
un_status un_shared_create(un_shared *shared, un_cluster *ranks, un_dtype wire, size_t trained,
                           size_t *begin, size_t *end);
void un_shared_free(un_shared *shared);
/* Collective: un_optimizer_step by all ranks, whose optimisers have their own stretches. *l2 is that
 * of all parameters. */
un_status un_shared_step(un_shared *shared, un_optimizer *optimizer, un_params *params, double *l2);
/* Collective: the stretch of rank `root` of an array, `mine` [its elements], at all ranks, a piece at
 * a time; `take` gets each with its place in the whole. */
typedef un_status (*un_shared_take)(void *context, size_t at, const float *piece, size_t n);
un_status un_shared_spread(un_shared *shared, size_t root, const float *mine, size_t trained,
                           un_shared_take take, void *context);
/* Collective: values[n] become their sums over the ranks, in the order of ranks. */
un_status un_shared_sum(un_cluster *ranks, double *values, size_t n);

#endif
