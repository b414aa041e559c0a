/* localisation.c - see localisation.h. */
#include "protocol/localisation.h"

#include <math.h>
#include <stdint.h>

#include "base/json.h"
#include "protocol/metrics.h"

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

/* ---- several models ---- */

/* Where a number stands in every model's measurement: of all pairs, or of one part. */
typedef struct {
    const json_t *results;
    const char *list; /* "test_unseen", "test_seen" */
    size_t part;      /* SIZE_MAX: of all */
} place;

static const json_t *at_place(const place *p, size_t model) {
    const json_t *one = json_object_get(json_array_get(p->results, model), "localisation");
    const json_t *list = json_object_get(one, p->list);
    return p->part == SIZE_MAX ? list : json_array_get(json_object_get(list, "parts"), p->part);
}

/* One number of every model there: of a branch, or SIZE_MAX: of all. */
typedef struct {
    const place *place;
    const char *key;
    size_t branch;
} figure;

static double number_of(const void *from, size_t model) {
    const figure *f = from;
    const json_t *value = json_object_get(at_place(f->place, model), f->key);
    if (f->branch != SIZE_MAX) value = json_array_get(value, f->branch);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* Null without pairs. */
static void average(const place *p, const char *key, size_t branch, json_t **middle,
                    json_t **deviation) {
    const figure f = {p, key, branch};
    double mean = 0, sd = 0;
    un_mean_deviation(number_of, &f, json_array_size(p->results), &mean, &sd);
    *middle = un_json_number(mean);
    *deviation = un_json_number(sd);
}

/* Puts the averages of one place into `out`, a copy of the first model's. */
static un_status average_place(const place *p, size_t branches, json_t *out) {
    static const char *const keys[] = {"centre", "uniform", "attainable"};
    json_t *means = json_array(), *deviations = json_array();
    json_t *middle = NULL, *deviation = NULL;
    un_status status = UNSEEN_OK;
    for (size_t b = 0; b < branches && !status; b++) {
        average(p, "branches", b, &middle, &deviation);
        status = un_json_append(means, middle);
        if (!status)
            status = un_json_append(deviations, deviation);
        else
            json_decref(deviation);
    }
    for (size_t k = 0; k < sizeof keys / sizeof *keys && !status; k++) {
        average(p, keys[k], SIZE_MAX, &middle, &deviation);
        json_decref(deviation); /* of baselines: they are the data's, not the models' */
        status = un_json_set(out, keys[k], middle);
    }
    if (!status) status = un_json_set(out, "branches", json_incref(means));
    if (!status) status = un_json_set(out, "branches_sd", json_incref(deviations));
    json_decref(means);
    json_decref(deviations);
    return status;
}

static int comparable(const json_t *a, const json_t *b, const char *list) {
    const json_t *parts[] = {json_object_get(json_object_get(a, list), "parts"),
                             json_object_get(json_object_get(b, list), "parts")};
    if (json_integer_value(json_object_get(a, "branches")) !=
            json_integer_value(json_object_get(b, "branches")) ||
        json_array_size(parts[0]) != json_array_size(parts[1]))
        return 0;
    for (size_t i = 0; i < json_array_size(parts[0]); i++)
        if (!json_equal(json_object_get(json_array_get(parts[0], i), "name"),
                        json_object_get(json_array_get(parts[1], i), "name")))
            return 0;
    return 1;
}

un_status un_localisation_summary(const json_t *results, json_t **out) {
    static const char *const lists[] = {"test_unseen", "test_seen"};
    const json_t *first = json_object_get(json_array_get(results, 0), "localisation");
    un_status status = UNSEEN_OK;
    *out = NULL;
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *one = json_object_get(json_array_get(results, i), "localisation");
        for (size_t k = 0; k < 2; k++)
            if (!json_is_object(one) || !comparable(first, one, lists[k])) return UNSEEN_OK;
    }
    if (!first) return UNSEEN_OK;
    json_t *summary = un_json_copy(first);
    size_t branches = (size_t)json_integer_value(json_object_get(first, "branches"));
    status = un_json_set(summary, "models", json_integer((json_int_t)json_array_size(results)));
    for (size_t k = 0; k < 2 && !status; k++) {
        json_t *list = json_object_get(summary, lists[k]), *parts = json_object_get(list, "parts");
        place p = {results, lists[k], SIZE_MAX};
        status = average_place(&p, branches, list);
        for (p.part = 0; p.part < json_array_size(parts) && !status; p.part++)
            status = average_place(&p, branches, json_array_get(parts, p.part));
    }
    if (status)
        json_decref(summary);
    else
        *out = summary;
    return status;
}
