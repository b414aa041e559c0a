/* import_parts.c - what the imports share; see import_parts.h. */
#include "data/readers/import_parts.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "base/status.h"
#include "data/readers/text.h"
#include "data/split.h"

enum { PROPOSED_FOLDS = 3 };

/* ---- notes ---- */

static un_status add_note(un_dataset *dataset, unseen_log_level level, const char *format,
                          va_list arguments) {
    char text[UN_ERROR_LENGTH];
    un_sentence(text, sizeof text, format, arguments);
    for (size_t i = 0; i < json_array_size(dataset->notes); i++)
        if (strcmp(json_string_value(json_array_get(dataset->notes, i)), text) == 0)
            return UNSEEN_OK;
    un_log(level, "%s", text);
    if (!dataset->notes) dataset->notes = json_array();
    if (!dataset->notes) return un_fail_memory(0);
    json_t *note = json_string(text);
    if (!note) note = json_string("a note about the import could not be kept (not UTF-8)");
    return un_json_append(dataset->notes, note);
}

un_status un_dataset_note(un_dataset *dataset, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    un_status status = add_note(dataset, UNSEEN_LOG_WARNING, format, arguments);
    va_end(arguments);
    return status;
}

un_status un_dataset_note_expected(un_dataset *dataset, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    un_status status = add_note(dataset, UNSEEN_LOG_INFO, format, arguments);
    va_end(arguments);
    return status;
}

/* ---- lists of image numbers ---- */

int un_other_base(double low, double high, size_t limit, int base, int all) {
    double first = 1 - base;
    double last = first + (double)limit - 1;
    return all ? low == first && high == last : low >= first && high <= last;
}

void un_number_range(const double *values, size_t count, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        *low = fmin(*low, values[i]);
        *high = fmax(*high, values[i]);
    }
}

static const char *base_hint(const double *values, size_t count, size_t limit, int base) {
    double low = 0, high = 0;
    un_number_range(values, count, &low, &high);
    if (!un_other_base(low, high, limit, base, 0)) return "";
    return base == 1 ? " (is this list 0-based?)" : " (is this list 1-based?)";
}

un_status un_import_indices(const char *where, const char *name, const double *values, size_t count,
                            size_t limit, int base, un_arena *arena, un_index_list *out) {
    un_index_list list = {.count = count};
    UN_TRY(un_arena_alloc(arena, list.count, sizeof *list.items, &list.items));
    for (size_t i = 0; i < list.count; i++) {
        double x = values[i];
        if (!(x >= base) || x >= (double)limit + base || x != floor(x))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: entry %zu of \"%s\" is %g; image numbers are whole, from %d to "
                           "%lld%s",
                           where, i + 1, name, x, base, (long long)limit - 1 + base,
                           base_hint(values, count, limit, base));
        list.items[i] = (int64_t)x - base;
    }
    if (un_index_list_sort(&list) > 0) {
        size_t i = 1;
        while (list.items[i] != list.items[i - 1]) i++;
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" lists image %lld more than once", where, name,
                       (long long)list.items[i] + base);
    }
    *out = list;
    return UNSEEN_OK;
}

un_status un_mat_read_indices(un_mat *mat, const char *name, size_t limit, un_arena *arena,
                              un_index_list *out) {
    const un_mat_variable *v = NULL;
    double *values = NULL;
    const char *path = un_mat_path(mat);
    UN_TRY(un_mat_require(mat, name, UN_MAT_NUMERIC, &v));
    if (v->dims[0] != 1 && v->dims[1] != 1 && v->dims[0] * v->dims[1] != 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is a matrix of %zu x %zu, expected one column",
                       path, name, v->dims[0], v->dims[1]);
    UN_TRY(un_mat_read_double(mat, name, &values));
    un_status status =
        un_import_indices(path, name, values, v->dims[0] * v->dims[1], limit, 1, arena, out);
    free(values);
    return status;
}

un_status un_import_numbered(un_mat *mat, const char *name, un_dataset *dataset,
                             const un_numbering *numbering, un_index_list *out) {
    size_t limit = numbering ? numbering->count : dataset->image_count;
    UN_TRY(un_mat_read_indices(mat, name, limit, &dataset->arena, out));
    if (!numbering) return UNSEEN_OK;
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        int64_t place = numbering->place[out->items[i]];
        if (place >= 0) out->items[kept++] = place;
    }
    out->count = kept;
    (void)un_index_list_sort(out); /* distinct numbers have distinct places */
    return UNSEEN_OK;
}

/* ---- validation folds ---- */

static int has_lists(const un_mat *mat) {
    return un_mat_find(mat, "train_loc") && un_mat_find(mat, "val_loc");
}

