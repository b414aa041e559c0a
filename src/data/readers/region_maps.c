/*
 * region_maps.c - importing region features in HDF5; see import.h.
 *
 * Arrays are row-major here, one row a class, and all numbers are 0-based: what
 * xlsa17's MAT files have the other way round.
 */
#include "data/readers/import.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/status.h"
#include "data/readers/hdf5.h"
#include "data/readers/import_parts.h"
#include "data/readers/mat.h"
#include "data/readers/pictures.h"
#include "data/split.h"
#include "data/stage.h"

typedef struct {
    un_benchmark_import base;
    un_hdf5 *file;
    const un_hdf5_variable *map;
    size_t att_width; /* columns of its att, 0: that of the splits counts */
    un_layout layout; /* of map, and what it makes of the dimensions */
    size_t channels, height, width;
} importer;

/* ---- classes and semantics ---- */

/* A numeric matrix, not empty. */
static un_status require_matrix(const importer *im, const char *name,
                                const un_hdf5_variable **out) {
    UN_TRY(un_hdf5_require(im->file, name, UN_HDF5_NUMERIC, 2, out));
    if ((*out)->dims[0] > 0 && (*out)->dims[1] > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" is empty", im->base.options->features, name);
}

/* The class names of the split file; they stand in the order of the labels. */
static un_status read_split_names(importer *im, char ***names, size_t *count) {
    un_dataset *d = &im->base.dataset;
    const char *path = im->base.options->splits;
    const un_mat_variable *att = NULL;
    UN_TRY(un_import_orient(d, im->base.splits, "att", 1, d->class_count));
    UN_TRY(un_mat_require(im->base.splits, "att", UN_MAT_NUMERIC, &att));
    if (att->dims[1] != d->class_count)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s has %zu classes, %s has %zu: they do not belong together%s; import "
                       "without {--splits}, or give class names in allclasses_names",
                       path, att->dims[1], im->base.options->features, d->class_count,
                       att->dims[1] == im->att_width ? ", or \"att\" is transposed" : "");
    if (!un_mat_find(im->base.splits, "allclasses_names")) return UNSEEN_OK;
    UN_TRY(un_mat_read_strings(im->base.splits, "allclasses_names", &d->arena, names, count));
    if (*count == d->class_count) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: allclasses_names has %zu names for %zu classes", path,
                   *count, d->class_count);
}

static un_status same_names(const importer *im, char *const *names) {
    const un_dataset *d = &im->base.dataset;
    for (size_t c = 0; c < d->class_count; c++)
        if (strcmp(names[c], d->classes[c]) != 0)
            return un_fail(
                UNSEEN_E_FORMAT,
                "class %zu is \"%.200s\" in %s, but \"%.200s\" in %s: they do not belong "
                "together",
                c, d->classes[c], im->base.options->features, names[c], im->base.options->splits);
    return UNSEEN_OK;
}

static un_status import_class_names(importer *im) {
    un_dataset *d = &im->base.dataset;
    char **names = NULL;
    size_t count = 0;
    if (un_hdf5_find(im->file, "allclasses_names")) {
        UN_TRY(un_hdf5_read_strings(im->file, "allclasses_names", &d->arena, &d->classes, &count));
        if (count != d->class_count)
            return un_fail(UNSEEN_E_FORMAT, "%s: allclasses_names has %zu names for %zu classes%s",
                           im->base.options->features, count, d->class_count,
                           count == im->att_width ? "; \"att\" seems to be transposed, one row "
                                                    "must be one class"
                                                  : "");
    }
    if (im->base.splits) UN_TRY(read_split_names(im, &names, &count));
    if (d->classes && names) UN_TRY(same_names(im, names));
    if (!d->classes) d->classes = names;
    if (!d->classes) return un_import_number_classes(d, im->base.options->features);
    return un_import_check_names(d->classes, d->class_count, im->base.options->features, 0);
}

