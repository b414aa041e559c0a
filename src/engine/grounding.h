/*
 * grounding.h - what a method that reads texts beside pictures makes of them, on the
 * test sets: how often it names a hidden attribute, and how the pictures divide their
 * attention over groups of attributes.
 */
#ifndef UN_ENGINE_GROUNDING_H
#define UN_ENGINE_GROUNDING_H

#include "engine/evaluation.h"

/* *out (new reference): {"seen": …, "unseen": …} of {"images", "in_group", "in_group_prior",
 * "among_all", "among_all_prior"} as un_recovered has them; without "seen" where no test picture is
 * of a seen class. UNSEEN_E_UNSUPPORTED for methods and models that hide nothing. */
un_status un_grounding_recovery(const un_evaluation *evaluation, json_t **out);

/* *out (new reference): {"images", "groups": [{"name", "share", "even"}, …]}, the mean over at most
 * 1000 test images, taken at even distances; the most preferred first (share / even).
 * UNSEEN_E_UNSUPPORTED for methods and models without. */
un_status un_grounding_groups(const un_evaluation *evaluation, json_t **out);

/* Titles of the branches of attention, a list; empty without `attention`. A new reference. */
json_t *un_attention_titles_json(const un_method_class *class, int attention);
/* Groups out[G], those first that get most beyond an even share, ties by number. */
void un_group_attention_order(const un_group_attention *attention, size_t *out);
/* un_group_attention as that list of groups in that order, a new reference; NULL: out of memory. */
json_t *un_group_attention_json(const un_group_attention *attention);

#endif
