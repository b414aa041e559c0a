/*
 * nearest_mean.c - the worked example of how to add a method (CONTRIBUTING.md): nearest class mean.
 *
 * Each seen class is the mean m_s of its training features. A class c that was never shown is the
 * mean of those means, weighted by how alike the descriptions are: p_c = sum_s w_cs m_s with
 * w_cs = softmax_s(-|a_c - a_s|^2 / t). The score of a picture x is -|x - p_c|^2.
 *
 * A method of one's own is such a file in src/method/NAME/ and its line in method.c; training,
 * evaluation, prediction, explanation, report and library find it there. This one learns in one
 * go, so it has a closed form of a single point and no learner; it shows no maps.
 *
 * It learns from pooled features. Region features are offered to such a method, too, as they are; it
 * takes their means, in fit and in score.
 *
 * Letters: C classes of the table, S seen ones among them, A attributes, R regions, F features,
 * n pictures.
 */
#include "example/nearest_mean.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/kernels.h"

typedef struct {
    un_method base;     /* first: a un_method * is a nearest_mean * */
    double temperature; /* t */
    size_t S, A, R, F;
    size_t means, rows; /* numbers of the parameters: (S, F) and (S, A) */
    size_t count;       /* C of the classes that are scored */
    float *prototypes;  /* (C, F) */
    const un_training_data *data;
    unsigned char *seen; /* [C] of the training table */
    size_t classes;      /* C of the training table */
    un_arena arena;
} nearest_mean;

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL, "named semantics of the classes"},
    {"temperature", UN_OPTION_NUMBER, "0.1", 1e-9, 1e9, NULL,
     "how far descriptions may differ and still count as alike"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL}};
static const un_preset g_presets[] = {{"auto", "{}", "any data set"}, {NULL, NULL, NULL}};
static const char *const g_losses[] = {"spread", NULL}; /* mean |x - m_y|^2 */

static void destroy(un_method *method) {
    nearest_mean *m = (nearest_mean *)method;
    if (!m) return;
    free(m->prototypes);
    un_params_free(&m->base.params);
    un_arena_free(&m->arena);
    free(m);
}

/* For training the sizes come from the data, for a loaded model from what `save_spec` gave. */
static un_status create(const un_method_setup *setup, un_method **out) {
    const un_class_semantics *described = &setup->classes->semantics[0];
    nearest_mean *m = calloc(1, sizeof *m);
    un_status status = UNSEEN_OK;
    if (!m) return un_fail_memory(sizeof *m);
    m->base.class = &un_method_nearest_mean;
    m->base.params.available = setup->available;
    m->temperature = un_config_number(setup->config, "temperature");
    m->A = described->width;
    m->R = setup->regions;
    m->F = setup->width;
    m->data = setup->data;
    m->classes = setup->classes->count;
    for (size_t c = 0; c < m->classes && m->data; c++) m->S += setup->classes->seen[c];
    if (!m->data) m->S = (size_t)json_integer_value(json_object_get(setup->spec, "seen"));
    const size_t means[] = {m->S, m->F}, rows[] = {m->S, m->A};
    UN_GO(un_params_add(&m->base.params, "means", 2, means, 0, &m->means));
    UN_GO(un_params_add(&m->base.params, "rows", 2, rows, 0, &m->rows));
    UN_GO(un_params_allocate(&m->base.params, 0, 0));
    if (m->data) {
        float *row = un_param_value(&m->base.params, m->rows);
        UN_GO(un_arena_alloc(&m->arena, m->classes, 1, &m->seen));
        memcpy(m->seen, setup->classes->seen, m->classes);
        for (size_t c = 0; c < m->classes; c++)
            if (m->seen[c])
                memcpy(row, described->values + c * m->A, m->A * sizeof *row), row += m->A;
    }
    *out = &m->base;
done:
    if (status) destroy(&m->base);
    return status;
}

static un_status save_spec(const un_method *method, json_t **out) {
    *out = json_pack("{s:I}", "seen", (json_int_t)((const nearest_mean *)method)->S);
    return *out ? UNSEEN_OK : un_fail_memory(0);
}

