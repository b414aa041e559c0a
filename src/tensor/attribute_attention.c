/*
 * attribute_attention.c - the loops of attribute_attention.h, one image or one region on the
 * calling thread. Compiled once for each instruction set, as kernels_isa.c is.
 */
#include "tensor/attribute_attention.h"

#include "tensor/isa_math.h"
#include "tensor/kernels_isa.h"

#ifndef UN_ATTRIBUTE_TABLE
#define UN_ATTRIBUTE_TABLE un_attribute_baseline
#endif

/* The largest logit of each attribute; attributes are the vector lanes. */
static void find_largest(const un_attribute_attention *a) {
    size_t A = a->attributes, row = 4 * A;
    float *restrict largest = a->largest;
    for (size_t i = 0; i < A; i++) largest[i] = -INFINITY;
    for (size_t r = 0; r < a->regions; r++) {
        const float *logit = a->y + r * row + A;
        float by = a->factor[r];
        for (size_t i = 0; i < A; i++) {
            float x = by * logit[i];
            largest[i] = x > largest[i] ? x : largest[i];
        }
    }
}

/* A region's part of the softmax over regions. */
static void pool_region(const un_attribute_attention *a, size_t r) {
    size_t A = a->attributes;
    const float *restrict value = a->y + r * 4 * A, *restrict logit = value + A;
    const float *restrict largest = a->largest;
    float *restrict total = a->share, *restrict psi = a->psi, by = a->factor[r];
    for (size_t i = 0; i < A; i++) {
        float e = exponential(by * logit[i] - largest[i]);
        total[i] += e;
        psi[i] += e * (by * value[i]);
    }
}

/* The softmax over attributes of one region. */
static void pool_attributes(const un_attribute_attention *a, size_t r) {
    size_t A = a->attributes;
    const float *restrict value = a->y + r * 4 * A + 2 * A, *restrict logit = value + A;
    float *restrict psi = a->psi2, *restrict e = a->scratch, by = a->factor[r], most = -INFINITY;
    for (size_t i = 0; i < A; i++) {
        float x = by * logit[i];
        most = x > most ? x : most;
    }
    for (size_t i = 0; i < A; i++) e[i] = exponential(by * logit[i] - most);
    float share = (float)(1.0 / sum_row(e, A));
    for (size_t i = 0; i < A; i++) psi[i] += share * e[i] * (by * value[i]);
    a->largest2[r] = most;
    a->share2[r] = share;
}

static void attend(const un_attribute_attention *a) {
    size_t A = a->attributes;
    for (size_t i = 0; i < A; i++) a->share[i] = a->psi[i] = a->psi2[i] = 0;
    find_largest(a);
    for (size_t r = 0; r < a->regions; r++) {
        pool_region(a, r);
        pool_attributes(a, r);
    }
    for (size_t i = 0; i < A; i++) {
        a->share[i] = 1.0f / a->share[i];
        a->psi[i] *= a->share[i];
    }
}

static void weights(const un_attribute_attention *a, size_t r, float *restrict p,
                    float *restrict p2) {
    size_t A = a->attributes;
    const float *logit = a->y + r * 4 * A + A, *logit2 = logit + 2 * A;
    float by = a->factor[r], most = a->largest2[r], share = a->share2[r];
    for (size_t i = 0; i < A; i++) {
        p[i] = a->share[i] * exponential(by * logit[i] - a->largest[i]);
        p2[i] = share * exponential(by * logit2[i] - most);
    }
}

/* One region's row of gradients: dS = P dpsi, dlogit = P dpsi (S - psi), and the same for the
 * other direction with the mean over attributes instead of psi. The places of the logits'
 * gradients hold P and P' until they are there. */
static void attend_backward(const un_attribute_attention *a, size_t r, float *restrict dy) {
    size_t A = a->attributes, i = 0;
    const float *restrict s = a->y + r * 4 * A, *restrict s2 = s + 2 * A;
    const float *restrict psi = a->psi, *restrict dpsi = a->dpsi, *restrict dpsi2 = a->dpsi2;
    float *restrict p = dy + A, *restrict p2 = dy + 3 * A, by = a->factor[r];
    weights(a, r, p, p2);
    float lane[LANES] = {0};
    for (; i + LANES <= A; i += LANES)
        for (size_t j = 0; j < LANES; j++) lane[j] += p2[i + j] * (by * s2[i + j]) * dpsi2[i + j];
    for (; i < A; i++) lane[0] += p2[i] * (by * s2[i]) * dpsi2[i];
    float mean = (float)add_lanes(lane);
    for (i = 0; i < A; i++) {
        float weight = by * p[i] * dpsi[i], weight2 = by * p2[i];
        dy[i] = weight;
        p[i] = weight * (by * s[i] - psi[i]);
        dy[2 * A + i] = weight2 * dpsi2[i];
        p2[i] = weight2 * (by * s2[i] * dpsi2[i] - mean);
    }
}

const un_attribute_table UN_ATTRIBUTE_TABLE = {
    .attend = attend,
    .weights = weights,
    .attend_backward = attend_backward,
};
