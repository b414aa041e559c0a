/* network.c - DUET's network, forward and backward; see network.h. */
#include "method/duet/network.h"

#include <string.h>

#include "nn/naming.h"
#include "tensor/kernels.h"

static const un_block_names g_alone = {.attention = {.query = "self.query",
                                                     .key = "self.key",
                                                     .value = "self.value",
                                                     .output = "output.dense"},
                                       .norm1 = "output.LayerNorm",
                                       .inner = "inter.dense",
                                       .outer = "outer.dense",
                                       .norm2 = "outer.LayerNorm"};

static un_status declare_text(duet_network *n, un_params *params, const un_block_config *block) {
    const duet_network_config *c = &n->config;
    size_t H = c->text.width;
    char name[UN_NAME_LENGTH];
    if (c->xlayers == 0 || c->xlayers > DUET_MAX_XLAYERS)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu cross-modal layers; 1 to %d are possible",
                       c->xlayers, DUET_MAX_XLAYERS);
    UN_TRY(un_bert_declare(&n->bert, params, "bert.", &c->text));
    for (size_t i = 0; i < c->xlayers; i++) {
        UN_TRY(i == 0 ? un_name(name, "lxmert_xlayer.") : un_name(name, "lxmert_xlayer.%zu.", i));
        UN_TRY(un_duet_xlayer_declare(&n->xlayer[i], params, name, block));
    }
    UN_TRY(un_dense_declare(&n->contrast1, params, "contrast_proj.linear1", H, H));
    UN_TRY(un_dense_declare(&n->contrast2, params, "contrast_proj.linear2", H, H));
    return un_duet_mlm_declare(&n->mlm, params, "cls.", H, c->text.vocabulary, c->text.eps);
}

un_status un_duet_network_declare(duet_network *n, un_params *params, duet_image *image,
                                  const duet_network_config *config) {
    const un_block_config block = {.width = config->text.width,
                                   .heads = config->text.heads,
                                   .inner = config->text.inner,
                                   .eps = config->text.eps};
    *n = (duet_network){.config = *config, .image = image};
    un_status status = UNSEEN_OK;
    if (config->with_text)
        UN_GO(declare_text(n, params, &block));
    else
        UN_GO(un_block_declare(&n->alone, params, "visual_block.", &g_alone, &block));
    UN_GO(un_dense_declare(&n->attributes, params, "fc_image", config->text.width,
                           config->attributes));
done:
    if (status) un_duet_network_free(n);
    return status;
}

void un_duet_network_free(duet_network *n) {
    un_bert_free(&n->bert);
    if (n->image) n->image->class->destroy(n->image);
    *n = (duet_network){0};
}

static void initialize_alone(const duet_network *n, const un_params *params, uint64_t seed) {
    const un_attention_layer *a = &n->alone.attention;
    enum { LINEAR = 6 };
    const un_dense *linear[LINEAR] = {&a->query,  &a->key,         &a->value,
                                      &a->output, &n->alone.inner, &n->alone.outer};
    for (size_t i = 0; i < LINEAR; i++)
        un_param_initialize_linear(params, linear[i]->weight, linear[i]->bias, seed, "duet.alone",
                                   i);
    un_norm_initialize(&n->alone.norm1, params);
    un_norm_initialize(&n->alone.norm2, params);
}

void un_duet_network_initialize(const duet_network *n, const un_params *params, uint64_t seed) {
    n->image->class->initialize(n->image, params, seed);
    un_param_initialize_linear(params, n->attributes.weight, n->attributes.bias, seed, "duet.heads",
                               0);
    if (!n->config.with_text) {
        initialize_alone(n, params, seed);
        return;
    }
    un_bert_initialize(&n->bert, params, seed);
    for (size_t i = 0; i < n->config.xlayers; i++)
        un_duet_xlayer_initialize(&n->xlayer[i], params, seed, i);
    un_param_initialize_linear(params, n->contrast1.weight, n->contrast1.bias, seed, "duet.heads",
                               1);
    un_param_initialize_linear(params, n->contrast2.weight, n->contrast2.bias, seed, "duet.heads",
                               2);
    un_duet_mlm_initialize(&n->mlm, params, seed);
}

