/* cross_entropy.c - see cross_entropy.h. */
#include "nn/cross_entropy.h"

#include <math.h>

#include "base/parallel.h"

typedef struct {
    const float *logits;
    const int64_t *label;
    const double *weight;
    size_t n;
    double *loss;
    float *dlogits;
} job;

/* sum exp(x - largest). */
static double sum_of_exponentials(const float *x, size_t n, float largest) {
    double total = 0;
    for (size_t i = 0; i < n; i++) total += (double)expf(x[i] - largest);
    return total;
}

static double rows_range(size_t begin, size_t end, void *context) {
    const job *j = context;
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
    job j = {.logits = logits,
             .label = label,
             .weight = weight,
             .n = n,
             .loss = loss,
             .dlogits = dlogits};
    return un_parallel_sum(rows, 1, rows_range, &j);
}
