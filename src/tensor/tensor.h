/*
 * tensor.h - element types and the description of an array in memory.
 */
#ifndef UN_TENSOR_TENSOR_H
#define UN_TENSOR_TENSOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { UN_MAX_RANK = 8 };

typedef enum {
    UN_F32 = 0,
    UN_BF16,
    UN_F64,
    UN_F16, /* known to files, not to kernels */
    UN_I64,
    UN_I32,
    UN_I16,
    UN_I8,
    UN_U64,
    UN_U32,
    UN_U16,
    UN_U8,
    UN_BOOL,
    UN_DTYPE_COUNT
} un_dtype;

/* How GEMMs compute. Accumulation, losses and optimiser state are f32 in both. */
typedef enum {
    UN_PRECISION_AUTO = 0, /* see un_precision_resolve (gemm.h) */
    UN_PRECISION_F32,
    UN_PRECISION_BF16
} un_precision;

/* A view of an array: shape[0..rank-1] and strides in elements, row-major when
 * dense. It borrows `data`. */
typedef struct {
    un_dtype dtype;
    int rank;
    size_t shape[UN_MAX_RANK];
    size_t stride[UN_MAX_RANK];
    const void *data;
} un_tensor;

size_t un_dtype_size(un_dtype dtype);
/* "F32", "BF16", …: safetensors' names. */
const char *un_dtype_name(un_dtype dtype);
/* UNSEEN_E_FORMAT for an unknown name. */
un_status un_dtype_parse(const char *name, un_dtype *out);

un_status un_precision_parse(const char *name, un_precision *out);
const char *un_precision_name(un_precision precision);

/* Where element i of an array lies. */
static inline void *un_element_at(void *array, un_dtype type, size_t i) {
    return (unsigned char *)array + i * un_dtype_size(type);
}

/* A dense row-major view; rank <= UN_MAX_RANK. */
un_tensor un_tensor_dense(un_dtype dtype, int rank, const size_t *shape, const void *data);
/* Number of elements. */
size_t un_tensor_count(const un_tensor *tensor);
int un_tensor_is_dense(const un_tensor *tensor);

/* Element i of an array of any numeric type, as double; unaligned data is fine. */
double un_element(un_dtype dtype, const void *data, size_t i);

/* bf16 is the upper half of a float; conversion rounds to nearest even, NaN stays NaN. */
typedef uint16_t un_bf16;
un_bf16 un_bf16_from_float(float x);
float un_float_from_bf16(un_bf16 x);

#endif
