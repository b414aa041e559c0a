/* params.c - flat parameter storage and optimisers; see params.h. */
#include "nn/params.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/kernels.h"

enum { PIECE_ALIGNMENT = 16, FIRST_CAPACITY = 32 };

/* Values that several sets may have. */
struct un_param_values {
    atomic_size_t sets;
    float *value;
};

/* Doubles the list; the old one stays in the arena. */
static un_status grow(un_params *params) {
    un_param *item = NULL;
    size_t capacity = params->capacity ? 2 * params->capacity : FIRST_CAPACITY;
    UN_TRY(un_arena_alloc(&params->arena, capacity, sizeof *item, &item));
    if (params->count > 0) memcpy(item, params->item, params->count * sizeof *item);
    params->item = item;
    params->capacity = capacity;
    return UNSEEN_OK;
}

static size_t round_up(size_t count) {
    return (count + PIECE_ALIGNMENT - 1) / PIECE_ALIGNMENT * PIECE_ALIGNMENT;
}

static un_status add(un_params *params, const char *name, int rank, const size_t *shape,
                     float decay, size_t *index) {
    if (params->count == UN_MAX_PARAMS || params->value || rank > UN_MAX_RANK)
        return un_fail(UNSEEN_E_ARGUMENT, "cannot declare parameter \"%s\"", name);
    if (params->count == params->capacity) UN_TRY(grow(params));
    un_param *item = &params->item[params->count];
    char *copy = NULL;
    UN_TRY(un_arena_string(&params->arena, name, &copy));
    *item = (un_param){.name = copy, .rank = rank, .count = 1, .decay = decay};
    for (int i = 0; i < rank; i++) {
        item->shape[i] = shape[i];
        if (__builtin_mul_overflow(item->count, shape[i], &item->count))
            return un_fail(UNSEEN_E_ARGUMENT, "the size of parameter \"%s\" overflows", name);
    }
    item->offset = params->total;
    params->total += round_up(item->count);
    *index = params->count++;
    return UNSEEN_OK;
}

un_status un_params_add(un_params *params, const char *name, int rank, const size_t *shape,
                        float decay, size_t *index) {
    if (params->has_fixed)
        return un_fail(UNSEEN_E_ARGUMENT, "parameter \"%s\" comes after a fixed one", name);
    UN_TRY(add(params, name, rank, shape, decay, index));
    params->trained = params->total;
    return UNSEEN_OK;
}

un_status un_params_add_fixed(un_params *params, const char *name, int rank, const size_t *shape,
                              size_t *index) {
    params->has_fixed = 1;
    return add(params, name, rank, shape, 0, index);
}

void un_param_begins_matrix(const un_params *params, size_t index, size_t n, size_t k) {
    params->item[index].n = n;
    params->item[index].k = k;
}

static un_status check_available(const un_params *params) {
    size_t declared = 0;
    for (size_t i = 0; i < params->count; i++)
        if (__builtin_add_overflow(declared, params->item[i].count, &declared))
            return un_fail(UNSEEN_E_ARGUMENT, "the number of parameters overflows");
    if (params->available > 0 && declared > params->available)
        return un_fail(UNSEEN_E_FORMAT, "%zu parameters are declared, %zu are there", declared,
                       params->available);
    return UNSEEN_OK;
}

static un_status allocate_values(un_params *params) {
    UN_TRY(un_alloc(1, sizeof *params->values, &params->values));
    atomic_init(&params->values->sets, 1);
    UN_TRY(un_alloc(params->total, sizeof(float), &params->values->value));
    params->value = params->values->value;
    return UNSEEN_OK;
}

un_status un_params_allocate(un_params *params, int training, int bf16) {
    UN_TRY(check_available(params));
    UN_TRY(allocate_values(params));
    if (training)
        UN_TRY(un_arena_alloc(&params->arena, params->trained, sizeof(float), &params->grad));
    if (bf16 && training)
        return un_arena_alloc(&params->arena, params->trained, sizeof(un_bf16), &params->value16);
    if (bf16)
        return un_arena_alloc(&params->arena, params->count, sizeof *params->panels,
                              &params->panels);
    return UNSEEN_OK;
}

/* ---- packed weights ---- */

/* One matrix that begins with a piece; queries begin where queries, keys and values together do. */
struct un_param_panels {
    size_t n, k;
    un_packed *packed; /* NULL until all is there */
    un_bf16 *narrow;   /* (n, k) of which `missing` elements are not there yet; else NULL */
    size_t missing;
    un_param_panels *next;
};

static void free_panels(un_param_panels *p) {
    un_packed_free(p->packed);
    free(p->narrow);
    free(p);
}

static void forget_panels(const un_params *params) {
    for (size_t i = 0; params->panels && i < params->count; i++) {
        for (un_param_panels *p = params->panels[i], *next; p; p = next) {
            next = p->next;
            free_panels(p);
        }
        params->panels[i] = NULL;
    }
}

