/* eszsl.c - ESZSL as a method: settings, the fit in closed form, life cycle. See eszsl.h. */
#include "method/eszsl/eszsl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "method/grid_search.h"
#include "tensor/linear_algebra.h"

#define GRID "1e-3,1e-2,1e-1,1,1e1,1e2,1e3"

/* ---- settings ---- */

static const un_option g_options[] = {
    {"semantics", UN_OPTION_NAMES, "att", 0, 0, NULL, "named semantics of the classes"},
    {"gamma", UN_OPTION_NUMBERS, GRID, 1e-9, 1e12, NULL,
     "regulariser of the feature side; validation picks one (not the gamma of seen classes)"},
    {"lambda", UN_OPTION_NUMBERS, GRID, 1e-9, 1e12, NULL,
     "regulariser of the attribute side; validation picks one"},
    {"search", UN_OPTION_CHOICE, "auto", 0, 0, "auto|whole|local",
     "validation tries the whole grid, or goes from its middle to better neighbours; auto: local "
     "where a point takes more than 2e11 operations"},
    {"unit_features", UN_OPTION_CHOICE, "no", 0, 0, "no|yes", "features of an image to length 1"},
    {"columns", UN_OPTION_CHOICE, "raw", 0, 0, "raw|center|standard",
     "each feature as it is, minus its training mean, or also divided by its deviation"},
    {"unit_classes", UN_OPTION_CHOICE, "yes", 0, 0, "no|yes", "attributes of a class to length 1"},
    {NULL, UN_OPTION_INTEGER, NULL, 0, 0, NULL, NULL},
};

static const un_preset g_presets[] = {
    {"auto", "{\"unit_features\":\"yes\",\"columns\":\"center\"}",
     "any data set: unit features, centred"},
    {"published", "{\"metric\":\"T1\"}",
     "features as they are, T1 decides: the protocol of Xian et al. (TPAMI 2019)"},
    {NULL, NULL, NULL},
};

/* ---- fitting: sums over the training images, and the closed form of a point of the grid ---- */

/* Images of one product, and bytes of one gather (region features are large). */
enum { BLOCK = 512, GATHER_BYTES = 16 * 1024 * 1024 };

/* Which classes have training images, and their attributes. */
static un_status prepare_classes(eszsl *e, const un_class_table *classes) {
    const un_index_list *train = e->data->train;
    float *rows = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_arena_alloc(&e->arena, e->class_count, sizeof(size_t), &e->seen_of_class));
    UN_TRY(un_arena_alloc(&e->arena, e->class_count, sizeof(size_t), &e->images));
    UN_TRY(un_alloc(e->class_count * e->A, sizeof *rows, &rows));
    un_eszsl_describe(e, classes->semantics[0].values, e->class_count, rows);
    for (size_t i = 0; i < train->count; i++) e->images[e->data->labels[train->items[i]]]++;
    for (size_t c = 0; c < e->class_count; c++) {
        if (e->images[c] == 0) continue;
        e->images[e->seen] = e->images[c];
        e->seen_of_class[c] = e->seen++;
    }
    UN_GO(un_arena_alloc(&e->arena, e->seen * e->A, sizeof(double), &e->s));
    for (size_t i = 0; i < train->count; i++) {
        size_t c = (size_t)e->data->labels[train->items[i]];
        double *s = e->s + e->seen_of_class[c] * e->A;
        for (size_t j = 0; j < e->A; j++) s[j] = (double)rows[c * e->A + j];
    }
done:
    free(rows);
    return status;
}

