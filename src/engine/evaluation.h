/*
 * evaluation.h - a model on the test sets of a data set: what eval and report share.
 */
#ifndef UN_ENGINE_EVALUATION_H
#define UN_ENGINE_EVALUATION_H

#include "model/model.h"
#include "protocol/report.h"

typedef struct {
    const char *features;  /* feature set; NULL: the one that the model was trained on */
    const char *gamma;     /* for U, S, H: "native", "selected" (the model's own, wherever it was
                              chosen), "validation" (the model's own, which must have been chosen on
                              validation folds) or a number; NULL: selected where the model has one,
                              else native */
    const char *precision; /* "auto", "f32", "bf16" */
} un_evaluation_options;

typedef struct {
    const char *path; /* of the model; borrowed */
    un_model model;   /* with the classes of the task */
    un_task task;
    un_features features;
    un_predictions predictions;
    un_result_context context;
    double seconds; /* of scoring */
} un_evaluation;

/* Warns in the log of another split, other features, other descriptions than the model's. The
 * data set must outlive the evaluation. */
un_status un_evaluation_make(un_evaluation *evaluation, const un_dataset *dataset, const char *path,
                             const un_evaluation_options *options);
/* un_result_json with "seconds" and "model"; *out is a reference to release in any case. */
un_status un_evaluation_json(const un_evaluation *evaluation, json_t **out);
/* Harmless on a zeroed one. */
void un_evaluation_close(un_evaluation *evaluation);

#endif
