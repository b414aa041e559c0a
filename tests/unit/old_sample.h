/*
 * old_sample.h - what the tests of version 0.1's files share (tests/data/v0.1): the features of the
 * images that its models scored.
 */
#ifndef UN_TESTS_OLD_SAMPLE_H
#define UN_TESTS_OLD_SAMPLE_H

#include "data/features.h"
#include "util.h"

enum { IMAGES = 20, CLASSES = 10, REGIONS = 4, WIDTH = 8, LENGTH = REGIONS * WIDTH };

static const char *const g_directory = UNSEEN_TEST_DATA "/v0.1/maps";
static float g_features[IMAGES * LENGTH];

static inline int open_features(void **state) {
    (void)state;
    int64_t images[IMAGES];
    un_features features;
    for (int i = 0; i < IMAGES; i++) images[i] = i;
    if (un_features_open(&features, g_directory, NULL)) return -1;
    const int right = features.regions == REGIONS && features.width == WIDTH;
    if (right) un_features_gather_f32(&features, images, IMAGES, g_features);
    un_features_close(&features);
    return right ? 0 : -1;
}

#endif