static un_status add_lists(un_dataset *dataset, un_mat *mat, const un_numbering *numbering) {
    un_index_list train = {0};
    un_index_list val = {0};
    char *base = NULL;
    char *source = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_import_numbered(mat, "train_loc", dataset, numbering, &train));
    UN_GO(un_import_numbered(mat, "val_loc", dataset, numbering, &val));
    UN_GO(un_path_base(un_mat_path(mat), &base));
    UN_GO(un_format(&source, "%s train_loc/val_loc", base));
    UN_GO(un_fold_add_lists(dataset, source, &train, &val));
done:
    free(base);
    free(source);
    return status;
}

/* valclasses1.txt and on: lists that were published for the whole benchmark. */
static int is_published(const char *base) {
    static const char STEM[] = "valclasses";
    return !strncmp(base, STEM, sizeof STEM - 1) && base[sizeof STEM - 1] >= '0' &&
           base[sizeof STEM - 1] <= '9' && !strcmp(base + sizeof STEM, ".txt");
}

/* Drops the names that a data set restricted to some classes does not have; none
 * if it has none of them, which is a mistake to be told. Notes how many. */
static un_status drop_absent(un_dataset *dataset, const char *base, char **names, size_t *count) {
    un_name_index index;
    un_name_report report;
    size_t *map = NULL;
    size_t kept = 0;
    UN_TRY(un_name_index_make(&index, dataset->classes, dataset->class_count));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(*count, sizeof *map, &map));
    UN_GO(un_names_match(&index, names, *count, map, &report));
    size_t absent = report.missing.count;
    if (absent == 0 || absent == *count) goto done;
    for (size_t i = 0; i < *count; i++)
        if (map[i] != UN_NO_NAME) names[kept++] = names[i];
    *count = kept;
    UN_GO(un_dataset_note(dataset,
                          "%s: %zu of its %zu classes are not in the data set and were "
                          "left out",
                          base, absent, absent + kept));
done:
    free(map);
    un_name_index_free(&index);
    return status;
}

static un_status add_class_list(un_dataset *dataset, const char *path) {
    char *base = NULL;
    char **names = NULL;
    size_t count = 0;
    UN_TRY(un_path_base(path, &base));
    un_status status = UNSEEN_OK;
    UN_GO(un_lines_read_names(path, &dataset->arena, &names, &count));
    if (is_published(base)) UN_GO(drop_absent(dataset, base, names, &count));
    UN_GO(un_import_resolve_classes(dataset, base, names, count));
    UN_GO(un_fold_add_classes(dataset, base, names, count));
done:
    free(base);
    return status;
}

static un_status add_named(un_dataset *dataset, const un_numbering *numbering, const char *path) {
    size_t length = strlen(path);
    int named_mat = length > 4 && !strcmp(path + length - 4, ".mat");
    if (!named_mat && !un_mat_is_at(path)) return add_class_list(dataset, path);
    un_mat *mat = NULL;
    UN_TRY(un_mat_open(&mat, path));
    un_status status = UNSEEN_OK;
    if (!has_lists(mat))
        status =
            un_fail(UNSEEN_E_FORMAT,
                    "%s has no train_loc and val_loc, so it cannot be used for validation", path);
    if (!status) status = add_lists(dataset, mat, numbering);
    un_mat_close(mat);
    return status;
}

/* valclasses<k>.txt beside the split file, if it is there. */
static un_status add_neighbour(un_dataset *dataset, const char *directory, int k, size_t *unused) {
    char *path = NULL;
    UN_TRY(un_format(&path, "%s/valclasses%d.txt", directory, k));
    un_status status = UNSEEN_OK;
    if (un_path_exists(path)) {
        if (!dataset->labels)
            (*unused)++;
        else if (add_class_list(dataset, path) != UNSEEN_OK)
            status = un_dataset_note(dataset, "a validation fold was left out: %s", un_error());
    }
    free(path);
    return status;
}

static un_status add_neighbours(un_dataset *dataset, const char *splits) {
    char *directory = NULL;
    size_t unused = 0;
    UN_TRY(un_path_directory(splits, &directory));
    un_status status = UNSEEN_OK;
    for (int k = 1; k <= 3 && !status; k++) status = add_neighbour(dataset, directory, k, &unused);
    free(directory);
    if (!status && unused > 0)
        status = un_dataset_note(dataset,
                                 "%zu class lists (valclasses1.txt and on) were not used: without "
                                 "features the classes of the images are not known",
                                 unused);
    return status;
}

