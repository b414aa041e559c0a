/*
 * ceilings.h - what this processor and its memory give at most: bare loops that do one thing only,
 * to hold the rates of real work against.
 */
#ifndef UN_TENSOR_CEILINGS_H
#define UN_TENSOR_CEILINGS_H

#include "base/status.h"

/* A rate of one thread alone, and of all threads at once together. */
typedef struct {
    double one, all;
} un_ceiling;

typedef struct {
    un_ceiling f32; /* operations a second: fused multiply-adds in registers, two each */
    un_ceiling
        bf16; /* operations a second: blocks of un_gemm_bf16_way, from L1; where it multiplies
                          in f32 without the widening, which products do once for many blocks */
    un_ceiling read;   /* bytes a second, as all below */
    un_ceiling store;  /* written through the caches, which first read each line */
    un_ceiling stream; /* written past the caches */
} un_ceilings;

/* The best of many short runs each, some seconds in all. Memory is measured on `bytes` (>= 4096),
 * which threads share; caches should not hold it. */
un_status un_ceilings_measure(size_t bytes, un_ceilings *out);

#endif
