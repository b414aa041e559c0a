/*
 * cub.c - importing the folder of Caltech-UCSD Birds; see import.h.
 *
 * The text files describe all 200 classes and 11788 pictures; only those are imported
 * whose files exist. Published splits count the pictures in the order of images.txt.
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/names.h"
#include "data/parts.h"
#include "data/readers/import.h"
#include "data/readers/import_parts.h"
#include "data/readers/pictures.h"
#include "data/readers/text.h"

/* Numbers of pictures and classes in the files; CUB has 11788 and 200. */
enum { MAX_ID = 1 << 22, MAX_CLASS_ID = 1 << 20 };

static const char ATTRIBUTES[] = "attributes/attributes.txt";
static const char VALUES[] = "attributes/class_attribute_labels_continuous.txt";

typedef struct {
    un_picture_import base;
    un_arena arena;
    size_t class_count; /* of classes.txt */
    char **classes;     /* in its order */
    size_t *class_ids;  /* their numbers there */
    size_t listed;      /* pictures of images.txt */
    size_t largest_id;  /* of them */
    char **files;       /* [listed] names of those that exist; the data set takes them over */
    size_t *ids;        /* [listed] their numbers */
    size_t file_count;
    size_t *class_of; /* [largest_id + 1] index into classes + 1, 0: unknown */
    int64_t *place;   /* [largest_id] image of number id - 1, -1: none */
} importer;

/* ---- the lists ---- */

/* How many lines at most, for arrays that are filled line by line. */
static int by_size(const void *a, const void *b) {
    size_t x = *(const size_t *)a;
    size_t y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static un_status all_differ(const un_lines *lines, const size_t *ids, size_t count) {
    size_t *sorted = NULL;
    UN_TRY(un_alloc(count, sizeof *sorted, &sorted));
    un_status status = UNSEEN_OK;
    if (count > 0) memcpy(sorted, ids, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_size);
    for (size_t i = 1; i < count && !status; i++)
        if (sorted[i] == sorted[i - 1])
            status = un_fail(UNSEEN_E_FORMAT, "%s: number %zu occurs more than once", lines->path,
                             sorted[i]);
    free(sorted);
    return status;
}

static un_status read_classes(importer *im) {
    un_lines lines;
    char *line = NULL;
    UN_TRY(un_lines_open_in(&lines, im->base.options->root, "classes.txt"));
    un_status status = UNSEEN_OK;
    size_t most = un_lines_left(&lines);
    UN_GO(un_arena_alloc(&im->arena, most, sizeof *im->classes, &im->classes));
    UN_GO(un_arena_alloc(&im->arena, most, sizeof *im->class_ids, &im->class_ids));
    for (size_t n = 0; un_lines_next(&lines, &line); im->class_count = ++n) {
        UN_GO(un_lines_whole(&lines, &line, 1, MAX_CLASS_ID, &im->class_ids[n]));
        UN_GO(un_lines_text(&lines, line, &line));
        UN_GO(un_arena_string(&im->arena, line, &im->classes[n]));
    }
    if (im->class_count == 0) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is empty", lines.path));
    UN_GO(all_differ(&lines, im->class_ids, im->class_count));
done:
    un_lines_close(&lines);
    return status;
}

/* A path that leads out of the folder is a mistake or an attack. */
static int stays_inside(const char *path) {
    if (path[0] == '/') return 0;
    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (!strncmp(at, "..", 2) && (at[2] == 0 || at[2] == '/')) return 0;
    }
    return 1;
}

static int is_there(const char *folder, const char *name) {
    char *path = NULL;
    if (!stays_inside(name) || un_path_join(folder, name, &path)) return 0;
    int there = un_path_exists(path) && !un_path_is_directory(path);
    free(path);
    return there;
}

/* Also a path as Windows writes it, or with the folder of the pictures in front. `name` may be
 * changed. */
