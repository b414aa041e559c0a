/*
 * standardise.h - columns of a matrix in units of how they vary over its rows, forward and backward
 * on caller-owned buffers: class normalisation (Skorokhodov, Elhoseiny, ICLR 2021) where the rows
 * are classes.
 *
 *   variance    N(z) = (z - m) / (v + eps)
 *   deviation   N(z) = (z - m) / sqrt(v + eps): batch normalisation without scale and shift
 *
 * m is a column's mean. v is its variance: with divisor rows - 1 in the first form; in the second
 * with divisor rows where a step standardises by its own rows, but rows - 1 in what is kept. A
 * column that is the same in all rows becomes 0.
 *
 * Matrices are f32, what is computed of them f64, with sums in the order of the rows: the same bytes
 * for any number of threads.
 */
#ifndef UN_NN_STANDARDISE_H
#define UN_NN_STANDARDISE_H

#include <stddef.h>

typedef enum { UN_BY_VARIANCE, UN_BY_DEVIATION } un_standardise_form;

/* eps, as published. */
#define UN_STANDARDISE_EPSILON 1e-5

/* z (rows, n), rows > 1, -> s (rows, n) by the statistics of these rows, which mean [n] and variance
 * [n] receive, the variance with divisor rows - 1. */
void un_standardise(un_standardise_form form, const float *z, size_t rows, size_t n, float *mean,
                    float *variance, float *s);
/* The gradient of z from ds, both (rows, n); dz may be ds. */
void un_standardise_backward(un_standardise_form form, const float *z, size_t rows, size_t n,
                             const float *ds, float *dz);

/* z (rows, n) -> s (rows, n), which may be z, by kept statistics, whatever these rows are. */
void un_standardise_by(un_standardise_form form, const float *z, size_t rows, size_t n,
                       const float *mean, const float *variance, float *s);

#endif