static un_status start_fitting(eszsl *e, const un_class_table *classes) {
    if (e->data->train->count == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "there are no training images");
    e->class_count = classes->count;
    e->factored = SIZE_MAX;
    UN_TRY(prepare_classes(e, classes));
    UN_TRY(un_arena_alloc(&e->arena, e->F * e->F, sizeof(double), &e->gram));
    UN_TRY(un_arena_alloc(&e->arena, e->F * e->F, sizeof(double), &e->factor));
    UN_TRY(un_arena_alloc(&e->arena, e->seen * e->F, sizeof(double), &e->sums));
    UN_TRY(un_arena_alloc(&e->arena, e->F, sizeof(double), &e->mean));
    UN_TRY(un_arena_alloc(&e->arena, e->F, sizeof(double), &e->scale));
    UN_TRY(un_arena_alloc(&e->arena, e->A * e->F, sizeof(double), &e->b));
    UN_TRY(un_arena_alloc(&e->arena, e->F * e->A, sizeof(double), &e->w));
    return un_arena_alloc(&e->arena, e->A * e->A, sizeof(double), &e->k);
}

/* One block's working memory. */
typedef struct {
    size_t gather; /* images of one gather */
    float *features, *rows;
    double *x; /* [BLOCK, F] */
} block;

/* The images' rows in double; they are added to the sums of their classes. */
static void read_block(eszsl *e, const block *k, const int64_t *images, size_t n) {
    for (size_t at = 0; at < n; at += k->gather) {
        size_t count = n - at < k->gather ? n - at : k->gather;
        un_features_gather_f32(e->data->features, images + at, count, k->features);
        un_eszsl_represent(e, k->features, count, k->rows);
        for (size_t i = 0; i < count; i++) {
            size_t seen = e->seen_of_class[e->data->labels[images[at + i]]];
            double *x = k->x + (at + i) * e->F;
            double *sum = e->sums + seen * e->F;
            for (size_t j = 0; j < e->F; j++) {
                x[j] = (double)k->rows[i * e->F + j];
                sum[j] += x[j];
            }
        }
    }
}

static un_status accumulate(eszsl *e, const block *k) {
    const un_index_list *train = e->data->train;
    un_progress progress;
    un_status status = UNSEEN_OK;
    un_progress_begin(&progress, "sums over images", "images", train->count);
    for (size_t at = 0; at < train->count && !status; at += BLOCK) {
        size_t n = train->count - at < BLOCK ? train->count - at : BLOCK;
        size_t after = train->count - at - n < BLOCK ? train->count - at - n : BLOCK;
        un_features_prefetch(e->data->features, train->items + at + n, after);
        read_block(e, k, train->items + at, n);
        const un_gemm64_args product = {.m = e->F,
                                        .n = e->F,
                                        .k = n,
                                        .alpha = 1,
                                        .a = k->x,
                                        .a_row = 1,
                                        .a_column = e->F,
                                        .b = k->x,
                                        .b_row = e->F,
                                        .b_column = 1,
                                        .c = e->gram,
                                        .ldc = e->F,
                                        .lower = 1};
        status = un_gemm64(&product);
        un_progress_update(&progress, at + n);
    }
    un_progress_end(&progress);
    return status;
}

/* From sums over raw features to those over (x - mean) scale. A column that does not vary (beyond
 * the rounding of its f32 values) carries nothing: its scale is 0. */
static void transform_columns(eszsl *e) {
    double n = (double)e->data->train->count;
    for (size_t j = 0; j < e->F; j++) {
        e->scale[j] = 1;
        for (size_t c = 0; c < e->seen && e->settings.columns != ESZSL_RAW; c++)
            e->mean[j] += e->sums[c * e->F + j] / n;
        double second = e->gram[j * e->F + j] / n;
        double variance = second - e->mean[j] * e->mean[j];
        if (e->settings.columns == ESZSL_STANDARD)
            e->scale[j] = variance > 1e-12 * second ? 1 / sqrt(variance) : 0;
    }
    for (size_t i = 0; i < e->F; i++)
        for (size_t j = 0; j <= i; j++) {
            double *g = &e->gram[i * e->F + j];
            *g = (*g - n * e->mean[i] * e->mean[j]) * e->scale[i] * e->scale[j];
        }
    for (size_t c = 0; c < e->seen; c++)
        for (size_t j = 0; j < e->F; j++) {
            double *sum = &e->sums[c * e->F + j];
            *sum = (*sum - (double)e->images[c] * e->mean[j]) * e->scale[j];
        }
}

