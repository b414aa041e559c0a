/*
 * sequences.h - a batch of sequences of different lengths without padding: the
 * tokens of all of them are rows, one sequence after the other. Everything but
 * attention works on rows and never sees where one ends.
 */
#ifndef UN_NN_SEQUENCES_H
#define UN_NN_SEQUENCES_H

#include "base/arena.h"

typedef struct {
    size_t count;
    const size_t *start; /* [count + 1]: rows start[s] .. start[s+1]-1 are sequence s */
} un_sequences;

static inline size_t un_sequence_rows(const un_sequences *s) {
    return s->count > 0 ? s->start[s->count] : 0;
}

/* `count` sequences of `length` tokens each; the arena owns the list. */
un_status un_sequences_equal(un_arena *arena, size_t count, size_t length, un_sequences *out);
/* Sequences of the given lengths. */
un_status un_sequences_ragged(un_arena *arena, size_t count, const size_t *length,
                              un_sequences *out);

#endif
