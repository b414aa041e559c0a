/*
 * golden_msdn.c - MSDN against the official network and losses: scores and
 * attention of every step, every loss term, all gradients of the first step, and
 * the parameters after several steps of RMSprop. The reference is float32.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "method/msdn/msdn.h"

/* The published computation was itself done in f32. */
#define MSDN_TOLERANCE 1e-4

static const char *const g_parameters[] = {"V", "W_1", "W_2", "W_1_1", "W_2_1"};

/* What the network is made from. */
typedef struct {
    un_class_table classes;
    un_features features;
    int32_t *labels;
    un_index_list train;
    un_training_data data;
    size_t steps, images, regions, width;
    un_optimizer_settings settings;
    double lambda, eta;
} scene;

static un_status make_classes(golden *g, scene *s) {
    un_class_table *t = &s->classes;
    un_class_semantics *m = &t->semantics[0];
    size_t seen_count = 0;
    int64_t *seen = NULL;
    float *vectors = NULL;
    t->semantics_count = 1;
    m->name = "att";
    UN_TRY(golden_dimension(g, "att", 2, 0, &t->count));
    UN_TRY(golden_dimension(g, "att", 2, 1, &m->width));
    UN_TRY(golden_dimension(g, "w2v", 2, 1, &m->vector_width));
    UN_TRY(golden_f32(g, "att", t->count * m->width, &m->values));
    UN_TRY(golden_f32(g, "w2v", m->width * m->vector_width, &vectors));
    m->vectors = vectors;
    UN_TRY(golden_count(g, "seen", &seen_count));
    UN_TRY(golden_i64(g, "seen", seen_count, &seen));
    UN_TRY(un_arena_alloc(&g->arena, t->count, 1, &t->seen));
    UN_TRY(un_arena_alloc(&g->arena, t->count, sizeof *t->names, &t->names));
    for (size_t i = 0; i < seen_count; i++) t->seen[seen[i]] = 1;
    return UNSEEN_OK;
}

/* One image a batch row of some seen class: only their number matters, batches come from the file.
 */
static un_status make_images(golden *g, scene *s) {
    size_t height = 0, width = 0, seen = 0;
    UN_TRY(golden_dimension(g, "step0.x", 4, 0, &s->images));
    UN_TRY(golden_dimension(g, "step0.x", 4, 1, &s->width));
    UN_TRY(golden_dimension(g, "step0.x", 4, 2, &height));
    UN_TRY(golden_dimension(g, "step0.x", 4, 3, &width));
    s->regions = height * width;
    while (!s->classes.seen[seen]) seen++;
    UN_TRY(un_arena_alloc(&g->arena, s->images, sizeof *s->labels, &s->labels));
    UN_TRY(un_arena_alloc(&g->arena, s->images, sizeof *s->train.items, &s->train.items));
    for (size_t i = 0; i < s->images; i++) {
        s->labels[i] = (int32_t)seen;
        s->train.items[s->train.count++] = (int64_t)i;
    }
    s->data = (un_training_data){&s->features, s->labels, &s->train};
    return UNSEEN_OK;
}

static un_status make_method(golden *g, scene *s, un_method **out) {
    json_t *config = NULL;
    double steps = 0, decay = 0;
    char text[128];
    un_status status = UNSEEN_OK;
    s->settings = (un_optimizer_settings){.kind = UN_RMSPROP};
    UN_TRY(golden_number(g, "lambda_cal", &s->lambda));
    UN_TRY(golden_number(g, "lambda_distill", &s->eta));
    UN_TRY(golden_number(g, "lr", &s->settings.lr));
    UN_TRY(golden_number(g, "weight_decay", &decay));
    UN_TRY(golden_number(g, "momentum", &s->settings.momentum));
    UN_TRY(golden_number(g, "alpha", &s->settings.beta2));
    UN_TRY(golden_number(g, "eps", &s->settings.epsilon));
    UN_TRY(golden_number(g, "steps", &steps));
    s->steps = (size_t)steps;
    const char *normalize = un_safetensors_metadata(g->file, "normalize_V");
    UN_TRY(un_config_create(&un_method_msdn, "cub", &config));
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"lambda", s->lambda}, {"eta", s->eta}, {"decay", decay}};
    for (size_t i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "%s=%.17g", numbers[i].key, numbers[i].value);
        UN_GO(un_config_set(&un_method_msdn, config, text));
    }
    UN_GO(un_config_set(&un_method_msdn, config,
                        normalize && !strcmp(normalize, "True") ? "normalize_v=yes"
                                                                : "normalize_v=no"));
    snprintf(text, sizeof text, "batch=%zu", s->images);
    UN_GO(un_config_set(&un_method_msdn, config, text));
    const un_method_setup setup = {.classes = &s->classes,
                                   .regions = s->regions,
                                   .width = s->width,
                                   .precision = UN_PRECISION_F32,
                                   .config = config,
                                   .data = &s->data};
    UN_GO(un_method_msdn.create(&setup, out));
done:
    json_decref(config);
    return status;
}

