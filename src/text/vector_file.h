/*
 * vector_file.h - the vectors of some words from a file of word vectors; private to text/.
 *
 * Text, GloVe's or word2vec's (blanks or tabs, blank lines, a line of titles and words with
 * blanks are no obstacle), word2vec's binary format, and either packed with gzip: told
 * apart by their content.
 */
#ifndef UN_TEXT_VECTOR_FILE_H
#define UN_TEXT_VECTOR_FILE_H

#include "base/arena.h"

typedef struct {
    const char *word;
    float *vector; /* [width], NULL: not in the file */
} un_word;

/* Words sorted by strcmp, each once. */
typedef struct {
    size_t count;
    un_word *items;
    size_t width; /* E, once read */
} un_vocabulary;

/* Sorts and drops repeated words. */
void un_vocabulary_sort(un_vocabulary *vocabulary);
/* NULL if the word is not in it. */
const un_word *un_vocabulary_find(const un_vocabulary *vocabulary, const char *word);

/* Streams the regular file at `path` and keeps the vectors of the words in `vocabulary`, in
 * `arena`. Every line is checked for its length, those of the words for their numbers. */
un_status un_vocabulary_read(un_vocabulary *vocabulary, const char *path, un_arena *arena);

#endif
