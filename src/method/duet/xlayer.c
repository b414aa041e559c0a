/* xlayer.c - the cross-modal layer; see network.h. */
#include "method/duet/network.h"

#include <string.h>

#include "nn/naming.h"
#include "tensor/kernels.h"

static const un_attention_names g_cross = {.query = "visual_attention.att.query",
                                           .key = "visual_attention.att.key",
                                           .value = "visual_attention.att.value",
                                           .output = "visual_attention.output.dense"};

static const un_block_names g_block[DUET_SIDES] = {
    [DUET_LANGUAGE] = {.attention = {.query = "lang_self_att.self.query",
                                     .key = "lang_self_att.self.key",
                                     .value = "lang_self_att.self.value",
                                     .output = "lang_self_att.output.dense"},
                       .norm1 = "lang_self_att.output.LayerNorm",
                       .inner = "lang_inter.dense",
                       .outer = "lang_output.dense",
                       .norm2 = "lang_output.LayerNorm"},
    [DUET_VISION] = {.attention = {.query = "visn_self_att.self.query",
                                   .key = "visn_self_att.self.key",
                                   .value = "visn_self_att.self.value",
                                   .output = "visn_self_att.output.dense"},
                     .norm1 = "visn_self_att.output.LayerNorm",
                     .inner = "visn_inter.dense",
                     .outer = "visn_output.dense",
                     .norm2 = "visn_output.LayerNorm"}};

/* Names of the dropout masks of each side's block. */
static const char *const g_site[DUET_SIDES] = {"duet.language", "duet.vision"};

un_status un_duet_xlayer_declare(duet_xlayer *layer, un_params *params, const char *prefix,
                                 const un_block_config *config) {
    char name[UN_NAME_LENGTH];
    if (config->pre_norm)
        return un_fail(UNSEEN_E_ARGUMENT, "the cross-modal layer normalises after its sublayers");
    UN_TRY(un_attention_declare(&layer->cross, params, prefix, &g_cross, config->width,
                                config->heads));
    UN_TRY(un_name(name, "%svisual_attention.output.LayerNorm", prefix));
    UN_TRY(un_norm_declare(&layer->norm, params, name, config->width, config->eps));
    for (size_t s = 0; s < DUET_SIDES; s++)
        UN_TRY(un_block_declare(&layer->block[s], params, prefix, &g_block[s], config));
    return UNSEEN_OK;
}

void un_duet_xlayer_initialize(const duet_xlayer *layer, const un_params *params, uint64_t seed,
                               uint64_t number) {
    enum { LINEAR = 16 };
    const un_attention_layer *attention[] = {&layer->cross, &layer->block[0].attention,
                                             &layer->block[1].attention};
    const un_dense *linear[LINEAR];
    size_t n = 0;
    for (size_t i = 0; i < 3; i++) {
        linear[n++] = &attention[i]->query;
        linear[n++] = &attention[i]->key;
        linear[n++] = &attention[i]->value;
        linear[n++] = &attention[i]->output;
    }
    un_norm_initialize(&layer->norm, params);
    for (size_t s = 0; s < DUET_SIDES; s++) {
        linear[n++] = &layer->block[s].inner;
        linear[n++] = &layer->block[s].outer;
        un_norm_initialize(&layer->block[s].norm1, params);
        un_norm_initialize(&layer->block[s].norm2, params);
    }
    for (size_t i = 0; i < n; i++)
        un_param_initialize_linear(params, linear[i]->weight, linear[i]->bias, seed, "duet.xlayer",
                                   number * LINEAR + i);
}

un_status un_duet_xlayer_pass_create(duet_xlayer_pass *pass, const duet_xlayer *layer,
                                     un_dtype type, int training) {
    *pass = (duet_xlayer_pass){.layer = layer, .type = type, .training = training};
    return UNSEEN_OK;
}

void un_duet_xlayer_pass_free(duet_xlayer_pass *pass) {
    for (size_t s = 0; s < DUET_SIDES; s++) {
        un_arena_free(&pass->side[s].arena);
        un_arena_free(&pass->side[s].subset_arena);
    }
    *pass = (duet_xlayer_pass){0};
}

