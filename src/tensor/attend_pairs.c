/*
 * attend_pairs.c - heads of attention where the processor multiplies pairs of bf16 (AVX-512's
 * VDPBF16PS): the loops of transformer_isa.c with half as many steps, each of two elements.
 *
 * Where a sum goes over columns a pair is two neighbours in a row, where it goes over rows two rows'
 * elements side by side. Scores and sums are f32; weights, gradients of scores and of the output are
 * rounded to bf16 before they are multiplied, as every operand of a bf16 product is.
 */
#include "tensor/attend_pairs.h"

#if defined(UN_HAVE_X86_ISA)

#include <immintrin.h>

#include "tensor/isa_matrix.h"

enum { ROWS = 64 /* queries of a block at most */, PAIRS = 16, ELEMENTS = 2 * PAIRS };

typedef struct {
    const un_attend_args *a;
    attend_place p; /* wide: a multiple of ELEMENTS */
    uint32_t *free; /* scratch that nobody took yet */
} job;

static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

size_t un_attend_pairs_scratch(size_t longest, size_t size, int backward) {
    size_t panel = round_up(longest, ATTEND_ALIGN) * round_up(size, ELEMENTS) / 2,
           block = ROWS * round_up(size, ELEMENTS);
    size_t scores = ROWS * round_up(longest, ATTEND_ALIGN), mask = round_up(longest, ATTEND_ALIGN);
    if (!backward) return 2 * panel + block / 2 + block + scores + scores / 2 + mask;
    return 7 * panel + 3 * block + 3 * scores + mask;
}

static job open_job(const un_attend_args *a, const attend_place *place, float *scratch) {
    job j = {.a = a, .p = *place, .free = (uint32_t *)(void *)scratch};
    j.p.wide = round_up(place->size, ELEMENTS);
    return j;
}

static uint32_t *take(job *j, size_t words) {
    uint32_t *taken = j->free;
    j->free += words;
    return taken;
}

static float *take_floats(job *j, size_t count) { return (float *)(void *)take(j, count); }

/* ---- products of pairs ---- */

/* C (m, n) = A B or C += A B over `depth` pairs; A's pair (i, k) is a[i * row + k * step], B
 * (depth, n) and C have rows of ldb and ldc, n is a multiple of PAIRS. */
typedef struct {
    size_t m, n, depth;
    const uint32_t *a;
    size_t row, step;
    const uint32_t *b;
    size_t ldb;
    float *c;
    size_t ldc;
    int add;
} pair_product;

static inline __attribute__((always_inline)) void
pair_tile(const pair_product *p, size_t i, size_t j, const size_t rows, const size_t vectors) {
    __m512 sum[TILE][2];
    const uint32_t *a = p->a + i * p->row, *b = p->b + j;
    float *c = p->c + i * p->ldc + j;
    UNROLL for (size_t r = 0; r < rows; r++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            sum[r][v] = p->add ? _mm512_loadu_ps(c + r * p->ldc + v * PAIRS) : _mm512_setzero_ps();
        }
    }
    for (size_t k = 0; k < p->depth; k++, a += p->step, b += p->ldb) {
        __m512i right[2];
        UNROLL for (size_t v = 0; v < vectors; v++) right[v] = _mm512_loadu_si512(b + v * PAIRS);
        UNROLL for (size_t r = 0; r < rows; r++) {
            __m512i left = _mm512_set1_epi32((int)a[r * p->row]);
            UNROLL for (size_t v = 0; v < vectors; v++) {
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], (__m512bh)left, (__m512bh)right[v]);
            }
        }
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            _mm512_storeu_ps(c + r * p->ldc + v * PAIRS, sum[r][v]);
        }
    }
}

static inline __attribute__((always_inline)) void pair_columns(const pair_product *p, size_t i,
                                                               const size_t rows) {
    size_t j = 0;
    for (; j + 2 * PAIRS <= p->n; j += 2 * PAIRS) pair_tile(p, i, j, rows, 2);
    for (; j < p->n; j += PAIRS) pair_tile(p, i, j, rows, 1);
}

