/* windows.c - see windows.h. */
#include "nn/windows.h"

#include <string.h>

#include "base/parallel.h"

size_t un_windows_padded(size_t side, size_t window) {
    return (side + window - 1) / window * window;
}

/* Which of three bands a coordinate of the rolled map is in: far from the seam; in the last
 * window before it; behind it. */
static size_t band(size_t at, size_t padded, size_t window, size_t shift) {
    return at < padded - window ? 0 : at < padded - shift ? 1 : 2;
}

/* The windows of map number `map`. */
static void fill(size_t *row, unsigned char *group, size_t map, size_t side, size_t window,
                 size_t shift) {
    size_t padded = un_windows_padded(side, window), across = padded / window;
    size_t tokens = window * window;
    for (size_t i = 0; i < padded * padded; i++) {
        size_t y = i / tokens / across * window + i % tokens / window;
        size_t x = i / tokens % across * window + i % window;
        size_t from_y = (y + shift) % padded, from_x = (x + shift) % padded;
        row[i] = from_y < side && from_x < side ? (map * side + from_y) * side + from_x : UN_NO_ROW;
        if (group)
            group[i] = (unsigned char)(3 * band(y, padded, window, shift) +
                                       band(x, padded, window, shift));
    }
}

un_status un_windows_make(un_arena *arena, size_t maps, size_t side, size_t window, size_t shift,
                          un_windows *out) {
    size_t padded = un_windows_padded(side, window), of_map = padded * padded, *row = NULL;
    unsigned char *group = NULL;
    *out = (un_windows){.rows = maps * of_map};
    UN_TRY(un_arena_alloc(arena, out->rows, sizeof *row, &row));
    if (shift > 0) UN_TRY(un_arena_alloc(arena, out->rows, 1, &group));
    UN_TRY(
        un_sequences_equal(arena, out->rows / (window * window), window * window, &out->sequences));
    for (size_t i = 0; i < maps; i++)
        fill(row + i * of_map, group ? group + i * of_map : NULL, i, side, window, shift);
    out->row = row;
    out->group = group;
    return UNSEEN_OK;
}

typedef struct {
    const un_windows *windows;
    const unsigned char *in;
    unsigned char *out;
    size_t bytes;
} job;

enum { GRAIN = 64 }; /* rows of some hundred numbers that are worth a thread */

static void gather_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) {
        size_t row = j->windows->row[i];
        if (row == UN_NO_ROW)
            memset(j->out + i * j->bytes, 0, j->bytes);
        else
            memcpy(j->out + i * j->bytes, j->in + row * j->bytes, j->bytes);
    }
}

void un_windows_gather(const un_windows *windows, const void *rows, size_t bytes, void *out) {
    job j = {.windows = windows, .in = rows, .out = out, .bytes = bytes};
    un_parallel_for(windows->rows, GRAIN, gather_range, &j);
}

static void scatter_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    for (size_t i = begin; i < end; i++) {
        size_t row = j->windows->row[i];
        if (row != UN_NO_ROW) memcpy(j->out + row * j->bytes, j->in + i * j->bytes, j->bytes);
    }
}

void un_windows_scatter(const un_windows *windows, const void *in, size_t bytes, void *rows) {
    job j = {.windows = windows, .in = in, .out = rows, .bytes = bytes};
    un_parallel_for(windows->rows, GRAIN, scatter_range, &j);
}

size_t un_relative_position(size_t query, size_t key, size_t table_window, size_t window) {
    size_t y = query / window + table_window - 1 - key / window;
    size_t x = query % window + table_window - 1 - key % window;
    return y * (2 * table_window - 1) + x;
}

void un_position_bias(const float *table, size_t table_window, size_t window, size_t heads,
                      float *bias) {
    size_t tokens = window * window;
    for (size_t i = 0; i < tokens * tokens; i++) {
        const float *from =
            table + un_relative_position(i / tokens, i % tokens, table_window, window) * heads;
        for (size_t h = 0; h < heads; h++) bias[h * tokens * tokens + i] = from[h];
    }
}

void un_position_bias_backward(const float *dbias, size_t table_window, size_t window, size_t heads,
                               float *dtable) {
    size_t tokens = window * window;
    for (size_t i = 0; i < tokens * tokens; i++) {
        float *to =
            dtable + un_relative_position(i / tokens, i % tokens, table_window, window) * heads;
        for (size_t h = 0; h < heads; h++) to[h] += dbias[h * tokens * tokens + i];
    }
}
