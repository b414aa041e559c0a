/*
 * windows.h - square maps of tokens cut into square windows, for attention within each
 * window (Liu et al.: "Swin Transformer", ICCV 2021): which token stands where, which
 * tokens of a shifted window are no neighbours, and the bias for relative positions.
 *
 * A map of h x h tokens, rows in row-major order, is filled up with zeros on the right
 * and below to p x p, p the next multiple of the window w; with a shift s it is then
 * rolled, so that token (y, x) of the rolled map is token ((y + s) mod p, (x + s) mod p).
 * Its windows lie one after the other, each in row-major order.
 */
#ifndef UN_NN_WINDOWS_H
#define UN_NN_WINDOWS_H

#include "nn/sequences.h"

/* In the list of rows: beyond the edge, where a zero stands. */
#define UN_NO_ROW SIZE_MAX

typedef struct {
    size_t rows;                /* tokens of all windows: n p^2 */
    un_sequences sequences;     /* one a window, w^2 tokens long */
    const size_t *row;          /* [rows] of the maps, each of which is there once; UN_NO_ROW */
    const unsigned char *group; /* [rows]: equal where tokens of a window are neighbours; NULL:
                                   all are, there is no shift */
} un_windows;

/* p of a map of h x h. */
size_t un_windows_padded(size_t side, size_t window);
/* For n maps of h x h, 0 <= shift < window <= h; the arena owns the lists. */
un_status un_windows_make(un_arena *arena, size_t maps, size_t side, size_t window, size_t shift,
                          un_windows *out);

/* Rows of `bytes` bytes from the maps' order (n h^2) into that of the windows (n p^2), zeros
 * beyond the edge; and back, where those beyond the edge are dropped. */
void un_windows_gather(const un_windows *windows, const void *rows, size_t bytes, void *out);
void un_windows_scatter(const un_windows *windows, const void *in, size_t bytes, void *rows);

/* Which row of a table ((2W - 1)^2, heads) holds the bias of query (y, x) and key (v, u) of a
 * window of w x w, w <= W: (y - v + W - 1)(2W - 1) + x - u + W - 1. */
size_t un_relative_position(size_t query, size_t key, size_t table_window, size_t window);
/* table ((2W - 1)^2, heads) -> bias (heads, w^2, w^2) of all queries and keys. */
void un_position_bias(const float *table, size_t table_window, size_t window, size_t heads,
                      float *bias);
/* Adds to the gradient of the table. */
void un_position_bias_backward(const float *dbias, size_t table_window, size_t window, size_t heads,
                               float *dtable);

#endif
