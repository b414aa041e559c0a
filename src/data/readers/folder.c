/* folder.c - importing a folder of pictures with a table of attributes; see picture_set.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "data/readers/import_parts.h"
#include "data/readers/picture_parts.h"
#include "data/readers/pictures.h"
#include "data/readers/table.h"

enum { NAMED = 5 };

typedef struct {
    const char *name;
    size_t row;
} named;

static int by_name(const void *a, const void *b) {
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

/* The row of the class whose folder the picture lies in. `sorted` holds the rows by name. */
static un_status find_row(const un_picture_set_options *o, const un_dataset *d, const named *sorted,
                          const char *picture, int32_t *out) {
    char *folder = NULL;
    UN_TRY(un_format(&folder, "%.*s", (int)strcspn(picture, "/"), picture));
    const named key = {folder, 0};
    const named *hit = bsearch(&key, sorted, d->class_count, sizeof *sorted, by_name);
    un_status status = UNSEEN_OK;
    if (hit) {
        *out = (int32_t)hit->row;
    } else {
        const char *nearest =
            un_nearest_name(folder, (const char *const *)d->classes, d->class_count);
        status = un_fail(UNSEEN_E_FORMAT, "the folder \"%.200s\" of %s has no row in %s%s%s%s",
                         folder, o->root, o->attributes, nearest ? "; did you mean \"" : "",
                         nearest ? nearest : "", nearest ? "\"?" : "");
    }
    free(folder);
    return status;
}

/* Takes the pictures that lie in folders; tells how many do not. */
static un_status take_pictures(un_picture_import *im) {
    const un_picture_set_options *o = im->options;
    un_dataset *d = &im->dataset;
    un_picture_list list;
    UN_TRY(un_import_image_root(d, o->root));
    UN_TRY(un_pictures_list(o->root, &d->arena, &list));
    d->images = list.names;
    for (size_t i = 0; i < list.count; i++)
        if (strchr(list.names[i], '/')) d->images[d->image_count++] = list.names[i];
    size_t outside = list.count - d->image_count;
    if (d->image_count == 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "there are no pictures in folders below %s; each class needs a folder of "
                       "its own%s",
                       o->root, outside > 0 ? " (pictures lie in the folder itself)" : "");
    if (outside > 0)
        UN_TRY(un_dataset_note(d, "%zu pictures in %s itself belong to no class and were left out",
                               outside, o->root));
    if (list.loops > 0)
        UN_TRY(un_dataset_note(
            d, "%zu links lead back to a folder above them and were not followed", list.loops));
    if (list.other > 0)
        UN_TRY(un_dataset_note(d, "%zu files that are no pictures by their names were left out",
                               list.other));
    return UNSEEN_OK;
}

static un_status label(un_picture_import *im) {
    un_dataset *d = &im->dataset;
    named *sorted = NULL;
    UN_TRY(un_alloc(d->class_count, sizeof *sorted, &sorted));
    for (size_t c = 0; c < d->class_count; c++) sorted[c] = (named){d->classes[c], c};
    qsort(sorted, d->class_count, sizeof *sorted, by_name);
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&d->arena, d->image_count, sizeof *d->labels, &d->labels));
    for (size_t i = 0; i < d->image_count; i++)
        UN_GO(find_row(im->options, d, sorted, d->images[i], &d->labels[i]));
done:
    free(sorted);
    return status;
}

/* Notes the classes that have a row and no pictures. */
static un_status tell_empty(un_dataset *d) {
    unsigned char *used = NULL;
    un_name_list empty = {0};
    UN_TRY(un_alloc(d->class_count, 1, &used));
    for (size_t i = 0; i < d->image_count; i++) used[d->labels[i]] = 1;
    for (size_t c = 0; c < d->class_count; c++)
        if (!used[c]) un_name_list_add(&empty, d->classes[c], NAMED);
    free(used);
    if (empty.count == 0) return UNSEEN_OK;
    return un_dataset_note(d,
                           "%zu classes of the table have no pictures (%s%s): they are unseen "
                           "classes that nothing tests",
                           empty.count, empty.text, un_name_list_more(&empty));
}

static un_status import_all(un_picture_import *im, const un_picture_set_options *options) {
    un_dataset *d = &im->dataset;
    un_table table;
    un_split_defaults defaults = {0};
    UN_TRY(un_picture_begin(im, options));
    if (!options->attributes)
        return un_fail(UNSEEN_E_ARGUMENT, "the table of classes and attributes is missing");
    UN_TRY(un_table_read(options->attributes, &d->arena, &table));
    d->class_count = table.rows;
    d->classes = table.names;
    UN_TRY(take_pictures(im));
    UN_TRY(label(im));
    UN_TRY(tell_empty(d));
    UN_TRY(un_import_attributes(d, "att", table.values, table.columns, table.attributes,
                                options->scale));
    UN_TRY(un_split_source_apply(&im->source, d, &defaults));
    return un_picture_complete(im);
}

un_status un_import_folder(const un_picture_set_options *options) {
    un_picture_import im = {.stage = {.lock = -1}};
    un_status status = import_all(&im, options);
    un_picture_end(&im);
    return status;
}
