/*
 * gemm_rows.c - products of f32 whose rows are the same bytes whatever the other rows are, on
 * processors where oneDNN's own are not.
 *
 * Without AVX-512, oneDNN 2 multiplies f32 by "gemm:jit", which takes rows of C six at a time, and
 * adds up the last one to three in another order. A single row is a matrix times a vector there,
 * long sums may be shared out among threads, and matrices with many rows and columns are copied
 * and added up by blocks of other sizes. So what a picture's row is would depend on how many
 * pictures stand beside it and on the number of threads.
 *
 * What is the same, by experiment (test_gemm: rows_do_not_depend_on_each_other), is every row of a
 * product on one thread of at most 215 rows (from about 260 on the copies begin) where no group has
 * one to three, and of at most 4032 columns, a multiple of 16 but for the last ones; whether B is
 * transposed and how long its rows are does not matter. So products are cut into such, which our
 * own loops share out.
 */
#include "tensor/gemm_rows.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"
#include "tensor/kernels.h"

enum {
    GROUP = 6,  /* rows that are multiplied together */
    FEWEST = 4, /* rows of a product, and of its last group */
    HALF = 48,  /* rows that oneDNN takes for each tile of B; of a transposed B, STRIP */
    STRIP = 2 * HALF,
    BLOCK = 2 * STRIP,   /* a product has less than HALF / 2 more */
    TILE = 16,           /* columns that are multiplied together */
    COLUMNS = 4032,      /* the most of a product: more are cut anywhere */
    PACK_MOST = 1 << 24, /* values of a B that is packed, which stay with the thread */
    PART_ROWS = 24,      /* a thread's part is worth being begun from here on */
    PART_COLUMNS = 64,
    PART_WORK = 1 << 18,
    PAGE = 256,        /* floats in a quarter of what a level-1 cache's way holds */
    PACK_ROWS = 48,    /* where packing costs less than it gains: see worth_packing */
    PACK_ROWS_T = 1024 /* of a transposed B */
};

/* ---- where ---- */

static int g_rows_depend;

/* oneDNN's way to multiply is asked for once, of a product that no way refuses: were it asked for
 * each, it might depend on the number of rows. */
static void ask_implementation(void) {
    if (un_dnn_has(dnnl_cpu_isa_avx512_core)) return;
    char name[32] = "";
    un_failure before;
    un_failure_keep(&before);
    /* Without an answer they may: what is cut is right anywhere. */
    un_status status = un_dnn_gemm_implementation(BLOCK, BLOCK, BLOCK, sizeof name, name);
    g_rows_depend = status || strncmp(name, "gemm:jit", 8) == 0;
    un_failure_put_back(&before, UNSEEN_OK);
}

int un_dnn_rows_depend(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, ask_implementation);
    return g_rows_depend;
}

size_t un_dnn_right_ld(size_t n) {
    if (n < TILE) return n;
    size_t ld = (n + TILE - 1) / TILE * TILE;
    return ld % PAGE ? ld : ld + TILE;
}

/* ---- a part of C on one thread ---- */

/* Of the product, m rows from `row` on and n columns from `column` on. */
static un_gemm_args cut(const un_gemm_args *args, size_t row, size_t m, size_t column, size_t n) {
    un_gemm_args part = *args;
    part.m = m;
    part.n = n;
    part.a = (const float *)args->a + row * args->lda;
    part.b = (const float *)args->b + (args->trans_b ? column * args->ldb : column);
    part.c = (float *)args->c + row * args->ldc + column;
    if (args->bias) part.bias = args->bias + column;
    return part;
}

static void copy_rows(size_t rows, size_t n, const float *from, size_t from_ld, float *to,
                      size_t to_ld) {
    for (size_t i = 0; i < rows; i++) memcpy(to + i * to_ld, from + i * from_ld, n * sizeof *to);
}

