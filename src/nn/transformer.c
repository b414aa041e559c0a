/* transformer.c - blocks and stacks of them, forward and backward; see transformer.h. */
#include "nn/transformer.h"

#include <string.h>

#include "nn/naming.h"
#include "tensor/kernels.h"

un_status un_block_declare(un_block *block, un_params *params, const char *prefix,
                           const un_block_names *names, const un_block_config *config) {
    const char *const last[4] = {names->norm1, names->inner, names->outer, names->norm2};
    char name[4][UN_NAME_LENGTH];
    for (size_t i = 0; i < 4; i++) UN_TRY(un_name(name[i], "%s%s", prefix, last[i]));
    size_t H = config->width, I = config->inner;
    block->config = *config;
    UN_TRY(un_attention_declare(&block->attention, params, prefix, &names->attention, H,
                                config->heads));
    UN_TRY(un_norm_declare(&block->norm1, params, name[0], H, config->eps));
    UN_TRY(un_dense_declare(&block->inner, params, name[1], H, I));
    UN_TRY(un_dense_declare(&block->outer, params, name[2], I, H));
    return un_norm_declare(&block->norm2, params, name[3], H, config->eps);
}

un_dropout un_dropout_make(const un_dropout_source *source, float probability, const char *site,
                           size_t layer) {
    if (probability <= 0) return (un_dropout){0};
    un_rng rng = un_rng_stream(source->seed, site, source->draw << 16 | layer);
    return (un_dropout){
        .probability = probability, .seed = rng.seed, .stream = rng.stream, .rows = source->rows};
}

un_status un_block_state_create(const un_block_config *config, un_dtype type, size_t rows,
                                size_t windowed, int training, un_arena *arena,
                                un_block_state *out) {
    size_t H = config->width, I = config->inner, f = sizeof(float), o = un_dtype_size(type);
    size_t attended = windowed > 0 ? windowed : rows;
    *out = (un_block_state){.training = training};
    if (config->pre_norm || type == UN_BF16) {
        UN_TRY(un_arena_alloc(arena, attended * H, o, &out->in));
        UN_TRY(un_arena_alloc(arena, rows * H, o, &out->middle_operand));
    }
    if (windowed > 0) UN_TRY(un_arena_alloc(arena, windowed * H, o, &out->other));
    UN_TRY(un_arena_alloc(arena, attended * 3 * H, o, &out->qkv));
    UN_TRY(un_arena_alloc(arena, rows * H, o, &out->context));
    UN_TRY(un_arena_alloc(arena, rows * I, o, &out->active));
    if (training || !config->pre_norm) UN_TRY(un_arena_alloc(arena, rows * H, f, &out->sum1));
    if (!config->pre_norm) {
        UN_TRY(un_arena_alloc(arena, rows * H, f, &out->middle));
        UN_TRY(un_arena_alloc(arena, rows * H, f, &out->sum2));
    }
    if (!training) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(arena, rows * I, o, &out->hidden));
    UN_TRY(un_arena_alloc(arena, attended * config->heads, f, &out->log_sum));
    UN_TRY(un_arena_alloc(arena, rows, f, &out->norm1.mean));
    UN_TRY(un_arena_alloc(arena, rows, f, &out->norm1.inverse));
    UN_TRY(un_arena_alloc(arena, rows, f, &out->norm2.mean));
    return un_arena_alloc(arena, rows, f, &out->norm2.inverse);
}

size_t un_block_state_bytes(const un_block_config *config, un_dtype type, size_t rows,
                            size_t windowed) {
    size_t H = config->width, I = config->inner, f = sizeof(float), o = un_dtype_size(type);
    size_t attended = windowed > 0 ? windowed : rows;
    size_t operand = config->pre_norm || type == UN_BF16 ? H : 0;
    size_t floats = (config->pre_norm ? 1 : 3) * H + 4;
    return rows * ((H + operand + 2 * I) * o + floats * f) +
           attended * ((3 * H + operand) * o + config->heads * f) + windowed * H * o;
}

