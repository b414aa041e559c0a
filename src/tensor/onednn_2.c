/* onednn_2.c - what is particular to oneDNN 2.x; see onednn_version.h. */
#include <stdlib.h>

#include "tensor/onednn_version.h"

#if DNNL_VERSION_MAJOR != 2
#error "for oneDNN 2.x: CMake takes the file of the installed version"
#endif

/* ---- layouts: a public structure ---- */

/* What `code` says of it, in memory of its own. */
static dnnl_status_t keep(un_dnn_layout **out, dnnl_status_t code, const un_dnn_layout *layout) {
    *out = NULL;
    if (code != dnnl_success) return code;
    un_dnn_layout *copy = malloc(sizeof *copy);
    if (!copy) return dnnl_out_of_memory;
    *copy = *layout;
    *out = copy;
    return dnnl_success;
}

dnnl_status_t un_dnn_layout_by_tag(un_dnn_layout **out, int axes, const dnnl_dims_t extents,
                                   dnnl_data_type_t type, dnnl_format_tag_t tag) {
    un_dnn_layout layout;
    return keep(out, dnnl_memory_desc_init_by_tag(&layout, axes, extents, type, tag), &layout);
}

dnnl_status_t un_dnn_layout_by_strides(un_dnn_layout **out, int axes, const dnnl_dims_t extents,
                                       dnnl_data_type_t type, const dnnl_dims_t strides) {
    un_dnn_layout layout;
    return keep(out, dnnl_memory_desc_init_by_strides(&layout, axes, extents, type, strides),
                &layout);
}

dnnl_status_t un_dnn_layout_copy(un_dnn_layout **out, const un_dnn_layout *layout) {
    return keep(out, dnnl_success, layout);
}

void un_dnn_layout_free(un_dnn_layout *layout) { free(layout); }

int un_dnn_layout_is_plain(const un_dnn_layout *layout) {
    return layout->format_kind == dnnl_blocked;
}

/* ---- operations: described first, then looked for ---- */

typedef union {
    dnnl_matmul_desc_t matmul;
    dnnl_convolution_desc_t convolution;
    dnnl_pooling_desc_t pooling;
} description;

static dnnl_status_t describe(const un_dnn_operation *o, description *out) {
    switch (o->kind) {
    case UN_DNN_MATMUL: return dnnl_matmul_desc_init(&out->matmul, o->x, o->weights, o->bias, o->y);
    case UN_DNN_CONVOLUTION:
        return dnnl_convolution_forward_desc_init(&out->convolution, dnnl_forward_inference,
                                                  o->algorithm, o->x, o->weights, o->bias, o->y,
                                                  o->stride, o->before, o->after);
    case UN_DNN_MAX_POOLING: break;
    }
    return dnnl_pooling_forward_desc_init(&out->pooling, dnnl_forward_inference, dnnl_pooling_max,
                                          o->x, o->y, o->stride, o->kernel, o->before, o->after);
}

dnnl_status_t un_dnn_find(const un_dnn_operation *operation, dnnl_engine_t engine,
                          const_dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *out) {
    description described;
    dnnl_primitive_desc_iterator_t list = NULL;
    dnnl_status_t code = describe(operation, &described);
    *out = NULL;
    if (code == dnnl_success)
        code = dnnl_primitive_desc_iterator_create(&list, &described, attributes, engine, NULL);
    for (int i = 0; i < operation->choice && code == dnnl_success; i++)
        code = dnnl_primitive_desc_iterator_next(list);
    if (code == dnnl_success) {
        *out = dnnl_primitive_desc_iterator_fetch(list);
        if (!*out) code = dnnl_out_of_memory;
    }
    if (list) dnnl_primitive_desc_iterator_destroy(list);
    return code;
}

/* ---- what is done to results ---- */

dnnl_status_t un_dnn_append_sum(dnnl_post_ops_t operations) {
    return dnnl_post_ops_append_sum(operations, 1.0f);
}

dnnl_status_t un_dnn_append_activation(dnnl_post_ops_t operations, dnnl_alg_kind_t activation,
                                       float alpha, float beta) {
    return dnnl_post_ops_append_eltwise(operations, 1.0f, activation, alpha, beta);
}
