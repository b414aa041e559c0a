/* swin.c - the Swin transformer's parameters and their names in files; see swin.h. */
#include "vision/transformer/swin.h"

#include <stdlib.h>
#include <string.h>

static const char PROJECTION[] = "embeddings.patch_embeddings.projection";
static const char TABLE[] = "attention.self.relative_position_bias_table";

static const un_block_names g_names = {.attention = {.query = "attention.self.query",
                                                     .key = "attention.self.key",
                                                     .value = "attention.self.value",
                                                     .output = "attention.output.dense"},
                                       .norm1 = "layernorm_before",
                                       .inner = "intermediate.dense",
                                       .outer = "output.dense",
                                       .norm2 = "layernorm_after"};

/* ---- sizes ---- */

size_t un_swin_width(const un_swin_config *config) { return config->width << (config->stages - 1); }

size_t un_swin_side(const un_swin_config *config, size_t size, size_t stage) {
    size_t side = (size + config->patch - 1) / config->patch;
    for (size_t s = 0; s < stage; s++) side = (side + 1) / 2;
    return side;
}

size_t un_swin_window(const un_swin_config *config, size_t stage, size_t side) {
    return side < config->window[stage] ? side : config->window[stage];
}

un_status un_swin_grid(const un_swin *swin, size_t size, size_t *grid) {
    if (size == 0) return un_fail(UNSEEN_E_ARGUMENT, "pictures without pixels");
    *grid = un_swin_side(&swin->config, size, swin->config.stages - 1);
    return UNSEEN_OK;
}

double un_swin_flops(const un_swin *swin, size_t size) {
    const un_swin_config *c = &swin->config;
    double side = (double)un_swin_side(c, size, 0), P = (double)c->patch;
    double sum = 6 * side * side * P * P * (double)c->width;
    for (size_t s = 0; s < c->stages; s++) {
        size_t h = un_swin_side(c, size, s), w = un_swin_window(c, s, h);
        size_t p = un_windows_padded(h, w);
        double rows = (double)(h * h), windowed = (double)(p * p), tokens = (double)(w * w);
        double C = (double)(c->width << s), I = (double)(c->inner << s);
        sum += (double)c->depth[s] * (6 * windowed * C * C + 2 * rows * C * C + 4 * rows * C * I +
                                      4 * windowed * tokens * C);
        if (s + 1 == c->stages) break;
        size_t half = un_swin_side(c, size, s + 1);
        sum += 16 * (double)(half * half) * C * C;
    }
    return sum;
}

un_status un_swin_config_check(const un_swin_config *c, un_status code, const char *what) {
    enum { WIDEST = 1 << 20 };
    if (c->stages == 0 || c->stages > UN_SWIN_STAGES)
        return un_fail(code, "%s: a Swin transformer of %zu stages; expected 1 to %d", what,
                       c->stages, UN_SWIN_STAGES);
    if (c->patch == 0 || c->patch > 4096 || c->image == 0 || c->width == 0 || c->width > WIDEST ||
        c->inner == 0 || c->inner > WIDEST)
        return un_fail(code,
                       "%s: a Swin transformer with patches of %zu, a width of %zu and a "
                       "feed-forward width of %zu cannot be",
                       what, c->patch, c->width, c->inner);
    for (size_t s = 0; s < c->stages; s++) {
        if (c->depth[s] == 0 || c->depth[s] > UN_SWIN_DEPTH)
            return un_fail(code, "%s: %zu blocks in stage %zu; expected 1 to %d", what, c->depth[s],
                           s, UN_SWIN_DEPTH);
        if (c->heads[s] == 0 || (c->width << s) % c->heads[s] != 0)
            return un_fail(code, "%s: stage %zu is %zu wide, which %zu heads do not split", what, s,
                           c->width << s, c->heads[s]);
        if (c->window[s] == 0 || c->window[s] > UN_SWIN_WINDOW)
            return un_fail(code, "%s: windows of %zu tokens in stage %zu; expected 1 to %d", what,
                           c->window[s], s, UN_SWIN_WINDOW);
    }
    return UNSEEN_OK;
}

/* ---- reading a file ---- */

