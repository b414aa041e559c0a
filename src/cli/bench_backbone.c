/*
 * bench_backbone.c - `unseen bench backbone`: pictures through a backbone per second, with GEMM
 * probes of the same minute beside it. Without a weights file the network has random weights,
 * which are written to a temporary file and opened as anyone's weights would be. The probes, and
 * the summary of times, are those of `unseen bench METHOD` (cmd_bench.c), too.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/cli.h"
#include "tensor/gemm.h"
#include "tensor/safetensors.h"
#include "vision/backbone.h"

enum { NAME_LENGTH = 128, MAX_SIDE = 4096, WARM_UP = 2 };

typedef struct {
    un_cli_common common;
    const char *weights, *architecture, *json;
    size_t batch, size, steps;
} arguments;

enum { KEY_WEIGHTS = 0x4101, KEY_ARCH, KEY_BATCH, KEY_SIZE, KEY_STEPS, KEY_JSON };

static const struct argp_option g_options[] = {
    {"weights", KEY_WEIGHTS, "WEIGHTS", 0, "the backbone's weights, or builtin:descriptor", 1},
    {"arch", KEY_ARCH, "NAME", 0,
     "resnet50, resnet101, resnet152, mobilenet_v2, vit_b_16, swin_t or swin_b with random "
     "weights (default resnet101)",
     1},
    {"batch", KEY_BATCH, "B", 0, "pictures at once (default 8)", 1},
    {"image-size", KEY_SIZE, "S", 0, "side of a picture in pixels (default 224)", 1},
    {"steps", KEY_STEPS, "N", 0, "measured batches (default 10)", 1},
    {"json", KEY_JSON, "FILE", 0, "results as JSON, - for standard output", 1},
    {0}};

static int is_architecture(const char *name);

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_WEIGHTS: a->weights = text; return 0;
    case KEY_ARCH:
        if (!is_architecture(text)) argp_error(state, "there is no architecture \"%s\"", text);
        a->architecture = text;
        return 0;
    case KEY_BATCH: a->batch = un_cli_integer(state, "--batch", text, 1, 4096); return 0;
    case KEY_SIZE: a->size = un_cli_integer(state, "--image-size", text, 1, MAX_SIDE); return 0;
    case KEY_STEPS: a->steps = un_cli_integer(state, "--steps", text, 1, 1000000); return 0;
    case KEY_JSON: a->json = text; return 0;
    case ARGP_KEY_ARG: argp_error(state, "\"%s\" is one word too many", text); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp g_argp = {.options = g_options,
                                   .parser = parse,
                                   .doc = "Measures how many pictures a second a backbone takes.",
                                   .children = un_cli_common_children};

/* ------------------------------------------------------------------ what both benches share */

static un_status probe(un_dtype type, double *gflops) {
    enum { SIDE = 1024, RUNS = 5 };
    float *a = NULL, *c = NULL;
    UN_TRY(un_alloc((size_t)SIDE * SIDE, sizeof *a, &a));
    un_status status = un_alloc((size_t)SIDE * SIDE, sizeof *c, &c);
    double best = INFINITY;
    for (int r = 0; r < RUNS && !status; r++) {
        const un_gemm_args product = {.m = SIDE,
                                      .n = SIDE,
                                      .k = SIDE,
                                      .input = type,
                                      .output = UN_F32,
                                      .a = a,
                                      .b = a,
                                      .c = c};
        double started = un_now();
        status = un_gemm(&product);
        double seconds = un_now() - started;
        if (seconds < best) best = seconds;
    }
    *gflops = status ? 0 : 2.0 * SIDE * SIDE * SIDE / best / 1e9;
    free(a);
    free(c);
    return status;
}

