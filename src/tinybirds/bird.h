/*
 * bird.h - drawing one bird.
 *
 * A bird's own frame has the body from rump (x = -0.5) to breast (x = 0.5), y down, one
 * body length long; it is turned by the tilt, mirrored by the facing and scaled into the
 * picture.
 */
#ifndef UN_DATA_TINYBIRDS_BIRD_H
#define UN_DATA_TINYBIRDS_BIRD_H

#include "tinybirds/kinds.h"

typedef struct {
    unsigned char value[UN_GROUP_COUNT]; /* the individual's */
    un_color color[UN_PART_COUNT + 1];   /* of each part, by part number */
    un_color face, ring, marks, bars;    /* cheeks; eye ring; marks on the breast, on the wing */
    double plump, head, leg;             /* build: height of the body, radius of the head, legs */

    double x, y;      /* centre of the body in pixels */
    double length;    /* of the body, in pixels */
    int facing;       /* 1 right, -1 left */
    double tilt;      /* how far the breast is raised, radians */
    double nod;       /* how far the bill points down, radians */
    int looks_back;   /* over its shoulder */
    double droop;     /* of the tail, radians */
    double foot;      /* how far below y its feet are, in pixels */
    double lx, ly;    /* where the light comes from in the picture, a direction */
    uint64_t strokes; /* seed of the strokes of its feathers */
} un_bird;

/* An individual with these values: its shades, build and pose. The place is open: x = y = 0. */
void un_bird_create(un_bird *bird, const un_kind *kind, const unsigned char value[UN_GROUP_COUNT],
                    double size, un_rng *rng);
/* What the bird reaches to from (x, y) in pixels: left, top, right, bottom (its feet). */
void un_bird_extent(const un_bird *bird, double extent[4]);
/* Draws it; in a map of parts with the numbers of the parts. */
void un_bird_draw(const un_bird *bird, const un_brush *brush);

#endif