/* Too few rows for a product: beside rows of zeros. */
static un_status multiply_few(const un_gemm_args *args) {
    un_gemm_args filled = *args;
    float *room = NULL;
    UN_TRY(un_alloc(FEWEST * (args->k + args->n), sizeof *room, &room));
    float *a = room, *c = room + FEWEST * args->k;
    memset(room, 0, FEWEST * (args->k + args->n) * sizeof *room);
    copy_rows(args->m, args->k, args->a, args->lda, a, args->k);
    if (args->accumulate) copy_rows(args->m, args->n, args->c, args->ldc, c, args->n);
    filled.m = FEWEST;
    filled.a = a;
    filled.lda = args->k;
    filled.c = c;
    filled.ldc = args->n;
    un_status status = un_dnn_gemm_alone(&filled);
    if (!status) copy_rows(args->m, args->n, c, args->n, args->c, args->ldc);
    free(room);
    return status;
}

/* How many of these rows the next product takes, so that neither it nor what is left of it ends in
 * a group of one to three; fewer than FEWEST: no product can. oneDNN itself cuts them, at multiples
 * of HALF or STRIP as B lies, and halves the last one and a half to two of those: what is taken is
 * less than that, or whole strips and a few rows more, which are left together with the last one. */
static size_t next_rows(size_t rows) {
    size_t rest = rows % GROUP, strips = rows / STRIP * STRIP, more = rows - strips;
    /* rows that are left for groups of FEWEST */
    size_t last = rest == 0 || rest >= FEWEST ? 0 : rest == 1 ? 2 * FEWEST : FEWEST;
    if (rows >= BLOCK + HALF / 2) return BLOCK;
    if (strips > 0 && more >= HALF / 2) return strips;
    if (more >= HALF + HALF / 2) return HALF;
    if (last == 0) return rows;
    if (more >= last + FEWEST) return rows - last;
    if (strips > 0) return strips - HALF;
    return rows < FEWEST ? rows : FEWEST;
}

/* The same of columns. A single one is a matrix times a vector, and so no rest. */
static size_t next_columns(size_t columns) {
    if (columns <= COLUMNS) return columns;
    return columns - COLUMNS < TILE ? COLUMNS - TILE : COLUMNS;
}

static un_status multiply_part(const un_gemm_args *args) {
    for (size_t column = 0, n; column < args->n; column += n) {
        n = next_columns(args->n - column);
        for (size_t row = 0, m; row < args->m; row += m) {
            m = next_rows(args->m - row);
            const un_gemm_args block = cut(args, row, m, column, n);
            UN_TRY(m < FEWEST ? multiply_few(&block) : un_dnn_gemm_alone(&block));
        }
    }
    return UNSEEN_OK;
}

/* ---- parts of C ---- */

typedef struct {
    const un_gemm_args *args;
    size_t row_parts, column_parts;
} partition;

/* Where this part of so many begins; the last one has the rest. */
static size_t part_begin(size_t n, size_t unit, size_t part, size_t parts) {
    return part == parts ? n : n / unit * part / parts * unit;
}

static un_status multiply_item(size_t item, un_slot slot, void *context) {
    (void)slot;
    const partition *p = context;
    const un_gemm_args *args = p->args;
    size_t i = item / p->column_parts, j = item % p->column_parts;
    size_t row = part_begin(args->m, GROUP, i, p->row_parts);
    size_t column = part_begin(args->n, TILE, j, p->column_parts);
    const un_gemm_args part =
        cut(args, row, part_begin(args->m, GROUP, i + 1, p->row_parts) - row, column,
            part_begin(args->n, TILE, j + 1, p->column_parts) - column);
    return multiply_part(&part);
}

static size_t within(size_t n, size_t most) {
    if (n > most) n = most;
    return n > 1 ? n : 1;
}

