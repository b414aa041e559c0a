/* weights.c - see weights.h. */
#include "weights.h"

#include "base/rng.h"
#include "fuzz.h"
#include "tensor/safetensors.h"

const un_swin_config fuzz_swin = {.image = 32,
                                  .patch = 4,
                                  .width = 4,
                                  .inner = 8,
                                  .stages = 2,
                                  .depth = {1, 1},
                                  .heads = {1, 1},
                                  .window = {2, 2},
                                  .eps = 1e-5f};

enum { MOST = 512 };

static size_t elements(const fuzz_tensor *t) {
    size_t n = 1;
    for (int k = 0; k < t->rank; k++) n *= t->shape[k];
    return n;
}

void fuzz_seed_tensors(const char *seed, const fuzz_tensor *tensors, size_t count, const char *key,
                       const char *value) {
    un_st_writer *writer = NULL;
    un_rng rng = un_rng_stream(1, "weights", 0);
    const char *path = fuzz_path("w.safetensors");
    FUZZ_REQUIRE(un_st_writer_open(&writer, path) == UNSEEN_OK);
    for (size_t i = 0; i < count; i++)
        FUZZ_REQUIRE(un_st_writer_add(writer, tensors[i].name, UN_F32, tensors[i].rank,
                                      tensors[i].shape) == UNSEEN_OK);
    if (key) FUZZ_REQUIRE(un_st_writer_metadata(writer, key, value) == UNSEEN_OK);
    FUZZ_REQUIRE(un_st_writer_begin(writer) == UNSEEN_OK);
    for (size_t i = 0; i < count; i++) {
        size_t n = elements(&tensors[i]);
        float *x = malloc((n + 1) * sizeof *x);
        FUZZ_REQUIRE(x);
        un_rng_fill_uniform(&rng, x, n, -0.5, 0.5);
        for (size_t k = 0; k < n && tensors[i].rank == 1; k++) x[k] += 1;
        FUZZ_REQUIRE(un_st_writer_write(writer, i, 0, x, n * sizeof *x) == UNSEEN_OK);
        free(x);
    }
    FUZZ_REQUIRE(un_st_writer_commit(writer) == UNSEEN_OK);
    fuzz_seed_file(seed, path);
}

void fuzz_seed_params(const char *seed, const un_params *params, const char *prefix,
                      const char *key, const char *value) {
    static fuzz_tensor tensors[MOST];
    FUZZ_REQUIRE(params->count <= MOST);
    for (size_t i = 0; i < params->count; i++) {
        const un_param *p = &params->item[i];
        fuzz_tensor *t = &tensors[i];
        FUZZ_REQUIRE(p->rank <= 4);
        snprintf(t->name, sizeof t->name, "%s%s", prefix, p->name);
        t->rank = p->rank;
        memcpy(t->shape, p->shape, sizeof t->shape);
    }
    fuzz_seed_tensors(seed, tensors, params->count, key, value);
}
