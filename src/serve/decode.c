/* decode.c - the pool's side of decoding in other processes; see decode.h. */
#include "serve/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/names.h"
#include "serve/decode_wire.h"

enum {
    MOST_WORKERS = 64,
    START_SECONDS = 30, /* until a worker must be ready */
    MOST_TRIES = 4,     /* workers that one picture is given to */
    STARTS = 3,         /* that may fail one after the other */
    PATIENCE = 10,      /* seconds by the clock for one of processor time */
    KEPT = 4 << 20      /* bytes of a file that stay in a worker's shared memory */
};
static const double LOOK_UP = 0.1; /* seconds after which a wait asks whether all is to end */

typedef enum { DEAD, FREE, BUSY } worker_state;

typedef struct {
    worker_state state;
    int broke; /* the one before did: its successor is a restart */
    pid_t pid; /* 0: there is no process */
    int fd;
    uint64_t asked;        /* requests so far */
    unsigned char *shared; /* decode_wire.h */
} worker;

/* Workers are started and buried by one thread, the keeper, alone: Linux ends a process with the
 * thread that started it, not with the process. */
struct un_decode_pool {
    un_decode_options options;
    size_t shared_size;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t freed, died;
    pthread_t keeper;
    int kept;  /* the keeper runs */
    int stop;  /* for good */
    int tried; /* all workers have been started once, or could not be */
    size_t restarts;
    int failures;      /* starts that failed one after the other */
    char trouble[512]; /* why the last ones failed; "": not all STARTS did */
    char lack[512];    /* un_decode_pool_lack; "": nothing; of the first start */
    worker workers[MOST_WORKERS];
};

/* ---- a worker's process ---- */

/* Variables that libraries and sanitizers look at when they are loaded; a worker needs no others. */
static int is_passed_on(const char *variable) {
    static const char *const beginnings[] = {"LD_",    "PATH=", "VIPS",          "ASAN_",
                                             "UBSAN_", "LSAN_", "GOMP_SPINCOUNT"};
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++)
        if (!strncmp(variable, beginnings[i], strlen(beginnings[i]))) return 1;
    return 0;
}

static un_status make_environment(char ***out) {
    size_t n = 0, used = 0;
    while (environ[n]) n++;
    UN_TRY(un_alloc(n + 2, sizeof **out, out));
    for (size_t i = 0; i < n; i++)
        if (is_passed_on(environ[i])) (*out)[used++] = environ[i];
    (*out)[used++] = (char *)(uintptr_t) "OMP_WAIT_POLICY=passive";
    (*out)[used] = NULL;
    return UNSEEN_OK;
}

/* The same file at a number that is none of a worker's own; closes `fd`. */
static int move_up(int fd) {
    int up = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 10);
    int code = errno;
    if (fd >= 0) close(fd);
    errno = code;
    return up;
}

static int describe_files(posix_spawn_file_actions_t *files, int socket, int shared) {
    for (int fd = 0; fd < 3; fd++)
        if (posix_spawn_file_actions_addopen(files, fd, "/dev/null", O_RDWR, 0)) return -1;
    return posix_spawn_file_actions_adddup2(files, socket, UN_DECODE_SOCKET) ||
           posix_spawn_file_actions_adddup2(files, shared, UN_DECODE_SHARED) ||
           posix_spawn_file_actions_addclosefrom_np(files, UN_DECODE_SHARED + 1);
}

/* No signal is blocked or handled there, and a terminal's go past it. */
static int describe_signals(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    return posix_spawnattr_setsigmask(attributes, &none) ||
           posix_spawnattr_setsigdefault(attributes, &all) ||
           posix_spawnattr_setpgroup(attributes, 0) ||
           posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                    POSIX_SPAWN_SETPGROUP);
}

