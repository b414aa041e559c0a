/*
 * golden.h - what the golden_*.c files share: reading reference tensors,
 * comparing with them, and the list of kinds that are built.
 *
 * A reference file holds inputs and the numbers that an independent
 * implementation computed from them in double precision. A check of one kind
 * recomputes them through the library and hands every tensor to golden_compare,
 * which prints the largest differences and counts those out of tolerance.
 */
#ifndef UN_TESTS_GOLDEN_H
#define UN_TESTS_GOLDEN_H

#include "base/arena.h"
#include "nn/params.h"
#include "tensor/safetensors.h"

/* Largest |x - ref| of a tensor, as a fraction of its largest |ref|, in f32. */
#define GOLDEN_OUTPUT 2e-5
#define GOLDEN_GRADIENT 2e-4

typedef struct {
    const un_safetensors *file;
    un_arena arena;  /* everything that a check loads or computes */
    size_t compared; /* tensors so far */
    size_t out;      /* of those, out of tolerance */
} golden;

/* Tensors of the file as f64, f32 or i64, owned by the arena. Fail with a
 * sentence if the tensor is missing or has not `count` elements. */
un_status golden_f64(golden *g, const char *name, size_t count, double **out);
un_status golden_f32(golden *g, const char *name, size_t count, float **out);
un_status golden_i64(golden *g, const char *name, size_t count, int64_t **out);
/* Dimension `axis` of a tensor of the given rank. */
un_status golden_dimension(golden *g, const char *name, int rank, int axis, size_t *out);
/* Number of elements of a tensor, whatever its rank. */
un_status golden_count(golden *g, const char *name, size_t *out);
/* A number in the metadata. */
un_status golden_number(const golden *g, const char *key, double *out);

/* Compares n computed values with the reference. A reference that is zero
 * throughout is held to an absolute 1e-5 instead. */
void golden_compare(golden *g, const char *label, const double *values, const double *reference,
                    size_t n, double tolerance);
/* Compares with the tensor `name` of the file. */
un_status golden_compare_f32(golden *g, const char *name, const float *values, size_t n,
                             double tolerance);
/* Compares a weight (in, out) with a reference in PyTorch's orientation (out, in). */
un_status golden_compare_weight(golden *g, const char *name, const float *values, size_t in,
                                size_t out, double tolerance);
/* Class indices must be equal. */
un_status golden_compare_i64(golden *g, const char *name, const int64_t *values, size_t n);

/* Fills `count` parameters from `first` on from the tensors of the same names. */
un_status golden_load_params(golden *g, const un_params *params, size_t first, size_t count);
/* Compares the gradient of every parameter with "<prefix><name>". Where the file has none, the
 * parameter received no gradient. */
un_status golden_compare_grads(golden *g, const un_params *params, const char *prefix);
/* Counts one comparison, and prints ok or what is wrong at the end of its line. */
void golden_verdict(golden *g, int ok);

/* The kinds. */
un_status golden_check_adam(golden *g);
un_status golden_check_bert(golden *g);
un_status golden_check_cnzsl(golden *g);
un_status golden_check_dedn(golden *g);
un_status golden_check_deit(golden *g);
un_status golden_check_dem(golden *g);
un_status golden_check_duet_contrast(golden *g);
un_status golden_check_duet_masked(golden *g);
un_status golden_check_duet_nce(golden *g);
un_status golden_check_duet_prompt(golden *g);
un_status golden_check_mlm_head(golden *g);
un_status golden_check_mobilenetv2(golden *g);
un_status golden_check_msdn(golden *g);
un_status golden_check_preprocess(golden *g);
un_status golden_check_resnet(golden *g);
un_status golden_check_xlayer(golden *g);
/* Kinds whose files are JSON; g->file is NULL. */
un_status golden_check_tables(golden *g, const char *path);
un_status golden_check_wordpiece(golden *g, const char *path);

#endif
