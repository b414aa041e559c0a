/* pooled.c - see pooled.h. */
#include "method/pooled.h"

#include <math.h>
#include <stdlib.h>

#include "base/status.h"
#include "method/whiten.h"
#include "tensor/kernels.h"

enum { CHUNK = 256 }; /* images that un_pooled_rows hands over at a time */

void un_pooled_configure(un_pooled *p, const json_t *config, size_t regions, size_t width,
                         const un_training_data *data) {
    *p = (un_pooled){.regions = regions,
                     .width = width,
                     .shrinkage = un_config_number(config, "whiten"),
                     .data = data};
    p->whitened = !isnan(p->shrinkage) ||
                  (un_config_is(config, "whiten", "auto") && width <= UN_WHITEN_MAX_WIDTH);
    if (!data || regions == 1) return;
    p->averaged = un_features_averaged(data->features);
    p->averaged_data = *data;
    p->averaged_data.features = &p->averaged;
    p->data = &p->averaged_data;
}

un_status un_pooled_declare(un_pooled *p, un_params *params) {
    if (!p->whitened) return UNSEEN_OK;
    const size_t shape[] = {p->width, p->width};
    UN_TRY(un_params_add_fixed(params, "whiten.mean", 1, shape, &p->mean));
    return un_params_add_fixed(params, "whiten.weight", 2, shape, &p->weight);
}

un_status un_pooled_fit(const un_pooled *p, const un_params *params, size_t classes) {
    double used = 0;
    if (!p->whitened) return UNSEEN_OK;
    UN_TRY(un_whiten_fit(p->data, classes, p->shrinkage, un_param_value(params, p->mean),
                         un_param_value(params, p->weight), &used));
    un_log(UNSEEN_LOG_DEBUG, "features whitened with shrinkage %.4g", used);
    return UNSEEN_OK;
}

/* x (n, D), centred in place, -> out (n, D) */
static un_status whiten(const un_pooled *p, const un_params *params, size_t n, float *x,
                        float *out) {
    return un_whiten(un_param_value(params, p->mean), un_param_value(params, p->weight), n,
                     p->width, x, out);
}

un_status un_pooled_gather(const un_pooled *p, const un_params *params, const int64_t *images,
                           size_t n, float *raw, float *out) {
    un_features_gather_f32(p->data->features, images, n, p->whitened ? raw : out);
    return p->whitened ? whiten(p, params, n, raw, out) : UNSEEN_OK;
}

un_status un_pooled_rows(const un_pooled *p, const un_params *params, const float *features,
                         size_t n, un_pooled_visit visit, void *context) {
    size_t D = p->width, rows = n < CHUNK ? n : CHUNK;
    float *mean = NULL, *white = NULL;
    un_status status = UNSEEN_OK;
    if (!p->whitened && p->regions == 1) return visit(context, 0, n, features);
    UN_GO(un_alloc(rows * D, sizeof *mean, &mean));
    UN_GO(un_alloc(p->whitened ? rows * D : 1, sizeof *white, &white));
    for (size_t at = 0; at < n; at += rows) {
        size_t count = n - at < rows ? n - at : rows;
        for (size_t i = 0; i < count; i++) /* of one region: a copy */
            un_mean_row(features + (at + i) * p->regions * D, p->regions, D, mean + i * D);
        if (p->whitened) UN_GO(whiten(p, params, count, mean, white));
        UN_GO(visit(context, at, count, p->whitened ? white : mean));
    }
done:
    free(mean);
    free(white);
    return status;
}
