/*
 * whiten.h - whitening: features in units of what varies within a class.
 *
 * In features as they come, the largest directions need not be those that tell
 * classes apart: light, pose and background move a plain descriptor further than the
 * class does, and rule every distance. Whitening measures how the training images of
 * a class spread about their mean and takes that as the unit in every direction:
 *     x -> (x - mu) W,   W W' = ((1 - s) S + s t I)^-1,   t = tr S / D,
 * mu the mean of the training images, S = sum_i (x_i - mean_y(i)) (x_i - mean_y(i))' / N.
 * Distances become Mahalanobis distances. W = L^-T of the Cholesky factor L; every other
 * root of the inverse is this one and a rotation, which neither Euclidean distances nor
 * cosines see.
 *
 * The shrinkage s (0 to 1; 1 leaves only centring and one common scale) keeps directions
 * that few images measured from being blown up. It may be given, or come from the images:
 * the s whose matrix has the least expected squared error, by the formula of Ledoit and
 * Wolf ("A well-conditioned estimator for large-dimensional covariance matrices", Journal
 * of Multivariate Analysis 88, 2004; b^2 / d^2 of its section 3.2), applied to the rows
 * x_i - mean_y(i). It looks at no validation image and no test image.
 *
 * Two passes over the images, in double; memory is (D + C) D doubles and W in f32,
 * whatever their number.
 *
 * Letters: N training images, D values of one, C classes.
 */
#ifndef UN_METHOD_WHITEN_H
#define UN_METHOD_WHITEN_H

#include "method/method.h"

/* The most values of an image: D^2 doubles are half a GiB there. */
enum { UN_WHITEN_MAX_WIDTH = 8192 };

/* mean (D), weight (D, D: row of inputs, column of outputs) in f32; `shrinkage` 0 to 1, NAN for
 * Ledoit and Wolf's, *used what it was. `classes` is the number of rows that labels go to.
 * UNSEEN_E_ARGUMENT if D is too large, if no class varies, or if the matrix is singular. */
un_status un_whiten_fit(const un_training_data *data, size_t classes, double shrinkage, float *mean,
                        float *weight, double *used);

/* out (n, D) of x (n, D), which is centred in place; the buffers do not overlap. */
un_status un_whiten(const float *mean, const float *weight, size_t n, size_t D, float *x,
                    float *out);

#endif