/* A tensor by our name, of the given rank. */
static un_status tensor(const un_safetensors *file, const swin_naming *naming, const char *ours,
                        int rank, const un_tensor **out) {
    char name[UN_NAME_LENGTH];
    int third = 0;
    const un_st_entry *entry = NULL;
    UN_TRY(un_swin_file_name(naming, ours, name, &third));
    UN_TRY(un_safetensors_require(file, name, rank, &entry));
    *out = &entry->tensor;
    return UNSEEN_OK;
}

static int has(const un_safetensors *file, const swin_naming *naming, const char *ours) {
    char name[UN_NAME_LENGTH];
    int third = 0;
    return un_swin_file_name(naming, ours, name, &third) == UNSEEN_OK &&
           un_safetensors_find(file, name) != NULL;
}

/* Two of its tensors are asked for, so that one that is missing is missed and not counted out. */
static int has_block(const un_safetensors *file, const swin_naming *naming, size_t stage,
                     size_t block) {
    static const char *const telling[] = {"layernorm_before.weight", "output.dense.weight"};
    char ours[UN_NAME_LENGTH];
    for (size_t i = 0; i < 2; i++)
        if (un_name(ours, "encoder.layers.%zu.blocks.%zu.%s", stage, block, telling[i]) ==
                UNSEEN_OK &&
            has(file, naming, ours))
            return 1;
    return 0;
}

/* Depth, heads and window of a stage, from its first block. */
static un_status read_stage(const un_safetensors *file, const swin_naming *naming, size_t s,
                            un_swin_config *c) {
    char ours[UN_NAME_LENGTH];
    const un_tensor *table = NULL;
    while (c->depth[s] < UN_SWIN_DEPTH + 1 && has_block(file, naming, s, c->depth[s]))
        c->depth[s]++;
    UN_TRY(un_name(ours, "encoder.layers.%zu.blocks.0.%s", s, TABLE));
    UN_TRY(tensor(file, naming, ours, 2, &table));
    size_t side = 1, rows = table->shape[0];
    while (side * side < rows && side < 2 * UN_SWIN_WINDOW) side += 2;
    if (side * side != rows)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: stage %zu has biases of %zu relative positions, which no window of up "
                       "to %d x %d has",
                       file->path, s, rows, UN_SWIN_WINDOW, UN_SWIN_WINDOW);
    c->window[s] = (side + 1) / 2;
    c->heads[s] = table->shape[1];
    return UNSEEN_OK;
}

static un_status read_kind(const un_safetensors *file, swin_naming *naming) {
    char name[UN_NAME_LENGTH];
    if (!un_swin_find_naming(file, naming))
        return un_fail(UNSEEN_E_FORMAT, "%s: not a Swin transformer: it has no windows' blocks",
                       file->path);
    UN_TRY(un_name(name, "%s%s", naming->prefix,
                   naming->family == UN_SWIN_TORCHVISION
                       ? "features.1.0.attn.logit_scale"
                       : "encoder.layers.0.blocks.0.attention.self.logit_scale"));
    if (un_safetensors_find(file, name))
        return un_fail(UNSEEN_E_UNSUPPORTED,
                       "%s: a Swin transformer of version 2; only version 1 is built", file->path);
    if (has(file, naming, "embeddings.position_embeddings"))
        return un_fail(
            UNSEEN_E_UNSUPPORTED,
            "%s: a Swin transformer with absolute position embeddings, which is not built",
            file->path);
    return UNSEEN_OK;
}

