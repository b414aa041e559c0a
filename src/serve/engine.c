/* engine.c - jobs through threads; see engine.h. */
#include "serve/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "serve/answer.h"
#include "serve/metrics.h"

/* Beside those who prepare: one who computes, one who writes answers down. */
enum { MOST_THREADS = 36, OTHER_THREADS = 2 };

/* First in, first out. */
typedef struct {
    un_job *first, *last;
} queue;

struct un_engine {
    const un_serve_options *options;
    un_decode_pool *pool;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work;  /* for those who prepare: something is asked, or all ends */
    pthread_cond_t ready; /* for the one who computes */
    pthread_cond_t made;  /* for the one who writes answers down */
    queue asked;          /* to be read and decoded */
    queue decoded;        /* to be computed */
    queue answered;       /* to be written down */
    size_t length;        /* jobs that are not done */
    size_t preparing;     /* of those, asked or being decoded */
    int ending;
    size_t thread_count;
    pthread_t threads[MOST_THREADS];
};

static void push(queue *q, un_job *job) {
    job->next = NULL;
    if (q->last)
        q->last->next = job;
    else
        q->first = job;
    q->last = job;
}

static un_job *pop(queue *q) {
    un_job *job = q->first;
    if (!job) return NULL;
    q->first = job->next;
    if (!q->first) q->last = NULL;
    job->next = NULL;
    return job;
}

/* ---- reading and decoding ---- */

static void fail_stopped(un_job *job) {
    un_fail(UNSEEN_E_INTERRUPTED, "the server is ending");
    un_job_fail(job, 503);
}

/* Of a single picture that is bad the request is, and one that nobody can decode now is no bad one. */
static void decode_all(un_engine *e, un_job *job) {
    const un_question *q = &job->question;
    if (un_alloc(q->picture_count, sizeof *job->decoded, &job->decoded)) {
        un_job_fail(job, 500);
        return;
    }
    const un_decoded *bad = NULL;
    for (size_t i = 0; i < q->picture_count && !(bad && bad->busy); i++) {
        un_decoded *one = &job->decoded[i];
        un_decode(e->pool, job->served->recipe, q->pictures[i].bytes, q->pictures[i].size, one);
        if (one->busy || (one->status && q->picture_count == 1)) bad = one;
    }
    if (!bad) return;
    un_fail(bad->status, "%s", bad->message);
    un_job_fail(job, un_picture_status(bad));
}

static void prepare(un_engine *e, un_job *job) {
    un_question *q = &job->question;
    const int status = un_question_read(q, job->content_type, job->body, job->size,
                                        job->served->feature_length, job->served->recipe != NULL);
    if (status) {
        un_job_fail(job, status);
        return;
    }
    if (!q->rows) decode_all(e, job);
    /* What was sent is not needed any longer. */
    free(job->body);
    job->body = NULL;
}

/* The lock is held. */
static void finish(un_engine *e, un_job *job) {
    push(&e->answered, job);
    pthread_cond_signal(&e->made);
}

/* The lock is held before and after. */
static void prepare_one(un_engine *e, un_job *job) {
    if (e->ending) {
        fail_stopped(job);
    } else {
        pthread_mutex_unlock(&e->lock);
        prepare(e, job);
        pthread_mutex_lock(&e->lock);
    }
    e->preparing--;
    if (job->status)
        finish(e, job);
    else
        push(&e->decoded, job);
    pthread_cond_signal(&e->ready);
}

