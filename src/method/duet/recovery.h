/*
 * recovery.h - does DUET's grounding work? How often a model names an attribute that
 * was masked in the text beside a picture.
 *
 * For every image one attribute of its class is drawn and masked, and others are
 * dropped, as in training (sampling.h). Candidates are the attributes with as many
 * word pieces as were masked; each is scored by its pieces' logits at the masked
 * places. The priors are the best that a constant answer could do on these very
 * draws: always the most frequent one of the group, or of all, with as many pieces.
 */
#ifndef UN_METHOD_DUET_RECOVERY_H
#define UN_METHOD_DUET_RECOVERY_H

#include "method/method.h"

typedef struct {
    size_t count;    /* images that had something to mask */
    double in_group; /* fraction right, among the attributes of the masked one's group */
    double in_group_prior;
    double among_all; /* among all attributes; another one of the same words counts as right */
    double among_all_prior;
} un_duet_recovered;

/* labels [N]: rows of the class table. UNSEEN_E_UNSUPPORTED for other methods and for models
 * without text. */
un_status un_duet_recovery(un_method *method, const un_class_table *classes,
                           const un_features *features, const int32_t *labels,
                           const un_index_list *images, un_duet_recovered *out);

#endif
