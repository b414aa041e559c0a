/*
 * check.c - verifying a data set directory; see check.h.
 *
 * Opening has already refused what would make indexing unsafe; here is what makes
 * results wrong.
 */
#include "data/check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/names.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "data/split.h"

/* Rows this near to length 1 count as normalised. */
static const double UNIT_TOLERANCE = 1e-3;

/* ---- lists, classes, names ---- */

static size_t repeated_entries(const un_index_list *list) {
    size_t n = 0;
    for (size_t i = 1; i < list->count; i++) n += list->items[i] == list->items[i - 1];
    return n;
}

static size_t common_entries(const un_index_list *a, const un_index_list *b) {
    size_t n = 0;
    for (size_t i = 0; i < a->count; i++) n += un_index_list_contains(b, a->items[i]) != 0;
    return n;
}

/* The three lists: no repetition, no image in two, together all images. */
static un_status check_lists(un_checker *c) {
    const un_dataset *d = c->dataset;
    const un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    static const char *const names[] = {"trainval", "test_seen", "test_unseen"};
    unsigned char *used = NULL;
    size_t covered = 0;
    UN_TRY(un_alloc(d->image_count, 1, &used));
    un_status status = UNSEEN_OK;
    static const char *const unknown[] = {NULL, "S and H", "T1, U and H"};
    for (size_t a = 0; a < 3; a++) {
        if (lists[a]->count == 0 && a == 0)
            UN_GO(un_check_say(c->errors, "%s is empty: there is nothing to learn from", names[a]));
        else if (lists[a]->count == 0)
            UN_GO(un_check_say(c->warnings, "%s is empty: %s cannot be measured", names[a],
                               unknown[a]));
        size_t repeated = repeated_entries(lists[a]);
        if (repeated > 0)
            UN_GO(
                un_check_say(c->errors, "%s lists %zu images more than once", names[a], repeated));
        for (size_t b = a + 1; b < 3; b++) {
            size_t common = common_entries(lists[a], lists[b]);
            if (common > 0)
                UN_GO(un_check_say(c->errors, "%zu images are in both %s and %s", common, names[a],
                                   names[b]));
        }
        for (size_t i = 0; i < lists[a]->count; i++) used[lists[a]->items[i]] = 1;
    }
    for (size_t i = 0; i < d->image_count; i++) covered += used[i];
    if (covered < d->image_count)
        UN_GO(un_check_say(c->warnings,
                           "%zu of %zu images are in none of trainval, test_seen and test_unseen",
                           d->image_count - covered, d->image_count));
done:
    free(used);
    return status;
}

static size_t count_flags(const unsigned char *flags, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++) count += flags[i];
    return count;
}

/* Which classes are seen, unseen, both, or without images. */
static un_status check_class_roles(un_checker *c, const unsigned char *seen,
                                   const unsigned char *unseen, const unsigned char *tested) {
    const un_dataset *d = c->dataset;
    for (size_t k = 0; k < d->class_count; k++) {
        const char *name = d->classes[k];
        if (seen[k] && unseen[k])
            UN_TRY(un_check_say(c->errors,
                                "class \"%s\" has images in both trainval and test_unseen; are the "
                                "index lists 1-based and of this version of the images?",
                                name));
        if (tested[k] && !seen[k])
            UN_TRY(un_check_say(c->errors,
                                "class \"%s\" has images in test_seen but none in trainval", name));
        if (seen[k] && !tested[k])
            UN_TRY(un_check_say(c->warnings, "seen class \"%s\" has no images in test_seen", name));
        if (!seen[k] && !unseen[k])
            UN_TRY(un_check_say(
                c->warnings, "class \"%s\" has images in neither trainval nor test_unseen", name));
    }
    return UNSEEN_OK;
}

