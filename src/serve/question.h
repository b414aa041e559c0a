/*
 * question.h - what a request asks of a model: its parameters, its pictures or rows of features, and
 * classes of its own.
 *
 * Functions answer with an HTTP status, 0: well; the sentence is in un_error().
 */
#ifndef UN_SERVE_QUESTION_H
#define UN_SERVE_QUESTION_H

#include "serve/serve.h"

/* A class that is described for this question only. */
typedef struct {
    char *name;
    char **attributes; /* [count] */
    float *values;     /* [count] */
    size_t count;
} un_own_class;

typedef struct {
    int explain; /* set before reading: maps, attributes and instead_of are asked for, too */
    size_t top;  /* 0: every class */
    unseen_among among;
    unseen_calibration calibration;
    size_t maps, attributes; /* with their maps; of each list */
    char *instead_of;        /* NULL: the next best */
    un_own_class *classes;
    size_t class_count;
    size_t picture_count; /* pictures or rows; 0 only with classes and an empty list of rows */
    struct {
        const void *bytes; /* of the body */
        size_t size;
    } pictures[UN_MOST_PICTURES];
    float *rows; /* [picture_count, D] in the place of pictures; NULL: pictures */
} un_question;

void un_question_init(un_question *question, int explain);
void un_question_free(un_question *question);

/* Takes a parameter of the address. */
int un_question_parameter(un_question *question, const char *key, const char *value);

/* What a body may be. */
typedef enum {
    UN_BODY_UNKNOWN,
    UN_BODY_PICTURE, /* image/..., application/octet-stream */
    UN_BODY_JSON,
    UN_BODY_FORM
} un_body_kind;
un_body_kind un_body_kind_of(const char *content_type); /* NULL: none */

/* Reads a body, which must outlive the question. D: length of a row of features; `sees`: the model
 * can be asked about pictures. */
int un_question_read(un_question *question, const char *content_type, const void *body, size_t size,
                     size_t D, int sees);

/* un_fail, and an HTTP status in the place of its own. */
int un_refuse(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The HTTP status that a failure of the library about a client's input has. */
int un_http_status(un_status status);

#endif
