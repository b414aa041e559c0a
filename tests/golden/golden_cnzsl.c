/*
 * golden_cnzsl.c - golden data of kind "cnzsl": three steps of training in both forms of
 * standardisation, and scores after them, through the interface that training uses.
 *
 * The batches are given, our method samples its own: each step has a method whose training set is
 * that batch, and takes over the weights and statistics of the step before. Gradients at a ReLU's
 * output are compared where it is open: behind it they are 0.
 *
 * Letters: A attributes, h hidden, D visual, C classes, S seen ones, n images of a batch.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "golden.h"
#include "golden_training.h"
#include "method/cnzsl/cnzsl.h"

enum { NAME_LENGTH = 64 };

typedef struct {
    golden *g;
    const char *form; /* "var" or "dev" */
    size_t A, h, D, C, steps;
    un_class_table classes;
    json_t *config;
    un_method *method; /* of the present step */
    un_optimizer optimizer;
} scene;

static const char *named(const scene *s, const char *what, const char *which) {
    static char name[NAME_LENGTH];
    snprintf(name, sizeof name, "%s.%s%s", s->form, what, which);
    return name;
}

static un_status compare(scene *s, const char *what, const char *which, const float *values,
                         size_t n, double tolerance) {
    return golden_compare_f32(s->g, named(s, what, which), values, n, tolerance);
}

static un_status set(scene *s, const char *key, double value) {
    char text[NAME_LENGTH];
    snprintf(text, sizeof text, "%s=%.17g", key, value);
    return un_config_set(&un_method_cnzsl, s->config, text);
}

static un_status configure(scene *s) {
    static const struct {
        const char *key, *metadata;
    } numbers[] = {{"scale", "scale"}, {"lr", "lr"},       {"decay", "weight_decay"},
                   {"beta1", "beta1"}, {"beta2", "beta2"}, {"epsilon", "adam_eps"}};
    UN_TRY(un_config_create(&un_method_cnzsl, NULL, &s->config));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double value = 0;
        UN_TRY(golden_number(s->g, numbers[i].metadata, &value));
        UN_TRY(set(s, numbers[i].key, value));
    }
    UN_TRY(set(s, "hidden", (double)s->h));
    return un_config_set(&un_method_cnzsl, s->config,
                         strcmp(s->form, "dev") ? "standardise=variance" : "standardise=deviation");
}

/* A method that trains on `b` (NULL: only predicts), with the parameters of the last one. */
static un_status next_method(scene *s, const golden_batch *b) {
    un_method *old = s->method, *method = NULL;
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = 1,
                                   .width = s->D,
                                   .precision = UN_PRECISION_F32,
                                   .config = s->config,
                                   .data = b ? &b->data : NULL};
    UN_TRY(un_method_cnzsl.create(&setup, &method));
    s->method = method;
    if (!old) {
        for (size_t k = 0; k < method->params.count; k++) {
            char name[NAME_LENGTH];
            snprintf(name, sizeof name, "init.%s", method->params.item[k].name);
            /* Statistics must start at what they are there; weights come from the file. */
            if (un_safetensors_find(s->g->file, name))
                UN_TRY(golden_compare_f32(s->g, name, un_param_value(&method->params, k),
                                          method->params.item[k].count, GOLDEN_OUTPUT));
            else
                UN_TRY(golden_load_params(s->g, &method->params, k, 1));
        }
        return UNSEEN_OK;
    }
    memcpy(method->params.value, old->params.value, old->params.total * sizeof(float));
    un_method_cnzsl.destroy(old);
    return UNSEEN_OK;
}

/* Running statistics by their names, or all parameters. */
static un_status compare_params(scene *s, const char *prefix, int statistics_only) {
    const un_params *p = &s->method->params;
    for (size_t k = 0; k < p->count; k++) {
        int is_statistic = !strncmp(p->item[k].name, "running", 7);
        if (statistics_only && !is_statistic) continue;
        UN_TRY(compare(s, prefix, p->item[k].name, un_param_value(p, k), p->item[k].count,
                       GOLDEN_OUTPUT));
    }
    return UNSEEN_OK;
}

/* Layers of the first step; prototypes are kept as unit rows and norms. */
static un_status compare_layers(scene *s) {
    const cnzsl *n = (const cnzsl *)s->method;
    const cnzsl_pass *pass = &n->pass;
    size_t size = pass->rows * s->h;
    float *prototype = NULL;
    UN_TRY(compare(s, "out.step0.", "h1", pass->h1, size, GOLDEN_OUTPUT));
    UN_TRY(compare(s, "out.step0.", "u", pass->u, size, GOLDEN_OUTPUT));
    UN_TRY(compare(s, "out.step0.", "s1", pass->s1, size, GOLDEN_OUTPUT));
    UN_TRY(compare(s, "out.step0.", "h2", pass->h2, size, GOLDEN_OUTPUT));
    UN_TRY(compare(s, "out.step0.", "s2", pass->s2, size, GOLDEN_OUTPUT));
    UN_TRY(un_arena_alloc(&s->g->arena, pass->rows * s->D, sizeof *prototype, &prototype));
    for (size_t i = 0; i < pass->rows * s->D; i++)
        prototype[i] = pass->prototype[i] * pass->norm[i / s->D];
    return compare(s, "out.step0.", "proto", prototype, pass->rows * s->D, GOLDEN_OUTPUT);
}

