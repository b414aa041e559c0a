/* bert.c - BERT: its parameters, and passes over batches; see bert.h. */
#include "text/bert.h"

#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "nn/naming.h"
#include "tensor/kernels.h"

static const char WORDS[] = "embeddings.word_embeddings.weight";
static const char POSITIONS[] = "embeddings.position_embeddings.weight";
static const char TYPES[] = "embeddings.token_type_embeddings.weight";

static const un_block_names g_names = {.attention = {.query = "attention.self.query",
                                                     .key = "attention.self.key",
                                                     .value = "attention.self.value",
                                                     .output = "attention.output.dense"},
                                       .norm1 = "attention.output.LayerNorm",
                                       .inner = "intermediate.dense",
                                       .outer = "output.dense",
                                       .norm2 = "output.LayerNorm"};

static un_status find_prefix(const un_safetensors *file, char out[UN_NAME_LENGTH]) {
    int found = un_weights_prefix(file, WORDS, out);
    /* Its tensors have BERT's names and shapes, but its words and positions count otherwise. */
    if (found && strstr(out, "roberta."))
        return un_fail(UNSEEN_E_UNSUPPORTED, "%s: a RoBERTa; only BERT is built", file->path);
    if (found) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: not a BERT: no tensor is called \"…%s\"", file->path,
                   WORDS);
}

static un_status tensor(const un_safetensors *file, const char *prefix, const char *ours,
                        const un_tensor **out) {
    char name[UN_NAME_LENGTH];
    const un_st_entry *entry = NULL;
    UN_TRY(un_name(name, "%s%s", prefix, ours));
    UN_TRY(un_safetensors_require(file, name, 2, &entry));
    *out = &entry->tensor;
    return UNSEEN_OK;
}

