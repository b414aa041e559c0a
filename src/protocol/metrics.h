/*
 * metrics.h - the measures of the field, from predictions.
 */
#ifndef UN_PROTOCOL_METRICS_H
#define UN_PROTOCOL_METRICS_H

#include "protocol/curve.h"
#include "protocol/predictions.h"

/* Accuracies at one gamma; fractions; NaN where there are no images to measure them on (H: where U
 * or S is NaN). Per class: unweighted mean over the classes
 * that have test images. Per image: over images. */
typedef struct {
    double gamma;
    double T1, U, S, H;                         /* per class */
    double image_T1, image_U, image_S, image_H; /* per image */
} un_accuracy;

/* One class of the per-class table, at one gamma. */
typedef struct {
    size_t images;
    double accuracy;  /* among all classes; NAN without images */
    double zero_shot; /* among unseen classes; NAN for seen ones and without images */
} un_class_accuracy;

/* gamma may be infinite. */
un_status un_accuracy_at(const un_predictions *predictions, double gamma, un_accuracy *out);
/* out[C]. */
un_status un_class_accuracies(const un_predictions *predictions, double gamma,
                              un_class_accuracy *out);
/* out[C, C]: row = true class, column = chosen class, images. */
void un_confusion(const un_predictions *predictions, double gamma, uint32_t *out);
/* NaN without images. Per-class top-k accuracy of the T1 (UN_RANK_UNSEEN_ONLY, unseen-class images), U
 * or S setting. `unseen` picks the images. */
un_status un_top_k(const un_predictions *predictions, int rank, int unseen, size_t k, double *out);

#endif
