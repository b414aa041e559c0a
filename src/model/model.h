/*
 * model.h - the self-contained model file: all that prediction needs besides the
 * backbone that made the features.
 *
 * A safetensors file with the metadata
 *     format "unseen-model", format_version "1"
 *     manifest    JSON: method, configuration (files by their base names), files (the names and
 *                 hashes of those), seed, precision, bf16_way (how it
 *                 was multiplied; absent in f32), data and split hash,
 *                 input (kind, regions, width, feature set, hash, recipe), selection
 *                 (how, metric, epochs, gamma), metrics of the test sets, kept (what the
 *                 method must know beyond its configuration; method.h), gamma (one that was
 *                 given in the place of the selected one, else absent)
 *     classes     JSON list of C names
 *     modalities  JSON list of {"name", "attributes": list or null, "scaling": object or null}, in
 *                 the method's order; scaling is what was done to the values of the classes
 *                 (data/dataset.h; files of version 0.1 do not have it)
 * and the tensors
 *     param.<name>          F32, the method's parameters
 *     classes.seen          U8 [C]
 *     classes.modality.<m>  F32 [C, A_m]
 *     classes.vectors.<m>   F32 [A_m, E], word vectors of the attributes, optional
 *     classes.scaling.<m>   F64 [A_m, 3], least, largest and mean of each attribute's values as
 *                           given, beside "scaling"
 * It holds no date and no path: the same run gives the same bytes.
 */
#ifndef UN_MODEL_MODEL_H
#define UN_MODEL_MODEL_H

#include "method/method.h"

typedef struct {
    un_method *method; /* parameters loaded, classes set */
    un_class_table classes;
    json_t *manifest;
    char *manifest_text;
    size_t regions, width;  /* R, F of the input */
    un_precision precision; /* of the products */
    int has_gamma;
    double selected_gamma; /* of selection; 0 without */
    int gamma_is_given;    /* 1: someone set another one since */
    double gamma;          /* the one in use */
    un_arena arena;
} un_model;

/* In the "data" of a manifest where the model learned from the test lists, too. */
#define UN_TRAINED_ON "trained_on"
#define UN_TRAINED_ON_ALL "all"
/* Whether it did: no test on that data set says anything about the model. */
int un_manifest_learned_all(const json_t *manifest);

/* `manifest` must hold what un_model_open reads: method, config, input.regions, input.width. */
un_status un_model_save(const char *path, const un_method *method, const un_class_table *classes,
                        const json_t *manifest);
/* `precision` of the products that scoring is made of; auto: the one that the model was trained in,
 * where this processor has it. A file cannot make this ask for more memory than its own size
 * explains (UNSEEN_E_MEMORY). */
un_status un_model_open(un_model *model, const char *path, un_precision precision);
/* A model for prediction of parts in memory: copies of the classes and the manifest, as un_model_save
 * takes them, and the values of `params`, which are shared. `where` is for sentences. */
un_status un_model_make(un_model *model, const un_params *params, const un_class_table *classes,
                        const json_t *manifest, un_precision precision, const char *where);
/* Puts another gamma in the place of the selected one. UNSEEN_E_ARGUMENT for one that is no finite
 * float. */
un_status un_model_set_gamma(un_model *model, double gamma);
void un_model_close(un_model *model);

#endif
