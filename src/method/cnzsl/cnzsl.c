/* cnzsl.c - CNZSL as a method: settings, presets, scores, life cycle, steps. See cnzsl.h. */
#include "method/cnzsl/cnzsl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "base/status.h"
#include "nn/loss.h"
#include "tensor/kernels.h"

/* ---- settings ---- */

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL,
     "named semantics to learn from; several stand side by side"},
    {"modality_scale", UN_OPTION_NUMBERS, "1", 0, 1e6, NULL,
     "weight of each semantics, whose values are 1 in quadratic mean"},
    {"hidden", UN_OPTION_INTEGER, "1024", 1, 1e6, NULL, "hidden units h of both layers"},
    {"standardise", UN_OPTION_CHOICE, "variance", 0, 0, "variance|deviation",
     "what hidden units are divided by over classes: the published code's variance, or the "
     "standard "
     "deviation of the paper's text"},
    {"final_relu", UN_OPTION_CHOICE, "auto", 0, 0, "auto|yes|no",
     "a ReLU behind the prototypes: for features that are not negative; auto: unless whitened"},
    {"whiten", UN_OPTION_NUMBER, "no", 0, 1, "no|auto",
     "features in units of their spread within classes, which is shrunk towards one unit for all "
     "by this share (auto: Ledoit and Wolf's, no above 8192 values); for plain descriptors"},
    {"scale", UN_OPTION_NUMBER, "25", 1e-3, 1e6, NULL, "factor on the cosine"},
    {"seen_factor", UN_OPTION_NUMBER, "1", 0, 1, NULL,
     "factor on scores of seen classes, to compare with published figures, which have 0.95 chosen "
     "on test sets (CUB: 1)"},
    {"batch", UN_OPTION_INTEGER, "256", 1, 1e6, NULL, "images of a step"},
    {"lr", UN_OPTION_NUMBER, "5e-4", 1e-12, 1e3, NULL, "Adam's learning rate"},
    {"lr_fall", UN_OPTION_NUMBER, "0.1", 0, 1, NULL,
     "factor on the learning rate in the second half of the epochs"},
    {"beta1", UN_OPTION_NUMBER, "0.9", 0, 0.999999, NULL, "Adam"},
    {"beta2", UN_OPTION_NUMBER, "0.999", 0, 0.99999999, NULL, "Adam"},
    {"epsilon", UN_OPTION_NUMBER, "1e-8", 1e-30, 1, NULL, "Adam"},
    {"decay", UN_OPTION_NUMBER, "1e-4", 0, 1e6, NULL, "L2 weight decay, biases included"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

/* One set of values for all data, as published. */
#define PUBLISHED "{\"epochs\":50,\"evaluate_every\":10}"

static const un_preset g_presets[] = {
    {"auto", PUBLISHED, "any data set: the published settings, which are one for all"},
    {"cub", PUBLISHED, "CUB, as published"},
    {"awa1", PUBLISHED, "AWA1, as published but for seen_factor=0.95, chosen on its test sets"},
    {"awa2", PUBLISHED, "AWA2, as published but for seen_factor=0.95, chosen on its test sets"},
    {"apy", PUBLISHED, "aPY, as published but for seen_factor=0.95, chosen on its test sets"},
    {"sun", PUBLISHED, "SUN, as published but for seen_factor=0.95, chosen on its test sets"},
    {NULL, NULL, NULL},
};

/* ---- scores ---- */

enum { CHUNK = 256 }; /* classes of one pass of the network outside training */

/* Classes at.. of the table -> prototypes of length scale, or scale * seen_factor. */
static un_status embed(cnzsl *n, const un_class_table *classes, size_t at, size_t rows,
                       cnzsl_pass *pass, float *prototypes) {
    size_t D = n->visual;
    for (size_t i = 0; i < rows; i++) un_cnzsl_input(n, pass, i, classes, at + i);
    UN_TRY(un_cnzsl_forward(n, pass, rows, 0));
    un_cnzsl_normalise(n, pass, rows);
    for (size_t i = 0; i < rows; i++) {
        double factor = classes->seen[at + i] ? n->settings.seen_factor : 1;
        un_scale((float)(n->settings.scale * factor), pass->prototype + i * D, D);
    }
    memcpy(prototypes + at * D, pass->prototype, rows * D * sizeof *prototypes);
    return UNSEEN_OK;
}

static un_status set_classes(un_method *method, const un_class_table *classes) {
    cnzsl *n = (cnzsl *)method;
    size_t C = classes->count, rows = C < CHUNK ? C : CHUNK;
    cnzsl_pass pass;
    un_arena arena = {0};
    float *prototypes = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_method_check_classes(classes, n->semantics_count, n->width));
    if (C == 0) return un_fail(UNSEEN_E_ARGUMENT, "there are no classes to score");
    un_packed_free(n->packed); /* score() refuses until the new ones are whole */
    n->packed = NULL;
    UN_GO(un_alloc(C * n->visual, sizeof *prototypes, &prototypes));
    UN_GO(un_cnzsl_pass_create(n, &pass, &arena, rows, 0));
    for (size_t at = 0; at < C; at += rows)
        UN_GO(embed(n, classes, at, C - at < rows ? C - at : rows, &pass, prototypes));
    UN_GO(un_gemm_pack(&n->packed, UN_F32, 1, CHUNK, C, n->visual, prototypes, 0));
    n->scored = C;
done:
    un_arena_free(&arena);
    free(prototypes);
    return status;
}

