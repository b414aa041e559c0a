/*
 * dem_score.c - DEM's nearest-prototype scores. See dem.h.
 *
 * score = -|x - p| or -(1 - cos(x, p)). Computed in f32 whatever the training
 * precision: it is one product, and small differences of distances decide.
 * A zero vector has cosine 0 with everything.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "method/dem/dem.h"
#include "tensor/kernels.h"

enum { CHUNK = 256 };

void un_dem_score_free(dem *d) {
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
    for (size_t m = 0; m < d->modalities; m++) {
        const float *values = classes->modality[m].values + begin * d->width[m];
        for (size_t i = 0; i < rows * d->width[m]; i++) scratch->input[m][i] = scale[m] * values[i];
    }
    UN_TRY(un_dem_network_forward(scratch, rows, UN_F32));
    memcpy(d->prototypes + begin * d->visual, scratch->output, rows * d->visual * sizeof(float));
    return UNSEEN_OK;
}

un_status un_dem_set_classes(un_method *method, const un_class_table *classes) {
    dem *d = (dem *)method;
    if (classes->modality_count != d->modalities)
        return un_fail(UNSEEN_E_ARGUMENT, "the model needs %zu semantics, the classes have %zu",
                       d->modalities, classes->modality_count);
    for (size_t m = 0; m < d->modalities; m++)
        if (classes->modality[m].width != d->width[m])
            return un_fail(UNSEEN_E_ARGUMENT,
                           "semantics \"%s\" has %zu values a class, the model was trained on %zu",
                           classes->modality[m].name, classes->modality[m].width, d->width[m]);
    un_dem_score_free(d);
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
    if (status) un_dem_score_free(d);
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
            row[c] = d->cosine ? (float)(cosine - 1.0) : (float)-sqrt(square > 0 ? square : 0.0);
        }
    }
}

/* Scores of features as the network's outputs are compared with them. */
static un_status score_rows(const dem *d, const float *features, size_t n, float *scores) {
    double *norm = NULL;
    UN_TRY(un_alloc(n, sizeof *norm, &norm));
    un_row_norms(features, n, d->visual, norm);
    const un_gemm_args product = {.m = n,
                                  .n = d->scored,
                                  .k = d->visual,
                                  .input = UN_F32,
                                  .output = UN_F32,
                                  .a = features,
                                  .packed = d->packed,
                                  .c = scores};
    un_status status = un_gemm(&product);
    finish_job job = {d, norm, scores};
    if (!status) un_parallel_for(n, 16, finish_rows, &job);
    free(norm);
    return status;
}

/* Rows at.. as the network's outputs are compared with them; `raw` is scratch. */
static un_status represent(const dem *d, const float *features, size_t n, float *raw, float *out) {
    size_t D = d->visual;
    float *mean = d->whitened ? raw : out;
    for (size_t i = 0; i < n; i++) /* of one region: a copy */
        un_mean_row(features + i * d->regions * D, d->regions, D, mean + i * D);
    return d->whitened ? un_dem_whiten(d, n, raw, out) : UNSEEN_OK;
}

un_status un_dem_score(un_method *method, const float *features, size_t n, float *scores) {
    const dem *d = (dem *)method;
    size_t D = d->visual, rows = n < CHUNK ? n : CHUNK;
    float *raw = NULL, *ready = NULL;
    un_status status = UNSEEN_OK;
    if (!d->packed) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    if (!d->whitened && d->regions == 1) return score_rows(d, features, n, scores);
    UN_GO(un_alloc(rows * D, sizeof *raw, &raw));
    UN_GO(un_alloc(rows * D, sizeof *ready, &ready));
    for (size_t at = 0; at < n; at += rows) {
        size_t count = n - at < rows ? n - at : rows;
        UN_GO(represent(d, features + at * d->regions * D, count, raw, ready));
        UN_GO(score_rows(d, ready, count, scores + at * d->scored));
    }
done:
    free(raw);
    free(ready);
    return status;
}
