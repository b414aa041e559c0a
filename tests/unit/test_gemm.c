/*
 * test_gemm.c - matrix products against triple loops in double precision. Tolerances come
 * from the arithmetic: K products of relative error eps each, summed in f32, are off by at
 * most about K eps sum |a b|, and by far less in practice; the tests allow sqrt(K) + 8 of
 * them.
 */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "tensor/gemm.h"
#include "util.h"

typedef struct {
    size_t m, n, k;
    int trans_a, trans_b, bf16, bf16_out, bias, relu, accumulate, packed;
    size_t pad; /* columns beyond the matrices: leading dimensions that are not dense */
} product;

typedef struct {
    float *a, *b, *bias, *c, *before;
    un_bf16 *a16, *b16, *c16;
    size_t lda, ldb, ldc, c_size;
} operands;

static void random_matrix(un_rng *rng, size_t n, int bf16, float **out, un_bf16 **out16) {
    util_ok(un_alloc(n, sizeof **out, out));
    util_ok(un_alloc(n, sizeof **out16, out16));
    un_rng_fill_normal(rng, *out, n, 0, 1);
    for (size_t i = 0; i < n; i++) {
        (*out16)[i] = un_bf16_from_float((*out)[i]);
        if (bf16) (*out)[i] = un_float_from_bf16((*out16)[i]);
    }
}

static operands make_operands(const product *p, un_rng *rng) {
    operands o = {0};
    size_t k = p->k ? p->k : 1;
    o.lda = (p->trans_a ? p->m : k) + p->pad;
    o.ldb = (p->trans_b ? k : p->n) + p->pad;
    o.ldc = p->n + p->pad;
    o.c_size = p->m * o.ldc;
    random_matrix(rng, (p->trans_a ? k : p->m) * o.lda, p->bf16, &o.a, &o.a16);
    random_matrix(rng, (p->trans_b ? p->n : k) * o.ldb, p->bf16, &o.b, &o.b16);
    random_matrix(rng, o.c_size, p->bf16_out, &o.c, &o.c16);
    util_ok(un_alloc(o.c_size, sizeof *o.before, &o.before));
    memcpy(o.before, o.c, o.c_size * sizeof *o.c);
    util_ok(un_alloc(p->n, sizeof *o.bias, &o.bias));
    un_rng_fill_normal(rng, o.bias, p->n, 0, 1);
    return o;
}

