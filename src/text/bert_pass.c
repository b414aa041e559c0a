/* bert_pass.c - BERT over one batch, forward and backward; see bert.h. */
#include <string.h>

#include "base/parallel.h"
#include "tensor/kernels.h"
#include "text/bert.h"

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
    UN_TRY(un_encoder_pass_reserve(&pass->encoder, rows));
    if (rows <= pass->room) return UNSEEN_OK;
    un_arena_free(a);
    pass->room = 0;
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
