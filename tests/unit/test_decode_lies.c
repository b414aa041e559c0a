/* test_decode_lies.c - the two sides of the decoding pool do not believe one another: replies that no
 * honest worker gives, and requests that no honest pool makes. */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/names.h"
#include "serve/decode.h"
#include "serve/decode_samples.h"
#include "serve/decode_wire.h"
#include "util.h"

/* Numbers of lies: those by design, all, and what is no reply: to compute for ever, a reply more than
 * was asked for, after a right one and after a wrong one, and the truth that memory does not suffice. */
enum { DESIGNED = 14, LIES = 120, ENDLESS = 1000, AHEAD, TWICE, NEEDY };
enum { SIDE = 32, MAX_BYTES = 1 << 20 };

static const char g_recipe[] = "{\"resize\": 40, \"crop\": 32}";

/* ---- a worker that lies ---- */

/* What an honest one says of a picture of 16 x 16. */
static un_decode_reply honest(uint64_t number) {
    return (un_decode_reply){.number = number,
                             .crop = {.side = SIDE,
                                      .x = 1.6,
                                      .y = 1.6,
                                      .width = 12.8,
                                      .height = 12.8,
                                      .picture_width = 16,
                                      .picture_height = 16}};
}

/* Lie k to request `number`, of *n bytes. The first are by design, the rest by chance. */
static un_decode_reply lie(size_t k, uint64_t number, size_t *n) {
    un_rng rng = un_rng_stream(11, "lie", k);
    un_decode_reply r = honest(number);
    unsigned char *bytes = (unsigned char *)&r;
    *n = sizeof r;
    switch (k) {
    case 0: r.status = 77; break;
    case 1: r.status = UNSEEN_E_FORMAT; break; /* and not a word */
    case 2: memset(r.message, 'x', sizeof r.message), r.status = UNSEEN_E_FORMAT; break;
    case 3: r.status = UNSEEN_E_FORMAT, memcpy(r.message, "\xff\xfe", 3); break;
    case 4: r.crop.side = SIDE + 1; break;
    case 5: r.crop.x = -1; break;
    case 6: memset(&r.crop.width, 0xff, sizeof r.crop.width); break; /* no number */
    case 7: r.crop.picture_width = 0; break;
    case 8: r.crop.picture_width = r.crop.picture_height = SIZE_MAX; break;
    case 9: r.crop.ignored = 2; break;
    case 10: *n = 0; break;
    case 11: *n = sizeof r - 1; break;
    case 12: r.status = UNSEEN_E_INTERRUPTED, strcpy(r.message, "stopped"); break;
    case 13: r.number++; break;
    case AHEAD: break;
    case TWICE: r.status = 77; break;
    case NEEDY: r.status = UNSEEN_E_MEMORY, strcpy(r.message, "picture 0: too much"); break;
    default:
        for (size_t i = 0; i < 1 + k % 5; i++)
            bytes[un_rng_below(&rng, sizeof r)] = (unsigned char)un_rng_u32(&rng);
        if (k % 7 == 0) *n = un_rng_below(&rng, sizeof r);
    }
    return r;
}

/* Answers each request without taking it from the socket. */
static int be_deaf(volatile unsigned char *mark) {
    for (uint64_t number = 1;; number++) {
        const un_decode_reply reply = honest(number);
        while (*mark) sched_yield(); /* the pool clears it as it asks */
        *mark = 1;
        if (send(UN_DECODE_SOCKET, &reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply) return 1;
    }
}

/* Says that it is ready, and to each request the lie whose number it holds in place of a picture. */
static int be_a_liar(void) {
    un_decode_setup setup;
    un_decode_request request;
    un_decode_reply ready = {0};
    size_t size = UN_DECODE_BEFORE_FILE + MAX_BYTES;
    unsigned char *shared =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, UN_DECODE_SHARED, 0);
    if (shared == MAP_FAILED) return 1;
    if (recv(UN_DECODE_SOCKET, &setup, sizeof setup, 0) != sizeof setup) return 1;
    shared[0] = 1;
    if (send(UN_DECODE_SOCKET, &ready, sizeof ready, MSG_NOSIGNAL) != sizeof ready) return 1;
    if (getenv("VIPS_TEST_DEAF")) return be_deaf(shared);
    while (recv(UN_DECODE_SOCKET, &request, sizeof request, 0) == sizeof request) {
        size_t k = 0, n = 0;
        memcpy(&k, shared + UN_DECODE_BEFORE_FILE, sizeof k); /* the "picture" */
        un_decode_reply reply = lie(k, request.number, &n), more = honest(request.number + 1);
        shared[0] = 1;
        for (volatile int spin = 0; k == ENDLESS;) spin = !spin;
        if (k < LIES && k % 11 == 10) return 0; /* ends without a word */
        if (send(UN_DECODE_SOCKET, &reply, n, MSG_NOSIGNAL) != (ssize_t)n) return 1;
        if (k != AHEAD && k != TWICE) continue;
        if (send(UN_DECODE_SOCKET, &more, sizeof more, MSG_NOSIGNAL) != sizeof more) return 1;
    }
    return 0;
}