un_status un_bench_probe(double gflops[2]) {
    UN_TRY(probe(UN_F32, &gflops[0]));
    un_status status = probe(UN_BF16, &gflops[1]);
    return status == UNSEEN_E_UNSUPPORTED ? UNSEEN_OK : status;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

un_bench_times un_bench_summarise(double *ms, size_t n) {
    qsort(ms, n, sizeof *ms, by_value);
    return (un_bench_times){ms[0], ms[n / 2], ms[n - 1]};
}

/* ------------------------------------------------------------------ random weights */

/* Tensors are listed twice: first to declare them, then, in the same order, to write them. */
typedef struct {
    un_st_writer *writer;
    un_rng rng;
    size_t index;
    int writing;
} author;

typedef enum { ONE, ZERO, NORMAL } filling;

static un_status put(author *a, filling kind, double deviation, int rank, const size_t *shape,
                     const char *format, ...) __attribute__((format(printf, 6, 7)));

static un_status put(author *a, filling kind, double deviation, int rank, const size_t *shape,
                     const char *format, ...) {
    size_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    if (!a->writing) {
        char name[NAME_LENGTH];
        va_list list;
        va_start(list, format);
        vsnprintf(name, sizeof name, format, list);
        va_end(list);
        return un_st_writer_add(a->writer, name, UN_F32, rank, shape);
    }
    float *values = NULL;
    UN_TRY(un_alloc(n, sizeof *values, &values));
    if (kind == NORMAL) un_rng_fill_normal(&a->rng, values, n, 0, deviation);
    for (size_t i = 0; i < n && kind == ONE; i++) values[i] = 1;
    un_status status = un_st_writer_write(a->writer, a->index++, 0, values, n * sizeof *values);
    free(values);
    return status;
}

/* He's initialisation, and a batch norm that changes nothing. */
static un_status put_conv(author *a, const char *conv, const char *norm, size_t out, size_t in,
                          size_t kernel) {
    const size_t shape[] = {out, in, kernel, kernel};
    UN_TRY(put(a, NORMAL, sqrt(2.0 / (double)(in * kernel * kernel)), 4, shape, "%s.weight", conv));
    UN_TRY(put(a, ONE, 0, 1, &out, "%s.weight", norm));
    UN_TRY(put(a, ZERO, 0, 1, &out, "%s.bias", norm));
    UN_TRY(put(a, ZERO, 0, 1, &out, "%s.running_mean", norm));
    return put(a, ONE, 0, 1, &out, "%s.running_var", norm);
}

static un_status put_bottleneck(author *a, size_t stage, size_t block, size_t in, size_t middle) {
    char conv[4][NAME_LENGTH], norm[4][NAME_LENGTH];
    for (int i = 0; i < 3; i++) {
        snprintf(conv[i], NAME_LENGTH, "layer%zu.%zu.conv%d", stage + 1, block, i + 1);
        snprintf(norm[i], NAME_LENGTH, "layer%zu.%zu.bn%d", stage + 1, block, i + 1);
    }
    snprintf(conv[3], NAME_LENGTH, "layer%zu.%zu.downsample.0", stage + 1, block);
    snprintf(norm[3], NAME_LENGTH, "layer%zu.%zu.downsample.1", stage + 1, block);
    UN_TRY(put_conv(a, conv[0], norm[0], middle, in, 1));
    UN_TRY(put_conv(a, conv[1], norm[1], middle, middle, 3));
    UN_TRY(put_conv(a, conv[2], norm[2], 4 * middle, middle, 1));
    return block == 0 ? put_conv(a, conv[3], norm[3], 4 * middle, in, 1) : UNSEEN_OK;
}

static un_status put_resnet(author *a, const size_t *blocks) {
    size_t in = 64;
    UN_TRY(put_conv(a, "conv1", "bn1", in, 3, 7));
    for (size_t s = 0; s < 4; s++)
        for (size_t j = 0; j < blocks[s]; j++) {
            UN_TRY(put_bottleneck(a, s, j, in, (size_t)64 << s));
            in = (size_t)256 << s;
        }
    return UNSEEN_OK;
}

static un_status put_resnet50(author *a) { return put_resnet(a, (const size_t[]){3, 4, 6, 3}); }
static un_status put_resnet101(author *a) { return put_resnet(a, (const size_t[]){3, 4, 23, 3}); }
static un_status put_resnet152(author *a) { return put_resnet(a, (const size_t[]){3, 8, 36, 3}); }

static un_status put_inverted(author *a, size_t feature, size_t in, size_t expansion, size_t out) {
    char conv[NAME_LENGTH], norm[NAME_LENGTH];
    size_t wide = in * expansion, part = 0;
    for (int step = expansion > 1 ? 0 : 1; step < 2; step++, part++) {
        snprintf(conv, sizeof conv, "features.%zu.conv.%zu.0", feature, part);
        snprintf(norm, sizeof norm, "features.%zu.conv.%zu.1", feature, part);
        UN_TRY(put_conv(a, conv, norm, wide, step == 0 ? in : 1, step == 0 ? 1 : 3));
    }
    snprintf(conv, sizeof conv, "features.%zu.conv.%zu", feature, part);
    snprintf(norm, sizeof norm, "features.%zu.conv.%zu", feature, part + 1);
    return put_conv(a, conv, norm, out, wide, 1);
}

static un_status put_mobilenet(author *a) {
    static const size_t out[] = {16, 24, 24, 32, 32,  32,  64,  64, 64,
                                 64, 96, 96, 96, 160, 160, 160, 320};
    size_t in = 32, blocks = sizeof out / sizeof *out;
    UN_TRY(put_conv(a, "features.0.0", "features.0.1", in, 3, 3));
    for (size_t i = 0; i < blocks; i++) {
        UN_TRY(put_inverted(a, i + 1, in, i == 0 ? 1 : 6, out[i]));
        in = out[i];
    }
    return put_conv(a, "features.18.0", "features.18.1", 1280, in, 1);
}

static un_status put_linear(author *a, const char *prefix, const char *name, size_t out,
                            size_t in) {
    const size_t shape[] = {out, in};
    UN_TRY(put(a, NORMAL, sqrt(1.0 / (double)in), 2, shape, "%s%s.weight", prefix, name));
    return put(a, ZERO, 0, 1, &out, "%s%s.bias", prefix, name);
}

static un_status put_norm(author *a, const char *prefix, const char *name, size_t n) {
    UN_TRY(put(a, ONE, 0, 1, &n, "%s%s.weight", prefix, name));
    return put(a, ZERO, 0, 1, &n, "%s%s.bias", prefix, name);
}

/* Hugging Face's ViT with 16 x 16 patches for 224 x 224 pixels. */
static un_status put_vit(author *a) {
    const size_t H = 768, I = 3072, token[] = {1, 1, H}, place[] = {1, 197, H},
                 patch[] = {H, 3, 16, 16};
    UN_TRY(put(a, NORMAL, 0.02, 3, token, "vit.embeddings.cls_token"));
    UN_TRY(put(a, NORMAL, 0.02, 3, place, "vit.embeddings.position_embeddings"));
    UN_TRY(put(a, NORMAL, 0.036, 4, patch, "vit.embeddings.patch_embeddings.projection.weight"));
    UN_TRY(put(a, ZERO, 0, 1, &H, "vit.embeddings.patch_embeddings.projection.bias"));
    for (size_t i = 0; i < 12; i++) {
        char layer[NAME_LENGTH / 2];
        snprintf(layer, sizeof layer, "vit.encoder.layer.%zu.", i);
        UN_TRY(put_linear(a, layer, "attention.attention.query", H, H));
        UN_TRY(put_linear(a, layer, "attention.attention.key", H, H));
        UN_TRY(put_linear(a, layer, "attention.attention.value", H, H));
        UN_TRY(put_linear(a, layer, "attention.output.dense", H, H));
        UN_TRY(put_linear(a, layer, "intermediate.dense", I, H));
        UN_TRY(put_linear(a, layer, "output.dense", H, I));
        UN_TRY(put_norm(a, layer, "layernorm_before", H));
        UN_TRY(put_norm(a, layer, "layernorm_after", H));
    }
    return put_norm(a, "vit.", "layernorm", H);
}

static un_status put_swin_block(author *a, size_t stage, size_t block, size_t C, size_t heads) {
    const size_t table[] = {13 * 13, heads};
    char at[NAME_LENGTH / 2];
    snprintf(at, sizeof at, "swin.encoder.layers.%zu.blocks.%zu.", stage, block);
    UN_TRY(put(a, NORMAL, 0.02, 2, table, "%sattention.self.relative_position_bias_table", at));
    UN_TRY(put_linear(a, at, "attention.self.query", C, C));
    UN_TRY(put_linear(a, at, "attention.self.key", C, C));
    UN_TRY(put_linear(a, at, "attention.self.value", C, C));
    UN_TRY(put_linear(a, at, "attention.output.dense", C, C));
    UN_TRY(put_linear(a, at, "intermediate.dense", 4 * C, C));
    UN_TRY(put_linear(a, at, "output.dense", C, 4 * C));
    UN_TRY(put_norm(a, at, "layernorm_before", C));
    return put_norm(a, at, "layernorm_after", C);
}

/* Hugging Face's Swin transformer with 4 x 4 patches and windows of 7 x 7, heads 32 wide. */
static un_status put_swin(author *a, size_t width, const size_t *depths) {
    const size_t patch[] = {width, 3, 4, 4};
    UN_TRY(put(a, NORMAL, 0.14, 4, patch, "swin.embeddings.patch_embeddings.projection.weight"));
    UN_TRY(put(a, ZERO, 0, 1, &width, "swin.embeddings.patch_embeddings.projection.bias"));
    UN_TRY(put_norm(a, "swin.", "embeddings.norm", width));
    for (size_t s = 0; s < 4; s++) {
        size_t C = width << s;
        const size_t reduction[] = {2 * C, 4 * C};
        char at[NAME_LENGTH / 2];
        for (size_t b = 0; b < depths[s]; b++) UN_TRY(put_swin_block(a, s, b, C, C / 32));
        if (s == 3) return put_norm(a, "swin.", "layernorm", C);
        snprintf(at, sizeof at, "swin.encoder.layers.%zu.downsample.", s);
        UN_TRY(put_norm(a, at, "norm", 4 * C));
        UN_TRY(put(a, NORMAL, 0.5 / sqrt((double)C), 2, reduction, "%sreduction.weight", at));
    }
    return UNSEEN_OK;
}

static un_status put_swin_t(author *a) { return put_swin(a, 96, (const size_t[]){2, 2, 6, 2}); }
static un_status put_swin_b(author *a) { return put_swin(a, 128, (const size_t[]){2, 2, 18, 2}); }

static const struct {
    const char *name;
    un_status (*put)(author *a);
} g_architectures[] = {{"resnet50", put_resnet50},   {"resnet101", put_resnet101},
                       {"resnet152", put_resnet152}, {"mobilenet_v2", put_mobilenet},
                       {"vit_b_16", put_vit},        {"swin_t", put_swin_t},
                       {"swin_b", put_swin_b}};

static un_status write_random(const char *path, un_status (*list)(author *a), uint64_t seed) {
    author a = {.rng = un_rng_stream(seed, "bench weights", 0)};
    UN_TRY(un_st_writer_open(&a.writer, path));
    un_status status = list(&a);
    if (!status) status = un_st_writer_begin(a.writer);
    a.writing = 1;
    if (!status) status = list(&a);
    if (status)
        un_st_writer_abort(a.writer);
    else
        status = un_st_writer_commit(a.writer);
    return status;
}

/* 0 for what is built in. */
static double file_bytes(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 ? (double)about.st_size : 0;
}

enum { ARCHITECTURES = sizeof g_architectures / sizeof *g_architectures };

/* Their number: there is none of this name. */
static size_t find_architecture(const char *name) {
    size_t i = 0;
    while (i < ARCHITECTURES && strcmp(g_architectures[i].name, name) != 0) i++;
    return i;
}

static int is_architecture(const char *name) { return find_architecture(name) < ARCHITECTURES; }

/* `a` names an architecture. */
static un_status open_random(const arguments *a, un_backbone **out, double *bytes) {
    un_status (*list)(author * a) = g_architectures[find_architecture(a->architecture)].put;
    const char *folder = getenv("TMPDIR");
    char *directory = NULL, *path = NULL;
    un_precision precision = UN_PRECISION_AUTO;
    UN_TRY(un_precision_parse(a->common.precision, &precision));
    UN_TRY(un_format(&directory, "%s/unseen-bench-XXXXXX", folder ? folder : "/tmp"));
    un_status status = UNSEEN_OK;
    if (!mkdtemp(directory)) {
        status = un_fail(UNSEEN_E_IO, "%s: cannot make a temporary directory", directory);
        free(directory);
        return status;
    }
    UN_GO(un_path_join(directory, "weights.safetensors", &path));
    UN_GO(write_random(path, list, a->common.seed));
    *bytes = file_bytes(path);
    UN_GO(un_backbone_open(path, precision, out));
done:
    if (status)
        un_directory_remove(directory);
    else
        status = un_directory_remove(directory);
    free(path);
    free(directory);
    return status;
}

/* ------------------------------------------------------------------ measuring */

typedef struct {
    un_bench_times batch;
    double flops;         /* of a batch */
    double weights_bytes; /* of the weights' file */
    size_t height, width;
} figures;

static un_status measure(un_backbone *backbone, const arguments *a, figures *f) {
    const un_backbone_class *class = backbone->class;
    float *pictures = NULL, *regions = NULL, *pooled = NULL;
    double *ms = NULL;
    un_rng rng = un_rng_stream(a->common.seed, "bench pictures", 0);
    un_status status = UNSEEN_OK;
    UN_GO(class->grid(backbone, a->size, &f->height, &f->width));
    UN_GO(un_alloc(a->batch * a->size * a->size, 3 * sizeof *pictures, &pictures));
    UN_GO(un_alloc(a->batch * f->height * f->width, backbone->width * sizeof *regions, &regions));
    UN_GO(un_alloc(a->batch, backbone->width * sizeof *pooled, &pooled));
    UN_GO(un_alloc(a->steps, sizeof *ms, &ms));
    un_rng_fill_normal(&rng, pictures, a->batch * a->size * a->size * 3, 0, 1);
    for (size_t i = 0; i < WARM_UP + a->steps; i++) {
        double started = un_now();
        UN_GO(class->forward(backbone, pictures, a->batch, a->size, regions, pooled));
        if (i >= WARM_UP) ms[i - WARM_UP] = 1e3 * (un_now() - started);
    }
    f->batch = un_bench_summarise(ms, a->steps);
    f->flops = class->flops(backbone, a->size) * (double)a->batch;
done:
    free(pictures);
    free(regions);
    free(pooled);
    free(ms);
    return status;
}

/* How many layers were computed which way: {"jit_1x1:avx512_core": 36, …}; null where a network
 * does not tell. A new reference. */
static json_t *count_ways(const un_backbone *b) {
    const char *way = NULL;
    if (!b->class->way) return json_null();
    json_t *counts = json_object();
    for (size_t i = 0; (way = b->class->way(b, i)); i++)
        un_json_put(&counts, way,
                    json_integer(1 + json_integer_value(json_object_get(counts, way))));
    return counts;
}

/* Layers that were computed in f32 although the network is in bf16. */
static int count_widened(json_t *ways) {
    const char *way = NULL;
    json_t *count = NULL;
    int widened = 0;
    json_object_foreach(ways, way, count) if (!strncmp(way, "f32 ", 4)) widened +=
        (int)json_integer_value(count);
    return widened;
}

static void print_ways(json_t *ways) {
    const char *way = NULL, *before = "  layers   ";
    json_t *count = NULL;
    int widened = count_widened(ways);
    if (json_object_size(ways) == 0) return;
    json_object_foreach(ways, way, count) {
        printf("%s %d %s", before, (int)json_integer_value(count), way);
        before = ",";
    }
    printf("\n");
    if (widened)
        printf("            %d of them in f32: for bf16 there is only a slow reference loop here\n",
               widened);
}

static int print(const un_backbone *b, const arguments *a, const figures *f, const double *probes) {
    double rate = (double)a->batch / f->batch.median * 1e3,
           gflops = f->flops / f->batch.median / 1e6;
    double anonymous = (double)un_memory_anonymous_kib() / 1024;
    json_t *ways = count_ways(b);
    json_t *result = json_pack(
        "{s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:s, s:i, s:{s:f, s:f, s:f}, s:f, s:I, s:f, s:f, s:f, "
        "s:{s:f, s:f}, s:O}",
        "backbone", b->architecture, "shape", "batch", (json_int_t)a->batch, "image_size",
        (json_int_t)a->size, "grid_height", (json_int_t)f->height, "grid_width",
        (json_int_t)f->width, "features", (json_int_t)b->width, "precision",
        un_precision_name(b->precision), "threads", un_thread_count(), "step_ms", "min",
        f->batch.min, "median", f->batch.median, "max", f->batch.max, "gflop_per_image",
        f->flops / (double)a->batch / 1e9, "weights_bytes", (json_int_t)f->weights_bytes, "gflops",
        gflops, "images_per_s", rate, "rss_anon_mib", anonymous, "probe_gflops", "f32", probes[0],
        "bf16", probes[1], "layers", ways);
    int code = UN_EXIT_OK;
    if (a->json) code = un_cli_write_json(a->json, result);
    json_decref(result);
    if (code || un_cli_is_standard(a->json)) {
        json_decref(ways);
        return code;
    }
    printf("%s, %s, %d threads, %zu pictures of %zu x %zu, regions %zu x %zu x %zu\n",
           b->architecture, un_precision_name(b->precision), un_thread_count(), a->batch, a->size,
           a->size, f->height, f->width, b->width);
    printf("  batch     %8.1f ms median (%.1f to %.1f), %.1f images/s\n", f->batch.median,
           f->batch.min, f->batch.max, rate);
    printf("  work      %8.2f GFLOP an image, %.0f GFLOP/s\n", f->flops / (double)a->batch / 1e9,
           gflops);
    printf("  probe     %8.0f GFLOP/s f32, %.0f bf16 (1024 x 1024 x 1024)\n", probes[0], probes[1]);
    printf("  memory    %8.0f MiB anonymous\n", anonymous);
    print_ways(ways);
    json_decref(ways);
    return UN_EXIT_OK;
}

static int run(const arguments *a) {
    un_backbone *backbone = NULL;
    un_precision precision = UN_PRECISION_AUTO;
    figures f = {0};
    double probes[2] = {0};
    un_status status = UNSEEN_OK;
    int code = UN_EXIT_FAILURE;
    un_cli_files files = {0};
    un_cli_reads(&files, a->weights);
    un_cli_writes(&files, a->json);
    code = un_cli_check_files(&files);
    if (code) goto done;
    code = UN_EXIT_FAILURE;
    UN_GO(un_precision_parse(a->common.precision, &precision));
    if (a->weights) f.weights_bytes = file_bytes(a->weights);
    UN_GO(a->weights ? un_backbone_open(a->weights, precision, &backbone)
                     : open_random(a, &backbone, &f.weights_bytes));
    UN_GO(un_bench_probe(probes));
    UN_GO(measure(backbone, a, &f));
    code = print(backbone, a, &f, probes);
done:
    if (status) code = un_cli_fail();
    un_backbone_close(backbone);
    return code;
}

int un_bench_backbone(int argc, char **argv) {
    arguments a = {.architecture = "resnet101", .batch = 8, .size = 224, .steps = 10};
    int code = 0;
    if (un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) code = run(&a);
    return code;
}
