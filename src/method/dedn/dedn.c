/* dedn.c - DEDN as a method: settings, presets, life cycle, steps, scores, and what it shows. See
 * dedn.h. */
#include "method/dedn/dedn.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "tensor/kernels.h"

/* ---- settings ---- */

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL,
     "named semantics of the classes; its attributes need word vectors"},
    {"vectors", UN_OPTION_CHOICE, "words", 0, 0, "words|one-hot",
     "what V starts from: word vectors; one-hot: a direction of its own for each value, for "
     "semantics whose values have no names, such as embeddings"},
    {"groups", UN_OPTION_FILE, "prefix", 0, 0, "none|prefix|cub|awa2|sun",
     "groups of attributes, each with a fine expert's matrices: one of all; what stands before :: "
     "in their names; published lists; or a JSON file {\"groups\": [of each attribute]}"},
    {"experts", UN_OPTION_CHOICE, "both", 0, 0, "both|coarse|fine", "which experts there are"},
    {"paths", UN_OPTION_CHOICE, "both", 0, 0, "both|region|channel",
     "what each expert looks at: regions, feature channels"},
    {"bottleneck", UN_OPTION_INTEGER, "0", 0, 1e5, NULL,
     "width between the two factors of the regions' value matrix; 0: one matrix"},
    {"batch", UN_OPTION_INTEGER, "50", 1, 1e6, NULL, "images of a step"},
    {"epoch_images", UN_OPTION_INTEGER, "50", 1, 1e6, NULL,
     "e epochs have training images * e / this many steps, whatever the batch"},
    {"sampling", UN_OPTION_CHOICE, "classes", 0, 0, "random|balanced|classes",
     "random images; one of each seen class; one of each of `batch` random classes, or of fewer "
     "classes several"},
    {"lr", UN_OPTION_NUMBER, "1e-4", 1e-12, 1e3, NULL, "RMSprop's learning rate"},
    {"momentum", UN_OPTION_NUMBER, "0.9", 0, 0.999999, NULL, "RMSprop"},
    {"alpha", UN_OPTION_NUMBER, "0.99", 0, 0.99999999, NULL, "RMSprop's decay of squares"},
    {"epsilon", UN_OPTION_NUMBER, "1e-8", 1e-30, 1, NULL, "RMSprop"},
    {"decay", UN_OPTION_NUMBER, "1e-4", 0, 1e6, NULL, "L2 weight decay"},
    {"lambda", UN_OPTION_NUMBER, "0", 0, 1e6, NULL, "weight of self-calibration"},
    {"p_ce", UN_OPTION_NUMBER, "0.1", 0, 1e6, NULL, "weight of distillation between the experts"},
    {"p_crc", UN_OPTION_NUMBER, "1e-3", 0, 1e6, NULL, "weight of distillation between the paths"},
    {"distance_epsilon", UN_OPTION_NUMBER, "0", 0, 1, NULL,
     "added below the root of distillation's distance"},
    {"label_margin", UN_OPTION_NUMBER, "3", -1e3, 1e3, NULL,
     "handicap of the label's class in the cross-entropy; with seen_margin 0, too: none"},
    {"seen_margin", UN_OPTION_NUMBER, "1", -1e3, 1e3, NULL,
     "what every seen class has ahead of unseen ones there"},
    {"region_weight", UN_OPTION_NUMBER, "0.8", 0, 1, NULL,
     "regions' share of an expert's score, the paper's c; channels have the rest"},
    {"coarse_weight", UN_OPTION_NUMBER, "0.9", 0, 1, NULL,
     "coarse expert's share of the score, the paper's e; the fine one has the rest"},
    {"clip_negative", UN_OPTION_CHOICE, "no", 0, 0, "no|yes",
     "take negative attribute values, AwA's \"unknown\", as 0"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

#define CUB "\"groups\":\"cub\",\"epochs\":80"
#define AWA2                                                                                       \
    "\"groups\":\"awa2\",\"epochs\":20,\"lambda\":0.11,\"label_margin\":2,"                        \
    "\"distance_epsilon\":1e-9,\"coarse_weight\":0.5"
#define SUN                                                                                        \
    "\"groups\":\"sun\",\"epochs\":80,\"sampling\":\"random\",\"label_margin\":2,"                 \
    "\"distance_epsilon\":1e-9,\"region_weight\":0.95,\"coarse_weight\":0.3"

static const un_preset g_presets[] = {
    {"auto", "{\"epochs\":40}", "any data set: CUB's settings, groups from the attributes' names"},
    {"cub", "{" CUB "}", "CUB, as published"},
    {"cub-t1", "{" CUB ",\"lambda\":0.18,\"region_weight\":0.6}", "CUB, the published run for T1"},
    {"awa2", "{" AWA2 ",\"batch\":40,\"sampling\":\"balanced\"}", "AWA2, as published"},
    {"awa2-t1", "{" AWA2 ",\"batch\":50,\"sampling\":\"random\"}",
     "AWA2, the published run for T1"},
    {"sun", "{" SUN ",\"bottleneck\":256}", "SUN, as published, with the groups it meant"},
    {"sun-t1", "{" SUN ",\"bottleneck\":128}", "SUN, the published run for T1"},
    {NULL, NULL, NULL},
};

/* The only look at the configuration, but for `groups`. */
static dedn_settings read_settings(const json_t *config) {
    return (dedn_settings){.one_hot = un_config_is(config, "vectors", "one-hot"),
                           .clip_negative = un_config_is(config, "clip_negative", "yes"),
                           .expert = {!un_config_is(config, "experts", "fine"),
                                      !un_config_is(config, "experts", "coarse")},
                           .path = {!un_config_is(config, "paths", "channel"),
                                    !un_config_is(config, "paths", "region")},
                           .lambda = un_config_number(config, "lambda"),
                           .p_ce = un_config_number(config, "p_ce"),
                           .p_crc = un_config_number(config, "p_crc"),
                           .distance_epsilon = un_config_number(config, "distance_epsilon"),
                           .label_margin = un_config_number(config, "label_margin"),
                           .seen_margin = un_config_number(config, "seen_margin"),
                           .region_weight = un_config_number(config, "region_weight"),
                           .coarse_weight = un_config_number(config, "coarse_weight"),
                           .bottleneck = un_config_integer(config, "bottleneck"),
                           .draws = un_draws_configure(config),
                           .optimizer = {.kind = UN_RMSPROP,
                                         .lr = un_config_number(config, "lr"),
                                         .beta2 = un_config_number(config, "alpha"),
                                         .epsilon = un_config_number(config, "epsilon"),
                                         .momentum = un_config_number(config, "momentum")},
                           .decay = (float)un_config_number(config, "decay")};
}

/* ---- which images make a step ---- */

static size_t steps_before(const un_method *method, size_t epoch) {
    return un_draws_before(&((const dedn *)method)->draws, epoch);
}

static un_status plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count) {
    dedn *n = (dedn *)method;
    *images = un_draws_plan(&n->draws, epoch, step) + n->part.first;
    *count = n->part.count;
    return UNSEEN_OK;
}

