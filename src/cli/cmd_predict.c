/* cmd_predict.c - `unseen predict`: names what pictures show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/pictures.h"
#include "cli/predict_output.h"
#include "engine/loader.h"

enum { BATCH = 16, MOST_CANDIDATES = 1000000 };

typedef struct {
    un_cli_pictures base;
    size_t top;
    const char *json, *csv;
    int native;
} arguments;

enum { KEY_TOP = 0x5001, KEY_JSON, KEY_CSV, KEY_NATIVE };

static const struct argp_option g_options[] = {
    {"top", KEY_TOP, "K", 0, "candidates to print for each picture (default 5)", 1},
    {"native", KEY_NATIVE, NULL, 0,
     "scores as the method computes them (default: seen classes lowered by the model's gamma)", 2},
    {"json", KEY_JSON, "FILE", 0,
     "answers as JSON, - for standard output; with --csv, both are written", 3},
    {"csv", KEY_CSV, "FILE", 0,
     "answers as CSV, - for standard output; a text that a spreadsheet would take for a formula "
     "gets "
     "a ' in front",
     3},
    {0}};

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->base; return 0;
    case KEY_TOP: a->top = un_cli_parse_top(state, text, MOST_CANDIDATES); return 0;
    case KEY_JSON: a->json = text; return 0;
    case KEY_CSV: a->csv = text; return 0;
    case KEY_NATIVE: a->native = 1; return 0;
    case ARGP_KEY_END:
        if (a->json && a->csv && !strcmp(a->json, "-") && !strcmp(a->csv, "-"))
            argp_error(state, "only one of --json and --csv can go to standard output");
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
    .children = un_cli_pictures_children};

typedef struct {
    un_classifier classifier;
    float *features, *scores;
    size_t *best;
    size_t bad, ignored;
} session;

static un_status answer_batch(session *s, const arguments *a, const un_loaded *batch,
                              predict_output *out) {
    const un_class_table *classes = &s->classifier.classes;
    UN_TRY(un_classifier_features(&s->classifier, batch->pictures, batch->count, s->features));
    UN_TRY(un_classifier_score(&s->classifier, s->features, batch->count, !a->native, s->scores));
    for (size_t i = 0; i < batch->count; i++) {
        const char *path = a->base.pictures.paths[batch->first + i];
        const float *scores = s->scores + i * classes->count;
        if (batch->errors[i]) {
            un_log(UNSEEN_LOG_ERROR, "unseen: %s", batch->errors[i]);
            s->bad++;
            UN_TRY(predict_output_error(out, path, batch->codes[i], batch->errors[i]));
            continue;
        }
        size_t count = un_classifier_top(&s->classifier, scores, a->base.among, a->top, s->best);
        UN_TRY(predict_output_answer(out, path, classes, scores, s->best, count));
    }
    return UNSEEN_OK;
}

static un_status answer_all(session *s, const arguments *a, predict_output *out) {
    un_loader *loader = NULL;
    un_status status = UNSEEN_OK;
    const un_loader_options options = {.names = a->base.pictures.paths,
                                       .count = a->base.pictures.count,
                                       .batch = BATCH,
                                       .recipe = s->classifier.recipe};
    UN_TRY(un_loader_open(&loader, &options));
    for (;;) {
        un_loaded batch;
        UN_GO(un_loader_next(loader, &batch));
        if (batch.count == 0) break;
        UN_GO(answer_batch(s, a, &batch, out));
        s->ignored += batch.ignored;
    }
done:
    un_loader_close(loader);
    return status;
}

static un_status prepare(session *s, const arguments *a) {
    UN_TRY(un_cli_pictures_open(&a->base, &s->classifier));
    size_t row = s->classifier.model.regions * s->classifier.model.width;
    UN_TRY(un_alloc(BATCH * row, sizeof(float), &s->features));
    UN_TRY(un_alloc(BATCH * s->classifier.classes.count, sizeof(float), &s->scores));
    return un_alloc(s->classifier.classes.count, sizeof *s->best, &s->best);
}

static un_status predict(session *s, const arguments *a) {
    predict_output *out = NULL;
    UN_TRY(prepare(s, a));
    s->bad += un_cli_tell_empty(&a->base);
    char unit[200];
    un_classifier_score_unit(&s->classifier, unit, sizeof unit);
    UN_TRY(predict_output_open(&out, a->json, a->csv, unit));
    un_status status = answer_all(s, a, out);
    if (status) {
        predict_output_abort(out);
        return status;
    }
    un_cli_tell_ignored(s->ignored, &s->classifier);
    return predict_output_commit(out);
}

/* An exit code. */
static int check_files(const arguments *a) {
    un_cli_files files = {0};
    un_cli_reads_pictures(&files, &a->base);
    un_cli_writes(&files, a->json);
    un_cli_writes(&files, a->csv);
    return un_cli_check_files(&files);
}

int un_cmd_predict(int argc, char **argv) {
    arguments a = {.base.from_stdin = 1, .top = 5};
    session s = {0};
    int code = UN_EXIT_OK;
    if (un_cli_begin(&g_argp, argc, argv, &a, &a.base.common, &code)) {
        code = a.base.list_status ? un_cli_fail() : check_files(&a);
        if (!code && predict(&s, &a)) code = un_cli_fail();
    }
    if (!code && s.bad > 0) code = UN_EXIT_FAILURE;
    free(s.features);
    free(s.scores);
    free(s.best);
    un_classifier_close(&s.classifier);
    un_cli_pictures_free(&a.base);
    return code;
}
