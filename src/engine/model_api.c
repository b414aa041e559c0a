/* model_api.c - the public interface (unseen.h) on top of the rooms below. */
#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/parallel.h"
#include "model/model.h"

struct unseen_model {
    un_model model;
};

const char *unseen_last_error(void) { return un_error(); }

void unseen_set_log(unseen_log_function function, void *user) { un_set_log(function, user); }

unseen_status unseen_set_threads(int threads) { return un_set_threads(threads); }

unseen_status unseen_model_open(const char *path, unseen_model **out) {
    if (!path || !out) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_open: a pointer is NULL");
    unseen_model *model = calloc(1, sizeof *model);
    if (!model) return un_fail_memory(sizeof *model);
    un_status status = un_model_open(&model->model, path, UN_PRECISION_AUTO);
    if (status)
        free(model);
    else
        *out = model;
    return status;
}

void unseen_model_close(unseen_model *model) {
    if (!model) return;
    un_model_close(&model->model);
    free(model);
}

const char *unseen_model_method(const unseen_model *model) {
    return model->model.method->class->name;
}

size_t unseen_model_class_count(const unseen_model *model) { return model->model.classes.count; }

const char *unseen_model_class_name(const unseen_model *model, size_t k) {
    return k < model->model.classes.count ? model->model.classes.names[k] : NULL;
}

int unseen_model_class_seen(const unseen_model *model, size_t k) {
    return k < model->model.classes.count ? model->model.classes.seen[k] : -1;
}

size_t unseen_model_feature_length(const unseen_model *model) {
    return model->model.regions * model->model.width;
}

double unseen_model_gamma(const unseen_model *model) { return model->model.gamma; }

const char *unseen_model_manifest(const unseen_model *model) { return model->model.manifest_text; }

unseen_status unseen_model_score(unseen_model *model, const float *features, size_t n,
                                 unseen_calibration calibration, float *scores) {
    if (!model || !features || !scores)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_score: a pointer is NULL");
    size_t D = unseen_model_feature_length(model), C = unseen_model_class_count(model);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++)
            if (!isfinite(features[i * D + j]))
                return un_fail(UNSEEN_E_ARGUMENT, "feature %zu of image %zu is not a finite number",
                               j, i);
    un_method *method = model->model.method;
    UN_TRY(method->class->score(method, features, n, scores));
    if (calibration == UNSEEN_NATIVE) return UNSEEN_OK;
    float gamma = (float)model->model.gamma;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < C; k++)
            if (model->model.classes.seen[k]) scores[i * C + k] -= gamma;
    return UNSEEN_OK;
}
