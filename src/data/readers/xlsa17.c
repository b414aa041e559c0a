/*
 * xlsa17.c - importing the benchmark packages of Xian et al., and what this shares with the import of
 * region maps; see import.h.
 *
 * Their arrays have one column a class or an image, so in MATLAB's column-major
 * order they already lie as [C, A] and [N, D]: nothing is transposed.
 */
#include "data/readers/import.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "data/features.h"
#include "data/readers/import_parts.h"
#include "data/readers/pictures.h"
#include "data/split.h"
#include "data/stage.h"

/* Images handed to the feature writer at a time, between two looks at the clock. */
enum { CHUNK_IMAGES = 256 };

typedef struct {
    un_benchmark_import base;
    un_mat *features; /* NULL: without */
} importer;

/* ---- what the imports of published features share ---- */

un_status un_benchmark_begin(un_benchmark_import *import) {
    UN_TRY(un_stage_open(&import->stage, import->options->output));
    return un_import_name(&import->dataset, import->options->name, import->stage.output);
}

un_status un_benchmark_labels(un_benchmark_import *import, const double *values, int base,
                              const char *hint) {
    un_dataset *d = &import->dataset;
    double low = 0, high = 0, last = (double)d->class_count - 1 + base;
    UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof *d->labels, &d->labels));
    un_number_range(values, d->image_count, &low, &high);
    if (un_other_base(low, high, d->class_count, base, 1))
        hint = base ? " (are they 0-based?)" : " (are they 1-based?)";
    for (size_t i = 0; i < d->image_count; i++) {
        double x = values[i];
        if (!(x >= base) || x > last || x != floor(x))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: the label of image %zu is %g; labels are whole, from %d to %.0f%s",
                           import->options->features, i + (size_t)base, x, base, last, hint);
        d->labels[i] = (int32_t)x - base;
    }
    return UNSEEN_OK;
}

un_status un_benchmark_image_names(un_benchmark_import *import, size_t count) {
    un_dataset *d = &import->dataset;
    if (count != d->image_count)
        return un_fail(UNSEEN_E_FORMAT, "%s: image_files has %zu names for %zu images",
                       import->options->features, count, d->image_count);
    for (size_t i = 0; i < count; i++) un_import_tidy_path(d->images[i]);
    return UNSEEN_OK;
}

un_status un_benchmark_complete(un_benchmark_import *import, const char *suffix,
                                const un_features_description *shape,
                                un_status (*copy)(void *user, un_features_writer *writer),
                                void *user) {
    const un_benchmark_options *o = import->options;
    un_dataset *d = &import->dataset;
    un_import_store store = {
        .name = o->features_name, .file = o->features, .suffix = suffix, .description = *shape};
    store.description.image_count = d->image_count;
    store.description.dtype = o->dtype;
    if (o->images) UN_TRY(un_import_find_images(d, o->images, o->allow_missing));
    if (o->images && o->orientation) d->orientation = o->orientation;
    if (o->finish) UN_TRY(o->finish(d, o->finish_user));
    if (copy) UN_TRY(un_import_features(import->stage.partial, &store, copy, user));
    UN_TRY(un_dataset_write(d, import->stage.partial));
    return un_stage_commit(&import->stage);
}

void un_benchmark_end(un_benchmark_import *import) {
    un_mat_close(import->splits);
    un_dataset_close(&import->dataset);
    un_stage_abort(&import->stage);
}

/* ---- classes and semantics ---- */

/* The number of classes is the number of columns of att; FLO has no names. */
static un_status import_classes(importer *im) {
    un_dataset *d = &im->base.dataset;
    const un_mat_variable *att = NULL;
    size_t named = 0;
    UN_TRY(un_mat_require(im->base.splits, "att", UN_MAT_NUMERIC, &att));
    UN_TRY(un_mat_class_names(im->base.splits, &d->arena, &d->classes, &named));
    if (named > 0) UN_TRY(un_import_orient(d, im->base.splits, "att", 1, named));
    d->class_count = att->dims[1];
    if (d->class_count == 0 || att->dims[0] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"att\" is empty", im->base.options->splits);
    if (named > 0 && named != d->class_count)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: allclasses_names has %zu names, but \"att\" has %zu columns (one "
                       "column a class)%s",
                       im->base.options->splits, named, d->class_count,
                       named == att->dims[0] ? "; it seems to be transposed" : "");
    if (named > 0) return UNSEEN_OK;
    return un_import_number_classes(d, "the split file");
}

