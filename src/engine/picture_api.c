/* picture_api.c - the public interface (unseen.h): models and pictures. */
#include <stdlib.h>
#include <string.h>

#include "engine/handles.h"
#include "engine/loader.h"

enum { BATCH = 16 };

/* ---- how a model sees pictures ---- */

/* The text of the recipe as it is now. */
static un_status tell_recipe(unseen_model *model) {
    const un_classifier *c = &model->classifier;
    char *text = NULL;
    un_status status = UNSEEN_OK;
    if (c->backbone) {
        json_t *json = un_recipe_json(&c->recipe);
        status = json ? un_json_text(json, &text) : un_fail_memory(0);
        json_decref(json);
    }
    free(model->recipe);
    model->recipe = text;
    return status;
}

unseen_status unseen_model_attach_backbone(unseen_model *model, const char *weights) {
    UN_LOCALE_C;
    if (!model)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_attach_backbone: a pointer is NULL");
    un_status status = un_classifier_attach(&model->classifier, weights);
    un_status told = tell_recipe(model); /* a failure may have left it without a backbone */
    return status ? status : told;
}

unseen_status unseen_model_set_orientation(unseen_model *model, unseen_orientation orientation) {
    UN_LOCALE_C;
    un_orientation own = UN_ORIENTATION_UNSAID;
    if (!model)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_set_orientation: a pointer is NULL");
    UN_TRY(un_orientation_take(orientation, &own));
    un_classifier_orient(&model->classifier, own);
    return tell_recipe(model);
}

const char *unseen_model_recipe(const unseen_model *model) { return model ? model->recipe : NULL; }

/* Of pixels that are there already; those of a file are counted as it is opened. */
static un_status check_pixels(const unseen_picture *picture, size_t max_pixels, unseen_crop *out) {
    un_image refused = {0};
    if (!picture->rgb) return UNSEEN_OK;
    un_status status =
        un_image_check_size(picture->width, picture->height,
                            max_pixels ? max_pixels : UN_IMAGE_MOST_PIXELS, "picture 0", &refused);
    out->picture_width = refused.width;
    out->picture_height = refused.height;
    return status;
}

static un_status crop_into(const un_recipe *recipe, const unseen_picture *picture,
                           size_t max_pixels, uint8_t *rgb, size_t capacity, unseen_crop *out) {
    un_image crop = {0};
    unseen_crop where;
    size_t need = 3 * recipe->crop * recipe->crop;
    if (!picture) return un_fail(UNSEEN_E_ARGUMENT, "unseen_picture_crop: a pointer is NULL");
    if (picture->cropped || picture->features)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "a picture to be cropped is given as path, bytes or rgb; cropped and "
                       "features are NULL");
    UN_TRY(un_check_given(picture, 0, 0));
    UN_TRY(check_pixels(picture, max_pixels, out));
    if (capacity < need)
        return un_fail(UNSEEN_E_ARGUMENT, "a crop of %zu pixels a side needs %zu bytes, not %zu",
                       recipe->crop, need, capacity);
    un_status status = un_crop_given(picture, 0, recipe, max_pixels, &crop, &where);
    if (!status || where.picture_width > 0) *out = where;
    UN_TRY(status);
    memcpy(rgb, crop.pixels, need);
    un_image_free(&crop);
    return UNSEEN_OK;
}

