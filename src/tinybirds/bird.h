/*
 * bird.h - what the pictures of Tinybirds are made of, for the files of this room: the
 * painting tools (paint.c), the kinds (kinds.c), one bird (bird.c), and everything around
 * it (scene.c).
 */
#ifndef UN_TINYBIRDS_BIRD_H
#define UN_TINYBIRDS_BIRD_H

#include <stddef.h>

#include "base/foreign/cairo.h"
#include "base/rng.h"
#include "base/status.h"

/* ---- colours, chance and strokes: what the drawing files of tinybirds share.
 *
 * Everything is drawn twice with the same geometry: once as a picture, and once as a map
 * of which part each pixel shows, without anti-aliasing, from which the true boxes are
 * read. A brush says which of the two is being made. ---- */

/* Components in [0, 1], as the picture stores them (no gamma is applied). */
typedef struct {
    double r, g, b;
} un_color;

enum {
    UN_RED,
    UN_YELLOW,
    UN_BLUE,
    UN_GREEN,
    UN_BROWN,
    UN_BLACK,
    UN_WHITE,
    UN_ORANGE,
    UN_COLOR_COUNT
};
/* What feathers, leaves, berries and flowers have in common. */
extern const un_color un_palette[UN_COLOR_COUNT];

/* a at t = 0, b at t = 1. */
un_color un_color_mix(un_color a, un_color b, double t);
/* Another shade of the same colour: lightness and components vary by about `amount`. */
un_color un_color_vary(un_color color, un_rng *rng, double amount);
/* 0 black to 1 white. */
double un_color_lightness(un_color color);

double un_between(un_rng *rng, double low, double high);
int un_chance(un_rng *rng, double probability);
/* An index of weight[n], drawn in proportion; the weights' sum is positive. */
size_t un_weighted(un_rng *rng, const double *weight, size_t n);

typedef struct {
    cairo_t *cr;
    int identify; /* make the map of parts instead of the picture */
} un_brush;

/* Sets the source: the colour, or in a map the number of the part (0: no part). */
void un_brush_set(const un_brush *brush, unsigned part, un_color color, double alpha);
/* Shades the current path as a round body lit from (lx, ly), a direction in the picture;
 * (x, y) is the centre and `radius` the extent in user space. Nothing in a map. Clears the path. */
void un_brush_shade(const un_brush *brush, double x, double y, double radius, double lx, double ly);
/* Fills the current clip with short strokes on a jittered grid over the rectangle, `angle` in
 * user space, darker and lighter: the look of feathers. Nothing in a map. */
void un_brush_feathers(const un_brush *brush, un_rng *rng, const double rectangle[4], double step,
                       double angle, double strength);

enum { UN_BLUR_SIDE = 512 };
/* Box blur of an RGB24 surface of at most UN_BLUR_SIDE a side, `radius` pixels each way, twice. */
void un_blur(cairo_surface_t *surface, int radius);

/* ---- writing a picture as PNG, fast.
 *
 * Lossless, 8-bit RGB, each row by the filter that leaves the smallest differences. These
 * compress well without searching for matches, which would take longer than painting. ---- */

/* rgb is [height, width, 3], width and height 1 to 16384. *out is released with free(). */
un_status un_png_encode(const unsigned char *rgb, size_t width, size_t height, unsigned char **out,
                        size_t *length);

/* ---- the kinds of Tinybirds: which attributes there are, which kinds exist, and
 * what an individual of a kind looks like.
 *
 * Attributes come in groups as in CUB: each individual has one value of every group.
 * Kinds come in palettes: the five kinds of a palette wear the same four colours on
 * different parts, so that how much of a colour a picture holds does not tell them
 * apart. Three kinds of each of five palettes are unseen; their relatives are seen. ---- */

/* Parts with a box; 0 in a map of parts means no part, UN_PART_OTHER the rest of the bird. */
enum {
    UN_PART_BILL = 1,
    UN_PART_CROWN,
    UN_PART_EYE,
    UN_PART_BREAST,
    UN_PART_BELLY,
    UN_PART_BACK,
    UN_PART_WING,
    UN_PART_TAIL,
    UN_PART_LEGS,
    UN_PART_OTHER,
    UN_PART_COUNT = UN_PART_LEGS /* boxes of an image; part p has box p - 1 */
};
extern const char *const un_part_names[UN_PART_COUNT];