/* Finite doubles to floats from the data set's arena. */
static un_status keep_floats(importer *im, const char *where, const char *name,
                             const double *values, size_t rows, size_t columns, float **out) {
    UN_TRY(un_arena_alloc(&im->base.dataset.arena, rows * columns, sizeof **out, out));
    for (size_t i = 0; i < rows * columns; i++) {
        (*out)[i] = (float)values[i];
        if (!isfinite((*out)[i]))
            return un_fail(UNSEEN_E_FORMAT,
                           "%s: \"%s\" is not a finite number in row %zu, column %zu", where, name,
                           i / columns, i % columns);
    }
    return UNSEEN_OK;
}

static un_status read_matrix(importer *im, const char *name, size_t *rows, size_t *columns,
                             float **out) {
    const un_hdf5_variable *v = NULL;
    double *values = NULL;
    UN_TRY(require_matrix(im, name, &v));
    *rows = v->dims[0];
    *columns = v->dims[1];
    UN_TRY(un_hdf5_read_double(im->file, name, &values));
    un_status status =
        keep_floats(im, im->base.options->features, name, values, v->dims[0], v->dims[1], out);
    free(values);
    return status;
}

static un_status add_semantics(importer *im, const char *name) {
    un_dataset *d = &im->base.dataset;
    un_semantics *s = &d->semantics[d->semantics_count];
    size_t rows = 0;
    *s = (un_semantics){.name = name};
    UN_TRY(read_matrix(im, name, &rows, &s->width, &s->values));
    if (rows != d->class_count)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: \"%s\" has %zu rows for %zu classes (one row a class)%s",
                       im->base.options->features, name, rows, d->class_count,
                       s->width == d->class_count ? "; it seems to be transposed" : "");
    d->semantics_count++;
    return UNSEEN_OK;
}

/* In MATLAB's order a column of att is already a row of ours. */
static un_status add_split_att(importer *im) {
    un_dataset *d = &im->base.dataset;
    const un_mat_variable *v = NULL;
    double *values = NULL;
    un_semantics *s = &d->semantics[d->semantics_count];
    UN_TRY(un_mat_require(im->base.splits, "att", UN_MAT_NUMERIC, &v));
    *s = (un_semantics){.name = "att", .width = v->dims[0]};
    if (s->width == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"att\" is empty", im->base.options->splits);
    UN_TRY(un_mat_read_double(im->base.splits, "att", &values));
    un_status status = keep_floats(im, im->base.options->splits, "att", values, d->class_count,
                                   s->width, &s->values);
    free(values);
    if (!status) d->semantics_count++;
    return status;
}

/* The word vectors belong to the attributes, so to every table of their width. */
static un_status import_vectors(importer *im) {
    un_dataset *d = &im->base.dataset;
    size_t rows = 0;
    size_t columns = 0;
    float *vectors = NULL;
    if (!un_hdf5_find(im->file, "w2v_att"))
        return un_dataset_note(d, "%s has no w2v_att, word vectors of the attributes",
                               im->base.options->features);
    UN_TRY(read_matrix(im, "w2v_att", &rows, &columns, &vectors));
    if (rows != d->semantics[0].width)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"w2v_att\" has %zu rows for %zu attributes%s",
                       im->base.options->features, rows, d->semantics[0].width,
                       columns == d->semantics[0].width ? "; it seems to be transposed"
                       : rows == d->class_count         ? "; \"att\" seems to be transposed"
                                                        : "");
    for (size_t i = 0; i < d->semantics_count; i++) {
        if (d->semantics[i].width != rows) continue;
        d->semantics[i].vectors = vectors;
        d->semantics[i].vector_width = columns;
    }
    return UNSEEN_OK;
}