static un_decode_pool *open_liars(int workers, int seconds) {
    const un_decode_options o = {workers, 1 << 20, MAX_BYTES, seconds};
    un_decode_pool *pool = NULL;
    assert_int_equal(setenv("VIPS_TEST_LIAR", "1", 1), 0); /* is passed on to workers */
    util_ok(un_decode_pool_open(&o, &pool));
    return pool;
}

static void close_liars(un_decode_pool *pool) {
    un_decode_pool_close(pool);
    unsetenv("VIPS_TEST_LIAR"); /* while the pool lives, its workers are replaced by liars */
}

static void rest(int milliseconds) {
    const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&t, NULL);
}

/* Decodes a "picture" that asks for lie k. */
static void ask_for(un_decode_pool *pool, size_t k, un_decoded *got) {
    un_decode(pool, g_recipe, &k, sizeof k, got);
    free(got->rgb);
    got->rgb = NULL;
}

static void liars_are_not_believed(void **state) {
    (void)state;
    un_decode_pool *pool = open_liars(1, 10);
    size_t refused = 0, expected = 0;
    for (size_t k = 0; k < LIES; k++) {
        un_decoded got;
        size_t n = 0;
        un_decode_reply r = lie(k, 0, &n);
        un_decode(pool, g_recipe, &k, sizeof k, &got);
        expected += k < DESIGNED && k != 2;
        assert_true(got.status == UNSEEN_OK ||
                    (got.status >= UNSEEN_E_ARGUMENT && got.status <= UNSEEN_E_UNSUPPORTED));
        assert_int_equal(got.rgb != NULL, got.status == UNSEEN_OK);
        assert_int_equal(got.message[0] != 0, got.status != UNSEEN_OK);
        assert_true(strlen(got.message) < sizeof got.message);
        assert_true(un_text_is_utf8((const unsigned char *)got.message, strlen(got.message)));
        if (got.status == UNSEEN_OK) {
            assert_int_equal(got.crop.side, SIDE);
            assert_true(got.crop.x >= 0 && got.crop.width >= 0 && got.crop.height >= 0);
            assert_int_equal(r.status, UNSEEN_OK);
        }
        int broke = !strcmp(got.message, "this picture could not be decoded");
        refused += broke && got.status == UNSEEN_E_FORMAT;
        if (k < DESIGNED && k != 2) assert_true(broke);
        free(got.rgb);
    }
    assert_true(refused >= expected + LIES / 11 - 1);
    assert_true(un_decode_pool_restarts(pool) + 1 >= refused);
    close_liars(pool);
}

/* A reply that nobody asked for answers nobody, and its worker is asked no more. */
static void replies_ahead_answer_nobody(void **state) {
    (void)state;
    un_decode_pool *pool = open_liars(1, 10);
    un_decoded got;
    for (size_t k = 0; k < 3; k++) {
        ask_for(pool, AHEAD, &got);
        assert_int_equal(got.status, UNSEEN_OK);
        rest(200); /* until the second one is there */
        assert_int_equal(un_decode_pool_restarts(pool), k);
    }
    close_liars(pool);
}

/* A picture for which a worker's memory does not suffice is too large, and has no number. */
static void what_needs_more_is_too_large(void **state) {
    (void)state;
    un_decode_pool *pool = open_liars(1, 10);
    un_decoded got;
    ask_for(pool, NEEDY, &got);
    assert_int_equal(got.status, UNSEEN_E_MEMORY);
    assert_int_equal(got.too_large, 1);
    assert_int_equal(got.busy, 0);
    assert_string_equal(got.message, "too much");
    ask_for(pool, AHEAD, &got); /* by the same worker */
    assert_int_equal(got.status, UNSEEN_OK);
    assert_int_equal(got.too_large, 0);
    assert_int_equal(un_decode_pool_restarts(pool), 0);
    close_liars(pool);
}

/* A worker that takes nothing from its socket, and answers, is replaced when the socket is full. */
static void the_deaf_keep_nobody(void **state) {
    (void)state;
    assert_int_equal(setenv("VIPS_TEST_DEAF", "1", 1), 0);
    un_decode_pool *pool = open_liars(1, 10);
    un_decoded got;
    for (size_t k = 0; k < UN_DECODE_PICTURES - 1 && un_decode_pool_restarts(pool) == 0; k++) {
        ask_for(pool, 0, &got);
        assert_int_equal(got.status, UNSEEN_OK);
    }
    assert_int_equal(un_decode_pool_restarts(pool), 1);
    close_liars(pool);
    unsetenv("VIPS_TEST_DEAF");
}

