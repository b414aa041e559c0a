/* network.c - DEDN's sets of matrices, folded, forward and backward. See dedn.h. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/parallel.h"
#include "method/dedn/dedn.h"
#include "tensor/kernels.h"

/* ---- the sets ---- */

/* H_1 (E, F), H_2 (E, F), H_3 (E, R), H_4 (E, R); or with a bottleneck H_1 (E, b), H_2 (E, F), H_3
 * (b, F), H_4 (E, R), H_5 (E, R): the published code's names. */
static un_status declare(dedn *n, dedn_set *set, const char *name) {
    const dedn_settings *s = &n->settings;
    const size_t v[] = {set->rows, n->E}, ef[] = {n->E, n->F}, er[] = {n->E, n->R},
                 eb[] = {n->E, s->bottleneck}, bf[] = {s->bottleneck, n->F};
    const struct {
        int there;
        const char *name;
        const size_t *shape;
        size_t *index;
    } all[] = {{1, "V", v, &set->v},
               {s->path[DEDN_REGION], "H_1", s->bottleneck ? eb : ef, &set->values},
               {s->path[DEDN_REGION], "H_2", ef, &set->logits},
               {s->path[DEDN_REGION] && s->bottleneck, "H_3", bf, &set->factor},
               {s->path[DEDN_CHANNEL], s->bottleneck ? "H_4" : "H_3", er, &set->channel_values},
               {s->path[DEDN_CHANNEL], s->bottleneck ? "H_5" : "H_4", er, &set->channel_logits}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char full[48];
        snprintf(full, sizeof full, "%s.%s", name, all[i].name);
        if (all[i].there)
            UN_TRY(un_params_add(&n->base.params, full, 2, all[i].shape, s->decay, all[i].index));
    }
    return UNSEEN_OK;
}

/* Rows of the stack: the coarse expert's, then each group's. */
static un_status make_sets(dedn *n) {
    const int *expert = n->settings.expert;
    size_t at = 0;
    n->sets = (size_t)expert[DEDN_COARSE] + n->groups.count;
    UN_TRY(un_arena_alloc(&n->arena, n->sets, sizeof *n->set, &n->set));
    UN_TRY(un_arena_alloc(&n->arena, n->N, sizeof *n->order, &n->order));
    dedn_set *set = n->set;
    n->expert_first[DEDN_COARSE] = 0;
    if (expert[DEDN_COARSE]) {
        *set++ = (dedn_set){.rows = n->A};
        for (; at < n->A; at++) n->order[at] = at;
    }
    n->expert_first[DEDN_FINE] = at;
    for (size_t g = 0; g < n->groups.count; g++, set++) {
        set->first = at;
        for (size_t i = 0; i < n->A; i++)
            if (n->groups.group_of[i] == g) n->order[at++] = i;
        set->rows = at - set->first;
    }
    return UNSEEN_OK;
}

un_status un_dedn_network_create(dedn *n) {
    char name[32] = "GNet";
    n->N = n->A * (size_t)(n->settings.expert[DEDN_COARSE] + n->settings.expert[DEDN_FINE]);
    n->shape.attributes = n->settings.path[DEDN_REGION] ? n->N : 0;
    UN_TRY(make_sets(n));
    for (size_t i = 0; i < n->sets; i++) {
        size_t coarse = (size_t)n->settings.expert[DEDN_COARSE];
        if (i >= coarse) snprintf(name, sizeof name, "Snet%zu", i - coarse);
        UN_TRY(declare(n, &n->set[i], name));
    }
    UN_TRY(un_params_allocate(&n->base.params, n->data != NULL, 0));
    if (n->settings.bottleneck && n->settings.path[DEDN_REGION]) {
        size_t count = n->N * n->settings.bottleneck;
        UN_TRY(un_arena_alloc(&n->arena, count, sizeof(float), &n->middle));
        if (n->data) UN_TRY(un_arena_alloc(&n->arena, count, sizeof(float), &n->dmiddle));
    }
    if (n->settings.path[DEDN_CHANNEL]) UN_TRY(un_dedn_channels_create(n, &n->channels));
    if (!n->settings.path[DEDN_REGION]) return UNSEEN_OK;
    return un_region_matrix_create(&n->folded, &n->shape, n->data != NULL);
}

