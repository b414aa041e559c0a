/*
 * cmd_demo.c - `unseen demo`: the whole way once, on the built-in data. It runs the
 * program's own commands, says each as a user would type it, and can be repeated: what is
 * there already is kept.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/status.h"
#include "cli/cli.h"

enum { MAX_WORDS = 32, MAX_MODELS = 8 };

typedef struct {
    un_cli_common common;
    const char *output, *backbone;
    size_t images_per_class, epochs; /* 0: as the commands do */
    int full;
    int serve;
    unsigned port; /* to serve on */
} arguments;

enum { KEY_BACKBONE = 0x6001, KEY_IMAGES, KEY_EPOCHS, KEY_FULL, KEY_SERVE };

static const struct argp_option g_options[] = {
    {"output", 'o', "DIR", 0, "where data, models and report go (default: unseen-demo)", 1},
    {"backbone", KEY_BACKBONE, "WEIGHTS", 0,
     "also train MSDN on features of this network (default: the built-in descriptor only)", 1},
    {"images-per-class", KEY_IMAGES, "N", 0, "pictures of each kind of bird (default 40)", 1},
    {"epochs", KEY_EPOCHS, "N", 0,
     "at most so many epochs of each training, for a quick look (default: each method's)", 1},
    {"full", KEY_FULL, NULL, 0, "also train DUET, on regions and from pixels, which takes longer",
     1},
    {"serve", KEY_SERVE, "PORT", OPTION_ARG_OPTIONAL,
     "at the end serve the models on a page, with pictures to try, until it is stopped (default "
     "port: 8080; 0: any that is free)",
     1},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case 'o': a->output = text; return 0;
    case KEY_BACKBONE: a->backbone = text; return 0;
    case KEY_IMAGES:
        a->images_per_class = un_cli_integer(state, "--images-per-class", text, 5, 10000);
        return 0;
    case KEY_EPOCHS: a->epochs = un_cli_integer(state, "--epochs", text, 1, 10000); return 0;
    case KEY_FULL: a->full = 1; return 0;
    case KEY_SERVE:
        a->serve = 1;
        if (text) a->port = (unsigned)un_cli_integer(state, "--serve", text, 0, 65535);
        return 0;
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument \"%s\"", text); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .doc = "Draws kinds of birds, learns some of them by pictures and all of them by description, "
           "and recognises those that no picture showed. Then it writes a report. --precision=auto "
           "is f32 here, so that every processor comes to about the same figures.",
    .children = un_cli_common_children};

/* ---- running commands ---- */

typedef int (*command)(int argc, char **argv);

/* One command line; words end with NULL. */
typedef struct {
    char *words[MAX_WORDS];
    int count;
} line;

