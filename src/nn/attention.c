/* attention.c - see attention.h. */
#include "nn/attention.h"

#include <math.h>

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
                                (unsigned char *)qkv + i * H * un_dtype_size(type), 3 * H, type));
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
                                (unsigned char *)kv + i * H * un_dtype_size(type), 2 * H, type));
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
                                    const un_attention_view *view, const float *dcontext, float *dq,
                                    float *dk) {
    un_attend_args args = arguments(layer, type, view);
    args.dout = dcontext;
    args.dq = dq;
    args.dk = dk;
    args.dv = dk + layer->width;
    args.lddq = args.ldq;
    args.lddk = args.ldk;
    args.probabilities = NULL;
    args.dbias = view->dbias;
    return un_attend_backward_heads(&args);
}

un_status un_attention_project_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows,
                                        const float *dqkv, const un_bf16 *dqkv16, float *dx,
                                        int add) {
    size_t H = layer->width;
    un_dense_gradient g = {.x = x, .dy = dqkv, .dy16 = dqkv16, .rows = rows, .dx = dx, .add = add};
    if (layer->fused) return un_dense_backward(&layer->merged, params, type, &g);
    const un_dense *three[3] = {&layer->query, &layer->key, &layer->value};
    g.lddy = 3 * H;
    for (size_t i = 0; i < 3; i++) {
        g.dy = dqkv + i * H;
        g.dy16 = dqkv16 ? dqkv16 + i * H : NULL;
        UN_TRY(un_dense_backward(three[i], params, type, &g));
        g.add = 1;
    }
    return UNSEEN_OK;
}

un_status un_attention_queries_backward(const un_attention_layer *layer, const un_params *params,
                                        un_dtype type, const void *x, size_t rows, const float *dq,
                                        const un_bf16 *dq16, float *dx, int add) {
    const un_dense_gradient g = {
        .x = x, .dy = dq, .dy16 = dq16, .rows = rows, .dx = dx, .add = add};
    return un_dense_backward(&layer->query, params, type, &g);
}

un_status un_attention_keys_backward(const un_attention_layer *layer, const un_params *params,
                                     un_dtype type, const void *x, size_t rows, const float *dkv,
                                     const un_bf16 *dkv16, float *dx, int add) {
    size_t H = layer->width;
    const un_dense merged = both(layer), *two[2] = {&layer->key, &layer->value};
    un_dense_gradient g = {.x = x, .dy = dkv, .dy16 = dkv16, .rows = rows, .dx = dx, .add = add};
    if (layer->fused) return un_dense_backward(&merged, params, type, &g);
    g.lddy = 2 * H;
    for (size_t i = 0; i < 2; i++) {
        g.dy = dkv + i * H;
        g.dy16 = dkv16 ? dkv16 + i * H : NULL;
        UN_TRY(un_dense_backward(two[i], params, type, &g));
        g.add = 1;
    }
    return UNSEEN_OK;
}
