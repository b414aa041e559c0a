/*
 * bf16_product.c - the loops around a way's blocks.
 *
 * Threads take blocks of rows of A, pack each into panels of their own, and go over the panels of B:
 * a chunk of a B panel stays in L1 while every A panel of the block is multiplied with it. B is packed
 * beforehand; where there is but one block, by the thread that is about to multiply. Sums stay in slabs
 * of 32 x 32 until they are whole. Long sums are cut along k, and their slabs kept between the parts, so
 * that a block's panels stay in L2. Ways that multiply in f32 widen a block of A once for all of B, and
 * a chunk of B once for all panels of the block.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"

enum {
    BLOCK_PANELS = 6,      /* A panels of a block: 192 rows */
    LEAST_CACHE = 1 << 19, /* bytes of L2 */
    USUAL_CACHE = 1 << 20,
    MOST_CACHE = 1 << 21,
    WHOLE_STEPS = 128,       /* longer sums are cut along k */
    WIDE_CACHE = MOST_CACHE, /* for ways that widen B's chunks once for all panels of a block */
    CHUNK = BF16_CHUNK,      /* a multiple of BF16_WIDE */
    SLAB = BF16_PANEL * BF16_PANEL,
    STREAM_BYTES = 1 << 20, /* of C, from which on it would only push out what is read again */
    PAGE = 1 << 12,
    KEPT_BYTES = 1 << 27, /* that a thread keeps at most */
    PATIENCE = 1024       /* products, about as many as the longest training steps have */
};

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Panels times steps that half of L2 holds: a block's, and those of a group of B that is packed near.
 * Ways that widen have larger blocks, as measured. No sum depends on it. */
static size_t near_steps(const un_bf16_way *way) {
    static atomic_long known;
    long cache = atomic_load(&known);
    if (cache == 0) {
#if defined(_SC_LEVEL2_CACHE_SIZE)
        cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
        if (cache <= 0) cache = USUAL_CACHE;
        if (cache < LEAST_CACHE) cache = LEAST_CACHE;
        if (cache > MOST_CACHE) cache = MOST_CACHE;
        atomic_store(&known, cache);
    }
    if (un_bf16_widens(way)) cache = WIDE_CACHE;
    return (size_t)cache / 2 / (BF16_STEP_SIZE * sizeof(un_bf16));
}

/* Steps of a part where k is cut: blocks have as many panels as they may, each of which B's part, from
 * beyond L2, meets. Whole chunks, since a row of A is summed chunk by chunk. */
static size_t part_steps(const un_bf16_way *way) {
    size_t chunks = near_steps(way) / BLOCK_PANELS / CHUNK;
    return (chunks > 0 ? chunks : 1) * CHUNK;
}

/* ---- working memory: a thread keeps it for its next product, until it ends ---- */

typedef struct {
    void *data;
    size_t size;
    int kept;
} memory;

typedef struct {
    memory piece;
    size_t products, largest; /* so many have been counted, and what the largest of them needed */
    int registered, lent;
} kept_memory;

static _Thread_local kept_memory t_kept;
static pthread_key_t g_key; /* for the end of threads */
static int g_has_key;

