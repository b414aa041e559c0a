/* cmd_eval.c - `unseen eval`: models on the test sets of a data set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/status.h"
#include "cli/cli.h"
#include "protocol/localisation.h"
#include "train/identity.h"

enum { MAX_MODELS = 64 };

typedef struct {
    un_cli_common common;
    const char *models[MAX_MODELS];
    size_t model_count;
    const char *data, *images, *features, *gamma, *json, *per_class, *curve, *confusion;
    int localisation;
    int recovery;
} arguments;

enum {
    KEY_DATA = 0x3001,
    KEY_FEATURES,
    KEY_GAMMA,
    KEY_JSON,
    KEY_PER_CLASS,
    KEY_CURVE,
    KEY_CONFUSION,
    KEY_LOCALISATION,
    KEY_RECOVERY,
    KEY_IMAGES
};

static const struct argp_option g_options[] = {
    {"data", KEY_DATA, "DIR", 0, "data set directory (required)", 1},
    {"features", KEY_FEATURES, "NAME", 0, "feature set (default: the one the model was trained on)",
     1},
    {"gamma", KEY_GAMMA, "native|selected|validation|NUMBER", 0,
     "what is subtracted from seen classes for the table and files; selected: the model's own, "
     "validation: the same, if it was not chosen on test (default: selected where the model has "
     "one, else native)",
     1},
    {"localisation", KEY_LOCALISATION, NULL, 0,
     "how often the attention of an attribute points at its part, beside the centre of the crop "
     "and "
     "chance (needs marked parts; default: not measured)",
     1},
    {"images", KEY_IMAGES, "ROOT", 0,
     "folder of the pictures, for --localisation (default: the one that the data set names)", 1},
    {"json", KEY_JSON, "FILE", 0, "results as JSON, - for standard output", 2},
    {"per-class", KEY_PER_CLASS, "FILE.csv", 0, "accuracy of each class, - for standard output", 2},
    {"curve", KEY_CURVE, "FILE.csv", 0, "the exact seen-unseen curve, - for standard output", 2},
    {"confusion", KEY_CONFUSION, "FILE.csv", 0,
     "non-zero cells of the confusion matrix, - for standard output", 2},
    {"recovery", KEY_RECOVERY, NULL, 0,
     "how often the model names attributes that are hidden from it, beside the best constant "
     "answer (DUET; default: not measured)",
     2},
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
    case KEY_RECOVERY: a->recovery = 1; return 0;
    case KEY_IMAGES: a->images = text; return 0;
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
           "seen-unseen curve and its area; several models give a table, seeds of one "
           "training their mean ± sd.",
    .children = un_cli_common_children};

static void print_percent(const json_t *value, int width) {
    if (json_is_number(value))
        printf(" %*.1f", width, 100 * json_number_value(value));
    else
        printf(" %*s", width, "-");
}

/* A line of the table; `name` last, since parts have names of any length. */
static void print_pointing(const json_t *p, const char *name) {
    const json_t *branches = json_object_get(p, "branches"),
                 *sd = json_object_get(p, "branches_sd");
    printf("   ");
    for (size_t b = 0; b < json_array_size(branches); b++) {
        print_percent(json_array_get(branches, b), 7);
        if (!sd) continue;
        printf(" ±");
        print_percent(json_array_get(sd, b), 4);
    }
    print_percent(json_object_get(p, "centre"), 7);
    print_percent(json_object_get(p, "uniform"), 8);
    print_percent(json_object_get(p, "attainable"), 11);
    printf("  %7lld  %s\n", (long long)json_integer_value(json_object_get(p, "pairs")),
           un_cli_name(name));
}

/* Of one model, or the mean ± sd of several. */
static void print_localisation(const json_t *l) {
    static const char *const lists[] = {"test_unseen", "test_seen"};
    long long models = json_integer_value(json_object_get(l, "models"));
    if (!l) return;
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const json_t *result = json_object_get(l, lists[i]), *part = NULL;
        size_t k = 0;
        printf("  localisation, %s, percent of pairs", lists[i]);
        if (models > 0) printf(", mean ± sd of %lld models", models);
        printf(":\n   ");
        for (long long b = 1; b <= json_integer_value(json_object_get(l, "branches")); b++)
            printf(models > 0 ? " branch%lld       " : " branch%lld", b);
        printf("  centre  uniform  attainable    pairs  part\n");
        print_pointing(result, "all");
        json_array_foreach(json_object_get(result, "parts"), k, part) {
            if (json_integer_value(json_object_get(part, "pairs")) > 0)
                print_pointing(part, json_string_value(json_object_get(part, "name")));
        }
    }
    const json_t *titles = json_object_get(l, "branch_titles");
    for (size_t b = 0; b < json_array_size(titles); b++)
        printf("  branch%zu: %s\n", b + 1,
               un_cli_name(json_string_value(json_array_get(titles, b))));
}

