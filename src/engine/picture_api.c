/* picture_api.c - the public interface (unseen.h): models and pictures. */
#include <stdlib.h>
#include <string.h>

#include "engine/handles.h"
#include "engine/loader.h"

enum { BATCH = 16 };

/* ---- how a model sees pictures ---- */

unseen_status unseen_model_attach_backbone(unseen_model *model, const char *weights) {
    UN_LOCALE_C;
    if (!model)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_attach_backbone: a pointer is NULL");
    return un_classifier_attach(&model->classifier, weights);
}

unseen_status unseen_model_set_orientation(unseen_model *model, unseen_orientation orientation) {
    UN_LOCALE_C;
    un_orientation own = UN_ORIENTATION_UNSAID;
    if (!model)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_set_orientation: a pointer is NULL");
    UN_TRY(un_orientation_take(orientation, &own));
    un_classifier_orient(&model->classifier, own);
    return UNSEEN_OK;
}

/* ---- many pictures ---- */

/* Sees to the features of pictures first to first + count - 1, (count, D); the picture first + i is
 * bad where codes[i] is not UNSEEN_OK. */
typedef un_status (*use_function)(void *context, const un_loaded *batch, const float *features);

static void forget_errors(unseen_model *model) {
    for (size_t i = 0; i < model->error_count; i++) free(model->errors[i]);
    free(model->errors);
    model->errors = NULL;
    model->error_count = 0;
}

/* What became of the pictures of a batch; without `answers` the first bad one is a failure. */
static un_status report_batch(unseen_model *model, const un_loaded *batch, unseen_answer *answers) {
    for (size_t i = 0; i < batch->count; i++) {
        size_t at = batch->first + i;
        if (answers)
            answers[at] = (unseen_answer){.status = batch->codes[i], .ignored = batch->turned[i]};
        if (!batch->errors[i]) continue;
        if (!answers) return un_fail(batch->codes[i], "%s", batch->errors[i]);
        UN_TRY(un_format(&model->errors[at], "%s", batch->errors[i]));
        answers[at].error = model->errors[at];
    }
    return UNSEEN_OK;
}

static un_status check_pictures(const unseen_model *model, const unseen_picture *pictures,
                                size_t n) {
    if (!model->classifier.backbone)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the model has no backbone yet: unseen_model_attach_backbone");
    for (size_t i = 0; i < n; i++) UN_TRY(un_check_given(&pictures[i], i));
    return UNSEEN_OK;
}

static un_status go_over(unseen_model *model, const unseen_picture *pictures, size_t n,
                         un_watch *watch, unseen_answer *answers, use_function use, void *context) {
    un_classifier *c = &model->classifier;
    un_loader *loader = NULL;
    float *features = NULL;
    un_progress progress;
    un_status status = UNSEEN_OK;
    const un_loader_options options = {
        .pictures = pictures, .count = n, .batch = BATCH, .recipe = c->recipe};
    forget_errors(model);
    UN_TRY(check_pictures(model, pictures, n));
    UN_TRY(un_alloc(n, sizeof *model->errors, &model->errors));
    model->error_count = n;
    un_progress_begin(&progress, "look at pictures", "pictures", n);
    UN_GO(un_alloc(BATCH * c->model.regions * c->model.width, sizeof *features, &features));
    UN_GO(un_loader_open(&loader, &options));
    for (;;) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        if (batch.count == 0) break;
        UN_GO(report_batch(model, &batch, answers));
        UN_GO(un_classifier_features(c, batch.pictures, batch.count, features));
        UN_GO(use(context, &batch, features));
        un_progress_update(&progress, batch.first + batch.count);
        if (*watch->stop)
            UN_GO(un_fail(UNSEEN_E_INTERRUPTED, "stopped after %zu of %zu pictures",
                          batch.first + batch.count, n));
    }
done:
    un_progress_end(&progress);
    un_loader_close(loader);
    free(features);
    return status;
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

unseen_status unseen_model_features(unseen_model *model, const unseen_picture *pictures, size_t n,
                                    float *out, unseen_answer *answers) {
    UN_LOCALE_C;
    un_watch watch;
    if (!model || (n > 0 && (!pictures || !out)))
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_model_features: a pointer is NULL");
    feature_use use = {.D = unseen_model_feature_length(model), .out = out};
    un_watch_begin(&watch, NULL, NULL);
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

static un_status check_options(const unseen_classify_options *o) {
    UN_TRY(un_among_check(o->among));
    if (o->calibration != UNSEEN_NATIVE && o->calibration != UNSEEN_CALIBRATED)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_calibration", (int)o->calibration);
    if (o->top == 0) return un_fail(UNSEEN_E_ARGUMENT, "at least 1 candidate must be asked for");
    return UNSEEN_OK;
}

static un_status classify(unseen_model *model, const unseen_picture *pictures, size_t n,
                          const unseen_classify_options *options, unseen_prediction *out,
                          unseen_answer *answers) {
    un_classifier *c = &model->classifier;
    class_use use = {.classifier = c, .options = options, .out = out, .answers = answers};
    un_watch watch;
    UN_TRY(check_options(options));
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
    if (!status && answer.status) status = un_fail(answer.status, "%s", answer.error);
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