static un_status keep_if_there(importer *im, const char *folder, char *name, size_t id) {
    static const char front[] = "images/";
    if (!is_there(folder, name)) {
        un_import_tidy_path(name);
        if (!is_there(folder, name) && !strncmp(name, front, sizeof front - 1))
            name += sizeof front - 1;
        if (!is_there(folder, name)) return UNSEEN_OK;
    }
    im->ids[im->file_count] = id;
    return un_arena_string(&im->base.dataset.arena, name, &im->files[im->file_count++]);
}

static un_status read_images(importer *im) {
    un_lines lines;
    char *line = NULL;
    char *folder = NULL;
    size_t *all = NULL;
    const char *root = im->base.options->root;
    UN_TRY(un_lines_open_in(&lines, root, "images.txt"));
    un_status status = UNSEEN_OK;
    size_t most = un_lines_left(&lines);
    UN_GO(un_alloc(most, sizeof *all, &all));
    UN_GO(un_arena_alloc(&im->base.dataset.arena, most, sizeof *im->files, &im->files));
    UN_GO(un_arena_alloc(&im->arena, most, sizeof *im->ids, &im->ids));
    UN_GO(un_path_join(root, "images", &folder));
    while (un_lines_next(&lines, &line)) {
        size_t *id = &all[im->listed++];
        UN_GO(un_lines_whole(&lines, &line, 1, MAX_ID, id));
        UN_GO(un_lines_text(&lines, line, &line));
        if (!stays_inside(line)) UN_GO(un_lines_wrong(&lines, "the path leads out of the folder"));
        if (*id > im->largest_id) im->largest_id = *id;
        UN_GO(keep_if_there(im, folder, line, *id));
    }
    UN_GO(all_differ(&lines, all, im->listed));
    if (im->file_count == 0)
        UN_GO(un_fail(UNSEEN_E_FORMAT, "none of the %zu pictures of %s exists below %s", im->listed,
                      lines.path, folder));
    UN_GO(un_import_image_root(&im->base.dataset, folder));
done:
    un_lines_close(&lines);
    free(folder);
    free(all);
    return status;
}

static un_status read_labels(importer *im) {
    un_lines lines;
    char *line = NULL;
    size_t *index = NULL; /* [largest class number + 1] place in classes.txt + 1 */
    size_t largest = 0;
    UN_TRY(un_lines_open_in(&lines, im->base.options->root, "image_class_labels.txt"));
    un_status status = UNSEEN_OK;
    for (size_t c = 0; c < im->class_count; c++)
        if (im->class_ids[c] > largest) largest = im->class_ids[c];
    UN_GO(un_alloc(largest + 1, sizeof *index, &index));
    for (size_t c = 0; c < im->class_count; c++) index[im->class_ids[c]] = c + 1;
    UN_GO(un_arena_alloc(&im->arena, im->largest_id + 1, sizeof *im->class_of, &im->class_of));
    while (un_lines_next(&lines, &line)) {
        size_t id = 0;
        size_t class = 0;
        UN_GO(un_lines_whole(&lines, &line, 1, MAX_ID, &id));
        UN_GO(un_lines_whole(&lines, &line, 1, largest, &class));
        UN_GO(un_lines_end(&lines, line));
        if (index[class] == 0) UN_GO(un_lines_wrong(&lines, "classes.txt has no such class"));
        if (id <= im->largest_id) im->class_of[id] = index[class];
    }
    for (size_t i = 0; i < im->file_count; i++)
        if (im->class_of[im->ids[i]] == 0)
            UN_GO(un_fail(UNSEEN_E_FORMAT, "%s has no class for image %zu, \"%.200s\"", lines.path,
                          im->ids[i], im->files[i]));
done:
    un_lines_close(&lines);
    free(index);
    return status;
}

/* ---- the data set's images ---- */

