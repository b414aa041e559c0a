/*
 * test_bf16.c - own products of bf16 matrices, by every way that this processor has and by emulated
 * tiles, against sums in double. Products of bf16 numbers are exact in f32; a sum of K of them in
 * f32 is off by some roundings of its partial sums: 1e-6 of the sum of absolute values allows 16 of
 * 2^-24, and blocks of 32 along k keep far below that. What is rounded to bf16 is off by 2^-9 more.
 */
#include <float.h>
#include <math.h>

#include "base/parallel.h"
#include "tensor/bf16.h"
#include "util.h"

typedef struct {
    size_t m, n, k;
    int trans_a, trans_b, out16, bias, relu, gelu, accumulate, packed;
    size_t pad;
    int f32;                 /* operands are given in f32 */
    size_t a_piece, b_piece; /* their rows lie in pieces of so many */
    int left;                /* A is made 32 of k at a time */
    int linear, slope, sums; /* of training: what GELU was taken of; gelu'; row sums of A */
    int residual;            /* something else than C is added */
    size_t shift;            /* bytes from a line's beginning to what GELU was taken of */
} product;

static const product g_products[] = {
    {.m = 1, .n = 1, .k = 1},
    {.m = 32, .n = 32, .k = 32},
    {.m = 33, .n = 31, .k = 65, .bias = 1},
    {.m = 70, .n = 45, .k = 100, .trans_a = 1, .relu = 1, .bias = 1},
    {.m = 40, .n = 100, .k = 77, .trans_b = 1, .gelu = 1, .bias = 1, .out16 = 1},
    {.m = 65, .n = 64, .k = 31, .trans_a = 1, .trans_b = 1, .accumulate = 1},
    {.m = 20, .n = 96, .k = 200, .accumulate = 1, .out16 = 1, .pad = 3},
    {.m = 200, .n = 130, .k = 64, .packed = 1, .pad = 5},
    {.m = 5, .n = 33, .k = 96, .trans_b = 1, .packed = 1, .out16 = 1, .relu = 1},
    /* few rows: panels of B are packed one group at a time, on several threads */
    {.m = 78, .n = 1000, .k = 300, .bias = 1, .relu = 1},
    {.m = 78, .n = 700, .k = 4200, .trans_b = 1, .pad = 1},
    /* cut along k, with sums kept between the parts */
    {.m = 40, .n = 70, .k = 9800, .trans_a = 1, .bias = 1, .relu = 1},
    {.m = 33, .n = 40, .k = 4200, .trans_b = 1, .packed = 1, .accumulate = 1},
    {.m = 34, .n = 64, .k = 4500, .out16 = 1, .gelu = 1},
    /* rounded on the way, from pieces, made step by step */
    {.m = 45, .n = 70, .k = 100, .f32 = 1, .pad = 3},
    {.m = 45, .n = 70, .k = 100, .f32 = 1, .trans_a = 1, .trans_b = 1},
    {.m = 230, .n = 50, .k = 70, .a_piece = 49, .pad = 1},
    {.m = 230, .n = 50, .k = 4170, .a_piece = 7, .f32 = 1, .packed = 1},
    {.m = 50, .n = 90, .k = 230, .b_piece = 49},
    {.m = 50, .n = 90, .k = 4230, .b_piece = 9, .f32 = 1, .trans_a = 1, .accumulate = 1},
    {.m = 100, .n = 40, .k = 150, .trans_a = 1, .left = 1, .b_piece = 37},
    {.m = 33, .n = 65, .k = 4200, .trans_a = 1, .left = 1, .accumulate = 1},
    /* past the caches: more than 1 MiB, rows of whole lines */
    {.m = 1100, .n = 256, .k = 40, .bias = 1},
    {.m = 1100, .n = 512, .k = 33, .out16 = 1},
    /* of training */
    {.m = 70, .n = 75, .k = 40, .bias = 1, .gelu = 1, .linear = 1, .out16 = 1, .pad = 1},
    {.m = 33, .n = 64, .k = 40, .gelu = 1, .linear = 1},
    {.m = 1100, .n = 512, .k = 33, .bias = 1, .gelu = 1, .linear = 1, .out16 = 1},
    {.m = 1100, .n = 256, .k = 33, .gelu = 1, .linear = 1, .shift = 4},
    {.m = 70, .n = 75, .k = 40, .slope = 1, .out16 = 1, .pad = 2},
    {.m = 33, .n = 64, .k = 4200, .slope = 1},
    {.m = 1100, .n = 512, .k = 33, .slope = 1, .out16 = 1},
    {.m = 230, .n = 300, .k = 4170, .trans_a = 1, .accumulate = 1, .sums = 1},
    {.m = 45, .n = 70, .k = 530, .sums = 1, .pad = 3},
    {.m = 45, .n = 70, .k = 4170, .residual = 1, .bias = 1, .pad = 3},
    {.m = 1100, .n = 256, .k = 40, .residual = 1},
    {.m = 70, .n = 75, .k = 40, .residual = 1, .out16 = 1},
};

