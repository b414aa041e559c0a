/* train.c - the sequence of runs, the manifest and the result. See train.h. */
#include "train/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "data/check/check.h"
#include "data/dataset.h"
#include "model/model.h"
#include "protocol/report.h"
#include "train/run.h"

/* ---- the end ---- */

/* The one evaluation on the test sets; none if they were learned from. */
static un_status test(trainer *t, json_t **result) {
    const un_train_options *o = t->options;
    un_predictions predictions;
    UN_TRY(o->class->set_classes(t->method, &t->task.classes));
    UN_TRY(un_run_blame(t, un_predictions_make(&predictions, t->method, t->data.features, &t->task,
                                               t->selected.gamma, o->ranks, NULL)));
    un_result_context context = {.method = o->class->name,
                                 .score_unit = o->class->score_unit,
                                 .selection = un_select_text(o->select),
                                 .split_hash = o->dataset->split_hash,
                                 .seed = o->seed,
                                 .gamma = t->selected.has_gamma ? t->selected.gamma : 0,
                                 .gamma_source = !t->selected.has_gamma        ? "native"
                                                 : o->select == UN_SELECT_TEST ? UN_SELECTED_ON_TEST
                                                                               : "validation",
                                 .has_selected_gamma = t->selected.has_gamma,
                                 .selected_gamma = t->selected.gamma};
    un_method_calibration_text(o->class, context.gamma, context.calibration,
                               sizeof context.calibration);
    un_status status = un_result_json(&predictions, &context, result);
    un_predictions_free(&predictions);
    if (!status && o->all)
        status = un_json_set(*result, UN_TRAINED_ON, json_string(UN_TRAINED_ON_ALL));
    return status;
}

un_status un_train_finish(trainer *t, un_model *model, json_t **result) {
    json_t *manifest = NULL, *metrics = NULL, *spec = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_train_manifest(t, &manifest));
    if (t->options->class->save_spec) {
        UN_GO(t->options->class->save_spec(t->method, &spec));
        UN_GO(un_json_set(manifest, "kept", json_incref(spec)));
    }
    UN_GO(test(t, &metrics));
    UN_GO(un_json_set(manifest, "metrics", json_incref(metrics)));
    if (t->options->output && un_run_writes(t)) {
        UN_GO(un_model_save(t->options->output, t->method, &t->task.classes, manifest));
        UN_GO(un_checkpoint_remove(t));
    }
    if (model)
        UN_GO(un_model_make(model, &t->method->params, &t->task.classes, manifest,
                            t->options->precision,
                            t->options->output ? t->options->output : t->options->class->name));
    *result = json_incref(metrics);
done:
    json_decref(spec);
    json_decref(manifest);
    json_decref(metrics);
    return status;
}

/* ---- from run to run ---- */

/* Says what selection decided; the last selection run is still open. */
static un_status log_selection(const trainer *t) {
    const un_train_options *o = t->options;
    const char *who = o->select == UN_SELECT_TEST ? "the test sets" : "validation";
    if (t->selected.has_gamma && t->selected.by != t->settings.metric)
        un_log(UNSEEN_LOG_WARNING, "%s: no images to measure %s on; %s decided in its place", who,
               un_metric_names[t->settings.metric], un_metric_names[t->selected.by]);
    if (t->selected.has_gamma && !t->selected.gamma_decided)
        un_log(UNSEEN_LOG_WARNING,
               isnan(t->selected.H) ? "%s: no images to choose gamma on, it stays 0"
               : t->selected.H == 0 ? "%s: H is 0 at every gamma, so it stays 0"
                                    : "%s: H is the same at every gamma, so it stays 0",
               who);
    if (un_method_has_fixed_length(o->class)) {
        un_log(UNSEEN_LOG_INFO, "%s chose gamma %.4g after all %zu epochs", who, t->selected.gamma,
               t->selected.epochs);
        return UNSEEN_OK;
    }
    if (!o->class->closed_form) {
        un_log(UNSEEN_LOG_INFO, "%s chose %zu epochs and gamma %.4g", who, t->selected.epochs,
               t->selected.gamma);
        return UNSEEN_OK;
    }
    json_t *settings = o->class->closed_form->settings(t->method, t->selected.epochs - 1);
    char *text = un_json_dump(settings, UN_JSON_IN_SENTENCE);
    if (text)
        un_log(UNSEEN_LOG_INFO, "%s chose %s (point %zu) and, for seen classes, gamma %.4g", who,
               text, t->selected.epochs, t->selected.gamma);
    json_decref(settings);
    const int told = text != NULL;
    free(text);
    return told ? UNSEEN_OK : un_fail_memory(0);
}

