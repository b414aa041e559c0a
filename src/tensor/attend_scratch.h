/*
 * attend_scratch.h - how much memory one head's attention works in. Private to tensor/.
 */
#ifndef UN_TENSOR_ATTEND_SCRATCH_H
#define UN_TENSOR_ATTEND_SCRATCH_H

#include <stddef.h>

/* Panels have rows of a multiple of this many floats; the widest vector is that long. */
enum { ATTEND_ALIGN = 16 };
/* Query rows of one block: a multiple of every tile's height. */
enum { ATTEND_BLOCK = 48 };

static inline size_t attend_round(size_t n) {
    return (n + ATTEND_ALIGN - 1) / ATTEND_ALIGN * ATTEND_ALIGN;
}

/* Floats for sequences of up to `keys` keys and heads of `size` columns. Forward: K^T, V, a
 * block of Q, of scores and of the output, a row of the dropout mask. Backward: also V^T, K,
 * dK, dV, blocks of dO, dS. */
static inline size_t attend_scratch_size(size_t keys, size_t size, int backward) {
    size_t k = attend_round(keys), d = attend_round(size);
    size_t panels = d * k, block = ATTEND_BLOCK * d, scores = ATTEND_BLOCK * k;
    return backward ? 6 * panels + 3 * block + 2 * scores + k : 2 * panels + 2 * block + scores + k;
}

#endif
