/* folder.c - importing a folder of pictures with a table of attributes, and what it shares with the
 * imports of folders that have a layout of their own, cub.c and awa2.c; see import.h. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/names.h"
#include "data/readers/import.h"
#include "data/readers/import_parts.h"
#include "data/readers/pictures.h"
#include "data/readers/table.h"
#include "data/readers/text.h"

enum { NAMED = 5 };

/* ---- what the imports of folders of pictures share ---- */

/* Opens the stage; a data set that is there may be updated. */
static un_status open_stage(un_picture_import *import) {
    const un_picture_set_options *o = import->options;
    char *path = NULL;
    UN_TRY(un_path_join(o->output, "dataset.safetensors", &path));
    int there = un_path_exists(path);
    free(path);
    if (there && !o->update)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s is a data set already; {--update} makes it anew and keeps the "
                       "features of unchanged pictures; or choose another output directory",
                       o->output);
    if (!o->update) return un_stage_open(&import->stage, o->output);
    UN_TRY(un_stage_open_over(&import->stage, o->output, "import"));
    return import->stage.replaces ? un_update_check(import->stage.output) : UNSEEN_OK;
}

un_status un_picture_begin(un_picture_import *import, const un_picture_set_options *options) {
    *import = (un_picture_import){.options = options, .stage = UN_STAGE_NONE};
    if (!options->root || !options->output)
        return un_fail(UNSEEN_E_ARGUMENT, "an import needs a folder and an output directory");
    UN_TRY(open_stage(import));
    UN_TRY(un_import_name(&import->dataset, options->name, import->stage.output));
    return un_split_source_open(&import->source, &options->split);
}

un_status un_picture_complete(un_picture_import *import) {
    const un_picture_set_options *o = import->options;
    if (o->orientation) import->dataset.orientation = o->orientation;
    if (o->finish) UN_TRY(o->finish(&import->dataset, o->finish_user));
    UN_TRY(un_dataset_write(&import->dataset, import->stage.partial));
    if (import->stage.replaces)
        UN_TRY(un_update_features(&import->dataset, import->stage.output, import->stage.partial));
    UN_TRY(un_split_source_write(&import->source, &import->dataset));
    return un_stage_commit(&import->stage);
}

void un_picture_end(un_picture_import *import) {
    un_split_source_close(&import->source);
    un_dataset_close(&import->dataset);
    un_stage_abort(&import->stage);
}

/* A text file of rows x columns numbers, one row a line; released with free(). */
static un_status read_matrix(const char *root, const char *file, size_t rows, size_t columns,
                             double **out) {
    un_lines lines;
    double *values = NULL;
    char *line = NULL;
    size_t row = 0;
    UN_TRY(un_lines_open_in(&lines, root, file));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(rows * columns, sizeof *values, &values));
    for (; un_lines_next(&lines, &line); row++) {
        if (row == rows) UN_GO(un_lines_wrong(&lines, "there are more rows than classes"));
        for (size_t a = 0; a < columns; a++)
            UN_GO(un_lines_number(&lines, &line, &values[row * columns + a]));
        UN_GO(un_lines_end(&lines, line));
    }
    if (row < rows)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has %zu rows for %zu classes", lines.path, row, rows));
    *out = values;
    values = NULL;
done:
    free(values);
    un_lines_close(&lines);
    return status;
}

un_status un_picture_classes(un_picture_import *import, un_arena *scratch, char *const *all,
                             size_t count, const size_t *class_of, size_t **rows) {
    un_dataset *d = &import->dataset;
    size_t *new_class = NULL; /* first 1 for a class with pictures, then its new place */
    size_t *order = NULL;
    size_t *present = NULL;
    char **names = NULL;
    size_t n = 0;
    UN_TRY(un_arena_alloc(scratch, count, sizeof *new_class, &new_class));
    UN_TRY(un_arena_alloc(scratch, count, sizeof *order, &order));
    UN_TRY(un_arena_alloc(scratch, count, sizeof *present, &present));
    UN_TRY(un_arena_alloc(scratch, count, sizeof *names, &names));
    UN_TRY(un_arena_alloc(scratch, count, sizeof **rows, rows));
    for (size_t i = 0; i < d->image_count; i++) new_class[class_of[i]] = 1;
    for (size_t c = 0; c < count; c++) {
        if (!new_class[c]) continue;
        names[n] = all[c];
        present[n++] = c;
    }
    UN_TRY(un_split_source_order(&import->source, names, n, scratch, order));
    d->class_count = n;
    UN_TRY(un_arena_alloc(&d->arena, n, sizeof *d->classes, &d->classes));
    UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof *d->labels, &d->labels));
    for (size_t k = 0; k < n; k++) {
        (*rows)[k] = present[order[k]];
        new_class[(*rows)[k]] = k;
        UN_TRY(un_arena_string(&d->arena, names[order[k]], &d->classes[k]));
    }
    for (size_t i = 0; i < d->image_count; i++) d->labels[i] = (int32_t)new_class[class_of[i]];
    if (n == count) return UNSEEN_OK;
    return un_dataset_note(d, "%zu of the %zu classes have pictures here", n, count);
}

