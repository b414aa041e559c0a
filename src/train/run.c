/* run.c - one run of a training: from scratch, or on from where a checkpoint stood. */
#include "train/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"

int un_run_is_final(const trainer *t) { return t->run == t->selection_runs; }

size_t un_run_epochs(const trainer *t) {
    const un_method_class *class = t->options->class;
    if (un_run_is_final(t)) return t->chosen.epochs;
    return class->closed_form ? class->closed_form->points(t->method)
                              : un_config_integer(t->options->config, "epochs");
}

size_t un_run_epoch_steps(const trainer *t) {
    const un_method_class *class = t->options->class;
    if (class->closed_form) return 1;
    return class->learner->steps_before(t->method, t->epoch + 1) -
           class->learner->steps_before(t->method, t->epoch);
}

/* Names of the semantics, in the order of the configuration. */
static size_t semantics_names(const trainer *t, const char *names[UN_MAX_MODALITIES]) {
    size_t n = un_config_list_count(t->options->config, "semantics");
    for (size_t i = 0; i < n && i < UN_MAX_MODALITIES; i++)
        names[i] = un_config_list_name(t->options->config, "semantics", i);
    return n;
}

un_status un_run_open(trainer *t) {
    const un_train_options *o = t->options;
    const char *names[UN_MAX_MODALITIES] = {0};
    size_t n = semantics_names(t, names);
    if (n > UN_MAX_MODALITIES)
        return un_fail(UNSEEN_E_ARGUMENT, "at most %d semantics can be fused", UN_MAX_MODALITIES);
    if (un_run_is_final(t) && o->all)
        UN_TRY(un_task_whole(&t->task, o->dataset, o->features->present, names, n));
    else if (un_run_is_final(t) || o->select == UN_SELECT_TEST)
        UN_TRY(un_task_final(&t->task, o->dataset, o->features->present, names, n));
    else
        UN_TRY(un_task_fold(&t->task, o->dataset, t->run, o->features->present, names, n));
    if (!un_run_is_final(t) && o->select == UN_SELECT_TEST)
        memcpy(t->task.name, "test", sizeof "test");
    t->run_is_open = 1;
    if (un_run_is_final(t)) un_task_tell(&t->task);
    t->data = (un_training_data){o->features, t->task.labels, &t->task.train};
    const un_method_setup setup = {.classes = &t->task.classes,
                                   .regions = o->features->regions,
                                   .width = o->features->width,
                                   .seed = o->seed,
                                   .precision = o->precision,
                                   .config = o->config,
                                   .data = &t->data};
    UN_TRY(o->class->create(&setup, &t->method));
    const un_method_learner *learner = o->class->learner;
    const un_method_closed_form *closed_form = o->class->closed_form;
    if (learner && learner->freeze) {
        const un_features *states = NULL;
        UN_TRY(learner->freeze(t->method, o->stop, &states));
        if (states) t->data.features = states;
    }
    if (closed_form && t->selection_runs == 0 && closed_form->points(t->method) != 1)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "without selection nothing chooses among the %zu points of %s's grid: give "
                       "each of its settings one value",
                       closed_form->points(t->method), o->class->name);
    if (learner) {
        un_optimizer_settings settings;
        learner->optimizer(t->method, &settings);
        UN_TRY(un_optimizer_create(&t->optimizer, &settings, &t->method->params));
    }
    UN_TRY(o->class->prepare(t->method));
    t->run_started = un_now();
    return UNSEEN_OK;
}

void un_run_close(trainer *t) {
    if (!t->run_is_open) return;
    if (t->method) t->options->class->destroy(t->method);
    t->method = NULL;
    un_optimizer_free(&t->optimizer);
    un_task_free(&t->task);
    t->run_is_open = 0;
}

/* Sums the loss terms of a step for the log. */
static un_status add_losses(trainer *t, const double *losses, double l2) {
    size_t terms = un_method_loss_count(t->options->class);
    double total = l2;
    for (size_t i = 0; i < terms; i++) {
        t->loss_sum[i] += losses[i];
        total += losses[i];
    }
    t->loss_sum[terms] += l2;
    t->loss_steps++;
    t->steps_done++;
    if (!isfinite(total))
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: the loss became infinite or not a number at step %llu; try %s",
                       t->task.name, (unsigned long long)t->steps_done,
                       t->options->class->closed_form ? "stronger regularisers" : "a lower lr");
    return UNSEEN_OK;
}

/* One gradient and one update. */
static un_status train_step(trainer *t) {
    const un_method_learner *learner = t->options->class->learner;
    double losses[UN_MAX_LOSSES] = {0};
    if (t->optimizer.settings.fresh && t->step == 0) un_optimizer_restart(&t->optimizer);
    UN_TRY(learner->step(t->method, t->epoch, t->step, losses));
    if (learner->learning_rate)
        t->optimizer.settings.lr = learner->learning_rate(t->method, t->epoch);
    return add_losses(t, losses, un_optimizer_step(&t->optimizer, &t->method->params));
}

