/* vocabulary.c - see vocabulary.h. */
#include "method/duet/vocabulary.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/uncased.h"

typedef struct {
    FILE *stream;
    char **words; /* those written so far that are longer than a character */
    size_t count, capacity;
    un_arena arena;
} writer;

static un_status grow(writer *w) {
    char **words = NULL;
    size_t capacity = w->capacity ? 2 * w->capacity : 256;
    UN_TRY(un_arena_alloc(&w->arena, capacity, sizeof *words, (void *)&words));
    if (w->count > 0) memcpy(words, w->words, w->count * sizeof *words);
    w->words = words;
    w->capacity = capacity;
    return UNSEEN_OK;
}

static un_status take(const char *word, size_t bytes, size_t characters, void *context) {
    writer *w = context;
    /* Single ASCII characters are there already; the tokeniser refuses longer words. */
    if ((bytes == 1 && (unsigned char)*word < 128) || characters > UN_WORD_LIMIT) return UNSEEN_OK;
    for (size_t i = 0; i < w->count; i++)
        if (strlen(w->words[i]) == bytes && !memcmp(w->words[i], word, bytes)) return UNSEEN_OK;
    if (w->count == w->capacity) UN_TRY(grow(w));
    char *copy = NULL;
    UN_TRY(un_arena_alloc(&w->arena, bytes + 1, 1, &copy));
    memcpy(copy, word, bytes);
    w->words[w->count++] = copy;
    fprintf(w->stream, "%s\n", copy);
    return UNSEEN_OK;
}

static un_status write_all(writer *w, const un_attribute_groups *groups) {
    fputs("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", w->stream);
    for (int c = 33; c < 127; c++)
        if (!isupper(c)) fprintf(w->stream, "%c\n", c);
    for (int c = 33; c < 127; c++)
        if (islower(c) || isdigit(c)) fprintf(w->stream, "##%c\n", c);
    for (size_t k = 0; k < groups->group_count; k++)
        UN_TRY(un_uncased_words(groups->groups[k], strlen(groups->groups[k]), take, w));
    for (size_t a = 0; a < groups->count; a++)
        UN_TRY(un_uncased_words(groups->names[a], strlen(groups->names[a]), take, w));
    return UNSEEN_OK;
}

un_status un_vocabulary_make(const un_attribute_groups *groups, char **out) {
    char *text = NULL;
    size_t bytes = 0;
    writer w = {.stream = open_memstream(&text, &bytes)};
    if (!w.stream) return un_fail_memory(0);
    un_status status = write_all(&w, groups);
    if (fclose(w.stream) != 0 && !status) status = un_fail_memory(bytes);
    un_arena_free(&w.arena);
    if (status)
        free(text);
    else
        *out = text;
    return status;
}
