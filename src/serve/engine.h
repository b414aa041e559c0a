/*
 * engine.h - jobs through threads. Several threads read bodies and have pictures decoded; one thread
 * owns the models: it takes the pictures of the jobs that are ready, up to a batch of one model, makes
 * their features in one pass of the network, and asks the methods; one more writes answers down.
 */
#ifndef UN_SERVE_ENGINE_H
#define UN_SERVE_ENGINE_H

#include "serve/job.h"

typedef struct un_engine un_engine;

un_status un_engine_open(const un_serve_options *options, un_decode_pool *pool, un_engine **out);
/* Takes a job, whose `done` is called once, by another thread, whatever happens. 0: there are too
 * many already, and the job is still the caller's. */
int un_engine_submit(un_engine *engine, un_job *job);
/* Jobs that are on their way; whether there is room for one more. */
size_t un_engine_length(un_engine *engine);
int un_engine_has_room(un_engine *engine);
/* Ends the threads: jobs that are not being computed are answered with 503 soon, and nothing more is
 * taken; what is being decoded ends with un_decode_pool_stop. The engine may still be asked. NULL is
 * allowed. */
void un_engine_stop(un_engine *engine);
/* Stops it, and releases it: once nobody asks it any more. */
void un_engine_close(un_engine *engine);

#endif