unseen_status unseen_picture_crop(const char *recipe, const unseen_picture *picture,
                                  size_t max_pixels, uint8_t *rgb, size_t capacity,
                                  unseen_crop *out) {
    UN_LOCALE_C;
    un_recipe own;
    if (out) *out = (unseen_crop){0};
    if (!recipe || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_picture_crop: a pointer is NULL");
    UN_TRY(un_recipe_parse(recipe, "the recipe", &own));
    if (rgb) return crop_into(&own, picture, max_pixels, rgb, capacity, out);
    *out = (unseen_crop){.side = own.crop};
    return UNSEEN_OK;
}

/* ---- many pictures ---- */

/* Sees to the features of pictures first to first + count - 1, (count, D); the picture first + i is
 * bad where codes[i] is not UNSEEN_OK. Looks at no pixels. */
typedef un_status (*use_function)(void *context, const un_loaded *batch, const float *features);

static void forget_errors(unseen_model *model) {
    for (size_t i = 0; i < model->error_count; i++) free(model->errors[i]);
    free(model->errors);
    model->errors = NULL;
    model->error_count = 0;
}

/* What became of the pictures of a batch; without `answers` the first bad one is a failure. With
 * them, the last bad one is the calling thread's last failure, for an answer has no errno. */
static un_status report_batch(unseen_model *model, const un_loaded *batch, unseen_answer *answers) {
    for (size_t i = 0; i < batch->count; i++) {
        size_t at = batch->first + i;
        if (answers)
            answers[at] = (unseen_answer){.status = batch->codes[i], .ignored = batch->turned[i]};
        if (!batch->errors[i]) continue;
        un_failure_put_back(batch->errors[i], batch->codes[i]);
        if (!answers) return batch->codes[i];
        UN_TRY(un_format(&model->errors[at], "%s", batch->errors[i]->sentence));
        answers[at].error = model->errors[at];
    }
    return UNSEEN_OK;
}

static un_status check_pictures(const unseen_model *model, const unseen_picture *pictures,
                                size_t n) {
    const un_classifier *c = &model->classifier;
    for (size_t i = 0; i < n; i++) {
        if (!c->backbone && !pictures[i].features)
            return un_fail(UNSEEN_E_ARGUMENT,
                           "the model has no backbone yet: unseen_model_attach_backbone");
        UN_TRY(un_check_given(&pictures[i], i, c->recipe.crop));
        if (pictures[i].features) UN_TRY(un_features_check(model, pictures[i].features, 1, i));
    }
    return UNSEEN_OK;
}

/* What a call does with pictures as they come. */
typedef struct {
    unseen_model *model;
    const unseen_picture *pictures; /* [count] */
    size_t count;
    unseen_answer *answers; /* [count] or NULL */
    float *features;        /* [BATCH, D] */
    use_function use;
    void *context;
    const un_watch *watch;
    un_progress progress;
} journey;

static un_status take_batch(journey *j, const un_loaded *batch) {
    UN_TRY(report_batch(j->model, batch, j->answers));
    UN_TRY(j->use(j->context, batch, j->features));
    un_progress_update(&j->progress, batch->first + batch->count);
    if (!*j->watch->stop) return UNSEEN_OK;
    return un_fail(UNSEEN_E_INTERRUPTED, "stopped after %zu of %zu pictures",
                   batch->first + batch->count, j->count);
}

/* Pictures first to end - 1 through the network. */
static un_status see(journey *j, size_t first, size_t end) {
    un_classifier *c = &j->model->classifier;
    un_loader *loader = NULL;
    un_status status = UNSEEN_OK;
    const un_loader_options options = {
        .pictures = j->pictures, .first = first, .count = end, .batch = BATCH, .recipe = c->recipe};
    UN_TRY(un_loader_open(&loader, &options));
    for (;;) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        if (batch.count == 0) break;
        UN_GO(un_classifier_features(c, batch.pictures, batch.count, j->features));
        UN_GO(take_batch(j, &batch));
    }
done:
    un_loader_close(loader);
    return status;
}

/* Those whose features are given. */
static un_status take_given(journey *j, size_t first, size_t end) {
    static const un_failure *const no_errors[BATCH];
    static const un_status codes[BATCH];
    static const unsigned char turned[BATCH];
    size_t D = unseen_model_feature_length(j->model);
    for (size_t i = first; i < end; i += BATCH) {
        const un_loaded batch = {.first = i,
                                 .count = end - i < BATCH ? end - i : BATCH,
                                 .errors = no_errors,
                                 .codes = codes,
                                 .turned = turned};
        for (size_t k = 0; k < batch.count; k++)
            memcpy(j->features + k * D, j->pictures[i + k].features, D * sizeof *j->features);
        UN_TRY(take_batch(j, &batch));
    }
    return UNSEEN_OK;
}

