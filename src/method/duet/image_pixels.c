/* image_pixels.c - a transformer over the picture as DUET's image side: ViT, DeiT or Swin; see
 * network.h. Whichever it is, the first of its states stands for the picture and the last ones for
 * its places. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "base/rng.h"
#include "method/duet/network.h"
#include "nn/naming.h"
#include "tensor/kernels.h"

typedef struct {
    duet_image base;
    duet_pixels_config config;
    size_t skipped; /* states between the first and the places' */
    size_t states;  /* of a picture */
    size_t inner;   /* Hv: their width */
    int is_swin;
    int projected;                   /* visual_projection exists */
    un_dense projection;             /* patch: state -> token */
    un_dense classifier, from_logit; /* logit */
    un_vit vit;                      /* one of both */
    un_swin swin;
} pixels_image;

typedef struct {
    duet_image_pass base;
    const un_params *params;
    int training;
    size_t n, room;
    un_vit_pass vit; /* one of both */
    un_swin_pass swin;
    float *pictures; /* (n, S, S, 3) normalised */
    float *selected; /* (n, T, Hv) the states handed on */
    float *logits;   /* (n, K) */
    float *dlogits;  /* (n, K) */
    float *tokens;   /* (n, T, H); backward: the gradient of what is selected */
    float *dstates;  /* (n, states, Hv) */
    un_arena arena;
} pixels_pass;

static void destroy(duet_image *image) {
    if (!image) return;
    un_vit_free(&((pixels_image *)image)->vit);
    un_swin_free(&((pixels_image *)image)->swin);
    free(image);
}

static void initialize(const duet_image *image, const un_params *params, uint64_t seed) {
    const pixels_image *v = (const pixels_image *)image;
    if (v->is_swin)
        un_swin_initialize(&v->swin, params, seed);
    else
        un_vit_initialize(&v->vit, params, seed);
    if (v->projected)
        un_param_initialize_linear(params, v->projection.weight, v->projection.bias, seed,
                                   "duet.pixels", 0);
    if (!v->config.logit) return;
    un_param_initialize_linear(params, v->classifier.weight, v->classifier.bias, seed,
                               "duet.pixels", 1);
    un_param_initialize_linear(params, v->from_logit.weight, v->from_logit.bias, seed,
                               "duet.pixels", 2);
}

