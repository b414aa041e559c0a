/* vit.c - the vision transformer's parameters: declared, loaded, initialised; see vit.h. */
#include "vision/transformer/vit.h"

#include <stdlib.h>
#include <string.h>

#include "nn/naming.h"

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
