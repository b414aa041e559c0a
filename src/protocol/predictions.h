/*
 * predictions.h - what evaluation keeps of the scores of each test image.
 *
 * Scores are streamed; of an image's C scores only the best seen and the best
 * unseen class remain (and the ranks of the true class), because calibrated
 * stacking moves all seen classes together: whatever gamma is, the decision is
 * between these two. Ties go to the lower class index.
 *
 * Terms follow Xian et al. (TPAMI 2019): T1 = per-class accuracy of unseen-class
 * images among unseen classes; U and S = per-class accuracy of unseen- and
 * seen-class images among all classes; H their harmonic mean.
 */
#ifndef UN_PROTOCOL_PREDICTIONS_H
#define UN_PROTOCOL_PREDICTIONS_H

#include "method/method.h"

/* Which gamma a rank was taken at. */
enum { UN_RANK_NATIVE, UN_RANK_CALIBRATED, UN_RANK_UNSEEN_ONLY, UN_RANKS };

typedef struct {
    int32_t label;        /* row of the class table */
    int32_t seen, unseen; /* best class of each kind, -1 if there is none */
    float seen_score, unseen_score;
    int32_t rank[UN_RANKS]; /* classes ahead of the true one; -1: not among the candidates */
} un_prediction;

typedef struct {
    const un_class_table *classes; /* borrowed */
    size_t seen_count;             /* items 0..seen_count-1 are test_seen images */
    size_t count;                  /* the rest are test_unseen images */
    un_prediction *items;
    double rank_gamma; /* of UN_RANK_CALIBRATED */
} un_predictions;

/* Reduces one row of C scores. */
un_prediction un_prediction_make(const un_class_table *classes, const float *scores, int32_t label,
                                 double rank_gamma);
/* The class chosen when gamma is subtracted from seen classes. */
int32_t un_prediction_decide(const un_prediction *prediction, double gamma);

/* Scores all test images of `task` with the method's present parameters. Borrows
 * task->classes. NaN scores are an error. */
un_status un_predictions_make(un_predictions *out, un_method *method, const un_features *features,
                              const un_task *task, double rank_gamma);
/* The same from a given score matrix (n, C): labels of n images, the first
 * seen_count of them test_seen. */
un_status un_predictions_from_scores(un_predictions *out, const un_class_table *classes,
                                     const float *scores, const int32_t *labels, size_t n,
                                     size_t seen_count, double rank_gamma);
void un_predictions_free(un_predictions *predictions);

#endif