static void multiply_pairs(const pair_product *p) {
    size_t i = 0;
    for (; i + TILE <= p->m; i += TILE) pair_columns(p, i, TILE);
    for (; i + 4 <= p->m; i += 4) pair_columns(p, i, 4);
    for (; i < p->m; i++) pair_columns(p, i, 1);
}

/* ---- operands ---- */

/* The first n of 32 elements, or all. */
static inline __mmask32 first_of(size_t n) { return n >= ELEMENTS ? 0xFFFFFFFFu : (1u << n) - 1u; }

static inline __mmask16 half_of(size_t n) {
    return (__mmask16)(n >= PAIRS ? 0xFFFFu : (1u << n) - 1u);
}

/* n elements as bf16, and zeros up to `wide`. */
static void narrow(const float *in, size_t n, un_bf16 *out, size_t wide) {
    for (size_t i = 0; i < wide; i += PAIRS) {
        __m512 x = _mm512_maskz_loadu_ps(i < n ? half_of(n - i) : 0, in + (i < n ? i : 0));
        _mm256_storeu_si256((void *)(out + i), (__m256i)_mm512_cvtneps_pbh(x));
    }
}

/* Row r of the head's columns. */
static const un_bf16 *row_of(const job *j, const void *x, size_t r, size_t ld) {
    const un_bf16 *row = (const un_bf16 *)x + r * ld + j->p.head * j->p.size;
    /* The next head's, which nobody foresees; may lie beyond x. */
    for (size_t at = 0; at < j->p.size; at += ELEMENTS)
        __builtin_prefetch((const void *)((uintptr_t)row + (j->p.size + at) * sizeof *row));
    return row;
}

/* `rows` rows of the head's columns, and zeros up to p.wide. */
static void copy(const job *j, const void *x, size_t first, size_t ld, size_t rows, un_bf16 *out) {
    size_t n = j->p.size;
    for (size_t r = 0; r < rows; r++) {
        const un_bf16 *row = row_of(j, x, first + r, ld);
        for (size_t i = 0; i < j->p.wide; i += ELEMENTS)
            _mm512_storeu_si512(out + r * j->p.wide + i,
                                _mm512_maskz_loadu_epi16(first_of(n - i), row + i));
    }
}

/* Pairs along columns, transposed: (wide / 2, long_k) of all keys or values; `rows` is room for as
 * many. */
static void turn(const job *j, const void *x, uint32_t *rows, uint32_t *out) {
    const attend_place *p = &j->p;
    size_t half = p->wide / 2;
    copy(j, x, p->first_k, j->a->ldk, p->keys, (un_bf16 *)(void *)rows);
    memset(rows + p->keys * half, 0, (p->long_k - p->keys) * half * sizeof *rows);
    for (size_t r = 0; r < p->long_k; r += ATTEND_ALIGN)
        for (size_t i = 0; i < half; i += ATTEND_ALIGN) /* bits, never computed with */
            transpose_square((const float *)(const void *)(rows + r * half + i), half,
                             (float *)(void *)(out + i * p->long_k + r), p->long_k);
}

/* Two rows' n elements side by side, and zeros up to `wide`; `odd` may be NULL: zeros. */
static inline void pair_two(const un_bf16 *even, const un_bf16 *odd, size_t n, uint32_t *out,
                            size_t wide) {
    for (size_t i = 0; i < wide; i += PAIRS) {
        __mmask16 some = i < n ? half_of(n - i) : 0;
        size_t at = i < n ? i : 0;
        __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, even + at));
        __m512i high = odd ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, odd + at))
                           : _mm512_setzero_si512();
        _mm512_storeu_si512(out + i, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
}