/* (X'Y)' of class c is 2 sum_c - sum of all, with Y = 1 and -1; b = S' of that. The class sums are
 * overwritten. */
static un_status make_right_side(eszsl *e) {
    for (size_t j = 0; j < e->F; j++) {
        double total = 0;
        for (size_t c = 0; c < e->seen; c++) total += e->sums[c * e->F + j];
        for (size_t c = 0; c < e->seen; c++) {
            double *sum = &e->sums[c * e->F + j];
            *sum = 2 * *sum - total;
        }
    }
    const un_gemm64_args right = {.m = e->A,
                                  .n = e->F,
                                  .k = e->seen,
                                  .alpha = 1,
                                  .a = e->s,
                                  .a_row = 1,
                                  .a_column = e->A,
                                  .b = e->sums,
                                  .b_row = e->F,
                                  .b_column = 1,
                                  .c = e->b,
                                  .ldc = e->F};
    const un_gemm64_args square = {.m = e->A,
                                   .n = e->A,
                                   .k = e->seen,
                                   .alpha = 1,
                                   .a = e->s,
                                   .a_row = 1,
                                   .a_column = e->A,
                                   .b = e->s,
                                   .b_row = e->A,
                                   .b_column = 1,
                                   .c = e->k,
                                   .ldc = e->A};
    UN_TRY(un_gemm64(&right));
    return un_gemm64(&square);
}

static un_status prepare(un_method *method) {
    eszsl *e = (eszsl *)method;
    block k = {0};
    un_status status = UNSEEN_OK;
    size_t image = e->R * e->F * sizeof(float);
    k.gather = GATHER_BYTES / image < BLOCK ? 1 + GATHER_BYTES / image : BLOCK;
    UN_GO(un_alloc(k.gather * e->R * e->F, sizeof(float), &k.features));
    UN_GO(un_alloc(k.gather * e->F, sizeof(float), &k.rows));
    UN_GO(un_alloc(BLOCK * e->F, sizeof(double), &k.x));
    UN_GO(accumulate(e, &k));
    transform_columns(e);
    UN_GO(make_right_side(e));
done:
    free(k.features);
    free(k.rows);
    free(k.x);
    return status;
}

/* w of one gamma, which serves every lambda. */
static un_status factor(eszsl *e, size_t which) {
    size_t F = e->F;
    double *rows = NULL;
    if (e->factored == which) return UNSEEN_OK;
    e->factored = SIZE_MAX;
    memcpy(e->factor, e->gram, F * F * sizeof *e->factor);
    for (size_t j = 0; j < F; j++) e->factor[j * F + j] += e->settings.gamma[which];
    un_status status = un_cholesky(e->factor, F);
    if (status)
        return un_fail_prefix(status, "gamma %g with %zu features (a larger one may help)",
                              e->settings.gamma[which], F);
    UN_TRY(un_alloc(e->A * F, sizeof *rows, &rows));
    memcpy(rows, e->b, e->A * F * sizeof *rows);
    status = un_cholesky_solve(e->factor, F, rows, e->A);
    for (size_t j = 0; j < F && !status; j++)
        for (size_t i = 0; i < e->A; i++) e->w[j * e->A + i] = rows[i * F + j];
    free(rows);
    if (!status) e->factored = which;
    return status;
}

/* V for raw features and its offset, into the parameters. */
static void store(eszsl *e, const double *v) {
    float *value = un_param_value(&e->base.params, e->v);
    float *offset = un_param_value(&e->base.params, e->offset);
    for (size_t i = 0; i < e->A; i++) {
        double sum = 0;
        for (size_t j = 0; j < e->F; j++) {
            double element = v[j * e->A + i] * e->scale[j];
            value[j * e->A + i] = (float)element;
            sum -= e->mean[j] * element;
        }
        offset[i] = (float)sum;
    }
}

