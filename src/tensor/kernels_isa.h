/*
 * kernels_isa.h - the table of inner loops that kernels_isa.c fills, once for
 * each instruction set. Private to tensor/.
 */
#ifndef UN_TENSOR_KERNELS_ISA_H
#define UN_TENSOR_KERNELS_ISA_H

#include "tensor/kernels.h"

typedef struct {
    const char *name;
    void (*to_bf16)(const float *in, un_bf16 *out, size_t n);
    void (*to_f32)(const un_bf16 *in, float *out, size_t n);
    double (*sum)(const float *x, size_t n);
    double (*dot)(const float *x, const float *y, size_t n);
    void (*axpy)(float a, const float *x, float *y, size_t n);
    void (*scale)(float a, float *x, size_t n);
    void (*tanh)(const float *x, float *out, size_t n);
    void (*softmax)(float *x, size_t n);
    void (*relu_backward_f32)(const float *y, float *dx, size_t n);
    void (*relu_backward_bf16)(const un_bf16 *y, float *dx, size_t n);
    void (*attend)(const un_attention *a, const float *inverse_norm, float *y);
    void (*attend_backward)(const un_attention *a, const float *inverse_norm, const float *y,
                            float *dy, un_bf16 *dy16);
    double (*adam)(const un_update *u, float *p, const float *g, float *m, float *v,
                   un_bf16 *shadow, size_t n);
    double (*rmsprop)(const un_update *u, float *p, const float *g, float *v, float *buffer,
                      un_bf16 *shadow, size_t n);
} un_isa_table;

extern const un_isa_table un_isa_baseline;
#if defined(UN_HAVE_X86_ISA)
extern const un_isa_table un_isa_avx2;
extern const un_isa_table un_isa_avx512;
#endif

#endif
