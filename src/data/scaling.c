/* scaling.c - how the values that people give of a class become a row; see dataset.h. */
#include <math.h>
#include <string.h>

#include "data/dataset.h"

static const char *const KINDS[UN_SCALING_COUNT] = {"unit", "range", "as-given"};

static un_status allocate(un_scaling *s, size_t width, un_arena *arena) {
    s->width = width;
    UN_TRY(un_arena_alloc(arena, width, sizeof *s->least, &s->least));
    UN_TRY(un_arena_alloc(arena, width, sizeof *s->largest, &s->largest));
    return un_arena_alloc(arena, width, sizeof *s->mean, &s->mean);
}

un_status un_scaling_measure(un_scaling *s, un_scaling_kind kind, const double *values,
                             size_t classes, size_t width, un_arena *arena) {
    *s = (un_scaling){.kind = kind};
    UN_TRY(allocate(s, width, arena));
    for (size_t a = 0; a < width; a++) {
        s->least[a] = INFINITY;
        s->largest[a] = -INFINITY;
        for (size_t c = 0; c < classes; c++) {
            double x = values[c * width + a];
            s->least[a] = fmin(s->least[a], x);
            s->largest[a] = fmax(s->largest[a], x);
            s->mean[a] += (x - s->mean[a]) / (double)(c + 1); /* equal values: that value */
        }
    }
    return UNSEEN_OK;
}

/* In halves, so that no difference overflows. */
double un_scaling_place(const un_scaling *s, size_t i, double x) {
    double low = s->least[i];
    double high = s->largest[i];
    return high > low ? (x / 2 - low / 2) / (high / 2 - low / 2) : 0;
}

/* What becomes of a value before its row gets length 1. */
static double prepare(const un_scaling *s, size_t i, double x) {
    return s->kind == UN_SCALING_RANGE ? un_scaling_place(s, i, x) : x;
}

/* Divided by the largest value first, so that no square overflows. */
void un_scaling_apply(const un_scaling *s, const double *values, float *row) {
    double peak = 0;
    double square = 0;
    double length = 1;
    if (s->kind != UN_SCALING_AS_GIVEN) {
        for (size_t a = 0; a < s->width; a++) peak = fmax(peak, fabs(prepare(s, a, values[a])));
        for (size_t a = 0; a < s->width && peak > 0; a++) {
            double x = prepare(s, a, values[a]) / peak;
            square += x * x;
        }
        if (peak > 0) length = sqrt(square) * peak;
    }
    for (size_t a = 0; a < s->width; a++) row[a] = (float)(prepare(s, a, values[a]) / length);
}

json_t *un_scaling_describe(const un_scaling *s) {
    return json_pack("{s:s, s:o}", "kind", KINDS[s->kind], "unknown",
                     un_json_strings(s->unknown, s->unknown_count));
}

static un_status restore(un_scaling *s, const json_t *description, const double *numbers,
                         size_t width, const char *where, un_arena *arena) {
    const char *name = NULL;
    const json_t *unknown = json_object_get(description, "unknown");
    size_t kind = 0;
    *s = (un_scaling){0};
    UN_TRY(un_json_get_string(description, "kind", where, &name));
    while (kind < UN_SCALING_COUNT && strcmp(KINDS[kind], name) != 0) kind++;
    if (kind == UN_SCALING_COUNT)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: its attributes were scaled in a way that this program does not know, "
                       "\"%.40s\"",
                       where, name);
    s->kind = (un_scaling_kind)kind;
    UN_TRY(allocate(s, width, arena));
    for (size_t a = 0; a < width; a++) {
        const double *n = numbers + 3 * a;
        if (!isfinite(n[0]) || !isfinite(n[1]) || !isfinite(n[2]) || n[0] > n[1])
            return un_fail(UNSEEN_E_FORMAT, "%s: the range of attribute %zu is damaged", where, a);
        s->least[a] = n[0];
        s->largest[a] = n[1];
        s->mean[a] = n[2];
    }
    UN_TRY(un_arena_alloc(arena, json_array_size(unknown), sizeof *s->unknown, &s->unknown));
    for (size_t i = 0; i < json_array_size(unknown); i++) {
        const char *text = json_string_value(json_array_get(unknown, i));
        if (!text)
            return un_fail(UNSEEN_E_FORMAT, "%s: what stood for unknown values is damaged", where);
        UN_TRY(un_arena_string(arena, text, &s->unknown[s->unknown_count++]));
    }
    return UNSEEN_OK;
}

un_status un_scaling_read(const un_st_entry *entry, const json_t *description, size_t width,
                          const char *where, un_arena *arena, const un_scaling **out) {
    un_scaling *scaling = NULL;
    double *numbers = NULL;
    if (entry->tensor.dtype != UN_F64 || entry->tensor.rank != 2 ||
        entry->tensor.shape[0] != width || entry->tensor.shape[1] != 3)
        return un_fail(UNSEEN_E_FORMAT, "%s: %.200s is not an F64 matrix of %zu x 3", where,
                       entry->name, width);
    UN_TRY(un_arena_alloc(arena, 1, sizeof *scaling, &scaling));
    UN_TRY(un_arena_alloc(arena, 3 * width, sizeof *numbers, &numbers));
    memcpy(numbers, entry->tensor.data, entry->bytes); /* it may not be aligned */
    UN_TRY(restore(scaling, description, numbers, width, where, arena));
    *out = scaling;
    return UNSEEN_OK;
}

un_status un_scaling_copy(const un_scaling *s, un_arena *arena, const un_scaling **out) {
    un_scaling *copy = NULL;
    size_t bytes = s->width * sizeof *s->mean;
    UN_TRY(un_arena_alloc(arena, 1, sizeof *copy, &copy));
    copy->kind = s->kind;
    UN_TRY(allocate(copy, s->width, arena));
    memcpy(copy->least, s->least, bytes);
    memcpy(copy->largest, s->largest, bytes);
    memcpy(copy->mean, s->mean, bytes);
    UN_TRY(un_arena_alloc(arena, s->unknown_count, sizeof *copy->unknown, &copy->unknown));
    for (; copy->unknown_count < s->unknown_count; copy->unknown_count++)
        UN_TRY(un_arena_string(arena, s->unknown[copy->unknown_count],
                               &copy->unknown[copy->unknown_count]));
    *out = copy;
    return UNSEEN_OK;
}

un_status un_scaling_numbers(const un_scaling *s, un_arena *arena, double **numbers) {
    UN_TRY(un_arena_alloc(arena, 3 * s->width, sizeof **numbers, numbers));
    for (size_t a = 0; a < s->width; a++) {
        (*numbers)[3 * a] = s->least[a];
        (*numbers)[3 * a + 1] = s->largest[a];
        (*numbers)[3 * a + 2] = s->mean[a];
    }
    return UNSEEN_OK;
}
