/* cmd_predict.c - `unseen predict`: names what pictures show. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/csv_writer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/cli.h"

enum { MOST_CANDIDATES = 1000000 };

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
        if (un_cli_is_standard(a->json) && un_cli_is_standard(a->csv))
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

/* ---- the three forms of predict's answers, written as they come: memory does not
 * grow with the number of pictures.
 *
 * Table: the picture's path, then a line a candidate.
 * JSON: [{"image", "predictions": [{"label", "score", "seen"}, …]} or
 *     {"image", "error", "readable"}, …]
 * CSV: image,rank,label,score,seen,error
 * A file appears whole or not at all. ---- */

typedef enum { PREDICT_TABLE, PREDICT_JSON, PREDICT_CSV } predict_format;

typedef struct predict_output {
    predict_format format;
    int standard; /* it goes to standard output */
    un_atomic_file file;
    uint64_t written;
    size_t records;
    struct predict_output *next; /* the same answers in another form, or NULL */
} predict_output;

static un_status put(predict_output *out, const char *text) {
    size_t n = strlen(text);
    if (out->standard) {
        if (fwrite(text, 1, n, stdout) != n)
            return un_fail(UNSEEN_E_IO, "cannot write to standard output");
        return UNSEEN_OK;
    }
    UN_TRY(un_atomic_write(&out->file, text, n, out->written));
    out->written += n;
    return UNSEEN_OK;
}

static un_status put_format(predict_output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static un_status put_format(predict_output *out, const char *format, ...) {
    char *text = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&text, format, values);
    va_end(values);
    if (length < 0) return un_fail_memory(0);
    un_status status = put(out, text);
    free(text);
    return status;
}

/* The row of the CSV that `csv` holds. */
static un_status put_row(predict_output *out, un_csv_writer *csv) {
    un_csv_writer_row(csv);
    UN_TRY(un_csv_writer_end(csv));
    un_status status = put(out, csv->text);
    free(csv->text);
    return status;
}

static void predict_output_abort(predict_output *out) {
    while (out) {
        predict_output *next = out->next;
        un_atomic_abort(&out->file);
        free(out);
        out = next;
    }
}

static un_status open_one(predict_output **result, predict_format format, const char *path,
                          const char *score_unit) {
    predict_output *out = calloc(1, sizeof *out);
    if (!out) return un_fail_memory(sizeof *out);
    out->format = format;
    out->file = UN_ATOMIC_NONE;
    un_status status = UNSEEN_OK;
    out->standard = !path || un_cli_is_standard(path);
    if (out->standard && format != PREDICT_TABLE) un_cli_keep_lines();
    if (!out->standard) status = un_atomic_open_stream(&out->file, path);
    /* For a program CSV must keep every byte; a terminal must not get them (terminal.c). */
    if (out->standard && format == PREDICT_CSV && !isatty(STDOUT_FILENO)) {
        fflush(stdout);
        out->standard = 0;
        status = un_atomic_open_stream(&out->file, UN_STANDARD_OUTPUT);
    }
    if (!status && format == PREDICT_TABLE) status = put_format(out, "score: %s\n", score_unit);
    if (!status && format == PREDICT_JSON) status = put(out, "[");
    if (!status && format == PREDICT_CSV) status = put(out, "image,rank,label,score,seen,error\n");
    if (status) {
        predict_output_abort(out);
        return status;
    }
    *result = out;
    return UNSEEN_OK;
}

/* `json` and `csv` are files, "-" for standard output or NULL; both may be given. Without any, a
 * table goes to standard output. */
static un_status predict_output_open(predict_output **out, const char *json, const char *csv,
                                     const char *score_unit) {
    if (!json && !csv) return open_one(out, PREDICT_TABLE, NULL, score_unit);
    UN_TRY(open_one(out, json ? PREDICT_JSON : PREDICT_CSV, json ? json : csv, score_unit));
    if (!json || !csv) return UNSEEN_OK;
    un_status status = open_one(&(*out)->next, PREDICT_CSV, csv, score_unit);
    if (status) predict_output_abort(*out);
    return status;
}

