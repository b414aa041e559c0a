/*
 * conv_onednn.c - convolution and pooling primitives; see conv.h.
 *
 * A un_conv keeps the primitives of the last few input shapes. Which layout of the
 * weights is best depends on the primitive, so a un_conv holds its weights in every
 * layout that a primitive asked for: usually one.
 *
 * oneDNN answers every question, some with its reference loop, a hundred times slower than
 * the rest ("ref:any"; 2.6 has nothing else for bf16 on AMX processors unless the map is
 * channels-last). So every primitive is asked for its name, and a layer that would get that loop
 * is computed in another layout, or in f32, with conversions before and after.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/status.h"
#include "tensor/conv.h"
#include "tensor/feature_map.h"

enum { PLANS = 8, WAY_LENGTH = 48 };

/* The weights in one layout. */
typedef struct packing {
    struct packing *next;
    un_dnn_layout *layout;
    void *data;
    int used; /* by a primitive */
} packing;

/* A primitive for one input shape. */
typedef struct {
    un_feature_map in, out; /* the caller's */
    un_feature_map x, y;    /* the primitive's */
    int add, threads;
    dnnl_primitive_t primitive; /* NULL: free */
    const packing *weights;     /* NULL for pooling */
    char way[WAY_LENGTH];       /* see un_conv_way */
} plan;

typedef struct {
    plan items[PLANS];
    size_t next;      /* to be replaced when all are in use */
    const plan *last; /* to run; NULL: none yet */
} plan_list;

struct un_conv {
    un_conv_spec spec;
    packing *weights; /* for oneDNN: never empty of those that others can be made from */
    un_dnn_layout *bias_layout;
    float *bias;
    un_winograd *winograd; /* does everything, with filters of its own; NULL: oneDNN does */
    plan_list plans;
};

struct un_pool {
    size_t kernel, stride;
    un_padding padding;
    plan_list plans;
};

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

static void set_window(un_padding padding, size_t kernel, size_t stride, const un_feature_map *in,
                       un_dnn_operation *o) {
    for (int i = 0; i < 2; i++) {
        o->stride[i] = (dnnl_dim_t)stride;
        o->kernel[i] = (dnnl_dim_t)kernel;
        edges(padding, kernel, stride, i == 0 ? in->h : in->w, &o->before[i], &o->after[i]);
    }
}

/* ------------------------------------------------------------------ plans */

static void free_plan(plan *p) {
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    *p = (plan){0};
}

/* The plan for this input, or the place for a new one, emptied. */
static plan *find_plan(plan_list *list, const un_feature_map *in, int add, int threads) {
    for (size_t i = 0; i < PLANS; i++) {
        plan *p = &list->items[i];
        if (p->primitive && p->add == add && p->threads == threads &&
            un_feature_map_same(&p->in, in))
            return p;
    }
    plan *p = &list->items[list->next];
    list->next = (list->next + 1) % PLANS;
    free_plan(p);
    *p = (plan){.in = *in, .add = add, .threads = threads};
    return p;
}

static void free_plans(plan_list *list) {
    for (size_t i = 0; i < PLANS; i++) free_plan(&list->items[i]);
}

/* One way of computing a layer. */
typedef struct {
    un_dtype type;
    un_map_layout in, out;
} form;

static void set_ends(const form *f, plan *p) {
    p->x = p->in;
    p->y = p->out;
    p->x.type = p->y.type = f->type;
    p->x.layout = f->in;
    p->y.layout = f->out;
}

/* Describes the primitive of a layer whose ends are x and y. */
typedef un_status (*describer)(const void *layer, const plan *p, const un_dnn_layout *x,
                               const un_dnn_layout *y, dnnl_primitive_desc_t *out);

static un_status describe_form(const void *layer, describer describe, const plan *p,
                               dnnl_primitive_desc_t *out) {
    un_dnn_layout *x = NULL, *y = NULL;
    un_status status = un_feature_map_describe(&p->x, &x);
    if (!status) status = un_feature_map_describe(&p->y, &y);
    if (!status) status = describe(layer, p, x, y, out);
    un_dnn_layout_free(x);
    un_dnn_layout_free(y);
    return status;
}

