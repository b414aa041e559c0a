/*
 * metrics.h - the measures of the field: what is kept of a model's scores, accuracies at one gamma,
 * and the curve over all of them.
 */
#ifndef UN_PROTOCOL_METRICS_H
#define UN_PROTOCOL_METRICS_H

#include "method/method.h"

/* ---- what evaluation keeps of the scores of each test image.
 *
 * Scores are streamed; of an image's C scores only the best seen and the best
 * unseen class remain (and the ranks of the true class), because calibrated
 * stacking moves all seen classes together: whatever gamma is, the decision is
 * between these two. Ties go to the lower class index.
 *
 * Terms follow Xian et al. (TPAMI 2019): T1 = per-class accuracy of unseen-class
 * images among unseen classes; U and S = per-class accuracy of unseen- and
 * seen-class images among all classes; H their harmonic mean. ---- */

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
    double rank_gamma; /* of UN_RANK_CALIBRATED; NaN: ranks are not asked for, all are -1 */
} un_predictions;

/* The class predicted when gamma is subtracted from seen classes. */
int32_t un_prediction_decide(const un_prediction *prediction, double gamma);

/* Scores all test images of `task` with the method's present parameters. Borrows
 * task->classes. NaN scores are an error. Collective over `ranks` (NULL: this process alone), which
 * have the same parameters: each scores a share of the images, and all get all, the same bytes as one
 * process. Its progress is told as that of `phase`, and it is stopped when its caller wants that;
 * NULL, as where there are several ranks: neither. */
un_status un_predictions_make(un_predictions *out, un_method *method, const un_features *features,
                              const un_task *task, double rank_gamma, un_cluster *ranks,
                              const char *phase);
/* The same from a given score matrix (n, C): labels of n images, the first
 * seen_count of them test_seen. */
un_status un_predictions_from_scores(un_predictions *out, const un_class_table *classes,
                                     const float *scores, const int32_t *labels, size_t n,
                                     size_t seen_count, double rank_gamma);
void un_predictions_free(un_predictions *predictions);

/* ---- accuracies at one gamma ---- */

/* 2us / (u + s); 0 where both are 0, NaN where one of them was not measured. */
double un_harmonic(double u, double s);

/* Mean and sample standard deviation of number(from, 0) to number(from, n - 1); both NaN where one
 * of them is, the deviation also where n < 2. */
void un_mean_deviation(double (*number)(const void *from, size_t i), const void *from, size_t n,
                       double *mean, double *deviation);

/* Accuracies at one gamma; fractions; NaN where there are no images to measure them on (H: where U
 * or S is NaN). Per class: unweighted mean over the classes that have test images. Per image: over
 * images. */
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
/* out[C, C]: row = true class, column = predicted class, images. */
void un_confusion(const un_predictions *predictions, double gamma, uint32_t *out);
/* Per-class top-k accuracy of the T1 (UN_RANK_UNSEEN_ONLY, unseen-class images), U or S setting;
 * `unseen` picks the images. NaN without any. */
un_status un_top_k(const un_predictions *predictions, int rank, int unseen, size_t k, double *out);

/* ---- the exact seen-unseen accuracy curve of calibrated stacking (Chao et
 * al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning for
 * Object Recognition in the Wild", ECCV 2016).
 *
 * An image's decision flips from its best seen to its best unseen class at one
 * gamma: the difference of the two scores. Sorting these thresholds gives every
 * point that any gamma can reach, in O(n log n); nothing is gridded. ---- */

/* Without images of unseen classes U is NaN in every point, without images of seen classes S is:
 * nothing was measured. Point j holds for gamma strictly between threshold[j-1] and threshold[j];
 * there is one point more than there are thresholds. */
typedef struct {
    size_t count;      /* points, at least 1 */
    double *threshold; /* [count - 1], ascending, distinct */
    double *U, *S;     /* [count], fractions */
} un_curve;

un_status un_curve_make(un_curve *curve, const un_predictions *predictions);
void un_curve_free(un_curve *curve);

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
} un_best_gamma;

/* The gamma that maximises the mean H over several curves (folds); curves that lack U or S are
 * left out. Neighbouring intervals of one mean H are a plateau. Among the best plateaus the one
 * nearest to 0 is taken, then the wider one, then the lower one: gamma is 0 where it holds 0, as
 * scores are left alone that need no change, else the middle of the interval in its middle. */
un_status un_curve_best_gamma(const un_curve *curves, size_t n, un_best_gamma *out);

#endif