typedef struct {
    un_bf16 *a, *b, *right;
    float *bias;
    void *c, *before;
    size_t lda, ldb, ldc, bytes;
    void *apart[2]; /* A and B as they are given, in f32 or pieces */
    const void **pieces;
    un_gemm_left *left;
    float *squares;      /* [M] */
    void *room, *linear; /* in it */
    float *sums;         /* [M] to which those of A were added */
    int *done;           /* [pieces of A] how often each was told */
    void *told;          /* C and squares as they were when their piece was told */
    float *told_squares;
    const product *product;
} operands;

static un_bf16 *random_numbers(un_rng *rng, size_t n) {
    float *x = NULL;
    un_bf16 *out = NULL;
    util_ok(un_alloc(n, sizeof *x, &x));
    util_ok(un_alloc(n, sizeof *out, &out));
    un_rng_fill_normal(rng, x, n, 0, 1);
    for (size_t i = 0; i < n; i++) out[i] = un_bf16_from_float(x[i]);
    free(x);
    return out;
}

static operands make_operands(const product *p, un_rng *rng) {
    operands o = {.lda = (p->trans_a ? p->m : p->k) + p->pad,
                  .ldb = (p->trans_b ? p->k : p->n) + p->pad,
                  .ldc = p->n + p->pad};
    o.a = random_numbers(rng, (p->trans_a ? p->k : p->m) * o.lda);
    o.b = random_numbers(rng, (p->trans_b ? p->n : p->k) * o.ldb);
    util_ok(un_alloc(p->n, sizeof *o.bias, &o.bias));
    un_rng_fill_normal(rng, o.bias, p->n, 0, 1);
    o.bytes = p->m * o.ldc * un_dtype_size(p->out16 ? UN_BF16 : UN_F32);
    util_ok(un_alloc(o.bytes, 1, &o.c));
    util_ok(un_alloc(o.bytes, 1, &o.before));
    util_ok(un_alloc(o.bytes + p->shift, 1, &o.room));
    o.linear = (char *)o.room + p->shift;
    util_ok(un_alloc(p->m, sizeof *o.sums, &o.sums));
    for (size_t i = 0; i < p->m * o.ldc; i++) {
        float x = (float)(i % 17) - 8;
        if (p->out16)
            ((un_bf16 *)o.before)[i] = un_bf16_from_float(x);
        else
            ((float *)o.before)[i] = x;
    }
    return o;
}

