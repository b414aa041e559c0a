/*
 * golden_training.h - what checks of whole trainings share: classes, batches as training sets, and
 * decisions from scores. Files of this kind have in.att, in.seen, in.step<t>.labels and
 * in.step<t>.features.
 */
#ifndef UN_TESTS_GOLDEN_TRAINING_H
#define UN_TESTS_GOLDEN_TRAINING_H

#include "golden.h"
#include "method/method.h"

/* One given batch as a training set; not to be moved. */
typedef struct {
    size_t n;
    un_features features; /* pooled, [n, D] f32 */
    int32_t *labels;
    un_index_list train;
    un_training_data data;
} golden_batch;

/* in.att (C, A) as the semantics "att" of a table, and which classes are seen. */
un_status golden_load_classes(golden *g, size_t C, size_t A, un_class_table *out);
/* Batch `step`, of D values an image, of C classes. */
un_status golden_load_batch(golden *g, size_t step, size_t C, size_t D, golden_batch *out);
/* The best class of each row of scores (n, C) into chosen [n] and, unless NULL, the best unseen one
 * into chosen_unseen [n]. */
un_status golden_decide(golden *g, const un_class_table *classes, const float *scores, size_t n,
                        int64_t *chosen, int64_t *chosen_unseen);

#endif