un_status un_picture_attributes(un_picture_import *import, const char *file, size_t count,
                                const size_t *rows, char **names, size_t width) {
    un_dataset *d = &import->dataset;
    double *all = NULL;
    double *own = NULL;
    UN_TRY(read_matrix(import->options->root, file, count, width, &all));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(d->class_count * width, sizeof *own, &own));
    for (size_t c = 0; c < d->class_count; c++)
        memcpy(own + c * width, all + rows[c] * width, width * sizeof *own);
    const un_attribute_options plain = {.scale = UN_SCALE_NONE};
    UN_GO(un_import_attributes(d, "att", own, width, names, &plain));
done:
    free(all);
    free(own);
    return status;
}

/* ---- which row a folder means ---- */

/* Folders that people keep above those of the classes. */
static const char *const g_above[] = {"train",      "training", "trainval",   "test", "testing",
                                      "val",        "valid",    "validation", "dev",  "images",
                                      "jpegimages", "pictures", "photos",     "data"};

static int stands_above(const char *folder) {
    for (size_t i = 0; i < sizeof g_above / sizeof *g_above; i++)
        if (!strcasecmp(folder, g_above[i])) return 1;
    return 0;
}

/* Pictures one after the other whose class is told by one folder. */
typedef struct {
    size_t count;
    char **names;       /* [count] of the folder */
    size_t *first;      /* [count + 1] its first picture */
    size_t *row;        /* [count] UN_NO_NAME: none */
    un_name_list above; /* folders above the classes */
} folders;

/* Part number `depth` of a path, if it is a folder. */
static un_status folder_of(const char *path, int depth, un_arena *arena, char **out) {
    char *copy = NULL;
    for (; depth > 0; depth--) path = strchr(path, '/') + 1;
    UN_TRY(un_arena_string(arena, path, &copy));
    copy[strcspn(copy, "/")] = 0;
    *out = copy;
    return UNSEEN_OK;
}

static int has_folder(const char *path, int depth) {
    for (; depth >= 0; depth--) {
        path = strchr(path, '/');
        if (!path) return 0;
        path++;
    }
    return 1;
}

/* Cuts the pictures, which are sorted, into folders. `deeper`: where the first folder of a path
 * stands above the classes by its name, and is none of them, the second one counts. */
static un_status cut(const un_dataset *d, const un_name_index *rows, int deeper, un_arena *arena,
                     folders *out) {
    *out = (folders){0};
    UN_TRY(un_arena_alloc(arena, d->image_count, sizeof *out->names, &out->names));
    UN_TRY(un_arena_alloc(arena, d->image_count + 1, sizeof *out->first, &out->first));
    UN_TRY(un_arena_alloc(arena, d->image_count, sizeof *out->row, &out->row));
    size_t length = 0; /* of what the paths of one folder share */
    for (size_t i = 0; i < d->image_count; i++) {
        const char *path = d->images[i];
        if (i > 0 && !strncmp(path, d->images[i - 1], length) && path[length - 1] == '/') continue;
        char *name = NULL;
        UN_TRY(folder_of(path, 0, arena, &name));
        length = strlen(name) + 1;
        if (deeper && stands_above(name) && un_name_find(rows, name) == UN_NO_NAME &&
            has_folder(path, 1)) {
            un_name_list_say(&out->above, 0, "%s", name);
            UN_TRY(folder_of(path, 1, arena, &name));
            length += strlen(name) + 1;
        }
        out->first[out->count] = i;
        out->names[out->count++] = name;
    }
    out->first[out->count] = d->image_count;
    return UNSEEN_OK;
}

