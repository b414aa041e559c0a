/*
 * alike.c - see alike.h.
 *
 * Unit vectors that are near each other are near along any direction. So the rows are
 * sorted along a random one, and each is compared with its neighbours there only: with C
 * classes that are a few comparisons each instead of C.
 */
#include "data/alike.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/rng.h"

typedef struct {
    double place, length; /* along the direction, of the unit vector; of the row */
    size_t class;
} projected;

static int by_place(const void *a, const void *b) {
    const projected *x = a, *y = b;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

static int by_class(const void *a, const void *b) {
    const size_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

/* Rows that have a direction; returns how many. */
static size_t project(const float *values, size_t C, size_t A, const double *direction,
                      projected *out) {
    size_t n = 0;
    for (size_t c = 0; c < C; c++) {
        double square = 0, dot = 0;
        for (size_t a = 0; a < A; a++) {
            double x = (double)values[c * A + a];
            square += x * x;
            dot += x * direction[a];
        }
        double length = sqrt(square);
        if (length > 0 && isfinite(length)) out[n++] = (projected){dot / length, length, c};
    }
    return n;
}

static int is_near(const float *values, size_t A, const projected *x, const projected *y) {
    double square = 0;
    for (size_t a = 0; a < A; a++) {
        double gap = (double)values[x->class * A + a] / x->length -
                     (double)values[y->class * A + a] / y->length;
        square += gap * gap;
    }
    return square <= UN_ALIKE_DISTANCE * UN_ALIKE_DISTANCE;
}

un_status un_alike_find(const float *values, size_t C, size_t A, size_t most, un_alike *out) {
    projected *rows = NULL;
    double *direction = NULL, square = 0;
    un_status status = UNSEEN_OK;
    *out = (un_alike){0};
    UN_GO(un_alloc(most, sizeof *out->pair, (void *)&out->pair));
    UN_GO(un_alloc(C, sizeof *rows, &rows));
    UN_GO(un_alloc(A, sizeof *direction, &direction));
    un_rng rng = un_rng_stream(1, "alike", 0);
    for (size_t a = 0; a < A; a++) {
        direction[a] = un_rng_normal(&rng);
        square += direction[a] * direction[a];
    }
    for (size_t a = 0; a < A; a++) direction[a] /= sqrt(square);
    size_t n = project(values, C, A, direction, rows);
    qsort(rows, n, sizeof *rows, by_place);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && rows[j].place - rows[i].place <= UN_ALIKE_DISTANCE; j++) {
            size_t a = rows[i].class, b = rows[j].class;
            if (out->count == most || !is_near(values, A, &rows[i], &rows[j])) continue;
            out->pair[out->count][0] = a < b ? a : b;
            out->pair[out->count++][1] = a < b ? b : a;
        }
    if (out->count > 0) qsort(out->pair, out->count, sizeof *out->pair, by_class);
done:
    free(direction);
    free(rows);
    if (status) un_alike_free(out);
    return status;
}

void un_alike_free(un_alike *alike) {
    free(alike->pair);
    *alike = (un_alike){0};
}
