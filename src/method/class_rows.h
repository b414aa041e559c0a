/*
 * class_rows.h - classes as rows of attributes of length 1, and scores by them with MSDN's bias;
 * the vectors of the attributes that such methods start from.
 *
 * Letters: A attributes, C classes, B images, E vector width.
 */
#ifndef UN_METHOD_CLASS_ROWS_H
#define UN_METHOD_CLASS_ROWS_H

#include "base/arena.h"
#include "data/task.h"

typedef struct {
    size_t count, width; /* C, A */
    float *att;          /* (C, A) unit rows */
    float *bias;         /* [C] m: +1 unseen, -1 seen */
    unsigned char *seen; /* [C] */
    un_arena arena;
} un_class_rows;

/* Rows of the one semantics of a table, in fresh memory: *out changes only if all went well. It must
 * have A values; `method` is the name in the sentence if not. clip_negative: AwA's "unknown", which
 * is negative, counts as 0. */
un_status un_class_rows_prepare(un_class_rows *out, const un_class_table *classes, size_t A,
                                int clip_negative, const char *method);
void un_class_rows_free(un_class_rows *c);
/* s (B, C) = psi (B, A) att^T + bias. */
un_status un_class_rows_score(const un_class_rows *c, const float *psi, size_t images, float *s);
/* dpsi (B, A) = ds att. */
un_status un_class_rows_gradient(const un_class_rows *c, const float *ds, size_t images,
                                 float *dpsi);

/* Fails with a sentence unless the semantics has word vectors of its attributes, or one_hot; *E is
 * then their length, A if one_hot. */
un_status un_attribute_vectors_width(const un_class_semantics *semantics, int one_hot,
                                     const char *method, size_t *E);
/* v (A, E) = unit rows of the word vectors, or the identity. */
void un_attribute_vectors_fill(const un_class_semantics *semantics, int one_hot, float *v);

#endif