static un_status check_classes(un_checker *c) {
    const un_dataset *d = c->dataset;
    unsigned char *flags = NULL;
    size_t n = d->class_count;
    if (!d->labels)
        return un_check_say(c->not_verified,
                            "which classes are seen and unseen: the labels of the images are "
                            "unknown (imported without features)");
    UN_TRY(un_alloc(n, 3, &flags));
    un_status status = UNSEEN_OK;
    un_dataset_classes_of(d, &d->trainval, flags);
    un_dataset_classes_of(d, &d->test_unseen, flags + n);
    un_dataset_classes_of(d, &d->test_seen, flags + 2 * n);
    json_int_t seen = (json_int_t)count_flags(flags, n);
    json_int_t unseen = (json_int_t)count_flags(flags + n, n);
    UN_GO(un_json_set(c->report, "seen_classes", json_integer(seen)));
    UN_GO(un_json_set(c->report, "unseen_classes", json_integer(unseen)));
    UN_GO(check_class_roles(c, flags, flags + n, flags + 2 * n));
done:
    free(flags);
    return status;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names that occur more than once; the first is named. */
static un_status check_unique(un_checker *c, char *const *names, size_t n, const char *what) {
    char **sorted = NULL;
    size_t repeated = 0;
    const char *example = NULL;
    UN_TRY(un_alloc(n, sizeof *sorted, &sorted));
    if (n > 0) memcpy(sorted, names, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_text);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(sorted[i], sorted[i - 1]) != 0) continue;
        if (!example) example = sorted[i];
        repeated++;
    }
    un_status status = UNSEEN_OK;
    if (repeated > 0)
        status = un_check_say(c->errors, "%zu %s names occur more than once, \"%s\" for one",
                              repeated, what, example);
    free(sorted);
    return status;
}

static un_status check_names(un_checker *c) {
    const un_dataset *d = c->dataset;
    UN_TRY(check_unique(c, d->classes, d->class_count, "class"));
    if (d->images) return check_unique(c, d->images, d->image_count, "image");
    return un_check_say(c->not_verified, "image names: they are unknown");
}

/* ---- classes whose descriptions differ in length only ---- */

typedef struct {
    double place, length; /* along the direction, of the unit vector; of the row */
    size_t class;
} projected;

static int by_place(const void *a, const void *b) {
    const projected *x = a, *y = b;
    if (x->place != y->place) return x->place < y->place ? -1 : 1;
    return (x->class > y->class) - (x->class < y->class);
}

static int by_class(const void *a, const void *b) {
    const size_t *x = a, *y = b;
    if (x[0] != y[0]) return x[0] < y[0] ? -1 : 1;
    return (x[1] > y[1]) - (x[1] < y[1]);
}

/* Rows that have a direction; returns how many. */
static size_t project(const float *values, size_t C, size_t A, const double *direction,
                      projected *out) {
    size_t n = 0;
    for (size_t c = 0; c < C; c++) {
        double square = 0, dot = 0;
        for (size_t a = 0; a < A; a++) {
            double x = (double)values[c * A + a];
            square += x * x;
            dot += x * direction[a];
        }
        double length = sqrt(square);
        if (length > 0 && isfinite(length)) out[n++] = (projected){dot / length, length, c};
    }
    return n;
}

static int is_near(const float *values, size_t A, const projected *x, const projected *y) {
    double square = 0;
    for (size_t a = 0; a < A; a++) {
        double gap = (double)values[x->class * A + a] / x->length -
                     (double)values[y->class * A + a] / y->length;
        square += gap * gap;
    }
    return square <= UN_ALIKE_DISTANCE * UN_ALIKE_DISTANCE;
}

un_status un_alike_find(const float *values, size_t C, size_t A, size_t most, un_alike *out) {
    projected *rows = NULL;
    double *direction = NULL, square = 0;
    un_status status = UNSEEN_OK;
    *out = (un_alike){0};
    UN_GO(un_alloc(most, sizeof *out->pair, (void *)&out->pair));
    UN_GO(un_alloc(C, sizeof *rows, &rows));
    UN_GO(un_alloc(A, sizeof *direction, &direction));
    un_rng rng = un_rng_stream(1, "alike", 0);
    for (size_t a = 0; a < A; a++) {
        direction[a] = un_rng_normal(&rng);
        square += direction[a] * direction[a];
    }
    for (size_t a = 0; a < A; a++) direction[a] /= sqrt(square);
    size_t n = project(values, C, A, direction, rows);
    qsort(rows, n, sizeof *rows, by_place);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && rows[j].place - rows[i].place <= UN_ALIKE_DISTANCE; j++) {
            size_t a = rows[i].class, b = rows[j].class;
            if (out->count == most || !is_near(values, A, &rows[i], &rows[j])) continue;
            out->pair[out->count][0] = a < b ? a : b;
            out->pair[out->count++][1] = a < b ? b : a;
        }
    if (out->count > 0) qsort(out->pair, out->count, sizeof *out->pair, by_class);