static un_status reserve(duet_xlayer_pass *pass, size_t s, size_t rows) {
    duet_xlayer_side *side = &pass->side[s];
    const un_block_config *config = &pass->layer->block[s].config;
    size_t H = config->width, f = sizeof(float), o = un_dtype_size(pass->type);
    un_arena *a = &side->arena;
    if (rows <= side->room) return UNSEEN_OK;
    if (s == DUET_LANGUAGE) rows = un_room_for(rows); /* texts differ in length */
    un_arena_free(a);
    side->room = 0;
    side->in = NULL;
    if (pass->type == UN_BF16) UN_TRY(un_arena_alloc(a, rows * H, o, &side->in));
    UN_TRY(un_arena_alloc(a, rows * 3 * H, o, &side->qkv));
    UN_TRY(un_arena_alloc(a, rows * config->heads, f, &side->log_sum));
    UN_TRY(un_arena_alloc(a, rows * H, o, &side->context));
    UN_TRY(un_arena_alloc(a, rows * H, f, &side->sum));
    UN_TRY(un_arena_alloc(a, rows, f, &side->norm.mean));
    UN_TRY(un_arena_alloc(a, rows, f, &side->norm.inverse));
    UN_TRY(un_arena_alloc(a, rows * H, f, &side->crossed));
    UN_TRY(un_arena_alloc(a, rows * H, f, &side->out));
    UN_TRY(un_block_state_create(config, pass->type, rows, 0, pass->training, a, &side->block));
    if (pass->training)
        UN_TRY(un_block_scratch_create(config, pass->type, rows, 0, a, &side->scratch));
    side->room = rows;
    return UNSEEN_OK;
}

/* Which rows of a side are queries, and which are keys. Sequences behind the last one that is in
 * the subset matter as keys of the other side at most. */
static void plan_sides(duet_xlayer_pass *pass) {
    const duet_xlayer_context *c = &pass->context;
    for (size_t s = 0; s < DUET_SIDES; s++) {
        const un_query_subset *subset = c->subset[s];
        size_t active = c->sequences[s].count;
        while (subset && active > 0 &&
               subset->sequences.start[active] == subset->sequences.start[active - 1])
            active--;
        if (c->one_text && s == DUET_LANGUAGE) active = 0;
        pass->side[s].active = active;
        pass->side[s].queries = active > 0 ? c->sequences[s].start[active] : 0;
    }
    for (size_t s = 0; s < DUET_SIDES; s++) {
        size_t attending = pass->side[DUET_SIDES - 1 - s].active;
        if (c->one_text && attending > 0) attending = c->sequences[s].count;
        pass->side[s].keys = attending > 0 ? c->sequences[s].start[attending] : 0;
    }
    for (size_t s = 0; s < DUET_SIDES; s++) pass->whole[s][1] = pass->side[s].queries;
    if (c->one_text) pass->whole[DUET_LANGUAGE][1] = pass->side[DUET_LANGUAGE].keys;
}

static un_status reserve_subset(duet_xlayer_pass *pass, size_t s) {
    duet_xlayer_side *side = &pass->side[s];
    const un_query_subset *subset = pass->context.subset[s];
    un_arena_free(&side->subset_arena);
    if (!subset || side->active == 0) return UNSEEN_OK;
    side->subset = (un_query_subset){.sequences = {side->active, subset->sequences.start},
                                     .row = subset->row,
                                     .rows = subset->rows};
    return un_query_subset_reserve(&side->subset, pass->layer->cross.width, pass->type,
                                   pass->training, &side->subset_arena);
}

/* Where queries, keys and values of a side lie in an array of (R, 3H): row by row, or, if not the
 * same rows are queries and keys, queries first and then the others. */
typedef struct {
    int merged;
    size_t key, ldq, ldk; /* elements: the first key; rows */
} arrangement;