static un_status refuse_folders(const un_picture_set_options *o, const un_dataset *d,
                                const un_table *table, const folders *f,
                                const un_name_list *missing) {
    un_name_list idle = {0};
    int turned = 0;
    unsigned char *used = NULL;
    UN_TRY(un_table_is_turned(table, f->names, f->count, &turned));
    UN_TRY(un_alloc(d->class_count, 1, &used));
    for (size_t i = 0; i < f->count; i++)
        if (f->row[i] != UN_NO_NAME) used[f->row[i]] = 1;
    for (size_t c = 0; c < d->class_count; c++)
        if (!used[c]) un_name_list_add(&idle, d->classes[c], NAMED);
    free(used);
    if (turned)
        return un_fail(UNSEEN_E_FORMAT,
                       "the folders of %s are called like columns of %s: the table seems to be "
                       "transposed, one row must be one class",
                       o->root, o->attributes);
    return un_fail(UNSEEN_E_FORMAT, "%s of %s %s no row in %s: %s%s%s%s%s",
                   missing->count == 1 ? "a folder" : "folders", o->root,
                   missing->count == 1 ? "has" : "have", o->attributes, missing->text,
                   un_name_list_more(missing), idle.count > 0 ? "; rows without a folder: " : "",
                   idle.text, un_name_list_more(&idle));
}

/* The row of each folder: by name, and where one row and one folder alone are alike, by that. */
static un_status match_folders(un_picture_import *im, const un_table *table, un_arena *scratch,
                               folders *f) {
    un_dataset *d = &im->dataset;
    un_name_index rows;
    un_name_report report;
    UN_TRY(un_name_index_make(&rows, d->classes, d->class_count));
    un_status status = UNSEEN_OK;
    UN_GO(cut(d, &rows, 0, scratch, f));
    UN_GO(un_names_match(&rows, f->names, f->count, f->row, &report));
    if (report.missing.count > 0) {
        UN_GO(cut(d, &rows, 1, scratch, f));
        UN_GO(un_names_match(&rows, f->names, f->count, f->row, &report));
    }
    if (report.missing.count > 0) UN_GO(refuse_folders(im->options, d, table, f, &report.missing));
    if (f->above.count > 0)
        UN_GO(un_dataset_note(d, "folders such as train and test stand above those of the classes: "
                                 "the pictures of all were taken together; {--splits} tells which "
                                 "are for testing"));
    if (report.alike.count > 0)
        UN_GO(un_dataset_note(d, "folders that are spelt otherwise than in the table: %s%s",
                              report.alike.text, un_name_list_more(&report.alike)));
done:
    un_name_index_free(&rows);
    return status;
}

/* ---- the import ---- */

/* Takes the pictures that lie in folders; tells how many do not. */
static un_status add_pictures(un_picture_import *im) {
    const un_picture_set_options *o = im->options;
    un_dataset *d = &im->dataset;
    un_picture_list list;
    UN_TRY(un_import_image_root(d, o->root));
    d->orientation = UN_ORIENTATION_EXIF; /* people's own pictures are what a viewer shows them */
    UN_TRY(un_pictures_list(o->root, 0, &d->arena, &list));
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
    if (list.unnamed > 0)
        UN_TRY(un_dataset_note(d,
                               "%zu pictures were left out: their names are not valid UTF-8 "
                               "text; rename them",
                               list.unnamed));
    if (list.loops > 0)
        UN_TRY(un_dataset_note(
            d, "%zu links lead back to a folder above them and were not followed", list.loops));
    if (list.other > 0)
        UN_TRY(un_dataset_note(d, "%zu files that are no pictures were left out", list.other));
    return UNSEEN_OK;
}

static un_status label(un_picture_import *im, const un_table *table) {
    un_dataset *d = &im->dataset;
    un_arena scratch = {0};
    folders f;
    un_status status = match_folders(im, table, &scratch, &f);
    if (!status) status = un_arena_alloc(&d->arena, d->image_count, sizeof *d->labels, &d->labels);
    for (size_t k = 0; !status && k < f.count; k++)
        for (size_t i = f.first[k]; i < f.first[k + 1]; i++) d->labels[i] = (int32_t)f.row[k];
    un_arena_free(&scratch);
    return status;
}

/* Notes the classes that have a row and no pictures. */
static un_status report_empty(un_dataset *d) {
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
    const un_table_options cells = {options->values.unknown, options->values.unknown_count, 0};
    UN_TRY(un_table_read_as(options->attributes, &cells, &d->arena, &table));
    d->class_count = table.rows;
    d->classes = table.names;
    UN_TRY(add_pictures(im));
    UN_TRY(label(im, &table));
    UN_TRY(report_empty(d));
    UN_TRY(un_import_attributes(d, "att", table.values, table.columns, table.attributes,
                                &options->values));
    UN_TRY(un_split_source_apply(&im->source, d, &defaults));
    return un_picture_complete(im);
}

un_status un_import_folder(const un_picture_set_options *options) {
    un_picture_import im = {.stage = UN_STAGE_NONE};
    un_status status = import_all(&im, options);
    un_picture_end(&im);
    return status;
}
