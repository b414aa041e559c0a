/* loss.c - see loss.h. */
#include "nn/loss.h"

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
