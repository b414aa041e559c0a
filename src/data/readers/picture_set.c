/* picture_set.c - what the imports of folders of pictures share; see picture_parts.h. */
#include <stdlib.h>
#include <string.h>

#include "data/readers/import_parts.h"
#include "data/readers/lines.h"
#include "data/readers/picture_parts.h"
#include "data/update.h"

/* Opens the stage; a data set that is there may be updated. */
static un_status open_stage(un_picture_import *import) {
    const un_picture_set_options *o = import->options;
    char *path = NULL;
    UN_TRY(un_path_join(o->output, "dataset.safetensors", &path));
    int there = un_path_exists(path);
    free(path);
    if (there && !o->update)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s is a data set already; --update makes it anew and keeps the features of "
                       "unchanged pictures; or choose another output directory",
                       o->output);
    if (!o->update) return un_stage_open(&import->stage, o->output);
    UN_TRY(un_stage_open_over(&import->stage, o->output));
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

un_status un_read_matrix(const char *root, const char *file, size_t rows, size_t columns,
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
    UN_TRY(un_read_matrix(import->options->root, file, count, width, &all));
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
