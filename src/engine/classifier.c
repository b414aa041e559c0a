/* classifier.c - see classifier.h; describing classes is in describe.c. */
#include "engine/classifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/locale.h"
#include "base/status.h"
#include "engine/loader.h"

/* The grid of the regions, from the manifest; a row of them if it has none. */
static void read_grid(un_classifier *c) {
    const json_t *input = json_object_get(c->model.manifest, "input");
    const json_t *grid = json_object_get(input, "grid");
    size_t h = (size_t)json_integer_value(json_array_get(grid, 0));
    size_t w = (size_t)json_integer_value(json_array_get(grid, 1));
    size_t regions = 0;
    if (__builtin_mul_overflow(h, w, &regions) || regions != c->model.regions) {
        h = 1;
        w = c->model.regions;
    }
    c->grid_height = h;
    c->grid_width = w;
    un_method_grid(c->model.method, &c->grid_height, &c->grid_width);
}

un_status un_classifier_open(un_classifier *c, const char *model, un_precision precision) {
    *c = (un_classifier){0};
    UN_TRY(un_model_open(&c->model, model, precision));
    un_status status = un_format(&c->path, "%s", model);
    if (status) {
        un_classifier_close(c);
        return status;
    }
    c->classes = c->model.classes; /* until describe.c replaces it */
    un_recipe_default(&c->recipe);
    read_grid(c);
    if (un_manifest_learned_all(c->model.manifest))
        un_log(UNSEEN_LOG_INFO,
               "%s learned from every image of its data set, those of the test lists included; it "
               "has no test figures",
               model);
    return UNSEEN_OK;
}

void un_classifier_close(un_classifier *c) {
    un_backbone_close(c->backbone);
    un_model_close(&c->model);
    un_arena_free(&c->arena);
    free(c->path);
    *c = (un_classifier){0};
}

/* That the backbone is the one of the recipe; its preprocessing is taken from there. */
static un_status check_backbone(un_classifier *c, const json_t *recipe) {
    const json_t *wanted = json_object_get(recipe, "backbone");
    const char *architecture = NULL;
    const char *sha256 = NULL;
    UN_TRY(un_json_get_string(wanted, "architecture", c->path, &architecture));
    UN_TRY(un_json_get_string(wanted, "sha256", c->path, &sha256));
    if (strcmp(sha256, c->backbone->sha256) != 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s was trained on features of another backbone: %s with SHA-256 %.16s…, "
                       "this is %s with %.16s…",
                       c->path, architecture, sha256, c->backbone->architecture,
                       c->backbone->sha256);
    char *text = NULL;
    UN_TRY(un_json_text(json_object_get(recipe, "preprocess"), &text));
    un_status status = un_recipe_parse(text, c->path, &c->recipe);
    free(text);
    c->trained = c->recipe.orientation;
    un_classifier_orient(c, c->wanted);
    return status;
}

void un_classifier_orient(un_classifier *c, un_orientation orientation) {
    c->wanted = orientation;
    c->recipe.orientation = orientation ? orientation : c->trained;
}

/* That the backbone gives what the model takes. */
static un_status check_shape(const un_classifier *c) {
    size_t h = 1;
    size_t w = 1;
    if (c->model.regions > 1) UN_TRY(c->backbone->class->grid(c->backbone, c->recipe.crop, &h, &w));
    if (c->backbone->width != c->model.width || h * w != c->model.regions)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s takes %zu regions of width %zu, the backbone gives %zu of width %zu",
                       c->path, c->model.regions, c->model.width, h * w, c->backbone->width);
    return UNSEEN_OK;
}

