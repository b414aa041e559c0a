/*
 * canvas.h - drawing with cairo, as much of it as pictures of explanations (sheet.h) need: text that
 * keeps to its width, boxes, pictures, heat maps, PNG. Lengths are pixels.
 */
#ifndef UN_PICTURE_CANVAS_H
#define UN_PICTURE_CANVAS_H

#include "vision/image/image.h"

typedef struct un_canvas un_canvas;

/* A white canvas. */
un_status un_canvas_create(size_t width, size_t height, un_canvas **out);
/* NULL is allowed. */
void un_canvas_free(un_canvas *canvas);

/* Colours are 0xRRGGBB. */
void un_canvas_box(un_canvas *canvas, double x, double y, double width, double height,
                   unsigned colour);

typedef enum { UN_LEFT, UN_RIGHT, UN_CENTRE } un_align;
typedef struct {
    double size; /* of the font */
    int bold;
    unsigned colour;
    un_align align;
    double width; /* longer text ends in an ellipsis; 0: no limit */
} un_text_style;
/* Text with its base line at y; align says which point of it lies at x. What is not UTF-8 is
 * shown as "?". */
un_status un_canvas_text(un_canvas *canvas, double x, double y, const char *text,
                         const un_text_style *style);
/* Text over several lines, the base line of the first at y and each `step` below the one before:
 * broken after blanks, "-", "_", "/" and colons, else anywhere, into at most `most` lines of
 * style->width, the last ending in an ellipsis if there is more. Step 0 draws nothing. *lines (may be
 * NULL) is how many there are, at least one. */
un_status un_canvas_paragraph(un_canvas *canvas, double x, double y, double step, const char *text,
                              const un_text_style *style, size_t most, size_t *lines);
/* Scales the picture into the rectangle. */
un_status un_canvas_picture(un_canvas *canvas, double x, double y, double width, double height,
                            const un_image *picture);
/* The colour scale of heat maps, from 0 at the left. */
void un_canvas_heat_scale(un_canvas *canvas, double x, double y, double width, double height);

/* The drawing as a PNG file, atomically. */
un_status un_canvas_write(un_canvas *canvas, const char *path);
/* A picture as a PNG file, atomically. */
un_status un_image_write_png(const un_image *picture, const char *path);

/* A copy in which what is not UTF-8 is "?"; released with free(). */
un_status un_utf8_repair(const char *text, char **out);

/* ---- attention maps as colours over a picture.
 *
 * The colour scale is a helix in CIELAB (D65): for t from 0 to 1
 *     L* = 15 + 77 t,   C* = 45,   h = -60 deg + 155 deg t
 * from a dark violet over magenta and orange to a light yellow. Lightness, chroma and
 * hue advance evenly, so equal steps of t are equal steps of CIELAB everywhere, it reads
 * in grey, and every colour lies inside sRGB. ---- */

/* sRGB bytes of the scale at t, cut to 0..1. */
void un_heat_colour(double t, unsigned char rgb[3]);

/* map [h, w] to out [height, width]: cubic convolution (Catmull-Rom) between the centres of the
 * cells, constant beyond the outermost, negative overshoot cut off. */
un_status un_heat_enlarge(const float *map, size_t h, size_t w, size_t width, size_t height,
                          float *out);

/* The picture in muted colours under the map, whose highest value has the top colour; a map of
 * zeros has the lowest. Both keep their proportions to each other: the map spans the picture. */
un_status un_heat_picture(const un_image *picture, const float *map, size_t h, size_t w,
                          un_image *out);

#endif
