/*
 * grid_search.h - which points of a grid to try where all of them would cost too much.
 */
#ifndef UN_METHOD_GRID_SEARCH_H
#define UN_METHOD_GRID_SEARCH_H

#include <stddef.h>

/* The point to try after the n >= 0 that were tried, of a grid of rows x columns points, row by row;
 * rows * columns when the search is over. It goes from the middle to the best of its eight
 * neighbours for as long as one is better, first two steps away, then one. merit[i] says how well
 * tried[i] did: larger is better, NaN is worst. Depends on its arguments alone. */
size_t un_grid_search_next(size_t rows, size_t columns, const size_t *tried, const double *merit,
                           size_t n);

#endif
