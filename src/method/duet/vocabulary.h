/*
 * vocabulary.h - a small WordPiece vocabulary for a data set's own texts, where no
 * pretrained encoder brings one.
 *
 * It has the five special tokens ([PAD] is 0), punctuation, single letters and
 * digits at the start and inside of words, and every word of the attributes' and
 * groups' names as a whole. Names of attributes that come later fall into letters.
 */
#ifndef UN_TEXT_VOCABULARY_H
#define UN_TEXT_VOCABULARY_H

#include "method/duet/attribute_groups.h"

/* One token a line, for un_wordpiece_parse; a function of the names alone. Released with free(). */
un_status un_vocabulary_make(const un_attribute_groups *groups, char **out);

#endif