un_status un_block_scratch_create(const un_block_config *config, un_dtype type, size_t rows,
                                  size_t windowed, un_arena *arena, un_block_scratch *out) {
    size_t H = config->width, I = config->inner, f = sizeof(float), o = un_dtype_size(type);
    size_t attended = windowed > 0 ? windowed : rows;
    *out = (un_block_scratch){0};
    UN_TRY(un_arena_alloc(arena, attended * H, f, &out->masked));
    UN_TRY(un_arena_alloc(arena, rows * H, f, &out->dcontext));
    UN_TRY(un_arena_alloc(arena, rows * I, o, &out->dhidden));
    UN_TRY(un_arena_alloc(arena, attended * 3 * H, o, &out->dqkv));
    return type == UN_BF16 ? un_arena_alloc(arena, rows * H, o, &out->row16) : UNSEEN_OK;
}

un_status un_query_subset_reserve(un_query_subset *subset, size_t width, un_dtype type,
                                  int training, un_arena *arena) {
    size_t W = un_sequence_rows(&subset->sequences), o = un_dtype_size(type), f = sizeof(float);
    subset->dquery = NULL;
    UN_TRY(un_arena_alloc(arena, W * width, o, &subset->operand));
    UN_TRY(un_arena_alloc(arena, W * width, o, &subset->query));
    UN_TRY(un_arena_alloc(arena, W * width, f, &subset->x));
    return training ? un_arena_alloc(arena, W * width, o, &subset->dquery) : UNSEEN_OK;
}

/* Rows that a block computes beyond its keys and values. */
static size_t own_rows(const un_pass_context *c) {
    return un_sequence_rows(c->subset ? &c->subset->sequences : &c->sequences);
}

enum { SITE_ATTENTION, SITE_ATTENTION_OUTPUT, SITE_OUTPUT, SITES };

static un_dropout mask_of(const un_pass_context *c, const char *site, size_t layer, size_t place) {
    float p = place == SITE_ATTENTION ? c->dropout.attention : c->dropout.hidden;
    un_dropout mask = un_dropout_make(&c->dropout, p, site, layer * SITES + place);
    if (c->subset) mask.rows = c->subset->rows;
    return mask;
}

/* out = residual + dropout(x W^T + b). */
static un_status add_residual(const un_dense *layer, const un_pass_context *c, const void *x,
                              const un_dropout *dropout, const float *residual, float *out) {
    size_t rows = own_rows(c);
    if (dropout->probability > 0) {
        UN_TRY(
            un_dense_forward(layer, c->params, c->type, x, rows, UN_DENSE_PLAIN, out, 0, UN_F32));
        un_dropout_rows(dropout, out, residual, rows, layer->out);
        return UNSEEN_OK;
    }
    return un_dense_forward_add(layer, c->params, c->type, x, rows, residual, out);
}

/* x (R, width) of each map times its factor. */
static void scale_maps(const un_pass_context *c, float *x, size_t width) {
    size_t count = un_sequence_rows(&c->sequences) / c->maps * width;
    for (size_t i = 0; i < c->maps; i++) un_scale(c->drop_path[i], x + i * count, count);
}

/* LN into the operand, and into y where it is in the subset. In f32 the operand may be y itself. */
static void normalize(const un_norm *norm, const un_pass_context *c, const float *x, float *y,
                      void *operand, const un_block_state *state, const un_norm_state *kept) {
    size_t rows = own_rows(c);
    const un_norm_state *keep = state->training ? kept : NULL;
    if (c->type == UN_BF16)
        un_norm_forward(norm, c->params, x, rows, y, operand, keep);
    else
        un_norm_forward(norm, c->params, x, rows, y ? y : operand, NULL, keep);
}

/* Rows that take part in attention. */
static size_t attended_rows(const un_pass_context *c) {
    return c->windows ? c->windows->rows : un_sequence_rows(&c->sequences);
}

/* `bytes` a row: out[i] = x[row[i]]. */
static void pick_rows(const un_query_subset *subset, const void *x, size_t bytes, void *out) {
    for (size_t i = 0; i < un_sequence_rows(&subset->sequences); i++)
        memcpy((unsigned char *)out + i * bytes, (const unsigned char *)x + subset->row[i] * bytes,
               bytes);
}

