/* import_parts.c - what the importers share; see import_parts.h. */
#include "data/readers/import_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "data/readers/validation.h"
#include "data/split.h"

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

/* ---- class names ---- */

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

/* ---- the three lists ---- */

const char *const un_mat_list_names[3] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};
const char *const un_json_list_names[3] = {"trainval", "test_seen", "test_unseen"};

static un_status check_disjoint(const un_dataset *d, const un_list_origin *o) {
    const un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (int a = 0; a < 3; a++) {
        if (lists[a]->count == 0 && a == 0)
            return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty: there is nothing to learn from",
                           o->file, o->names[a]);
        if (lists[a]->count == 0)
            un_log(UNSEEN_LOG_WARNING, "%s: \"%s\" is empty: %s cannot be measured", o->file,
                   o->names[a], a == 1 ? "S and H" : "T1, U and H");
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

void un_import_tidy_path(char *path) {
    char *to = path;
    for (char *at = path; *at; at++)
        if (*at == '\\') *at = '/';
    for (const char *from = path; *from; from++)
        if (from[0] != '/' || from[1] != '/') *to++ = *from;
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
