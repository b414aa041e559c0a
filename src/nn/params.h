/*
 * params.h - the parameters of a method: one flat array, named pieces of it.
 *
 * Values and gradients lie in two arrays of the same layout, so that an
 * optimiser, a checkpoint or a sum over machines need not know the pieces. Each
 * piece starts on a multiple of 16 elements; the gaps stay 0 in value and gradient.
 * Fixed pieces, which come from the data and not from steps, lie behind the trained
 * ones and have no gradient: they may be large.
 */
#ifndef UN_NN_PARAMS_H
#define UN_NN_PARAMS_H

#include "base/arena.h"
#include "tensor/tensor.h"

/* Two large transformers have under a thousand. */
enum { UN_MAX_PARAMS = 4096 };

typedef struct {
    const char *name; /* "fc1.weight" */
    int rank;
    size_t shape[UN_MAX_RANK];
    size_t count;  /* product(shape) */
    size_t offset; /* in the flat arrays */
    float decay;   /* L2: loss += decay/2 * sum p^2 */
} un_param;

typedef struct {
    size_t count;
    un_param *item;   /* [count]; moves when pieces are added */
    size_t capacity;  /* of item */
    size_t total;     /* elements of value */
    size_t trained;   /* of them, those that an optimiser moves: they come first */
    int has_fixed;    /* a piece that stays as it is was declared */
    size_t available; /* elements of all pieces that a file has; 0: they come from elsewhere */
    float *value;     /* [total] */
    float *grad;      /* [trained], NULL when only predicting */
    un_bf16 *value16; /* [trained], kept by the optimiser; NULL in f32 */
    un_arena arena;
} un_params;

/* Declares a piece; `name` is copied. Returns its number through *index. */
un_status un_params_add(un_params *params, const char *name, int rank, const size_t *shape,
                        float decay, size_t *index);
/* The same of a piece that is computed, not trained: it has a value only, and travels with the
 * others in checkpoints and models. Fixed pieces are declared after all trained ones. */
un_status un_params_add_fixed(un_params *params, const char *name, int rank, const size_t *shape,
                              size_t *index);
/* Allocates zeroed values; gradients if `training`; the bf16 copy if `bf16`. UNSEEN_E_FORMAT if
 * more is declared than is available: before any memory is taken for it. */
un_status un_params_allocate(un_params *params, int training, int bf16);
void un_params_free(un_params *params);

float *un_param_value(const un_params *params, size_t index);
float *un_param_grad(const un_params *params, size_t index);
/* What a GEMM of the given type reads: the bf16 copy (of trained pieces) or the values. */
const void *un_param_operand(const un_params *params, size_t index, un_dtype type);
/* Brings the bf16 copy up to date after values were set from outside. */
void un_params_refresh(un_params *params);

#endif
