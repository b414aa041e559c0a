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

/* From one region's products to the next one's. */
static size_t row_size(const un_attribute_attention *a) {
    return (a->psi2 ? 4 : 2) * a->attributes;
}

/* The largest logit of each attribute; attributes are the vector lanes. */
static void find_largest(const un_attribute_attention *a) {
    size_t A = a->attributes, row = row_size(a);
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
    const float *restrict value = a->y + r * row_size(a), *restrict logit = value + A;
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
    float *restrict psi = a->psi2, *restrict e = a->scratch, by = a->factor[r];
    for (size_t i = 0; i < A; i++) e[i] = by * logit[i];
    float most = largest_of(e, A);
    for (size_t i = 0; i < A; i++) e[i] = exponential(e[i] - most);
    float share = (float)(1.0 / sum_row(e, A));
    for (size_t i = 0; i < A; i++) psi[i] += share * e[i] * (by * value[i]);
    a->largest2[r] = most;
    a->share2[r] = share;
}

static void attend(const un_attribute_attention *a) {
    size_t A = a->attributes;
    for (size_t i = 0; i < A; i++) a->share[i] = a->psi[i] = 0;
    for (size_t i = 0; i < A && a->psi2; i++) a->psi2[i] = 0;
    find_largest(a);
    for (size_t r = 0; r < a->regions; r++) {
        pool_region(a, r);
        if (a->psi2) pool_attributes(a, r);
    }
    for (size_t i = 0; i < A; i++) {
        a->share[i] = 1.0f / a->share[i];
        a->psi[i] *= a->share[i];
    }
}

static void weights(const un_attribute_attention *a, size_t r, float *restrict p,
                    float *restrict p2) {
    size_t A = a->attributes;
    const float *logit = a->y + r * row_size(a) + A;
    float by = a->factor[r];
    for (size_t i = 0; i < A; i++) p[i] = a->share[i] * exponential(by * logit[i] - a->largest[i]);
    if (!a->psi2) return;
    const float *logit2 = logit + 2 * A;
    float most = a->largest2[r], share = a->share2[r];
    for (size_t i = 0; i < A; i++) p2[i] = share * exponential(by * logit2[i] - most);
}

/* dS = P dpsi, dlogit = P dpsi (S - psi). The place of the logits' gradients holds P until they are
 * there. */
static void regions_backward(const un_attribute_attention *a, const float *restrict s, float by,
                             float *restrict dy) {
    size_t A = a->attributes;
    const float *restrict psi = a->psi, *restrict dpsi = a->dpsi;
    float *restrict p = dy + A;
    for (size_t i = 0; i < A; i++) {
        float weight = by * p[i] * dpsi[i];
        dy[i] = weight;
        p[i] = weight * (by * s[i] - psi[i]);
    }
}

/* The same in the other direction, with the mean over attributes instead of psi. */
static void attributes_backward(const un_attribute_attention *a, const float *restrict s, float by,
                                float *restrict dy) {
    size_t A = a->attributes, i = 0;
    const float *restrict dpsi = a->dpsi2;
    float *restrict p = dy + A;
    float lane[LANES] = {0};
    for (; i + LANES <= A; i += LANES)
        for (size_t j = 0; j < LANES; j++) lane[j] += p[i + j] * (by * s[i + j]) * dpsi[i + j];
    for (; i < A; i++) lane[0] += p[i] * (by * s[i]) * dpsi[i];
    float mean = (float)add_lanes(lane);
    for (i = 0; i < A; i++) {
        float weight = by * p[i];
        dy[i] = weight * dpsi[i];
        p[i] = weight * (by * s[i] * dpsi[i] - mean);
    }
}

/* One region's row of gradients. */
static void attend_backward(const un_attribute_attention *a, size_t r, float *restrict dy) {
    size_t A = a->attributes;
    const float *s = a->y + r * row_size(a);
    weights(a, r, dy + A, a->psi2 ? dy + 3 * A : NULL);
    regions_backward(a, s, a->factor[r], dy);
    if (a->psi2) attributes_backward(a, s + 2 * A, a->factor[r], dy + 2 * A);
}

static float attend_channels(float *restrict logit, float *restrict value, size_t n) {
    float most = largest_of(logit, n), lane[LANES] = {0};
    for (size_t f = 0; f < n; f++) logit[f] = exponential(logit[f] - most);
    float share = (float)(1.0 / sum_row(logit, n));
    size_t f = 0;
    for (; f + LANES <= n; f += LANES)
        for (size_t j = 0; j < LANES; j++) {
            logit[f + j] *= share;
            lane[j] += logit[f + j] * value[f + j];
        }
    for (; f < n; f++) {
        logit[f] *= share;
        lane[0] += logit[f] * value[f];
    }
    float psi = (float)add_lanes(lane);
    for (f = 0; f < n; f++) value[f] = logit[f] * (value[f] - psi);
    return psi;
}

const un_attribute_table UN_ATTRIBUTE_TABLE = {
    .attend = attend,
    .weights = weights,
    .attend_backward = attend_backward,
    .attend_channels = attend_channels,
};
