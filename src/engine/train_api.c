/* train_api.c - the public interface (unseen.h): training. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/names.h"
#include "cluster/cluster.h"
#include "engine/handles.h"
#include "method/methods.h"
#include "train/run.h"
#include "train/train.h"

static const unseen_train_options g_options = {.size = sizeof g_options,
                                               .select = "validation",
                                               .seed = 1,
                                               .precision = "auto",
                                               .checkpoint_seconds = 60,
                                               .wire = "f32"};

void unseen_train_options_init(unseen_train_options *options, size_t size) {
    un_options_init(options, size, &g_options, sizeof g_options);
}

/* The settings: preset, then file, then single ones. *out is a new reference. */
static un_status make_config(const unseen_train_options *o, const un_method_class *class,
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

static un_status take_select(const char *text, un_select *out) {
    static const char *const names[] = {"validation", "test", "none"};
    for (int i = 0; i < 3; i++) {
        if (!strcmp(text, names[i])) {
            *out = (un_select)i;
            return UNSEEN_OK;
        }
    }
    return un_fail(UNSEEN_E_ARGUMENT, "select must be validation, test or none, not \"%.60s\"",
                   text);
}

/* ---- trainings ---- */

/* What is made of trainings, on its way to the caller. */
typedef struct {
    const un_training *trainings;
    size_t count;
    const char *method; /* its name */
    unseen_trained_function trained;
    void *user;
    unseen_model **models; /* [count], NULL: not wanted */
    unseen_result **results;
} making;

static un_status open_making(making *m, int want_models) {
    if (want_models) UN_TRY(un_alloc(m->count, sizeof(unseen_model *), &m->models));
    return un_alloc(m->count, sizeof(unseen_result *), &m->results);
}

/* All of it to the caller; what it does not want, or all after a failure, is released. */
static void close_making(making *m, un_status status, unseen_model **models,
                         unseen_result **results) {
    for (size_t i = 0; i < m->count; i++) {
        unseen_model *model = m->models ? m->models[i] : NULL;
        unseen_result *result = m->results ? m->results[i] : NULL;
        if (!status && models)
            models[i] = model;
        else
            unseen_model_close(model);
        if (!status && results)
            results[i] = result;
        else
            unseen_result_close(result);
    }
    free(m->models);
    free(m->results);
}

static un_status take_trained(size_t i, un_model *trained, json_t *json, void *user) {
    making *m = user;
    if (trained) {
        const char *output = m->trainings[i].output;
        un_classifier classifier = {.model = *trained};
        un_status status = un_classifier_begin(&classifier, output ? output : m->method);
        if (status) {
            un_classifier_close(&classifier);
            return status;
        }
        UN_TRY(un_model_handle(&classifier, &m->models[i]));
    }
    UN_TRY(un_result_handle(json_incref(json), &m->results[i]));
    if (m->trained) {
        un_locale_lend_host();
        m->trained(i, m->results[i], m->user);
        un_locale_take_back();
    }
    return UNSEEN_OK;
}

static un_status take_wire(const char *text, un_dtype *out) {
    *out = strcmp(text, "bf16") == 0 ? UN_BF16 : UN_F32;
    if (*out == UN_BF16 || strcmp(text, "f32") == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "wire must be f32 or bf16, not \"%.60s\"", text);
}

static un_status check_checkpoints(const unseen_train_options *o) {
    if (!(o->checkpoint_seconds >= 0))
        return un_fail(UNSEEN_E_ARGUMENT, "checkpoint_seconds must be 0 or more, not %g",
                       o->checkpoint_seconds);
    if (o->resume && !o->output)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "resume goes on from the checkpoint beside an output, and "
                       "no output is given");
    return UNSEEN_OK;
}

/* What a training reads, and what is said about it; `config` and `features` are the caller's. */
static un_status prepare(const char *method, const un_dataset *dataset,
                         const unseen_train_options *o, un_train_options *options, json_t **config,
                         un_features *features) {
    UN_TRY(un_method_find(method, &options->class));
    UN_TRY(take_select(o->select ? o->select : g_options.select, &options->select));
    UN_TRY(
        un_precision_parse(o->precision ? o->precision : g_options.precision, &options->precision));
    UN_TRY(take_wire(o->wire ? o->wire : g_options.wire, &options->wire));
    UN_TRY(check_checkpoints(o));
    UN_TRY(make_config(o, options->class, config));
    return un_train_inputs_open(features, dataset, o->features, options->class, *config);
}

