/*
 * test_threads.c - loops, sums, products and convolutions under every number of threads, on
 * several threads of a host at once, inside a host's own OpenMP region, and in a forked child.
 *
 * ctest runs this program again under environments that OpenMP reads when a process starts
 * (tests/CMakeLists.txt): lists of thread numbers, limits, dynamic adjustment, nesting.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/parallel.h"
#include "base/status.h"
#include "tensor/conv.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"
#include "tensor/linear_algebra.h"
#include "util.h"

extern void GOMP_parallel(void (*function)(void *), void *data, unsigned threads, unsigned flags);
extern void omp_set_num_threads(int threads);
extern int omp_get_max_threads(void);

static const int g_threads[] = {0, 1, 2, 3, 7, 16};
enum { THREAD_NUMBERS = sizeof g_threads / sizeof *g_threads };

/* Small whole numbers: their sums of products are exact, so any order gives the same bytes. */
static float whole(size_t i) { return (float)((i * 2654435761u >> 7) % 7) - 3; }

/* ---- products, each against its definition; 1: right ---- */

enum { M = 200, N = 200, K = 300 };

static int triangle_is_right(void) {
    double *a = malloc(M * K * sizeof *a), *c = calloc(M * M, sizeof *c);
    int right = 1;
    for (size_t i = 0; i < M * K; i++) a[i] = (double)whole(i);
    un_gemm64_args args = {.m = M,
                           .n = M,
                           .k = K,
                           .a = a,
                           .a_row = K,
                           .a_column = 1,
                           .b = a,
                           .b_row = 1,
                           .b_column = K,
                           .c = c,
                           .ldc = M,
                           .alpha = 1,
                           .lower = 1};
    right = un_gemm64(&args) == UNSEEN_OK;
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < M; j++) {
            double want = 0;
            for (size_t p = 0; p < K && j <= i; p++) want += a[i * K + p] * a[j * K + p];
            right &= c[i * M + j] == want;
        }
    free(a);
    free(c);
    return right;
}

static int product_is_right(un_dtype type, int trans_a) {
    float *a = malloc(M * K * sizeof *a), *b = malloc(K * N * sizeof *b);
    float *c = malloc(M * N * sizeof *c);
    un_bf16 *a16 = malloc(M * K * sizeof *a16), *b16 = malloc(K * N * sizeof *b16);
    for (size_t i = 0; i < M * K; i++) a16[i] = un_bf16_from_float(a[i] = whole(i));
    for (size_t i = 0; i < K * N; i++) b16[i] = un_bf16_from_float(b[i] = whole(i + 11));
    un_gemm_args args = {.m = M,
                         .n = N,
                         .k = K,
                         .trans_a = trans_a,
                         .input = type,
                         .a = type == UN_F32 ? (void *)a : (void *)a16,
                         .b = type == UN_F32 ? (void *)b : (void *)b16,
                         .c = c};
    int right = un_gemm(&args) == UNSEEN_OK;
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            float want = 0;
            for (size_t p = 0; p < K; p++)
                want += (trans_a ? a[p * M + i] : a[i * K + p]) * b[p * N + j];
            right &= c[i * N + j] == want;
        }
    free(a);
    free(b);
    free(c);
    free(a16);
    free(b16);
    return right;
}

/* ---- a 3 x 3 convolution of 32 channels, which may be made elsewhere ---- */

enum { CHANNELS = 32, SIDE = 9, PIXELS = SIDE * SIDE, WINDOW = 3 };
enum { WEIGHTS = CHANNELS * CHANNELS * WINDOW * WINDOW };

static un_conv *make_conv(void) {
    un_conv *conv = NULL;
    float weights[WEIGHTS]; /* 36 KB */
    float bias[CHANNELS] = {0};
    for (size_t i = 0; i < WEIGHTS; i++) weights[i] = whole(i);
    un_conv_spec spec = {.in = CHANNELS,
                         .out = CHANNELS,
                         .kernel = WINDOW,
                         .stride = 1,
                         .padding = UN_PAD_SYMMETRIC,
                         .activation = UN_CONV_LINEAR,
                         .type = UN_F32};
    return un_conv_create(&spec, weights, bias, &conv) == UNSEEN_OK ? conv : NULL;
}

