/* dem.c - DEM as a method: settings, presets, scores, life cycle, steps. See dem.h. */
#include "method/dem/dem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "base/status.h"
#include "nn/shared.h"
#include "tensor/kernels.h"

/* ---- settings ---- */

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL,
     "named semantics to learn from; several are fused"},
    {"input_scale", UN_OPTION_NUMBERS, "1", 1e-9, 1e9, "auto",
     "factor on each semantics; auto: mean row norm of the seen classes becomes 2"},
    {"network", UN_OPTION_CHOICE, "auto", 0, 0, "auto|two-layer|one-layer|fusion",
     "auto: two layers for one semantics, fusion for several"},
    {"modality_scale", UN_OPTION_NUMBERS, "1", 0, 1e6, NULL,
     "fusion: weight s_m of each semantics' tanh branch"},
    {"hidden", UN_OPTION_INTEGER, "1600", 1, 1e6, NULL, "hidden units h"},
    {"batching", UN_OPTION_CHOICE, "mini", 0, 0, "mini|class-means",
     "random mini-batches, or the exact loss of all images on class means"},
    {"batch", UN_OPTION_INTEGER, "64", 1, 1e6, NULL, "images of a mini-batch"},
    {"lr", UN_OPTION_NUMBER, "1e-4", 1e-12, 1e3, NULL, "Adam's learning rate"},
    {"beta1", UN_OPTION_NUMBER, "0.9", 0, 0.999999, NULL, "Adam"},
    {"beta2", UN_OPTION_NUMBER, "0.999", 0, 0.99999999, NULL, "Adam"},
    {"epsilon", UN_OPTION_NUMBER, "1e-8", 1e-30, 1, NULL, "Adam, TensorFlow's form"},
    {"lambda", UN_OPTION_NUMBERS, "1e-4", 0, 1e6, NULL,
     "L2 weight of each layer, biases included: first layer(s) then last; one value serves all"},
    {"distance", UN_OPTION_CHOICE, "cosine", 0, 0, "euclidean|cosine", "to the prototypes"},
    {"whiten", UN_OPTION_NUMBER, "no", 0, 1, "no|auto",
     "features in units of their spread within classes, which is shrunk towards one unit for all "
     "by this share (auto: Ledoit and Wolf's, no above 8192 values); the output has no ReLU then"},
    {"init_sd", UN_OPTION_NUMBER, "0.1", 1e-9, 1e3, NULL,
     "standard deviation of initial weights, truncated at two"},
    {"init_bias", UN_OPTION_NUMBER, "0.1", -1e3, 1e3, NULL, "initial biases"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

/* The papers' runs are 1,000,000 steps long, of which nobody needs more than a
 * fraction: epochs here bound the search, validation picks within them. */
static const un_preset g_presets[] = {
    {"auto",
     "{\"semantics\":\"att\",\"input_scale\":\"auto\",\"lr\":3e-4,\"lambda\":1e-5,"
     "\"distance\":\"cosine\",\"epochs\":60,\"batch\":64,\"whiten\":\"auto\",\"patience\":15}",
     "any data set: random mini-batches, attributes scaled to a common size, whitened features"},
    {"cub-vgg",
     "{\"semantics\":\"original_att\",\"input_scale\":\"auto\",\"hidden\":1200,"
     "\"batching\":\"class-means\",\"batch\":100,\"lr\":1e-3,\"lambda\":1e-5,"
     "\"distance\":\"cosine\",\"epochs\":600,\"evaluate_every\":20,\"patience\":5}",
     "CUB on VGG-16 fc7 features, found on validation folds"},
    {"cub-vgg-fusion",
     "{\"semantics\":\"original_att,sent\",\"input_scale\":\"auto\","
     "\"modality_scale\":\"1,3\",\"hidden\":1200,\"batching\":\"class-means\","
     "\"batch\":100,\"lr\":1e-3,\"lambda\":1e-5,\"distance\":\"cosine\",\"epochs\":600,"
     "\"evaluate_every\":20,\"patience\":5}",
     "the same with attributes and sentences fused"},
    {"cub",
     "{\"semantics\":\"original_att\",\"hidden\":1200,\"batch\":100,\"lr\":1e-5,"
     "\"lambda\":1e-2,\"distance\":\"cosine\",\"epochs\":1000,\"evaluate_every\":10}",
     "CUB on ResNet-101 features, as published"},
    {"awa1",
     "{\"semantics\":\"original_att\",\"lambda\":1e-3,\"distance\":\"euclidean\","
     "\"epochs\":300,\"evaluate_every\":5}",
     "AWA1 on ResNet-101 features, as published"},
    {"awa2",
     "{\"semantics\":\"original_att\",\"lambda\":1e-3,\"distance\":\"euclidean\","
     "\"epochs\":300,\"evaluate_every\":5}",
     "AWA2 on ResNet-101 features, as published"},
    {"sun",
     "{\"semantics\":\"original_att\",\"lambda\":1e-5,\"distance\":\"euclidean\","
     "\"epochs\":500,\"evaluate_every\":5}",
     "SUN on ResNet-101 features, as published"},
    {"apy",
     "{\"semantics\":\"original_att\",\"lambda\":1e-4,\"distance\":\"euclidean\","
     "\"epochs\":1000,\"evaluate_every\":10}",
     "aPY on ResNet-101 features, as published"},
    {"awa-fusion",
     "{\"semantics\":\"original_att,word\",\"modality_scale\":\"3,1\",\"hidden\":900,"
     "\"lambda\":\"1e-2,1e-3,1e-2\",\"distance\":\"euclidean\",\"epochs\":300,"
     "\"evaluate_every\":5}",
     "AwA with attributes and word vectors fused, as published"},
    {NULL, NULL, NULL},
};

/* ---- scores: nearest prototypes.
 *
 * score = -|x - p| or -(1 - cos(x, p)). Computed in f32 whatever the training
 * precision: it is one product, and small differences of distances decide.
 * A zero vector has cosine 0 with everything. ---- */

enum { CHUNK = 256 };

static void free_scoring(dem *d) {
    un_packed_free(d->packed);
    free(d->prototypes);
    free(d->prototype_norm);
    d->packed = NULL;
    d->prototypes = NULL;
    d->prototype_norm = NULL;
    d->scored = 0;
}

/* Prototypes of classes begin..begin+rows-1, through a network without a training batch. */
static un_status embed(dem *d, const un_class_table *classes, size_t begin, size_t rows,
                       dem *scratch) {
    const float *scale = un_param_value(&d->base.params, d->input_scale);
    for (size_t m = 0; m < d->semantics_count; m++) {
        const float *values = classes->semantics[m].values + begin * d->width[m];
        for (size_t i = 0; i < rows * d->width[m]; i++) scratch->input[m][i] = scale[m] * values[i];
    }
    UN_TRY(un_dem_network_forward(scratch, rows, UN_F32));
    memcpy(d->prototypes + begin * d->visual, scratch->output, rows * d->visual * sizeof(float));
    return UNSEEN_OK;
}

static un_status set_classes(un_method *method, const un_class_table *classes) {
    dem *d = (dem *)method;
    UN_TRY(un_method_check_classes(classes, d->semantics_count, d->width));
    free_scoring(d);
    /* A copy of the head with its own workspace: the parameters are shared, the buffers of a
     * training step under way are not touched. */
    dem scratch = *d;
    scratch.arena = (un_arena){0};
    scratch.type = UN_F32;
    un_status status = UNSEEN_OK;
    size_t C = classes->count, rows = C < CHUNK ? C : CHUNK;
    UN_GO(un_alloc(C * d->visual, sizeof(float), &d->prototypes));
    UN_GO(un_alloc(C, sizeof(double), &d->prototype_norm));
    UN_GO(un_dem_network_workspace(&scratch, rows, 0));
    for (size_t at = 0; at < C; at += rows)
        UN_GO(embed(d, classes, at, C - at < rows ? C - at : rows, &scratch));
    un_row_norms(d->prototypes, C, d->visual, d->prototype_norm);
    UN_GO(un_gemm_pack(&d->packed, UN_F32, 1, CHUNK, C, d->visual, d->prototypes, 0));
    d->scored = C;
done:
    un_arena_free(&scratch.arena);
    if (status) free_scoring(d);
    return status;
}

typedef struct {
    const dem *d;
    const double *norm; /* of the features */
    float *scores;      /* dot products on entry */
} finish_job;

static void finish_rows(size_t begin, size_t end, void *context) {
    const finish_job *job = context;
    const dem *d = job->d;
    for (size_t i = begin; i < end; i++) {
        float *row = job->scores + i * d->scored;
        double x = job->norm[i];
        for (size_t c = 0; c < d->scored; c++) {
            double p = d->prototype_norm[c], dot = (double)row[c];
            double square = x * x + p * p - 2.0 * dot;
            double cosine = x > 0 && p > 0 ? dot / (x * p) : 0.0;
            row[c] = d->settings.cosine ? (float)(cosine - 1.0)
                                        : (float)-sqrt(square > 0 ? square : 0.0);
        }
    }
}

typedef struct {
    const dem *d;
    float *scores; /* (n, C) of all images */
} score_job;

/* Scores of features as the network's outputs are compared with them. */
static un_status score_rows(void *context, size_t at, size_t n, const float *rows) {
    const score_job *job = context;
    const dem *d = job->d;
    float *scores = job->scores + at * d->scored;
    double *norm = NULL;
    UN_TRY(un_alloc(n, sizeof *norm, &norm));
    un_row_norms(rows, n, d->visual, norm);
    const un_gemm_args product = {.m = n,
                                  .n = d->scored,
                                  .k = d->visual,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = rows,
                                  .packed = d->packed,
                                  .c = scores};
    un_status status = un_gemm(&product);
    finish_job finish = {d, norm, scores};
    if (!status) un_parallel_for(n, 16, finish_rows, &finish);
    free(norm);
    return status;
}

static un_status score(un_method *method, const float *features, size_t n, float *scores) {
    const dem *d = (const dem *)method;
    if (!d->packed) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    score_job job = {d, scores};
    return un_pooled_rows(&d->pooled, &d->base.params, features, n, score_rows, &job);
}

/* ---- life cycle ---- */

static void destroy(un_method *method) {
    dem *d = (dem *)method;
    if (!d) return;
    free_scoring(d);
    un_params_free(&d->base.params);
    un_arena_free(&d->arena);
    free(d);
}

/* The only look at the configuration. */
static un_status read_settings(const json_t *config, size_t semantics_count, dem_settings *out) {
    dem_settings s = {.network_is_auto = un_config_is(config, "network", "auto"),
                      .network = un_config_is(config, "network", "one-layer") ? DEM_ONE_LAYER
                                 : un_config_is(config, "network", "fusion")  ? DEM_FUSION
                                                                              : DEM_TWO_LAYER,
                      .hidden = un_config_integer(config, "hidden"),
                      .lambda_count = un_config_list_count(config, "lambda"),
                      .cosine = un_config_is(config, "distance", "cosine"),
                      .class_means = un_config_is(config, "batching", "class-means"),
                      .batch = un_config_integer(config, "batch"),
                      .optimizer = {.kind = UN_ADAM_TF,
                                    .lr = un_config_number(config, "lr"),
                                    .beta1 = un_config_number(config, "beta1"),
                                    .beta2 = un_config_number(config, "beta2"),
                                    .epsilon = un_config_number(config, "epsilon")},
                      .init_sd = un_config_number(config, "init_sd"),
                      .init_bias = un_config_number(config, "init_bias")};
    UN_TRY(un_config_for_semantics(config, "modality_scale", semantics_count, s.modality_scale));
    UN_TRY(un_config_for_semantics(config, "input_scale", semantics_count, s.input_scale));
    for (size_t i = 0; i < DEM_MAX_LAYERS; i++)
        s.lambda[i] = un_config_list_number(config, "lambda", i);
    *out = s;
    return UNSEEN_OK;
}

/* Which network it is, and that the settings fit it. */
static un_status select_network(dem *d) {
    const dem_settings *s = &d->settings;
    d->network = !s->network_is_auto      ? s->network
                 : d->semantics_count > 1 ? DEM_FUSION
                                          : DEM_TWO_LAYER;
    if (d->semantics_count > 1 && d->network != DEM_FUSION)
        return un_fail(UNSEEN_E_ARGUMENT, "several semantics need network=fusion (or auto)");
    size_t layers = d->network == DEM_ONE_LAYER ? 1 : d->semantics_count + 1;
    if (s->lambda_count != 1 && s->lambda_count != layers)
        return un_fail(UNSEEN_E_ARGUMENT, "lambda needs one value, or one for each of %zu layers",
                       layers);
    d->hidden = d->network == DEM_ONE_LAYER ? d->width[0] : s->hidden;
    return UNSEEN_OK;
}

static un_status configure(dem *d, const un_method_setup *setup) {
    d->semantics_count = setup->classes->semantics_count;
    UN_TRY(read_settings(setup->config, d->semantics_count, &d->settings));
    for (size_t m = 0; m < d->semantics_count; m++)
        d->width[m] = setup->classes->semantics[m].width;
    UN_TRY(select_network(d));
    d->type = setup->data ? un_precision_dtype(setup->precision) : UN_F32;
    /* Models of version 0.1 took the regions one behind the other for one vector. */
    int averages = setup->data || (setup->spec && json_object_get(setup->spec, "regions"));
    d->visual = averages ? setup->width : setup->regions * setup->width;
    un_pooled_configure(&d->pooled, setup->config, averages ? setup->regions : 1, d->visual,
                        setup->data);
    d->seed = setup->seed;
    d->ranks = setup->ranks;
    d->data = d->pooled.data;
    d->class_count = setup->classes->count;
    return UNSEEN_OK;
}

static un_status create(const un_method_setup *setup, un_method **out) {
    dem *d = calloc(1, sizeof *d);
    if (!d) return un_fail_memory(sizeof *d);
    d->base.class = &un_method_dem;
    un_status status = UNSEEN_OK;
    UN_GO(configure(d, setup));
    UN_GO(un_dem_network_declare(d));
    d->base.params.available = setup->available;
    UN_GO(un_params_allocate(&d->base.params, d->data != NULL, d->type == UN_BF16));
    if (d->data) {
        un_dem_network_initialize(d, setup->classes);
        for (size_t m = 0; m < d->semantics_count; m++) {
            const un_class_semantics *semantics = &setup->classes->semantics[m];
            size_t n = d->class_count * semantics->width;
            float scale = un_param_value(&d->base.params, d->input_scale)[m];
            UN_GO(un_arena_alloc(&d->arena, n, sizeof(float), &d->semantics[m]));
            for (size_t i = 0; i < n; i++) d->semantics[m][i] = scale * semantics->values[i];
        }
        UN_GO(un_dem_rows_create(d));
    }
    *out = &d->base;
done:
    if (status) destroy(&d->base);
    return status;
}

static un_status prepare(un_method *method) {
    dem *d = (dem *)method;
    UN_TRY(un_pooled_fit(&d->pooled, &d->base.params, d->class_count));
    return un_dem_rows_prepare(d);
}

/* That regions are averaged, which older models did not. */
static un_status save_spec(const un_method *method, json_t **out) {
    const dem *d = (const dem *)method;
    *out = d->pooled.regions > 1 ? json_pack("{s:s}", "regions", "averaged") : json_object();
    return *out ? UNSEEN_OK : un_fail_memory(0);
}

/* ---- steps ---- */

static size_t steps_before(const un_method *method, size_t epoch) {
    return epoch * un_dem_rows_steps_per_epoch((const dem *)method);
}

static un_status plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count) {
    return un_dem_rows_plan((dem *)method, epoch, step, images, count);
}