static un_status create_panels(size_t n, size_t k, un_param_panels **out) {
    un_param_panels *p = NULL;
    UN_TRY(un_alloc(1, sizeof *p, &p));
    *p = (un_param_panels){.n = n, .k = k, .missing = n * k};
    un_status status = un_alloc(n * k, sizeof *p->narrow, &p->narrow);
    if (status)
        free(p);
    else
        *out = p;
    return status;
}

/* Elements at .. at + count - 1 of the matrix; the last ones that were missing make the panels. */
static un_status add_values(un_param_panels *p, int trans_b, size_t at, size_t count,
                            const float *values) {
    un_convert_to_bf16(values, p->narrow + at, count);
    p->missing -= count;
    if (p->missing > 0) return UNSEEN_OK;
    un_status status = un_gemm_pack(&p->packed, UN_BF16, trans_b, 0, p->n, p->k, p->narrow, 0);
    free(p->narrow);
    p->narrow = NULL;
    return status;
}

un_status un_param_packed(const un_params *params, size_t index, int trans_b, size_t n, size_t k,
                          const un_packed **out) {
    un_param_panels *p = NULL;
    *out = NULL;
    if (!params->panels) return UNSEEN_OK;
    for (p = params->panels[index]; p; p = p->next) {
        if (p->n != n || p->k != k || !p->packed) continue;
        *out = p->packed;
        return UNSEEN_OK;
    }
    if (params->packed)
        return un_fail(UNSEEN_E_ARGUMENT, "parameter \"%s\" was not packed as %zu x %zu",
                       params->item[index].name, n, k);
    UN_TRY(create_panels(n, k, &p));
    un_status status = add_values(p, trans_b, 0, n * k, un_param_value(params, index));
    if (status) {
        free_panels(p);
        return status;
    }
    p->next = params->panels[index];
    params->panels[index] = p;
    *out = p->packed;
    return UNSEEN_OK;
}

/* ---- sets whose matrices are packed and nothing else ---- */

/* Takes the pieces of matrices out of the flat array. Offsets keep their order and gaps. */
static un_status lay_out_rest(un_params *params) {
    size_t left = 0; /* elements of the matrix at hand that later pieces have */
    params->total = 0;
    for (size_t i = 0; i < params->count; i++) {
        un_param *item = &params->item[i];
        if (left == 0) left = item->n * item->k;
        if (left == 0) {
            item->offset = params->total;
            params->total += round_up(item->count);
            continue;
        }
        if (item->count > left)
            return un_fail(UNSEEN_E_ARGUMENT, "parameter \"%s\" is more than its matrix",
                           item->name);
        item->offset = UN_NO_VALUE;
        left -= item->count;
    }
    params->trained = params->total;
    return UNSEEN_OK;
}

un_status un_params_allocate_packed(un_params *params) {
    UN_TRY(check_available(params));
    UN_TRY(lay_out_rest(params));
    params->packed = 1;
    UN_TRY(allocate_values(params));
    return un_arena_alloc(&params->arena, params->count, sizeof *params->panels, &params->panels);
}

un_status un_param_pack(const un_params *params, size_t index, const float *values) {
    size_t first = index, at = 0;
    while (params->item[first].n == 0 && first > 0) at += params->item[--first].count;
    const un_param *begin = &params->item[first];
    un_param_panels **p = &params->panels[first];
    if (!*p) UN_TRY(create_panels(begin->n, begin->k, p));
    if ((*p)->missing < params->item[index].count)
        return un_fail(UNSEEN_E_ARGUMENT, "parameter \"%s\" is packed already",
                       params->item[index].name);
    return add_values(*p, 1, at, params->item[index].count, values);
}

/* ---- values that sets have in common ---- */

/* The last set that has them releases them. */
static void drop_values(un_params *params) {
    if (!params->values || atomic_fetch_sub(&params->values->sets, 1) > 1) return;
    free(params->values->value);
    free(params->values);
}

static int same_pieces(const un_params *a, const un_params *b) {
    if (a->count != b->count || a->total != b->total) return 0;
    for (size_t i = 0; i < a->count; i++) {
        const un_param *p = &a->item[i], *q = &b->item[i];
        if (strcmp(p->name, q->name) != 0 || p->rank != q->rank || p->offset != q->offset ||
            memcmp(p->shape, q->shape, (size_t)p->rank * sizeof *p->shape) != 0)
            return 0;
    }
    return 1;
}

un_status un_params_share(un_params *params, const un_params *from) {
    if (params->grad || params->packed || from->packed || !from->values ||
        !same_pieces(params, from))
        return un_fail(UNSEEN_E_ARGUMENT, "parameters of another form cannot be shared");
    atomic_fetch_add(&from->values->sets, 1);
    drop_values(params);
    params->values = from->values;
    params->value = from->value;
    un_params_refresh(params);
    return UNSEEN_OK;
}

