/*
 * attribute_attention.c - the loops of attribute_attention.h, one image on the calling
 * thread. Compiled once for each instruction set, as kernels_isa.c is.
 */
#include "tensor/attribute_attention.h"

#include "tensor/isa_math.h"
#include "tensor/kernels_isa.h"

#ifndef UN_ATTRIBUTE_TABLE
#define UN_ATTRIBUTE_TABLE un_attribute_baseline
#endif

/* Softmax over regions, column by column; the columns are the vector lanes. */
static void attend_regions(const un_attribute_attention *a, float *restrict y) {
    size_t A = a->attributes, R = a->regions, row = 4 * A;
    float *restrict largest = a->scratch, *restrict total = a->scratch + A;
    float *restrict psi = a->psi;
    for (size_t i = 0; i < A; i++) {
        largest[i] = -INFINITY;
        total[i] = 0;
        psi[i] = 0;
    }
    for (size_t r = 0; r < R; r++) {
        const float *logit = y + r * row + A;
        for (size_t i = 0; i < A; i++) largest[i] = logit[i] > largest[i] ? logit[i] : largest[i];
    }
    for (size_t r = 0; r < R; r++) {
        const float *restrict value = y + r * row;
        float *restrict logit = y + r * row + A;
        for (size_t i = 0; i < A; i++) {
            float e = exponential(logit[i] - largest[i]);
            logit[i] = e;
            total[i] += e;
            psi[i] += e * value[i];
        }
    }
    for (size_t i = 0; i < A; i++) {
        total[i] = 1.0f / total[i];
        psi[i] *= total[i];
    }
    for (size_t r = 0; r < R; r++) {
        float *restrict p = y + r * row + A;
        for (size_t i = 0; i < A; i++) p[i] *= total[i];
    }
}

/* Softmax over attributes, region by region. */
static void attend_attributes(const un_attribute_attention *a, float *restrict y) {
    size_t A = a->attributes, R = a->regions, row = 4 * A;
    float *restrict psi = a->psi2;
    for (size_t i = 0; i < A; i++) psi[i] = 0;
    for (size_t r = 0; r < R; r++) {
        const float *restrict value = y + r * row + 2 * A;
        float *restrict p = y + r * row + 3 * A;
        softmax_row(p, A);
        for (size_t i = 0; i < A; i++) psi[i] += p[i] * value[i];
    }
}

static void attend(const un_attribute_attention *a, const float *inverse_norm, float *y) {
    size_t row = 4 * a->attributes;
    for (size_t r = 0; r < a->regions; r++) scale_row(inverse_norm[r], y + r * row, row);
    attend_regions(a, y);
    attend_attributes(a, y);
}

/* One region's row of gradients: dS = P dpsi, dlogit = P dpsi (S - psi), and the same for the
 * other direction with the mean over attributes instead of psi. */
static inline void attend_backward_row(const un_attribute_attention *a, float scale_by,
                                       const float *restrict y, float *restrict dy) {
    size_t A = a->attributes;
    const float *restrict psi = a->psi, *restrict dpsi = a->dpsi, *restrict dpsi2 = a->dpsi2;
    const float *s = y, *p = y + A, *s2 = y + 2 * A, *p2 = y + 3 * A;
    float lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= A; i += LANES)
        for (size_t j = 0; j < LANES; j++) lane[j] += p2[i + j] * s2[i + j] * dpsi2[i + j];
    for (; i < A; i++) lane[0] += p2[i] * s2[i] * dpsi2[i];
    float mean = (float)add_lanes(lane);
    for (i = 0; i < A; i++) {
        float value = s[i], weight = scale_by * p[i] * dpsi[i];
        float value2 = s2[i], weight2 = scale_by * p2[i];
        dy[i] = weight;
        dy[A + i] = weight * (value - psi[i]);
        dy[2 * A + i] = weight2 * dpsi2[i];
        dy[3 * A + i] = weight2 * (value2 * dpsi2[i] - mean);
    }
}

static void attend_backward(const un_attribute_attention *a, const float *inverse_norm,
                            const float *y, float *dy, un_bf16 *dy16) {
    size_t row = 4 * a->attributes;
    for (size_t r = 0; r < a->regions; r++) {
        float *out = dy ? dy + r * row : a->scratch;
        attend_backward_row(a, inverse_norm[r], y + r * row, out);
        if (dy16) narrow_row(out, dy16 + r * row, row);
    }
}

const un_attribute_table UN_ATTRIBUTE_TABLE = {
    .attend = attend,
    .attend_backward = attend_backward,
};
