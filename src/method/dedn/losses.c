/* losses.c - DEDN's losses and their gradients. Batches are small here: plain f64. See dedn.h. */
#include <stdlib.h>

#include "method/dedn/dedn.h"
#include "nn/loss.h"

/* Scores or attribute scores of a batch, (B, width) of each side, which teach each other. */
typedef struct {
    size_t images, width;
    const float *a, *b;
    double *p, *q;   /* softmaxes of the rows */
    double *da, *db; /* added to */
} pair;

static void fill_softmax(const float *s, size_t images, size_t width, double *p) {
    for (size_t i = 0; i < images; i++, s += width, p += width) {
        for (size_t k = 0; k < width; k++) p[k] = (double)s[k];
        un_softmax_f64(p, NULL, width, p);
    }
}

/* weight D(a, b): MSDN's distillation. */
static double teach(const dedn *n, const pair *s, double weight, double *row) {
    double distance = un_score_distance(s->a, s->b, s->images, s->width, 0,
                                        n->settings.distance_epsilon, weight, s->da, s->db);
    return weight * (distance +
                     un_jensen_shannon(s->p, s->q, s->images, s->width, weight, row, s->da, s->db));
}

/* Cross-entropy over all classes of the scores without bias, the label's with a handicap against all
 * classes and a larger one against seen classes. */
static double cross_entropy(const dedn *n, const float *s, const int32_t *labels, size_t images,
                            double *row, double *ds) {
    const un_class_rows *c = &n->trained;
    double loss = 0, share = 1.0 / (double)images;
    for (size_t b = 0; b < images; b++, s += c->count, ds += c->count) {
        for (size_t k = 0; k < c->count; k++)
            row[k] = (double)s[k] - (double)c->bias[k] + (c->seen[k] ? n->settings.seen_margin : 0);
        row[labels[b]] -= n->settings.label_margin;
        loss += un_cross_entropy_f64(row, NULL, c->count, (size_t)labels[b], share, row, ds);
    }
    return loss;
}

static void narrow(const double *from, size_t count, float *to) {
    for (size_t i = 0; i < count; i++) to[i] = (float)from[i];
}

/* What class scores teach; fills ds. */
static un_status class_losses(const dedn *n, dedn_batch *b, const int32_t *labels, size_t images,
                              double losses[DEDN_LOSSES]) {
    const un_class_rows *c = &n->trained;
    size_t count = images * c->count;
    double *work = NULL;
    UN_TRY(un_alloc(4 * count + c->count, sizeof *work, &work));
    double *p[DEDN_EXPERTS] = {work, work + count}, *row = work + 4 * count;
    double *ds[DEDN_EXPERTS] = {work + 2 * count, work + 3 * count};
    for (size_t x = 0; x < DEDN_EXPERTS; x++) {
        if (!n->settings.expert[x]) continue;
        losses[DEDN_CE1 + x] = cross_entropy(n, b->s[x], labels, images, row, ds[x]);
        fill_softmax(b->s[x], images, c->count, p[x]);
        losses[DEDN_CAL1 + x] =
            un_self_calibration(p[x], c->seen, images, c->count, n->settings.lambda, ds[x]);
    }
    const pair both = {images, c->count, b->s[0], b->s[1], p[0], p[1], ds[0], ds[1]};
    if (n->settings.expert[0] && n->settings.expert[1])
        losses[DEDN_DISTILL] = teach(n, &both, n->settings.p_ce, row);
    for (size_t x = 0; x < DEDN_EXPERTS; x++)
        if (n->settings.expert[x]) narrow(ds[x], count, b->ds[x]);
    free(work);
    return UNSEEN_OK;
}

/* What the paths of one expert teach each other; fills its dpsi with that. */
static un_status align(const dedn *n, dedn_batch *b, size_t x, size_t images, double *loss) {
    size_t count = images * n->A;
    double *work = NULL;
    UN_TRY(un_alloc(4 * count + n->A, sizeof *work, &work));
    float *const *psi = b->psi[x];
    const pair both = {images, n->A,         psi[0],           psi[1],
                       work,   work + count, work + 2 * count, work + 3 * count};
    fill_softmax(psi[0], images, n->A, both.p);
    fill_softmax(psi[1], images, n->A, both.q);
    *loss = teach(n, &both, n->settings.p_crc, work + 4 * count);
    narrow(both.da, count, b->dpsi[x][0]);
    narrow(both.db, count, b->dpsi[x][1]);
    free(work);
    return UNSEEN_OK;
}

/* dpsi += ds att for every path. */
static un_status add_class_gradients(const dedn *n, dedn_batch *b, size_t x, size_t images) {
    size_t count = images * n->A;
    UN_TRY(un_class_rows_gradient(b->classes, b->ds[x], images, b->mixed));
    for (size_t j = 0; j < DEDN_PATHS; j++)
        for (size_t i = 0; n->settings.path[j] && i < count; i++) b->dpsi[x][j][i] += b->mixed[i];
    return UNSEEN_OK;
}

un_status un_dedn_losses(const dedn *n, dedn_batch *b, const int32_t *labels, size_t images,
                         double losses[DEDN_LOSSES]) {
    for (size_t i = 0; i < DEDN_LOSSES; i++) losses[i] = 0;
    UN_TRY(class_losses(n, b, labels, images, losses));
    for (size_t x = 0; x < DEDN_EXPERTS; x++) {
        if (!n->settings.expert[x]) continue;
        for (size_t j = 0; j < DEDN_PATHS; j++)
            for (size_t i = 0; n->settings.path[j] && i < images * n->A; i++) b->dpsi[x][j][i] = 0;
        if (n->settings.path[0] && n->settings.path[1])
            UN_TRY(align(n, b, x, images, &losses[DEDN_ALIGN1 + x]));
        UN_TRY(add_class_gradients(n, b, x, images));
    }
    return UNSEEN_OK;
}