static un_status write_files(const arguments *a, const unseen_result *result) {
    const char *paths[] = {[UNSEEN_TABLE_CLASSES] = a->per_class,
                           [UNSEEN_TABLE_CURVE] = a->curve,
                           [UNSEEN_TABLE_CONFUSION] = a->confusion};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (paths[i])
            UN_TRY(unseen_result_write(result, (unseen_table)i, un_cli_output_path(paths[i])));
    return UNSEEN_OK;
}

static void print_recovery(const json_t *result) {
    const json_t *recovery = json_object_get(result, "recovery"), *r = NULL;
    json_t *value = NULL;
    const char *name = NULL;
    json_object_foreach((json_t *)(uintptr_t)recovery, name, value) {
        r = value;
        const double percent = 100;
        printf("  masked attributes of %s classes: %.1f in their group (most frequent: %.1f), %.1f "
               "among all (%.1f)\n",
               name, percent * json_number_value(json_object_get(r, "in_group")),
               percent * json_number_value(json_object_get(r, "in_group_prior")),
               percent * json_number_value(json_object_get(r, "among_all")),
               percent * json_number_value(json_object_get(r, "among_all_prior")));
    }
}

/* ---- several models ---- */

/* Models that differ in their seed only share a number; *count is how many numbers there are. */
static void number_groups(json_t *const *identities, size_t n, size_t *group, size_t *count) {
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < i && !un_identity_same_but_seed(identities[k], identities[i])) k++;
        group[i] = k < i ? group[k] : (*count)++;
    }
}

static void print_cell(const json_t *result, const char *key) {
    print_percent(json_object_get(result, key), 6);
}

/* One line a model, the file last: names have any length. Then what tells the trainings apart. */
static void print_models(const json_t *results, json_t *const *identities, const size_t *group) {
    const json_t *r = NULL;
    size_t i = 0, told = 0;
    printf("\nmethod  seed     T1      U      S      H  AUSUC   percent; U, S, H at\n");
    json_array_foreach(results, i, r) {
        printf("%-7s %4lld", json_string_value(json_object_get(r, "method")),
               (long long)json_integer_value(json_object_get(r, "seed")));
        print_cell(r, "T1");
        print_cell(r, "U");
        print_cell(r, "S");
        print_cell(r, "H");
        print_cell(r, "AUSUC");
        printf("   gamma %.4g  %s\n", json_number_value(json_object_get(r, "gamma")),
               un_cli_name(json_string_value(json_object_get(r, "model"))));
    }
    for (i = 1; i < json_array_size(results); i++) {
        char *difference = NULL;
        if (group[i] <= told) continue; /* the first of a further group */
        told = group[i];
        if (un_identity_difference(identities[0], identities[i], &difference) || !difference)
            continue;
        printf("  %s differs from %s in %s\n",
               un_cli_name(json_string_value(json_object_get(json_array_get(results, i), "model"))),
               un_cli_name(json_string_value(json_object_get(json_array_get(results, 0), "model"))),
               un_cli_name(difference));
        free(difference);
    }
}

