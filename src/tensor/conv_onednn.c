/*
 * conv_onednn.c - convolution and pooling primitives; see conv.h.
 *
 * A un_conv keeps the primitives of the last few input shapes. Which layout of the
 * weights is best depends on the primitive, so a un_conv holds its weights in every
 * layout that a primitive asked for: usually one, sometimes a second for Winograd's
 * algorithm, which oneDNN chooses in f32 where it is faster.
 */
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "tensor/conv.h"
#include "tensor/kernels.h"
#include "tensor/onednn.h"
#include "tensor/winograd.h"

enum { PLANS = 8, MAX_EXTENT = 1 << 24 };

/* The weights in one layout. */
typedef struct packing {
    struct packing *next;
    dnnl_memory_desc_t layout;
    void *data;
    int used; /* by a primitive */
} packing;

/* A primitive for one input shape. */
typedef struct {
    un_feature_map in;
    int add, threads;
    dnnl_primitive_t primitive; /* NULL: free */
    dnnl_memory_desc_t x, y;
    const packing *weights; /* NULL for pooling */
} plan;

typedef struct {
    plan items[PLANS];
    size_t next; /* to be replaced when all are in use */
} plan_list;

struct un_conv {
    un_conv_spec spec;
    packing *weights; /* never empty of those that others can be made from */
    dnnl_memory_desc_t bias_layout;
    float *bias;
    un_winograd *winograd; /* NULL: oneDNN does everything */
    plan_list plans;
};

struct un_pool {
    size_t kernel, stride;
    un_padding padding;
    plan_list plans;
};

/* ------------------------------------------------------------------ layouts */

un_map_layout un_conv_layout(un_dtype type) {
    /* AMX kernels read channels-last; without AVX2 there are none for blocks. */
    if (type == UN_BF16 && strstr(un_cpu_features(), "amx_bf16")) return UN_CHANNELS_LAST;
    return strcmp(un_kernels_isa(), "baseline") == 0 ? UN_CHANNELS_LAST : UN_CHANNELS_BLOCKED;
}

static dnnl_format_tag_t layout_tag(un_map_layout layout) {
    switch (layout) {
    case UN_CHANNELS_LAST: return dnnl_nhwc;
    case UN_CHANNELS_FIRST: return dnnl_nchw;
    case UN_CHANNELS_BLOCKED: break;
    }
    return strcmp(un_kernels_isa(), "avx512") == 0 ? dnnl_nChw16c : dnnl_nChw8c;
}

static un_status describe_map(const un_feature_map *map, dnnl_memory_desc_t *out) {
    const size_t extents[] = {map->n, map->c, map->h, map->w};
    dnnl_dims_t dims;
    size_t count = 1;
    int fits = 1;
    for (int i = 0; i < 4; i++) {
        dims[i] = (dnnl_dim_t)extents[i];
        fits &= extents[i] > 0 && extents[i] <= MAX_EXTENT &&
                !__builtin_mul_overflow(count, extents[i], &count);
    }
    if (!fits || count > INT32_MAX / 2)
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "a feature map of %zu x %zu x %zu x %zu values is empty or too large",
                       map->n, map->h, map->w, map->c);
    DNN_TRY(
        dnnl_memory_desc_init_by_tag(out, 4, dims, un_dnn_type(map->type), layout_tag(map->layout)),
        "describe a feature map");
    return UNSEEN_OK;
}

un_status un_feature_map_bytes(const un_feature_map *map, size_t *out) {
    dnnl_memory_desc_t layout;
    UN_TRY(describe_map(map, &layout));
    *out = dnnl_memory_desc_get_size(&layout);
    return UNSEEN_OK;
}

un_status un_feature_map_convert(const un_feature_map *from, const void *in,
                                 const un_feature_map *to, void *out) {
    dnnl_memory_desc_t a, b;
    un_openmp_loan loan;
    UN_TRY(describe_map(from, &a));
    UN_TRY(describe_map(to, &b));
    UN_TRY(un_dnn_enter(&loan));
    un_status status = un_dnn_reorder(&a, in, &b, out);
    un_dnn_leave(loan);
    return status;
}

/* ------------------------------------------------------------------ windows */

size_t un_conv_extent(un_padding padding, size_t kernel, size_t stride, size_t n) {
    if (padding == UN_PAD_TF_SAME) return (n + stride - 1) / stride;
    size_t padded = n + kernel / 2 * 2;
    return padded < kernel ? 0 : (padded - kernel) / stride + 1;
}

/* Zeros before and after one axis. The last may be negative: rows that no window reaches. */
static void edges(un_padding padding, size_t kernel, size_t stride, size_t n, dnnl_dim_t *before,
                  dnnl_dim_t *after) {
    dnnl_dim_t reach =
        (dnnl_dim_t)((un_conv_extent(padding, kernel, stride, n) - 1) * stride + kernel);
    dnnl_dim_t total = reach - (dnnl_dim_t)n;
    *before = padding == UN_PAD_SYMMETRIC ? (dnnl_dim_t)(kernel / 2) : total > 0 ? total / 2 : 0;
    *after = total - *before;
}