void un_dedn_network_free(dedn *n) {
    un_region_matrix_free(&n->folded);
    un_dedn_channels_free(&n->channels);
}

/* ---- folding ---- */

/* What is done to each set. Products of so few operations take less time than all threads take to
 * start on them: such sets are shared out, a whole one to a thread. */
typedef un_status (*set_function)(dedn *n, const dedn_set *set);
enum { FEW_OPERATIONS = 1 << 24 };

typedef struct {
    dedn *n;
    set_function function;
} sets_job;

static int is_small(const dedn *n, const dedn_set *set) {
    size_t width = n->settings.path[DEDN_REGION] ? n->F : n->R;
    return 2 * set->rows * n->E * width <= FEW_OPERATIONS;
}

static un_status do_if_small(size_t item, un_slot slot, void *context) {
    const sets_job *j = context;
    const dedn_set *set = &j->n->set[item];
    (void)slot;
    return is_small(j->n, set) ? j->function(j->n, set) : UNSEEN_OK;
}

static un_status for_sets(dedn *n, set_function function) {
    sets_job j = {n, function};
    size_t large = 0;
    for (size_t i = 0; i < n->sets; i++) {
        if (is_small(n, &n->set[i])) continue;
        UN_TRY(function(n, &n->set[i]));
        large++;
    }
    if (large == n->sets) return UNSEEN_OK;
    return un_parallel_try(n->sets, un_slot_count(n->sets, 1), do_if_small, &j);
}

/* The region path's rows of Q: values first, then logits; behind a bottleneck the values are those of
 * V H_1. */
static void region_parts(const dedn *n, const dedn_set *set, un_region_part out[2]) {
    const un_params *p = &n->base.params;
    size_t b = n->settings.bottleneck, values = b ? set->factor : set->values;
    float *v = un_param_value(p, set->v), *dv = p->grad ? un_param_grad(p, set->v) : NULL;
    out[0] = (un_region_part){.first = set->first,
                              .rows = set->rows,
                              .vector_width = b ? b : n->E,
                              .v = b ? n->middle + set->first * b : v,
                              .w = un_param_value(p, values),
                              .dv = b && dv ? n->dmiddle + set->first * b : dv,
                              .dw = p->grad ? un_param_grad(p, values) : NULL};
    out[1] = (un_region_part){.first = n->N + set->first,
                              .rows = set->rows,
                              .vector_width = n->E,
                              .v = v,
                              .w = un_param_value(p, set->logits),
                              .dv = dv,
                              .dw = p->grad ? un_param_grad(p, set->logits) : NULL};
}

/* out (rows, width), rows `ld` apart, = V (rows, E) times matrix (E, width), in f32. */
static un_status times_matrix(const dedn *n, const dedn_set *set, size_t matrix, size_t width,
                              float *out, size_t ld) {
    const un_params *p = &n->base.params;
    const un_gemm_args product = {.m = set->rows,
                                  .n = width,
                                  .k = n->E,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = un_param_value(p, set->v),
                                  .b = un_param_value(p, matrix),
                                  .c = out,
                                  .ldc = ld};
    return un_gemm(&product);
}

