/* arrays.c - importing arrays; see import.h. */
#include "data/readers/import.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "base/status.h"
#include "data/features.h"
#include "data/readers/array_file.h"
#include "data/readers/import_parts.h"
#include "data/readers/table.h"
#include "data/readers/text.h"
#include "data/stage.h"

/* Rows in memory at a time. In Fortran order each step touches every column, so it
 * should be long. */
static const size_t STEP_BYTES = (size_t)8 << 20;
static const size_t FORTRAN_STEP_BYTES = (size_t)64 << 20;
enum { MAX_CLASSES = 1 << 24 };

typedef struct {
    const un_arrays_options *options;
    un_split_source source;
    un_array features;
    un_layout layout; /* of the features */
    un_dataset dataset;
    un_stage stage;
} importer;

static int is_table(const char *path) {
    size_t n = strlen(path);
    return n > 4 && (!strcasecmp(path + n - 4, ".csv") || !strcasecmp(path + n - 4, ".tsv"));
}

/* ---- labels ---- */

static un_status read_labels(importer *im, const un_array *a) {
    un_dataset *d = &im->dataset;
    UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof *d->labels, &d->labels));
    for (size_t i = 0; i < d->image_count; i++) {
        double x = 0;
        un_array_read_f64(a, i, 1, &x);
        if (!(x >= 0) || x >= MAX_CLASSES || x != floor(x))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: label %zu is %g; labels are whole numbers, the number of the "
                           "class from 0",
                           a->spec, i, x);
        d->labels[i] = (int32_t)x;
    }
    return UNSEEN_OK;
}

/* That the labels count the classes, once these are known. */
static un_status check_labels(const importer *im) {
    const un_dataset *d = &im->dataset;
    size_t wrong = SIZE_MAX; /* the first that is too large */
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < d->image_count; i++) {
        low = fmin(low, d->labels[i]);
        high = fmax(high, d->labels[i]);
        if (wrong == SIZE_MAX && (size_t)d->labels[i] >= d->class_count) wrong = i;
    }
    if (wrong == SIZE_MAX) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: label %zu is %d; labels are whole numbers from 0 to %zu%s",
                   im->options->labels, wrong, (int)d->labels[wrong], d->class_count - 1,
                   un_other_base(low, high, d->class_count, 0, 1) ? " (are they 1-based?)" : "");
}

/* How many classes the labels count. */
static size_t labelled_classes(const un_dataset *d) {
    size_t count = 0;
    for (size_t i = 0; i < d->image_count; i++)
        if ((size_t)d->labels[i] >= count) count = (size_t)d->labels[i] + 1;
    return count;
}

static un_status import_labels(importer *im) {
    un_dataset *d = &im->dataset;
    un_array a;
    UN_TRY(un_array_open(&a, im->options->labels, im->stage.partial));
    un_status status = UNSEEN_OK;
    if (a.rank == 2 && a.rows == 1) { /* a row of labels: the same numbers one after the other */
        a.rows = a.width;
        a.width = 1;
    }
    if (a.rank > 2 || a.width != 1)
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s should be one column of labels, it has %d dimensions and "
                      "%zu numbers a row%s",
                      a.spec, a.rank, a.width,
                      a.rank == 2 && a.rows == d->image_count
                          ? "; if they are one-hot, save labels.argmax(axis=1)"
                          : ""));
    if (a.rows != d->image_count)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has %zu labels for the %zu rows of %s%s", a.spec, a.rows,
                      d->image_count, im->features.spec,
                      im->features.rank == 2 && im->features.width == a.rows
                          ? ", which seems to be transposed: one row must be one image"
                          : ""));
    UN_GO(read_labels(im, &a));
done:
    un_array_close(&a);
    return status;
}

/* ---- classes and semantics ---- */