done:
    free(direction);
    free(rows);
    if (status) un_alike_free(out);
    return status;
}

void un_alike_free(un_alike *alike) {
    free(alike->pair);
    *alike = (un_alike){0};
}

/* ---- semantics ---- */

typedef struct {
    const float *row;
    size_t width;
    size_t index;
} sortable_row;

static int by_row(const void *a, const void *b) {
    const sortable_row *x = a;
    const sortable_row *y = b;
    int order = memcmp(x->row, y->row, x->width * sizeof *x->row);
    return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static un_status check_equal_rows(un_checker *c, const un_semantics *s) {
    const un_dataset *d = c->dataset;
    sortable_row *rows = NULL;
    UN_TRY(un_alloc(d->class_count, sizeof *rows, &rows));
    for (size_t k = 0; k < d->class_count; k++)
        rows[k] = (sortable_row){s->values + k * s->width, s->width, k};
    qsort(rows, d->class_count, sizeof *rows, by_row);
    un_status status = UNSEEN_OK;
    for (size_t k = 1; k < d->class_count && !status; k++)
        if (!memcmp(rows[k].row, rows[k - 1].row, s->width * sizeof *s->values))
            status =
                un_check_say(c->errors,
                             "classes \"%s\" and \"%s\" have equal rows in semantics \"%s\": "
                             "nothing can tell them apart",
                             d->classes[rows[k - 1].index], d->classes[rows[k].index], s->name);
    free(rows);
    return status;
}

/* Rows that differ, but in length only. */
static un_status check_alike_rows(un_checker *c, const un_semantics *s) {
    enum { MOST = 20 };
    const un_dataset *d = c->dataset;
    un_alike alike;
    UN_TRY(un_alike_find(s->values, d->class_count, s->width, MOST, &alike));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < alike.count && !status; i++) {
        size_t a = alike.pair[i][0], b = alike.pair[i][1];
        if (!memcmp(s->values + a * s->width, s->values + b * s->width,
                    s->width * sizeof *s->values))
            continue; /* told already */
        status = un_check_say(c->warnings,
                              "the rows of classes \"%s\" and \"%s\" in semantics \"%s\" differ "
                              "in length only: methods that bring rows to length 1 cannot tell "
                              "them apart",
                              d->classes[a], d->classes[b], s->name);
    }
    un_alike_free(&alike);
    return status;
}

/* Whether the semantics are the values as given of others, which are looked at themselves. */
static int is_original(const un_dataset *d, const char *name) {
    static const char PREFIX[] = "original_";
    return !strncmp(name, PREFIX, sizeof PREFIX - 1) &&
           un_dataset_semantics(d, name + sizeof PREFIX - 1) != NULL;
}

/* Attributes that are equal for all classes: as given, where that is known. */
static un_status check_constant(un_checker *c, const un_semantics *s) {
    enum { TOLD = 5 };
    size_t n = c->dataset->class_count;
    un_name_list told = {0};
    for (size_t a = 0; a < s->width && n > 1 && !is_original(c->dataset, s->name); a++) {
        int equal = s->scaling ? s->scaling->least[a] == s->scaling->largest[a] : 1;
        for (size_t k = 1; k < n && equal && !s->scaling; k++)
            equal = memcmp(&s->values[k * s->width + a], &s->values[a], sizeof *s->values) == 0;
        if (!equal) continue;
        if (s->attributes)
            un_name_list_add(&told, s->attributes[a], TOLD);
        else
            un_name_list_say(&told, TOLD, "%zu", a);
    }
    if (told.count == 0) return UNSEEN_OK;
    return un_check_say(c->warnings,
                        "semantics \"%s\": %zu attribute%s the same for all classes and teach%s "
                        "nothing: %s%s",
                        s->name, told.count, told.count == 1 ? " is" : "s are",
                        told.count == 1 ? "es" : "", told.text, un_name_list_more(&told));
}

