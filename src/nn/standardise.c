/* standardise.c - see standardise.h. */
#include "nn/standardise.h"

#include <math.h>

#include "base/parallel.h"

enum { BLOCK = 64 }; /* columns whose sums are kept at a time; ranges begin at multiples of it */

typedef struct {
    un_standardise_form form;
    const float *z, *ds;
    size_t rows, n;
    float *mean, *variance;                   /* written */
    const float *given_mean, *given_variance; /* or read */
    float *out;
} job;

/* Means and variances, these with divisor rows - 1, of columns at.. of z. */
static void moments(const job *j, size_t at, size_t width, double *mean, double *variance) {
    double sum[BLOCK] = {0}, squares[BLOCK] = {0};
    for (size_t r = 0; r < j->rows; r++)
        for (size_t i = 0; i < width; i++) sum[i] += (double)j->z[r * j->n + at + i];
    for (size_t i = 0; i < width; i++) mean[i] = sum[i] / (double)j->rows;
    for (size_t r = 0; r < j->rows; r++)
        for (size_t i = 0; i < width; i++) {
            double d = (double)j->z[r * j->n + at + i] - mean[i];
            squares[i] += d * d;
        }
    for (size_t i = 0; i < width; i++) variance[i] = squares[i] / (double)(j->rows - 1);
}

static double divisor(un_standardise_form form, double variance) {
    double v = variance + UN_STANDARDISE_EPSILON;
    return form == UN_BY_VARIANCE ? v : sqrt(v);
}

/* The same of a step's own rows, whose deviation has divisor rows. */
static double own_divisor(const job *j, double variance) {
    double n = (double)j->rows;
    return divisor(j->form, j->form == UN_BY_VARIANCE ? variance : variance * (n - 1) / n);
}

/* The difference in f64: a column far from 0 that hardly varies is divided by next to nothing. */
static void divide(const job *j, size_t at, size_t width, const double *mean,
                   const double *inverse) {
    for (size_t r = 0; r < j->rows; r++) {
        const float *z = j->z + r * j->n + at;
        float *out = j->out + r * j->n + at;
        for (size_t i = 0; i < width; i++) out[i] = (float)(((double)z[i] - mean[i]) * inverse[i]);
    }
}

static void forward_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t at = begin; at < end; at += BLOCK) {
        size_t width = end - at < BLOCK ? end - at : BLOCK;
        double mean[BLOCK], variance[BLOCK], inverse[BLOCK];
        moments(j, at, width, mean, variance);
        for (size_t i = 0; i < width; i++) {
            j->mean[at + i] = (float)mean[i];
            j->variance[at + i] = (float)variance[i];
            inverse[i] = 1 / own_divisor(j, variance[i]);
        }
        divide(j, at, width, mean, inverse);
    }
}

void un_standardise(un_standardise_form form, const float *z, size_t rows, size_t n, float *mean,
                    float *variance, float *s) {
    job j = {
        .form = form, .z = z, .rows = rows, .n = n, .mean = mean, .variance = variance, .out = s};
    un_parallel_for(n, BLOCK, forward_range, &j);
}

static void given_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t at = begin; at < end; at += BLOCK) {
        size_t width = end - at < BLOCK ? end - at : BLOCK;
        double mean[BLOCK], inverse[BLOCK];
        for (size_t i = 0; i < width; i++) {
            mean[i] = (double)j->given_mean[at + i];
            inverse[i] = 1 / divisor(j->form, (double)j->given_variance[at + i]);
        }
        divide(j, at, width, mean, inverse);
    }
}

void un_standardise_by(un_standardise_form form, const float *z, size_t rows, size_t n,
                       const float *mean, const float *variance, float *s) {
    job j = {.form = form,
             .z = z,
             .rows = rows,
             .n = n,
             .given_mean = mean,
             .given_variance = variance,
             .out = s};
    un_parallel_for(n, BLOCK, given_range, &j);
}

/* dz = (ds - mean ds) / q - b d, with q the divisor, d = z - m, and b from the derivative of q:
 * variance form 2 sum(ds d) / ((rows - 1) q^2), deviation form sum(ds d) / (rows q^3). */
static void backward_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    double n = (double)j->rows;
    for (size_t at = begin; at < end; at += BLOCK) {
        size_t width = end - at < BLOCK ? end - at : BLOCK;
        double mean[BLOCK], variance[BLOCK], inverse[BLOCK], back[BLOCK];
        double sum[BLOCK] = {0}, along[BLOCK] = {0};
        moments(j, at, width, mean, variance);
        for (size_t r = 0; r < j->rows; r++)
            for (size_t i = 0; i < width; i++) {
                double g = (double)j->ds[r * j->n + at + i];
                sum[i] += g;
                along[i] += g * ((double)j->z[r * j->n + at + i] - mean[i]);
            }
        for (size_t i = 0; i < width; i++) {
            double q = own_divisor(j, variance[i]);
            inverse[i] = 1 / q;
            back[i] = j->form == UN_BY_VARIANCE ? 2 * along[i] / ((n - 1) * q * q)
                                                : along[i] / (n * q * q * q);
        }
        for (size_t r = 0; r < j->rows; r++) {
            const float *z = j->z + r * j->n + at, *ds = j->ds + r * j->n + at;
            float *dz = j->out + r * j->n + at;
            for (size_t i = 0; i < width; i++)
                dz[i] = (float)(((double)ds[i] - sum[i] / n) * inverse[i] -
                                ((double)z[i] - mean[i]) * back[i]);
        }
    }
}

void un_standardise_backward(un_standardise_form form, const float *z, size_t rows, size_t n,
                             const float *ds, float *dz) {
    job j = {.form = form, .z = z, .ds = ds, .rows = rows, .n = n, .out = dz};
    un_parallel_for(n, BLOCK, backward_range, &j);
}