static arrangement arrange(const duet_xlayer_pass *pass, size_t s) {
    const duet_xlayer_side *side = &pass->side[s];
    size_t H = pass->layer->cross.width;
    if (side->queries == side->keys) return (arrangement){1, H, 3 * H, 3 * H};
    return (arrangement){0, side->queries * H, H, 2 * H};
}

/* Queries of some rows, keys and values of others or the same. */
static un_status project(duet_xlayer_pass *pass, size_t s) {
    const un_attention_layer *cross = &pass->layer->cross;
    const un_params *params = pass->context.params;
    duet_xlayer_side *side = &pass->side[s];
    size_t H = cross->width, rows = side->queries > side->keys ? side->queries : side->keys;
    const void *in = side->x;
    const arrangement at = arrange(pass, s);
    if (pass->type == UN_BF16) {
        un_convert_to_bf16(side->x, side->in, rows * H);
        in = side->in;
    }
    if (at.merged) return un_attention_project(cross, params, pass->type, in, rows, side->qkv);
    if (side->queries > 0)
        UN_TRY(un_attention_queries(cross, params, pass->type, in, side->queries, side->qkv));
    if (side->keys == 0) return UNSEEN_OK;
    return un_attention_keys(cross, params, pass->type, in, side->keys,
                             un_element_at(side->qkv, pass->type, at.key));
}

enum { PLACE_CROSS, PLACE_OUTPUT, PLACES };

static un_dropout mask_of(const duet_xlayer_context *c, size_t s, size_t place) {
    float p = place == PLACE_CROSS ? c->dropout.attention : c->dropout.hidden;
    un_dropout mask =
        un_dropout_make(&c->dropout, p, "duet.cross", (c->layer * DUET_SIDES + s) * PLACES + place);
    mask.rows = c->rows[s];
    return mask;
}

/* The queries of side s attend to the other side. */
static un_attention_view view_of(const duet_xlayer_pass *pass, size_t s) {
    const duet_xlayer_context *c = &pass->context;
    size_t other = DUET_SIDES - 1 - s;
    const arrangement at = arrange(pass, other);
    /* All pictures attending to one text are, for the attention, one sequence of queries. */
    un_sequences queries = c->sequences[s], keys = c->sequences[other];
    queries.count = keys.count = pass->side[s].active;
    if (c->one_text) {
        queries = (un_sequences){1, pass->whole[s]};
        keys = (un_sequences){1, pass->whole[other]};
    }
    return (un_attention_view){.queries = queries,
                               .keys = keys,
                               .q = pass->side[s].qkv,
                               .k = un_element_at(pass->side[other].qkv, c->type, at.key),
                               .ldq = arrange(pass, s).ldq,
                               .ldk = at.ldk,
                               .key_mask = c->key_mask[other],
                               .dropout = mask_of(c, s, PLACE_CROSS),
                               .log_sum = pass->side[s].log_sum,
                               .probabilities = pass->side[s].probabilities};
}

static un_pass_context block_context(const duet_xlayer_pass *pass, size_t s) {
    const duet_xlayer_context *c = &pass->context;
    un_dropout_source dropout = c->dropout;
    dropout.rows = c->rows[s];
    return (un_pass_context){.params = c->params,
                             .type = c->type,
                             .sequences = {pass->side[s].active, c->sequences[s].start},
                             .key_mask = c->key_mask[s],
                             .dropout = dropout,
                             .subset = c->subset[s] ? &pass->side[s].subset : NULL};
}

/* From the projections of both sides to this side's output. */
static un_status finish(duet_xlayer_pass *pass, size_t s, const un_attention_view *view) {
    const duet_xlayer *layer = pass->layer;
    const duet_xlayer_context *c = &pass->context;
    duet_xlayer_side *side = &pass->side[s];
    const un_dense *output = &layer->cross.output;
    size_t rows = side->queries;
    if (rows == 0) return UNSEEN_OK;
    UN_TRY(un_attention_mix(&layer->cross, c->type, view, side->context));
    UN_TRY(un_dense_forward(output, c->params, c->type, side->context, rows, UN_DENSE_PLAIN,
                            side->sum, 0, UN_F32));
    un_dropout mask = mask_of(c, s, PLACE_OUTPUT);
    un_dropout_rows(&mask, side->sum, side->x, rows, output->out);
    un_norm_forward(&layer->norm, c->params, side->sum, rows, side->crossed, NULL, &side->norm);
    un_pass_context block = block_context(pass, s);
    return un_block_forward(&layer->block[s], &block, g_site[s], c->layer, side->crossed,
                            &side->block, side->out);
}

