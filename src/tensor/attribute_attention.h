/*
 * attribute_attention.h - attention between the regions of an image and attributes, in the one or
 * two directions of MSDN, and to an image's channels, as in DEDN; forward and backward.
 *
 * y is (R, 4A): for each of R regions the values S, logits, S', logits' of every one of
 * A attributes, once each region's row is multiplied by its factor. The regions are pooled to
 *     psi_i  = sum_r P_ri S_ri,   P  = softmax over regions of the logits
 *     psi2_i = sum_r P'_ri S'_ri, P' = softmax over attributes of the logits'
 * With psi2 NULL there is only the first direction, and y is (R, 2A).
 * y is only read: what makes P and P' of the logits is kept beside it, so that the largest array of
 * a step is written once, by the product, and read while it is near. All functions are serial:
 * callers go over images or rows in parallel.
 */
#ifndef UN_TENSOR_ATTRIBUTE_ATTENTION_H
#define UN_TENSOR_ATTRIBUTE_ATTENTION_H

#include "tensor/tensor.h"

/* The attention of one image. */
typedef struct {
    size_t regions, attributes; /* R, A */
    const float *factor;        /* [R] */
    const float *y;             /* (R, 4A), or (R, 2A) without psi2 */
    /* Filled by un_attribute_attend: */
    float *psi, *psi2;         /* [A]; psi2 NULL: without the second direction, whose arrays below
                                  are then not looked at */
    float *largest, *share;    /* [A] P_ri = share_i exp(logit_ri - largest_i) */
    float *largest2, *share2;  /* [R] P'_ri = share2_r exp(logit'_ri - largest2_r) */
    float *scratch;            /* [A] */
    const float *dpsi, *dpsi2; /* [A] for the backward pass */
} un_attribute_attention;

void un_attribute_attend(const un_attribute_attention *a);
/* P and P' of region r, [A] each; p2 is left alone without the second direction. */
void un_attribute_weights(const un_attribute_attention *a, size_t r, float *p, float *p2);
/* The gradient with respect to the raw products of region r, [4A] or [2A]. */
void un_attribute_attend_backward(const un_attribute_attention *a, size_t r, float *dy);

/* One attribute's attention to n channels: psi = sum_f Q_f T_f with Q = softmax of logit [n] and T =
 * value [n], which is returned. logit becomes Q, and value Q (T - psi), the gradient of psi with
 * respect to the logits; that with respect to the values is Q. */
float un_channel_attend(float *logit, float *value, size_t n);

#endif
