/* cmd_predict.c - `unseen predict`: names what pictures show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/predict_output.h"
#include "engine/loader.h"
#include "engine/new_classes.h"
#include "engine/path_list.h"

enum { BATCH = 16, MAX_CLASS_FILES = 16 };

typedef struct {
    un_cli_common common;
    const char *model, *backbone;
    un_path_list pictures;
    const char *class_files[MAX_CLASS_FILES];
    size_t class_file_count;
    size_t top;
    un_among among;
    const char *json, *csv;
    int native, stored_orientation;
    un_status list_status; /* of gathering the pictures while parsing */
} arguments;

enum {
    KEY_BACKBONE = 0x5001,
    KEY_TOP,
    KEY_AMONG,
    KEY_CLASSES,
    KEY_JSON,
    KEY_CSV,
    KEY_NATIVE,
    KEY_STORED
};

static const struct argp_option g_options[] = {
    {"backbone", KEY_BACKBONE, "WEIGHTS", 0,
     "the weights file that the model's features were extracted with (not needed for the built-in "
     "descriptor)",
     1},
    {"top", KEY_TOP, "K", 0, "candidates to print for each picture (default 5)", 1},
    {"among", KEY_AMONG, "all|seen|unseen|new", 0,
     "which classes are candidates; new: those of --classes (default all)", 1},
    {"classes", KEY_CLASSES, "NEW.csv", 0,
     "new classes by description, without training: a table of classes and attributes, or lines "
     "NAME,ATTRIBUTE=VALUE,... ; may be repeated",
     1},
    {"native", KEY_NATIVE, NULL, 0,
     "scores as the method computes them (default: seen classes lowered by the model's gamma)", 2},
    {"ignore-exif", KEY_STORED, NULL, 0,
     "take pictures as they are stored (default: turned as EXIF says)", 2},
    {"json", KEY_JSON, "FILE", 0, "answers as JSON, - for standard output", 3},
    {"csv", KEY_CSV, "FILE", 0, "answers as CSV, - for standard output", 3},
    {0}};

static size_t parse_top(struct argp_state *state, const char *text) {
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || end == text || *text == '-' || value == 0)
        argp_error(state, "--top must be a whole number from 1, not \"%s\"", text);
    return value;
}

static un_among parse_among(struct argp_state *state, const char *text) {
    static const char *const names[] = {"all", "seen", "unseen", "new"};
    static const un_among values[] = {UN_AMONG_ALL, UN_AMONG_SEEN, UN_AMONG_UNSEEN, UN_AMONG_NEW};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i])) return values[i];
    argp_error(state, "--among must be all, seen, unseen or new, not \"%s\"", text);
    return UN_AMONG_ALL;
}

/* The first argument is the model, the rest are pictures; the first failure is kept. */
static void take_argument(arguments *a, const char *text) {
    if (!a->model) {
        a->model = text;
    } else if (!a->list_status) {
        a->list_status = strcmp(text, "-") == 0 ? un_path_list_read(&a->pictures, stdin)
                                                : un_path_list_add(&a->pictures, text);
    }
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_BACKBONE: a->backbone = text; return 0;
    case KEY_TOP: a->top = parse_top(state, text); return 0;
    case KEY_AMONG: a->among = parse_among(state, text); return 0;
    case KEY_CLASSES:
        if (a->class_file_count == MAX_CLASS_FILES)
            argp_error(state, "at most %d --classes", MAX_CLASS_FILES);
        a->class_files[a->class_file_count++] = text;
        return 0;
    case KEY_JSON: a->json = text; return 0;
    case KEY_CSV: a->csv = text; return 0;
    case KEY_NATIVE: a->native = 1; return 0;
    case KEY_STORED: a->stored_orientation = 1; return 0;
    case ARGP_KEY_ARG: take_argument(a, text); return 0;
    case ARGP_KEY_END:
        if (!a->model) argp_error(state, "which model?");
        if (!a->list_status && a->pictures.count == 0) argp_error(state, "which pictures?");
        if (a->json && a->csv) argp_error(state, "choose --json or --csv");
        if (a->among == UN_AMONG_NEW && a->class_file_count == 0)
            argp_error(state, "--among new needs --classes");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = "MODEL IMAGE|FOLDER|-...",
    .doc = "Says which class each picture shows, from a model file and its backbone. A folder "
           "stands for all pictures below it, - for a list of paths on standard input. Pictures "
           "that cannot be read are named and make the exit status 1.",
    .children = un_cli_common_children};