static float conv_at(const float *x, size_t o, size_t row, size_t column) {
    float sum = 0;
    for (size_t i = 0; i < CHANNELS; i++)
        for (size_t k = 0; k < WINDOW * WINDOW; k++) {
            size_t y = row + k / WINDOW, z = column + k % WINDOW; /* one ahead */
            if (y < 1 || z < 1 || y > SIDE || z > SIDE) continue;
            sum += x[((y - 1) * SIDE + z - 1) * CHANNELS + i] *
                   whole((o * CHANNELS + i) * WINDOW * WINDOW + k);
        }
    return sum;
}

static int conv_is_right(un_conv *conv) {
    float x[PIXELS * CHANNELS], y[PIXELS * CHANNELS];
    un_feature_map map = {1, SIDE, SIDE, CHANNELS, UN_F32, UN_CHANNELS_LAST};
    un_conv_scratch scratch = {0};
    for (size_t i = 0; i < PIXELS * CHANNELS; i++) x[i] = whole(i + 5);
    int right = conv && un_conv_run(conv, &map, x, 0, y, &scratch) == UNSEEN_OK;
    for (size_t p = 0; p < PIXELS && right; p++)
        for (size_t o = 0; o < CHANNELS; o++) /* Winograd's way is not exact */
            right &= y[p * CHANNELS + o] - conv_at(x, o, p / SIDE, p % SIDE) < 1e-2F &&
                     conv_at(x, o, p / SIDE, p % SIDE) - y[p * CHANNELS + o] < 1e-2F;
    un_conv_scratch_free(&scratch);
    return right;
}

static int everything_is_right(void) {
    un_conv *conv = make_conv();
    int right = triangle_is_right() && product_is_right(UN_F32, 0) && product_is_right(UN_F32, 1) &&
                product_is_right(UN_BF16, 0) && conv_is_right(conv);
    un_conv_free(conv);
    return right;
}

/* ---- tests ---- */

static void any_number_of_threads_gives_right_results(void **state) {
    (void)state;
    for (size_t t = 0; t < THREAD_NUMBERS; t++) {
        util_ok(un_set_threads(g_threads[t]));
        assert_true(triangle_is_right());
        assert_true(product_is_right(UN_F32, 0));
        assert_true(product_is_right(UN_F32, 1));
        assert_true(product_is_right(UN_BF16, 0));
        un_conv *conv = make_conv();
        assert_true(conv_is_right(conv));
        un_conv_free(conv);
    }
}

static void sums_have_the_same_bytes(void **state) {
    (void)state;
    enum { MOST = 1000003 };
    static const size_t sizes[] = {0, 1, 63, 16384, 16385, 100003, MOST};
    float *x = malloc(MOST * sizeof *x);
    un_rng rng = un_rng_stream(1, "threads", 0);
    un_rng_fill_uniform(&rng, x, MOST, -1, 1);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double first[2] = {0};
        for (size_t t = 0; t < THREAD_NUMBERS; t++) {
            util_ok(un_set_threads(g_threads[t]));
            double sums[2] = {un_sum(x, sizes[s]), un_sum_squares(x, sizes[s])};
            if (t == 0) memcpy(first, sums, sizeof first);
            assert_memory_equal(sums, first, sizeof first);
        }
    }
    free(x);
}

/* A loop's callback learns how many slots it was cut into, whatever OpenMP says there. */
typedef struct {
    size_t slots;
    _Atomic size_t items, wrong;
} slot_check;

static void check_slot(size_t begin, size_t end, un_slot slot, void *context) {
    slot_check *c = context;
    c->items += end - begin;
    if (slot.count != c->slots || slot.index >= slot.count) c->wrong++;
}

