/*
 * test_bf16_ways.c - which way of multiplying bf16 is taken, among such as are made up here to be slow
 * or wrong, and what working memory products leave behind. That the processor's own ways multiply
 * right is looked at in test_bf16.c.
 */
#include <pthread.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/bf16.h"
#include "util.h"

/* ---- the choice among ways ---- */

static const un_bf16_way *way_called(const char *name) {
    const un_bf16_way *way = NULL;
    for (size_t i = 0; (way = un_bf16_way_at(i)); i++)
        if (!strcmp(way->name, name)) return way;
    return NULL;
}

static void portable_block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    un_bf16_moves_baseline.block(a, b, steps, slab, add);
}

static void slow_block(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab, int add) {
    for (int again = 0; again < 10; again++)
        un_bf16_moves_baseline.block(a, b, steps, slab, add && again == 0);
}

/* As if it multiplied by instructions of its own. */
static un_bf16_way native(const char *name, un_bf16_block block) {
    return (un_bf16_way){
        .name = name, .block = block, .moves = &un_bf16_moves_baseline, .native = 1};
}

/* Whether a way has instructions of its own tells nothing about its speed. Ten blocks in the place of
 * one are slow, and the portable way is as fast as itself. */
static void the_fastest_way_is_taken(void **state) {
    (void)state;
    const un_bf16_way slow = native("slow", slow_block), fast = native("fast", portable_block),
                      *portable = way_called("portable"),
                      last = {
                          .name = "last", .block = slow_block, .moves = &un_bf16_moves_baseline};
    const struct {
        un_bf16_way ways[3];
        size_t count;
        const char *name, *taken;
    } cases[] = {
        {{fast, last}, 2, NULL, "fast"},
        {{slow, *portable, last}, 3, NULL, "portable"},
        {{fast, *portable, last}, 3, NULL, "portable"},
        {{slow, fast, last}, 3, NULL, "fast"},
        {{fast, slow, last}, 3, NULL, "fast"},
        {{slow, fast, *portable}, 3, "slow", "slow"},
        {{fast, last}, 2, "last", "last"},
        {{fast, last}, 2, "no such way", "fast"},
        {{fast, last}, 2, "", "fast"},
        {{slow}, 1, NULL, "slow"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int again = 0; again < 5; again++)
            assert_string_equal(un_bf16_choose(cases[i].ways, cases[i].count, cases[i].name)->name,
                                cases[i].taken);
}

/* ---- ways that multiply wrongly ---- */

static void off_in_one_place(const un_bf16 *a, const un_bf16 *b, size_t steps, float *slab,
                             int add) {
    un_bf16_moves_baseline.block(a, b, steps, slab, add);
    slab[BF16_PANEL] += 0.01f;
}

static void off_in_sign(const un_bf16 *a, size_t steps, float *out) {
    un_bf16_moves_baseline.widen_left(a, steps, out);
    out[0] = -out[0];
}

static void without_last_column(const un_bf16 *in, size_t ld, size_t rows, size_t columns,
                                un_bf16 *tile) {
    un_bf16_moves_baseline.copy_rows(in, ld, rows, columns - 1, tile);
}

static void without_last_row(const un_bf16 *in, size_t ld, size_t rows, size_t columns,
                             un_bf16 *tile) {
    un_bf16_moves_baseline.pair_rows(in, ld, rows - 1, columns, tile);
}

static void only_inside(const un_bf16_output *out, const float *slab, size_t i, size_t j) {
    if (j + BF16_PANEL <= out->n) un_bf16_moves_baseline.finish(out, slab, i, j);
}

static char g_said[2048];

static void keep_message(unseen_log_level level, const char *message, void *user) {
    (void)level;
    (void)user;
    size_t used = strlen(g_said);
    snprintf(g_said + used, sizeof g_said - used, "%s\n", message);
}

/* Wherever on its way a product goes wrong, the next way is taken, and people are told. */
static void a_wrong_way_is_not_taken(void **state) {
    (void)state;
    un_bf16_moves moves[5];
    un_bf16_way wrong[5];
    const un_bf16_way *portable = way_called("portable");
    for (size_t i = 0; i < 5; i++) moves[i] = un_bf16_moves_baseline;
    moves[1].widen_left = off_in_sign;
    moves[2].copy_rows = without_last_column;
    moves[3].pair_rows = without_last_row;
    moves[4].finish = only_inside;
    un_set_log(keep_message, NULL);
    for (size_t i = 0; i < 5; i++) {
        wrong[i] = (un_bf16_way){.name = "wrong", .block = moves[i].block, .moves = &moves[i]};
        if (i == 0) wrong[i].block = off_in_one_place;
        wrong[i].native = i == 0;
        const un_bf16_way ways[] = {wrong[i], *portable};
        for (int named = 0; named < 2; named++) {
            *g_said = 0;
            const un_bf16_way *taken = un_bf16_choose(ways, 2, named ? "wrong" : NULL);
            assert_string_equal(taken->name, "portable");
            assert_string_equal(g_said,
                                "this processor's wrong multiplies bf16 wrongly; it is not used\n");
        }
    }
    *g_said = 0;
    assert_ptr_equal(un_bf16_choose(wrong, 5, NULL), &wrong[4]); /* there is no other */
    assert_non_null(strstr(g_said, "no way to multiply bf16 is right"));
    un_set_log(NULL, NULL);
}

/* ---- working memory ---- */

/* Bytes that this process has written to and that no file holds. */
static size_t memory_in_use(void) {
    char line[256];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    while (f && !kib && fgets(line, sizeof line, f))
        if (sscanf(line, "Anonymous: %lu kB", &kib) != 1) kib = 0;
    if (f) fclose(f);
    return (size_t)kib << 10;
}

static void multiply_ones(size_t m, size_t n, size_t k) {
    un_bf16 *a = NULL, *b = NULL;
    float *c = NULL;
    util_ok(un_alloc(m * k, sizeof *a, &a));
    util_ok(un_alloc(k * n, sizeof *b, &b));
    util_ok(un_alloc(m * n, sizeof *c, &c));
    for (size_t i = 0; i < m * k; i++) a[i] = un_bf16_from_float(1);
    for (size_t i = 0; i < k * n; i++) b[i] = un_bf16_from_float(1);
    const un_gemm_args args = {
        .m = m, .n = n, .k = k, .input = UN_BF16, .output = UN_F32, .a = a, .b = b, .c = c};
    util_ok(un_gemm(&args));
    for (size_t i = 0; i < m * n; i++) assert_true(c[i] == (float)k);
    free(a);
    free(b);
    free(c);
}

/* What is in use beside what was, after one small product, a large one, and many small ones. */
static void *products_of_a_thread(void *context) {
    size_t *kept = context, before = memory_in_use();
    multiply_ones(5, 6, 7);
    kept[0] = memory_in_use() - before;
    multiply_ones(400, 2048, 4096); /* more than a block of rows: B's panels alone are 16 MiB */
    kept[1] = memory_in_use() - before;
    for (int i = 0; i < 3000; i++) multiply_ones(5, 6, 7);
    kept[2] = memory_in_use() - before;
    return NULL;
}

/* A thread keeps working memory of its own, as much as its products need, and leaves none. */
static void working_memory_is_given_back(void **state) {
    (void)state;
    pthread_t thread;
    size_t kept[3] = {0};
    util_ok(un_set_threads(1)); /* a pool takes memory, too */
    multiply_ones(5, 6, 7);     /* what stays with the process */
    const size_t before = memory_in_use();
    if (before == 0 || UTIL_SHADOWED) {
        print_message("no account of memory here\n");
        return;
    }
    assert_int_equal(pthread_create(&thread, NULL, products_of_a_thread, kept), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    util_ok(un_set_threads(0));
    assert_in_range(kept[0], 0, 512 << 10);
    assert_in_range(kept[1], 16 << 20, 20 << 20);
    assert_in_range(kept[2], 0, 1 << 20);
    assert_in_range(memory_in_use(), 0, before + (1 << 20));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fastest_way_is_taken),
        cmocka_unit_test(a_wrong_way_is_not_taken),
        cmocka_unit_test(working_memory_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