/* Queries of the rows of the subset, keys and values of all. */
static un_status project_subset(const un_block *block, const un_pass_context *c, const float *x,
                                const void *operand, void *qkv) {
    const un_query_subset *subset = c->subset;
    size_t H = block->config.width;
    pick_rows(subset, x, H * sizeof *x, subset->x);
    pick_rows(subset, operand, H * un_dtype_size(c->type), subset->operand);
    UN_TRY(un_attention_queries(&block->attention, c->params, c->type, subset->operand, own_rows(c),
                                subset->query));
    return un_attention_keys(&block->attention, c->params, c->type, operand,
                             un_sequence_rows(&c->sequences), qkv);
}

static un_attention_view view_of(const un_block *block, const un_pass_context *c, const char *site,
                                 size_t layer, const un_block_state *state) {
    const un_query_subset *subset = c->subset;
    const un_sequences *all = c->windows ? &c->windows->sequences : &c->sequences;
    size_t H = block->config.width;
    return (un_attention_view){.queries = subset ? subset->sequences : *all,
                               .keys = *all,
                               .q = subset ? subset->query : state->qkv,
                               .k = subset ? state->qkv : un_element_at(state->qkv, c->type, H),
                               .ldq = subset ? H : 3 * H,
                               .ldk = subset ? 2 * H : 3 * H,
                               .key_mask = c->key_mask,
                               .bias = c->bias,
                               .group = c->windows ? c->windows->group : NULL,
                               .dropout = mask_of(c, site, layer, SITE_ATTENTION),
                               .log_sum = state->log_sum,
                               .probabilities = state->probabilities};
}

static un_status attention_forward(const un_block *block, const un_pass_context *c,
                                   const char *site, size_t layer, const float *x,
                                   un_block_state *state, float *sum) {
    size_t rows = un_sequence_rows(&c->sequences);
    size_t bytes = block->config.width * un_dtype_size(c->type);
    const un_query_subset *subset = c->subset;
    const void *operand = state->in;
    if (block->config.pre_norm)
        normalize(&block->norm1, c, x, NULL, c->windows ? state->other : state->in, state,
                  &state->norm1);
    else if (c->type == UN_BF16)
        un_convert_to_bf16(x, state->in, rows * block->config.width);
    else
        operand = x;
    if (c->windows) un_windows_gather(c->windows, state->other, bytes, state->in);
    if (subset)
        UN_TRY(project_subset(block, c, x, operand, state->qkv));
    else
        UN_TRY(un_attention_project(&block->attention, c->params, c->type, operand,
                                    attended_rows(c), state->qkv));
    const un_attention_view view = view_of(block, c, site, layer, state);
    UN_TRY(un_attention_mix(&block->attention, c->type, &view,
                            c->windows ? state->other : state->context));
    if (c->windows) un_windows_scatter(c->windows, state->other, bytes, state->context);
    un_dropout mask = mask_of(c, site, layer, SITE_ATTENTION_OUTPUT);
    if (!c->drop_path)
        return add_residual(&block->attention.output, c, state->context, &mask,
                            subset ? subset->x : x, sum);
    UN_TRY(un_dense_forward(&block->attention.output, c->params, c->type, state->context, rows,
                            UN_DENSE_PLAIN, sum, 0, UN_F32));
    un_dropout_rows(&mask, sum, NULL, rows, block->config.width);
    scale_maps(c, sum, block->config.width);
    un_add(x, sum, rows * block->config.width);
    return UNSEEN_OK;
}

/* operand (R, H) -> y = residual + FF(operand). */
static un_status feed_forward(const un_block *block, const un_pass_context *c, const char *site,
                              size_t layer, const void *operand, const float *residual,
                              un_block_state *state, float *y) {
    size_t rows = own_rows(c);
    UN_TRY(un_dense_forward_gelu(&block->inner, c->params, c->type, operand, rows, state->hidden,
                                 state->active));
    if (!y) return UNSEEN_OK;
    un_dropout mask = mask_of(c, site, layer, SITE_OUTPUT);
    return add_residual(&block->outer, c, state->active, &mask, residual, y);
}

