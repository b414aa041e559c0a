/*
 * golden_dem.c - golden data of kind "dem": six steps of training and the
 * nearest prototypes after them, through the interface that training uses.
 *
 * The batches are given, our method samples its own: so each step has a method
 * whose training set is that batch and whose batch size is its length, and takes
 * over the weights of the step before. The order of the rows then is ours, which
 * no compared number depends on.
 *
 * Letters: A attributes, h hidden, D visual, C classes, n images of a batch.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "golden.h"
#include "golden_training.h"
#include "method/dem/dem.h"

enum { NAME_LENGTH = 64, HPARAMS = 5 };

typedef struct {
    golden *g;
    size_t A, h, D, C, steps;
    double lambda;
    un_class_table classes;
    json_t *config;
    un_method *method; /* of the present step */
    un_optimizer optimizer;
    double *fit, *total; /* [steps] losses before each update */
} scene;

static un_status make_config(scene *s) {
    double *p = NULL;
    UN_TRY(golden_f64(s->g, "in.hparams", HPARAMS, &p));
    s->lambda = p[0];
    UN_TRY(un_config_create(&un_method_dem, NULL, &s->config));
    json_t *values =
        json_pack("{s:f, s:f, s:f, s:f, s:f, s:I, s:i, s:s, s:s, s:s}", "lambda", p[0], "lr", p[1],
                  "beta1", p[2], "beta2", p[3], "epsilon", p[4], "hidden", (json_int_t)s->h,
                  "input_scale", 1, "network", "two-layer", "batching", "mini", "whiten", "no");
    if (!values) return un_fail_memory(0);
    un_status status = un_config_merge(&un_method_dem, s->config, values, s->g->file->path);
    json_decref(values);
    return status;
}

/* Element (i, j) of a piece: torch has weights (out, in), we (in, out). */
static un_status load_weights(scene *s, un_params *params) {
    for (size_t k = 0; k < params->count; k++) {
        const un_param *piece = &params->item[k];
        if (!un_safetensors_find(s->g->file, piece->name)) continue; /* input_scale */
        float *source = NULL, *target = un_param_value(params, k);
        UN_TRY(golden_f32(s->g, piece->name, piece->count, &source));
        size_t in = piece->rank == 2 ? piece->shape[0] : 1;
        size_t out = piece->shape[piece->rank - 1];
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++) target[i * out + o] = source[o * in + i];
    }
    un_params_refresh(params);
    return UNSEEN_OK;
}

/* A method that trains on `b` (NULL: only predicts), with the weights of the last one. */
static un_status next_method(scene *s, const golden_batch *b) {
    un_method *old = s->method, *method = NULL;
    if (b) {
        char assignment[NAME_LENGTH];
        snprintf(assignment, sizeof assignment, "batch=%zu", b->n);
        UN_TRY(un_config_set(&un_method_dem, s->config, assignment));
    }
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = 1,
                                   .width = s->D,
                                   .precision = golden_precision(s->g),
                                   .config = s->config,
                                   .data = b ? &b->data : NULL};
    UN_TRY(un_method_dem.create(&setup, &method));
    s->method = method;
    if (!old) return load_weights(s, &method->params);
    memcpy(method->params.value, old->params.value, old->params.total * sizeof(float));
    un_params_refresh(&method->params);
    un_method_dem.destroy(old);
    return UNSEEN_OK;
}

/* The outputs of the step just done, one row a class, spread over the batch. */
static un_status compare_outputs(scene *s, const golden_batch *b) {
    const dem *d = (const dem *)s->method;
    float *pred = NULL;
    UN_TRY(un_arena_alloc(&s->g->arena, b->n * s->D, sizeof *pred, &pred));
    for (size_t i = 0; i < b->n; i++)
        memcpy(pred + i * s->D, d->output + (size_t)d->row_of_class[b->labels[i]] * s->D,
               s->D * sizeof *pred);
    return golden_compare_f32(s->g, "out.step0.pred", pred, b->n * s->D, GOLDEN_OUTPUT);
}

/* Reference gradients are of the whole loss; ours get the L2 part in the optimiser. */
static un_status compare_gradients(scene *s) {
    const un_params *params = &s->method->params;
    for (size_t k = 0; k < params->count; k++) {
        const un_param *piece = &params->item[k];
        char name[NAME_LENGTH];
        float *sum = NULL;
        if (!un_safetensors_find(s->g->file, piece->name)) continue;
        snprintf(name, sizeof name, "grad.%s", piece->name);
        UN_TRY(un_arena_alloc(&s->g->arena, piece->count, sizeof *sum, &sum));
        for (size_t i = 0; i < piece->count; i++)
            sum[i] = un_param_grad(params, k)[i] + piece->decay * un_param_value(params, k)[i];
        if (piece->rank == 2)
            UN_TRY(golden_turn(s->g, sum, piece->shape[0], piece->shape[1], &sum));
        UN_TRY(golden_compare_f32(s->g, name, sum, piece->count, GOLDEN_GRADIENT));
    }
    return UNSEEN_OK;
}