un_status un_classifier_attach(un_classifier *c, const char *weights, un_precision precision) {
    json_t *recipe = NULL;
    const char *text =
        json_string_value(json_object_get(json_object_get(c->model.manifest, "input"), "recipe"));
    un_status status = UNSEEN_OK;
    UN_TRY(un_json_parse(text ? text : "{}", text ? strlen(text) : 2, c->path, &recipe));
    const json_t *backbone = json_object_get(recipe, "backbone");
    const char *architecture = json_string_value(json_object_get(backbone, "architecture"));
    if (!architecture)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                      "%s was trained on imported features; nothing tells which backbone made "
                      "them, so it cannot be asked about pictures",
                      c->path));
    if (!weights) weights = un_backbone_builtin(architecture);
    if (!weights)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s needs the weights of its backbone %s: --backbone FILE",
                      c->path, architecture));
    un_backbone_close(c->backbone);
    c->backbone = NULL;
    const char *trained = json_string_value(json_object_get(recipe, "precision"));
    if (precision == UN_PRECISION_AUTO && trained && strcmp(trained, "f32") == 0)
        precision = UN_PRECISION_F32; /* as its features were made */
    UN_GO(un_backbone_open(weights, precision, &c->backbone));
    UN_GO(check_backbone(c, recipe));
    UN_GO(check_shape(c));
done:
    json_decref(recipe);
    if (status) {
        un_backbone_close(c->backbone);
        c->backbone = NULL;
    }
    return status;
}

un_status un_classifier_features(un_classifier *c, const float *pictures, size_t n,
                                 float *features) {
    if (!c->backbone)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no backbone yet, so it cannot see pictures",
                       c->path);
    int regions = c->model.regions > 1;
    return c->backbone->class->forward(c->backbone, pictures, n, c->recipe.crop,
                                       regions ? features : NULL, regions ? NULL : features);
}

un_status un_classifier_score(un_classifier *c, const float *features, size_t n, int calibrated,
                              float *scores) {
    un_method *method = c->model.method;
    UN_TRY(method->class->score(method, features, n, scores));
    if (!calibrated) return UNSEEN_OK;
    float gamma = (float)c->model.gamma;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c->classes.count; k++)
            if (c->classes.seen[k]) scores[i * c->classes.count + k] -= gamma;
    return UNSEEN_OK;
}

void un_classifier_score_unit(const un_classifier *c, char *out, size_t size) {
    const un_method_class *class = c->model.method->class;
    char calibration[96];
    un_method_calibration_text(class, c->model.gamma, calibration, sizeof calibration);
    snprintf(out, size, "%s%s%s", class->score_unit, *calibration ? ", " : "", calibration);
}

un_status un_classifier_attribute_scores(un_classifier *c, const float *features, float *out) {
    const un_method_class *class = c->model.method->class;
    if (!class->attribute_scores)
        return un_fail(UNSEEN_E_UNSUPPORTED, "the scores of %s are not made of attribute scores",
                       class->name);
    if (c->classes.modality_count != 1)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s fuses %zu semantics; attribute scores are told for one only", c->path,
                       c->classes.modality_count);
    size_t A = c->classes.modality[0].width;
    float *parts = NULL;
    UN_TRY(un_alloc(class->attribute_scores->branches * A, sizeof *parts, &parts));
    un_status status = class->attribute_scores->score(c->model.method, features, parts);
    for (size_t i = 0; i < A && !status; i++) {
        out[i] = 0;
        for (size_t b = 0; b < class->attribute_scores->branches; b++) out[i] += parts[b * A + i];
    }
    free(parts);
    return status;
}

static int is_candidate(const un_classifier *c, size_t k, un_among among) {
    switch (among) {
    case UN_AMONG_SEEN: return c->classes.seen[k];
    case UN_AMONG_UNSEEN: return !c->classes.seen[k];
    case UN_AMONG_NEW: return c->described && c->described[k];
    default: return 1;
    }
}

size_t un_classifier_top(const un_classifier *c, const float *scores, un_among among, size_t top,
                         size_t *out) {
    size_t count = 0;
    for (size_t k = 0; k < c->classes.count; k++) {
        if (!is_candidate(c, k, among)) continue;
        size_t at = count;
        while (at > 0 && scores[k] > scores[out[at - 1]]) at--; /* insertion: top is small */
        if (at >= top) continue;
        if (count < top) count++;
        memmove(out + at + 1, out + at, (count - 1 - at) * sizeof *out);
        out[at] = k;
    }
    return count;
}

/* ---- the public interface (unseen.h): pictures to answers. ---- */

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