/* The scores of a step's batch, from its prototypes: the method has their gradients in this place. */
static un_status compare_logits(scene *s, const golden_batch *b) {
    const cnzsl *n = (const cnzsl *)s->method;
    const un_training_data *data = &b->data;
    size_t S = n->pass.rows, count = data->train->count;
    double *logits = NULL, *reference = NULL;
    const char *name = named(s, "out.step0.", "logits");
    UN_TRY(golden_f64(s->g, name, count * S, &reference));
    UN_TRY(un_arena_alloc(&s->g->arena, count * S, sizeof *logits, &logits));
    for (size_t i = 0; i < count; i++) {
        const float *x = (const float *)(const void *)data->features->data + i * s->D;
        double norm = 0;
        for (size_t j = 0; j < s->D; j++) norm += (double)x[j] * (double)x[j];
        for (size_t c = 0; c < S; c++) {
            double dot = 0;
            for (size_t j = 0; j < s->D; j++)
                dot += (double)x[j] * (double)n->pass.prototype[c * s->D + j];
            logits[i * S + c] = n->settings.scale * dot / sqrt(norm);
        }
    }
    golden_compare(s->g, name, logits, reference, count * S, GOLDEN_OUTPUT);
    return UNSEEN_OK;
}

/* The gradient of a ReLU's output y: ours is behind the ReLU. */
static un_status compare_open(scene *s, const char *which, const float *values, const float *y,
                              size_t n) {
    double *reference = NULL, *wide = NULL;
    const char *name = named(s, "grad.out.step0.", which);
    UN_TRY(golden_f64(s->g, name, n, &reference));
    UN_TRY(un_arena_alloc(&s->g->arena, n, sizeof *wide, &wide));
    for (size_t i = 0; i < n; i++) {
        wide[i] = (double)values[i];
        if (!(y[i] > 0)) reference[i] = 0;
    }
    golden_compare(s->g, name, wide, reference, n, GOLDEN_GRADIENT);
    return UNSEEN_OK;
}

/* Decay is the optimiser's here and added to the gradient there, which the file has without it. */
static un_status compare_gradients(scene *s) {
    const cnzsl_pass *pass = &((const cnzsl *)s->method)->pass;
    const un_params *p = &s->method->params;
    size_t size = pass->rows * s->h;
    UN_TRY(compare(s, "grad.out.step0.", "s2", pass->d_s2, size, GOLDEN_GRADIENT));
    UN_TRY(compare(s, "grad.out.step0.", "u", pass->d_u, size, GOLDEN_GRADIENT));
    UN_TRY(compare_open(s, "h2", pass->d_h2, pass->h2, size));
    UN_TRY(compare_open(s, "proto", pass->d_prototype, pass->prototype, pass->rows * s->D));
    for (size_t k = 0; k < p->count && p->item[k].offset < p->trained; k++) {
        UN_TRY(compare(s, "grad.", p->item[k].name, un_param_grad(p, k), p->item[k].count,
                       GOLDEN_GRADIENT));
        if (strcmp(p->item[k].name, "fc2.bias") != 0) continue;
        int zero = 1;
        for (size_t i = 0; i < p->item[k].count; i++) zero &= un_param_grad(p, k)[i] == 0;
        printf("  %-36s %s", "grad.fc2.bias is exactly 0", zero ? "yes" : "no");
        golden_verdict(s->g, zero);
    }
    return UNSEEN_OK;
}

static un_status train(scene *s) {
    for (size_t step = 0; step < s->steps; step++) {
        golden_batch b;
        double losses[UN_MAX_LOSSES], *reference = NULL;
        char name[NAME_LENGTH];
        UN_TRY(golden_load_batch(s->g, step, s->C, s->D, &b));
        UN_TRY(set(s, "batch", (double)b.data.train->count));
        UN_TRY(next_method(s, &b));
        if (step == 0) {
            un_optimizer_settings settings;
            un_method_cnzsl.learner->optimizer(s->method, &settings);
            UN_TRY(un_optimizer_create(&s->optimizer, &settings, &s->method->params));
        }
        UN_TRY(un_method_prepare(s->method));
        if (un_method_cnzsl.learner->steps_before(s->method, 1) != 1)
            return un_fail(UNSEEN_E_ARGUMENT, "a batch of the whole training set is not one step");
        UN_TRY(un_method_cnzsl.learner->step(s->method, 0, 0, losses));
        snprintf(name, sizeof name, "%s.loss.step%zu", s->form, step);
        UN_TRY(golden_f64(s->g, name, 1, &reference));
        golden_compare(s->g, name, losses, reference, 1, GOLDEN_OUTPUT);
        if (step == 0) {
            UN_TRY(compare_layers(s));
            UN_TRY(compare_logits(s, &b));
            UN_TRY(compare_params(s, "out.step0.", 1));
            UN_TRY(compare_gradients(s));
        }
        un_optimizer_step(&s->optimizer, &s->method->params);
    }
    return compare_params(s, "out.final.", 0);
}