static void free_operands(operands *o) {
    void *owned[] = {o->a,      o->b,        o->right,        o->bias,           o->c,
                     o->before, o->apart[0], o->apart[1],     (void *)o->pieces, o->squares,
                     o->done,   o->told,     o->told_squares, o->room,           o->sums};
    un_gemm_left_free(o->left);
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

/* In f32: a little off, so that rounding matters. */
static void *in_f32(const un_bf16 *x, size_t n) {
    float *out = NULL;
    util_ok(un_alloc(n, sizeof *out, &out));
    for (size_t i = 0; i < n; i++)
        out[i] = un_float_from_bf16(x[i]) * (1 + (i % 2 ? 0x1p-11f : -0x1p-11f));
    return out;
}

/* What is told is whole: it is kept, to be compared with the end. */
static void keep_piece(size_t piece, void *context) {
    const operands *o = context;
    const product *p = o->product;
    size_t row = o->ldc * un_dtype_size(p->out16 ? UN_BF16 : UN_F32), first = piece * p->a_piece;
    size_t rows = p->m - first < p->a_piece ? p->m - first : p->a_piece;
    __atomic_fetch_add(&o->done[piece], 1, __ATOMIC_RELAXED);
    memcpy((char *)o->told + first * row, (const char *)o->c + first * row, rows * row);
    memcpy(o->told_squares + first, o->squares + first, rows * sizeof *o->squares);
}

/* Rows of A or B in pieces, the last of which comes first in memory. */
static const void *const *cut(operands *o, const void *data, size_t rows, size_t ld, size_t piece,
                              size_t size, size_t which) {
    size_t count = (rows + piece - 1) / piece, bytes = piece * ld * size;
    char *place = NULL;
    util_ok(un_alloc(count * bytes, 1, &place));
    util_ok(un_alloc(count, sizeof *o->pieces, &o->pieces));
    for (size_t i = 0; i < count; i++) {
        size_t here = rows - i * piece < piece ? rows - i * piece : piece;
        o->pieces[i] = place + (count - 1 - i) * bytes;
        memcpy(place + (count - 1 - i) * bytes, (const char *)data + i * bytes, here * ld * size);
    }
    free(o->apart[which]);
    o->apart[which] = place;
    return o->pieces;
}

/* The operands as the product says that they are given. */
static void arrange(const product *p, operands *o, un_gemm_args *args) {
    size_t rows_a = p->trans_a ? p->k : p->m, rows_b = p->trans_b ? p->n : p->k;
    size_t size = p->f32 ? sizeof(float) : sizeof(un_bf16);
    free((void *)o->pieces);
    o->pieces = NULL;
    if (p->f32) {
        free(o->apart[0]);
        free(o->apart[1]);
        args->a = o->apart[0] = in_f32(o->a, rows_a * o->lda);
        args->b = o->apart[1] = in_f32(o->b, rows_b * o->ldb);
        args->a_f32 = args->b_f32 = 1;
    }
    if (p->a_piece) {
        args->a_pieces = cut(o, args->a, rows_a, o->lda, p->a_piece, size, 0);
        args->piece_rows = p->a_piece;
        args->a = NULL;
        args->piece_done = keep_piece;
        o->product = p;
        args->piece_context = o;
        if (!o->done) util_ok(un_alloc(p->m, sizeof *o->done, &o->done));
        if (!o->squares) util_ok(un_alloc(p->m, sizeof *o->squares, &o->squares));
        if (!o->told) util_ok(un_alloc(o->bytes, 1, &o->told));
        if (!o->told_squares) util_ok(un_alloc(p->m, sizeof *o->told_squares, &o->told_squares));
        memset(o->done, 0, p->m * sizeof *o->done);
        for (size_t i = 0; i < p->m; i++) o->squares[i] = (float)NAN;
        args->a_squares = o->squares;
    }
    if (p->b_piece) {
        args->b_pieces = cut(o, args->b, rows_b, o->ldb, p->b_piece, size, 1);
        args->piece_rows = p->b_piece;
        args->b = NULL;
    }
    if (!p->left) return;
    args->a = NULL;
    if (!o->left) util_ok(un_gemm_left_create(&o->left, p->m, p->k + 40));
    for (size_t s = 0; s * 32 < p->k; s++)
        un_gemm_left_fill(o->left, s, p->k - s * 32 < 32 ? p->k - s * 32 : 32,
                          o->a + s * 32 * o->lda, o->lda);
    args->left = o->left;
}

/* Each piece is told once, and each row's length is known. */
static void check_pieces(const product *p, const operands *o) {
    for (size_t i = 0; p->a_piece && i * p->a_piece < p->m; i++) assert_int_equal(o->done[i], 1);
    if (p->a_piece) assert_memory_equal(o->told, o->c, o->bytes);
    if (p->a_piece) assert_memory_equal(o->told_squares, o->squares, p->m * sizeof *o->squares);
    for (size_t i = 0; p->a_piece && i < p->m; i++) {
        double sum = 0;
        for (size_t k = 0; k < p->k; k++) {
            double x = (double)un_float_from_bf16(o->a[i * o->lda + k]);
            sum += x * x;
        }
        /* 2^-24 for each of the k / 16 sums of a lane, at most */
        util_near((double)o->squares[i], sum, sum * (double)(p->k / 16 + 2) * 0x1p-24);
    }
}

static double at(const void *numbers, int bf16, size_t i) {
    return bf16 ? (double)un_float_from_bf16(((const un_bf16 *)numbers)[i])
                : (double)((const float *)numbers)[i];
}

static void check_sums(const product *p, const operands *o) {
    for (size_t i = 0; i < p->m; i++) {
        double sum = (double)i, size = (double)i;
        for (size_t k = 0; k < p->k; k++) {
            double x = at(o->a, 1, p->trans_a ? k * o->lda + i : i * o->lda + k);
            sum += x;
            size += fabs(x);
        }
        /* 2^-24 for each of the sums of a lane, and for those of lanes to the ones before */
        util_near((double)o->sums[i], sum, size * (double)(p->k / 16 + 8) * 0x1p-24);
    }
}

static void multiply(const un_bf16_way *way, const product *p, operands *o) {
    un_gemm_args args = {.m = p->m,
                         .n = p->n,
                         .k = p->k,
                         .trans_a = p->trans_a,
                         .trans_b = p->trans_b,
                         .input = UN_BF16,
                         .output = p->out16 ? UN_BF16 : UN_F32,
                         .a = o->a,
                         .b = o->b,
                         .c = o->c,
                         .lda = o->lda,
                         .ldb = o->ldb,
                         .ldc = o->ldc,
                         .bias = p->bias ? o->bias : NULL,
                         .relu = p->relu,
                         .gelu = p->gelu,
                         .accumulate = p->accumulate,
                         .residual = p->residual ? o->before : NULL,
                         .linear = p->linear ? o->linear : NULL,
                         .gelu_slope = p->slope ? o->before : NULL,
                         .a_sums = p->sums ? o->sums : NULL};
    arrange(p, o, &args);
    if (p->packed && !o->right)
        util_ok(un_alloc(un_bf16_packed_size(p->n, p->k), sizeof *o->right, &o->right));
    if (p->packed) un_bf16_pack_right(way, p->trans_b, p->n, p->k, o->b, o->ldb, o->right);
    if (p->residual)
        memset(o->c, 0xFF, o->bytes); /* NaN */
    else
        memcpy(o->c, o->before, o->bytes);
    memcpy(o->linear, o->before, o->bytes);
    for (size_t i = 0; i < p->m; i++) o->sums[i] = (float)i;
    util_ok(un_bf16_multiply(way, &args, o->right));
    check_pieces(p, o);
    if (p->sums) check_sums(p, o);
}

/* What is written at (i, j): with an activation, or what that is taken of. */
static double finished(const product *p, const operands *o, size_t i, size_t j, double sum,
                       int active) {
    double before = at(o->before, p->out16, i * o->ldc + j);
    if (p->bias) sum += (double)o->bias[j];
    if (p->relu && sum < 0) sum = 0;
    if (p->gelu && active) sum *= 0.5 * erfc(-sum / sqrt(2));
    if (p->accumulate || p->residual) sum += before;
    if (p->slope)
        sum *=
            0.5 * erfc(-before / sqrt(2)) + before * exp(-before * before / 2) / sqrt(8 * atan(1));
    return sum;
}

/* Of every element of a product the sum, and that of absolute values. */
typedef struct {
    double *sum, *size; /* (M, N) */
} references;

static references make_references(const product *p, const operands *o) {
    references r;
    util_ok(un_alloc(p->m * p->n, sizeof *r.sum, &r.sum));
    util_ok(un_alloc(p->m * p->n, sizeof *r.size, &r.size));
    for (size_t e = 0; e < p->m * p->n; e++)
        for (size_t k = 0; k < p->k; k++) {
            size_t i = e / p->n, j = e % p->n;
            double x = at(o->a, 1, p->trans_a ? k * o->lda + i : i * o->lda + k) *
                       at(o->b, 1, p->trans_b ? j * o->ldb + k : k * o->ldb + j);
            r.sum[e] += x;
            r.size[e] += fabs(x);
        }
    return r;
}

static void check_element(const un_bf16_way *way, const product *p, const operands *o,
                          const references *r, size_t i, size_t j, const void *array, int active) {
    double found = at(array, p->out16, i * o->ldc + j);
    double right = finished(p, o, i, j, r->sum[i * p->n + j], active);
    double allowed = 1e-6 * (r->size[i * p->n + j] + fabs(right) + 16);
    if (p->out16) allowed += fabs(right) / 256;
    if (!(fabs(found - right) <= allowed))
        fail_msg("%s, %zu x %zu x %zu: (%zu, %zu) is %.9g, not %.9g", way->name, p->m, p->n, p->k,
                 i, j, found, right);
}

static void compare(const un_bf16_way *way, const product *p, const operands *o,
                    const references *r) {
    for (size_t i = 0; i < p->m; i++)
        for (size_t j = 0; j < o->ldc; j++) {
            if (j < p->n) {
                check_element(way, p, o, r, i, j, o->c, 1);
                if (p->linear) check_element(way, p, o, r, i, j, o->linear, 0);
                continue;
            } /* between rows */
            size_t e = i * o->ldc + j;
            if (p->residual)
                assert_true(isnan(at(o->c, p->out16, e)));
            else
                assert_true(at(o->c, p->out16, e) == at(o->before, p->out16, e));
            assert_true(at(o->linear, p->out16, e) == at(o->before, p->out16, e));
        }
}

static void every_way_multiplies_right(void **state) {
    (void)state;
    const un_bf16_way *way = NULL;
    un_rng rng = un_rng_stream(3, "bf16", 0);
    size_t ways = 0;
    for (size_t i = 0; i < sizeof g_products / sizeof *g_products; i++) {
        const product *p = &g_products[i];
        operands o = make_operands(p, &rng);
        references r = make_references(p, &o);
        for (ways = 0; (way = un_bf16_way_at(ways)); ways++) {
            multiply(way, p, &o);
            compare(way, p, &o, &r);
        }
        free(r.sum);
        free(r.size);
        free_operands(&o);
    }
    assert_true(ways >= 2); /* portable, and emulated tiles */
}

static void threads_do_not_change_the_bytes(void **state) {
    (void)state;
    un_rng rng = un_rng_stream(4, "bf16", 0);
    const un_bf16_way *way = un_bf16_way_here();
    for (size_t i = 0; i < sizeof g_products / sizeof *g_products; i++) {
        operands o = make_operands(&g_products[i], &rng);
        const size_t sizes[3] = {o.bytes, o.bytes, g_products[i].m * sizeof *o.sums};
        const void *const made[3] = {o.c, o.linear, o.sums};
        void *first[3] = {0};
        for (int k = 0; k < 3; k++) util_ok(un_alloc(sizes[k], 1, &first[k]));
        for (int threads = 1; threads <= 3; threads++) {
            util_ok(un_set_threads(threads));
            multiply(way, &g_products[i], &o);
            for (int k = 0; k < 3; k++) {
                if (threads == 1) memcpy(first[k], made[k], sizes[k]);
                assert_memory_equal(first[k], made[k], sizes[k]);
            }
        }
        for (int k = 0; k < 3; k++) free(first[k]);
        free_operands(&o);
    }
    util_ok(un_set_threads(0));
}

/* Panels are padded with zeros, which must not meet a NaN of another row or column. */
static void nan_stays_where_it_is(void **state) {
    (void)state;
    const product p = {.m = 37, .n = 41, .k = 45};
    const un_bf16_way *way = NULL;
    for (size_t w = 0; (way = un_bf16_way_at(w)); w++) {
        un_rng rng = un_rng_stream(5, "bf16", 0);
        operands o = make_operands(&p, &rng);
        o.a[36 * o.lda + 44] = un_bf16_from_float(NAN);
        o.b[44 * o.ldb + 3] = un_bf16_from_float(INFINITY);
        multiply(way, &p, &o);
        const float *c = o.c;
        for (size_t i = 0; i < p.m; i++)
            for (size_t j = 0; j < p.n; j++) {
                assert_true((isnan(c[i * o.ldc + j]) != 0) == (i == 36));
                if (i < 36) assert_true((isinf(c[i * o.ldc + j]) != 0) == (j == 3));
            }
        free_operands(&o);
    }
}

/* ---- the emulation of tiles ---- */

static float flush(float x) { return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x; }

static float flushed(un_bf16 x) { return flush(un_float_from_bf16(x)); }

/* The rule, number by number: row r with column j, over one step. */
static float tile_sum(const un_bf16 *a, const un_bf16 *b, size_t r, size_t j, float before) {
    const un_bf16 *row = a + r / 16 * BF16_TILE + r % 16 * 32;
    const un_bf16 *column = b + j / 16 * BF16_TILE + 2 * (j % 16);
    float even = 0, odd = 0;
    for (size_t p = 0; p < 16; p++) {
        even = flush(fmaf(flushed(row[2 * p]), flushed(column[p * 32]), even));
        odd = flush(fmaf(flushed(row[2 * p + 1]), flushed(column[p * 32 + 1]), odd));
    }
    return flush(flush(before) + flush(even + odd));
}

/* Any bits, or numbers about 2^-63, whose products are about the least that are not flushed. */
static void fill_odd_numbers(un_rng *rng, int any, un_bf16 *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)un_rng_below(rng, 1 << 16);
        out[i] = (un_bf16)(any ? bits : (bits & 0x8000u) | (0x1F00u + (bits & 0x1FFu)));
    }
}

