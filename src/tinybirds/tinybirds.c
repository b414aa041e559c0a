/*
 * tinybirds.c - one picture of Tinybirds with its true boxes, and the data set directory
 * of many; see tinybirds.h.
 *
 * Images are drawn in batches by all threads; each depends on the seed and its own number
 * only. The table of classes follows from the individuals that were drawn.
 */
#include "tinybirds/tinybirds.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/status.h"
#include "data/parts.h"
#include "data/split.h"
#include "data/stage.h"
#include "tinybirds/bird.h"

/* ---- one picture: placing the bird, painting, true boxes ---- */

/* Somewhere in the picture, whole, nearer to the middle than to the borders. */
static void place(un_bird *b, double size, un_rng *rng) {
    const double margin = 0.02 * size;
    double extent[4];
    un_bird_extent(b, extent);
    double width = extent[2] - extent[0];
    double height = extent[3] - extent[1];
    double room = size - 2 * margin;
    double shrink = fmin(1, fmin(room / width, room / height));
    b->length *= shrink;
    b->foot *= shrink;
    double tx = 0.5 * (un_rng_uniform(rng) + un_rng_uniform(rng));
    double ty = 0.5 * (un_rng_uniform(rng) + un_rng_uniform(rng));
    b->x = margin - shrink * extent[0] + tx * (room - shrink * width);
    b->y = margin - shrink * extent[1] + ty * (room - shrink * height);
}

void un_tinybirds_view_create(un_tinybirds_view *view, uint64_t seed, const un_kind *kinds,
                              size_t kind, size_t number, size_t size) {
    uint64_t index = (uint64_t)kind << 32 | number;
    un_rng individual = un_rng_stream(seed, "tinybirds individual", index);
    un_rng rng = un_rng_stream(seed, "tinybirds picture", index);
    unsigned char value[UN_GROUP_COUNT];
    un_kind_individual(&kinds[kind], &individual, value);
    un_bird *b = &view->bird;
    un_scene_create(&view->scene, (double)size, &rng);
    un_bird_create(b, &kinds[kind], value, (double)size, &rng);
    place(b, (double)size, &rng);
    b->lx = view->scene.lx;
    b->ly = view->scene.ly;
    view->scene.perch_x = b->x;
    view->scene.perch_y = b->y + b->foot + 0.01 * b->length;
    un_bird_extent(b, view->scene.bird);
    for (int i = 0; i < 4; i++) view->scene.bird[i] += i % 2 ? b->y : b->x;
}

/* A canvas of the view's size times `scale`; the caller releases *cr and *surface. */
static un_status canvas(const un_tinybirds_view *view, int scale, cairo_surface_t **surface,
                        cairo_t **cr) {
    int side = scale * (int)view->scene.size;
    *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, side, side);
    *cr = cairo_create(*surface);
    if (cairo_status(*cr)) return un_fail_memory(4 * (size_t)side * (size_t)side);
    cairo_scale(*cr, scale, scale);
    return UNSEEN_OK;
}

static un_status finished(cairo_t *cr, cairo_surface_t *surface) {
    cairo_surface_flush(surface);
    if (!cairo_status(cr)) return UNSEEN_OK;
    return un_fail(UNSEEN_E_MEMORY, "cannot paint a bird: %s",
                   cairo_status_to_string(cairo_status(cr)));
}

/* Reads the part numbers out of the surface. */
static void read_map(cairo_surface_t *surface, unsigned char *map) {
    cairo_surface_flush(surface);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    int side = cairo_image_surface_get_width(surface);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) *map++ = data[(ptrdiff_t)y * stride + (ptrdiff_t)x * 4];
}

