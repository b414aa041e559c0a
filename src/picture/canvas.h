/*
 * canvas.h - drawing with cairo, as much of it as pictures of explanations need: text
 * that keeps to its width, boxes, pictures, PNG. Lengths are pixels.
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
/* Scales the picture into the rectangle. */
un_status un_canvas_picture(un_canvas *canvas, double x, double y, double width, double height,
                            const un_image *picture);
/* The colour scale of heat.h, from 0 at the left. */
void un_canvas_heat_scale(un_canvas *canvas, double x, double y, double width, double height);

/* The drawing as a PNG file, atomically. */
un_status un_canvas_write(un_canvas *canvas, const char *path);
/* A picture as a PNG file, atomically. */
un_status un_image_write_png(const un_image *picture, const char *path);

/* A copy in which what is not UTF-8 is "?"; released with free(). */
un_status un_utf8_repair(const char *text, char **out);

#endif
