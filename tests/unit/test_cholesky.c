/*
 * test_cholesky.c - products and symmetric systems in double against their definitions,
 * on sizes around the kernels' tiles and blocks.
 */
#include <math.h>

#include "base/parallel.h"
#include "tensor/linear_algebra.h"
#include "util.h"

static void *allocate(size_t count) {
    double *memory = NULL;
    util_ok(un_alloc(count, sizeof *memory, &memory));
    return memory;
}

static double *random_doubles(size_t count, uint64_t seed) {
    un_rng rng = un_rng_stream(seed, "cholesky", 0);
    double *x = allocate(count);
    for (size_t i = 0; i < count; i++) x[i] = un_rng_normal(&rng);
    return x;
}

typedef struct {
    size_t m, n, k;
    int trans_a, trans_b, lower;
    double alpha;
} product_case;

/* A sum of k products is off by at most k + 2 roundings of the sum of their magnitudes. */
static void check_product(const product_case *c) {
    size_t ldc = c->n + 3;
    double *a = random_doubles(c->m * c->k, 1);
    double *b = c->lower ? a : random_doubles(c->k * c->n, 2);
    double *got = random_doubles(c->m * ldc, 3);
    double *before = random_doubles(c->m * ldc, 3);
    const un_gemm64_args args = {.m = c->m,
                                 .n = c->n,
                                 .k = c->k,
                                 .alpha = c->alpha,
                                 .a = a,
                                 .a_row = c->trans_a ? 1 : c->k,
                                 .a_column = c->trans_a ? c->m : 1,
                                 .b = b,
                                 .b_row = c->trans_b ? 1 : c->n,
                                 .b_column = c->trans_b ? c->k : 1,
                                 .c = got,
                                 .ldc = ldc,
                                 .lower = c->lower};
    util_ok(un_gemm64(&args));
    for (size_t i = 0; i < c->m; i++) {
        for (size_t j = 0; j < ldc; j++) {
            double sum = before[i * ldc + j];
            double size = fabs(sum);
            for (size_t p = 0; p < c->k && j < c->n && !(c->lower && j > i); p++) {
                double product = c->alpha * a[i * args.a_row + p * args.a_column] *
                                 b[p * args.b_row + j * args.b_column];
                sum += product;
                size += fabs(product);
            }
            util_near(got[i * ldc + j], sum, 2 * (double)(c->k + 2) * 0x1p-53 * size);
        }
    }
    if (b != a) free(b);
    free(a);
    free(got);
    free(before);
}

static void products(void **state) {
    (void)state;
    static const product_case cases[] = {
        {1, 1, 1, 0, 0, 0, 1},      {12, 16, 256, 0, 0, 0, 1},   {13, 17, 257, 1, 0, 0, -1},
        {97, 193, 5, 0, 1, 0, 2},   {200, 50, 515, 1, 1, 0, -1}, {1, 211, 40, 0, 0, 0, 1},
        {130, 1, 40, 0, 1, 0, 1},   {5, 5, 9, 0, 1, 1, 1},       {101, 101, 30, 0, 1, 1, -1},
        {300, 300, 20, 0, 1, 1, 1}, {7, 9, 0, 0, 0, 0, 1},       {0, 9, 4, 0, 0, 0, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_product(&cases[i]);
}

/* A = M M^T / n + ridge I, whose condition is some hundreds for ridge 0.1. */
static double *make_positive(size_t n, double ridge) {
    double *m = random_doubles(n * n, 4);
    double *a = allocate(n * n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = i == j ? ridge : 0;
            for (size_t p = 0; p < n; p++) sum += m[i * n + p] * m[j * n + p] / (double)n;
            a[i * n + j] = sum;
            a[j * n + i] = i == j ? sum : NAN; /* above the diagonal: never read */
        }
    free(m);
    return a;
}

/* L L^T gives A back, and A y the rows that y solves. */
static void check_system(size_t n, size_t rows) {
    double *a = make_positive(n, 0.1);
    double *l = allocate(n * n);
    double *x = random_doubles(rows * n, 5);
    double *y = allocate(rows * n);
    memcpy(l, a, n * n * sizeof *l);
    memcpy(y, x, rows * n * sizeof *y);
    util_ok(un_cholesky(l, n));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double sum = 0;
            for (size_t p = 0; p <= j; p++) sum += l[i * n + p] * l[j * n + p];
            util_near(sum, a[i * n + j], 8 * (double)n * 0x1p-53);
            if (i != j) assert_true(isnan(l[j * n + i]));
        }
    util_ok(un_cholesky_solve(l, n, y, rows));
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            double sum = 0;
            for (size_t j = 0; j < n; j++)
                sum += (j <= i ? a[i * n + j] : a[j * n + i]) * y[r * n + j];
            util_near(sum, x[r * n + i], 200 * (double)n * 0x1p-53);
        }
    free(a);
    free(l);
    free(x);
    free(y);
}

static void systems(void **state) {
    (void)state;
    static const size_t sizes[][2] = {{1, 1},  {2, 3},    {31, 5},  {32, 1},
                                      {33, 2}, {64, 100}, {97, 40}, {257, 33}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check_system(sizes[i][0], sizes[i][1]);
}

/* The same bytes whatever the number of threads. */
static void threads_do_not_matter(void **state) {
    (void)state;
    enum { SIDE = 150 };
    double *first = make_positive(SIDE, 0.1);
    double *second = make_positive(SIDE, 0.1);
    double *x = random_doubles((size_t)SIDE * SIDE, 6);
    double *y = random_doubles((size_t)SIDE * SIDE, 6);
    util_ok(un_set_threads(1));
    util_ok(un_cholesky(first, SIDE));
    util_ok(un_cholesky_solve(first, SIDE, x, SIDE));
    util_ok(un_set_threads(3));
    util_ok(un_cholesky(second, SIDE));
    util_ok(un_cholesky_solve(second, SIDE, y, SIDE));
    util_ok(un_set_threads(0));
    for (size_t i = 0; i < SIDE; i++)
        assert_memory_equal(first + i * SIDE, second + i * SIDE, (i + 1) * sizeof *first);
    assert_memory_equal(x, y, (size_t)SIDE * SIDE * sizeof *x);
    free(first);
    free(second);
    free(x);
    free(y);
}

static void indefinite_matrices_are_refused(void **state) {
    (void)state;
    static const size_t sizes[] = {3, 40, 90};
    for (size_t k = 0; k < 3; k++) {
        size_t n = sizes[k];
        double *a = make_positive(n, 0.1);
        a[(n - 1) * n + n - 1] = -1;
        util_fails(un_cholesky(a, n), UNSEEN_E_ARGUMENT, "not positive definite");
        free(a);
        a = make_positive(n, 0.1);
        a[0] = NAN;
        util_fails(un_cholesky(a, n), UNSEEN_E_ARGUMENT, "not positive definite");
        free(a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(systems),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(indefinite_matrices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
