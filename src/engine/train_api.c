/* train_api.c - the public interface (unseen.h): training. */
#include <string.h>

#include "base/json.h"
#include "engine/handles.h"
#include "method/methods.h"
#include "train/run.h"
#include "train/train.h"

static const unseen_train_options g_options = {.size = sizeof g_options,
                                               .select = "validation",
                                               .seed = 1,
                                               .precision = "auto",
                                               .checkpoint_seconds = 60};

void unseen_train_options_init(unseen_train_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

un_status un_train_config(const unseen_train_options *o, const un_method_class *class,
                          json_t **out) {
    json_t *config = NULL, *file = NULL;
    UN_TRY(un_config_create(class, o->preset, &config));
    un_status status = UNSEEN_OK;
    if (o->config) {
        UN_GO(un_json_read(o->config, &file));
        UN_GO(un_config_merge(class, config, file, o->config));
    }
    for (size_t i = 0; i < o->setting_count; i++) {
        if (!o->settings || !o->settings[i])
            UN_GO(un_fail(UNSEEN_E_ARGUMENT, "setting %zu is NULL", i));
        UN_GO(un_config_set(class, config, o->settings[i]));
    }
    *out = config;
done:
    json_decref(file);
    if (status) json_decref(config);
    return status;
}

un_status un_train_select(const char *text, un_select *out) {
    static const char *const names[] = {"validation", "test", "none"};
    for (int i = 0; i < 3; i++) {
        if (!strcmp(text, names[i])) {
            *out = (un_select)i;
            return UNSEEN_OK;
        }
    }
    return un_fail(UNSEEN_E_ARGUMENT, "--select must be validation, test or none, not \"%.60s\"",
                   text);
}

/* Handles of what a training made; both or, on failure, neither. */
static un_status hand_out(const unseen_train_options *o, const un_method_class *class,
                          un_model *trained, unseen_model **model, json_t *json,
                          unseen_result **result) {
    un_classifier classifier = {0};
    unseen_model *handle = NULL;
    un_status status = UNSEEN_OK;
    if (model) {
        classifier.model = *trained;
        status = un_classifier_begin(&classifier, o->output ? o->output : class->name);
        if (status)
            un_classifier_close(&classifier);
        else
            status = un_model_handle(&classifier, &handle);
    }
    if (!status && result)
        status = un_result_handle(json, result);
    else
        json_decref(json);
    if (status)
        unseen_model_close(handle);
    else if (model)
        *model = handle;
    return status;
}

static un_status train(const char *method, const un_dataset *dataset, const unseen_train_options *o,
                       const un_watch *watch, unseen_model **model, unseen_result **result) {
    un_features features = {0};
    un_model trained = {0};
    json_t *config = NULL, *json = NULL;
    un_train_options options = {.preset = o->preset,
                                .dataset = dataset,
                                .features = &features,
                                .seed = o->seed,
                                .folds = o->folds,
                                .all = o->all,
                                .max_steps = o->max_steps,
                                .output = o->output,
                                .log_path = o->log,
                                .resume = o->resume,
                                .checkpoint_seconds = o->checkpoint_seconds,
                                .stop = watch->stop};
    un_status status = UNSEEN_OK;
    UN_GO(un_method_find(method, &options.class));
    UN_GO(un_train_select(o->select ? o->select : g_options.select, &options.select));
    UN_GO(
        un_precision_parse(o->precision ? o->precision : g_options.precision, &options.precision));
    UN_GO(un_train_config(o, options.class, &config));
    options.config = config;
    UN_GO(un_train_inputs_open(&features, dataset, o->features, options.class, config));
    UN_GO(un_train(&options, model ? &trained : NULL, &json));
    status = hand_out(o, options.class, &trained, model, json, result);
done:
    json_decref(config);
    un_features_close(&features);
    return status;
}

unseen_status unseen_train(const char *method, const unseen_dataset *data,
                           const unseen_train_options *options, unseen_model **model,
                           unseen_result **result) {
    UN_LOCALE_C;
    unseen_train_options o = g_options;
    un_watch watch;
    if (!method || !data) return un_fail(UNSEEN_E_ARGUMENT, "unseen_train: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_train_options", &o, sizeof o));
    un_watch_begin(&watch, o.progress, o.user);
    un_status status = train(method, &data->data, &o, &watch, model, result);
    un_watch_end(&watch);
    return status;
}
