/* attention.c - multi-head attention, windows and sequences of tokens; see attention.h. */
#include "nn/attention.h"

#include <math.h>
#include <string.h>

#include "base/parallel.h"
#include "nn/naming.h"

/* Weights first, then biases: query, key and value then lie together (unless rounding up a
 * piece leaves a gap) and make one matrix of 3H rows. */
static un_status declare_three(un_attention_layer *layer, un_params *params,
                               const char name[3][UN_NAME_LENGTH]) {
    un_dense *three[3] = {&layer->query, &layer->key, &layer->value};
    size_t H = layer->width;
    for (size_t i = 0; i < 3; i++) {
        *three[i] = (un_dense){.in = H, .out = H};
        UN_TRY(un_params_add_named(params, name[i], ".weight", 2, (size_t[]){H, H},
                                   &three[i]->weight));
    }
    for (size_t i = 0; i < 3; i++)
        UN_TRY(un_params_add_named(params, name[i], ".bias", 1, &H, &three[i]->bias));
    const un_param *item = params->item;
    layer->fused = 1;
    for (size_t i = 1; i < 3; i++)
        if (item[three[i]->weight].offset != item[three[0]->weight].offset + i * H * H ||
            item[three[i]->bias].offset != item[three[0]->bias].offset + i * H)
            layer->fused = 0;
    layer->merged =
        (un_dense){.in = H, .out = 3 * H, .weight = layer->query.weight, .bias = layer->query.bias};
    for (size_t i = 0; i < (layer->fused ? 1 : 3); i++)
        un_param_begins_matrix(params, three[i]->weight, layer->fused ? 3 * H : H, H);
    return UNSEEN_OK;
}

un_status un_attention_declare(un_attention_layer *layer, un_params *params, const char *prefix,
                               const un_attention_names *names, size_t width, size_t heads) {
    const char *const last[4] = {names->query, names->key, names->value, names->output};
    char name[4][UN_NAME_LENGTH];
    if (heads == 0 || width % heads != 0)
        return un_fail(UNSEEN_E_ARGUMENT, "%s: a width of %zu cannot be split into %zu heads",
                       prefix, width, heads);
    *layer = (un_attention_layer){.width = width, .heads = heads};
    for (size_t i = 0; i < 4; i++) UN_TRY(un_name(name[i], "%s%s", prefix, last[i]));
    UN_TRY(declare_three(layer, params, (const char(*)[UN_NAME_LENGTH])name));
    return un_dense_declare(&layer->output, params, name[3], width, width);
}

un_status un_attention_project(const un_attention_layer *layer, const un_params *params,
                               un_dtype type, const void *x, size_t rows, void *qkv) {
    size_t H = layer->width;
    if (layer->fused)
        return un_dense_forward(&layer->merged, params, type, x, rows, UN_DENSE_PLAIN, qkv, 0,
                                type);
    const un_dense *three[3] = {&layer->query, &layer->key, &layer->value};
    for (size_t i = 0; i < 3; i++)
        UN_TRY(un_dense_forward(three[i], params, type, x, rows, UN_DENSE_PLAIN,
                                un_element_at(qkv, type, i * H), 3 * H, type));
    return UNSEEN_OK;
}

/* The layer of keys and values together, where they lie so. */
static un_dense both(const un_attention_layer *layer) {
    size_t H = layer->width;
    return (un_dense){.in = H, .out = 2 * H, .weight = layer->key.weight, .bias = layer->key.bias};
}

un_status un_attention_queries(const un_attention_layer *layer, const un_params *params,
                               un_dtype type, const void *x, size_t rows, void *q) {
    return un_dense_forward(&layer->query, params, type, x, rows, UN_DENSE_PLAIN, q, 0, type);
}

un_status un_attention_keys(const un_attention_layer *layer, const un_params *params, un_dtype type,
                            const void *x, size_t rows, void *kv) {
    size_t H = layer->width;
    const un_dense merged = both(layer), *two[2] = {&layer->key, &layer->value};
    if (layer->fused)
        return un_dense_forward(&merged, params, type, x, rows, UN_DENSE_PLAIN, kv, 0, type);
    for (size_t i = 0; i < 2; i++)
        UN_TRY(un_dense_forward(two[i], params, type, x, rows, UN_DENSE_PLAIN,
                                un_element_at(kv, type, i * H), 2 * H, type));
    return UNSEEN_OK;
}

