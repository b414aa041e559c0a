/* tensor.c - element types; see tensor.h. */
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
} g_types[UN_DTYPE_COUNT] = {
    [UN_F32] = {"F32", 4},   [UN_BF16] = {"BF16", 2}, [UN_F64] = {"F64", 8}, [UN_F16] = {"F16", 2},
    [UN_I64] = {"I64", 8},   [UN_I32] = {"I32", 4},   [UN_I16] = {"I16", 2}, [UN_I8] = {"I8", 1},
    [UN_U64] = {"U64", 8},   [UN_U32] = {"U32", 4},   [UN_U16] = {"U16", 2}, [UN_U8] = {"U8", 1},
    [UN_BOOL] = {"BOOL", 1},
};

size_t un_dtype_size(un_dtype dtype) { return g_types[dtype].size; }
const char *un_dtype_name(un_dtype dtype) { return g_types[dtype].name; }

un_status un_dtype_parse(const char *name, un_dtype *out) {
    for (int i = 0; i < UN_DTYPE_COUNT; i++) {
        if (!strcmp(name, g_types[i].name)) {
            *out = (un_dtype)i;
            return UNSEEN_OK;
        }
    }
    return un_fail(UNSEEN_E_FORMAT, "unknown element type \"%s\"", name);
}

static const char *const g_precisions[] = {"auto", "f32", "bf16"};

un_status un_precision_parse(const char *name, un_precision *out) {
    for (int i = 0; i < 3; i++) {
        if (!strcmp(name, g_precisions[i])) {
            *out = (un_precision)i;
            return UNSEEN_OK;
        }
    }
    return un_fail(UNSEEN_E_ARGUMENT, "precision must be auto, f32 or bf16, not \"%s\"", name);
}

const char *un_precision_name(un_precision precision) { return g_precisions[precision]; }

un_tensor un_tensor_dense(un_dtype dtype, int rank, const size_t *shape, const void *data) {
    un_tensor t = {.dtype = dtype, .rank = rank, .data = data};
    size_t stride = 1;
    for (int i = rank - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.stride[i] = stride;
        stride *= shape[i];
    }
    return t;
}

size_t un_tensor_count(const un_tensor *tensor) {
    size_t count = 1;
    for (int i = 0; i < tensor->rank; i++) count *= tensor->shape[i];
    return count;
}

int un_tensor_is_dense(const un_tensor *tensor) {
    size_t stride = 1;
    for (int i = tensor->rank - 1; i >= 0; i--) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != stride) return 0;
        stride *= tensor->shape[i];
    }
    return 1;
}

un_bf16 un_bf16_from_float(float x) {
    uint32_t bits = 0;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return (un_bf16)(bits >> 16 | 0x40u); /* quiet NaN */
    return (un_bf16)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

float un_float_from_bf16(un_bf16 x) {
    uint32_t bits = (uint32_t)x << 16;
    float value = 0;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double half_to_double(uint16_t h) {
    int exponent = h >> 10 & 31;
    double mantissa = h & 1023;
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
                                    : ldexp(mantissa + 1024, exponent - 25);
    return h >> 15 ? -value : value;
}

#define READ_AS(type)                                                                              \
    {                                                                                              \
        type value;                                                                                \
        memcpy(&value, (const char *)data + i * sizeof value, sizeof value);                       \
        return (double)value;                                                                      \
    }

double un_element(un_dtype dtype, const void *data, size_t i) {
    switch (dtype) {
    case UN_F32: READ_AS(float)
    case UN_F64: READ_AS(double)
    case UN_I64: READ_AS(int64_t)
    case UN_I32: READ_AS(int32_t)
    case UN_I16: READ_AS(int16_t)
    case UN_I8: READ_AS(int8_t)
    case UN_U64: READ_AS(uint64_t)
    case UN_U32: READ_AS(uint32_t)
    case UN_U16: READ_AS(uint16_t)
    case UN_U8:
    case UN_BOOL: READ_AS(uint8_t)
    case UN_BF16:
    case UN_F16: {
        uint16_t bits;
        memcpy(&bits, (const char *)data + i * sizeof bits, sizeof bits);
        return dtype == UN_BF16 ? (double)un_float_from_bf16(bits) : half_to_double(bits);
    }
    case UN_DTYPE_COUNT: break;
    }
    return NAN;
}
