/*
 * pixels.c - "builtin:pixels": the picture itself as features, one region a pixel, three values
 * from 0 to 255, for methods that learn their own network from pixels. Whole numbers up to 256 are
 * exact in bf16, so a feature store of that type loses nothing.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "vision/backbone_parts.h"

enum { CHANNELS = 3, MAX_SIZE = 1024 };
static const char NAME[] = "pixels-1";

static void pixels_destroy(un_backbone *backbone) { free(backbone); }

static un_status pixels_grid(const un_backbone *backbone, size_t size, size_t *height,
                             size_t *width) {
    (void)backbone;
    if (size == 0 || size > MAX_SIZE)
        return un_fail(UNSEEN_E_ARGUMENT, "pixels are kept of pictures up to %d x %d, not %zu",
                       MAX_SIZE, MAX_SIZE, size);
    *height = *width = size;
    return UNSEEN_OK;
}

static un_status pixels_forward(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                                float *regions, float *pooled) {
    (void)backbone;
    size_t values = size * size * CHANNELS;
    /* The recipe's arithmetic is right to a rounding; the levels are whole numbers. */
    for (size_t i = 0; regions && i < n * values; i++) regions[i] = rintf(pictures[i]);
    for (size_t i = 0; pooled && i < n; i++) {
        double sum[CHANNELS] = {0};
        for (size_t k = 0; k < values; k++) sum[k % CHANNELS] += (double)pictures[i * values + k];
        for (size_t c = 0; c < CHANNELS; c++)
            pooled[i * CHANNELS + c] = (float)(sum[c] / (double)(size * size));
    }
    return UNSEEN_OK;
}

static double pixels_flops(const un_backbone *backbone, size_t size) {
    (void)backbone;
    (void)size;
    return 0;
}

static const un_backbone_class g_class = {.name = "pixels",
                                          .destroy = pixels_destroy,
                                          .grid = pixels_grid,
                                          .forward = pixels_forward,
                                          .flops = pixels_flops};

un_status un_pixels_open(un_backbone **out) {
    un_backbone *backbone = NULL;
    UN_TRY(un_alloc(1, sizeof *backbone, &backbone));
    *backbone = (un_backbone){.class = &g_class, .width = CHANNELS, .precision = UN_PRECISION_F32};
    memcpy(backbone->architecture, NAME, sizeof NAME);
    un_recipe_default(&backbone->recipe);
    for (size_t c = 0; c < CHANNELS; c++) {
        backbone->recipe.mean[c] = 0;
        backbone->recipe.std[c] = 1.0F / 255; /* its input is 0..255 */
    }
    *out = backbone;
    return UNSEEN_OK;
}