un_status un_import_propose_folds(un_dataset *dataset) {
    if (!dataset->labels)
        return un_dataset_note(dataset, "no validation fold could be made: without features the "
                                        "classes of the images are not known");
    if (un_fold_propose(dataset, PROPOSED_FOLDS) != UNSEEN_OK)
        return un_dataset_note(dataset, "no validation fold could be made: %s", un_error());
    return UNSEEN_OK;
}

static un_status propose_for_published(un_dataset *dataset) {
    UN_TRY(un_import_propose_folds(dataset));
    if (dataset->fold_count == 0) return UNSEEN_OK;
    return un_dataset_note(dataset,
                           "no validation lists were published with this split: %zu folds were "
                           "proposed",
                           dataset->fold_count);
}

un_status un_import_validation(un_dataset *dataset, const un_published_lists *own, un_mat *splits,
                               const un_numbering *numbering, const char *const *files,
                               size_t count) {
    for (size_t i = 0; i < count; i++) UN_TRY(add_named(dataset, numbering, files[i]));
    if (own && un_fold_add_lists(dataset, own->source, &own->train, &own->val) != UNSEEN_OK)
        UN_TRY(un_dataset_note(dataset, "a validation fold was left out: %s", un_error()));
    if (splits && has_lists(splits) && add_lists(dataset, splits, numbering) != UNSEEN_OK)
        UN_TRY(un_dataset_note(dataset, "a validation fold was left out: %s", un_error()));
    if (splits) UN_TRY(add_neighbours(dataset, un_mat_path(splits)));
    un_fold_merge_equal(dataset);
    return dataset->fold_count > 0 ? UNSEEN_OK : propose_for_published(dataset);
}

/* ---- names of data set and classes ---- */

un_status un_import_name(un_dataset *dataset, const char *name, const char *output) {
    char *text = NULL;
    char *copy = NULL;
    if (name)
        UN_TRY(un_format(&text, "%s", name));
    else
        UN_TRY(un_path_base(output, &text));
    un_status status = un_arena_string(&dataset->arena, text, &copy);
    dataset->name = copy;
    free(text);
    return status;
}

un_status un_import_number_classes(un_dataset *d, const char *where) {
    UN_TRY(un_arena_alloc(&d->arena, d->class_count, sizeof *d->classes, &d->classes));
    for (size_t c = 0; c < d->class_count; c++) {
        char name[32];
        snprintf(name, sizeof name, "class_%03zu", c + 1);
        UN_TRY(un_arena_string(&d->arena, name, &d->classes[c]));
    }
    return un_dataset_note(d, "%s has no class names: classes are called class_001 to class_%03zu",
                           where, d->class_count);
}

un_status un_import_check_names(char *const *names, size_t count, const char *where, int base) {
    size_t from = (size_t)base, first = 0, second = 0;
    un_name_index index;
    for (size_t c = 0; c < count; c++)
        if (names[c][0] == 0)
            return un_fail(UNSEEN_E_FORMAT, "%s: the name of class %zu is empty", where, c + from);
    UN_TRY(un_name_index_make(&index, names, count));
    int repeats = un_name_index_repeats(&index, &first, &second);
    un_name_index_free(&index);
    if (!repeats) return UNSEEN_OK;
    return un_fail(
        UNSEEN_E_FORMAT,
        "%s: classes %zu and %zu are both called \"%.200s\"; every class needs a name of "
        "its own",
        where, first + from, second + from, names[first]);
}

un_status un_import_orient(un_dataset *d, un_mat *mat, const char *name, int which, size_t size) {
    if (!un_mat_orient(mat, name, which, size)) return UNSEEN_OK;
    return un_dataset_note(
        d,
        "%s: \"%s\" was not saved by MATLAB and lies the other way round; it was "
        "turned so that it has %zu %s",
        un_mat_path(mat), name, size, which ? "columns" : "rows");
}

/* ---- the three lists of a split ---- */

const char *const un_mat_list_names[3] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};
const char *const un_json_list_names[3] = {"trainval", "test_seen", "test_unseen"};

static un_status check_disjoint(const un_dataset *d, const un_list_origin *o) {
    const un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (int a = 0; a < 3; a++) {
        if (lists[a]->count == 0 && a == 0)
            return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty: there is nothing to learn from",
                           o->file, o->names[a]);
        if (lists[a]->count == 0)
            un_log(o->handed_in ? UNSEEN_LOG_INFO : UNSEEN_LOG_WARNING,
                   "%s: \"%s\" is empty: %s cannot be measured", o->file, o->names[a],
                   a == 1 ? "S and H" : "T1, U and H");
        for (int b = a + 1; b < 3; b++)
            for (size_t i = 0; i < lists[a]->count; i++)
                if (un_index_list_contains(lists[b], lists[a]->items[i]))
                    return un_fail(UNSEEN_E_FORMAT, "%s: image %lld is in both %s and %s", o->file,
                                   (long long)lists[a]->items[i] + o->base, o->names[a],
                                   o->names[b]);
    }
    return UNSEEN_OK;
}

