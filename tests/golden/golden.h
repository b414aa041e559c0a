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

/* Largest |x - ref| of a tensor, as a fraction of its largest |ref|, in f32. In bf16 they are not
 * looked at: golden_spread.c says what is allowed. */
#define GOLDEN_OUTPUT 2e-5
#define GOLDEN_GRADIENT 2e-4

typedef struct golden_spread golden_spread;

typedef struct {
    const un_safetensors *file;
    un_dtype type;         /* of the operands of products: UN_F32 or UN_BF16 */
    golden_spread *spread; /* what roundings do to each tensor; NULL: tolerances are fixed */
    size_t draw;           /* of this run's roundings, from 1 on; 0: there are none */
    un_arena arena;        /* everything that a check loads or computes */
    size_t compared;       /* tensors so far */
    size_t out;            /* of those, out of tolerance */
} golden;

/* Tensors of the file as f64, f32 or i64, owned by the arena. Fail with a
 * sentence if the tensor is missing or has not `count` elements. What is compared with comes as
 * f64; f32 is what products take, and rounded in runs that have a draw. */
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
/* A weight (in, out) in PyTorch's orientation (out, in); owned by the arena. */
un_status golden_turn(golden *g, const float *values, size_t in, size_t out, float **turned);
/* Compares what a training made of n values that were `initial` in the file: in bf16 the change,
 * else the values. */
un_status golden_compare_trained(golden *g, const char *name, const char *initial,
                                 const float *values, size_t n, double tolerance);
/* Class indices must be equal. In bf16 they are not compared: their scores are. */
un_status golden_compare_i64(golden *g, const char *name, const int64_t *values, size_t n);

/* Fills `count` parameters from `first` on from the tensors of the same names. */
un_status golden_load_params(golden *g, const un_params *params, size_t first, size_t count);
/* Compares the gradient of every parameter with "<prefix><name>". Where the file has none, the
 * parameter received no gradient. */
un_status golden_compare_grads(golden *g, const un_params *params, const char *prefix);
/* The same as un_params_refresh, after values were read from the file by others: they are rounded
 * in runs that have a draw. */
void golden_refresh_params(const golden *g, un_params *params);
un_precision golden_precision(const golden *g);
/* Counts one comparison, and prints ok or what is wrong at the end of its line. */
void golden_verdict(golden *g, int ok);

/* ---- golden_spread.c ---- */

/* How far values are from a reference. */
typedef struct {
    double worst, squares;       /* of differences: the largest, the sum of squares */
    double largest, ref_squares; /* of the reference */
    size_t n;
} golden_distance;

un_status golden_spread_create(golden_spread **out);
void golden_spread_free(golden_spread *spread);
/* Rounds n values of the tensor `name` at random, as bf16 may. */
void golden_round(const golden *g, const char *name, float *values, size_t n);
/* Comparison number g->compared of a run that has a draw, and of one in bf16. */
void golden_spread_note(golden *g, const char *label, const golden_distance *d);
int golden_spread_allows(const golden *g, const char *label, const golden_distance *d);
/* The largest difference allowed of a tensor by its label, whose largest |reference| is given. */
double golden_spread_most(const golden *g, const char *label, double largest);

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