un_status un_bert_config_read(const un_safetensors *file, un_bert_config *out) {
    char prefix[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    const un_tensor *words = NULL, *positions = NULL, *types = NULL, *inner = NULL;
    un_bert_config c = {.eps = 1e-12f};
    UN_TRY(find_prefix(file, prefix));
    UN_TRY(tensor(file, prefix, WORDS, &words));
    UN_TRY(tensor(file, prefix, POSITIONS, &positions));
    UN_TRY(tensor(file, prefix, TYPES, &types));
    UN_TRY(tensor(file, prefix, "encoder.layer.0.intermediate.dense.weight", &inner));
    c.vocabulary = words->shape[0];
    c.width = words->shape[1];
    c.positions = positions->shape[0];
    c.types = types->shape[0];
    c.inner = inner->shape[0];
    for (; c.layers < 1024; c.layers++) {
        UN_TRY(un_name(name, "%sencoder.layer.%zu.output.dense.weight", prefix, c.layers));
        if (!un_safetensors_find(file, name)) break;
    }
    if (c.layers == 0 || c.vocabulary == 0 || c.width == 0 || c.positions == 0 || c.types == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: a BERT without layers, words or positions",
                       file->path);
    double embeddings = (double)c.width * ((double)c.vocabulary + (double)c.positions);
    UN_TRY(un_weights_suffice(file, embeddings + un_weights_of_layers(c.layers, c.width, c.inner),
                              "BERT"));
    UN_TRY(un_weights_heads(file, c.width, c.width / 64, &c.heads));
    *out = c;
    return UNSEEN_OK;
}

static un_status declare_embeddings(un_bert *bert, un_params *params, const char *prefix) {
    const un_bert_config *c = &bert->config;
    char name[UN_NAME_LENGTH];
    UN_TRY(un_params_add_named(params, prefix, WORDS, 2, (size_t[]){c->vocabulary, c->width},
                               &bert->words));
    UN_TRY(un_params_add_named(params, prefix, POSITIONS, 2, (size_t[]){c->positions, c->width},
                               &bert->positions));
    UN_TRY(un_params_add_named(params, prefix, TYPES, 2, (size_t[]){c->types, c->width},
                               &bert->types));
    UN_TRY(un_name(name, "%sembeddings.LayerNorm", prefix));
    return un_norm_declare(&bert->norm, params, name, c->width, c->eps);
}

un_status un_bert_declare(un_bert *bert, un_params *params, const char *prefix,
                          const un_bert_config *config) {
    char name[UN_NAME_LENGTH];
    un_status status = UNSEEN_OK;
    const un_block_config block = {
        .width = config->width, .heads = config->heads, .inner = config->inner, .eps = config->eps};
    *bert = (un_bert){.config = *config, .first = params->count, .prefix = strlen(prefix)};
    UN_GO(declare_embeddings(bert, params, prefix));
    UN_GO(un_arena_alloc(&bert->arena, config->layers, sizeof *bert->block, &bert->block));
    for (size_t l = 0; l < config->layers; l++) {
        UN_GO(un_name(name, "%sencoder.layer.%zu.", prefix, l));
        UN_GO(un_block_declare(&bert->block[l], params, name, &g_names, &block));
    }
    bert->count = params->count - bert->first;
    bert->encoder = (un_encoder){config->layers, bert->block, "bert"};
done:
    if (status) un_bert_free(bert);
    return status;
}

void un_bert_free(un_bert *bert) {
    un_arena_free(&bert->arena);
    *bert = (un_bert){0};
}

/* The file's name of a piece; of LayerNorm's the older one where only that exists. */
static un_status file_name(const un_safetensors *file, const char *prefix, const char *ours,
                           char out[UN_NAME_LENGTH]) {
    static const char *const endings[][2] = {{"LayerNorm.weight", "LayerNorm.gamma"},
                                             {"LayerNorm.bias", "LayerNorm.beta"}};
    UN_TRY(un_name(out, "%s%s", prefix, ours));
    for (size_t i = 0; i < 2; i++) {
        size_t length = strlen(ours), tail = strlen(endings[i][0]);
        if (length < tail || strcmp(ours + length - tail, endings[i][0]) != 0) continue;
        if (un_safetensors_find(file, out)) continue;
        return un_name(out, "%s%.*s%s", prefix, (int)(length - tail), ours, endings[i][1]);
    }
    return UNSEEN_OK;
}

un_status un_bert_load(const un_bert *bert, const un_params *params, const un_safetensors *file) {
    char prefix[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    UN_TRY(find_prefix(file, prefix));
    for (size_t i = bert->first; i < bert->first + bert->count; i++) {
        UN_TRY(file_name(file, prefix, params->item[i].name + bert->prefix, name));
        UN_TRY(un_param_load(params, i, file, name, SIZE_MAX));
    }
    return UNSEEN_OK;
}

void un_bert_initialize(const un_bert *bert, const un_params *params, uint64_t seed) {
    for (size_t i = bert->first; i < bert->first + bert->count; i++)
        un_param_initialize_normal(params, i, 0.02, seed, "bert.initialize", i - bert->first);
    memset(un_param_value(params, bert->words) + UN_BERT_PAD * bert->config.width, 0,
           bert->config.width * sizeof(float));
    un_norm_initialize(&bert->norm, params);
    for (size_t l = 0; l < bert->config.layers; l++) {
        un_norm_initialize(&bert->block[l].norm1, params);
        un_norm_initialize(&bert->block[l].norm2, params);
    }
}

/* ---- BERT over one batch, forward and backward; see bert.h. ---- */

un_status un_bert_pass_create(un_bert_pass *pass, const un_bert *bert, un_dtype type, int training,
                              int recompute) {
    *pass = (un_bert_pass){.bert = bert};
    return un_encoder_pass_create(&pass->encoder, &bert->encoder, type, training, recompute);
}

void un_bert_pass_free(un_bert_pass *pass) {
    un_encoder_pass_free(&pass->encoder);
    un_arena_free(&pass->arena);
    un_arena_free(&pass->lengths);
    *pass = (un_bert_pass){0};
}

static un_status reserve(un_bert_pass *pass, size_t rows) {
    size_t H = pass->bert->config.width, f = sizeof(float);
    un_arena *a = &pass->arena;
    if (rows <= pass->room) return UNSEEN_OK;
    rows = un_room_for(rows); /* texts differ in length */
    un_arena_free(a);
    pass->room = 0;
    UN_TRY(un_encoder_pass_reserve(&pass->encoder, rows));
    UN_TRY(un_arena_alloc(a, rows, sizeof *pass->ids, &pass->ids));
    UN_TRY(un_arena_alloc(a, rows, sizeof *pass->types, &pass->types));
    UN_TRY(un_arena_alloc(a, rows, sizeof *pass->places, &pass->places));
    UN_TRY(un_arena_alloc(a, rows, f, &pass->key_mask));
    UN_TRY(un_arena_alloc(a, rows * H, f, &pass->sum));
    if (pass->encoder.training) {
        UN_TRY(un_arena_alloc(a, rows, f, &pass->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, f, &pass->norm.inverse));
        UN_TRY(un_arena_alloc(a, rows * H, f, &pass->d));
    }
    pass->room = rows;
    return UNSEEN_OK;
}

/* Checks the batch and takes a copy of it. */
static un_status take(un_bert_pass *pass, const un_bert_batch *batch) {
    const un_bert_config *c = &pass->bert->config;
    size_t rows = un_sequence_rows(&batch->sequences), n = batch->sequences.count, *start = NULL;
    UN_TRY(reserve(pass, rows));
    un_arena_free(&pass->lengths);
    pass->context.sequences = (un_sequences){0};
    UN_TRY(un_arena_alloc(&pass->lengths, n + 1, sizeof *start, &start));
    for (size_t s = 0; s < n; s++) {
        size_t begin = batch->sequences.start[s], end = batch->sequences.start[s + 1];
        start[s + 1] = end;
        if (end - begin > c->positions)
            return un_fail(UNSEEN_E_ARGUMENT,
                           "a text of %zu tokens, but the text encoder has %zu positions",
                           end - begin, c->positions);
        for (size_t r = begin; r < end; r++) {
            int64_t id = batch->ids[r], type = batch->types ? batch->types[r] : 0;
            if (id < 0 || (uint64_t)id >= c->vocabulary || type < 0 || (uint64_t)type >= c->types)
                return un_fail(UNSEEN_E_ARGUMENT,
                               "token %lld of type %lld, but the text encoder has %zu words and "
                               "%zu types; the vocabulary is another one's",
                               (long long)id, (long long)type, c->vocabulary, c->types);
            pass->ids[r] = id;
            pass->types[r] = type;
            pass->places[r] = (int64_t)(r - begin);
            if (batch->key_mask) pass->key_mask[r] = batch->key_mask[r];
        }
    }
    pass->context.sequences = (un_sequences){n, start};
    pass->context.key_mask = batch->key_mask ? pass->key_mask : NULL;
    return UNSEEN_OK;
}

typedef struct {
    const un_bert_pass *pass;
    const float *d;
} embed_job;

static void embed_range(size_t begin, size_t end, void *context) {
    const un_bert_pass *pass = ((const embed_job *)context)->pass;
    const un_bert *bert = pass->bert;
    const un_params *params = pass->context.params;
    size_t H = bert->config.width;
    for (size_t r = begin; r < end; r++) {
        float *out = pass->sum + r * H;
        memcpy(out, un_param_value(params, bert->words) + (size_t)pass->ids[r] * H,
               H * sizeof *out);
        un_axpy(1, un_param_value(params, bert->positions) + (size_t)pass->places[r] * H, out, H);
        un_axpy(1, un_param_value(params, bert->types) + (size_t)pass->types[r] * H, out, H);
    }
}

static un_dropout embedding_mask(const un_bert_pass *pass) {
    return un_dropout_make(&pass->context.dropout, pass->context.dropout.hidden, "bert.embeddings",
                           0);
}

un_status un_bert_forward(un_bert_pass *pass, const un_params *params, const un_bert_batch *batch,
                          const un_dropout_source *dropout, const float **states) {
    const un_bert *bert = pass->bert;
    size_t rows = un_sequence_rows(&batch->sequences), H = bert->config.width;
    float *x = NULL;
    UN_TRY(take(pass, batch));
    x = pass->encoder.x[0];
    pass->context.params = params;
    pass->context.type = pass->encoder.type;
    pass->context.dropout = dropout ? *dropout : (un_dropout_source){0};
    embed_job job = {.pass = pass};
    un_parallel_for(rows, 16, embed_range, &job);
    un_norm_forward(&bert->norm, params, pass->sum, rows, x, NULL,
                    pass->encoder.training ? &pass->norm : NULL);
    un_dropout mask = embedding_mask(pass);
    un_dropout_rows(&mask, x, NULL, rows, H);
    UN_TRY(un_encoder_forward(&pass->encoder, &pass->context));
    *states = pass->encoder.x[bert->config.layers];
    return UNSEEN_OK;
}

/* Adds columns begin..end-1 of every row to the rows of the tables: no two threads meet. */
static void scatter_range(size_t begin, size_t end, void *context) {
    const embed_job *j = context;
    const un_bert_pass *pass = j->pass;
    const un_bert *bert = pass->bert;
    const un_params *params = pass->context.params;
    size_t H = bert->config.width, rows = un_sequence_rows(&pass->context.sequences);
    for (size_t r = 0; r < rows; r++) {
        const float *d = j->d + r * H + begin;
        const struct {
            size_t table, row;
        } to[] = {{bert->positions, (size_t)pass->places[r]},
                  {bert->types, (size_t)pass->types[r]},
                  {bert->words, (size_t)pass->ids[r]}};
        for (size_t t = 0; t < (pass->ids[r] == UN_BERT_PAD ? 2 : 3); t++)
            un_axpy(1, d, un_param_grad(params, to[t].table) + to[t].row * H + begin, end - begin);
    }
}

un_status un_bert_backward(un_bert_pass *pass, const float *dstates) {
    const un_bert *bert = pass->bert;
    size_t rows = un_sequence_rows(&pass->context.sequences), H = bert->config.width;
    if (!pass->encoder.training)
        return un_fail(UNSEEN_E_ARGUMENT, "no training pass of the text encoder to go back");
    un_copy(dstates, pass->d, rows * H);
    UN_TRY(un_encoder_backward(&pass->encoder, &pass->context, pass->d));
    un_dropout mask = embedding_mask(pass);
    un_dropout_rows(&mask, pass->d, NULL, rows, H);
    un_norm_backward(&bert->norm, pass->context.params, pass->sum, rows, &pass->norm, pass->d,
                     pass->d, 0);
    embed_job job = {.pass = pass, .d = pass->d};
    un_parallel_for(H, 64, scatter_range, &job);
    return UNSEEN_OK;
}
