/*
 * wordpiece.h - text to token ids with BERT's uncased WordPiece vocabularies
 * (Wu et al. 2016; Devlin et al. 2019), and batches of them.
 *
 * A vocabulary is a text file, one token a line, the id of a token being the
 * number of its line from 0. It must have [PAD], [UNK], [CLS], [SEP] and [MASK];
 * these five are recognised in a text wherever they stand, in capitals only. The
 * rest of the text is split into words (un_uncased_words), and each word is cut greedily
 * into the longest pieces there are; pieces that continue a word begin with "##"
 * in the vocabulary. A word that cannot be completed, or of more than 100
 * characters, becomes [UNK] as a whole. The ids are those of Hugging Face's
 * BertTokenizer(do_lower_case=True).
 *
 * An open tokeniser is never changed and may be used by several threads.
 */
#ifndef UN_TEXT_WORDPIECE_H
#define UN_TEXT_WORDPIECE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum { UN_VOCABULARY_LIMIT = 64 << 20 }; /* bytes of a vocabulary */

typedef struct un_wordpiece un_wordpiece;

/* The tokens that every vocabulary has. */
typedef enum {
    UN_TOKEN_PAD,
    UN_TOKEN_UNK,
    UN_TOKEN_CLS,
    UN_TOKEN_SEP,
    UN_TOKEN_MASK,
    UN_SPECIAL_TOKENS
} un_special_token;

/* A growing list of token ids; {0} is empty. */
typedef struct {
    int32_t *items;
    size_t count, capacity;
} un_token_list;

/* n texts as a batch: row-major (count, length), [CLS] pieces [SEP] and padding. */
typedef struct {
    size_t count;    /* B */
    size_t length;   /* L, that of the longest row */
    int32_t *ids;    /* (B, L) */
    int32_t *types;  /* (B, L) token types: all 0 */
    int32_t *mask;   /* (B, L) 1 up to [SEP], 0 for padding */
    size_t *lengths; /* (B) tokens of each row, [CLS] and [SEP] included */
} un_token_batch;

/* Reads a vocabulary. Lines may end in CR LF. A token that several lines have
 * gets the id of the last, which is logged. Fails if the file is not UTF-8 text
 * or lacks one of the five special tokens. */
un_status un_wordpiece_open(un_wordpiece **out, const char *path);
/* The same from memory; `where` names the source in sentences. */
un_status un_wordpiece_parse(un_wordpiece **out, const char *text, size_t n, const char *where);
void un_wordpiece_close(un_wordpiece *wordpiece);

/* Number of lines V: ids are 0..V-1. */
size_t un_wordpiece_size(const un_wordpiece *wordpiece);
int32_t un_wordpiece_special(const un_wordpiece *wordpiece, un_special_token token);
/* The id of a token as the file spells it, -1 if there is none. */
int32_t un_wordpiece_id(const un_wordpiece *wordpiece, const char *token, size_t bytes);
/* The token of an id, NUL-terminated and borrowed; NULL if the id is out of range. */
const char *un_wordpiece_token(const un_wordpiece *wordpiece, int32_t id);

/* Appends the ids of text[n], without [CLS] and [SEP]. Text that is not UTF-8
 * fails with UNSEEN_E_FORMAT and adds nothing. */
un_status un_wordpiece_encode(const un_wordpiece *wordpiece, const char *text, size_t n,
                              un_token_list *list);
/* One id more. */
un_status un_token_list_add(un_token_list *list, int32_t id);
void un_token_list_free(un_token_list *list);

/* A batch of B texts (lengths in bytes, NULL: NUL-terminated), padded to the
 * longest and cut to max_length tokens ([CLS], the first max_length - 2 pieces,
 * [SEP]); max_length >= 2. Everything is allocated in `arena`. */
un_status un_wordpiece_batch(const un_wordpiece *wordpiece, const char *const *texts,
                             const size_t *lengths, size_t B, size_t max_length, un_arena *arena,
                             un_token_batch *out);

/* ---- from a text to the words that BERT's uncased vocabularies are cut
 * into (Devlin et al. 2019, "basic tokenisation"); private to text/.
 *
 * Character by character: lower case (so a final sigma stays a sigma), controls
 * and U+FFFD away, blanks end words, CJK ideographs stand alone. Then each word:
 * canonical decomposition, accents away, punctuation split off. It knows nothing
 * of vocabularies and special tokens.
 *
 * Classes of characters are those of Unicode 14, with which the published ids
 * were made: characters that came with Unicode 15 count as unassigned, though
 * utf8proc 2.8 knows them. ---- */

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