/* Its way back: the matrix' gradient, and what it adds to that of V. */
static un_status times_matrix_backward(const dedn *n, const dedn_set *set, size_t matrix,
                                       size_t width, const float *dout, size_t ld) {
    const un_params *p = &n->base.params;
    const un_gemm_args weights = {.m = n->E,
                                  .n = width,
                                  .k = set->rows,
                                  .trans_a = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = un_param_value(p, set->v),
                                  .b = dout,
                                  .ldb = ld,
                                  .c = un_param_grad(p, matrix)};
    UN_TRY(un_gemm(&weights));
    const un_gemm_args vectors = {.m = set->rows,
                                  .n = n->E,
                                  .k = width,
                                  .trans_b = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = dout,
                                  .lda = ld,
                                  .b = un_param_value(p, matrix),
                                  .c = un_param_grad(p, set->v),
                                  .accumulate = 1};
    return un_gemm(&vectors);
}

static un_status fold_set(dedn *n, const dedn_set *set) {
    size_t b = n->settings.bottleneck, ld = 2 * n->R;
    if (n->settings.path[DEDN_CHANNEL]) {
        float *u = n->channels.u + 2 * set->first * n->R;
        UN_TRY(times_matrix(n, set, set->channel_logits, n->R, u, ld));
        UN_TRY(times_matrix(n, set, set->channel_values, n->R, u + n->R, ld));
    }
    if (!n->settings.path[DEDN_REGION]) return UNSEEN_OK;
    un_region_part part[2];
    region_parts(n, set, part);
    if (b) UN_TRY(times_matrix(n, set, set->values, b, n->middle + set->first * b, b));
    UN_TRY(un_region_fold(&n->folded, &part[0]));
    return un_region_fold(&n->folded, &part[1]);
}

un_status un_dedn_fold(dedn *n) {
    size_t images = n->data ? n->settings.draws.size : 1;
    UN_TRY(for_sets(n, fold_set));
    return n->settings.path[DEDN_REGION] ? un_region_matrix_pack(&n->folded, images * n->R)
                                         : UNSEEN_OK;
}

static un_status unfold_set(dedn *n, const dedn_set *set) {
    size_t b = n->settings.bottleneck, ld = 2 * n->R;
    memset(un_param_grad(&n->base.params, set->v), 0, set->rows * n->E * sizeof(float));
    if (n->settings.path[DEDN_CHANNEL]) {
        const float *du = n->channels.du + 2 * set->first * n->R;
        UN_TRY(times_matrix_backward(n, set, set->channel_logits, n->R, du, ld));
        UN_TRY(times_matrix_backward(n, set, set->channel_values, n->R, du + n->R, ld));
    }
    if (!n->settings.path[DEDN_REGION]) return UNSEEN_OK;
    un_region_part part[2];
    region_parts(n, set, part);
    float *dmiddle = b ? n->dmiddle + set->first * b : NULL;
    if (b) memset(dmiddle, 0, set->rows * b * sizeof *dmiddle);
    UN_TRY(un_region_unfold(&n->folded, &part[0]));
    UN_TRY(un_region_unfold(&n->folded, &part[1]));
    return b ? times_matrix_backward(n, set, set->values, b, dmiddle, b) : UNSEEN_OK;
}

/* ---- batches ---- */

static un_status reserve_expert(const dedn *n, dedn_batch *b, size_t x, size_t images,
                                int training) {
    size_t f = sizeof(float), scores = images * b->classes->count;
    for (size_t j = 0; j < DEDN_PATHS; j++) {
        UN_TRY(un_arena_alloc(&b->arena, images * n->A, f, &b->psi[x][j]));
        if (training) UN_TRY(un_arena_alloc(&b->arena, images * n->A, f, &b->dpsi[x][j]));
    }
    if (!training) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(&b->arena, scores, f, &b->s[x]));
    return un_arena_alloc(&b->arena, scores, f, &b->ds[x]);
}

