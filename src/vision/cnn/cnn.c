/* cnn.c - building and running a convolutional network; see cnn.h. */
#include "vision/cnn/cnn.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parallel.h"
#include "tensor/gemm.h"

/* ---- tensors of a file of weights ---- */

/* "(64, any, 7, 7)" */
static void print_shape(int rank, const size_t *shape, char *out, size_t size) {
    size_t used = (size_t)snprintf(out, size, "(");
    for (int i = 0; i < rank && used < size; i++) {
        char extent[24] = "any";
        if (shape[i] != UN_ANY_EXTENT) snprintf(extent, sizeof extent, "%zu", shape[i]);
        used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", extent);
    }
    if (used < size) snprintf(out + used, size - used, ")");
}

un_status un_cnn_find_tensor(const un_safetensors *file, const char *name, int rank,
                             const size_t *shape, const un_st_entry **out) {
    const un_st_entry *entry = NULL;
    UN_TRY(un_safetensors_require(file, name, rank, &entry));
    const un_tensor *t = &entry->tensor;
    int fits = 1;
    for (int i = 0; i < rank; i++)
        fits &= t->shape[i] > 0 && (shape[i] == UN_ANY_EXTENT || shape[i] == t->shape[i]);
    if (!fits) {
        char found[200], required[200];
        print_shape(rank, t->shape, found, sizeof found);
        print_shape(rank, shape, required, sizeof required);
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" has shape %s, expected %s", file->path,
                       name, found, required);
    }
    if (t->dtype != UN_F32 && t->dtype != UN_BF16 && t->dtype != UN_F16)
        return un_fail(UNSEEN_E_FORMAT, "%s: tensor \"%s\" is %s, expected F32, BF16 or F16",
                       file->path, name, un_dtype_name(t->dtype));
    *out = entry;
    return UNSEEN_OK;
}

un_status un_cnn_tensor(const un_safetensors *file, const char *name, int rank, const size_t *shape,
                        float **out) {
    const un_st_entry *entry = NULL;
    UN_TRY(un_cnn_find_tensor(file, name, rank, shape, &entry));
    UN_TRY(un_alloc(un_tensor_count(&entry->tensor), sizeof **out, out));
    un_safetensors_take(file, entry);
    un_st_copy_f32(entry, *out);
    return UNSEEN_OK;
}

enum {
    NAME_LENGTH = 160,
    MAX_BLOCKS = 1000,
    MAX_SIDE = 4096,
    CHUNK = 8 /* pictures at once: the memory does not grow with a caller's batch */
};

static const double NORM_EPSILON = 1e-5;

/* ------------------------------------------------------------------ building */

static un_status read_padding(const un_safetensors *file, un_padding *out) {
    const char *text = un_safetensors_metadata(file, "padding");
    *out = UN_PAD_SYMMETRIC;
    if (!text || !strcmp(text, "symmetric")) return UNSEEN_OK;
    if (strcmp(text, "tf_same") != 0)
        return un_fail(UNSEEN_E_FORMAT,
                       "%s: metadata \"padding\" is \"%.40s\", expected tf_same or symmetric",
                       file->path, text);
    *out = UN_PAD_TF_SAME;
    return UNSEEN_OK;
}

/* Own products widen bf16 and are as fast as in f32, so it is worth its memory; convolutions only
 * become slower. */
static un_precision precision_here(un_precision precision) {
    precision = un_precision_resolve(precision);
    if (un_conv_native(un_precision_dtype(precision))) return precision;
    un_log(UNSEEN_LOG_INFO,
           "convolutions in f32: this processor has no bf16 instructions for them");
    return UN_PRECISION_F32;
}

un_status un_cnn_create(const un_safetensors *file, un_precision precision,
                        const un_backbone_class *class, size_t capacity, un_cnn **out) {
    un_cnn *cnn = calloc(1, sizeof *cnn);
    if (!cnn) return un_fail_memory(sizeof *cnn);
    un_status status = UNSEEN_OK;
    cnn->base.class = class;
    cnn->base.precision = precision_here(precision);
    cnn->type = un_precision_dtype(cnn->base.precision);
    cnn->capacity = capacity;
    un_recipe_default(&cnn->base.recipe);
    UN_GO(read_padding(file, &cnn->padding));
    UN_GO(un_arena_alloc(&cnn->arena, capacity, sizeof *cnn->layers, &cnn->layers));
    *out = cnn;
done:
    if (status) un_cnn_destroy(&cnn->base);
    return status;
}

