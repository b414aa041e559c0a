/* dem_network.c - DEM's class network, forward and backward, and the rows that a step trains it
 * on. See dem.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "base/status.h"
#include "method/dem/dem.h"
#include "method/part.h"
#include "nn/loss.h"
#include "tensor/kernels.h"

/* With rows of this norm the initial outputs have the size of the features' own; larger
 * inputs (CUB's percent values have norm 400) leave dead ReLUs and a network near the mean. */
static const double AUTO_ROW_NORM = 2.0;

static un_status declare_layer(dem *d, const char *name, size_t in, size_t out, double lambda,
                               un_dense *layer) {
    char text[64];
    *layer = (un_dense){.in = in, .out = out, .in_first = 1};
    snprintf(text, sizeof text, "%s.weight", name);
    UN_TRY(un_params_add(&d->base.params, text, 2, (const size_t[]){in, out}, (float)lambda,
                         &layer->weight));
    snprintf(text, sizeof text, "%s.bias", name);
    return un_params_add(&d->base.params, text, 1, &out, (float)lambda, &layer->bias);
}

un_status un_dem_network_declare(dem *d) {
    const double *lambda = d->settings.lambda;
    if (d->network == DEM_ONE_LAYER) {
        UN_TRY(declare_layer(d, "fc1", d->width[0], d->visual, lambda[0], &d->last));
    } else {
        for (size_t m = 0; m < d->semantics_count; m++) {
            char name[32] = "fc1";
            if (d->network == DEM_FUSION) snprintf(name, sizeof name, "modality%zu", m);
            UN_TRY(declare_layer(d, name, d->width[m], d->hidden, lambda[m], &d->first[m]));
        }
        UN_TRY(declare_layer(d, d->network == DEM_FUSION ? "centre" : "fc2", d->hidden, d->visual,
                             lambda[d->semantics_count], &d->last));
    }
    /* Its gradient is always 0, so no optimiser moves it; being a parameter, it travels with
     * the model and scales classes that are described later. */
    UN_TRY(
        un_params_add(&d->base.params, "input_scale", 1, &d->semantics_count, 0, &d->input_scale));
    return un_pooled_declare(&d->pooled, &d->base.params);
}

static double automatic_scale(const un_class_table *classes, size_t m) {
    const un_class_semantics *semantics = &classes->semantics[m];
    double norms = 0;
    size_t n = 0;
    for (size_t c = 0; c < classes->count; c++) {
        if (!classes->seen[c]) continue;
        norms += sqrt(un_sum_squares(semantics->values + c * semantics->width, semantics->width));
        n++;
    }
    return norms > 0 ? AUTO_ROW_NORM * (double)n / norms : 1.0;
}

static void initialize_layer(dem *d, const un_dense *layer, size_t number, double sd, double bias) {
    un_rng rng = un_rng_stream(d->seed, "init", number);
    un_rng_fill_truncated_normal(&rng, un_param_value(&d->base.params, layer->weight),
                                 layer->in * layer->out, sd);
    float *b = un_param_value(&d->base.params, layer->bias);
    for (size_t i = 0; i < layer->out; i++) b[i] = (float)bias;
}

void un_dem_network_initialize(dem *d, const un_class_table *classes) {
    double sd = d->settings.init_sd, bias = d->settings.init_bias;
    if (d->network != DEM_ONE_LAYER)
        for (size_t m = 0; m < d->semantics_count; m++)
            initialize_layer(d, &d->first[m], m, sd, bias);
    /* A whitened feature is mostly what its class does not explain: prototypes of random
     * outputs' size would drown the rest, and keep their share on classes without images. At 0
     * every class starts at the mean of all images. */
    if (!d->pooled.whitened) initialize_layer(d, &d->last, d->semantics_count, sd, bias);
    float *scale = un_param_value(&d->base.params, d->input_scale);
    for (size_t m = 0; m < d->semantics_count; m++) {
        double x = d->settings.input_scale[m];
        scale[m] = (float)(isnan(x) ? automatic_scale(classes, m) : x);
    }
    un_params_refresh(&d->base.params);
}

