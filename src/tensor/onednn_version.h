/*
 * onednn_version.h - what oneDNN 2 and oneDNN 3 want said in different words: layouts, operations
 * and what is done to results. onednn_2.c or onednn_3.c says it; CMake takes the one that belongs
 * to the installed headers. Everything else of the C API that we call is the same in both.
 *
 * Private to onednn.h.
 */
#ifndef UN_TENSOR_ONEDNN_VERSION_H
#define UN_TENSOR_ONEDNN_VERSION_H

#include <oneapi/dnnl/dnnl.h>
#include <stddef.h>

/* How an array lies in memory. Always behind a pointer, as oneDNN 3 has it: `const un_dnn_layout *`
 * goes to oneDNN's own functions in both versions. */
#if DNNL_VERSION_MAJOR == 2
typedef dnnl_memory_desc_t un_dnn_layout;
#else
typedef struct dnnl_memory_desc un_dnn_layout;
#endif

/* New layouts; un_dnn_layout_free takes them back, and NULL too. */
dnnl_status_t un_dnn_layout_by_tag(un_dnn_layout **out, int axes, const dnnl_dims_t extents,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag);
dnnl_status_t un_dnn_layout_by_strides(un_dnn_layout **out, int axes, const dnnl_dims_t extents,
                                       dnnl_data_type_t type, const dnnl_dims_t strides);
dnnl_status_t un_dnn_layout_copy(un_dnn_layout **out, const un_dnn_layout *layout);
void un_dnn_layout_free(un_dnn_layout *layout);

/* Whether tags and strides describe it; Winograd's transformed weights, for one, are not so. */
int un_dnn_layout_is_plain(const un_dnn_layout *layout);

typedef enum { UN_DNN_MATMUL, UN_DNN_CONVOLUTION, UN_DNN_MAX_POOLING } un_dnn_kind;

/* What a primitive computes: y = activation(x * weights + bias (+ y)). */
typedef struct {
    un_dnn_kind kind;
    const un_dnn_layout *x, *weights, *bias, *y; /* no bias: NULL; pooling has no weights either */
    dnnl_alg_kind_t algorithm;                   /* of a convolution */
    dnnl_dims_t stride, before, after, kernel;   /* of windows; rows first; before: zeros added */
    int add;                                     /* to what y holds */
    dnnl_alg_kind_t activation;                  /* dnnl_eltwise_...; dnnl_alg_kind_undef: none */
    float alpha, beta;                           /* of the activation */
    int choice; /* 0: oneDNN's first choice among its implementations, 1: its second, ... */
} un_dnn_operation;

/* Not dnnl_success if there is no such choice. */
dnnl_status_t un_dnn_find(const un_dnn_operation *operation, dnnl_engine_t engine,
                          const_dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *out);

dnnl_status_t un_dnn_append_sum(dnnl_post_ops_t operations);
dnnl_status_t un_dnn_append_activation(dnnl_post_ops_t operations, dnnl_alg_kind_t activation,
                                       float alpha, float beta);

#endif