/* Pairs of rows of the head's columns: (rows / 2, wide). */
static void pair_columns_of(const job *j, const void *x, size_t first, size_t ld, size_t rows,
                            uint32_t *out) {
    for (size_t r = 0; r < rows; r += 2, out += j->p.wide)
        pair_two(row_of(j, x, first + r, ld), r + 1 < rows ? row_of(j, x, first + r + 1, ld) : NULL,
                 j->p.size, out, j->p.wide);
}

/* Pairs of `rows` rows of `n` elements: (rows / 2, n). */
static void pair_rows(const un_bf16 *in, size_t rows, size_t n, uint32_t *out) {
    for (size_t r = 0; r < rows; r += 2, in += 2 * n, out += n)
        pair_two(in, r + 1 < rows ? in + n : NULL, n, out, n);
}

static void put(const job *j, const float *in, size_t rows, un_bf16 *out, size_t first, size_t ld) {
    for (size_t r = 0; r < rows; r++, in += j->p.wide) {
        un_bf16 *to = out + (first + r) * ld + j->p.head * j->p.size;
        for (size_t i = 0; i < j->p.size; i += PAIRS)
            _mm256_mask_storeu_epi16(to + i, half_of(j->p.size - i),
                                     (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(in + i)));
    }
}

/* Blocks of queries are even, so that none is left with a row or two. */
static size_t block_rows(size_t queries) {
    size_t blocks = (queries + ROWS - 1) / ROWS;
    return round_up((queries + blocks - 1) / blocks, 2);
}

/* ---- a head ---- */

void un_attend_pairs_forward(const un_attend_args *a, const un_transformer_table *table,
                             const attend_place *place, float *scratch) {
    job j = open_job(a, place, scratch);
    const attend_place *p = &j.p;
    size_t panel = p->long_k * p->wide / 2, step = block_rows(p->queries), half = p->wide / 2;
    uint32_t *keys = take(&j, panel), *values = take(&j, panel);
    uint32_t *query = take(&j, ROWS * half);
    float *out = take_floats(&j, ROWS * p->wide), *scores = take_floats(&j, ROWS * p->long_k);
    uint32_t *weights = take(&j, ROWS * p->long_k / 2);
    float *mask = take_floats(&j, p->long_k);
    turn(&j, a->k, values, keys);
    pair_columns_of(&j, a->v, p->first_k, a->ldk, p->keys, values);
    for (size_t first = 0; first < p->queries; first += step) {
        size_t rows = p->queries - first < step ? p->queries - first : step;
        copy(&j, a->q, p->first_q + first, a->ldq, rows, (un_bf16 *)(void *)query);
        multiply_pairs(&(pair_product){rows, p->long_k, half, query, half, 1, keys, p->long_k,
                                       scores, p->long_k, 0});
        table->attend_weights(a, p, first, rows, scores, mask);
        narrow(scores, rows * p->long_k, (un_bf16 *)(void *)weights, rows * p->long_k);
        multiply_pairs(&(pair_product){rows, p->wide, (p->keys + 1) / 2, weights, p->long_k / 2, 1,
                                       values, p->wide, out, p->wide, 0});
        put(&j, out, rows, a->out, p->first_q + first, a->heads * p->size);
    }
}

/* Operands and sums of backward. */
typedef struct {
    uint32_t *keys, *values;   /* (wide / 2, long_k): pairs of columns */
    uint32_t *key_rows;        /* (long_k / 2, wide): pairs of keys */
    uint32_t *query, *dout;    /* (ROWS, wide / 2) */
    uint32_t *queries, *douts; /* (ROWS / 2, wide): pairs of queries */
    uint32_t *narrow;          /* (ROWS, long_k / 2): weights, then gradients of scores */
    uint32_t *turned;          /* (ROWS / 2, long_k): pairs of queries, of the same */
    float *s, *ds, *mask;      /* (ROWS, long_k), a row */
    float *dq, *dk, *dv;       /* (ROWS, wide), (long_k, wide) */
} back;