static un_status check_one_semantics(un_checker *c, const un_semantics *s, json_t *list) {
    const un_dataset *d = c->dataset;
    double low = INFINITY;
    double high = -INFINITY;
    int unit = 1;
    for (size_t k = 0; k < d->class_count; k++) {
        double square = 0;
        for (size_t a = 0; a < s->width; a++) {
            double x = (double)s->values[k * s->width + a];
            if (!isfinite(x))
                return un_check_say(c->errors,
                                    "semantics \"%s\": attribute %zu of class \"%s\" is not a "
                                    "finite number",
                                    s->name, a, d->classes[k]);
            low = x < low ? x : low;
            high = x > high ? x : high;
            square += x * x;
        }
        if (square == 0)
            UN_TRY(un_check_say(c->warnings, "semantics \"%s\": class \"%s\" is all zero", s->name,
                                d->classes[k]));
        unit = unit && fabs(sqrt(square) - 1) <= UNIT_TOLERANCE;
    }
    UN_TRY(un_json_append(list, json_pack("{s:s, s:I, s:f, s:f, s:b}", "name", s->name, "width",
                                          (json_int_t)s->width, "min", low, "max", high,
                                          "unit_rows", unit)));
    UN_TRY(check_constant(c, s));
    UN_TRY(check_equal_rows(c, s));
    return check_alike_rows(c, s);
}

static un_status check_semantics(un_checker *c) {
    json_t *list = json_array();
    UN_TRY(un_json_set(c->report, "semantics", list));
    if (c->dataset->semantics_count == 0)
        UN_TRY(
            un_check_say(c->errors, "there are no semantics: unseen classes have no description"));
    for (size_t i = 0; i < c->dataset->semantics_count; i++)
        UN_TRY(check_one_semantics(c, &c->dataset->semantics[i], list));
    return UNSEEN_OK;
}

/* ---- folds ---- */

static un_status check_fold_lists(un_checker *c, size_t number, const un_fold *f) {
    const un_dataset *d = c->dataset;
    const un_index_list *lists[] = {&f->train, &f->seen, &f->unseen};
    static const char *const names[] = {"train", "seen", "unseen"};
    for (size_t a = 0; a < 3; a++) {
        size_t outside = lists[a]->count - common_entries(lists[a], &d->trainval);
        if (outside > 0)
            UN_TRY(un_check_say(c->errors,
                                "fold %zu: %zu images of its %s list are not in trainval", number,
                                outside, names[a]));
        if (repeated_entries(lists[a]) > 0)
            UN_TRY(
                un_check_say(c->errors, "fold %zu: its %s list repeats images", number, names[a]));
        for (size_t b = a + 1; b < 3; b++)
            if (common_entries(lists[a], lists[b]) > 0)
                UN_TRY(un_check_say(c->errors, "fold %zu: its %s and %s lists share images", number,
                                    names[a], names[b]));
    }
    if (f->train.count == 0 || f->unseen.count == 0)
        UN_TRY(un_check_say(c->errors, "fold %zu has nothing to train or to validate on", number));
    return UNSEEN_OK;
}

/* The classes that play unseen must not be trained on. */
static un_status check_fold_classes(un_checker *c, size_t number, const un_fold *f) {
    const un_dataset *d = c->dataset;
    unsigned char *flags = NULL;
    if (!d->labels) return UNSEEN_OK;
    UN_TRY(un_alloc(d->class_count, 2, &flags));
    un_dataset_classes_of(d, &f->train, flags);
    un_dataset_classes_of(d, &f->unseen, flags + d->class_count);
    un_status status = UNSEEN_OK;
    for (size_t k = 0; k < d->class_count && !status; k++)
        if (flags[k] && flags[d->class_count + k])
            status = un_check_say(c->errors,
                                  "fold %zu: class \"%s\" is trained on and plays an unseen class",
                                  number, d->classes[k]);
    free(flags);
    return status;
}