/* (*rows)[c] is the place of the data set's class c in classes.txt. */
static un_status fill_images(importer *im, size_t **rows) {
    un_dataset *d = &im->base.dataset;
    size_t *class_of = NULL;
    d->image_count = im->file_count;
    d->images = im->files;
    UN_TRY(un_arena_alloc(&im->arena, d->image_count, sizeof *class_of, &class_of));
    for (size_t i = 0; i < d->image_count; i++) class_of[i] = im->class_of[im->ids[i]] - 1;
    UN_TRY(un_picture_classes(&im->base, &im->arena, im->classes, im->class_count, class_of, rows));
    UN_TRY(un_arena_alloc(&im->arena, im->largest_id, sizeof *im->place, &im->place));
    for (size_t i = 0; i < im->largest_id; i++) im->place[i] = -1;
    for (size_t i = 0; i < d->image_count; i++) im->place[im->ids[i] - 1] = (int64_t)i;
    if (im->listed == im->file_count) return UNSEEN_OK;
    return un_dataset_note(d, "%zu of the %zu pictures of images.txt are here", im->file_count,
                           im->listed);
}

/* ---- attributes ---- */

/* The archive keeps attributes.txt outside the data set's folder. */
static un_status find_attribute_names(const char *root, char **out) {
    static const char *const places[] = {ATTRIBUTES, "attributes.txt", "../attributes.txt",
                                         "../attributes/attributes.txt"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        UN_TRY(un_path_join(root, places[i], out));
        if (un_path_exists(*out)) return UNSEEN_OK;
        free(*out);
        *out = NULL;
    }
    return un_fail(
        UNSEEN_E_IO,
        "%s has no attributes.txt, neither in it, in its folder attributes nor beside it", root);
}

static un_status read_attribute_names(importer *im, char ***out, size_t *count) {
    un_dataset *d = &im->base.dataset;
    un_lines lines = {0};
    char *line = NULL;
    char *path = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(find_attribute_names(im->base.options->root, &path));
    UN_GO(un_lines_open(&lines, path));
    UN_GO(un_arena_alloc(&d->arena, un_lines_left(&lines), sizeof **out, out));
    for (*count = 0; un_lines_next(&lines, &line); (*count)++) {
        size_t number = 0;
        UN_GO(un_lines_whole(&lines, &line, *count + 1, *count + 1, &number));
        UN_GO(un_lines_text(&lines, line, &line));
        UN_GO(un_arena_string(&d->arena, line, &(*out)[*count]));
    }
    if (*count == 0) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is empty", path));
done:
    un_lines_close(&lines);
    free(path);
    return status;
}

static un_status import_attributes(importer *im, const size_t *rows) {
    char **names = NULL;
    size_t width = 0;
    UN_TRY(read_attribute_names(im, &names, &width));
    return un_picture_attributes(&im->base, VALUES, im->class_count, rows, names, width);
}

/* ---- all of it ---- */

/* ---- CUB's marks: where 15 parts of the bird and the bird itself are.
 *
 * Pixels of the original pictures; the size of these comes from original_sizes.txt
 * where the pictures were reduced, else from the pictures. What reaches beyond its
 * picture is cut to it. ---- */

enum { MAX_PARTS = 1024, MOST_PARTS_OF_GROUP = 5 };

/* Which parts an attribute's group (the text between "has_" and "::") speaks of. Groups
 * that are not here, of size, shape and primary colour, speak of the whole bird. */
static const struct {
    const char *group;
    const char *parts[MOST_PARTS_OF_GROUP];
} g_groups[] = {
    {"bill_shape", {"beak"}},
    {"bill_length", {"beak"}},
    {"bill_color", {"beak"}},
    {"wing_color", {"left wing", "right wing"}},
    {"wing_shape", {"left wing", "right wing"}},
    {"wing_pattern", {"left wing", "right wing"}},
    {"upperparts_color", {"back", "nape", "left wing", "right wing"}},
    {"underparts_color", {"belly", "breast", "throat"}},
    {"breast_pattern", {"breast"}},
    {"breast_color", {"breast"}},
    {"back_color", {"back"}},
    {"back_pattern", {"back"}},
    {"tail_shape", {"tail"}},
    {"upper_tail_color", {"tail"}},
    {"under_tail_color", {"tail"}},
    {"tail_pattern", {"tail"}},
    {"head_pattern", {"crown", "forehead", "nape", "left eye", "right eye"}},
    {"throat_color", {"throat"}},
    {"eye_color", {"left eye", "right eye"}},
    {"forehead_color", {"forehead"}},
    {"nape_color", {"nape"}},
    {"belly_color", {"belly"}},
    {"belly_pattern", {"belly"}},
    {"leg_color", {"left leg", "right leg"}},
    {"crown_color", {"crown"}},
};

