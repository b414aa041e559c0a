/* optimizer.c - see optimizer.h. */
#include "nn/optimizer.h"

#include <math.h>
#include <string.h>

#include "tensor/kernels.h"

un_status un_optimizer_create(un_optimizer *optimizer, const un_optimizer_settings *settings,
                              const un_params *params) {
    *optimizer = (un_optimizer){.settings = *settings, .total = params->trained};
    un_status status =
        un_arena_alloc(&optimizer->arena, optimizer->total, sizeof(float), &optimizer->second);
    if (!status && (settings->kind != UN_RMSPROP || settings->momentum != 0))
        status =
            un_arena_alloc(&optimizer->arena, optimizer->total, sizeof(float), &optimizer->first);
    if (status) un_optimizer_free(optimizer);
    return status;
}

void un_optimizer_free(un_optimizer *optimizer) {
    un_arena_free(&optimizer->arena);
    *optimizer = (un_optimizer){0};
}

void un_optimizer_restart(un_optimizer *optimizer) {
    optimizer->steps = 0;
    memset(optimizer->second, 0, optimizer->total * sizeof(float));
    if (optimizer->first) memset(optimizer->first, 0, optimizer->total * sizeof(float));
}

/* The constants of step t; computed in f64, since 1 - beta2^t cancels. */
static un_update constants(const un_optimizer_settings *s, uint64_t t) {
    un_update u = {.lr = (float)s->lr,
                   .beta1 = (float)s->beta1,
                   .beta2 = (float)s->beta2,
                   .rest1 = (float)(1.0 - s->beta1),
                   .rest2 = (float)(1.0 - s->beta2),
                   .epsilon = (float)s->epsilon,
                   .v_scale = 1.0f,
                   .momentum = (float)s->momentum};
    double correction1 = 1.0 - pow(s->beta1, (double)t);
    double correction2 = 1.0 - pow(s->beta2, (double)t);
    if (s->kind == UN_ADAM) {
        u.lr = (float)(s->lr / correction1);
        u.v_scale = (float)(1.0 / correction2);
    } else if (s->kind == UN_ADAM_TF) {
        u.lr = (float)(s->lr * sqrt(correction2) / correction1);
    }
    return u;
}

double un_optimizer_step(un_optimizer *optimizer, un_params *params) {
    un_update u = constants(&optimizer->settings, ++optimizer->steps);
    double l2 = 0;
    for (size_t i = 0; i < params->count; i++) {
        const un_param *item = &params->item[i];
        size_t at = item->offset;
        if (at >= params->trained) break; /* fixed ones come last */
        un_bf16 *shadow = params->value16 ? params->value16 + at : NULL;
        float *first = optimizer->first ? optimizer->first + at : NULL;
        double squares = 0;
        u.decay = item->decay;
        if (optimizer->settings.kind == UN_RMSPROP)
            squares = un_rmsprop_update(&u, params->value + at, params->grad + at,
                                        optimizer->second + at, first, shadow, item->count);
        else
            squares = un_adam_update(&u, params->value + at, params->grad + at, first,
                                     optimizer->second + at, shadow, item->count);
        l2 += 0.5 * (double)item->decay * squares;
    }
    return l2;
}
