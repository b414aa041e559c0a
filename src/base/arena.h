/*
 * arena.h - memory that is allocated piece by piece and released at once.
 *
 * For the many small things an object owns: names, index lists, workspaces. An
 * arena is zero-initialised ({0}), never moves what it handed out, and aligns
 * everything to 64 bytes so that vector loads never split a cache line.
 */
#ifndef UN_BASE_ARENA_H
#define UN_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct un_arena_block un_arena_block;

typedef struct {
    un_arena_block *blocks; /* newest first */
    size_t bytes;           /* handed out, for reports */
} un_arena;

/* count * size zeroed bytes into *out (a pointer to a pointer); fails on
 * overflow or exhausted memory with UNSEEN_E_MEMORY. */
un_status un_arena_alloc(un_arena *arena, size_t count, size_t size, void *out);

/* A copy of `text`. */
un_status un_arena_string(un_arena *arena, const char *text, char **out);

/* Releases everything; the arena is empty and usable again. */
void un_arena_free(un_arena *arena);

/* count * size zeroed bytes, 64-byte aligned, released with free(). */
un_status un_alloc(size_t count, size_t size, void *out);

enum { UN_HUGE_PAGE = 1 << 21 };
/* A hint, which un_alloc gives of its own: memory that is about to be written whole costs a fraction
 * by pages of 2 MiB, and its addresses are translated faster ever after. Only of pages that are wholly
 * inside, so that no more memory is taken; who gets the place from malloc later has such pages, too. */
void un_want_huge_pages(void *memory, size_t bytes);

/* What to reserve for `count` rows where the next ones may be a few more: up to a 32nd beyond, so
 * that sizes that vary a little seldom have everything laid out again. */
static inline size_t un_room_for(size_t count) {
    size_t unit = 1;
    while (unit <= count / 64) unit *= 2;
    return count > SIZE_MAX - unit ? count : (count + unit - 1) / unit * unit;
}

/* From now on this thread's un_alloc and un_arena_alloc together hand out `bytes` at most, then
 * fail with UNSEEN_E_MEMORY: while sizes are taken from a file that nobody vouches for. SIZE_MAX
 * ends it. What is freed meanwhile does not count back. */
void un_memory_budget(size_t bytes);

#endif