typedef struct {
    un_picture_import *base;
    const char *root;
    un_parts parts;
    size_t *part_of;      /* [MAX_PARTS + 1] place of a part's number + 1 */
    int64_t *place;       /* [largest + 1] image of a number, -1: none */
    size_t largest;       /* number of an image */
    double *sizes;        /* [N, 2] width and height that the marks refer to, 0: not known yet */
    unsigned char *boxed; /* [N] 1: the bird's box is known */
} reader;

static int there(const reader *r, const char *name) {
    char *path = NULL;
    if (un_path_join(r->root, name, &path) != UNSEEN_OK) return 0;
    int exists = un_path_exists(path);
    free(path);
    return exists;
}

/* Takes an image's number from a line; *image -1 if the data set does not have it. */
static un_status read_image(const reader *r, const un_lines *lines, char **rest, int64_t *image) {
    size_t id = 0;
    UN_TRY(un_lines_whole(lines, rest, 1, MAX_ID, &id));
    *image = id <= r->largest ? r->place[id] : -1;
    return UNSEEN_OK;
}

static un_status read_names(reader *r) {
    un_parts *p = &r->parts;
    un_lines lines;
    char *line = NULL;
    UN_TRY(un_lines_open_in(&lines, r->root, "parts/parts.txt"));
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&p->arena, MAX_PARTS, sizeof *p->names, &p->names));
    while (un_lines_next(&lines, &line)) {
        size_t number = 0;
        UN_GO(un_lines_whole(&lines, &line, 1, MAX_PARTS, &number));
        UN_GO(un_lines_text(&lines, line, &line));
        if (r->part_of[number] > 0) UN_GO(un_lines_wrong(&lines, "the part's number is taken"));
        UN_GO(un_arena_string(&p->arena, line, &p->names[p->part_count]));
        r->part_of[number] = ++p->part_count;
    }
    if (p->part_count == 0) UN_GO(un_fail(UNSEEN_E_FORMAT, "%s is empty", lines.path));
done:
    un_lines_close(&lines);
    return status;
}

/* ---- sizes ---- */

static un_status read_sizes(reader *r) {
    un_lines lines;
    char *line = NULL;
    if (!there(r, "original_sizes.txt")) return UNSEEN_OK;
    UN_TRY(un_lines_open_in(&lines, r->root, "original_sizes.txt"));
    un_status status = UNSEEN_OK;
    while (un_lines_next(&lines, &line)) {
        int64_t image = 0;
        double size[2];
        UN_GO(read_image(r, &lines, &line, &image));
        UN_GO(un_lines_number(&lines, &line, &size[0]));
        UN_GO(un_lines_number(&lines, &line, &size[1]));
        UN_GO(un_lines_end(&lines, line));
        if (size[0] < 1 || size[1] < 1) UN_GO(un_lines_wrong(&lines, "a size must be at least 1"));
        if (image >= 0) memcpy(r->sizes + image * 2, size, sizeof size);
    }
done:
    un_lines_close(&lines);
    return status;
}

/* Sizes that the list did not have are those of the pictures themselves. */
static un_status measure(reader *r) {
    const un_dataset *d = &r->base->dataset;
    for (size_t i = 0; i < d->image_count; i++) {
        char *path = NULL;
        size_t width = 0;
        size_t height = 0;
        if (r->sizes[2 * i] > 0) continue;
        UN_TRY(un_path_below(d->image_root, d->images[i], &path));
        un_status status = un_picture_size(path, &width, &height);
        free(path);
        if (status) return status;
        r->sizes[2 * i] = (double)width;
        r->sizes[2 * i + 1] = (double)height;
    }
    return UNSEEN_OK;
}

/* ---- marks ---- */

static float fraction(double x, double size) {
    double f = x / size;
    return f < 0 ? 0 : f > 1 ? 1 : (float)f;
}

