/* attributes.c - see attributes.h. */
#include "data/readers/attributes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "data/readers/import_parts.h"

enum { TOLD = 5, NAME = 100 };

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

/* The values of one import on their way. */
typedef struct {
    un_dataset *dataset;
    const char *name;
    double *values; /* [C, A] */
    size_t width;
    char **attributes; /* NULL: they have no names */
    const un_attribute_options *options;
} work;

/* What an attribute is called in a sentence. */
typedef struct {
    char text[120];
} label;

static label label_of(const work *w, size_t a) {
    label l;
    if (w->attributes)
        snprintf(l.text, sizeof l.text, "attribute \"%.*s\"", un_name_fit(w->attributes[a], NAME),
                 w->attributes[a]);
    else
        snprintf(l.text, sizeof l.text, "attribute %zu", a);
    return l;
}

/* ---- unknown values ---- */

/* The mean of the classes whose value is known. */
static un_status fill_column(const work *w, size_t a, un_name_list *told) {
    const un_dataset *d = w->dataset;
    double mean = 0;
    size_t known = 0;
    for (size_t c = 0; c < d->class_count; c++)
        if (!isnan(w->values[c * w->width + a]))
            mean += (w->values[c * w->width + a] - mean) / (double)++known;
    if (known == d->class_count) return UNSEEN_OK;
    if (known == 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "semantics \"%s\": %s is unknown for every class; leave it out", w->name,
                       label_of(w, a).text);
    for (size_t c = 0; c < d->class_count; c++) {
        if (!isnan(w->values[c * w->width + a])) continue;
        w->values[c * w->width + a] = mean;
        un_name_list_say(told, TOLD, "%s of \"%s\"", label_of(w, a).text, d->classes[c]);
    }
    return UNSEEN_OK;
}

static un_status fill_unknown(const work *w) {
    un_dataset *d = w->dataset;
    un_name_list told = {0};
    for (size_t c = 0; c < d->class_count; c++) {
        size_t known = 0;
        for (size_t a = 0; a < w->width; a++) known += isnan(w->values[c * w->width + a]) ? 0 : 1;
        if (known == 0)
            return un_fail(UNSEEN_E_FORMAT,
                           "semantics \"%s\": nothing is known of class \"%.200s\"", w->name,
                           d->classes[c]);
    }
    for (size_t a = 0; a < w->width; a++) UN_TRY(fill_column(w, a, &told));
    if (told.count == 0) return UNSEEN_OK;
    return un_dataset_note(d,
                           "semantics \"%s\": %zu unknown value%s got the mean of the other "
                           "classes: %s%s",
                           w->name, told.count, told.count == 1 ? "" : "s", told.text,
                           un_name_list_more(&told));
}

/* ---- whether attributes share a unit ---- */

/* What decides: extremes, and where they are. */
typedef struct {
    double low, high;       /* of all values that are not `ignored` */
    size_t lowest, highest; /* their places in values */
    size_t weakest;         /* the attribute with the smallest largest value that is not 0 */
    double least_peak;      /* that value; INFINITY: all are 0 */
    int fractions;          /* some value is no whole number */
} survey;

static survey survey_values(const work *w, double ignored) {
    survey s = {.low = INFINITY, .high = -INFINITY, .least_peak = INFINITY};
    for (size_t a = 0; a < w->width; a++) {
        double peak = -INFINITY;
        for (size_t c = 0; c < w->dataset->class_count; c++) {
            double x = w->values[c * w->width + a];
            if (x == ignored) continue;
            if (x < s.low) s.lowest = c * w->width + a;
            if (x > s.high) s.highest = c * w->width + a;
            s.low = fmin(s.low, x);
            s.high = fmax(s.high, x);
            peak = fmax(peak, x);
            s.fractions |= x != floor(x);
        }
        if (peak == 0 || peak >= s.least_peak || isinf(peak)) continue;
        s.least_peak = peak;
        s.weakest = a;
    }
    return s;
}

static int is_percent(const survey *s) {
    return s->low >= 0 && s->high > 1 && s->high <= 100 && s->least_peak > 1;
}

static int shares_a_unit(const survey *s) { return (s->low >= 0 && s->high <= 1) || is_percent(s); }

