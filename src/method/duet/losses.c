/* losses.c - DUET's losses and their gradients; see network.h. */
#include "method/duet/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "nn/loss.h"
#include "tensor/kernels.h"

/* Several sums side by side: one alone would wait for each addition. */
enum { SUMS = 8 };

static double dot_f32(const float *x, const float *y, size_t n) {
    double sum[SUMS] = {0}, total = 0;
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (size_t j = 0; j < SUMS; j++) sum[j] += (double)x[i + j] * (double)y[i + j];
    for (; i < n; i++) sum[i % SUMS] += (double)x[i] * (double)y[i];
    for (i = 0; i < SUMS; i++) total += sum[i];
    return total;
}

static double dot_f64(const double *x, const double *y, size_t n) {
    double sum[SUMS] = {0}, total = 0;
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS)
        for (size_t j = 0; j < SUMS; j++) sum[j] += x[i + j] * y[i + j];
    for (; i < n; i++) sum[i % SUMS] += x[i] * y[i];
    for (i = 0; i < SUMS; i++) total += sum[i];
    return total;
}

/* Cross-entropy of softmax over seen columns, `twice` over that of the softmax; ds += its gradient
 * times share. */
static double cross_entropy(const duet_loss_classes *c, int twice, const double *s, size_t y,
                            double share, double *p, double *q, double *ds) {
    if (!twice) return un_cross_entropy_f64(s, c->seen, c->count, y, share, p, ds);
    un_softmax_f64(s, c->seen, c->count, p);
    un_softmax_f64(p, c->seen, c->count, q);
    double inner = 0;
    for (size_t k = 0; k < c->count; k++) inner += p[k] * (q[k] - (k == y ? 1 : 0));
    for (size_t k = 0; k < c->count; k++) ds[k] += share * p[k] * (q[k] - (k == y ? 1 : 0) - inner);
    return -share * un_log_f64(q[y]);
}

/* s (n, C) -> pm (n, C) = softmax(s + m), m = -1 for seen classes and +1 for unseen ones. */
static void shifted_softmax(const duet_loss_classes *c, const double *s, size_t n, double *pm) {
    size_t C = c->count;
    for (size_t i = 0; i < n; i++, s += C, pm += C) {
        for (size_t k = 0; k < C; k++) pm[k] = s[k] + (c->seen[k] ? -1 : 1);
        un_softmax_f64(pm, NULL, C, pm);
    }
}

un_status un_duet_class_losses(const duet_loss_classes *c, const double weight[DUET_CLASS_TERMS],
                               int twice, const float *g, const int32_t *label, size_t n,
                               double loss[DUET_CLASS_TERMS], float *dg) {
    size_t C = c->count, A = c->attributes;
    double *work = NULL, share = 1.0 / (double)n, squares = 0;
    UN_TRY(un_alloc(3 * n * C + 2 * C + A, sizeof *work, &work));
    double *s = work, *ds = s + n * C, *pm = ds + n * C, *p = pm + n * C, *q = p + C, *row = q + C;
    loss[DUET_CLASS] = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < C; k++) s[i * C + k] = dot_f32(g + i * A, c->att + k * A, A);
        loss[DUET_CLASS] += cross_entropy(c, twice, s + i * C, (size_t)label[i],
                                          weight[DUET_CLASS] * share, p, q, ds + i * C);
    }
    shifted_softmax(c, s, n, pm);
    loss[DUET_CALIBRATION] = un_self_calibration(pm, c->seen, n, C, weight[DUET_CALIBRATION], ds);
    double mse = weight[DUET_MSE] / (double)(n * A);
    for (size_t i = 0; i < n; i++) {
        const float *own = c->att + (size_t)label[i] * A;
        un_squared_error_f64(g + i * A, own, A, mse, &squares, row);
        for (size_t k = 0; k < C; k++)
            for (size_t a = 0; a < A; a++) row[a] += ds[i * C + k] * (double)c->att[k * A + a];
        for (size_t a = 0; a < A; a++) dg[i * A + a] += (float)row[a];
    }
    loss[DUET_MSE] = mse * squares;
    free(work);
    return UNSEEN_OK;
}

/* ---- contrasts ---- */

/* The published loss clamps norms here. */
static const double LEAST_NORM = 1e-12;

/* What row j is to row i: the partner, one of the same class, or another. */
static int same_class(const int32_t *label, size_t i, size_t j, size_t B) {
    return label[i % B] == label[j % B];
}