static void slots_are_told(void **state) {
    (void)state;
    for (size_t t = 0; t < THREAD_NUMBERS; t++) {
        util_ok(un_set_threads(g_threads[t]));
        slot_check c = {.slots = un_slot_count(1000, 1)};
        assert_int_equal(c.slots, un_thread_count());
        un_parallel_slots(1000, c.slots, check_slot, &c);
        assert_int_equal(c.items, 1000);
        assert_int_equal(c.wrong, 0);
    }
}

enum { ITEMS = 50, BAD_ITEM = 9 };

static un_status fail_one(size_t item, un_slot slot, void *context) {
    _Atomic int *calls = context;
    (void)slot;
    calls[item]++;
    return item == BAD_ITEM ? un_fail(UNSEEN_E_FORMAT, "item %zu is bad", item) : UNSEEN_OK;
}

/* Whichever thread met it, the caller gets the sentence; one thread alone begins nothing after it. */
static void failures_reach_the_caller(void **state) {
    (void)state;
    for (size_t t = 0; t < THREAD_NUMBERS; t++) {
        _Atomic int calls[ITEMS] = {0};
        util_ok(un_set_threads(g_threads[t]));
        size_t slots = un_slot_count(ITEMS, 1);
        util_fails(un_parallel_try(ITEMS, slots, fail_one, calls), UNSEEN_E_FORMAT,
                   "item 9 is bad");
        assert_int_equal(calls[BAD_ITEM], 1);
        if (slots == 1) assert_int_equal(calls[BAD_ITEM + 1], 0);
        memset(calls, 0, sizeof calls);
        util_ok(un_parallel_try(BAD_ITEM, slots, fail_one, calls));
        for (size_t i = 0; i < ITEMS; i++) assert_int_equal(calls[i], i < BAD_ITEM);
    }
    util_ok(un_parallel_try(0, 1, fail_one, NULL));
    util_ok(un_set_threads(0));
}

static void nested_loop(size_t begin, size_t end, void *context) {
    slot_check *c = context;
    for (size_t i = begin; i < end; i++) {
        slot_check inner = {.slots = un_slot_count(100, 1)};
        un_parallel_slots(100, inner.slots, check_slot, &inner);
        c->items += inner.items;
        c->wrong += inner.wrong + (inner.slots != 1);
    }
}

static void loops_in_loops_are_serial(void **state) {
    (void)state;
    slot_check c = {0};
    util_ok(un_set_threads(4));
    un_parallel_for(40, 1, nested_loop, &c);
    assert_int_equal(c.items, 4000);
    assert_int_equal(c.wrong, 0);
}

static void *count_threads(void *context) {
    *(int *)context = un_thread_count();
    return NULL;
}