static un_status import_semantics(importer *im) {
    un_dataset *d = &im->base.dataset;
    size_t *identity = NULL;
    UN_TRY(un_alloc(d->class_count, sizeof *identity, &identity));
    for (size_t c = 0; c < d->class_count; c++) identity[c] = c;
    un_status status = UNSEEN_OK;
    UN_GO(un_mat_add_semantics(d, im->base.splits, "att", "att", 0, identity));
    UN_GO(un_import_orient(d, im->base.splits, "original_att", 1, d->class_count));
    const un_mat_variable *original = un_mat_find(im->base.splits, "original_att");
    if (original && original->kind == UN_MAT_NUMERIC && original->rank == 2 &&
        original->dims[1] == d->class_count && original->dims[0] > 0)
        UN_GO(
            un_mat_add_semantics(d, im->base.splits, "original_att", "original_att", 0, identity));
    else if (original && original->is_damaged)
        UN_GO(un_dataset_note(d, "original_att was left out: it is damaged"));
    else if (original)
        UN_GO(un_dataset_note(d, "original_att was left out: it has not one column a class"));
    for (size_t i = 0; i < im->base.options->semantics_count; i++)
        UN_GO(un_import_semantics_file(d, &im->base.options->semantics[i]));
done:
    free(identity);
    return status;
}

/* ---- images: labels, names, lists ---- */

static un_status import_labels(importer *im) {
    un_dataset *d = &im->base.dataset;
    const un_mat_variable *v = NULL;
    double *values = NULL;
    UN_TRY(un_mat_require(im->features, "labels", UN_MAT_NUMERIC, &v));
    if (v->dims[0] * v->dims[1] != d->image_count || (v->dims[0] != 1 && v->dims[1] != 1))
        return un_fail(UNSEEN_E_FORMAT, "%s: \"labels\" is %zu x %zu for %zu images",
                       im->base.options->features, v->dims[0], v->dims[1], d->image_count);
    UN_TRY(un_mat_read_double(im->features, "labels", &values));
    un_status status = un_benchmark_labels(&im->base, values, 1, "");
    free(values);
    return status;
}

static un_status import_image_names(importer *im) {
    un_dataset *d = &im->base.dataset;
    size_t count = 0;
    if (!un_mat_find(im->features, "image_files"))
        return un_dataset_note(d, "the feature file has no image_files: image names are unknown");
    UN_TRY(un_mat_read_strings(im->features, "image_files", &d->arena, &d->images, &count));
    return un_benchmark_image_names(&im->base, count);
}

static un_status import_images(importer *im) {
    const un_mat_variable *v = NULL;
    if (!im->features) return UNSEEN_OK;
    const un_mat_variable *labels = un_mat_find(im->features, "labels");
    if (labels && labels->rank == 2)
        UN_TRY(un_import_orient(&im->base.dataset, im->features, "features", 1,
                                labels->dims[0] * labels->dims[1]));
    UN_TRY(un_mat_require(im->features, "features", UN_MAT_NUMERIC, &v));
    if (v->dims[0] == 0 || v->dims[1] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"features\" is empty", im->base.options->features);
    im->base.dataset.image_count = v->dims[1];
    if (labels && labels->rank == 2 && labels->dims[0] * labels->dims[1] == v->dims[0] &&
        v->dims[0] != v->dims[1])
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: \"features\" is %zu x %zu with %zu labels; one column must be one "
                       "image, it seems to be transposed",
                       im->base.options->features, v->dims[0], v->dims[1], v->dims[0]);
    UN_TRY(import_labels(im));
    return import_image_names(im);
}

