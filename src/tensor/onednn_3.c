/* onednn_3.c - what is particular to oneDNN 3.x; see onednn_version.h. */
#include "tensor/onednn_version.h"

#if DNNL_VERSION_MAJOR != 3
#error "for oneDNN 3.x: CMake takes the file of the installed version"
#endif

/* ---- layouts: opaque ---- */

dnnl_status_t un_dnn_layout_by_tag(un_dnn_layout **out, int axes, const dnnl_dims_t extents,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(out, axes, extents, type, tag);
}

dnnl_status_t un_dnn_layout_by_strides(un_dnn_layout **out, int axes, const dnnl_dims_t extents,
                                       dnnl_data_type_t type, const dnnl_dims_t strides) {
    return dnnl_memory_desc_create_with_strides(out, axes, extents, type, strides);
}

dnnl_status_t un_dnn_layout_copy(un_dnn_layout **out, const un_dnn_layout *layout) {
    return dnnl_memory_desc_clone(out, layout);
}

void un_dnn_layout_free(un_dnn_layout *layout) {
    if (layout) dnnl_memory_desc_destroy(layout);
}

int un_dnn_layout_is_plain(const un_dnn_layout *layout) {
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    return dnnl_memory_desc_query(layout, dnnl_query_format_kind, &kind) == dnnl_success &&
           kind == dnnl_blocked;
}

/* ---- operations ---- */

static dnnl_status_t find_first(const un_dnn_operation *o, dnnl_engine_t engine,
                                const_dnnl_primitive_attr_t attributes,
                                dnnl_primitive_desc_t *out) {
    static const dnnl_dims_t dense = {0}; /* no holes in windows */
    switch (o->kind) {
    case UN_DNN_MATMUL:
        return dnnl_matmul_primitive_desc_create(out, engine, o->x, o->weights, o->bias, o->y,
                                                 attributes);
    case UN_DNN_CONVOLUTION:
        return dnnl_convolution_forward_primitive_desc_create(
            out, engine, dnnl_forward_inference, o->algorithm, o->x, o->weights, o->bias, o->y,
            o->stride, dense, o->before, o->after, attributes);
    case UN_DNN_MAX_POOLING: break;
    }
    return dnnl_pooling_forward_primitive_desc_create(
        out, engine, dnnl_forward_inference, dnnl_pooling_max, o->x, o->y, o->stride, o->kernel,
        dense, o->before, o->after, attributes);
}

dnnl_status_t un_dnn_find(const un_dnn_operation *operation, dnnl_engine_t engine,
                          const_dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *out) {
    *out = NULL;
    dnnl_status_t code = find_first(operation, engine, attributes, out);
    for (int i = 0; i < operation->choice && code == dnnl_success; i++)
        code = dnnl_primitive_desc_next_impl(*out);
    if (code != dnnl_success && *out) {
        dnnl_primitive_desc_destroy(*out);
        *out = NULL;
    }
    return code;
}

/* ---- what is done to results ---- */

dnnl_status_t un_dnn_append_sum(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_sum(operations, 1.0f, 0, dnnl_data_type_undef);
}

dnnl_status_t un_dnn_append_activation(dnnl_post_ops_t operations, dnnl_alg_kind_t activation,
                                       float alpha, float beta) {
    return dnnl_post_ops_append_eltwise(operations, activation, alpha, beta);
}
