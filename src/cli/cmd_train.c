/* cmd_train.c - `unseen train`: settings, seeds, the run and its summary. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/locale.h"
#include "base/status.h"
#include "cli/cli.h"
#include "cluster/cluster.h"
#include "method/methods.h"
#include "protocol/report.h"
#include "train/train.h"

enum { MAX_SETS = 64, MAX_SEEDS = 64 };

typedef struct {
    un_cli_common common;
    const char *method, *data, *output, *preset, *config, *features, *log, *select, *json;
    const char *sets[MAX_SETS];
    size_t set_count;
    char *owned[MAX_SETS]; /* assignments made from other options */
    size_t owned_count;
    size_t steps, folds, ranks_per_run;
    const char *wire;
    uint64_t seeds[MAX_SEEDS];
    size_t seed_count;
    int resume, settings, all;
    double checkpoint_seconds;
} arguments;

enum {
    KEY_DATA = 0x2001,
    KEY_PRESET,
    KEY_CONFIG,
    KEY_SET,
    KEY_EPOCHS,
    KEY_STEPS,
    KEY_SELECT,
    KEY_RESUME,
    KEY_LOG,
    KEY_SEMANTICS,
    KEY_FEATURES,
    KEY_BATCHING,
    KEY_REFERENCE,
    KEY_FREEZE,
    KEY_SEEDS,
    KEY_CHECKPOINT,
    KEY_JSON,
    KEY_SETTINGS,
    KEY_ALL,
    KEY_FOLDS,
    KEY_RANKS,
    KEY_WIRE
};

static const struct argp_option g_options[] = {
    {"data", KEY_DATA, "DIR", 0, "data set directory (required)", 1},
    {"output", 'o', "MODEL", 0, "model file to write (required)", 1},
    {"preset", KEY_PRESET, "PRESET", 0, "settings to start from (default: auto)", 1},
    {"config", KEY_CONFIG, "FILE.json", 0, "settings that replace the preset's", 1},
    {"set", KEY_SET, "KEY=VALUE", 0, "one setting; may be repeated and wins over the rest", 1},
    {"settings", KEY_SETTINGS, NULL, 0, "list the method's presets and settings, then stop", 1},
    {"semantics", KEY_SEMANTICS, "NAME[,NAME]", 0, "same as --set semantics=…", 2},
    {"features", KEY_FEATURES, "NAME", 0, "feature set (default: the one that the method can use)",
     2},
    {"batching", KEY_BATCHING, "mini|class-means", 0, "same as --set batching=…", 2},
    {"duet-reference", KEY_REFERENCE, NULL, 0,
     "DUET as its published code does it; same as --set reference=yes", 2},
    {"freeze-backbone", KEY_FREEZE, NULL, 0,
     "DUET: leave the vision transformer as it is; same as --set freeze_backbone=yes", 2},
    {"epochs", KEY_EPOCHS, "N", 0, "longest training considered; same as --set epochs=N", 2},
    {"steps", KEY_STEPS, "N", 0, "stop every run after N steps (default: epochs decide)", 2},
    {"select", KEY_SELECT, "validation|test|none", 0,
     "where length and gamma come from: honest validation; the test sets, as published codes do "
     "(every result then says so); or nowhere: train --epochs, gamma 0 (default validation)",
     3},
    {"folds", KEY_FOLDS, "N", 0,
     "use only the first N of the data set's validation folds: quicker, and less sure (default: "
     "all)",
     3},
    {"all", KEY_ALL, NULL, 0,
     "once length and gamma are chosen, learn from every image, those of the test lists included; "
     "the model then has no test figures (default: trainval, and a test)",
     3},
    {"seeds", KEY_SEEDS, "A,B,C", 0,
     "one model for each seed, MODEL-seedA…, and mean ± sd (default: --seed)", 3},
    {"resume", KEY_RESUME, NULL, 0, "go on from MODEL.checkpoint if it is there", 3},
    {"checkpoint-every", KEY_CHECKPOINT, "SECONDS", 0,
     "time between checkpoints; 0: only when interrupted (default 60)", 3},
    {"ranks-per-run", KEY_RANKS, "N", 0,
     "unseen-mpi: N ranks share each step, their number among the sums' roundings (default 1: a "
     "run is one rank's)",
     3},
    {"wire", KEY_WIRE, "f32|bf16", 0, "unseen-mpi: gradients between these ranks (default f32)", 3},
    {"log", KEY_LOG, "FILE.csv", 0, "losses and validation accuracies as they come", 3},
    {"json", KEY_JSON, "FILE", 0, "results as JSON, - for standard output", 3},
    {0}};

/* Remembers "key=value" as one more --set. */
static void add_assignment(arguments *a, struct argp_state *state, const char *key,
                           const char *value) {
    if (a->owned_count == MAX_SETS || a->set_count == MAX_SETS)
        argp_error(state, "too many settings");
    char *text = NULL;
    if (un_format(&text, "%s=%s", key, value) != UNSEEN_OK) argp_error(state, "out of memory");
    a->owned[a->owned_count++] = text;
    a->sets[a->set_count++] = text;
}

