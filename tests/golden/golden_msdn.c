/*
 * golden_msdn.c - MSDN against the official network and losses: scores and
 * attention of every step, every loss term, all gradients of the first step, and
 * the parameters after several steps of RMSprop. The reference is float32.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden_regions.h"
#include "method/msdn/msdn.h"

/* The published computation was itself done in f32. */
#define MSDN_TOLERANCE 1e-4

static const char *const g_parameters[] = {"V", "W_1", "W_2", "W_1_1", "W_2_1"};

typedef struct {
    golden_scene base;
    double lambda, eta;
} scene;

static un_status make_method(golden *g, scene *s, un_method **out) {
    json_t *config = NULL;
    char text[128];
    un_status status = UNSEEN_OK;
    UN_TRY(golden_number(g, "lambda_cal", &s->lambda));
    UN_TRY(golden_number(g, "lambda_distill", &s->eta));
    const char *normalize = un_safetensors_metadata(g->file, "normalize_V");
    UN_TRY(un_config_create(&un_method_msdn, "cub", &config));
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"lambda", s->lambda},
                   {"eta", s->eta},
                   {"decay", s->base.decay},
                   {"batch", (double)s->base.images}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(text, sizeof text, "%s=%.17g", numbers[i].key, numbers[i].value);
        UN_GO(un_config_set(&un_method_msdn, config, text));
    }
    UN_GO(un_config_set(&un_method_msdn, config,
                        normalize && !strcmp(normalize, "True") ? "normalize_v=yes"
                                                                : "normalize_v=no"));
    UN_GO(golden_scene_method(g, &s->base, &un_method_msdn, config, out));
done:
    json_decref(config);
    return status;
}

static un_status compare_outputs(golden *g, const scene *s, const msdn *n, size_t step) {
    char name[64];
    size_t A = n->A, R = s->base.regions, C = s->base.classes.count;
    float *attention = NULL;
    snprintf(name, sizeof name, "step%zu.S1", step);
    UN_TRY(golden_compare_f32(g, name, n->batch.s1, s->base.images * C, MSDN_TOLERANCE));
    snprintf(name, sizeof name, "step%zu.S2", step);
    UN_TRY(golden_compare_f32(g, name, n->batch.s2, s->base.images * C, MSDN_TOLERANCE));
    UN_TRY(un_arena_alloc(&g->arena, s->base.images * A * R, sizeof *attention, &attention));
    float *p = NULL;
    UN_TRY(un_arena_alloc(&g->arena, 2 * A, sizeof *p, &p));
    for (size_t b = 0; b < s->base.images; b++) {
        const un_attribute_attention image = un_region_attention(&n->batch.look, b);
        for (size_t r = 0; r < R; r++) {
            un_attribute_weights(&image, r, p, p + A);
            for (size_t i = 0; i < A; i++) attention[(b * A + i) * R + r] = p[i];
        }
    }
    snprintf(name, sizeof name, "step%zu.A", step);
    return golden_compare_f32(g, name, attention, s->base.images * A * R, MSDN_TOLERANCE);
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

static un_status compare_gradients(golden *g, const un_params *params) {
    char name[64];
    for (size_t i = 0; i < params->count; i++) {
        snprintf(name, sizeof name, "grad0.%s", g_parameters[i]);
        UN_TRY(golden_compare_f32(g, name, un_param_grad(params, i), params->item[i].count,
                                  MSDN_TOLERANCE));
    }
    return UNSEEN_OK;
}

static un_status compare_parameters(golden *g, const un_params *params) {
    char name[64], initial[64];
    for (size_t i = 0; i < params->count; i++) {
        snprintf(name, sizeof name, "final.%s", g_parameters[i]);
        snprintf(initial, sizeof initial, "init.%s", g_parameters[i]);
        UN_TRY(golden_compare_trained(g, name, initial, un_param_value(params, i),
                                      params->item[i].count, MSDN_TOLERANCE));
    }
    return UNSEEN_OK;
}

static un_status run_steps(golden *g, const scene *s, msdn *n) {
    un_params *params = &n->base.params;
    un_optimizer optimizer = {0};
    double losses[MSDN_LOSSES];
    int32_t *labels = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_arena_alloc(&g->arena, s->base.images, sizeof *labels, &labels));
    UN_TRY(un_optimizer_create(&optimizer, &s->base.settings, params));
    for (size_t step = 0; step < s->base.steps; step++) {
        UN_GO(golden_scene_batch(g, &s->base, step, &n->batch.look, labels));
        UN_GO(un_msdn_fold(n));
        UN_GO(un_msdn_forward(n, &n->batch, s->base.images));
        UN_GO(compare_outputs(g, s, n, step));
        UN_GO(un_msdn_losses(n, &n->batch, labels, s->base.images, losses));
        UN_GO(compare_losses(g, s, step, losses));
        UN_GO(un_msdn_backward(n, &n->batch, s->base.images));
        if (step == 0) UN_GO(compare_gradients(g, params));
        un_optimizer_step(&optimizer, params);
    }
    UN_GO(compare_parameters(g, params));
done:
    un_optimizer_free(&optimizer);
    return status;
}

un_status golden_check_msdn(golden *g) {
    scene s = {0};
    un_method *method = NULL;
    char name[64];
    un_status status = UNSEEN_OK;
    UN_TRY(golden_scene_make(g, "", &s.base));
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
