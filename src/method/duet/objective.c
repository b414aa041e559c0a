/* objective.c - see objective.h. */
#include "method/duet/objective.h"

#include <stdlib.h>
#include <string.h>

#include "nn/cross_entropy.h"
#include "tensor/kernels.h"

un_status duet_visual_losses(const duet_network *n, const un_params *params,
                             const duet_visual_targets *t, const float *first, double *loss,
                             float *dfirst) {
    size_t B = t->samples, H = n->config.text.width, A = n->config.attributes;
    float *g = NULL;
    UN_TRY(un_alloc(2 * B * A + B * H, sizeof *g, &g));
    float *dg = g + B * A, *d = dg + B * A;
    un_status status = UNSEEN_OK;
    loss[DUET_CLASS_TERMS] = 0;
    UN_GO(duet_attributes_forward(n, params, first, B, g));
    UN_GO(duet_class_losses(t->classes, t->weight, t->published, g, t->label, B, loss, dg));
    UN_GO(duet_attributes_backward(n, params, first, dg, B, d));
    un_axpy(1, d, dfirst, B * H);
    if (t->partners)
        UN_GO(duet_info_nce(first, t->label, B, H, t->temperature, t->published, t->contrast,
                            &loss[DUET_CLASS_TERMS], dfirst));
done:
    free(g);
    return status;
}

un_status duet_word_loss(duet_mlm_pass *pass, const un_params *params, const duet_word_targets *t,
                         const float *lang, double *loss, float *dlang) {
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
    UN_GO(duet_mlm_forward(pass, params, states, t->count, &logits));
    *loss = un_cross_entropy(logits, t->label, t->weight, t->count, V, NULL, logits);
    UN_GO(duet_mlm_backward(pass, params, logits, d, 0));
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

un_status duet_contrast_loss(const duet_network *n, const un_params *params,
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
    UN_GO(duet_contrast_forward(n, params, mean, rows, hidden, out));
    for (size_t k = 0; k < t->groups; k++)
        *loss += duet_attribute_contrast(out + k * t->pairs * H, t->pairs, H, t->weight[k],
                                         dout + k * t->pairs * H);
    if (pooled) memcpy(pooled, mean, size * sizeof *mean);
    if (features) memcpy(features, out, size * sizeof *out);
    UN_GO(duet_contrast_backward(n, params, mean, hidden, dout, rows, dhidden, dmean));
    unpool(t, dmean, H, dlang);
done:
    free(work);
    return status;
}