/* Pages of the system's: what malloc gets back of such a size it learns to keep. */
static void *map_huge(size_t size) {
    char *room =
        mmap(NULL, size + UN_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return NULL;
    size_t before = (UN_HUGE_PAGE - (uintptr_t)room % UN_HUGE_PAGE) % UN_HUGE_PAGE;
    if (before) munmap(room, before);
    munmap(room + before + size, UN_HUGE_PAGE - before);
    un_want_huge_pages(room + before, size);
    return room + before;
}

static memory allocate(size_t size) {
    const size_t unit = size < UN_HUGE_PAGE ? PAGE : UN_HUGE_PAGE;
    memory m = {.size = size ? un_bf16_units(size, unit) * unit : unit};
    m.data = unit == PAGE ? aligned_alloc(PAGE, m.size) : map_huge(m.size);
    return m;
}

static void give_back(memory *m) {
    if (m->size < UN_HUGE_PAGE)
        free(m->data);
    else
        munmap(m->data, m->size);
    *m = (memory){0};
}

static void end_thread(void *data) {
    kept_memory *kept = data;
    give_back(&kept->piece);
    kept->registered = 0;
}

static void create_key(void) { g_has_key = pthread_key_create(&g_key, end_thread) == 0; }

/* A host may unload the library before its threads end. */
__attribute__((destructor)) static void forget_threads(void) {
    if (g_has_key) pthread_key_delete(g_key);
}

/* This thread's, if its end will give it back. */
static kept_memory *own_memory(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    kept_memory *kept = &t_kept;
    if (!kept->registered) {
        pthread_once(&once, create_key);
        kept->registered = g_has_key && pthread_setspecific(g_key, kept) == 0;
    }
    return kept->registered && !kept->lent ? kept : NULL;
}

/* What is more than four times as much as PATIENCE products in turn needed is given back. */
static void count_product(kept_memory *kept, size_t size) {
    if (size > kept->largest) kept->largest = size;
    if (++kept->products < PATIENCE) return;
    if (kept->piece.size > UN_HUGE_PAGE && kept->piece.size / 4 > kept->largest)
        give_back(&kept->piece);
    kept->products = kept->largest = 0;
}

/* Returned by the same thread with release(). */
static un_status reserve(size_t size, memory *out) {
    kept_memory *kept = size <= KEPT_BYTES ? own_memory() : NULL;
    if (kept) count_product(kept, size);
    if (kept && kept->piece.data && kept->piece.size >= size) {
        kept->lent = 1;
        *out = kept->piece;
        return UNSEEN_OK;
    }
    if (kept) give_back(&kept->piece);
    *out = allocate(size);
    if (!out->data) return un_fail_memory(size);
    if (!kept) return UNSEEN_OK;
    out->kept = kept->lent = 1;
    kept->piece = *out;
    return UNSEEN_OK;
}

static void release(memory *m) {
    if (m->kept)
        t_kept.lent = 0;
    else
        give_back(m);
}

/* ---- the product ---- */

typedef struct {
    const un_bf16_way *way;
    un_bf16_operand left;
    const un_gemm_left *made; /* A's panels where the caller made them; or NULL */
    un_bf16_output out;
    const un_bf16 *right;        /* panels of B, of right_steps steps each; or NULL */
    size_t right_steps, offset;  /* steps before this part's first in a panel of `right` */
    const un_bf16_operand *from; /* what they are made of */
    size_t first, steps, depth;  /* this part of k, in steps; its elements */
    int begins, ends;            /* whether it is the first part, the last one */
    size_t row_panels, column_panels, panels; /* panels: of A in a block */
    size_t row_blocks, groups, group;         /* groups of `group` B panels */
    float *sums;     /* slabs that are kept between parts, [row panel][column panel]; or NULL */
    un_bf16 *packed; /* a block's panels, one place for each slot */
    size_t place;    /* its elements; of a widened panel two for each float */
    un_bf16 *near;   /* a group's panels, one place for each slot, if there is no `right` */
    float *squares;  /* of A's rows, or NULL */
    float *row_sums; /* to which A's rows are added, or NULL */
    /* Rows of C, in pieces, that somebody waits for; or NULL. */
    void (*piece_done)(size_t piece, void *context);
    void *piece_context;
    size_t piece_rows;
    atomic_size_t *missing; /* [pieces] rows times groups */
    atomic_size_t next;
} nest;

typedef struct {
    size_t row, panels;   /* first A panel, how many */
    size_t column, end;   /* B panels */
    const un_bf16 *right; /* their first */
    const un_bf16 *left;  /* or NULL: it was widened */
    const float *wide;
    size_t left_steps; /* from one of its panels to the next */
    float *slabs;
} block;

static float *slab_of(const nest *n, const block *b, size_t i, size_t column) {
    if (!n->sums) return b->slabs + i * SLAB;
    return n->sums + ((b->row + i) * n->column_panels + column) * SLAB;
}

/* C's lines are a row apart, too far for the processor to foresee. */
static void await_output(const nest *n, const block *b, size_t column) {
    const un_bf16_output *out = &n->out;
    size_t size = un_dtype_size(out->type), row = b->row * BF16_PANEL;
    size_t end = least(row + b->panels * BF16_PANEL, out->m);
    size_t first = column * BF16_PANEL, bytes = least(BF16_PANEL, out->n - first) * size;
    for (; row < end; row++)
        for (size_t at = 0; at < bytes; at += 64) {
            size_t line = (row * out->ldc + first) * size + at;
            if (!out->stream) __builtin_prefetch((const char *)out->c + line, 1);
            if (out->gelu_slope) __builtin_prefetch((const char *)out->gelu_slope + line);
            if (out->before && out->before != out->c)
                __builtin_prefetch((const char *)out->before + line);
        }
}

/* A B panel with all A panels of the block. Every second chunk goes through them backwards, since the
 * last one's slab and panel are the nearest. */
static void multiply_narrow(const nest *n, const block *b, const un_bf16 *right, size_t column) {
    for (size_t s = 0, turn = 0; s < n->steps; s += CHUNK, turn++) {
        size_t steps = least(CHUNK, n->steps - s);
        size_t depth = least(CHUNK * BF16_STEP, n->depth - s * BF16_STEP);
        for (size_t at = 0; at < b->panels; at++) {
            size_t i = turn % 2 ? b->panels - 1 - at : at;
            size_t rows = least(BF16_PANEL, n->out.m - (b->row + i) * BF16_PANEL);
            const un_bf16 *left = b->left + (i * b->left_steps + s) * BF16_STEP_SIZE;
            const un_bf16 *chunk = right + s * BF16_STEP_SIZE;
            float *slab = slab_of(n, b, i, column);
            int adds = s > 0 || !n->begins;
            if (n->way->part)
                n->way->part(left, chunk, rows, depth, slab, adds);
            else
                n->way->block(left, chunk, steps, slab, adds);
        }
    }
}

static void multiply_wide(const nest *n, const block *b, const un_bf16 *right, size_t column) {
    float wide[BF16_WIDE * BF16_WIDE_STEP] __attribute__((aligned(64)));
    const un_bf16_moves *moves = n->way->moves;
    for (size_t s = 0; s < n->steps; s += BF16_WIDE) {
        size_t steps = least(BF16_WIDE, n->steps - s);
        moves->widen_right(right + s * BF16_STEP_SIZE, steps, wide);
        for (size_t i = 0; i < b->panels; i++)
            moves->multiply_wide(b->wide + (i * b->left_steps + s) * BF16_WIDE_STEP, wide, steps,
                                 slab_of(n, b, i, column), s > 0 || !n->begins);
    }
}

static void multiply_panel(const nest *n, const block *b, size_t column) {
    const un_bf16 *right = b->right + (column - b->column) * n->right_steps * BF16_STEP_SIZE;
    if (n->ends && (!n->out.stream || n->out.gelu_slope || n->out.before))
        await_output(n, b, column);
    if (b->left)
        multiply_narrow(n, b, right, column);
    else
        multiply_wide(n, b, right, column);
    if (!n->ends) return;
    for (size_t i = 0; i < b->panels; i++)
        n->way->moves->finish(&n->out, slab_of(n, b, i, column), (b->row + i) * BF16_PANEL,
                              column * BF16_PANEL);
}

/* Sums over `steps` of A panel `panel`; `begins`: its first ones. */
static void add_rows(const nest *n, size_t panel, const un_bf16 *left, size_t steps, int begins) {
    float sums[BF16_PANEL];
    size_t row = panel * BF16_PANEL, rows = least(BF16_PANEL, n->out.m - row);
    if (n->squares) {
        n->way->moves->square_rows(left, steps, sums);
        for (size_t r = 0; r < rows; r++)
            n->squares[row + r] = sums[r] + (begins ? 0 : n->squares[row + r]);
    }
    if (n->row_sums) {
        n->way->moves->sum_rows(left, steps, sums);
        for (size_t r = 0; r < rows; r++) n->row_sums[row + r] += sums[r];
    }
}

static const un_bf16 *made_panel(const nest *n, size_t panel) {
    return n->made->panels + (panel * n->made->steps + n->first) * BF16_STEP_SIZE;
}

/* The panels of a block of A: as they were made, or packed into the slot's place. */
static void fetch_left(const nest *n, block *b, void *place, int sums) {
    un_bf16 *packed = place;
    b->left_steps = n->made ? n->made->steps : n->steps;
    b->left = n->made ? made_panel(n, b->row) : packed;
    for (size_t i = 0; i < b->panels; i++) {
        un_bf16 *panel = packed + i * n->steps * BF16_STEP_SIZE;
        if (!n->made) un_bf16_pack_panel(&n->left, b->row + i, n->first, n->steps, panel);
        for (size_t s = 0; sums && s < n->steps; s += CHUNK)
            add_rows(n, b->row + i, panel + s * BF16_STEP_SIZE, least(CHUNK, n->steps - s),
                     n->begins && s == 0);
    }
}

/* A panel's steps in f32. */
static size_t wide_steps(const nest *n) { return un_bf16_units(n->steps, BF16_WIDE) * BF16_WIDE; }

static void fetch_wide(const nest *n, block *b, void *place, int sums) {
    un_bf16 narrow[CHUNK * BF16_STEP_SIZE] __attribute__((aligned(64)));
    b->left_steps = wide_steps(n);
    b->wide = place;
    for (size_t i = 0; i < b->panels; i++) {
        float *panel = (float *)place + i * b->left_steps * BF16_WIDE_STEP;
        for (size_t s = 0; s < n->steps; s += CHUNK) {
            size_t steps = least(CHUNK, n->steps - s);
            const un_bf16 *from = narrow;
            if (n->made)
                from = made_panel(n, b->row + i) + s * BF16_STEP_SIZE;
            else
                un_bf16_pack_panel(&n->left, b->row + i, n->first + s, steps, narrow);
            if (sums) add_rows(n, b->row + i, from, steps, n->begins && s == 0);
            for (size_t w = 0; w < steps; w += BF16_WIDE)
                n->way->moves->widen_left(from + w * BF16_STEP_SIZE, least(BF16_WIDE, steps - w),
                                          panel + (s + w) * BF16_WIDE_STEP);
        }
    }
}

/* The panels of a group of B: as they lie ready, or packed into the slot's place, where every panel of
 * A meets them before the next group comes. */
static void fetch_right(const nest *n, block *b, size_t slot) {
    size_t panel = n->right_steps * BF16_STEP_SIZE;
    if (n->right) {
        b->right = n->right + b->column * panel + n->offset * BF16_STEP_SIZE;
        return;
    }
    un_bf16 *place = n->near + slot * n->group * panel;
    un_bf16_pack_group(n->from, b->column, b->end - b->column, n->first, n->steps, place);
    b->right = place;
}

/* Who finishes the last rows of a piece tells so. */
static void tell(const nest *n, const block *b) {
    size_t row = b->row * BF16_PANEL, end = least((b->row + b->panels) * BF16_PANEL, n->out.m);
    while (row < end) {
        size_t piece = row / n->piece_rows, rows = least(end, (piece + 1) * n->piece_rows) - row;
        if (atomic_fetch_sub(&n->missing[piece], rows) == rows)
            n->piece_done(piece, n->piece_context);
        row += rows;
    }
}

static void run_slot(size_t begin, size_t end, un_slot slot, void *context) {
    nest *n = context;
    float slabs[BLOCK_PANELS * SLAB] __attribute__((aligned(64)));
    size_t before = SIZE_MAX, job;
    un_bf16 *place = n->packed + slot.index * n->place;
    block b = {.slabs = slabs};
    (void)begin;
    (void)end;
    if (n->way->begin) n->way->begin();
    while ((job = atomic_fetch_add(&n->next, 1)) < n->row_blocks * n->groups) {
        size_t rows = job / n->groups, group = job % n->groups;
        b.row = rows * n->panels;
        b.panels = least(n->panels, n->row_panels - b.row);
        /* Groups are taken in their order: nobody has a block's rows before its first group. */
        if (rows != before)
            (un_bf16_widens(n->way) ? fetch_wide : fetch_left)(n, &b, place, group == 0);
        before = rows;
        b.column = group * n->group;
        b.end = least(b.column + n->group, n->column_panels);
        fetch_right(n, &b, slot.index);
        for (size_t j = b.column; j < b.end; j++) multiply_panel(n, &b, j);
        if (n->missing && n->ends) tell(n, &b);
    }
    if (n->way->end) n->way->end();
    n->way->moves->fence();
}

/* Whether B is packed by who is about to multiply it: one block has all rows of A, and meets each panel
 * once. Otherwise it lies packed, or is, by all threads, beforehand. */
static int packs_near(const nest *n) { return !n->right && n->row_blocks == 1; }

/* Blocks of rows, and where these are too few for the threads, groups of columns beside them. */
static void divide(nest *n, size_t threads) {
    size_t near = near_steps(n->way);
    size_t most = un_bf16_widens(n->way) ? near / 2 / wide_steps(n) : near / n->steps;
    n->panels = most < 1 ? 1 : least(most, BLOCK_PANELS);
    while (n->panels > 1 && un_bf16_units(n->row_panels, n->panels) < 2 * threads &&
           n->column_panels < 4)
        n->panels--;
    n->row_blocks = un_bf16_units(n->row_panels, n->panels);
    /* An even share of rows for each: no thread waits for one more whole block. */
    n->panels = un_bf16_units(n->row_panels, n->row_blocks);
    n->row_blocks = un_bf16_units(n->row_panels, n->panels);
    size_t groups_needed =
        n->row_blocks >= 4 * threads ? 1 : un_bf16_units(4 * threads, n->row_blocks);
    n->group = un_bf16_units(n->column_panels, least(groups_needed, n->column_panels));
    if (packs_near(n)) n->group = least(n->group, n->steps < near ? near / n->steps : 1);
    n->groups = un_bf16_units(n->column_panels, n->group);
}

/* Elements that a block's panels take, unless they lie ready. */
static size_t place_of(const nest *n) {
    if (un_bf16_widens(n->way)) return n->panels * wide_steps(n) * BF16_WIDE_STEP * 2;
    return n->made ? 0 : n->panels * n->steps * BF16_STEP_SIZE;
}

static int may_stream(const un_gemm_args *args, size_t ldc) {
    size_t size = un_dtype_size(args->output);
    /* What somebody waits for is read at once. */
    return !args->accumulate && args->residual != args->c && !args->piece_done &&
           args->m * args->n * size >= STREAM_BYTES &&
           ((uintptr_t)args->c | (uintptr_t)args->linear) % 64 == 0 && ldc * size % 64 == 0;
}

static nest describe(const un_bf16_way *way, const un_gemm_args *args) {
    size_t lda = args->lda ? args->lda : (args->trans_a ? args->m : args->k);
    size_t ldc = args->ldc ? args->ldc : args->n;
    return (nest){
        .way = way,
        .left = {.moves = way->moves,
                 .data = args->a,
                 .pieces = args->a_pieces,
                 .piece_rows = args->piece_rows,
                 .ld = lda,
                 .f32 = args->a_f32,
                 .lines = args->m,
                 .k = args->k,
                 .along = !args->trans_a},
        .made = args->left,
        .out = {args->c, args->output, args->m, args->n, ldc, args->bias, args->relu, args->gelu,
                args->accumulate ? args->c : args->residual, may_stream(args, ldc), args->linear,
                args->gelu_slope},
        .squares = args->a_squares,
        .row_sums = args->a_sums,
        .piece_done = args->piece_done,
        .piece_context = args->piece_context,
        .piece_rows = args->piece_rows,
        .row_panels = un_bf16_units(args->m, BF16_PANEL),
        .column_panels = un_bf16_units(args->n, BF16_PANEL),
    };
}

static un_bf16_operand right_of(const un_bf16_way *way, const un_gemm_args *args) {
    return (un_bf16_operand){.moves = way->moves,
                             .data = args->b,
                             .pieces = args->b_pieces,
                             .piece_rows = args->piece_rows,
                             .ld = args->ldb ? args->ldb : (args->trans_b ? args->k : args->n),
                             .f32 = args->b_f32,
                             .lines = args->n,
                             .k = args->k,
                             .along = args->trans_b,
                             .right = 1};
}

static void await_pieces(nest *n, atomic_size_t *missing) {
    n->missing = missing;
    for (size_t row = 0, piece = 0; row < n->out.m; row += n->piece_rows, piece++)
        atomic_init(&missing[piece], least(n->piece_rows, n->out.m - row) * n->groups);
}

/* Bytes of working memory. */
typedef struct {
    size_t left, sums, right, near, pieces;
} sizes;

static sizes sizes_of(const nest *n, const un_gemm_args *args, size_t slots, size_t parts) {
    size_t panel = n->steps * BF16_STEP_SIZE * sizeof(un_bf16);
    int near = packs_near(n);
    return (sizes){
        .left = slots * n->place * sizeof(un_bf16),
        .sums = parts > 1 ? n->row_panels * n->column_panels * SLAB * sizeof(float) : 0,
        .right = n->right || near ? 0 : n->column_panels * panel,
        .near = near ? slots * n->group * panel : 0,
        .pieces =
            args->piece_done ? un_bf16_units(args->m, args->piece_rows) * sizeof(atomic_size_t) : 0,
    };
}

un_status un_bf16_multiply(const un_bf16_way *way, const un_gemm_args *args, const un_bf16 *right) {
    nest n = describe(way, args);
    size_t steps = un_bf16_units(args->k, BF16_STEP);
    size_t part = steps > WHOLE_STEPS ? part_steps(way) : steps, parts = un_bf16_units(steps, part);
    const un_bf16_operand from = right_of(way, args);
    size_t threads = (size_t)un_thread_count();
    n.right = right;
    n.from = &from;
    n.steps = part;
    divide(&n, threads);
    size_t slots = un_slot_count(least(threads, n.row_blocks * n.groups), 1);
    n.place = place_of(&n);
    const sizes size = sizes_of(&n, args, slots, parts);
    memory scratch = {0};
    UN_TRY(reserve(size.left + size.sums + size.right + size.near + size.pieces, &scratch));
    char *at = scratch.data;
    n.packed = scratch.data;
    at += size.left;
    if (size.sums) n.sums = (float *)(void *)at;
    at += size.sums;
    un_bf16 *own = size.right ? (un_bf16 *)(void *)at : NULL;
    at += size.right;
    if (size.near) n.near = (un_bf16 *)(void *)at;
    at += size.near;
    if (size.pieces) await_pieces(&n, (atomic_size_t *)(void *)at);
    if (own) n.right = own;
    for (size_t first = 0; first < steps; first += part) {
        n.first = first;
        n.steps = least(part, steps - first);
        n.depth = least(n.steps * BF16_STEP, args->k - first * BF16_STEP);
        n.begins = first == 0;
        n.ends = first + n.steps == steps;
        n.right_steps = right ? steps : n.steps;
        n.offset = right ? first : 0;
        if (own) un_bf16_pack_panels(&from, first, n.steps, own);
        atomic_store(&n.next, 0);
        un_parallel_slots(slots, slots, run_slot, &n);
    }
    release(&scratch);
    return UNSEEN_OK;
}
