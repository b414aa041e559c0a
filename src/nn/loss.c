/* loss.c - see loss.h. */
#include "nn/loss.h"

#include "base/parallel.h"

enum { MAX_SLOTS = 1024 };

typedef struct {
    const float *f, *target;
    const double *weight;
    float *df;
    size_t rows, n;
    int relu;
    double partial[MAX_SLOTS];
} job;

static void rows_slot(size_t begin, size_t end, size_t slot, void *context) {
    job *j = context;
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
    j->partial[slot] = total;
}

static double sum_rows(job *j) {
    double total = 0;
    un_parallel_slots(j->rows, 4, rows_slot, j);
    for (int i = 0; i < MAX_SLOTS; i++) total += j->partial[i];
    return total;
}

double un_squared_error_relu(const float *f, const float *target, const double *weight, size_t rows,
                             size_t n, float *df) {
    job j = {.f = f, .target = target, .weight = weight, .df = df, .rows = rows, .n = n, .relu = 1};
    return sum_rows(&j);
}

double un_squared_error(const float *f, const float *target, const double *weight, size_t rows,
                        size_t n, float *df) {
    job j = {.f = f, .target = target, .weight = weight, .df = df, .rows = rows, .n = n};
    return sum_rows(&j);
}
