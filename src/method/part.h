/*
 * part.h - the part of a step that one of several ranks does: some of its images, one behind the
 * other, or for a method whose work is in the classes some of these. What couples images in a loss, their scores, is gathered, so that each rank has the losses
 * of all images and goes back from its own; gradients are summed by the trainer (nn/shared.h).
 */
#ifndef UN_METHOD_PART_H
#define UN_METHOD_PART_H

#include "cluster/cluster.h"

typedef struct {
    un_cluster *ranks;   /* borrowed; NULL: this process does all */
    size_t first, count; /* the images of this rank */
    size_t total;        /* of all ranks */
} un_part;

/* This rank's part of `images`. Every rank needs one: UNSEEN_E_ARGUMENT if there are fewer. */
un_status un_part_create(un_part *part, un_cluster *ranks, size_t images);
/* The same of any number: the last mini-batch of an epoch may be so short that some have none. */
un_part un_part_of(un_cluster *ranks, size_t images);
/* Collective: rows (total, width), of which this rank has its own in their places, become whole. */
un_status un_part_gather(const un_part *part, size_t width, float *rows);

#endif
