/*
 * explain.h - why the model says what it says about one picture: which attributes it
 * found and where, and what each of them does for one class against another.
 *
 * Shapes: A attributes, C classes, R = h w regions, branches of attention.
 */
#ifndef UN_ENGINE_EXPLAIN_H
#define UN_ENGINE_EXPLAIN_H

#include "engine/classifier.h"

typedef struct {
    un_among among;         /* candidates for the answer */
    const char *instead_of; /* the class to compare with; NULL: the runner-up */
} un_explain_options;

typedef struct {
    un_image crop;   /* what the network saw, before normalisation */
    un_crop_box box; /* where that lies in the picture */
    size_t attribute_count, grid_height, grid_width;
    un_modality described;     /* the classes' descriptions as given, fused semantics side by side:
                                  A values of each class; names NULL where there are none */
    size_t branches;           /* of attention: maps */
    size_t attribute_branches; /* of attribute scores: found */
    float *scores;             /* [C] calibrated */
    size_t answer, other;      /* the best candidate, and what it is compared with */
    float *found;      /* [attribute_branches, A] attribute scores; NULL: the method has none */
    float *maps;       /* [branches, A, R] where they were read; NULL: none */
    const float *rows; /* [C, A] class attributes as the scores use them; borrowed */
    /* gap = constant + sum of contribution, for methods with attribute scores; the gap is
     * score(answer) - score(other), of probabilities that of their logarithms before any gamma. For
     * other methods contribution[i] is what the answer's score loses if its attribute i is
     * described as the other class's is, and constant what is left. */
    float *contribution; /* [A] */
    float constant;
    double gap;
    un_group_attention groups; /* attention over groups of attributes; count 0: none */
    un_arena arena;
} un_explanation;

/* Fails with fewer than two candidates. */
un_status un_explain(un_classifier *classifier, const char *path, const un_explain_options *options,
                     un_explanation *out);
void un_explanation_free(un_explanation *explanation);

/* Attribute numbers of out[A], the largest |value| first, ties by number. */
void un_explain_order(const float *values, size_t count, size_t *out);

#endif