void un_cnn_destroy(un_backbone *backbone) {
    un_cnn *cnn = (un_cnn *)backbone; /* the head is the first member */
    for (size_t i = 0; i < cnn->count; i++) {
        un_conv_free(cnn->layers[i].conv);
        un_pool_free(cnn->layers[i].pool);
    }
    for (size_t i = 0; i < UN_CNN_SLOTS; i++) un_conv_scratch_free(&cnn->slots[i]);
    un_conv_scratch_free(&cnn->input);
    un_conv_scratch_free(&cnn->output);
    un_conv_scratch_free(&cnn->scratch);
    un_arena_free(&cnn->arena);
    free(cnn);
}

static un_status add_layer(un_cnn *cnn, size_t input, size_t residual, un_cnn_layer **out) {
    if (cnn->count == cnn->capacity)
        return un_fail(UNSEEN_E_ARGUMENT, "a network of more than %zu layers", cnn->capacity);
    *out = &cnn->layers[cnn->count++];
    **out = (un_cnn_layer){.input = input, .residual = residual};
    return UNSEEN_OK;
}

/* Scales the weights and makes the bias: y = g (W x - mean) / sqrt(var + eps) + b. */
static un_status fold(const un_safetensors *file, const char *norm, size_t channels, float *weights,
                      size_t filter, float *bias) {
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    float *v[4] = {NULL};
    un_status status = UNSEEN_OK;
    for (int i = 0; i < 4; i++) {
        char name[NAME_LENGTH];
        snprintf(name, sizeof name, "%s.%s", norm, parts[i]);
        UN_GO(un_cnn_tensor(file, name, 1, &channels, &v[i]));
    }
    for (size_t c = 0; c < channels; c++) {
        double scale = (double)v[0][c] / sqrt((double)v[3][c] + NORM_EPSILON);
        double shift = (double)v[1][c] - (double)v[2][c] * scale;
        if (!isfinite(scale) || !isfinite(shift))
            UN_GO(un_fail(UNSEEN_E_FORMAT,
                          "%s: \"%s\": channel %zu is not finite, or its variance is negative",
                          file->path, norm, c));
        bias[c] = (float)shift;
        for (size_t i = 0; i < filter; i++)
            weights[c * filter + i] = (float)((double)weights[c * filter + i] * scale);
    }
done:
    for (int i = 0; i < 4; i++) free(v[i]);
    return status;
}

un_status un_cnn_add_conv(un_cnn *cnn, const un_safetensors *file, const un_cnn_conv *conv,
                          size_t *channels) {
    const size_t shape[] = {conv->out, conv->depthwise ? 1 : conv->in, conv->kernel, conv->kernel};
    char name[NAME_LENGTH];
    const un_st_entry *entry = NULL;
    float *weights = NULL, *bias = NULL;
    un_cnn_layer *layer = NULL;
    un_status status = UNSEEN_OK;
    snprintf(name, sizeof name, "%s.weight", conv->conv);
    UN_GO(un_cnn_find_tensor(file, name, 4, shape, &entry));
    *channels = entry->tensor.shape[0];
    UN_GO(un_cnn_tensor(file, name, 4, shape, &weights));
    UN_GO(un_alloc(*channels, sizeof *bias, &bias));
    UN_GO(fold(file, conv->norm, *channels, weights, un_tensor_count(&entry->tensor) / *channels,
               bias));
    UN_GO(add_layer(cnn, conv->input, conv->residual, &layer));
    const un_conv_spec spec = {.in = conv->in,
                               .out = *channels,
                               .kernel = conv->kernel,
                               .stride = conv->stride,
                               .depthwise = conv->depthwise,
                               .padding = cnn->padding,
                               .activation = conv->activation,
                               .type = cnn->type};
    status = un_conv_create_from(&spec, weights, bias, &layer->conv);
    weights = NULL;
done:
    free(weights);
    free(bias);
    return status;
}