typedef struct {
    float *scores; /* (rows, n) */
    const float *factor;
    size_t n;
} scale_job;

static void scale_rows(size_t begin, size_t end, void *context) {
    const scale_job *j = context;
    for (size_t i = begin; i < end; i++) un_scale(j->factor[i], j->scores + i * j->n, j->n);
}

/* Row i of scores (rows, n) times factor[i]. */
static void scale_scores(float *scores, const float *factor, size_t rows, size_t n) {
    scale_job job = {scores, factor, n};
    un_parallel_for(rows, 16, scale_rows, &job);
}

/* An image without any value has cosine 0 with everything. */
static const float SHORTEST = 1e-12F;

typedef struct {
    const cnzsl *n;
    float *scores; /* (n, C) of all images */
} score_job;

static un_status score_rows(void *context, size_t at, size_t count, const float *rows) {
    const score_job *job = context;
    const cnzsl *n = job->n;
    float *scores = job->scores + at * n->scored, *inverse = NULL;
    UN_TRY(un_alloc(count, sizeof *inverse, &inverse));
    un_inverse_row_norms(rows, count, n->visual, SHORTEST, inverse);
    const un_gemm_args product = {.m = count,
                                  .n = n->scored,
                                  .k = n->visual,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = rows,
                                  .packed = n->packed,
                                  .c = scores};
    un_status status = un_gemm(&product);
    if (!status) scale_scores(scores, inverse, count, n->scored);
    free(inverse);
    return status;
}

static un_status score(un_method *method, const float *features, size_t count, float *scores) {
    const cnzsl *n = (const cnzsl *)method;
    if (!n->packed) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    score_job job = {n, scores};
    return un_pooled_rows(&n->pooled, &n->base.params, features, count, score_rows, &job);
}

/* ---- life cycle ---- */

static void destroy(un_method *method) {
    cnzsl *n = (cnzsl *)method;
    if (!n) return;
    un_packed_free(n->packed);
    un_params_free(&n->base.params);
    un_arena_free(&n->arena);
    free(n);
}

/* The only look at the configuration, but for un_pooled_configure's. */
static un_status read_settings(cnzsl *n, const json_t *config) {
    cnzsl_settings *s = &n->settings;
    *s = (cnzsl_settings){.hidden = un_config_integer(config, "hidden"),
                          .form = un_config_is(config, "standardise", "deviation") ? UN_BY_DEVIATION
                                                                                   : UN_BY_VARIANCE,
                          .final_relu = un_config_is(config, "final_relu", "auto")
                                            ? !n->pooled.whitened
                                            : un_config_is(config, "final_relu", "yes"),
                          .scale = un_config_number(config, "scale"),
                          .seen_factor = un_config_number(config, "seen_factor"),
                          .epochs = un_config_integer(config, "epochs"),
                          .batch = un_config_integer(config, "batch"),
                          .lr_fall = un_config_number(config, "lr_fall"),
                          .decay = un_config_number(config, "decay"),
                          .optimizer = {.kind = UN_ADAM,
                                        .lr = un_config_number(config, "lr"),
                                        .beta1 = un_config_number(config, "beta1"),
                                        .beta2 = un_config_number(config, "beta2"),
                                        .epsilon = un_config_number(config, "epsilon")}};
    return un_config_for_semantics(config, "modality_scale", n->semantics_count, s->modality_scale);
}