/* Chooses how the layer is computed: as it is given if there is a kernel for that, else in a form
 * that has one. */
static un_status select_form(const void *layer, describer describe, plan *p,
                             dnnl_primitive_desc_t *description) {
    const un_feature_map *in = &p->in, *out = &p->out;
    const form forms[] = {{in->type, in->layout, out->layout},
                          {in->type, UN_CHANNELS_LAST, UN_CHANNELS_LAST},
                          {in->type, UN_CHANNELS_BLOCKED, UN_CHANNELS_BLOCKED},
                          {UN_F32, in->layout, out->layout},
                          {UN_F32, UN_CHANNELS_BLOCKED, UN_CHANNELS_BLOCKED},
                          {UN_F32, UN_CHANNELS_LAST, UN_CHANNELS_LAST}};
    const form *slow = NULL;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        set_ends(&forms[i], p);
        un_status status = describe_form(layer, describe, p, description);
        if (status == UNSEEN_E_UNSUPPORTED) continue;
        UN_TRY(status);
        if (!un_dnn_is_slow(un_dnn_implementation(*description))) return UNSEEN_OK;
        dnnl_primitive_desc_destroy(*description);
        *description = NULL;
        if (!slow) slow = &forms[i];
    }
    if (slow) un_dnn_warn_slow("a layer of a network");
    set_ends(slow ? slow : &forms[0], p);
    return describe_form(layer, describe, p, description);
}

static void name_way(plan *p, const_dnnl_primitive_desc_t description) {
    snprintf(p->way, sizeof p->way, "%s%s", p->x.type == p->in.type ? "" : "f32 ",
             un_dnn_implementation(description));
}

/* Runs a plan whose `operands` begin with its input and output; converts where the primitive has
 * other ends than the caller. */
static un_status run_plan(const plan *p, un_dnn_operand *operands, int n, void *y,
                          un_conv_scratch *scratch, const char *what) {
    int other_x = !un_feature_map_same(&p->x, &p->in);
    int other_y = !un_feature_map_same(&p->y, &p->out);
    size_t x_bytes = 0, y_bytes = 0;
    if (other_x) UN_TRY(un_feature_map_bytes(&p->x, &x_bytes));
    if (other_y) UN_TRY(un_feature_map_bytes(&p->y, &y_bytes));
    x_bytes = (x_bytes + 63) / 64 * 64;
    if (other_x || other_y) UN_TRY(un_conv_scratch_reserve(scratch, x_bytes + y_bytes));
    if (other_x) {
        UN_TRY(un_feature_map_convert(&p->in, operands[0].data, &p->x, scratch->data));
        operands[0].data = scratch->data;
    }
    void *made = other_y ? (char *)scratch->data + x_bytes : y;
    if (other_y && p->add) UN_TRY(un_feature_map_convert(&p->out, y, &p->y, made));
    operands[1].data = made;
    UN_TRY(un_dnn_execute(p->primitive, operands, n, what));
    return other_y ? un_feature_map_convert(&p->y, made, &p->out, y) : UNSEEN_OK;
}

/* ------------------------------------------------------------------ convolution */

static un_status describe_weights(const un_conv_spec *s, dnnl_format_tag_t tag, un_dtype type,
                                  un_dnn_layout **out) {
    dnnl_dim_t o = (dnnl_dim_t)s->out, i = (dnnl_dim_t)s->in, k = (dnnl_dim_t)s->kernel;
    const dnnl_dims_t dense = {o, i, k, k}, grouped = {o, 1, 1, k, k};
    DNN_TRY(un_dnn_layout_by_tag(out, s->depthwise ? 5 : 4, s->depthwise ? grouped : dense,
                                 un_dnn_type(type), tag),
            "describe weights");
    return UNSEEN_OK;
}

static void free_packing(packing *p) {
    un_dnn_layout_free(p->layout);
    free(p->data);
    free(p);
}

