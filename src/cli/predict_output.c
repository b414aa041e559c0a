/* predict_output.c - see predict_output.h. */
#include "cli/predict_output.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

struct predict_output {
    predict_format format;
    int standard; /* it goes to standard output */
    un_atomic_file file;
    uint64_t written;
    size_t records;
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

/* A CSV field, quoted where it must be. */
static un_status put_field(predict_output *out, const char *text) {
    if (!text[strcspn(text, "\",\r\n")]) return put(out, text);
    char *quoted = NULL;
    UN_TRY(un_alloc(2 * strlen(text) + 3, 1, &quoted));
    char *to = quoted;
    *to++ = '"';
    for (const char *from = text; *from; from++) {
        if (*from == '"') *to++ = '"';
        *to++ = *from;
    }
    *to = '"';
    un_status status = put(out, quoted);
    free(quoted);
    return status;
}

un_status predict_output_open(predict_output **result, predict_format format, const char *path,
                              const char *score_unit) {
    predict_output *out = calloc(1, sizeof *out);
    if (!out) return un_fail_memory(sizeof *out);
    out->format = format;
    out->file = UN_ATOMIC_NONE;
    un_status status = UNSEEN_OK;
    out->standard = !path || !strcmp(path, "-");
    if (!out->standard) status = un_atomic_open_stream(&out->file, path);
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

un_status predict_output_answer(predict_output *out, const char *image,
                                const un_class_table *classes, const float *scores,
                                const size_t *best, size_t count) {
    if (out->format == PREDICT_JSON) return answer_json(out, image, classes, scores, best, count);
    if (out->format == PREDICT_TABLE) UN_TRY(put_format(out, "%s\n", image));
    for (size_t i = 0; i < count; i++) {
        const char *name = classes->names[best[i]];
        double score = (double)scores[best[i]];
        int seen = classes->seen[best[i]];
        if (out->format == PREDICT_TABLE) {
            UN_TRY(put_format(out, "  %3zu  %-36s %10.4f  %s\n", i + 1, name, score,
                              seen ? "seen" : "unseen"));
            continue;
        }
        UN_TRY(put_field(out, image));
        UN_TRY(put_format(out, ",%zu,", i + 1));
        UN_TRY(put_field(out, name));
        UN_TRY(put_format(out, ",%.9g,%d,\n", score, seen));
    }
    return UNSEEN_OK;
}

un_status predict_output_error(predict_output *out, const char *image, un_status code,
                               const char *sentence) {
    int readable = code != UNSEEN_E_IO;
    if (out->format == PREDICT_TABLE)
        return put_format(out, "%s\n       %s\n", image,
                          readable ? "is no usable picture" : "cannot be read");
    if (out->format == PREDICT_JSON)
        return put_record(out, json_pack("{s:o, s:o, s:b}", "image", path_json(image), "error",
                                         path_json(sentence), "readable", readable));
    UN_TRY(put_field(out, image));
    UN_TRY(put(out, ",,,,,"));
    UN_TRY(put_field(out, sentence));
    return put(out, "\n");
}

un_status predict_output_commit(predict_output *out) {
    un_status status = UNSEEN_OK;
    if (out->format == PREDICT_JSON) status = put(out, out->records > 0 ? "\n]\n" : "]\n");
    if (!status && !out->standard)
        status = un_atomic_commit(&out->file);
    else
        un_atomic_abort(&out->file);
    free(out);
    return status;
}

void predict_output_abort(predict_output *out) {
    if (!out) return;
    un_atomic_abort(&out->file);
    free(out);
}