/* (B, F, h, w) to region-major (B, R, F). */
static un_status load_batch(golden *g, const scene *s, msdn *n, size_t step, int32_t *labels) {
    char name[64];
    float *x = NULL, *rows = n->batch.look.gathered;
    int64_t *y = NULL;
    snprintf(name, sizeof name, "step%zu.x", step);
    UN_TRY(golden_f32(g, name, s->images * s->width * s->regions, &x));
    for (size_t b = 0; b < s->images; b++)
        for (size_t f = 0; f < s->width; f++)
            for (size_t r = 0; r < s->regions; r++)
                rows[(b * s->regions + r) * s->width + f] = x[(b * s->width + f) * s->regions + r];
    snprintf(name, sizeof name, "step%zu.y", step);
    UN_TRY(golden_i64(g, name, s->images, &y));
    for (size_t b = 0; b < s->images; b++) labels[b] = (int32_t)y[b];
    return UNSEEN_OK;
}

static un_status compare_outputs(golden *g, const scene *s, const msdn *n, size_t step) {
    char name[64];
    size_t A = n->A, R = s->regions, C = s->classes.count;
    float *attention = NULL;
    snprintf(name, sizeof name, "step%zu.S1", step);
    UN_TRY(golden_compare_f32(g, name, n->batch.s1, s->images * C, MSDN_TOLERANCE));
    snprintf(name, sizeof name, "step%zu.S2", step);
    UN_TRY(golden_compare_f32(g, name, n->batch.s2, s->images * C, MSDN_TOLERANCE));
    UN_TRY(un_arena_alloc(&g->arena, s->images * A * R, sizeof *attention, &attention));
    float *p = NULL;
    UN_TRY(un_arena_alloc(&g->arena, 2 * A, sizeof *p, &p));
    for (size_t b = 0; b < s->images; b++) {
        const un_attribute_attention image = un_region_attention(&n->batch.look, b);
        for (size_t r = 0; r < R; r++) {
            un_attribute_weights(&image, r, p, p + A);
            for (size_t i = 0; i < A; i++) attention[(b * A + i) * R + r] = p[i];
        }
    }
    snprintf(name, sizeof name, "step%zu.A", step);
    return golden_compare_f32(g, name, attention, s->images * A * R, MSDN_TOLERANCE);
}

static un_status compare_losses(golden *g, const scene *s, size_t step, const double *losses) {
    static const char *const terms[] = {"ce1", "ce2", "cal1", "cal2", "distill"};
    const double weights[] = {1, 1, s->lambda, s->lambda, s->eta};
    double total = 0;
    char name[64];
    for (size_t i = 0; i < MSDN_LOSSES; i++) {
        double *reference = NULL;
        snprintf(name, sizeof name, "step%zu.%s", step, terms[i]);
        UN_TRY(golden_f64(g, name, 1, &reference));
        reference[0] *= weights[i];
        golden_compare(g, name, &losses[i], reference, 1, MSDN_TOLERANCE);
        total += losses[i];
    }
    double *reference = NULL;
    snprintf(name, sizeof name, "step%zu.loss", step);
    UN_TRY(golden_f64(g, name, 1, &reference));
    golden_compare(g, name, &total, reference, 1, MSDN_TOLERANCE);
    return UNSEEN_OK;
}

/* All parameters (or gradients) against tensors of the given prefix. */
static un_status compare_parameters(golden *g, const un_params *params, const char *prefix,
                                    int gradients) {
    char name[64];
    for (size_t i = 0; i < params->count; i++) {
        const float *values = gradients ? un_param_grad(params, i) : un_param_value(params, i);
        snprintf(name, sizeof name, "%s.%s", prefix, g_parameters[i]);
        UN_TRY(golden_compare_f32(g, name, values, params->item[i].count, MSDN_TOLERANCE));
    }
    return UNSEEN_OK;
}

static un_status run_steps(golden *g, const scene *s, msdn *n) {
    un_params *params = &n->base.params;
    un_optimizer optimizer = {0};
    double losses[MSDN_LOSSES];
    int32_t *labels = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_arena_alloc(&g->arena, s->images, sizeof *labels, &labels));
    UN_TRY(un_optimizer_create(&optimizer, &s->settings, params));
    for (size_t step = 0; step < s->steps; step++) {
        UN_GO(load_batch(g, s, n, step, labels));
        UN_GO(un_msdn_fold(n));
        UN_GO(un_msdn_forward(n, &n->batch, s->images));
        UN_GO(compare_outputs(g, s, n, step));
        UN_GO(un_msdn_losses(n, &n->batch, labels, s->images, losses));
        UN_GO(compare_losses(g, s, step, losses));
        UN_GO(un_msdn_backward(n, &n->batch, s->images));
        if (step == 0) UN_GO(compare_parameters(g, params, "grad0", 1));
        un_optimizer_step(&optimizer, params);
    }
    UN_GO(compare_parameters(g, params, "final", 0));
done:
    un_optimizer_free(&optimizer);
    return status;
}

un_status golden_check_msdn(golden *g) {
    scene s = {0};
    un_method *method = NULL;
    char name[64];
    un_status status = UNSEEN_OK;
    UN_TRY(make_classes(g, &s));
    UN_TRY(make_images(g, &s));
    UN_TRY(make_method(g, &s, &method));
    for (size_t i = 0; i < method->params.count; i++) {
        float *values = NULL;
        snprintf(name, sizeof name, "init.%s", g_parameters[i]);
        UN_GO(golden_f32(g, name, method->params.item[i].count, &values));
        memcpy(un_param_value(&method->params, i), values,
               method->params.item[i].count * sizeof *values);
    }
    status = run_steps(g, &s, (msdn *)method);
done:
    un_method_msdn.destroy(method);
    return status;
}
