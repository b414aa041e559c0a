/*
 * attend.c - multi-head attention of kernels.h: heads of sequences on all threads, each by the loops
 * of transformer_isa.c or, where the processor multiplies bf16, by those of attend_pairs.c or, in
 * tiles, by blocks of bf16.h.
 *
 * Blocks pack the keys and values of a head once, and go over its queries in blocks: scores live
 * in the cache only, weights become panels of their own there, and backward computes them again. The
 * scores of bf16 queries and keys are as exact as by other loops; weights and gradients of scores are
 * rounded to bf16 before they are multiplied, as every operand of a bf16 product is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/attend_pairs.h"
#include "tensor/bf16.h"
#include "tensor/kernels_isa.h"

static const un_transformer_table *table(void) { return un_isa()->transformer; }

static size_t up(size_t n, size_t unit) { return (n + unit - 1) / unit; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- one head by blocks of bf16.h ---- */

enum {
    BLOCK_PANELS = 2, /* of queries, in a block */
    BLOCK_ROWS = BLOCK_PANELS * BF16_PANEL,
    SLAB = BF16_PANEL * BF16_PANEL
};

typedef struct {
    const un_attend_args *a;
    const un_bf16_way *way;
    attend_place p;    /* long_k: the keys in whole panels */
    size_t keys, deep; /* panels: of keys; of columns, which are steps as well */
    float *free;       /* scratch that nobody took yet */
    float *slab;
} head_job;

/* Panels of `count` steps in all. */
static un_bf16 *take_panels(head_job *h, size_t count) {
    un_bf16 *panels = (un_bf16 *)(void *)h->free;
    h->free += count * BF16_STEP_SIZE / 2;
    return panels;
}

static float *take_floats(head_job *h, size_t count) {
    float *floats = h->free;
    h->free += up(count, 16) * 16;
    return floats;
}

/* Floats of a head's scratch. */
static size_t blocks_scratch(size_t longest, size_t size, int backward) {
    size_t keys = up(longest, BF16_PANEL), deep = up(size, BF16_STEP), step = BF16_STEP_SIZE / 2;
    size_t key_panels = keys * deep * step, query_panels = BLOCK_PANELS * deep * step;
    size_t weight_panels = BLOCK_PANELS * keys * step, scores = BLOCK_ROWS * keys * BF16_PANEL;
    size_t others = SLAB + keys * BF16_PANEL; /* a slab, a row of the mask */
    if (!backward) return 2 * key_panels + query_panels + weight_panels + scores + others;
    return 3 * key_panels + 4 * query_panels + 3 * weight_panels + 2 * scores +
           2 * keys * deep * SLAB + others;
}

static head_job open_head(const un_attend_args *a, const attend_place *place, float *scratch) {
    head_job h = {.a = a, .way = un_bf16_way_here(), .p = *place, .free = scratch};
    h.keys = up(place->keys, BF16_PANEL);
    h.deep = up(place->size, BF16_STEP);
    h.p.long_k = h.keys * BF16_PANEL;
    h.slab = take_floats(&h, SLAB);
    return h;
}

/* `rows` rows of a head's columns. `along`: the sum goes over columns, else over rows. */
static un_bf16_operand columns_of(const head_job *h, const void *x, un_dtype type, size_t first,
                                  size_t ld, size_t rows, int along, int right) {
    size_t at = (first * ld + h->p.head * h->p.size) * un_dtype_size(type);
    return (un_bf16_operand){.moves = h->way->moves,
                             .data = (const unsigned char *)x + at,
                             .ld = ld,
                             .f32 = type == UN_F32,
                             .lines = along ? rows : h->p.size,
                             .k = along ? h->p.size : rows,
                             .along = along,
                             .right = right};
}

/* Rows of weights, or of gradients of scores, as the left operand of a sum over keys or (`along` 0)
 * over queries. */
static un_bf16_operand weights_of(const head_job *h, const float *rows, size_t count, int along) {
    return (un_bf16_operand){.moves = h->way->moves,
                             .data = rows,
                             .ld = h->p.long_k,
                             .f32 = 1,
                             .lines = along ? count : h->p.keys,
                             .k = along ? h->p.keys : count,
                             .along = along};
}