typedef struct {
    dnnl_dims_t stride, before, after, kernel;
} window;

static window make_window(un_padding padding, size_t kernel, size_t stride,
                          const un_feature_map *in) {
    window w;
    for (int i = 0; i < 2; i++) {
        w.stride[i] = (dnnl_dim_t)stride;
        w.kernel[i] = (dnnl_dim_t)kernel;
        edges(padding, kernel, stride, i == 0 ? in->h : in->w, &w.before[i], &w.after[i]);
    }
    return w;
}

/* ------------------------------------------------------------------ plans */

static int same_map(const un_feature_map *a, const un_feature_map *b) {
    return a->n == b->n && a->h == b->h && a->w == b->w && a->c == b->c && a->type == b->type &&
           a->layout == b->layout;
}

/* The plan for this input, or the place for a new one, emptied. */
static plan *find_plan(plan_list *list, const un_feature_map *in, int add, int threads) {
    for (size_t i = 0; i < PLANS; i++) {
        plan *p = &list->items[i];
        if (p->primitive && p->add == add && p->threads == threads && same_map(&p->in, in))
            return p;
    }
    plan *p = &list->items[list->next];
    list->next = (list->next + 1) % PLANS;
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    *p = (plan){.in = *in, .add = add, .threads = threads};
    return p;
}

static void free_plans(plan_list *list) {
    for (size_t i = 0; i < PLANS; i++)
        if (list->items[i].primitive) dnnl_primitive_destroy(list->items[i].primitive);
}

static un_status describe_ends(const un_feature_map *in, const un_feature_map *out, plan *p) {
    UN_TRY(describe_map(in, &p->x));
    return describe_map(out, &p->y);
}

/* ------------------------------------------------------------------ convolution */

static un_status describe_weights(const un_conv_spec *s, dnnl_format_tag_t tag, un_dtype type,
                                  dnnl_memory_desc_t *out) {
    dnnl_dim_t o = (dnnl_dim_t)s->out, i = (dnnl_dim_t)s->in, k = (dnnl_dim_t)s->kernel;
    const dnnl_dims_t dense = {o, i, k, k}, grouped = {o, 1, 1, k, k};
    DNN_TRY(dnnl_memory_desc_init_by_tag(out, s->depthwise ? 5 : 4, s->depthwise ? grouped : dense,
                                         un_dnn_type(type), tag),
            "describe weights");
    return UNSEEN_OK;
}

/* Puts the weights into another layout, in front of the list. */
static un_status add_packing(un_conv *c, const dnnl_memory_desc_t *from, const void *data,
                             const dnnl_memory_desc_t *layout) {
    packing *p = calloc(1, sizeof *p);
    if (!p) return un_fail_memory(sizeof *p);
    un_status status = UNSEEN_OK;
    p->layout = *layout;
    UN_GO(un_alloc(dnnl_memory_desc_get_size(layout), 1, &p->data));
    UN_GO(un_dnn_reorder(from, data, layout, p->data));
    p->next = c->weights;
    c->weights = p;
    return UNSEEN_OK;
done:
    free(p->data);
    free(p);
    return status;
}

/* The weights in `layout`. Others are made from any blocked one (Winograd's cannot be turned
 * back); the layout they came in is dropped as soon as another takes that part. */
static un_status find_packing(un_conv *c, const dnnl_memory_desc_t *layout, const packing **out) {
    packing *source = NULL;
    for (packing *p = c->weights; p; p = p->next) {
        if (dnnl_memory_desc_equal(&p->layout, layout)) {
            p->used = 1;
            *out = p;
            return UNSEEN_OK;
        }
        if (p->layout.format_kind == dnnl_blocked) source = p;
    }
    UN_TRY(add_packing(c, &source->layout, source->data, layout));
    c->weights->used = 1;
    *out = c->weights;
    if (!source->used && layout->format_kind == dnnl_blocked) {
        packing **link = &c->weights;
        while (*link != source) link = &(*link)->next;
        *link = source->next;
        free(source->data);
        free(source);
    }
    return UNSEEN_OK;
}