un_status un_block_forward(const un_block *block, const un_pass_context *c, const char *site,
                           size_t layer, const float *x, un_block_state *state, float *y) {
    if (block->config.pre_norm && c->subset)
        return un_fail(UNSEEN_E_ARGUMENT, "rows are wanted of a block that normalises first");
    if (block->config.pre_norm) {
        float *sum = state->training ? state->sum1 : y;
        UN_TRY(attention_forward(block, c, site, layer, x, state, sum));
        normalize(&block->norm2, c, sum, NULL, state->middle_operand, state, &state->norm2);
        return feed_forward(block, c, site, layer, state->middle_operand, sum, state, y);
    }
    UN_TRY(attention_forward(block, c, site, layer, x, state, state->sum1));
    normalize(&block->norm1, c, state->sum1, state->middle, state->middle_operand, state,
              &state->norm1);
    const void *operand = c->type == UN_BF16 ? state->middle_operand : (void *)state->middle;
    UN_TRY(feed_forward(block, c, site, layer, operand, state->middle, state, state->sum2));
    normalize(&block->norm2, c, state->sum2, y, NULL, state, &state->norm2);
    return UNSEEN_OK;
}

/* The gradient that reaches a sublayer's last linear layer: d behind its dropout mask and, if
 * `drop_path`, the factors of maps, and the bf16 copy. */
static const float *through_mask(const un_pass_context *c, const un_dropout *mask, int drop_path,
                                 const float *d, size_t width, un_block_scratch *scratch) {
    size_t rows = own_rows(c);
    if (mask->probability > 0 || drop_path) {
        un_copy(d, scratch->masked, rows * width);
        un_dropout_rows(mask, scratch->masked, NULL, rows, width);
        if (drop_path) scale_maps(c, scratch->masked, width);
        d = scratch->masked;
    }
    if (c->type == UN_BF16) un_convert_to_bf16(d, scratch->row16, rows * width);
    return d;
}

/* dx (R, H) of the operand; added to if `add`. */
static un_status feed_forward_backward(const un_block *block, const un_pass_context *c,
                                       const un_dropout *mask, const void *operand,
                                       const un_block_state *state, un_block_scratch *scratch,
                                       const float *d, float *dx, int add) {
    size_t rows = own_rows(c);
    int bf16 = c->type == UN_BF16;
    const un_dense_gradient outer = {.x = state->active,
                                     .dy =
                                         through_mask(c, mask, 0, d, block->config.width, scratch),
                                     .dy16 = scratch->row16,
                                     .rows = rows,
                                     .dx = bf16 ? NULL : scratch->dhidden,
                                     .linear = state->hidden,
                                     .dx16 = bf16 ? scratch->dhidden : NULL};
    UN_TRY(un_dense_backward(&block->outer, c->params, c->type, &outer));
    const un_dense_gradient inner = {.x = operand,
                                     .dy = bf16 ? NULL : scratch->dhidden,
                                     .dy16 = bf16 ? scratch->dhidden : NULL,
                                     .rows = rows,
                                     .dx = dx,
                                     .add = add};
    return un_dense_backward(&block->inner, c->params, c->type, &inner);
}

/* From the gradients of queries, keys and values, and that of the rows of the subset behind the
 * residual in d, to the input's in d. */
static un_status subset_backward(const un_block *block, const un_pass_context *c,
                                 const void *operand, const un_block_scratch *scratch, float *d) {
    const un_query_subset *subset = c->subset;
    size_t W = own_rows(c), H = block->config.width;
    un_copy(d, subset->x, W * H);
    UN_TRY(un_attention_queries_backward(&block->attention, c->params, c->type, subset->operand, W,
                                         subset->dquery, subset->x, 1));
    UN_TRY(un_attention_keys_backward(&block->attention, c->params, c->type, operand,
                                      un_sequence_rows(&c->sequences), scratch->dqkv, d, 0));
    for (size_t i = 0; i < W; i++) un_axpy(1, subset->x + i * H, d + subset->row[i] * H, H);
    return UNSEEN_OK;
}

