/* msdn.c - MSDN as a method: settings, presets, sampling, life cycle, steps, scores. See msdn.h. */
#include "method/msdn/msdn.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/split.h"
#include "tensor/kernels.h"

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

static un_status start_sampling(msdn *n) {
    const un_index_list *train = n->data->train;
    size_t C = n->trained.count;
    UN_TRY(un_arena_alloc(&n->arena, C + 1, sizeof(size_t), &n->class_begin));
    UN_TRY(un_arena_alloc(&n->arena, train->count, sizeof(int64_t), &n->class_images));
    UN_TRY(un_arena_alloc(&n->arena, train->count, sizeof(int64_t), &n->order));
    un_images_by_class(n->data->labels, train, C, n->class_begin, n->class_images);
    for (size_t c = 0; c < C; c++) n->seen_classes += n->class_begin[c + 1] > n->class_begin[c];
    size_t most = n->settings.sampling == MSDN_RANDOM ? train->count : n->seen_classes;
    if (n->settings.sampling == MSDN_BALANCED || n->batch_size > most) n->batch_size = most;
    n->planned_epoch = SIZE_MAX;
    return un_arena_alloc(&n->arena, train->count, sizeof(int64_t), &n->planned);
}

/* One random image of each class in `classes` (or of every seen class, in order). */
static void one_of_each(msdn *n, un_rng *rng) {
    size_t seen = 0, C = n->trained.count;
    for (size_t c = 0; c < C; c++)
        if (n->class_begin[c + 1] > n->class_begin[c]) n->order[seen++] = (int64_t)c;
    if (n->settings.sampling == MSDN_CLASSES) un_rng_shuffle(rng, n->order, seen);
    for (size_t i = 0; i < n->batch_size; i++) {
        size_t begin = n->class_begin[n->order[i]], end = n->class_begin[n->order[i] + 1];
        n->planned[i] = n->class_images[begin + (size_t)un_rng_below(rng, end - begin)];
    }
}

/* As published: ntrain epochs / 50 steps in all, rounded down once, so that some epochs have a
 * step more than others. Fewer images than 50 still make a step. */
static size_t steps_before(const un_method *method, size_t epoch) {
    const msdn *n = (const msdn *)method;
    size_t images = n->data->train->count;
    if (images < n->settings.epoch_images) images = n->settings.epoch_images;
    /* images * epoch / epoch_images without overflow */
    return images / n->settings.epoch_images * epoch +
           images % n->settings.epoch_images * (epoch % n->settings.epoch_images) /
               n->settings.epoch_images +
           images % n->settings.epoch_images * (epoch / n->settings.epoch_images);
}

static un_status plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count) {
    msdn *n = (msdn *)method;
    if (n->planned_epoch != epoch || n->planned_step != step) {
        un_rng rng = un_rng_stream(n->seed, "batch", steps_before(method, epoch) + step);
        if (n->settings.sampling == MSDN_RANDOM) {
            size_t total = n->data->train->count;
            un_rng_sample(&rng, total, n->batch_size, n->order, n->planned);
            for (size_t i = 0; i < n->batch_size; i++)
                n->planned[i] = n->data->train->items[n->planned[i]];
        } else {
            one_of_each(n, &rng);
        }
        n->planned_epoch = epoch;
        n->planned_step = step;
    }
    *images = n->planned;
    *count = n->batch_size;
    return UNSEEN_OK;
}

/* ---- life cycle ---- */

static void destroy(un_method *method) {
    msdn *n = (msdn *)method;
    if (!n) return;
    un_packed_free(n->packed);
    un_msdn_batch_free(&n->scoring);
    un_msdn_batch_free(&n->batch);
    un_arena_free(&n->scored.arena);
    un_arena_free(&n->trained.arena);
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
                           .sampling = un_config_is(config, "sampling", "balanced")  ? MSDN_BALANCED
                                       : un_config_is(config, "sampling", "classes") ? MSDN_CLASSES
                                                                                     : MSDN_RANDOM,
                           .batch_size = un_config_integer(config, "batch"),
                           .epoch_images = un_config_integer(config, "epoch_images"),
                           .optimizer = {.kind = UN_RMSPROP,
                                         .lr = un_config_number(config, "lr"),
                                         .beta2 = un_config_number(config, "alpha"),
                                         .epsilon = un_config_number(config, "epsilon"),
                                         .momentum = un_config_number(config, "momentum")},
                           .decay = (float)un_config_number(config, "decay")};
}

static void configure(msdn *n, const un_method_setup *setup) {
    const un_class_semantics *semantics = &setup->classes->semantics[0];
    n->type = un_precision_dtype(setup->precision);
    n->A = semantics->width;
    n->E = n->settings.one_hot ? n->A : semantics->vector_width;
    n->F = setup->width;
    n->R = setup->regions;
    n->seed = setup->seed;
    n->data = setup->data;
    n->batch_size = n->settings.batch_size;
    n->usual_rows = (n->data ? n->batch_size : SCORE_IMAGES) * n->R;
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
    if (n->type == UN_F32) UN_TRY(un_arena_alloc(&n->arena, 4 * n->A * n->F, sizeof(float), &n->q));
    if (n->data) UN_TRY(un_arena_alloc(&n->arena, 4 * n->A * n->F, sizeof(float), &n->dq));
    if (n->type == UN_BF16)
        UN_TRY(un_arena_alloc(&n->arena, 4 * n->A * n->F, sizeof(un_bf16), &n->q16));
    return UNSEEN_OK;
}

