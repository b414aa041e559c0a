/*
 * naming.h - declaring parameters under composed names and filling them from a
 * file of weights.
 */
#ifndef UN_NN_NAMING_H
#define UN_NN_NAMING_H

#include "nn/params.h"
#include "tensor/safetensors.h"

enum { UN_NAME_LENGTH = 256 };

/* A name into out[UN_NAME_LENGTH]; fails if it is too long. */
un_status un_name(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Declares the piece called `prefix` followed by `name`, without decay. */
un_status un_params_add_named(un_params *params, const char *prefix, const char *name, int rank,
                              const size_t *shape, size_t *index);

/* Takes tensor `name` of the file (un_safetensors_take) and copies it into piece `index`. Shapes
 * must agree, leading dimensions of 1 apart. `begin`: first row to take of a tensor that holds
 * three such pieces (in_proj_weight); SIZE_MAX: the tensor is the whole piece. */
un_status un_param_load(const un_params *params, size_t index, const un_safetensors *file,
                        const char *name, size_t begin);

/* The prefix in front of `suffix` in the first tensor name that ends with it, into
 * out[UN_NAME_LENGTH]; 0 if there is none. */
int un_weights_prefix(const un_safetensors *file, const char *suffix, char *out);
/* Fails, naming the first of them, if the file has tensors that were not taken: it is then another
 * network than `network`, built on that one, and its features would be wrong. Left behind may be
 * heads beside the network (classifiers, the pooler), what is no weight (counters, masks, numbers
 * of positions) and, if `part`, all that is not below the prefix of what was taken: the network
 * is then one part of a whole model. */
un_status un_weights_check_taken(const un_safetensors *file, const char *network, int part);
/* The number of attention heads, which shapes do not tell: the metadata key "heads" or
 * "num_attention_heads", else `usual`. It must divide the width. */
un_status un_weights_heads(const un_safetensors *file, size_t width, size_t usual, size_t *out);
/* Fails if the file holds fewer than `values` numbers: what a network was found to need by some of
 * its shapes and names. Before any memory is taken: a shape with an extent of 0 claims what it
 * likes in a small file. */
un_status un_weights_suffice(const un_safetensors *file, double values, const char *network);
/* Numbers in the matrices of `layers` transformer layers, `width` wide, `inner` inside. */
double un_weights_of_layers(size_t layers, size_t width, size_t inner);

/* How transformers start: N(0, sd) for pieces of rank 2 and more, 0 for vectors; the values
 * come from stream `number` of that name. */
void un_param_initialize_normal(const un_params *params, size_t index, double sd, uint64_t seed,
                                const char *stream, uint64_t number);
/* How torch's Linear starts: weight (out, in) and bias uniform in +-1/sqrt(in). */
void un_param_initialize_linear(const un_params *params, size_t weight, size_t bias, uint64_t seed,
                                const char *stream, uint64_t number);

#endif
