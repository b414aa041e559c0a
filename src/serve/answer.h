/* answer.h - what a model says to a job whose pictures have become rows of features. */
#ifndef UN_SERVE_ANSWER_H
#define UN_SERVE_ANSWER_H

#include "serve/job.h"

/* Sets the job's status and answer. Calls the model, so of the thread that computes. */
void un_answer_make(un_job *job);

#endif