/* ---- passes ---- */

un_status un_duet_pass_create(duet_pass *p, const duet_network *n, int training) {
    un_status status = UNSEEN_OK;
    un_dtype type = n->config.type;
    *p = (duet_pass){.network = n, .training = training};
    UN_GO(n->image->class->pass_create(n->image, type, training, &p->image));
    if (!n->config.with_text) {
        p->alone_encoder = (un_encoder){1, &n->alone, "duet.alone"};
        return un_encoder_pass_create(&p->alone, &p->alone_encoder, type, training, 0);
    }
    UN_GO(un_bert_pass_create(&p->bert, &n->bert, type, training, n->config.recompute));
    p->bert.encoder.budget = n->config.budget;
    for (size_t i = 0; i < n->config.xlayers; i++)
        UN_GO(un_duet_xlayer_pass_create(&p->xlayer[i], &n->xlayer[i], type, training));
done:
    if (status) un_duet_pass_free(p);
    return status;
}

void un_duet_pass_free(duet_pass *p) {
    if (!p->network) return;
    if (p->image) p->network->image->class->pass_free(p->image);
    un_bert_pass_free(&p->bert);
    for (size_t i = 0; i < DUET_MAX_XLAYERS; i++) un_duet_xlayer_pass_free(&p->xlayer[i]);
    un_encoder_pass_free(&p->alone);
    for (size_t s = 0; s < DUET_SIDES; s++) un_arena_free(&p->arena[s]);
    un_arena_free(&p->copy_arena);
    un_arena_free(&p->lists);
    *p = (duet_pass){0};
}

static un_status reserve(duet_pass *p, size_t s, size_t rows) {
    if (rows <= p->room[s]) return UNSEEN_OK;
    rows = un_room_for(rows);
    un_arena_free(&p->arena[s]);
    p->room[s] = 0;
    UN_TRY(un_arena_alloc(&p->arena[s], rows * p->network->config.text.width, sizeof(float),
                          &p->d[s]));
    p->room[s] = rows;
    return UNSEEN_OK;
}

static un_status forward_alone(duet_pass *p, const un_params *params,
                               const un_query_subset *subset) {
    size_t rows = un_sequence_rows(&p->vision);
    UN_TRY(un_encoder_pass_reserve(&p->alone, rows));
    p->alone_context = (un_pass_context){
        .params = params, .type = p->network->config.type, .sequences = p->vision};
    if (subset) {
        p->alone_subset = *subset;
        p->alone_context.subset = &p->alone_subset;
        UN_TRY(un_query_subset_reserve(&p->alone_subset, p->network->config.text.width,
                                       p->network->config.type, p->training, &p->lists));
    }
    un_copy(p->visual_tokens, p->alone.x[0], rows * p->network->config.text.width);
    UN_TRY(un_encoder_forward(&p->alone, &p->alone_context));
    p->vis = p->alone.x[1];
    p->lang = NULL;
    return UNSEEN_OK;
}