un_status un_cnn_add_max_pool(un_cnn *cnn, size_t input, size_t kernel, size_t stride) {
    un_cnn_layer *layer = NULL;
    UN_TRY(add_layer(cnn, input, UN_CNN_NONE, &layer));
    return un_pool_create(kernel, stride, cnn->padding, &layer->pool);
}

un_status un_cnn_name(un_cnn *cnn, const char *format, ...) {
    char text[NAME_LENGTH], *copy = NULL;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    UN_TRY(un_arena_string(&cnn->arena, text, &copy));
    cnn->layers[cnn->count - 1].name = copy;
    return UNSEEN_OK;
}

/* Gives every output a slot that is free until its last reader has run. */
static un_status plan_memory(un_cnn *cnn) {
    size_t owner[UN_CNN_SLOTS]; /* layer whose output lies there */
    int taken[UN_CNN_SLOTS] = {0};
    for (size_t i = 0; i < cnn->count; i++) {
        un_cnn_layer *layer = &cnn->layers[i];
        size_t slot = 0;
        for (size_t s = 0; s < UN_CNN_SLOTS; s++) /* read for the last time before this layer */
            if (taken[s] && cnn->layers[owner[s]].last < i) taken[s] = 0;
        if (layer->residual != UN_CNN_NONE)
            slot = cnn->layers[layer->residual].slot;
        else
            while (slot < UN_CNN_SLOTS && taken[slot]) slot++;
        if (slot == UN_CNN_SLOTS ||
            (layer->residual != UN_CNN_NONE && cnn->layers[layer->residual].last != i))
            return un_fail(UNSEEN_E_ARGUMENT, "this network needs more feature maps at once");
        layer->slot = slot;
        owner[slot] = i;
        taken[slot] = 1;
    }
    return UNSEEN_OK;
}

un_status un_cnn_finish(un_cnn *cnn, size_t width) {
    cnn->base.width = width;
    for (size_t i = 0; i < cnn->count; i++) {
        un_cnn_layer *layer = &cnn->layers[i];
        layer->last = i;
        if (layer->input != UN_CNN_INPUT) cnn->layers[layer->input].last = i;
        if (layer->residual != UN_CNN_NONE) cnn->layers[layer->residual].last = i;
    }
    return plan_memory(cnn);
}

size_t un_cnn_block_count(const un_safetensors *file, const char *prefix) {
    size_t length = strlen(prefix), count = 0;
    for (size_t i = 0; i < file->count; i++) {
        const char *name = file->entries[i].name;
        if (strncmp(name, prefix, length) != 0) continue;
        char *end = NULL;
        if (name[length] < '0' || name[length] > '9') continue;
        unsigned long number = strtoul(name + length, &end, 10);
        if (*end == '.' && number < MAX_BLOCKS && number >= count) count = (size_t)number + 1;
    }
    return count;
}

/* ------------------------------------------------------------------ shapes */

static void layer_output(const un_cnn_layer *layer, const un_feature_map *in, un_feature_map *out) {
    if (layer->conv)
        un_conv_output(layer->conv, in, out);
    else
        un_pool_output(layer->pool, in, out);
}

/* Three channels are no block, so pictures are channels-first where the rest is blocked. */
static un_feature_map picture_map(const un_cnn *cnn, size_t n, size_t height, size_t width) {
    un_map_layout layout = un_conv_layout(cnn->type);
    return (un_feature_map){.n = n,
                            .h = height,
                            .w = width,
                            .c = 3,
                            .type = cnn->type,
                            .layout = layout == UN_CHANNELS_BLOCKED ? UN_CHANNELS_FIRST
                                                                    : UN_CHANNELS_LAST};
}

/* The output shapes of all layers. */
static un_status all_shapes(const un_cnn *cnn, size_t n, size_t height, size_t width,
                            un_feature_map *maps) {
    if (height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE)
        return un_fail(UNSEEN_E_ARGUMENT, "pictures of %zu x %zu pixels; a side is 1 to %d", width,
                       height, MAX_SIDE);
    un_feature_map pictures = picture_map(cnn, n, height, width);
    for (size_t i = 0; i < cnn->count; i++) {
        size_t from = cnn->layers[i].input;
        layer_output(&cnn->layers[i], from == UN_CNN_INPUT ? &pictures : &maps[from], &maps[i]);
    }
    return UNSEEN_OK;
}