/* Softmax of row i over all others, p[j]; *t the gradient's factor is left to the caller. */
static double nce_row(const double *cosine, const int32_t *label, size_t i, size_t B,
                      double temperature, int published, double *p) {
    size_t n = 2 * B, partner = (i + B) % n;
    for (size_t j = 0; j < n; j++) {
        int own = j != partner && same_class(label, i, j, B);
        p[j] = own ? 0 : cosine[i * n + j] / temperature;
        if (j == i || (own && !published)) p[j] = -INFINITY;
    }
    un_softmax_f64(p, NULL, n, p);
    return -un_log_f64(p[partner]);
}

un_status un_duet_info_nce(const float *features, const int32_t *label, size_t B, size_t H,
                           double temperature, int published, double weight, double *loss,
                           float *d) {
    size_t n = 2 * B;
    double *work = NULL, share = weight / (double)n;
    UN_TRY(un_alloc(n * n + n * H + n + n + H, sizeof *work, &work));
    double *cosine = work, *unit = cosine + n * n, *norm = unit + n * H, *p = norm + n, *du = p + n;
    double *slope = NULL;
    un_status status = un_alloc(n * n, sizeof *slope, &slope);
    if (status) {
        free(work);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        norm[i] = fmax(sqrt(dot_f32(features + i * H, features + i * H, H)), LEAST_NORM);
        for (size_t h = 0; h < H; h++) unit[i * H + h] = (double)features[i * H + h] / norm[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) cosine[i * n + j] = dot_f64(unit + i * H, unit + j * H, H);
    *loss = 0;
    for (size_t i = 0; i < n; i++) {
        size_t partner = (i + B) % n;
        *loss += share * nce_row(cosine, label, i, B, temperature, published, p);
        for (size_t j = 0; j < n; j++) {
            if (j == i || (j != partner && same_class(label, i, j, B))) continue;
            slope[i * n + j] = share / temperature * (p[j] - (j == partner ? 1 : 0));
        }
    }
    /* cos_ij has a part in both rows; then through the normalisation. */
    for (size_t i = 0; i < n; i++) {
        double inner = 0;
        memset(du, 0, H * sizeof *du);
        for (size_t j = 0; j < n; j++)
            for (size_t h = 0; h < H; h++)
                du[h] += (slope[i * n + j] + slope[j * n + i]) * unit[j * H + h];
        for (size_t h = 0; h < H; h++) inner += du[h] * unit[i * H + h];
        for (size_t h = 0; h < H; h++)
            d[i * H + h] += (float)((du[h] - inner * unit[i * H + h]) / norm[i]);
    }
    free(slope);
    free(work);
    return UNSEEN_OK;
}

double un_duet_attribute_contrast(const float *features, size_t pairs, size_t H, double weight,
                                  float *d) {
    double logit[16] = {0};
    size_t n = pairs - 1 < 16 ? pairs - 1 : 16;
    for (size_t k = 0; k < n; k++)
        for (size_t h = 0; h < H; h++)
            logit[k] += (double)features[h] * (double)features[(k + 1) * H + h];
    un_softmax_f64(logit, NULL, n, logit);
    double loss = -weight * un_log_f64(logit[0]);
    logit[0] -= 1;
    for (size_t h = 0; h < H; h++) {
        double sum = 0;
        for (size_t k = 0; k < n; k++) {
            sum += logit[k] * (double)features[(k + 1) * H + h];
            d[(k + 1) * H + h] = (float)(weight * logit[k] * (double)features[h]);
        }
        d[h] = (float)(weight * sum);
    }
    return loss;
}

/* States (b, H) or (2b, H) of a part as those of all images. */
static un_status gather_states(const duet_visual_targets *t, const un_part *part, size_t H,
                               const float *first, float *whole) {
    for (size_t k = 0; k < (t->partners ? 2u : 1u); k++) {
        float *rows = whole + k * t->samples * H;
        memcpy(rows + part->first * H, first + k * part->count * H, part->count * H * sizeof *rows);
        UN_TRY(un_part_gather(part, H, rows));
    }
    return UNSEEN_OK;
}

un_status un_duet_visual_losses(const duet_network *n, const un_params *params,
                                const duet_visual_targets *t, const float *first, double *loss,
                                float *dfirst) {
    size_t B = t->samples, H = n->config.text.width, A = n->config.attributes;
    const un_part all = {.count = B, .total = B}, *part = t->part ? t->part : &all;
    size_t at = part->first, own = part->count;
    float *g = NULL;
    UN_TRY(un_alloc(2 * B * A + own * H + 4 * B * H, sizeof *g, &g));
    float *dg = g + B * A, *d = dg + B * A, *whole = d + own * H, *dwhole = whole + 2 * B * H;
    un_status status = UNSEEN_OK;
    loss[DUET_CLASS_TERMS] = 0;
    UN_GO(gather_states(t, part, H, first, whole));
    UN_GO(un_duet_attributes_forward(n, params, whole, B, g));
    UN_GO(un_duet_class_losses(t->classes, t->weight, t->published, g, t->label, B, loss, dg));
    UN_GO(un_duet_attributes_backward(n, params, first, dg + at * A, own, d));
    un_axpy(1, d, dfirst, own * H);
    if (!t->partners) goto done;
    UN_GO(un_duet_info_nce(whole, t->label, B, H, t->temperature, t->published, t->contrast,
                           &loss[DUET_CLASS_TERMS], dwhole));
    for (size_t k = 0; k < 2; k++)
        un_axpy(1, dwhole + (k * B + at) * H, dfirst + k * own * H, own * H);
done:
    free(g);
    return status;
}

un_status un_duet_word_loss(duet_mlm_pass *pass, const un_params *params,
                            const duet_word_targets *t, const float *lang, double *loss,
                            float *dlang) {
    size_t H = pass->head->dense.in, V = pass->head->decoder.out;
    float *states = NULL, *logits = NULL;
    *loss = 0;
    if (t->count == 0) return UNSEEN_OK;
    for (size_t i = 0; i < t->count; i++)
        if (t->label[i] < 0 || (uint64_t)t->label[i] >= V)
            return un_fail(UNSEEN_E_ARGUMENT, "word %lld is not in the vocabulary of %zu",
                           (long long)t->label[i], V);
    UN_TRY(un_alloc(2 * t->count * H, sizeof *states, &states));
    float *d = states + t->count * H;
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < t->count; i++)
        memcpy(states + i * H, lang + t->row[i] * H, H * sizeof *states);
    UN_GO(un_duet_mlm_forward(pass, params, states, t->count, &logits));
    *loss = un_cross_entropy(logits, t->label, t->weight, t->count, V, NULL, logits);
    UN_GO(un_duet_mlm_backward(pass, params, logits, d, 0));
    for (size_t i = 0; i < t->count; i++) un_axpy(1, d + i * H, dlang + t->row[i] * H, H);
done:
    free(states);
    return status;
}