static un_status open_next(trainer *t) {
    un_run_close(t);
    t->epoch = t->step = t->loss_steps = 0;
    t->steps_done = 0;
    memset(t->loss_sum, 0, sizeof t->loss_sum);
    return un_run_open(t);
}

un_status un_train_begin_final(trainer *t) {
    t->run = t->selection_runs;
    UN_TRY(un_history_select(t));
    if (t->selection_runs > 0) UN_TRY(log_selection(t));
    return open_next(t);
}

/* ---- before the first run ---- */

static un_status check_options(const un_train_options *o) {
    if (o->features->image_count != o->dataset->image_count)
        return un_fail(UNSEEN_E_ARGUMENT, "feature set %s has %zu images, data set %s has %zu",
                       o->features->name, o->features->image_count, o->dataset->name,
                       o->dataset->image_count);
    UN_TRY(un_train_inputs_check(o->features, o->class, o->config));
    if (o->class->closed_form && o->max_steps > 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "method %s is a closed form: it has no steps to stop after", o->class->name);
    if (o->select == UN_SELECT_TEST && o->all)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "what learns from the test lists cannot be selected on them; select on "
                       "validation folds");
    if (o->select == UN_SELECT_VALIDATION && o->dataset->fold_count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "data set %s has no validation folds; import it with {--validation}, or "
                       "use {--select} none",
                       o->dataset->name);
    if (o->folds > 0 && o->select != UN_SELECT_VALIDATION)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "a number of folds is for selection on validation folds only");
    if (o->folds > o->dataset->fold_count)
        return un_fail(UNSEEN_E_ARGUMENT, "data set %s has %zu validation folds, not %zu",
                       o->dataset->name, o->dataset->fold_count, o->folds);
    return o->output ? un_output_check(o->output) : UNSEEN_OK; /* better now than afterwards */
}

/* Classes that the method will take for one. Fused semantics may still tell them apart. */
static un_status warn_of_alike(const un_train_options *o) {
    const un_semantics *s = NULL;
    un_alike alike;
    if (!o->class->unit_rows || !o->class->unit_rows(o->config) ||
        un_config_list_count(o->config, "semantics") != 1)
        return UNSEEN_OK;
    UN_TRY(un_dataset_require_semantics(o->dataset, un_config_list_name(o->config, "semantics", 0),
                                        &s));
    UN_TRY(un_alike_find(s->values, o->dataset->class_count, s->width, 1, &alike));
    if (alike.count > 0)
        un_log(UNSEEN_LOG_WARNING,
               "classes \"%s\" and \"%s\" are one to %s, which brings the rows of semantics "
               "\"%s\" to length 1; {`unseen check`|unseen_dataset_check} lists all such classes",
               o->dataset->classes[alike.pair[0][0]], o->dataset->classes[alike.pair[0][1]],
               o->class->name, s->name);
    un_alike_free(&alike);
    return UNSEEN_OK;
}

un_status un_train_check(const un_train_options *options) {
    UN_TRY(check_options(options));
    return warn_of_alike(options);
}

un_status un_train_lock(const char *output, un_lock *lock) {
    char *path = NULL, *target = NULL;
    int taken = 0;
    if (!output || !un_output_is_file(output)) return UNSEEN_OK;
    UN_TRY(un_path_follow(output, &target)); /* two links to one file are one output */
    un_status status = un_format(&path, "%s.lock", target);
    free(target);
    UN_TRY(status);
    status = un_lock_take(lock, path, &taken);
    free(path);
    UN_TRY(status);
    return taken ? UNSEEN_OK
                 : un_fail(UNSEEN_E_ARGUMENT,
                           "another training is writing %s at this moment: wait for it, or choose "
                           "another output",
                           output);
}