/* Puts the weights into another layout, in front of the list. */
static un_status add_packing(un_conv *c, const un_dnn_layout *from, const void *data,
                             const un_dnn_layout *layout) {
    packing *p = calloc(1, sizeof *p);
    if (!p) return un_fail_memory(sizeof *p);
    un_status status = UNSEEN_OK;
    dnnl_status_t code = un_dnn_layout_copy(&p->layout, layout);
    if (code != dnnl_success) UN_GO(un_dnn_failed(code, "describe weights"));
    UN_GO(un_alloc(dnnl_memory_desc_get_size(layout), 1, &p->data));
    UN_GO(un_dnn_reorder(from, data, layout, p->data));
    p->next = c->weights;
    c->weights = p;
    return UNSEEN_OK;
done:
    free_packing(p);
    return status;
}

/* Takes over the weights as they came: put into the layout that is kept, where that is another. */
static un_status keep_weights(un_conv *c, const un_dnn_layout *from, float *weights,
                              const un_dnn_layout *layout) {
    if (!dnnl_memory_desc_equal(from, layout)) {
        un_status status = add_packing(c, from, weights, layout);
        free(weights);
        return status;
    }
    packing *p = calloc(1, sizeof *p);
    if (!p) {
        free(weights);
        return un_fail_memory(sizeof *p);
    }
    p->data = weights;
    p->next = c->weights;
    c->weights = p; /* from here on it goes with the layer */
    DNN_TRY(un_dnn_layout_copy(&p->layout, layout), "describe weights");
    return UNSEEN_OK;
}

/* The weights in `layout`. Others are made from any blocked one; the layout they came in is dropped
 * as soon as another takes that part. */
static un_status find_packing(un_conv *c, const un_dnn_layout *layout, const packing **out) {
    packing *source = NULL;
    for (packing *p = c->weights; p; p = p->next) {
        if (dnnl_memory_desc_equal(p->layout, layout)) {
            p->used = 1;
            *out = p;
            return UNSEEN_OK;
        }
        if (un_dnn_layout_is_plain(p->layout)) source = p;
    }
    UN_TRY(add_packing(c, source->layout, source->data, layout));
    c->weights->used = 1;
    *out = c->weights;
    if (!source->used && un_dnn_layout_is_plain(layout)) {
        packing **link = &c->weights;
        while (*link != source) link = &(*link)->next;
        *link = source->next;
        free_packing(source);
    }
    return UNSEEN_OK;
}

static un_status check_spec(const un_conv_spec *s) {
    int odd = s->kernel % 2 == 1 && s->kernel < 32 && s->stride > 0 && s->stride < 32;
    if (!odd || s->in == 0 || s->out == 0 || s->in > UN_MAX_EXTENT || s->out > UN_MAX_EXTENT ||
        (s->depthwise && s->in != s->out) || (s->type != UN_F32 && s->type != UN_BF16))
        return un_fail(UNSEEN_E_ARGUMENT, "a convolution of this form is not supported");
    return UNSEEN_OK;
}

un_status un_conv_create(const un_conv_spec *spec, const float *weights, const float *bias,
                         un_conv **out) {
    float *copy = NULL;
    UN_TRY(check_spec(spec));
    size_t filter = (spec->depthwise ? 1 : spec->in) * spec->kernel * spec->kernel;
    UN_TRY(un_alloc(spec->out, filter * sizeof *copy, &copy));
    memcpy(copy, weights, spec->out * filter * sizeof *copy);
    return un_conv_create_from(spec, copy, bias, out);
}

