/* shared.c - see shared.h. */
#include "nn/shared.h"

#include <string.h>

#include "tensor/kernels.h"

enum { ALIGNMENT = 16 };
enum { GRADIENTS, VALUES }; /* lanes */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static size_t divide_up(size_t a, size_t b) { return (a + b - 1) / b; }

static int is_alone(const un_shared *s) { return un_cluster_size(s->ranks) == 1; }

/* ---- windows and their pieces ---- */

/* Elements of the flat arrays. */
typedef struct {
    size_t begin, count;
} stretch;

static stretch piece_of(const un_shared *s, size_t window, size_t rank) {
    size_t trained = s->params->trained;
    size_t begin = least((window * un_cluster_size(s->ranks) + rank) * s->piece, trained);
    return (stretch){begin, least(s->piece, trained - begin)};
}

static stretch own_piece(const un_shared *s, size_t window) {
    return piece_of(s, window, un_cluster_rank(s->ranks));
}

static void cut(un_shared *s, size_t window) {
    size_t n = un_cluster_size(s->ranks), trained = s->params->trained;
    if (trained == 0) return;
    s->windows = divide_up(trained, window);
    s->piece = divide_up(divide_up(trained, n), s->windows);
    s->piece = divide_up(s->piece, ALIGNMENT) * ALIGNMENT;
    s->windows = divide_up(trained, n * s->piece);
    for (size_t w = 0; w < s->windows; w++) s->own += own_piece(s, w).count;
}

static un_status make_room(un_shared *s) {
    size_t room = un_cluster_size(s->ranks) * s->piece;
    for (size_t i = 0; i < least(UN_SHARED_SLOTS, s->windows); i++) {
        UN_TRY(un_arena_alloc(&s->arena, room, sizeof(float), &s->slot[i].sent));
        UN_TRY(un_arena_alloc(&s->arena, room, sizeof(float), &s->slot[i].received));
    }
    return un_arena_alloc(&s->arena, s->piece, sizeof(float), &s->wide);
}

un_status un_shared_create(un_shared *s, un_cluster *ranks, un_dtype wire, un_params *params,
                           size_t window) {
    *s = (un_shared){.ranks = ranks, .wire = wire, .params = params, .own = params->trained};
    if (is_alone(s)) return UNSEEN_OK;
    s->own = 0;
    cut(s, window);
    un_status status = make_room(s);
    if (status) un_shared_free(s);
    return status;
}

void un_shared_free(un_shared *s) {
    int pending = 0;
    for (size_t i = 0; i < UN_SHARED_SLOTS; i++) {
        pending |= s->slot[i].request != NULL;
        un_cluster_give_up(&s->slot[i].request);
    }
    for (size_t i = 0; i < UN_SHARED_LANES; i++) un_cluster_free(s->lane[i]);
    if (s->optimizer) s->params->watch = (un_params_watch){0};
    if (!pending) un_arena_free(&s->arena); /* else MPI may still write there */
    *s = (un_shared){0};
}

/* ---- the way of a window ---- */

static un_shared_slot *slot_of(un_shared *s, size_t number) {
    return &s->slot[number % UN_SHARED_SLOTS];
}

/* Windows are counted from the last one. */
static size_t window_of(const un_shared *s, size_t number) { return s->windows - 1 - number; }

/* Block `rank` of a buffer of the given type. */
static void *block(const un_shared *s, void *buffer, size_t rank, un_dtype type) {
    return (char *)buffer + rank * s->piece * un_dtype_size(type);
}

/* Gradients of the next window set out to their owners. */
static un_status send_gradients(un_shared *s) {
    size_t n = un_cluster_size(s->ranks), window = window_of(s, s->sent);
    un_shared_slot *slot = slot_of(s, s->sent);
    for (size_t r = 0; r < n; r++) {
        stretch p = piece_of(s, window, r);
        const float *from = s->params->grad + p.begin;
        if (s->wire == UN_BF16)
            un_convert_to_bf16(from, block(s, slot->sent, r, UN_BF16), p.count);
        else
            memcpy(block(s, slot->sent, r, UN_F32), from, p.count * sizeof *from);
    }
    UN_TRY(un_cluster_exchange_start(s->lane[GRADIENTS], slot->sent, slot->received,
                                     s->piece * un_dtype_size(s->wire), &slot->request));
    s->sent++;
    return UNSEEN_OK;
}

/* This rank's gradients become the sum of what all have. */
static void add_gradients(un_shared *s, un_shared_slot *slot, stretch own) {
    size_t n = un_cluster_size(s->ranks), rank = un_cluster_rank(s->ranks);
    float *grad = s->params->grad + own.begin;
    memcpy(slot->sent, grad, own.count * sizeof *grad); /* is on its way no more */
    for (size_t r = 0; r < n; r++) {
        const float *part = r == rank ? slot->sent : s->wide;
        if (r != rank && s->wire == UN_BF16)
            un_widen(block(s, slot->received, r, UN_BF16), s->wide, own.count);
        else if (r != rank)
            part = block(s, slot->received, r, UN_F32);
        if (r == 0)
            memcpy(grad, part, own.count * sizeof *grad);
        else
            un_axpy(1, part, grad, own.count);
    }
}

