/*
 * predict_output.h - the three forms of predict's answers, written as they come: memory does not
 * grow with the number of pictures.
 *
 * Table: the picture's path, then a line a candidate.
 * JSON: [{"image", "predictions": [{"label", "score", "seen"}, …]} or
 *     {"image", "error", "readable"}, …]
 * CSV: image,rank,label,score,seen,error
 * A file appears whole or not at all.
 */
#ifndef UN_CLI_PREDICT_OUTPUT_H
#define UN_CLI_PREDICT_OUTPUT_H

#include "data/task.h"

typedef struct predict_output predict_output;

/* `json` and `csv` are files, "-" for standard output or NULL; both may be given. Without any, a
 * table goes to standard output. */
un_status predict_output_open(predict_output **out, const char *json, const char *csv,
                              const char *score_unit);
un_status predict_output_answer(predict_output *out, const char *image,
                                const un_class_table *classes, const float *scores,
                                const size_t *best, size_t count);
/* `code` tells a damaged picture from one that the system does not let us read. */
un_status predict_output_error(predict_output *out, const char *image, un_status code,
                               const char *sentence);
/* Completes it; always releases. */
un_status predict_output_commit(predict_output *out);
void predict_output_abort(predict_output *out);

#endif
