/*
 * test_onednn.c - what we make of the names that oneDNN gives to its implementations, and that it
 * is said once where only slow ones are there.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/onednn.h"
#include "util.h"

/* Of 2.6 and 3.7, on x86 and elsewhere: matrix products, convolutions, pooling, reorders. */
static void names_of_slow_loops(void **state) {
    (void)state;
    static const char *const slow[] = {"ref:any", "ref_int8:any", "ref_fused_convolution:any",
                                       "x64:ref:any", "ref"};
    static const char *const fast[] = {"gemm:ref",
                                       "gemm:jit",
                                       "gemm:acl",
                                       "x64:gemm:jit",
                                       "brg:avx512_core",
                                       "brg_matmul:avx512_core",
                                       "brgconv:avx512_core_amx_bf16",
                                       "jit:avx512_core_amx_bf16",
                                       "jit_uni_dw:avx2",
                                       "jit_1x1:sse41",
                                       "simple:any",
                                       "simple_nhwc:any",
                                       "acl",
                                       "wino:acl",
                                       "reference", /* no name of oneDNN's */
                                       "unknown",
                                       ""};
    for (size_t i = 0; i < sizeof slow / sizeof *slow; i++)
        if (!un_dnn_is_slow(slow[i])) fail_msg("%s is taken for fast", slow[i]);
    for (size_t i = 0; i < sizeof fast / sizeof *fast; i++)
        if (un_dnn_is_slow(fast[i])) fail_msg("%s is taken for slow", fast[i]);
}

static size_t g_warnings;

static void count(unseen_log_level level, const char *text, void *user) {
    (void)user;
    if (level == UNSEEN_LOG_WARNING && strstr(text, "reference loop")) g_warnings++;
}

static void one_warning(void **state) {
    (void)state;
    un_set_log(count, NULL);
    for (int i = 0; i < 3; i++) un_dnn_warn_slow("a test");
    un_set_log(NULL, NULL);
    assert_int_equal(g_warnings, 1);
}

/* Packed weights and rows with gaps, or stored the other way: oneDNN 2.6 by itself has nothing but
 * its reference loop for these. No warning: another way was found. */
static void packed_weights_with_any_rows(void **state) {
    (void)state;
    enum { M = 64, N = 48, K = 128, GAP = 5 };
    float *a = NULL, *b = NULL, *c = NULL;
    util_ok(un_alloc((size_t)(M + GAP) * (K + GAP), sizeof *a, &a));
    util_ok(un_alloc((size_t)K * N, sizeof *b, &b));
    util_ok(un_alloc((size_t)M * (N + GAP), sizeof *c, &c));
    for (size_t i = 0; i < (size_t)(M + GAP) * (K + GAP); i++) a[i] = (float)(i % 7);
    for (size_t i = 0; i < (size_t)K * N; i++) b[i] = (float)(i % 5);
    un_packed *packed = NULL;
    util_ok(un_gemm_pack(&packed, UN_F32, 0, M, N, K, b, 0));
    g_warnings = 0;
    un_set_log(count, NULL);
    for (unsigned form = 0; form < 16; form++) {
        int trans = form & 1, add = form >> 3 & 1;
        size_t lda = (size_t)(trans ? M : K) + (form & 2 ? GAP : 0);
        size_t ldc = (size_t)N + (form & 4 ? GAP : 0);
        for (size_t i = 0; i < M * ldc; i++) c[i] = 7;
        const un_gemm_args args = {.m = M,
                                   .n = N,
                                   .k = K,
                                   .trans_a = trans,
                                   .a = a,
                                   .lda = lda,
                                   .packed = packed,
                                   .c = c,
                                   .ldc = ldc,
                                   .accumulate = add};
        util_ok(un_gemm(&args));
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < ldc; j++) { /* small whole numbers: exact */
                double sum = add || j >= N ? 7 : 0;
                for (size_t k = 0; k < K && j < N; k++)
                    sum += (double)a[trans ? k * lda + i : i * lda + k] * (double)b[k * N + j];
                util_near((double)c[i * ldc + j], sum, 0);
            }
    }
    un_set_log(NULL, NULL);
    assert_int_equal(g_warnings, 0);
    un_packed_free(packed);
    free(a);
    free(b);
    free(c);
}

/* ---- forks beside the first products ---- */

enum { SIDE = 96 };

static void *multiply(void *context) {
    static _Thread_local float a[SIDE * SIDE], b[SIDE * SIDE], c[SIDE * SIDE];
    un_status *status = context;
    for (int trans = 0; trans < 4; trans++) {
        const un_gemm_args args = {.m = SIDE - 7,
                                   .n = SIDE,
                                   .k = SIDE - 5,
                                   .trans_a = trans & 1,
                                   .trans_b = trans >> 1,
                                   .a = a,
                                   .b = b,
                                   .c = c};
        *status = un_gemm(&args);
        if (*status) break;
    }
    return NULL;
}

/* 1 if the process ended well, and not only when it was killed. SIGALRM is held back where it would
 * hang. */
static int ends_well(pid_t child) {
    int status = -1;
    for (int i = 0; i < 3000; i++) {
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        usleep(10000);
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return 0;
}

/* In a process that has multiplied nothing: another thread does for the first time, when oneDNN makes
 * its code, and meanwhile this one forks. The child multiplies, too. */
static void fork_beside_a_first_product(useconds_t wait) {
    pthread_t thread;
    un_status theirs = UNSEEN_OK, ours = UNSEEN_OK;
    if (un_set_threads(1) || pthread_create(&thread, NULL, multiply, &theirs)) _exit(2);
    usleep(wait);
    pid_t child = fork();
    if (child == 0) {
        multiply(&ours);
        _exit(ours ? 3 : 0);
    }
    int well = child > 0 && ends_well(child);
    pthread_join(thread, NULL);
    _exit(well && !theirs ? 0 : 1);
}

static void a_child_of_a_first_product_multiplies(void **state) {
    (void)state;
    if (UTIL_SHADOWED) skip(); /* a sanitizer's own allocator does not survive a fork */
    for (useconds_t round = 0; round < 60; round++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) fork_beside_a_first_product(100 * round);
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("after %u us the child of a fork waits for ever", 100 * round);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_of_a_first_product_multiplies), /* before anything is multiplied */
        cmocka_unit_test(names_of_slow_loops),
        cmocka_unit_test(packed_weights_with_any_rows),
        cmocka_unit_test(one_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
