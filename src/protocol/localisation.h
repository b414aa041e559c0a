/*
 * localisation.h - whether attention lies where the attribute is: the pointing game
 * (Zhang et al., "Top-down Neural Attention by Excitation Backprop", ECCV 2016) on
 * attribute maps and marked parts. Pure arithmetic: no files, no models.
 *
 * A map points at the centre of its highest cell. It hits if that point lies in one of
 * the targets: the places of the parts that the attribute speaks of. Two answers that
 * need no model stand beside it: always the centre of the crop, and anywhere in the crop
 * with equal chance (the share of it that the targets cover). The most that a grid allows
 * is told, too: a small target between the centres of the cells cannot be hit.
 *
 * All places are fractions of the crop that the network saw, 0 to 1 from its upper left
 * corner. A map is [h, w], row-major.
 */
#ifndef UN_PROTOCOL_LOCALISATION_H
#define UN_PROTOCOL_LOCALISATION_H

#include "base/arena.h"
#include "base/json.h"

enum { UN_MAX_BRANCHES = 4 };

/* A part marked by a point counts as a disc of this share of its object's box diagonal; where the
 * object's box is unknown, of the crop's diagonal. */
#define UN_POINT_TOLERANCE 0.1
#define UN_POINT_TOLERANCE_CROP 0.05

typedef struct {
    int round;             /* 1: the ellipse in this box (a disc of the picture), 0: the box */
    double x0, y0, x1, y1; /* may reach beyond the crop */
} un_target;

/* A rectangle in one unit of length, e.g. pixels. */
typedef struct {
    double x0, y0, x1, y1;
} un_rectangle;

/* The target of a part marked by a box, `part`, in a picture whose crop is `crop`, both in
 * pixels; 0 if the part's centre lies outside the crop. */
int un_target_of_box(const un_rectangle *part, const un_rectangle *crop, un_target *out);
/* The same of a part marked by a point; `object` may be NULL. */
int un_target_of_point(double x, double y, const un_rectangle *object, const un_rectangle *crop,
                       un_target *out);

/* Whether the point lies in one of the targets; edges belong to them. */
int un_targets_hold(const un_target *targets, size_t n, double x, double y);
/* The share of the crop that the targets cover together, on a grid of 128 x 128 points. */
double un_targets_cover(const un_target *targets, size_t n);
/* The hit of a map, 0 or 1. Cells that share the highest value share the answer: of two, one of
 * them in a target, the hit is a half. */
double un_pointing_hit(const float *map, size_t height, size_t width, const un_target *targets,
                       size_t n);

/* 1 if the centre of a cell lies in a target, else 0. */
int un_pointing_attainable(size_t height, size_t width, const un_target *targets, size_t n);

/* Sums over pairs of an image and an attribute. */
typedef struct {
    size_t pairs;
    double hits[UN_MAX_BRANCHES], centre, uniform, attainable;
} un_pointing;

typedef struct {
    size_t part_count, branches;
    size_t images;      /* with at least one pair */
    un_pointing all;    /* each pair once */
    un_pointing *parts; /* [P] a pair counts for every one of its parts that is in the crop */
    un_arena arena;
} un_localisation;

/* branches <= UN_MAX_BRANCHES. */
un_status un_localisation_create(un_localisation *out, size_t part_count, size_t branches);
void un_localisation_free(un_localisation *localisation);

/* One image and attribute: targets[i] is of part parts[i], n of both, at least 1; maps has a map
 * for each branch, `stride` values apart; cover is un_targets_cover of the targets. */
void un_localisation_add(un_localisation *localisation, const un_target *targets,
                         const size_t *parts, size_t n, double cover, const float *maps,
                         size_t stride, size_t height, size_t width);

/* {"images", "pairs", "branches": [accuracy, …], "centre", "uniform", "attainable",
 * "parts": [{"name", "pairs", "branches", "centre", "uniform", "attainable"}, …]}; accuracies are
 * fractions, null without pairs. A new reference, NULL if memory is out. */
json_t *un_localisation_json(const un_localisation *localisation, char *const *part_names);

/* Several models measured on the same test sets: `results` is an array of objects whose
 * "localisation" is {…, "test_unseen": …, "test_seen": …} as above. *out (new reference) is like
 * one of them with every number the mean over the models; "branches_sd" beside "branches" is the
 * sample standard deviation, "models" at the top how many they are. NULL if one has none, or
 * another number of branches or parts. */
un_status un_localisation_summary(const json_t *results, json_t **out);

#endif