static un_status go_over(unseen_model *model, const unseen_picture *pictures, size_t n,
                         un_watch *watch, unseen_answer *answers, use_function use, void *context) {
    journey j = {.model = model,
                 .pictures = pictures,
                 .count = n,
                 .answers = answers,
                 .use = use,
                 .context = context,
                 .watch = watch};
    un_status status = UNSEEN_OK;
    forget_errors(model);
    UN_TRY(check_pictures(model, pictures, n));
    UN_TRY(un_alloc(n, sizeof *model->errors, &model->errors));
    model->error_count = n;
    un_progress_begin(&j.progress, "look at pictures", "pictures", n);
    UN_GO(un_alloc(BATCH * unseen_model_feature_length(model), sizeof *j.features, &j.features));
    for (size_t i = 0, end = 0; i < n; i = end) {
        int given = pictures[i].features != NULL;
        while (end < n && (pictures[end].features != NULL) == given) end++;
        UN_GO(given ? take_given(&j, i, end) : see(&j, i, end));
    }
done:
    free(j.features);
    return un_progress_finish(&j.progress, status);
}

/* ---- features ---- */

typedef struct {
    size_t D;
    float *out;
} feature_use;

static un_status keep_features(void *context, const un_loaded *batch, const float *features) {
    const feature_use *u = context;
    for (size_t i = 0; i < batch->count; i++) {
        float *row = u->out + (batch->first + i) * u->D;
        if (batch->errors[i])
            memset(row, 0, u->D * sizeof *row);
        else
            memcpy(row, features + i * u->D, u->D * sizeof *row);
    }
    return UNSEEN_OK;
}

static const unseen_features_options g_features = {.size = sizeof g_features};

void unseen_features_options_init(unseen_features_options *options, size_t size) {
    un_options_init(options, size, &g_features, sizeof g_features);
}

unseen_status unseen_model_features(unseen_model *model, const unseen_picture *pictures, size_t n,
                                    float *out, unseen_answer *answers) {
    return unseen_model_features_with(model, pictures, n, NULL, out, answers);
}

unseen_status unseen_model_features_with(unseen_model *model, const unseen_picture *pictures,
                                         size_t n, const unseen_features_options *options,
                                         float *out, unseen_answer *answers) {
    UN_LOCALE_C;
    unseen_features_options o = g_features;
    un_watch watch;
    if (!model || (n > 0 && (!pictures || !out)))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_features: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_features_options", &o, sizeof o));
    feature_use use = {.D = unseen_model_feature_length(model), .out = out};
    un_watch_begin(&watch, o.progress, o.user);
    un_status status = go_over(model, pictures, n, &watch, answers, keep_features, &use);
    un_watch_end(&watch);
    return status;
}

/* ---- classes ---- */

static const unseen_classify_options g_options = {
    .size = sizeof g_options, .top = 5, .calibration = UNSEEN_CALIBRATED};

void unseen_classify_options_init(unseen_classify_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

typedef struct {
    un_classifier *classifier;
    const unseen_classify_options *options;
    float *scores; /* [BATCH, C] */
    size_t *best;  /* [C] */
    unseen_prediction *out;
    unseen_answer *answers;
} class_use;

static un_status keep_classes(void *context, const un_loaded *batch, const float *features) {
    const class_use *u = context;
    const un_class_table *classes = &u->classifier->classes;
    size_t top = u->options->top, C = classes->count;
    UN_TRY(un_classifier_score(u->classifier, features, batch->count,
                               u->options->calibration == UNSEEN_CALIBRATED, u->scores));
    for (size_t i = 0; i < batch->count; i++) {
        const float *scores = u->scores + i * C;
        unseen_prediction *out = u->out + (batch->first + i) * top;
        size_t count = batch->errors[i]
                           ? 0
                           : un_classifier_top(u->classifier, scores, u->options->among,
                                               top < C ? top : C, u->best);
        memset(out, 0, top * sizeof *out);
        for (size_t k = 0; k < count; k++)
            out[k] = (unseen_prediction){.label = classes->names[u->best[k]],
                                         .class_index = u->best[k],
                                         .score = scores[u->best[k]],
                                         .seen = classes->seen[u->best[k]]};
        if (u->answers) u->answers[batch->first + i].count = count;
    }
    return UNSEEN_OK;
}

static un_status check_options(const unseen_classify_options *o, size_t n) {
    size_t entries = 0, bytes = 0;
    UN_TRY(un_among_check(o->among));
    if (o->calibration != UNSEEN_NATIVE && o->calibration != UNSEEN_CALIBRATED)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_calibration", (int)o->calibration);
    if (o->top == 0) return un_fail(UNSEEN_E_ARGUMENT, "at least 1 candidate must be asked for");
    if (__builtin_mul_overflow(n, o->top, &entries) ||
        __builtin_mul_overflow(entries, sizeof(unseen_prediction), &bytes))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "no memory has room for top = %zu candidates of %zu pictures", o->top, n);
    return UNSEEN_OK;
}

