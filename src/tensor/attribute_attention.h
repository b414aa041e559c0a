/*
 * attribute_attention.h - MSDN's attention between the regions of an image and
 * attributes, in two directions, forward and backward.
 *
 * y is (R, 4A): for each of R regions the values S, logits, S', logits' of every one of
 * A attributes. The regions are pooled to
 *     psi_i  = sum_r P_ri S_ri,   P  = softmax over regions of the logits
 *     psi2_i = sum_r P'_ri S'_ri, P' = softmax over attributes of the logits'
 * Both functions take one image and are serial: callers go over images in parallel.
 */
#ifndef UN_TENSOR_ATTRIBUTE_ATTENTION_H
#define UN_TENSOR_ATTRIBUTE_ATTENTION_H

#include "tensor/tensor.h"

typedef struct {
    size_t regions, attributes; /* R, A */
    float *psi, *psi2;          /* [A] */
    const float *dpsi, *dpsi2;  /* [A], backward only */
    float *scratch;             /* [4A] */
} un_attribute_attention;

/* y holds raw products; each region's row is multiplied by inverse_norm[r] first. Leaves
 * S, P, S', P' in y, and psi, psi2. */
void un_attribute_attend(const un_attribute_attention *a, const float *inverse_norm, float *y);
/* From y as un_attribute_attend left it: the gradient with respect to the raw products, into dy
 * (f32) or dy16 (bf16), whichever is not NULL. Neither overlaps y. */
void un_attribute_attend_backward(const un_attribute_attention *a, const float *inverse_norm,
                                  const float *y, float *dy, un_bf16 *dy16);

#endif