/* Means of the listed rows of `lang`, or (back) a mean's gradient to its rows. */
static void pool(const duet_contrast_targets *t, const float *lang, size_t H, float *pooled) {
    memset(pooled, 0, t->groups * t->pairs * H * sizeof *pooled);
    for (size_t k = 0; k < t->groups * t->pairs; k++) {
        float share = 1.0f / (float)(t->begin[k + 1] - t->begin[k]);
        for (size_t i = t->begin[k]; i < t->begin[k + 1]; i++)
            un_axpy(share, lang + t->row[i] * H, pooled + k * H, H);
    }
}

static void unpool(const duet_contrast_targets *t, const float *dpooled, size_t H, float *dlang) {
    for (size_t k = 0; k < t->groups * t->pairs; k++) {
        float share = 1.0f / (float)(t->begin[k + 1] - t->begin[k]);
        for (size_t i = t->begin[k]; i < t->begin[k + 1]; i++)
            un_axpy(share, dpooled + k * H, dlang + t->row[i] * H, H);
    }
}

un_status un_duet_contrast_loss(const duet_network *n, const un_params *params,
                                const duet_contrast_targets *t, const float *lang, double *loss,
                                float *dlang, float *pooled, float *features) {
    size_t H = n->config.text.width, rows = t->groups * t->pairs, size = rows * H;
    float *work = NULL;
    *loss = 0;
    if (t->groups == 0) return UNSEEN_OK;
    UN_TRY(un_alloc(6 * size, sizeof *work, &work));
    float *mean = work, *hidden = mean + size, *out = hidden + size, *dout = out + size;
    float *dhidden = dout + size, *dmean = dhidden + size;
    un_status status = UNSEEN_OK;
    pool(t, lang, H, mean);
    UN_GO(un_duet_contrast_forward(n, params, mean, rows, hidden, out));
    for (size_t k = 0; k < t->groups; k++)
        *loss += un_duet_attribute_contrast(out + k * t->pairs * H, t->pairs, H, t->weight[k],
                                            dout + k * t->pairs * H);
    if (pooled) memcpy(pooled, mean, size * sizeof *mean);
    if (features) memcpy(features, out, size * sizeof *out);
    UN_GO(un_duet_contrast_backward(n, params, mean, hidden, dout, rows, dhidden, dmean));
    unpool(t, dmean, H, dlang);
done:
    free(work);
    return status;
}