/* dx (R, H) of the projections' operand; added to if `add`. */
static un_status attention_backward(const un_block *block, const un_pass_context *c,
                                    const char *site, size_t layer, const void *operand,
                                    const un_block_state *state, un_block_scratch *scratch,
                                    const float *d, float *dx, int add) {
    size_t H = block->config.width;
    const un_attention_layer *layers = &block->attention;
    un_dropout mask = mask_of(c, site, layer, SITE_ATTENTION_OUTPUT);
    const un_dense_gradient output = {
        .x = state->context,
        .dy = through_mask(c, &mask, c->drop_path != NULL, d, H, scratch),
        .dy16 = scratch->row16,
        .rows = own_rows(c),
        .dx = scratch->dcontext};
    UN_TRY(un_dense_backward(&layers->output, c->params, c->type, &output));
    un_attention_view view = view_of(block, c, site, layer, state);
    size_t attended = attended_rows(c);
    float *dcontext = scratch->dcontext, *din = dx;
    view.dbias = c->dbias;
    if (c->windows) {
        dcontext = din = scratch->masked;
        un_windows_gather(c->windows, scratch->dcontext, H * sizeof *dcontext, dcontext);
    }
    UN_TRY(un_attention_mix_backward(layers, c->type, &view, dcontext,
                                     c->subset ? c->subset->dquery : scratch->dqkv,
                                     un_element_at(scratch->dqkv, c->type, c->subset ? 0 : H)));
    if (c->subset) return subset_backward(block, c, operand, scratch, dx);
    UN_TRY(un_attention_project_backward(layers, c->params, c->type, operand, attended,
                                         scratch->dqkv, din, add));
    if (c->windows) un_windows_scatter(c->windows, din, H * sizeof *din, dx);
    return UNSEEN_OK;
}

static un_status pre_norm_backward(const un_block *block, const un_pass_context *c,
                                   const char *site, size_t layer, const float *x,
                                   const un_block_state *state, un_block_scratch *scratch,
                                   float *d) {
    size_t rows = un_sequence_rows(&c->sequences);
    un_dropout mask = mask_of(c, site, layer, SITE_OUTPUT);
    float *dnorm = scratch->dcontext; /* free whenever a sublayer's input gradient is written */
    UN_TRY(
        feed_forward_backward(block, c, &mask, state->middle_operand, state, scratch, d, dnorm, 0));
    un_norm_backward(&block->norm2, c->params, state->sum1, rows, &state->norm2, dnorm, d, 1);
    UN_TRY(attention_backward(block, c, site, layer, state->in, state, scratch, d, dnorm, 0));
    un_norm_backward(&block->norm1, c->params, x, rows, &state->norm1, dnorm, d, 1);
    return UNSEEN_OK;
}

static un_status post_norm_backward(const un_block *block, const un_pass_context *c,
                                    const char *site, size_t layer, const float *x,
                                    const un_block_state *state, un_block_scratch *scratch,
                                    float *d) {
    size_t rows = own_rows(c);
    int bf16 = c->type == UN_BF16;
    const void *in = bf16 ? state->in : (const void *)x;
    const void *middle = bf16 ? state->middle_operand : (const void *)state->middle;
    un_dropout mask = mask_of(c, site, layer, SITE_OUTPUT);
    un_norm_backward(&block->norm2, c->params, state->sum2, rows, &state->norm2, d, d, 0);
    UN_TRY(feed_forward_backward(block, c, &mask, middle, state, scratch, d, d, 1));
    un_norm_backward(&block->norm1, c->params, state->sum1, rows, &state->norm1, d, d, 0);
    return attention_backward(block, c, site, layer, in, state, scratch, d, d, 1);
}

un_status un_block_backward(const un_block *block, const un_pass_context *c, const char *site,
                            size_t layer, const float *x, const un_block_state *state,
                            un_block_scratch *scratch, float *d) {
    if (block->config.pre_norm)
        return pre_norm_backward(block, c, site, layer, x, state, scratch, d);
    return post_norm_backward(block, c, site, layer, x, state, scratch, d);
}

/* ---- a stack of blocks over one batch ---- */

un_status un_encoder_pass_create(un_encoder_pass *pass, const un_encoder *encoder, un_dtype type,
                                 int training, int recompute) {
    *pass = (un_encoder_pass){
        .encoder = encoder, .type = type, .training = training, .recompute = recompute};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&pass->arena, encoder->layers + 1, sizeof *pass->x, &pass->x));
    UN_GO(un_arena_alloc(&pass->arena, encoder->layers + 1, sizeof *pass->state, &pass->state));
    UN_GO(un_arena_alloc(&pass->arena, encoder->layers + 1, sizeof *pass->probabilities,
                         &pass->probabilities));
