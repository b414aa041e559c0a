/*
 * gemm.h - matrix products, f32 or bf16 inputs with f32 accumulation.
 *
 * C = act(op(A) op(B) + bias) (+ C): op(A) is (M, K), op(B) is (K, N), C is
 * (M, N), all row-major with a leading dimension. oneDNN multiplies f32 (only the
 * *_onednn.c files of this room include it), own loops bf16 (bf16.h).
 */
#ifndef UN_TENSOR_GEMM_H
#define UN_TENSOR_GEMM_H

#include "tensor/tensor.h"

typedef struct un_packed un_packed;
typedef struct un_gemm_left un_gemm_left;

typedef struct {
    size_t m, n, k;
    int trans_a;     /* A is stored (K, M) */
    int trans_b;     /* B is stored (N, K) */
    un_dtype input;  /* of A and B: UN_F32 or UN_BF16 */
    un_dtype output; /* of C: UN_F32, or UN_BF16 if input is UN_BF16 */
    const void *a;   /* leading dimension lda, in elements */
    const void *b;   /* leading dimension ldb; ignored if `packed` is set */
    const un_packed *packed;
    void *c;
    size_t lda, ldb, ldc; /* 0: dense */
    const float *bias;    /* [N], NULL: none */
    int relu;             /* max(x, 0) after the bias */
    int gelu;             /* x Phi(x) after the bias, the exact form; not with relu */
    int accumulate;       /* add to C instead of replacing it; not with relu or gelu */
    const void *residual; /* (M, N) of C's type, stored as C: added to the product, in the place of
                             C's old values where it is C; not with relu or gelu; NULL: none */
    /* For training, (M, N) of C's type, stored as C; not with relu, accumulate or residual: */
    void *linear;           /* with gelu: receives what it is taken of; NULL: not kept */
    const void *gelu_slope; /* C is multiplied with gelu' of this; not with gelu; NULL: none */

    /* Of bf16 products only: */
    int a_f32, b_f32; /* A, B are given as f32, and rounded as they are read */
    /* The stored rows of A or B (not trans_b) lie in pieces of piece_rows rows, the last one may
     * have fewer; instead of `a` or `b`. */
    const void *const *a_pieces, *const *b_pieces;
    size_t piece_rows;
    const un_gemm_left *left; /* A as un_gemm_left_fill made it, instead of `a` */
    float *a_squares;         /* [M] receives the sum of squares of each row of A as it is used */
    float *a_sums;            /* [M] to which the sum of each row of A is added; not with left */
    /* Called once for each piece of A (not trans_a) when its rows of C are whole and still near,
     * on the thread that finished them, several at once; it must not multiply bf16 itself. */
    void (*piece_done)(size_t piece, void *context);
    void *piece_context;
} un_gemm_args;

un_status un_gemm(const un_gemm_args *args);

/* Keeps op(B) (K, N) in the layout the kernels like best, for weights that are
 * used many times. `m` is the usual number of rows of A. `b` may go afterwards. */
un_status un_gemm_pack(un_packed **out, un_dtype type, int trans_b, size_t m, size_t n, size_t k,
                       const void *b, size_t ldb);
/* Packs other values of the same matrix (type, trans_b, n, k as before) into the same place. */
un_status un_gemm_repack(un_packed *packed, int trans_b, const void *b, size_t ldb);
void un_packed_free(un_packed *packed);

/* A (m, k) of a bf16 product, made 32 of k at a time; for any product of the same m and at most as
 * large a k. */
un_status un_gemm_left_create(un_gemm_left **out, size_t m, size_t k);
/* Columns 32 step .. 32 step + n - 1 of A, n <= 32, as n rows of m elements, ld apart. The last
 * step's n makes the product's k. Different steps may be filled at once. */
void un_gemm_left_fill(un_gemm_left *left, size_t step, size_t n, const un_bf16 *columns,
                       size_t ld);
void un_gemm_left_free(un_gemm_left *left);

/* "oneDNN 2.6.3", which multiplies f32. */
const char *un_gemm_backend(void);
/* "amx", "avx512bf16", …: how bf16 is multiplied. *rate, unless NULL: operations a second of one
 * thread that bare blocks of it reach, which takes a millisecond to measure, once. */
const char *un_gemm_bf16_way(double *rate);

/* AUTO resolved for this process: bf16 where that way multiplies by bf16 instructions ("amx",
 * "avx512bf16"); f32 where it widens to f32 or emulates tiles, since bf16 gains nothing there. */
un_precision un_precision_resolve(un_precision precision);
/* The element type that GEMM inputs have under `precision`. */
un_dtype un_precision_dtype(un_precision precision);

#endif