un_status un_train_find_finished(const trainer *t, un_model *found, json_t **result) {
    const char *output = t->options->output;
    un_model model;
    char *checkpoint = NULL, *difference = NULL;
    json_t *was = NULL;
    un_status status = UNSEEN_OK;
    *result = NULL;
    if (!output) return UNSEEN_OK;
    UN_TRY(un_checkpoint_path(t, &checkpoint));
    int pending = un_path_exists(checkpoint) || !t->to_file;
    free(checkpoint);
    if (!t->options->resume || pending) return UNSEEN_OK;
    if (un_model_open(&model, output, t->options->precision) != UNSEEN_OK) return UNSEEN_OK;
    UN_GO(un_identity_of_model(&model, &was));
    UN_GO(un_identity_difference(was, t->identity, &difference));
    const json_t *metrics = json_object_get(model.manifest, "metrics");
    if (difference) {
        un_log(UNSEEN_LOG_INFO, "%s is of another training, which differs in %s: training anew",
               output, difference);
    } else if (json_is_object(metrics)) {
        un_log(UNSEEN_LOG_INFO, "%s is already trained", output);
        *result = un_json_copy(metrics);
        UN_GO(*result ? un_result_name_selected(*result) : un_fail_memory(0));
    }
done:
    if (status) {
        json_decref(*result);
        *result = NULL;
    }
    free(difference);
    json_decref(was);
    if (found && *result)
        *found = model;
    else
        un_model_close(&model);
    return status;
}

/* ---- all of it ---- */

/* What several ranks left (several.c) is not for one. */
static un_status check_parts(const trainer *t) {
    un_status status = UNSEEN_OK;
    for (size_t r = 0; t->to_file && r < t->selection_runs && !status; r++) {
        char *path = NULL;
        UN_TRY(un_format(&path, "%s.run%zu.checkpoint", t->options->output, r + 1));
        if (un_path_exists(path))
            status = un_fail(UNSEEN_E_ARGUMENT,
                             "%s is left from a training by several ranks: go on by several "
                             "with {--resume}, or remove it",
                             path);
        free(path);
    }
    return status;
}

static un_status train(trainer *t, un_model *model, json_t **result) {
    int found = 0;
    UN_TRY(check_parts(t));
    UN_TRY(un_checkpoint_load(t, &found));
    if (!found) {
        UN_TRY(un_train_log_open(t, 0));
        if (un_run_is_final(t)) UN_TRY(un_history_select(t));
        UN_TRY(un_run_open(t));
    }
    for (;;) {
        UN_TRY(un_train_run(t));
        if (un_run_is_final(t)) return un_train_finish(t, model, result);
        if (++t->run == t->selection_runs)
            UN_TRY(un_train_begin_final(t));
        else
            UN_TRY(open_next(t));
    }
}

static train_settings read_settings(const un_train_options *o) {
    train_settings s = {.semantics_count = un_config_list_count(o->config, "semantics")};
    int fixed = un_method_has_fixed_length(o->class);
    if (!o->class->closed_form) {
        s.epochs = un_config_integer(o->config, "epochs");
        s.evaluate_every = un_config_integer(o->config, "evaluate_every");
        if (!fixed) s.patience = un_config_integer(o->config, "patience");
    }
    while (!fixed && s.metric < METRIC_S &&
           !un_config_is(o->config, "metric", un_metric_names[s.metric]))
        s.metric++;
    for (size_t i = 0; i < s.semantics_count && i < UN_MAX_CLASS_SEMANTICS; i++)
        s.semantics[i] = un_config_list_name(o->config, "semantics", i);
    return s;
}

un_status un_trainer_open(trainer *t, const un_train_options *options) {
    *t = (trainer){.options = options,
                   .settings = read_settings(options),
                   .to_file = options->output && un_output_is_file(options->output),
                   .lock = UN_LOCK_NONE};
    t->selection_runs = un_train_selection_runs(options);
    if (options->part > 0) t->run = options->part - 1;
    t->last_checkpoint = un_now();
    UN_TRY(un_config_portable(options->class, options->config, &t->config, &t->files));
    return un_identity_make(options, t->config, t->files, &t->identity);
}

void un_trainer_close(trainer *t) {
    un_run_close(t);
    un_train_log_close(t);
    un_lock_release(&t->lock);
    for (size_t r = 0; r < t->selection_runs; r++) un_history_free(&t->history[r]);
    un_curve_store_close(&t->curves);
    json_decref(t->config);
    json_decref(t->files);
    json_decref(t->identity);
}

un_status un_train(const un_train_options *options, un_model *model, json_t **result) {
    trainer t;
    UN_TRY(un_train_check(options));
    un_status status = un_trainer_open(&t, options);
    if (!status && !options->locked) status = un_train_lock(options->output, &t.lock);
    if (!status) status = un_train_find_finished(&t, model, result);
    if (!status && !*result) status = train(&t, model, result);
    un_trainer_close(&t);
    return status;
}