done:
    if (status) un_encoder_pass_free(pass);
    return status;
}

void un_encoder_pass_free(un_encoder_pass *pass) {
    un_arena_free(&pass->rows_arena);
    un_arena_free(&pass->arena);
    *pass = (un_encoder_pass){0};
}

/* How many blocks, the last ones, keep all of their activations. */
static size_t blocks_kept(const un_encoder_pass *pass, size_t rows) {
    const un_encoder *e = pass->encoder;
    if (!pass->training) return 0;
    if (!pass->recompute) return e->layers;
    size_t bytes = un_block_state_bytes(&e->block[0].config, pass->type, rows, 0);
    /* One more state serves the others in turn. */
    size_t states = bytes > 0 ? pass->budget / bytes : 0;
    if (states >= e->layers) return e->layers;
    return states > 0 ? states - 1 : 0;
}

static un_status allocate(un_encoder_pass *pass, size_t rows) {
    const un_encoder *e = pass->encoder;
    un_arena *a = &pass->rows_arena;
    if (e->layers == 0) return un_fail(UNSEEN_E_ARGUMENT, "an encoder without layers");
    const un_block_config *config = &e->block[0].config;
    for (size_t l = 0; l <= e->layers; l++) {
        if (l > 0 && !pass->training)
            pass->x[l] = pass->x[0];
        else
            UN_TRY(un_arena_alloc(a, rows * config->width, sizeof(float), &pass->x[l]));
    }
    pass->kept = blocks_kept(pass, rows);
    size_t states = pass->kept < e->layers ? pass->kept + 1 : e->layers;
    for (size_t l = 0; l < states; l++)
        UN_TRY(
            un_block_state_create(config, pass->type, rows, 0, pass->training, a, &pass->state[l]));
    if (pass->training)
        UN_TRY(un_block_scratch_create(config, pass->type, rows, 0, a, &pass->scratch));
    pass->rows = rows;
    return UNSEEN_OK;
}

un_status un_encoder_pass_reserve(un_encoder_pass *pass, size_t rows) {
    if (rows <= pass->rows) return UNSEEN_OK;
    un_arena_free(&pass->rows_arena);
    pass->rows = 0;
    return allocate(pass, rows);
}

static int is_kept(const un_encoder_pass *pass, size_t layer) {
    return layer >= pass->encoder->layers - pass->kept;
}

static un_block_state *state_of(un_encoder_pass *pass, size_t layer) {
    size_t first = pass->encoder->layers - pass->kept;
    un_block_state *state = &pass->state[is_kept(pass, layer) ? layer - first : pass->kept];
    state->probabilities = pass->probabilities[layer];
    return state;
}

un_status un_encoder_forward(un_encoder_pass *pass, const un_pass_context *context) {
    const un_encoder *e = pass->encoder;
    if (un_sequence_rows(&context->sequences) > pass->rows || context->type != pass->type)
        return un_fail(UNSEEN_E_ARGUMENT, "the encoder's pass was not made for this batch");
    if (!pass->training && (context->dropout.hidden > 0 || context->dropout.attention > 0))
        return un_fail(UNSEEN_E_ARGUMENT, "dropout belongs to training");
    for (size_t l = 0; l < e->layers; l++)
        UN_TRY(un_block_forward(&e->block[l], context, e->site, l, pass->x[l], state_of(pass, l),
                                pass->x[l + 1]));
    return UNSEEN_OK;
}

un_status un_encoder_backward(un_encoder_pass *pass, const un_pass_context *context, float *d) {
    const un_encoder *e = pass->encoder;
    if (!pass->training)
        return un_fail(UNSEEN_E_ARGUMENT, "a pass that is not for training cannot go back");
    for (size_t l = e->layers; l-- > 0;) {
        un_block_state *state = state_of(pass, l);
        state->probabilities = NULL; /* given by the forward pass already */
        if (!is_kept(pass, l))
            UN_TRY(un_block_forward(&e->block[l], context, e->site, l, pass->x[l], state, NULL));
        UN_TRY(un_block_backward(&e->block[l], context, e->site, l, pass->x[l], state,
                                 &pass->scratch, d));
        UN_TRY(un_params_ready(context->params, e->block[l].attention.query.weight));
    }
    return UNSEEN_OK;
}