/* Validation of a selection run, a plain log row of the final one. *stop: patience is over. */
static un_status evaluate(trainer *t, int *stop) {
    const un_train_options *o = t->options;
    if (un_run_is_final(t)) return un_train_log_row(t, NULL);
    un_predictions predictions;
    UN_TRY(o->class->set_classes(t->method, &t->task.classes));
    UN_TRY(un_predictions_make(&predictions, t->method, t->data.features, &t->task, 0));
    history *h = &t->history[t->run];
    evaluation *e = NULL;
    /* A run that is capped within an epoch has begun it: no length is 0. */
    un_status status = un_history_add(t, t->epoch + (t->step > 0 ? 1 : 0), &predictions, &e);
    un_predictions_free(&predictions);
    if (status) return status;
    size_t patience = un_config_integer(o->config, "patience");
    *stop = patience > 0 && h->count - 1 - h->best >= patience;
    return un_train_log_row(t, e);
}

/* Writes a checkpoint when it is time; says so if the run is to stop now. */
static un_status maybe_checkpoint(trainer *t) {
    const un_train_options *o = t->options;
    int stopped = o->stop && *o->stop;
    double now = un_now();
    int due = t->to_file && o->checkpoint_seconds > 0 &&
              now - t->last_checkpoint >= o->checkpoint_seconds;
    if (!stopped && !due) return UNSEEN_OK;
    if (!t->to_file)
        return un_fail(UNSEEN_E_INTERRUPTED,
                       "stopped in %s after %llu steps; the state is not kept, because %s is no "
                       "file that it could lie beside",
                       t->task.name, (unsigned long long)t->steps_done, o->output);
    un_status status = un_checkpoint_save(t);
    t->last_checkpoint = un_now();
    if (!stopped) {
        /* The training itself is well; the disk may have room again next time. */
        if (status) un_log(UNSEEN_LOG_WARNING, "no checkpoint this time: %s", un_error());
        return UNSEEN_OK;
    }
    if (status)
        return un_fail_prefix(status, "stopped in %s after %llu steps; its state could not be kept",
                              t->task.name, (unsigned long long)t->steps_done);
    return un_fail(UNSEEN_E_INTERRUPTED,
                   "stopped in %s after %llu steps; the state is in %s.checkpoint: go on with "
                   "--resume",
                   t->task.name, (unsigned long long)t->steps_done, o->output);
}

/* Goes one step on in epoch and step; evaluates where an epoch ends that asks for it. */
static un_status advance(trainer *t, size_t epochs, int *stop) {
    size_t every = un_config_integer(t->options->config, "evaluate_every");
    int capped = t->options->max_steps > 0 && t->steps_done >= t->options->max_steps;
    if (++t->step == un_run_epoch_steps(t)) {
        t->step = 0;
        t->epoch++;
        if (t->epoch % every == 0 || t->epoch == epochs || capped) UN_TRY(evaluate(t, stop));
    } else if (capped) {
        UN_TRY(evaluate(t, stop));
    }
    if (capped) *stop = 1;
    return UNSEEN_OK;
}

/* Has the system read the next step's images while this one computes. The method draws them anew
 * when their turn comes: microseconds (for DEM, of an epoch) beside a step's milliseconds. */
static un_status read_ahead(trainer *t) {
    const int64_t *images = NULL;
    size_t n = 0;
    const un_method_learner *learner = t->options->class->learner;
    if (!learner->plan) return UNSEEN_OK;
    size_t step = t->step + 1 < un_run_epoch_steps(t) ? t->step + 1 : 0;
    size_t epoch = step == 0 ? t->epoch + 1 : t->epoch;
    UN_TRY(learner->plan(t->method, epoch, step, &images, &n));
    un_features_prefetch(t->data.features, images, n);
    return UNSEEN_OK;
}

static un_status run_step(trainer *t, un_progress *progress, int *stop) {
    UN_TRY(read_ahead(t));
    UN_TRY(train_step(t));
    UN_TRY(advance(t, un_run_epochs(t), stop));
    un_progress_update(progress,
                       t->options->class->learner->steps_before(t->method, t->epoch) + t->step);
    return UNSEEN_OK;
}

/* A closed form: a point of its grid stands where an epoch does elsewhere. */
static un_status run_point(trainer *t, un_progress *progress, int *stop) {
    double losses[UN_MAX_LOSSES] = {0};
    UN_TRY(t->options->class->closed_form->fit(t->method, t->epoch, losses));
    UN_TRY(add_losses(t, losses, 0));
    t->epoch++;
    UN_TRY(evaluate(t, stop));
    un_progress_update(progress, t->epoch);
    return UNSEEN_OK;
}

