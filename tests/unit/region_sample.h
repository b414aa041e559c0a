/*
 * region_sample.h - what the tests of methods on region features share: small scenes of every
 * awkward shape.
 */
#ifndef UN_TESTS_REGION_SAMPLE_H
#define UN_TESTS_REGION_SAMPLE_H

#include "util.h"

enum { C = 11 };

/* Parameters: random, as training starts with them, or such that both of MSDN's branches
 * score alike. */
typedef enum { DENSE, INITIAL, EQUAL } origin;

typedef struct {
    const char *name;
    size_t A, E, F, R;
    int seen; /* 0 or 1: no class is, all are; 2: two in three */
    origin origin;
} shape;

/* Besides ordinary rows: regions of zeros, a word vector of zeros, negative attributes (which
 * count as 0) and a class without any attribute. */
static inline void make_scene(util_scene *s, const shape *k, size_t N) {
    un_rng rng = un_rng_stream(N, "test", 1);
    util_scene_make(s, C, N, k->R * k->F, 1, &k->A, N);
    s->features.regions = s->features.grid_width = k->R;
    s->features.width = k->F;
    un_class_semantics *semantics = &s->classes.semantics[0];
    float *vectors = NULL;
    util_ok(un_arena_alloc(&s->arena, k->A * k->E, sizeof *vectors, &vectors));
    un_rng_fill_normal(&rng, vectors, k->A * k->E, 0, 1);
    memset(semantics->values + 5 * k->A, 0, k->A * sizeof(float));
    semantics->values[0] = semantics->values[3 * k->A + 1] = -1;
    if (k->A > 1) memset(vectors + k->E, 0, k->E * sizeof *vectors);
    semantics->vector_width = k->E;
    semantics->vectors = vectors;
    for (size_t i = 0; i < N && k->R > 1; i += 3)
        memset(s->rows + (i * k->R + i % k->R) * k->F, 0, k->F * sizeof(float));
    for (size_t c = 0; c < C && k->seen < 2; c++) s->classes.seen[c] = (unsigned char)k->seen;
}

#endif