/* ---- life cycle ---- */

static void destroy(un_method *method) {
    dedn *n = (dedn *)method;
    if (!n) return;
    un_dedn_network_free(n);
    un_dedn_batch_free(&n->scoring);
    un_dedn_batch_free(&n->batch);
    un_class_rows_free(&n->scored);
    un_class_rows_free(&n->trained);
    un_params_free(&n->base.params);
    un_arena_free(&n->arena);
    free(n);
}

/* Value matrices are normal, those of logits start at 0, each V at its attributes' word vectors. */
static un_status initialize(dedn *n, const un_class_semantics *semantics) {
    const un_params *p = &n->base.params;
    un_rng rng = un_rng_stream(n->seed, "init", 0);
    float *vectors = NULL;
    UN_TRY(un_alloc(n->A * n->E, sizeof *vectors, &vectors));
    un_attribute_vectors_fill(semantics, n->settings.one_hot, vectors);
    for (const dedn_set *set = n->set; set < n->set + n->sets; set++) {
        const struct {
            int there;
            size_t index;
        } normal[] = {{n->settings.path[DEDN_REGION], set->values},
                      {n->settings.path[DEDN_REGION] && n->settings.bottleneck, set->factor},
                      {n->settings.path[DEDN_CHANNEL], set->channel_values}};
        for (size_t i = 0; i < set->rows; i++)
            memcpy(un_param_value(p, set->v) + i * n->E, vectors + n->order[set->first + i] * n->E,
                   n->E * sizeof *vectors);
        for (size_t i = 0; i < sizeof normal / sizeof *normal; i++)
            if (normal[i].there)
                un_rng_fill_normal(&rng, un_param_value(p, normal[i].index),
                                   p->item[normal[i].index].count, 0, 1);
    }
    free(vectors);
    return UNSEEN_OK;
}