static un_status import_classes(importer *im) {
    un_dataset *d = &im->base.dataset;
    const un_hdf5_variable *att = NULL;
    const un_mat_variable *split_att = NULL;
    int own = un_hdf5_find(im->file, "att") || !im->base.splits;
    if (own) {
        UN_TRY(require_matrix(im, "att", &att));
        d->class_count = att->dims[0];
        im->att_width = att->dims[1];
    } else {
        UN_TRY(un_mat_require(im->base.splits, "att", UN_MAT_NUMERIC, &split_att));
        d->class_count = split_att->dims[1];
    }
    if (d->class_count == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s has no classes", im->base.options->splits);
    UN_TRY(import_class_names(im));
    UN_TRY(own ? add_semantics(im, "att") : add_split_att(im));
    if (un_hdf5_find(im->file, "original_att")) UN_TRY(add_semantics(im, "original_att"));
    return import_vectors(im);
}

/* ---- images: labels, names, lists ---- */

/* A vector, as [n], [n, 1] or [1, n]. */
static un_status read_vector(const importer *im, const char *name, double **out, size_t *count) {
    const un_hdf5_variable *v = NULL;
    UN_TRY(un_hdf5_require(im->file, name, UN_HDF5_NUMERIC, -1, &v));
    size_t longest = 1;
    *count = 1;
    for (int k = 0; k < v->rank; k++) {
        *count *= v->dims[k];
        if (v->dims[k] > longest) longest = v->dims[k];
    }
    if (v->rank == 0 || (*count != 0 && *count != longest))
        return un_fail(UNSEEN_E_FORMAT, "%s: \"%s\" has %d dimensions, expected one column",
                       im->base.options->features, name, v->rank);
    return un_hdf5_read_double(im->file, name, out);
}

static un_status import_labels(importer *im) {
    un_dataset *d = &im->base.dataset;
    double *values = NULL;
    double low = 0, high = 0;
    size_t count = 0;
    un_status status = UNSEEN_OK;
    UN_GO(read_vector(im, "labels", &values, &count));
    if (count != d->image_count)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: %zu labels for the %zu images of feature_map",
                      im->base.options->features, count, d->image_count));
    un_number_range(values, d->image_count, &low, &high);
    UN_GO(un_benchmark_labels(&im->base, values, 0,
                              im->att_width > 0 && high == (double)im->att_width - 1
                                  ? "; \"att\" seems to be transposed, one row must be one class"
                                  : ""));
    /* Where nothing names the classes, the labels tell which side of att counts them. */
    if (high == (double)im->att_width - 1 && im->att_width != d->class_count && !im->base.splits &&
        !un_hdf5_find(im->file, "allclasses_names"))
        UN_GO(un_fail(UNSEEN_E_FORMAT,
                      "%s: \"att\" has %zu rows and %zu columns, but the labels count %zu "
                      "classes: it seems to be transposed, one row must be one class; if it is "
                      "not, name the classes in allclasses_names",
                      im->base.options->features, d->class_count, im->att_width, im->att_width));
done:
    free(values);
    return status;
}

/* Positions and channels of feature_map; what its shape alone told is noted. */
static un_status find_layout(importer *im) {
    const un_benchmark_options *o = im->base.options;
    const size_t *dims = im->map->dims;
    im->layout = o->layout ? o->layout : un_layout_guess(dims + 1);
    if (im->layout == UN_LAYOUT_AUTO) im->layout = UN_LAYOUT_NCHW;
    int last = im->layout == UN_LAYOUT_NHWC;
    im->channels = dims[last ? 3 : 1];
    im->height = dims[last ? 1 : 2];
    im->width = dims[last ? 2 : 3];
    if (o->layout || !last) return UNSEEN_OK;
    return un_dataset_note(&im->base.dataset,
                           "%s: feature_map is %zu x %zu x %zu x %zu and was taken as images x "
                           "height x width x channels; if the channels come first, import it "
                           "with {--layout} nchw",
                           o->features, dims[0], dims[1], dims[2], dims[3]);
}

static un_status import_images(importer *im) {
    un_dataset *d = &im->base.dataset;
    size_t count = 0;
    const size_t *dims = im->map->dims;
    if (dims[0] == 0 || dims[1] == 0 || dims[2] == 0 || dims[3] == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: \"feature_map\" is empty", im->base.options->features);
    d->image_count = dims[0];
    UN_TRY(find_layout(im));
    UN_TRY(import_labels(im));
    if (!un_hdf5_find(im->file, "image_files"))
        return un_dataset_note(d, "%s has no image_files: image names are unknown",
                               im->base.options->features);
    UN_TRY(un_hdf5_read_strings(im->file, "image_files", &d->arena, &d->images, &count));
    return un_benchmark_image_names(&im->base, count);
}