static un_status train(scene *s) {
    for (size_t step = 0; step < s->steps; step++) {
        golden_batch b;
        double losses[UN_MAX_LOSSES];
        UN_TRY(golden_load_batch(s->g, step, s->C, s->D, &b));
        UN_TRY(next_method(s, &b));
        if (step == 0) {
            un_optimizer_settings settings;
            un_method_dem.learner->optimizer(s->method, &settings);
            UN_TRY(un_optimizer_create(&s->optimizer, &settings, &s->method->params));
        }
        UN_TRY(un_method_dem.prepare(s->method));
        if (un_method_dem.learner->steps_before(s->method, 1) != 1)
            return un_fail(UNSEEN_E_ARGUMENT, "a batch of the whole training set is not one step");
        UN_TRY(un_method_dem.learner->step(s->method, step, 0, losses));
        if (step == 0) {
            UN_TRY(compare_outputs(s, &b));
            UN_TRY(compare_gradients(s));
        }
        s->fit[step] = losses[0];
        s->total[step] = losses[0] + un_optimizer_step(&s->optimizer, &s->method->params);
    }
    return UNSEEN_OK;
}

static un_status compare_training(scene *s) {
    golden *g = s->g;
    const un_params *params = &s->method->params;
    double *fit = NULL, *total = NULL;
    UN_TRY(golden_f64(g, "loss.fit_per_step", s->steps, &fit));
    UN_TRY(golden_f64(g, "loss.per_step", s->steps, &total));
    golden_compare(g, "loss.fit_per_step", s->fit, fit, s->steps, GOLDEN_OUTPUT);
    golden_compare(g, "loss.per_step", s->total, total, s->steps, GOLDEN_OUTPUT);
    for (size_t k = 0; k < params->count; k++) {
        const un_param *piece = &params->item[k];
        char name[NAME_LENGTH];
        float *values = un_param_value(params, k);
        if (!un_safetensors_find(g->file, piece->name)) continue;
        snprintf(name, sizeof name, "out.final.%s", piece->name);
        if (piece->rank == 2)
            UN_TRY(golden_turn(g, values, piece->shape[0], piece->shape[1], &values));
        UN_TRY(golden_compare_trained(g, name, piece->name, values, piece->count, GOLDEN_OUTPUT));
    }
    return UNSEEN_OK;
}

/* Distances and decisions under one distance, by a method that only predicts. */
static un_status compare_scores(scene *s, const char *distance) {
    golden *g = s->g;
    char name[NAME_LENGTH];
    size_t n = 0;
    float *features = NULL, *scores = NULL;
    int64_t *chosen = NULL, *chosen_unseen = NULL;
    snprintf(name, sizeof name, "distance=%s", distance);
    UN_TRY(un_config_set(&un_method_dem, s->config, name));
    UN_TRY(next_method(s, NULL));
    UN_TRY(golden_dimension(g, "in.test_features", 2, 0, &n));
    UN_TRY(golden_f32(g, "in.test_features", n * s->D, &features));
    UN_TRY(un_arena_alloc(&g->arena, n * s->C, sizeof *scores, &scores));
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *chosen, &chosen));
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *chosen_unseen, &chosen_unseen));
    UN_TRY(un_method_dem.set_classes(s->method, &s->classes));
    UN_TRY(golden_compare_f32(g, "out.prototypes", ((const dem *)s->method)->prototypes,
                              s->C * s->D, GOLDEN_OUTPUT));
    UN_TRY(un_method_dem.score(s->method, features, n, scores));
    UN_TRY(golden_decide(g, &s->classes, scores, n, chosen, chosen_unseen));
    for (size_t i = 0; i < n * s->C; i++) scores[i] = -scores[i];
    snprintf(name, sizeof name, "out.dist_%s", distance);
    UN_TRY(golden_compare_f32(g, name, scores, n * s->C, GOLDEN_OUTPUT));
    snprintf(name, sizeof name, "out.pred_%s", distance);
    UN_TRY(golden_compare_i64(g, name, chosen, n));
    snprintf(name, sizeof name, "out.pred_%s_unseen", distance);
    return golden_compare_i64(g, name, chosen_unseen, n);
}

un_status golden_check_dem(golden *g) {
    scene s = {.g = g};
    un_status status = UNSEEN_OK;
    UN_GO(golden_dimension(g, "fc1.weight", 2, 0, &s.h));
    UN_GO(golden_dimension(g, "fc1.weight", 2, 1, &s.A));
    UN_GO(golden_dimension(g, "fc2.weight", 2, 0, &s.D));
    UN_GO(golden_dimension(g, "in.att", 2, 0, &s.C));
    UN_GO(golden_dimension(g, "loss.per_step", 1, 0, &s.steps));
    UN_GO(un_arena_alloc(&g->arena, s.steps, sizeof *s.fit, &s.fit));
    UN_GO(un_arena_alloc(&g->arena, s.steps, sizeof *s.total, &s.total));
    UN_GO(golden_load_classes(g, s.C, s.A, &s.classes));
    UN_GO(make_config(&s));
    UN_GO(train(&s));
    UN_GO(compare_training(&s));
    UN_GO(compare_scores(&s, "euclidean"));
    UN_GO(compare_scores(&s, "cosine"));
done:
    if (s.method) un_method_dem.destroy(s.method);
    un_optimizer_free(&s.optimizer);
    json_decref(s.config);
    return status;
}
