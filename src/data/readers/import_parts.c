/* import_parts.c - what the importers share; see import_parts.h. */
#include "data/readers/import_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
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

static un_status check_disjoint(const un_dataset *d, const char *const *names, const char *where,
                                int base) {
    const un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (int a = 0; a < 3; a++) {
        if (lists[a]->count == 0)
            return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty", where, names[a]);
        for (int b = a + 1; b < 3; b++)
            for (size_t i = 0; i < lists[a]->count; i++)
                if (un_index_list_contains(lists[b], lists[a]->items[i]))
                    return un_fail(UNSEEN_E_FORMAT, "%s: image %lld is in both %s and %s", where,
                                   (long long)lists[a]->items[i] + base, names[a], names[b]);
    }
    return UNSEEN_OK;
}

/* An unseen class in the training images means lists and labels do not belong
 * together, or lists of another index base: no number computed from it is worth
 * anything. */
un_status un_import_check_lists(const un_dataset *d, const char *where, const char *hint,
                                int base) {
    static const char *const names[] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};
    unsigned char *flags = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(check_disjoint(d, names, where, base));
    if (!d->labels) return UNSEEN_OK;
    UN_TRY(un_alloc(d->class_count, 2, &flags));
    un_dataset_classes_of(d, &d->trainval, flags);
    un_dataset_classes_of(d, &d->test_unseen, flags + d->class_count);
    for (size_t c = 0; c < d->class_count && !status; c++)
        if (flags[c] && flags[d->class_count + c])
            status = un_fail(UNSEEN_E_FORMAT,
                             "class \"%s\" has images in both trainval_loc and test_unseen_loc: %s",
                             d->classes[c], hint);
    free(flags);
    return status;
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
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        UN_GO(un_fail_errno(errno, "cannot make the directory %s", folder));
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
    for (const char *from = path; *from; from++)
        if (from[0] != '/' || from[1] != '/') *to++ = *from;
    *to = 0;
}

void un_name_list_add(un_name_list *list, const char *name, size_t most) {
    size_t room = sizeof list->text - list->used;
    list->count++;
    if (list->told >= most || strlen(name) + 5 > room) return;
    list->used += (size_t)snprintf(list->text + list->used, room, "%s\"%s\"",
                                   list->told > 0 ? ", " : "", name);
    list->told++;
}

const char *un_name_list_more(const un_name_list *list) {
    return list->told < list->count ? " and more" : "";
}