/* Puts the rows of a table into the order of the classes, by name: rows[c] is class c's. */
static un_status match_rows(un_dataset *d, const char *path, const un_table *t, size_t *rows) {
    un_name_index index;
    un_name_report report;
    UN_TRY(un_name_index_make(&index, t->names, t->rows));
    un_status status = un_names_match(&index, d->classes, d->class_count, rows, &report);
    un_name_index_free(&index);
    UN_TRY(status);
    if (report.missing.count > 0) {
        int turned = 0;
        UN_TRY(un_table_is_turned(t, d->classes, d->class_count, &turned));
        return un_fail(UNSEEN_E_FORMAT, "%s has no row for class %s%s%s", path, report.missing.text,
                       un_name_list_more(&report.missing),
                       turned ? "; its columns are called so: it seems to be transposed, one row "
                                "must be one class"
                              : "");
    }
    if (report.alike.count > 0)
        UN_TRY(un_dataset_note(d, "%s: rows that are spelt otherwise than the classes: %s%s", path,
                               report.alike.text, un_name_list_more(&report.alike)));
    if (t->rows == d->class_count) return UNSEEN_OK;
    return un_dataset_note(d, "%s: %zu of its %zu rows are of no class here and were left out",
                           path, t->rows - d->class_count, t->rows);
}

static un_status read_table(importer *im, const char *path, un_table *t) {
    const un_attribute_options *o = &im->options->values;
    const un_table_options cells = {o->unknown, o->unknown_count, 0};
    return un_table_read_as(path, &cells, &im->dataset.arena, t);
}

static un_status add_table(importer *im, const un_named_path *named) {
    un_dataset *d = &im->dataset;
    un_table t;
    double *values = NULL;
    size_t *rows = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(read_table(im, named->path, &t));
    UN_GO(un_alloc(d->class_count, sizeof *rows, &rows));
    UN_GO(match_rows(d, named->path, &t, rows));
    UN_GO(un_alloc(d->class_count * t.columns, sizeof *values, &values));
    for (size_t c = 0; c < d->class_count; c++)
        memcpy(values + c * t.columns, t.values + rows[c] * t.columns, t.columns * sizeof *values);
    UN_GO(un_import_attributes(d, named->name, values, t.columns, t.attributes,
                               &im->options->values));
done:
    free(rows);
    free(values);
    return status;
}

static un_status open_matrix(importer *im, const char *spec, un_array *a) {
    UN_TRY(un_array_open(a, spec, im->stage.partial));
    if (a->rank == 2 && a->rows > 0 && a->width > 0 &&
        (a->rows <= MAX_CLASSES || a->rows == im->dataset.image_count))
        return UNSEEN_OK;
    un_status status =
        un_fail(UNSEEN_E_FORMAT,
                "%s has %d dimensions and %zu rows; semantics are a matrix, one row a class", spec,
                a->rank, a->rows);
    un_array_close(a);
    return status;
}

/* Rows first to first + count - 1; a value that stands for an unknown one becomes NaN. */
static un_status read_rows(const importer *im, const un_array *a, size_t first, size_t count,
                           double *out) {
    const un_attribute_options *o = &im->options->values;
    const un_cell_format format = {.unknown = o->unknown, .unknown_count = o->unknown_count};
    un_array_read_f64(a, first, count, out);
    for (size_t i = 0; i < count * a->width; i++) {
        if (o->unknown_count > 0 && un_cell_is_unknown(&format, out[i]))
            out[i] = NAN;
        else if (!isfinite(out[i]))
            return un_fail(UNSEEN_E_FORMAT, "%s: row %zu, column %zu is not a finite number",
                           a->spec, first + i / a->width, i % a->width);
    }
    return UNSEEN_OK;
}

/* ---- attributes of single images ---- */

typedef struct {
    double *mean;   /* [C, A] of the known values, as far as read */
    size_t *known;  /* [C, A] how many they are */
    size_t *images; /* [C] */
    double *rows;   /* of a step */
    int differ;     /* images of one class have different rows */
} averages;

static void drop_averages(averages *v) {
    free(v->mean);
    free(v->known);
    free(v->images);
    free(v->rows);
}

/* Equal values have exactly that value as their mean. */
static void add_image(averages *v, size_t class, const double *row, size_t width) {
    for (size_t a = 0; a < width; a++) {
        size_t at = class * width + a;
        if (isnan(row[a])) continue;
        v->differ |= v->known[at] > 0 && row[a] != v->mean[at];
        v->mean[at] += (row[a] - v->mean[at]) / (double)++v->known[at];
    }
    v->images[class]++;
}