/* sums (long_k, wide) += X^T Y of a block: X (rows, long_k) in x, Y's pairs in `right`. */
static void add_queries(const job *j, const back *b, const float *x, size_t rows,
                        const uint32_t *right, int add, float *sums) {
    const attend_place *p = &j->p;
    narrow(x, rows * p->long_k, (un_bf16 *)(void *)b->narrow, rows * p->long_k);
    pair_rows((const un_bf16 *)(const void *)b->narrow, rows, p->long_k, b->turned);
    multiply_pairs(&(pair_product){p->keys, p->wide, (rows + 1) / 2, b->turned, 1, p->long_k, right,
                                   p->wide, sums, p->wide, add});
}

static void block_backward(const job *j, const un_transformer_table *table, const back *b,
                           size_t first, size_t rows) {
    const un_attend_args *a = j->a;
    const attend_place *p = &j->p;
    size_t half = p->wide / 2, at = p->first_q + first, ld = a->heads * p->size;
    un_bf16 *dout = (un_bf16 *)(void *)b->dout;
    copy(j, a->q, at, a->ldq, rows, (un_bf16 *)(void *)b->query);
    pair_rows((un_bf16 *)(void *)b->query, rows, p->wide, b->queries);
    for (size_t r = 0; r < rows; r++)
        narrow(a->dout + (at + r) * ld + p->head * p->size, p->size, dout + r * p->wide, p->wide);
    pair_rows(dout, rows, p->wide, b->douts);
    multiply_pairs(&(pair_product){rows, p->long_k, half, b->query, half, 1, b->keys, p->long_k,
                                   b->s, p->long_k, 0});
    multiply_pairs(&(pair_product){rows, p->long_k, half, b->dout, half, 1, b->values, p->long_k,
                                   b->ds, p->long_k, 0});
    for (size_t r = 0; r < rows; r++)
        table->attend_gradient(a, p, first + r, b->s + r * p->long_k, b->ds + r * p->long_k,
                               b->mask);
    add_queries(j, b, b->s, rows, b->douts, first > 0, b->dv);
    add_queries(j, b, b->ds, rows, b->queries, first > 0, b->dk);
    multiply_pairs(&(pair_product){rows, p->wide, (p->keys + 1) / 2, b->narrow, p->long_k / 2, 1,
                                   b->key_rows, p->wide, b->dq, p->wide, 0});
    put(j, b->dq, rows, a->dq, at, a->lddq);
}

void un_attend_pairs_backward(const un_attend_args *a, const un_transformer_table *table,
                              const attend_place *place, float *scratch) {
    job j = open_job(a, place, scratch);
    const attend_place *p = &j.p;
    size_t panel = p->long_k * p->wide / 2, block = ROWS * p->wide, scores = ROWS * p->long_k;
    const back b = {.keys = take(&j, panel),
                    .values = take(&j, panel),
                    .key_rows = take(&j, panel),
                    .query = take(&j, block / 2),
                    .dout = take(&j, block / 2),
                    .queries = take(&j, block / 2),
                    .douts = take(&j, block / 2),
                    .narrow = take(&j, scores / 2),
                    .turned = take(&j, scores / 2),
                    .s = take_floats(&j, scores),
                    .ds = take_floats(&j, scores),
                    .mask = take_floats(&j, p->long_k),
                    .dq = take_floats(&j, block),
                    .dk = take_floats(&j, 2 * panel),
                    .dv = take_floats(&j, 2 * panel)};
    size_t step = block_rows(p->queries);
    turn(&j, a->k, b.key_rows, b.keys);
    turn(&j, a->v, b.key_rows, b.values);
    pair_columns_of(&j, a->k, p->first_k, a->ldk, p->keys, b.key_rows);
    for (size_t first = 0; first < p->queries; first += step)
        block_backward(&j, table, &b, first, p->queries - first < step ? p->queries - first : step);
    put(&j, b.dk, p->keys, a->dk, p->first_k, a->lddk);
    put(&j, b.dv, p->keys, a->dv, p->first_k, a->lddk);
}

#else
typedef int un_attend_no_pairs; /* a translation unit must not be empty */
#endif