void un_params_free(un_params *params) {
    forget_panels(params);
    drop_values(params);
    un_arena_free(&params->arena);
    *params = (un_params){0};
}

float *un_param_value(const un_params *params, size_t index) {
    size_t offset = params->item[index].offset;
    return offset == UN_NO_VALUE ? NULL : params->value + offset;
}

float *un_param_grad(const un_params *params, size_t index) {
    return params->grad + params->item[index].offset;
}

const void *un_param_operand(const un_params *params, size_t index, un_dtype type) {
    if (type == UN_BF16)
        return params->value16 ? params->value16 + params->item[index].offset : NULL;
    return un_param_value(params, index);
}

void un_params_refresh_part(un_params *params, size_t begin, size_t end) {
    if (params->value16)
        un_convert_to_bf16(params->value + begin, params->value16 + begin, end - begin);
    if (!params->packed) forget_panels(params);
}

void un_params_refresh(un_params *params) { un_params_refresh_part(params, 0, params->trained); }

un_status un_params_ready(const un_params *params, size_t index) {
    const un_params_watch *watch = &params->watch;
    if (!watch->ready || params->unfinished) return UNSEEN_OK;
    return watch->ready(watch->context, params->item[index].offset);
}

un_status un_params_poll(const un_params *params) {
    const un_params_watch *watch = &params->watch;
    return watch->ready ? watch->ready(watch->context, SIZE_MAX) : UNSEEN_OK;
}

un_status un_optimizer_create_part(un_optimizer *optimizer, const un_optimizer_settings *settings,
                                   size_t total) {
    *optimizer = (un_optimizer){.settings = *settings, .total = total};
    un_status status =
        un_arena_alloc(&optimizer->arena, optimizer->total, sizeof(float), &optimizer->second);
    if (!status && (settings->kind != UN_RMSPROP || settings->momentum != 0))
        status =
            un_arena_alloc(&optimizer->arena, optimizer->total, sizeof(float), &optimizer->first);
    if (status) un_optimizer_free(optimizer);
    return status;
}

un_status un_optimizer_create(un_optimizer *optimizer, const un_optimizer_settings *settings,
                              const un_params *params) {
    return un_optimizer_create_part(optimizer, settings, params->trained);
}

void un_optimizer_free(un_optimizer *optimizer) {
    un_arena_free(&optimizer->arena);
    *optimizer = (un_optimizer){0};
}

void un_optimizer_restart(un_optimizer *optimizer) {
    optimizer->steps = 0;
    memset(optimizer->second, 0, optimizer->total * sizeof(float));
    if (optimizer->first) memset(optimizer->first, 0, optimizer->total * sizeof(float));
}

/* The constants of step t; computed in f64, since 1 - beta2^t cancels. */
static un_update constants(const un_optimizer_settings *s, uint64_t t) {
    un_update u = {.lr = (float)s->lr,
                   .beta1 = (float)s->beta1,
                   .beta2 = (float)s->beta2,
                   .rest1 = (float)(1.0 - s->beta1),
                   .rest2 = (float)(1.0 - s->beta2),
                   .epsilon = (float)s->epsilon,
                   .v_scale = 1.0f,
                   .momentum = (float)s->momentum};
    double correction1 = 1.0 - pow(s->beta1, (double)t);
    double correction2 = 1.0 - pow(s->beta2, (double)t);
    if (s->kind == UN_ADAM) {
        u.lr = (float)(s->lr / correction1);
        u.v_scale = (float)(1.0 / correction2);
    } else if (s->kind == UN_ADAM_TF) {
        u.lr = (float)(s->lr * sqrt(correction2) / correction1);
    }
    return u;
}

double un_optimizer_step(un_optimizer *optimizer, un_params *params) {
    optimizer->steps++;
    return un_optimizer_move(optimizer, params, 0, params->trained, 0);
}

double un_optimizer_move(un_optimizer *optimizer, un_params *params, size_t begin, size_t stop,
                         size_t state) {
    un_update u = constants(&optimizer->settings, optimizer->steps);
    double l2 = 0;
    for (size_t i = 0; i < params->count; i++) {
        const un_param *item = &params->item[i];
        size_t at = item->offset, end = at + item->count;
        if (at >= stop) break;
        if (at < begin) at = begin;
        if (end > stop) end = stop;
        if (at >= end) continue;
        un_bf16 *shadow = params->value16 ? params->value16 + at : NULL;
        float *first = optimizer->first ? optimizer->first + state + (at - begin) : NULL;
        float *second = optimizer->second + state + (at - begin);
        double squares = 0;
        u.decay = item->decay;
        if (optimizer->settings.kind == UN_RMSPROP)
            squares = un_rmsprop_update(&u, params->value + at, params->grad + at, second, first,
                                        shadow, end - at);
        else
            squares = un_adam_update(&u, params->value + at, params->grad + at, first, second,
                                     shadow, end - at);
        l2 += 0.5 * (double)item->decay * squares;
    }
    return l2;
}