/* A record of the JSON list; steals the reference, NULL included. */
static un_status put_record(predict_output *out, json_t *record) {
    char *text = NULL;
    if (!record) return un_fail(UNSEEN_E_FORMAT, "a name is not UTF-8, so it cannot be JSON");
    un_status status = un_json_text(record, &text);
    json_decref(record);
    if (!status) status = put_format(out, "%s\n  %s", out->records > 0 ? "," : "", text);
    out->records++;
    free(text);
    return status;
}

/* Paths are bytes; what is not UTF-8 is shown with question marks. */
static json_t *path_json(const char *path) {
    json_t *string = json_string(path);
    if (string) return string;
    char *copy = strdup(path);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    string = copy ? json_string(copy) : NULL;
    free(copy);
    return string;
}

static un_status answer_json(predict_output *out, const char *image, const unseen_prediction *best,
                             size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        double score = (double)best[i].score; /* JSON has no word for infinity */
        json_t *item =
            json_pack("{s:s, s:o, s:b}", "label", best[i].label, "score",
                      isfinite(score) ? json_real(score) : json_null(), "seen", best[i].seen);
        if (json_array_append_new(list, item) == 0) continue;
        json_decref(list);
        return un_fail_memory(0);
    }
    return put_record(out, json_pack("{s:o, s:o}", "image", path_json(image), "predictions", list));
}

static un_status answer(predict_output *out, const char *image, const unseen_prediction *best,
                        size_t count) {
    if (out->format == PREDICT_JSON) return answer_json(out, image, best, count);
    if (out->format == PREDICT_TABLE) UN_TRY(put_format(out, "%s\n", un_cli_name(image)));
    for (size_t i = 0; i < count; i++) {
        const char *name = best[i].label;
        double score = (double)best[i].score;
        int seen = best[i].seen;
        if (out->format == PREDICT_TABLE) {
            UN_TRY(put_format(out, "  %3zu  %-36s %10.4f  %s\n", i + 1, un_cli_name(name), score,
                              seen ? "seen" : "unseen"));
            continue;
        }
        un_csv_writer csv;
        UN_TRY(un_csv_writer_open(&csv));
        un_csv_writer_text(&csv, image);
        un_csv_writer_print(&csv, "%zu", i + 1);
        un_csv_writer_text(&csv, name);
        un_csv_writer_print(&csv, "%.9g,%d", score, seen);
        un_csv_writer_text(&csv, "");
        UN_TRY(put_row(out, &csv));
    }
    return UNSEEN_OK;
}

static un_status error(predict_output *out, const char *image, un_status code,
                       const char *sentence) {
    int readable = code != UNSEEN_E_IO;
    if (out->format == PREDICT_TABLE)
        return put_format(out, "%s\n       %s\n", un_cli_name(image),
                          readable ? "is no usable picture" : "cannot be read");
    if (out->format == PREDICT_JSON)
        return put_record(out, json_pack("{s:o, s:o, s:b}", "image", path_json(image), "error",
                                         path_json(sentence), "readable", readable));
    un_csv_writer csv;
    UN_TRY(un_csv_writer_open(&csv));
    un_csv_writer_text(&csv, image);
    un_csv_writer_print(&csv, ",,,"); /* no rank, label, score, seen */
    un_csv_writer_text(&csv, sentence);
    return put_row(out, &csv);
}

static un_status predict_output_answer(predict_output *out, const char *image,
                                       const unseen_prediction *best, size_t count) {
    for (; out; out = out->next) UN_TRY(answer(out, image, best, count));
    return UNSEEN_OK;
}

/* `code` tells a damaged picture from one that the system does not let us read. */
static un_status predict_output_error(predict_output *out, const char *image, un_status code,
                                      const char *sentence) {
    char copy[UN_ERROR_LENGTH]; /* writing may need the place that it is in */
    snprintf(copy, sizeof copy, "%s", sentence);
    for (; out; out = out->next) UN_TRY(error(out, image, code, copy));
    return UNSEEN_OK;
}

