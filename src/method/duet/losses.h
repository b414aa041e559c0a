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
#include "method/duet/network.h"

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
un_status un_duet_class_losses(const duet_loss_classes *classes,
                               const double weight[DUET_CLASS_TERMS], int twice, const float *g,
                               const int32_t *label, size_t n, double loss[DUET_CLASS_TERMS],
                               float *dg);

/* InfoNCE over 2B features (2B, H), row i and row i + B being partners, with cosine similarity:
 * loss_i = -log of the partner's share among all other rows. Rows of the same class (label[B])
 * that are not the partner are left out, or as published count with similarity 0. Returns
 * weight * mean; adds the gradient to d (2B, H). */
un_status un_duet_info_nce(const float *features, const int32_t *label, size_t B, size_t H,
                           double temperature, int published, double weight, double *loss,
                           float *d);

/* One sample's attribute-level contrast: logits are the dot products of feature[0] with
 * feature[1..pairs-1] (rows of H), the target is feature[1]. Returns weight * cross-entropy;
 * d (pairs, H) is set. */
double un_duet_attribute_contrast(const float *features, size_t pairs, size_t H, double weight,
                                  float *d);

/* ---- the parts of DUET's objective from the network's outputs to their
 * gradients: what is asked of the visual states, of the masked words, and of the
 * words of six (picture, text) pairs.
 *
 * Letters as in network.h; B samples, V words. ---- */

/* Class losses on the first B pictures; class-level contrast if another B follow, the partners. */
typedef struct {
    const duet_loss_classes *classes;
    const int32_t *label; /* [B] rows of the class table */
    size_t samples;       /* B */
    int partners;
    double weight[DUET_CLASS_TERMS];
    double contrast; /* weight of the class-level contrast */
    double temperature;
    int published; /* double softmax; same-class pairs count with similarity 0 */
} duet_visual_targets;

/* First visual states (B, H) or, with partners, (2B, H) -> loss[DUET_CLASS_TERMS + 1], weights
 * included, the last the contrast; adds to dfirst, as large. */
un_status un_duet_visual_losses(const duet_network *network, const un_params *params,
                                const duet_visual_targets *targets, const float *first,
                                double *loss, float *dfirst);

/* Rows of the language states given at which a word is to be named. */
typedef struct {
    size_t count;
    const size_t *row;
    const int64_t *label; /* word */
    const double *weight; /* of each row's cross-entropy */
} duet_word_targets;

/* Adds to dlang (rows, H). */
un_status un_duet_word_loss(duet_mlm_pass *pass, const un_params *params,
                            const duet_word_targets *targets, const float *lang, double *loss,
                            float *dlang);

/* Groups of pairs; the feature of a pair is the projection of the mean of some rows. */
typedef struct {
    size_t groups, pairs;
    const size_t *begin;  /* [groups * pairs + 1] into row; no pair is without rows */
    const size_t *row;    /* rows of the language states */
    const double *weight; /* [groups] */
} duet_contrast_targets;

/* Adds to dlang (rows, H). pooled, features (groups pairs, H): left there unless NULL. */
un_status un_duet_contrast_loss(const duet_network *network, const un_params *params,
                                const duet_contrast_targets *targets, const float *lang,
                                double *loss, float *dlang, float *pooled, float *features);

#endif