static un_status read_list(importer *im, const char *name, un_index_list *out) {
    un_dataset *d = &im->base.dataset;
    double *values = NULL;
    size_t count = 0;
    UN_TRY(read_vector(im, name, &values, &count));
    un_status status = un_import_indices(im->base.options->features, name, values, count,
                                         d->image_count, 0, &d->arena, out);
    free(values);
    return status;
}

static un_status import_lists(importer *im) {
    un_dataset *d = &im->base.dataset;
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (size_t i = 0; i < 3; i++) UN_TRY(read_list(im, un_mat_list_names[i], lists[i]));
    const un_list_origin origin = {
        .file = im->base.options->features,
        .names = un_mat_list_names,
        .hint = "do the lists and labels belong together, and are both 0-based?"};
    UN_TRY(un_import_check_lists(d, &origin));
    return un_import_note_unlisted(d, im->base.options->features);
}

static un_status import_validation(importer *im) {
    const un_benchmark_options *o = im->base.options;
    un_published_lists own = {0};
    char *base = NULL;
    char *source = NULL;
    un_status status = UNSEEN_OK;
    int has_own = un_hdf5_find(im->file, "train_loc") && un_hdf5_find(im->file, "val_loc");
    if (has_own) {
        UN_GO(read_list(im, "train_loc", &own.train));
        UN_GO(read_list(im, "val_loc", &own.val));
        UN_GO(un_path_base(o->features, &base));
        UN_GO(un_format(&source, "%s train_loc/val_loc", base));
        own.source = source;
    }
    UN_GO(un_import_validation(&im->base.dataset, has_own ? &own : NULL, im->base.splits, NULL,
                               o->validation, o->validation_count));
done:
    free(base);
    free(source);
    return status;
}

/* ---- features ---- */

/* ---- region features from one image after the other in channel
 * order to region order.
 *
 * The file is read slab by slab of images. A slab's rows are gathered from
 * blocks: in a chunked file a block is a column of chunks, so that no chunk is
 * unpacked more often than once a slab, and slabs are whole rows of chunks. The
 * child reads one piece (some blocks) while the piece before it is transposed.
 *
 * h5py chooses chunks like (737, 128, 1, 1) for the published files: a row of
 * chunks is then more than a GiB. Reading it in parts would unpack every chunk
 * ten times over; so such a slab's rows lie in a file without a name, memory that
 * the system can take back. ---- */

static const size_t STEP_BYTES = (size_t)32 << 20;
/* What one block may need, and a slab of rows in a file. */
static const size_t BLOCK_MAX = (size_t)128 << 20;
static const size_t SLAB_MAX = (size_t)4 << 30;
/* Channels transposed together: 64 bytes of f32. */
enum { TILE = 16 };

typedef struct {
    un_hdf5_blocks blocks;
    un_layout layout;
    size_t images;       /* of a slab; the last may have fewer */
    size_t piece_blocks; /* blocks read together */
    size_t piece_bytes;  /* room for them */
    float *rows;         /* [images, R, F] of the slab */
    size_t mapped;       /* bytes of rows if they are a map, 0 if they are allocated */
} plan;

/* Rows in a file without a name; 0 if there is no room for it. */
static int map_rows(plan *p, const char *folder, size_t bytes) {
    char *path = NULL;
    if (un_format(&path, "%s/.rows", folder) != UNSEEN_OK) return 0;
    int fd = un_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) unlink(path);
    free(path);
    if (fd < 0) return 0;
    /* Reserved, since a full disk would be a signal later. */
    void *rows = MAP_FAILED;
    if (posix_fallocate(fd, 0, (off_t)bytes) == 0)
        rows = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (rows == MAP_FAILED) return 0;
    p->rows = rows;
    p->mapped = bytes;
    return 1;
}