static un_status find_block(const un_cnn *cnn, const char *name, size_t *out) {
    *out = cnn->count - 1;
    if (!name) return UNSEEN_OK;
    for (size_t i = 0; i < cnn->count; i++) {
        if (!cnn->layers[i].name || strcmp(cnn->layers[i].name, name) != 0) continue;
        *out = i;
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "%s has no block \"%s\"", cnn->base.architecture, name);
}

un_status un_cnn_shape(const un_cnn *cnn, const char *name, size_t height, size_t width,
                       un_feature_map *out) {
    un_feature_map *maps = NULL;
    size_t layer = 0;
    UN_TRY(find_block(cnn, name, &layer));
    UN_TRY(un_alloc(cnn->count, sizeof *maps, &maps));
    un_status status = all_shapes(cnn, 1, height, width, maps);
    if (!status) *out = maps[layer];
    free(maps);
    return status;
}

un_status un_cnn_grid(const un_backbone *backbone, size_t size, size_t *height, size_t *width) {
    un_feature_map map;
    UN_TRY(un_cnn_shape((const un_cnn *)backbone, NULL, size, size, &map));
    *height = map.h;
    *width = map.w;
    return UNSEEN_OK;
}

double un_cnn_flops(const un_backbone *backbone, size_t size) {
    const un_cnn *cnn = (const un_cnn *)backbone;
    un_feature_map *maps = NULL;
    double flops = 0;
    if (un_alloc(cnn->count, sizeof *maps, &maps) != UNSEEN_OK) return 0;
    if (all_shapes(cnn, 1, size, size, maps) == UNSEEN_OK) {
        for (size_t i = 0; i < cnn->count; i++) {
            if (!cnn->layers[i].conv) continue;
            const un_conv_spec *s = un_conv_spec_of(cnn->layers[i].conv);
            double filter = (double)(s->kernel * s->kernel * (s->depthwise ? 1 : s->in));
            flops += 2 * filter * (double)(maps[i].h * maps[i].w * s->out);
        }
    }
    free(maps);
    return flops;
}

const char *un_cnn_way(const un_backbone *backbone, size_t layer) {
    const un_cnn *cnn = (const un_cnn *)backbone;
    if (layer >= cnn->count) return NULL;
    return cnn->layers[layer].conv ? un_conv_way(cnn->layers[layer].conv)
                                   : un_pool_way(cnn->layers[layer].pool);
}

/* ------------------------------------------------------------------ running */

static un_status reserve_all(un_cnn *cnn, const un_feature_map *maps) {
    size_t need[UN_CNN_SLOTS] = {0};
    for (size_t i = 0; i < cnn->count; i++) {
        size_t bytes = 0, *slot = &need[cnn->layers[i].slot];
        UN_TRY(un_feature_map_bytes(&maps[i], &bytes));
        if (bytes > *slot) *slot = bytes;
    }
    for (size_t s = 0; s < UN_CNN_SLOTS; s++)
        UN_TRY(un_conv_scratch_reserve(&cnn->slots[s], need[s]));
    return UNSEEN_OK;
}

static un_status to_f32(const un_feature_map *map, const void *data, float *out) {
    un_feature_map plain = *map;
    plain.type = UN_F32;
    plain.layout = UN_CHANNELS_LAST;
    return un_feature_map_convert(map, data, &plain, out);
}

typedef struct {
    const float *regions; /* (n, count, width) */
    float *pooled;        /* (n, width) */
    size_t count, width;
} mean_job;

static void mean_images(size_t begin, size_t end, void *context) {
    const mean_job *job = context;
    for (size_t i = begin; i < end; i++) {
        const float *in = job->regions + i * job->count * job->width;
        float *out = job->pooled + i * job->width;
        memset(out, 0, job->width * sizeof *out);
        for (size_t r = 0; r < job->count; r++)
            for (size_t c = 0; c < job->width; c++) out[c] += in[r * job->width + c];
        for (size_t c = 0; c < job->width; c++) out[c] /= (float)job->count;
    }
}

