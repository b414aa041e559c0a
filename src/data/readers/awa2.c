/* awa2.c - importing the folder of Animals with Attributes 2; see import.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "data/readers/import.h"
#include "data/readers/pictures.h"
#include "data/readers/text.h"

enum { MAX_NUMBER = 1 << 20 };

typedef struct {
    un_picture_import base;
    un_arena arena;
    char **classes; /* of classes.txt, in its order */
    size_t class_count;
    un_picture_list pictures;
    size_t *class_of; /* [pictures] place in classes.txt */
} importer;

/* Names behind numbers from 1: classes.txt, predicates.txt. */
static un_status read_numbered(importer *im, const char *file, un_arena *arena, char ***out,
                               size_t *count) {
    un_lines lines;
    char *line = NULL;
    UN_TRY(un_lines_open_in(&lines, im->base.options->root, file));
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(arena, un_lines_left(&lines), sizeof **out, out));
    for (*count = 0; un_lines_next(&lines, &line); (*count)++) {
        size_t number = 0;
        UN_GO(un_lines_whole(&lines, &line, *count + 1, *count + 1, &number));
        UN_GO(un_lines_text(&lines, line, &line));
        UN_GO(un_arena_string(arena, line, &(*out)[*count]));
    }
    if (*count == 0 || *count > MAX_NUMBER)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has %zu names", lines.path, *count));
done:
    un_lines_close(&lines);
    return status;
}

/* The class whose folder a picture lies in. */
static un_status find_class(importer *im, const char *picture, size_t *out) {
    const char *slash = strchr(picture, '/');
    size_t length = slash ? (size_t)(slash - picture) : 0;
    for (size_t c = 0; c < im->class_count && slash; c++) {
        *out = c;
        if (strlen(im->classes[c]) == length && !memcmp(im->classes[c], picture, length))
            return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_FORMAT,
                   "the picture JPEGImages/%.300s lies in no folder of a class of "
                   "classes.txt",
                   picture);
}

static un_status read_pictures(importer *im) {
    un_dataset *d = &im->base.dataset;
    char *folder = NULL;
    UN_TRY(un_path_join(im->base.options->root, "JPEGImages", &folder));
    un_status status = UNSEEN_OK;
    UN_GO(un_import_image_root(d, folder));
    UN_GO(un_pictures_list(folder, 0, &d->arena, &im->pictures));
    if (im->pictures.count == 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "there are no pictures below %s", folder));
    UN_GO(un_arena_alloc(&im->arena, im->pictures.count, sizeof *im->class_of, &im->class_of));
    d->image_count = im->pictures.count;
    d->images = im->pictures.names;
    for (size_t i = 0; i < im->pictures.count; i++)
        UN_GO(find_class(im, im->pictures.names[i], &im->class_of[i]));
done:
    free(folder);
    return status;
}

static un_status import_attributes(importer *im, const size_t *rows) {
    char **names = NULL;
    size_t width = 0;
    UN_TRY(read_numbered(im, "predicates.txt", &im->base.dataset.arena, &names, &width));
    return un_picture_attributes(&im->base, "predicate-matrix-continuous.txt", im->class_count,
                                 rows, names, width);
}

/* Largest number in the three lists of a MAT split. */
static un_status largest_number(importer *im, size_t *out) {
    static const char *const lists[] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};
    *out = 0;
    for (int l = 0; l < 3; l++) {
        un_index_list list;
        UN_TRY(un_mat_read_indices(im->base.source.mat, lists[l], INT32_MAX, &im->arena, &list));
        size_t last = list.count > 0 ? (size_t)list.items[list.count - 1] + 1 : 0;
        if (last > *out) *out = last;
    }
    return UNSEEN_OK;
}

/* The published numbers count the classes' folders in the order of their names, as far
 * as the split itself can tell (the runs of unseen images have the sizes of those
 * classes); inside a folder no published file without image names can tell. */
static un_status check_order(importer *im) {
    const un_split_options *o = &im->base.options->split;
    size_t largest = 0;
    if (!im->base.source.mat || o->image_files) return UNSEEN_OK;
    UN_TRY(largest_number(im, &largest));
    if (largest != im->base.dataset.image_count)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s counts %zu images, but %zu pictures are here; name a MAT file that "
                       "has their image_files ({--image-files} res101.mat), or leave the split "
                       "out",
                       o->file, largest, im->base.dataset.image_count);
    return un_dataset_note(&im->base.dataset,
                           "the numbers of the split were taken to count the pictures in the "
                           "order of their paths; {--image-files} would make it certain");
}

/* Classes of testclasses.txt that are here. */
static un_status read_test_classes(importer *im, un_split_defaults *defaults) {
    un_dataset *d = &im->base.dataset;
    char *path = NULL;
    char **names = NULL;
    size_t count = 0;
    size_t *map = NULL;
    un_name_index all = {0}, here = {0};
    un_name_report report;
    UN_TRY(un_path_join(im->base.options->root, "testclasses.txt", &path));
    un_status status = UNSEEN_OK;
    if (!un_path_exists(path)) goto done;
    UN_GO(un_lines_read_names(path, &im->arena, &names, &count));
    UN_GO(un_name_index_make(&all, im->classes, im->class_count));
    UN_GO(un_alloc(count, sizeof *map, &map));
    UN_GO(un_names_match(&all, names, count, map, &report));
    if (report.missing.count > 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: classes.txt has no class %s%s", path,
                      report.missing.text, un_name_list_more(&report.missing)));
    UN_GO(un_name_index_make(&here, d->classes, d->class_count));
    for (size_t i = 0; i < count; i++) {
        char *name = im->classes[map[i]];
        if (un_name_find(&here, name) != UN_NO_NAME) names[defaults->unseen_count++] = name;
    }
    defaults->unseen = names;
    defaults->unseen_where = "testclasses.txt";
done:
    un_name_index_free(&all);
    un_name_index_free(&here);
    free(map);
    free(path);
    return status;
}

static un_status import_all(importer *im, const un_picture_set_options *options) {
    size_t *rows = NULL;
    un_split_defaults defaults = {0};
    UN_TRY(un_picture_begin(&im->base, options));
    UN_TRY(read_numbered(im, "classes.txt", &im->arena, &im->classes, &im->class_count));
    UN_TRY(read_pictures(im));
    UN_TRY(un_picture_classes(&im->base, &im->arena, im->classes, im->class_count, im->class_of,
                              &rows));
    UN_TRY(import_attributes(im, rows));
    UN_TRY(check_order(im));
    UN_TRY(read_test_classes(im, &defaults));
    UN_TRY(un_split_source_apply(&im->base.source, &im->base.dataset, &defaults));
    return un_picture_complete(&im->base);
}

un_status un_import_awa2(const un_picture_set_options *options) {
    importer im = {.base = {.stage = UN_STAGE_NONE}};
    un_status status = import_all(&im, options);
    un_picture_end(&im.base);
    un_arena_free(&im.arena);
    return status;
}
