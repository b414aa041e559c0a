/*
 * published_texts.h - sentences of attributes as strings, and what the published
 * code of DUET does with them; private to text/, described in prompts.h.
 */
#ifndef UN_TEXT_PUBLISHED_TEXTS_H
#define UN_TEXT_PUBLISHED_TEXTS_H

#include "method/duet/attribute_groups.h"

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

#endif