static un_attend_args arguments(const un_attention_layer *layer, un_dtype type,
                                const un_attention_view *view) {
    size_t H = layer->width, size = H / layer->heads;
    return (un_attend_args){.sequences = view->queries.count,
                            .heads = layer->heads,
                            .size = size,
                            .q_start = view->queries.start,
                            .k_start = view->keys.start,
                            .type = type,
                            .q = view->q,
                            .k = view->k,
                            .v = (const unsigned char *)view->k + H * un_dtype_size(type),
                            .ldq = view->ldq,
                            .ldk = view->ldk,
                            .key_mask = view->key_mask,
                            .bias = view->bias,
                            .group = view->group,
                            .scale = (float)(1.0 / sqrt((double)size)),
                            .dropout = view->dropout,
                            .log_sum = view->log_sum,
                            .probabilities = view->probabilities};
}

un_status un_attention_mix(const un_attention_layer *layer, un_dtype type,
                           const un_attention_view *view, void *context) {
    un_attend_args args = arguments(layer, type, view);
    args.out = context;
    return un_attend_forward(&args);
}

un_status un_attention_mix_backward(const un_attention_layer *layer, un_dtype type,
                                    const un_attention_view *view, const float *dcontext, void *dq,
                                    void *dk) {
    un_attend_args args = arguments(layer, type, view);
    args.dout = dcontext;
    args.dq = dq;
    args.dk = dk;
    args.dv = un_element_at(dk, type, layer->width);
    args.lddq = args.ldq;
    args.lddk = args.ldk;
    args.probabilities = NULL;
    args.dbias = view->dbias;
    return un_attend_backward_heads(&args);
}

/* `count` layers of x, whose gradients lie side by side in dy; as one layer where `merged` is it. */
static un_status linear_backward(const un_dense *merged, const un_dense *const *layers,
                                 size_t count, const un_params *params, un_dtype type,
                                 const void *x, size_t rows, void *dy, float *dx, int add) {
    un_dense_gradient g = {.x = x, .rows = rows, .dx = dx, .add = add};
    if (merged) layers = &merged;
    if (merged) count = 1;
    for (size_t i = 0, at = 0; i < count; at += layers[i++]->out) {
        void *part = un_element_at(dy, type, at);
        g.dy = type == UN_F32 ? part : NULL;
        g.dy16 = type == UN_BF16 ? part : NULL;
        g.lddy = count * layers[i]->out;
        UN_TRY(un_dense_backward(layers[i], params, type, &g));
        g.add = 1;
    }
    return UNSEEN_OK;
}

un_status un_attention_project_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows, void *dqkv,
                                        float *dx, int add) {
    const un_dense *const three[3] = {&layer->query, &layer->key, &layer->value};
    return linear_backward(layer->fused ? &layer->merged : NULL, three, 3, params, type, x, rows,
                           dqkv, dx, add);
}

un_status un_attention_queries_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows, void *dq,
                                        float *dx, int add) {
    return linear_backward(&layer->query, NULL, 1, params, type, x, rows, dq, dx, add);
}

un_status un_attention_keys_backward(const un_attention_layer *layer, const un_params *params,
                                     un_dtype type, const void *x, size_t rows, void *dkv,
                                     float *dx, int add) {
    const un_dense merged = both(layer), *const two[2] = {&layer->key, &layer->value};
    return linear_backward(layer->fused ? &merged : NULL, two, 2, params, type, x, rows, dkv, dx,
                           add);
}

/* ---- windows ---- */

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

/* ---- sequences ---- */

un_status un_sequences_equal(un_arena *arena, size_t count, size_t length, un_sequences *out) {
    size_t *start = NULL;
    UN_TRY(un_arena_alloc(arena, count + 1, sizeof *start, &start));
    for (size_t i = 0; i <= count; i++) start[i] = i * length;
    *out = (un_sequences){count, start};
    return UNSEEN_OK;
}

un_status un_sequences_ragged(un_arena *arena, size_t count, const size_t *length,
                              un_sequences *out) {
    size_t *start = NULL;
    UN_TRY(un_arena_alloc(arena, count + 1, sizeof *start, &start));
    for (size_t i = 0; i < count; i++) start[i + 1] = start[i] + length[i];
    *out = (un_sequences){count, start};
    return UNSEEN_OK;
}
