/* msdn.c - MSDN as a method: settings, presets, sampling, life cycle, steps, scores. See msdn.h. */
#include "method/msdn/msdn.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

enum { SCORE_IMAGES = 32 };

/* ---- settings ---- */

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL,
     "named semantics of the classes; its attributes need word vectors"},
    {"vectors", UN_OPTION_CHOICE, "words", 0, 0, "words|one-hot",
     "what V starts from: word vectors; one-hot: a direction of its own for each value, for "
     "semantics whose values have no names, such as embeddings"},
    {"batch", UN_OPTION_INTEGER, "50", 1, 1e6, NULL, "images of a step"},
    {"epoch_images", UN_OPTION_INTEGER, "50", 1, 1e6, NULL,
     "e epochs have training images * e / this many steps, whatever the batch"},
    {"sampling", UN_OPTION_CHOICE, "random", 0, 0, "random|balanced|classes",
     "random images; one of each seen class; one of each of `batch` random classes"},
    {"lr", UN_OPTION_NUMBER, "1e-4", 1e-12, 1e3, NULL, "RMSprop's learning rate"},
    {"momentum", UN_OPTION_NUMBER, "0.9", 0, 0.999999, NULL, "RMSprop"},
    {"alpha", UN_OPTION_NUMBER, "0.99", 0, 0.99999999, NULL, "RMSprop's decay of squares"},
    {"epsilon", UN_OPTION_NUMBER, "1e-8", 1e-30, 1, NULL, "RMSprop"},
    {"decay", UN_OPTION_NUMBER, "1e-4", 0, 1e6, NULL, "L2 weight decay"},
    {"lambda", UN_OPTION_NUMBER, "0.1", 0, 1e6, NULL, "weight of self-calibration"},
    {"eta", UN_OPTION_NUMBER, "1e-3", 0, 1e6, NULL, "weight of distillation"},
    {"distance", UN_OPTION_CHOICE, "code", 0, 0, "code|paper",
     "distillation's distance: |d|^3/|d| of the published code, or the paper's |d|^2"},
    {"weight1", UN_OPTION_NUMBER, "0.9", 0, 1, NULL, "attribute -> visual branch in the score"},
    {"weight2", UN_OPTION_NUMBER, "0.1", 0, 1, NULL, "visual -> attribute branch in the score"},
    {"clip_negative", UN_OPTION_CHOICE, "no", 0, 0, "no|yes",
     "take negative attribute values, AwA's \"unknown\", as 0"},
    {"normalize_v", UN_OPTION_CHOICE, "no", 0, 0, "no|yes", "unit rows of V in every step"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

#define AWA2                                                                                       \
    "\"batch\":40,\"sampling\":\"balanced\",\"momentum\":0,\"eta\":1e-7,"                          \
    "\"normalize_v\":\"yes\",\"clip_negative\":\"yes\",\"weight1\":1,\"weight2\":0,\"epochs\":50"
#define SUN "\"sampling\":\"classes\",\"eta\":1e-2,\"weight1\":0.7,\"weight2\":0.3,\"epochs\":70"

static const un_preset g_presets[] = {
    {"auto", "{\"epochs\":30}", "any data set: random batches, CUB's settings"},
    {"cub", "{\"epochs\":30}", "CUB, as published"},
    {"cub-t1", "{\"epochs\":30,\"lambda\":0.18}", "CUB, the published run for T1"},
    {"awa2", "{\"lambda\":0.12," AWA2 "}", "AWA2, as published"},
    {"awa2-t1", "{\"lambda\":0.3," AWA2 "}", "AWA2, the published run for T1"},
    {"sun", "{\"lambda\":1e-4," SUN "}", "SUN, as published"},
    {"sun-t1", "{\"lambda\":0," SUN "}", "SUN, the published run for T1"},
    {NULL, NULL, NULL},
};

/* ---- which images make a step ---- */

static size_t steps_before(const un_method *method, size_t epoch) {
    return un_draws_before(&((const msdn *)method)->draws, epoch);
}

static un_status plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count) {
    msdn *n = (msdn *)method;
    *images = un_draws_plan(&n->draws, epoch, step) + n->part.first;
    *count = n->part.count;
    return UNSEEN_OK;
}

/* ---- life cycle ---- */

static void destroy(un_method *method) {
    msdn *n = (msdn *)method;
    if (!n) return;
    un_region_matrix_free(&n->folded);
    un_msdn_batch_free(&n->scoring);
    un_msdn_batch_free(&n->batch);
    un_class_rows_free(&n->scored);
    un_class_rows_free(&n->trained);
    un_params_free(&n->base.params);
    un_arena_free(&n->arena);
    free(n);
}

