/*
 * bf16.h - own products of bf16 matrices with f32 sums: operands in panels, several ways to multiply
 * them. Private to tensor/; gemm.h is what other rooms call.
 *
 * A way multiplies one block of 32 rows and 32 columns over steps of 32 along k. Every step of an
 * operand is 2048 bytes, two tiles of 16 rows of 64 bytes:
 *
 *     left (A):   rows 0..15 and 16..31, each with its 32 elements of k
 *     right (B):  columns 0..15 and 16..31; row p of a tile holds the elements 2p and 2p + 1 of
 *                 k of each column, side by side
 *
 * so that AMX loads tiles as they lie, and vector ways broadcast pairs of A. A panel is all steps of
 * its 32 rows or columns; beyond the matrix panels are zero.
 */
#ifndef UN_TENSOR_BF16_H
#define UN_TENSOR_BF16_H

#include "tensor/gemm.h"

enum {
    BF16_PANEL = 32,                /* rows or columns of a panel */
    BF16_STEP = 32,                 /* elements of k in a step */
    BF16_TILE = 512,                /* elements of a tile */
    BF16_STEP_SIZE = 2 * BF16_TILE, /* elements of a step of a panel */
    BF16_LINES = 16,                /* rows or columns of a tile */
    BF16_CHUNK = 16,                /* steps of a B panel that stay in L1: 32 KiB */
    BF16_WIDE = 4,                  /* steps that are widened to f32 together: 16 KiB a panel */
    BF16_WIDE_STEP = BF16_PANEL * BF16_STEP /* floats of a widened step */
};

/* How many units n elements take. */
static inline size_t un_bf16_units(size_t n, size_t unit) { return (n + unit - 1) / unit; }

/* slab (32, 32) = A B, or += where `add`, over `steps`; slab is aligned to 64 bytes. */
typedef void (*un_bf16_block)(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab,
                              int add);

/* The same of the first `rows` <= 32 rows and `depth` elements of k; of other rows of slab nothing is
 * known afterwards. Panels are zero beyond `depth` up to a whole step: the same sums as a block's. */
typedef void (*un_bf16_part)(const un_bf16 *a, const un_bf16 *b, size_t rows, size_t depth,
                             float *slab, int add);

/* Where finished blocks go: as un_gemm_args say. */
typedef struct {
    void *c;
    un_dtype type;
    size_t m, n, ldc;
    const float *bias;
    int relu, gelu;
    const void *before; /* is added; may be c */
    int stream;         /* past the caches: whole lines, which nobody reads soon */
    void *linear;
    const void *gelu_slope;
} un_bf16_output;

/* What bf16_isa.c fills, once for each instruction set. */
typedef struct {
    un_bf16_block block;         /* widened to f32 */
    un_bf16_block emulate_tiles; /* un_bf16_emulated_tiles */
    /* Its parts, for panels that meet several others: `steps` <= BF16_WIDE of a panel widened to
     * BF16_WIDE * BF16_WIDE_STEP floats, and two such multiplied. */
    void (*widen_left)(const un_bf16 *a, size_t steps, float *out);
    void (*widen_right)(const un_bf16 *b, size_t steps, float *out);
    void (*multiply_wide)(const float *a, const float *b, size_t steps, float *slab, int add);
    /* A tile of `rows` <= 16 rows with `columns` <= 32 elements each, zeros elsewhere. */
    void (*copy_rows)(const un_bf16 *in, size_t ld, size_t rows, size_t columns, un_bf16 *tile);
    /* A tile of pairs from `rows` <= 32 rows of k with `columns` <= 16 elements each. */
    void (*pair_rows)(const un_bf16 *in, size_t ld, size_t rows, size_t columns, un_bf16 *tile);
    /* (16, 16) pairs transposed in place: a left tile becomes a right one, and back. */
    void (*transpose)(un_bf16 *tile);
    /* Bias, activation, sum and rounding of the block at row i, column j. */
    void (*finish)(const un_bf16_output *out, const float *slab, size_t i, size_t j);
    void (*fence)(void); /* after streamed lines, before anyone is told */
    void (*narrow)(const float *in, un_bf16 *out, size_t n);
    /* out[32] = the sum of squares of each row of a left panel, over `steps`. */
    void (*square_rows)(const un_bf16 *panel, size_t steps, float *out);
    void (*sum_rows)(const un_bf16 *panel, size_t steps, float *out); /* the same, not squared */
} un_bf16_moves;

