/*
 * isa_matrix.h - matrix products and transposition small enough for the cache, for the
 * loops of transformer_isa.c, bf16_isa.c and attend_pairs.c: compiled for each instruction set. Private to tensor/.
 */
#ifndef UN_TENSOR_ISA_MATRIX_H
#define UN_TENSOR_ISA_MATRIX_H

#include <string.h>

#include "tensor/kernels_isa.h"

#if defined(__AVX512F__)
enum { VECTOR = 16, TILE = 12, HALF_TILE = 8 };
#elif defined(__AVX2__)
enum { VECTOR = 8, TILE = 6, HALF_TILE = 4 };
#else
enum { VECTOR = 4, TILE = 6, HALF_TILE = 4 };
#endif

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef float vector __attribute__((vector_size(VECTOR * sizeof(float))));

static inline vector load(const float *p) {
    vector v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vector v) { memcpy(p, &v, sizeof v); }

/* `n` floats; short rows are not worth a call. */
static inline void copy_row(const float *in, float *out, size_t n) {
    size_t i = 0;
    for (; i + VECTOR <= n; i += VECTOR) store(out + i, load(in + i));
    for (; i < n; i++) out[i] = in[i];
}

/* C (m, n) = A B or C += A B; A's element (i, k) is a[i * row + k * step], B (depth, n) and C
 * have rows of ldb and ldc floats, n a multiple of ATTEND_ALIGN. */
typedef struct {
    size_t m, n, depth;
    const float *a;
    size_t row, step;
    const float *b;
    size_t ldb;
    float *c;
    size_t ldc;
    int add;
} product;

/* `rows` x `vectors` accumulators stay in registers; both are constants after inlining. */
static inline __attribute__((always_inline)) void tile(const product *p, size_t i, size_t j,
                                                       const size_t rows, const size_t vectors) {
    vector sum[TILE][2];
    const float *a = p->a + i * p->row, *b = p->b + j;
    float *c = p->c + i * p->ldc + j;
    UNROLL for (size_t r = 0; r < rows; r++) {
        UNROLL for (size_t v = 0; v < vectors; v++) {
            if (p->add)
                sum[r][v] = load(c + r * p->ldc + v * VECTOR);
            else
                sum[r][v] = (vector){0};
        }
    }
    for (size_t k = 0; k < p->depth; k++) {
        vector right[2];
        UNROLL for (size_t v = 0; v < vectors; v++) right[v] = load(b + v * VECTOR);
        UNROLL for (size_t r = 0; r < rows; r++) {
            float left = a[r * p->row];
            UNROLL for (size_t v = 0; v < vectors; v++) sum[r][v] += left * right[v];
        }
        a += p->step;
        b += p->ldb;
    }
    UNROLL for (size_t r = 0; r < rows; r++) {
        UNROLL for (size_t v = 0; v < vectors; v++) store(c + r * p->ldc + v * VECTOR, sum[r][v]);
    }
}

static inline __attribute__((always_inline)) void columns(const product *p, size_t i,
                                                          const size_t rows) {
    size_t j = 0;
    for (; j + 2 * VECTOR <= p->n; j += 2 * VECTOR) tile(p, i, j, rows, 2);
    for (; j < p->n; j += VECTOR) tile(p, i, j, rows, 1);
}

static inline void multiply(const product *p) {
    size_t i = 0;
    for (; i + TILE <= p->m; i += TILE) columns(p, i, TILE);
    for (; i + HALF_TILE <= p->m; i += HALF_TILE) columns(p, i, HALF_TILE);
    for (; i + 2 <= p->m; i += 2) columns(p, i, 2);
    for (; i < p->m; i++) columns(p, i, 1);
}

/* ---- transposition ---- */

typedef float sixteen __attribute__((vector_size(ATTEND_ALIGN * sizeof(float))));

/* Of two vectors, squares of `n` columns in turn: the first of either, or the second. */
#if defined(__clang__)
#define PICK(x, y, n, second)                                                                      \
    __builtin_shufflevector(                                                                       \
        x, y, AT(0, n, second), AT(1, n, second), AT(2, n, second), AT(3, n, second),              \
        AT(4, n, second), AT(5, n, second), AT(6, n, second), AT(7, n, second), AT(8, n, second),  \
        AT(9, n, second), AT(10, n, second), AT(11, n, second), AT(12, n, second),                 \
        AT(13, n, second), AT(14, n, second), AT(15, n, second))
#else
typedef int32_t selector __attribute__((vector_size(ATTEND_ALIGN * sizeof(int32_t))));
#define PICK(x, y, n, second)                                                                      \
    __builtin_shuffle(                                                                             \
        x, y,                                                                                      \
        (selector){AT(0, n, second), AT(1, n, second), AT(2, n, second), AT(3, n, second),         \
                   AT(4, n, second), AT(5, n, second), AT(6, n, second), AT(7, n, second),         \
                   AT(8, n, second), AT(9, n, second), AT(10, n, second), AT(11, n, second),       \
                   AT(12, n, second), AT(13, n, second), AT(14, n, second), AT(15, n, second)})
#endif
/* Column i of the result: from the first vector where bit n of i is 0, else from the second. */
#define AT(i, n, second) (((i) & ~(n)) + ((second) ? (n) : 0) + ((i) & (n) ? ATTEND_ALIGN : 0))
#define EXCHANGE(n)                                                                                \
    UNROLL for (int i = 0; i < ATTEND_ALIGN; i++) {                                                \
        if (i & (n)) continue;                                                                     \
        sixteen low = v[i], high = v[i + (n)];                                                     \
        v[i] = PICK(low, high, n, 0);                                                              \
        v[i + (n)] = PICK(low, high, n, 1);                                                        \
    }

/* in (16, 16) with rows of ldin floats, transposed to out with rows of ldout. */
static inline void transpose_square(const float *in, size_t ldin, float *out, size_t ldout) {
    sixteen v[ATTEND_ALIGN];
    UNROLL for (size_t i = 0; i < ATTEND_ALIGN; i++) memcpy(&v[i], in + i * ldin, sizeof v[i]);
    EXCHANGE(8)
    EXCHANGE(4)
    EXCHANGE(2)
    EXCHANGE(1)
    UNROLL for (size_t i = 0; i < ATTEND_ALIGN; i++) memcpy(out + i * ldout, &v[i], sizeof v[i]);
}

#endif