/* The only look at the configuration. */
static msdn_settings read_settings(const json_t *config) {
    return (msdn_settings){.one_hot = un_config_is(config, "vectors", "one-hot"),
                           .normalize_v = un_config_is(config, "normalize_v", "yes"),
                           .clip_negative = un_config_is(config, "clip_negative", "yes"),
                           .lambda = un_config_number(config, "lambda"),
                           .eta = un_config_number(config, "eta"),
                           .weight1 = un_config_number(config, "weight1"),
                           .weight2 = un_config_number(config, "weight2"),
                           .squared_distance = un_config_is(config, "distance", "paper"),
                           .draws = un_draws_configure(config),
                           .optimizer = {.kind = UN_RMSPROP,
                                         .lr = un_config_number(config, "lr"),
                                         .beta2 = un_config_number(config, "alpha"),
                                         .epsilon = un_config_number(config, "epsilon"),
                                         .momentum = un_config_number(config, "momentum")},
                           .decay = (float)un_config_number(config, "decay")};
}

static void configure(msdn *n, const un_method_setup *setup) {
    const un_class_semantics *semantics = &setup->classes->semantics[0];
    n->A = semantics->width;
    n->F = setup->width;
    n->R = setup->regions;
    n->shape = (un_region_shape){n->A, n->R, n->F, 2, un_precision_dtype(setup->precision)};
    n->seed = setup->seed;
    n->data = setup->data;
    n->usual_rows = (n->data ? n->settings.draws.size : SCORE_IMAGES) * n->R; /* or of a part */
}

static un_status declare(msdn *n) {
    const size_t v[] = {n->A, n->E}, ef[] = {n->E, n->F}, fe[] = {n->F, n->E};
    float decay = n->settings.decay;
    un_params *p = &n->base.params;
    UN_TRY(un_params_add(p, "V", 2, v, decay, &n->v));
    UN_TRY(un_params_add(p, "W_1", 2, ef, decay, &n->w1));
    UN_TRY(un_params_add(p, "W_2", 2, ef, decay, &n->w2));
    UN_TRY(un_params_add(p, "W_1_1", 2, fe, decay, &n->w11));
    UN_TRY(un_params_add(p, "W_2_1", 2, ef, decay, &n->w21));
    UN_TRY(un_params_allocate(p, n->data != NULL, 0));
    UN_TRY(un_arena_alloc(&n->arena, n->A * n->E, sizeof(float), &n->vn));
    UN_TRY(un_arena_alloc(&n->arena, n->A * n->E, sizeof(float), &n->dvn));
    UN_TRY(un_arena_alloc(&n->arena, n->A, sizeof(float), &n->v_norm));
    return un_region_matrix_create(&n->folded, &n->shape, n->data != NULL);
}

/* W_1 is normal, the other matrices start at 0, V at the attributes' word vectors, or at 1. */
static un_status start_training(msdn *n, const un_method_setup *setup) {
    un_params *p = &n->base.params;
    un_rng rng = un_rng_stream(n->seed, "init", 0);
    un_attribute_vectors_fill(&setup->classes->semantics[0], n->settings.one_hot,
                              un_param_value(p, n->v));
    un_rng_fill_normal(&rng, un_param_value(p, n->w1), n->E * n->F, 0, 1);
    UN_TRY(un_class_rows_prepare(&n->trained, setup->classes, n->A, n->settings.clip_negative,
                                 "MSDN"));
    UN_TRY(un_draws_create(&n->draws, &n->settings.draws, n->seed, n->data->labels, n->data->train,
                           n->trained.count, &n->arena));
    UN_TRY(un_part_create(&n->part, setup->ranks, n->draws.size));
    return un_msdn_batch_create(n, &n->batch, &n->trained, n->draws.size, 1);
}

static un_status create(const un_method_setup *setup, un_method **out) {
    const un_class_semantics *semantics = &setup->classes->semantics[0];
    if (setup->classes->semantics_count != 1)
        return un_fail(UNSEEN_E_ARGUMENT, "MSDN takes one semantics, not %zu",
                       setup->classes->semantics_count);
    if (setup->data && setup->data->train->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "there are no training images");
    const msdn_settings settings = read_settings(setup->config);
    size_t E = 0;
    UN_TRY(un_attribute_vectors_width(semantics, settings.one_hot, "MSDN", &E));
    msdn *n = calloc(1, sizeof *n);
    if (!n) return un_fail_memory(sizeof *n);
    n->base.class = &un_method_msdn;
    un_status status = UNSEEN_OK;
    n->settings = settings;
    n->E = E;
    configure(n, setup);
    n->base.params.available = setup->available;
    UN_GO(declare(n));
    if (n->data) UN_GO(start_training(n, setup));
    *out = &n->base;
done:
    if (status) destroy(&n->base);
    return status;
}

/* ---- a step ---- */

static un_status step(un_method *method, size_t epoch, size_t number, double *losses) {
    msdn *n = (msdn *)method;
    const int64_t *images = un_draws_plan(&n->draws, epoch, number);
    size_t count = n->part.count, total = n->part.total;
    int32_t *labels = NULL;
    un_region_batch_gather(&n->batch.look, n->data->features, images + n->part.first, count);
    UN_TRY(un_msdn_fold(n));
    UN_TRY(un_msdn_forward(n, &n->batch, count));
    UN_TRY(un_part_gather(&n->part, n->trained.count, n->batch.s1));
    UN_TRY(un_part_gather(&n->part, n->trained.count, n->batch.s2));
    UN_TRY(un_alloc(total, sizeof *labels, &labels));
    for (size_t i = 0; i < total; i++) labels[i] = n->data->labels[images[i]];
    un_status status = un_msdn_losses(n, &n->batch, labels, total, losses);
    free(labels);
    if (status) return status;
    double large = (double)count * (double)n->R * (double)(4 * n->A) * (double)n->F;
    double small = 4.0 * (double)n->A * (double)n->E * (double)n->F;
    n->step_flops = 2 * (2 * large + 3 * small);
    return un_msdn_backward(n, &n->batch, count);
}