/* How to say that a value is unknown. */
static un_phrase remedy_for(const work *w, double value) {
    un_phrase way = un_worded("say {--unknown} ");
    size_t used = strlen(way.text);
    if (w->options->nan_is_unknown)
        snprintf(way.text, sizeof way.text, "make it NaN");
    else
        snprintf(way.text + used, sizeof way.text - used, "%g", value);
    return way;
}

/* A table in percent, or of shares, but for one negative number: somebody's "unknown". Among
 * whole numbers from -1 to 1 it is more likely a value: absent, undecided, present. */
static un_status ask_for_unknown(const work *w, const survey *all) {
    size_t count = 0;
    double odd = all->low;
    for (size_t i = 0; i < w->dataset->class_count * w->width; i++) count += w->values[i] == odd;
    const char *class = w->dataset->classes[all->lowest / w->width];
    survey rest = survey_values(w, odd);
    if (!(odd < 0) || !shares_a_unit(&rest) || !(is_percent(&rest) || rest.fractions))
        return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "semantics \"%s\": %zu value%s %g (%s of class \"%.*s\"%s), all others lie "
                   "in 0 to %d; if it means unknown, %s (it gets the mean of the other "
                   "classes), if it is a value, {--scale} range",
                   w->name, count, count == 1 ? " is" : "s are", odd,
                   label_of(w, all->lowest % w->width).text, un_name_fit(class, NAME), class,
                   count > 1 ? " is the first" : "", rest.high <= 1 ? 1 : 100,
                   remedy_for(w, odd).text);
}

/* Says that ranges were taken, and which value was the reason. */
static un_status report_range(const work *w, const survey *s) {
    char why[300] = "";
    size_t odd = s->low < 0 ? s->lowest : s->highest;
    const char *class = w->dataset->classes[odd / w->width];
    if (w->options->scale == UN_SCALE_AUTO && (s->low < 0 || s->high > 100))
        snprintf(why, sizeof why, " (%s is %g for class \"%.*s\")",
                 label_of(w, odd % w->width).text, w->values[odd], un_name_fit(class, NAME), class);
    else if (w->options->scale == UN_SCALE_AUTO)
        snprintf(why, sizeof why, " (%s has at most %g, others up to %g)",
                 label_of(w, s->weakest).text, s->least_peak, s->high);
    return un_dataset_note(w->dataset,
                           "semantics \"%s\": the attributes do not share a unit%s, so each was "
                           "scaled to 0 to 1 over the classes; \"original_%s\" has them as given",
                           w->name, why, w->name);
}

/* ---- numbers that stand for an unknown value ---- */

/* One end of a column: its value there, and what the others are. */
typedef struct {
    double value, low, high; /* `low` and `high` of the others */
    size_t count, first;     /* how often the value occurs, its first class */
} column_end;

static column_end end_of(const work *w, size_t a, int upper) {
    column_end e = {.value = w->values[a], .low = INFINITY, .high = -INFINITY};
    for (size_t c = 1; c < w->dataset->class_count; c++) {
        double x = w->values[c * w->width + a];
        if (upper ? x > e.value : x < e.value) e.value = x;
    }
    for (size_t c = w->dataset->class_count; c-- > 0;) {
        double x = w->values[c * w->width + a];
        if (x == e.value) {
            e.count++;
            e.first = c;
            continue;
        }
        e.low = fmin(e.low, x);
        e.high = fmax(e.high, x);
    }
    return e;
}

/* -1, and 99, 999 and so on of either sign: what people write where they do not know. */
static int is_usual_code(double x) {
    if (x == -1) return 1;
    for (double code = 99; code < 1e7; code = 10 * code + 9)
        if (fabs(x) == code) return 1;
    return 0;
}

/* Whether a value is so far from the others that it is hardly measured: the only negative one of
 * the usual codes in a column that has more than 0 and 1; else by how far the others spread. */
static int is_code(const column_end *e) {
    enum { FAR = 10 }; /* spreads of the others */
    double gap = e->value < e->low ? e->low - e->value : e->value - e->high;
    double spread = e->high - e->low;
    if (!(spread > 0)) return 0; /* one other value, or none */
    if (!is_usual_code(e->value)) return e->count > 1 && gap > FAR * spread;
    return gap > spread || (e->value < 0 && e->low >= 0 && e->high > 1);
}

