/* predict_output.c - see predict_output.h. */
#include "cli/predict_output.h"
#include "cli/terminal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/csv_writer.h"
#include "base/file.h"
#include "base/json.h"

typedef enum { PREDICT_TABLE, PREDICT_JSON, PREDICT_CSV } predict_format;

struct predict_output {
    predict_format format;
    int standard; /* it goes to standard output */
    un_atomic_file file;
    uint64_t written;
    size_t records;
    predict_output *next; /* the same answers in another form, or NULL */
};

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
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) return un_fail_memory(0);
    un_status status = put(out, text);
    free(text);
    return status;
}

/* A row of the CSV, begun by `csv`; the rest is what is known about an answer or an error. */
static un_status put_row(predict_output *out, un_csv_writer *csv) {
    UN_TRY(un_csv_writer_end(csv));
    un_status status = put(out, csv->text);
    free(csv->text);
    return status;
}

static un_status open_one(predict_output **result, predict_format format, const char *path,
                          const char *score_unit) {
    predict_output *out = calloc(1, sizeof *out);
    if (!out) return un_fail_memory(sizeof *out);
    out->format = format;
    out->file = UN_ATOMIC_NONE;
    un_status status = UNSEEN_OK;
    out->standard = !path || !strcmp(path, "-");
    if (out->standard && format != PREDICT_TABLE) un_cli_keep_lines();
    if (!out->standard) status = un_atomic_open_stream(&out->file, path);
    /* For a program CSV must keep every byte; a terminal must not get them (terminal.h). */
    if (out->standard && format == PREDICT_CSV && !isatty(STDOUT_FILENO)) {
        fflush(stdout);
        out->standard = 0;
        status = un_atomic_open_stream(&out->file, "/dev/fd/1");
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

un_status predict_output_open(predict_output **out, const char *json, const char *csv,
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

static un_status answer_json(predict_output *out, const char *image, const un_class_table *classes,
                             const float *scores, const size_t *best, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; list && i < count; i++) {
        double score = (double)scores[best[i]]; /* JSON has no word for infinity */
        json_t *item = json_pack("{s:s, s:o, s:b}", "label", classes->names[best[i]], "score",
                                 isfinite(score) ? json_real(score) : json_null(), "seen",
                                 (int)classes->seen[best[i]]);
        if (json_array_append_new(list, item) == 0) continue;
        json_decref(list);
        return un_fail_memory(0);
    }
    return put_record(out, json_pack("{s:o, s:o}", "image", path_json(image), "predictions", list));
}

static un_status answer(predict_output *out, const char *image, const un_class_table *classes,
                        const float *scores, const size_t *best, size_t count) {
    if (out->format == PREDICT_JSON) return answer_json(out, image, classes, scores, best, count);
    if (out->format == PREDICT_TABLE) UN_TRY(put_format(out, "%s\n", un_cli_name(image)));
    for (size_t i = 0; i < count; i++) {
        const char *name = classes->names[best[i]];
        double score = (double)scores[best[i]];
        int seen = classes->seen[best[i]];
        if (out->format == PREDICT_TABLE) {
            UN_TRY(put_format(out, "  %3zu  %-36s %10.4f  %s\n", i + 1, un_cli_name(name), score,
                              seen ? "seen" : "unseen"));
            continue;
        }
        un_csv_writer csv;
        UN_TRY(un_csv_writer_open(&csv));
        un_csv_writer_text(&csv, image);
        fprintf(csv.stream, ",%zu,", i + 1);
        un_csv_writer_text(&csv, name);
        fprintf(csv.stream, ",%.9g,%d,\n", score, seen);
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
    fputs(",,,,,", csv.stream);
    un_csv_writer_text(&csv, sentence);
    fputs("\n", csv.stream);
    return put_row(out, &csv);
}

un_status predict_output_answer(predict_output *out, const char *image,
                                const un_class_table *classes, const float *scores,
                                const size_t *best, size_t count) {
    for (; out; out = out->next) UN_TRY(answer(out, image, classes, scores, best, count));
    return UNSEEN_OK;
}

un_status predict_output_error(predict_output *out, const char *image, un_status code,
                               const char *sentence) {
    char copy[UN_ERROR_LENGTH]; /* writing may need the place that it is in */
    snprintf(copy, sizeof copy, "%s", sentence);
    for (; out; out = out->next) UN_TRY(error(out, image, code, copy));
    return UNSEEN_OK;
}

un_status predict_output_commit(predict_output *out) {
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

void predict_output_abort(predict_output *out) {
    while (out) {
        predict_output *next = out->next;
        un_atomic_abort(&out->file);
        free(out);
        out = next;
    }
}
