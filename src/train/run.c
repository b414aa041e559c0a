/* run.c - a run of a training opened from scratch, where it stands, and the features it learns
 * from. */
#include "train/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "base/status.h"

int un_run_is_final(const trainer *t) { return t->run == t->selection_runs; }

size_t un_run_epochs(const trainer *t) {
    const un_method_class *class = t->options->class;
    if (un_run_is_final(t)) return t->selected.epochs;
    return class->closed_form ? class->closed_form->points(t->method) : t->settings.epochs;
}

size_t un_run_epoch_steps(const trainer *t) {
    const un_method_class *class = t->options->class;
    if (class->closed_form) return 1;
    return class->learner->steps_before(t->method, t->epoch + 1) -
           class->learner->steps_before(t->method, t->epoch);
}

un_status un_run_blame(const trainer *t, un_status status) {
    if (status != UNSEEN_E_FORMAT && status != UNSEEN_E_ARGUMENT) return status;
    un_status found =
        un_features_require_finite(t->options->features, t->task.train.items, t->task.train.count);
    return found ? found : status;
}

un_status un_run_open(trainer *t) {
    const un_train_options *o = t->options;
    const char *const *names = t->settings.semantics;
    size_t n = t->settings.semantics_count;
    if (n > UN_MAX_CLASS_SEMANTICS)
        return un_fail(UNSEEN_E_ARGUMENT, "at most %d semantics can be fused",
                       UN_MAX_CLASS_SEMANTICS);
    if (un_run_is_final(t) && o->all)
        UN_TRY(un_task_whole(&t->task, o->dataset, o->features->present, names, n));
    else if (un_run_is_final(t) || o->select == UN_SELECT_TEST)
        UN_TRY(un_task_final(&t->task, o->dataset, o->features->present, names, n));
    else
        UN_TRY(un_task_fold(&t->task, o->dataset, t->run, o->features->present, names, n));
    if (!un_run_is_final(t) && o->select == UN_SELECT_TEST)
        memcpy(t->task.name, "test", sizeof "test");
    t->run_is_open = 1;
    if (un_run_is_final(t)) un_task_log(&t->task);
    t->data = (un_training_data){o->features, t->task.labels, &t->task.train};
    const un_method_setup setup = {.classes = &t->task.classes,
                                   .regions = o->features->regions,
                                   .width = o->features->width,
                                   .seed = o->seed,
                                   .precision = o->precision,
                                   .config = o->config,
                                   .data = &t->data,
                                   .ranks = o->ranks};
    UN_TRY(o->class->create(&setup, &t->method));
    const un_method_learner *learner = o->class->learner;
    const un_method_closed_form *closed_form = o->class->closed_form;
    if (learner && learner->freeze && o->frozen != UN_FROZEN_NONE) {
        const un_features *states = NULL;
        UN_TRY(un_run_blame(
            t, learner->freeze(t->method, o->frozen == UN_FROZEN_MADE, o->stop, &states)));
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
        UN_TRY(
            un_shared_create(&t->shared, o->ranks, o->wire, &t->method->params, UN_SHARED_WINDOW));
        UN_TRY(un_optimizer_create_part(&t->optimizer, &settings, t->shared.own));
    }
    UN_TRY(un_run_blame(t, un_method_prepare(t->method)));
    t->run_started = un_now();
    return UNSEEN_OK;
}

void un_run_close(trainer *t) {
    if (!t->run_is_open) return;
    un_shared_free(&t->shared);
    un_optimizer_free(&t->optimizer);
    if (t->method) t->options->class->destroy(t->method);
    t->method = NULL;
    un_task_free(&t->task);
    t->run_is_open = 0;
}

/* ---- which features a method learns from ---- */

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

static un_status add_candidate(candidates *c, const un_dataset *dataset, const char *name,
                               const un_method_class *class, const json_t *config) {
    un_features f;
    UN_TRY(un_dataset_features(dataset, name, &f));
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

static un_status select_candidate(const candidates *c, const char *where,
                                  const un_method_class *class, const json_t *config,
                                  const char **name) {
    char needs[128];
    describe_needs(class, config, needs, sizeof needs);
    if (c->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "method %s needs %s with these settings; %s has none: %s%s ({`unseen "
                       "extract`|unseen_extract} makes them)",
                       class->name, needs, where, c->all.text, un_name_list_more(&c->all));
    if (c->count > 1)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s has several feature sets that method %s can use: choose one with "
                       "{--features}: %s%s",
                       where, class->name, c->fitting.text, un_name_list_more(&c->fitting));
    *name = c->name;
    return UNSEEN_OK;
}

un_status un_train_inputs_open(un_features *features, const un_dataset *dataset, const char *name,
                               const un_method_class *class, const json_t *config) {
    char **names = NULL;
    const char *selected = NULL;
    size_t count = 0;
    candidates c = {0};
    un_status status = UNSEEN_OK;
    if (name) return un_dataset_features(dataset, name, features);
    UN_TRY(un_dataset_features_list(dataset, &names, &count));
    if (count > 1) {
        for (size_t i = 0; i < count; i++)
            UN_GO(add_candidate(&c, dataset, names[i], class, config));
        UN_GO(select_candidate(&c, un_dataset_place(dataset), class, config, &selected));
        un_log(UNSEEN_LOG_INFO, "training on feature set %s, the one of %zu that %s can use%s",
               selected, count, class->name, c.best == AS_THEY_ARE ? "" : " at all");
    }
    status = un_dataset_features(dataset, selected, features);
done:
    un_names_free(names);
    return status;
}
