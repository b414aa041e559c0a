/* part.c - see part.h. */
#include "method/part.h"

#include <string.h>

un_status un_part_create(un_part *part, un_cluster *ranks, size_t images) {
    size_t n = un_cluster_size(ranks);
    if (images < n)
        return un_fail(
            UNSEEN_E_ARGUMENT,
            "a step of %zu images cannot be split over %zu ranks: take fewer ranks for a "
            "run, or a larger batch",
            images, n);
    *part = un_part_of(ranks, images);
    return UNSEEN_OK;
}

un_part un_part_of(un_cluster *ranks, size_t images) {
    size_t n = un_cluster_size(ranks), rank = un_cluster_rank(ranks);
    size_t first = images * rank / n;
    return (un_part){ranks, first, images * (rank + 1) / n - first, images};
}

un_status un_part_gather(const un_part *part, size_t width, float *rows) {
    un_gathered all;
    if (un_cluster_size(part->ranks) == 1) return UNSEEN_OK;
    UN_TRY(un_cluster_gather(part->ranks, rows + part->first * width,
                             part->count * width * sizeof *rows, &all));
    memcpy(rows, all.data, part->total * width * sizeof *rows);
    un_gathered_free(&all);
    return UNSEEN_OK;
}