/* No image may have two roles, no class be seen and unseen. */
static un_status check_lists(const importer *im) {
    const un_benchmark_options *o = im->base.options;
    char hint[UN_ERROR_LENGTH];
    const un_list_origin origin = {
        .file = o->splits, .names = un_mat_list_names, .base = 1, .hint = hint};
    snprintf(hint, sizeof hint, "do %.400s and %.400s belong together, and are the lists 1-based?",
             o->splits, o->features ? o->features : "");
    return un_import_check_lists(&im->base.dataset, &origin);
}

static un_status import_lists(importer *im) {
    un_dataset *d = &im->base.dataset;
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    /* Without features the largest number listed is the number of images. */
    size_t limit = im->features ? d->image_count : INT32_MAX;
    for (size_t i = 0; i < 3; i++) {
        const un_index_list *list = lists[i];
        const char *name = un_mat_list_names[i];
        UN_TRY(un_mat_read_indices(im->base.splits, name, limit, &d->arena, lists[i]));
        if (list->count == 0)
            return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty", im->base.options->splits, name);
        size_t last = (size_t)list->items[list->count - 1] + 1;
        if (!im->features && last > d->image_count) d->image_count = last;
    }
    UN_TRY(check_lists(im));
    if (!im->features)
        UN_TRY(un_dataset_note(d, "imported without features: the labels and names of the images "
                                  "are unknown, so classes of the lists cannot be verified"));
    return un_import_note_unlisted(d, im->base.options->splits);
}

/* ---- features ---- */

static un_status copy_features(void *user, un_features_writer *writer) {
    importer *im = user;
    const un_mat_variable *v = un_mat_find(im->features, "features");
    size_t columns = v->dims[1];
    size_t slab = v->slab;
    un_progress progress;
    un_status status = UNSEEN_OK;
    un_progress_begin(&progress, "import features", "images", columns);
    for (size_t first = 0; first < columns && !status; first += slab) {
        size_t count = columns - first < slab ? columns - first : slab;
        const float *rows = NULL;
        UN_GO(un_mat_read_columns(im->features, "features", first, count, &rows));
        for (size_t at = 0; at < count; at += CHUNK_IMAGES) {
            size_t n = count - at < CHUNK_IMAGES ? count - at : CHUNK_IMAGES;
            UN_GO(un_features_writer_append(writer, rows + at * v->dims[0], n));
            un_progress_update(&progress, first + at + n);
        }
    }
done:
    un_progress_end(&progress);
    return status;
}

/* ---- all of it ---- */

static un_status import_all(importer *im) {
    const un_benchmark_options *o = im->base.options;
    UN_TRY(un_benchmark_begin(&im->base));
    UN_TRY(un_mat_open(&im->base.splits, o->splits));
    if (o->features) UN_TRY(un_mat_open(&im->features, o->features));
    UN_TRY(import_classes(im));
    UN_TRY(import_semantics(im));
    UN_TRY(import_images(im));
    UN_TRY(import_lists(im));
    UN_TRY(un_import_validation(&im->base.dataset, NULL, im->base.splits, NULL, o->validation,
                                o->validation_count));
    un_features_description shape = {.regions = 1, .grid_height = 1, .grid_width = 1};
    if (im->features) shape.width = un_mat_find(im->features, "features")->dims[0];
    return un_benchmark_complete(&im->base, ".mat", &shape, im->features ? copy_features : NULL,
                                 im);
}

un_status un_import_xlsa17(const un_benchmark_options *options) {
    if (!options->splits || !options->output)
        return un_fail(UNSEEN_E_ARGUMENT, "an import needs a split file and an output directory");
    if (options->images && !options->features)
        return un_fail(UNSEEN_E_ARGUMENT, "pictures can be found only with a feature file: its "
                                          "image_files are their names");
    importer im = {.base = {.options = options, .stage = UN_STAGE_NONE}};
    un_status status = import_all(&im);
    un_mat_close(im.features);
    un_benchmark_end(&im.base);
    return status;
}
