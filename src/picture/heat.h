/*
 * heat.h - attention maps as colours over a picture.
 *
 * The colour scale is a helix in CIELAB (D65): for t from 0 to 1
 *     L* = 15 + 77 t,   C* = 45,   h = -60 deg + 155 deg t
 * from a dark violet over magenta and orange to a light yellow. Lightness, chroma and
 * hue advance evenly, so equal steps of t are equal steps of CIELAB everywhere, it reads
 * in grey, and every colour lies inside sRGB.
 */
#ifndef UN_PICTURE_HEAT_H
#define UN_PICTURE_HEAT_H

#include "vision/image/image.h"

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