/* Completes it; always releases. */
static un_status predict_output_commit(predict_output *out) {
    un_status status = UNSEEN_OK;
    for (; out && !status;) {
        predict_output *next = out->next;
        if (out->format == PREDICT_JSON) status = put(out, out->records > 0 ? "\n]\n" : "]\n");
        if (!status && !out->standard)
            status = un_atomic_commit(&out->file);
        else
            un_atomic_abort(&out->file);
        free(out);
        out = next;
    }
    predict_output_abort(out);
    return status;
}

/* ---- asking the model, some hundred pictures at a time ---- */

enum { STEP = 256, MOST_ANSWERS = 1 << 20 };

typedef struct {
    unseen_model *model;
    size_t step; /* pictures of a call */
    unseen_classify_options options;
    unseen_picture *pictures; /* [step] */
    unseen_answer *answers;   /* [step] */
    unseen_prediction *best;  /* [step, top] */
    size_t bad, ignored;
} session;

static un_status answer_step(session *s, const arguments *a, size_t first, size_t count,
                             predict_output *out) {
    char *const *paths = a->base.pictures.paths + first;
    for (size_t i = 0; i < count; i++) s->pictures[i] = (unseen_picture){.path = paths[i]};
    UN_TRY(unseen_model_classify(s->model, s->pictures, count, &s->options, s->best, s->answers));
    for (size_t i = 0; i < count; i++) {
        const unseen_answer *answer = &s->answers[i];
        s->ignored += answer->ignored != 0;
        if (!answer->error) {
            UN_TRY(
                predict_output_answer(out, paths[i], s->best + i * s->options.top, answer->count));
            continue;
        }
        un_log(UNSEEN_LOG_ERROR, "unseen: %s", answer->error);
        s->bad++;
        UN_TRY(predict_output_error(out, paths[i], answer->status, answer->error));
    }
    return UNSEEN_OK;
}

static un_status answer_all(session *s, const arguments *a, predict_output *out) {
    size_t n = a->base.pictures.count;
    for (size_t first = 0; first < n; first += s->step)
        UN_TRY(answer_step(s, a, first, n - first < s->step ? n - first : s->step, out));
    return UNSEEN_OK;
}

static un_status prepare(session *s, const arguments *a) {
    UN_TRY(un_cli_pictures_open(&a->base, &s->model));
    size_t C = unseen_model_class_count(s->model);
    unseen_classify_options_init(&s->options, sizeof s->options);
    s->options.among = a->base.among;
    s->options.top = a->top < C ? a->top : C;
    s->options.calibration = a->native ? UNSEEN_NATIVE : UNSEEN_CALIBRATED;
    s->step = MOST_ANSWERS / s->options.top;
    if (s->step > STEP) s->step = STEP;
    if (s->step == 0) s->step = 1;
    UN_TRY(un_alloc(s->step, sizeof *s->pictures, &s->pictures));
    UN_TRY(un_alloc(s->step, sizeof *s->answers, &s->answers));
    return un_alloc(s->step * s->options.top, sizeof *s->best, &s->best);
}

static un_status predict(session *s, const arguments *a) {
    predict_output *out = NULL;
    UN_TRY(prepare(s, a));
    s->bad += un_cli_report_empty(&a->base);
    char unit[200];
    un_classifier_score_unit(&s->model->classifier, unit, sizeof unit);
    UN_TRY(predict_output_open(&out, a->json, a->csv, unit));
    un_status status = answer_all(s, a, out);
    if (status) {
        predict_output_abort(out);
        return status;
    }
    un_cli_report_ignored(s->ignored, &a->base);
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
    unseen_model_close(s.model);
    free(s.pictures);
    free(s.answers);
    free(s.best);
    un_cli_pictures_free(&a.base);
    return code;
}