un_status un_conv_create_from(const un_conv_spec *spec, float *weights, const float *bias,
                              un_conv **out) {
    un_openmp_loan loan;
    un_conv *c = NULL;
    un_status status = check_spec(spec);
    if (!status && !(c = calloc(1, sizeof *c))) status = un_fail_memory(sizeof *c);
    if (!status) status = un_dnn_enter(&loan);
    if (status) {
        free(c);
        free(weights);
        return status;
    }
    un_dnn_layout *plain = NULL, *kept = NULL;
    const dnnl_dims_t channels = {(dnnl_dim_t)spec->out};
    dnnl_format_tag_t tag = spec->depthwise ? dnnl_goihw : dnnl_oihw;
    c->spec = *spec;
    if (un_winograd_fits(spec)) {
        UN_GO(un_winograd_create(spec, weights, bias, &c->winograd));
        *out = c;
        goto done;
    }
    UN_GO(describe_weights(spec, tag, UN_F32, &plain));
    UN_GO(describe_weights(spec, tag, spec->type, &kept));
    status = keep_weights(c, plain, weights, kept);
    weights = NULL;
    UN_GO(status);
    dnnl_status_t code = un_dnn_layout_by_tag(&c->bias_layout, 1, channels, dnnl_f32, dnnl_a);
    if (code != dnnl_success) UN_GO(un_dnn_failed(code, "describe a bias"));
    UN_GO(un_alloc(spec->out, sizeof *c->bias, &c->bias));
    memcpy(c->bias, bias, spec->out * sizeof *bias);
    *out = c;
done:
    un_dnn_leave(loan);
    free(weights);
    un_dnn_layout_free(plain);
    un_dnn_layout_free(kept);
    if (status) un_conv_free(c);
    return status;
}

void un_conv_free(un_conv *conv) {
    if (!conv) return;
    free_plans(&conv->plans);
    while (conv->weights) {
        packing *next = conv->weights->next;
        free_packing(conv->weights);
        conv->weights = next;
    }
    un_winograd_free(conv->winograd);
    un_dnn_layout_free(conv->bias_layout);
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

static dnnl_alg_kind_t activation_of(un_conv_activation activation) {
    switch (activation) {
    case UN_CONV_RELU: return dnnl_eltwise_relu;
    case UN_CONV_RELU6: return dnnl_eltwise_clip;
    case UN_CONV_LINEAR: break;
    }
    return dnnl_alg_kind_undef;
}

static un_status describe_conv(const void *layer, const plan *p, const un_dnn_layout *x,
                               const un_dnn_layout *y, dnnl_primitive_desc_t *out) {
    const un_conv *c = layer;
    const un_conv_spec *s = &c->spec;
    un_dnn_layout *weights = NULL;
    UN_TRY(describe_weights(s, dnnl_format_tag_any, p->x.type, &weights));
    un_dnn_operation operation = {.kind = UN_DNN_CONVOLUTION,
                                  .x = x,
                                  .weights = weights,
                                  .bias = c->bias_layout,
                                  .y = y,
                                  .add = p->add,
                                  .activation = activation_of(s->activation)};
    if (s->activation == UN_CONV_RELU6) operation.beta = 6.0f;
    /* Not `auto`: whether that takes Winograd's algorithm, and of which size, depends on the number
     * of pictures and threads, and so would the values of a picture. */
    operation.algorithm = dnnl_convolution_direct;
    set_window(s->padding, s->kernel, s->stride, &p->in, &operation);
    un_status status =
        un_dnn_describe(&operation, "compute this convolution on this processor", out);
    un_dnn_layout_free(weights);
    return status;
}

static un_status make_conv(un_conv *c, plan *p) {
    dnnl_primitive_desc_t description = NULL;
    un_status status = UNSEEN_OK;
    un_conv_output(c, &p->in, &p->out);
    UN_GO(select_form(c, describe_conv, p, &description));
    name_way(p, description);
    UN_GO(find_packing(c, dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0),
                       &p->weights));
    UN_GO(un_dnn_create(description, "prepare a convolution", &p->primitive));
done:
    if (description) dnnl_primitive_desc_destroy(description);
    return status;
}

