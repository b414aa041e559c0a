/*
 * loss.h - losses with their gradients.
 */
#ifndef UN_NN_LOSS_H
#define UN_NN_LOSS_H

#include <stddef.h>
#include <stdint.h>

/* Squared error behind a ReLU. f, target, df are (rows, n), f >= 0 the ReLU's
 * output; returns sum_r weight[r] |f_r - target_r|^2 and writes its gradient with
 * respect to the ReLU's input: 2 weight[r] (f - target) where f > 0, else 0. */
double un_squared_error_relu(const float *f, const float *target, const double *weight, size_t rows,
                             size_t n, float *df);

/* The same without a ReLU: f has any sign, df is 2 weight[r] (f - target) everywhere. */
double un_squared_error(const float *f, const float *target, const double *weight, size_t rows,
                        size_t n, float *df);

/* ---- softmax cross-entropy over rows of logits, with its gradient. ---- */

/* loss[r] = -log softmax(logits_r)[label[r]] for every row of logits (rows, n), n > 0 and
 * 0 <= label < n; `loss` [rows] may be NULL. Returns sum_r weight[r] loss[r]; `weight` NULL: all
 * 1. dlogits (rows, n) receives the gradient of that sum unless NULL, and may be logits. */
double un_cross_entropy(const float *logits, const int64_t *label, const double *weight,
                        size_t rows, size_t n, double *loss, float *dlogits);

#endif