/* The mean of every group of several seeds, into the list `out`, and printed. */
static un_status summarise_groups(const json_t *results, const size_t *group, size_t groups,
                                  int quiet, json_t *out) {
    for (size_t g = 0; g < groups; g++) {
        json_t *members = json_array(), *names = json_array(), *summary = NULL;
        un_status status = UNSEEN_OK;
        for (size_t i = 0; i < json_array_size(results) && !status; i++) {
            json_t *r = json_array_get(results, i);
            if (group[i] != g) continue;
            status = un_json_append(members, json_incref(r));
            if (!status) status = un_json_append(names, json_incref(json_object_get(r, "model")));
        }
        if (!status) status = un_result_summary(members, &summary);
        if (!status && !quiet && json_array_size(members) > 1) {
            printf("\nseeds of %s\n", un_cli_name(json_string_value(json_array_get(names, 0))));
            if (un_cli_print_summary(members)) status = UNSEEN_E_MEMORY;
        }
        if (!status) status = un_json_set(summary, "models", json_incref(names));
        if (!status) status = un_json_append(out, json_incref(summary));
        json_decref(summary);
        json_decref(members);
        json_decref(names);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* A mean stands for seeds of one training; of others it would mean nothing. */
static un_status compare(const json_t *results, json_t *const *identities, int quiet,
                         json_t **summary) {
    size_t group[MAX_MODELS], groups = 0;
    number_groups(identities, json_array_size(results), group, &groups);
    UN_TRY(un_result_summary(results, summary));
    if (groups == 1) {
        if (!quiet && un_cli_print_summary(results)) return UNSEEN_E_MEMORY;
        return UNSEEN_OK;
    }
    json_t *list = json_array();
    json_object_del(*summary, "mean");
    json_object_del(*summary, "sd");
    UN_TRY(un_json_set(*summary, "n", json_integer((json_int_t)json_array_size(results))));
    UN_TRY(un_json_set(*summary, "groups", list));
    if (!quiet) {
        print_models(results, identities, group);
        printf("selection: %s\n", json_string_value(json_object_get(*summary, "selection")));
    }
    return summarise_groups(results, group, groups, quiet, list);
}

/* Of several runs; of one *out is NULL, for it stands beside the model already. */
static un_status summarise_localisation(const json_t *results, json_t **out) {
    json_t *runs = NULL;
    *out = NULL;
    UN_TRY(un_result_runs(results, &runs));
    un_status status = json_array_size(runs) > 1 ? un_localisation_summary(runs, out) : UNSEEN_OK;
    json_decref(runs);
    return status;
}

static un_status evaluate(const arguments *a, const unseen_dataset *data, const char *path,
                          json_t **out, json_t **identity) {
    unseen_model *model = NULL;
    unseen_result *result = NULL;
    unseen_evaluate_options options;
    json_t *manifest = NULL;
    un_status status = UNSEEN_OK;
    unseen_evaluate_options_init(&options, sizeof options);
    options.features = a->features;
    options.gamma = a->gamma;
    options.localisation = a->localisation;
    options.recovery = a->recovery;
    options.progress = un_cli_progress;
    UN_TRY(un_cli_model_open(&a->common, path, &model));
    UN_GO(unseen_evaluate(model, data, &options, &result));
    const char *manifest_text = unseen_model_manifest(model), *text = unseen_result_json(result);
    UN_GO(un_json_parse(manifest_text, strlen(manifest_text), path, &manifest));
    UN_GO(un_identity_of_manifest(manifest, identity));
    UN_GO(un_json_parse(text, strlen(text), "the result of an evaluation", out));
    UN_GO(write_files(a, result));
done:
    json_decref(manifest);
    unseen_result_close(result);
    unseen_model_close(model);
    return status;
}

/* An exit code. */
static int check_files(const arguments *a) {
    un_cli_files files = {0};
    for (size_t i = 0; i < a->model_count; i++) un_cli_reads(&files, a->models[i]);
    un_cli_reads_dataset(&files, a->data, a->images);
    un_cli_writes(&files, a->json);
    un_cli_writes(&files, a->per_class);
    un_cli_writes(&files, a->curve);
    un_cli_writes(&files, a->confusion);
    return un_cli_check_files(&files);
}

static int run(const arguments *a) {
    unseen_dataset *data = NULL;
    json_t *results = json_array(), *summary = NULL, *identities[MAX_MODELS] = {NULL};
    un_status status = UNSEEN_OK;
    int code = UN_EXIT_OK,
        to_stdout = un_cli_is_standard(a->json) || un_cli_is_standard(a->per_class) ||
                    un_cli_is_standard(a->curve) || un_cli_is_standard(a->confusion);
    code = check_files(a);
    if (code) goto done;
    UN_GO(un_cli_dataset_open(a->data, a->images, &data));
    for (size_t i = 0; i < a->model_count; i++) {
        json_t *result = NULL;
        status = evaluate(a, data, a->models[i], &result, &identities[i]);
        if (status) json_decref(result);
        UN_GO(status);
        if (!to_stdout) {
            if (a->model_count > 1) printf("%s: ", un_cli_name(a->models[i]));
            un_cli_print_result(result);
            print_localisation(json_object_get(result, "localisation"));
            print_recovery(result);
        }
        UN_GO(un_json_append(results, result));
    }
    if (a->model_count > 1) {
        json_t *localisation = NULL;
        UN_GO(compare(results, identities, to_stdout, &summary));
        if (json_object_get(summary, "mean")) UN_GO(summarise_localisation(results, &localisation));
        if (!to_stdout) print_localisation(localisation);
        if (localisation) UN_GO(un_json_set(summary, "localisation", localisation));
        UN_GO(un_json_set(summary, "results", json_incref(results)));
    }
    if (a->json && !code)
        code = un_cli_write_json(a->json, summary ? summary : json_array_get(results, 0));
done:
    if (status) code = un_cli_fail();
    for (size_t i = 0; i < a->model_count; i++) json_decref(identities[i]);
    json_decref(summary);
    json_decref(results);
    unseen_dataset_close(data);
    return code;
}

int un_cmd_eval(int argc, char **argv) {
    arguments a = {0};
    int code = 0;
    return un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code) ? run(&a) : code;
}
