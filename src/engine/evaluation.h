/*
 * evaluation.h - a model on the test sets of a data set, its accuracies and its attention: what
 * eval and report share.
 */
#ifndef UN_ENGINE_EVALUATION_H
#define UN_ENGINE_EVALUATION_H

#include "engine/classifier.h"
#include "protocol/report.h"

typedef struct {
    const char *features; /* feature set; NULL: the one that the model was trained on */
    const char *gamma;    /* for U, S, H: "native", "selected" (the model's own, wherever it was
                              selected), "validation" (the model's own, which must have been
                              selected on validation folds) or a number; NULL: one that was given
                              to the model, else selected where it has one, else native */
} un_evaluation_options;

typedef struct {
    const char *path; /* of the model; borrowed */
    un_model model;   /* the same weights, with the classes of the task */
    un_task task;
    un_features features;
    un_predictions predictions;
    un_result_context context;
    double seconds; /* of scoring */
} un_evaluation;

/* Warns in the log of another split, other features, other descriptions than the model's. The
 * data set and `path` must outlive the evaluation; the classifier stays as it is. */
un_status un_evaluation_make(un_evaluation *evaluation, const un_dataset *dataset,
                             const un_classifier *classifier, const un_evaluation_options *options);
/* un_result_json with "seconds" and "model"; *out is a reference to release in any case. */
un_status un_evaluation_json(const un_evaluation *evaluation, json_t **out);
/* Harmless on a zeroed one. */
void un_evaluation_close(un_evaluation *evaluation);

/* ---- the pointing game (protocol/localisation.h) of a model on the test sets
 * of a data set whose parts are marked, from stored features.
 *
 * Which pairs of an image and an attribute count: the attribute names parts, of which at
 * least one is visible and has its centre inside the crop that the features came from;
 * and the image's class has the attribute: its value in the data set's table is above
 * the mean over all classes. ---- */

/* Whether that can be measured at all, told before an evaluation: UNSEEN_E_UNSUPPORTED for methods
 * without attention, UNSEEN_E_ARGUMENT for data sets without parts or without pictures. */
un_status un_localisable(const un_method_class *class, const un_dataset *dataset);
/* *out (new reference): {"measure", "kind" of marks, "tolerance" (points), "grid": [h, w],
 * "branches", "branch_titles", "test_unseen": …, "test_seen": …} as un_localisation_json gives
 * them, with "without_picture", the images whose picture cannot be read, where there are any. The
 * model's classes must be those of `task`, which must be of `dataset`. Pictures are only asked for
 * their size. Fails as un_localisable, and with UNSEEN_E_ARGUMENT on features of unknown
 * preprocessing. */
un_status un_localise(const un_model *model, const un_dataset *dataset, const un_features *features,
                      const un_task *task, json_t **out);

/* ---- what a method that reads texts beside pictures makes of them, on the
 * test sets: how often it names a hidden attribute, and how the pictures divide their
 * attention over groups of attributes. ---- */

/* *out (new reference): {"seen": …, "unseen": …} of {"images", "in_group", "in_group_prior",
 * "among_all", "among_all_prior"} as un_masked_prediction has them; without "seen" where no test
 * picture is of a seen class. UNSEEN_E_UNSUPPORTED for methods and models that hide nothing. */
un_status un_masked_prediction_measure(const un_evaluation *evaluation, json_t **out);

/* *out (new reference): {"images", "groups": [{"name", "share", "even"}, …]}, the mean over at most
 * 1000 test images, taken at even distances; the most preferred first (share / even).
 * UNSEEN_E_UNSUPPORTED for methods and models without. */
un_status un_grounding_groups(const un_evaluation *evaluation, json_t **out);

/* Titles of the branches of attention, a list; empty without `attention`. A new reference. */
json_t *un_attention_titles_json(const un_method_class *class, int attention);
/* Groups out[G], those first that get most beyond an even share, ties by number. */
void un_group_attention_order(const un_group_attention *attention, size_t *out);
/* un_group_attention as that list of groups in that order, a new reference; NULL: out of memory. */
json_t *un_group_attention_json(const un_group_attention *attention);

#endif
