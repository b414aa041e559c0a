/*
 * scene.h - everything in a picture but the bird: where it lives, what it sits on, what
 * hides it, and the light.
 *
 * Leaves, berries and flowers wear the colours of feathers, so that a colour in a picture
 * says little about the bird.
 */
#ifndef UN_DATA_TINYBIRDS_SCENE_H
#define UN_DATA_TINYBIRDS_SCENE_H

#include "base/status.h"
#include "tinybirds/paint.h"

typedef struct {
    double size;                   /* of the picture, in pixels */
    unsigned habitat;              /* leaves, autumn, sky, … */
    unsigned perch;                /* branch, post or stone */
    double perch_x, perch_y;       /* where the feet are */
    double slope;                  /* of the branch */
    un_color bark;                 /* of branches and twigs */
    double lx, ly;                 /* the light's direction, a unit vector */
    double gain[3];                /* exposure and tint */
    double vignette, shade;        /* darkness of the corners; of the dapples */
    size_t twigs;                  /* that may hide the bird */
    double bird[4];                /* left, top, right, bottom: what the twigs aim at */
    un_rng behind, before, dapple; /* streams; drawing works on copies */
} un_scene;

/* Everything but perch_x, perch_y and bird, which the caller sets. */
void un_scene_create(un_scene *scene, double size, un_rng *rng);
/* Background and clutter, out of focus and in it, and the perch. */
un_status un_scene_paint_behind(const un_scene *scene, cairo_t *cr);
/* Twigs and leaves in front of the bird; in a map they count as no part. */
void un_scene_paint_before(const un_scene *scene, const un_brush *brush);
/* Exposure, tint, dappled shade and vignette, in place. */
un_status un_scene_light(const un_scene *scene, cairo_surface_t *picture);

#endif
