/* job.h - a question on its way through the threads to its answer. */
#ifndef UN_SERVE_JOB_H
#define UN_SERVE_JOB_H

#include "base/json.h"
#include "serve/decode.h"
#include "serve/models.h"
#include "serve/question.h"

typedef struct un_job {
    un_served *served; /* held until the job is freed */
    un_question question;
    char *content_type;
    unsigned char *body;
    size_t size;
    un_decoded *decoded; /* [question.picture_count]; NULL: rows were given */
    const float **rows;  /* [question.picture_count] features; NULL: that picture is bad */
    int status;          /* of the answer, HTTP; 0: none yet */
    json_t *answer;      /* of 200, or NULL */
    char *text;          /* JSON, released with the job */
    void (*done)(struct un_job *job, void *user); /* the text is there; the job is `user`'s again */
    void *user;
    struct un_job *next; /* in a queue */
} un_job;

void un_job_free(un_job *job);
/* Ends with the calling thread's sentence and an HTTP status other than 200. */
void un_job_fail(un_job *job, int status);
/* The HTTP status of a picture. */
int un_picture_status(const un_decoded *decoded);
/* {"error": {"status", "message"}}; NULL: no memory. */
json_t *un_error_json(int status, const char *message);
/* A value as an answer's text, numbers as exact as a float is; NULL: no memory. */
char *un_answer_text(const json_t *value);

#endif