/* Images a slab and where its rows are. */
static un_status plan_slab(plan *p, const un_hdf5_variable *v, const char *folder, size_t step) {
    const size_t *dims = p->blocks.dims;
    size_t row = dims[1] * dims[2] * dims[3] * sizeof(float);
    size_t chunk = v->chunk[0] < dims[0] ? v->chunk[0] : dims[0];
    if (row > BLOCK_MAX)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "\"%s\": the features of one image have %zu MiB, at most %zu are possible",
                       v->name, row >> 20, BLOCK_MAX >> 20);
    p->images = step / row > 0 ? step / row : 1;
    if (p->images > dims[0]) p->images = dims[0];
    if (chunk > p->images && chunk <= SLAB_MAX / row && map_rows(p, folder, chunk * row)) {
        p->images = chunk;
        return UNSEEN_OK;
    }
    if (chunk > 1 && chunk <= p->images) p->images -= p->images % chunk;
    return un_alloc(p->images, row, &p->rows);
}

static un_status make_plan(plan *p, const un_hdf5_variable *v, const char *folder, size_t step) {
    un_hdf5_blocks *b = &p->blocks;
    memcpy(b->dims, v->dims, sizeof b->dims);
    for (int k = 0; k < 4; k++)
        b->block[k] = v->chunk[k] > 0 && v->chunk[k] < b->dims[k] ? v->chunk[k] : b->dims[k];
    UN_TRY(plan_slab(p, v, folder, step));
    size_t plane = b->block[2] * b->block[3] * sizeof(float) * p->images;
    while (b->block[1] > 1 && b->block[1] * plane > BLOCK_MAX) b->block[1] = (b->block[1] + 1) / 2;
    size_t block = b->block[1] * plane;
    b->count = 1;
    for (int k = 1; k < 4; k++) b->count *= (b->dims[k] + b->block[k] - 1) / b->block[k];
    p->piece_blocks = step / block > 0 ? step / block : 1;
    p->piece_bytes = (p->piece_blocks * block + 63) / 64 * 64;
    if (p->piece_bytes > (size_t)256 << 20)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "\"%s\": its chunks of %zu x %zu x %zu x %zu are too large", v->name,
                       v->chunk[0], v->chunk[1], v->chunk[2], v->chunk[3]);
    return UNSEEN_OK;
}

/* ---- one piece ---- */

typedef struct {
    const plan *plan;
    const un_hdf5_piece *piece;
    const float *data;
} scatter;

/* A block of one image, [h', w', F'], into that image's rows, [h, w, F]. */
static void insert(const un_hdf5_blocks *b, const size_t start[4], const size_t extent[4],
                   const float *from, float *rows) {
    for (size_t y = start[1]; y < start[1] + extent[1]; y++)
        for (size_t x = start[2]; x < start[2] + extent[2]; x++, from += extent[3])
            memcpy(rows + (y * b->dims[2] + x) * b->dims[3] + start[3], from,
                   extent[3] * sizeof *from);
}

/* A block of one image, [F', h', w'], into the same. */
static void transpose(const un_hdf5_blocks *b, const size_t start[4], const size_t extent[4],
                      const float *from, float *rows) {
    size_t plane = extent[2] * extent[3];
    size_t width = b->dims[1];
    for (size_t f = 0; f < extent[1]; f += TILE) {
        size_t n = extent[1] - f < TILE ? extent[1] - f : TILE;
        for (size_t y = 0; y < extent[2]; y++) {
            size_t region = (start[2] + y) * b->dims[3] + start[3];
            for (size_t x = 0; x < extent[3]; x++) {
                const float *source = from + f * plane + y * extent[3] + x;
                float *to = rows + (region + x) * width + start[1] + f;
                for (size_t i = 0; i < n; i++) to[i] = source[i * plane];
            }
        }
    }
}

static void scatter_images(size_t begin, size_t end, void *context) {
    const scatter *s = context;
    const un_hdf5_blocks *b = &s->plan->blocks;
    size_t row = b->dims[1] * b->dims[2] * b->dims[3];
    size_t start[4];
    size_t extent[4];
    size_t done = 0;
    for (size_t i = 0; i < s->piece->count; i++) {
        size_t elements = un_hdf5_block(b, s->piece->first_block + i, start, extent);
        const float *block = s->data + done * s->piece->images;
        for (size_t image = begin; image < end; image++) {
            const float *from = block + image * elements;
            float *rows = s->plan->rows + image * row;
            if (s->plan->layout == UN_LAYOUT_NHWC)
                insert(b, start, extent, from, rows);
            else
                transpose(b, start, extent, from, rows);
        }
        done += elements;
    }
}

