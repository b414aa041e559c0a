/*
 * losses.h - DUET's losses over attribute scores and features, with their
 * gradients. Batches are small here: plain f64, on one thread.
 *
 * Letters: n pictures, A attributes, C classes, H width of features.
 */
#ifndef UN_METHOD_DUET_LOSSES_H
#define UN_METHOD_DUET_LOSSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Classes as the losses see them. */
typedef struct {
    size_t count, attributes;  /* C, A */
    const float *att;          /* (C, A) unit rows */
    const unsigned char *seen; /* [C] */
} duet_loss_classes;

enum { DUET_CLASS, DUET_MSE, DUET_CALIBRATION, DUET_CLASS_TERMS };

/* Scores s = g att^T. Terms, each times its weight:
 *   class        mean cross-entropy of softmax over the seen columns; `twice`: cross-entropy
 *                applied to the softmax once more, as the published code does
 *   mse          mean over n A of (g - att[y])^2
 *   calibration  -log of the batch mean of the unseen classes' share in softmax(s + m),
 *                m = +1 unseen, -1 seen; 0 if no class is unseen
 * g (n, A), label[n] in 0..C-1 and seen. Adds the gradient to dg (n, A). */
un_status duet_class_losses(const duet_loss_classes *classes, const double weight[DUET_CLASS_TERMS],
                            int twice, const float *g, const int32_t *label, size_t n,
                            double loss[DUET_CLASS_TERMS], float *dg);

/* InfoNCE over 2B features (2B, H), row i and row i + B being partners, with cosine similarity:
 * loss_i = -log of the partner's share among all other rows. Rows of the same class (label[B])
 * that are not the partner are left out, or as published count with similarity 0. Returns
 * weight * mean; adds the gradient to d (2B, H). */
un_status duet_info_nce(const float *features, const int32_t *label, size_t B, size_t H,
                        double temperature, int published, double weight, double *loss, float *d);

/* One sample's attribute-level contrast: logits are the dot products of feature[0] with
 * feature[1..pairs-1] (rows of H), the target is feature[1]. Returns weight * cross-entropy;
 * d (pairs, H) is set. */
double duet_attribute_contrast(const float *features, size_t pairs, size_t H, double weight,
                               float *d);

#endif