static un_status check_folds(un_checker *c) {
    json_t *list = json_array();
    UN_TRY(un_json_set(c->report, "folds", list));
    for (size_t k = 0; k < c->dataset->fold_count; k++) {
        const un_fold *f = &c->dataset->folds[k];
        json_t *classes =
            c->dataset->labels ? json_integer((json_int_t)f->class_count) : json_null();
        json_t *fold = json_pack(
            "{s:s, s:b, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "source", f->source, "proposed",
            f->proposed, "classes", classes, "train", (json_int_t)f->train.count, "seen",
            (json_int_t)f->seen.count, "unseen", (json_int_t)f->unseen.count, "listed_train",
            (json_int_t)f->listed_train, "listed_val", (json_int_t)f->listed_val, "leaked_train",
            (json_int_t)f->leaked_train, "leaked_val", (json_int_t)f->leaked_val);
        UN_TRY(un_json_append(list, fold));
        UN_TRY(check_fold_lists(c, k + 1, f));
        UN_TRY(check_fold_classes(c, k + 1, f));
    }
    if (c->dataset->fold_count > 0) return UNSEEN_OK;
    return un_check_say(c->warnings,
                        "there is no validation fold: nothing can be selected honestly");
}

/* ---- the report ---- */

static un_status describe(un_checker *c) {
    const un_dataset *d = c->dataset;
    const char *known = un_split_known_name(d->split_hash);
    const struct {
        const char *key;
        size_t value;
    } numbers[] = {{"images", d->image_count},
                   {"classes", d->class_count},
                   {"trainval", d->trainval.count},
                   {"test_seen", d->test_seen.count},
                   {"test_unseen", d->test_unseen.count}};
    UN_TRY(un_json_set(c->report, "name", json_string(d->name)));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        UN_TRY(un_json_set(c->report, numbers[i].key, json_integer((json_int_t)numbers[i].value)));
        if (i != 1) continue; /* unknown without labels; check_classes fills them in */
        UN_TRY(un_json_set(c->report, "seen_classes", json_null()));
        UN_TRY(un_json_set(c->report, "unseen_classes", json_null()));
    }
    UN_TRY(un_json_set(c->report, "split_hash", json_string(d->split_hash)));
    return un_json_set(c->report, "split_name", known ? json_string(known) : json_null());
}

static un_status run(un_checker *c) {
    UN_TRY(describe(c));
    UN_TRY(check_classes(c));
    UN_TRY(check_lists(c));
    UN_TRY(check_names(c));
    UN_TRY(check_semantics(c));
    UN_TRY(un_check_pictures(c));
    UN_TRY(un_check_features(c));
    free(c->pictures);
    c->pictures = NULL;
    UN_TRY(check_folds(c));
    json_t *notes = c->dataset->notes ? json_incref(c->dataset->notes) : json_array();
    UN_TRY(un_json_set(c->report, "notes", notes));
    UN_TRY(un_json_set(c->report, "errors", json_incref(c->errors)));
    UN_TRY(un_json_set(c->report, "warnings", json_incref(c->warnings)));
    return un_json_set(c->report, "not_verified", json_incref(c->not_verified));
}

un_status un_check_dataset(const un_dataset *dataset, json_t **report) {
    un_checker c = {.dataset = dataset,
                    .report = json_object(),
                    .errors = json_array(),
                    .warnings = json_array(),
                    .not_verified = json_array()};
    un_status status = UNSEEN_OK;
    if (!c.report || !c.errors || !c.warnings || !c.not_verified) status = un_fail_memory(0);
    if (!status) status = run(&c);
    if (!status) *report = json_incref(c.report);
    free(c.pictures);
    json_decref(c.report);
    json_decref(c.errors);
    json_decref(c.warnings);
    json_decref(c.not_verified);
    return status;
}

un_status un_check(const char *directory, json_t **report) {
    un_dataset dataset;
    UN_TRY(un_dataset_open(&dataset, directory));
    un_status status = un_check_dataset(&dataset, report);
    un_dataset_close(&dataset);
    return status;
}