un_status un_conv_create(const un_conv_spec *spec, const float *weights, const float *bias,
                         un_conv **out) {
    int odd = spec->kernel % 2 == 1 && spec->kernel < 32 && spec->stride > 0 && spec->stride < 32;
    if (!odd || spec->in == 0 || spec->out == 0 || spec->in > MAX_EXTENT ||
        spec->out > MAX_EXTENT || (spec->depthwise && spec->in != spec->out) ||
        (spec->type != UN_F32 && spec->type != UN_BF16))
        return un_fail(UNSEEN_E_ARGUMENT, "a convolution of this form is not supported");
    un_openmp_loan loan;
    un_conv *c = calloc(1, sizeof *c);
    if (!c) return un_fail_memory(sizeof *c);
    un_status status = un_dnn_enter(&loan);
    if (status) {
        free(c);
        return status;
    }
    dnnl_memory_desc_t plain, kept;
    const dnnl_dims_t channels = {(dnnl_dim_t)spec->out};
    dnnl_format_tag_t tag = spec->depthwise ? dnnl_goihw : dnnl_oihw;
    c->spec = *spec;
    UN_GO(describe_weights(spec, tag, UN_F32, &plain));
    UN_GO(describe_weights(spec, tag, spec->type, &kept));
    UN_GO(add_packing(c, &plain, weights, &kept));
    if (dnnl_memory_desc_init_by_tag(&c->bias_layout, 1, channels, dnnl_f32, dnnl_a))
        UN_GO(un_dnn_failed(dnnl_invalid_arguments, "describe a bias"));
    UN_GO(un_alloc(spec->out, sizeof *c->bias, &c->bias));
    memcpy(c->bias, bias, spec->out * sizeof *bias);
    if (un_winograd_fits(spec)) UN_GO(un_winograd_create(spec, weights, bias, &c->winograd));
    *out = c;
done:
    un_dnn_leave(loan);
    if (status) un_conv_free(c);
    return status;
}

void un_conv_free(un_conv *conv) {
    if (!conv) return;
    free_plans(&conv->plans);
    while (conv->weights) {
        packing *next = conv->weights->next;
        free(conv->weights->data);
        free(conv->weights);
        conv->weights = next;
    }
    un_winograd_free(conv->winograd);
    free(conv->bias);
    free(conv);
}

const un_conv_spec *un_conv_spec_of(const un_conv *conv) { return &conv->spec; }

static void map_output(un_padding padding, size_t kernel, size_t stride, size_t channels,
                       const un_feature_map *in, un_feature_map *out) {
    *out = *in;
    out->c = channels;
    out->h = un_conv_extent(padding, kernel, stride, in->h);
    out->w = un_conv_extent(padding, kernel, stride, in->w);
    if (in->layout == UN_CHANNELS_FIRST) out->layout = un_conv_layout(in->type);
}

void un_conv_output(const un_conv *conv, const un_feature_map *in, un_feature_map *out) {
    const un_conv_spec *s = &conv->spec;
    map_output(s->padding, s->kernel, s->stride, s->out, in, out);
}

static un_status make_attributes(const un_conv_spec *s, int add, dnnl_primitive_attr_t *out) {
    dnnl_post_ops_t ops = NULL;
    UN_TRY(un_dnn_attributes(out));
    DNN_TRY(dnnl_post_ops_create(&ops), "create post-operations");
    dnnl_status_t code = dnnl_success;
    if (add) code = dnnl_post_ops_append_sum(ops, 1.0f);
    if (code == dnnl_success && s->activation == UN_CONV_RELU)
        code = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
    if (code == dnnl_success && s->activation == UN_CONV_RELU6)
        code = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_clip, 0.0f, 6.0f);
    if (code == dnnl_success) code = dnnl_primitive_attr_set_post_ops(*out, ops);
    dnnl_post_ops_destroy(ops);
    DNN_TRY(code, "set post-operations");
    return UNSEEN_OK;
}

/* `algorithm`: direct, or auto, which lets oneDNN take Winograd's. */
static un_status describe_conv(const un_conv *c, const plan *p, dnnl_alg_kind_t algorithm,
                               dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t *out) {
    const un_conv_spec *s = &c->spec;
    dnnl_memory_desc_t weights;
    dnnl_convolution_desc_t operation;
    window w = make_window(s->padding, s->kernel, s->stride, &p->in);
    UN_TRY(describe_weights(s, dnnl_format_tag_any, s->type, &weights));
    DNN_TRY(dnnl_convolution_forward_desc_init(&operation, dnnl_forward_inference, algorithm, &p->x,
                                               &weights, &c->bias_layout, &p->y, w.stride, w.before,
                                               w.after),
            "describe a convolution");
    return un_dnn_describe(&operation, attributes, "compute this convolution on this processor",
                           out);
}

static un_status make_conv(un_conv *c, plan *p) {
    un_feature_map out;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    un_status status = UNSEEN_OK;
    int small = c->spec.depthwise || c->spec.kernel != 3 || c->spec.type != UN_F32;
    un_conv_output(c, &p->in, &out);
    UN_GO(describe_ends(&p->in, &out, p));
    UN_GO(make_attributes(&c->spec, p->add, &attributes));
    UN_GO(describe_conv(c, p, small ? dnnl_convolution_direct : dnnl_convolution_auto, attributes,
                        &description));
    UN_GO(find_packing(c, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0),
                       &p->weights));
    UN_GO(un_dnn_create(description, "prepare a convolution", &p->primitive));