un_status un_dedn_batch_create(const dedn *n, dedn_batch *b, const un_class_rows *classes,
                               size_t images, int training) {
    size_t f = sizeof(float), sums = 2 * n->N * n->R;
    size_t own = training ? n->part.count : images;
    b->classes = classes;
    b->first = training ? n->part.first : 0;
    UN_TRY(un_arena_alloc(&b->arena, images * n->A, f, &b->mixed));
    for (size_t x = 0; x < DEDN_EXPERTS; x++)
        if (n->settings.expert[x]) UN_TRY(reserve_expert(n, b, x, images, training));
    if (n->settings.path[DEDN_CHANNEL]) {
        UN_TRY(un_arena_alloc(&b->arena, own * n->N, f, &b->channel_psi));
        UN_TRY(un_arena_alloc(&b->arena, (training ? own : 1) * sums, f, &b->sums));
        if (training) UN_TRY(un_arena_alloc(&b->arena, own * n->N, f, &b->channel_dpsi));
    }
    return un_region_batch_create(&b->look, &n->shape, own, training ? n->data->features : NULL);
}

void un_dedn_batch_free(dedn_batch *b) {
    un_region_batch_free(&b->look);
    un_arena_free(&b->arena);
    *b = (dedn_batch){0};
}

/* ---- forward ---- */

/* Between the stack's order, (B, N), and the attributes' of one expert, (B, A). */
static void from_stack(const dedn *n, size_t x, const float *stack, size_t images, float *psi) {
    const size_t *order = n->order + n->expert_first[x];
    for (size_t b = 0; b < images; b++, psi += n->A)
        for (size_t i = 0; i < n->A; i++) psi[order[i]] = stack[b * n->N + n->expert_first[x] + i];
}

static void to_stack(const dedn *n, size_t x, const float *psi, size_t images, float *stack) {
    const size_t *order = n->order + n->expert_first[x];
    for (size_t b = 0; b < images; b++, psi += n->A)
        for (size_t i = 0; i < n->A; i++) stack[b * n->N + n->expert_first[x] + i] = psi[order[i]];
}

un_status un_dedn_forward(dedn *n, dedn_batch *b, size_t images) {
    if (n->settings.path[DEDN_REGION])
        UN_TRY(un_region_forward(&b->look, &n->folded, images));
    else
        un_region_lengths(&b->look, images);
    if (n->settings.path[DEDN_CHANNEL]) UN_TRY(un_dedn_channels_forward(n, b, images));
    for (size_t x = 0; x < DEDN_EXPERTS; x++)
        for (size_t j = 0; j < DEDN_PATHS; j++)
            if (n->settings.expert[x] && n->settings.path[j])
                from_stack(n, x, j == DEDN_REGION ? b->look.psi : b->channel_psi, images,
                           b->psi[x][j] + b->first * n->A);
    return UNSEEN_OK;
}

un_status un_dedn_train_scores(const dedn *n, dedn_batch *b, size_t images) {
    for (size_t x = 0; x < DEDN_EXPERTS; x++) {
        if (!n->settings.expert[x]) continue;
        for (size_t i = 0; i < images * n->A; i++) /* a path that there is not stays 0 */
            b->mixed[i] = b->psi[x][DEDN_REGION][i] + b->psi[x][DEDN_CHANNEL][i];
        UN_TRY(un_class_rows_score(b->classes, b->mixed, images, b->s[x]));
    }
    return UNSEEN_OK;
}

un_status un_dedn_backward(dedn *n, dedn_batch *b, size_t images) {
    for (size_t x = 0; x < DEDN_EXPERTS; x++)
        for (size_t j = 0; j < DEDN_PATHS; j++)
            if (n->settings.expert[x] && n->settings.path[j])
                to_stack(n, x, b->dpsi[x][j] + b->first * n->A, images,
                         j == DEDN_REGION ? b->look.dpsi : b->channel_dpsi);
    if (n->settings.path[DEDN_REGION]) UN_TRY(un_region_backward(&b->look, &n->folded, images));
    if (n->settings.path[DEDN_CHANNEL]) un_dedn_channels_backward(n, b, images);
    return for_sets(n, unfold_set);
}