/* A number that stands far outside its columns and repeats: says how it is named as unknown. */
static un_status report_codes(const work *w) {
    column_end *ends = NULL; /* [A, 2], count 0: no code */
    size_t most = 0, at = 0; /* of the one that occurs most often */
    UN_TRY(un_alloc(2 * w->width, sizeof *ends, &ends));
    for (size_t k = 0; k < 2 * w->width; k++) {
        ends[k] = end_of(w, k / 2, k % 2);
        if (!is_code(&ends[k])) ends[k].count = 0;
    }
    for (size_t k = 0; k < 2 * w->width; k++) {
        size_t count = 0;
        if (ends[k].count == 0 || (most > 0 && ends[k].value == ends[at].value)) continue;
        for (size_t i = k; i < 2 * w->width; i++)
            if (ends[i].value == ends[k].value) count += ends[i].count;
        if (count <= most) continue;
        most = count;
        at = k;
    }
    column_end e = ends[at];
    free(ends);
    if (most < 2) return UNSEEN_OK;
    const char *class = w->dataset->classes[e.first];
    return un_dataset_note(w->dataset,
                           "semantics \"%s\": %zu values are %g (%s of class \"%.*s\" is the "
                           "first), the others there lie in %g to %g; if it means unknown, %s "
                           "(it gets the mean of the other classes)",
                           w->name, most, e.value, label_of(w, at / 2).text,
                           un_name_fit(class, NAME), class, e.low, e.high,
                           remedy_for(w, e.value).text);
}

static un_status report_constant(const work *w) {
    un_name_list told = {0};
    for (size_t a = 0; a < w->width && w->dataset->class_count > 1; a++) {
        size_t c = 1;
        while (c < w->dataset->class_count && w->values[c * w->width + a] == w->values[a]) c++;
        if (c == w->dataset->class_count) un_name_list_say(&told, TOLD, "%s", label_of(w, a).text);
    }
    if (told.count == 0) return UNSEEN_OK;
    return un_dataset_note(w->dataset,
                           "semantics \"%s\": the same for all classes, so nothing can be learned "
                           "from it: %s%s",
                           w->name, told.text, un_name_list_more(&told));
}

/* Attributes like color_red and color_blue look grouped, but name no group: says how they would. */
static un_status report_groups(const work *w) {
    size_t repeated = 0, first = 0;
    for (size_t a = 0; a < w->width; a++) {
        size_t group = 0, length = strcspn(w->attributes[a], "_:/.");
        if (un_attribute_value(w->attributes[a], &group) != w->attributes[a]) return UNSEEN_OK;
        if (w->attributes[a][length] == 0 || length == 0) continue;
        for (size_t b = a > 0 ? a - 1 : a + 1; b < w->width && b <= a + 1; b += 2) {
            if (strncmp(w->attributes[a], w->attributes[b], length + 1) != 0) continue;
            if (repeated++ == 0) first = a; /* a neighbour has the same beginning */
            break;
        }
    }
    if (w->width < 4 || 4 * repeated < 3 * w->width) return UNSEEN_OK;
    const char *example = w->attributes[first];
    int group = (int)strcspn(example, "_:/.");
    return un_dataset_note(
        w->dataset,
        "semantics \"%s\": the attributes look grouped, but name no groups; to "
        "have them write \"%.*s::%s\" for \"%s\" (\"Tables of classes\" in the manual)",
        w->name, group, example, example + group + 1, example);
}

/* ---- adding ---- */

/* Whether one more semantics fits, and under this name. */
static un_status check_addition(const un_dataset *d, const char *name) {
    if (d->semantics_count == UN_MAX_SEMANTICS)
        return un_fail(UNSEEN_E_ARGUMENT, "a data set holds at most %d semantics",
                       UN_MAX_SEMANTICS);
    if (un_dataset_semantics(d, name))
        return un_fail(UNSEEN_E_ARGUMENT, "there are two semantics called \"%s\"; rename one",
                       name);
    return UNSEEN_OK;
}

