/* sequences.c - see sequences.h. */
#include "nn/sequences.h"

un_status un_sequences_equal(un_arena *arena, size_t count, size_t length, un_sequences *out) {
    size_t *start = NULL;
    UN_TRY(un_arena_alloc(arena, count + 1, sizeof *start, &start));
    for (size_t i = 0; i <= count; i++) start[i] = i * length;
    *out = (un_sequences){count, start};
    return UNSEEN_OK;
}

un_status un_sequences_ragged(un_arena *arena, size_t count, const size_t *length,
                              un_sequences *out) {
    size_t *start = NULL;
    UN_TRY(un_arena_alloc(arena, count + 1, sizeof *start, &start));
    for (size_t i = 0; i < count; i++) start[i + 1] = start[i] + length[i];
    *out = (un_sequences){count, start};
    return UNSEEN_OK;
}
