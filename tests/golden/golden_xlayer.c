/*
 * golden_xlayer.c - the cross-modal layer against DUET's LxmertXLayer, with one and
 * with several visual tokens, with and without a language mask.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "method/duet/network.h"
#include "nn/naming.h"

typedef struct {
    un_params params;
    duet_xlayer layer;
    duet_xlayer_pass pass;
    duet_xlayer_context context;
    size_t B, H, length[DUET_SIDES];
    float *x[DUET_SIDES], *R[DUET_SIDES];
} scene;

static const char *const g_in[] = {"in.lang", "in.vis"}, *const g_out[] = {"out.lang", "out.vis"};
static const char *const g_R[] = {"in.R_lang", "in.R_vis"};
static const char *const g_maps[] = {"out.attn_lang2vis", "out.attn_vis2lang"};
static const char *const g_grad[] = {"grad.in.lang", "grad.in.vis"};

static un_status make_mask(golden *g, scene *s) {
    int64_t *visible = NULL;
    float *mask = NULL;
    size_t rows = s->B * s->length[DUET_LANGUAGE];
    if (!un_safetensors_find(g->file, "in.lang_attention_mask")) return UNSEEN_OK;
    UN_TRY(golden_i64(g, "in.lang_attention_mask", rows, &visible));
    UN_TRY(un_arena_alloc(&g->arena, rows, sizeof *mask, &mask));
    for (size_t i = 0; i < rows; i++) mask[i] = visible[i] ? 0.0f : -10000.0f;
    s->context.key_mask[DUET_LANGUAGE] = mask;
    return UNSEEN_OK;
}

static un_status make(golden *g, scene *s) {
    un_block_config config = {.eps = 1e-12f};
    UN_TRY(golden_dimension(g, g_in[0], 3, 0, &s->B));
    UN_TRY(golden_dimension(g, g_in[0], 3, 2, &s->H));
    config.width = s->H;
    UN_TRY(golden_dimension(g, "lxmert_xlayer.lang_inter.dense.weight", 2, 0, &config.inner));
    UN_TRY(un_weights_heads(g->file, s->H, 0, &config.heads));
    UN_TRY(un_duet_xlayer_declare(&s->layer, &s->params, "lxmert_xlayer.", &config));
    UN_TRY(un_params_allocate(&s->params, 1, g->type == UN_BF16));
    UN_TRY(golden_load_params(g, &s->params, 0, s->params.count));
    un_params_refresh(&s->params);
    s->context = (duet_xlayer_context){.params = &s->params, .type = g->type};
    UN_TRY(un_duet_xlayer_pass_create(&s->pass, &s->layer, g->type, 1));
    for (size_t i = 0; i < DUET_SIDES; i++) {
        UN_TRY(golden_dimension(g, g_in[i], 3, 1, &s->length[i]));
        size_t rows = s->B * s->length[i];
        UN_TRY(golden_f32(g, g_in[i], rows * s->H, &s->x[i]));
        UN_TRY(golden_f32(g, g_R[i], rows * s->H, &s->R[i]));
        UN_TRY(un_sequences_equal(&g->arena, s->B, s->length[i], &s->context.sequences[i]));
    }
    for (size_t i = 0; i < DUET_SIDES; i++)
        UN_TRY(un_arena_alloc(&g->arena, s->B * config.heads * s->length[0] * s->length[1],
                              sizeof(float), &s->pass.side[i].probabilities));
    return make_mask(g, s);
}

/* The first pair's text as the fixed text of its picture gives the same visual states. */
static un_status compare_fixed(golden *g, scene *s) {
    un_sequences one;
    duet_xlayer_pass pass;
    double *expected = NULL;
    size_t rows = s->length[DUET_VISION], count = s->B * rows * s->H;
    UN_TRY(golden_f64(g, g_out[DUET_VISION], count, &expected));
    UN_TRY(un_sequences_equal(&g->arena, 1, rows, &one));
    UN_TRY(un_duet_xlayer_pass_create(&pass, &s->layer, g->type, 0));
    un_status status = UNSEEN_OK;
    UN_GO(un_duet_xlayer_fix_language(&pass, &s->params, s->x[DUET_LANGUAGE],
                                      s->length[DUET_LANGUAGE],
                                      s->context.key_mask[DUET_LANGUAGE]));
    UN_GO(un_duet_xlayer_forward_vision(&pass, s->x[DUET_VISION], &one, NULL));
    double *values = NULL;
    UN_GO(un_arena_alloc(&g->arena, rows * s->H, sizeof *values, &values));
    for (size_t i = 0; i < rows * s->H; i++) values[i] = (double)pass.side[DUET_VISION].out[i];
    golden_compare(g, "out.vis (fixed text)", values, expected, rows * s->H, GOLDEN_OUTPUT);
done:
    un_duet_xlayer_pass_free(&pass);
    return status;
}

static un_status run(golden *g, scene *s) {
    float *d[DUET_SIDES];
    double loss = 0, *reference = NULL;
    size_t heads = s->layer.cross.heads;
    const float *const x[DUET_SIDES] = {s->x[0], s->x[1]};
    UN_TRY(un_duet_xlayer_forward(&s->pass, &s->context, x));
    for (size_t i = 0; i < DUET_SIDES; i++) {
        const duet_xlayer_side *side = &s->pass.side[i];
        size_t count = s->B * s->length[i] * s->H;
        UN_TRY(golden_compare_f32(g, g_out[i], side->out, count, GOLDEN_OUTPUT));
        UN_TRY(golden_compare_f32(g, g_maps[i], side->probabilities,
                                  s->B * heads * s->length[0] * s->length[1], GOLDEN_OUTPUT));
        for (size_t k = 0; k < count; k++) loss += (double)side->out[k] * (double)s->R[i][k];
        UN_TRY(un_arena_alloc(&g->arena, count, sizeof(float), &d[i]));
        memcpy(d[i], s->R[i], count * sizeof(float));
    }
    UN_TRY(golden_f64(g, "loss.proj", 1, &reference));
    golden_compare(g, "loss.proj", &loss, reference, 1, GOLDEN_OUTPUT);
    UN_TRY(un_duet_xlayer_backward(&s->pass, d));
    UN_TRY(golden_compare_grads(g, &s->params, "grad."));
    for (size_t i = 0; i < DUET_SIDES; i++)
        UN_TRY(golden_compare_f32(g, g_grad[i], d[i], s->B * s->length[i] * s->H, GOLDEN_GRADIENT));
    return compare_fixed(g, s);
}

un_status golden_check_xlayer(golden *g) {
    scene s = {0};
    un_status status = make(g, &s);
    if (!status) status = run(g, &s);
    un_duet_xlayer_pass_free(&s.pass);
    un_params_free(&s.params);
    return status;
}
