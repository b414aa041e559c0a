/*
 * test_alike.c - descriptions that differ in length only: found, whatever their order, against a
 * comparison of all with all, and named by the check of a data set.
 */
#include "unit/data_sample.h"

#include "base/rng.h"
#include "data/check/check.h"

enum { CLASSES = 300, WIDTH = 12, MOST = 1000 };

static float g_rows[CLASSES][WIDTH];

static double distance(const float *x, const float *y) {
    double a = 0, b = 0, square = 0;
    for (size_t i = 0; i < WIDTH; i++) {
        a += (double)x[i] * (double)x[i];
        b += (double)y[i] * (double)y[i];
    }
    for (size_t i = 0; i < WIDTH; i++) {
        double gap = (double)x[i] / sqrt(a) - (double)y[i] / sqrt(b);
        square += gap * gap;
    }
    return sqrt(square);
}

/* Rows of all distances around the limit. */
static void test_all_pairs(void **state) {
    (void)state;
    un_alike alike;
    size_t found = 0;
    un_rng rng = un_rng_stream(1, "test", 0);
    un_rng_fill_normal(&rng, &g_rows[0][0], (size_t)CLASSES * WIDTH, 0, 1);
    for (size_t c = CLASSES / 2; c < CLASSES; c++) {
        double factor = exp(4 * un_rng_normal(&rng)),
               noise = pow(10, -2 - 4 * un_rng_uniform(&rng));
        for (size_t i = 0; i < WIDTH; i++)
            g_rows[c][i] = (float)(factor * ((double)g_rows[c - CLASSES / 2][i] +
                                             noise * un_rng_normal(&rng)));
    }
    assert_int_equal(un_alike_find(&g_rows[0][0], CLASSES, WIDTH, MOST, &alike), UNSEEN_OK);
    for (size_t a = 0; a < CLASSES; a++)
        for (size_t b = a + 1; b < CLASSES; b++) {
            if (!(distance(g_rows[a], g_rows[b]) <= UN_ALIKE_DISTANCE)) continue;
            assert_true(found < alike.count);
            assert_int_equal(alike.pair[found][0], a);
            assert_int_equal(alike.pair[found++][1], b);
        }
    assert_int_equal(found, alike.count);
    assert_true(found > 20 && found < CLASSES / 2);
    un_alike_free(&alike);
    assert_int_equal(un_alike_find(&g_rows[0][0], CLASSES, WIDTH, 3, &alike), UNSEEN_OK);
    assert_int_equal(alike.count, 3);
    un_alike_free(&alike);
}

/* Opposite rows and rows of zeros are not alike. */
static void test_not_alike(void **state) {
    (void)state;
    static const float rows[][2] = {{1, 2}, {-1, -2}, {0, 0}, {0, 0}, {2, 1}, {1, 2.01f}};
    un_alike alike;
    assert_int_equal(un_alike_find(&rows[0][0], 6, 2, MOST, &alike), UNSEEN_OK);
    assert_int_equal(alike.count, 0);
    un_alike_free(&alike);
}

static int tells(const json_t *list, const char *what) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strstr(json_string_value(json_array_get(list, i)), what)) return 1;
    return 0;
}

static void test_check(void **state) {
    (void)state;
    un_dataset d = make_dataset();
    float *values = d.semantics[0].values;
    json_t *report = NULL;
    for (size_t a = 0; a < A; a++) {
        values[2 * A + a] = 3 * values[a];
        values[4 * A + a] = values[5 * A + a];
    }
    assert_int_equal(un_dataset_write(&d, g_folder), UNSEEN_OK);
    assert_int_equal(un_check(g_folder, &report), UNSEEN_OK);
    const json_t *warnings = json_object_get(report, "warnings");
    assert_true(tells(warnings, "\"ant\" and \"cat\" in semantics \"att\" differ in length only"));
    assert_false(tells(warnings, "elk")); /* equal rows are an error */
    assert_true(tells(json_object_get(report, "errors"), "\"elk\" and \"fox\" have equal rows"));
    json_decref(report);
    json_decref(d.notes);
    un_arena_free(&d.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pairs),
        cmocka_unit_test(test_not_alike),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