un_status un_swin_config_read(const un_safetensors *file, un_swin_config *out) {
    char name[UN_NAME_LENGTH];
    swin_naming naming;
    un_swin_config c = {.eps = 1e-5f};
    const un_tensor *projection = NULL, *inner = NULL;
    UN_TRY(read_kind(file, &naming));
    UN_TRY(un_name(name, "%s.weight", PROJECTION));
    UN_TRY(tensor(file, &naming, name, 4, &projection));
    UN_TRY(tensor(file, &naming, "encoder.layers.0.blocks.0.intermediate.dense.weight", 2, &inner));
    c.family = naming.family;
    c.width = projection->shape[0];
    c.patch = projection->shape[2];
    c.inner = inner->shape[0];
    if (projection->shape[1] != 3 || projection->shape[3] != c.patch)
        return un_fail(UNSEEN_E_FORMAT, "%s: the patch projection is not of square RGB patches",
                       file->path);
    while (c.stages < UN_SWIN_STAGES && has_block(file, &naming, c.stages, 0)) {
        UN_TRY(read_stage(file, &naming, c.stages, &c));
        c.stages++;
    }
    if (c.stages > 0) {
        UN_TRY(un_name(name, "encoder.layers.%zu.downsample.reduction.weight", c.stages - 1));
        if (has(file, &naming, name))
            return un_fail(UNSEEN_E_FORMAT, "%s: stage %zu of the Swin transformer is missing",
                           file->path, c.stages);
    }
    c.image = (c.window[0] * c.patch) << (c.stages > 0 ? c.stages - 1 : 0);
    UN_TRY(un_swin_config_check(&c, UNSEEN_E_FORMAT, file->path));
    double values = 3.0 * (double)(c.width * c.patch * c.patch);
    for (size_t s = 0; s < c.stages; s++)
        values += un_weights_of_layers(c.depth[s], c.width << s, c.inner << s);
    UN_TRY(un_weights_suffice(file, values, "Swin transformer"));
    *out = c;
    return UNSEEN_OK;
}

/* A file may carry the rows of its tables; they must be ours. */
static un_status check_positions(const un_safetensors *file, const swin_naming *naming,
                                 const un_swin_config *c, size_t stage, size_t block) {
    char ours[UN_NAME_LENGTH], name[UN_NAME_LENGTH];
    int third = 0;
    size_t W = c->window[stage], tokens = W * W, wrong = 0;
    int64_t *values = NULL;
    UN_TRY(un_name(ours, "encoder.layers.%zu.blocks.%zu.attention.self.relative_position_index",
                   stage, block));
    UN_TRY(un_swin_file_name(naming, ours, name, &third));
    const un_st_entry *entry = un_safetensors_find(file, name);
    if (!entry) return UNSEEN_OK;
    un_safetensors_take(file, entry);
    if (un_tensor_count(&entry->tensor) != tokens * tokens)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: tensor \"%s\" has %zu elements; windows of %zu x %zu tokens need %zu",
                       file->path, name, un_tensor_count(&entry->tensor), W, W, tokens * tokens);
    UN_TRY(un_alloc(tokens * tokens, sizeof *values, &values));
    un_status status = un_st_copy_i64(entry, values);
    for (size_t i = 0; !status && i < tokens * tokens; i++)
        wrong += values[i] != (int64_t)un_relative_position(i / tokens, i % tokens, W, W);
    free(values);
    UN_TRY(status);
    if (wrong == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: tensor \"%s\" does not number the relative positions of a "
                   "window of %zu x %zu row by row",
                   file->path, name, W, W);
}

un_status un_swin_load(const un_swin *swin, const un_params *params, const un_safetensors *file) {
    char name[UN_NAME_LENGTH];
    swin_naming naming;
    int third = 0;
    UN_TRY(read_kind(file, &naming));
    for (size_t s = 0; s < swin->config.stages; s++)
        for (size_t b = 0; b < swin->config.depth[s]; b++)
            UN_TRY(check_positions(file, &naming, &swin->config, s, b));
    for (size_t i = swin->first; i < swin->first + swin->count; i++) {
        UN_TRY(un_swin_file_name(&naming, params->item[i].name + swin->prefix, name, &third));
        UN_TRY(un_param_load(params, i, file, name,
                             third < 0 ? SIZE_MAX : (size_t)third * params->item[i].shape[0]));
    }
    return UNSEEN_OK;
}

/* ---- declaring ---- */

