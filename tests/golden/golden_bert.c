/*
 * golden_bert.c - the text encoder against DUET's BertModel: states of every layer
 * (padding included, as the original computes it), the pooler, and all gradients.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "tensor/kernels.h"
#include "text/bert.h"

typedef struct {
    un_params params;
    un_bert bert;
    un_dense pooler;
    un_bert_pass pass;
    un_bert_batch batch;
    size_t B, L, H;
} scene;

static un_status make(golden *g, scene *s) {
    un_bert_config config;
    int64_t *ids = NULL, *types = NULL, *visible = NULL;
    float *mask = NULL;
    UN_TRY(un_bert_config_read(g->file, &config));
    UN_TRY(golden_dimension(g, "in.input_ids", 2, 0, &s->B));
    UN_TRY(golden_dimension(g, "in.input_ids", 2, 1, &s->L));
    s->H = config.width;
    UN_TRY(un_bert_declare(&s->bert, &s->params, "bert.", &config));
    UN_TRY(un_dense_declare(&s->pooler, &s->params, "bert.pooler.dense", s->H, s->H));
    UN_TRY(un_params_allocate(&s->params, 1, g->type == UN_BF16));
    UN_TRY(un_bert_load(&s->bert, &s->params, g->file));
    golden_refresh_params(g, &s->params);
    UN_TRY(golden_load_params(g, &s->params, s->pooler.weight, 2));
    size_t rows = s->B * s->L;
    UN_TRY(golden_i64(g, "in.input_ids", rows, &ids));
    UN_TRY(golden_i64(g, "in.token_type_ids", rows, &types));
    UN_TRY(golden_i64(g, "in.attention_mask", rows, &visible));
    UN_TRY(un_arena_alloc(&g->arena, rows, sizeof *mask, &mask));
    for (size_t i = 0; i < rows; i++) mask[i] = visible[i] ? 0.0f : -10000.0f;
    s->batch = (un_bert_batch){.ids = ids, .types = types, .key_mask = mask};
    return un_sequences_equal(&g->arena, s->B, s->L, &s->batch.sequences);
}

static un_status compare_pooler(golden *g, scene *s, const float *states) {
    float *pooled = NULL;
    UN_TRY(un_arena_alloc(&g->arena, s->B * s->H, sizeof *pooled, &pooled));
    for (size_t i = 0; i < s->B; i++)
        UN_TRY(un_dense_forward(&s->pooler, &s->params, UN_F32, states + i * s->L * s->H, 1,
                                UN_DENSE_PLAIN, pooled + i * s->H, 0, UN_F32));
    un_tanh(pooled, pooled, s->B * s->H);
    return golden_compare_f32(g, "out.pooler_output", pooled, s->B * s->H, GOLDEN_OUTPUT);
}

static un_status run(golden *g, scene *s, int recompute) {
    const float *states = NULL;
    float *R = NULL;
    char name[64];
    size_t count = s->B * s->L * s->H;
    double loss = 0, *reference = NULL;
    UN_TRY(golden_f32(g, "in.R", count, &R));
    UN_TRY(un_bert_pass_create(&s->pass, &s->bert, g->type, 1, recompute));
    UN_TRY(un_bert_forward(&s->pass, &s->params, &s->batch, NULL, &states));
    for (size_t l = 0; l <= s->bert.config.layers; l++) {
        snprintf(name, sizeof name, "out.hidden.%zu", l);
        UN_TRY(golden_compare_f32(g, name, s->pass.encoder.x[l], count, GOLDEN_OUTPUT));
    }
    UN_TRY(golden_compare_f32(g, "out.last_hidden_state", states, count, GOLDEN_OUTPUT));
    UN_TRY(compare_pooler(g, s, states));
    for (size_t i = 0; i < count; i++) loss += (double)states[i] * (double)R[i];
    UN_TRY(golden_f64(g, "loss.proj", 1, &reference));
    golden_compare(g, "loss.proj", &loss, reference, 1, GOLDEN_OUTPUT);
    UN_TRY(un_bert_backward(&s->pass, R));
    return golden_compare_grads(g, &s->params, "grad.");
}

un_status golden_check_bert(golden *g) {
    un_status status = UNSEEN_OK;
    for (int recompute = 0; recompute < 2 && !status; recompute++) {
        scene s = {0};
        status = make(g, &s);
        if (!status) status = run(g, &s, recompute);
        un_bert_pass_free(&s.pass);
        un_bert_free(&s.bert);
        un_params_free(&s.params);
    }
    return status;
}
