/*
 * identity.h - what makes two trainings one and the same: the method with all its settings and the
 * files that they name, data set (split, labels, folds, descriptions), feature set, selection,
 * precision, steps and seed. A checkpoint is continued, a model is "already trained", and models
 * are seeds of one training only where these agree.
 *
 * An identity is a JSON object, flat but for groups of one kind, and holds no paths: data and
 * files are there by their SHA-256.
 */
#ifndef UN_TRAIN_IDENTITY_H
#define UN_TRAIN_IDENTITY_H

#include "model/model.h"
#include "train/train.h"

/* `config` and `files` are as un_config_portable gives them. *out is a new reference. */
un_status un_identity_make(const un_train_options *options, const json_t *config,
                           const json_t *files, json_t **out);

/* The identity that a model carries; of one that was written before there were identities, what
 * else it tells: parts are missing then. *out is a new reference. */
un_status un_identity_of_model(const un_model *model, json_t **out);
/* The same from the manifest alone: without the descriptions of an older model's classes. */
un_status un_identity_of_manifest(const json_t *manifest, json_t **out);

/* The first part in which two identities differ, in words: "setting lr (was 0.1, is 0.2)"; NULL if
 * they agree in all parts that both have. Released with free(). */
un_status un_identity_difference(const json_t *was, const json_t *is, char **out);
/* Whether they differ in the seed at most. */
int un_identity_same_but_seed(const json_t *a, const json_t *b);

#endif