/* The map without (bare, may be NULL) and with what hides the bird. */
static un_status draw_map(const un_tinybirds_view *view, unsigned char *bare, unsigned char *map) {
    cairo_surface_t *surface = NULL;
    cairo_t *cr = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(canvas(view, UN_MAP_SCALE, &surface, &cr));
    cairo_set_antialias(cr, CAIRO_ANTIALIAS_NONE);
    un_brush brush = {cr, 1};
    un_bird_draw(&view->bird, &brush);
    if (bare) read_map(surface, bare);
    un_scene_paint_before(&view->scene, &brush);
    read_map(surface, map);
    status = finished(cr, surface);
done:
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status;
}

un_status un_tinybirds_map(const un_tinybirds_view *view, unsigned char *map) {
    return draw_map(view, NULL, map);
}

typedef struct {
    size_t points;
    size_t x0, y0, x1, y1; /* x1, y1 exclusive */
} bounds;

static void include(bounds *b, size_t x, size_t y) {
    if (b->points++ == 0) *b = (bounds){1, x, y, x + 1, y + 1};
    if (x < b->x0) b->x0 = x;
    if (x >= b->x1) b->x1 = x + 1;
    if (y < b->y0) b->y0 = y;
    if (y >= b->y1) b->y1 = y + 1;
}

static void to_fractions(const bounds *b, size_t side, float box[4]) {
    box[0] = (float)((double)b->x0 / (double)side);
    box[1] = (float)((double)b->y0 / (double)side);
    box[2] = (float)((double)b->x1 / (double)side);
    box[3] = (float)((double)b->y1 / (double)side);
}

/* Points of the map; one in so many of the part's. */
enum { LEAST_POINTS = 20, LEAST_SHARE = 5 };

static un_status find_boxes(const un_tinybirds_view *view, un_tinybirds_boxes *out) {
    size_t side = UN_MAP_SCALE * (size_t)view->scene.size;
    unsigned char *map = NULL;
    bounds part[UN_PART_OTHER + 1] = {0};
    size_t whole[256] = {0};
    bounds bird = {0};
    UN_TRY(un_alloc(side * side, 2, &map));
    unsigned char *bare = map + side * side;
    un_status status = UNSEEN_OK;
    UN_GO(draw_map(view, bare, map));
    *out = (un_tinybirds_boxes){0};
    for (size_t i = 0; i < side * side; i++) {
        whole[bare[i]]++;
        if (map[i] == 0 || map[i] > UN_PART_OTHER) continue;
        include(&part[map[i]], i % side, i / side);
        include(&bird, i % side, i / side);
    }
    to_fractions(&bird, side, out->object);
    for (size_t p = 0; p < UN_PART_COUNT; p++) {
        const bounds *b = &part[p + 1];
        if (b->points < LEAST_POINTS || b->points * LEAST_SHARE < whole[p + 1]) continue;
        out->visible[p] = 1;
        to_fractions(b, side, out->box[p]);
    }
done:
    free(map);
    return status;
}

un_status un_tinybirds_paint(const un_tinybirds_view *view, cairo_surface_t **out) {
    cairo_surface_t *surface = NULL;
    cairo_t *cr = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_foreign_need(UN_CAIRO));
    UN_GO(canvas(view, 1, &surface, &cr));
    un_brush brush = {cr, 0};
    UN_GO(un_scene_paint_behind(&view->scene, cr));
    un_bird_draw(&view->bird, &brush);
    un_scene_paint_before(&view->scene, &brush);
    UN_GO(finished(cr, surface));
    UN_GO(un_scene_light(&view->scene, surface));
    *out = surface;
    surface = NULL;
done:
    cairo_destroy(cr);
    cairo_surface_destroy(surface);
    return status;
}

un_status un_tinybirds_draw(const un_tinybirds_view *view, unsigned char *rgb,
                            un_tinybirds_boxes *boxes) {
    cairo_surface_t *surface = NULL;
    UN_TRY(un_foreign_need(UN_CAIRO)); /* boxes are drawn, too */
    if (boxes) UN_TRY(find_boxes(view, boxes));
    UN_TRY(un_tinybirds_paint(view, &surface));
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    int side = cairo_image_surface_get_width(surface);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++)
            for (int c = 0; c < 3; c++)
                *rgb++ = data[(ptrdiff_t)y * stride + (ptrdiff_t)x * 4 + 2 - c];
    cairo_surface_destroy(surface);
    return UNSEEN_OK;
}

