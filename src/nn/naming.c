/* naming.c - composed names, and parameters filled from files of weights; see naming.h. */
#include "nn/naming.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

un_status un_name(char *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, UN_NAME_LENGTH, format, arguments);
    va_end(arguments);
    if (length >= 0 && length < UN_NAME_LENGTH) return UNSEEN_OK;
    return un_fail(UNSEEN_E_ARGUMENT, "the parameter name \"%.100s…\" is too long", out);
}

un_status un_params_add_named(un_params *params, const char *prefix, const char *name, int rank,
                              const size_t *shape, size_t *index) {
    char whole[UN_NAME_LENGTH];
    UN_TRY(un_name(whole, "%s%s", prefix, name));
    return un_params_add(params, whole, rank, shape, 0, index);
}

/* "(768, 3, 16, 16)" */
static const char *shape_text(int rank, const size_t *shape, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "(");
    for (int i = 0; i < rank && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, i ? ", %zu" : "%zu", shape[i]);
    if (used < size) snprintf(out + used, size - used, ")");
    return out;
}

static void skip_ones(int *rank, const size_t **shape) {
    while (*rank > 0 && (*shape)[0] == 1) {
        (*rank)--;
        (*shape)++;
    }
}

un_status un_param_load(const un_params *params, size_t index, const un_safetensors *file,
                        const char *name, size_t begin) {
    const un_param *item = &params->item[index];
    const un_st_entry *entry = NULL;
    UN_TRY(un_safetensors_require(file, name, -1, &entry));
    int rank = entry->tensor.rank, expected_rank = item->rank, whole = begin == SIZE_MAX;
    const size_t *shape = entry->tensor.shape, *required = item->shape;
    size_t rows = 0;
    if (whole) {
        skip_ones(&rank, &shape);
        skip_ones(&expected_rank, &required);
        begin = 0;
    } else if (rank > 0) {
        rows = item->shape[0];
    }
    int fits = rank == expected_rank;
    for (int i = 0; fits && i < rank; i++)
        fits =
            !whole && i == 0 ? begin < shape[0] && 3 * rows == shape[0] : shape[i] == required[i];
    char got[128], need[128];
    if (!fits)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" has shape %s, which does not fit %s",
                       file->path, name, shape_text(rank, shape, got, sizeof got),
                       shape_text(expected_rank, required, need, sizeof need));
    un_dtype type = entry->tensor.dtype;
    if (type != UN_F32 && type != UN_BF16 && type != UN_F16 && type != UN_F64)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" has type %s, expected numbers",
                       file->path, name, un_dtype_name(type));
    un_safetensors_take(file, entry);
    size_t skip = rows > 0 ? begin * (item->count / rows) : 0;
    un_st_entry part = *entry;
    part.tensor =
        un_tensor_dense(type, 1, &item->count,
                        (const unsigned char *)entry->tensor.data + skip * un_dtype_size(type));
    float *values = un_param_value(params, index);
    if (values) {
        un_st_copy_f32(&part, values);
        return UNSEEN_OK;
    }
    UN_TRY(un_alloc(item->count, sizeof *values, &values));
    un_st_copy_f32(&part, values);
    un_status status = un_param_pack(params, index, values);
    free(values);
    return status;
}

int un_weights_prefix(const un_safetensors *file, const char *suffix, char *out) {
    size_t tail = strlen(suffix);
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->entries[i].name;
        size_t length = strlen(name);
        if (length < tail || strcmp(name + length - tail, suffix) != 0) continue;
        if (length - tail >= UN_NAME_LENGTH) continue;
        memcpy(out, name, length - tail);
        out[length - tail] = 0;
        return 1;
    }
    return 0;
}

