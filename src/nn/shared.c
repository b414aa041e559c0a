/* shared.c - see shared.h. */
#include "nn/shared.h"

#include <string.h>

#include "tensor/kernels.h"

enum { ALIGNMENT = 16, ROOM = 1 << 22 }; /* elements on their way at once, of all ranks together */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

un_status un_shared_create(un_shared *s, un_cluster *ranks, un_dtype wire, size_t trained,
                           size_t *begin, size_t *end) {
    size_t n = un_cluster_size(ranks), rank = un_cluster_rank(ranks);
    size_t stretch = (trained + n - 1) / n;
    stretch = (stretch + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *s = (un_shared){.ranks = ranks, .wire = wire, .stretch = stretch};
    *begin = least(rank * stretch, trained);
    *end = least(*begin + stretch, trained);
    s->piece = least(stretch, (ROOM / n + ALIGNMENT) / ALIGNMENT * ALIGNMENT);
    if (n == 1) return UNSEEN_OK;
    un_status status = un_arena_alloc(&s->arena, n * s->piece, sizeof(float), &s->sent);
    if (!status) status = un_arena_alloc(&s->arena, n * s->piece, sizeof(float), &s->received);
    if (!status) status = un_arena_alloc(&s->arena, s->piece, sizeof(float), &s->wide);
    if (status) un_shared_free(s);
    return status;
}

void un_shared_free(un_shared *s) {
    un_arena_free(&s->arena);
    *s = (un_shared){0};
}

/* The elements of rank r's stretch from its `at`-th on that travel together. */
typedef struct {
    size_t begin, count;
} stretch_piece;

static stretch_piece piece_of(const un_shared *s, size_t rank, size_t at, size_t trained) {
    size_t begin = least(rank * s->stretch + at, trained);
    size_t end = least(least((rank + 1) * s->stretch, trained), begin + s->piece);
    return (stretch_piece){begin, end > begin ? end - begin : 0};
}

/* Block `rank` of a buffer of the given type. */
static void *block(const un_shared *s, void *buffer, size_t rank, un_dtype type) {
    return (char *)buffer + rank * s->piece * un_dtype_size(type);
}

/* Gradients of pieces at `at` to their owners; this rank's becomes the sum. */
static un_status sum_piece(un_shared *s, un_params *params, size_t at) {
    size_t n = un_cluster_size(s->ranks), rank = un_cluster_rank(s->ranks);
    stretch_piece own = piece_of(s, rank, at, params->trained);
    float *grad = params->grad + own.begin;
    for (size_t r = 0; r < n; r++) {
        stretch_piece p = piece_of(s, r, at, params->trained);
        const float *from = params->grad + p.begin;
        if (s->wire == UN_BF16)
            un_convert_to_bf16(from, block(s, s->sent, r, UN_BF16), p.count);
        else
            memcpy(block(s, s->sent, r, UN_F32), from, p.count * sizeof *from);
    }
    UN_TRY(un_cluster_exchange(s->ranks, s->sent, s->received, s->piece * un_dtype_size(s->wire)));
    memcpy(s->sent, grad, own.count * sizeof *grad); /* is on its way no more */
    for (size_t r = 0; r < n; r++) {
        const float *part = r == rank ? s->sent : s->wide;
        if (r != rank && s->wire == UN_BF16)
            un_widen(block(s, s->received, r, UN_BF16), s->wide, own.count);
        else if (r != rank)
            part = block(s, s->received, r, UN_F32);
        if (r == 0)
            memcpy(grad, part, own.count * sizeof *grad);
        else
            un_axpy(1, part, grad, own.count);
    }
    return UNSEEN_OK;
}

/* New values of pieces at `at` to all. */
static un_status spread_piece(un_shared *s, un_params *params, size_t at) {
    size_t n = un_cluster_size(s->ranks), rank = un_cluster_rank(s->ranks);
    stretch_piece own = piece_of(s, rank, at, params->trained);
    memcpy(s->sent, params->value + own.begin, own.count * sizeof(float));
    UN_TRY(un_cluster_share(s->ranks, s->sent, s->received, s->piece * sizeof(float)));
    for (size_t r = 0; r < n; r++) {
        stretch_piece p = piece_of(s, r, at, params->trained);
        if (r == rank || p.count == 0) continue;
        memcpy(params->value + p.begin, block(s, s->received, r, UN_F32), p.count * sizeof(float));
        un_params_refresh_part(params, p.begin, p.begin + p.count);
    }
    return UNSEEN_OK;
}

un_status un_shared_step(un_shared *s, un_optimizer *optimizer, un_params *params, double *l2) {
    int alone = un_cluster_size(s->ranks) == 1;
    for (size_t at = 0; at < s->stretch && !alone; at += s->piece) UN_TRY(sum_piece(s, params, at));
    *l2 = un_optimizer_step(optimizer, params);
    for (size_t at = 0; at < s->stretch && !alone; at += s->piece)
        UN_TRY(spread_piece(s, params, at));
    return un_shared_sum(s->ranks, l2, 1);
}

un_status un_shared_spread(un_shared *s, size_t root, const float *mine, size_t trained,
                           un_shared_take take, void *context) {
    size_t first = least(root * s->stretch, trained);
    int own = un_cluster_rank(s->ranks) == root;
    for (size_t at = 0; at < s->stretch; at += s->piece) {
        stretch_piece p = piece_of(s, root, at, trained);
        if (p.count == 0) break;
        if (own) memcpy(s->sent, mine + (p.begin - first), p.count * sizeof *mine);
        UN_TRY(un_cluster_broadcast(s->ranks, root, s->sent, p.count * sizeof *mine));
        UN_TRY(take(context, p.begin, s->sent, p.count));
    }
    return UNSEEN_OK;
}

un_status un_shared_sum(un_cluster *ranks, double *values, size_t n) {
    un_gathered all;
    if (un_cluster_size(ranks) == 1) return UNSEEN_OK;
    UN_TRY(un_cluster_gather(ranks, values, n * sizeof *values, &all));
    for (size_t i = 0; i < n; i++) values[i] = 0;
    for (size_t r = 0; r < all.count; r++)
        for (size_t i = 0; i < n; i++) {
            double part;
            memcpy(&part, all.data + all.begin[r] + i * sizeof part, sizeof part);
            values[i] += part;
        }
    un_gathered_free(&all);
    return UNSEEN_OK;
}
