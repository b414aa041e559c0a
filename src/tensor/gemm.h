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
} un_gemm_args;

un_status un_gemm(const un_gemm_args *args);

/* Keeps op(B) (K, N) in the layout the kernels like best, for weights that are
 * used many times. `m` is the usual number of rows of A. `b` may go afterwards. */
un_status un_gemm_pack(un_packed **out, un_dtype type, int trans_b, size_t m, size_t n, size_t k,
                       const void *b, size_t ldb);
/* Packs other values of the same matrix (type, trans_b, n, k as before) into the same place. */
un_status un_gemm_repack(un_packed *packed, int trans_b, const void *b, size_t ldb);
void un_packed_free(un_packed *packed);

/* "oneDNN 2.6.3", which multiplies f32. */
const char *un_gemm_backend(void);
/* "amx", "avx512bf16", …: how bf16 is multiplied, and the measured rate, operations a second of one
 * thread. */
const char *un_gemm_bf16_way(double *rate);

#endif
