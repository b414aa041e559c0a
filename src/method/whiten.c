/* whiten.c - whitening of features, fitted and applied. See whiten.h. */
#include "method/whiten.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"
#include "tensor/gemm.h"
#include "tensor/linear_algebra.h"

enum { BLOCK = 256 }; /* images of one product */

typedef struct {
    const un_training_data *data;
    size_t classes, D;
    float *features; /* [BLOCK, D] */
    double *rows;    /* [BLOCK, D] less their classes' means */
    double *means;   /* [C, D] sums at first */
    size_t *images;  /* [C] */
    double *mean;    /* [D] of all images */
    double *scatter; /* [D, D] lower triangle; later M and its factor */
    double fourth;   /* sum_i |x_i - mean|^4 */
} fit;

static size_t class_of(const fit *f, size_t i) {
    return (size_t)f->data->labels[f->data->train->items[i]];
}

/* The features of images at.. of the list, and has the system read the block behind them. */
static size_t gather(const fit *f, size_t at) {
    const un_index_list *train = f->data->train;
    size_t n = train->count - at < BLOCK ? train->count - at : BLOCK;
    size_t after = train->count - at - n < BLOCK ? train->count - at - n : BLOCK;
    un_features_prefetch(f->data->features, train->items + at + n, after);
    un_features_gather_f32(f->data->features, train->items + at, n, f->features);
    return n;
}

static void find_means(fit *f, un_progress *progress) {
    size_t N = f->data->train->count, D = f->D;
    for (size_t at = 0; at < N;) {
        size_t n = gather(f, at);
        for (size_t i = 0; i < n; i++) {
            size_t c = class_of(f, at + i);
            f->images[c]++;
            for (size_t j = 0; j < D; j++) f->means[c * D + j] += (double)f->features[i * D + j];
        }
        at += n;
        un_progress_update(progress, at);
    }
    for (size_t c = 0; c < f->classes; c++) {
        if (f->images[c] == 0) continue;
        for (size_t j = 0; j < D; j++) {
            f->mean[j] += f->means[c * D + j] / (double)N;
            f->means[c * D + j] /= (double)f->images[c];
        }
    }
}

/* About the means that find_means left: centred first, sums of squares lose nothing. */
static un_status find_scatter(fit *f, un_progress *progress) {
    size_t N = f->data->train->count, D = f->D;
    for (size_t at = 0; at < N;) {
        size_t n = gather(f, at);
        for (size_t i = 0; i < n; i++) {
            const double *mean = f->means + class_of(f, at + i) * D;
            double *row = f->rows + i * D, square = 0;
            for (size_t j = 0; j < D; j++) {
                row[j] = (double)f->features[i * D + j] - mean[j];
                square += row[j] * row[j];
            }
            f->fourth += square * square;
        }
        const un_gemm64_args product = {.m = D,
                                        .n = D,
                                        .k = n,
                                        .alpha = 1 / (double)N,
                                        .a = f->rows,
                                        .a_row = 1,
                                        .a_column = D,
                                        .b = f->rows,
                                        .b_row = D,
                                        .b_column = 1,
                                        .c = f->scatter,
                                        .ldc = D,
                                        .lower = 1};
        UN_TRY(un_gemm64(&product));
        at += n;
        un_progress_update(progress, N + at);
    }
    return UNSEEN_OK;
}

/* b^2 / d^2: of the squared distance of S from t I, how much is its own sampling error. */
static double ledoit_wolf(const fit *f, double t) {
    double N = (double)f->data->train->count, square = 0, distance = 0;
    for (size_t i = 0; i < f->D; i++)
        for (size_t j = 0; j <= i; j++) {
            double x = f->scatter[i * f->D + j], gap = i == j ? x - t : x;
            square += (i == j ? 1 : 2) * x * x;
            distance += (i == j ? 1 : 2) * gap * gap;
        }
    double error = (f->fourth / N - square) / N;
    if (error <= 0) return 0;
    return error < distance ? error / distance : 1;
}

/* M in place of S. */
static un_status shrink(fit *f, double shrinkage, double *used) {
    size_t D = f->D;
    double trace = 0;
    for (size_t j = 0; j < D; j++) trace += f->scatter[j * D + j];
    double t = trace / (double)D;
    if (!(t > 0) || !isfinite(t))
        return un_fail(UNSEEN_E_ARGUMENT,
                       "whiten: no class has two training images that differ, so what varies "
                       "within classes cannot be measured: use whiten=no");
    *used = isnan(shrinkage) ? ledoit_wolf(f, t) : shrinkage;
    for (size_t i = 0; i < D; i++) {
        for (size_t j = 0; j <= i; j++) f->scatter[i * D + j] *= 1 - *used;
        f->scatter[i * D + i] += *used * t;
    }
    return UNSEEN_OK;
}

/* W = L^-T into weight, by whitening the rows of I a block at a time. */
static un_status invert(fit *f, float *weight) {
    size_t D = f->D;
    for (size_t at = 0; at < D; at += BLOCK) {
        size_t n = D - at < BLOCK ? D - at : BLOCK;
        for (size_t i = 0; i < n * D; i++) f->rows[i] = 0;
        for (size_t i = 0; i < n; i++) f->rows[i * D + at + i] = 1;
        UN_TRY(un_cholesky_whiten(f->scatter, D, f->rows, n));
        for (size_t i = 0; i < n * D; i++) weight[at * D + i] = (float)f->rows[i];
    }
    return UNSEEN_OK;
}

static un_status measure(fit *f) {
    un_progress progress;
    un_progress_begin(&progress, "spread within classes", "images", 2 * f->data->train->count);
    find_means(f, &progress);
    un_status status = find_scatter(f, &progress);
    un_progress_end(&progress);
    return status;
}

un_status un_whiten_fit(const un_training_data *data, size_t classes, double shrinkage, float *mean,
                        float *weight, double *used) {
    size_t D = data->features->regions * data->features->width;
    if (D > UN_WHITEN_MAX_WIDTH)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "whiten: an image has %zu values, whitening takes at most %d: use pooled "
                       "features, or whiten=no",
                       D, UN_WHITEN_MAX_WIDTH);
    fit f = {.data = data, .classes = classes, .D = D};
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(BLOCK * D, sizeof *f.features, &f.features));
    UN_GO(un_alloc(BLOCK * D, sizeof *f.rows, &f.rows));
    UN_GO(un_alloc(classes * D, sizeof *f.means, &f.means));
    UN_GO(un_alloc(classes, sizeof *f.images, &f.images));
    UN_GO(un_alloc(D, sizeof *f.mean, &f.mean));
    UN_GO(un_alloc(D * D, sizeof *f.scatter, &f.scatter));
    UN_GO(measure(&f));
    UN_GO(shrink(&f, shrinkage, used));
    status = un_cholesky(f.scatter, D);
    if (status)
        UN_GO(un_fail_prefix(status,
                             "whiten: shrinkage %g with %zu training images of %zu values "
                             "(a larger one helps)",
                             *used, data->train->count, D));
    UN_GO(invert(&f, weight));
    for (size_t j = 0; j < D; j++) mean[j] = (float)f.mean[j];
done:
    free(f.features);
    free(f.rows);
    free(f.means);
    free(f.images);
    free(f.mean);
    free(f.scatter);
    return status;
}

un_status un_whiten(const float *mean, const float *weight, size_t n, size_t D, float *x,
                    float *out) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < D; j++) x[i * D + j] -= mean[j];
    const un_gemm_args product = {
        .m = n, .n = D, .k = D, .input = UN_F32, .output = UN_F32, .a = x, .b = weight, .c = out};
    return un_gemm(&product);
}
