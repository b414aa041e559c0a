/* golden.c - reading reference tensors and comparing with them; see golden.h. */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the exact value is zero, references hold rounding of their own. */
static const double ZERO_REFERENCE = 1e-12, ZERO_FLOOR = 1e-5;

static un_status find(golden *g, const char *name, size_t count, const un_st_entry **out) {
    UN_TRY(un_safetensors_require(g->file, name, -1, out));
    size_t n = un_tensor_count(&(*out)->tensor);
    if (n != count)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" has %zu elements, expected %zu",
                       g->file->path, name, n, count);
    return UNSEEN_OK;
}

un_status golden_f64(golden *g, const char *name, size_t count, double **out) {
    const un_st_entry *entry = NULL;
    UN_TRY(find(g, name, count, &entry));
    UN_TRY(un_arena_alloc(&g->arena, count, sizeof **out, out));
    for (size_t i = 0; i < count; i++)
        (*out)[i] = un_element(entry->tensor.dtype, entry->tensor.data, i);
    return UNSEEN_OK;
}

un_status golden_f32(golden *g, const char *name, size_t count, float **out) {
    const un_st_entry *entry = NULL;
    UN_TRY(find(g, name, count, &entry));
    UN_TRY(un_arena_alloc(&g->arena, count, sizeof **out, out));
    un_st_copy_f32(entry, *out);
    golden_round(g, name, *out, count);
    return UNSEEN_OK;
}

un_status golden_i64(golden *g, const char *name, size_t count, int64_t **out) {
    const un_st_entry *entry = NULL;
    UN_TRY(find(g, name, count, &entry));
    UN_TRY(un_arena_alloc(&g->arena, count, sizeof **out, out));
    return un_st_copy_i64(entry, *out);
}

un_status golden_dimension(golden *g, const char *name, int rank, int axis, size_t *out) {
    const un_st_entry *entry = NULL;
    UN_TRY(un_safetensors_require(g->file, name, rank, &entry));
    *out = entry->tensor.shape[axis];
    if (*out == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" is empty", g->file->path, name);
    return UNSEEN_OK;
}

un_status golden_count(golden *g, const char *name, size_t *out) {
    const un_st_entry *entry = NULL;
    UN_TRY(un_safetensors_require(g->file, name, -1, &entry));
    *out = un_tensor_count(&entry->tensor);
    return UNSEEN_OK;
}

un_status golden_number(const golden *g, const char *key, double *out) {
    const char *text = un_safetensors_metadata(g->file, key);
    char *end = NULL;
    if (text) *out = strtod(text, &end);
    if (!text || end == text || *end)
        return un_fail(UNSEEN_E_FORMAT, "%s: metadata \"%s\" is not a number", g->file->path, key);
    return UNSEEN_OK;
}

void golden_verdict(golden *g, int ok) {
    printf("  %s\n", ok ? "ok" : "OUT OF TOLERANCE");
    g->compared++;
    if (!ok) g->out++;
}

static golden_distance distance(const double *values, const double *reference, size_t n) {
    golden_distance d = {.n = n};
    for (size_t i = 0; i < n; i++) {
        double difference = fabs(values[i] - reference[i]);
        if (!(difference <= d.worst)) d.worst = difference; /* a NaN stays, and fails below */
        if (fabs(reference[i]) > d.largest) d.largest = fabs(reference[i]);
        d.squares += difference * difference;
        d.ref_squares += reference[i] * reference[i];
        if (isnan(d.worst)) break;
    }
    return d;
}

/* `floor`: allowed where the reference is zero throughout. */
static void compare(golden *g, const char *label, const double *values, const double *reference,
                    size_t n, double tolerance, double floor) {
    golden_distance d = distance(values, reference, n);
    int zero = d.largest < ZERO_REFERENCE;
    double relative = zero ? 0 : d.worst / d.largest;
    if (g->draw) {
        golden_spread_note(g, label, &d);
        return;
    }
    printf("  %-36s abs %9.2e  rel %9.2e", label, d.worst, relative);
    if (zero)
        golden_verdict(g, d.worst <= floor);
    else if (g->spread)
        golden_verdict(g, golden_spread_allows(g, label, &d));
    else {
        printf("  (%.0e)", tolerance);
        golden_verdict(g, relative <= tolerance);
    }
}

void golden_compare(golden *g, const char *label, const double *values, const double *reference,
                    size_t n, double tolerance) {
    compare(g, label, values, reference, n, tolerance, ZERO_FLOOR);
}

