/*
 * golden_adam.c - golden data of kind "adam": six steps of five optimisers.
 *
 * in.p0.<k> are initial parameters, in.grad.<k> the gradients of six steps.
 * References are f64 trajectories; ours are f32, so parameters may be off by a
 * few roundings of each step, and moments likewise: a few 1e-6 of the largest.
 */
#include <stdio.h>
#include <string.h>

#include "golden.h"
#include "nn/params.h"

static const double TOLERANCE = 5e-6;
static const char INITIAL[] = "in.p0.";

typedef struct {
    const char *name;
    un_optimizer_kind kind;
    int reset; /* a fresh optimiser with 0.8 lr from the fourth step on */
    double momentum;
    const char *first, *second; /* names of the final moments, NULL: not stored */
} variant;

static const variant g_variants[] = {
    {"adam", UN_ADAM, 0, 0, "exp_avg", "exp_avg_sq"},
    {"adam_reset", UN_ADAM, 1, 0, NULL, NULL},
    {"rmsprop_m09", UN_RMSPROP, 0, 0.9, "momentum_buffer", "square_avg"},
    {"rmsprop_m0", UN_RMSPROP, 0, 0, NULL, "square_avg"},
    {"tfadam", UN_ADAM_TF, 0, 0, "m", "v"},
};

enum { RESET_STEP = 3, NAME_LENGTH = 256 };

/* One piece for each in.p0.*, with its initial values. */
static un_status make_params(golden *g, float decay, un_params *params) {
    for (size_t i = 0; i < g->file->count; i++) {
        const un_st_entry *entry = &g->file->entries[i];
        if (strncmp(entry->name, INITIAL, sizeof INITIAL - 1) != 0) continue;
        size_t piece = 0;
        UN_TRY(un_params_add(params, entry->name + sizeof INITIAL - 1, entry->tensor.rank,
                             entry->tensor.shape, decay, &piece));
    }
    UN_TRY(un_params_allocate(params, 1, 0));
    for (size_t k = 0; k < params->count; k++) {
        char name[NAME_LENGTH];
        float *values = NULL;
        snprintf(name, sizeof name, "%s%s", INITIAL, params->item[k].name);
        UN_TRY(golden_f32(g, name, params->item[k].count, &values));
        memcpy(un_param_value(params, k), values, params->item[k].count * sizeof *values);
    }
    return UNSEEN_OK;
}

static un_status settings_of(const golden *g, const variant *v, un_optimizer_settings *out,
                             double *decay) {
    *out = (un_optimizer_settings){.kind = v->kind, .momentum = v->momentum};
    *decay = 0;
    UN_TRY(golden_number(g, "lr", &out->lr));
    UN_TRY(golden_number(g, "eps", &out->epsilon));
    if (v->kind == UN_RMSPROP) {
        UN_TRY(golden_number(g, "rmsprop_weight_decay", decay));
        return golden_number(g, "rmsprop_alpha", &out->beta2);
    }
    UN_TRY(golden_number(g, "beta1", &out->beta1));
    return golden_number(g, "beta2", &out->beta2);
}

static un_status load_gradients(golden *g, const un_params *params, size_t step, size_t steps) {
    for (size_t k = 0; k < params->count; k++) {
        char name[NAME_LENGTH];
        float *values = NULL;
        size_t n = params->item[k].count;
        snprintf(name, sizeof name, "in.grad.%s", params->item[k].name);
        UN_TRY(golden_f32(g, name, steps * n, &values));
        memcpy(un_param_grad(params, k), values + step * n, n * sizeof *values);
    }
    return UNSEEN_OK;
}

/* Runs all steps; trajectory[k] receives (steps, count) of piece k. */
static un_status run(golden *g, const variant *v, un_params *params, un_optimizer *optimizer,
                     size_t steps, float **trajectory) {
    for (size_t step = 0; step < steps; step++) {
        if (v->reset && step == RESET_STEP) {
            un_optimizer_settings settings = optimizer->settings;
            settings.lr *= 0.8;
            un_optimizer_free(optimizer);
            UN_TRY(un_optimizer_create(optimizer, &settings, params));
        }
        UN_TRY(load_gradients(g, params, step, steps));
        un_optimizer_step(optimizer, params);
        for (size_t k = 0; k < params->count; k++) {
            size_t n = params->item[k].count;
            memcpy(trajectory[k] + step * n, un_param_value(params, k), n * sizeof(float));
        }
    }
    return UNSEEN_OK;
}

static un_status compare(golden *g, const variant *v, const un_params *params,
                         const un_optimizer *optimizer, size_t steps, float *const *trajectory) {
    char name[NAME_LENGTH];
    for (size_t k = 0; k < params->count; k++) {
        const un_param *piece = &params->item[k];
        snprintf(name, sizeof name, "%s.out.p.%s", v->name, piece->name);
        UN_TRY(golden_compare_f32(g, name, trajectory[k], steps * piece->count, TOLERANCE));
        const char *moments[2] = {v->first, v->second};
        const float *state[2] = {optimizer->first, optimizer->second};
        for (int i = 0; i < 2; i++) {
            if (!moments[i]) continue;
            snprintf(name, sizeof name, "%s.out.%s.%s", v->name, moments[i], piece->name);
            UN_TRY(golden_compare_f32(g, name, state[i] + piece->offset, piece->count, TOLERANCE));
        }
    }
    return UNSEEN_OK;
}

static un_status check_variant(golden *g, const variant *v, size_t steps) {
    un_params params = {0};
    un_optimizer optimizer = {0};
    un_optimizer_settings settings;
    float *trajectory[UN_MAX_PARAMS];
    double decay = 0;
    un_status status = UNSEEN_OK;
    UN_GO(settings_of(g, v, &settings, &decay));
    UN_GO(make_params(g, (float)decay, &params));
    for (size_t k = 0; k < params.count; k++)
        UN_GO(
            un_arena_alloc(&g->arena, steps * params.item[k].count, sizeof(float), &trajectory[k]));
    UN_GO(un_optimizer_create(&optimizer, &settings, &params));
    UN_GO(run(g, v, &params, &optimizer, steps, trajectory));
    UN_GO(compare(g, v, &params, &optimizer, steps, trajectory));
done:
    un_optimizer_free(&optimizer);
    un_params_free(&params);
    return status;
}

un_status golden_check_adam(golden *g) {
    double steps = 0;
    UN_TRY(golden_number(g, "steps", &steps));
    if (!(steps >= 1 && steps <= 1e6))
        return un_fail(UNSEEN_E_FORMAT, "%s: metadata \"steps\" is out of range", g->file->path);
    for (size_t i = 0; i < sizeof g_variants / sizeof *g_variants; i++)
        UN_TRY(check_variant(g, &g_variants[i], (size_t)steps));
    return UNSEEN_OK;
}