/* The piece after `piece`; 0 after the last. The two halves of the shared memory take turns. */
static int next_piece(const plan *p, un_hdf5_piece *piece) {
    const un_hdf5_blocks *b = &p->blocks;
    piece->place = piece->place ? 0 : p->piece_bytes;
    piece->first_block += piece->count;
    if (piece->first_block >= b->count) {
        piece->first_block = 0;
        piece->first_image += piece->images;
        if (piece->first_image >= b->dims[0]) return 0;
    }
    size_t images = b->dims[0] - piece->first_image;
    size_t blocks = b->count - piece->first_block;
    piece->images = images < p->images ? images : p->images;
    piece->count = blocks < p->piece_blocks ? blocks : p->piece_blocks;
    return 1;
}

static un_status copy(un_hdf5 *file, const char *name, const plan *p, un_features_writer *writer,
                      un_progress *progress) {
    const un_hdf5_blocks *b = &p->blocks;
    un_hdf5_piece piece = {0};
    int more = next_piece(p, &piece);
    UN_TRY(un_hdf5_piece_ask(file, name, b, &piece));
    while (more) {
        un_hdf5_piece now = piece;
        scatter s = {.plan = p, .piece = &now};
        UN_TRY(un_hdf5_piece_wait(file, name, b, &now, &s.data));
        more = next_piece(p, &piece);
        if (more) UN_TRY(un_hdf5_piece_ask(file, name, b, &piece));
        un_parallel_for(now.images, 1, scatter_images, &s);
        if (now.first_block + now.count < b->count) continue;
        UN_TRY(un_features_writer_append(writer, p->rows, now.images));
        un_progress_update(progress, now.first_image + now.images);
    }
    return UNSEEN_OK;
}

static un_status region_features_copy(un_hdf5 *file, const un_hdf5_variable *variable,
                                      un_features_writer *writer, const char *folder,
                                      un_layout layout, size_t step_bytes) {
    plan p = {.layout = layout};
    un_progress progress;
    un_progress_begin(&progress, "import features", "images", variable->dims[0]);
    un_status status = make_plan(&p, variable, folder, step_bytes ? step_bytes : STEP_BYTES);
    if (!status) status = copy(file, variable->name, &p, writer, &progress);
    un_progress_end(&progress);
    if (p.mapped)
        munmap(p.rows, p.mapped);
    else
        free(p.rows);
    return status;
}

static un_status copy_features(void *user, un_features_writer *writer) {
    importer *im = user;
    return region_features_copy(im->file, im->map, writer, im->base.stage.partial, im->layout,
                                im->base.options->step_bytes);
}

/* ---- all of it ---- */

static un_status import_all(importer *im) {
    const un_benchmark_options *o = im->base.options;
    UN_TRY(un_benchmark_begin(&im->base));
    UN_TRY(un_hdf5_open(&im->file, o->features));
    if (o->splits) UN_TRY(un_mat_open(&im->base.splits, o->splits));
    UN_TRY(un_hdf5_require(im->file, "feature_map", UN_HDF5_NUMERIC, 4, &im->map));
    UN_TRY(import_classes(im));
    for (size_t i = 0; i < o->semantics_count; i++)
        UN_TRY(un_import_semantics_file(&im->base.dataset, &o->semantics[i]));
    UN_TRY(import_images(im));
    UN_TRY(import_lists(im));
    UN_TRY(import_validation(im));
    const un_features_description shape = {.regions = im->height * im->width,
                                           .width = im->channels,
                                           .grid_height = im->height,
                                           .grid_width = im->width};
    return un_benchmark_complete(&im->base, ".hdf5", &shape, copy_features, im);
}

un_status un_import_region_maps(const un_benchmark_options *options) {
    if (!options->features || !options->output)
        return un_fail(UNSEEN_E_ARGUMENT, "an import needs a file and an output directory");
    importer im = {.base = {.options = options, .stage = UN_STAGE_NONE}};
    un_status status = import_all(&im);
    un_hdf5_close(im.file);
    un_benchmark_end(&im.base);
    return status;
}
