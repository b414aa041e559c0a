/*
 * paint.h - colours, chance and strokes: what the drawing files of tinybirds share.
 *
 * Everything is drawn twice with the same geometry: once as a picture, and once as a map
 * of which part each pixel shows, without anti-aliasing, from which the true boxes are
 * read. A brush says which of the two is being made.
 */
#ifndef UN_DATA_TINYBIRDS_PAINT_H
#define UN_DATA_TINYBIRDS_PAINT_H

#include <cairo.h>

#include "base/rng.h"

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
extern const char *const un_color_names[UN_COLOR_COUNT];

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

#endif
