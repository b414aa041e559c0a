/*
 * bf16_product.c - the loops around a way's blocks.
 *
 * Threads take blocks of rows of A, pack each into panels of their own, and go over the panels of B:
 * a chunk of a B panel stays in L1 while every A panel of the block is multiplied with it. Sums stay
 * in slabs of 32 x 32 until they are whole. Long sums are cut along k, and their slabs kept between
 * the parts, so that a block's panels stay in L2.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"

enum {
    BLOCK_PANELS = 6,  /* A panels of a block: 192 rows */
    BLOCK_STEPS = 512, /* panels times steps of a block: 1 MiB, half of L2 */
    PART_STEPS = 96,   /* about so many steps of k in a part, where k is cut */
    WHOLE_STEPS = 128, /* longer sums are cut */
    CHUNK = 16,        /* steps of a B panel that stay in L1: 32 KiB */
    SLAB = BF16_PANEL * BF16_PANEL,
    STREAM_BYTES = 1 << 20, /* of C, from which on it would only push out what is read again */
    HUGE_PAGE = 1 << 21
};

static size_t up(size_t n, size_t unit) { return (n + unit - 1) / unit; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- panels ---- */

/* `count` <= limit of the elements from `at` on. */
static size_t left_over(size_t all, size_t at, size_t limit) {
    return at >= all ? 0 : least(all - at, limit);
}

typedef struct {
    const un_bf16_moves *moves;
    const un_bf16 *data;
    size_t ld, lines, k;
    int along; /* a line's elements lie side by side */
    int right; /* panels of B */
} operand;

static void pack_tile(const operand *o, size_t line, size_t k, un_bf16 *tile) {
    size_t lines = left_over(o->lines, line, 16), depth = left_over(o->k, k, BF16_STEP);
    if (lines == 0 || depth == 0) {
        memset(tile, 0, BF16_TILE * sizeof *tile);
    } else if (o->along) {
        o->moves->copy_rows(o->data + line * o->ld + k, o->ld, lines, depth, tile);
        if (o->right) o->moves->transpose(tile);
    } else {
        o->moves->pair_rows(o->data + k * o->ld + line, o->ld, depth, lines, tile);
        if (!o->right) o->moves->transpose(tile);
    }
}

/* Steps first.. of panel `panel`. */
static void pack_panel(const operand *o, size_t panel, size_t first, size_t steps, un_bf16 *out) {
    for (size_t s = 0; s < steps; s++)
        for (size_t t = 0; t < 2; t++)
            pack_tile(o, panel * BF16_PANEL + 16 * t, (first + s) * BF16_STEP,
                      out + s * BF16_STEP_SIZE + t * BF16_TILE);
}

typedef struct {
    operand from;
    size_t first, steps;
    un_bf16 *out;
} packing;

static void pack_range(size_t begin, size_t end, void *context) {
    const packing *p = context;
    for (size_t i = begin; i < end; i++)
        pack_panel(&p->from, i, p->first, p->steps, p->out + i * p->steps * BF16_STEP_SIZE);
}

size_t un_bf16_packed_size(size_t lines, size_t k) {
    return up(lines, BF16_PANEL) * up(k, BF16_STEP) * BF16_STEP_SIZE;
}

void un_bf16_pack_right(const un_bf16_way *way, int trans_b, size_t n, size_t k, const un_bf16 *b,
                        size_t ldb, un_bf16 *out) {
    packing p = {{way->moves, b, ldb, n, k, trans_b, 1}, 0, up(k, BF16_STEP), out};
    un_parallel_for(up(n, BF16_PANEL), 1, pack_range, &p);
}

/* ---- working memory: one piece is kept for the next product ---- */

typedef struct {
    void *data;
    int kept;
} scratch;

static struct {
    atomic_flag busy;
    void *data;
    size_t size;
} g_kept = {.busy = ATOMIC_FLAG_INIT};

static un_status reserve(size_t size, scratch *out) {
    int mine = !atomic_flag_test_and_set(&g_kept.busy);
    if (mine && g_kept.size >= size) {
        *out = (scratch){g_kept.data, 1};
        return UNSEEN_OK;
    }
    size = up(size, HUGE_PAGE) * HUGE_PAGE;
    void *data = aligned_alloc(HUGE_PAGE, size);
    if (!data) {
        if (mine) atomic_flag_clear(&g_kept.busy);
        return un_fail_memory(size);
    }
    madvise(data, size, MADV_HUGEPAGE); /* a hint: fewer misses of address translation */
    if (mine) {
        free(g_kept.data);
        g_kept.data = data;
        g_kept.size = size;
    }
    *out = (scratch){data, mine};
    return UNSEEN_OK;
}

static void release(scratch s) {
    if (s.kept)
        atomic_flag_clear(&g_kept.busy);
    else
        free(s.data);
}

/* ---- the product ---- */

typedef struct {
    const un_bf16_way *way;
    operand left;
    un_bf16_output out;
    const un_bf16 *right;       /* panels of B, of right_steps steps each */
    size_t right_steps, offset; /* steps before this part's first in a panel of `right` */
    size_t first, steps;        /* this part of k, in steps */
    int begins, ends;           /* whether it is the first part, the last one */
    size_t row_panels, column_panels, panels; /* panels: of A in a block */
    size_t row_blocks, groups, group;         /* groups of `group` B panels */
    float *sums;     /* slabs that are kept between parts, [row panel][column panel]; or NULL */
    un_bf16 *packed; /* a block's panels, one piece for each slot */
    atomic_size_t next;
} nest;

typedef struct {
    size_t row, panels; /* first A panel, how many */
    size_t column, end; /* B panels */
    un_bf16 *left;
    float *slabs;
} block;

static float *slab_of(const nest *n, const block *b, size_t i, size_t column) {
    if (!n->sums) return b->slabs + i * SLAB;
    return n->sums + ((b->row + i) * n->column_panels + column) * SLAB;
}

/* One B panel with all A panels of the block. Every second chunk goes through them backwards, since
 * the last one's slab and panel are the nearest. */
static void multiply_panel(const nest *n, const block *b, size_t column) {
    const un_bf16 *right = n->right + (column * n->right_steps + n->offset) * BF16_STEP_SIZE;
    for (size_t s = 0, turn = 0; s < n->steps; s += CHUNK, turn++) {
        size_t steps = least(CHUNK, n->steps - s);
        for (size_t at = 0; at < b->panels; at++) {
            size_t i = turn % 2 ? b->panels - 1 - at : at;
            n->way->block(b->left + (i * n->steps + s) * BF16_STEP_SIZE, right + s * BF16_STEP_SIZE,
                          steps, slab_of(n, b, i, column), s > 0 || !n->begins);
        }
    }
    if (!n->ends) return;
    for (size_t i = 0; i < b->panels; i++)
        n->way->moves->finish(&n->out, slab_of(n, b, i, column), (b->row + i) * BF16_PANEL,
                              column * BF16_PANEL);
}

static void run_slot(size_t begin, size_t end, un_slot slot, void *context) {
    nest *n = context;
    float slabs[BLOCK_PANELS * SLAB] __attribute__((aligned(64)));
    size_t packed = BLOCK_STEPS * BF16_STEP_SIZE, before = SIZE_MAX, job;
    block b = {.left = n->packed + slot.index * packed, .slabs = slabs};
    (void)begin;
    (void)end;
    if (n->way->begin) n->way->begin();
    while ((job = atomic_fetch_add(&n->next, 1)) < n->row_blocks * n->groups) {
        size_t rows = job / n->groups, group = job % n->groups;
        b.row = rows * n->panels;
        b.panels = least(n->panels, n->row_panels - b.row);
        if (rows != before)
            for (size_t i = 0; i < b.panels; i++)
                pack_panel(&n->left, b.row + i, n->first, n->steps,
                           b.left + i * n->steps * BF16_STEP_SIZE);
        before = rows;
        b.column = group * n->group;
        b.end = least(b.column + n->group, n->column_panels);
        for (size_t j = b.column; j < b.end; j++) multiply_panel(n, &b, j);
    }
    if (n->way->end) n->way->end();
    n->way->moves->fence();
}

/* Blocks of rows, and where these are too few for the threads, groups of columns beside them. */
static void divide(nest *n, size_t threads) {
    size_t most = BLOCK_STEPS / n->steps;
    n->panels = most < 1 ? 1 : least(most, BLOCK_PANELS);
    while (n->panels > 1 && up(n->row_panels, n->panels) < 2 * threads && n->column_panels < 4)
        n->panels--;
    n->row_blocks = up(n->row_panels, n->panels);
    /* An even share of rows for each: no thread waits for one more whole block. */
    n->panels = up(n->row_panels, n->row_blocks);
    n->row_blocks = up(n->row_panels, n->panels);
    size_t wanted = n->row_blocks >= 4 * threads ? 1 : up(4 * threads, n->row_blocks);
    n->group = up(n->column_panels, least(wanted, n->column_panels));
    n->groups = up(n->column_panels, n->group);
}

static int may_stream(const un_gemm_args *args, size_t ldc) {
    size_t size = un_dtype_size(args->output);
    return !args->accumulate && args->m * args->n * size >= STREAM_BYTES &&
           (uintptr_t)args->c % 64 == 0 && ldc * size % 64 == 0;
}

un_status un_bf16_multiply(const un_bf16_way *way, const un_gemm_args *args, const un_bf16 *right) {
    size_t lda = args->lda ? args->lda : (args->trans_a ? args->m : args->k);
    size_t ldb = args->ldb ? args->ldb : (args->trans_b ? args->k : args->n);
    size_t ldc = args->ldc ? args->ldc : args->n;
    size_t steps = up(args->k, BF16_STEP);
    size_t parts = steps > WHOLE_STEPS ? up(steps, PART_STEPS) : 1, part = up(steps, parts);
    nest n = {
        .way = way,
        .left = {way->moves, args->a, lda, args->m, args->k, !args->trans_a, 0},
        .out = {args->c, args->output, args->m, args->n, ldc, args->bias, args->relu, args->gelu,
                args->accumulate, may_stream(args, ldc)},
        .row_panels = up(args->m, BF16_PANEL),
        .column_panels = up(args->n, BF16_PANEL),
        .steps = part,
    };
    size_t threads = (size_t)un_thread_count();
    divide(&n, threads);
    size_t slots = un_slot_count(least(threads, n.row_blocks * n.groups), 1);
    size_t left_size = slots * BLOCK_STEPS * BF16_STEP_SIZE * sizeof(un_bf16);
    size_t sums_size = parts > 1 ? n.row_panels * n.column_panels * SLAB * sizeof(float) : 0;
    size_t right_size = right ? 0 : n.column_panels * part * BF16_STEP_SIZE * sizeof(un_bf16);
    scratch memory = {0};
    UN_TRY(reserve(left_size + sums_size + right_size, &memory));
    n.packed = memory.data;
    if (parts > 1) n.sums = (float *)(void *)((char *)memory.data + left_size);
    un_bf16 *own = (un_bf16 *)(void *)((char *)memory.data + left_size + sums_size);
    packing p = {{way->moves, args->b, ldb, args->n, args->k, args->trans_b, 1}, 0, 0, own};
    n.right = right ? right : own;
    for (size_t at = 0; at < steps; at += part) {
        n.first = at;
        n.steps = least(part, steps - at);
        n.begins = at == 0;
        n.ends = at + n.steps == steps;
        n.right_steps = right ? steps : n.steps;
        n.offset = right ? at : 0;
        if (!right) {
            p.first = at;
            p.steps = n.steps;
            un_parallel_for(n.column_panels, 1, pack_range, &p);
        }
        atomic_store(&n.next, 0);
        un_parallel_slots(slots, slots, run_slot, &n);
    }
    release(memory);
    return UNSEEN_OK;
}