static un_status classify(unseen_model *model, const unseen_picture *pictures, size_t n,
                          const unseen_classify_options *options, unseen_prediction *out,
                          unseen_answer *answers) {
    un_classifier *c = &model->classifier;
    class_use use = {.classifier = c, .options = options, .out = out, .answers = answers};
    un_watch watch;
    UN_TRY(check_options(options, n));
    UN_TRY(un_alloc(BATCH * c->classes.count, sizeof *use.scores, &use.scores));
    un_status status = un_alloc(c->classes.count + 1, sizeof *use.best, &use.best);
    un_watch_begin(&watch, options->progress, options->user);
    if (!status) status = go_over(model, pictures, n, &watch, answers, keep_classes, &use);
    un_watch_end(&watch);
    free(use.scores);
    free(use.best);
    return status;
}

unseen_status unseen_model_classify(unseen_model *model, const unseen_picture *pictures, size_t n,
                                    const unseen_classify_options *options, unseen_prediction *out,
                                    unseen_answer *answers) {
    UN_LOCALE_C;
    unseen_classify_options o = g_options;
    if (!model || (n > 0 && (!pictures || !out)))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_classify: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_classify_options", &o, sizeof o));
    return classify(model, pictures, n, &o, out, answers);
}

/* ---- names of version 0.1: one picture; no candidates at all may be asked for ---- */

static un_status classify_one(unseen_model *model, const unseen_picture *picture,
                              unseen_among among, size_t top, unseen_prediction *out,
                              size_t *count) {
    size_t C = model->classifier.classes.count;
    unseen_classify_options o = g_options;
    unseen_prediction *best = NULL;
    unseen_answer answer;
    o.among = among;
    o.top = top < 1 ? 1 : top < C ? top : C;
    UN_TRY(un_alloc(o.top, sizeof *best, &best));
    un_status status = classify(model, picture, 1, &o, best, &answer);
    if (!status) status = answer.status; /* its failure is this thread's last */
    if (!status) {
        *count = answer.count < top ? answer.count : top;
        memcpy(out, best, *count * sizeof *out);
    }
    free(best);
    return status;
}

unseen_status unseen_classify_file(unseen_model *model, const char *path, unseen_among among,
                                   size_t top, unseen_prediction *out, size_t *count) {
    UN_LOCALE_C;
    if (!model || !path || !out || !count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_classify_file: a pointer is NULL");
    return classify_one(model, &(unseen_picture){.path = path}, among, top, out, count);
}

static unseen_picture pixels(const uint8_t *rgb, size_t width, size_t height, size_t stride) {
    return (unseen_picture){.rgb = rgb, .width = width, .height = height, .stride = stride};
}

unseen_status unseen_classify_pixels(unseen_model *model, const uint8_t *rgb, size_t width,
                                     size_t height, size_t stride, unseen_among among, size_t top,
                                     unseen_prediction *out, size_t *count) {
    UN_LOCALE_C;
    if (!model || !rgb || !out || !count)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_classify_pixels: a pointer is NULL");
    const unseen_picture picture = pixels(rgb, width, height, stride);
    return classify_one(model, &picture, among, top, out, count);
}

unseen_status unseen_features_of_file(unseen_model *model, const char *path, float *out) {
    if (!model || !path || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_features_of_file: a pointer is NULL");
    return unseen_model_features(model, &(unseen_picture){.path = path}, 1, out, NULL);
}

unseen_status unseen_features_of_pixels(unseen_model *model, const uint8_t *rgb, size_t width,
                                        size_t height, size_t stride, float *out) {
    if (!model || !rgb || !out)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_features_of_pixels: a pointer is NULL");
    const unseen_picture picture = pixels(rgb, width, height, stride);
    return unseen_model_features(model, &picture, 1, out, NULL);
}
