/* image_regions.c - regions of a feature store as visual tokens; see network.h. */
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "method/duet/network.h"
#include "nn/naming.h"
#include "tensor/kernels.h"

typedef struct {
    duet_image base;
    duet_regions_config config;
    size_t cls;
    un_dense projection;
    un_norm norm;
} regions_image;

typedef struct {
    duet_image_pass base;
    const un_params *params;
    un_dtype type;
    int training;
    size_t n, room; /* pictures */
    void *own;      /* (n R, F) of the operand type: a copy of the regions */
    const void *x;  /* (n R, F) operand of the projection: that copy, or the caller's */
    float *before;  /* (n R, H) before LN */
    float *normal;  /* (n R, H) after it; backward: the gradient */
    un_norm_state norm;
    un_bf16 *d16;
    float *tokens; /* (n, T, H) */
    un_arena arena;
} regions_pass;

static void destroy(duet_image *image) { free(image); }

static void initialize(const duet_image *image, const un_params *params, uint64_t seed) {
    const regions_image *r = (const regions_image *)image;
    un_param_initialize_normal(params, r->cls, 0.02, seed, "duet.cls", 0);
    if (r->config.project)
        un_param_initialize_linear(params, r->projection.weight, r->projection.bias, seed,
                                   "duet.regions", 0);
    un_norm_initialize(&r->norm, params);
}

static void pass_free(duet_image_pass *pass) {
    if (!pass) return;
    un_arena_free(&((regions_pass *)pass)->arena);
    free(pass);
}

static un_status pass_create(const duet_image *image, un_dtype type, int training,
                             duet_image_pass **out) {
    regions_pass *p = NULL;
    UN_TRY(un_alloc(1, sizeof *p, &p));
    p->base.image = image;
    p->type = type;
    p->training = training;
    *out = &p->base;
    return UNSEEN_OK;
}

static un_status reserve(regions_pass *p, size_t n) {
    const regions_image *r = (const regions_image *)p->base.image;
    size_t rows = n * r->config.regions, H = r->config.width, f = sizeof(float);
    un_arena *a = &p->arena;
    if (n <= p->room) return UNSEEN_OK;
    un_arena_free(a);
    p->room = 0;
    if (r->config.project) {
        UN_TRY(un_arena_alloc(a, rows * r->config.features, un_dtype_size(p->type), &p->own));
    }
    UN_TRY(un_arena_alloc(a, rows * H, f, &p->before));
    UN_TRY(un_arena_alloc(a, rows * H, f, &p->normal));
    UN_TRY(un_arena_alloc(a, n * r->base.tokens * H, f, &p->tokens));
    if (p->training) {
        UN_TRY(un_arena_alloc(a, rows, f, &p->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, f, &p->norm.inverse));
        if (p->type == UN_BF16) UN_TRY(un_arena_alloc(a, rows * H, sizeof(un_bf16), &p->d16));
    }
    p->room = n;
    return UNSEEN_OK;
}

/* Tokens from p->x, or from p->before without a projection. */
static un_status finish(regions_pass *p, const float **tokens) {
    const regions_image *r = (const regions_image *)p->base.image;
    const un_params *params = p->params;
    size_t n = p->n, R = r->config.regions, H = r->config.width, T = R + 1;
    if (r->config.project)
        UN_TRY(un_dense_forward(&r->projection, params, p->type, p->x, n * R, UN_DENSE_PLAIN,
                                p->before, 0, UN_F32));
    un_norm_forward(&r->norm, params, p->before, n * R, p->normal, NULL,
                    p->training ? &p->norm : NULL);
    const float *cls = un_param_value(params, r->cls);
    for (size_t i = 0; i < n; i++) {
        memcpy(p->tokens + i * T * H, cls, H * sizeof *cls);
        memcpy(p->tokens + (i * T + 1) * H, p->normal + i * R * H, R * H * sizeof *cls);
    }
    *tokens = p->tokens;
    return UNSEEN_OK;
}

static un_status forward(duet_image_pass *pass, const un_params *params, const float *features,
                         size_t n, const un_dropout_source *dropout, const float **tokens) {
    (void)dropout;
    regions_pass *p = (regions_pass *)pass;
    const regions_image *r = (const regions_image *)pass->image;
    size_t size = n * r->config.regions * r->config.features;
    UN_TRY(reserve(p, n));
    p->params = params;
    p->n = n;
    p->x = p->own;
    if (!r->config.project)
        un_copy(features, p->before, size);
    else if (p->type == UN_BF16)
        un_convert_to_bf16(features, p->own, size);
    else
        un_copy(features, p->own, size);
    return finish(p, tokens);
}

static un_status forward16(duet_image_pass *pass, const un_params *params, const un_bf16 *features,
                           size_t n, const float **tokens) {
    regions_pass *p = (regions_pass *)pass;
    UN_TRY(reserve(p, n));
    p->params = params;
    p->n = n;
    p->x = features;
    return finish(p, tokens);
}

static un_status backward(duet_image_pass *pass, const float *dtokens) {
    regions_pass *p = (regions_pass *)pass;
    const regions_image *r = (const regions_image *)pass->image;
    size_t R = r->config.regions, H = r->config.width, T = R + 1;
    float *d = p->normal, *dcls = un_param_grad(p->params, r->cls);
    for (size_t i = 0; i < p->n; i++) {
        un_axpy(1, dtokens + i * T * H, dcls, H);
        memcpy(d + i * R * H, dtokens + (i * T + 1) * H, R * H * sizeof *d);
    }
    un_norm_backward(&r->norm, p->params, p->before, p->n * R, &p->norm, d,
                     r->config.project ? d : NULL, 0);
    if (!r->config.project) return UNSEEN_OK;
    if (p->type == UN_BF16) un_convert_to_bf16(d, p->d16, p->n * R * H);
    const un_dense_gradient gradient = {.x = p->x, .dy = d, .dy16 = p->d16, .rows = p->n * R};
    return un_dense_backward(&r->projection, p->params, p->type, &gradient);
}

#define CLASS                                                                                      \
    .name = "regions", .destroy = destroy, .initialize = initialize, .pass_create = pass_create,   \
    .pass_free = pass_free, .forward = forward, .backward = backward
static const duet_image_class g_projected = {CLASS, .forward16 = forward16};
/* Without a projection regions are normalised in f32. */
static const duet_image_class g_plain = {CLASS};

un_status un_duet_regions_create(duet_image **out, un_params *params,
                                 const duet_regions_config *config) {
    regions_image *r = NULL;
    size_t H = config->width;
    if (!config->project && config->features != H)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "regions of %zu values cannot be visual tokens of width %zu as they are: "
                       "set project=yes",
                       config->features, H);
    UN_TRY(un_alloc(1, sizeof *r, &r));
    un_status status = UNSEEN_OK;
    r->base = (duet_image){.class = config->project ? &g_projected : &g_plain,
                           .tokens = config->regions + 1,
                           .leading = 1,
                           .width = H,
                           .flops = config->project ? 2.0 * (double)config->regions *
                                                          (double)config->features * (double)H
                                                    : 0};
    r->config = *config;
    UN_GO(un_params_add(params, "visual_cls", 3, (size_t[]){1, 1, H}, 0, &r->cls));
    if (config->project)
        UN_GO(un_dense_declare(&r->projection, params, "region_projection", config->features, H));
    UN_GO(un_norm_declare(&r->norm, params, "region_norm", H, config->eps));
    *out = &r->base;
done:
    if (status) free(r);
    return status;
}