enum {
    UN_GROUP_SIZE,
    UN_GROUP_BILL_SHAPE,
    UN_GROUP_BILL_COLOR,
    UN_GROUP_CROWN_COLOR,
    UN_GROUP_HEAD_PATTERN,
    UN_GROUP_BREAST_COLOR,
    UN_GROUP_BREAST_PATTERN,
    UN_GROUP_BELLY_COLOR,
    UN_GROUP_BACK_COLOR,
    UN_GROUP_WING_COLOR,
    UN_GROUP_WING_PATTERN,
    UN_GROUP_TAIL_SHAPE,
    UN_GROUP_TAIL_COLOR,
    UN_GROUP_LEG_COLOR,
    UN_GROUP_COUNT
};

enum { UN_SMALL, UN_LARGE };
enum { UN_CONE, UN_DAGGER, UN_HOOKED };
enum { UN_PLAIN, UN_EYERING, UN_MASKED, UN_CRESTED };
enum { UN_SOLID, UN_STRIPED, UN_SPOTTED }; /* breast; the wing has bars for stripes */
enum { UN_FORKED, UN_ROUNDED, UN_POINTED };

enum { UN_MAX_VALUES = 5 };

typedef struct {
    const char *name; /* "has_bill_shape" */
    size_t count;     /* values */
    const char *values[UN_MAX_VALUES];
    unsigned char color[UN_MAX_VALUES]; /* into un_palette, for groups of colours */
    int is_color;
    unsigned part; /* where it is seen; 0: the whole bird */
} un_attribute_group;
extern const un_attribute_group un_attribute_groups[UN_GROUP_COUNT];

/* A, the number of attributes: the values of all groups. */
size_t un_tinybirds_attribute_count(void);
/* The number of the first attribute of a group. */
size_t un_tinybirds_first_attribute(size_t group);

enum { UN_PALETTES = 12, UN_KINDS_PER_PALETTE = 5 };
enum { UN_TINYBIRDS_KINDS = UN_PALETTES * UN_KINDS_PER_PALETTE, UN_TINYBIRDS_UNSEEN_KINDS = 15 };
/* Every two kinds differ in at least this many groups. */
enum { UN_KIND_DISTANCE = 4 };
/* Every attribute is typical of at least this many seen kinds. */
enum { UN_KINDS_PER_VALUE = 3 };

typedef struct {
    char name[40]; /* "Golden-crowned Siskin": true of the kind, unique */
    int unseen;
    int palette;                          /* which kinds share their colours */
    unsigned char value[UN_GROUP_COUNT];  /* what is typical */
    unsigned char other[UN_GROUP_COUNT];  /* what those look like that are not typical */
    unsigned char female[UN_GROUP_COUNT]; /* 1: half of the individuals have `other` */
    double typical[UN_GROUP_COUNT];       /* how probable `value` is, sex aside */
    double plump, head, leg;              /* build, 1 on average; no attribute */
} un_kind;

/* All kinds of a seed, sorted by name. */
un_status un_tinybirds_kinds(uint64_t seed, un_kind kinds[UN_TINYBIRDS_KINDS]);
/* The groups in which two kinds differ typically. */
size_t un_kind_distance(const un_kind *a, const un_kind *b);
/* The value of every group of one individual. */
void un_kind_individual(const un_kind *kind, un_rng *rng, unsigned char value[UN_GROUP_COUNT]);

/* Gives kinds[0..n-1] their names; 0 if the words do not suffice. */
int un_tinybirds_name(un_kind *kinds, size_t n, un_rng *rng);

/* ---- one bird.
 *
 * A bird's own frame has the body from rump (x = -0.5) to breast (x = 0.5), y down, one
 * body length long; it is turned by the tilt, mirrored by the facing and scaled into the
 * picture. ---- */

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

/* ---- everything in a picture but the bird: where it lives, what it sits on, what
 * hides it, and the light.
 *
 * Leaves, berries and flowers wear the colours of feathers, so that a colour in a picture
 * says little about the bird. ---- */

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
