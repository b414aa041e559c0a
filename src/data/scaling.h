/*
 * scaling.h - from the values that people give of a class to the row that methods take, and the
 * memory of how the classes of a data set went that way, so that a class that is described later
 * goes it, too.
 */
#ifndef UN_DATA_SCALING_H
#define UN_DATA_SCALING_H

#include "base/arena.h"
#include "base/json.h"

typedef enum {
    UN_SCALING_UNIT = 0, /* attributes share a unit; rows were brought to length 1 */
    UN_SCALING_RANGE,    /* each attribute to 0 to 1 over the classes, then rows to length 1 */
    UN_SCALING_AS_GIVEN, /* rows are the values */
    UN_SCALING_COUNT
} un_scaling_kind;

typedef struct {
    un_scaling_kind kind;
    size_t width;                   /* A */
    double *least, *largest, *mean; /* [A] of each attribute's values as given, over the classes */
    char **unknown;                 /* texts that stood for unknown values besides "?" */
    size_t unknown_count;
} un_scaling;

/* Looks at values [C, A] of the data set's classes, all finite. Memory from `arena`. */
un_status un_scaling_measure(un_scaling *scaling, un_scaling_kind kind, const double *values,
                             size_t classes, size_t width, un_arena *arena);
/* Values [A] as given to a row [A], by the same operations for old and new classes: equal values
 * give equal bits. A row of zeros stays one. */
void un_scaling_apply(const un_scaling *scaling, const double *values, float *row);
/* Where x lies between the least and the largest value of attribute i, which are 0 and 1; 0 for
 * all x if these are equal. */
double un_scaling_place(const un_scaling *scaling, size_t i, double x);

/* What files keep besides the numbers: {"kind": "range", "unknown": ["-1"]}. A new reference,
 * NULL without memory. */
json_t *un_scaling_describe(const un_scaling *scaling);
/* The reverse; `numbers` are [A, 3]: least, largest and mean. `where` is for sentences. */
un_status un_scaling_restore(un_scaling *scaling, const json_t *description, const double *numbers,
                             size_t width, const char *where, un_arena *arena);
/* numbers[A, 3] from `arena`. */
un_status un_scaling_numbers(const un_scaling *scaling, un_arena *arena, double **numbers);

#endif