static un_status start_training(dedn *n, const un_method_setup *setup) {
    UN_TRY(initialize(n, &setup->classes->semantics[0]));
    UN_TRY(un_class_rows_prepare(&n->trained, setup->classes, n->A, n->settings.clip_negative,
                                 "DEDN"));
    un_draws_settings draws = n->settings.draws;
    draws.several = 1;
    UN_TRY(un_draws_create(&n->draws, &draws, n->seed, n->data->labels, n->data->train,
                           n->trained.count, &n->arena));
    UN_TRY(un_part_create(&n->part, setup->ranks, n->draws.size));
    return un_dedn_batch_create(n, &n->batch, &n->trained, n->draws.size, 1);
}

static un_status find_groups(dedn *n, const un_method_setup *setup) {
    if (!n->settings.expert[DEDN_FINE]) return UNSEEN_OK;
    if (!setup->data)
        return un_dedn_groups_load(json_object_get(setup->spec, "groups"), n->A, &n->arena,
                                   &n->groups);
    return un_dedn_groups_make(&setup->classes->semantics[0],
                               un_config_text(setup->config, "groups"), &n->arena, &n->groups);
}

static un_status build(dedn *n, const un_method_setup *setup) {
    UN_TRY(find_groups(n, setup));
    UN_TRY(un_arena_alloc(&n->arena, n->groups.count, sizeof *n->share, &n->share));
    UN_TRY(un_arena_alloc(&n->arena, n->groups.count, sizeof *n->even, &n->even));
    UN_TRY(un_dedn_network_create(n));
    return n->data ? start_training(n, setup) : UNSEEN_OK;
}

static un_status create(const un_method_setup *setup, un_method **out) {
    const un_class_semantics *semantics = &setup->classes->semantics[0];
    const dedn_settings settings = read_settings(setup->config);
    size_t E = 0;
    if (setup->classes->semantics_count != 1)
        return un_fail(UNSEEN_E_ARGUMENT, "DEDN takes one semantics, not %zu",
                       setup->classes->semantics_count);
    if (setup->data && setup->data->train->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "there are no training images");
    UN_TRY(un_attribute_vectors_width(semantics, settings.one_hot, "DEDN", &E));
    dedn *n = calloc(1, sizeof *n);
    if (!n) return un_fail_memory(sizeof *n);
    n->base.class = &un_method_dedn;
    n->base.params.available = setup->available;
    n->settings = settings;
    n->A = semantics->width;
    n->E = E;
    n->F = setup->width;
    n->R = setup->regions;
    n->shape = (un_region_shape){.regions = n->R,
                                 .width = n->F,
                                 .directions = 1,
                                 .type = un_precision_dtype(setup->precision)};
    n->seed = setup->seed;
    n->data = setup->data;
    un_status status = build(n, setup);
    if (status)
        destroy(&n->base);
    else
        *out = &n->base;
    return status;
}

static un_status save_spec(const un_method *method, json_t **out) {
    const dedn *n = (const dedn *)method;
    json_t *spec = json_object();
    if (n->groups.count > 0) un_json_put(&spec, "groups", un_dedn_groups_json(&n->groups, n->A));
    if (!spec) return un_fail_memory(0);
    *out = spec;
    return UNSEEN_OK;
}

/* ---- a step ---- */

static double count_flops(const dedn *n, size_t images) {
    double large = 2.0 * (double)n->N * (double)n->F * (double)n->R * (double)images;
    double small = 2.0 * (double)n->N * (double)n->E;
    int paths = n->settings.path[DEDN_REGION] + n->settings.path[DEDN_CHANNEL];
    double width = n->settings.path[DEDN_REGION] ? (double)n->F : 0;
    if (n->settings.path[DEDN_CHANNEL]) width += (double)n->R;
    return 2 * (2 * paths * large + 3 * small * width);
}

/* Attribute scores of all images, to which each rank has its part. */
static un_status gather_scores(dedn *n) {
    for (size_t x = 0; x < DEDN_EXPERTS; x++)
        for (size_t j = 0; j < DEDN_PATHS; j++)
            if (n->settings.expert[x] && n->settings.path[j])
                UN_TRY(un_part_gather(&n->part, n->A, n->batch.psi[x][j]));
    return UNSEEN_OK;
}

static un_status step(un_method *method, size_t epoch, size_t number, double *losses) {
    dedn *n = (dedn *)method;
    const int64_t *images = un_draws_plan(&n->draws, epoch, number);
    size_t count = n->part.count, total = n->part.total;
    int32_t *labels = NULL;
    un_region_batch_gather(&n->batch.look, n->data->features, images + n->part.first, count);
    UN_TRY(un_dedn_fold(n));
    UN_TRY(un_dedn_forward(n, &n->batch, count));
    UN_TRY(gather_scores(n));
    UN_TRY(un_dedn_train_scores(n, &n->batch, total));
    UN_TRY(un_alloc(total, sizeof *labels, &labels));
    for (size_t i = 0; i < total; i++) labels[i] = n->data->labels[images[i]];
    un_status status = un_dedn_losses(n, &n->batch, labels, total, losses);
    free(labels);
    if (status) return status;
    n->step_flops = count_flops(n, count);
    return un_dedn_backward(n, &n->batch, count);
}

