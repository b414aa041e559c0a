/*
 * golden_deit.c - the vision transformer with a distillation token against an
 * encoder in plain PyTorch: states of every layer, attention, logits, and all
 * gradients including that of the pictures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "vision/transformer/vit.h"

typedef struct {
    un_params params;
    un_vit vit;
    un_dense classifier;
    un_vit_pass pass;
    size_t n, S, T, H, K;
    float *pictures;
} scene;

static un_status make(golden *g, scene *s) {
    un_vit_config config;
    UN_TRY(un_vit_config_read(g->file, &config));
    UN_TRY(golden_dimension(g, "in.pixel_values", 4, 0, &s->n));
    UN_TRY(golden_dimension(g, "in.pixel_values", 4, 2, &s->S));
    UN_TRY(golden_dimension(g, "out.logits", 2, 1, &s->K));
    s->H = config.width;
    UN_TRY(un_vit_declare(&s->vit, &s->params, "deit.deit.", &config));
    UN_TRY(un_dense_declare(&s->classifier, &s->params, "deit.classifier", s->H, s->K));
    UN_TRY(un_params_allocate(&s->params, 1, g->type == UN_BF16));
    UN_TRY(un_vit_load(&s->vit, &s->params, g->file));
    golden_refresh_params(g, &s->params);
    UN_TRY(golden_load_params(g, &s->params, s->classifier.weight, 2));
    s->T = un_vit_tokens(&s->vit, config.image / config.patch);
    float *planes = NULL;
    size_t S = s->S;
    UN_TRY(golden_f32(g, "in.pixel_values", s->n * 3 * S * S, &planes));
    UN_TRY(un_arena_alloc(&g->arena, s->n * 3 * S * S, sizeof *planes, &s->pictures));
    for (size_t i = 0; i < s->n * 3; i++)
        for (size_t p = 0; p < S * S; p++)
            s->pictures[(i / 3 * S * S + p) * 3 + i % 3] = planes[i * S * S + p];
    return UNSEEN_OK;
}

static un_status forward(golden *g, scene *s, const float **states, float *logits) {
    char name[64];
    size_t rows = s->n * s->T, heads = s->vit.config.heads;
    float **maps = s->pass.encoder.probabilities;
    for (size_t l = 0; l < s->vit.config.layers; l++)
        UN_TRY(un_arena_alloc(&g->arena, rows * s->T * heads, sizeof(float), &maps[l]));
    UN_TRY(un_vit_forward(&s->pass, &s->params, s->pictures, s->n, s->S, NULL, states));
    for (size_t l = 0; l <= s->vit.config.layers; l++) {
        snprintf(name, sizeof name, "out.hidden.%zu", l);
        UN_TRY(golden_compare_f32(g, name, s->pass.encoder.x[l], rows * s->H, GOLDEN_OUTPUT));
        if (l == s->vit.config.layers) break;
        snprintf(name, sizeof name, "out.attn.%zu", l);
        UN_TRY(golden_compare_f32(g, name, maps[l], rows * s->T * heads, GOLDEN_OUTPUT));
    }
    UN_TRY(golden_compare_f32(g, "out.last_hidden_state", *states, rows * s->H, GOLDEN_OUTPUT));
    for (size_t i = 0; i < s->n; i++)
        UN_TRY(un_dense_forward(&s->classifier, &s->params, UN_F32, *states + i * s->T * s->H, 1,
                                UN_DENSE_PLAIN, logits + i * s->K, 0, UN_F32));
    return golden_compare_f32(g, "out.logits", logits, s->n * s->K, GOLDEN_OUTPUT);
}

static un_status backward(golden *g, scene *s, const float *states, const float *dstates,
                          const float *dlogits) {
    float *d = NULL, *dpictures = NULL, *planes = NULL;
    size_t S = s->S, pixels = s->n * 3 * S * S;
    UN_TRY(un_arena_alloc(&g->arena, s->n * s->T * s->H, sizeof *d, &d));
    UN_TRY(un_arena_alloc(&g->arena, pixels, sizeof *d, &dpictures));
    UN_TRY(un_arena_alloc(&g->arena, pixels, sizeof *d, &planes));
    memcpy(d, dstates, s->n * s->T * s->H * sizeof *d);
    memset(s->params.grad, 0, s->params.total * sizeof(float));
    for (size_t i = 0; i < s->n; i++) {
        size_t at = i * s->T * s->H;
        const un_dense_gradient gradient = {
            .x = states + at, .dy = dlogits + i * s->K, .rows = 1, .dx = d + at, .add = 1};
        UN_TRY(un_dense_backward(&s->classifier, &s->params, UN_F32, &gradient));
    }
    UN_TRY(un_vit_backward(&s->pass, d, dpictures));
    UN_TRY(golden_compare_grads(g, &s->params, "grad."));
    for (size_t i = 0; i < s->n * 3; i++)
        for (size_t p = 0; p < S * S; p++)
            planes[i * S * S + p] = dpictures[(i / 3 * S * S + p) * 3 + i % 3];
    return golden_compare_f32(g, "grad.in.pixel_values", planes, pixels, GOLDEN_GRADIENT);
}

static un_status run(golden *g, scene *s, int recompute) {
    const float *states = NULL;
    float *logits = NULL, *R_hidden = NULL, *R_logits = NULL;
    size_t count = s->n * s->T * s->H;
    UN_TRY(golden_f32(g, "in.R_hidden", count, &R_hidden));
    UN_TRY(golden_f32(g, "in.R_logits", s->n * s->K, &R_logits));
    UN_TRY(un_arena_alloc(&g->arena, s->n * s->K, sizeof *logits, &logits));
    UN_TRY(un_vit_pass_create(&s->pass, &s->vit, g->type, 1, recompute));
    UN_TRY(forward(g, s, &states, logits));
    double loss = 0, *reference = NULL;
    for (size_t i = 0; i < count; i++) loss += (double)states[i] * (double)R_hidden[i];
    for (size_t i = 0; i < s->n * s->K; i++) loss += (double)logits[i] * (double)R_logits[i];
    UN_TRY(golden_f64(g, "loss.proj", 1, &reference));
    golden_compare(g, "loss.proj", &loss, reference, 1, GOLDEN_OUTPUT);
    return backward(g, s, states, R_hidden, R_logits);
}

un_status golden_check_deit(golden *g) {
    un_status status = UNSEEN_OK;
    for (int recompute = 0; recompute < 2 && !status; recompute++) {
        scene s = {0};
        status = make(g, &s);
        if (!status) status = run(g, &s, recompute);
        un_vit_pass_free(&s.pass);
        un_vit_free(&s.vit);
        un_params_free(&s.params);
    }
    return status;
}