/* A row for each image: a class gets the mean of its images. */
static un_status average(importer *im, const un_named_path *named, const un_array *a) {
    un_dataset *d = &im->dataset;
    averages v = {0};
    size_t step = STEP_BYTES / sizeof(double) / a->width + 1;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(d->class_count * a->width, sizeof *v.mean, &v.mean));
    UN_GO(un_alloc(d->class_count * a->width, sizeof *v.known, &v.known));
    UN_GO(un_alloc(d->class_count, sizeof *v.images, &v.images));
    UN_GO(un_alloc(step * a->width, sizeof *v.rows, &v.rows));
    for (size_t first = 0; first < a->rows; first += step) {
        size_t count = a->rows - first < step ? a->rows - first : step;
        UN_GO(read_rows(im, a, first, count, v.rows));
        for (size_t i = 0; i < count; i++)
            add_image(&v, (size_t)d->labels[first + i], v.rows + i * a->width, a->width);
    }
    for (size_t c = 0; c < d->class_count; c++) {
        if (v.images[c] == 0)
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "%s has a row for each of the %zu images, but class \"%.200s\" has no "
                          "image, so nothing describes it; give a row for each class",
                          a->spec, a->rows, d->classes[c]));
        for (size_t k = 0; k < a->width; k++)
            if (v.known[c * a->width + k] == 0) v.mean[c * a->width + k] = NAN;
    }
    UN_GO(un_dataset_note(d,
                          "%s has a row for each of the %zu images, not for each of the %zu "
                          "classes: each class got the mean of its images' rows%s",
                          a->spec, a->rows, d->class_count,
                          v.differ ? "" : " (which are equal within a class)"));
    UN_GO(un_import_attributes(d, named->name, v.mean, a->width, NULL, &im->options->values));
done:
    drop_averages(&v);
    return status;
}

static un_status add_classes(importer *im, const un_named_path *named, const un_array *a) {
    double *values = NULL;
    UN_TRY(un_alloc(a->rows * a->width, sizeof *values, &values));
    un_status status = read_rows(im, a, 0, a->rows, values);
    if (!status)
        status = un_import_attributes(&im->dataset, named->name, values, a->width, NULL,
                                      &im->options->values);
    free(values);
    return status;
}

static un_status add_array(importer *im, const un_named_path *named) {
    const un_dataset *d = &im->dataset;
    un_array a;
    UN_TRY(open_matrix(im, named->path, &a));
    un_status status =
        a.rows == d->class_count ? add_classes(im, named, &a)
        : a.rows == d->image_count
            ? average(im, named, &a)
            : un_fail(UNSEEN_E_FORMAT, "%s has %zu rows for %zu classes%s", named->path, a.rows,
                      d->class_count,
                      a.width == d->class_count   ? "; it has as many columns: transpose it"
                      : a.width == d->image_count ? "; it has as many columns as there are images: "
                                                    "transpose it"
                                                  : "");
    un_array_close(&a);
    return status;
}

/* The number of classes where nothing names them: rows of the first semantics, unless these are
 * of the images; then as many as the labels count. */
static un_status count_classes(importer *im) {
    un_dataset *d = &im->dataset;
    const char *spec = im->options->semantics[0].path;
    un_array a;
    UN_TRY(open_matrix(im, spec, &a));
    size_t rows = a.rows, width = a.width;
    size_t labelled = labelled_classes(d);
    un_array_close(&a);
    if (rows != labelled && rows != d->image_count &&
        (width == labelled || width == d->image_count))
        return un_fail(UNSEEN_E_FORMAT,
                       "%s has %zu rows and %zu columns, but the labels count %zu classes: it "
                       "seems to be transposed, one row must be one class; if it is not, name "
                       "the %zu classes ({--names|option classes})",
                       spec, rows, width, labelled, rows);
    d->class_count = rows == d->image_count ? labelled : rows;
    return un_import_number_classes(d, rows == d->class_count ? spec : im->options->labels);
}

