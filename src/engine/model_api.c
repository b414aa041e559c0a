/* model_api.c - the public interface (unseen.h): models, their classes and attributes, and what
 * they say about pictures. */
#include "engine/classifier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "base/names.h"
#include "base/parallel.h"
#include "base/status.h"
#include "engine/loader.h"

/* ---- the library ---- */

const char *unseen_last_error(void) { return un_error(); }

void unseen_set_log(unseen_log_function function, void *user) { un_set_log(function, user); }

unseen_status unseen_set_threads(int threads) {
    UN_LOCALE_C;
    return un_set_threads(threads);
}

/* ---- models ---- */

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
    if (!model || model->classifier.classes.semantics_count != 1) return 0;
    return model->classifier.classes.semantics[0].width;
}

const char *unseen_model_attribute_name(const unseen_model *model, size_t i) {
    if (i >= unseen_model_attribute_count(model)) return NULL;
    char *const *names = model->classifier.classes.semantics[0].attributes;
    return names ? names[i] : NULL;
}

/* ---- classes described after training ---- */

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

/* ---- features to answers ---- */

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

/* ---- pictures to answers ---- */

unseen_status unseen_model_attach_backbone(unseen_model *model, const char *weights) {
    UN_LOCALE_C;
    if (!model)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_attach_backbone: a pointer is NULL");
    return un_classifier_attach(&model->classifier, weights, UN_PRECISION_AUTO);
}

unseen_status unseen_model_set_orientation(unseen_model *model, unseen_orientation orientation) {
    UN_LOCALE_C;
    static const un_orientation orientations[] = {
        [UNSEEN_ORIENTATION_MODEL] = UN_ORIENTATION_UNSAID,
        [UNSEEN_ORIENTATION_STORED] = UN_ORIENTATION_STORED,
        [UNSEEN_ORIENTATION_EXIF] = UN_ORIENTATION_EXIF};
    if (!model)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_set_orientation: a pointer is NULL");
    if ((unsigned)orientation >= sizeof orientations / sizeof *orientations)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_set_orientation: %d is no orientation",
                       (int)orientation);
    un_classifier_orient(&model->classifier, orientations[orientation]);
    return UNSEEN_OK;
}

/* A copy of the caller's pixels, dense. */
static un_status copy_pixels(const uint8_t *rgb, size_t width, size_t height, size_t stride,
                             un_image *out) {
    if (width == 0 || height == 0 || width > 1u << 20 || height > 1u << 20 || stride < 3 * width)
        return un_fail(UNSEEN_E_ARGUMENT, "a picture of %zu x %zu pixels, %zu bytes a row", width,
                       height, stride);
    UN_TRY(un_image_create(width, height, out));
    for (size_t y = 0; y < height; y++)
        memcpy(out->pixels + y * width * 3, rgb + y * stride, width * 3);
    return UNSEEN_OK;
}

/* The network's input of a file, or of pixels if `path` is NULL; released with free(). */
static un_status load(const unseen_model *model, const char *path, const un_image *pixels,
                      float **out) {
    const un_recipe *recipe = &model->classifier.recipe;
    un_image crop = {0};
    float *picture = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_alloc(recipe->crop * recipe->crop * 3, sizeof *picture, &picture));
    if (path) {
        UN_GO(un_load_picture(NULL, path, recipe, picture, NULL));
    } else {
        UN_GO(un_recipe_crop(recipe, pixels, &crop, NULL));
        un_recipe_normalize(recipe, &crop, picture);
    }
    *out = picture;
    picture = NULL;
done:
    un_image_free(&crop);
    free(picture);
    return status;
}

static un_status features_of(unseen_model *model, const char *path, const un_image *pixels,
                             float *out) {
    float *picture = NULL;
    if (!model->classifier.backbone)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the model has no backbone yet: unseen_model_attach_backbone");
    UN_TRY(load(model, path, pixels, &picture));
    un_status status = un_classifier_features(&model->classifier, picture, 1, out);
    free(picture);
    return status;
}

/* That the classes a caller names are of the enumeration. */
static un_status check_among(unseen_among among) {
    switch (among) {
    case UNSEEN_AMONG_ALL:
    case UNSEEN_AMONG_SEEN:
    case UNSEEN_AMONG_UNSEEN:
    case UNSEEN_AMONG_NEW: return UNSEEN_OK;
    default: return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_among", (int)among);
    }
}

static un_status classify(unseen_model *model, const char *path, const un_image *pixels,
                          unseen_among among, size_t top, unseen_prediction *out, size_t *count) {
    const un_class_table *classes = &model->classifier.classes;
    float *features = NULL;
    float *scores = NULL;
    size_t *best = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(check_among(among));
    UN_GO(un_alloc(unseen_model_feature_length(model), sizeof *features, &features));
    UN_GO(un_alloc(classes->count, sizeof *scores, &scores));
    UN_GO(un_alloc(classes->count + 1, sizeof *best, &best));
    UN_GO(features_of(model, path, pixels, features));
    UN_GO(un_classifier_score(&model->classifier, features, 1, 1, scores));
    if (top > classes->count) top = classes->count;
    *count = un_classifier_top(&model->classifier, scores, among, top, best);
    for (size_t i = 0; i < *count; i++)
        out[i] = (unseen_prediction){.label = classes->names[best[i]],
                                     .class_index = best[i],
                                     .score = scores[best[i]],
                                     .seen = classes->seen[best[i]]};
done:
    free(features);
    free(scores);
    free(best);
    return status;
}

unseen_status unseen_classify_file(unseen_model *model, const char *path, unseen_among among,
                                   size_t top, unseen_prediction *out, size_t *count) {
    UN_LOCALE_C;
    if (!model || !path || !out || !count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_classify_file: a pointer is NULL");
    return classify(model, path, NULL, among, top, out, count);
}

unseen_status unseen_classify_pixels(unseen_model *model, const uint8_t *rgb, size_t width,
                                     size_t height, size_t stride, unseen_among among, size_t top,
                                     unseen_prediction *out, size_t *count) {
    UN_LOCALE_C;
    un_image pixels = {0};
    if (!model || !rgb || !out || !count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_classify_pixels: a pointer is NULL");
    UN_TRY(copy_pixels(rgb, width, height, stride, &pixels));
    un_status status = classify(model, NULL, &pixels, among, top, out, count);
    un_image_free(&pixels);
    return status;
}

unseen_status unseen_features_of_file(unseen_model *model, const char *path, float *out) {
    UN_LOCALE_C;
    if (!model || !path || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_features_of_file: a pointer is NULL");
    return features_of(model, path, NULL, out);
}

unseen_status unseen_features_of_pixels(unseen_model *model, const uint8_t *rgb, size_t width,
                                        size_t height, size_t stride, float *out) {
    UN_LOCALE_C;
    un_image pixels = {0};
    if (!model || !rgb || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_features_of_pixels: a pointer is NULL");
    UN_TRY(copy_pixels(rgb, width, height, stride, &pixels));
    un_status status = features_of(model, NULL, &pixels, out);
    un_image_free(&pixels);
    return status;
}
