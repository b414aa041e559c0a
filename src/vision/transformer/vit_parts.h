/*
 * vit_parts.h - what the files of the vision transformer share. Private.
 */
#ifndef UN_VISION_VIT_PARTS_H
#define UN_VISION_VIT_PARTS_H

#include "vision/transformer/vit.h"

/* Positions (tokens, H) of a g x g grid: `leading` rows as they are, then the patches' of a
 * base x base grid resampled bicubically. */
void un_vit_positions(const float *base_positions, size_t base, size_t leading, size_t width,
                      size_t grid, float *out);
/* Adds to the gradient of the base positions what comes from the resampled ones. */
void un_vit_positions_backward(const float *gradient, size_t base, size_t leading, size_t width,
                               size_t grid, float *base_gradient);

#endif
