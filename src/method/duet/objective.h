/*
 * objective.h - the parts of DUET's objective from the network's outputs to their
 * gradients: what is asked of the visual states, of the masked words, and of the
 * words of six (picture, text) pairs.
 *
 * Letters as in network.h; B samples, V words.
 */
#ifndef UN_METHOD_DUET_OBJECTIVE_H
#define UN_METHOD_DUET_OBJECTIVE_H

#include "method/duet/losses.h"
#include "method/duet/network.h"

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
un_status duet_visual_losses(const duet_network *network, const un_params *params,
                             const duet_visual_targets *targets, const float *first, double *loss,
                             float *dfirst);

/* Rows of the language states given at which a word is to be named. */
typedef struct {
    size_t count;
    const size_t *row;
    const int64_t *label; /* word */
    const double *weight; /* of each row's cross-entropy */
} duet_word_targets;

/* Adds to dlang (rows, H). */
un_status duet_word_loss(duet_mlm_pass *pass, const un_params *params,
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
un_status duet_contrast_loss(const duet_network *network, const un_params *params,
                             const duet_contrast_targets *targets, const float *lang, double *loss,
                             float *dlang, float *pooled, float *features);

#endif