/* ---- the data set ---- */

enum { MIN_IMAGES = 5, MAX_IMAGES = 10000, FOLDS = 3, BATCH = 128 };

/* One making of a data set. */
typedef struct {
    uint64_t seed;
    size_t per_class; /* images of a kind */
    size_t size;      /* of a picture, pixels */
    un_kind kinds[UN_TINYBIRDS_KINDS];
    char *images; /* the folder of the pictures */
    un_dataset dataset;
    un_tinybirds_boxes *boxes; /* [N] */
    size_t attributes;         /* A */
} work;

/* ---- pictures ---- */

static un_status write_plainly(const char *path, const unsigned char *data, size_t n) {
    un_atomic_file file = UN_ATOMIC_NONE;
    un_status status = UNSEEN_OK;
    file.fd = un_open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (file.fd < 0) return un_fail_errno(errno, "cannot write %s", path);
    UN_GO(un_format(&file.path, "%s", path));
    UN_GO(un_atomic_write(&file, data, n, 0));
done:
    un_atomic_abort(&file); /* closes it; it has no temporary name to remove */
    return status;
}

static un_status make_picture(work *w, size_t i, unsigned char *rgb) {
    un_tinybirds_view view;
    unsigned char *png = NULL;
    char *path = NULL;
    size_t length = 0;
    un_status status = UNSEEN_OK;
    un_tinybirds_view_create(&view, w->seed, w->kinds, i / w->per_class, i % w->per_class, w->size);
    UN_GO(un_tinybirds_draw(&view, rgb, &w->boxes[i]));
    UN_GO(un_png_encode(rgb, w->size, w->size, &png, &length));
    UN_GO(un_path_join(w->images, w->dataset.images[i], &path));
    /* The directory that they are in appears whole or not at all, so these need not. */
    UN_GO(write_plainly(path, png, length));
done:
    free(png);
    free(path);
    return status;
}

/* The first failure of a thread: sentences belong to threads and must be carried over. */
typedef struct {
    un_status status;
    un_failure why;
} failure;

typedef struct {
    work *work;
    size_t first;      /* image of the batch */
    failure *failures; /* of each slot */
} batch;

static void make_some(size_t begin, size_t end, un_slot slot, void *context) {
    const batch *b = context;
    failure *f = &b->failures[slot.index];
    unsigned char *rgb = NULL;
    f->status = un_alloc(b->work->size * b->work->size, 3, &rgb);
    for (size_t i = begin; i < end && !f->status; i++)
        f->status = make_picture(b->work, b->first + i, rgb);
    if (f->status) un_failure_keep(&f->why);
    free(rgb);
}

static un_status make_pictures(work *w) {
    size_t n = w->dataset.image_count;
    size_t slots = un_slot_count(n, 1);
    un_progress progress;
    batch b = {.work = w};
    un_status status = UNSEEN_OK;
    UN_TRY(un_alloc(slots, sizeof *b.failures, &b.failures));
    un_progress_begin(&progress, "draw birds", "images", n);
    for (b.first = 0; b.first < n && !status; b.first += BATCH) {
        un_parallel_slots(n - b.first < BATCH ? n - b.first : BATCH, slots, make_some, &b);
        for (size_t s = 0; s < slots && !status; s++)
            if (b.failures[s].status)
                status = un_failure_put_back(&b.failures[s].why, b.failures[s].status);
        un_progress_update(&progress, b.first);
    }
    un_progress_end(&progress);
    free(b.failures);
    return status;
}

/* ---- tables ---- */

/* "Golden-crowned Siskin" has its pictures in Golden-crowned_Siskin/. */
static void folder_name(const un_kind *kind, char out[sizeof kind->name]) {
    memcpy(out, kind->name, sizeof kind->name);
    for (char *c = out; *c; c++)
        if (*c == ' ') *c = '_';
}