done:
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    if (description) dnnl_primitive_desc_destroy(description);
    return status;
}

un_status un_conv_scratch_reserve(un_conv_scratch *scratch, size_t bytes) {
    if (scratch->bytes >= bytes) return UNSEEN_OK;
    un_conv_scratch_free(scratch);
    UN_TRY(un_alloc(bytes, 1, &scratch->data));
    scratch->bytes = bytes;
    return UNSEEN_OK;
}

void un_conv_scratch_free(un_conv_scratch *scratch) {
    free(scratch->data);
    *scratch = (un_conv_scratch){0};
}

/* Blocks of 16 or none: what winograd.c reads. */
static int winograd_applies(const un_conv *conv, const un_feature_map *in, int add) {
    return conv->winograd && !add && un_winograd_pays(in) &&
           (in->layout == UN_CHANNELS_LAST || layout_tag(in->layout) == dnnl_nChw16c);
}

static un_status run_plan(un_conv *conv, const un_feature_map *in, const void *x, int add, void *y,
                          int threads) {
    plan *p = find_plan(&conv->plans, in, add, threads);
    if (!p->primitive) UN_TRY(make_conv(conv, p));
    const un_dnn_operand operands[] = {{DNNL_ARG_SRC, &p->x, x},
                                       {DNNL_ARG_WEIGHTS, &p->weights->layout, p->weights->data},
                                       {DNNL_ARG_BIAS, &conv->bias_layout, conv->bias},
                                       {DNNL_ARG_DST, &p->y, y}};
    return un_dnn_execute(p->primitive, operands, 4, "compute a convolution");
}

un_status un_conv_run(un_conv *conv, const un_feature_map *in, const void *x, int add, void *y,
                      un_conv_scratch *scratch) {
    if (in->c != conv->spec.in || in->type != conv->spec.type)
        return un_fail(UNSEEN_E_ARGUMENT, "this feature map does not fit the convolution");
    if (winograd_applies(conv, in, add)) return un_winograd_run(conv->winograd, in, x, y, scratch);
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter(&loan));
    un_status status = run_plan(conv, in, x, add, y, loan.threads);
    un_dnn_leave(loan);
    return status;
}

/* ------------------------------------------------------------------ pooling */

un_status un_pool_create(size_t kernel, size_t stride, un_padding padding, un_pool **out) {
    un_pool *pool = calloc(1, sizeof *pool);
    if (!pool) return un_fail_memory(sizeof *pool);
    pool->kernel = kernel;
    pool->stride = stride;
    pool->padding = padding;
    *out = pool;
    return UNSEEN_OK;
}

void un_pool_free(un_pool *pool) {
    if (!pool) return;
    free_plans(&pool->plans);
    free(pool);
}

void un_pool_output(const un_pool *pool, const un_feature_map *in, un_feature_map *out) {
    map_output(pool->padding, pool->kernel, pool->stride, in->c, in, out);
}

static un_status make_pool(const un_pool *pool, plan *p) {
    un_feature_map out;
    dnnl_pooling_desc_t operation;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_primitive_desc_t description = NULL;
    window w = make_window(pool->padding, pool->kernel, pool->stride, &p->in);
    un_pool_output(pool, &p->in, &out);
    UN_TRY(describe_ends(&p->in, &out, p));
    DNN_TRY(dnnl_pooling_forward_desc_init(&operation, dnnl_forward_inference, dnnl_pooling_max,
                                           &p->x, &p->y, w.stride, w.kernel, w.before, w.after),
            "describe max pooling");
    UN_TRY(un_dnn_attributes(&attributes));
    un_status status =
        un_dnn_describe(&operation, attributes, "do max pooling on this processor", &description);
    dnnl_primitive_attr_destroy(attributes);
    UN_TRY(status);
    status = un_dnn_create(description, "prepare max pooling", &p->primitive);
    dnnl_primitive_desc_destroy(description);
    return status;
}

static un_status run_pool(un_pool *pool, const un_feature_map *in, const void *x, void *y,
                          int threads) {
    plan *p = find_plan(&pool->plans, in, 0, threads);
    if (!p->primitive) UN_TRY(make_pool(pool, p));
    const un_dnn_operand operands[] = {{DNNL_ARG_SRC, &p->x, x}, {DNNL_ARG_DST, &p->y, y}};
    return un_dnn_execute(p->primitive, operands, 2, "do max pooling");
}

un_status un_pool_run(un_pool *pool, const un_feature_map *in, const void *x, void *y) {
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter(&loan));
    un_status status = run_pool(pool, in, x, y, loan.threads);
    un_dnn_leave(loan);
    return status;
}