static void parse_seeds(arguments *a, struct argp_state *state, char *text) {
    for (char *word = strsep(&text, ","); word; word = strsep(&text, ",")) {
        if (a->seed_count == MAX_SEEDS)
            argp_error(state, "--seeds wants up to %d numbers separated by commas", MAX_SEEDS);
        uint64_t seed = un_cli_integer(state, "--seeds", word, 0, UINT64_MAX);
        for (size_t i = 0; i < a->seed_count; i++)
            if (a->seeds[i] == seed) argp_error(state, "--seeds has %s twice", word);
        a->seeds[a->seed_count++] = seed;
    }
}

static double parse_seconds(struct argp_state *state, const char *text) {
    static const double MOST = 1e9;
    double seconds = -1;
    if (text[strspn(text, "0123456789.")] || !un_decimal_parse(text, &seconds) || seconds > MOST)
        argp_error(state, "--checkpoint-every wants seconds from 0 to %.0f, not \"%s\"", MOST,
                   text);
    return seconds;
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_DATA: a->data = text; return 0;
    case 'o': a->output = text; return 0;
    case KEY_PRESET: a->preset = text; return 0;
    case KEY_CONFIG: a->config = text; return 0;
    case KEY_SET:
        if (a->set_count == MAX_SETS) argp_error(state, "too many settings");
        a->sets[a->set_count++] = text;
        return 0;
    case KEY_SETTINGS: a->settings = 1; return 0;
    case KEY_EPOCHS: add_assignment(a, state, "epochs", text); return 0;
    case KEY_SEMANTICS: add_assignment(a, state, "semantics", text); return 0;
    case KEY_BATCHING: add_assignment(a, state, "batching", text); return 0;
    case KEY_REFERENCE: add_assignment(a, state, "reference", "yes"); return 0;
    case KEY_FREEZE: add_assignment(a, state, "freeze_backbone", "yes"); return 0;
    case KEY_FEATURES: a->features = text; return 0;
    case KEY_SELECT: a->select = text; return 0;
    case KEY_RESUME: a->resume = 1; return 0;
    case KEY_ALL: a->all = 1; return 0;
    case KEY_LOG: a->log = text; return 0;
    case KEY_JSON: a->json = text; return 0;
    case KEY_SEEDS: parse_seeds(a, state, text); return 0;
    case KEY_FOLDS: a->folds = un_cli_integer(state, "--folds", text, 1, UN_MAX_FOLDS); return 0;
    case KEY_STEPS: a->steps = un_cli_integer(state, "--steps", text, 1, UINT32_MAX); return 0;
    case KEY_RANKS:
        a->ranks_per_run = un_cli_integer(state, "--ranks-per-run", text, 1, UINT16_MAX);
        return 0;
    case KEY_WIRE: a->wire = text; return 0;
    case KEY_CHECKPOINT: a->checkpoint_seconds = parse_seconds(state, text); return 0;
    case ARGP_KEY_ARG:
        if (a->method) argp_error(state, "one method only, \"%s\" is too many", text);
        a->method = text;
        un_cli_check_method(state, text);
        return 0;
    case ARGP_KEY_END:
        if (!a->method) un_cli_miss_method(state, "train");
        if (a->settings) return 0;
        if (!a->data) argp_error(state, "--data is missing");
        if (!a->output) argp_error(state, "-o is missing: where should the model go?");
        if (un_cli_is_standard(a->output) || un_cli_is_standard(a->log))
            argp_error(state, "-o and --log want files; ./- is one, /dev/stdout a place to write");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "METHOD --data DIR -o MODEL",
    .doc = "Trains a method on a data set: length and gamma come from validation folds, then the "
           "model is trained on trainval and the test sets are read once.",
    .children = un_cli_common_children};

static void print_table(const un_option *options) {
    for (const un_option *o = options; o->key; o++)
        printf("  %-15s %-12s %s%s%s%s\n", o->key, o->fallback, o->help, o->choices ? " (" : "",
               o->choices ? o->choices : "", o->choices ? ")" : "");
}

static int print_settings(const un_method_class *class) {
    printf("%s\n\nPresets (--preset NAME):\n", class->title);
    for (const un_preset *p = class->presets; p->name; p++)
        printf("  %-15s %s\n                  %s\n", p->name, p->summary, p->config);
    puts("\nSettings (--set KEY=VALUE), with their defaults before a preset:");
    const un_option *tables[UN_OPTION_TABLES];
    un_option_tables(class, tables);
    for (size_t t = 0; tables[t]; t++) print_table(tables[t]);
    return UN_EXIT_OK;
}

static size_t training_count(const arguments *a) { return a->seed_count ? a->seed_count : 1; }

/* Where the model and the log of training i go; *log is NULL without one. */
static un_status training_paths(const arguments *a, size_t i, char **path, char **log) {
    *path = *log = NULL;
    if (a->seed_count == 0) {
        UN_TRY(un_format(path, "%s", a->output));
        return a->log ? un_format(log, "%s", a->log) : UNSEEN_OK;
    }
    UN_TRY(un_train_seed_path(a->output, a->seeds[i], path));
    return a->log ? un_train_seed_path(a->log, a->seeds[i], log) : UNSEEN_OK;
}

