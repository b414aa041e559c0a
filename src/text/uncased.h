/*
 * uncased.h - from a text to the words that BERT's uncased vocabularies are cut
 * into (Devlin et al. 2019, "basic tokenisation"); private to text/.
 *
 * Character by character: lower case (so a final sigma stays a sigma), controls
 * and U+FFFD away, blanks end words, CJK ideographs stand alone. Then each word:
 * canonical decomposition, accents away, punctuation split off. It knows nothing
 * of vocabularies and special tokens.
 *
 * Classes of characters are those of Unicode 14, with which the published ids
 * were made: characters that came with Unicode 15 count as unassigned, though
 * utf8proc 2.8 knows them.
 */
#ifndef UN_TEXT_UNCASED_H
#define UN_TEXT_UNCASED_H

#include "base/status.h"

/* Characters of a word that are handed on; longer words are only counted. */
enum { UN_WORD_LIMIT = 100, UN_UTF8_MOST = 4 };

/* Receives one word: `bytes` of UTF-8 with its first UN_WORD_LIMIT characters,
 * and how many characters it has in all. Not NUL-terminated, gone after the call. */
typedef un_status (*un_word_function)(const char *word, size_t bytes, size_t characters,
                                      void *context);

/* Hands the words of text[n] to `take` in order. NUL bytes are dropped like other
 * controls. Bytes that are not UTF-8 fail with UNSEEN_E_FORMAT; callers check first. */
un_status un_uncased_words(const char *text, size_t n, un_word_function take, void *context);

/* Where text[n] stops being UTF-8: the offset of the first bad byte, n if there is none. */
size_t un_utf8_length(const char *text, size_t n);

#endif