static double inner_product(const double *x, const double *y, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* The mean over images and seen classes of (x V s - y)^2, without another look at the images:
 * with G = X'X, K = S'S, B = X'Y S and (G + gamma) V (K + lambda) = B,
 * <V, G V K> = <V, B> - gamma <V, V K> - lambda <V, B (K + lambda)^-1>. `v` holds V, B and, to be
 * overwritten, B (K + lambda)^-1 one after the other. */
static un_status mean_square(const eszsl *e, double *v, double gamma, double lambda, double *out) {
    size_t n = e->F * e->A;
    const double *b = v + n;
    double *u = v + 2 * n;
    double right = inner_product(v, b, n);
    double square = right - lambda * inner_product(v, u, n);
    const un_gemm64_args product = {.m = e->F,
                                    .n = e->A,
                                    .k = e->A,
                                    .alpha = 1,
                                    .a = v,
                                    .a_row = e->A,
                                    .a_column = 1,
                                    .b = e->k,
                                    .b_row = e->A,
                                    .b_column = 1,
                                    .c = u,
                                    .ldc = e->A};
    memset(u, 0, n * sizeof *u);
    UN_TRY(un_gemm64(&product));
    square -= gamma * inner_product(v, u, n);
    double terms = (double)e->data->train->count * (double)e->seen;
    *out = (square - 2 * right + terms) / terms;
    return UNSEEN_OK;
}

static un_status fit(un_method *method, size_t point, double *losses) {
    eszsl *e = (eszsl *)method;
    size_t A = e->A;
    size_t F = e->F;
    double gamma = e->settings.gamma[point / e->settings.lambda_count];
    double lambda = e->settings.lambda[point % e->settings.lambda_count];
    double *k = NULL;
    double *v = NULL; /* [3, F, A]: V, B, B (K + lambda)^-1 */
    size_t n = F * A;
    un_status status = UNSEEN_OK;
    UN_GO(factor(e, point / e->settings.lambda_count));
    UN_GO(un_alloc(A * A, sizeof *k, &k));
    UN_GO(un_alloc(3 * n, sizeof *v, &v));
    memcpy(k, e->k, A * A * sizeof *k);
    for (size_t i = 0; i < A; i++) k[i * A + i] += lambda;
    status = un_cholesky(k, A);
    if (status)
        UN_GO(un_fail_prefix(status, "lambda %g with %zu attributes (a larger one may help)",
                             lambda, A));
    memcpy(v, e->w, n * sizeof *v);
    for (size_t j = 0; j < F; j++)
        for (size_t i = 0; i < A; i++) v[n + j * A + i] = e->b[i * F + j];
    memcpy(v + 2 * n, v + n, n * sizeof *v);
    UN_GO(un_cholesky_solve(k, A, v, F));
    UN_GO(un_cholesky_solve(k, A, v + 2 * n, F));
    store(e, v);
    UN_GO(mean_square(e, v, gamma, lambda, &losses[0]));
done:
    free(k);
    free(v);
    return status;
}

/* ---- life cycle ---- */

static void destroy(un_method *method) {
    eszsl *e = (eszsl *)method;
    if (!e) return;
    un_eszsl_free_scoring(e);
    un_params_free(&e->base.params);
    un_arena_free(&e->arena);
    free(e);
}

/* The only look at the configuration. */
static eszsl_settings read_settings(const json_t *config) {
    eszsl_settings s = {.unit_features = un_config_is(config, "unit_features", "yes"),
                        .unit_classes = un_config_is(config, "unit_classes", "yes"),
                        .columns = un_config_is(config, "columns", "center")     ? ESZSL_CENTER
                                   : un_config_is(config, "columns", "standard") ? ESZSL_STANDARD
                                                                                 : ESZSL_RAW,
                        .search = un_config_is(config, "search", "whole")   ? ESZSL_WHOLE
                                  : un_config_is(config, "search", "local") ? ESZSL_LOCAL
                                                                            : ESZSL_AUTO,
                        .gamma_count = un_config_list_count(config, "gamma"),
                        .lambda_count = un_config_list_count(config, "lambda")};
    for (size_t i = 0; i < ESZSL_MAX_VALUES; i++) {
        s.gamma[i] = un_config_list_number(config, "gamma", i);
        s.lambda[i] = un_config_list_number(config, "lambda", i);
    }
    return s;
}

static un_status create(const un_method_setup *setup, un_method **out) {
    if (setup->classes->semantics_count != 1)
        return un_fail(UNSEEN_E_ARGUMENT, "ESZSL takes one semantics, not %zu",
                       setup->classes->semantics_count);
    eszsl *e = calloc(1, sizeof *e);
    if (!e) return un_fail_memory(sizeof *e);
    e->base.class = &un_method_eszsl;
    un_params *p = &e->base.params;
    un_status status = UNSEEN_OK;
    e->settings = read_settings(setup->config);
    e->A = setup->classes->semantics[0].width;
    e->F = setup->width;
    e->R = setup->regions;
    e->data = setup->data;
    p->available = setup->available;
    if (e->settings.gamma_count > ESZSL_MAX_VALUES || e->settings.lambda_count > ESZSL_MAX_VALUES)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "gamma and lambda take at most %d values each",
                      ESZSL_MAX_VALUES));
    const size_t shape[] = {e->F, e->A};
    UN_GO(un_params_add(p, "V", 2, shape, 0, &e->v));
    UN_GO(un_params_add(p, "offset", 1, &e->A, 0, &e->offset));
    UN_GO(un_params_allocate(p, 0, 0));
    if (e->data) UN_GO(start_fitting(e, setup->classes));
    *out = &e->base;
