/*
 * inputs.h - which features a method learns from: the feature set of a data set that fits it, and
 * whether one that was named does.
 */
#ifndef UN_TRAIN_INPUTS_H
#define UN_TRAIN_INPUTS_H

#include "method/method.h"

/* Opens the feature set of DIR to train with. `wanted` names one; NULL takes the only one that the
 * method can use as it is, or where there is none, the only one whose regions it can average. The
 * log says which, unless there is no other. Fails with a sentence that lists them if several fit
 * or none does. */
un_status un_train_inputs_open(un_features *features, const char *directory, const char *wanted,
                               const un_method_class *class, const json_t *config);
/* That a method can learn from these features; says so in the log where regions are averaged. */
un_status un_train_inputs_check(const un_features *features, const un_method_class *class,
                                const json_t *config);

#endif
