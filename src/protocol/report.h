/*
 * report.h - results as JSON and CSV.
 */
#ifndef UN_PROTOCOL_REPORT_H
#define UN_PROTOCOL_REPORT_H

#include <jansson.h>

#include "protocol/metrics.h"

/* What a result says about where its numbers come from. */
typedef struct {
    const char *method;
    const char *score_unit;
    const char *selection; /* "validation", "selected on test", "none" */
    const char *split_hash;
    uint64_t seed;
    double gamma;             /* that U, S, H are reported at */
    const char *gamma_source; /* "native", "validation", "given" */
    int has_validation_gamma;
    double validation_gamma;
} un_result_context;

/* *out (new reference) has method, T1, U, S, H, gamma, gamma_source, score_unit,
 * native and validation {gamma, U, S, H} side by side (validation null without),
 * AUSUC, H_best_curve and best_curve {H, U, S, gamma, chosen_on "test"}, per_image
 * {T1, U, S, H}, top5 {T1, U, S}, classes [{name, seen, images, accuracy, zero_shot}],
 * selection, split_hash, seed. Accuracies are fractions; NaN becomes null. */
un_status un_result_json(const un_predictions *predictions, const un_result_context *context,
                         json_t **out);

/* CSV files, atomically: per class; the curve (gamma_from, gamma_to, U, S, H); the confusion
 * matrix (non-zero cells: true class, chosen class, images). The last column repeats how the
 * model was selected, so that "selected on test" stays with the numbers. */
un_status un_result_write_classes(const char *path, const un_predictions *predictions,
                                  const un_result_context *context);
un_status un_result_write_curve(const char *path, const un_predictions *predictions,
                                const un_result_context *context);
un_status un_result_write_confusion(const char *path, const un_predictions *predictions,
                                    const un_result_context *context);

/* Mean and sample standard deviation over several results of the numbers T1, U, S,
 * H, AUSUC, H_best_curve, native.* and validation.*; {"mean": {...}, "sd": {...}, "n",
 * "selection"}: theirs if they agree, else "mixed", with "selected on test" if that applies to any. */
un_status un_result_summary(const json_t *results, json_t **out);

#endif