/* Lays the channels of a pixel together first, where they are not yet. */
static un_status run_winograd(const un_conv *conv, const un_feature_map *in, const void *x, int add,
                              void *y, un_conv_scratch *scratch) {
    un_feature_map turned = *in;
    size_t bytes = 0;
    void *copy = NULL;
    UN_TRY(un_feature_map_bytes(in, &bytes));
    if (in->n == 0 || in->h == 0 || in->w == 0) return UNSEEN_OK;
    if (in->layout != UN_CHANNELS_FIRST)
        return un_winograd_run(conv->winograd, in, x, add, y, scratch);
    turned.layout = un_conv_layout(in->type);
    UN_TRY(un_feature_map_bytes(&turned, &bytes));
    UN_TRY(un_alloc(bytes, 1, &copy));
    un_status status = un_feature_map_convert(in, x, &turned, copy);
    if (!status) status = un_winograd_run(conv->winograd, &turned, copy, add, y, scratch);
    free(copy);
    return status;
}

static un_status run_conv(un_conv *conv, const un_feature_map *in, const void *x, int add, void *y,
                          un_conv_scratch *scratch, int threads) {
    plan *p = find_plan(&conv->plans, in, add, threads);
    if (!p->primitive) UN_TRY(make_conv(conv, p));
    un_dnn_operand operands[] = {{DNNL_ARG_SRC, x},
                                 {DNNL_ARG_DST, y},
                                 {DNNL_ARG_WEIGHTS, p->weights->data},
                                 {DNNL_ARG_BIAS, conv->bias}};
    conv->plans.last = p;
    return run_plan(p, operands, 4, y, scratch, "compute a convolution");
}

un_status un_conv_run(un_conv *conv, const un_feature_map *in, const void *x, int add, void *y,
                      un_conv_scratch *scratch) {
    if (in->c != conv->spec.in || in->type != conv->spec.type)
        return un_fail(UNSEEN_E_ARGUMENT, "this feature map does not fit the convolution");
    if (conv->winograd) return run_winograd(conv, in, x, add, y, scratch);
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter(&loan));
    un_status status = run_conv(conv, in, x, add, y, scratch, loan.threads);
    un_dnn_leave(loan);
    return status;
}

const char *un_conv_way(const un_conv *conv) {
    return conv->plans.last ? conv->plans.last->way : conv->winograd ? "winograd" : NULL;
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

static un_status describe_pool(const void *layer, const plan *p, const un_dnn_layout *x,
                               const un_dnn_layout *y, dnnl_primitive_desc_t *out) {
    const un_pool *pool = layer;
    un_dnn_operation operation = {.kind = UN_DNN_MAX_POOLING, .x = x, .y = y};
    set_window(pool->padding, pool->kernel, pool->stride, &p->in, &operation);
    return un_dnn_describe(&operation, "do max pooling on this processor", out);
}

static un_status make_pool(const un_pool *pool, plan *p) {
    dnnl_primitive_desc_t description = NULL;
    un_pool_output(pool, &p->in, &p->out);
    UN_TRY(select_form(pool, describe_pool, p, &description));
    name_way(p, description);
    un_status status = un_dnn_create(description, "prepare max pooling", &p->primitive);
    dnnl_primitive_desc_destroy(description);
    return status;
}

static un_status run_pool(un_pool *pool, const un_feature_map *in, const void *x, void *y,
                          un_conv_scratch *scratch, int threads) {
    plan *p = find_plan(&pool->plans, in, 0, threads);
    if (!p->primitive) UN_TRY(make_pool(pool, p));
    un_dnn_operand operands[] = {{DNNL_ARG_SRC, x}, {DNNL_ARG_DST, y}};
    pool->plans.last = p;
    return run_plan(p, operands, 2, y, scratch, "do max pooling");
}

const char *un_pool_way(const un_pool *pool) {
    return pool->plans.last ? pool->plans.last->way : NULL;
}

un_status un_pool_run(un_pool *pool, const un_feature_map *in, const void *x, void *y,
                      un_conv_scratch *scratch) {
    un_openmp_loan loan;
    UN_TRY(un_dnn_enter(&loan));
    un_status status = run_pool(pool, in, x, y, scratch, loan.threads);
    un_dnn_leave(loan);
    return status;
}