static double step_flops(const un_method *method) { return ((const dedn *)method)->step_flops; }

static void optimizer(const un_method *method, un_optimizer_settings *out) {
    *out = ((const dedn *)method)->settings.optimizer;
}

/* ---- scores and what they are made of ---- */

static un_status set_classes(un_method *method, const un_class_table *classes) {
    dedn *n = (dedn *)method;
    un_dedn_batch_free(&n->scoring); /* score() refuses until the new one is whole */
    UN_TRY(un_class_rows_prepare(&n->scored, classes, n->A, n->settings.clip_negative, "DEDN"));
    UN_TRY(un_dedn_fold(n));
    dedn_batch fresh = {0};
    un_status status = un_dedn_batch_create(n, &fresh, &n->scored, DEDN_SCORE_IMAGES, 0);
    if (status)
        un_dedn_batch_free(&fresh);
    else
        n->scoring = fresh;
    return status;
}

/* Share of an expert's path in the score; of what there is alone, all. */
static float share_of(const dedn *n, size_t expert, size_t path) {
    const dedn_settings *s = &n->settings;
    if (!s->expert[expert] || !s->path[path]) return 0;
    double share = 1;
    if (s->expert[DEDN_COARSE] && s->expert[DEDN_FINE])
        share = expert == DEDN_COARSE ? s->coarse_weight : 1 - s->coarse_weight;
    if (s->path[DEDN_REGION] && s->path[DEDN_CHANNEL])
        share *= path == DEDN_REGION ? s->region_weight : 1 - s->region_weight;
    return (float)share;
}

/* Attribute scores of up to DEDN_SCORE_IMAGES images. */
static un_status forward_features(dedn *n, const float *features, size_t images) {
    dedn_batch *b = &n->scoring;
    if (!b->mixed) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    un_region_batch_set(&b->look, features, images);
    return un_dedn_forward(n, b, images);
}

static un_status score(un_method *method, const float *features, size_t images, float *scores) {
    dedn *n = (dedn *)method;
    dedn_batch *b = &n->scoring;
    for (size_t at = 0; at < images; at += DEDN_SCORE_IMAGES) {
        size_t count = images - at < DEDN_SCORE_IMAGES ? images - at : DEDN_SCORE_IMAGES;
        UN_TRY(forward_features(n, features + at * n->R * n->F, count));
        memset(b->mixed, 0, count * n->A * sizeof *b->mixed);
        for (size_t x = 0; x < DEDN_EXPERTS; x++)
            for (size_t j = 0; j < DEDN_PATHS; j++)
                if (b->psi[x][j]) un_axpy(share_of(n, x, j), b->psi[x][j], b->mixed, count * n->A);
        UN_TRY(un_class_rows_score(&n->scored, b->mixed, count, scores + at * n->scored.count));
    }
    return UNSEEN_OK;
}

static un_status attributes(un_method *method, const float *features, float *out) {
    dedn *n = (dedn *)method;
    UN_TRY(forward_features(n, features, 1));
    for (size_t x = 0; x < DEDN_EXPERTS; x++)
        for (size_t j = 0; j < DEDN_PATHS; j++, out += n->A)
            for (size_t i = 0; i < n->A; i++)
                out[i] = share_of(n, x, j) == 0 ? 0 : share_of(n, x, j) * n->scoring.psi[x][j][i];
    return UNSEEN_OK;
}

/* ---- what it shows ---- */

/* P of both experts, (A, R) each in the attributes' order; an expert that there is not stays 0. */
static un_status region_maps(const dedn *n, float *maps) {
    const un_attribute_attention image = un_region_attention(&n->scoring.look, 0);
    float *p = NULL;
    UN_TRY(un_alloc(n->N, sizeof *p, &p));
    for (size_t r = 0; r < n->R; r++) {
        un_attribute_weights(&image, r, p, NULL);
        for (size_t row = 0; row < n->N; row++) {
            size_t expert = row >= n->expert_first[DEDN_FINE];
            maps[(expert * n->A + n->order[row]) * n->R + r] = p[row];
        }
    }
    free(p);
    return UNSEEN_OK;
}