static void the_number_is_the_process_s(void **state) {
    (void)state;
    pthread_t thread;
    int here = 0, there = 0;
    util_ok(un_set_threads(3));
    here = un_thread_count();
    assert_int_equal(pthread_create(&thread, NULL, count_threads, &there), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(there, here);
    const char *limited = getenv("UNSEEN_TEST_THREADS"); /* what the environment allows of 3 */
    assert_int_equal(here, limited ? atoi(limited) : 3);
}

static void the_hosts_setting_stays(void **state) {
    (void)state;
    int before = omp_get_max_threads();
    omp_set_num_threads(5);
    util_ok(un_set_threads(2));
    assert_true(everything_is_right());
    assert_int_equal(omp_get_max_threads(), 5);
    omp_set_num_threads(before);
}

typedef struct {
    un_conv *conv;
    int right;
} visitor;

static void *use_conv(void *context) {
    visitor *v = context;
    v->right = conv_is_right(v->conv);
    return NULL;
}

/* On the thread that made it, on another, and again at home with another number of threads. */
static void a_plan_travels(void **state) {
    (void)state;
    pthread_t thread;
    visitor v = {.conv = make_conv()};
    util_ok(un_set_threads(2));
    assert_true(conv_is_right(v.conv));
    assert_int_equal(pthread_create(&thread, NULL, use_conv, &v), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(v.right);
    util_ok(un_set_threads(3));
    assert_true(conv_is_right(v.conv));
    un_conv_free(v.conv);
}

static void *compute_all(void *context) {
    int *right = context;
    for (int i = 0; i < 3; i++) *right &= everything_is_right();
    return NULL;
}

static void several_threads_compute_at_once(void **state) {
    (void)state;
    enum { HOSTS = 4 };
    pthread_t threads[HOSTS];
    int right[HOSTS] = {1, 1, 1, 1};
    util_ok(un_set_threads(2));
    for (int i = 0; i < HOSTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, compute_all, &right[i]), 0);
    for (int i = 0; i < HOSTS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(right[i]);
    }
}

static void in_a_region(void *context) {
    _Atomic int *wrong = context;
    *wrong += !everything_is_right();
}

static void a_host_may_call_from_its_region(void **state) {
    (void)state;
    _Atomic int wrong = 0;
    util_ok(un_set_threads(4));
    GOMP_parallel(in_a_region, (void *)&wrong, 3, 0);
    assert_int_equal(wrong, 0);
}

/* The child must compute, and end: libgomp would wait for its parent's threads. */
static int child_computes(void) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        _exit(everything_is_right() ? 0 : 1);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void a_forked_child_computes(void **state) {
    (void)state;
    util_ok(un_set_threads(3));
    assert_true(everything_is_right());
    assert_true(child_computes());
    assert_true(everything_is_right()); /* and so does the parent */
    assert_true(child_computes());
}

static _Atomic int g_stop;

static void *compute_until_stopped(void *context) {
    int *right = context;
    while (!g_stop) *right &= everything_is_right();
    return NULL;
}

static void a_fork_beside_a_computing_thread(void **state) {
    (void)state;
    pthread_t thread;
    int right = 1;
    util_ok(un_set_threads(2));
    assert_int_equal(pthread_create(&thread, NULL, compute_until_stopped, &right), 0);
    for (int i = 0; i < 3; i++) assert_true(child_computes());
    g_stop = 1;
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(right);
}

/* ---- a process that may not start threads ---- */

static _Atomic int g_alive, g_most = INT32_MAX;
typedef int create_function(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int join_function(pthread_t, void **);

/* In the place of the C library's, for libgomp as well. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                   void *context) {
    create_function *real = NULL;
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real, &found, sizeof real);
    if (g_alive >= g_most) return EAGAIN;
    int status = real(thread, attributes, function, context);
    if (status == 0) g_alive++;
    return status;
}

int pthread_join(pthread_t thread, void **result) {
    join_function *real = NULL;
    void *found = dlsym(RTLD_NEXT, "pthread_join");
    memcpy(&real, &found, sizeof real);
    int status = real(thread, result);
    if (status == 0) g_alive--;
    return status;
}

static _Atomic int g_warnings;
static void count_warnings(unseen_log_level level, const char *message, void *user) {
    (void)user;
    g_warnings += level == UNSEEN_LOG_WARNING && strstr(message, "threads") != NULL;
}

static void few_threads_do_all_the_work(void **state) {
    (void)state;
    for (int most = 0; most < 4; most++) {
        int status = -1;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            int limited = un_set_threads(7) == UNSEEN_OK && un_thread_count() > most + 1;
            alarm(60);
            g_alive = 0;
            g_most = most;
            un_set_log(count_warnings, NULL);
            if (!everything_is_right() || !everything_is_right()) _exit(1);
            _exit(g_alive > most || g_warnings != limited ? 2 : 0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_threads_gives_right_results),
        cmocka_unit_test(sums_have_the_same_bytes),
        cmocka_unit_test(slots_are_told),
        cmocka_unit_test(failures_reach_the_caller),
        cmocka_unit_test(loops_in_loops_are_serial),
        cmocka_unit_test(the_number_is_the_process_s),
        cmocka_unit_test(the_hosts_setting_stays),
        cmocka_unit_test(a_plan_travels),
        cmocka_unit_test(several_threads_compute_at_once),
        cmocka_unit_test(a_host_may_call_from_its_region),
        cmocka_unit_test(a_forked_child_computes),
        cmocka_unit_test(few_threads_do_all_the_work),
        cmocka_unit_test(a_fork_beside_a_computing_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
