/* evaluate_api.c - the public interface (unseen.h): evaluations, and results of them and of
 * trainings. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/handles.h"

/* ---- results ---- */

un_status un_result_handle(json_t *json, unseen_result **out) {
    unseen_result *result = json ? calloc(1, sizeof *result) : NULL;
    if (!result) {
        json_decref(json);
        return un_fail_memory(sizeof *result);
    }
    result->json = json;
    un_status status = un_json_text(json, &result->text);
    if (status)
        unseen_result_close(result);
    else
        *out = result;
    return status;
}

void unseen_result_close(unseen_result *result) {
    if (!result) return;
    un_curve_free(&result->curve);
    un_evaluation_close(&result->evaluation);
    unseen_dataset_close(result->data);
    json_decref(result->manifest);
    json_decref(result->json);
    free(result->gamma);
    free(result->text);
    free(result);
}

const char *unseen_result_json(const unseen_result *result) { return result ? result->text : NULL; }

double unseen_result_number(const unseen_result *result, const char *key) {
    char name[64];
    const json_t *value = result ? result->json : NULL;
    while (value && key) {
        size_t n = strcspn(key, ".");
        if (n >= sizeof name) return (double)NAN;
        memcpy(name, key, n);
        name[n] = 0;
        value = json_object_get(value, name);
        key = key[n] ? key + n + 1 : NULL;
    }
    return key || !json_is_number(value) ? (double)NAN : json_number_value(value);
}

static un_status need_evaluation(const unseen_result *result) {
    if (result->data) return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED,
                   "the result of a training keeps neither curve nor tables: evaluate the model");
}

unseen_status unseen_result_curve(const unseen_result *result, size_t *count, const double **gamma,
                                  const double **U, const double **S) {
    if (!result || !count || !gamma || !U || !S)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_result_curve: a pointer is NULL");
    UN_TRY(need_evaluation(result));
    *count = result->curve.count;
    *gamma = result->gamma;
    *U = result->curve.U;
    *S = result->curve.S;
    return UNSEEN_OK;
}

unseen_status unseen_result_write(const unseen_result *result, unseen_table table,
                                  const char *path) {
    UN_LOCALE_C;
    if (!result || !path)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_result_write: a pointer is NULL");
    UN_TRY(need_evaluation(result));
    const un_evaluation *e = &result->evaluation;
    switch (table) {
    case UNSEEN_TABLE_CLASSES: return un_result_write_classes(path, &e->predictions, &e->context);
    case UNSEEN_TABLE_CURVE: return un_result_write_curve(path, &e->predictions, &e->context);
    case UNSEEN_TABLE_CONFUSION:
        return un_result_write_confusion(path, &e->predictions, &e->context);
    default: return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_table", (int)table);
    }
}

/* ---- evaluations ---- */

static const unseen_evaluate_options g_options = {.size = sizeof g_options};

void unseen_evaluate_options_init(unseen_evaluate_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

/* The result as JSON, with what was asked for beside accuracies. */
static un_status measure(const un_evaluation *e, const un_dataset *dataset,
                         const unseen_evaluate_options *o, json_t **out) {
    json_t *value = NULL;
    UN_TRY(un_evaluation_json(e, out));
    if (o->localisation) {
        UN_TRY(un_localise(&e->model, dataset, &e->features, &e->task, &value));
        UN_TRY(un_json_set(*out, "localisation", value));
    }
    if (!o->recovery) return UNSEEN_OK;
    UN_TRY(un_masked_prediction_measure(e, &value));
    return un_json_set(*out, "recovery", value);
}

/* What accessors need, when all is measured. */
static un_status complete(unseen_result *result) {
    un_evaluation *e = &result->evaluation;
    UN_TRY(un_json_text(result->json, &result->text));
    UN_TRY(un_curve_make(&result->curve, &e->predictions));
    UN_TRY(un_alloc(result->curve.count, sizeof *result->gamma, &result->gamma));
    for (size_t j = 0; j + 1 < result->curve.count; j++)
        result->gamma[j] = result->curve.threshold[j];
    result->gamma[result->curve.count - 1] = (double)INFINITY;
    /* Weights and features are done with; words of the manifest are not. */
    result->manifest = json_incref(e->model.manifest);
    un_model_close(&e->model);
    un_features_close(&e->features);
    return UNSEEN_OK;
}

static un_status evaluate(unseen_result *result, const unseen_model *model,
                          const unseen_evaluate_options *o) {
    const un_evaluation_options options = {.features = o->features, .gamma = o->gamma};
    const un_dataset *d = &result->data->data;
    if (o->localisation) UN_TRY(un_localisable(model->classifier.model.method->class, d));
    UN_TRY(un_evaluation_make(&result->evaluation, d, &model->classifier, &options));
    un_log(UNSEEN_LOG_INFO, "%zu test images in %.2f s", result->evaluation.predictions.count,
           result->evaluation.seconds);
    UN_TRY(measure(&result->evaluation, d, o, &result->json));
    return complete(result);
}

unseen_status unseen_evaluate(const unseen_model *model, const unseen_dataset *data,
                              const unseen_evaluate_options *options, unseen_result **out) {
    UN_LOCALE_C;
    unseen_evaluate_options o = g_options;
    un_watch watch;
    if (!model || !data || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_evaluate: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_evaluate_options", &o, sizeof o));
    unseen_result *result = calloc(1, sizeof *result);
    if (!result) return un_fail_memory(sizeof *result);
    result->data = un_dataset_share(data);
    un_watch_begin(&watch, o.progress, o.user);
    un_status status = evaluate(result, model, &o);
    un_watch_end(&watch);
    if (status)
        unseen_result_close(result);
    else
        *out = result;
    return status;
}