un_status golden_compare_f32(golden *g, const char *name, const float *values, size_t n,
                             double tolerance) {
    double *reference = NULL, *wide = NULL;
    UN_TRY(golden_f64(g, name, n, &reference));
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *wide, &wide));
    for (size_t i = 0; i < n; i++) wide[i] = (double)values[i];
    golden_compare(g, name, wide, reference, n, tolerance);
    return UNSEEN_OK;
}

un_status golden_turn(golden *g, const float *values, size_t in, size_t out, float **turned) {
    UN_TRY(un_arena_alloc(&g->arena, in * out, sizeof **turned, turned));
    for (size_t i = 0; i < in; i++)
        for (size_t o = 0; o < out; o++) (*turned)[o * in + i] = values[i * out + o];
    return UNSEEN_OK;
}

un_status golden_compare_trained(golden *g, const char *name, const char *initial,
                                 const float *values, size_t n, double tolerance) {
    double *before = NULL, *reference = NULL, *change = NULL;
    float *own = NULL;
    if (!g->spread) return golden_compare_f32(g, name, values, n, tolerance);
    UN_TRY(golden_f64(g, name, n, &reference));
    UN_TRY(golden_f64(g, initial, n, &before));
    UN_TRY(golden_f32(g, initial, n, &own));
    UN_TRY(un_arena_alloc(&g->arena, n, sizeof *change, &change));
    for (size_t i = 0; i < n; i++) {
        change[i] = (double)values[i] - (double)own[i];
        reference[i] -= before[i];
    }
    golden_compare(g, name, change, reference, n, tolerance);
    return UNSEEN_OK;
}

un_status golden_compare_i64(golden *g, const char *name, const int64_t *values, size_t n) {
    int64_t *reference = NULL;
    if (g->spread) return UNSEEN_OK;
    UN_TRY(golden_i64(g, name, n, &reference));
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) wrong += values[i] != reference[i];
    printf("  %-36s %zu of %zu differ", name, wrong, n);
    golden_verdict(g, wrong == 0);
    return UNSEEN_OK;
}

un_status golden_load_params(golden *g, const un_params *params, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++) {
        float *values = NULL;
        UN_TRY(golden_f32(g, params->item[i].name, params->item[i].count, &values));
        memcpy(un_param_value(params, i), values, params->item[i].count * sizeof *values);
    }
    return UNSEEN_OK;
}

void golden_refresh_params(const golden *g, un_params *params) {
    for (size_t i = 0; i < params->count; i++)
        golden_round(g, params->item[i].name, un_param_value(params, i), params->item[i].count);
    un_params_refresh(params);
}

un_precision golden_precision(const golden *g) {
    return g->type == UN_BF16 ? UN_PRECISION_BF16 : UN_PRECISION_F32;
}

/* A bias of keys adds the same to all scores of a query, so its gradient is zero: sums of the
 * scores' gradients times queries, which cancel. The same sums with keys in the place of queries are
 * the gradient of the queries' bias: roundings move one as far as the other. */
static un_status zero_floor(golden *g, const char *name, size_t n, double *floor) {
    char other[320];
    const char *key = strstr(name, "key.bias");
    double *reference = NULL, largest = 0;
    *floor = ZERO_FLOOR;
    if (!g->spread || g->draw || !key) return UNSEEN_OK;
    snprintf(other, sizeof other, "%.*squery.bias", (int)(key - name), name);
    UN_TRY(golden_f64(g, other, n, &reference));
    for (size_t i = 0; i < n; i++)
        if (fabs(reference[i]) > largest) largest = fabs(reference[i]);
    double allowed = golden_spread_most(g, other, largest);
    if (allowed > *floor) *floor = allowed;
    return UNSEEN_OK;
}

un_status golden_compare_grads(golden *g, const un_params *params, const char *prefix) {
    char name[320];
    for (size_t i = 0; i < params->count; i++) {
        const un_param *item = &params->item[i];
        double *reference = NULL, *wide = NULL, floor = ZERO_FLOOR;
        snprintf(name, sizeof name, "%s%s", prefix, item->name);
        if (un_safetensors_find(g->file, name)) {
            UN_TRY(golden_f64(g, name, item->count, &reference));
            UN_TRY(zero_floor(g, name, item->count, &floor));
        } else { /* the parameter received no gradient */
            UN_TRY(un_arena_alloc(&g->arena, item->count, sizeof *reference, &reference));
        }
        UN_TRY(un_arena_alloc(&g->arena, item->count, sizeof *wide, &wide));
        for (size_t k = 0; k < item->count; k++) wide[k] = (double)un_param_grad(params, i)[k];
        compare(g, name, wide, reference, item->count, GOLDEN_GRADIENT, floor);
    }
    return UNSEEN_OK;
}