static un_status spawn(int socket, int shared, pid_t *pid) {
    char program[] = "unseen", role[] = UN_DECODE_WORKER;
    char *arguments[] = {program, role, NULL}, **environment = NULL;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    UN_TRY(make_environment(&environment));
    int code = ENOMEM;
    if (!posix_spawn_file_actions_init(&files)) {
        if (!posix_spawnattr_init(&attributes)) {
            if (!describe_files(&files, socket, shared) && !describe_signals(&attributes))
                code =
                    posix_spawn(pid, "/proc/self/exe", &files, &attributes, arguments, environment);
            posix_spawnattr_destroy(&attributes);
        }
        posix_spawn_file_actions_destroy(&files);
    }
    free(environment);
    return code ? un_fail_errno(code, "cannot start a process that decodes pictures") : UNSEEN_OK;
}

/* Memory that nobody can cut short under the other. */
static un_status make_shared(size_t size, int *fd, unsigned char **out) {
    *fd = move_up(memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (*fd < 0 || ftruncate(*fd, (off_t)size) != 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return un_fail_errno(errno, "no memory to share with a process that decodes pictures");
    *out = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (*out != MAP_FAILED) return UNSEEN_OK;
    *out = NULL;
    return un_fail_errno(errno, "no memory to share with a process that decodes pictures");
}

/* Ends the process and lets go of what it had; harmless where there is none. */
static void bury(un_decode_pool *pool, worker *w) {
    if (w->pid > 0) {
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) continue;
    }
    if (w->fd >= 0) close(w->fd);
    if (w->shared) munmap(w->shared, pool->shared_size);
    w->pid = 0;
    w->fd = -1;
    w->shared = NULL;
}

static un_status launch(un_decode_pool *pool, worker *w) {
    const un_decode_setup setup = {pool->options.max_pixels, pool->options.max_bytes,
                                   (uint64_t)pool->options.seconds};
    int ends[2] = {-1, -1}, theirs = -1, shared = -1;
    un_status status = UNSEEN_OK;
    w->asked = 0;
    UN_GO(make_shared(pool->shared_size, &shared, &w->shared));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        UN_GO(un_fail_errno(errno, "no socket to a process that decodes pictures"));
    w->fd = ends[0];
    /* One that takes nothing is found out soon, whatever the system's usual size is. */
    (void)setsockopt(w->fd, SOL_SOCKET, SO_SNDBUF, &(const int){4096}, sizeof(int));
    theirs = move_up(ends[1]);
    if (theirs < 0) UN_GO(un_fail_errno(errno, "no socket to a process that decodes pictures"));
    UN_GO(spawn(theirs, shared, &w->pid));
    if (send(w->fd, &setup, sizeof setup, MSG_NOSIGNAL) != sizeof setup)
        status = un_fail_errno(errno, "a process that decodes pictures does not listen");
done:
    if (theirs >= 0) close(theirs);
    if (shared >= 0) close(shared);
    if (status) bury(pool, w);
    return status;
}

/* ---- what a worker says ---- */

static int is_stopped(un_decode_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    int stopped = pool->stop;
    pthread_mutex_unlock(&pool->lock);
    return stopped;
}

/* 1: there is something to read, or an end; 0: not within `seconds`, or the pool was stopped. */
static int is_readable(un_decode_pool *pool, int fd, double seconds) {
    const double until = un_now() + seconds;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = 0;
    do {
        double left = fmin(until - un_now(), LOOK_UP);
        n = poll(&p, 1, left > 0 ? (int)ceil(1000 * left) : 0);
    } while (n <= 0 && un_now() < until && !is_stopped(pool));
    return n > 0;
}

/* 1: a whole reply. */
static int read_reply(int fd, un_decode_reply *reply) {
    ssize_t n = 0;
    do n = recv(fd, reply, sizeof *reply, MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof *reply) return 0;
    reply->message[sizeof reply->message - 1] = 0;
    return un_text_is_utf8((const unsigned char *)reply->message, strlen(reply->message));
}

static double processor_time(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Waits for a reply, or an end; 0: the worker has computed too long, or has not come to it for a
 * longer time. */
static int await(un_decode_pool *pool, const worker *w) {
    double most = pool->options.seconds, started = un_now(), left = most;
    clockid_t clock;
    if (clock_getcpuclockid(w->pid, &clock) != 0) return 1; /* there is no such process any more */
    double before = processor_time(clock);
    while (!is_readable(pool, w->fd, fmax(left, 0.02))) {
        left = most - (processor_time(clock) - before);
        if (left <= 0 || un_now() - started > PATIENCE * most || is_stopped(pool)) return 0;
    }
    return 1;
}

static int is_place(double x) { return isfinite(x) && x >= 0; }

/* Whether it is a reply that an honest worker gives. */
static int is_plausible(const un_decode_pool *pool, const worker *w, const un_decode_reply *reply,
                        size_t side) {
    const unseen_crop *c = &reply->crop;
    size_t most = pool->options.max_pixels ? pool->options.max_pixels : SIZE_MAX, pixels = 0;
    if (reply->number != w->asked) return 0;
    if (reply->status != UNSEEN_OK)
        return reply->status < UNSEEN_E_INTERRUPTED && reply->message[0];
    return c->side == side && is_place(c->x) && is_place(c->y) && is_place(c->width) &&
           is_place(c->height) && c->picture_width > 0 && c->picture_height > 0 &&
           !__builtin_mul_overflow(c->picture_width, c->picture_height, &pixels) &&
           pixels <= most && (c->ignored == 0 || c->ignored == 1);
}

/* ---- the keeper ---- */

/* Waits until a launched worker is ready; takes the lock for what others read. */
static un_status greet(un_decode_pool *pool, worker *w) {
    un_decode_reply reply;
    un_status status = UNSEEN_OK;
    if (!is_readable(pool, w->fd, START_SECONDS) || !read_reply(w->fd, &reply))
        status = un_fail(UNSEEN_E_UNSUPPORTED, "a process that decodes pictures ended as it began");
    else if (reply.status)
        status = un_fail(UNSEEN_E_UNSUPPORTED, "no process can decode pictures: %s", reply.message);
    if (status) {
        bury(pool, w);
        return status;
    }
    pthread_mutex_lock(&pool->lock);
    if (!pool->tried) memcpy(pool->lack, reply.message, sizeof pool->lack);
    pool->restarts += w->broke != 0;
    w->broke = 0;
    w->state = FREE;
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
    return UNSEEN_OK;
}

/* Starts all that are dead, at the same time; 0: this has failed too often to be tried again at once.
 * Called without the lock; nobody else touches a dead worker. */
static int raise_dead(un_decode_pool *pool, const unsigned char *dead) {
    un_status status = UNSEEN_OK;
    for (int i = 0; i < pool->options.workers; i++) /* all: who is met below is a new one */
        if (dead[i]) bury(pool, &pool->workers[i]);
    for (int i = 0; i < pool->options.workers && !status; i++)
        if (dead[i]) status = launch(pool, &pool->workers[i]);
    for (int i = 0; i < pool->options.workers; i++)
        if (dead[i] && pool->workers[i].pid > 0) {
            un_status one = greet(pool, &pool->workers[i]);
            if (!status) status = one;
        }
    pthread_mutex_lock(&pool->lock);
    pool->failures = status ? pool->failures + 1 : 0;
    if (pool->failures == 0 || pool->failures >= STARTS) {
        snprintf(pool->trouble, sizeof pool->trouble, "%s", status ? un_error() : "");
        pool->tried = 1;
        pthread_cond_broadcast(&pool->freed);
    }
    int hopeless = pool->failures >= STARTS;
    pthread_mutex_unlock(&pool->lock);
    return !hopeless;
}

static void wait_a_second(un_decode_pool *pool) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    pthread_cond_timedwait(&pool->died, &pool->lock, &until);
}

static void *keep(void *context) {
    un_decode_pool *pool = context;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop) {
        unsigned char dead[MOST_WORKERS] = {0};
        int any = 0;
        for (int i = 0; i < pool->options.workers; i++)
            any |= dead[i] = pool->workers[i].state == DEAD;
        if (!any) {
            pthread_cond_wait(&pool->died, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        int hopeful = raise_dead(pool, dead);
        pthread_mutex_lock(&pool->lock);
        if (!hopeful && !pool->stop) wait_a_second(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* ---- the pool ---- */

static un_status check_options(const un_decode_options *o) {
    if (o->workers < 1 || o->workers > MOST_WORKERS || o->seconds < 1 ||
        o->max_bytes > SIZE_MAX / 4 || o->max_pixels > SIZE_MAX / 64)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%d workers (1 to %d are possible), %d seconds, %zu bytes", o->workers,
                       (int)MOST_WORKERS, o->seconds, o->max_bytes);
    return UNSEEN_OK;
}

/* The thread that starts workers takes no signals: they are for those that expect them. */
static un_status start_keeper(un_decode_pool *pool) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&pool->keeper, NULL, keep, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code) return un_fail_errno(code, "cannot start a thread");
    pool->kept = 1;
    return UNSEEN_OK;
}

un_status un_decode_pool_open(const un_decode_options *options, un_decode_pool **out) {
    UN_TRY(check_options(options));
    un_decode_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return un_fail_memory(sizeof *pool);
    pool->options = *options;
    pool->shared_size = UN_DECODE_BEFORE_FILE + options->max_bytes;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->freed, NULL);
    pthread_cond_init(&pool->died, NULL);
    for (int i = 0; i < MOST_WORKERS; i++) pool->workers[i].fd = -1;
    un_status status = start_keeper(pool);
    if (!status) {
        pthread_mutex_lock(&pool->lock);
        while (!pool->tried) pthread_cond_wait(&pool->freed, &pool->lock);
        if (pool->trouble[0]) status = un_fail(UNSEEN_E_UNSUPPORTED, "%s", pool->trouble);
        pthread_mutex_unlock(&pool->lock);
    }
    if (status)
        un_decode_pool_close(pool);
    else
        *out = pool;
    return status;
}

void un_decode_pool_stop(un_decode_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    pool->stop = 1;
    pthread_cond_broadcast(&pool->died);
    pthread_cond_broadcast(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

void un_decode_pool_close(un_decode_pool *pool) {
    if (!pool) return;
    un_decode_pool_stop(pool);
    if (pool->kept) pthread_join(pool->keeper, NULL);
    for (int i = 0; i < MOST_WORKERS; i++) bury(pool, &pool->workers[i]);
    pthread_cond_destroy(&pool->died);
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

size_t un_decode_pool_restarts(const un_decode_pool *pool) {
    un_decode_pool *own = (un_decode_pool *)(uintptr_t)pool; /* its lock only */
    pthread_mutex_lock(&own->lock);
    size_t restarts = pool->restarts;
    pthread_mutex_unlock(&own->lock);
    return restarts;
}

const char *un_decode_pool_lack(const un_decode_pool *pool) {
    return pool->lack[0] ? pool->lack : NULL;
}

/* ---- one picture ---- */

static un_status fail_stopped(void) {
    return un_fail(UNSEEN_E_INTERRUPTED, "the server is ending");
}

/* A free worker for *out; fails if there is none and none can be started, or all is to end. */
static un_status take(un_decode_pool *pool, worker **out) {
    worker *found = NULL;
    un_status status = UNSEEN_OK;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stop) {
        int alive = 0;
        for (int i = 0; i < pool->options.workers && !found; i++) {
            if (pool->workers[i].state == FREE) found = &pool->workers[i];
            alive |= pool->workers[i].state != DEAD;
        }
        if (found || (!alive && pool->trouble[0])) break;
        pthread_cond_wait(&pool->freed, &pool->lock);
    }
    if (found)
        found->state = BUSY;
    else
        status = pool->stop ? fail_stopped() : un_fail(UNSEEN_E_MEMORY, "%s", pool->trouble);
    pthread_mutex_unlock(&pool->lock);
    *out = found;
    return status;
}

/* One that broke, or is not believed, or has served long enough, is replaced by the keeper. */
static void give_back(un_decode_pool *pool, worker *w, int broken) {
    pthread_mutex_lock(&pool->lock);
    w->broke = broken;
    w->state = broken || w->asked >= UN_DECODE_PICTURES ? DEAD : FREE;
    if (w->state == DEAD)
        pthread_cond_signal(&pool->died);
    else
        pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

/* Which of the pictures it is, the caller knows. */
static const char *sentence(const char *message) {
    static const char number[] = "picture 0: ";
    return strncmp(message, number, strlen(number)) ? message : message + strlen(number);
}

typedef enum { ANSWERED, BROKEN, NEVER_ASKED } outcome;

/* A worker may do what it likes: one that speaks before it is asked does not get the picture, and one
 * that does not listen is not waited for. */
static outcome ask(un_decode_pool *pool, worker *w, const char *recipe, const void *bytes, size_t n,
                   un_decoded *out) {
    const un_decode_request request = {w->asked + 1, strlen(recipe), n};
    volatile unsigned char *mark = w->shared;
    unsigned char *file = w->shared + UN_DECODE_BEFORE_FILE;
    size_t side = out->crop.side;
    un_decode_reply reply;
    if (is_readable(pool, w->fd, 0)) return NEVER_ASKED;
    w->asked++;
    *mark = 0;
    memcpy(w->shared + UN_DECODE_MARK, recipe, request.recipe);
    if (n > 0) memcpy(file, bytes, n);
    if (send(w->fd, &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof request)
        return NEVER_ASKED;
    if (!await(pool, w)) return BROKEN;
    if (!read_reply(w->fd, &reply)) return *mark ? BROKEN : NEVER_ASKED;
    if (!is_plausible(pool, w, &reply, side)) return BROKEN;
    if (n > KEPT) madvise(file, n, MADV_REMOVE); /* the whole pages of it */
    out->status = (un_status)reply.status;
    out->too_large = out->status == UNSEEN_E_MEMORY ||
                     (out->status == UNSEEN_E_UNSUPPORTED && reply.crop.picture_width > 0);
    if (out->status)
        (void)un_fail(out->status, "%s", sentence(reply.message));
    else
        memcpy(out->rgb, file - UN_DECODE_PIXELS, 3 * side * side);
    out->crop = reply.crop;
    return ANSWERED;
}

/* Asks a worker, or the next one where it had died before. A picture that makes a worker pretend that
 * does not get far. */
static un_status ask_any(un_decode_pool *pool, const char *recipe, const void *bytes, size_t n,
                         un_decoded *out) {
    outcome what = NEVER_ASKED;
    for (int tries = 0; what == NEVER_ASKED && tries < MOST_TRIES; tries++) {
        worker *w = NULL;
        out->busy = 1;
        UN_TRY(take(pool, &w));
        out->busy = 0;
        what = ask(pool, w, recipe, bytes, n, out);
        give_back(pool, w, what != ANSWERED);
    }
    if (what == ANSWERED) return out->status;
    out->busy = is_stopped(pool);
    if (out->busy) return fail_stopped();
    return un_fail(UNSEEN_E_FORMAT, "this picture could not be decoded");
}

static un_status decode(un_decode_pool *pool, const char *recipe, const void *bytes, size_t n,
                        un_decoded *out) {
    UN_TRY(unseen_picture_crop(recipe, NULL, 0, NULL, 0, &out->crop)); /* its side */
    if (strlen(recipe) >= UN_DECODE_RECIPE)
        return un_fail(UNSEEN_E_ARGUMENT, "a recipe of %zu bytes", strlen(recipe));
    out->too_large = n > pool->options.max_bytes;
    if (out->too_large)
        return un_fail(UNSEEN_E_UNSUPPORTED, "a picture file of %zu bytes; at most %zu are taken",
                       n, pool->options.max_bytes);
    UN_TRY(un_alloc(3 * out->crop.side * out->crop.side, 1, &out->rgb));
    return ask_any(pool, recipe, bytes, n, out);
}

void un_decode(un_decode_pool *pool, const char *recipe, const void *bytes, size_t n,
               un_decoded *out) {
    memset(out, 0, sizeof *out);
    out->status = decode(pool, recipe, bytes, n, out);
    if (!out->status) return;
    free(out->rgb);
    out->rgb = NULL;
    out->crop = (unseen_crop){0};
    snprintf(out->message, sizeof out->message, "%s", un_error());
}
