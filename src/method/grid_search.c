/* grid_search.c - see grid_search.h: the search is gone through anew for every question, since what
 * was tried decides each of its turns. */
#include "method/grid_search.h"

#include <math.h>

typedef struct {
    size_t rows, columns;
    const size_t *tried;
    const double *merit;
    size_t n;
} search;

/* How well a point did; 0 if it was not tried. */
static int find(const search *s, size_t point, double *merit) {
    for (size_t i = 0; i < s->n; i++)
        if (s->tried[i] == point) {
            *merit = isnan(s->merit[i]) ? -INFINITY : s->merit[i];
            return 1;
        }
    return 0;
}

/* The neighbour in one of eight directions; 0 beyond the grid. */
static int neighbour(const search *s, size_t point, size_t step, int direction, size_t *out) {
    static const int rows[] = {-1, 1, 0, 0, -1, 1, -1, 1}, columns[] = {0, 0, -1, 1, -1, 1, 1, -1};
    long row = (long)(point / s->columns) + rows[direction] * (long)step;
    long column = (long)(point % s->columns) + columns[direction] * (long)step;
    if (row < 0 || row >= (long)s->rows || column < 0 || column >= (long)s->columns) return 0;
    *out = (size_t)row * s->columns + (size_t)column;
    return 1;
}

size_t un_grid_search_next(size_t rows, size_t columns, const size_t *tried, const double *merit,
                           size_t n) {
    const search s = {rows, columns, tried, merit, n};
    size_t here = rows / 2 * columns + columns / 2;
    double best = 0;
    if (!find(&s, here, &best)) return here;
    for (size_t step = 2; step > 0;) {
        size_t better = here;
        for (int d = 0; d < 8; d++) {
            size_t point = 0;
            double found = 0;
            if (!neighbour(&s, here, step, d, &point)) continue;
            if (!find(&s, point, &found)) return point;
            if (found > best) {
                best = found;
                better = point;
            }
        }
        if (better == here) step--;
        here = better;
    }
    return rows * columns;
}
