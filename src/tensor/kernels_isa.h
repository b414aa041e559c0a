/*
 * kernels_isa.h - the tables of inner loops, filled once for each instruction set. Private to
 * tensor/.
 */
#ifndef UN_TENSOR_KERNELS_ISA_H
#define UN_TENSOR_KERNELS_ISA_H

#include <stddef.h>

#include "tensor/attribute_attention.h"
#include "tensor/kernels.h"

/* Where one head of one sequence lies. */
typedef struct {
    size_t head, size, wide;                        /* columns: d, rounded up */
    size_t first_q, queries, first_k, keys, long_k; /* rows; keys rounded up */
    size_t first_p;                                 /* in the array of probabilities */
} attend_place;

/* What transformer_isa.c fills; arguments as in kernels.h, one range or one head. */
typedef struct {
    void (*norm_rows)(const un_layer_norm_args *a, size_t begin, size_t end);
    void (*norm_rows_backward)(const un_layer_norm_args *a, size_t begin, size_t end);
    void (*norm_columns_backward)(const un_layer_norm_args *a, size_t begin, size_t end);
    void (*gelu)(const void *x, un_dtype type, void *y, size_t n);
    void (*gelu_backward)(const void *x, un_dtype type, float *dy, un_bf16 *dy16, size_t n);
    /* Row r of x becomes residual + mask x (residual may be NULL). */
    void (*dropout)(const un_dropout *dropout, uint64_t row, float *x, const float *residual,
                    size_t n);
    void (*attend_head)(const un_attend_args *a, size_t sequence, size_t head, float *scratch);
    void (*attend_head_backward)(const un_attend_args *a, size_t sequence, size_t head,
                                 float *scratch);
    /* Rows (p->long_k) of raw scores of queries first.. become weights, dropout included; `mask`
     * has room for a row. */
    void (*attend_weights)(const un_attend_args *a, const attend_place *p, size_t first,
                           size_t rows, float *scores, float *mask);
    /* One row: raw scores s become weights, and their gradient ds that of scores. */
    void (*attend_gradient)(const un_attend_args *a, const attend_place *p, size_t query, float *s,
                            float *ds, float *mask);
} un_transformer_table;

/* What attribute_attention.c fills. */
typedef struct {
    void (*attend)(const un_attribute_attention *a);
    void (*weights)(const un_attribute_attention *a, size_t r, float *p, float *p2);
    void (*attend_backward)(const un_attribute_attention *a, size_t r, float *dy);
    float (*attend_channels)(float *logit, float *value, size_t n);
} un_attribute_table;

/* What kernels_isa.c fills. */
typedef struct {
    const char *name;
    const un_transformer_table *transformer;
    const un_attribute_table *attribute;
    void (*to_bf16)(const float *in, un_bf16 *out, size_t n);
    void (*to_f32)(const un_bf16 *in, float *out, size_t n);
    double (*sum)(const float *x, size_t n);
    double (*dot)(const float *x, const float *y, size_t n);
    void (*axpy)(float a, const float *x, float *y, size_t n);
    void (*scale)(float a, float *x, size_t n);
    void (*tanh)(const float *x, float *out, size_t n);
    void (*softmax)(float *x, size_t n);
    int (*best_of_kinds)(const float *x, const int32_t *kind, size_t n, size_t best[2]);
    void (*relu_backward_f32)(const float *y, float *dx, size_t n);
    void (*relu_backward_bf16)(const un_bf16 *y, float *dx, size_t n);
    double (*adam)(const un_update *u, float *p, const float *g, float *m, float *v,
                   un_bf16 *shadow, size_t n);
    double (*rmsprop)(const un_update *u, float *p, const float *g, float *v, float *buffer,
                      un_bf16 *shadow, size_t n);
    /* out (tile_rows, tile_columns) = sum over p < k of a[p, :] (outer) b[p, :], in double */
    size_t tile_rows, tile_columns;
    void (*tile64)(size_t k, const double *a, const double *b, double *out);
    /* Bare loops, which show what the processor can give (ceilings.h). The first multiplies and adds
     * in registers only, x x[0] + x[1], and returns how many operations that were; the others fill
     * whole lines of 64 bytes, `stream_fill` past the caches. */
    double (*multiply_add)(size_t rounds, float x[2]);
    void (*fill)(float value, float *x, size_t n);
    void (*stream_fill)(float value, float *x, size_t n);
} un_isa_table;

enum { UN_TILE64_MOST = 192 }; /* elements of the largest tile */

/* The table for this processor. */
const un_isa_table *un_isa(void);

extern const un_isa_table un_isa_baseline;
extern const un_transformer_table un_transformer_baseline;
extern const un_attribute_table un_attribute_baseline;
#if defined(UN_HAVE_X86_ISA)
extern const un_isa_table un_isa_avx2;
extern const un_isa_table un_isa_avx512;
extern const un_transformer_table un_transformer_avx2;
extern const un_attribute_table un_attribute_avx2;
extern const un_transformer_table un_transformer_avx512;
extern const un_attribute_table un_attribute_avx512;
#endif

/* ---- how much memory one head's attention works in. Private to tensor/. ---- */

/* Panels have rows of a multiple of this many floats; the widest vector is that long. */
enum { ATTEND_ALIGN = 16 };
/* Query rows of one block: a multiple of every tile's height. */
enum { ATTEND_BLOCK = 48 };

static inline size_t attend_round(size_t n) {
    return (n + ATTEND_ALIGN - 1) / ATTEND_ALIGN * ATTEND_ALIGN;
}

static inline attend_place attend_find_place(const un_attend_args *a, size_t sequence,
                                             size_t head) {
    attend_place p = {.head = head,
                      .size = a->size,
                      .wide = attend_round(a->size),
                      .first_q = a->q_start[sequence],
                      .first_k = a->k_start[sequence]};
    p.queries = a->q_start[sequence + 1] - p.first_q;
    p.keys = a->k_start[sequence + 1] - p.first_k;
    p.long_k = attend_round(p.keys);
    if (!a->probabilities) return p;
    for (size_t s = 0; s < sequence; s++)
        p.first_p +=
            a->heads * (a->q_start[s + 1] - a->q_start[s]) * (a->k_start[s + 1] - a->k_start[s]);
    p.first_p += head * p.queries * p.keys;
    return p;
}

/* Below so many queries, keys and values are read where they lie: to lay them out first costs
 * more than the products. */
enum { ATTEND_FEW = 4 };

/* Floats for sequences of up to `keys` keys and heads of `size` columns. Forward: K^T, V, a
 * block of Q, of scores and of the output, a row of the dropout mask. Backward: also V^T, K,
 * dK, dV, blocks of dO, dS. */
static inline size_t attend_scratch_size(size_t keys, size_t size, int backward) {
    size_t k = attend_round(keys), d = attend_round(size);
    size_t panels = d * k, block = ATTEND_BLOCK * d, scores = ATTEND_BLOCK * k;
    return backward ? 6 * panels + 3 * block + 2 * scores + k : 2 * panels + 2 * block + scores + k;
}

#endif
