/*
 * cross_entropy.h - softmax cross-entropy over rows of logits, with its gradient.
 */
#ifndef UN_NN_CROSS_ENTROPY_H
#define UN_NN_CROSS_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* loss[r] = -log softmax(logits_r)[label[r]] for every row of logits (rows, n), n > 0 and
 * 0 <= label < n; `loss` [rows] may be NULL. Returns sum_r weight[r] loss[r]; `weight` NULL: all
 * 1. dlogits (rows, n) receives the gradient of that sum unless NULL, and may be logits. */
double un_cross_entropy(const float *logits, const int64_t *label, const double *weight,
                        size_t rows, size_t n, double *loss, float *dlogits);

#endif