static un_status declare_embeddings(un_swin *swin, un_params *params, const char *prefix) {
    const un_swin_config *c = &swin->config;
    const size_t kernel[4] = {c->width, 3, c->patch, c->patch};
    char name[UN_NAME_LENGTH];
    UN_TRY(un_name(name, "%s%s", prefix, PROJECTION));
    swin->patches = (un_dense){.in = 3 * c->patch * c->patch, .out = c->width};
    UN_TRY(un_params_add_named(params, name, ".weight", 4, kernel, &swin->patches.weight));
    un_param_begins_matrix(params, swin->patches.weight, c->width, swin->patches.in);
    UN_TRY(un_params_add_named(params, name, ".bias", 1, &c->width, &swin->patches.bias));
    UN_TRY(un_name(name, "%sembeddings.norm", prefix));
    return un_norm_declare(&swin->patch_norm, params, name, c->width, c->eps);
}

static un_status declare_blocks(un_swin *swin, un_params *params, const char *prefix, size_t s) {
    const un_swin_config *c = &swin->config;
    un_swin_stage *stage = &swin->stage[s];
    const un_block_config block = {.width = stage->width,
                                   .heads = c->heads[s],
                                   .inner = c->inner << s,
                                   .pre_norm = 1,
                                   .eps = c->eps};
    size_t positions = 2 * c->window[s] - 1;
    const size_t table[2] = {positions * positions, c->heads[s]};
    char name[UN_NAME_LENGTH];
    UN_TRY(un_arena_alloc(&swin->arena, c->depth[s], sizeof *stage->block, &stage->block));
    UN_TRY(un_arena_alloc(&swin->arena, c->depth[s], sizeof *stage->table, &stage->table));
    for (size_t b = 0; b < c->depth[s]; b++) {
        UN_TRY(un_name(name, "%sencoder.layers.%zu.blocks.%zu.", prefix, s, b));
        UN_TRY(un_block_declare(&stage->block[b], params, name, &g_names, &block));
        UN_TRY(un_params_add_named(params, name, TABLE, 2, table, &stage->table[b]));
    }
    return UNSEEN_OK;
}

static un_status declare_merging(un_swin *swin, un_params *params, const char *prefix, size_t s) {
    un_swin_stage *stage = &swin->stage[s];
    size_t wide = 4 * stage->width;
    const size_t shape[2] = {2 * stage->width, wide};
    char name[UN_NAME_LENGTH];
    UN_TRY(un_name(name, "%sencoder.layers.%zu.downsample.norm", prefix, s));
    UN_TRY(un_norm_declare(&stage->norm, params, name, wide, swin->config.eps));
    UN_TRY(un_name(name, "%sencoder.layers.%zu.downsample.reduction", prefix, s));
    stage->reduce = (un_dense){.in = wide, .out = shape[0], .bias = UN_NO_BIAS};
    UN_TRY(un_params_add_named(params, name, ".weight", 2, shape, &stage->reduce.weight));
    un_param_begins_matrix(params, stage->reduce.weight, shape[0], wide);
    return UNSEEN_OK;
}

un_status un_swin_declare(un_swin *swin, un_params *params, const char *prefix,
                          const un_swin_config *config) {
    char name[UN_NAME_LENGTH];
    un_status status = UNSEEN_OK;
    *swin = (un_swin){.config = *config, .first = params->count, .prefix = strlen(prefix)};
    UN_GO(declare_embeddings(swin, params, prefix));
    for (size_t s = 0; s < config->stages; s++) {
        swin->stage[s].width = config->width << s;
        UN_GO(declare_blocks(swin, params, prefix, s));
        if (s + 1 < config->stages) UN_GO(declare_merging(swin, params, prefix, s));
    }
    UN_GO(un_name(name, "%slayernorm", prefix));
    UN_GO(un_norm_declare(&swin->norm, params, name, un_swin_width(config), config->eps));
    swin->count = params->count - swin->first;
done:
    if (status) un_swin_free(swin);
    return status;
}

void un_swin_free(un_swin *swin) {
    un_arena_free(&swin->arena);
    *swin = (un_swin){0};
}

void un_swin_initialize(const un_swin *swin, const un_params *params, uint64_t seed) {
    for (size_t i = swin->first; i < swin->first + swin->count; i++)
        un_param_initialize_normal(params, i, 0.02, seed, "swin.initialize", i - swin->first);
    un_norm_initialize(&swin->patch_norm, params);
    un_norm_initialize(&swin->norm, params);
    for (size_t s = 0; s < swin->config.stages; s++) {
        const un_swin_stage *stage = &swin->stage[s];
        if (s + 1 < swin->config.stages) un_norm_initialize(&stage->norm, params);
        for (size_t b = 0; b < swin->config.depth[s]; b++) {
            un_norm_initialize(&stage->block[b].norm1, params);
            un_norm_initialize(&stage->block[b].norm2, params);
        }
    }
}