extern const un_bf16_moves un_bf16_moves_baseline;
#if defined(UN_HAVE_X86_ISA)
extern const un_bf16_moves un_bf16_moves_avx2;
extern const un_bf16_moves un_bf16_moves_avx512;
#endif

/* A way to multiply. */
typedef struct {
    const char *name; /* as UNSEEN_ISA spells it */
    un_bf16_block block;
    un_bf16_part part; /* NULL: a block takes as long */
    const un_bf16_moves *moves;
    void (*begin)(void); /* a thread's registers for tiles; NULL: nothing to set up */
    void (*end)(void);
    int native; /* multiplies bf16 by instructions of its own */
} un_bf16_way;

/* Whether it multiplies in f32. */
static inline int un_bf16_widens(const un_bf16_way *way) { return way->block == way->moves->block; }

/* Of `count` ways (1 to 6; with instructions of their own first, the others by their speed) the one
 * called `name`, or where there is none or `name` is NULL or empty the fastest: how fast those with
 * instructions of their own are beside the best of the others is measured. A way that multiplies a
 * ragged product wrongly is passed over with a warning; if all do, the last one is taken. */
const un_bf16_way *un_bf16_choose(const un_bf16_way *ways, size_t count, const char *name);
/* The way of this process: chosen once, by the name in UNSEEN_ISA. */
const un_bf16_way *un_bf16_way_here(void);
/* Way i of those that this processor has, for tests and benches; NULL past the last. */
const un_bf16_way *un_bf16_way_at(size_t i);

/* What a product does at most: one block again and again, from L1; of panels that were widened
 * beforehand where the way multiplies in f32, as they are once for many blocks. On the calling
 * thread; returns the operations of all `blocks`. */
double un_bf16_bare_loop(const un_bf16_way *way, size_t blocks);

/* As TDPBF16PS adds, on any processor: the same bytes, by the widest vectors that it has. */
void un_bf16_emulated_tiles(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add);
#if defined(UN_HAVE_X86_ISA)
int un_bf16_amx_ready(void); /* the kernel lets this process use tiles */
void un_bf16_amx_begin(void);
void un_bf16_amx_end(void);
void un_bf16_amx_block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add);
void un_bf16_avx512bf16_block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab,
                              int add);
void un_bf16_avx512bf16_part(const un_bf16 *a, const un_bf16 *b, size_t rows, size_t depth,
                             float *slab, int add);
#endif

/* An operand as it is stored, and which of the two it is. */
typedef struct {
    const un_bf16_moves *moves;
    const void *data;          /* its stored rows, `ld` elements apart; or */
    const void *const *pieces; /* piece_rows rows each */
    size_t piece_rows, ld;
    int f32; /* of f32, which is rounded on the way */
    size_t lines, k;
    int along; /* a line's elements lie side by side */
    int right; /* its lines are columns of B; else rows of A */
} un_bf16_operand;

/* Steps first.. of panel `panel` into out, on the calling thread. */
void un_bf16_pack_panel(const un_bf16_operand *o, size_t panel, size_t first, size_t steps,
                        un_bf16 *out);
/* The same of `panels` panels from `panel` on, one after another in `out`, on the calling thread. */
void un_bf16_pack_group(const un_bf16_operand *o, size_t panel, size_t panels, size_t first,
                        size_t steps, un_bf16 *out);
/* The same of all panels, on all threads. */
void un_bf16_pack_panels(const un_bf16_operand *o, size_t first, size_t steps, un_bf16 *out);

/* Panels of A that are made step by step. */
struct un_gemm_left {
    size_t lines, steps; /* steps of each panel */
    un_bf16 *panels;
};

/* un_gemm_left_fill by this way. */
void un_bf16_fill_left(const un_bf16_way *way, un_gemm_left *left, size_t step, size_t n,
                       const un_bf16 *columns, size_t ld);

/* Elements of all panels of an operand with `lines` rows (A) or columns (B). */
size_t un_bf16_packed_size(size_t lines, size_t k);
/* op(B) (k, n) to its panels, on all threads. */
void un_bf16_pack_right(const un_bf16_way *way, int trans_b, size_t n, size_t k, const un_bf16 *b,
                        size_t ldb, un_bf16 *out);
/* The product, with B's panels in `right` or NULL. Arguments are valid; m, n, k > 0. */
un_status un_bf16_multiply(const un_bf16_way *way, const un_gemm_args *args, const un_bf16 *right);

#endif
