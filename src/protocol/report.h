/*
 * report.h - results as JSON and CSV.
 */
#ifndef UN_PROTOCOL_REPORT_H
#define UN_PROTOCOL_REPORT_H

#include "base/json.h"
#include "protocol/metrics.h"

/* What a result says about where its numbers come from. */
typedef struct {
    const char *method;
    const char *score_unit;
    const char *selection; /* "validation", "selected on test", "none" */
    const char *split_hash;
    uint64_t seed;
    double gamma;             /* that U, S, H are reported at */
    char calibration[96];     /* what it does to scores, in words; "": it is 0 */
    const char *gamma_source; /* "native", "validation", "selected on test", "given" */
    int has_selected_gamma;
    double selected_gamma; /* by what `selection` says */
} un_result_context;

/* How a model and its gamma came about where the test sets chose them. */
#define UN_SELECTED_ON_TEST "selected on test"

/* *out (new reference) has method, T1, U, S, H, gamma, gamma_source, score_unit (of the
 * method's own scores), calibration (what gamma does to them, or null),
 * native, validation and selected_on_test {gamma, U, S, H} side by side: the latter two at the
 * gamma that selection chose, where it chose one there, else null;
 * AUSUC, H_best_curve and best_curve {H, U, S, gamma, chosen_on "test"}, per_image
 * {T1, U, S, H}, top5 {T1, U, S}, classes [{name, seen, images, accuracy, zero_shot}],
 * selection, split_hash, seed. Accuracies are fractions; what has no
 * images to be measured on is null. */
un_status un_result_json(const un_predictions *predictions, const un_result_context *context,
                         json_t **out);

/* The figures at the gamma that selection chose, wherever that was; NULL without one. Results of
 * earlier versions have them under "validation" in any case. Borrowed. */
const json_t *un_result_selected(const json_t *result);
/* Puts them where today's results have them. */
un_status un_result_name_selected(json_t *result);

/* CSV files, atomically: per class; the curve (gamma_from, gamma_to, U, S, H); the confusion
 * matrix (non-zero cells: true class, chosen class, images). The last column repeats how the
 * model was selected, so that "selected on test" stays with the numbers. */
un_status un_result_write_classes(const char *path, const un_predictions *predictions,
                                  const un_result_context *context);
un_status un_result_write_curve(const char *path, const un_predictions *predictions,
                                const un_result_context *context);
un_status un_result_write_confusion(const char *path, const un_predictions *predictions,
                                    const un_result_context *context);

/* Of results that are seeds of one training, those of different runs, a list (new reference): a
 * seed that comes again is the same model, and the seeds of a closed form are, which draws nothing.
 */
un_status un_result_runs(const json_t *results, json_t **out);

/* Mean and sample standard deviation over the runs of several results of the numbers T1, U, S,
 * H, AUSUC, H_best_curve, native.*, validation.* and selected_on_test.* (native_U, …), null where
 * a result has none, the deviation also where there is one run; {"mean": {...}, "sd": {...}, "n" of
 * runs, "selection"}: theirs if they agree, else "mixed", with "selected on test" if that applies
 * to any. */
un_status un_result_summary(const json_t *results, json_t **out);

#endif
