/* arena.c - block arena; see arena.h. */
#include "base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 64, BLOCK_BYTES = 64 * 1024 };

struct un_arena_block {
    un_arena_block *next;
    size_t used;     /* of the bytes after the header, which is one alignment unit */
    size_t capacity; /* likewise */
};

_Static_assert(sizeof(un_arena_block) <= ALIGNMENT, "the header fits one alignment unit");

static _Thread_local size_t g_budget = SIZE_MAX;

void un_memory_budget(size_t bytes) { g_budget = bytes; }

static int round_up(size_t bytes, size_t *out) {
    if (bytes > SIZE_MAX - (ALIGNMENT - 1)) return 0;
    *out = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return 1;
}

void un_want_huge_pages(void *memory, size_t bytes) {
#if defined(MADV_HUGEPAGE)
    size_t before = (UN_HUGE_PAGE - (uintptr_t)memory % UN_HUGE_PAGE) % UN_HUGE_PAGE;
    if (bytes < before + UN_HUGE_PAGE) return;
    size_t inside = (bytes - before) / UN_HUGE_PAGE * UN_HUGE_PAGE;
    int error = errno; /* a system without such pages says so */
    (void)madvise((char *)memory + before, inside, MADV_HUGEPAGE);
    errno = error;
#else
    (void)memory;
    (void)bytes;
#endif
}

un_status un_alloc(size_t count, size_t size, void *out) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || !round_up(bytes, &bytes))
        return un_fail(UNSEEN_E_MEMORY, "out of memory: %zu items of %zu bytes overflow", count,
                       size);
    if (bytes == 0) bytes = ALIGNMENT;
    if (bytes > g_budget)
        return un_fail(UNSEEN_E_MEMORY,
                       "%zu bytes more are asked for than a file of this size needs", bytes);
    void *memory = aligned_alloc(ALIGNMENT, bytes);
    if (!memory) return un_fail_memory(bytes);
    if (g_budget != SIZE_MAX) g_budget -= bytes;
    un_want_huge_pages(memory, bytes);
    memset(memory, 0, bytes);
    memcpy(out, &memory, sizeof memory);
    return UNSEEN_OK; /* cppcheck-suppress memleak ; it went out through `out` */
}

static un_status add_block(un_arena *arena, size_t capacity) {
    un_arena_block *block = NULL;
    if (capacity > SIZE_MAX - ALIGNMENT) return un_fail_memory(capacity);
    UN_TRY(un_alloc(1, capacity + ALIGNMENT, &block));
    block->next = arena->blocks;
    block->capacity = capacity;
    arena->blocks = block;
    return UNSEEN_OK;
}

un_status un_arena_alloc(un_arena *arena, size_t count, size_t size, void *out) {
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || !round_up(bytes, &bytes))
        return un_fail(UNSEEN_E_MEMORY, "out of memory: %zu items of %zu bytes overflow", count,
                       size);
    if (bytes == 0) bytes = ALIGNMENT;
    un_arena_block *block = arena->blocks;
    if (!block || block->capacity - block->used < bytes) {
        UN_TRY(add_block(arena, bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES));
        block = arena->blocks;
    }
    void *memory = (char *)block + ALIGNMENT + block->used;
    block->used += bytes;
    arena->bytes += bytes;
    memcpy(out, &memory, sizeof memory);
    return UNSEEN_OK;
}

un_status un_arena_string(un_arena *arena, const char *text, char **out) {
    size_t length = strlen(text) + 1;
    char *copy = NULL;
    UN_TRY(un_arena_alloc(arena, length, 1, &copy));
    memcpy(copy, text, length);
    *out = copy;
    return UNSEEN_OK;
}

void un_arena_free(un_arena *arena) {
    un_arena_block *block = arena->blocks;
    while (block) {
        un_arena_block *next = block->next;
        free(block);
        block = next;
    }
    *arena = (un_arena){0};
}