/* Whether the last part of the name is that of a buffer that no feature depends on. */
static int is_buffer(const char *name) {
    static const char *const buffers[] = {"num_batches_tracked", "relative_position_index",
                                          "attn_mask",           "position_ids",
                                          "token_type_ids",      "mask_token"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        if (!strcmp(dot ? dot + 1 : name, buffers[i])) return 1;
    return 0;
}

/* Whether the first part of the name is that of a head. */
static int is_head(const char *name) {
    static const char *const heads[] = {"fc",
                                        "classifier",
                                        "cls_classifier",
                                        "distillation_classifier",
                                        "head",
                                        "heads",
                                        "head_dist",
                                        "last_linear",
                                        "logits",
                                        "pooler",
                                        "cls",
                                        "lm_head",
                                        "qa_outputs",
                                        "seq_relationship",
                                        "decoder",
                                        "projector"};
    size_t length = strcspn(name, ".");
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (strlen(heads[i]) == length && !strncmp(name, heads[i], length)) return 1;
    return 0;
}

/* Length of the part, whole components, that all names of taken tensors begin with. */
static size_t taken_prefix(const un_safetensors *file) {
    const char *first = NULL;
    size_t length = 0;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->entries[i].name;
        if (!file->taken[i]) continue;
        if (!first) {
            first = name;
            length = strlen(name);
        }
        size_t common = 0;
        while (common < length && first[common] == name[common]) common++;
        length = common;
    }
    while (length > 0 && first[length - 1] != '.') length--;
    return length;
}

/* Heads lie beside the network or beside what it is wrapped in ("module.fc", "bert.pooler"). */
static int may_be_left(const char *name, const char *network, size_t length) {
    if (is_buffer(name) || is_head(name)) return 1;
    for (size_t k = 0; k < length && name[k] == network[k]; k++)
        if (name[k] == '.' && is_head(name + k + 1)) return 1;
    return 0;
}

un_status un_weights_check_taken(const un_safetensors *file, const char *network, int part) {
    size_t length = taken_prefix(file), left = 0;
    const char *taken = "", *first = NULL;
    for (size_t i = 0; i < file->count; i++)
        if (file->taken[i]) taken = file->entries[i].name;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->entries[i].name;
        if (file->taken[i] || may_be_left(name, taken, length)) continue;
        if (part && strncmp(name, taken, length) != 0) continue;
        if (left++ == 0) first = name;
    }
    if (left == 0) return UNSEEN_OK;
    return un_fail(UNSEEN_E_UNSUPPORTED,
                   "%s: %zu of its tensors, \"%.200s\" for one, have no place in a %s: it is "
                   "another network, whose features would be wrong",
                   file->path, left, first, network);
}

un_status un_weights_suffice(const un_safetensors *file, double values, const char *network) {
    double there = 0;
    for (size_t i = 0; i < file->count; i++)
        there += (double)un_tensor_count(&file->entries[i].tensor);
    if (values <= there) return UNSEEN_OK;
    return un_fail(
        UNSEEN_E_FORMAT,
        "%s: its shapes tell of a %s of %.0f numbers, but it has %.0f: tensors are missing "
        "or cut short",
        file->path, network, values, there);
}

double un_weights_of_layers(size_t layers, size_t width, size_t inner) {
    return (double)layers * (double)width * (4 * (double)width + 2 * (double)inner);
}

un_status un_weights_heads(const un_safetensors *file, size_t width, size_t usual, size_t *out) {
    const char *text = un_safetensors_metadata(file, "heads");
    if (!text) text = un_safetensors_metadata(file, "num_attention_heads");
    char *end = NULL;
    size_t heads = text ? strtoul(text, &end, 10) : usual;
    if ((text && (end == text || *end)) || heads == 0 || width % heads != 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: a width of %zu does not split into %s%zu heads; give the metadata key "
                       "\"heads\"",
                       file->path, width, text ? "" : "the usual ", heads);
    *out = heads;
    return UNSEEN_OK;
}

void un_param_initialize_normal(const un_params *params, size_t index, double sd, uint64_t seed,
                                const char *stream, uint64_t number) {
    const un_param *item = &params->item[index];
    un_rng rng = un_rng_stream(seed, stream, number);
    if (item->rank > 1)
        un_rng_fill_normal(&rng, un_param_value(params, index), item->count, 0, sd);
    else
        memset(un_param_value(params, index), 0, item->count * sizeof(float));
}

void un_param_initialize_linear(const un_params *params, size_t weight, size_t bias, uint64_t seed,
                                const char *stream, uint64_t number) {
    const un_param *item = &params->item[weight];
    un_rng rng = un_rng_stream(seed, stream, number);
    size_t inputs = item->count / item->shape[0];
    double bound = 1 / sqrt((double)inputs);
    un_rng_fill_uniform(&rng, un_param_value(params, weight), item->count, -bound, bound);
    un_rng_fill_uniform(&rng, un_param_value(params, bias), params->item[bias].count, -bound,
                        bound);
}
