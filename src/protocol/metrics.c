/* metrics.c - see metrics.h. */
#include "protocol/metrics.h"

#include <math.h>
#include <stdlib.h>

/* Right and all images of each class. */
typedef struct {
    size_t *right, *images;
    size_t classes;
} tally;

static un_status tally_open(tally *t, size_t classes) {
    *t = (tally){.classes = classes};
    UN_TRY(un_alloc(classes, sizeof *t->right, &t->right));
    un_status status = un_alloc(classes, sizeof *t->images, &t->images);
    if (status) free(t->right);
    return status;
}

static void tally_close(tally *t) {
    free(t->right);
    free(t->images);
}

static void tally_reset(tally *t) {
    for (size_t c = 0; c < t->classes; c++) t->right[c] = t->images[c] = 0;
}

/* Means over classes and over images; NaN without images. */
static void tally_means(const tally *t, double *per_class, double *per_image) {
    double sum = 0;
    size_t classes = 0, right = 0, images = 0;
    for (size_t c = 0; c < t->classes; c++) {
        if (t->images[c] == 0) continue;
        sum += (double)t->right[c] / (double)t->images[c];
        classes++;
        right += t->right[c];
        images += t->images[c];
    }
    *per_class = classes ? sum / (double)classes : (double)NAN;
    *per_image = images ? (double)right / (double)images : (double)NAN;
}

static void count(tally *t, const un_prediction *p, int right) {
    t->images[p->label]++;
    t->right[p->label] += right ? 1 : 0;
}

un_status un_accuracy_at(const un_predictions *p, double gamma, un_accuracy *out) {
    tally t;
    UN_TRY(tally_open(&t, p->classes->count));
    *out = (un_accuracy){.gamma = gamma};
    for (size_t i = 0; i < p->seen_count; i++)
        count(&t, &p->items[i], un_prediction_decide(&p->items[i], gamma) == p->items[i].label);
    tally_means(&t, &out->S, &out->image_S);
    tally_reset(&t);
    for (size_t i = p->seen_count; i < p->count; i++)
        count(&t, &p->items[i], un_prediction_decide(&p->items[i], gamma) == p->items[i].label);
    tally_means(&t, &out->U, &out->image_U);
    tally_reset(&t);
    for (size_t i = p->seen_count; i < p->count; i++)
        count(&t, &p->items[i], p->items[i].unseen == p->items[i].label);
    tally_means(&t, &out->T1, &out->image_T1);
    out->H = un_harmonic(out->U, out->S);
    out->image_H = un_harmonic(out->image_U, out->image_S);
    tally_close(&t);
    return UNSEEN_OK;
}

un_status un_class_accuracies(const un_predictions *p, double gamma, un_class_accuracy *out) {
    tally all, zero_shot;
    UN_TRY(tally_open(&all, p->classes->count));
    un_status status = tally_open(&zero_shot, p->classes->count);
    if (status) {
        tally_close(&all);
        return status;
    }
    for (size_t i = 0; i < p->count; i++) {
        const un_prediction *x = &p->items[i];
        count(&all, x, un_prediction_decide(x, gamma) == x->label);
        count(&zero_shot, x, x->unseen == x->label);
    }
    for (size_t c = 0; c < p->classes->count; c++) {
        double n = (double)all.images[c];
        out[c] = (un_class_accuracy){all.images[c], (double)NAN, (double)NAN};
        if (n > 0) out[c].accuracy = (double)all.right[c] / n;
        if (n > 0 && !p->classes->seen[c]) out[c].zero_shot = (double)zero_shot.right[c] / n;
    }
    tally_close(&all);
    tally_close(&zero_shot);
    return UNSEEN_OK;
}

void un_confusion(const un_predictions *p, double gamma, uint32_t *out) {
    size_t C = p->classes->count;
    for (size_t i = 0; i < C * C; i++) out[i] = 0;
    for (size_t i = 0; i < p->count; i++) {
        size_t chosen = (size_t)un_prediction_decide(&p->items[i], gamma);
        out[(size_t)p->items[i].label * C + chosen]++;
    }
}

un_status un_top_k(const un_predictions *p, int rank, int unseen, size_t k, double *out) {
    tally t;
    double per_image = 0;
    UN_TRY(tally_open(&t, p->classes->count));
    size_t begin = unseen ? p->seen_count : 0, end = unseen ? p->count : p->seen_count;
    for (size_t i = begin; i < end; i++) {
        int32_t r = p->items[i].rank[rank];
        count(&t, &p->items[i], r >= 0 && (size_t)r < k);
    }
    tally_means(&t, out, &per_image);
    tally_close(&t);
    return UNSEEN_OK;
}