static un_status configure(cnzsl *n, const un_method_setup *setup) {
    n->semantics_count = setup->classes->semantics_count;
    for (size_t m = 0; m < n->semantics_count; m++) {
        n->width[m] = setup->classes->semantics[m].width;
        n->A += n->width[m];
    }
    n->visual = setup->width;
    n->class_count = setup->classes->count;
    n->ranks = setup->ranks;
    un_pooled_configure(&n->pooled, setup->config, setup->regions, setup->width, setup->data);
    return read_settings(n, setup->config);
}

/* The seen classes as the rows of every step. */
static un_status start_classes(cnzsl *n, const un_class_table *classes) {
    size_t seen = 0;
    UN_TRY(un_arena_alloc(&n->arena, classes->count, sizeof *n->seen_row, &n->seen_row));
    for (size_t c = 0; c < classes->count; c++)
        n->seen_row[c] = classes->seen[c] ? (int32_t)seen++ : -1;
    if (seen < 2)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "CNZSL measures how hidden units vary over the seen classes, which takes "
                       "two of them at least; there %s",
                       seen == 1 ? "is one" : "are none");
    UN_TRY(un_cnzsl_pass_create(n, &n->pass, &n->arena, seen, 1));
    if (seen < un_cluster_size(n->ranks))
        return un_fail(UNSEEN_E_ARGUMENT, "%zu seen classes cannot be split over %zu ranks", seen,
                       un_cluster_size(n->ranks));
    for (size_t c = 0; c < classes->count; c++)
        if (n->seen_row[c] >= 0) un_cnzsl_input(n, &n->pass, (size_t)n->seen_row[c], classes, c);
    return UNSEEN_OK;
}

static un_status start_training(cnzsl *n, const un_method_setup *setup) {
    const un_index_list *train = n->pooled.data->train;
    size_t most = n->settings.batch < train->count ? n->settings.batch : train->count;
    un_cnzsl_network_initialize(n, setup->seed);
    UN_TRY(start_classes(n, setup->classes));
    UN_TRY(un_batches_create(&n->batches, &n->arena, train, n->settings.batch, setup->seed));
    UN_TRY(un_arena_alloc(&n->arena, most * n->visual, sizeof(float), &n->rows));
    if (n->pooled.whitened)
        UN_TRY(un_arena_alloc(&n->arena, most * n->visual, sizeof(float), &n->raw));
    UN_TRY(un_arena_alloc(&n->arena, most, sizeof(float), &n->inverse_norm));
    UN_TRY(un_arena_alloc(&n->arena, most, sizeof *n->label, &n->label));
    UN_TRY(un_arena_alloc(&n->arena, most, sizeof *n->weight, &n->weight));
    return un_arena_alloc(&n->arena, most * n->pass.rows, sizeof(float), &n->logits);
}

static un_status create(const un_method_setup *setup, un_method **out) {
    cnzsl *n = calloc(1, sizeof *n);
    if (!n) return un_fail_memory(sizeof *n);
    n->base.class = &un_method_cnzsl;
    un_status status = UNSEEN_OK;
    UN_GO(configure(n, setup));
    UN_GO(un_cnzsl_network_declare(n));
    n->base.params.available = setup->available;
    UN_GO(un_params_allocate(&n->base.params, setup->data != NULL, 0));
    if (setup->data) UN_GO(start_training(n, setup));
    *out = &n->base;
done:
    if (status) destroy(&n->base);
    return status;
}

static un_status prepare(un_method *method) {
    const cnzsl *n = (const cnzsl *)method;
    return un_pooled_fit(&n->pooled, &n->base.params, n->class_count);
}

/* ---- steps ---- */

static size_t steps_before(const un_method *method, size_t epoch) {
    return epoch * un_batches_per_epoch(&((const cnzsl *)method)->batches);
}

static un_status plan(un_method *method, size_t epoch, size_t step, const int64_t **images,
                      size_t *count) {
    un_batches_plan(&((cnzsl *)method)->batches, epoch, step, images, count);
    return UNSEEN_OK;
}