/* One semantics from values as given. */
static un_status add(const work *w, const char *name, un_scaling_kind kind) {
    un_dataset *d = w->dataset;
    size_t width = w->width;
    char *copy = NULL;
    un_scaling *scaling = NULL;
    UN_TRY(check_addition(d, name));
    un_semantics *s = &d->semantics[d->semantics_count];
    UN_TRY(un_arena_string(&d->arena, name, &copy));
    UN_TRY(un_arena_alloc(&d->arena, 1, sizeof *scaling, &scaling));
    UN_TRY(un_scaling_measure(scaling, kind, w->values, d->class_count, width, &d->arena));
    UN_TRY(un_arena_alloc(&d->arena, w->options->unknown_count, sizeof *scaling->unknown,
                          &scaling->unknown));
    for (size_t i = 0; i < w->options->unknown_count; i++)
        UN_TRY(un_arena_string(&d->arena, w->options->unknown[i],
                               &scaling->unknown[scaling->unknown_count++]));
    *s = (un_semantics){
        .name = copy, .width = width, .attributes = w->attributes, .scaling = scaling};
    UN_TRY(un_arena_alloc(&d->arena, d->class_count * width, sizeof *s->values, &s->values));
    for (size_t c = 0; c < d->class_count; c++)
        un_scaling_apply(scaling, w->values + c * width, s->values + c * width);
    for (size_t i = 0; i < d->class_count * width; i++)
        if (!isfinite(s->values[i]))
            return un_fail(UNSEEN_E_FORMAT,
                           "semantics \"%s\": attribute %zu of class \"%s\" is not a finite number",
                           name, i % width, d->classes[i / width]);
    d->semantics_count++;
    return UNSEEN_OK;
}

/* The scaled ones, then those as given. */
static un_status add_both(const work *w) {
    char *original = NULL;
    survey s = survey_values(w, NAN);
    un_scale scale = w->options->scale;
    if (scale == UN_SCALE_AUTO && s.low < 0) UN_TRY(ask_for_unknown(w, &s));
    int ranged = scale == UN_SCALE_RANGE || (scale == UN_SCALE_AUTO && !shares_a_unit(&s));
    UN_TRY(un_format(&original, "original_%s", w->name));
    un_status status = UNSEEN_OK;
    UN_GO(add(w, w->name, ranged ? UN_SCALING_RANGE : UN_SCALING_UNIT));
    UN_GO(add(w, original, UN_SCALING_AS_GIVEN));
    if (ranged) UN_GO(report_range(w, &s));
    if (ranged) UN_GO(report_codes(w));
    UN_GO(report_constant(w));
    if (w->attributes) UN_GO(report_groups(w));
done:
    free(original);
    return status;
}

un_status un_import_attributes(un_dataset *d, const char *name, const double *values, size_t width,
                               char **attributes, const un_attribute_options *options) {
    work w = {
        .dataset = d, .name = name, .width = width, .attributes = attributes, .options = options};
    UN_TRY(un_alloc(d->class_count * width, sizeof *w.values, &w.values));
    memcpy(w.values, values, d->class_count * width * sizeof *w.values);
    un_status status = fill_unknown(&w);
    if (!status)
        status =
            options->scale == UN_SCALE_AS_GIVEN ? add(&w, name, UN_SCALING_AS_GIVEN) : add_both(&w);
    free(w.values);
    return status;
}

un_status un_mat_class_names(un_mat *mat, un_arena *arena, char ***names, size_t *count) {
    *count = 0;
    if (!un_mat_find(mat, "allclasses_names")) return UNSEEN_OK;
    UN_TRY(un_mat_read_strings(mat, "allclasses_names", arena, names, count));
    return un_import_check_names(*names, *count, un_mat_path(mat), 1);
}

