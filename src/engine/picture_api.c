/* picture_api.c - the public interface (unseen.h): pictures to answers. */
#include <stdlib.h>
#include <string.h>

#include "base/locale.h"
#include "engine/loader.h"
#include "engine/model_api.h"

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
static un_status take_pixels(const uint8_t *rgb, size_t width, size_t height, size_t stride,
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

/* Which classes a caller asks for; UNSEEN_E_ARGUMENT for what is none of the enumeration. */
static un_status candidates(unseen_among among, un_among *out) {
    switch (among) {
    case UNSEEN_AMONG_ALL: *out = UN_AMONG_ALL; return UNSEEN_OK;
    case UNSEEN_AMONG_SEEN: *out = UN_AMONG_SEEN; return UNSEEN_OK;
    case UNSEEN_AMONG_UNSEEN: *out = UN_AMONG_UNSEEN; return UNSEEN_OK;
    case UNSEEN_AMONG_NEW: *out = UN_AMONG_NEW; return UNSEEN_OK;
    default: return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_among", (int)among);
    }
}

static un_status classify(unseen_model *model, const char *path, const un_image *pixels,
                          unseen_among among, size_t top, unseen_prediction *out, size_t *count) {
    const un_class_table *classes = &model->classifier.classes;
    float *features = NULL;
    float *scores = NULL;
    size_t *best = NULL;
    un_among wanted = UN_AMONG_ALL;
    un_status status = UNSEEN_OK;
    UN_TRY(candidates(among, &wanted));
    UN_GO(un_alloc(unseen_model_feature_length(model), sizeof *features, &features));
    UN_GO(un_alloc(classes->count, sizeof *scores, &scores));
    UN_GO(un_alloc(classes->count + 1, sizeof *best, &best));
    UN_GO(features_of(model, path, pixels, features));
    UN_GO(un_classifier_score(&model->classifier, features, 1, 1, scores));
    if (top > classes->count) top = classes->count;
    *count = un_classifier_top(&model->classifier, scores, wanted, top, best);
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
    UN_TRY(take_pixels(rgb, width, height, stride, &pixels));
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
    UN_TRY(take_pixels(rgb, width, height, stride, &pixels));
    un_status status = features_of(model, NULL, &pixels, out);
    un_image_free(&pixels);
    return status;
}
