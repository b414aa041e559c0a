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

void golden_compare(golden *g, const char *label, const double *values, const double *reference,
                    size_t n, double tolerance) {
    double worst = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs(values[i] - reference[i]);
        if (!(difference <= worst)) worst = difference; /* a NaN stays, and fails below */
        if (fabs(reference[i]) > largest) largest = fabs(reference[i]);
        if (isnan(worst)) break;
    }
    int zero = largest < ZERO_REFERENCE;
    double relative = zero ? 0 : worst / largest;
    int ok = zero ? worst <= ZERO_FLOOR : relative <= tolerance;
    printf("  %-36s abs %9.2e  rel %9.2e  (%.0e)", label, worst, relative, tolerance);
    golden_verdict(g, ok);
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

un_status golden_compare_weight(golden *g, const char *name, const float *values, size_t in,
                                size_t out, double tolerance) {
    float *turned = NULL;
    UN_TRY(un_arena_alloc(&g->arena, in * out, sizeof *turned, &turned));
    for (size_t i = 0; i < in; i++)
        for (size_t o = 0; o < out; o++) turned[o * in + i] = values[i * out + o];
    return golden_compare_f32(g, name, turned, in * out, tolerance);
}

un_status golden_compare_i64(golden *g, const char *name, const int64_t *values, size_t n) {
    int64_t *reference = NULL;
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

un_status golden_compare_grads(golden *g, const un_params *params, const char *prefix) {
    char name[320];
    for (size_t i = 0; i < params->count; i++) {
        const un_param *item = &params->item[i];
        snprintf(name, sizeof name, "%s%s", prefix, item->name);
        if (un_safetensors_find(g->file, name)) {
            UN_TRY(golden_compare_f32(g, name, un_param_grad(params, i), item->count,
                                      GOLDEN_GRADIENT));
            continue;
        }
        double *zero = NULL, *wide = NULL;
        UN_TRY(un_arena_alloc(&g->arena, item->count, sizeof *zero, &zero));
        UN_TRY(un_arena_alloc(&g->arena, item->count, sizeof *wide, &wide));
        for (size_t k = 0; k < item->count; k++) wide[k] = (double)un_param_grad(params, i)[k];
        golden_compare(g, name, wide, zero, item->count, GOLDEN_GRADIENT);
    }
    return UNSEEN_OK;
}