static double step_flops(const un_method *method) { return ((const msdn *)method)->step_flops; }

static void optimizer(const un_method *method, un_optimizer_settings *out) {
    *out = ((const msdn *)method)->settings.optimizer;
}

/* ---- scores and what they are made of ---- */

static un_status set_classes(un_method *method, const un_class_table *classes) {
    msdn *n = (msdn *)method;
    un_msdn_batch_free(&n->scoring); /* score() refuses until the new one is whole */
    UN_TRY(un_class_rows_prepare(&n->scored, classes, n->A, n->settings.clip_negative, "MSDN"));
    UN_TRY(un_msdn_fold(n));
    msdn_batch fresh = {0};
    un_status status = un_msdn_batch_create(n, &fresh, &n->scored, SCORE_IMAGES, 0);
    if (status)
        un_msdn_batch_free(&fresh);
    else
        n->scoring = fresh;
    return status;
}

/* Attention and scores of up to SCORE_IMAGES images. */
static un_status forward_features(msdn *n, const float *features, size_t images) {
    msdn_batch *b = &n->scoring;
    if (!b->s1) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    un_region_batch_set(&b->look, features, images);
    return un_msdn_forward(n, b, images);
}

static un_status score(un_method *method, const float *features, size_t images, float *scores) {
    msdn *n = (msdn *)method;
    size_t C = n->scored.count;
    float weight1 = (float)n->settings.weight1, weight2 = (float)n->settings.weight2;
    for (size_t at = 0; at < images; at += SCORE_IMAGES) {
        size_t count = images - at < SCORE_IMAGES ? images - at : SCORE_IMAGES;
        UN_TRY(forward_features(n, features + at * n->R * n->F, count));
        for (size_t i = 0; i < count * C; i++)
            scores[at * C + i] = weight1 * n->scoring.s1[i] + weight2 * n->scoring.s2[i];
    }
    return UNSEEN_OK;
}

static un_status attention(un_method *method, const float *features, float *maps) {
    msdn *n = (msdn *)method;
    UN_TRY(forward_features(n, features, 1));
    un_status status = UNSEEN_OK;
    float *p = NULL;
    UN_GO(un_alloc(2 * n->A, sizeof *p, &p));
    const un_attribute_attention image = un_region_attention(&n->scoring.look, 0);
    for (size_t r = 0; r < n->R; r++) {
        un_attribute_weights(&image, r, p, p + n->A);
        for (size_t i = 0; i < 2 * n->A; i++) maps[i * n->R + r] = p[i];
    }
done:
    free(p);
    return status;
}

static un_status attributes(un_method *method, const float *features, float *out) {
    msdn *n = (msdn *)method;
    UN_TRY(forward_features(n, features, 1));
    for (size_t i = 0; i < n->A; i++) {
        out[i] = (float)n->settings.weight1 * n->scoring.look.psi[i];
        out[n->A + i] = (float)n->settings.weight2 * n->scoring.look.psi2[i];
    }
    return UNSEEN_OK;
}

/* ---- the method ---- */

static const char *const g_losses[] = {"ce1", "ce2", "cal1", "cal2", "distill", NULL};

static int unit_rows(const json_t *config) {
    (void)config;
    return 1;
}

static const float *class_rows(const un_method *method) {
    return ((const msdn *)method)->scored.att;
}

static const char *const g_branches[] = {"from attribute to regions", "from regions to attribute"};

static const un_method_learner g_learner = {.splits = 1,
                                            .steps_before = steps_before,
                                            .step = step,
                                            .step_flops = step_flops,
                                            .optimizer = optimizer,
                                            .plan = plan};

static const un_method_maps g_maps = {.attend = attention, .branches = 2, .titles = g_branches};

static const un_method_attribute_scores g_attribute_scores = {
    .score = attributes, .branches = 2, .class_rows = class_rows};

const un_method_class un_method_msdn = {
    .name = "msdn",
    .title = "MSDN: Mutually Semantic Distillation Network for Zero-Shot Learning (CVPR 2022)",
    .score_unit = "fused score with a bias of +1 for unseen and -1 for seen classes",
    .input = UN_FEATURES_REGIONS,
    .trains_with_unseen_rows = 1,
    .losses = g_losses,
    .options = g_options,
    .presets = g_presets,
    .create = create,
    .destroy = destroy,
    .set_classes = set_classes,
    .score = score,
    .unit_rows = unit_rows,
    .learner = &g_learner,
    .maps = &g_maps,
    .attribute_scores = &g_attribute_scores,
};