/* Collective where there are several ranks. */
static un_status train(const char *method, const un_dataset *dataset, const unseen_train_options *o,
                       making *m) {
    un_features features = {0};
    json_t *config = NULL;
    un_watch watch;
    un_watch_begin(&watch, o->progress, o->user);
    un_train_options options = {.preset = o->preset,
                                .dataset = dataset,
                                .features = &features,
                                .folds = o->folds,
                                .all = o->all,
                                .max_steps = o->max_steps,
                                .resume = o->resume,
                                .checkpoint_seconds = o->checkpoint_seconds,
                                .ranks_per_run = o->ranks_per_run,
                                .stop = watch.stop};
    un_status status = un_cluster_agree(prepare(method, dataset, o, &options, &config, &features));
    options.config = config;
    if (!status) {
        m->method = options.class->name;
        status =
            un_train_several(&options, m->trainings, m->count, m->models != NULL, take_trained, m);
    }
    un_watch_end(&watch);
    json_decref(config);
    un_features_close(&features);
    return status;
}

unseen_status unseen_train(const char *method, const unseen_dataset *data,
                           const unseen_train_options *options, unseen_model **model,
                           unseen_result **result) {
    UN_LOCALE_C;
    unseen_train_options o = g_options;
    if (!method || !data) return un_fail(UNSEEN_E_ARGUMENT, "unseen_train: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_train_options", &o, sizeof o));
    const un_training training = {.seed = o.seed, .output = o.output, .log_path = o.log};
    making m = {.trainings = &training, .count = 1};
    un_status status = open_making(&m, model != NULL);
    if (!status) status = train(method, &data->data, &o, &m);
    close_making(&m, status, model, result);
    return status;
}

/* ---- several seeds ---- */

static un_status check_seeds(const uint64_t *seeds, size_t n) {
    if (n == 0) return un_fail(UNSEEN_E_ARGUMENT, "no seed is given to train with");
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (seeds[i] == seeds[j])
                return un_fail(UNSEEN_E_ARGUMENT, "seed %llu is given twice",
                               (unsigned long long)seeds[i]);
    return UNSEEN_OK;
}

/* Strings of *out are in `arena`. */
static un_status seed_training(const unseen_train_options *o, uint64_t seed, un_arena *arena,
                               un_training *out) {
    const char *const given[] = {o->output, o->log};
    char *own[] = {NULL, NULL};
    for (int i = 0; i < 2; i++) {
        char *path = NULL;
        if (!given[i]) continue;
        UN_TRY(un_train_seed_path(given[i], seed, &path));
        un_status status = un_arena_string(arena, path, &own[i]);
        free(path);
        UN_TRY(status);
    }
    *out = (un_training){.seed = seed, .output = own[0], .log_path = own[1]};
    return UNSEEN_OK;
}

unseen_status unseen_train_seeds(const char *method, const unseen_dataset *data,
                                 const unseen_train_options *options, const uint64_t *seeds,
                                 size_t n, unseen_trained_function trained, void *user,
                                 unseen_model **models, unseen_result **results) {
    UN_LOCALE_C;
    unseen_train_options o = g_options;
    un_arena arena = {0};
    un_training *trainings = NULL;
    if (!method || !data || !seeds)
        return un_fail(UNSEEN_E_ARGUMENT, "unseen_train_seeds: a pointer is NULL");
    UN_TRY(un_options_take(options, "unseen_train_options", &o, sizeof o));
    UN_TRY(check_seeds(seeds, n));
    UN_TRY(un_alloc(n, sizeof *trainings, &trainings));
    making m = {.trainings = trainings, .count = n, .trained = trained, .user = user};
    un_status status = open_making(&m, models != NULL);
    for (size_t i = 0; i < n && !status; i++)
        status = seed_training(&o, seeds[i], &arena, &trainings[i]);
    if (!status) status = train(method, &data->data, &o, &m);
    close_making(&m, status, models, results);
    un_arena_free(&arena);
    free(trainings);
    return status;
}
