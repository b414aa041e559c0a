/*
 * texts.h - DUET's texts: sentences of the attributes that a class has, group by group.
 */
#ifndef UN_METHOD_DUET_TEXTS_H
#define UN_METHOD_DUET_TEXTS_H

#include "method/attribute_groups.h"
#include "text/wordpiece.h"

/* ---- sentences of attributes as strings, and what the published
 * code of DUET does with them; for prompts.c only, described below. ---- */

typedef struct {
    const un_attribute_groups *groups;
    const unsigned char *present; /* [A] */
    const size_t *member;         /* [A] attributes, group by group */
    const size_t *member_begin;   /* [G + 1] */
} un_published_rule;

/* The prompt of "CUB", "AWA2" or "SUN" to the letter, NULL for other data sets. */
const char *un_published_prompt(const char *dataset);

/* The sentence of the attributes present, released with free(). With `masked` an
 * attribute (SIZE_MAX: none), every place where the published rule finds its name
 * becomes `masks` times "[MASK]". */
un_status un_published_sentence(const un_published_rule *rule, size_t masked, size_t masks,
                                char **out);

/* ---- a small WordPiece vocabulary for a data set's own texts, where no
 * pretrained encoder brings one.
 *
 * It has the five special tokens ([PAD] is 0), punctuation, single letters and
 * digits at the start and inside of words, and every word of the attributes' and
 * groups' names as a whole. Names of attributes that come later fall into letters. ---- */

/* One token a line, for un_wordpiece_parse; a function of the names alone. Released with free(). */
un_status un_vocabulary_make(const un_attribute_groups *groups, char **out);

/* ---- the sentences that DUET reads beside an image (Chen et al., AAAI
 * 2023: feature-to-sequence transformation), as token ids.
 *
 *     "wing color : blue,grey | eye color :  | … | crown color : black."
 *
 * group by group the attributes that a class has; empty groups stay. The prompt
 * is the same with no attribute at all. A text may have one attribute marked: the
 * positions of its pieces are reported, and they are replaced by [MASK] if asked.
 *
 * Groups, names and separators are cut into pieces once; a text is put together
 * from these ids. Since ":" "," "|" and "." stand alone as words, that equals
 * cutting the whole sentence.
 *
 * With groups->reference, texts are made as the published code makes them: its
 * prompts to the letter, and masking by replacing a substring of the sentence,
 * which masks "natural" in "natural light" too. For names of the form
 * "group::name" it writes "9blue" for attribute 9, replaces that, then removes all
 * digits: so the blue of attribute 39 vanishes as well. The sentence is then cut
 * anew each time. ---- */

/* "No attribute" where an attribute's index is asked for. */
#define UN_NO_ATTRIBUTE SIZE_MAX

typedef struct un_duet_texts un_duet_texts;

/* One text: [CLS] pieces [SEP], no padding. */
typedef struct {
    int32_t *ids;   /* [length], room for max_length */
    size_t length;  /* tokens */
    size_t *marked; /* [marked_count] positions of the marked attribute, ascending, [CLS] is 0 */
    size_t marked_count; /* 0: nothing marked, or cut off at max_length */
} un_duet_text;

/* Everything is borrowed and must outlive the texts. max_length, in tokens, is at
 * least 2: longer texts are cut as in un_wordpiece_batch. Fails if the name of an
 * attribute has no piece in it (nothing could be masked). */
un_status un_duet_texts_create(un_duet_texts **out, const un_attribute_groups *groups,
                               const un_wordpiece *wordpiece, size_t max_length);
void un_duet_texts_free(un_duet_texts *texts);

const un_attribute_groups *un_duet_texts_groups(const un_duet_texts *texts);
size_t un_duet_texts_max_length(const un_duet_texts *texts);

/* Room for one text, from `arena`. */
un_status un_duet_text_alloc(const un_duet_texts *texts, un_arena *arena, un_duet_text *text);

/* The fixed prompt of the data set: all groups, no attributes. */
void un_duet_texts_prompt(const un_duet_texts *texts, un_duet_text *out);

/* The text of the attributes with present[a] != 0 (A bytes). `marked` is one of
 * them or UN_NO_ATTRIBUTE; hidden != 0 replaces its pieces by [MASK]. */
un_status un_duet_texts_make(const un_duet_texts *texts, const unsigned char *present,
                             size_t marked, int hidden, un_duet_text *out);

/* Pieces, [CLS] and [SEP] not counted, of the sentence without attributes and
 * with those present; what one name adds to a group, without its comma. */
size_t un_duet_texts_prompt_pieces(const un_duet_texts *texts);
size_t un_duet_texts_pieces(const un_duet_texts *texts, const unsigned char *present);
size_t un_duet_texts_name_pieces(const un_duet_texts *texts, size_t attribute);

/* The sentence itself, released with free(). */
un_status un_duet_texts_sentence(const un_duet_texts *texts, const unsigned char *present,
                                 char **out);

#endif
