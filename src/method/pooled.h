/*
 * pooled.h - one vector a picture, as methods take it that compare pictures with prototypes of the
 * classes: pooled features as they are, region features by their means, either whitened if the
 * setting "whiten" says so (whiten.h).
 *
 * Shapes: n images, R regions of the features as they are offered (1: pooled), D values.
 */
#ifndef UN_METHOD_POOLED_H
#define UN_METHOD_POOLED_H

#include "method/method.h"

typedef struct {
    size_t regions; /* R; more than 1 are averaged */
    size_t width;   /* D */
    int whitened;
    double shrinkage;    /* of the whitening, as it was set; NAN: Ledoit and Wolf's */
    size_t mean, weight; /* its fixed parameters [D], [D, D] */
    /* What training gathers from, of R = 1; NULL: for prediction only. It may point below, so that
     * a copy of the structure is of use for as long as this one stays where it is. */
    const un_training_data *data;
    un_training_data averaged_data;
    un_features averaged;
} un_pooled;

/* Reads the setting "whiten": a shrinkage, "no", or "auto" for Ledoit and Wolf's where D is not too
 * large. `data` is as offered, may be NULL, and is borrowed. */
void un_pooled_configure(un_pooled *pooled, const json_t *config, size_t regions, size_t width,
                         const un_training_data *data);
/* Declares "whiten.mean" and "whiten.weight" if need be: fixed, so behind all trained ones. */
un_status un_pooled_declare(un_pooled *pooled, un_params *params);
/* Fits the whitening to the training images, if there is one; labels are rows of a table of
 * `classes`. */
un_status un_pooled_fit(const un_pooled *pooled, const un_params *params, size_t classes);

/* Training images [n] into out (n, D); `raw` (n, D) is scratch, NULL will do without whitening. */
un_status un_pooled_gather(const un_pooled *pooled, const un_params *params, const int64_t *images,
                           size_t n, float *raw, float *out);

/* Takes rows (n, D), of images at.. of those that un_pooled_rows was given. */
typedef un_status (*un_pooled_visit)(void *context, size_t at, size_t n, const float *rows);
/* Hands features (n, R, D) over in this form, a few hundred images at a time; all at once where
 * they have it already. */
un_status un_pooled_rows(const un_pooled *pooled, const un_params *params, const float *features,
                         size_t n, un_pooled_visit visit, void *context);

#endif
