/* weights.h - weights of tiny networks as seeds: the tensors of a parameter set, or named ones. */
#ifndef UN_TESTS_FUZZ_WEIGHTS_H
#define UN_TESTS_FUZZ_WEIGHTS_H

#include "nn/params.h"
#include "vision/transformer/swin.h"

typedef struct {
    char name[120];
    int rank;
    size_t shape[4];
} fuzz_tensor;

/* A shifted-window network as small as they come, for pictures of 32 x 32. */
extern const un_swin_config fuzz_swin;

/* Writes them with small values, F32 (running variances and the like 1) and keeps the file as a
 * seed. `key` and `value` are metadata; NULL: none. */
void fuzz_seed_tensors(const char *seed, const fuzz_tensor *tensors, size_t count, const char *key,
                       const char *value);
/* The declared pieces under their names, `prefix` in front. */
void fuzz_seed_params(const char *seed, const un_params *params, const char *prefix,
                      const char *key, const char *value);

#endif