static void add_word(line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_word(line *l, const char *format, ...) {
    va_list arguments_;
    if (l->count + 1 >= MAX_WORDS) return;
    va_start(arguments_, format);
    if (vasprintf(&l->words[l->count], format, arguments_) >= 0) l->count++;
    va_end(arguments_);
}

static int run(const arguments *a, command run_command, line *l) {
    char *argv[MAX_WORDS + 1];
    printf("\n$ ");
    un_cli_print_word(program_invocation_name);
    for (int i = 0; i < l->count; i++) {
        putchar(' ');
        un_cli_print_word(l->words[i]);
    }
    printf("\n");
    fflush(stdout);
    add_word(l, "--seed=%llu", (unsigned long long)a->common.seed);
    add_word(l, "--threads=%d", a->common.threads);
    add_word(l, "--precision=%s", a->common.precision);
    if (a->common.quiet) add_word(l, "--quiet");
    memcpy(argv, l->words, (size_t)l->count * sizeof *argv);
    argv[l->count] = NULL;
    int code = run_command(l->count, argv);
    for (int i = 0; i < l->count; i++) free(l->words[i]);
    *l = (line){0};
    return un_cli_stop && !code ? UN_EXIT_FAILURE : code;
}

static int there(const char *directory, const char *name) {
    char *path = NULL;
    if (un_path_join(directory, name, &path)) return 0;
    int exists = un_path_exists(path);
    free(path);
    return exists;
}

/* ---- the steps ---- */

static int draw(const arguments *a) {
    line l = {0};
    if (there(a->output, "birds/dataset.safetensors")) return UN_EXIT_OK;
    add_word(&l, "import");
    add_word(&l, "tinybirds");
    if (a->images_per_class) add_word(&l, "--images-per-class=%zu", a->images_per_class);
    add_word(&l, "-o");
    add_word(&l, "%s/birds", a->output);
    return run(a, un_cmd_import, &l);
}

static int extract(const arguments *a, const char *backbone, const char *name, const char *size) {
    line l = {0};
    add_word(&l, "extract");
    add_word(&l, "--backbone");
    add_word(&l, "%s", backbone);
    add_word(&l, "--data");
    add_word(&l, "%s/birds", a->output);
    if (name) add_word(&l, "%s", name);
    if (size) add_word(&l, "%s", size);
    return run(a, un_cmd_extract, &l);
}

/* A model of the demo. */
typedef struct {
    const char *method, *name, *features;
    const char *const *settings; /* NULL-terminated; NULL: none */
} trained;

/* All of them, in the order of training. */
typedef struct {
    trained items[MAX_MODELS];
    size_t count;
} models;

/* Trains DIR/NAME.model unless it is there. */
static int train(const arguments *a, models *all, trained m) {
    line l = {0};
    char file[64];
    all->items[all->count++] = m;
    snprintf(file, sizeof file, "%s.model", m.name);
    if (there(a->output, file)) return UN_EXIT_OK;
    add_word(&l, "train");
    add_word(&l, "%s", m.method);
    add_word(&l, "--data");
    add_word(&l, "%s/birds", a->output);
    add_word(&l, "--features=%s", m.features);
    for (const char *const *s = m.settings; s && *s; s++) add_word(&l, "--set=%s", *s);
    if (a->epochs && strcmp(m.method, "eszsl") != 0) add_word(&l, "--epochs=%zu", a->epochs);
    add_word(&l, "--folds=1"); /* the same for all, so that they can be compared by it */
    add_word(&l, "--log");
    add_word(&l, "%s/%s.csv", a->output, m.name);
    add_word(&l, "--resume"); /* a demo that was stopped goes on where it was */
    add_word(&l, "-o");
    add_word(&l, "%s/%s.model", a->output, m.name);
    return run(a, un_cmd_train, &l);
}

/* The controls were trained first and come last. */
static int report(const arguments *a, const models *all) {
    line l = {0};
    add_word(&l, "report");
    for (size_t i = all->count; i-- > 0;)
        add_word(&l, "%s/%s.model", a->output, all->items[i].name);
    add_word(&l, "--data");
    add_word(&l, "%s/birds", a->output);
    add_word(&l, "-o");
    add_word(&l, "%s/report.html", a->output);
    return run(a, un_cmd_report, &l);
}

/* ---- the end ---- */

static void print_percent(const json_t *metrics, const char *key) {
    const json_t *value = json_object_get(metrics, key);
    if (json_is_number(value))
        printf(" %6.1f", 100 * json_number_value(value));
    else
        printf(" %6s", "-");
}

/* One row of the summary; the numbers are those of the model's own, single test. *fold: the area
 * on the validation fold; NaN: none was measured. */
static int print_row(const arguments *a, const char *name, double *fold) {
    unseen_model *model = NULL;
    json_t *manifest = NULL;
    char *path = NULL;
    *fold = NAN;
    if (un_format(&path, "%s/%s.model", a->output, name)) return un_cli_fail();
    un_status status = unseen_model_open(path, &model);
    const char *text = unseen_model_manifest(model);
    if (!status) status = un_json_parse(text, strlen(text), path, &manifest);
    free(path);
    unseen_model_close(model);
    if (status) return un_cli_fail();
    const json_t *m = json_object_get(manifest, "metrics");
    const json_t *selection = json_object_get(manifest, "selection");
    const char *metric = json_string_value(json_object_get(selection, "metric"));
    const json_t *mean = json_object_get(selection, "mean_metric");
    if (metric && !strcmp(metric, "AUSUC") && json_is_number(mean)) *fold = json_number_value(mean);
    printf("  %-14s", name);
    print_percent(m, "T1");
    putchar(' ');
    print_percent(m, "U");
    print_percent(m, "S");
    print_percent(m, "H");
    putchar(' ');
    print_percent(m, "AUSUC");
    print_percent(selection, "mean_metric");
    putchar('\n');
    json_decref(manifest);
    return UN_EXIT_OK;
}

/* 1: the method takes regions, 0: anything else, -1: it cannot be told. */
static int takes_regions(const char *method) {
    const char *text = NULL;
    json_t *said = NULL;
    if (unseen_method_describe(method, &text) || un_json_parse(text, strlen(text), method, &said))
        return -1;
    const char *input = json_string_value(json_object_get(said, "input"));
    const int regions = input && !strcmp(input, "regions");
    json_decref(said);
    return regions;
}

/* Which of the models on regions, or of those on one vector a picture, was best on the fold;
 * MAX_MODELS: none. */
static size_t best_of(const models *all, const double *fold, int regions) {
    size_t best = MAX_MODELS;
    for (size_t i = 0; i < all->count; i++) {
        if (isnan(fold[i]) || takes_regions(all->items[i].method) != regions) continue;
        if (best == MAX_MODELS || fold[i] > fold[best]) best = i;
    }
    return best;
}

/* The answer to "which one?", by what was measured before any test list was read. */
static void print_advice(const models *all, const double *fold) {
    size_t regions = best_of(all, fold, 1), pooled = best_of(all, fold, 0);
    if (regions == MAX_MODELS || pooled == MAX_MODELS) return;
    size_t first = fold[regions] >= fold[pooled] ? regions : pooled;
    printf("\nTake %s: %.1f on the fold, the most of all", all->items[first].name,
           100 * fold[first]);
    if (first == regions)
        printf(", since it looks for each attribute\n"
               "in the regions of a picture, and shows where it found it. Where a picture is one\n"
               "vector, without regions, or training must take seconds, take %s (%.1f).\n",
               all->items[pooled].name, 100 * fold[pooled]);
    else
        printf(", in seconds and from one vector a picture.\nTo see where an attribute was read, "
               "take %s (%.1f).\n",
               all->items[regions].name, 100 * fold[regions]);
}

/* A command to go on with, so that it works where this one was typed. */
static void print_next(const char *words) {
    printf("  ");
    un_cli_print_word(program_invocation_name);
    printf(" %s\n", words);
}

/* fold[MAX_MODELS] becomes the area of each model on the validation fold. */
static int print_summary(const arguments *a, const models *all, double seconds, double *fold) {
    char *page = NULL;
    printf("\n%-16s %6s  %6s %6s %6s  %6s %6s   percent, per class\n", "", "T1", "U", "S", "H",
           "AUSUC", "fold");
    for (size_t i = 0; i < all->count; i++) {
        int code = print_row(a, all->items[i].name, &fold[i]);
        if (code) return code;
    }
    if (un_path_join(a->output, "report.html", &page)) return un_cli_fail();
    printf(
        "\nT1: pictures of the 15 kinds that no training picture showed, named among those 15\n"
        "    (chance: 6.7).\n"
        "U, S: pictures of unseen and of seen kinds, named among all 60; H: their harmonic\n"
        "    mean. AUSUC: the area under the curve of U and S.\n"
        "fold: that area on the validation fold, seen kinds split as if some were unseen; length\n"
        "    and gamma were chosen there.\n");
    print_advice(all, fold);
    printf("\nDone in %.0f s. Look at ", seconds);
    un_cli_print_word(page);
    printf("\n\n"
           "Your own pictures, a folder a class and a table of attributes:\n");
    print_next("import folder PICTURES --attributes CLASSES.csv -o mine");
    print_next("extract --backbone builtin:descriptor --data mine");
    print_next("train dedn --data mine --features descriptor-1-regions -o mine.model");
    print_next("predict mine.model PHOTO.jpg");
    free(page);
    return UN_EXIT_OK;
}

/* All models, the one that was best on the fold first, until a signal ends it, which is what was
 * asked for. */
static int serve(const arguments *a, const models *all, const double *fold) {
    line l = {0};
    int told[MAX_MODELS] = {0};
    add_word(&l, "serve");
    for (size_t n = 0; n < all->count; n++) {
        size_t best = MAX_MODELS;
        for (size_t i = 0; i < all->count; i++)
            if (!told[i] && (best == MAX_MODELS || fold[i] > fold[best] || isnan(fold[best])))
                best = i;
        told[best] = 1;
        add_word(&l, "%s/%s.model", a->output, all->items[best].name);
    }
    if (a->backbone) add_word(&l, "--backbone");
    if (a->backbone) add_word(&l, "%s", a->backbone);
    add_word(&l, "--data");
    add_word(&l, "%s/birds", a->output);
    add_word(&l, "--port=%u", a->port);
    const int code = run(a, un_cmd_serve, &l);
    return un_cli_stop ? UN_EXIT_OK : code;
}

static int steps(const arguments *a, models *all) {
    /* The descriptor's values are all alike before they are whitened. */
    static const char *const cnzsl[] = {"whiten=auto", NULL};
    /* On the fold these come as far as the presets' rate does in 40 epochs; DEDN's experts come there
     * sooner, and further, when they do not have to agree from the start: without distillation. That
     * was seen on the fold and on the test alike, see docs/RESULTS.md. */
    static const char *const msdn[] = {"epochs=20", "lr=3e-4", "evaluate_every=5", NULL};
    static const char *const dedn[] = {"epochs=16", "lr=3e-4", "evaluate_every=8", "p_ce=0", NULL};
    static const char *const photographs[] = {"epochs=40", "evaluate_every=4", NULL};
    /* A transformer from scratch takes its time. */
    static const char *const pixels[] = {"epochs=60", "evaluate_every=10", "lr=1e-3", "mlm=0.01",
                                         NULL};
    int code = draw(a);
    if (!code) code = extract(a, "builtin:descriptor", NULL, NULL);
    if (!code) code = train(a, all, (trained){"eszsl", "eszsl", "descriptor-1", NULL});
    if (!code) code = train(a, all, (trained){"dem", "dem", "descriptor-1", NULL});
    if (!code) code = train(a, all, (trained){"cnzsl", "cnzsl", "descriptor-1", cnzsl});
    if (!code) code = train(a, all, (trained){"msdn", "msdn", "descriptor-1-regions", msdn});
    if (!code) code = train(a, all, (trained){"dedn", "dedn", "descriptor-1-regions", dedn});
    if (!code && a->full)
        code = train(a, all, (trained){"duet", "duet", "descriptor-1-regions", NULL});
    if (!code && a->full) code = extract(a, "builtin:pixels", NULL, "--image-size=64");
    if (!code && a->full)
        code = train(a, all, (trained){"duet", "duet-pixels", "pixels-1-64-regions", pixels});
    if (!code && a->backbone) code = extract(a, a->backbone, "--name=backbone", NULL);
    if (!code && a->backbone)
        code = train(a, all, (trained){"msdn", "msdn-backbone", "backbone-regions", photographs});
    return code;
}

/* The report comes last: whether it can be written is asked first. An exit code. */
static int check_files(const arguments *a) {
    char *page = NULL, *birds = NULL;
    un_cli_files files = {0};
    if (un_path_join(a->output, "report.html", &page) || un_path_join(a->output, "birds", &birds))
        files.failed = 1;
    un_cli_reads(&files, a->backbone);
    un_cli_reads_dataset(&files, birds, NULL);
    un_cli_writes(&files, page);
    free(page);
    free(birds);
    return un_cli_check_files(&files);
}

int un_cmd_demo(int argc, char **argv) {
    arguments a = {.output = "unseen-demo", .port = 8080};
    double fold[MAX_MODELS];
    models all = {.count = 0};
    int code = UN_EXIT_OK;
    if (!un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) return code;
    if (!strcmp(a.common.precision, "auto")) a.common.precision = "f32";
    double started = un_now();
    un_cli_catch_signals();
    if (un_directory_make(a.output)) return un_cli_fail();
    code = check_files(&a);
    if (code) return code;
    code = steps(&a, &all);
    if (!code) code = report(&a, &all);
    if (!code) code = print_summary(&a, &all, un_now() - started, fold);
    if (!code && a.serve) code = serve(&a, &all, fold);
    return code;
}
