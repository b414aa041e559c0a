/* classifier.c - see classifier.h; classes described after training are in describe.c. */
#include "engine/classifier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/status.h"

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

const char *un_classifier_name(const un_classifier *c) {
    const char *slash = strrchr(c->path, '/');
    return slash && slash[1] ? slash + 1 : c->path;
}

un_status un_classifier_begin(un_classifier *c, const char *path) {
    UN_TRY(un_format(&c->path, "%s", path));
    c->classes = c->model.classes; /* until describe.c replaces it */
    un_recipe_default(&c->recipe);
    read_grid(c);
    return UNSEEN_OK;
}

un_status un_classifier_open(un_classifier *c, const char *model, un_precision precision) {
    *c = (un_classifier){.precision = precision};
    UN_TRY(un_model_open(&c->model, model, precision));
    un_status status = un_classifier_begin(c, model);
    if (status) {
        un_classifier_close(c);
        return status;
    }
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
    const json_t *trained_on = json_object_get(recipe, "backbone");
    const char *architecture = NULL;
    const char *sha256 = NULL;
    UN_TRY(un_json_get_string(trained_on, "architecture", c->path, &architecture));
    UN_TRY(un_json_get_string(trained_on, "sha256", c->path, &sha256));
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
    un_classifier_orient(c, c->requested);
    return status;
}

void un_classifier_orient(un_classifier *c, un_orientation orientation) {
    c->requested = orientation;
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

un_status un_classifier_attach(un_classifier *c, const char *weights) {
    un_precision precision = c->precision;
    if (un_manifest_learned_all(c->model.manifest))
        un_log(UNSEEN_LOG_INFO,
               "%s learned from every image of its data set, those of the test lists included; it "
               "has no test figures",
               c->path);
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
        UN_GO(un_fail(UNSEEN_E_ARGUMENT,
                      "%s needs the weights of its backbone %s, a file (option backbone)", c->path,
                      architecture));
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
    for (size_t i = 0; i < n * c->classes.count; i++)
        if (!isfinite(scores[i]))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "the scores of image %zu are not finite numbers: its features are too "
                           "large for this model, or the model is damaged",
                           i / c->classes.count);
    if (!calibrated) return UNSEEN_OK;
    float gamma = (float)c->model.gamma;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < c->classes.count; k++)
            if (c->classes.seen[k]) scores[i * c->classes.count + k] -= gamma;
    return UNSEEN_OK;
}

void un_classifier_score_unit(const un_classifier *c, char *out, size_t size) {
    un_method_score_unit(c->model.method->class, c->model.gamma, out, size);
}

un_status un_classifier_attribute_scores(un_classifier *c, const float *features, float *out) {
    const un_method_class *class = c->model.method->class;
    if (!class->attribute_scores)
        return un_fail(UNSEEN_E_UNSUPPORTED, "the scores of %s are not made of attribute scores",
                       class->name);
    if (c->classes.semantics_count != 1)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s fuses %zu semantics; attribute scores are told for one only", c->path,
                       c->classes.semantics_count);
    size_t A = c->classes.semantics[0].width;
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

static int is_candidate(const un_classifier *c, size_t k, unseen_among among) {
    switch (among) {
    case UNSEEN_AMONG_SEEN: return c->classes.seen[k];
    case UNSEEN_AMONG_UNSEEN: return !c->classes.seen[k];
    case UNSEEN_AMONG_NEW: return c->described && c->described[k];
    default: return 1;
    }
}

size_t un_classifier_top(const un_classifier *c, const float *scores, unseen_among among,
                         size_t top, size_t *out) {
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