static un_status read_points(reader *r) {
    un_parts *p = &r->parts;
    un_lines lines;
    char *line = NULL;
    UN_TRY(un_lines_open_in(&lines, r->root, "parts/part_locs.txt"));
    un_status status = UNSEEN_OK;
    while (un_lines_next(&lines, &line)) {
        int64_t image = 0;
        size_t number = 0;
        size_t visible = 0;
        double x = 0;
        double y = 0;
        UN_GO(read_image(r, &lines, &line, &image));
        UN_GO(un_lines_whole(&lines, &line, 1, MAX_PARTS, &number));
        UN_GO(un_lines_number(&lines, &line, &x));
        UN_GO(un_lines_number(&lines, &line, &y));
        UN_GO(un_lines_whole(&lines, &line, 0, 1, &visible));
        UN_GO(un_lines_end(&lines, line));
        if (r->part_of[number] == 0) UN_GO(un_lines_wrong(&lines, "parts.txt has no such part"));
        if (image < 0 || !visible) continue;
        size_t at = (size_t)image * p->part_count + r->part_of[number] - 1;
        const double *size = r->sizes + image * 2;
        float *box = p->boxes + at * 4;
        p->visible[at] = 1;
        box[0] = box[2] = fraction(x, size[0]);
        box[1] = box[3] = fraction(y, size[1]);
    }
done:
    un_lines_close(&lines);
    return status;
}

static un_status read_boxes(reader *r) {
    const un_dataset *d = &r->base->dataset;
    un_parts *p = &r->parts;
    un_lines lines;
    char *line = NULL;
    if (!there(r, "bounding_boxes.txt")) return UNSEEN_OK;
    UN_TRY(un_lines_open_in(&lines, r->root, "bounding_boxes.txt"));
    un_status status = UNSEEN_OK;
    UN_GO(un_arena_alloc(&p->arena, d->image_count * 4, sizeof *p->objects, &p->objects));
    UN_GO(un_arena_alloc(&p->arena, d->image_count, 1, &r->boxed));
    while (un_lines_next(&lines, &line)) {
        int64_t image = 0;
        double box[4]; /* x, y, width, height */
        UN_GO(read_image(r, &lines, &line, &image));
        for (int k = 0; k < 4; k++) UN_GO(un_lines_number(&lines, &line, &box[k]));
        UN_GO(un_lines_end(&lines, line));
        if (box[2] < 0 || box[3] < 0) UN_GO(un_lines_wrong(&lines, "the box has no size"));
        if (image < 0) continue;
        const double *size = r->sizes + image * 2;
        float *out = p->objects + image * 4;
        r->boxed[image] = 1;
        for (int k = 0; k < 2; k++) {
            out[k] = fraction(box[k], size[k]);
            out[k + 2] = fraction(box[k] + box[k + 2], size[k]);
        }
    }
    for (size_t i = 0; i < d->image_count; i++)
        if (!r->boxed[i])
            UN_GO(
                un_fail(UNSEEN_E_FORMAT, "%s has no box for \"%.200s\"", lines.path, d->images[i]));
done:
    un_lines_close(&lines);
    return status;
}

/* ---- parts of attributes ---- */

static void add_part(const un_parts *p, un_part_list *list, const char *name) {
    for (size_t k = 0; k < p->part_count; k++)
        if (!strcmp(p->names[k], name)) list->items[list->count++] = k;
}

static un_status parts_of_attribute(un_parts *p, const char *attribute, un_part_list *list) {
    static const char PREFIX[] = "has_";
    size_t length = 0;
    (void)un_attribute_value(attribute, &length);
    if (length < sizeof PREFIX - 1 || strncmp(attribute, PREFIX, sizeof PREFIX - 1) != 0)
        return UNSEEN_OK;
    const char *group = attribute + sizeof PREFIX - 1;
    length -= sizeof PREFIX - 1;
    for (size_t g = 0; g < sizeof g_groups / sizeof *g_groups; g++) {
        if (strlen(g_groups[g].group) != length || strncmp(g_groups[g].group, group, length) != 0)
            continue;
        UN_TRY(un_arena_alloc(&p->arena, p->part_count, sizeof *list->items, &list->items));
        for (size_t k = 0; k < MOST_PARTS_OF_GROUP && g_groups[g].parts[k]; k++)
            add_part(p, list, g_groups[g].parts[k]);
    }
    return UNSEEN_OK;
}