/* The last map to what the caller asked for. */
static un_status deliver(un_cnn *cnn, const un_feature_map *map, const void *data, float *regions,
                         float *pooled) {
    if (!regions && !pooled) return UNSEEN_OK;
    if (!regions) {
        UN_TRY(un_conv_scratch_reserve(&cnn->output,
                                       map->n * map->h * map->w * map->c * sizeof *regions));
        regions = cnn->output.data;
    }
    UN_TRY(to_f32(map, data, regions));
    if (!pooled) return UNSEEN_OK;
    mean_job job = {regions, pooled, map->h * map->w, map->c};
    un_parallel_for(map->n, 1, mean_images, &job);
    return UNSEEN_OK;
}

static un_status run_layers(un_cnn *cnn, const un_feature_map *pictures, const un_feature_map *maps,
                            size_t first, const un_cnn_tap *taps, size_t tap_count) {
    for (size_t i = 0; i < cnn->count; i++) {
        const un_cnn_layer *layer = &cnn->layers[i];
        int start = layer->input == UN_CNN_INPUT;
        const un_feature_map *in = start ? pictures : &maps[layer->input];
        const void *x = start ? cnn->input.data : cnn->slots[cnn->layers[layer->input].slot].data;
        void *y = cnn->slots[layer->slot].data;
        if (layer->conv)
            UN_TRY(
                un_conv_run(layer->conv, in, x, layer->residual != UN_CNN_NONE, y, &cnn->scratch));
        else
            UN_TRY(un_pool_run(layer->pool, in, x, y, &cnn->scratch));
        for (size_t t = 0; t < tap_count && layer->name; t++)
            if (!strcmp(taps[t].name, layer->name))
                UN_TRY(
                    to_f32(&maps[i], y, taps[t].out + first * maps[i].h * maps[i].w * maps[i].c));
    }
    return UNSEEN_OK;
}

static un_status run_chunk(un_cnn *cnn, const float *x, size_t first, size_t n, size_t height,
                           size_t width, un_feature_map *maps, float *regions, float *pooled,
                           const un_cnn_tap *taps, size_t tap_count) {
    un_feature_map in = picture_map(cnn, n, height, width), given = in;
    size_t bytes = 0;
    given.type = UN_F32;
    given.layout = UN_CHANNELS_LAST;
    UN_TRY(all_shapes(cnn, n, height, width, maps));
    UN_TRY(reserve_all(cnn, maps));
    UN_TRY(un_feature_map_bytes(&in, &bytes));
    UN_TRY(un_conv_scratch_reserve(&cnn->input, bytes));
    UN_TRY(un_feature_map_convert(&given, x + first * height * width * 3, &in, cnn->input.data));
    UN_TRY(run_layers(cnn, &in, maps, first, taps, tap_count));
    const un_feature_map *last = &maps[cnn->count - 1];
    return deliver(cnn, last, cnn->slots[cnn->layers[cnn->count - 1].slot].data,
                   regions ? regions + first * last->h * last->w * last->c : NULL,
                   pooled ? pooled + first * last->c : NULL);
}

un_status un_cnn_forward(un_cnn *cnn, const float *pictures, size_t n, size_t height, size_t width,
                         float *regions, float *pooled, const un_cnn_tap *taps, size_t tap_count) {
    un_feature_map *maps = NULL;
    size_t ignored = 0;
    un_status status = UNSEEN_OK;
    for (size_t t = 0; t < tap_count; t++) UN_TRY(find_block(cnn, taps[t].name, &ignored));
    UN_TRY(un_alloc(cnn->count, sizeof *maps, &maps));
    for (size_t first = 0; first < n && !status; first += CHUNK)
        status = run_chunk(cnn, pictures, first, n - first < CHUNK ? n - first : CHUNK, height,
                           width, maps, regions, pooled, taps, tap_count);
    free(maps);
    return status;
}

un_status un_cnn_forward_square(un_backbone *backbone, const float *pictures, size_t n, size_t size,
                                float *regions, float *pooled) {
    return un_cnn_forward((un_cnn *)backbone, pictures, n, size, size, regions, pooled, NULL, 0);
}