/* One that broke is not taken for its successor, whatever it still says, where no process can be
 * started; nobody waits then, and all is well when they can be again. */
static void the_dead_do_not_rise(void **state) {
    (void)state;
    un_decode_pool *pool = open_liars(2, 10);
    struct rlimit usual, few;
    un_decoded got;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    few = usual;
    few.rlim_cur = 8;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (size_t k = 0; k < 2; k++) {
        ask_for(pool, TWICE, &got);
        assert_int_equal(got.status, UNSEEN_E_FORMAT);
        assert_int_equal(got.busy, 0);
    }
    ask_for(pool, AHEAD, &got);
    assert_int_equal(got.busy, 1);
    assert_int_equal(got.too_large, 0);
    assert_non_null(strstr(got.message, "no memory to share"));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    for (size_t k = 0; k < 50 && got.busy; k++) {
        rest(100);
        ask_for(pool, AHEAD, &got);
    }
    assert_int_equal(got.status, UNSEEN_OK);
    assert_int_equal(got.busy, 0);
    close_liars(pool);
}

/* One second of processor time is enough for a picture, whatever the clock says. */
static void what_computes_too_long_is_ended(void **state) {
    (void)state;
    un_decode_pool *pool = open_liars(1, 1);
    un_decoded got;
    double started = un_now();
    ask_for(pool, ENDLESS, &got);
    assert_int_equal(got.status, UNSEEN_E_FORMAT);
    assert_string_equal(got.message, "this picture could not be decoded");
    assert_true(un_now() - started >= 0.9);
    ask_for(pool, AHEAD, &got); /* by its successor */
    assert_int_equal(got.status, UNSEEN_OK);
    assert_true(un_decode_pool_restarts(pool) >= 1);
    close_liars(pool);
}

/* ---- an end while a worker computes ---- */

typedef struct {
    un_decode_pool *pool;
    un_decoded got;
    double ended;
} call;

static void *ask_for_ever(void *context) {
    call *c = context;
    ask_for(c->pool, ENDLESS, &c->got);
    c->ended = un_now();
    return NULL;
}

/* Of two calls for one worker one waits for its answer, the other for the worker. */
static void a_stopped_pool_keeps_nobody(void **state) {
    (void)state;
    enum { CALLS = 2 };
    un_decode_pool *pool = open_liars(1, 30);
    pthread_t threads[CALLS];
    call calls[CALLS];
    for (size_t i = 0; i < CALLS; i++) {
        calls[i] = (call){.pool = pool};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_for_ever, &calls[i]), 0);
    }
    rest(300);
    double stopped = un_now();
    un_decode_pool_stop(pool);
    for (size_t i = 0; i < CALLS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(calls[i].got.status, UNSEEN_E_INTERRUPTED);
        assert_string_equal(calls[i].got.message, "the server is ending");
        assert_int_equal(calls[i].got.busy, 1);
        assert_true(calls[i].ended - stopped < 1); /* 0.2, and a busy machine */
    }
    un_decode_pool_stop(pool);
    call late = {.pool = pool};
    ask_for_ever(&late);
    assert_int_equal(late.got.status, UNSEEN_E_INTERRUPTED);
    close_liars(pool);
    assert_true(un_now() - stopped < 5);
}

/* ---- a pool that lies ---- */

typedef struct {
    int fd;
    pid_t pid;
    unsigned char *shared;
} started;

static started start_worker(void) {
    started w = {-1, 0, NULL};
    int ends[2], shared = memfd_create("picture", MFD_CLOEXEC);
    size_t size = UN_DECODE_BEFORE_FILE + MAX_BYTES;
    assert_int_equal(ftruncate(shared, (off_t)size), 0);
    w.shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0);
    assert_true(w.shared != MAP_FAILED);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    w.fd = ends[0];
    w.pid = fork();
    assert_true(w.pid >= 0);
    if (w.pid == 0) {
        int theirs = fcntl(ends[1], F_DUPFD, 20), memory = fcntl(shared, F_DUPFD, 20);
        dup2(theirs, UN_DECODE_SOCKET);
        dup2(memory, UN_DECODE_SHARED);
        execl("/proc/self/exe", "unseen", UN_DECODE_WORKER, (char *)NULL);
        _exit(99);
    }
    close(ends[1]);
    close(shared);
    return w;
}

