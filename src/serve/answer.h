/* answer.h - what a model says to jobs whose pictures have become rows of features. */
#ifndef UN_SERVE_ANSWER_H
#define UN_SERVE_ANSWER_H

#include "serve/job.h"

/* Sets the statuses and answers of jobs of one model. Calls the model, so of the thread that computes.
 * `group` is working memory, [count]. */
void un_answer_make(un_job *const *jobs, size_t count, un_job **group);

#endif