static un_status import_class_names(importer *im) {
    const un_arrays_options *o = im->options;
    un_dataset *d = &im->dataset;
    un_table t;
    if (o->names) {
        UN_TRY(un_lines_read_names(o->names, &d->arena, &d->classes, &d->class_count));
    } else if (im->source.json.value) {
        UN_TRY(un_split_file_classes(&im->source.json, &d->arena, &d->classes, &d->class_count));
    } else if (im->source.mat && un_mat_find(im->source.mat, "allclasses_names")) {
        UN_TRY(un_mat_read_strings(im->source.mat, "allclasses_names", &d->arena, &d->classes,
                                   &d->class_count));
    }
    for (size_t i = 0; i < o->semantics_count && d->class_count == 0; i++) {
        if (!is_table(o->semantics[i].path)) continue;
        UN_TRY(read_table(im, o->semantics[i].path, &t));
        d->classes = t.names;
        d->class_count = t.rows;
    }
    if (d->class_count == 0) UN_TRY(count_classes(im));
    const char *where = o->names ? o->names : o->split.file ? o->split.file : o->semantics[0].path;
    return un_import_check_names(d->classes, d->class_count, where, 0);
}

static un_status import_classes(importer *im) {
    const un_arrays_options *o = im->options;
    UN_TRY(import_class_names(im));
    UN_TRY(check_labels(im));
    for (size_t i = 0; i < o->semantics_count; i++)
        UN_TRY(is_table(o->semantics[i].path) ? add_table(im, &o->semantics[i])
                                              : add_array(im, &o->semantics[i]));
    return UNSEEN_OK;
}

/* ---- features ---- */

static int is_square(size_t n) {
    size_t root = (size_t)lround(sqrt((double)n));
    return n > 1 && root * root == n;
}

/* Channels first or last, of a map or of regions; what the shape alone told is noted. */
static un_status find_layout(importer *im) {
    const un_array *a = &im->features;
    un_layout told = im->options->layout;
    un_layout guess = a->rank == 4 ? un_layout_guess(a->shape + 1) : UN_LAYOUT_AUTO;
    im->layout = told ? told : guess ? guess : UN_LAYOUT_NHWC;
    if (a->rank == 2) im->layout = UN_LAYOUT_NHWC;
    if (told) return UNSEEN_OK;
    if (im->layout == UN_LAYOUT_NCHW)
        return un_dataset_note(&im->dataset,
                               "%s is %zu x %zu x %zu x %zu and was taken as images x channels "
                               "x height x width; if the channels come last, import it with "
                               "{--layout} nhwc",
                               a->spec, a->shape[0], a->shape[1], a->shape[2], a->shape[3]);
    /* As many regions as a layer has channels, and as many channels as a map has positions. */
    if (a->rank == 3 && a->shape[1] / 4 >= a->shape[2] && is_square(a->shape[2]))
        return un_dataset_note(&im->dataset,
                               "%s is %zu x %zu x %zu and was taken as images x regions x "
                               "channels; if they are images x channels x regions, import it "
                               "with {--layout} nchw",
                               a->spec, a->shape[0], a->shape[1], a->shape[2]);
    return UNSEEN_OK;
}

static un_status describe_features(importer *im, un_features_description *out) {
    const un_array *a = &im->features;
    if (a->rank < 2 || a->rank > 4)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s has %d dimensions; features are (N, F), (N, R, F) or (N, h, w, F)",
                       a->spec, a->rank);
    if (a->rows == 0 || a->width == 0) return un_fail(UNSEEN_E_FORMAT, "%s is empty", a->spec);
    UN_TRY(find_layout(im));
    const size_t *grid = a->shape + (im->layout == UN_LAYOUT_NCHW ? 2 : 1);
    size_t height = a->rank == 4 ? grid[0] : 1;
    size_t width = a->rank == 4 ? grid[1] : a->rank == 3 ? grid[0] : 1;
    *out =
        (un_features_description){.image_count = a->rows,
                                  .regions = height * width,
                                  .width = a->shape[im->layout == UN_LAYOUT_NCHW ? 1 : a->rank - 1],
                                  .grid_height = height,
                                  .grid_width = width,
                                  .dtype = im->options->dtype};
    return UNSEEN_OK;
}

/* [channels, positions] of each row to [positions, channels]. */
static void turn_rows(const float *from, size_t count, size_t channels, size_t positions,
                      float *to) {
    for (size_t i = 0; i < count; i++, from += channels * positions)
        for (size_t p = 0; p < positions; p++)
            for (size_t c = 0; c < channels; c++) *to++ = from[c * positions + p];
}