/* An unseen class in the training images means lists and labels do not belong
 * together, or lists of another index base: no number computed from it is worth
 * anything. */
un_status un_import_check_lists(const un_dataset *d, const un_list_origin *o) {
    unsigned char *flags = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(check_disjoint(d, o));
    if (!d->labels) return UNSEEN_OK;
    UN_TRY(un_alloc(d->class_count, 2, &flags));
    un_dataset_classes_of(d, &d->trainval, flags);
    un_dataset_classes_of(d, &d->test_unseen, flags + d->class_count);
    for (size_t c = 0; c < d->class_count && !status; c++)
        if (flags[c] && flags[d->class_count + c])
            status = un_fail(UNSEEN_E_FORMAT, "%s: class \"%s\" has images in both %s and %s: %s",
                             o->file, d->classes[c], o->names[0], o->names[2], o->hint);
    free(flags);
    return status;
}

un_status un_import_note_unlisted(un_dataset *d, const char *file) {
    size_t listed = d->trainval.count + d->test_seen.count + d->test_unseen.count;
    if (listed == d->image_count) return UNSEEN_OK;
    return un_dataset_note(d, "%zu of %zu images are in none of the three lists of %s",
                           d->image_count - listed, d->image_count, file);
}

/* ---- features ---- */

/* Copies `file`'s last part without the suffix. */
static un_status stem(const char *file, const char *suffix, char **out) {
    UN_TRY(un_path_base(file, out));
    size_t length = strlen(*out);
    size_t tail = strlen(suffix);
    if (length > tail && !strcmp(*out + length - tail, suffix)) (*out)[length - tail] = 0;
    return UNSEEN_OK;
}

static un_status feature_path(const char *partial, const char *name, const char *file,
                              const char *suffix, char **out) {
    char *text = NULL;
    char *folder = NULL;
    un_status status = UNSEEN_OK;
    if (name)
        UN_GO(un_format(&text, "%s", name));
    else
        UN_GO(stem(file, suffix, &text));
    if (text[0] == 0 || text[0] == '.' || strchr(text, '/'))
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "\"%s\" cannot be the name of a feature set", text));
    UN_GO(un_path_join(partial, "features", &folder));
    UN_GO(un_directory_make(folder));
    UN_GO(un_format(out, "%s/%s.safetensors", folder, text));
done:
    free(text);
    free(folder);
    return status;
}

un_status un_import_features(const char *partial, const un_import_store *store,
                             un_status (*copy)(void *user, un_features_writer *writer),
                             void *user) {
    un_features_description description = store->description;
    un_features_writer *writer = NULL;
    char *path = NULL, *source = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_base(store->file, &source));
    UN_GO(feature_path(partial, store->name, store->file, store->suffix, &path));
    description.source = source;
    UN_GO(un_features_writer_open(&writer, path, &description));
    status = copy(user, writer);
    if (status && !strstr(un_error(), store->file))
        status = un_fail_prefix(status, "%s", store->file);
    if (status) goto done;
    status = un_features_writer_commit(writer);
    writer = NULL;
done:
    un_features_writer_abort(writer);
    free(path);
    free(source);
    return status;
}

/* ---- names as other files spell them ---- */

void un_import_tidy_path(char *path) {
    char *to = path;
    for (char *at = path; *at; at++)
        if (*at == '\\') *at = '/';
    for (const char *from = path; *from;) {
        int begins = to == path || to[-1] == '/';
        if (begins && from[0] == '/' && to != path)
            from++;
        else if (begins && from[0] == '.' && from[1] == '/')
            from += 2;
        else
            *to++ = *from++;
    }
    *to = 0;
}

un_status un_import_resolve_classes(un_dataset *d, const char *where, char **names, size_t count) {
    un_name_index index;
    un_name_report report;
    size_t *map = NULL;
    UN_TRY(un_name_index_make(&index, d->classes, d->class_count));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(count, sizeof *map, &map));
    UN_GO(un_names_match(&index, names, count, map, &report));
    if (report.missing.count > 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: there is no class %s%s", where, report.missing.text,
                      un_name_list_more(&report.missing)));
    if (report.alike.count > 0)
        UN_GO(un_dataset_note(d, "%s: names that are spelt otherwise are taken as %s%s", where,
                              report.alike.text, un_name_list_more(&report.alike)));
    for (size_t i = 0; i < count; i++) names[i] = d->classes[map[i]];
done:
    free(map);
    un_name_index_free(&index);
    return status;
}
