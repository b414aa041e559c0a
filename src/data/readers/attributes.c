/* attributes.c - see attributes.h. */
#include "data/readers/attributes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/readers/validation.h"

un_status un_scale_parse(const char *text, un_scale *out) {
    static const char *const names[] = {"auto", "none", "range", "as-given"};
    for (int k = 0; k < 4; k++) {
        if (strcmp(text, names[k]) != 0) continue;
        *out = (un_scale)k;
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "scale must be auto, none, range or as-given, not \"%s\"",
                   text);
}

/* One semantics from doubles. */
static un_status add(un_dataset *d, const char *name, const double *values, size_t width,
                     char **attributes) {
    char *copy = NULL;
    if (d->semantics_count == UN_MAX_SEMANTICS)
        return un_fail(UNSEEN_E_ARGUMENT, "a data set holds at most %d semantics",
                       UN_MAX_SEMANTICS);
    if (un_dataset_semantics(d, name))
        return un_fail(UNSEEN_E_ARGUMENT, "there are two semantics called \"%s\"; rename one",
                       name);
    un_semantics *s = &d->semantics[d->semantics_count];
    UN_TRY(un_arena_string(&d->arena, name, &copy));
    *s = (un_semantics){.name = copy, .width = width, .attributes = attributes};
    UN_TRY(un_arena_alloc(&d->arena, d->class_count * width, sizeof *s->values, &s->values));
    for (size_t i = 0; i < d->class_count * width; i++) {
        s->values[i] = (float)values[i];
        if (!isfinite(s->values[i]))
            return un_fail(UNSEEN_E_FORMAT,
                           "semantics \"%s\": attribute %zu of class \"%s\" is not a finite number",
                           name, i % width, d->classes[i / width]);
    }
    d->semantics_count++;
    return UNSEEN_OK;
}

static int shares_a_unit(const double *values, size_t classes, size_t width) {
    double low = INFINITY;
    double high = -INFINITY;
    double least_peak = INFINITY; /* the largest value of the attribute that has the smallest */
    for (size_t a = 0; a < width; a++) {
        double peak = -INFINITY;
        for (size_t c = 0; c < classes; c++) {
            double x = values[c * width + a];
            low = x < low ? x : low;
            peak = x > peak ? x : peak;
        }
        high = peak > high ? peak : high;
        least_peak = peak < least_peak ? peak : least_peak;
    }
    return low >= 0 && (high <= 1 || (high <= 100 && least_peak > 1));
}

static void by_range(double *values, size_t classes, size_t width) {
    for (size_t a = 0; a < width; a++) {
        double low = INFINITY;
        double high = -INFINITY;
        for (size_t c = 0; c < classes; c++) {
            low = fmin(low, values[c * width + a]);
            high = fmax(high, values[c * width + a]);
        }
        for (size_t c = 0; c < classes; c++) {
            double *x = &values[c * width + a];
            *x = high > low ? (*x / 2 - low / 2) / (high / 2 - low / 2) : 0;
        }
    }
}

/* Divided by the largest value first, so that no square overflows. */
static void to_length_1(double *row, size_t width) {
    double peak = 0;
    double square = 0;
    for (size_t a = 0; a < width; a++) peak = fmax(peak, fabs(row[a]));
    if (peak == 0) return;
    for (size_t a = 0; a < width; a++) square += (row[a] / peak) * (row[a] / peak);
    double length = sqrt(square) * peak;
    for (size_t a = 0; a < width; a++) row[a] /= length;
}

un_status un_import_attributes(un_dataset *d, const char *name, const double *values, size_t width,
                               char **attributes, un_scale scale) {
    size_t classes = d->class_count;
    double *scaled = NULL;
    char *original = NULL;
    if (scale == UN_SCALE_AS_GIVEN) return add(d, name, values, width, attributes);
    int ranged = scale == UN_SCALE_RANGE ||
                 (scale == UN_SCALE_AUTO && !shares_a_unit(values, classes, width));
    UN_TRY(un_alloc(classes * width, sizeof *scaled, &scaled));
    un_status status = UNSEEN_OK;
    memcpy(scaled, values, classes * width * sizeof *scaled);
    if (ranged) by_range(scaled, classes, width);
    for (size_t c = 0; c < classes; c++) to_length_1(scaled + c * width, width);
    UN_GO(add(d, name, scaled, width, attributes));
    UN_GO(un_format(&original, "original_%s", name));
    UN_GO(add(d, original, values, width, attributes));
    if (ranged)
        UN_GO(un_dataset_note(d,
                              "semantics \"%s\": the attributes do not share a unit, so each was "
                              "scaled to 0 to 1 over the classes; \"%s\" has them as given",
                              name, original));
done:
    free(scaled);
    free(original);
    return status;
}