static void pack(const un_bf16_operand *o, un_bf16 *out) {
    size_t steps = up(o->k, BF16_STEP);
    for (size_t i = 0; i < up(o->lines, BF16_PANEL); i++)
        un_bf16_pack_panel(o, i, 0, steps, out + i * steps * BF16_STEP_SIZE);
}

/* scores (rows, long_k) = left right, sums over columns; `left` has panels of rows, `right` of keys. */
static void score(const head_job *h, size_t rows, const un_bf16 *left, const un_bf16 *right,
                  float *scores) {
    size_t panel = h->deep * BF16_STEP_SIZE;
    for (size_t first = 0; first < rows; first += BF16_PANEL, left += panel) {
        size_t count = least(BF16_PANEL, rows - first);
        for (size_t j = 0; j < h->keys; j++) {
            float *to = scores + first * h->p.long_k + j * BF16_PANEL;
            h->way->block(left, right + j * panel, h->deep, h->slab, 0);
            for (size_t r = 0; r < count; r++)
                memcpy(to + r * h->p.long_k, h->slab + r * BF16_PANEL, BF16_PANEL * sizeof *to);
        }
    }
}

/* Rows first.. of the head's columns of `out` from the slab of panel j of columns. */
static void put(const head_job *h, const float *slab, size_t rows, size_t j, un_bf16 *out,
                size_t first, size_t ld) {
    size_t column = j * BF16_PANEL, columns = least(BF16_PANEL, h->p.size - column);
    for (size_t r = 0; r < rows; r++) {
        size_t at = (first + r) * ld + h->p.head * h->p.size + column;
        h->way->moves->narrow(slab + r * BF16_PANEL, out + at, columns);
    }
}

/* out, rows first.. of it, = left right, sums over keys; `left` has panels of rows, `right` of
 * columns. */
static void mix(const head_job *h, size_t rows, const un_bf16 *left, const un_bf16 *right,
                un_bf16 *out, size_t first, size_t ld) {
    size_t panel = h->keys * BF16_STEP_SIZE;
    for (size_t i = 0; i < rows; i += BF16_PANEL, left += panel)
        for (size_t j = 0; j < h->deep; j++) {
            h->way->block(left, right + j * panel, h->keys, h->slab, 0);
            put(h, h->slab, least(BF16_PANEL, rows - i), j, out, first + i, ld);
        }
}

static void blocks_forward(const un_attend_args *a, size_t sequence, size_t head, float *scratch) {
    const attend_place place = attend_find_place(a, sequence, head);
    if (place.queries <= ATTEND_FEW) {
        table()->attend_head(a, sequence, head, scratch);
        return;
    }
    head_job h = open_head(a, &place, scratch);
    const attend_place *p = &h.p;
    un_bf16 *keys = take_panels(&h, h.keys * h.deep), *values = take_panels(&h, h.keys * h.deep);
    un_bf16 *query = take_panels(&h, BLOCK_PANELS * h.deep);
    un_bf16 *weights = take_panels(&h, BLOCK_PANELS * h.keys);
    float *scores = take_floats(&h, BLOCK_ROWS * p->long_k), *mask = take_floats(&h, p->long_k);
    const un_bf16_operand k = columns_of(&h, a->k, a->type, p->first_k, a->ldk, p->keys, 1, 1);
    const un_bf16_operand v = columns_of(&h, a->v, a->type, p->first_k, a->ldk, p->keys, 0, 1);
    pack(&k, keys);
    pack(&v, values);
    for (size_t first = 0; first < p->queries; first += BLOCK_ROWS) {
        size_t rows = least(BLOCK_ROWS, p->queries - first), at = p->first_q + first;
        const un_bf16_operand q = columns_of(&h, a->q, a->type, at, a->ldq, rows, 1, 0);
        const un_bf16_operand w = weights_of(&h, scores, rows, 1);
        pack(&q, query);
        score(&h, rows, query, keys, scores);
        table()->attend_weights(a, p, first, rows, scores, mask);
        pack(&w, weights);
        mix(&h, rows, weights, values, a->out, at, a->heads * p->size);
    }
}