/* By the loops of every instruction set the emulation gives the rule's bytes; also of numbers that
 * are not finite, subnormal, or nearly so. */
static void emulation_keeps_to_the_rule(void **state) {
    (void)state;
    enum { STEPS = 6, COUNT = BF16_PANEL * BF16_PANEL };
    static un_bf16 a[STEPS * BF16_STEP_SIZE], b[STEPS * BF16_STEP_SIZE];
    static float before[COUNT], right[COUNT] __attribute__((aligned(64))),
        got[COUNT] __attribute__((aligned(64)));
    const un_bf16_way *way = NULL;
    un_rng rng = un_rng_stream(9, "tiles", 0);
    for (size_t round = 0; round < 12; round++) {
        size_t steps = 1 + round % STEPS, wrong = 0, zeros = 0;
        fill_odd_numbers(&rng, round % 3 == 0, a, steps * BF16_STEP_SIZE);
        fill_odd_numbers(&rng, round % 3 == 0, b, steps * BF16_STEP_SIZE);
        un_rng_fill_normal(&rng, before, COUNT, 0, round % 3 == 1 ? FLT_MIN : 1);
        for (size_t e = 0; e < COUNT; e++) {
            right[e] = round % 2 ? before[e] : 0;
            for (size_t s = 0; s < steps; s++)
                right[e] = tile_sum(a + s * BF16_STEP_SIZE, b + s * BF16_STEP_SIZE, e / BF16_PANEL,
                                    e % BF16_PANEL, right[e]);
            zeros += right[e] == 0;
        }
        assert_true(zeros < COUNT);
        for (size_t w = 0; (way = un_bf16_way_at(w)); w++) {
            memcpy(got, before, sizeof got);
            way->moves->emulate_tiles(a, b, steps, got, round % 2);
            for (size_t e = 0; e < COUNT; e++)
                wrong += isnan(right[e]) ? (size_t)!isnan(got[e])
                                         : memcmp(&got[e], &right[e], sizeof got[e]) != 0;
        }
        assert_int_equal(wrong, 0);
    }
}

