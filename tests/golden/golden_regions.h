/*
 * golden_regions.h - what the checks of methods on region features share: the scene of a reference
 * file, its optimiser, and its batches.
 */
#ifndef UN_TESTS_GOLDEN_REGIONS_H
#define UN_TESTS_GOLDEN_REGIONS_H

#include "golden.h"
#include "method/method.h"
#include "method/region_attention.h"

/* What a network is made from. */
typedef struct {
    const char *prefix; /* of the names of what comes in: "" or "in." */
    un_class_table classes;
    un_features features;
    int32_t *labels;
    un_index_list train;
    un_training_data data;
    size_t steps, images, regions, width; /* B, R, F */
    un_optimizer_settings settings;       /* RMSprop's */
    double decay;
} golden_scene;

un_status golden_scene_make(golden *g, const char *prefix, golden_scene *s);
/* The method of these settings, the batch's size among them. */
un_status golden_scene_method(const golden *g, const golden_scene *s, const un_method_class *class,
                              const json_t *config, un_method **out);
/* Step `step`'s features (B, F, h, w) as the regions of a batch, and its labels [B]. */
un_status golden_scene_batch(golden *g, const golden_scene *s, size_t step, un_region_batch *batch,
                             int32_t *labels);
/* Any features (n, F, h, w) as rows (n, R, F). */
un_status golden_rows(golden *g, const golden_scene *s, const char *name, size_t n, float *rows);

#endif