/* W_1 is normal, the other matrices start at 0, V at the attributes' word vectors, or at 1. */
static void initialize(msdn *n, const un_class_semantics *semantics) {
    float *v = un_param_value(&n->base.params, n->v);
    if (n->settings.one_hot)
        for (size_t i = 0; i < n->A; i++) v[i * n->E + i] = 1;
    else
        memcpy(v, semantics->vectors, n->A * n->E * sizeof *v);
    un_normalize_rows(v, n->A, n->E, 1e-12f, NULL);
    un_rng rng = un_rng_stream(n->seed, "init", 0);
    un_rng_fill_normal(&rng, un_param_value(&n->base.params, n->w1), n->E * n->F, 0, 1);
}

/* Unit rows and the bias m, in fresh memory: *out changes only if all went well. */
static un_status prepare_classes(const msdn *n, msdn_classes *out, const un_class_table *classes) {
    const un_class_semantics *semantics = &classes->semantics[0];
    if (classes->count == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    if (classes->semantics_count != 1 || semantics->width != n->A)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "MSDN needs one semantics of %zu values; \"%s\" has %zu (of %zu semantics)",
                       n->A, semantics->name, semantics->width, classes->semantics_count);
    msdn_classes fresh = {.count = classes->count};
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count * n->A, sizeof(float), &fresh.att));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, sizeof(float), &fresh.bias));
    UN_GO(un_arena_alloc(&fresh.arena, fresh.count, 1, &fresh.seen));
    for (size_t i = 0; i < fresh.count * n->A; i++) {
        float x = semantics->values[i];
        fresh.att[i] = n->settings.clip_negative && x < 0 ? 0.0f : x;
    }
    un_normalize_rows(fresh.att, fresh.count, n->A, 1e-12f, NULL);
    for (size_t c = 0; c < fresh.count; c++) {
        fresh.seen[c] = classes->seen[c] != 0;
        fresh.bias[c] = classes->seen[c] ? -1.0f : 1.0f;
    }
    un_arena_free(&out->arena);
    *out = fresh;
done:
    if (status) un_arena_free(&fresh.arena);
    return status;
}

static un_status start_training(msdn *n, const un_method_setup *setup) {
    initialize(n, &setup->classes->semantics[0]);
    UN_TRY(prepare_classes(n, &n->trained, setup->classes));
    UN_TRY(start_sampling(n));
    return un_msdn_batch_create(n, &n->batch, &n->trained, n->batch_size, 1);
}

static un_status create(const un_method_setup *setup, un_method **out) {
    const un_class_semantics *semantics = &setup->classes->semantics[0];
    if (setup->classes->semantics_count != 1)
        return un_fail(UNSEEN_E_ARGUMENT, "MSDN takes one semantics, not %zu",
                       setup->classes->semantics_count);
    if (setup->data && setup->data->train->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "there are no training images");
    const msdn_settings settings = read_settings(setup->config);
    if (!settings.one_hot && (!semantics->vectors || semantics->vector_width == 0))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "semantics \"%s\" has no word vectors of its attributes, which MSDN starts "
                       "from: add them with `unseen words DIR --vectors FILE`, or builtin:words "
                       "for FILE if there is none; if its values have no names, as those of an "
                       "embedding, start without: --set vectors=one-hot",
                       semantics->name);
    msdn *n = calloc(1, sizeof *n);
    if (!n) return un_fail_memory(sizeof *n);
    n->base.class = &un_method_msdn;
    un_status status = UNSEEN_OK;
    n->settings = settings;
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

/* Rows are multiplied where they lie if they can be. */
static void set_images(msdn *n, const int64_t *images, size_t count) {
    const un_features *from = n->data->features;
    msdn_batch *b = &n->batch;
    if (n->type == UN_F32) {
        un_features_gather_f32(from, images, count, b->gathered);
        return;
    }
    if (b->gathered) un_features_gather_bf16(from, images, count, b->gathered);
    b->rows_f32 = !b->gathered && from->dtype == UN_F32;
    for (size_t i = 0; i < count; i++)
        b->rows[i] = b->gathered ? (const un_bf16 *)b->gathered + i * n->R * n->F
                                 : un_features_row(from, (size_t)images[i]);
}

static un_status step(un_method *method, size_t epoch, size_t number, double *losses) {
    msdn *n = (msdn *)method;
    const int64_t *images = NULL;
    size_t count = 0;
    int32_t *labels = NULL;
    UN_TRY(plan(method, epoch, number, &images, &count));
    set_images(n, images, count);
    UN_TRY(un_msdn_fold(n));
    UN_TRY(un_msdn_forward(n, &n->batch, count));
    UN_TRY(un_alloc(count, sizeof *labels, &labels));
    for (size_t i = 0; i < count; i++) labels[i] = n->data->labels[images[i]];
    un_status status = un_msdn_losses(n, &n->batch, labels, count, losses);
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
    UN_TRY(prepare_classes(n, &n->scored, classes));
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
    if (!b->y) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    b->x = features;
    b->rows_f32 = 1;
    for (size_t i = 0; i < images; i++) b->rows[i] = features + i * n->R * n->F;
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
    const un_attribute_attention image = un_msdn_attention(n, &n->scoring, 0);
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
        out[i] = (float)n->settings.weight1 * n->scoring.psi[i];
        out[n->A + i] = (float)n->settings.weight2 * n->scoring.psi2[i];
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

static const un_method_learner g_learner = {.steps_before = steps_before,
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
