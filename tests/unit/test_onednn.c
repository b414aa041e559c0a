/*
 * test_onednn.c - what we make of the names that oneDNN gives to its implementations, and that it
 * is said once where only slow ones are there.
 */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_slow_loops),
        cmocka_unit_test(packed_weights_with_any_rows),
        cmocka_unit_test(one_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