/* One text's states once for every picture: with several cross-modal layers they part ways. */
static un_status copy_text(duet_pass *p, size_t n) {
    size_t rows = un_sequence_rows(&p->text), H = p->network->config.text.width;
    if (n * rows > p->copy_room) {
        un_arena_free(&p->copy_arena);
        p->copy_room = 0;
        UN_TRY(un_arena_alloc(&p->copy_arena, n * rows * H, sizeof(float), &p->copy));
        p->copy_room = n * rows;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(p->copy + i * rows * H, p->text_states, rows * H * sizeof(float));
    return un_sequences_equal(&p->lists, n, rows, &p->text);
}

static un_status forward_text(duet_pass *p, const un_params *params, size_t n,
                              const duet_text_batch *text, const un_dropout_source *dropout,
                              const un_query_subset *const subset[DUET_SIDES]) {
    const duet_network *net = p->network;
    const un_bert_batch batch = {
        .sequences = text->sequences, .ids = text->ids, .key_mask = text->key_mask};
    size_t xlayers = net->config.xlayers;
    if (text->sequences.count != n && text->sequences.count != 1)
        return un_fail(UNSEEN_E_ARGUMENT, "%zu texts for %zu pictures", text->sequences.count, n);
    un_dropout_source own = dropout ? *dropout : (un_dropout_source){0};
    own.rows = p->rows[DUET_LANGUAGE];
    UN_TRY(un_bert_forward(&p->bert, params, &batch, dropout ? &own : NULL, &p->text_states));
    p->text = text->sequences;
    p->copied = n > 1 && p->text.count == 1 && xlayers > 1;
    p->shared = n > 1 && p->text.count == 1 && xlayers == 1;
    const float *x[DUET_SIDES] = {p->text_states, p->visual_tokens};
    if (p->copied) {
        UN_TRY(copy_text(p, n));
        x[DUET_LANGUAGE] = p->copy;
    }
    for (size_t i = 0; i < xlayers; i++) {
        duet_xlayer_context context = {.params = params,
                                       .type = net->config.type,
                                       .sequences = {p->text, p->vision},
                                       .dropout = own,
                                       .rows = {p->rows[0], p->rows[1]},
                                       .layer = i,
                                       .one_text = p->shared};
        if (subset && i + 1 == xlayers) memcpy(context.subset, subset, sizeof context.subset);
        UN_TRY(un_duet_xlayer_forward(&p->xlayer[i], &context, x));
        for (size_t s = 0; s < DUET_SIDES; s++) x[s] = p->xlayer[i].side[s].out;
    }
    p->vis = x[DUET_VISION];
    p->lang = p->xlayer[xlayers - 1].side[DUET_LANGUAGE].queries > 0 ? x[DUET_LANGUAGE] : NULL;
    return UNSEEN_OK;
}

un_status un_duet_forward(duet_pass *p, const un_params *params, const float *features, size_t n,
                          const duet_text_batch *text, const un_dropout_source *dropout,
                          const un_query_subset *const subset[DUET_SIDES]) {
    const duet_image *image = p->network->image;
    un_dropout_source path = {0}; /* vision transformers are trained without other dropout */
    if (dropout)
        path = (un_dropout_source){.path = dropout->path,
                                   .seed = dropout->seed,
                                   .draw = dropout->draw,
                                   .rows = p->picture_rows};
    p->params = params;
    p->pictures = n;
    un_arena_free(&p->lists);
    UN_TRY(un_sequences_equal(&p->lists, n, image->tokens, &p->vision));
    if (p->features16)
        UN_TRY(image->class->forward16(p->image, params, p->features16, n, &p->visual_tokens));
    else
        UN_TRY(image->class->forward(p->image, params, features, n, dropout ? &path : NULL,
                                     &p->visual_tokens));
    if (!p->network->config.with_text)
        return forward_alone(p, params, subset ? subset[DUET_VISION] : NULL);
    return forward_text(p, params, n, text, dropout, subset);
}

/* From the gradient of the text's states to the text encoder. */
static un_status backward_text(duet_pass *p, float *dlang) {
    size_t H = p->network->config.text.width;
    if (p->copied) {
        size_t rows = un_sequence_rows(&p->text) / p->pictures;
        for (size_t i = 1; i < p->pictures; i++) un_add(dlang + i * rows * H, dlang, rows * H);
    }
    return un_bert_backward(&p->bert, dlang);
}

un_status un_duet_backward(duet_pass *p, float *dvis, float *dlang) {
    const duet_network *net = p->network;
    const duet_image *image = net->image;
    size_t H = net->config.text.width;
    if (!p->training)
        return un_fail(UNSEEN_E_ARGUMENT, "a pass that is not for training cannot go back");
    if (!net->config.with_text) {
        UN_TRY(un_encoder_backward(&p->alone, &p->alone_context, dvis));
        return image->class->backward(p->image, dvis);
    }
    size_t rows = un_sequence_rows(&p->text);
    if (!dlang) {
        UN_TRY(reserve(p, DUET_LANGUAGE, rows));
        dlang = p->d[DUET_LANGUAGE];
        if (p->lang) memset(dlang, 0, rows * H * sizeof *dlang);
    }
    float *const d[DUET_SIDES] = {dlang, dvis};
    for (size_t i = net->config.xlayers; i-- > 0;) {
        UN_TRY(un_duet_xlayer_backward(&p->xlayer[i], d));
        UN_TRY(un_params_ready(p->params, net->xlayer[i].cross.query.weight));
    }
    UN_TRY(backward_text(p, dlang));
    return image->class->backward(p->image, dvis);
}

/* ---- heads; they are small and compute in f32 ---- */

un_status un_duet_dense_backward(const un_dense *layer, const un_params *params, const float *x,
                                 const float *dy, size_t rows, float *dx) {
    const un_dense_gradient gradient = {.x = x, .dy = dy, .rows = rows, .dx = dx};
    return un_dense_backward(layer, params, UN_F32, &gradient);
}

un_status un_duet_attributes_forward(const duet_network *network, const un_params *params,
                                     const float *first, size_t n, float *g) {
    return un_dense_forward(&network->attributes, params, UN_F32, first, n, UN_DENSE_PLAIN, g, 0,
                            UN_F32);
}

un_status un_duet_attributes_backward(const duet_network *network, const un_params *params,
                                      const float *first, const float *dg, size_t n,
                                      float *dfirst) {
    return un_duet_dense_backward(&network->attributes, params, first, dg, n, dfirst);
}

un_status un_duet_first_rows(const duet_network *network, size_t count, size_t n, un_arena *arena,
                             un_query_subset *out) {
    size_t *start = NULL, *row = NULL, T = network->image->tokens;
    UN_TRY(un_arena_alloc(arena, n + 1, sizeof *start, &start));
    UN_TRY(un_arena_alloc(arena, count, sizeof *row, &row));
    for (size_t i = 0; i <= n; i++) start[i] = i < count ? i : count;
    for (size_t i = 0; i < count; i++) row[i] = i * T;
    *out = (un_query_subset){.sequences = {n, start}, .row = row};
    return UNSEEN_OK;
}

un_status un_duet_contrast_forward(const duet_network *network, const un_params *params,
                                   const float *x, size_t n, float *hidden, float *out) {
    UN_TRY(un_dense_forward(&network->contrast1, params, UN_F32, x, n, UN_DENSE_RELU, hidden, 0,
                            UN_F32));
    return un_dense_forward(&network->contrast2, params, UN_F32, hidden, n, UN_DENSE_PLAIN, out, 0,
                            UN_F32);
}

un_status un_duet_contrast_backward(const duet_network *network, const un_params *params,
                                    const float *x, const float *hidden, const float *dout,
                                    size_t n, float *dhidden, float *dx) {
    UN_TRY(un_duet_dense_backward(&network->contrast2, params, hidden, dout, n, dhidden));
    un_relu_backward(hidden, UN_F32, dhidden, n * network->config.text.width);
    return un_duet_dense_backward(&network->contrast1, params, x, dhidden, n, dx);
}

/* ---- the head for masked words ---- */

un_status un_duet_mlm_declare(duet_mlm_head *head, un_params *params, const char *prefix,
                              size_t width, size_t vocabulary, float eps) {
    char name[UN_NAME_LENGTH];
    UN_TRY(un_name(name, "%spredictions.transform.dense", prefix));
    UN_TRY(un_dense_declare(&head->dense, params, name, width, width));
    UN_TRY(un_name(name, "%spredictions.transform.LayerNorm", prefix));
    UN_TRY(un_norm_declare(&head->norm, params, name, width, eps));
    head->decoder = (un_dense){.in = width, .out = vocabulary};
    UN_TRY(un_params_add_named(params, prefix, "predictions.decoder.weight", 2,
                               (size_t[]){vocabulary, width}, &head->decoder.weight));
    return un_params_add_named(params, prefix, "predictions.bias", 1, &vocabulary,
                               &head->decoder.bias);
}

void un_duet_mlm_initialize(const duet_mlm_head *head, const un_params *params, uint64_t seed) {
    un_param_initialize_linear(params, head->dense.weight, head->dense.bias, seed, "duet.mlm", 0);
    un_param_initialize_linear(params, head->decoder.weight, head->decoder.bias, seed, "duet.mlm",
                               1);
    un_norm_initialize(&head->norm, params);
}

un_status un_duet_mlm_pass_create(duet_mlm_pass *pass, const duet_mlm_head *head, un_dtype type,
                                  int training) {
    *pass = (duet_mlm_pass){.head = head, .type = type, .training = training};
    return UNSEEN_OK;
}

void un_duet_mlm_pass_free(duet_mlm_pass *pass) {
    un_arena_free(&pass->arena);
    *pass = (duet_mlm_pass){0};
}

static un_status mlm_reserve(duet_mlm_pass *pass, size_t rows) {
    size_t H = pass->head->dense.in, V = pass->head->decoder.out, f = sizeof(float);
    size_t o = un_dtype_size(pass->type);
    un_arena *a = &pass->arena;
    if (rows <= pass->room) return UNSEEN_OK;
    rows = un_room_for(rows); /* as many as texts have masked words */
    un_arena_free(a);
    pass->room = 0;
    UN_TRY(un_arena_alloc(a, rows * H, o, &pass->in));
    UN_TRY(un_arena_alloc(a, rows * H, f, &pass->before));
    UN_TRY(un_arena_alloc(a, rows * H, f, &pass->active));
    UN_TRY(un_arena_alloc(a, rows * H, o, &pass->normal));
    UN_TRY(un_arena_alloc(a, rows * V, f, &pass->logits));
    if (pass->training) {
        UN_TRY(un_arena_alloc(a, rows, f, &pass->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, f, &pass->norm.inverse));
        UN_TRY(un_arena_alloc(a, rows * H, f, &pass->d));
    }
    if (pass->training && pass->type == UN_BF16) {
        UN_TRY(un_arena_alloc(a, rows * H, sizeof(un_bf16), &pass->d16));
        UN_TRY(un_arena_alloc(a, rows * V, sizeof(un_bf16), &pass->dlogits16));
    }
    pass->room = rows;
    return UNSEEN_OK;
}

un_status un_duet_mlm_forward(duet_mlm_pass *pass, const un_params *params, const float *hidden,
                              size_t rows, float **logits) {
    const duet_mlm_head *head = pass->head;
    size_t H = head->dense.in;
    int bf16 = pass->type == UN_BF16;
    UN_TRY(mlm_reserve(pass, rows));
    pass->rows = rows;
    if (bf16)
        un_convert_to_bf16(hidden, pass->in, rows * H);
    else
        un_copy(hidden, pass->in, rows * H);
    UN_TRY(un_dense_forward(&head->dense, params, pass->type, pass->in, rows, UN_DENSE_PLAIN,
                            pass->before, 0, UN_F32));
    un_gelu(pass->before, UN_F32, pass->active, rows * H);
    un_norm_forward(&head->norm, params, pass->active, rows, bf16 ? NULL : (float *)pass->normal,
                    bf16 ? pass->normal : NULL, pass->training ? &pass->norm : NULL);
    *logits = pass->logits;
    return un_dense_forward(&head->decoder, params, pass->type, pass->normal, rows, UN_DENSE_PLAIN,
                            pass->logits, 0, UN_F32);
}

un_status un_duet_mlm_backward(duet_mlm_pass *pass, const un_params *params, const float *dlogits,
                               float *dhidden, int add) {
    const duet_mlm_head *head = pass->head;
    size_t rows = pass->rows, H = head->dense.in;
    int bf16 = pass->type == UN_BF16;
    if (!pass->training)
        return un_fail(UNSEEN_E_ARGUMENT, "a pass that is not for training cannot go back");
    if (bf16) un_convert_to_bf16(dlogits, pass->dlogits16, rows * head->decoder.out);
    const un_dense_gradient decoder = {
        .x = pass->normal, .dy = dlogits, .dy16 = pass->dlogits16, .rows = rows, .dx = pass->d};
    UN_TRY(un_dense_backward(&head->decoder, params, pass->type, &decoder));
    un_norm_backward(&head->norm, params, pass->active, rows, &pass->norm, pass->d, pass->d, 0);
    un_gelu_backward(pass->before, UN_F32, pass->d, pass->d16, rows * H);
    const un_dense_gradient dense = {
        .x = pass->in, .dy = pass->d, .dy16 = pass->d16, .rows = rows, .dx = dhidden, .add = add};
    return un_dense_backward(&head->dense, params, pass->type, &dense);
}