static un_status name_images(work *w) {
    un_dataset *d = &w->dataset;
    char folder[sizeof w->kinds->name];
    char name[sizeof folder + 32];
    UN_TRY(un_arena_alloc(&d->arena, d->class_count, sizeof *d->classes, &d->classes));
    UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof *d->images, &d->images));
    UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof *d->labels, &d->labels));
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        UN_TRY(un_arena_string(&d->arena, w->kinds[k].name, &d->classes[k]));
        folder_name(&w->kinds[k], folder);
        for (size_t i = 0; i < w->per_class; i++) {
            size_t image = k * w->per_class + i;
            d->labels[image] = (int32_t)k;
            snprintf(name, sizeof name, "%s/%03zu.png", folder, i + 1);
            UN_TRY(un_arena_string(&d->arena, name, &d->images[image]));
        }
    }
    return UNSEEN_OK;
}

static un_status make_folders(const work *w) {
    char folder[sizeof w->kinds->name];
    UN_TRY(un_directory_make(w->images));
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        char *path = NULL;
        folder_name(&w->kinds[k], folder);
        UN_TRY(un_path_join(w->images, folder, &path));
        un_status status = un_directory_make(path);
        free(path);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

static void append(un_index_list *list, size_t image) {
    list->items[list->count++] = (int64_t)image;
}

/* Individuals are alike and independent, so the last fifth is as good as any. */
static un_status split(work *w) {
    un_dataset *d = &w->dataset;
    un_index_list *lists[] = {&d->trainval, &d->test_seen, &d->test_unseen};
    for (size_t i = 0; i < 3; i++)
        UN_TRY(un_arena_alloc(&d->arena, d->image_count, sizeof(int64_t), &lists[i]->items));
    size_t test = (size_t)(UN_TINYBIRDS_TEST_SHARE * (double)w->per_class + 0.5);
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++)
        for (size_t i = 0; i < w->per_class; i++) {
            int held_out = i + test >= w->per_class;
            append(w->kinds[k].unseen ? &d->test_unseen
                   : held_out         ? &d->test_seen
                                      : &d->trainval,
                   k * w->per_class + i);
        }
    return un_fold_propose(d, FOLDS);
}

static un_status name_attributes(un_dataset *d, char ***out) {
    size_t a = 0;
    UN_TRY(un_arena_alloc(&d->arena, un_tinybirds_attribute_count(), sizeof **out, out));
    for (size_t g = 0; g < UN_GROUP_COUNT; g++)
        for (size_t v = 0; v < un_attribute_groups[g].count; v++) {
            char name[64];
            snprintf(name, sizeof name, "%s::%s", un_attribute_groups[g].name,
                     un_attribute_groups[g].values[v]);
            UN_TRY(un_arena_string(&d->arena, name, &(*out)[a++]));
        }
    return UNSEEN_OK;
}

static void count_attributes(const work *w, float *percent) {
    for (size_t i = 0; i < w->dataset.image_count; i++) {
        un_tinybirds_view view;
        size_t k = i / w->per_class;
        un_tinybirds_view_create(&view, w->seed, w->kinds, k, i % w->per_class, w->size);
        for (size_t g = 0; g < UN_GROUP_COUNT; g++)
            percent[k * w->attributes + un_tinybirds_first_attribute(g) + view.bird.value[g]] +=
                100.0F / (float)w->per_class;
    }
}

