/*
 * feature_map.c - sizes, layouts and types of feature maps; see conv.h and feature_map.h.
 */
#include "tensor/feature_map.h"

#include "base/status.h"
#include "tensor/kernels.h"

int un_conv_native(un_dtype type) {
    return type != UN_BF16 || un_dnn_has(dnnl_cpu_isa_avx512_core_bf16);
}

int un_conv_blocks(void) { return un_dnn_has(dnnl_cpu_isa_avx512_core) ? 16 : 8; }

un_map_layout un_conv_layout(un_dtype type) {
    /* AMX kernels read channels-last; without SSE 4.1 there are none for blocks. */
    if (type == UN_BF16 && un_dnn_has(dnnl_cpu_isa_avx512_core_amx)) return UN_CHANNELS_LAST;
    return un_dnn_has(dnnl_cpu_isa_sse41) ? UN_CHANNELS_BLOCKED : UN_CHANNELS_LAST;
}

static dnnl_format_tag_t layout_tag(un_map_layout layout) {
    switch (layout) {
    case UN_CHANNELS_LAST: return dnnl_nhwc;
    case UN_CHANNELS_FIRST: return dnnl_nchw;
    case UN_CHANNELS_BLOCKED: break;
    }
    return un_conv_blocks() == 16 ? dnnl_nChw16c : dnnl_nChw8c;
}

int un_feature_map_same(const un_feature_map *a, const un_feature_map *b) {
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->type == b->type &&
           a->layout == b->layout;
}

un_status un_feature_map_describe(const un_feature_map *map, un_dnn_layout **out) {
    const size_t extents[] = {map->n, map->c, map->h, map->w};
    dnnl_dims_t dims;
    size_t count = 1;
    int fits = 1;
    for (int i = 0; i < 4; i++) {
        dims[i] = (dnnl_dim_t)extents[i];
        fits &= extents[i] > 0 && extents[i] <= UN_MAX_EXTENT &&
                !__builtin_mul_overflow(count, extents[i], &count);
    }
    if (!fits || count > INT32_MAX / 2)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "a feature map of %zu x %zu x %zu x %zu values is empty or too large",
                       map->n, map->h, map->w, map->c);
    DNN_TRY(un_dnn_layout_by_tag(out, 4, dims, un_dnn_type(map->type), layout_tag(map->layout)),
            "describe a feature map");
    return UNSEEN_OK;
}

un_status un_feature_map_bytes(const un_feature_map *map, size_t *out) {
    un_dnn_layout *layout = NULL;
    UN_TRY(un_feature_map_describe(map, &layout));
    *out = dnnl_memory_desc_get_size(layout);
    un_dnn_layout_free(layout);
    return UNSEEN_OK;
}

/* ------------------------------------------------------------------ conversion */

/* oneDNN changes the type of elements with its reference loop, index by index; where all lies as
 * before it is one pass over the values, those that fill a block up among them. */
static un_status cast(const un_feature_map *from, const void *in, un_dtype to, void *out) {
    size_t bytes = 0;
    UN_TRY(un_feature_map_bytes(from, &bytes));
    if (to == UN_BF16)
        un_convert_to_bf16(in, out, bytes / sizeof(float));
    else
        un_convert_to_f32(in, out, bytes / sizeof(un_bf16));
    return UNSEEN_OK;
}

un_status un_feature_map_convert(const un_feature_map *from, const void *in,
                                 const un_feature_map *to, void *out) {
    if (from->layout == to->layout && from->type != to->type) return cast(from, in, to->type, out);
    un_dnn_layout *a = NULL, *b = NULL;
    un_openmp_loan loan;
    un_status status = UNSEEN_OK;
    UN_GO(un_feature_map_describe(from, &a));
    UN_GO(un_feature_map_describe(to, &b));
    UN_GO(un_dnn_enter(&loan));
    status = un_dnn_reorder(a, in, b, out);
    un_dnn_leave(loan);
done:
    un_dnn_layout_free(a);
    un_dnn_layout_free(b);
    return status;
}