static un_status check(const duet_xlayer_pass *pass, const duet_xlayer_context *c) {
    if (c->type != pass->type)
        return un_fail(UNSEEN_E_ARGUMENT, "the cross-modal layer's pass has another precision");
    if (c->one_text ? c->sequences[DUET_LANGUAGE].count != 1
                    : c->sequences[0].count != c->sequences[1].count)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu texts for %zu pictures", c->sequences[0].count,
                       c->sequences[1].count);
    for (size_t s = 0; s < DUET_SIDES; s++)
        if (c->subset[s] && c->subset[s]->sequences.count < c->sequences[s].count)
            return un_fail(UNSEEN_E_ARGUMENT, "rows are selected in %zu of %zu sequences",
                           c->subset[s]->sequences.count, c->sequences[s].count);
    if (!pass->training && (c->dropout.hidden > 0 || c->dropout.attention > 0))
        return un_fail(UNSEEN_E_ARGUMENT, "dropout belongs to training");
    return UNSEEN_OK;
}

un_status un_duet_xlayer_forward(duet_xlayer_pass *pass, const duet_xlayer_context *context,
                                 const float *const x[DUET_SIDES]) {
    UN_TRY(check(pass, context));
    pass->context = *context;
    plan_sides(pass);
    for (size_t s = 0; s < DUET_SIDES; s++) {
        UN_TRY(reserve(pass, s, un_sequence_rows(&context->sequences[s])));
        UN_TRY(reserve_subset(pass, s));
        pass->side[s].x = x[s];
        UN_TRY(project(pass, s));
    }
    for (size_t s = 0; s < DUET_SIDES; s++) {
        un_attention_view view = view_of(pass, s);
        UN_TRY(finish(pass, s, &view));
    }
    return UNSEEN_OK;
}

/* From the gradient of a side's output to that of the sum before the cross attention's LN
 * (left in d) and of what its heads gathered (in the scratch). */
static un_status finish_backward(duet_xlayer_pass *pass, size_t s, float *d) {
    const duet_xlayer *layer = pass->layer;
    const duet_xlayer_context *c = &pass->context;
    duet_xlayer_side *side = &pass->side[s];
    un_pass_context block = block_context(pass, s);
    size_t rows = side->queries, H = layer->cross.width;
    UN_TRY(un_block_backward(&layer->block[s], &block, g_site[s], c->layer, side->crossed,
                             &side->block, &side->scratch, d));
    un_norm_backward(&layer->norm, c->params, side->sum, rows, &side->norm, d, d, 0);
    un_dropout mask = mask_of(c, s, PLACE_OUTPUT);
    const float *dsum = d;
    if (mask.probability > 0) {
        un_copy(d, side->scratch.masked, rows * H);
        un_dropout_rows(&mask, side->scratch.masked, NULL, rows, H);
        dsum = side->scratch.masked;
    }
    if (c->type == UN_BF16) un_convert_to_bf16(dsum, side->scratch.row16, rows * H);
    const un_dense_gradient output = {.x = side->context,
                                      .dy = dsum,
                                      .dy16 = side->scratch.row16,
                                      .rows = rows,
                                      .dx = side->scratch.dcontext};
    return un_dense_backward(&layer->cross.output, c->params, c->type, &output);
}