/* The means, one picture at a time: memory does not grow with the pictures. */
static un_status fit(un_method *method, size_t point, double *losses) {
    nearest_mean *m = (nearest_mean *)method;
    const un_features view = un_features_averaged(m->data->features); /* a row is a mean */
    float *means = un_param_value(&m->base.params, m->means), *x = NULL;
    double *sum = NULL, squares = 0, within = 0;
    size_t *count = NULL, *place = NULL, n = m->data->train->count, s = 0;
    un_status status = UNSEEN_OK;
    (void)point;
    UN_GO(un_alloc(m->F, sizeof *x, &x));
    UN_GO(un_alloc(m->S * m->F, sizeof *sum, &sum));
    UN_GO(un_alloc(m->S, sizeof *count, &count));
    UN_GO(un_alloc(m->classes, sizeof *place, &place));
    for (size_t c = 0; c < m->classes; c++) place[c] = m->seen[c] ? s++ : 0;
    for (size_t i = 0; i < n; i++) {
        const int64_t image = m->data->train->items[i];
        const size_t at = place[m->data->labels[image]];
        un_features_gather_f32(&view, &image, 1, x);
        for (size_t j = 0; j < m->F; j++) {
            sum[at * m->F + j] += (double)x[j];
            squares += (double)x[j] * (double)x[j];
        }
        count[at]++;
    }
    for (size_t at = 0; at < m->S * m->F; at++) {
        const double of = (double)count[at / m->F];
        if (of > 0) within += sum[at] * sum[at] / of;
        means[at] = of > 0 ? (float)(sum[at] / of) : 0;
    }
    losses[0] = (squares - within) / (double)n;
done:
    free(x);
    free(sum);
    free(count);
    free(place);
    return status;
}

static size_t points(const un_method *method) {
    (void)method;
    return 1;
}

static json_t *settings(const un_method *method, size_t point) {
    (void)point;
    return json_pack("{s:f}", "temperature", ((const nearest_mean *)method)->temperature);
}

static double distance(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum;
}

static un_status set_classes(un_method *method, const un_class_table *classes) {
    nearest_mean *m = (nearest_mean *)method;
    const float *means = un_param_value(&m->base.params, m->means);
    const float *rows = un_param_value(&m->base.params, m->rows);
    const un_class_semantics *described = &classes->semantics[0];
    float *fresh = NULL;
    if (classes->semantics_count != 1 || described->width != m->A)
        return un_fail(UNSEEN_E_ARGUMENT, "the model needs one semantics of %zu values", m->A);
    UN_TRY(un_alloc(classes->count * m->F, sizeof *fresh, &fresh));
    for (size_t c = 0; c < classes->count; c++) {
        const float *a = described->values + c * m->A;
        double least = INFINITY, total = 0;
        for (size_t s = 0; s < m->S; s++) least = fmin(least, distance(a, rows + s * m->A, m->A));
        for (size_t s = 0; s < m->S; s++)
            total += exp((least - distance(a, rows + s * m->A, m->A)) / m->temperature);
        for (size_t s = 0; s < m->S; s++) {
            double w = exp((least - distance(a, rows + s * m->A, m->A)) / m->temperature) / total;
            for (size_t j = 0; j < m->F; j++)
                fresh[c * m->F + j] += (float)(w * (double)means[s * m->F + j]);
        }
    }
    free(m->prototypes);
    m->prototypes = fresh;
    m->count = classes->count;
    return UNSEEN_OK;
}

static un_status score(un_method *method, const float *features, size_t n, float *scores) {
    const nearest_mean *m = (const nearest_mean *)method;
    float *x = NULL;
    if (!m->prototypes) return un_fail(UNSEEN_E_ARGUMENT, "no classes were set before scoring");
    UN_TRY(un_alloc(m->F, sizeof *x, &x));
    for (size_t i = 0; i < n; i++) {
        un_mean_row(features + i * m->R * m->F, m->R, m->F, x);
        for (size_t c = 0; c < m->count; c++)
            scores[i * m->count + c] = (float)-distance(x, m->prototypes + c * m->F, m->F);
    }
    free(x);
    return UNSEEN_OK;
}

static const un_method_closed_form g_closed_form = {
    .fit = fit, .points = points, .settings = settings};

const un_method_class un_method_nearest_mean = {
    .name = "nearest-mean",
    .title = "Nearest class mean, unseen classes by the likeness of their descriptions",
    .score_unit = "negative squared distance",
    .input = UN_FEATURES_POOLED,
    .losses = g_losses,
    .options = g_options,
    .presets = g_presets,
    .create = create,
    .destroy = destroy,
    .set_classes = set_classes,
    .score = score,
    .save_spec = save_spec,
    .closed_form = &g_closed_form,
};