un_status un_dem_network_workspace(dem *d, size_t rows, int training) {
    un_arena *a = &d->arena;
    size_t h = d->hidden, D = d->visual, f = sizeof(float), w = sizeof(un_bf16);
    int bf16 = d->type == UN_BF16;
    for (size_t m = 0; m < d->semantics_count; m++) {
        UN_TRY(un_arena_alloc(a, rows * d->width[m], f, &d->input[m]));
        if (bf16) UN_TRY(un_arena_alloc(a, rows * d->width[m], w, &d->input16[m]));
        if (d->network == DEM_FUSION) UN_TRY(un_arena_alloc(a, rows * h, f, &d->branch[m]));
    }
    UN_TRY(un_arena_alloc(a, rows * h, f, &d->middle));
    UN_TRY(un_arena_alloc(a, rows * D, f, &d->output));
    if (bf16) UN_TRY(un_arena_alloc(a, rows * h, w, &d->middle16));
    if (!training) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(a, rows * D, f, &d->d_output));
    UN_TRY(un_arena_alloc(a, rows * h, f, &d->d_middle));
    UN_TRY(un_arena_alloc(a, rows * h, f, &d->d_branch));
    if (!bf16) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(a, rows * D, w, &d->d_output16));
    return un_arena_alloc(a, rows * h, w, &d->d_middle16);
}

/* z = sum_m s_m tanh(u_m W_m + b_m) into d->middle. */
static un_status fuse(dem *d, size_t rows, un_dtype type) {
    size_t n = rows * d->hidden;
    for (size_t m = 0; m < d->semantics_count; m++) {
        const void *x = type == UN_BF16 ? (const void *)d->input16[m] : (const void *)d->input[m];
        UN_TRY(un_dense_forward(&d->first[m], &d->base.params, type, x, rows, UN_DENSE_PLAIN,
                                d->branch[m], 0, UN_F32));
        un_tanh(d->branch[m], d->branch[m], n);
        float s = (float)d->settings.modality_scale[m];
        for (size_t i = 0; i < n; i++)
            d->middle[i] = (m == 0 ? 0.0f : d->middle[i]) + s * d->branch[m][i];
    }
    if (type == UN_BF16) un_convert_to_bf16(d->middle, d->middle16, n);
    return UNSEEN_OK;
}

/* The last layer's input: what the first layers made, or the semantics themselves. */
static const void *last_input(const dem *d, un_dtype type) {
    if (d->network == DEM_ONE_LAYER)
        return type == UN_BF16 ? (const void *)d->input16[0] : (const void *)d->input[0];
    return type == UN_BF16 ? (const void *)d->middle16 : (const void *)d->middle;
}

un_status un_dem_network_forward(dem *d, size_t rows, un_dtype type) {
    if (type == UN_BF16)
        for (size_t m = 0; m < d->semantics_count; m++)
            un_convert_to_bf16(d->input[m], d->input16[m], rows * d->width[m]);
    if (d->network == DEM_FUSION) {
        UN_TRY(fuse(d, rows, type));
    } else if (d->network == DEM_TWO_LAYER) {
        const void *x = type == UN_BF16 ? (const void *)d->input16[0] : (const void *)d->input[0];
        void *y = type == UN_BF16 ? (void *)d->middle16 : (void *)d->middle;
        UN_TRY(un_dense_forward(&d->first[0], &d->base.params, type, x, rows, UN_DENSE_RELU, y, 0,
                                type));
    }
    return un_dense_forward(&d->last, &d->base.params, type, last_input(d, type), rows,
                            d->pooled.whitened ? UN_DENSE_PLAIN : UN_DENSE_RELU, d->output, 0,
                            UN_F32);
}

/* Gradient of one first layer from d_middle, through its activation. */
static un_status backward_first(dem *d, size_t m, size_t rows) {
    size_t n = rows * d->hidden;
    float *dy = d->d_middle;
    if (d->network == DEM_FUSION) {
        float s = (float)d->settings.modality_scale[m];
        dy = d->d_branch;
        for (size_t i = 0; i < n; i++)
            dy[i] = s * d->d_middle[i] * (1.0f - d->branch[m][i] * d->branch[m][i]);
    } else if (d->type == UN_BF16) {
        un_relu_backward(d->middle16, UN_BF16, dy, n);
    } else {
        un_relu_backward(d->middle, UN_F32, dy, n);
    }
    if (d->type == UN_BF16) un_convert_to_bf16(dy, d->d_middle16, n);
    const void *x = d->type == UN_BF16 ? (const void *)d->input16[m] : (const void *)d->input[m];
    const un_dense_gradient g = {
        .x = x, .dy = dy, .dy16 = d->d_middle16, .rows = rows, .replace = 1};
    return un_dense_backward(&d->first[m], &d->base.params, d->type, &g);
}