/* Adds the gradients of a side's projections to that of its input. */
static un_status project_backward(duet_xlayer_pass *pass, size_t s, float *d) {
    const un_attention_layer *cross = &pass->layer->cross;
    const un_params *params = pass->context.params;
    duet_xlayer_side *side = &pass->side[s];
    const void *in = pass->type == UN_BF16 ? side->in : (const void *)side->x;
    void *dqkv = side->scratch.dqkv;
    const arrangement at = arrange(pass, s);
    if (at.merged)
        return un_attention_project_backward(cross, params, pass->type, in, side->keys, dqkv, d, 1);
    if (side->queries > 0)
        UN_TRY(un_attention_queries_backward(cross, params, pass->type, in, side->queries, dqkv, d,
                                             1));
    if (side->keys == 0) return UNSEEN_OK;
    return un_attention_keys_backward(cross, params, pass->type, in, side->keys,
                                      un_element_at(dqkv, pass->type, at.key), d, 1);
}

un_status un_duet_xlayer_backward(duet_xlayer_pass *pass, float *const d[DUET_SIDES]) {
    const un_attention_layer *cross = &pass->layer->cross;
    const duet_xlayer_context *c = &pass->context;
    size_t H = cross->width;
    if (!pass->training)
        return un_fail(UNSEEN_E_ARGUMENT, "a pass that is not for training cannot go back");
    for (size_t s = 0; s < DUET_SIDES; s++) {
        size_t queries = pass->side[s].queries, rows = un_sequence_rows(&c->sequences[s]);
        if (queries > 0) UN_TRY(finish_backward(pass, s, d[s]));
        memset(d[s] + queries * H, 0, (rows - queries) * H * sizeof(float));
    }
    /* Each direction fills the query part of one side and the rest of the other. */
    for (size_t s = 0; s < DUET_SIDES; s++) {
        if (pass->side[s].queries == 0) continue;
        un_attention_view view = view_of(pass, s);
        size_t other = DUET_SIDES - 1 - s;
        UN_TRY(un_attention_mix_backward(
            cross, c->type, &view, pass->side[s].scratch.dcontext, pass->side[s].scratch.dqkv,
            un_element_at(pass->side[other].scratch.dqkv, c->type, arrange(pass, other).key)));
    }
    for (size_t s = 0; s < DUET_SIDES; s++) UN_TRY(project_backward(pass, s, d[s]));
    return UNSEEN_OK;
}

un_status un_duet_xlayer_fix_language(duet_xlayer_pass *pass, const un_params *params,
                                      const float *language, size_t rows, const float *key_mask) {
    duet_xlayer_side *side = &pass->side[DUET_LANGUAGE];
    UN_TRY(reserve(pass, DUET_LANGUAGE, rows));
    pass->context = (duet_xlayer_context){.params = params, .type = pass->type};
    pass->context.key_mask[DUET_LANGUAGE] = key_mask;
    pass->fixed_rows = rows;
    side->x = language;
    side->queries = side->active = 0;
    side->keys = rows;
    return project(pass, DUET_LANGUAGE);
}

un_status un_duet_xlayer_forward_vision(duet_xlayer_pass *pass, const float *vision,
                                        const un_sequences *sequences,
                                        const un_query_subset *subset) {
    duet_xlayer_context *c = &pass->context;
    duet_xlayer_side *side = &pass->side[DUET_VISION];
    size_t rows = un_sequence_rows(sequences);
    if (!c->params || pass->fixed_rows == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "the cross-modal layer has no fixed text yet");
    UN_TRY(reserve(pass, DUET_VISION, rows));
    /* All pictures attend to one text: for the attention they are one sequence of queries. */
    const size_t queries[2] = {0, rows}, keys[2] = {0, pass->fixed_rows};
    side->x = vision;
    side->active = sequences->count;
    side->queries = rows;
    side->keys = 0;
    c->sequences[DUET_VISION] = *sequences;
    c->subset[DUET_VISION] = subset;
    UN_TRY(reserve_subset(pass, DUET_VISION));
    UN_TRY(project(pass, DUET_VISION));
    un_attention_view view = view_of(pass, DUET_VISION);
    view.queries = (un_sequences){1, queries};
    view.keys = (un_sequences){1, keys};
    return finish(pass, DUET_VISION, &view);
}