/* Scores of the gathered images over the seen classes, and their loss and gradient. */
static un_status lose(cnzsl *n, size_t count, double *loss) {
    size_t S = n->pass.rows, D = n->visual;
    const un_gemm_args forward = {.m = count,
                                  .n = S,
                                  .k = D,
                                  .trans_b = 1,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = n->rows,
                                  .b = n->pass.prototype,
                                  .c = n->logits};
    UN_TRY(un_gemm(&forward));
    /* Images are divided by their norms, and scores multiplied, in the small matrix. */
    un_inverse_row_norms(n->rows, count, D, SHORTEST, n->inverse_norm);
    un_scale((float)n->settings.scale, n->inverse_norm, count);
    scale_scores(n->logits, n->inverse_norm, count, S);
    *loss = un_cross_entropy(n->logits, n->label, n->weight, count, S, NULL, n->logits);
    scale_scores(n->logits, n->inverse_norm, count, S);
    const un_gemm_args backward = {.m = S,
                                   .n = D,
                                   .k = count,
                                   .trans_a = 1,
                                   .input = UN_F32,
                                   .output = UN_F32,
                                   .a = n->logits,
                                   .b = n->rows,
                                   .c = n->pass.d_prototype};
    return un_gemm(&backward);
}

static un_status step(un_method *method, size_t epoch, size_t number, double *losses) {
    cnzsl *n = (cnzsl *)method;
    const un_training_data *data = n->pooled.data;
    const int64_t *images = NULL;
    size_t count = 0;
    un_batches_plan(&n->batches, epoch, number, &images, &count);
    if (count == 0) return un_fail(UNSEEN_E_ARGUMENT, "step %zu lies beyond the epoch", number);
    UN_TRY(un_pooled_gather(&n->pooled, &n->base.params, images, count, n->raw, n->rows));
    for (size_t i = 0; i < count; i++) {
        n->label[i] = n->seen_row[data->labels[images[i]]];
        n->weight[i] = 1 / (double)count;
    }
    n->step_images = count;
    UN_TRY(un_cnzsl_forward(n, &n->pass, n->pass.rows, 1));
    un_cnzsl_normalise(n, &n->pass, n->pass.rows);
    UN_TRY(lose(n, count, &losses[0]));
    return un_cnzsl_backward(n, &n->pass);
}

static double step_flops(const un_method *method) {
    const cnzsl *n = (const cnzsl *)method;
    double A = (double)n->A, h = (double)n->settings.hidden, D = (double)n->visual;
    double S = (double)n->pass.rows, B = (double)n->step_images;
    double own = (double)n->pass.own.count;
    double white = n->pooled.whitened ? 2 * B * D * D : 0;
    /* forward, gradients of weights, and of all inputs but the first layer's */
    return white + 2 * own * (2 * A * h + 3 * h * h + 3 * h * D) + 4 * B * S * D;
}

static void optimizer(const un_method *method, un_optimizer_settings *out) {
    *out = ((const cnzsl *)method)->settings.optimizer;
}

static double learning_rate(const un_method *method, size_t epoch) {
    const cnzsl_settings *s = &((const cnzsl *)method)->settings;
    return 2 * epoch < s->epochs ? s->optimizer.lr : s->optimizer.lr * s->lr_fall;
}

/* ---- the method ---- */

static int unit_rows(const json_t *config) {
    (void)config;
    return 1;
}

static const char *const g_losses[] = {"ce", NULL};

static const un_method_learner g_learner = {.splits = 1,
                                            .steps_before = steps_before,
                                            .step = step,
                                            .step_flops = step_flops,
                                            .optimizer = optimizer,
                                            .fixed_length = 1,
                                            .learning_rate = learning_rate,
                                            .plan = plan};

const un_method_class un_method_cnzsl = {
    .name = "cnzsl",
    .title =
        "CNZSL: Class Normalization for (Continual)? Generalized Zero-Shot Learning (ICLR 2021)",
    .f32_only = 1,
    .score_unit = "scaled cosine to the class prototype",
    .input = UN_FEATURES_POOLED,
    .losses = g_losses,
    .options = g_options,
    .presets = g_presets,
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .set_classes = set_classes,
    .score = score,
    .unit_rows = unit_rows,
    .learner = &g_learner,
};
