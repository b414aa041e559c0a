/* dem_rows.c - DEM's batches as one row per class: mini-batches and class means. See dem.h. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "method/dem/dem.h"
#include "method/whiten.h"
#include "tensor/kernels.h"

enum { CHUNK = 256 }; /* images of one gather of the preparing pass */

un_status un_dem_rows_create(dem *d) {
    size_t most = d->class_means || d->batch > d->class_count ? d->class_count : d->batch;
    size_t gathered = d->class_means ? CHUNK : d->batch;
    UN_TRY(un_arena_alloc(&d->arena, d->data->train->count, sizeof *d->order, &d->order));
    UN_TRY(un_arena_alloc(&d->arena, gathered * d->visual, sizeof(float), &d->gathered));
    if (d->whitened)
        UN_TRY(un_arena_alloc(&d->arena, gathered * d->visual, sizeof(float), &d->raw));
    UN_TRY(un_arena_alloc(&d->arena, d->class_count, sizeof(int32_t), &d->row_of_class));
    UN_TRY(un_arena_alloc(&d->arena, most, sizeof *d->rows.class, &d->rows.class));
    UN_TRY(un_arena_alloc(&d->arena, most, sizeof *d->rows.weight, &d->rows.weight));
    UN_TRY(un_arena_alloc(&d->arena, most * d->visual, sizeof(float), &d->rows.target));
    d->order_epoch = SIZE_MAX;
    return un_dem_network_workspace(d, most, 1);
}

size_t un_dem_rows_steps_per_epoch(const dem *d) {
    if (d->class_means) return 1;
    return (d->data->train->count + d->batch - 1) / d->batch;
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

un_status un_dem_whiten(const dem *d, size_t n, float *x, float *out) {
    const un_params *p = &d->base.params;
    return un_whiten(un_param_value(p, d->whiten_mean), un_param_value(p, d->whiten_weight), n,
                     d->visual, x, out);
}

/* Features of n images into d->gathered. */
static un_status gather(dem *d, const int64_t *images, size_t n) {
    un_features_gather_f32(d->data->features, images, n, d->whitened ? d->raw : d->gathered);
    return d->whitened ? un_dem_whiten(d, n, d->raw, d->gathered) : UNSEEN_OK;
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

static void finish_weights(dem *d, double spread, size_t images) {
    double elements = (double)images * (double)d->visual;
    for (size_t g = 0; g < d->rows.rows; g++) d->rows.weight[g] /= elements;
    d->rows.constant = spread / elements;
}

un_status un_dem_rows_plan(dem *d, size_t epoch, size_t step, const int64_t **images,
                           size_t *count) {
    *count = 0;
    if (d->class_means) return UNSEEN_OK;
    size_t n = d->data->train->count;
    if (d->order_epoch != epoch) {
        un_rng rng = un_rng_stream(d->seed, "shuffle", epoch);
        memcpy(d->order, d->data->train->items, n * sizeof *d->order);
        un_rng_shuffle(&rng, d->order, n);
        d->order_epoch = epoch;
    }
    size_t begin = step * d->batch;
    if (begin >= n) return UNSEEN_OK;
    *images = d->order + begin;
    *count = n - begin < d->batch ? n - begin : d->batch;
    return UNSEEN_OK;
}

un_status un_dem_rows_fill(dem *d, size_t epoch, size_t step) {
    if (d->class_means) return UNSEEN_OK; /* un_dem_rows_prepare filled them for good */
    const int64_t *images = NULL;
    size_t n = 0;
    UN_TRY(un_dem_rows_plan(d, epoch, step, &images, &n));
    if (n == 0) return un_fail(UNSEEN_E_ARGUMENT, "step %zu lies beyond the epoch", step);
    UN_TRY(gather(d, images, n));
    d->step_images = n;
    number_rows(d, images, n);
    means_job job = {.d = d, .images = images, .n = n};
    finish_weights(d, un_parallel_sum(d->visual, 256, means_columns, &job), n);
    return UNSEEN_OK;
}

/* Class sums in f64 over one pass: the means must not depend on the chunking. */
un_status un_dem_rows_prepare(dem *d) {
    if (!d->class_means) return UNSEEN_OK;
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
    if (!status) finish_weights(d, squares - explained, train->count);
    return status;
}