un_status un_dem_network_backward(dem *d, double *fit) {
    size_t rows = d->rows.rows;
    *fit = d->rows.constant +
           (d->pooled.whitened ? un_squared_error : un_squared_error_relu)(
               d->output, d->rows.target, d->rows.weight, rows, d->visual, d->d_output);
    if (d->type == UN_BF16) un_convert_to_bf16(d->d_output, d->d_output16, rows * d->visual);
    int deeper = d->network != DEM_ONE_LAYER;
    const un_dense_gradient g = {.x = last_input(d, d->type),
                                 .dy = d->d_output,
                                 .dy16 = d->d_output16,
                                 .rows = rows,
                                 .replace = 1,
                                 .dx = deeper ? d->d_middle : NULL};
    UN_TRY(un_dense_backward(&d->last, &d->base.params, d->type, &g));
    UN_TRY(un_params_ready(&d->base.params, d->last.weight));
    for (size_t m = 0; deeper && m < d->semantics_count; m++) UN_TRY(backward_first(d, m, rows));
    return UNSEEN_OK;
}

/* ---- a step's images as one row per class: mini-batches and class means ---- */

enum { CHUNK = 256 }; /* images of one gather of the preparing pass */

un_status un_dem_rows_create(dem *d) {
    size_t most = d->settings.class_means || d->settings.batch > d->class_count ? d->class_count
                                                                                : d->settings.batch;
    size_t gathered = d->settings.class_means ? CHUNK : d->settings.batch;
    size_t train = d->data->train->count;
    un_part whole;
    UN_TRY(un_batches_create(&d->batches, &d->arena, d->data->train, d->settings.batch, d->seed));
    if (!d->settings.class_means)
        UN_TRY(un_part_create(&whole, d->ranks,
                              train < d->settings.batch ? train : d->settings.batch));
    UN_TRY(un_arena_alloc(&d->arena, gathered * d->visual, sizeof(float), &d->gathered));
    if (d->pooled.whitened)
        UN_TRY(un_arena_alloc(&d->arena, gathered * d->visual, sizeof(float), &d->raw));
    UN_TRY(un_arena_alloc(&d->arena, d->class_count, sizeof(int32_t), &d->row_of_class));
    UN_TRY(un_arena_alloc(&d->arena, most, sizeof *d->rows.class, &d->rows.class));
    UN_TRY(un_arena_alloc(&d->arena, most, sizeof *d->rows.weight, &d->rows.weight));
    UN_TRY(un_arena_alloc(&d->arena, most * d->visual, sizeof(float), &d->rows.target));
    return un_dem_network_workspace(d, most, 1);
}

size_t un_dem_rows_steps_per_epoch(const dem *d) {
    if (d->settings.class_means) return 1;
    return un_batches_per_epoch(&d->batches);
}

/* Numbers the classes that occur among `images` and counts them into weight[]. */
static void number_rows(dem *d, const int64_t *images, size_t n) {
    for (size_t c = 0; c < d->class_count; c++) d->row_of_class[c] = -1;
    d->rows.rows = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t class = d->data->labels[images[i]];
        if (d->row_of_class[class] < 0) {
            d->row_of_class[class] = (int32_t)d->rows.rows;
            d->rows.class[d->rows.rows] = class;
            d->rows.weight[d->rows.rows++] = 0;
        }
        d->rows.weight[d->row_of_class[class]] += 1;
    }
}

/* Features of n images into d->gathered. */
static un_status gather(dem *d, const int64_t *images, size_t n) {
    return un_pooled_gather(&d->pooled, &d->base.params, images, n, d->raw, d->gathered);
}

/* The means of one mini-batch; means_columns fills some columns and returns their spread. */
typedef struct {
    dem *d;
    const int64_t *images;
    size_t n;
} means_job;

static double means_columns(size_t begin, size_t end, void *context) {
    const means_job *job = context;
    dem *d = job->d;
    size_t width = end - begin;
    for (size_t g = 0; g < d->rows.rows; g++)
        memset(d->rows.target + g * d->visual + begin, 0, width * sizeof(float));
    for (size_t i = 0; i < job->n; i++) {
        size_t g = (size_t)d->row_of_class[d->data->labels[job->images[i]]];
        un_axpy((float)(1.0 / d->rows.weight[g]), d->gathered + i * d->visual + begin,
                d->rows.target + g * d->visual + begin, width);
    }
    double spread = 0;
    for (size_t i = 0; i < job->n; i++) {
        size_t g = (size_t)d->row_of_class[d->data->labels[job->images[i]]];
        const float *x = d->gathered + i * d->visual, *mean = d->rows.target + g * d->visual;
        float lane[16] = {0};
        size_t j = begin;
        for (; j + 16 <= end; j += 16)
            for (size_t l = 0; l < 16; l++)
                lane[l] += (x[j + l] - mean[j + l]) * (x[j + l] - mean[j + l]);
        for (; j < end; j++) lane[0] += (x[j] - mean[j]) * (x[j] - mean[j]);
        for (size_t l = 0; l < 16; l++) spread += (double)lane[l];
    }
    return spread;
}