/* ---- the names of a Swin transformer's tensors in files ---- */

/* Which torchvision tensor holds a piece of a block; `third`: which rows of qkv. */
static const struct {
    const char *ours, *torchvision;
    int third;
} g_block[] = {
    {"attention.self.query", "attn.qkv", 0},
    {"attention.self.key", "attn.qkv", 1},
    {"attention.self.value", "attn.qkv", 2},
    {"attention.self.relative_position", "attn.relative_position", -1},
    {"attention.output.dense", "attn.proj", -1},
    {"layernorm_before", "norm1", -1},
    {"layernorm_after", "norm2", -1},
    {"intermediate.dense", "mlp.0", -1},
    {"output.dense", "mlp.3", -1},
};

/* The pieces outside the blocks. */
static const struct {
    const char *ours, *torchvision;
} g_others[] = {
    {"embeddings.patch_embeddings.projection", "features.0.0"},
    {"embeddings.norm", "features.0.2"},
    {"layernorm", "norm"},
};

enum {
    BLOCK_COUNT = sizeof g_block / sizeof *g_block,
    OTHER_COUNT = sizeof g_others / sizeof *g_others
};

static const char LAYERS[] = "encoder.layers.", BLOCKS[] = "blocks.";

/* What follows `part` in `text` if it begins with that, else NULL. */
static const char *after(const char *text, const char *part) {
    size_t length = strlen(part);
    return strncmp(text, part, length) == 0 ? text + length : NULL;
}

static int find_prefix(const un_safetensors *file, const char *part, char out[UN_NAME_LENGTH]) {
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->entries[i].name, *at = strstr(name, part);
        if (!at || at - name >= UN_NAME_LENGTH) continue;
        memcpy(out, name, (size_t)(at - name));
        out[at - name] = 0;
        return 1;
    }
    return 0;
}

int un_swin_find_naming(const un_safetensors *file, swin_naming *out) {
    out->family = UN_SWIN_HUGGING_FACE;
    if (find_prefix(file, "encoder.layers.0.blocks.0.", out->prefix)) return 1;
    out->family = UN_SWIN_TORCHVISION;
    return find_prefix(file, "features.1.0.attn.", out->prefix);
}

int un_swin_recognize(const un_safetensors *file) {
    swin_naming naming;
    return un_swin_find_naming(file, &naming);
}

un_status un_swin_file_name(const swin_naming *naming, const char *ours, char out[UN_NAME_LENGTH],
                            int *third) {
    const char *prefix = naming->prefix, *rest = after(ours, LAYERS), *tail = NULL;
    *third = -1;
    if (naming->family == UN_SWIN_HUGGING_FACE) return un_name(out, "%s%s", prefix, ours);
    for (size_t i = 0; !rest && i < OTHER_COUNT; i++)
        if ((tail = after(ours, g_others[i].ours)))
            return un_name(out, "%s%s%s", prefix, g_others[i].torchvision, tail);
    if (!rest) return un_name(out, "%s%s", prefix, ours);
    char *end = NULL;
    size_t stage = strtoul(rest, &end, 10); /* each is a list of blocks, then one that merges */
    if ((tail = after(end, ".downsample.")))
        return un_name(out, "%sfeatures.%zu.%s", prefix, 2 * stage + 2, tail);
    size_t block = strtoul(end + 1 + strlen(BLOCKS), &end, 10);
    for (size_t i = 0; i < BLOCK_COUNT; i++)
        if ((tail = after(end + 1, g_block[i].ours))) {
            *third = g_block[i].third;
            return un_name(out, "%sfeatures.%zu.%zu.%s%s", prefix, 2 * stage + 1, block,
                           g_block[i].torchvision, tail);
        }
    return un_name(out, "%s%s", prefix, ours);
}
