/* cmd_eval.c - `unseen eval`: models on the test sets of a data set. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "engine/localise.h"
#include "model/model.h"
#include "protocol/report.h"

enum { MAX_MODELS = 64 };

typedef struct {
    un_cli_common common;
    const char *models[MAX_MODELS];
    size_t model_count;
    const char *data, *features, *gamma, *json, *per_class, *curve, *confusion;
    int localisation;
} arguments;

enum {
    KEY_DATA = 0x3001,
    KEY_FEATURES,
    KEY_GAMMA,
    KEY_JSON,
    KEY_PER_CLASS,
    KEY_CURVE,
    KEY_CONFUSION,
    KEY_LOCALISATION
};

static const struct argp_option g_options[] = {
    {"data", KEY_DATA, "DIR", 0, "data set directory (required)", 1},
    {"features", KEY_FEATURES, "NAME", 0, "feature set (default: the one the model was trained on)",
     1},
    {"gamma", KEY_GAMMA, "native|validation|NUMBER", 0,
     "what is subtracted from seen classes for the table and files (default: validation where the "
     "model has it, else native)",
     1},
    {"localisation", KEY_LOCALISATION, NULL, 0,
     "how often the attention of an attribute points at its part, beside the centre of the crop "
     "and "
     "chance (needs marked parts; default: not measured)",
     1},
    {"json", KEY_JSON, "FILE", 0, "results as JSON, - for standard output", 2},
    {"per-class", KEY_PER_CLASS, "FILE.csv", 0, "accuracy of each class", 2},
    {"curve", KEY_CURVE, "FILE.csv", 0, "the exact seen-unseen curve", 2},
    {"confusion", KEY_CONFUSION, "FILE.csv", 0, "non-zero cells of the confusion matrix", 2},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_DATA: a->data = text; return 0;
    case KEY_FEATURES: a->features = text; return 0;
    case KEY_GAMMA: a->gamma = text; return 0;
    case KEY_JSON: a->json = text; return 0;
    case KEY_PER_CLASS: a->per_class = text; return 0;
    case KEY_CURVE: a->curve = text; return 0;
    case KEY_CONFUSION: a->confusion = text; return 0;
    case KEY_LOCALISATION: a->localisation = 1; return 0;
    case ARGP_KEY_ARG:
        if (a->model_count == MAX_MODELS) argp_error(state, "at most %d models", MAX_MODELS);
        a->models[a->model_count++] = text;
        return 0;
    case ARGP_KEY_END:
        if (a->model_count == 0) argp_error(state, "which model?");
        if (!a->data) argp_error(state, "--data is missing");
        if (a->model_count > 1 && (a->per_class || a->curve || a->confusion))
            argp_error(state, "--per-class, --curve and --confusion are for one model");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "MODEL... --data DIR",
    .doc = "Evaluates models under the protocol of Xian et al.: T1, U, S, H, the exact "
           "seen-unseen curve and its area; several models give mean ± sd.",
    .children = un_cli_common_children};

/* Which gamma to report at, and what to call it. */
static un_status choose_gamma(const arguments *a, const un_model *model, const char *path,
                              un_result_context *context) {
    const char *text = a->gamma ? a->gamma : model->has_gamma ? "validation" : "native";
    const json_t *selection = json_object_get(model->manifest, "selection");
    const char *mode = json_string_value(json_object_get(selection, "mode"));
    context->selection = mode ? mode : "none";
    context->has_validation_gamma = model->has_gamma;
    context->validation_gamma = model->gamma;
    if (!strcmp(text, "native")) {
        context->gamma_source = "native";
    } else if (!strcmp(text, "validation")) {
        if (!model->has_gamma)
            return un_fail(UNSEEN_E_ARGUMENT,
                           "%s was trained without selection and has no validation gamma", path);
        context->gamma = model->gamma;
        context->gamma_source =
            strcmp(context->selection, "validation") == 0 ? "validation" : context->selection;
    } else {
        char *end = NULL;
        context->gamma = strtod(text, &end);
        context->gamma_source = "given";
        if (*end || end == text || !isfinite(context->gamma))
            return un_fail(UNSEEN_E_ARGUMENT,
                           "--gamma must be native, validation or a finite number, not \"%.60s\"",
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
static un_status open_task(const un_model *model, const un_dataset *dataset, un_task *task) {
    const char *names[UN_MAX_MODALITIES];
    size_t n = model->classes.modality_count;
    for (size_t m = 0; m < n; m++) names[m] = model->classes.modality[m].name;
    UN_TRY(un_task_final(task, dataset, names, n));
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

static un_status open_features(const arguments *a, const un_model *model, const un_dataset *dataset,
                               un_features *features) {
    const json_t *input = json_object_get(model->manifest, "input");
    const char *name =
        a->features ? a->features : json_string_value(json_object_get(input, "features"));
    UN_TRY(un_features_open(features, a->data, name));
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

static void print_pointing(const json_t *p) {
    const json_t *branches = json_object_get(p, "branches");
    for (size_t b = 0; b < json_array_size(branches); b++)
        printf(" %7.1f", 100 * json_number_value(json_array_get(branches, b)));
    printf(" %7.1f %8.1f %11.1f  %7lld  ", 100 * json_number_value(json_object_get(p, "centre")),
           100 * json_number_value(json_object_get(p, "uniform")),
           100 * json_number_value(json_object_get(p, "attainable")),
           (long long)json_integer_value(json_object_get(p, "pairs")));
}

static void print_localisation(const json_t *l) {
    static const char *const lists[] = {"test_unseen", "test_seen"};
    if (!l) return;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *result = json_object_get(l, lists[i]), *part = NULL;
        size_t k = 0;
        printf("  localisation, %s, percent of pairs:\n   ", lists[i]);
        for (long long b = 1; b <= json_integer_value(json_object_get(l, "branches")); b++)
            printf(" branch%lld", b);
        printf("  centre  uniform  attainable    pairs  part\n   ");
        print_pointing(result);
        printf("all\n");
        json_array_foreach(json_object_get(result, "parts"), k, part) {
            if (json_integer_value(json_object_get(part, "pairs")) == 0) continue;
            printf("   ");
            print_pointing(part);
            printf("%s\n", json_string_value(json_object_get(part, "name")));
        }
    }
}

static un_status write_files(const arguments *a, const un_predictions *p,
                             const un_result_context *c) {
    if (a->per_class) UN_TRY(un_result_write_classes(a->per_class, p, c));
    if (a->curve) UN_TRY(un_result_write_curve(a->curve, p, c));
    if (a->confusion) UN_TRY(un_result_write_confusion(a->confusion, p, c));
    return UNSEEN_OK;
}

static un_status evaluate(const arguments *a, const un_dataset *dataset, const char *path,
                          json_t **out) {
    un_model model = {0};
    un_task task = {0};
    un_features features = {0};
    un_predictions predictions = {0};
    un_result_context context = {0};
    un_status status = UNSEEN_OK;
    un_precision precision = UN_PRECISION_AUTO;
    UN_GO(un_precision_parse(a->common.precision, &precision));
    UN_GO(un_model_open(&model, path, precision));
    UN_GO(open_task(&model, dataset, &task));
    UN_GO(open_features(a, &model, dataset, &features));
    UN_GO(choose_gamma(a, &model, path, &context));
    context.method = model.method->class->name;
    context.score_unit = model.method->class->score_unit;
    context.split_hash = dataset->split_hash;
    context.seed = (uint64_t)json_integer_value(json_object_get(model.manifest, "seed"));
    double started = un_now();
    UN_GO(model.method->class->set_classes(model.method, &task.classes));
    UN_GO(un_predictions_make(&predictions, model.method, &features, &task, context.gamma));
    UN_GO(un_result_json(&predictions, &context, out));
    double seconds = un_now() - started;
    un_log(UNSEEN_LOG_INFO, "%zu test images in %.2f s", predictions.count, seconds);
    UN_GO(un_json_set(*out, "seconds", json_real(seconds)));
    UN_GO(un_json_set(*out, "model", json_string(path)));
    if (a->localisation) {
        json_t *localisation = NULL;
        UN_GO(un_localise(&model, dataset, &features, &task, &localisation));
        UN_GO(un_json_set(*out, "localisation", localisation));
    }
    UN_GO(write_files(a, &predictions, &context));
done:
    un_predictions_free(&predictions);
    un_features_close(&features);
    un_task_free(&task);
    un_model_close(&model);
    return status;
}

static int run(const arguments *a) {
    un_dataset dataset = {0};
    json_t *results = json_array(), *summary = NULL;
    un_status status = UNSEEN_OK;
    int code = UN_EXIT_OK, to_stdout = a->json && !strcmp(a->json, "-");
    UN_GO(un_dataset_open(&dataset, a->data));
    for (size_t i = 0; i < a->model_count; i++) {
        json_t *result = NULL;
        UN_GO(evaluate(a, &dataset, a->models[i], &result));
        if (!to_stdout) {
            un_cli_print_result(result);
            print_localisation(json_object_get(result, "localisation"));
        }
        UN_GO(un_json_append(results, result));
    }
    if (a->model_count > 1) {
        if (!to_stdout) code = un_cli_print_summary(results);
        UN_GO(un_result_summary(results, &summary));
        UN_GO(un_json_set(summary, "results", json_incref(results)));
    }
    if (a->json && !code)
        code = un_cli_write_json(a->json, summary ? summary : json_array_get(results, 0));
done:
    if (status) code = un_cli_fail();
    json_decref(summary);
    json_decref(results);
    un_dataset_close(&dataset);
    return code;
}

int un_cmd_eval(int argc, char **argv) {
    arguments a = {0};
    int code = 0;
    if (!un_cli_parse(&g_argp, argc, argv, &a, &code)) return code;
    code = un_cli_start(&a.common);
    return code ? code : run(&a);
}