/* `images` are those of the whole step. */
static void finish_weights(dem *d, double spread, size_t images) {
    double elements = (double)images * (double)d->visual;
    for (size_t g = 0; g < d->rows.rows; g++) d->rows.weight[g] /= elements;
    d->rows.constant = spread / elements;
}

un_status un_dem_rows_plan(dem *d, size_t epoch, size_t step, const int64_t **images,
                           size_t *count) {
    *count = 0;
    if (d->settings.class_means) return UNSEEN_OK;
    un_batches_plan(&d->batches, epoch, step, images, count);
    un_part own = un_part_of(d->ranks, *count);
    *images += own.first;
    *count = own.count;
    return UNSEEN_OK;
}

un_status un_dem_rows_fill(dem *d, size_t epoch, size_t step) {
    if (d->settings.class_means) return UNSEEN_OK; /* un_dem_rows_prepare filled them for good */
    const int64_t *images = NULL;
    size_t n = 0;
    un_batches_plan(&d->batches, epoch, step, &images, &n);
    if (n == 0) return un_fail(UNSEEN_E_ARGUMENT, "step %zu lies beyond the epoch", step);
    un_part own = un_part_of(d->ranks, n);
    images += own.first;
    UN_TRY(gather(d, images, own.count));
    d->step_images = own.count;
    number_rows(d, images, own.count);
    means_job job = {.d = d, .images = images, .n = own.count};
    finish_weights(d, un_parallel_sum(d->visual, 256, means_columns, &job), n);
    return UNSEEN_OK;
}

/* Of the means of all classes those of this rank. */
static un_status keep_part(dem *d) {
    un_part own;
    UN_TRY(un_part_create(&own, d->ranks, d->rows.rows));
    memmove(d->rows.class, d->rows.class + own.first, own.count * sizeof *d->rows.class);
    memmove(d->rows.weight, d->rows.weight + own.first, own.count * sizeof *d->rows.weight);
    memmove(d->rows.target, d->rows.target + own.first * d->visual,
            own.count * d->visual * sizeof *d->rows.target);
    d->rows.rows = own.count;
    if (own.first > 0) d->rows.constant = 0; /* it is the first rank's */
    return UNSEEN_OK;
}

/* Class sums in f64 over one pass: the means must not depend on the chunking. */
un_status un_dem_rows_prepare(dem *d) {
    if (!d->settings.class_means) return UNSEEN_OK;
    const un_index_list *train = d->data->train;
    size_t D = d->visual;
    number_rows(d, train->items, train->count);
    double *sums = NULL;
    UN_TRY(un_alloc(d->rows.rows * D, sizeof *sums, &sums));
    double squares = 0;
    un_progress progress;
    un_progress_begin(&progress, "class means", "images", train->count);
    un_status status = UNSEEN_OK;
    for (size_t at = 0; at < train->count && !status; at += CHUNK) {
        size_t n = train->count - at < CHUNK ? train->count - at : CHUNK;
        status = gather(d, train->items + at, n);
        for (size_t i = 0; i < n && !status; i++) {
            size_t g = (size_t)d->row_of_class[d->data->labels[train->items[at + i]]];
            const float *x = d->gathered + i * D;
            for (size_t j = 0; j < D; j++) sums[g * D + j] += (double)x[j];
            squares += un_sum_squares(x, D);
        }
        un_progress_update(&progress, at + n);
    }
    un_progress_end(&progress);
    double explained = 0;
    for (size_t g = 0; g < d->rows.rows && !status; g++) {
        for (size_t j = 0; j < D; j++) {
            double mean = sums[g * D + j] / d->rows.weight[g];
            d->rows.target[g * D + j] = (float)mean;
            explained += d->rows.weight[g] * mean * mean;
        }
    }
    free(sums);
    if (status) return status;
    finish_weights(d, squares - explained, train->count);
    return keep_part(d);
}
