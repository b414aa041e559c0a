/*
 * msdn_loss.c - MSDN's losses and their gradients with respect to both branches'
 * scores. See msdn.h. Batches are small here (B x C): plain f64.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method/msdn/msdn.h"

/* p = softmax(s + shift m) over C classes. */
static void softmax64(const float *s, const float *m, double shift, size_t C, double *p) {
    double largest = -INFINITY, total = 0;
    for (size_t k = 0; k < C; k++) {
        p[k] = (double)s[k] + shift * (double)m[k];
        largest = p[k] > largest ? p[k] : largest;
    }
    for (size_t k = 0; k < C; k++) total += p[k] = exp(p[k] - largest);
    for (size_t k = 0; k < C; k++) p[k] /= total;
}

/* Cross-entropy over all classes of the scores without bias; its gradient is set in ds. */
static double cross_entropy(const msdn_classes *c, const float *s, const int32_t *labels,
                            size_t images, double *p, double *ds) {
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++) {
        softmax64(s + b * c->count, c->bias, -1.0, c->count, p);
        size_t label = (size_t)labels[b];
        loss -= share * log(p[label] > 1e-300 ? p[label] : 1e-300);
        for (size_t k = 0; k < c->count; k++)
            ds[b * c->count + k] = share * (p[k] - (k == label ? 1.0 : 0.0));
    }
    return loss;
}

/* Self-calibration -log(mean over the batch of the unseen classes' probability), with
 * p (B, C) = softmax(s); its gradient times `weight` is added to ds. */
static double self_calibration(const msdn_classes *c, const double *p, size_t images, double weight,
                               double *ds) {
    double mean = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++)
        for (size_t k = 0; k < c->count; k++)
            if (c->bias[k] > 0) mean += share * p[b * c->count + k];
    if (mean <= 0) return 0; /* no unseen classes: nothing to calibrate */
    for (size_t b = 0; b < images; b++) {
        const double *row = p + b * c->count;
        double unseen = 0;
        for (size_t k = 0; k < c->count; k++)
            if (c->bias[k] > 0) unseen += row[k];
        for (size_t k = 0; k < c->count; k++)
            ds[b * c->count + k] -=
                weight * share / mean * row[k] * ((c->bias[k] > 0 ? 1.0 : 0.0) - unseen);
    }
    return -log(mean);
}

/* Distance of the two branches' scores: sum |d|^3 / |d| (the published code's) or |d|^2 (the
 * paper's text), averaged over the batch; the gradient times eta is added to both. */
static double distance(const msdn *n, const float *s1, const float *s2, size_t images, double *ds1,
                       double *ds2) {
    const msdn_classes *c = &n->trained;
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++) {
        double squares = 0, cubes = 0;
        for (size_t k = 0; k < c->count; k++) {
            double d = (double)s1[b * c->count + k] - (double)s2[b * c->count + k];
            squares += d * d;
            cubes += fabs(d * d * d);
        }
        double norm = sqrt(squares);
        if (norm == 0) continue;
        loss += share * (n->squared_distance ? squares : cubes / norm);
        for (size_t k = 0; k < c->count; k++) {
            double d = (double)s1[b * c->count + k] - (double)s2[b * c->count + k];
            double slope = n->squared_distance
                               ? 2 * d
                               : 3 * d * fabs(d) / norm - cubes * d / (norm * norm * norm);
            ds1[b * c->count + k] += n->eta * share * slope;
            ds2[b * c->count + k] -= n->eta * share * slope;
        }
    }
    return loss;
}

/* x log(x / m), 0 at 0. Half of a denormal may round to m = 0, so those count as 0 too. */
static double entropy_term(double x, double m) { return x > DBL_MIN ? x * log(x / m) : 0; }

/* Gradient of eta/2 KL(p || mean) + eta/2 KL(q || mean) with respect to the logits of p. */
static void divergence_gradient(const double *p, const double *mean, size_t C, double weight,
                                double *ds) {
    double inner = 0;
    for (size_t k = 0; k < C; k++) inner += 0.5 * entropy_term(p[k], mean[k]);
    for (size_t k = 0; k < C; k++)
        if (p[k] > DBL_MIN) ds[k] += weight * p[k] * (0.5 * log(p[k] / mean[k]) - inner);
}

/* Jensen-Shannon divergence of the two branches, p1 and p2 (B, C), averaged over the batch. */
static double divergence(const msdn *n, const double *p1, const double *p2, size_t images,
                         double *mean, double *ds1, double *ds2) {
    const msdn_classes *c = &n->trained;
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++) {
        const double *p = p1 + b * c->count, *q = p2 + b * c->count;
        for (size_t k = 0; k < c->count; k++) {
            mean[k] = 0.5 * (p[k] + q[k]);
            loss += share * 0.5 * (entropy_term(p[k], mean[k]) + entropy_term(q[k], mean[k]));
        }
        divergence_gradient(p, mean, c->count, n->eta * share, ds1 + b * c->count);
        divergence_gradient(q, mean, c->count, n->eta * share, ds2 + b * c->count);
    }
    return loss;
}

un_status un_msdn_losses(const msdn *n, msdn_batch *b, const int32_t *labels, size_t images,
                         double losses[MSDN_LOSSES]) {
    const msdn_classes *c = &n->trained;
    size_t count = images * c->count;
    double *work = NULL;
    UN_TRY(un_alloc(4 * count + c->count, sizeof *work, &work));
    double *p1 = work, *p2 = p1 + count, *ds1 = p2 + count, *ds2 = ds1 + count, *row = ds2 + count;
    losses[MSDN_CE1] = cross_entropy(c, b->s1, labels, images, row, ds1);
    losses[MSDN_CE2] = cross_entropy(c, b->s2, labels, images, row, ds2);
    for (size_t i = 0; i < images; i++) {
        softmax64(b->s1 + i * c->count, c->bias, 0, c->count, p1 + i * c->count);
        softmax64(b->s2 + i * c->count, c->bias, 0, c->count, p2 + i * c->count);
    }
    losses[MSDN_CAL1] = n->lambda * self_calibration(c, p1, images, n->lambda, ds1);
    losses[MSDN_CAL2] = n->lambda * self_calibration(c, p2, images, n->lambda, ds2);
    losses[MSDN_DISTILL] = n->eta * (distance(n, b->s1, b->s2, images, ds1, ds2) +
                                     divergence(n, p1, p2, images, row, ds1, ds2));
    for (size_t i = 0; i < count; i++) {
        b->ds1[i] = (float)ds1[i];
        b->ds2[i] = (float)ds2[i];
    }
    free(work);
    return UNSEEN_OK;
}