un_status un_duet_pixels_load(const duet_image *image, const un_params *params,
                              const un_safetensors *file) {
    const pixels_image *v = (const pixels_image *)image;
    static const char *const heads[] = {"classifier", "head"}; /* the second is torchvision's */
    char prefix[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    size_t i = 0;
    UN_TRY(v->is_swin ? un_swin_load(&v->swin, params, file) : un_vit_load(&v->vit, params, file));
    for (; v->config.logit && i < 2; i++) {
        UN_TRY(un_name(name, "%s.weight", heads[i]));
        if (un_weights_prefix(file, name, prefix)) break;
    }
    if (!v->config.logit || i == 2) return UNSEEN_OK;
    const un_st_entry *entry = NULL;
    UN_TRY(un_name(name, "%s%s.weight", prefix, heads[i]));
    UN_TRY(un_safetensors_require(file, name, 2, &entry));
    /* A classifier of other classes has another width: the new one stays as it was drawn. */
    if (entry->tensor.shape[0] != v->config.labels) return UNSEEN_OK;
    UN_TRY(un_param_load(params, v->classifier.weight, file, name, SIZE_MAX));
    UN_TRY(un_name(name, "%s%s.bias", prefix, heads[i]));
    return un_param_load(params, v->classifier.bias, file, name, SIZE_MAX);
}

static void pass_free(duet_image_pass *pass) {
    pixels_pass *p = (pixels_pass *)pass;
    if (!p) return;
    un_vit_pass_free(&p->vit);
    un_swin_pass_free(&p->swin);
    un_arena_free(&p->arena);
    free(p);
}

static un_status pass_create(const duet_image *image, un_dtype type, int training,
                             duet_image_pass **out) {
    const pixels_image *v = (const pixels_image *)image;
    pixels_pass *p = NULL;
    UN_TRY(un_alloc(1, sizeof *p, &p));
    p->base.image = image;
    p->training = training;
    int back = training && !v->config.frozen, recompute = v->config.recompute;
    un_status status = v->is_swin ? un_swin_pass_create(&p->swin, &v->swin, type, back, recompute)
                                  : un_vit_pass_create(&p->vit, &v->vit, type, back, recompute);
    if (status) {
        free(p);
        return status;
    }
    if (v->is_swin)
        p->swin.budget = v->config.budget;
    else
        p->vit.encoder.budget = v->config.budget;
    *out = &p->base;
    return UNSEEN_OK;
}

static un_status reserve(pixels_pass *p, size_t n) {
    const pixels_image *v = (const pixels_image *)p->base.image;
    size_t S = v->config.size, T = v->base.tokens, Hv = v->inner, f = sizeof(float);
    un_arena *a = &p->arena;
    if (n <= p->room) return UNSEEN_OK;
    un_arena_free(a);
    p->room = 0;
    if (!v->base.from_states) UN_TRY(un_arena_alloc(a, n * S * S * 3, f, &p->pictures));
    UN_TRY(un_arena_alloc(a, n * T * Hv, f, &p->selected));
    UN_TRY(un_arena_alloc(a, n * T * (v->base.width > Hv ? v->base.width : Hv), f, &p->tokens));
    if (v->config.logit) {
        UN_TRY(un_arena_alloc(a, n * v->config.labels, f, &p->logits));
        UN_TRY(un_arena_alloc(a, n * v->config.labels, f, &p->dlogits));
    }
    if (p->training && !v->config.frozen)
        UN_TRY(un_arena_alloc(a, n * v->states * Hv, f, &p->dstates));
    p->room = n;
    return UNSEEN_OK;
}

typedef struct {
    const float *in;
    float *out;
    float scale[3], shift[3];
} colour_job;

static void colour_range(size_t begin, size_t end, void *context) {
    const colour_job *j = context;
    for (size_t i = begin; i < end; i++)
        for (size_t c = 0; c < 3; c++)
            j->out[3 * i + c] = j->in[3 * i + c] * j->scale[c] + j->shift[c];
}

static void normalize(pixels_pass *p, const float *pixels, size_t n) {
    const pixels_image *v = (const pixels_image *)p->base.image;
    colour_job job = {.in = pixels, .out = p->pictures};
    for (size_t c = 0; c < 3; c++) {
        double deviation = (double)v->config.deviation[c];
        job.scale[c] = (float)(1 / (255 * deviation));
        job.shift[c] = (float)(-(double)v->config.mean[c] / deviation);
    }
    un_parallel_for(n * v->config.size * v->config.size, 4096, colour_range, &job);
}

/* The states of a picture that are handed on: the first, and with it the places' or nothing. */
static void gather_selected(const pixels_image *v, const float *states, size_t n, float *selected) {
    size_t Hv = v->inner, T = v->base.tokens, row = Hv * sizeof *states;
    for (size_t i = 0; i < n; i++) {
        const float *from = states + i * v->states * Hv;
        memcpy(selected + i * T * Hv, from, row);
        memcpy(selected + (i * T + 1) * Hv, from + (1 + v->skipped) * Hv, (T - 1) * row);
    }
}

static void scatter_selected(const pixels_image *v, const float *dselected, size_t n,
                             float *dstates) {
    size_t Hv = v->inner, T = v->base.tokens, row = Hv * sizeof *dstates;
    memset(dstates, 0, n * v->states * row);
    for (size_t i = 0; i < n; i++) {
        float *to = dstates + i * v->states * Hv;
        memcpy(to, dselected + i * T * Hv, row);
        memcpy(to + (1 + v->skipped) * Hv, dselected + (i * T + 1) * Hv, (T - 1) * row);
    }
}

/* The transformer: pictures to the states that are handed on. */
static un_status select_states(duet_image_pass *pass, const un_params *params,
                               const float *features, size_t n, const un_dropout_source *dropout,
                               float *selected) {
    pixels_pass *p = (pixels_pass *)pass;
    const pixels_image *v = (const pixels_image *)pass->image;
    const float *states = NULL;
    size_t S = v->config.size;
    if (!p->training || v->config.frozen) dropout = NULL;
    UN_TRY(reserve(p, n));
    normalize(p, features, n);
    UN_TRY(v->is_swin ? un_swin_forward(&p->swin, params, p->pictures, n, S, dropout, &states)
                      : un_vit_forward(&p->vit, params, p->pictures, n, S, dropout, &states));
    gather_selected(v, states, n, selected);
    return UNSEEN_OK;
}

static un_status states(duet_image_pass *pass, const un_params *params, const float *features,
                        size_t n, float *out) {
    return select_states(pass, params, features, n, NULL, out);
}

/* The layers behind the transformer are small: they compute in f32. */
static un_status forward(duet_image_pass *pass, const un_params *params, const float *features,
                         size_t n, const un_dropout_source *dropout, const float **tokens) {
    pixels_pass *p = (pixels_pass *)pass;
    const pixels_image *v = (const pixels_image *)pass->image;
    size_t T = v->base.tokens;
    UN_TRY(reserve(p, n));
    p->params = params;
    p->n = n;
    if (v->base.from_states)
        memcpy(p->selected, features, n * T * v->inner * sizeof *features);
    else
        UN_TRY(select_states(pass, params, features, n, dropout, p->selected));
    *tokens = v->config.logit || v->projected ? p->tokens : p->selected;
    if (v->projected)
        return un_dense_forward(&v->projection, params, UN_F32, p->selected, n * T, UN_DENSE_PLAIN,
                                p->tokens, 0, UN_F32);
    if (!v->config.logit) return UNSEEN_OK;
    UN_TRY(un_dense_forward(&v->classifier, params, UN_F32, p->selected, n, UN_DENSE_PLAIN,
                            p->logits, 0, UN_F32));
    return un_dense_forward(&v->from_logit, params, UN_F32, p->logits, n, UN_DENSE_PLAIN, p->tokens,
                            0, UN_F32);
}

static un_status backward(duet_image_pass *pass, const float *dtokens) {
    pixels_pass *p = (pixels_pass *)pass;
    const pixels_image *v = (const pixels_image *)pass->image;
    size_t rows = p->n * v->base.tokens;
    const float *d = dtokens;                          /* of the selected states, in the end */
    float *into = v->config.frozen ? NULL : p->tokens; /* as wide as the wider of both */
    if (v->projected) {
        UN_TRY(un_duet_dense_backward(&v->projection, p->params, p->selected, dtokens, rows, into));
        d = into;
    } else if (v->config.logit) {
        UN_TRY(un_duet_dense_backward(&v->from_logit, p->params, p->logits, dtokens, rows,
                                      p->dlogits));
        UN_TRY(
            un_duet_dense_backward(&v->classifier, p->params, p->selected, p->dlogits, rows, into));
        d = into;
    }
    if (v->config.frozen) return UNSEEN_OK;
    scatter_selected(v, d, p->n, p->dstates);
    return v->is_swin ? un_swin_backward(&p->swin, p->dstates, NULL)
                      : un_vit_backward(&p->vit, p->dstates, NULL);
}

static const duet_image_class g_class = {.name = "pixels",
                                         .destroy = destroy,
                                         .initialize = initialize,
                                         .pass_create = pass_create,
                                         .pass_free = pass_free,
                                         .forward = forward,
                                         .states = states,
                                         .backward = backward};

static un_status declare_transformer(pixels_image *v, un_params *params, size_t *grid) {
    const duet_pixels_config *c = &v->config;
    if (v->is_swin) {
        UN_TRY(un_swin_declare(&v->swin, params, "deit.swin.", &c->swin));
        UN_TRY(un_swin_grid(&v->swin, c->size, grid));
        v->inner = un_swin_width(&c->swin);
        v->states = 1 + *grid * *grid;
        v->base.flops = un_swin_flops(&v->swin, c->size);
        return UNSEEN_OK;
    }
    UN_TRY(un_vit_declare(&v->vit, params, "deit.deit.", &c->vit));
    UN_TRY(un_vit_grid(&v->vit, c->size, grid));
    v->inner = c->vit.width;
    v->states = un_vit_tokens(&v->vit, *grid);
    v->base.flops = un_vit_flops(&v->vit, *grid);
    return UNSEEN_OK;
}

/* What the states of a frozen transformer depend on besides its parameters and the pictures. */
static void describe(const pixels_image *v, char out[256]) {
    const duet_pixels_config *c = &v->config;
    int n =
        v->is_swin
            ? snprintf(out, 256, "swin %zu, patch %zu, eps %.9g, heads %zu, window %zu", c->size,
                       c->swin.patch, (double)c->swin.eps, c->swin.heads[0], c->swin.window[0])
            : snprintf(out, 256, "size %zu, patch %zu, heads %zu, family %d, eps %.9g", c->size,
                       c->vit.patch, c->vit.heads, (int)c->vit.family, (double)c->vit.eps);
    if (n > 0 && n < 256)
        snprintf(out + n, (size_t)(256 - n), ", mean %.9g %.9g %.9g, deviation %.9g %.9g %.9g",
                 (double)c->mean[0], (double)c->mean[1], (double)c->mean[2],
                 (double)c->deviation[0], (double)c->deviation[1], (double)c->deviation[2]);
}

/* The pieces first .. count-1 of the parameters are left as they are. */
static void freeze(pixels_image *v, size_t first, size_t count) {
    v->base.frozen_first = first;
    v->base.frozen_count = count - first;
    v->base.state_tokens = v->base.tokens;
    v->base.state_width = v->inner;
    describe(v, v->base.frozen_settings);
}

static un_status declare(pixels_image *v, un_params *params) {
    const duet_pixels_config *c = &v->config;
    size_t grid = 0, first = params->count;
    UN_TRY(declare_transformer(v, params, &grid));
    size_t Hv = v->inner, pieces = params->count;
    v->skipped = v->states - 1 - grid * grid;
    v->base.tokens = c->logit ? 1 : grid * grid + 1;
    if (c->frozen) freeze(v, first, pieces);
    v->projected = !c->logit && Hv != c->width;
    if (v->projected)
        UN_TRY(un_dense_declare(&v->projection, params, "visual_projection", Hv, c->width));
    if (!c->logit) return UNSEEN_OK;
    UN_TRY(un_dense_declare(&v->classifier, params, "deit.classifier", Hv, c->labels));
    return un_dense_declare(&v->from_logit, params, "linear", c->labels, c->width);
}

un_status un_duet_pixels_create(duet_image **out, un_params *params,
                                const duet_pixels_config *config) {
    pixels_image *v = NULL;
    UN_TRY(un_alloc(1, sizeof *v, &v));
    v->base = (duet_image){.class = &g_class, .leading = 1, .pixels = 1, .width = config->width};
    v->config = *config;
    v->is_swin = config->swin.width > 0;
    un_status status = declare(v, params);
    if (status)
        destroy(&v->base);
    else
        *out = &v->base;
    return status;
}

/* ---- random changes of training pictures ---- */

static double between(un_rng *rng, double low, double high) {
    return low + (high - low) * un_rng_uniform(rng);
}

duet_change un_duet_change_draw(uint64_t seed, size_t epoch, size_t index, size_t i) {
    /* One stream for a mini-batch, a fixed number of blocks of it for each picture. */
    un_rng rng = un_rng_stream(seed, "duet.augment", (uint64_t)epoch << 32 | (uint64_t)index);
    rng.block = 4 * (uint64_t)i;
    duet_change change = {.mirrored = un_rng_uniform(&rng) < 0.5};
    change.zoom = exp2(between(&rng, -1.0 / 3, 1.0 / 3));
    change.down = between(&rng, -0.125, 0.125);
    change.right = between(&rng, -0.125, 0.125);
    change.brightness = exp2(between(&rng, log2(0.8), log2(1.25)));
    return change;
}

/* Between which two pixels of a line a position lies, and how near the second. */
typedef struct {
    size_t first, second;
    float share;
} place;

static place find_place(double position, size_t S) {
    double last = (double)(S - 1), at = position < 0 ? 0 : position > last ? last : position;
    size_t first = (size_t)at;
    size_t second = first + 1 < S ? first + 1 : first;
    return (place){first, second, (float)(at - (double)first)};
}

/* Where the middle of pixel k of the changed line lies in the line as it was. */
static double source(size_t k, size_t S, double zoom, double moved) {
    double middle = (double)S / 2;
    return ((double)k + 0.5 - middle) / zoom + middle + moved * (double)S - 0.5;
}

void un_duet_change_apply(const duet_change *change, const float *in, size_t S, float *out) {
    float gain = (float)change->brightness;
    for (size_t y = 0; y < S; y++) {
        place v = find_place(source(y, S, change->zoom, change->down), S);
        const float *above = in + v.first * S * 3, *below = in + v.second * S * 3;
        for (size_t x = 0; x < S; x++) {
            size_t column = change->mirrored ? S - 1 - x : x;
            place h = find_place(source(column, S, change->zoom, change->right), S);
            for (size_t c = 0; c < 3; c++) {
                float a = above[3 * h.first + c], b = below[3 * h.first + c];
                a += h.share * (above[3 * h.second + c] - a);
                b += h.share * (below[3 * h.second + c] - b);
                float colour = gain * (a + v.share * (b - a));
                out[(y * S + x) * 3 + c] = colour > 255 ? 255 : colour;
            }
        }
    }
}

typedef struct {
    uint64_t seed;
    size_t epoch, index, S;
    un_mask_rows pictures;
    const float *in;
    float *out;
} augment_job;

static void augment_range(size_t begin, size_t end, void *context) {
    const augment_job *j = context;
    size_t row = j->S * j->S * 3;
    for (size_t i = begin; i < end; i++) {
        duet_change change =
            un_duet_change_draw(j->seed, j->epoch, j->index, un_mask_row(&j->pictures, i));
        un_duet_change_apply(&change, j->in + i * row, j->S, j->out + i * row);
    }
}

void un_duet_augment(uint64_t seed, size_t epoch, size_t index, un_mask_rows pictures,
                     const float *in, size_t n, size_t S, float *out) {
    augment_job job = {seed, epoch, index, S, pictures, in, out};
    un_parallel_for(n, 1, augment_range, &job);
}