static void free_operands(operands *o) {
    void *owned[] = {o->a, o->b, o->bias, o->c, o->before, o->a16, o->b16, o->c16};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

static float result(const product *p, const operands *o, size_t at) {
    return p->bf16_out ? un_float_from_bf16(o->c16[at]) : o->c[at];
}

/* Every element of C, and the padding beside it, which must be untouched. */
static void check_result(const product *p, const operands *o) {
    for (size_t i = 0; i < p->m; i++) {
        for (size_t j = 0; j < o->ldc; j++) {
            size_t at = i * o->ldc + j;
            double got = (double)result(p, o, at), sum = 0, size = 0;
            if (j >= p->n) {
                util_near(got, (double)o->before[at], 0);
                continue;
            }
            for (size_t k = 0; k < p->k; k++) {
                double x = (double)o->a[p->trans_a ? k * o->lda + i : i * o->lda + k] *
                           (double)o->b[p->trans_b ? j * o->ldb + k : k * o->ldb + j];
                sum += x;
                size += fabs(x);
            }
            if (p->bias) sum += (double)o->bias[j];
            if (p->accumulate) sum += (double)o->before[at];
            if (p->relu && sum < 0) sum = 0;
            size += fabs(sum) + 1;
            double eps = (double)FLT_EPSILON * (sqrt((double)p->k) + 8) * size;
            if (p->bf16_out) eps += fabs(sum) / 256;
            if (!(fabs(got - sum) <= eps))
                fail_msg("m %zu n %zu k %zu, transposed %d %d, bf16 %d %d, bias %d relu %d add %d "
                         "packed %d pad %zu: C[%zu, %zu] is %g, expected %g",
                         p->m, p->n, p->k, p->trans_a, p->trans_b, p->bf16, p->bf16_out, p->bias,
                         p->relu, p->accumulate, p->packed, p->pad, i, j, got, sum);
        }
    }
}

static void check_product(const product *p, un_rng *rng) {
    operands o = make_operands(p, rng);
    un_packed *packed = NULL;
    un_dtype type = p->bf16 ? UN_BF16 : UN_F32;
    const void *b = p->bf16 ? (const void *)o.b16 : (const void *)o.b;
    if (p->packed) {
        util_ok(un_gemm_pack(&packed, type, p->trans_b, p->m, p->n, p->k, b, p->pad ? o.ldb : 0));
        memset(o.b16, 0x7F, sizeof *o.b16); /* b may go afterwards */
    }
    const un_gemm_args args = {.m = p->m,
                               .n = p->n,
                               .k = p->k,
                               .trans_a = p->trans_a,
                               .trans_b = p->trans_b,
                               .input = type,
                               .output = p->bf16_out ? UN_BF16 : UN_F32,
                               .a = p->bf16 ? (const void *)o.a16 : (const void *)o.a,
                               .b = packed ? NULL : b,
                               .packed = packed,
                               .c = p->bf16_out ? (void *)o.c16 : (void *)o.c,
                               .lda = p->pad ? o.lda : 0,
                               .ldb = p->pad ? o.ldb : 0,
                               .ldc = p->pad ? o.ldc : 0,
                               .bias = p->bias ? o.bias : NULL,
                               .relu = p->relu,
                               .accumulate = p->accumulate};
    util_ok(un_gemm(&args));
    check_result(p, &o);
    un_packed_free(packed);
    free_operands(&o);
}

/* Long sums over a transposed A, which take another implementation than the small shapes. */
static void long_transposed_products_match(void **state) {
    (void)state;
    un_rng rng = un_rng_stream(1, "gemm", 2);
    for (unsigned bits = 0; bits < 8; bits++) {
        const product p = {.m = 130,
                           .n = 129,
                           .k = 1100,
                           .trans_a = 1,
                           .bf16 = bits & 1,
                           .accumulate = bits >> 1 & 1,
                           .pad = bits >> 2 & 1 ? 5 : 0};
        check_product(&p, &rng);
    }
}

/* Large ones, whose right operand is packed in the call, and one next to them, whose is not. */
static void large_products_match(void **state) {
    (void)state;
    un_rng rng = un_rng_stream(1, "gemm", 3);
    for (unsigned bits = 0; bits < 4; bits++) {
        const product p = {
            .m = bits & 1 ? 520 : 500, .n = 513, .k = 530, .bias = 1, .relu = bits >> 1 & 1};
        check_product(&p, &rng);
    }
}

static void products_match_triple_loops(void **state) {
    (void)state;
    static const size_t sizes[][3] = {{17, 13, 9}, {1, 1, 1},    {1, 7, 3},     {5, 1, 2},
                                      {3, 4, 1},   {33, 65, 31}, {64, 48, 128}, {2, 150, 257}};
    un_rng rng = un_rng_stream(1, "gemm", 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        /* all variants of some shapes, a sample of those of the others: each costs a compilation */
        for (unsigned bits = (unsigned)s; bits < 512; bits += s < 4 ? 1 : 11) {
            product p = {.m = sizes[s][0],
                         .n = sizes[s][1],
                         .k = sizes[s][2],
                         .trans_a = bits & 1,
                         .trans_b = bits >> 1 & 1,
                         .bf16 = bits >> 2 & 1,
                         .bf16_out = bits >> 3 & 1,
                         .bias = bits >> 4 & 1,
                         .relu = bits >> 5 & 1,
                         .accumulate = bits >> 6 & 1,
                         .packed = bits >> 7 & 1,
                         .pad = bits >> 8 & 1 ? 5 : 0};
            if ((p.bf16_out && !p.bf16) || (p.relu && p.accumulate)) continue;
            check_product(&p, &rng);
        }
    }
}

static void empty_products(void **state) {
    (void)state;
    float c[6] = {7, 7, 7, 7, 7, 7}, bias[3] = {1, -2, 3};
    un_gemm_args args = {.m = 0, .n = 3, .k = 2, .c = c};
    util_ok(un_gemm(&args));
    args.m = 2;
    args.n = 0;
    util_ok(un_gemm(&args));
    for (size_t i = 0; i < 6; i++) util_near((double)c[i], 7, 0);
    args = (un_gemm_args){.m = 2, .n = 3, .a = c, .b = c, .c = c, .bias = bias};
    util_ok(un_gemm(&args)); /* an empty sum is 0 */
    for (size_t i = 0; i < 6; i++) util_near((double)c[i], (double)bias[i % 3], 0);
}

enum { EPI_GELU, EPI_SLOPE, EPI_RESIDUAL, EPI_IN_PLACE, EPILOGUES };

/* C of the epilogue where the product and its bias are `sum` and the other array is `other`. */
static double finished(int epilogue, double sum, double other) {
    if (epilogue == EPI_GELU) return sum * 0.5 * erfc(-sum / sqrt(2));
    if (epilogue != EPI_SLOPE) return sum + other;
    return sum *
           (0.5 * erfc(-other / sqrt(2)) + other * exp(-other * other / 2) / sqrt(8 * atan(1)));
}

static void check_epilogue(const product *p, int epilogue, un_rng *rng) {
    operands o = make_operands(p, rng);
    float *other = NULL;
    util_ok(un_alloc(o.c_size, sizeof *other, &other));
    memcpy(other, o.before, o.c_size * sizeof *other);
    if (epilogue == EPI_RESIDUAL) /* C was nothing that may be added */
        for (size_t i = 0; i < o.c_size; i++) o.c[i] = (float)NAN;
    const un_gemm_args args = {.m = p->m,
                               .n = p->n,
                               .k = p->k,
                               .input = p->bf16 ? UN_BF16 : UN_F32,
                               .output = UN_F32,
                               .a = p->bf16 ? (const void *)o.a16 : (const void *)o.a,
                               .b = p->bf16 ? (const void *)o.b16 : (const void *)o.b,
                               .c = o.c,
                               .lda = o.lda,
                               .ldb = o.ldb,
                               .ldc = o.ldc,
                               .bias = o.bias,
                               .gelu = epilogue == EPI_GELU,
                               .linear = epilogue == EPI_GELU ? other : NULL,
                               .gelu_slope = epilogue == EPI_SLOPE ? other : NULL,
                               .residual = epilogue == EPI_RESIDUAL   ? other
                                           : epilogue == EPI_IN_PLACE ? o.c
                                                                      : NULL};
    util_ok(un_gemm(&args));
    for (size_t i = 0; i < p->m * o.ldc; i++) {
        size_t row = i / o.ldc, j = i % o.ldc;
        double sum = j < p->n ? (double)o.bias[j] : 0, size = 0;
        if (j >= p->n) { /* between rows */
            if (epilogue != EPI_RESIDUAL) util_near((double)o.c[i], (double)o.before[i], 0);
            util_near((double)other[i], (double)o.before[i], 0);
            continue;
        }
        for (size_t k = 0; k < p->k; k++) {
            double x = (double)o.a[row * o.lda + k] * (double)o.b[k * o.ldb + j];
            sum += x;
            size += fabs(x);
        }
        double right = finished(epilogue, sum, (double)o.before[i]);
        /* GELU and its slope change by at most 1.13 times what they are taken of does. */
        double eps = (double)FLT_EPSILON * (sqrt((double)p->k) + 8) * 2 * (size + fabs(sum) + 1);
        util_near((double)o.c[i], right, eps + (double)FLT_EPSILON * 8 * fabs(right));
        if (epilogue == EPI_GELU) util_near((double)other[i], sum, eps);
    }
    free(other);
    free_operands(&o);
}

/* What training asks of a product, in both types, with rows that are dense and that are not, and of
 * empty sums. */
static void epilogues_of_training(void **state) {
    (void)state;
    un_rng rng = un_rng_stream(1, "gemm", 4);
    for (int epilogue = 0; epilogue < EPILOGUES; epilogue++)
        for (unsigned bits = 0; bits < 8; bits++) {
            const product p = {.m = 45,
                               .n = 70,
                               .k = bits & 1 ? 0 : 37,
                               .bf16 = bits >> 1 & 1,
                               .pad = bits >> 2 & 1 ? 3 : 0};
            check_epilogue(&p, epilogue, &rng);
        }
}

/* How a product comes and what is done to it, in bits. */
enum { BY_COLUMNS = 1, IS_PACKED = 2, HAS_GAPS = 4, HAS_BIAS = 8, IS_GELU = 16, IS_ADDED = 32 };

static un_gemm_args product_as(unsigned way, size_t n, size_t k, const operands *o,
                               const un_packed *packed) {
    size_t gap = way & HAS_GAPS ? 5 : 0;
    return (un_gemm_args){.n = n,
                          .k = k,
                          .trans_b = way & BY_COLUMNS,
                          .input = UN_F32,
                          .output = UN_F32,
                          .b = packed ? NULL : o->b,
                          .packed = packed,
                          .lda = k + gap,
                          .ldc = n + gap,
                          .bias = way & HAS_BIAS ? o->bias : NULL,
                          .gelu = (way & IS_GELU) != 0,
                          .accumulate = (way & IS_ADDED) != 0};
}

/* Products of rows of A, on 1 to 3 threads, against the same rows of that of all of A on one. */
static void compare_rows(unsigned way, size_t rows, size_t n, size_t k, un_rng *rng) {
    static const size_t counts[] = {1,  2,  3,  4,  5,  7,   8,   9,   13,  24,  31,  49,  61, 75,
                                    76, 78, 88, 98, 99, 124, 147, 149, 162, 185, 193, 196, 217};
    enum { COUNTS = sizeof counts / sizeof *counts };
    operands o = make_operands(
        &(product){.m = rows, .n = n, .k = k, .trans_b = way & 1, .pad = way & HAS_GAPS ? 5 : 0},
        rng);
    float *whole = o.c, *c = NULL;
    un_packed *packed = NULL;
    util_ok(un_alloc(o.c_size, sizeof *c, &c));
    util_ok(unseen_set_threads(1));
    if (way & IS_PACKED)
        util_ok(un_gemm_pack(&packed, UN_F32, way & BY_COLUMNS, 64, n, k, o.b, o.ldb));
    un_gemm_args args = product_as(way, n, k, &o, packed);
    args.ldb = o.ldb;
    args.m = rows;
    args.a = o.a;
    args.c = whole;
    util_ok(un_gemm(&args));
    for (size_t i = 0; i < 3 * COUNTS; i++) {
        size_t m = counts[i / 3], from = un_rng_below(rng, (uint32_t)(rows - m) + 1);
        util_ok(unseen_set_threads((int)(i % 3) + 1));
        memcpy(c, o.before + from * o.ldc, m * o.ldc * sizeof *c);
        args.m = m;
        args.a = o.a + from * o.lda;
        args.c = c;
        util_ok(un_gemm(&args));
        if (memcmp(c, whole + from * o.ldc, m * o.ldc * sizeof *c) != 0)
            fail_msg("%zu rows from %zu on differ: n %zu, k %zu, way %u, %zu threads", m, from, n,
                     k, way, i % 3 + 1);
    }
    util_ok(unseen_set_threads(0));
    un_packed_free(packed);
    free(c);
    free_operands(&o);
}

/* What a row of C is has nothing to do with the others, how many they are, or the threads: the
 * scores of a picture do not depend on the batch that it is in. */
static void rows_do_not_depend_on_each_other(void **state) {
    (void)state;
    /* The last ones: where oneDNN would cut columns, where a transposed B is packed, where B is packed
     * in the call, and long sums, which threads might share. */
    static const size_t sizes[][3] = {
        {530, 1, 700},  {530, 6, 7},     {530, 16, 300},   {530, 50, 150},  {530, 200, 489},
        {530, 256, 65}, {530, 600, 40},  {220, 6050, 16},  {220, 4033, 16}, {220, 11000, 9},
        {1100, 70, 40}, {700, 512, 512}, {300, 128, 1024}, {250, 312, 2048}};
    static const unsigned ways[] = {0,
                                    BY_COLUMNS,
                                    IS_PACKED,
                                    IS_PACKED | BY_COLUMNS | HAS_BIAS,
                                    HAS_GAPS | HAS_BIAS,
                                    HAS_GAPS | IS_ADDED,
                                    HAS_GAPS | BY_COLUMNS | IS_ADDED,
                                    HAS_GAPS | BY_COLUMNS | HAS_BIAS | IS_GELU,
                                    IS_ADDED | BY_COLUMNS};
    un_rng rng = un_rng_stream(1, "gemm", 6);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
            compare_rows(ways[w], sizes[s][0], sizes[s][1], sizes[s][2], &rng);
}

static void wrong_products_are_refused(void **state) {
    (void)state;
    float x[4] = {1, 2, 3, 4}, c[4];
    un_packed *packed = NULL;
    un_gemm_args args = {
        .m = 2, .n = 2, .k = 2, .a = x, .b = x, .c = c, .relu = 1, .accumulate = 1};
    util_fails(un_gemm(&args), UNSEEN_E_ARGUMENT, "unsupported");
    args.relu = 0;
    args.output = UN_BF16;
    assert_int_equal(un_gemm(&args), UNSEEN_E_ARGUMENT);
    args.output = UN_F32;
    args.input = UN_F64;
    assert_int_equal(un_gemm(&args), UNSEEN_E_ARGUMENT);
    args.input = UN_F32;
    util_ok(un_gemm_pack(&packed, UN_F32, 0, 2, 2, 2, x, 0));
    args.packed = packed;
    args.k = 1;
    util_fails(un_gemm(&args), UNSEEN_E_ARGUMENT, "does not fit");
    un_packed_free(packed);
    args.packed = NULL;
    args.k = 2;
    args.a_f32 = 1; /* what f32 products do not know */
    util_fails(un_gemm(&args), UNSEEN_E_ARGUMENT, "unsupported");
    const void *pieces[2] = {x, x};
    float squares[2];
    un_gemm_left *left = NULL;
    util_ok(un_gemm_left_create(&left, 3, 2));
    const un_gemm_args wrong[] = {
        {.a_pieces = pieces},
        {.b_pieces = pieces, .piece_rows = 1, .trans_b = 1},
        {.a_squares = squares, .trans_a = 1},
        {.a_squares = squares, .n = 0},
        {.left = left},
        {.a_sums = squares, .n = 0},
    };
    static const char *const sentences[] = {
        "told apart", "told apart", "waited for", "waited for", "left matrix does not fit",
        "add up"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        args = wrong[i];
        args.input = UN_BF16;
        args.m = args.k = 2;
        args.n = i == 3 || i == 5 ? 0 : 2;
        args.a = args.b = x;
        args.c = c;
        util_fails(un_gemm(&args), UNSEEN_E_ARGUMENT, sentences[i]);
    }
    un_gemm_left_free(left);
    assert_int_equal(un_gemm_pack(&packed, UN_F32, 0, 2, 0, 2, x, 0), UNSEEN_E_ARGUMENT);
}

/* More shapes than the table of primitives holds. */
static void many_shapes(void **state) {
    (void)state;
    un_rng rng = un_rng_stream(1, "gemm", 1);
    for (size_t i = 0; i < 600; i++)
        check_product(&(product){.m = 1 + i % 450, .n = 3, .k = 2}, &rng);
}

enum { BUSY_THREADS = 3, BUSY_SIDE = 256 };

/* One product after the other until *stop, each checked by one element. */
static void *multiply_on_and_on(void *context) {
    atomic_int *stop = context;
    float *a = calloc((size_t)BUSY_SIDE * BUSY_SIDE, sizeof *a);
    float *c = calloc((size_t)BUSY_SIDE * BUSY_SIDE, sizeof *c);
    for (size_t i = 0; i < BUSY_SIDE; i++) a[i * BUSY_SIDE + i] = 2;
    const un_gemm_args args = {
        .m = BUSY_SIDE, .n = BUSY_SIDE, .k = BUSY_SIDE, .a = a, .b = a, .c = c};
    int wrong = 0;
    while (!atomic_load(stop) && !wrong) wrong = un_gemm(&args) || c[BUSY_SIDE + 1] != 4.0f;
    free(a);
    free(c);
    return wrong ? context : NULL;
}

/* The same while there is no moment without a product under way. */
static void many_shapes_beside_others(void **state) {
    (void)state;
    pthread_t thread[BUSY_THREADS];
    atomic_int stop = 0;
    float a[2048] = {0}, c[2048] = {0};
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < 2048; i++) a[i] = 1;
    for (size_t i = 0; i < BUSY_THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, multiply_on_and_on, &stop), 0);
    for (size_t m = 1; m <= 600 && !status; m++) {
        const un_gemm_args args = {.m = m, .n = 2, .k = 2, .a = a, .b = a, .c = c};
        status = un_gemm(&args);
        if (!status && c[2 * m - 1] != 2.0f) status = UNSEEN_E_FORMAT;
    }
    atomic_store(&stop, 1);
    for (size_t i = 0; i < BUSY_THREADS; i++) {
        void *wrong = NULL;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    if (status) fail_msg("status %d: %s", (int)status, un_error());
}

