/* swin_names.c - the names of a Swin transformer's tensors in files; see swin_parts.h. */
#include <stdlib.h>
#include <string.h>

#include "vision/transformer/swin_parts.h"

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