static un_status describe(work *w) {
    un_dataset *d = &w->dataset;
    un_semantics *unit = &d->semantics[0];
    un_semantics *percent = &d->semantics[1];
    *unit = (un_semantics){.name = "att", .width = w->attributes};
    *percent = (un_semantics){.name = "original_att", .width = w->attributes};
    UN_TRY(name_attributes(d, &unit->attributes));
    percent->attributes = unit->attributes;
    size_t n = UN_TINYBIRDS_KINDS * w->attributes;
    UN_TRY(un_arena_alloc(&d->arena, n, sizeof *unit->values, &unit->values));
    UN_TRY(un_arena_alloc(&d->arena, n, sizeof *percent->values, &percent->values));
    count_attributes(w, percent->values);
    for (size_t k = 0; k < UN_TINYBIRDS_KINDS; k++) {
        double square = 0;
        const float *row = percent->values + k * w->attributes;
        for (size_t a = 0; a < w->attributes; a++) square += (double)row[a] * row[a];
        for (size_t a = 0; a < w->attributes; a++)
            unit->values[k * w->attributes + a] = (float)(row[a] / sqrt(square));
    }
    d->semantics_count = 2;
    return UNSEEN_OK;
}

/* ---- the directory ---- */

/* Where DIR/images will be, absolute; its parent exists. */
static un_status final_images(const char *output, char **out) {
    char *parent = NULL;
    char *base = NULL;
    char *real = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_path_directory(output, &parent));
    UN_GO(un_path_base(output, &base));
    real = realpath(parent, NULL);
    if (!real) UN_GO(un_fail_errno(errno, "cannot find %s", parent));
    UN_GO(un_format(out, "%s/%s/images", strcmp(real, "/") != 0 ? real : "", base));
done:
    free(parent);
    free(base);
    free(real);
    return status;
}

static un_status set_root(un_dataset *d, const char *output) {
    char *root = NULL;
    char *copy = NULL;
    UN_TRY(final_images(output, &root));
    un_status status = un_arena_string(&d->arena, root, &copy);
    d->image_root = copy;
    d->orientation = UN_ORIENTATION_EXIF; /* for the sake of the photographs asked about */
    free(root);
    return status;
}