/* Its exit status, once the socket is closed. */
static int stop_worker(started *w) {
    int status = 0;
    close(w->fd);
    assert_int_equal(waitpid(w->pid, &status, 0), w->pid);
    munmap(w->shared, UN_DECODE_BEFORE_FILE + MAX_BYTES);
    if (!WIFEXITED(status)) fail_msg("a worker died: %d", status);
    return WEXITSTATUS(status);
}

static void begin_worker(const started *w) {
    const un_decode_setup setup = {1 << 20, MAX_BYTES, 10};
    un_decode_reply ready;
    assert_int_equal(send(w->fd, &setup, sizeof setup, 0), sizeof setup);
    assert_int_equal(recv(w->fd, &ready, sizeof ready, 0), sizeof ready);
    assert_int_equal(ready.status, UNSEEN_OK);
    assert_string_equal(ready.message, "");
}

static un_decode_reply request_of(const started *w, uint64_t recipe, uint64_t bytes) {
    static uint64_t number;
    const un_decode_request request = {++number, recipe, bytes};
    un_decode_reply reply;
    assert_int_equal(send(w->fd, &request, sizeof request, 0), sizeof request);
    assert_int_equal(recv(w->fd, &reply, sizeof reply, 0), sizeof reply);
    assert_int_equal(reply.number, number);
    return reply;
}

static void a_worker_takes_no_wrong_message(void **state) {
    (void)state;
    const un_decode_sample *png = &un_decode_samples[1];
    const size_t lengths[] = {1, sizeof(un_decode_request) - 1, sizeof(un_decode_request) + 1,
                              4000};
    char junk[4000] = {0};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        started w = start_worker();
        if (i % 2) begin_worker(&w); /* a wrong request, or a wrong setup */
        assert_int_equal(send(w.fd, junk, lengths[i], 0), lengths[i]);
        char answer[8];
        assert_int_equal(recv(w.fd, answer, sizeof answer, 0), 0); /* it has ended */
        assert_int_equal(stop_worker(&w), i % 2 ? 0 : 1);
    }
    started w = start_worker();
    begin_worker(&w);
    memcpy(w.shared + UN_DECODE_BEFORE_FILE, png->bytes, png->size);
    const uint64_t wrong[] = {UN_DECODE_RECIPE, UN_DECODE_RECIPE + 1, UINT64_MAX, UINT64_MAX / 2};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(request_of(&w, wrong[i], png->size).status, UNSEEN_E_ARGUMENT);
    memcpy(w.shared + UN_DECODE_MARK, g_recipe, sizeof g_recipe);
    assert_int_equal(request_of(&w, sizeof g_recipe - 1, MAX_BYTES + 1).status, UNSEEN_E_ARGUMENT);
    assert_int_equal(request_of(&w, sizeof g_recipe - 1, UINT64_MAX).status, UNSEEN_E_ARGUMENT);
    /* Any text and any length that fit are a crop or a sentence. */
    for (size_t k = 0; k < 500; k++) {
        un_rng rng = un_rng_stream(5, "request", k);
        uint64_t recipe = sizeof g_recipe - 1, bytes = png->size;
        memcpy(w.shared + UN_DECODE_MARK, g_recipe, sizeof g_recipe);
        if (k % 2) w.shared[UN_DECODE_MARK + un_rng_below(&rng, recipe)] = (unsigned char)k;
        if (k % 3 == 0) recipe = un_rng_below(&rng, UN_DECODE_RECIPE);
        if (k % 5 == 0) bytes = un_rng_below(&rng, 2 * png->size);
        un_decode_reply r = request_of(&w, recipe, bytes);
        assert_true(r.status < UNSEEN_E_INTERRUPTED);
        assert_int_equal(r.message[0] != 0, r.status != UNSEEN_OK);
    }
    memcpy(w.shared + UN_DECODE_MARK, g_recipe, sizeof g_recipe);
    un_decode_reply whole = request_of(&w, sizeof g_recipe - 1, png->size);
    assert_int_equal(whole.status, UNSEEN_OK);
    assert_int_equal(whole.crop.side, SIDE);
    assert_int_equal(stop_worker(&w), 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(liars_are_not_believed),
        cmocka_unit_test(replies_ahead_answer_nobody),
        cmocka_unit_test(what_needs_more_is_too_large),
        cmocka_unit_test(the_deaf_keep_nobody),
        cmocka_unit_test(the_dead_do_not_rise),
        cmocka_unit_test(what_computes_too_long_is_ended),
        cmocka_unit_test(a_stopped_pool_keeps_nobody),
        cmocka_unit_test(a_worker_takes_no_wrong_message),
    };
    if (argc == 2 && !strcmp(argv[1], UN_DECODE_WORKER))
        _exit(getenv("VIPS_TEST_LIAR") ? be_a_liar() : un_decode_worker(UN_DECODE_SOCKET));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