/* What each region adds to psi of the channel path: U'_ir (Q X)_ir, which may be negative. */
static un_status channel_maps(dedn *n, float *maps) {
    UN_TRY(un_dedn_channels_of_first(n, &n->scoring));
    for (size_t row = 0; row < n->N; row++) {
        size_t expert = row >= n->expert_first[DEDN_FINE], at = 2 * row * n->R;
        const float *value = n->channels.u + at + n->R, *sum = n->scoring.sums + at;
        float *map = maps + (expert * n->A + n->order[row]) * n->R;
        for (size_t r = 0; r < n->R; r++) map[r] = value[r] * sum[r] * n->scoring.look.factor[r];
    }
    return UNSEEN_OK;
}

static un_status attention(un_method *method, const float *features, float *maps) {
    dedn *n = (dedn *)method;
    size_t path = DEDN_EXPERTS * n->A * n->R;
    UN_TRY(forward_features(n, features, 1));
    memset(maps, 0, 2 * path * sizeof *maps);
    if (n->settings.path[DEDN_REGION]) UN_TRY(region_maps(n, maps));
    return n->settings.path[DEDN_CHANNEL] ? channel_maps(n, maps + path) : UNSEEN_OK;
}

/* How far an attribute's weights are from even ones: the part that would have to move. */
static double preference(const un_attribute_attention *image, size_t row, const float *p,
                         size_t N) {
    double moved = 0, even = 1.0 / (double)image->regions;
    for (size_t r = 0; r < image->regions; r++)
        if ((double)p[r * N + row] > even) moved += (double)p[r * N + row] - even;
    return moved;
}

/* Of all attention of the fine expert that prefers some regions, the part of each group's. */
static un_status group_attention(un_method *method, const float *features,
                                 un_group_attention *out) {
    dedn *n = (dedn *)method;
    float *p = NULL;
    double total = 0;
    if (n->groups.count < 2 || !n->settings.path[DEDN_REGION])
        return un_fail(UNSEEN_E_UNSUPPORTED, "this DEDN model has no experts of groups that look "
                                             "at regions");
    UN_TRY(forward_features(n, features, 1));
    UN_TRY(un_alloc(n->R * n->N, sizeof *p, &p));
    const un_attribute_attention image = un_region_attention(&n->scoring.look, 0);
    for (size_t r = 0; r < n->R; r++) un_attribute_weights(&image, r, p + r * n->N, NULL);
    for (size_t g = 0; g < n->groups.count; g++) {
        const dedn_set *set = n->set + n->sets - n->groups.count + g;
        double sum = 0;
        for (size_t row = set->first; row < set->first + set->rows; row++)
            sum += preference(&image, row, p, n->N);
        n->share[g] = (float)sum;
        n->even[g] = (float)set->rows / (float)n->A;
        total += sum;
    }
    free(p);
    for (size_t g = 0; g < n->groups.count; g++)
        n->share[g] = total > 0 ? (float)((double)n->share[g] / total) : n->even[g];
    *out = (un_group_attention){n->groups.count, (const char *const *)n->groups.names, n->share,
                                n->even};
    return UNSEEN_OK;
}

/* ---- the method ---- */

static const char *const g_losses[] = {"ce_coarse", "ce_fine",      "cal_coarse", "cal_fine",
                                       "distill",   "align_coarse", "align_fine", NULL};

static int unit_rows(const json_t *config) {
    (void)config;
    return 1;
}

static const float *class_rows(const un_method *method) {
    return ((const dedn *)method)->scored.att;
}

static const char *const g_maps_titles[] = {
    "coarse expert, regions it looks at", "fine expert, regions it looks at",
    "coarse expert, what regions add by channels", "fine expert, what regions add by channels"};

static const un_method_learner g_learner = {.splits = 1,
                                            .steps_before = steps_before,
                                            .step = step,
                                            .step_flops = step_flops,
                                            .optimizer = optimizer,
                                            .plan = plan};

static const un_method_maps g_maps = {.attend = attention, .branches = 4, .titles = g_maps_titles};

static const un_method_attribute_scores g_attribute_scores = {
    .score = attributes, .branches = 4, .class_rows = class_rows};

static const un_method_group_attention g_group_attention = {
    .attend = group_attention,
    .title = "Which groups the fine expert looks for in some regions more than in others",
    .most = "the fine expert looks in some regions more than in others for",
    .whole = "the fine expert's attention that prefers some regions to others"};

const un_method_class un_method_dedn = {
    .name = "dedn",
    .title = "DEDN: Dual Expert Distillation Network for Generalized Zero-Shot Learning "
             "(IJCAI 2024)",
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
    .save_spec = save_spec,
    .learner = &g_learner,
    .maps = &g_maps,
    .attribute_scores = &g_attribute_scores,
    .group_attention = &g_group_attention,
};