static volatile sig_atomic_t g_signals, g_elsewhere;
static uintptr_t g_stack; /* an address in this thread's */

/* Also counts those whose frame is not on the stack, within what a thread may have of it. */
static void count_signal(int number) {
    int here = number;
    uintptr_t at = (uintptr_t)(volatile int *)&here;
    g_signals++;
    if ((at > g_stack ? at - g_stack : g_stack - at) > 8u << 20) g_elsewhere++;
}

/* Kernels of oneDNN let the stack pointer point into their working memory, which a signal's frame
 * would overwrite: heap and results are as they were, though signals come all the time. */
static void products_under_signals(void **state) {
    (void)state;
    const struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    struct sigaction before;
    const struct itimerval often = {{0, 83}, {0, 83}}, never = {{0, 0}, {0, 0}};
    sigset_t mask, after;
    enum { M = 256, N = 256, K = 2048 };
    un_rng rng = un_rng_stream(1, "gemm", 5);
    float *a = NULL, *b = NULL, *first = NULL, *c = NULL;
    un_bf16 *unused[2] = {0};
    random_matrix(&rng, (size_t)K * M, 0, &a, &unused[0]);
    random_matrix(&rng, (size_t)K * N, 0, &b, &unused[1]);
    util_ok(un_alloc((size_t)M * N, sizeof *first, &first));
    util_ok(un_alloc((size_t)M * N, sizeof *c, &c));
    un_gemm_args args = {.m = M,
                         .n = N,
                         .k = K,
                         .trans_a = 1,
                         .a = a,
                         .b = b,
                         .c = first,
                         .input = UN_F32,
                         .output = UN_F32};
    util_ok(un_gemm(&args));
    args.c = c;
    g_stack = (uintptr_t)&rng;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
    for (int i = 0; i < 100; i++) {
        util_ok(un_gemm(&args));
        assert_memory_equal(c, first, (size_t)M * N * sizeof *c);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(g_signals > 10);
    assert_int_equal(g_elsewhere, 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int s = 1; s < SIGRTMAX; s++)
        assert_int_equal(sigismember(&mask, s), sigismember(&after, s));
    sigaction(SIGALRM, &before, NULL);
    free(a);
    free(b);
    free(first);
    free(c);
    free(unused[0]);
    free(unused[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_match_triple_loops),
        cmocka_unit_test(long_transposed_products_match),
        cmocka_unit_test(large_products_match),
        cmocka_unit_test(empty_products),
        cmocka_unit_test(epilogues_of_training),
        cmocka_unit_test(rows_do_not_depend_on_each_other),
        cmocka_unit_test(wrong_products_are_refused),
        cmocka_unit_test(many_shapes),
        cmocka_unit_test(many_shapes_beside_others),
        cmocka_unit_test(products_under_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