un_status un_run_train(trainer *t) {
    const un_method_class *class = t->options->class;
    size_t epochs = un_run_epochs(t);
    un_progress progress;
    char label[64];
    int stop = 0;
    un_status status = UNSEEN_OK;
    snprintf(label, sizeof label, "train %s, %s", class->name, t->task.name);
    /* The final run of a closed form needs the chosen point only. */
    if (class->closed_form && un_run_is_final(t) && t->epoch + 1 < epochs) t->epoch = epochs - 1;
    un_progress_begin(&progress, label, class->closed_form ? "points" : "steps",
                      class->closed_form ? epochs
                                         : class->learner->steps_before(t->method, epochs));
    while (!stop && t->epoch < epochs && !status) {
        status =
            class->closed_form ? run_point(t, &progress, &stop) : run_step(t, &progress, &stop);
        if (!status && !stop) status = maybe_checkpoint(t);
    }
    un_progress_end(&progress);
    return status;
}

/* How well features fit a method. */
typedef enum { UNFIT, AVERAGED, AS_THEY_ARE } fitness;

static const char *const g_kinds[] = {[UN_FEATURES_POOLED] = "pooled features",
                                      [UN_FEATURES_REGIONS] = "region features",
                                      [UN_FEATURES_PIXELS] = "pixels"};

static fitness fitness_of(const un_features *f, const un_method_class *class,
                          const json_t *config) {
    un_features_kind kind = un_features_kind_of(f);
    if (un_method_takes(class, config, kind)) return AS_THEY_ARE;
    return class->input == UN_FEATURES_POOLED && kind == UN_FEATURES_REGIONS ? AVERAGED : UNFIT;
}

/* "region features or pixels" */
static void describe_needs(const un_method_class *class, const json_t *config, char *out,
                           size_t size) {
    size_t used = 0;
    out[0] = 0;
    for (size_t k = 0; k < sizeof g_kinds / sizeof *g_kinds; k++) {
        if (!un_method_takes(class, config, (un_features_kind)k)) continue;
        int n = snprintf(out + used, size - used, "%s%s", used > 0 ? " or " : "", g_kinds[k]);
        if (n < 0 || (size_t)n >= size - used) return;
        used += (size_t)n;
    }
}

un_status un_train_inputs_check(const un_features *f, const un_method_class *class,
                                const json_t *config) {
    char needs[128];
    fitness fit = fitness_of(f, class, config);
    describe_needs(class, config, needs, sizeof needs);
    if (fit == UNFIT)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "method %s needs %s with these settings; feature set %s holds %s",
                       class->name, needs, f->name, g_kinds[un_features_kind_of(f)]);
    if (fit == AVERAGED)
        un_log(UNSEEN_LOG_INFO,
               "%s takes one vector a picture: the %zu regions of feature set %s are averaged",
               class->name, f->regions, f->name);
    return UNSEEN_OK;
}

/* The feature sets that fit best. */
typedef struct {
    fitness best;
    size_t count;
    const char *name; /* of the first */
    un_name_list fitting, all;
} candidates;

static un_status look_at(candidates *c, const char *directory, const char *name,
                         const un_method_class *class, const json_t *config) {
    un_features f;
    UN_TRY(un_features_open(&f, directory, name));
    fitness fit = fitness_of(&f, class, config);
    un_name_list_say(&c->all, SIZE_MAX, "%s (%s)", name, g_kinds[un_features_kind_of(&f)]);
    un_features_close(&f);
    if (fit < c->best || fit == UNFIT) return UNSEEN_OK;
    if (fit > c->best) {
        c->count = 0;
        c->fitting = (un_name_list){0};
    }
    c->best = fit;
    if (c->count++ == 0) c->name = name;
    un_name_list_say(&c->fitting, SIZE_MAX, "%s", name);
    return UNSEEN_OK;
}

static un_status choose(const candidates *c, const char *directory, const un_method_class *class,
                        const json_t *config, const char **name) {
    char needs[128];
    describe_needs(class, config, needs, sizeof needs);
    if (c->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "method %s needs %s with these settings; %s has none: %s%s (`unseen "
                       "extract` makes them)",
                       class->name, needs, directory, c->all.text, un_name_list_more(&c->all));
    if (c->count > 1)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s has several feature sets that method %s can use: choose one with "
                       "--features: %s%s",
                       directory, class->name, c->fitting.text, un_name_list_more(&c->fitting));
    *name = c->name;
    return UNSEEN_OK;
}

un_status un_train_inputs_open(un_features *features, const char *directory, const char *wanted,
                               const un_method_class *class, const json_t *config) {
    char **names = NULL;
    const char *name = NULL;
    size_t count = 0;
    candidates c = {0};
    un_status status = UNSEEN_OK;
    if (wanted) return un_features_open(features, directory, wanted);
    UN_TRY(un_features_list(directory, &names, &count));
    if (count > 1) {
        for (size_t i = 0; i < count; i++) UN_GO(look_at(&c, directory, names[i], class, config));
        UN_GO(choose(&c, directory, class, config, &name));
        un_log(UNSEEN_LOG_INFO, "training on feature set %s, the one of %zu that %s can use%s",
               name, count, class->name, c.best == AS_THEY_ARE ? "" : " at all");
    }
    status = un_features_open(features, directory, name);
done:
    un_names_free(names);
    return status;
}
