/* loss.c - see loss.h. */
#include "nn/loss.h"

#include <math.h>

#include "base/parallel.h"

typedef struct {
    const float *f, *target;
    const double *weight;
    float *df;
    size_t n;
    int relu;
} job;

static double rows_range(size_t begin, size_t end, void *context) {
    const job *j = context;
    double total = 0;
    for (size_t r = begin; r < end; r++) {
        const float *f = j->f + r * j->n, *target = j->target + r * j->n;
        float *df = j->df + r * j->n;
        float factor = (float)(2.0 * j->weight[r]);
        double squares = 0;
        for (size_t block = 0; block < j->n; block += 64) {
            size_t stop = block + 64 < j->n ? block + 64 : j->n;
            float lane[16] = {0};
            for (size_t i = block; i < stop; i++) {
                float error = f[i] - target[i];
                lane[i % 16] += error * error;
                df[i] = f[i] > 0 || !j->relu ? factor * error : 0.0f;
            }
            for (int l = 0; l < 16; l++) squares += (double)lane[l];
        }
        total += j->weight[r] * squares;
    }
    return total;
}

double un_squared_error_relu(const float *f, const float *target, const double *weight, size_t rows,
                             size_t n, float *df) {
    job j = {.f = f, .target = target, .weight = weight, .df = df, .n = n, .relu = 1};
    return un_parallel_sum(rows, 4, rows_range, &j);
}

double un_squared_error(const float *f, const float *target, const double *weight, size_t rows,
                        size_t n, float *df) {
    job j = {.f = f, .target = target, .weight = weight, .df = df, .n = n};
    return un_parallel_sum(rows, 4, rows_range, &j);
}

typedef struct {
    const float *logits;
    const int64_t *label;
    const double *weight;
    size_t n;
    double *loss;
    float *dlogits;
} entropy_job;

/* sum exp(x - largest). */
static double sum_of_exponentials(const float *x, size_t n, float largest) {
    double total = 0;
    for (size_t i = 0; i < n; i++) total += (double)expf(x[i] - largest);
    return total;
}

static double entropy_range(size_t begin, size_t end, void *context) {
    const entropy_job *j = context;
    double total = 0;
    for (size_t r = begin; r < end; r++) {
        const float *x = j->logits + r * j->n;
        float largest = x[0];
        for (size_t i = 1; i < j->n; i++) largest = x[i] > largest ? x[i] : largest;
        double sum = sum_of_exponentials(x, j->n, largest);
        size_t label = (size_t)j->label[r];
        double loss = (double)largest + log(sum) - (double)x[label];
        double weight = j->weight ? j->weight[r] : 1;
        if (j->loss) j->loss[r] = loss;
        total += weight * loss;
        if (!j->dlogits) continue;
        float *d = j->dlogits + r * j->n, factor = (float)(weight / sum);
        for (size_t i = 0; i < j->n; i++) d[i] = factor * expf(x[i] - largest);
        d[label] -= (float)weight;
    }
    return total;
}

double un_cross_entropy(const float *logits, const int64_t *label, const double *weight,
                        size_t rows, size_t n, double *loss, float *dlogits) {
    entropy_job j = {.logits = logits,
                     .label = label,
                     .weight = weight,
                     .n = n,
                     .loss = loss,
                     .dlogits = dlogits};
    return un_parallel_sum(rows, 1, entropy_range, &j);
}