static un_status copy_features(void *user, un_features_writer *writer) {
    const importer *im = user;
    const un_array *a = &im->features;
    size_t row = 0;
    if (__builtin_mul_overflow(a->width, sizeof(float), &row))
        return un_fail(UNSEEN_E_FORMAT, "%s: the size of a row overflows", a->spec);
    size_t step = (a->fortran ? FORTRAN_STEP_BYTES : STEP_BYTES) / row;
    size_t channels = im->layout == UN_LAYOUT_NCHW ? a->shape[1] : 0; /* 0: they are last */
    float *rows = NULL;
    float *turned = NULL;
    un_progress progress;
    if (step == 0) step = 1;
    if (step > a->rows) step = a->rows;
    UN_TRY(un_alloc(step, row, &rows));
    un_status status = channels ? un_alloc(step, row, &turned) : UNSEEN_OK;
    if (status) {
        free(rows);
        return status;
    }
    un_progress_begin(&progress, "import features", "rows", a->rows);
    for (size_t first = 0; first < a->rows; first += step) {
        size_t count = a->rows - first < step ? a->rows - first : step;
        un_array_read_f32(a, first, count, rows);
        if (channels) turn_rows(rows, count, channels, a->width / channels, turned);
        UN_GO(un_features_writer_append(writer, channels ? turned : rows, count));
        un_progress_update(&progress, first + count);
    }
done:
    un_progress_end(&progress);
    free(turned);
    free(rows);
    return status;
}

/* The member's name, or the file's without its ending. */
static un_status name_features(const importer *im, char **out) {
    const un_arrays_options *o = im->options;
    if (o->features_name) return un_format(out, "%s", o->features_name);
    if (im->features.member) return un_format(out, "%s", im->features.member);
    UN_TRY(un_path_base(im->features.spec, out));
    char *dot = strrchr(*out, '.');
    if (dot && dot != *out) *dot = 0;
    return UNSEEN_OK;
}

static un_status import_features(importer *im) {
    un_import_store store = {.file = im->features.spec, .suffix = ""};
    char *name = NULL;
    UN_TRY(describe_features(im, &store.description));
    UN_TRY(name_features(im, &name));
    store.name = name;
    un_status status = un_import_features(im->stage.partial, &store, copy_features, im);
    free(name);
    return status;
}

/* ---- all of it ---- */

static un_status check_options(const un_arrays_options *o) {
    if (!o->features || !o->labels || !o->output)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "an import needs features, labels and an output directory");
    if (o->semantics_count == 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "without semantics unseen classes have no description; name an array or a "
                       "table of the classes' attributes");
    if (o->split.image_files)
        return un_fail(UNSEEN_E_ARGUMENT, "rows of an array have no names that could be matched");
    return UNSEEN_OK;
}

static un_status import_all(importer *im) {
    const un_arrays_options *o = im->options;
    un_features_description description;
    un_split_defaults defaults = {0};
    UN_TRY(check_options(o));
    UN_TRY(un_stage_open(&im->stage, o->output));
    UN_TRY(un_import_name(&im->dataset, o->name, im->stage.output));
    UN_TRY(un_split_source_open(&im->source, &o->split));
    UN_TRY(un_array_open(&im->features, o->features, im->stage.partial));
    UN_TRY(describe_features(im, &description));
    im->dataset.image_count = im->features.rows;
    UN_TRY(import_labels(im));
    UN_TRY(import_classes(im));
    UN_TRY(un_split_source_apply(&im->source, &im->dataset, &defaults));
    if (o->finish) UN_TRY(o->finish(&im->dataset, o->finish_user));
    UN_TRY(import_features(im));
    UN_TRY(un_dataset_write(&im->dataset, im->stage.partial));
    UN_TRY(un_split_source_write(&im->source, &im->dataset));
    return un_stage_commit(&im->stage);
}

un_status un_import_arrays(const un_arrays_options *options) {
    importer im = {.options = options, .stage = UN_STAGE_NONE};
    un_status status = import_all(&im);
    un_split_source_close(&im.source);
    un_array_close(&im.features);
    un_dataset_close(&im.dataset);
    un_stage_abort(&im.stage);
    return status;
}
