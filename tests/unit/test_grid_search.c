/*
 * test_grid_search.c - the search finds the top of a hill, tries no point twice, and ends on every
 * grid, flat ones and such without numbers included.
 */
#include <math.h>

#include "method/grid_search.h"
#include "util.h"

enum { MOST = 256 };

typedef double (*surface)(size_t row, size_t column);

/* Tries points until the search is over; returns the best, and how many there were. */
static size_t search(size_t rows, size_t columns, surface f, size_t *count) {
    size_t tried[MOST], best = 0;
    double merit[MOST];
    for (*count = 0;; ++*count) {
        size_t point = un_grid_search_next(rows, columns, tried, merit, *count);
        if (point >= rows * columns) {
            assert_int_equal(point, rows * columns);
            return tried[best];
        }
        for (size_t i = 0; i < *count; i++) assert_true(tried[i] != point);
        tried[*count] = point;
        merit[*count] = f(point / columns, point % columns);
        if (isnan(merit[best]) || merit[*count] > merit[best]) best = *count;
    }
}

static double corner(size_t row, size_t column) { return -(double)row - 2 * (double)column; }
static double ridge(size_t row, size_t column) {
    double across = (double)row - (double)column, along = (double)(row + column) - 11;
    return -10 * across * across - along * along;
}
static double flat(size_t row, size_t column) {
    (void)row;
    (void)column;
    return 0.5;
}
static double nothing(size_t row, size_t column) {
    (void)row;
    (void)column;
    return (double)NAN;
}
/* Nothing is measured in the middle, where the search begins. */
static double hole(size_t row, size_t column) {
    return row == 3 && column == 3 ? (double)NAN : -(double)row;
}

static void finds_the_top(void **state) {
    (void)state;
    size_t count = 0;
    assert_int_equal(search(7, 7, corner, &count), 0);
    assert_true(count < 30);
    size_t top = search(7, 7, ridge, &count);
    assert_true(top == 5 * 7 + 5 || top == 6 * 7 + 6 || top == 5 * 7 + 6 || top == 6 * 7 + 5);
    assert_true(count < 35);
    assert_true(search(7, 7, hole, &count) < 7);
}

static void ends_on_every_grid(void **state) {
    (void)state;
    size_t count = 0;
    for (size_t rows = 1; rows <= 9; rows++)
        for (size_t columns = 1; columns <= 9; columns++) {
            search(rows, columns, flat, &count);
            assert_true(count <= 17);
            search(rows, columns, nothing, &count);
            assert_true(count <= 17);
            size_t best = search(rows, columns, corner, &count);
            assert_int_equal(best, 0);
        }
    search(1, 1, flat, &count);
    assert_int_equal(count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_top),
        cmocka_unit_test(ends_on_every_grid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