/* Panels of backward: of a head, and of a block of queries. */
typedef struct {
    un_bf16 *keys, *values;                   /* right, sums over columns */
    un_bf16 *key_columns;                     /* right, sums over keys */
    un_bf16 *query, *dout;                    /* left, sums over columns */
    un_bf16 *query_columns, *dout_columns;    /* right, sums over queries */
    un_bf16 *dscores;                         /* left, sums over keys */
    un_bf16 *weights_turned, *dscores_turned; /* left, sums over queries */
    float *s, *ds, *mask;                     /* (BLOCK_ROWS, long_k) */
    float *dk, *dv;                           /* slabs, [panel of keys][panel of columns] */
} back;

/* sums (+)= left right over `steps` of queries; `left` has panels of keys, `right` of columns. */
static void add_queries(const head_job *h, const un_bf16 *left, const un_bf16 *right, size_t steps,
                        int add, float *sums) {
    for (size_t i = 0; i < h->keys; i++)
        for (size_t j = 0; j < h->deep; j++)
            h->way->block(left + i * steps * BF16_STEP_SIZE, right + j * steps * BF16_STEP_SIZE,
                          steps, sums + (i * h->deep + j) * SLAB, add);
}

static void block_backward(const head_job *h, const back *b, size_t first) {
    const un_attend_args *a = h->a;
    const attend_place *p = &h->p;
    size_t rows = least(BLOCK_ROWS, p->queries - first), at = p->first_q + first;
    size_t ld = a->heads * p->size, steps = up(rows, BF16_STEP);
    const struct {
        un_bf16_operand from;
        un_bf16 *to;
    } before[] = {{columns_of(h, a->q, a->type, at, a->ldq, rows, 1, 0), b->query},
                  {columns_of(h, a->q, a->type, at, a->ldq, rows, 0, 1), b->query_columns},
                  {columns_of(h, a->dout, UN_F32, at, ld, rows, 1, 0), b->dout},
                  {columns_of(h, a->dout, UN_F32, at, ld, rows, 0, 1), b->dout_columns}},
      behind[] = {{weights_of(h, b->ds, rows, 1), b->dscores},
                  {weights_of(h, b->ds, rows, 0), b->dscores_turned},
                  {weights_of(h, b->s, rows, 0), b->weights_turned}};
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) pack(&before[i].from, before[i].to);
    score(h, rows, b->query, b->keys, b->s);
    score(h, rows, b->dout, b->values, b->ds);
    for (size_t r = 0; r < rows; r++)
        table()->attend_gradient(a, p, first + r, b->s + r * p->long_k, b->ds + r * p->long_k,
                                 b->mask);
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) pack(&behind[i].from, behind[i].to);
    mix(h, rows, b->dscores, b->key_columns, a->dq, at, a->lddq);
    add_queries(h, b->dscores_turned, b->query_columns, steps, first > 0, b->dk);
    add_queries(h, b->weights_turned, b->dout_columns, steps, first > 0, b->dv);
}