/* The longer side is cut first: what all threads read is then the smaller operand. */
static partition share_out(const un_gemm_args *args) {
    size_t threads = (size_t)un_thread_count();
    double work = (double)args->m * (double)args->n * (double)args->k / PART_WORK;
    if (work < (double)threads) threads = within((size_t)work, threads);
    size_t rows = args->m / PART_ROWS, columns = args->n / PART_COLUMNS;
    partition p = {args, 1, 1};
    if (args->m >= args->n) {
        p.row_parts = within(rows, threads);
        p.column_parts = within(columns, threads / p.row_parts);
    } else {
        p.column_parts = within(columns, threads);
        p.row_parts = within(rows, threads / p.column_parts);
    }
    return p;
}

/* ---- B ---- */

/* Where rows of B are multiples of a KiB apart, those that are multiplied together lie in the same
 * few places of the cache: half the speed. Where it is transposed, each tile of it is copied for
 * every block of rows. */
static int worth_packing(const un_gemm_args *args) {
    if (args->k * un_dnn_right_ld(args->n) > PACK_MOST) return 0;
    if (args->n < TILE) return 0; /* a vector's sum is in another order where it has gaps */
    if (args->trans_b) return args->m >= PACK_ROWS_T && args->n >= PART_COLUMNS;
    return args->m >= PACK_ROWS && args->n >= PAGE && args->ldb % PAGE == 0;
}

typedef struct {
    const un_gemm_args *args;
    float *to;
    size_t ld;
} packing;

static void pack_rows(size_t begin, size_t end, void *context) {
    const packing *p = context;
    const un_gemm_args *args = p->args;
    copy_rows(end - begin, args->n, (const float *)args->b + begin * args->ldb, args->ldb,
              p->to + begin * p->ld, p->ld);
}

/* Rows of B, of a B that is stored the other way round: a square after the other. */
static void pack_columns(size_t begin, size_t end, void *context) {
    const packing *p = context;
    const float *from = p->args->b;
    size_t n = p->args->n, ldb = p->args->ldb;
    for (size_t j = 0; j < n; j += TILE)
        for (size_t i = begin; i < end; i += TILE)
            for (size_t y = i; y < end && y < i + TILE; y++)
                for (size_t x = j; x < n && x < j + TILE; x++)
                    p->to[y * p->ld + x] = from[x * ldb + y];
}

/* `args` with B in memory of this thread. */
static un_status pack_right(un_gemm_args *args) {
    packing p = {args, NULL, un_dnn_right_ld(args->n)};
    void *room = NULL;
    UN_TRY(un_dnn_room(UN_DNN_RIGHT, args->k * p.ld * sizeof(float), &room));
    p.to = room;
    un_parallel_for(args->k, 64, args->trans_b ? pack_columns : pack_rows, &p);
    args->b = room;
    args->ldb = p.ld;
    args->trans_b = 0;
    return UNSEEN_OK;
}

static un_status multiply_parts(un_gemm_args *args, int packed) {
    un_failure before;
    un_failure_keep(&before);
    /* Only for speed: without memory for it B is read where it lies. */
    if (!packed && worth_packing(args) && pack_right(args)) un_failure_put_back(&before, UNSEEN_OK);
    partition p = share_out(args);
    size_t parts = p.row_parts * p.column_parts;
    return un_parallel_try(parts, parts, multiply_item, &p);
}

un_status un_dnn_gemm_rows(const un_gemm_args *args, const un_dnn_packed *packed) {
    un_gemm_args whole = *args;
    un_openmp_loan loan;
    if (packed) {
        whole.b = un_dnn_packed_rows(packed, &whole.ldb);
        whole.trans_b = 0;
    }
    if (whole.lda == 0) whole.lda = args->k;
    if (whole.ldb == 0) whole.ldb = whole.trans_b ? args->k : args->n;
    if (whole.ldc == 0) whole.ldc = args->n;
    UN_TRY(un_dnn_enter(&loan));
    un_log_hold(); /* a host that multiplies when it is told something takes the thread's memory */
    un_status status = multiply_parts(&whole, packed != NULL);
    un_log_release();
    un_dnn_leave(loan);
    return status;
}
