/*
 * curve.h - the exact seen-unseen accuracy curve of calibrated stacking (Chao et
 * al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
 * Object Recognition in the Wild", ECCV 2016).
 *
 * An image's decision flips from its best seen to its best unseen class at one
 * gamma: the difference of the two scores. Sorting these thresholds gives every
 * point that any gamma can reach, in O(n log n); nothing is gridded.
 */
#ifndef UN_PROTOCOL_CURVE_H
#define UN_PROTOCOL_CURVE_H

#include "protocol/predictions.h"

/* Without images of unseen classes U is NaN in every point, without images of seen classes S is:
 * nothing was measured.
 * Point j holds for gamma strictly between threshold[j-1] and threshold[j]; there
 * is one point more than there are thresholds. */
typedef struct {
    size_t count;      /* points, at least 1 */
    double *threshold; /* [count - 1], ascending, distinct */
    double *U, *S;     /* [count], fractions */
} un_curve;

un_status un_curve_make(un_curve *curve, const un_predictions *predictions);
void un_curve_free(un_curve *curve);

/* 2us / (u + s); 0 where both are 0, NaN where one of them was not measured. */
double un_harmonic(double u, double s);
/* Area under the curve by trapezoids over its points, both ends included; NaN where U or S was not
 * measured. */
double un_curve_area(const un_curve *curve);
/* A gamma inside point j: the middle of its interval; one step outside at the ends. */
double un_curve_gamma(const un_curve *curve, size_t j);
/* Index of the point that holds at `gamma` (just above it, if it is a threshold). */
size_t un_curve_locate(const un_curve *curve, double gamma);
/* What the best common gamma of several curves came to. */
typedef struct {
    double gamma;
    double mean_h; /* at gamma; NaN where no curve has both U and S */
    int decided;   /* 0: no gamma is better than another, as where H is 0 at all; gamma is 0 then */
} un_gamma_choice;

/* The gamma that maximises the mean H over several curves (folds); curves that lack U or S are
 * left out. Neighbouring intervals of one mean H are a plateau. Among the best plateaus the one
 * nearest to 0 is taken, then the wider one, then the lower one: gamma is 0 where it holds 0, as
 * scores are left alone that need no change, else the middle of the interval in its middle. */
un_status un_curve_best_gamma(const un_curve *curves, size_t n, un_gamma_choice *out);

#endif
