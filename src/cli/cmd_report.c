/* cmd_report.c - `unseen report`: one HTML page about models on a data set. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

enum { MAX_MODELS = 16 };

typedef struct {
    un_cli_common common;
    const char *models[MAX_MODELS], *logs[MAX_MODELS];
    size_t model_count, log_count;
    const char *data, *images, *features, *gamma, *output;
} arguments;

enum { KEY_DATA = 0x7001, KEY_LOG, KEY_FEATURES, KEY_GAMMA, KEY_IMAGES };

static const struct argp_option g_options[] = {
    {"data", KEY_DATA, "DIR", 0, "data set directory (required)", 1},
    {"output", 'o', "FILE.html", 0,
     "the page, one file with everything in it, - for standard output (required)", 1},
    {"log", KEY_LOG, "FILE.csv", 0,
     "the log that train wrote, for its losses; repeated: of the first, second, ... model "
     "(default: "
     "none)",
     1},
    {"features", KEY_FEATURES, "NAME", 0, "feature set (default: the one the model was trained on)",
     2},
    {"images", KEY_IMAGES, "ROOT", 0,
     "folder of the pictures (default: the one that the data set names)", 2},
    {"gamma", KEY_GAMMA, "native|selected|validation|NUMBER", 0,
     "what is subtracted from seen classes, as in eval (default: selected where the model has one, "
     "else native)",
     2},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_DATA: a->data = text; return 0;
    case 'o': a->output = text; return 0;
    case KEY_FEATURES: a->features = text; return 0;
    case KEY_GAMMA: a->gamma = text; return 0;
    case KEY_IMAGES: a->images = text; return 0;
    case KEY_LOG:
        if (a->log_count == MAX_MODELS) argp_error(state, "at most %d logs", MAX_MODELS);
        a->logs[a->log_count++] = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->model_count == MAX_MODELS) argp_error(state, "at most %d models", MAX_MODELS);
        a->models[a->model_count++] = text;
        return 0;
    case ARGP_KEY_END:
        if (a->model_count == 0) argp_error(state, "which model?");
        if (!a->data) argp_error(state, "--data is missing");
        if (!a->output) argp_error(state, "--output is missing");
        if (a->log_count > a->model_count) argp_error(state, "there are more logs than models");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "MODEL... --data DIR -o FILE.html",
    .doc =
        "Evaluates models on a data set and writes one HTML page about them: numbers beside "
        "chance, pictures with attention maps, models side by side, seen-unseen curves, classes, "
        "confusions, learning curves, manifests. It needs no network and works without its "
        "script. The maps come from the stored features: no backbone is needed.",
    .children = un_cli_common_children};

/* An exit code. */
static int check_files(const arguments *a) {
    un_cli_files files = {0};
    for (size_t i = 0; i < a->model_count; i++) un_cli_reads(&files, a->models[i]);
    for (size_t i = 0; i < a->log_count; i++) un_cli_reads(&files, a->logs[i]);
    un_cli_reads_dataset(&files, a->data, a->images);
    un_cli_writes(&files, a->output);
    return un_cli_check_files(&files);
}

static un_status report(const arguments *a, size_t *bytes) {
    unseen_dataset *data = NULL;
    unseen_model *models[MAX_MODELS] = {NULL};
    unseen_report_options options;
    un_status status = UNSEEN_OK;
    unseen_report_options_init(&options, sizeof options);
    options.logs = a->logs;
    options.log_count = a->log_count;
    options.features = a->features;
    options.gamma = a->gamma;
    options.progress = un_cli_progress;
    UN_GO(un_cli_dataset_open(a->data, a->images, &data));
    for (size_t i = 0; i < a->model_count; i++)
        UN_GO(un_cli_model_open(&a->common, a->models[i], &models[i]));
    UN_GO(unseen_report(data, (const unseen_model *const *)models, a->model_count, &options,
                        un_cli_output_path(a->output), bytes));
done:
    for (size_t i = 0; i < a->model_count; i++) unseen_model_close(models[i]);
    unseen_dataset_close(data);
    return status;
}

int un_cmd_report(int argc, char **argv) {
    arguments a = {0};
    size_t bytes = 0;
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    code = check_files(&a);
    if (code) return code;
    if (report(&a, &bytes)) return un_cli_fail();
    if (!un_cli_is_standard(a.output)) /* the page is alone there */
        printf("%s: %.1f KiB\n", a.output, (double)bytes / 1024);
    return UN_EXIT_OK;
}
