/*
 * test_log_locks.c - a log function that asks the library: of the choice of bf16's way and of products,
 * while which it is told something.
 */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tensor/gemm.h"
#include "util.h"

static int g_told, g_depth;

static un_status multiply(size_t n, un_dtype type) {
    float *memory = NULL, *c = NULL;
    UN_TRY(un_alloc(n * n, sizeof *memory, &memory));
    un_status status = un_alloc(n * n, sizeof *c, &c);
    const un_gemm_args args = {
        .m = n, .n = n, .k = n, .input = type, .output = UN_F32, .a = memory, .b = memory, .c = c};
    if (!status) status = un_gemm(&args);
    free(memory);
    free(c);
    return status;
}

/* What a host's log function may do. */
static void ask(unseen_log_level level, const char *message, void *user) {
    (void)level;
    (void)message;
    (void)user;
    g_told++;
    if (g_depth++ == 0) {
        un_gemm_bf16_way(NULL);
        if (multiply(40, UN_BF16) || multiply(41 + (size_t)g_told, UN_F32)) _exit(3);
    }
    g_depth--;
}

/* In a child, where nothing is chosen or made yet: a function that waits for itself is ended. */
static int ends_well(void (*function)(void)) {
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(60);
        un_set_log(ask, NULL);
        function();
        _exit(g_told > 0 ? 0 : 77);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status)); /* not by the alarm */
    return WEXITSTATUS(status);
}

static void choose(void) {
    setenv("UNSEEN_ISA", "none of them", 1);
    un_gemm_bf16_way(NULL);
}

static void the_choice_of_a_way_is_told_when_it_is_made(void **state) {
    (void)state;
    assert_int_equal(ends_well(choose), 0);
}

/* Without its fast loops oneDNN has slow ones for packed weights, and says so when a plan is made. */
static void multiply_packed(void) {
    enum { M = 64, N = 48, K = 128, GAP = 5 };
    static float a[M * (K + GAP)], b[K * N], c[M * (N + GAP)];
    un_packed *packed = NULL;
    setenv("ONEDNN_MAX_CPU_ISA", "SSE41", 1);
    for (int trans = 0; trans < 2; trans++) {
        if (un_gemm_pack(&packed, UN_F32, 0, M, N, K, b, 0)) _exit(4);
        const un_gemm_args args = {.m = M,
                                   .n = N,
                                   .k = K,
                                   .trans_a = trans,
                                   .a = a,
                                   .lda = trans ? M : K + GAP,
                                   .packed = packed,
                                   .c = c,
                                   .ldc = N + GAP};
        if (un_gemm(&args)) _exit(5);
        un_packed_free(packed);
    }
}

static void a_slow_product_is_told_when_it_is_planned(void **state) {
    (void)state;
    int code = ends_well(multiply_packed);
    if (code == 77) {
        print_message("oneDNN has a fast loop for everything here\n");
        skip();
    }
    assert_int_equal(code, 0);
}

static char g_text[64];

static void collect(unseen_log_level level, const char *message, void *user) {
    (void)user;
    size_t used = strlen(g_text);
    snprintf(g_text + used, sizeof g_text - used, "%d%s ", (int)level, message);
    if (strcmp(message, "b") == 0) un_log(UNSEEN_LOG_INFO, "more");
}

static void held_messages_keep_their_order(void **state) {
    (void)state;
    un_set_log(collect, NULL);
    un_log_hold();
    un_log(UNSEEN_LOG_WARNING, "%s", "a");
    un_log_hold();
    un_log(UNSEEN_LOG_DEBUG, "b");
    un_log_release();
    assert_string_equal(g_text, "");
    un_log_release();
    assert_string_equal(g_text, "1a 3b 2more ");
    un_log(UNSEEN_LOG_INFO, "c");
    assert_string_equal(g_text, "1a 3b 2more 2c ");
    un_set_log(NULL, NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_choice_of_a_way_is_told_when_it_is_made),
        cmocka_unit_test(a_slow_product_is_told_when_it_is_planned),
        cmocka_unit_test(held_messages_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