static un_status step(un_method *method, size_t epoch, size_t number, double *losses) {
    dem *d = (dem *)method;
    UN_TRY(un_dem_rows_fill(d, epoch, number));
    for (size_t m = 0; m < d->semantics_count; m++)
        for (size_t g = 0; g < d->rows.rows; g++)
            memcpy(d->input[m] + g * d->width[m],
                   d->semantics[m] + (size_t)d->rows.class[g] * d -> width[m],
                   d -> width[m] * sizeof(float));
    if (d->rows.rows > 0) {
        UN_TRY(un_dem_network_forward(d, d->rows.rows, d->type));
        UN_TRY(un_dem_network_backward(d, &losses[0]));
    } else {
        losses[0] = 0;
        memset(d->base.params.grad, 0, d->base.params.trained * sizeof(float));
    }
    return un_shared_sum(d->ranks, losses, 1);
}

static double step_flops(const un_method *method) {
    const dem *d = (const dem *)method;
    double first = 0, last = (double)d->last.in * (double)d->last.out;
    for (size_t m = 0; d->network != DEM_ONE_LAYER && m < d->semantics_count; m++)
        first += (double)d->first[m].in * (double)d->first[m].out;
    double square = (double)d->visual * (double)d->visual;
    double white = d->pooled.whitened ? 2.0 * (double)d->step_images * square : 0;
    /* forward and weight gradients of both, input gradient of the last */
    return white + 2.0 * (double)d->rows.rows * (2 * (first + last) + (first > 0 ? last : 0));
}

static void optimizer(const un_method *method, un_optimizer_settings *out) {
    *out = ((const dem *)method)->settings.optimizer;
}

/* ---- the method ---- */

static const char *const g_losses[] = {"fit", NULL};

static const un_method_learner g_learner = {.splits = 1,
                                            .steps_before = steps_before,
                                            .step = step,
                                            .step_flops = step_flops,
                                            .optimizer = optimizer,
                                            .plan = plan};

const un_method_class un_method_dem = {
    .name = "dem",
    .title = "DEM: Learning a Deep Embedding Model for Zero-Shot Learning (CVPR 2017)",
    .score_unit = "negative distance to the class prototype",
    .input = UN_FEATURES_POOLED,
    .losses = g_losses,
    .options = g_options,
    .presets = g_presets,
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .set_classes = set_classes,
    .score = score,
    .save_spec = save_spec,
    .learner = &g_learner,
};