un_status un_mat_add_semantics(un_dataset *d, un_mat *mat, const char *variable, const char *name,
                               int by_rows, const size_t *class_map) {
    const un_mat_variable *v = NULL;
    double *values = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_mat_require(mat, variable, UN_MAT_NUMERIC, &v));
    UN_TRY(check_addition(d, name));
    un_semantics *s = &d->semantics[d->semantics_count];
    *s = (un_semantics){.width = v->dims[by_rows ? 1 : 0]};
    size_t stride = by_rows ? v->dims[0] : 1; /* between the values of one class */
    char *copy = NULL;
    UN_GO(un_arena_string(&d->arena, name, &copy));
    UN_GO(un_mat_read_double(mat, variable, &values));
    UN_GO(un_arena_alloc(&d->arena, d->class_count * s->width, sizeof *s->values, &s->values));
    for (size_t c = 0; c < d->class_count; c++) {
        size_t base = by_rows ? class_map[c] : class_map[c] * s->width;
        for (size_t a = 0; a < s->width; a++) {
            float x = (float)values[base + a * stride];
            if (!isfinite(x))
                UN_GO(un_fail(UNSEEN_E_FORMAT,
                              "%s: \"%s\" is not a finite number for class \"%s\", attribute %zu",
                              un_mat_path(mat), variable, d->classes[c], a + 1));
            s->values[c * s->width + a] = x;
        }
    }
    s->name = copy;
    d->semantics_count++;
done:
    free(values);
    return status;
}

static un_status map_by_name(un_dataset *d, const char *path, char *const *names, size_t count,
                             size_t *map) {
    un_name_index index;
    un_name_report report;
    UN_TRY(un_name_index_make(&index, names, count));
    un_status status = un_names_match(&index, d->classes, d->class_count, map, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (report.missing.count > 0)
        return un_fail(UNSEEN_E_FORMAT, "%s has no class %s%s", path, report.missing.text,
                       un_name_list_more(&report.missing));
    if (report.alike.count == 0) return UNSEEN_OK;
    return un_dataset_note(d, "%s: classes that are spelt otherwise: %s%s", path, report.alike.text,
                           un_name_list_more(&report.alike));
}

/* Which of the `available` classes of a file each of ours is: by name where the
 * file names them, else by position, and then the numbers must agree. `other` is the matrix's
 * other side. */
static un_status map_classes(un_dataset *d, un_mat *mat, size_t available, size_t other,
                             size_t *map) {
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_mat_class_names(mat, &d->arena, &names, &count));
    if (count > 0 && count != available)
        return un_fail(UNSEEN_E_FORMAT, "%s: allclasses_names has %zu names for %zu classes%s",
                       un_mat_path(mat), count, available,
                       count == other ? "; the matrix seems to be transposed" : "");
    if (count == 0 && available != d->class_count)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s has %zu classes without names, the data set has %zu; they cannot be "
                       "matched%s",
                       un_mat_path(mat), available, d->class_count,
                       other == d->class_count ? "; the matrix seems to be transposed" : "");
    if (count > 0) return map_by_name(d, un_mat_path(mat), names, count, map);
    for (size_t c = 0; c < d->class_count; c++) map[c] = c;
    return UNSEEN_OK;
}

/* By the file's own names of classes, else by the number of ours. */
static un_status orient(un_dataset *d, un_mat *mat, const char *variable, int by_rows) {
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_mat_class_names(mat, &d->arena, &names, &count));
    return un_import_orient(d, mat, variable, by_rows ? 0 : 1, count ? count : d->class_count);
}

un_status un_import_semantics_file(un_dataset *d, const un_named_path *extra) {
    un_mat *mat = NULL;
    size_t *map = NULL;
    const un_mat_variable *v = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_mat_open(&mat, extra->path));
    int by_rows = !un_mat_find(mat, "att") && un_mat_find(mat, "embeddings");
    const char *variable = by_rows ? "embeddings" : "att";
    if (!un_mat_find(mat, variable))
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s has neither \"att\" (attributes x classes) nor \"embeddings\" (classes x "
                      "width)",
                      extra->path));
    UN_GO(orient(d, mat, variable, by_rows));
    UN_GO(un_mat_require(mat, variable, UN_MAT_NUMERIC, &v));
    if (v->dims[0] == 0 || v->dims[1] == 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty", extra->path, variable));
    UN_GO(un_alloc(d->class_count, sizeof *map, &map));
    UN_GO(map_classes(d, mat, v->dims[by_rows ? 0 : 1], v->dims[by_rows ? 1 : 0], map));
    UN_GO(un_mat_add_semantics(d, mat, variable, extra->name, by_rows, map));
    if (!un_mat_find(mat, "allclasses_names"))
        UN_GO(un_dataset_note(d,
                              "semantics \"%s\" were matched to the classes by position: their "
                              "file has no class names",
                              extra->name));
done:
    free(map);
    un_mat_close(mat);
    return status;
}