/* All that was written into the directory, on the disk. */
static un_status sync_all(const char *directory) {
    int fd = un_open(directory, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return un_fail_errno(errno, "cannot open %s", directory);
    int code = syncfs(fd) != 0 ? errno : 0;
    close(fd);
    return code ? un_fail_errno(code, "cannot write %s to disk", directory) : UNSEEN_OK;
}

static un_status make(work *w, const un_tinybirds_options *options, const un_stage *stage) {
    un_dataset *d = &w->dataset;
    UN_TRY(set_root(d, stage->output));
    UN_TRY(un_tinybirds_kinds(w->seed, w->kinds));
    UN_TRY(name_images(w));
    UN_TRY(split(w));
    UN_TRY(describe(w));
    UN_TRY(un_alloc(d->image_count, sizeof *w->boxes, &w->boxes));
    UN_TRY(un_path_join(stage->partial, "images", &w->images));
    UN_TRY(make_folders(w));
    UN_TRY(make_pictures(w));
    UN_TRY(un_tinybirds_write_parts(d, w->boxes, stage->partial));
    if (options->finish) UN_TRY(options->finish(d, options->finish_user));
    UN_TRY(un_dataset_write(d, stage->partial));
    return sync_all(stage->partial);
}

static un_status check_options(const un_tinybirds_options *o) {
    if (o->size && (o->size < UN_TINYBIRDS_MIN_SIZE || o->size > UN_TINYBIRDS_MAX_SIZE))
        return un_fail(UNSEEN_E_ARGUMENT, "pictures have %d to %d pixels a side, not %zu",
                       UN_TINYBIRDS_MIN_SIZE, UN_TINYBIRDS_MAX_SIZE, o->size);
    if (o->images_per_class &&
        (o->images_per_class < MIN_IMAGES || o->images_per_class > MAX_IMAGES))
        return un_fail(UNSEEN_E_ARGUMENT, "%d to %d images of a class can be drawn, not %zu",
                       MIN_IMAGES, MAX_IMAGES, o->images_per_class);
    return UNSEEN_OK;
}

un_status un_tinybirds_make(const un_tinybirds_options *options, const char *directory) {
    work *w = NULL;
    un_stage stage = UN_STAGE_NONE;
    UN_TRY(check_options(options));
    UN_TRY(un_foreign_need(UN_CAIRO)); /* before anything is made */
    UN_TRY(un_alloc(1, sizeof *w, &w));
    un_status status = UNSEEN_OK;
    w->seed = options->seed;
    w->per_class = options->images_per_class ? options->images_per_class : UN_TINYBIRDS_IMAGES;
    w->size = options->size ? options->size : UN_TINYBIRDS_SIZE;
    w->attributes = un_tinybirds_attribute_count();
    w->dataset.name = options->name ? options->name : "Tinybirds";
    w->dataset.class_count = UN_TINYBIRDS_KINDS;
    w->dataset.image_count = UN_TINYBIRDS_KINDS * w->per_class;
    UN_GO(un_stage_open(&stage, directory));
    UN_GO(make(w, options, &stage));
    UN_GO(un_stage_commit(&stage));
done:
    un_stage_abort(&stage);
    un_dataset_close(&w->dataset);
    free(w->boxes);
    free(w->images);
    free(w);
    return status;
}

/* ---- the true boxes of Tinybirds as a file of parts ---- */

/* The part of each attribute; those of the head's pattern are seen at the eye, but for the crest.
 * An attribute of the whole bird has none. */
static un_status fill_attribute_parts(const un_semantics *semantics, un_arena *arena,
                                      un_attribute_parts *out) {
    size_t a = 0;
    *out = (un_attribute_parts){.semantics = semantics->name, .width = semantics->width};
    UN_TRY(un_arena_alloc(arena, semantics->width, sizeof *out->lists, &out->lists));
    for (size_t g = 0; g < UN_GROUP_COUNT; g++)
        for (size_t v = 0; v < un_attribute_groups[g].count; v++, a++) {
            unsigned part = un_attribute_groups[g].part;
            if (g == UN_GROUP_HEAD_PATTERN && v == UN_CRESTED) part = UN_PART_CROWN;
            if (!part) continue;
            out->lists[a].count = 1;
            UN_TRY(un_arena_alloc(arena, 1, sizeof(size_t), &out->lists[a].items));
            out->lists[a].items[0] = part - 1;
        }
    return UNSEEN_OK;
}

static un_status fill(un_parts *parts, const un_dataset *dataset, const un_tinybirds_boxes *boxes) {
    un_arena *arena = &parts->arena;
    size_t n = parts->image_count;
    UN_TRY(un_arena_alloc(arena, UN_PART_COUNT, sizeof *parts->names, &parts->names));
    for (size_t p = 0; p < UN_PART_COUNT; p++)
        UN_TRY(un_arena_string(arena, un_part_names[p], &parts->names[p]));
    UN_TRY(un_arena_alloc(arena, n, sizeof boxes->box, &parts->boxes));
    UN_TRY(un_arena_alloc(arena, n, sizeof boxes->visible, &parts->visible));
    UN_TRY(un_arena_alloc(arena, n, sizeof boxes->object, &parts->objects));
    for (size_t i = 0; i < n; i++) {
        memcpy(parts->boxes + i * UN_PART_COUNT * 4, boxes[i].box, sizeof boxes[i].box);
        memcpy(parts->visible + i * UN_PART_COUNT, boxes[i].visible, sizeof boxes[i].visible);
        memcpy(parts->objects + i * 4, boxes[i].object, sizeof boxes[i].object);
    }
    for (size_t s = 0; s < dataset->semantics_count; s++)
        UN_TRY(fill_attribute_parts(&dataset->semantics[s], arena, &parts->attribute_parts[s]));
    parts->attribute_parts_count = dataset->semantics_count;
    return UNSEEN_OK;
}

un_status un_tinybirds_write_parts(const un_dataset *dataset, const un_tinybirds_boxes *boxes,
                                   const char *directory) {
    un_parts parts = {.image_count = dataset->image_count, .part_count = UN_PART_COUNT};
    un_status status = fill(&parts, dataset, boxes);
    if (!status) status = un_parts_write(&parts, directory, dataset);
    un_parts_close(&parts);
    return status;
}