/* Where there are tiles: they add as their emulation does, to the last bit. */
static void tiles_add_as_emulated(void **state) {
    (void)state;
    const un_bf16_way *amx = NULL, *emulated = NULL, *way = NULL;
    for (size_t w = 0; (way = un_bf16_way_at(w)); w++) {
        if (!strcmp(way->name, "amx")) amx = way;
        if (!strcmp(way->name, "tiles")) emulated = way;
    }
    assert_non_null(emulated);
    if (!amx) {
        print_message("no AMX here\n");
        return;
    }
    un_rng rng = un_rng_stream(6, "bf16", 0);
    for (size_t i = 0; i < sizeof g_products / sizeof *g_products; i++) {
        operands o = make_operands(&g_products[i], &rng);
        void *first = NULL;
        util_ok(un_alloc(o.bytes, 1, &first));
        multiply(emulated, &g_products[i], &o);
        memcpy(first, o.c, o.bytes);
        multiply(amx, &g_products[i], &o);
        /* GELU and its slope are each instruction set's own. */
        if (!g_products[i].gelu && !g_products[i].slope) assert_memory_equal(first, o.c, o.bytes);
        free(first);
        free_operands(&o);
    }
}

/* Fewer rows and elements of k, of panels that are zero beyond these, give the sums of a block. */
static void parts_are_of_blocks(void **state) {
    (void)state;
    enum { STEPS = 3, SIZE = STEPS * BF16_STEP_SIZE, SLAB = BF16_PANEL * BF16_PANEL };
    static un_bf16 a[SIZE] __attribute__((aligned(64))), b[SIZE] __attribute__((aligned(64)));
    float whole[SLAB] __attribute__((aligned(64))), part[SLAB] __attribute__((aligned(64)));
    un_rng rng = un_rng_stream(1, "bf16", 9);
    const un_bf16_way *way = NULL;
    size_t tested = 0;
    for (size_t w = 0; (way = un_bf16_way_at(w)) != NULL; w++)
        for (size_t depth = 1; way->part && depth <= (size_t)STEPS * BF16_STEP; depth += 5)
            for (size_t rows = 1; rows <= BF16_PANEL; rows++, tested++) {
                size_t steps = un_bf16_units(depth, BF16_STEP);
                un_bf16 *left = random_numbers(&rng, rows * depth);
                un_bf16 *right = random_numbers(&rng, BF16_PANEL * depth);
                const un_bf16_operand l = {.moves = way->moves,
                                           .data = left,
                                           .ld = depth,
                                           .lines = rows,
                                           .k = depth,
                                           .along = 1},
                                      r = {.moves = way->moves,
                                           .data = right,
                                           .ld = depth,
                                           .lines = BF16_PANEL,
                                           .k = depth,
                                           .along = 1,
                                           .right = 1};
                un_bf16_pack_panel(&l, 0, 0, steps, a);
                un_bf16_pack_panel(&r, 0, 0, steps, b);
                for (int add = 0; add < 2; add++) {
                    way->block(a, b, steps, whole, add);
                    way->part(a, b, rows, depth, part, add);
                    assert_memory_equal(whole, part, rows * BF16_PANEL * sizeof *part);
                }
                free(left);
                free(right);
            }
    if (tested == 0) skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_way_multiplies_right),
        cmocka_unit_test(threads_do_not_change_the_bytes),
        cmocka_unit_test(nan_stays_where_it_is),
        cmocka_unit_test(emulation_keeps_to_the_rule),
        cmocka_unit_test(tiles_add_as_emulated),
        cmocka_unit_test(parts_are_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
