/* localisation.c - see localisation.h. */
#include "protocol/localisation.h"

#include <math.h>

#include "base/json.h"

enum { COVER_GRID = 128 };

/* From pixels to fractions of the crop. */
static void into_crop(const un_rectangle *r, const un_rectangle *crop, un_target *out) {
    double width = crop->x1 - crop->x0, height = crop->y1 - crop->y0;
    out->x0 = (r->x0 - crop->x0) / width;
    out->x1 = (r->x1 - crop->x0) / width;
    out->y0 = (r->y0 - crop->y0) / height;
    out->y1 = (r->y1 - crop->y0) / height;
}

static int centre_inside(const un_target *t) {
    double x = (t->x0 + t->x1) / 2, y = (t->y0 + t->y1) / 2;
    return x >= 0 && x <= 1 && y >= 0 && y <= 1;
}

int un_target_of_box(const un_rectangle *part, const un_rectangle *crop, un_target *out) {
    out->round = 0;
    into_crop(part, crop, out);
    return centre_inside(out);
}

int un_target_of_point(double x, double y, const un_rectangle *object, const un_rectangle *crop,
                       un_target *out) {
    const un_rectangle *scale = object ? object : crop;
    double share = object ? UN_POINT_TOLERANCE : UN_POINT_TOLERANCE_CROP;
    double radius = share * hypot(scale->x1 - scale->x0, scale->y1 - scale->y0);
    const un_rectangle around = {x - radius, y - radius, x + radius, y + radius};
    out->round = 1;
    into_crop(&around, crop, out);
    return centre_inside(out);
}

static int holds(const un_target *t, double x, double y) {
    if (!t->round) return x >= t->x0 && x <= t->x1 && y >= t->y0 && y <= t->y1;
    double rx = (t->x1 - t->x0) / 2, ry = (t->y1 - t->y0) / 2;
    if (!(rx > 0 && ry > 0)) return 0;
    double dx = (x - (t->x0 + t->x1) / 2) / rx, dy = (y - (t->y0 + t->y1) / 2) / ry;
    return dx * dx + dy * dy <= 1;
}

int un_targets_hold(const un_target *targets, size_t n, double x, double y) {
    for (size_t i = 0; i < n; i++)
        if (holds(&targets[i], x, y)) return 1;
    return 0;
}

double un_targets_cover(const un_target *targets, size_t n) {
    size_t inside = 0;
    for (size_t j = 0; j < COVER_GRID; j++)
        for (size_t i = 0; i < COVER_GRID; i++)
            inside += (size_t)un_targets_hold(targets, n, ((double)i + 0.5) / COVER_GRID,
                                              ((double)j + 0.5) / COVER_GRID);
    return (double)inside / ((double)COVER_GRID * COVER_GRID);
}

/* Whether the centre of cell r lies in a target. */
static int cell_holds(size_t r, size_t height, size_t width, const un_target *targets, size_t n) {
    size_t row = r / width, column = r % width;
    return un_targets_hold(targets, n, ((double)column + 0.5) / (double)width,
                           ((double)row + 0.5) / (double)height);
}

double un_pointing_hit(const float *map, size_t height, size_t width, const un_target *targets,
                       size_t n) {
    size_t peaks = 0, hits = 0;
    float highest = -INFINITY;
    for (size_t r = 0; r < height * width; r++)
        if (map[r] > highest) highest = map[r];
    for (size_t r = 0; r < height * width; r++) {
        if (map[r] != highest) continue;
        peaks++;
        hits += (size_t)cell_holds(r, height, width, targets, n);
    }
    return peaks > 0 ? (double)hits / (double)peaks : 0;
}

int un_pointing_attainable(size_t height, size_t width, const un_target *targets, size_t n) {
    for (size_t r = 0; r < height * width; r++)
        if (cell_holds(r, height, width, targets, n)) return 1;
    return 0;
}

un_status un_localisation_create(un_localisation *out, size_t part_count, size_t branches) {
    *out = (un_localisation){.part_count = part_count, .branches = branches};
    if (branches > UN_MAX_BRANCHES)
        return un_fail(UNSEEN_E_UNSUPPORTED, "localisation of %zu branches, %d are known", branches,
                       UN_MAX_BRANCHES);
    return un_arena_alloc(&out->arena, part_count, sizeof *out->parts, &out->parts);
}

void un_localisation_free(un_localisation *l) {
    un_arena_free(&l->arena);
    *l = (un_localisation){0};
}

static void add(un_pointing *sum, const un_pointing *one, size_t branches) {
    sum->pairs++;
    sum->centre += one->centre;
    sum->uniform += one->uniform;
    sum->attainable += one->attainable;
    for (size_t b = 0; b < branches; b++) sum->hits[b] += one->hits[b];
}

void un_localisation_add(un_localisation *l, const un_target *targets, const size_t *parts,
                         size_t n, double cover, const float *maps, size_t stride, size_t height,
                         size_t width) {
    un_pointing one = {.uniform = cover,
                       .centre = un_targets_hold(targets, n, 0.5, 0.5),
                       .attainable = un_pointing_attainable(height, width, targets, n)};
    for (size_t b = 0; b < l->branches; b++)
        one.hits[b] = un_pointing_hit(maps + b * stride, height, width, targets, n);
    add(&l->all, &one, l->branches);
    for (size_t i = 0; i < n; i++) add(&l->parts[parts[i]], &one, l->branches);
}

static json_t *mean(double sum, size_t n) {
    return n > 0 ? json_real(sum / (double)n) : json_null();
}

static un_status fill(json_t *out, const un_pointing *p, size_t branches) {
    json_t *list = json_array();
    UN_TRY(un_json_set(out, "pairs", json_integer((json_int_t)p->pairs)));
    UN_TRY(un_json_set(out, "branches", list));
    for (size_t b = 0; b < branches; b++) UN_TRY(un_json_append(list, mean(p->hits[b], p->pairs)));
    UN_TRY(un_json_set(out, "centre", mean(p->centre, p->pairs)));
    UN_TRY(un_json_set(out, "uniform", mean(p->uniform, p->pairs)));
    return un_json_set(out, "attainable", mean(p->attainable, p->pairs));
}

json_t *un_localisation_json(const un_localisation *l, char *const *part_names) {
    json_t *out = json_object(), *parts = json_array();
    un_status status = un_json_set(out, "images", json_integer((json_int_t)l->images));
    if (!status) status = fill(out, &l->all, l->branches);
    for (size_t i = 0; i < l->part_count && !status; i++) {
        json_t *part = json_object();
        status = un_json_set(part, "name", json_string(part_names[i]));
        if (!status) status = fill(part, &l->parts[i], l->branches);
        if (!status)
            status = un_json_append(parts, part);
        else
            json_decref(part);
    }
    if (!status)
        status = un_json_set(out, "parts", parts);
    else
        json_decref(parts);
    if (!status) return out;
    json_decref(out);
    return NULL;
}