/* The values of the oldest window whose gradients are there move, and set out to all. */
static un_status move_values(un_shared *s) {
    size_t window = window_of(s, s->moved);
    un_shared_slot *slot = slot_of(s, s->moved);
    stretch own = own_piece(s, window);
    add_gradients(s, slot, own);
    s->l2 += un_optimizer_move(s->optimizer, s->params, own.begin, own.begin + own.count,
                               window * s->piece);
    memcpy(slot->sent, s->params->value + own.begin, own.count * sizeof(float));
    UN_TRY(un_cluster_share_start(s->lane[VALUES], slot->sent, slot->received,
                                  s->piece * sizeof(float), &slot->request));
    s->moved++;
    return UNSEEN_OK;
}

/* The oldest window's values are taken from their owners. */
static void take_values(un_shared *s) {
    size_t window = window_of(s, s->done);
    un_shared_slot *slot = slot_of(s, s->done);
    for (size_t r = 0; r < un_cluster_size(s->ranks); r++) {
        stretch p = piece_of(s, window, r);
        if (r == un_cluster_rank(s->ranks) || p.count == 0) continue;
        memcpy(s->params->value + p.begin, block(s, slot->received, r, UN_F32),
               p.count * sizeof(float));
        un_params_refresh_part(s->params, p.begin, p.begin + p.count);
    }
    s->done++;
}

/* Whether window `number`, the oldest of those before `last`, is there. */
static un_status has_arrived(un_shared *s, size_t number, size_t last, int *yes) {
    *yes = 0;
    return number < last ? un_cluster_test(&slot_of(s, number)->request, yes) : UNSEEN_OK;
}

/* Whether the next window may set out: the backward pass is done with it, and there is room. */
static int can_send(const un_shared *s) {
    return s->sent < s->windows && s->sent - s->done < UN_SHARED_SLOTS &&
           s->ready <= piece_of(s, window_of(s, s->sent), 0).begin;
}

/* All that can be done now without waiting. */
static un_status advance(un_shared *s) {
    for (int more = 1; more;) {
        int values = 0, gradients = 0, sends = 0;
        UN_TRY(has_arrived(s, s->done, s->moved, &values));
        if (values) take_values(s);
        UN_TRY(has_arrived(s, s->moved, s->sent, &gradients));
        if (gradients) UN_TRY(move_values(s));
        sends = can_send(s);
        if (sends) UN_TRY(send_gradients(s));
        more = values || gradients || sends;
    }
    return UNSEEN_OK;
}

/* ---- a step ---- */

static un_status hear(void *context, size_t from) {
    un_shared *s = context;
    s->ready = least(s->ready, from);
    return advance(s);
}

un_status un_shared_begin(un_shared *s, un_optimizer *optimizer) {
    for (size_t i = 0; i < UN_SHARED_LANES && !is_alone(s); i++)
        if (!s->lane[i]) UN_TRY(un_cluster_split(s->ranks, 0, &s->lane[i]));
    s->optimizer = optimizer;
    if (is_alone(s)) return UNSEEN_OK;
    optimizer->steps++;
    s->ready = SIZE_MAX;
    s->sent = s->moved = s->done = 0;
    s->l2 = 0;
    s->params->watch = (un_params_watch){hear, s};
    return UNSEEN_OK;
}

/* With nothing else to do, until the oldest values or the oldest gradients are there. */
static un_status wait_for_one(un_shared *s) {
    un_cluster_request *pending[UN_SHARED_LANES];
    size_t n = 0;
    double start = un_now();
    if (s->done < s->moved) pending[n++] = slot_of(s, s->done)->request;
    if (s->moved < s->sent) pending[n++] = slot_of(s, s->moved)->request;
    un_status status = un_cluster_wait(pending, n);
    s->waited += un_now() - start;
    return status;
}

static un_status finish(un_shared *s) {
    s->ready = 0;
    UN_TRY(advance(s));
    while (s->done < s->windows) {
        UN_TRY(wait_for_one(s));
        UN_TRY(advance(s));
    }
    s->params->watch = (un_params_watch){0};
    return un_shared_sum(s->ranks, &s->l2, 1);
}

un_status un_shared_end(un_shared *s, double *l2) {
    if (is_alone(s))
        s->l2 = un_optimizer_step(s->optimizer, s->params);
    else
        UN_TRY(finish(s));
    s->optimizer = NULL;
    *l2 = s->l2;
    return UNSEEN_OK;
}

/* ---- between steps ---- */

un_status un_shared_spread(un_shared *s, const float *mine, un_shared_take take, void *context) {
    if (is_alone(s)) return take(context, 0, mine, s->own);
    for (size_t w = 0; w < s->windows; w++) {
        for (size_t r = 0; r < un_cluster_size(s->ranks); r++) {
            stretch p = piece_of(s, w, r);
            float *piece = s->slot[0].sent;
            if (p.count == 0) break;
            if (r == un_cluster_rank(s->ranks))
                memcpy(piece, mine + w * s->piece, p.count * sizeof *mine);
            UN_TRY(un_cluster_broadcast(s->ranks, r, piece, p.count * sizeof *mine));
            UN_TRY(take(context, p.begin, piece, p.count));
        }
    }
    return UNSEEN_OK;
}

void un_shared_pick(const un_shared *s, const void *whole, float *mine) {
    if (is_alone(s)) {
        memcpy(mine, whole, s->own * sizeof *mine);
        return;
    }
    for (size_t w = 0; w < s->windows; w++) {
        stretch p = own_piece(s, w);
        memcpy(mine + w * s->piece, (const char *)whole + p.begin * sizeof *mine,
               p.count * sizeof *mine);
    }
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
