/*
 * word_vectors.h - a word vector for each attribute of a semantics.
 *
 * MSDN's and DUET's queries start from what language knows of an attribute: the
 * SUM of the vectors of the words in its cleaned name, words without a vector
 * skipped. Either somebody made these sums already (a matrix [A, E] in a safetensors file
 * or NumPy's .npy and .npz) or they are made here from a file of word vectors, GloVe's or
 * word2vec's, packed with gzip or not:
 *     word v1 … vE       a line each; word2vec's begins with "count E"
 * or word2vec's binary format. A file that has none of the words is an error.
 *
 * Without any file, "builtin:words" makes them of a fixed random vector for each
 * word: attributes that share words are alike, and nothing more is known of them.
 *
 * Cleaning, as for the published vectors: "has_bill_shape::curved_(up_or_down)"
 * is cut at "(", loses its "has", and `_`, `-`, `::` become blanks: "bill shape
 * curved". In names of CUB's form the words are also spelt as the published
 * phrases have them (grey: gray, upperparts: upper parts, spatulate: broad).
 * Compounds like "toughskin" that have no vector are split into words that do.
 */
#ifndef UN_TEXT_WORD_VECTORS_H
#define UN_TEXT_WORD_VECTORS_H

#include "base/arena.h"
#include "data/dataset.h"

#define UN_WORDS_BUILTIN "builtin:words"

typedef struct {
    const char *vectors; /* a file of one of these kinds, or UN_WORDS_BUILTIN */
    const char *tensor;  /* of the safetensors file or the archive .npz; NULL: the only one, or the
                            one called  like the data set in lower case */
    const char *attributes;       /* file of attribute names; NULL: those of the data set */
    const char *const *semantics; /* which get the vectors; count 0: all of that width */
    size_t semantics_count;
} un_words_options;

/* Adds vectors to the semantics of `dataset`, in its arena, and attribute names
 * where `attributes` gave them. Words without vectors and attributes without any
 * known word are logged. */
un_status un_words_add(un_dataset *dataset, const un_words_options *options);

/* The names alone, from options->attributes, where options->vectors is NULL. */
un_status un_words_name(un_dataset *dataset, const un_words_options *options);

/* The names of attributes and the phrases that stand for them. */
typedef struct {
    size_t count;   /* A */
    char **names;   /* as the file or the data set has them */
    char **phrases; /* words with one blank in between */
} un_attribute_phrases;

/* Reads attribute names: CUB's attributes.txt ("<id> has_x::y"), a table of
 * phrases (CSV with a column new_des, and perhaps des: the names), or one name a
 * line. The phrases of a table are taken as they are. */
un_status un_attribute_phrases_read(const char *path, un_arena *arena, un_attribute_phrases *out);

/* The cleaned phrase of a name, from `arena`. */
un_status un_attribute_clean(const char *name, un_arena *arena, char **out);

/* ---- the vectors of some words from a file of word vectors; private to text/.
 *
 * Text, GloVe's or word2vec's (blanks or tabs, blank lines, a line of titles and words with
 * blanks are no obstacle), word2vec's binary format, and either packed with gzip: told
 * apart by their content. ---- */

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