done:
    if (status) destroy(&e->base);
    return status;
}

static size_t fit_points(const un_method *method) {
    const eszsl *e = (const eszsl *)method;
    return e->settings.gamma_count * e->settings.lambda_count;
}

/* Operations of a point's products with the training images, about as many as it is tested on. */
static double point_cost(const eszsl *e) {
    return 2 * (double)e->data->train->count * (double)e->class_count * (double)e->F;
}

static size_t next_point(const un_method *method, const size_t *tried, const double *merit,
                         size_t n) {
    const eszsl *e = (const eszsl *)method;
    int local = e->settings.search == ESZSL_LOCAL ||
                (e->settings.search == ESZSL_AUTO && point_cost(e) > 2e11);
    if (!local) return n;
    return un_grid_search_next(e->settings.gamma_count, e->settings.lambda_count, tried, merit, n);
}

static json_t *fit_settings(const un_method *method, size_t point) {
    const eszsl *e = (const eszsl *)method;
    return json_pack("{s:f, s:f}", "gamma", e->settings.gamma[point / e->settings.lambda_count],
                     "lambda", e->settings.lambda[point % e->settings.lambda_count]);
}

/* ---- the method ---- */

static const char *const g_losses[] = {"squares", NULL};

static const float *class_rows(const un_method *method) { return ((const eszsl *)method)->rows; }

static int unit_rows(const json_t *config) { return read_settings(config).unit_classes; }

static const un_method_closed_form g_closed_form = {
    .fit = fit, .points = fit_points, .next = next_point, .settings = fit_settings};

static const un_method_attribute_scores g_attribute_scores = {
    .score = un_eszsl_attributes, .branches = 1, .class_rows = class_rows};

const un_method_class un_method_eszsl = {
    .name = "eszsl",
    .title = "ESZSL: An embarrassingly simple approach to zero-shot learning (ICML 2015), in "
             "closed form",
    .f32_only = 1,
    .score_unit = "bilinear score, 1 for the class and -1 for others in training",
    .input = UN_FEATURES_POOLED,
    .losses = g_losses,
    .options = g_options,
    .presets = g_presets,
    .create = create,
    .destroy = destroy,
    .prepare = prepare,
    .set_classes = un_eszsl_set_classes,
    .score = un_eszsl_score,
    .unit_rows = unit_rows,
    .closed_form = &g_closed_form,
    .attribute_scores = &g_attribute_scores,
};
