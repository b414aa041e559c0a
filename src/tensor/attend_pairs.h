/*
 * attend_pairs.h - one head of attention by products of pairs of bf16, where the processor has
 * instructions for them. Private to tensor/; attend.c chooses.
 */
#ifndef UN_TENSOR_ATTEND_PAIRS_H
#define UN_TENSOR_ATTEND_PAIRS_H

#include "tensor/kernels_isa.h"

#if defined(UN_HAVE_X86_ISA)
/* Floats that a head works in; `longest`: keys of the longest sequence. */
size_t un_attend_pairs_scratch(size_t longest, size_t size, int backward);
/* As attend_head and attend_head_backward of `table`, which gives weights and their gradients. */
void un_attend_pairs_forward(const un_attend_args *a, const un_transformer_table *table,
                             const attend_place *place, float *scratch);
void un_attend_pairs_backward(const un_attend_args *a, const un_transformer_table *table,
                              const attend_place *place, float *scratch);
#endif

#endif