static un_status map_attributes(reader *r) {
    const un_dataset *d = &r->base->dataset;
    un_parts *p = &r->parts;
    for (size_t i = 0; i < d->semantics_count; i++) {
        const un_semantics *s = &d->semantics[i];
        if (!s->attributes) continue;
        un_attribute_parts *out = &p->attribute_parts[p->attribute_parts_count++];
        *out = (un_attribute_parts){.semantics = s->name, .width = s->width};
        UN_TRY(un_arena_alloc(&p->arena, s->width, sizeof *out->lists, &out->lists));
        for (size_t a = 0; a < s->width; a++)
            UN_TRY(parts_of_attribute(p, s->attributes[a], &out->lists[a]));
    }
    return UNSEEN_OK;
}

/* ---- all of it ---- */

static un_status prepare(reader *r, const size_t *ids) {
    un_parts *p = &r->parts;
    size_t n = r->base->dataset.image_count;
    p->points = 1;
    p->image_count = n;
    for (size_t i = 0; i < n; i++)
        if (ids[i] > r->largest) r->largest = ids[i];
    UN_TRY(un_arena_alloc(&p->arena, r->largest + 1, sizeof *r->place, &r->place));
    for (size_t i = 0; i <= r->largest; i++) r->place[i] = -1;
    for (size_t i = 0; i < n; i++) r->place[ids[i]] = (int64_t)i;
    UN_TRY(un_arena_alloc(&p->arena, MAX_PARTS + 1, sizeof *r->part_of, &r->part_of));
    UN_TRY(un_arena_alloc(&p->arena, 2 * n, sizeof *r->sizes, &r->sizes));
    UN_TRY(read_names(r));
    UN_TRY(un_arena_alloc(&p->arena, n * p->part_count * 4, sizeof *p->boxes, &p->boxes));
    return un_arena_alloc(&p->arena, n * p->part_count, 1, &p->visible);
}

static un_status import_all_parts(reader *r, const size_t *ids) {
    UN_TRY(prepare(r, ids));
    UN_TRY(read_sizes(r));
    UN_TRY(measure(r));
    UN_TRY(read_points(r));
    UN_TRY(read_boxes(r));
    UN_TRY(map_attributes(r));
    return un_parts_write(&r->parts, r->base->stage.partial, &r->base->dataset);
}

/* Image i of the data set is number ids[i] of images.txt. */
static un_status import_parts(un_picture_import *import, const size_t *ids) {
    reader r = {.base = import, .root = import->options->root};
    if (!there(&r, "parts/parts.txt") || !there(&r, "parts/part_locs.txt"))
        return un_dataset_note(&import->dataset,
                               "the folder has no parts/parts.txt and parts/part_locs.txt: where "
                               "the parts are is unknown");
    un_status status = import_all_parts(&r, ids);
    un_parts_close(&r.parts);
    return status;
}

/* ---- the import ---- */

static un_status import_all(importer *im, const un_picture_set_options *options) {
    size_t *rows = NULL;
    UN_TRY(un_picture_begin(&im->base, options));
    UN_TRY(read_classes(im));
    UN_TRY(read_images(im));
    UN_TRY(read_labels(im));
    UN_TRY(fill_images(im, &rows));
    UN_TRY(import_attributes(im, rows));
    un_numbering numbering = {im->largest_id, im->place};
    un_split_defaults defaults = {.numbering = &numbering};
    UN_TRY(un_split_source_apply(&im->base.source, &im->base.dataset, &defaults));
    UN_TRY(import_parts(&im->base, im->ids));
    return un_picture_complete(&im->base);
}

un_status un_import_cub(const un_picture_set_options *options) {
    importer im = {.base = {.stage = UN_STAGE_NONE}};
    un_status status = import_all(&im, options);
    un_picture_end(&im.base);
    un_arena_free(&im.arena);
    return status;
}
