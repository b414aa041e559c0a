/* loss.c - see loss.h. */
#include "nn/loss.h"

#include <float.h>
#include <math.h>

#include "base/parallel.h"

/* ---- f32 rows, in parallel ---- */

typedef struct {
    const float *f, *target;
    const double *weight;
    float *df;
    size_t n;
    int relu;
} squared_job;

static double squared_range(size_t begin, size_t end, void *context) {
    const squared_job *j = context;
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
    squared_job j = {.f = f, .target = target, .weight = weight, .df = df, .n = n, .relu = 1};
    return un_parallel_sum(rows, 4, squared_range, &j);
}

double un_squared_error(const float *f, const float *target, const double *weight, size_t rows,
                        size_t n, float *df) {
    squared_job j = {.f = f, .target = target, .weight = weight, .df = df, .n = n};
    return un_parallel_sum(rows, 4, squared_range, &j);
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

/* ---- class scores of a batch, in f64 ---- */

void un_softmax_f64(const double *s, const unsigned char *use, size_t C, double *p) {
    double largest = -INFINITY, total = 0;
    for (size_t k = 0; k < C; k++)
        if ((!use || use[k]) && s[k] > largest) largest = s[k];
    for (size_t k = 0; k < C; k++) total += p[k] = !use || use[k] ? exp(s[k] - largest) : 0;
    for (size_t k = 0; k < C; k++) p[k] /= total;
}

double un_log_f64(double p) { return log(p > DBL_MIN ? p : DBL_MIN); }

double un_cross_entropy_f64(const double *s, const unsigned char *use, size_t C, size_t label,
                            double weight, double *p, double *ds) {
    un_softmax_f64(s, use, C, p);
    for (size_t k = 0; k < C; k++) ds[k] += weight * (p[k] - (k == label ? 1 : 0));
    return -weight * un_log_f64(p[label]);
}

double un_self_calibration(const double *p, const unsigned char *seen, size_t n, size_t C,
                           double weight, double *ds) {
    double mean = 0, share = 1.0 / (double)n;
    size_t unseen = 0;
    for (size_t k = 0; k < C; k++) unseen += !seen[k];
    if (unseen == 0 || weight == 0) return 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < C; k++)
            if (!seen[k]) mean += share * p[i * C + k];
    mean = mean > DBL_MIN ? mean : DBL_MIN;
    for (size_t i = 0; i < n; i++) {
        const double *row = p + i * C;
        double own = 0;
        for (size_t k = 0; k < C; k++)
            if (!seen[k]) own += row[k];
        for (size_t k = 0; k < C; k++)
            ds[i * C + k] -= weight * share / mean * row[k] * ((seen[k] ? 0 : 1) - own);
    }
    return -weight * log(mean);
}

/* x log(x / m), 0 at 0. Half of a denormal may round to m = 0, so those count as 0 too. */
static double entropy_term(double x, double m) { return x > DBL_MIN ? x * log(x / m) : 0; }

/* Gradient of 1/2 KL(p || mean) + 1/2 KL(q || mean) with respect to the logits of p. */
static void divergence_gradient(const double *p, const double *mean, size_t C, double weight,
                                double *dp) {
    double inner = 0;
    for (size_t k = 0; k < C; k++) inner += 0.5 * entropy_term(p[k], mean[k]);
    for (size_t k = 0; k < C; k++)
        if (p[k] > DBL_MIN) dp[k] += weight * p[k] * (0.5 * log(p[k] / mean[k]) - inner);
}

double un_jensen_shannon(const double *p, const double *q, size_t n, size_t C, double weight,
                         double *mean, double *dp, double *dq) {
    double loss = 0, share = 1.0 / (double)n;
    for (size_t i = 0; i < n; i++, p += C, q += C, dp += C, dq += C) {
        for (size_t k = 0; k < C; k++) {
            mean[k] = 0.5 * (p[k] + q[k]);
            loss += share * 0.5 * (entropy_term(p[k], mean[k]) + entropy_term(q[k], mean[k]));
        }
        divergence_gradient(p, mean, C, weight * share, dp);
        divergence_gradient(q, mean, C, weight * share, dq);
    }
    return loss;
}

double un_score_distance(const float *a, const float *b, size_t n, size_t C, int squared,
                         double epsilon, double weight, double *da, double *db) {
    double loss = 0, share = 1.0 / (double)n;
    for (size_t i = 0; i < n; i++, a += C, b += C, da += C, db += C) {
        double squares = 0, cubes = 0;
        for (size_t k = 0; k < C; k++) {
            double d = (double)a[k] - (double)b[k];
            squares += d * d;
            cubes += fabs(d * d * d);
        }
        double norm = sqrt(squares + epsilon);
        if (norm == 0) continue;
        loss += share * (squared ? squares : cubes / norm);
        for (size_t k = 0; k < C; k++) {
            double d = (double)a[k] - (double)b[k];
            double slope =
                squared ? 2 * d : 3 * d * fabs(d) / norm - cubes * d / (norm * norm * norm);
            da[k] += weight * share * slope;
            db[k] -= weight * share * slope;
        }
    }
    return loss;
}

void un_squared_error_f64(const float *x, const float *target, size_t n, double weight,
                          double *squares, double *dx) {
    for (size_t i = 0; i < n; i++) {
        double difference = (double)x[i] - (double)target[i];
        *squares += difference * difference;
        dx[i] = 2 * weight * difference;
    }
}