static void *run_prepare(void *context) {
    un_engine *e = context;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        un_job *job = pop(&e->asked);
        if (job)
            prepare_one(e, job);
        else if (e->ending)
            break;
        else
            pthread_cond_wait(&e->work, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- answers ---- */

static void write_down(un_job *job) {
    job->text = un_answer_text(job->answer);
    if (!job->text) job->status = 500;
    json_decref(job->answer);
    job->answer = NULL;
    job->done(job, job->user);
}

/* A thread of its own: finished answers do not wait for slow pictures. */
static void *run_write(void *context) {
    un_engine *e = context;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        un_job *job = pop(&e->answered);
        if (job) {
            e->length--; /* before its sender knows: the next request must find the room */
            pthread_mutex_unlock(&e->lock);
            write_down(job);
            pthread_mutex_lock(&e->lock);
        } else if (e->ending && e->length == 0) {
            break;
        } else {
            pthread_cond_wait(&e->made, &e->lock);
        }
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- computing ---- */

/* Jobs of one model, and their pictures. */
typedef struct {
    queue jobs;
    size_t count;    /* of jobs */
    size_t pictures; /* that need the network */
} batch;

/* Moves jobs from the queue that are of the batch's model and fit. */
static void gather(un_engine *e, batch *b) {
    queue rest = {0};
    un_job *job = NULL;
    while ((job = pop(&e->decoded)) != NULL) {
        const size_t pictures = job->decoded ? job->question.picture_count : 0;
        const int fits = !b->jobs.first || (job->served == b->jobs.first->served &&
                                            b->pictures + pictures <= e->options->batch);
        if (fits) {
            push(&b->jobs, job);
            b->pictures += pictures;
            b->count++;
        } else {
            push(&rest, job);
        }
    }
    e->decoded = rest;
}

static struct timespec after_ms(unsigned ms) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    return t;
}

/* A batch, after some waiting if it is not full while more pictures are being decoded. */
static batch next_batch(un_engine *e) {
    batch b = {.count = 0};
    const struct timespec until = after_ms(e->options->batch_wait_ms);
    int waited = 0;
    gather(e, &b);
    while (b.pictures > 0 && b.pictures < e->options->batch && e->preparing > 0 &&
           waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&e->ready, &e->lock, &until);
        gather(e, &b);
    }
    return b;
}

/* Features of all pictures of the batch that were decoded: rows of `features`. */
static un_status see(const batch *b, unseen_picture *pictures, float *features) {
    const un_served *s = b->jobs.first->served;
    size_t n = 0;
    for (un_job *job = b->jobs.first; job; job = job->next)
        for (size_t i = 0; job->decoded && i < job->question.picture_count; i++) {
            const un_decoded *d = &job->decoded[i];
            if (d->status) continue;
            job->rows[i] = features + n * s->feature_length;
            pictures[n++] = (unseen_picture){.rgb = d->rgb,
                                             .width = d->crop.side,
                                             .height = d->crop.side,
                                             .stride = 3 * d->crop.side,
                                             .cropped = &d->crop};
        }
    if (n == 0) return UNSEEN_OK;
    un_metrics_batch(n);
    return unseen_model_features(s->model, pictures, n, features, NULL);
}

static un_status make_rows(const batch *b) {
    for (un_job *job = b->jobs.first; job; job = job->next) {
        const un_question *q = &job->question;
        UN_TRY(un_alloc(q->picture_count + 1, sizeof *job->rows, &job->rows));
        for (size_t i = 0; q->rows && i < q->picture_count; i++)
            job->rows[i] = q->rows + i * job->served->feature_length;
    }
    return UNSEEN_OK;
}

/* The working memory of a batch. */
typedef struct {
    unseen_picture *pictures; /* [batch.pictures] */
    float *features;          /* [batch.pictures, D] */
    un_job **jobs, **group;   /* [batch.count] */
} workspace;

static un_status workspace_make(workspace *w, const batch *b) {
    const size_t D = b->jobs.first->served->feature_length;
    size_t n = 0;
    UN_TRY(un_alloc(b->pictures + 1, sizeof *w->pictures, &w->pictures));
    UN_TRY(un_alloc(b->pictures * D + 1, sizeof *w->features, &w->features));
    UN_TRY(un_alloc(b->count, sizeof(un_job *), &w->jobs));
    UN_TRY(un_alloc(b->count, sizeof(un_job *), &w->group));
    for (un_job *job = b->jobs.first; job; job = job->next) w->jobs[n++] = job;
    return UNSEEN_OK;
}

static void compute(const batch *b) {
    workspace w = {0};
    un_status status = make_rows(b);
    if (!status) status = workspace_make(&w, b);
    if (!status) status = see(b, w.pictures, w.features);
    if (!status) un_answer_make(w.jobs, b->count, w.group);
    for (un_job *job = b->jobs.first; job && status; job = job->next) un_job_fail(job, 500);
    free(w.pictures);
    free(w.features);
    free(w.jobs);
    free(w.group);
}

static void *run_compute(void *context) {
    un_engine *e = context;
    un_job *job = NULL;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        if (!e->decoded.first) {
            if (e->ending && e->preparing == 0) break;
            pthread_cond_wait(&e->ready, &e->lock);
            continue;
        }
        batch b = {.count = 0};
        if (!e->ending) b = next_batch(e);
        if (e->ending) { /* perhaps since */
            while ((job = pop(&e->decoded)) != NULL) push(&b.jobs, job);
            for (job = b.jobs.first; job; job = job->next) fail_stopped(job);
        } else {
            pthread_mutex_unlock(&e->lock);
            compute(&b);
            pthread_mutex_lock(&e->lock);
        }
        while ((job = pop(&b.jobs)) != NULL) finish(e, job);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* ---- from outside ---- */

int un_engine_submit(un_engine *e, un_job *job) {
    pthread_mutex_lock(&e->lock);
    const int taken = !e->ending && e->length < e->options->max_in_flight;
    if (taken) {
        push(&e->asked, job);
        e->length++;
        e->preparing++;
        pthread_cond_signal(&e->work);
    }
    pthread_mutex_unlock(&e->lock);
    return taken;
}

size_t un_engine_length(un_engine *e) {
    pthread_mutex_lock(&e->lock);
    const size_t length = e->length;
    pthread_mutex_unlock(&e->lock);
    return length;
}

int un_engine_has_room(un_engine *e) {
    pthread_mutex_lock(&e->lock);
    const int room = !e->ending && e->length < e->options->max_in_flight;
    pthread_mutex_unlock(&e->lock);
    return room;
}

static un_status start_threads(un_engine *e, size_t preparing) {
    for (size_t i = 0; i < preparing + OTHER_THREADS; i++) {
        void *(*run)(void *) = i < preparing    ? run_prepare
                               : i == preparing ? run_compute
                                                : run_write;
        const int code = pthread_create(&e->threads[i], NULL, run, e);
        if (code) return un_fail_errno(code, "cannot start a thread");
        e->thread_count++;
    }
    return UNSEEN_OK;
}

un_status un_engine_open(const un_serve_options *options, un_decode_pool *pool, un_engine **out) {
    enum { MORE_THAN_DECODERS = 2 }; /* who read bodies while all decoders are busy */
    un_engine *e = calloc(1, sizeof *e);
    pthread_condattr_t monotonic;
    if (!e) return un_fail_memory(sizeof *e);
    e->options = options;
    e->pool = pool;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    pthread_cond_init(&e->made, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&e->ready, &monotonic);
    pthread_condattr_destroy(&monotonic);
    size_t preparing = options->decoders + MORE_THAN_DECODERS;
    if (preparing > MOST_THREADS - OTHER_THREADS) preparing = MOST_THREADS - OTHER_THREADS;
    un_status status = start_threads(e, preparing);
    if (status)
        un_engine_close(e);
    else
        *out = e;
    return status;
}

void un_engine_stop(un_engine *e) {
    if (!e) return;
    pthread_mutex_lock(&e->lock);
    e->ending = 1;
    pthread_cond_broadcast(&e->work);
    pthread_cond_broadcast(&e->ready);
    pthread_cond_broadcast(&e->made);
    pthread_mutex_unlock(&e->lock);
    for (size_t i = 0; i < e->thread_count; i++) pthread_join(e->threads[i], NULL);
    e->thread_count = 0;
}

void un_engine_close(un_engine *e) {
    if (!e) return;
    un_engine_stop(e);
    pthread_cond_destroy(&e->work);
    pthread_cond_destroy(&e->ready);
    pthread_cond_destroy(&e->made);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