typedef struct {
    un_classifier classifier;
    float *features, *scores;
    size_t *best;
    size_t bad;
} session;

static un_status answer_batch(session *s, const arguments *a, const un_loaded *batch,
                              predict_output *out) {
    const un_class_table *classes = &s->classifier.classes;
    UN_TRY(un_classifier_features(&s->classifier, batch->pictures, batch->count, s->features));
    UN_TRY(un_classifier_score(&s->classifier, s->features, batch->count, !a->native, s->scores));
    for (size_t i = 0; i < batch->count; i++) {
        const char *path = a->pictures.paths[batch->first + i];
        const float *scores = s->scores + i * classes->count;
        if (batch->errors[i]) {
            un_log(UNSEEN_LOG_ERROR, "unseen: %s", batch->errors[i]);
            s->bad++;
            UN_TRY(predict_output_error(out, path, batch->codes[i], batch->errors[i]));
            continue;
        }
        size_t count = un_classifier_top(&s->classifier, scores, a->among, a->top, s->best);
        UN_TRY(predict_output_answer(out, path, classes, scores, s->best, count));
    }
    return UNSEEN_OK;
}

static un_status answer_all(session *s, const arguments *a, predict_output *out) {
    un_loader *loader = NULL;
    un_status status = UNSEEN_OK;
    const un_loader_options options = {.names = a->pictures.paths,
                                       .count = a->pictures.count,
                                       .batch = BATCH,
                                       .recipe = s->classifier.recipe,
                                       .decode = {.orient = !a->stored_orientation}};
    UN_TRY(un_loader_open(&loader, &options));
    for (;;) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        if (batch.count == 0) break;
        UN_GO(answer_batch(s, a, &batch, out));
    }
done:
    un_loader_close(loader);
    return status;
}

static un_status prepare(session *s, const arguments *a) {
    un_precision precision = UN_PRECISION_AUTO;
    UN_TRY(un_precision_parse(a->common.precision, &precision));
    UN_TRY(un_classifier_open(&s->classifier, a->model, precision));
    UN_TRY(un_classifier_attach(&s->classifier, a->backbone, precision));
    for (size_t i = 0; i < a->class_file_count; i++)
        UN_TRY(un_new_classes_read(&s->classifier, a->class_files[i]));
    size_t row = s->classifier.model.regions * s->classifier.model.width;
    UN_TRY(un_alloc(BATCH * row, sizeof(float), &s->features));
    UN_TRY(un_alloc(BATCH * s->classifier.classes.count, sizeof(float), &s->scores));
    return un_alloc(s->classifier.classes.count, sizeof *s->best, &s->best);
}

static un_status predict(session *s, const arguments *a) {
    predict_output *out = NULL;
    UN_TRY(prepare(s, a));
    predict_format format = a->json ? PREDICT_JSON : a->csv ? PREDICT_CSV : PREDICT_TABLE;
    const un_method_class *class = s->classifier.model.method->class;
    UN_TRY(predict_output_open(&out, format, a->json ? a->json : a->csv, class->score_unit));
    un_status status = answer_all(s, a, out);
    if (status) {
        predict_output_abort(out);
        return status;
    }
    return predict_output_commit(out);
}

int un_cmd_predict(int argc, char **argv) {
    arguments a = {.top = 5};
    session s = {0};
    int code = UN_EXIT_OK;
    if (!un_cli_parse(&g_argp, argc, argv, &a, &code)) {
        un_path_list_free(&a.pictures);
        return code;
    }
    code = un_cli_start(&a.common);
    if (!code && (a.list_status || predict(&s, &a))) code = un_cli_fail();
    if (!code && s.bad > 0) code = UN_EXIT_FAILURE;
    free(s.features);
    free(s.scores);
    free(s.best);
    un_classifier_close(&s.classifier);
    un_path_list_free(&a.pictures);
    return code;
}