static void blocks_backward(const un_attend_args *a, size_t sequence, size_t head, float *scratch) {
    const attend_place place = attend_find_place(a, sequence, head);
    if (place.queries <= ATTEND_FEW) {
        table()->attend_head_backward(a, sequence, head, scratch);
        return;
    }
    head_job h = open_head(a, &place, scratch);
    const attend_place *p = &h.p;
    size_t of_keys = h.keys * h.deep, of_queries = BLOCK_PANELS * h.deep;
    size_t of_weights = BLOCK_PANELS * h.keys;
    const back b = {.keys = take_panels(&h, of_keys),
                    .values = take_panels(&h, of_keys),
                    .key_columns = take_panels(&h, of_keys),
                    .query = take_panels(&h, of_queries),
                    .dout = take_panels(&h, of_queries),
                    .query_columns = take_panels(&h, of_queries),
                    .dout_columns = take_panels(&h, of_queries),
                    .dscores = take_panels(&h, of_weights),
                    .weights_turned = take_panels(&h, of_weights),
                    .dscores_turned = take_panels(&h, of_weights),
                    .s = take_floats(&h, BLOCK_ROWS * p->long_k),
                    .ds = take_floats(&h, BLOCK_ROWS * p->long_k),
                    .mask = take_floats(&h, p->long_k),
                    .dk = take_floats(&h, of_keys * SLAB),
                    .dv = take_floats(&h, of_keys * SLAB)};
    const struct {
        un_bf16_operand from;
        un_bf16 *to;
    } of_head[] = {
        {columns_of(&h, a->k, a->type, p->first_k, a->ldk, p->keys, 1, 1), b.keys},
        {columns_of(&h, a->k, a->type, p->first_k, a->ldk, p->keys, 0, 1), b.key_columns},
        {columns_of(&h, a->v, a->type, p->first_k, a->ldk, p->keys, 1, 1), b.values}};
    for (size_t i = 0; i < 3; i++) pack(&of_head[i].from, of_head[i].to);
    for (size_t first = 0; first < p->queries; first += BLOCK_ROWS) block_backward(&h, &b, first);
    for (size_t i = 0; i < h.keys; i++) {
        size_t row = i * BF16_PANEL, rows = least(BF16_PANEL, p->keys - row);
        for (size_t j = 0; j < h.deep; j++) {
            size_t at = (i * h.deep + j) * SLAB;
            put(&h, b.dk + at, rows, j, a->dk, p->first_k + row, a->lddk);
            put(&h, b.dv + at, rows, j, a->dv, p->first_k + row, a->lddk);
        }
    }
}

/* ---- one head by pairs ---- */

#if defined(UN_HAVE_X86_ISA)
static void pairs_forward(const un_attend_args *a, size_t sequence, size_t head, float *scratch) {
    const attend_place place = attend_find_place(a, sequence, head);
    if (place.queries <= ATTEND_FEW)
        table()->attend_head(a, sequence, head, scratch);
    else
        un_attend_pairs_forward(a, table(), &place, scratch);
}

static void pairs_backward(const un_attend_args *a, size_t sequence, size_t head, float *scratch) {
    const attend_place place = attend_find_place(a, sequence, head);
    if (place.queries <= ATTEND_FEW)
        table()->attend_head_backward(a, sequence, head, scratch);
    else
        un_attend_pairs_backward(a, table(), &place, scratch);
}
#endif

/* ---- heads on all threads ---- */

typedef struct {
    void (*head)(const un_attend_args *a, size_t sequence, size_t head, float *scratch);
    const un_bf16_way *way; /* whose blocks it takes; or NULL */
    size_t scratch;         /* floats beside those of the loops of transformer_isa.c */
} head_loops;

/* Blocks are for tiles, and for their emulation, which tests them: panels cost more than pairs of
 * rows where a block is not several times as fast. */
static head_loops choose(const un_attend_args *a, size_t longest, int backward) {
    const un_bf16_way *way = a->type == UN_BF16 ? un_bf16_way_here() : NULL;
    if (way && (way->begin || way->block == un_bf16_emulated_tiles))
        return (head_loops){backward ? blocks_backward : blocks_forward, way,
                            blocks_scratch(longest, a->size, backward)};
#if defined(UN_HAVE_X86_ISA)
    if (way && way->native)
        return (head_loops){backward ? pairs_backward : pairs_forward, NULL,
                            un_attend_pairs_scratch(longest, a->size, backward)};
#endif
    return (head_loops){backward ? table()->attend_head_backward : table()->attend_head, NULL, 0};
}

/* The gradient of a bias is summed over the sequences of each part, then over parts: the same
 * order whatever the number of threads. */
enum { BIAS_PARTS = 16 };

