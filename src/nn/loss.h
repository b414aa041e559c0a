/*
 * loss.h - losses with their gradients, of every method.
 *
 * Two kinds of arithmetic: over many rows or wide ones (the squared error of DEM, the
 * words of a masked language model) f32 with sums in f64, on all threads; over a batch
 * of class scores (MSDN, DEDN, DUET), which is small, plain f64.
 */
#ifndef UN_NN_LOSS_H
#define UN_NN_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* ---- f32 rows, in parallel ---- */

/* Squared error behind a ReLU. f, target, df are (rows, n), f >= 0 the ReLU's
 * output; returns sum_r weight[r] |f_r - target_r|^2 and writes its gradient with
 * respect to the ReLU's input: 2 weight[r] (f - target) where f > 0, else 0. */
double un_squared_error_relu(const float *f, const float *target, const double *weight, size_t rows,
                             size_t n, float *df);

/* The same without a ReLU: f has any sign, df is 2 weight[r] (f - target) everywhere. */
double un_squared_error(const float *f, const float *target, const double *weight, size_t rows,
                        size_t n, float *df);

/* loss[r] = -log softmax(logits_r)[label[r]] for every row of logits (rows, n), n > 0 and
 * 0 <= label < n; `loss` [rows] may be NULL. Returns sum_r weight[r] loss[r]; `weight` NULL: all
 * 1. dlogits (rows, n) receives the gradient of that sum unless NULL, and may be logits. */
double un_cross_entropy(const float *logits, const int64_t *label, const double *weight,
                        size_t rows, size_t n, double *loss, float *dlogits);

/* ---- class scores of a batch, in f64: C classes; gradients are added up ---- */

/* p = softmax(s), both [C], over the classes with use[k] (NULL: all); 0 elsewhere. p may be s. */
void un_softmax_f64(const double *s, const unsigned char *use, size_t C, double *p);

/* log p, of the least normal number where p is smaller: never -infinity. */
double un_log_f64(double p);

/* weight times the cross-entropy of p = softmax(s) over the classes with use[k] (NULL: all) and
 * `label`, one of them. p [C] is written and may be s; ds [C] += the gradient. */
double un_cross_entropy_f64(const double *s, const unsigned char *use, size_t C, size_t label,
                            double weight, double *p, double *ds);

/* Self-calibration: -weight log(mean over the batch of the unseen classes' probability), for
 * p (n, C), each row a softmax, and seen [C]; ds (n, C) += its gradient with respect to the
 * softmax's input. 0, and nothing added, if no class is unseen or weight is 0. */
double un_self_calibration(const double *p, const unsigned char *seen, size_t n, size_t C,
                           double weight, double *ds);

/* Jensen-Shannon divergence of p and q (n, C), rows of which are softmaxes, averaged over the n
 * rows; dp and dq (n, C) += weight times its gradient with respect to the softmaxes' inputs.
 * mean [C] is scratch. */
double un_jensen_shannon(const double *p, const double *q, size_t n, size_t C, double weight,
                         double *mean, double *dp, double *dq);

/* Distance of two networks' scores a, b (n, C), averaged over the n rows, with d = a - b: with
 * `squared` sum d^2, else sum |d|^3 / sqrt(sum d^2 + epsilon), 0 without a slope where a row's d and
 * epsilon are 0. da and db (n, C) += weight times its gradient. With the divergence above it is what
 * the networks of MSDN and DEDN teach each other by. */
double un_score_distance(const float *a, const float *b, size_t n, size_t C, int squared,
                         double epsilon, double weight, double *da, double *db);

/* Squared error of one row: *squares += |x - target|^2, value after value, so that a caller's
 * sum over rows is one; dx [n] = 2 weight (x - target), replaced. */
void un_squared_error_f64(const float *x, const float *target, size_t n, double weight,
                          double *squares, double *dx);

#endif
