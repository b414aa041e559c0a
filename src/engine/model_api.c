/* model_api.c - the public interface (unseen.h): models, their classes and attributes. */
#include "engine/model_api.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/locale.h"
#include "base/log.h"
#include "base/parallel.h"

const char *unseen_last_error(void) { return un_error(); }

void unseen_set_log(unseen_log_function function, void *user) { un_set_log(function, user); }

unseen_status unseen_set_threads(int threads) {
    UN_LOCALE_C;
    return un_set_threads(threads);
}

unseen_status unseen_model_open(const char *path, unseen_model **out) {
    UN_LOCALE_C;
    if (!path || !out) return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_open: a pointer is NULL");
    unseen_model *model = calloc(1, sizeof *model);
    if (!model) return un_fail_memory(sizeof *model);
    un_status status = un_classifier_open(&model->classifier, path, UN_PRECISION_AUTO);
    if (status)
        free(model);
    else
        *out = model;
    return status;
}

void unseen_model_close(unseen_model *model) {
    if (!model) return;
    un_classifier_close(&model->classifier);
    free(model);
}

const char *unseen_model_method(const unseen_model *model) {
    return model ? model->classifier.model.method->class->name : NULL;
}

size_t unseen_model_class_count(const unseen_model *model) {
    return model ? model->classifier.classes.count : 0;
}

const char *unseen_model_class_name(const unseen_model *model, size_t k) {
    return k < unseen_model_class_count(model) ? model->classifier.classes.names[k] : NULL;
}

int unseen_model_class_seen(const unseen_model *model, size_t k) {
    return k < unseen_model_class_count(model) ? model->classifier.classes.seen[k] : -1;
}

size_t unseen_model_feature_length(const unseen_model *model) {
    return model ? model->classifier.model.regions * model->classifier.model.width : 0;
}

double unseen_model_gamma(const unseen_model *model) {
    return model ? model->classifier.model.gamma : 0;
}

const char *unseen_model_manifest(const unseen_model *model) {
    return model ? model->classifier.model.manifest_text : NULL;
}

size_t unseen_model_attribute_count(const unseen_model *model) {
    if (!model || model->classifier.classes.modality_count != 1) return 0;
    return model->classifier.classes.modality[0].width;
}

const char *unseen_model_attribute_name(const unseen_model *model, size_t i) {
    if (i >= unseen_model_attribute_count(model)) return NULL;
    char *const *names = model->classifier.classes.modality[0].attributes;
    return names ? names[i] : NULL;
}

/* The decimal number with the fewest digits that is this float: what a caller wrote, 0.2 for 0.2F,
 * so that it means what the table of the training said. */
static double as_written(float value) {
    char text[40];
    for (int digits = 6; digits < 9 && isfinite(value); digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        double x = strtod(text, NULL);
        if ((float)x == value) return x;
    }
    return (double)value;
}

static un_status add_class(un_classifier *classifier, const char *name,
                           const char *const *attributes, const float *values, size_t n,
                           un_arena *arena) {
    char **names = NULL;
    size_t *numbers = NULL;
    double *wide = NULL;
    UN_TRY(un_arena_alloc(arena, n, sizeof *names, &names));
    UN_TRY(un_arena_alloc(arena, n, sizeof *numbers, &numbers));
    UN_TRY(un_arena_alloc(arena, n, sizeof *wide, &wide));
    for (size_t i = 0; i < n; i++) {
        if (!attributes[i])
            return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_class: name %zu is NULL", i);
        UN_TRY(un_arena_string(arena, attributes[i], &names[i]));
        wide[i] = as_written(values[i]);
    }
    UN_TRY(un_classifier_attributes(classifier, names, n, numbers));
    return un_classifier_describe(classifier, &(un_description){name, n, numbers, wide}, 1);
}

unseen_status unseen_model_add_class(unseen_model *model, const char *name,
                                     const char *const *attributes, const float *values, size_t n) {
    UN_LOCALE_C;
    if (!model || !name || (n > 0 && (!attributes || !values)))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_add_class: a pointer is NULL");
    un_arena arena = {0};
    un_status status = add_class(&model->classifier, name, attributes, values, n, &arena);
    un_arena_free(&arena);
    return status;
}

/* That n rows of D features are numbers. */
static un_status check_features(const unseen_model *model, const float *features, size_t n) {
    size_t D = unseen_model_feature_length(model);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++)
            if (!isfinite(features[i * D + j]))
                return un_fail(UNSEEN_E_ARGUMENT, "feature %zu of image %zu is not a finite number",
                               j, i);
    return UNSEEN_OK;
}

unseen_status unseen_model_score(unseen_model *model, const float *features, size_t n,
                                 unseen_calibration calibration, float *scores) {
    UN_LOCALE_C;
    if (!model || !features || !scores)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_score: a pointer is NULL");
    if (calibration != UNSEEN_NATIVE && calibration != UNSEEN_CALIBRATED)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_score: %d is no unseen_calibration",
                       (int)calibration);
    UN_TRY(check_features(model, features, n));
    return un_classifier_score(&model->classifier, features, n, calibration == UNSEEN_CALIBRATED,
                               scores);
}

void unseen_model_grid(const unseen_model *model, size_t *height, size_t *width) {
    if (height) *height = model ? model->classifier.grid_height : 0;
    if (width) *width = model ? model->classifier.grid_width : 0;
}

size_t unseen_model_branch_count(const unseen_model *model) {
    return model ? un_method_map_branches(model->classifier.model.method->class) : 0;
}

unseen_status unseen_attributes(unseen_model *model, const float *features, float *out) {
    UN_LOCALE_C;
    if (!model || !features || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_attributes: a pointer is NULL");
    UN_TRY(check_features(model, features, 1));
    return un_classifier_attribute_scores(&model->classifier, features, out);
}

unseen_status unseen_attention(unseen_model *model, const float *features, float *out) {
    UN_LOCALE_C;
    if (!model || !features || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_attention: a pointer is NULL");
    const un_method_class *class = model->classifier.model.method->class;
    if (!class->maps)
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s has no attention over regions", class->name);
    UN_TRY(check_features(model, features, 1));
    return class->maps->attend(model->classifier.model.method, features, out);
}