typedef struct {
    const un_attend_args *args;
    const un_bf16_way *way; /* or NULL: no tiles */
    float *scratch;
    size_t slots, scratch_size; /* floats of one slot */
    void (*head)(const un_attend_args *a, size_t sequence, size_t head, float *scratch);
    size_t parts, bias_size;
    float *dbias; /* (parts, bias_size) */
} attend_job;

static void attend_slot(size_t begin, size_t end, un_slot slot, void *context) {
    const attend_job *j = context;
    size_t heads = j->args->heads;
    if (j->way && j->way->begin) j->way->begin();
    for (size_t i = begin; i < end; i++)
        j->head(j->args, i / heads, i % heads, j->scratch + slot.index * j->scratch_size);
    if (j->way && j->way->end) j->way->end();
}

static void attend_part_slot(size_t begin, size_t end, un_slot slot, void *context) {
    const attend_job *j = context;
    if (j->way && j->way->begin) j->way->begin();
    for (size_t i = begin; i < end; i++) {
        size_t part = i / j->args->heads, n = j->args->sequences;
        un_attend_args a = *j->args;
        a.dbias = j->dbias + part * j->bias_size;
        for (size_t s = part * n / j->parts; s < (part + 1) * n / j->parts; s++)
            j->head(&a, s, i % a.heads, j->scratch + slot.index * j->scratch_size);
    }
    if (j->way && j->way->end) j->way->end();
}

static un_status attend_in_parts(attend_job *j, size_t keys) {
    const un_attend_args *a = j->args;
    if (a->sequences == 0) return UNSEEN_OK;
    j->parts = a->sequences < BIAS_PARTS ? a->sequences : BIAS_PARTS;
    j->bias_size = a->heads * keys * (a->q_start[1] - a->q_start[0]);
    UN_TRY(un_alloc(j->parts, j->bias_size * sizeof(float), &j->dbias));
    un_parallel_slots(j->parts * a->heads, j->slots, attend_part_slot, j);
    for (size_t p = 0; p < j->parts; p++)
        un_add(j->dbias + p * j->bias_size, a->dbias, j->bias_size);
    free(j->dbias);
    return UNSEEN_OK;
}

/* A bias belongs to sequences that are all as long as the first. */
static un_status check_lengths(const un_attend_args *a) {
    for (size_t s = 1; s < a->sequences; s++)
        if (a->q_start[s + 1] - a->q_start[s] != a->q_start[1] - a->q_start[0] ||
            a->k_start[s + 1] - a->k_start[s] != a->k_start[1] - a->k_start[0])
            return un_fail(UNSEEN_E_ARGUMENT, "attention: a bias, but sequences differ in length");
    return UNSEEN_OK;
}

static un_status attend(const un_attend_args *a, int backward) {
    attend_job j = {.args = a};
    size_t longest = 0;
    if (a->bias || a->dbias) UN_TRY(check_lengths(a));
    for (size_t s = 0; s < a->sequences; s++) {
        size_t keys = a->k_start[s + 1] - a->k_start[s];
        if (keys == 0 && a->q_start[s + 1] > a->q_start[s])
            return un_fail(UNSEEN_E_ARGUMENT, "attention: sequence %zu has no keys", s);
        if (keys > longest) longest = keys;
    }
    const head_loops loops = choose(a, longest, backward);
    size_t usual = attend_scratch_size(longest, a->size, backward);
    j.way = loops.way;
    j.head = loops.head;
    j.scratch_size = up(usual > loops.scratch ? usual : loops.scratch, 16) * 16;
    j.slots = un_slot_count(a->sequences * a->heads, 1);
    UN_TRY(un_alloc(j.slots, j.scratch_size * sizeof(float), &j.scratch));
    un_status status = UNSEEN_OK;
    if (backward && a->dbias)
        status = attend_in_parts(&j, longest);
    else
        un_parallel_slots(a->sequences * a->heads, j.slots, attend_slot, &j);
    free(j.scratch);
    return status;
}

un_status un_attend_forward(const un_attend_args *a) { return attend(a, 0); }
un_status un_attend_backward_heads(const un_attend_args *a) { return attend(a, 1); }
