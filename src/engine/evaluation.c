/* evaluation.c - see evaluation.h. */
#include "engine/evaluation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"

/* The gamma that the model's selection chose. */
static un_status take_selected(const char *wanted, const un_model *model, const char *path,
                               un_result_context *context) {
    int on_test = !strcmp(context->selection, UN_SELECTED_ON_TEST);
    if (!model->has_gamma)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s was trained without selection and has no gamma of its own", path);
    if (on_test && !strcmp(wanted, "validation"))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the gamma of %s was selected on test, not on validation: --gamma selected "
                       "takes it all the same",
                       path);
    context->gamma = model->gamma;
    context->gamma_source = on_test ? UN_SELECTED_ON_TEST : "validation";
    return UNSEEN_OK;
}

/* Which gamma to report at, and what to call it. */
static un_status choose_gamma(const char *wanted, const un_model *model, const char *path,
                              un_result_context *context) {
    const char *text = wanted ? wanted : model->has_gamma ? "selected" : "native";
    const json_t *selection = json_object_get(model->manifest, "selection");
    const char *mode = json_string_value(json_object_get(selection, "mode"));
    context->selection = mode ? mode : "none";
    context->has_selected_gamma = model->has_gamma;
    context->selected_gamma = model->gamma;
    if (!strcmp(text, "native")) {
        context->gamma_source = "native";
    } else if (!strcmp(text, "validation") || !strcmp(text, "selected")) {
        UN_TRY(take_selected(text, model, path, context));
    } else {
        char *end = NULL;
        context->gamma = strtod(text, &end);
        context->gamma_source = "given";
        if (*end || end == text || !isfinite(context->gamma))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "--gamma must be native, selected, validation or a finite number, not "
                           "\"%.60s\"",
                           text);
    }
    return UNSEEN_OK;
}

/* Whether the data set describes its classes as the model has them. */
static int same_descriptions(const un_class_table *a, const un_class_table *b) {
    if (a->count != b->count) return 0;
    for (size_t m = 0; m < a->modality_count; m++)
        if (a->modality[m].width != b->modality[m].width ||
            memcmp(a->modality[m].values, b->modality[m].values,
                   a->count * a->modality[m].width * sizeof(float)) != 0)
            return 0;
    return 1;
}

/* The data set's test sets, with its descriptions of the semantics that the model uses. */
static un_status open_task(const un_model *model, const un_dataset *dataset,
                           const un_features *features, un_task *task) {
    UN_TRY(un_task_of_model(task, dataset, features->present, &model->classes));
    un_task_tell(task);
    const char *trained =
        json_string_value(json_object_get(json_object_get(model->manifest, "data"), "split_hash"));
    if (trained && strcmp(trained, dataset->split_hash) != 0)
        un_log(UNSEEN_LOG_WARNING,
               "the model was trained on another split (%.12s…, this is %.12s…): test images may "
               "have been trained on",
               trained, dataset->split_hash);
    if (!same_descriptions(&model->classes, &task->classes))
        un_log(UNSEEN_LOG_WARNING, "the data set describes its classes otherwise than the model "
                                   "does; the data set's descriptions are used");
    return UNSEEN_OK;
}

static un_status open_features(const char *wanted, const un_model *model, const un_dataset *dataset,
                               un_features *features) {
    const json_t *input = json_object_get(model->manifest, "input");
    const char *name = wanted ? wanted : json_string_value(json_object_get(input, "features"));
    UN_TRY(un_features_open(features, dataset->directory, name));
    if (features->image_count != dataset->image_count)
        return un_fail(UNSEEN_E_ARGUMENT, "feature set %s has %zu images, data set %s has %zu",
                       features->name, features->image_count, dataset->name, dataset->image_count);
    const char *hash = json_string_value(json_object_get(input, "sha256"));
    if (hash && *hash && *features->sha256 && strcmp(hash, features->sha256) != 0)
        un_log(UNSEEN_LOG_WARNING, "feature set %s is not the one that the model was trained on",
               features->name);
    if (features->regions != model->regions || features->width != model->width)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "feature set %s has %zu x %zu values an image, the model needs %zu x %zu",
                       features->name, features->regions, features->width, model->regions,
                       model->width);
    return UNSEEN_OK;
}

/* The test lists of a data set say nothing about a model that learned from them. */
static un_status refuse_learned(const un_model *model, const un_dataset *dataset,
                                const char *path) {
    const json_t *data = json_object_get(model->manifest, "data");
    const char *split = json_string_value(json_object_get(data, "split_hash"));
    if (!un_manifest_learned_all(model->manifest) || !split ||
        strcmp(split, dataset->split_hash) != 0)
        return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT,
                   "%s learned from every image of this data set, those of the test lists included "
                   "(train --all), so there is nothing left to test it on; train without --all to "
                   "measure",
                   path);
}

static un_status make(un_evaluation *e, const un_dataset *dataset, const char *path,
                      const un_evaluation_options *o) {
    un_precision precision = UN_PRECISION_AUTO;
    UN_TRY(un_precision_parse(o->precision, &precision));
    UN_TRY(un_model_open(&e->model, path, precision));
    UN_TRY(refuse_learned(&e->model, dataset, path));
    UN_TRY(open_features(o->features, &e->model, dataset, &e->features));
    UN_TRY(open_task(&e->model, dataset, &e->features, &e->task));
    UN_TRY(choose_gamma(o->gamma, &e->model, path, &e->context));
    un_method *method = e->model.method;
    e->context.method = method->class->name;
    e->context.score_unit = method->class->score_unit;
    un_method_calibration_text(method->class, e->context.gamma, e->context.calibration,
                               sizeof e->context.calibration);
    e->context.split_hash = dataset->split_hash;
    e->context.seed = (uint64_t)json_integer_value(json_object_get(e->model.manifest, "seed"));
    double started = un_now();
    UN_TRY(method->class->set_classes(method, &e->task.classes));
    UN_TRY(un_predictions_make(&e->predictions, method, &e->features, &e->task, e->context.gamma));
    e->seconds = un_now() - started;
    return UNSEEN_OK;
}

un_status un_evaluation_make(un_evaluation *e, const un_dataset *dataset, const char *path,
                             const un_evaluation_options *options) {
    *e = (un_evaluation){.path = path};
    un_status status = make(e, dataset, path, options);
    if (status) un_evaluation_close(e);
    return status;
}

un_status un_evaluation_json(const un_evaluation *e, json_t **out) {
    UN_TRY(un_result_json(&e->predictions, &e->context, out));
    if (e->task.absent > 0)
        UN_TRY(
            un_json_set(*out, "images_without_features", json_integer((json_int_t)e->task.absent)));
    if (e->task.untrained_count > 0)
        UN_TRY(un_json_set(*out, "untrained_classes",
                           un_json_strings(e->task.untrained, e->task.untrained_count)));
    if (e->task.trained_count > 0)
        UN_TRY(un_json_set(*out, "trained_unseen_classes",
                           un_json_strings(e->task.trained, e->task.trained_count)));
    UN_TRY(un_json_set(*out, "seconds", json_real(e->seconds)));
    return un_json_set(*out, "model", json_string(e->path));
}

void un_evaluation_close(un_evaluation *e) {
    un_predictions_free(&e->predictions);
    un_features_close(&e->features);
    un_task_free(&e->task);
    un_model_close(&e->model);
    *e = (un_evaluation){0};
}
