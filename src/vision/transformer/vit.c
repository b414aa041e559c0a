/* vit.c - the vision transformer: its parameters, passes, positions; see vit.h. */
#include "vision/transformer/vit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "nn/naming.h"
#include "tensor/kernels.h"

static const char CLS[] = "embeddings.cls_token", TORCHVISION_CLS[] = "class_token";
static const char PROJECTION[] = "embeddings.patch_embeddings.projection";

static const un_block_names g_names = {.attention = {.query = "attention.attention.query",
                                                     .key = "attention.attention.key",
                                                     .value = "attention.attention.value",
                                                     .output = "attention.output.dense"},
                                       .norm1 = "layernorm_before",
                                       .inner = "intermediate.dense",
                                       .outer = "output.dense",
                                       .norm2 = "layernorm_after"};

/* Which torchvision tensor holds a piece of a block; `third`: which rows of in_proj. */
static const struct {
    const char *ours, *torchvision, *older; /* older: the name before torchvision 0.14 */
    int third;
} g_torchvision[] = {
    {"attention.attention.query.weight", "self_attention.in_proj_weight", NULL, 0},
    {"attention.attention.key.weight", "self_attention.in_proj_weight", NULL, 1},
    {"attention.attention.value.weight", "self_attention.in_proj_weight", NULL, 2},
    {"attention.attention.query.bias", "self_attention.in_proj_bias", NULL, 0},
    {"attention.attention.key.bias", "self_attention.in_proj_bias", NULL, 1},
    {"attention.attention.value.bias", "self_attention.in_proj_bias", NULL, 2},
    {"attention.output.dense.weight", "self_attention.out_proj.weight", NULL, -1},
    {"attention.output.dense.bias", "self_attention.out_proj.bias", NULL, -1},
    {"layernorm_before.weight", "ln_1.weight", NULL, -1},
    {"layernorm_before.bias", "ln_1.bias", NULL, -1},
    {"intermediate.dense.weight", "mlp.0.weight", "mlp.linear_1.weight", -1},
    {"intermediate.dense.bias", "mlp.0.bias", "mlp.linear_1.bias", -1},
    {"output.dense.weight", "mlp.3.weight", "mlp.linear_2.weight", -1},
    {"output.dense.bias", "mlp.3.bias", "mlp.linear_2.bias", -1},
    {"layernorm_after.weight", "ln_2.weight", NULL, -1},
    {"layernorm_after.bias", "ln_2.bias", NULL, -1},
};

enum { TORCHVISION_COUNT = sizeof g_torchvision / sizeof *g_torchvision };

/* The pieces outside the blocks. */
static const char *const g_torchvision_others[][2] = {
    {"embeddings.cls_token", "class_token"},
    {"embeddings.position_embeddings", "encoder.pos_embedding"},
    {"embeddings.patch_embeddings.projection.weight", "conv_proj.weight"},
    {"embeddings.patch_embeddings.projection.bias", "conv_proj.bias"},
    {"layernorm.weight", "encoder.ln.weight"},
    {"layernorm.bias", "encoder.ln.bias"},
};

/* The file's name of the piece called `ours` (without prefix); *third as in the table, or -1. */
static un_status file_name(const un_safetensors *file, int torchvision, const char *prefix,
                           const char *ours, char out[UN_NAME_LENGTH], int *third) {
    static const char layers[] = "encoder.layer.";
    *third = -1;
    if (!torchvision) return un_name(out, "%s%s", prefix, ours);
    for (size_t i = 0; i < sizeof g_torchvision_others / sizeof *g_torchvision_others; i++)
        if (!strcmp(ours, g_torchvision_others[i][0]))
            return un_name(out, "%s%s", prefix, g_torchvision_others[i][1]);
    if (strncmp(ours, layers, sizeof layers - 1) != 0) return un_name(out, "%s%s", prefix, ours);
    char *rest = NULL;
    size_t layer = strtoul(ours + sizeof layers - 1, &rest, 10), i = 0;
    while (i < TORCHVISION_COUNT - 1 && strcmp(rest + 1, g_torchvision[i].ours) != 0) i++;
    *third = g_torchvision[i].third;
    UN_TRY(un_name(out, "%sencoder.layers.encoder_layer_%zu.%s", prefix, layer,
                   g_torchvision[i].torchvision));
    if (!g_torchvision[i].older || un_safetensors_find(file, out)) return UNSEEN_OK;
    return un_name(out, "%sencoder.layers.encoder_layer_%zu.%s", prefix, layer,
                   g_torchvision[i].older);
}