/* The rows that describe all classes. */
static un_status compare_inputs(scene *s) {
    const cnzsl *n = (const cnzsl *)s->method;
    cnzsl_pass pass;
    UN_TRY(un_cnzsl_pass_create(n, &pass, &s->g->arena, s->C, 0));
    for (size_t c = 0; c < s->C; c++) un_cnzsl_input(n, &pass, c, &s->classes, c);
    return golden_compare_f32(s->g, "out.attributes", pass.input, s->C * s->A, GOLDEN_OUTPUT);
}

/* Prototypes of all classes by the running statistics. */
static un_status compare_prototypes(scene *s) {
    cnzsl *n = (cnzsl *)s->method;
    cnzsl_pass pass;
    UN_TRY(un_cnzsl_pass_create(n, &pass, &s->g->arena, s->C, 0));
    for (size_t c = 0; c < s->C; c++) un_cnzsl_input(n, &pass, c, &s->classes, c);
    UN_TRY(un_cnzsl_forward(n, &pass, s->C, 0));
    return compare(s, "out.", "prototypes", pass.prototype, s->C * s->D, GOLDEN_OUTPUT);
}

/* Scores and decisions of a method that only predicts; `factor` on those of seen classes. */
static un_status compare_scores(scene *s, double factor) {
    golden *g = s->g;
    size_t n = 0;
    float *features = NULL, *scores = NULL;
    int64_t *chosen = NULL, *chosen_unseen = NULL;
    UN_TRY(set(s, "seen_factor", factor));
    UN_TRY(next_method(s, NULL));
    UN_TRY(golden_dimension(g, "in.test_features", 2, 0, &n));
    UN_TRY(golden_f32(g, "in.test_features", n * s->D, &features));
    UN_TRY(un_arena_alloc(&g->arena, n * s->C, sizeof *scores, &scores));
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *chosen, &chosen));
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *chosen_unseen, &chosen_unseen));
    UN_TRY(un_method_cnzsl.set_classes(s->method, &s->classes));
    UN_TRY(un_method_cnzsl.score(s->method, features, n, scores));
    UN_TRY(golden_decide(g, &s->classes, scores, n, chosen, chosen_unseen));
    if (factor < 1) return golden_compare_i64(g, named(s, "out.", "pred_factor"), chosen, n);
    UN_TRY(compare(s, "out.", "scores", scores, n * s->C, GOLDEN_OUTPUT));
    UN_TRY(golden_compare_i64(g, named(s, "out.", "pred"), chosen, n));
    return golden_compare_i64(g, named(s, "out.", "pred_unseen"), chosen_unseen, n);
}

static un_status check_form(golden *g, const char *form) {
    scene s = {.g = g, .form = form};
    double factor = 1;
    un_status status = UNSEEN_OK;
    UN_GO(golden_dimension(g, "fc1.weight", 2, 0, &s.h));
    UN_GO(golden_dimension(g, "fc1.weight", 2, 1, &s.A));
    UN_GO(golden_dimension(g, "fc3.weight", 2, 0, &s.D));
    UN_GO(golden_dimension(g, "in.att", 2, 0, &s.C));
    UN_GO(golden_number(g, "seen_factor", &factor));
    for (char name[NAME_LENGTH];; s.steps++) {
        snprintf(name, sizeof name, "in.step%zu.labels", s.steps);
        if (!un_safetensors_find(g->file, name)) break;
    }
    UN_GO(golden_load_classes(g, s.C, s.A, &s.classes));
    UN_GO(configure(&s));
    UN_GO(train(&s));
    UN_GO(compare_inputs(&s));
    UN_GO(compare_prototypes(&s));
    UN_GO(compare_scores(&s, 1));
    UN_GO(compare_scores(&s, factor));
done:
    if (s.method) un_method_cnzsl.destroy(s.method);
    un_optimizer_free(&s.optimizer);
    json_decref(s.config);
    return status;
}

un_status golden_check_cnzsl(golden *g) {
    UN_TRY(check_form(g, "var"));
    return check_form(g, "dev");
}
