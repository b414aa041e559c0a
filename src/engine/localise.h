/*
 * localise.h - the pointing game (protocol/localisation.h) of a model on the test sets
 * of a data set whose parts are marked, from stored features.
 *
 * Which pairs of an image and an attribute count: the attribute names parts, of which at
 * least one is visible and has its centre inside the crop that the features came from;
 * and the image's class has the attribute: its value in the data set's table is above
 * the mean over all classes.
 */
#ifndef UN_ENGINE_LOCALISE_H
#define UN_ENGINE_LOCALISE_H

#include "model/model.h"

/* *out (new reference): {"measure", "kind" of marks, "tolerance" (points), "grid": [h, w],
 * "branches", "branch_titles", "test_unseen": …, "test_seen": …} as un_localisation_json gives
 * them, with "without_picture", the images whose picture cannot be read, where there are any. The
 * model's classes must be those of `task`, which must be of `dataset`. Pictures are only asked for
 * their size. UNSEEN_E_UNSUPPORTED for methods without attention, UNSEEN_E_ARGUMENT for data sets
 * without parts, without pictures, or with features of unknown preprocessing. */
un_status un_localise(const un_model *model, const un_dataset *dataset, const un_features *features,
                      const un_task *task, json_t **out);

#endif