/* The prefix of the file's names; 0 if they are of no ViT. */
static int find_prefix(const un_safetensors *file, char out[UN_NAME_LENGTH], int *torchvision) {
    *torchvision = 0;
    if (un_weights_prefix(file, CLS, out)) return 1;
    *torchvision = 1;
    char projection[UN_NAME_LENGTH];
    return un_weights_prefix(file, "conv_proj.weight", projection) &&
           un_weights_prefix(file, TORCHVISION_CLS, out);
}

/* A tensor by our name, of the given rank. */
static un_status tensor(const un_safetensors *file, int torchvision, const char *prefix,
                        const char *ours, int rank, const un_tensor **out) {
    char name[UN_NAME_LENGTH];
    int third = 0;
    const un_st_entry *entry = NULL;
    UN_TRY(file_name(file, torchvision, prefix, ours, name, &third));
    UN_TRY(un_safetensors_require(file, name, rank, &entry));
    *out = &entry->tensor;
    return UNSEEN_OK;
}

static un_status count_layers(const un_safetensors *file, int torchvision, const char *prefix,
                              size_t *layers) {
    char ours[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    int third = 0;
    for (*layers = 0; *layers < 1024; (*layers)++) {
        UN_TRY(un_name(ours, "encoder.layer.%zu.layernorm_before.weight", *layers));
        UN_TRY(file_name(file, torchvision, prefix, ours, name, &third));
        if (!un_safetensors_find(file, name)) break;
    }
    if (*layers > 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT, "%s: a vision transformer without layers: \"%s\" is missing",
                   file->path, name);
}

/* The side of a square of n patches. */
static size_t square_root(size_t n) {
    size_t side = 0;
    while ((side + 1) * (side + 1) <= n && side < 4096) side++;
    return side;
}

un_status un_vit_config_read(const un_safetensors *file, un_vit_config *out) {
    char prefix[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    un_vit_config c = {0};
    const un_tensor *projection = NULL, *positions = NULL, *inner = NULL;
    int tv = 0;
    if (!find_prefix(file, prefix, &tv))
        return un_fail(UNSEEN_E_FORMAT, "%s: not a vision transformer: it has no class token",
                       file->path);
    UN_TRY(un_name(name, "%s.weight", PROJECTION));
    UN_TRY(tensor(file, tv, prefix, name, 4, &projection));
    UN_TRY(tensor(file, tv, prefix, "embeddings.position_embeddings", 3, &positions));
    UN_TRY(tensor(file, tv, prefix, "encoder.layer.0.intermediate.dense.weight", 2, &inner));
    UN_TRY(count_layers(file, tv, prefix, &c.layers));
    UN_TRY(un_name(name, "%sembeddings.distillation_token", prefix));
    c.distilled = un_safetensors_find(file, name) != NULL;
    c.family = tv                                      ? UN_VIT_TORCHVISION
               : c.distilled || strstr(prefix, "deit") ? UN_VIT_DEIT
                                                       : UN_VIT_HUGGING_FACE;
    c.width = projection->shape[0];
    c.patch = projection->shape[2];
    c.inner = inner->shape[0];
    c.eps = tv ? 1e-6f : 1e-12f;
    size_t leading = c.distilled ? 2 : 1, tokens = positions->shape[1];
    size_t grid = tokens > leading ? square_root(tokens - leading) : 0;
    if (projection->shape[1] != 3 || projection->shape[3] != c.patch || c.patch == 0 ||
        c.patch > 4096 || c.width == 0 || c.inner == 0)
        return un_fail(UNSEEN_E_FORMAT, "%s: the patch projection is not of square RGB patches",
                       file->path);
    if (grid == 0 || grid * grid + leading != tokens)
        return un_fail(UNSEEN_E_FORMAT, "%s: %zu position embeddings are not a square of patches",
                       file->path, tokens);
    c.image = grid * c.patch;
    double embeddings = (double)c.width * ((double)tokens + 3.0 * (double)(c.patch * c.patch));
    UN_TRY(un_weights_suffice(file, embeddings + un_weights_of_layers(c.layers, c.width, c.inner),
                              "vision transformer"));
    size_t usual = c.width == 1280 || c.width == 1408 ? 16 : c.width / 64;
    UN_TRY(un_weights_heads(file, c.width, usual, &c.heads));
    *out = c;
    return UNSEEN_OK;
}

static un_status declare_embeddings(un_vit *vit, un_params *params, const char *prefix) {
    const un_vit_config *c = &vit->config;
    size_t H = c->width, grid = c->image / c->patch;
    const size_t token[3] = {1, 1, H}, positions[3] = {1, un_vit_tokens(vit, grid), H};
    const size_t kernel[4] = {H, 3, c->patch, c->patch};
    char name[UN_NAME_LENGTH];
    UN_TRY(un_params_add_named(params, prefix, CLS, 3, token, &vit->cls));
    if (c->distilled)
        UN_TRY(un_params_add_named(params, prefix, "embeddings.distillation_token", 3, token,
                                   &vit->distillation));
    UN_TRY(un_params_add_named(params, prefix, "embeddings.position_embeddings", 3, positions,
                               &vit->positions));
    UN_TRY(un_name(name, "%s%s", prefix, PROJECTION));
    vit->patches = (un_dense){.in = 3 * c->patch * c->patch, .out = H};
    UN_TRY(un_params_add_named(params, name, ".weight", 4, kernel, &vit->patches.weight));
    un_param_begins_matrix(params, vit->patches.weight, H, vit->patches.in);
    return un_params_add_named(params, name, ".bias", 1, &H, &vit->patches.bias);
}

un_status un_vit_declare(un_vit *vit, un_params *params, const char *prefix,
                         const un_vit_config *config) {
    char name[UN_NAME_LENGTH];
    un_status status = UNSEEN_OK;
    const un_block_config block = {.width = config->width,
                                   .heads = config->heads,
                                   .inner = config->inner,
                                   .pre_norm = 1,
                                   .eps = config->eps};
    *vit = (un_vit){.config = *config, .first = params->count, .prefix = strlen(prefix)};
    UN_GO(declare_embeddings(vit, params, prefix));
    UN_GO(un_arena_alloc(&vit->arena, config->layers, sizeof *vit->block, &vit->block));
    for (size_t l = 0; l < config->layers; l++) {
        UN_GO(un_name(name, "%sencoder.layer.%zu.", prefix, l));
        UN_GO(un_block_declare(&vit->block[l], params, name, &g_names, &block));
    }
    UN_GO(un_name(name, "%slayernorm", prefix));
    UN_GO(un_norm_declare(&vit->norm, params, name, config->width, config->eps));
    vit->count = params->count - vit->first;
    vit->encoder = (un_encoder){config->layers, vit->block, "vit"};
done:
    if (status) un_vit_free(vit);
    return status;
}

void un_vit_free(un_vit *vit) {
    un_arena_free(&vit->arena);
    *vit = (un_vit){0};
}

un_status un_vit_load(const un_vit *vit, const un_params *params, const un_safetensors *file) {
    char prefix[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    int torchvision = 0, third = 0;
    if (!find_prefix(file, prefix, &torchvision))
        return un_fail(UNSEEN_E_FORMAT, "%s: not a vision transformer: it has no class token",
                       file->path);
    for (size_t i = vit->first; i < vit->first + vit->count; i++) {
        const char *ours = params->item[i].name + vit->prefix;
        UN_TRY(file_name(file, torchvision, prefix, ours, name, &third));
        UN_TRY(un_param_load(params, i, file, name,
                             third < 0 ? SIZE_MAX : (size_t)third * vit->config.width));
    }
    return UNSEEN_OK;
}

void un_vit_initialize(const un_vit *vit, const un_params *params, uint64_t seed) {
    for (size_t i = vit->first; i < vit->first + vit->count; i++)
        un_param_initialize_normal(params, i, 0.02, seed, "vit.initialize", i - vit->first);
    un_norm_initialize(&vit->norm, params);
    for (size_t l = 0; l < vit->config.layers; l++) {
        un_norm_initialize(&vit->block[l].norm1, params);
        un_norm_initialize(&vit->block[l].norm2, params);
    }
}

un_status un_vit_grid(const un_vit *vit, size_t size, size_t *grid) {
    if (size == 0 || size % vit->config.patch != 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "pictures of %zu pixels do not split into patches of %zu; choose a multiple",
                       size, vit->config.patch);
    *grid = size / vit->config.patch;
    return UNSEEN_OK;
}

size_t un_vit_tokens(const un_vit *vit, size_t grid) {
    return grid * grid + (vit->config.distilled ? 2 : 1);
}

double un_vit_flops(const un_vit *vit, size_t grid) {
    const un_vit_config *c = &vit->config;
    double H = (double)c->width, T = (double)un_vit_tokens(vit, grid), I = (double)c->inner;
    double block = 8 * T * H * H + 4 * T * H * I + 4 * T * T * H;
    double patches = 6 * (double)(grid * grid) * (double)(c->patch * c->patch) * H;
    return (double)c->layers * block + patches;
}

/* ---- the vision transformer over one batch, forward and backward; see vit.h. ---- */

un_status un_vit_pass_create(un_vit_pass *pass, const un_vit *vit, un_dtype type, int training,
                             int recompute) {
    *pass = (un_vit_pass){.vit = vit};
    return un_encoder_pass_create(&pass->encoder, &vit->encoder, type, training, recompute);
}

void un_vit_pass_free(un_vit_pass *pass) {
    un_encoder_pass_free(&pass->encoder);
    un_arena_free(&pass->arena);
    un_arena_free(&pass->lengths);
    *pass = (un_vit_pass){0};
}

static size_t leading_tokens(const un_vit *vit) { return vit->config.distilled ? 2 : 1; }

/* Room for n pictures with a grid of `grid`. */
static un_status reserve(un_vit_pass *pass, size_t n, size_t grid) {
    const un_vit *vit = pass->vit;
    size_t T = un_vit_tokens(vit, grid), rows = n * T, H = vit->config.width;
    un_dtype type = pass->encoder.type;
    un_arena *a = &pass->arena;
    if (n != pass->pictures || grid != pass->grid) {
        un_arena_free(&pass->lengths);
        UN_TRY(un_sequences_equal(&pass->lengths, n, T, &pass->context.sequences));
        pass->pictures = n;
        pass->grid = grid;
    }
    UN_TRY(un_encoder_pass_reserve(&pass->encoder, rows));
    if (rows <= pass->room) return UNSEEN_OK;
    un_arena_free(a);
    pass->room = 0;
    UN_TRY(un_arena_alloc(a, rows * vit->patches.in, un_dtype_size(type), &pass->patches));
    UN_TRY(un_arena_alloc(a, rows * H, sizeof(float), &pass->positions));
    UN_TRY(un_arena_alloc(a, rows * H, sizeof(float), &pass->states));
    if (pass->encoder.training) {
        UN_TRY(un_arena_alloc(a, rows, sizeof(float), &pass->norm.mean));
        UN_TRY(un_arena_alloc(a, rows, sizeof(float), &pass->norm.inverse));
        UN_TRY(un_arena_alloc(a, rows * H, sizeof(float), &pass->d));
        UN_TRY(un_arena_alloc(a, rows * vit->patches.in, sizeof(float), &pass->dpatches));
        if (type == UN_BF16) UN_TRY(un_arena_alloc(a, rows * H, sizeof(un_bf16), &pass->d16));
    }
    pass->room = rows;
    return UNSEEN_OK;
}

typedef struct {
    const un_vit_pass *pass;
    const float *pictures;
    float *dpictures;
} patch_job;

/* One row of patches of a picture: pixels (P, S, 3) and patches (grid, 3, P, P). */
static void gather_patches(const patch_job *j, size_t picture, size_t row) {
    size_t P = j->pass->vit->config.patch, grid = j->pass->grid, S = grid * P, K = 3 * P * P;
    const float *pixels = j->pictures + (picture * S + row * P) * S * 3;
    size_t first = (picture * grid + row) * grid * K;
    int bf16 = j->pass->encoder.type == UN_BF16;
    for (size_t at = 0; at < grid * 3 * P; at++) { /* one line of a colour of a patch */
        size_t x = at / (3 * P), colour = at / P % 3, dy = at % P;
        const float *from = pixels + (dy * S + x * P) * 3 + colour;
        float *out = (float *)j->pass->patches + first + at * P;
        un_bf16 *out16 = (un_bf16 *)j->pass->patches + first + at * P;
        for (size_t dx = 0; dx < P; dx++)
            if (bf16)
                out16[dx] = un_bf16_from_float(from[3 * dx]);
            else
                out[dx] = from[3 * dx];
    }
}

static void gather_range(size_t begin, size_t end, void *context) {
    const patch_job *j = context;
    for (size_t i = begin; i < end; i++) gather_patches(j, i / j->pass->grid, i % j->pass->grid);
}

/* x[0] = tokens and projected patches, plus positions. */
static un_status embed(un_vit_pass *pass, const un_params *params, const float *pictures) {
    const un_vit *vit = pass->vit;
    size_t leading = leading_tokens(vit), H = vit->config.width, n = pass->pictures;
    size_t N = pass->grid * pass->grid, T = N + leading, K = vit->patches.in;
    un_dtype type = pass->encoder.type;
    patch_job job = {.pass = pass, .pictures = pictures};
    un_parallel_for(n * pass->grid, 1, gather_range, &job);
    un_vit_positions(un_param_value(params, vit->positions), vit->config.image / vit->config.patch,
                     leading, H, pass->grid, pass->positions);
    un_axpy(1, un_param_value(params, vit->cls), pass->positions, H);
    if (vit->config.distilled)
        un_axpy(1, un_param_value(params, vit->distillation), pass->positions + H, H);
    for (size_t i = 0; i < n; i++) {
        float *x = pass->encoder.x[0] + i * T * H;
        un_copy(pass->positions, x, leading * H);
        UN_TRY(un_dense_forward_add(&vit->patches, params, type,
                                    un_element_at(pass->patches, type, i * N * K), N,
                                    pass->positions + leading * H, x + leading * H));
    }
    return UNSEEN_OK;
}

un_status un_vit_forward(un_vit_pass *pass, const un_params *params, const float *pictures,
                         size_t n, size_t size, const un_dropout_source *dropout,
                         const float **states) {
    const un_vit *vit = pass->vit;
    size_t grid = 0;
    UN_TRY(un_vit_grid(vit, size, &grid));
    UN_TRY(reserve(pass, n, grid));
    pass->context.params = params;
    pass->context.type = pass->encoder.type;
    pass->context.dropout = dropout ? *dropout : (un_dropout_source){0};
    UN_TRY(embed(pass, params, pictures));
    UN_TRY(un_encoder_forward(&pass->encoder, &pass->context));
    un_norm_forward(&vit->norm, params, pass->encoder.x[vit->config.layers],
                    un_sequence_rows(&pass->context.sequences), pass->states, NULL,
                    pass->encoder.training ? &pass->norm : NULL);
    *states = pass->states;
    return UNSEEN_OK;
}

static void scatter_range(size_t begin, size_t end, void *context) {
    const patch_job *j = context;
    size_t P = j->pass->vit->config.patch, grid = j->pass->grid, S = grid * P, K = 3 * P * P;
    for (size_t row = begin; row < end; row++)
        for (size_t x = 0; x < grid; x++)
            for (size_t i = 0; i < K; i++) {
                size_t colour = i / (P * P), y = row * P + i / P % P, column = x * P + i % P;
                j->dpictures[(y * S + column) * 3 + colour] =
                    j->pass->dpatches[(row * grid + x) * K + i];
            }
}

/* From the gradient of x[0] to tokens, positions, projection and pictures. */
static un_status embed_backward(un_vit_pass *pass, float *dpictures) {
    const un_vit *vit = pass->vit;
    const un_params *params = pass->context.params;
    size_t leading = leading_tokens(vit), H = vit->config.width, n = pass->pictures;
    size_t N = pass->grid * pass->grid, T = N + leading, K = vit->patches.in;
    size_t S = pass->grid * vit->config.patch;
    un_dtype type = pass->encoder.type;
    if (type == UN_BF16) un_convert_to_bf16(pass->d, pass->d16, n * T * H);
    memset(pass->positions, 0, T * H * sizeof *pass->positions);
    for (size_t i = 0; i < n; i++) {
        size_t at = (i * T + leading) * H;
        const un_dense_gradient g = {.x = (unsigned char *)pass->patches +
                                          i * N * K * un_dtype_size(type),
                                     .dy = pass->d + at,
                                     .dy16 = pass->d16 ? pass->d16 + at : NULL,
                                     .rows = N,
                                     .dx = dpictures ? pass->dpatches : NULL};
        UN_TRY(un_dense_backward(&vit->patches, params, type, &g));
        un_add(pass->d + i * T * H, pass->positions, T * H);
        if (!dpictures) continue;
        patch_job job = {.pass = pass, .dpictures = dpictures + i * S * S * 3};
        un_parallel_for(pass->grid, 1, scatter_range, &job);
    }
    un_axpy(1, pass->positions, un_param_grad(params, vit->cls), H);
    if (vit->config.distilled)
        un_axpy(1, pass->positions + H, un_param_grad(params, vit->distillation), H);
    un_vit_positions_backward(pass->positions, vit->config.image / vit->config.patch, leading, H,
                              pass->grid, un_param_grad(params, vit->positions));
    return UNSEEN_OK;
}

un_status un_vit_backward(un_vit_pass *pass, const float *dstates, float *dpictures) {
    const un_vit *vit = pass->vit;
    if (!pass->encoder.training || pass->pictures == 0)
        return un_fail(UNSEEN_E_ARGUMENT, "no training pass of the vision transformer to go back");
    un_norm_backward(&vit->norm, pass->context.params, pass->encoder.x[vit->config.layers],
                     un_sequence_rows(&pass->context.sequences), &pass->norm, dstates, pass->d, 0);
    UN_TRY(un_encoder_backward(&pass->encoder, &pass->context, pass->d));
    return embed_backward(pass, dpictures);
}

/* ---- position embeddings on another grid ---- */

enum { TAPS = 4 };

/* Which base positions make position i of an axis, and how much of each. */
typedef struct {
    size_t index[TAPS];
    float weight[TAPS];
} taps;

/* Keys' cubic convolution with a = -0.75, the value of the field. */
static double cubic(double x) {
    const double a = -0.75;
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

static taps axis(size_t i, size_t grid, size_t base) {
    taps t;
    double centre = ((double)i + 0.5) * (double)base / (double)grid - 0.5, low = floor(centre);
    for (int k = 0; k < TAPS; k++) {
        double at = low + k - 1;
        t.weight[k] = (float)cubic(centre - at);
        if (at < 0) at = 0;
        if (at > (double)(base - 1)) at = (double)(base - 1);
        t.index[k] = (size_t)at;
    }
    return t;
}

/* Visits all (position, base position, weight); `back` turns the direction. */
static void resample(const float *from, float *to, size_t base, size_t width, size_t grid,
                     int back) {
    for (size_t y = 0; y < grid; y++) {
        taps rows = axis(y, grid, base);
        for (size_t x = 0; x < grid; x++) {
            taps columns = axis(x, grid, base);
            for (int k = 0; k < TAPS * TAPS; k++) {
                size_t near = rows.index[k / TAPS] * base + columns.index[k % TAPS];
                size_t far = y * grid + x;
                float weight = rows.weight[k / TAPS] * columns.weight[k % TAPS];
                un_axpy(weight, from + (back ? far : near) * width,
                        to + (back ? near : far) * width, width);
            }
        }
    }
}

void un_vit_positions(const float *base_positions, size_t base, size_t leading, size_t width,
                      size_t grid, float *out) {
    size_t skip = leading * width;
    memcpy(out, base_positions, skip * sizeof *out);
    if (grid == base) {
        memcpy(out + skip, base_positions + skip, grid * grid * width * sizeof *out);
        return;
    }
    memset(out + skip, 0, grid * grid * width * sizeof *out);
    resample(base_positions + skip, out + skip, base, width, grid, 0);
}

void un_vit_positions_backward(const float *gradient, size_t base, size_t leading, size_t width,
                               size_t grid, float *base_gradient) {
    size_t skip = leading * width;
    if (grid == base) {
        un_axpy(1, gradient, base_gradient, skip + grid * grid * width);
        return;
    }
    un_axpy(1, gradient, base_gradient, skip);
    resample(gradient + skip, base_gradient + skip, base, width, grid, 1);
}