/* An exit code. */
static int check_files(const arguments *a) {
    un_cli_files files = {0};
    un_cli_reads_dataset(&files, a->data, NULL);
    un_cli_reads(&files, a->config);
    un_cli_writes(&files, a->json);
    for (size_t i = 0; i < training_count(a); i++) {
        char *path = NULL, *log = NULL;
        if (training_paths(a, i, &path, &log)) {
            files.failed = 1;
        } else {
            un_cli_writes(&files, path);
            un_cli_writes_beside(&files, path, ".checkpoint");
            un_cli_writes_beside(&files, path, ".lock");
            un_cli_writes(&files, log);
        }
        free(path);
        free(log);
    }
    return un_cli_check_files(&files);
}

/* What a training that is done is told to. */
typedef struct {
    const arguments *arguments;
    json_t *results;
    un_status status; /* of telling */
} telling;

static un_status keep_result(telling *t, size_t training, const unseen_result *given) {
    json_t *result = NULL;
    char *path = NULL, *log = NULL;
    un_status status = UNSEEN_OK;
    const char *text = unseen_result_json(given);
    UN_GO(un_json_parse(text, strlen(text), "the result of a training", &result));
    UN_GO(training_paths(t->arguments, training, &path, &log));
    UN_GO(un_json_set(result, "model", json_string(path)));
    UN_GO(un_json_append(t->results, json_incref(result)));
    if (un_cli_is_standard(t->arguments->json)) goto done;
    un_cli_print_result(result);
    printf("  written to %s\n", un_cli_name(path));
    fflush(stdout);
done:
    json_decref(result);
    free(path);
    free(log);
    return status;
}

static void tell(size_t training, const unseen_result *result, void *user) {
    telling *t = user;
    if (!t->status) t->status = keep_result(t, training, result);
}

static un_status train(const arguments *a, const unseen_dataset *data, json_t *results) {
    unseen_train_options o;
    telling told = {.arguments = a, .results = results};
    unseen_train_options_init(&o, sizeof o);
    o.preset = a->preset;
    o.config = a->config;
    o.settings = a->sets;
    o.setting_count = a->set_count;
    o.features = a->features;
    o.select = a->select;
    o.folds = a->folds;
    o.all = a->all;
    o.seed = a->common.seed;
    o.precision = a->common.precision;
    o.max_steps = a->steps;
    o.output = a->output;
    o.log = a->log;
    o.resume = a->resume;
    o.ranks_per_run = a->ranks_per_run;
    if (a->wire) o.wire = a->wire;
    if (a->checkpoint_seconds >= 0) o.checkpoint_seconds = a->checkpoint_seconds;
    o.progress = un_cli_progress;
    if (a->seed_count > 0) {
        UN_TRY(unseen_train_seeds(a->method, data, &o, a->seeds, a->seed_count, tell, &told, NULL,
                                  NULL));
    } else {
        unseen_result *result = NULL;
        UN_TRY(unseen_train(a->method, data, &o, NULL, &result));
        if (result) tell(0, result, &told); /* only rank 0 has one */
        unseen_result_close(result);
    }
    return told.status;
}

static int report(const arguments *a, json_t *results) {
    int to_stdout = un_cli_is_standard(a->json);
    if (json_array_size(results) > 1 && !to_stdout) {
        int code = un_cli_print_summary(results);
        if (code) return code;
    }
    if (!a->json) return UN_EXIT_OK;
    if (json_array_size(results) == 1)
        return un_cli_write_json(a->json, json_array_get(results, 0));
    json_t *summary = NULL;
    if (un_result_summary(results, &summary) != UNSEEN_OK ||
        un_json_set(summary, "results", json_incref(results)) != UNSEEN_OK) {
        json_decref(summary);
        return un_cli_fail();
    }
    int code = un_cli_write_json(a->json, summary);
    json_decref(summary);
    return code;
}

static int run(const arguments *a) {
    unseen_dataset *data = NULL;
    const un_method_class *class = NULL;
    json_t *results = NULL;
    un_status status = UNSEEN_OK;
    int code = UN_EXIT_OK;
    UN_GO(un_method_find(a->method, &class));
    if (a->settings) return print_settings(class);
    code = check_files(a);
    if (code) return code;
    results = json_array();
    UN_GO(un_cluster_agree(un_cli_dataset_open(a->data, NULL, &data)));
    un_cli_catch_signals();
    un_cli_stop_patience = 3600; /* a step of another may be that long */
    UN_GO(train(a, data, results));
    code = un_cluster_rank(un_cluster_all()) == 0 ? report(a, results) : UN_EXIT_OK;
done:
    if (status) code = un_cli_fail();
    json_decref(results);
    unseen_dataset_close(data);
    return code;
}

int un_cmd_train(int argc, char **argv) {
    arguments a = {.select = "validation", .checkpoint_seconds = -1};
    int code = 0;
    if (un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) code = run(&a);
    for (size_t i = 0; i < a.owned_count; i++) free(a.owned[i]);
    return code;
}
