/*
 * cmd_bench.c - `unseen bench METHOD`: speed of training steps and of scoring on
 * generated data of a given shape, with GEMM probes of the same minute beside it,
 * because shared machines change their speed.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/status.h"
#include "cli/cli.h"
#include "method/methods.h"
#include "tensor/kernels.h"

enum { MAX_SETS = 32 };

typedef struct {
    un_cli_common common;
    const char *method, *preset, *json;
    size_t attributes, classes, width, regions, images, vector_width, steps, warmup, scored;
    const char *sets[MAX_SETS];
    char *owned[MAX_SETS];
    size_t set_count, owned_count;
} arguments;

enum {
    KEY_ATTRIBUTES = 0x4001,
    KEY_CLASSES,
    KEY_FEATURES,
    KEY_REGIONS,
    KEY_BATCH,
    KEY_HIDDEN,
    KEY_IMAGES,
    KEY_VECTORS,
    KEY_STEPS,
    KEY_WARMUP,
    KEY_JSON,
    KEY_SET,
    KEY_PRESET,
    KEY_SCORED
};

static const struct argp_option g_options[] = {
    {"attributes", KEY_ATTRIBUTES, "A", 0, "attributes of a class (default 312)", 1},
    {"classes", KEY_CLASSES, "K", 0, "classes, a quarter of them unseen (default 200)", 1},
    {"features", KEY_FEATURES, "F", 0, "feature dimensions (default 2048)", 1},
    {"regions", KEY_REGIONS, "R", 0, "regions of an image (default: what the method needs)", 1},
    {"batch", KEY_BATCH, "B", 0, "images of a step; same as --set batch=B (default: the preset's)",
     1},
    {"hidden", KEY_HIDDEN, "H", 0, "same as --set hidden=H (default: the preset's)", 1},
    {"vectors", KEY_VECTORS, "E", 0, "length of the attributes' word vectors (default 300)", 1},
    {"images", KEY_IMAGES, "N", 0, "generated images (default 7057)", 1},
    {"steps", KEY_STEPS, "N", 0,
     "measured steps; of a closed form, points of its grid (default 50, or the whole grid)", 1},
    {"preset", KEY_PRESET, "PRESET", 0, "settings to start from (default: cub, or the first)", 1},
    {"warmup", KEY_WARMUP, "N", 0, "steps before them (default 5)", 1},
    {"scored", KEY_SCORED, "N", 0, "images that scoring is measured with (default 256)", 1},
    {"set", KEY_SET, "KEY=VALUE", 0, "a setting of the method", 1},
    {"json", KEY_JSON, "FILE", 0, "results as JSON, - for standard output", 1},
    {0}};

enum { MOST = 100000000 }; /* of what is counted */

static size_t parse_size(struct argp_state *state, const char *option, const char *text) {
    return un_cli_integer(state, option, text, 1, MOST);
}

static void add_set(arguments *a, struct argp_state *state, const char *key, const char *value) {
    char *text = NULL;
    if (a->set_count == MAX_SETS || un_format(&text, "%s=%s", key, value) != UNSEEN_OK)
        argp_error(state, "too many settings");
    a->owned[a->owned_count++] = text;
    a->sets[a->set_count++] = text;
}

static error_t parse(int key, char *text, struct argp_state *state) {
    arguments *a = state->input;
    switch (key) {
    case ARGP_KEY_INIT: state->child_inputs[0] = &a->common; return 0;
    case KEY_ATTRIBUTES: a->attributes = parse_size(state, "--attributes", text); return 0;
    case KEY_CLASSES: a->classes = parse_size(state, "--classes", text); return 0;
    case KEY_FEATURES: a->width = parse_size(state, "--features", text); return 0;
    case KEY_REGIONS: a->regions = parse_size(state, "--regions", text); return 0;
    case KEY_VECTORS: a->vector_width = parse_size(state, "--vectors", text); return 0;
    case KEY_IMAGES: a->images = parse_size(state, "--images", text); return 0;
    case KEY_STEPS: a->steps = parse_size(state, "--steps", text); return 0;
    case KEY_WARMUP: a->warmup = un_cli_integer(state, "--warmup", text, 0, MOST); return 0;
    case KEY_SCORED: a->scored = parse_size(state, "--scored", text); return 0;
    case KEY_BATCH: add_set(a, state, "batch", text); return 0;
    case KEY_HIDDEN: add_set(a, state, "hidden", text); return 0;
    case KEY_PRESET: a->preset = text; return 0;
    case KEY_JSON: a->json = text; return 0;
    case KEY_SET:
        if (a->set_count == MAX_SETS) argp_error(state, "too many settings");
        a->sets[a->set_count++] = text;
        return 0;
    case ARGP_KEY_ARG:
        if (a->method) argp_error(state, "one method only");
        a->method = text;
        un_cli_check_method(state, text);
        return 0;
    case ARGP_KEY_END:
        if (!a->method) un_cli_miss_method(state, "bench");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* What is measured beside methods; each has options of its own. */
static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} g_forms[] = {{"backbone", un_bench_backbone}, {"ceilings", un_bench_ceilings}};
enum { FORMS = sizeof g_forms / sizeof *g_forms };

/* "METHOD", and the names of the forms, each in a line. */
static char g_usage[64];

static const struct argp g_argp = {
    .options = g_options,
    .parser = parse,
    .args_doc = g_usage,
    .doc = "Measures training steps and scoring on generated data. The forms without METHOD have "
           "options of their own: `unseen bench backbone --help`.",
    .children = un_cli_common_children};

/* Generated data in memory, in the structures that training uses. */
typedef struct {
    un_arena arena;
    un_class_table classes;
    un_features features;
    int32_t *labels;
    un_index_list train;
    un_training_data data;
} scene;

/* Names of CUB's form, in groups: what DUET's texts are made of. */
static un_status name_attributes(scene *s, size_t A) {
    enum { GROUPS = 26 };
    char **names = NULL, name[64];
    UN_TRY(un_arena_alloc(&s->arena, A, sizeof *names, (void *)&names));
    for (size_t i = 0; i < A; i++) {
        snprintf(name, sizeof name, "has_part%c_color::value%zu", (int)('a' + i * GROUPS / A), i);
        UN_TRY(un_arena_string(&s->arena, name, &names[i]));
    }
    s->classes.semantics[0].attributes = names;
    return UNSEEN_OK;
}

static un_status make_classes(scene *s, const arguments *a, un_rng *rng) {
    un_class_table *t = &s->classes;
    t->count = a->classes;
    UN_TRY(un_arena_alloc(&s->arena, t->count, sizeof *t->names, &t->names));
    UN_TRY(un_arena_alloc(&s->arena, t->count, 1, &t->seen));
    for (size_t c = 0; c < t->count; c++) {
        char name[32];
        snprintf(name, sizeof name, "class %zu", c);
        UN_TRY(un_arena_string(&s->arena, name, &t->names[c]));
        t->seen[c] = c % 4 != 3;
    }
    t->semantics_count = 1;
    t->semantics[0] = (un_class_semantics){.name = "att", .width = a->attributes};
    UN_TRY(un_arena_alloc(&s->arena, t->count * a->attributes, sizeof(float),
                          &t->semantics[0].values));
    un_rng_fill_uniform(rng, t->semantics[0].values, t->count * a->attributes, 0, 0.1);
    float *vectors = NULL;
    t->semantics[0].vector_width = a->vector_width;
    UN_TRY(un_arena_alloc(&s->arena, a->attributes * a->vector_width, sizeof *vectors, &vectors));
    un_rng_fill_normal(rng, vectors, a->attributes * a->vector_width, 0, 1);
    t->semantics[0].vectors = vectors;
    return name_attributes(s, a->attributes);
}

/* Non-negative features with half zeros, as behind a ReLU; stored in the type of the products. */
static un_status make_images(scene *s, const arguments *a, un_dtype dtype, un_rng *rng) {
    size_t row = a->regions * a->width, size = un_dtype_size(dtype);
    unsigned char *values = NULL;
    UN_TRY(un_arena_alloc(&s->arena, a->images * row, size, &values));
    for (size_t i = 0; i < a->images * row; i++) {
        uint32_t bits = un_rng_u32(rng);
        float x = bits & 1u ? (float)(bits >> 8) * 0x1p-24f : 0.0f;
        un_bf16 rounded = un_bf16_from_float(x);
        memcpy(values + i * size, dtype == UN_F32 ? (const void *)&x : &rounded, size);
    }
    s->features = (un_features){.image_count = a->images,
                                .regions = a->regions,
                                .width = a->width,
                                .grid_height = 1,
                                .grid_width = a->regions,
                                .dtype = dtype,
                                .data = values,
                                .row_bytes = row * size};
    UN_TRY(un_arena_alloc(&s->arena, a->images, sizeof *s->labels, &s->labels));
    UN_TRY(un_arena_alloc(&s->arena, a->images, sizeof *s->train.items, &s->train.items));
    for (size_t i = 0; i < a->images; i++) {
        size_t c = (size_t)un_rng_below(rng, a->classes);
        s->labels[i] = (int32_t)(s->classes.seen[c] ? c : c - 1); /* c % 4 == 3 is never 0 */
        s->train.items[s->train.count++] = (int64_t)i;
    }
    s->data = (un_training_data){&s->features, s->labels, &s->train};
    return UNSEEN_OK;
}

typedef struct {
    un_bench_times step; /* or fit */
    double flops, update_ms, images;
    size_t parameters; /* that steps change */
    double score_images_per_s;
    double prepare_ms; /* the pass over the training images before the first step or fit */
} figures;

static un_status measure_prepare(un_method *method, figures *out) {
    double started = un_now();
    UN_TRY(un_method_prepare(method));
    out->prepare_ms = 1e3 * (un_now() - started);
    return UNSEEN_OK;
}

static un_status measure_steps(un_method *method, const arguments *a, figures *out) {
    const un_method_class *class = method->class;
    un_optimizer optimizer;
    un_optimizer_settings settings;
    double losses[UN_MAX_LOSSES], *ms = NULL, update = 0;
    class->learner->optimizer(method, &settings);
    UN_TRY(un_optimizer_create(&optimizer, &settings, &method->params));
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(a->steps, sizeof *ms, &ms));
    UN_GO(measure_prepare(method, out));
    size_t epoch = 0, step = 0;
    for (size_t i = 0; i < a->warmup + a->steps; i++, step++) {
        if (i == class->learner->steps_before(method, epoch + 1)) {
            epoch++;
            step = 0;
        }
        double started = un_now();
        UN_GO(class->learner->step(method, epoch, step, losses));
        double middle = un_now();
        if (class->learner->learning_rate)
            optimizer.settings.lr = class->learner->learning_rate(method, epoch);
        un_optimizer_step(&optimizer, &method->params);
        double ended = un_now();
        if (i < a->warmup) continue;
        ms[i - a->warmup] = 1e3 * (ended - started);
        update += 1e3 * (ended - middle) / (double)a->steps;
        out->flops += class->learner->step_flops(method) / (double)a->steps;
        const int64_t *images = NULL;
        size_t n = 0;
        if (class->learner->plan) UN_GO(class->learner->plan(method, epoch, step, &images, &n));
        out->images += (double)(n ? n : a->images) / (double)a->steps;
    }
    out->step = un_bench_summarise(ms, a->steps);
    out->update_ms = update;
done:
    free(ms);
    un_optimizer_free(&optimizer);
    return status;
}

/* A closed form: the pass over the images and, in the place of steps, the points of its grid. */
static un_status measure_fits(un_method *method, const arguments *a, figures *out) {
    size_t points = method->class->closed_form->points(method);
    double losses[UN_MAX_LOSSES], *ms = NULL;
    if (a->steps < points) points = a->steps;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(points, sizeof *ms, &ms));
    UN_GO(measure_prepare(method, out));
    for (size_t i = 0; i < points; i++) {
        double started = un_now();
        UN_GO(method->class->closed_form->fit(method, i, losses));
        ms[i] = 1e3 * (un_now() - started);
    }
    out->step = un_bench_summarise(ms, points);
    out->images = (double)a->images;
done:
    free(ms);
    return status;
}

static un_status measure_scoring(un_method *method, const scene *s, size_t most, figures *out) {
    size_t n = s->features.image_count < most ? s->features.image_count : most, runs = 5;
    float *rows = NULL, *scores = NULL;
    double best = INFINITY;
    un_status status = UNSEEN_OK;
    UN_GO(method->class->set_classes(method, &s->classes));
    UN_GO(un_alloc(n * s->features.regions * s->features.width, sizeof *rows, &rows));
    UN_GO(un_alloc(n * s->classes.count, sizeof *scores, &scores));
    for (size_t r = 0; r < runs; r++) {
        double started = un_now();
        un_features_gather_f32(&s->features, s->train.items, n, rows);
        UN_GO(method->class->score(method, rows, n, scores));
        double seconds = un_now() - started;
        if (seconds < best) best = seconds;
    }
    out->score_images_per_s = (double)n / best;
done:
    free(rows);
    free(scores);
    return status;
}

static int print(const arguments *a, const figures *f, un_precision precision, const double *probes,
                 size_t batch) {
    double gflops = f->flops / f->step.median / 1e6;
    double pass_ms =
        f->flops > 0 ? f->step.median : f->prepare_ms; /* which takes f->images images */
    double anonymous = (double)un_memory_anonymous_kib() / 1024;
    double rate = probes[precision == UN_PRECISION_BF16];
    double at_probe = f->flops / rate / 1e6; /* ms, had the products run at the probe's rate */
    json_t *result = json_pack(
        "{s:s, s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:s, s:i, s:{s:f, s:f, s:f}, s:f, s:f, s:f, s:f, "
        "s:I, s:f, s:f, s:f, s:{s:f, s:f}}",
        "method", a->method, "shape", "attributes", (json_int_t)a->attributes, "classes",
        (json_int_t)a->classes, "features", (json_int_t)a->width, "regions", (json_int_t)a->regions,
        "batch", (json_int_t)batch, "images", (json_int_t)a->images, "precision",
        un_precision_name(precision), "threads", un_thread_count(), "step_ms", "min", f->step.min,
        "median", f->step.median, "max", f->step.max, "update_ms", f->update_ms,
        "products_at_probe_ms", at_probe, "prepare_ms", f->prepare_ms, "gflops", gflops,
        "parameters", (json_int_t)f->parameters, "images_per_s", f->images / pass_ms * 1e3,
        "score_images_per_s", f->score_images_per_s, "rss_anon_mib", anonymous, "probe_gflops",
        "f32", probes[0], "bf16", probes[1]);
    int code = UN_EXIT_OK;
    if (a->json) code = un_cli_write_json(a->json, result);
    json_decref(result);
    if (code || un_cli_is_standard(a->json)) return code;
    printf("%s, %s, %d threads, A %zu, C %zu, R %zu, F %zu, B %zu\n", a->method,
           un_precision_name(precision), un_thread_count(), a->attributes, a->classes, a->regions,
           a->width, batch);
    if (f->flops > 0) {
        printf("  step      %8.2f ms median (%.2f to %.2f), %.1f steps/s, %.0f images/s\n",
               f->step.median, f->step.min, f->step.max, 1e3 / f->step.median,
               f->images / f->step.median * 1e3);
        printf("  of which  %8.2f ms optimiser, %.2f ms had the products run at the probe's rate "
               "(%.0f %%)\n",
               f->update_ms, at_probe, 100 * at_probe / f->step.median);
        printf("  products  %8.2f GFLOP a step, %.0f GFLOP/s over the whole step\n", f->flops / 1e9,
               gflops);
    } else {
        printf("  images    %8.0f ms for one pass over %zu, %.0f images/s\n", f->prepare_ms,
               a->images, f->images / f->prepare_ms * 1e3);
        printf("  fit       %8.2f ms median of a point of the grid (%.2f to %.2f)\n",
               f->step.median, f->step.min, f->step.max);
    }
    printf("  probe     %8.0f GFLOP/s f32, %.0f bf16 (1024 x 1024 x 1024)\n", probes[0], probes[1]);
    printf("  scoring   %8.0f images/s\n", f->score_images_per_s);
    printf("  memory    %8.0f MiB anonymous, generated features included\n", anonymous);
    return UN_EXIT_OK;
}

/* CUB's, which the default shape is that of; NULL: the method's first. */
static const char *usual_preset(const un_method_class *class) {
    for (const un_preset *p = class->presets; p->name; p++)
        if (!strcmp(p->name, "cub")) return p->name;
    return NULL;
}

static int run(arguments *a) {
    const un_method_class *class = NULL;
    un_method *method = NULL;
    scene s = {0};
    json_t *config = NULL;
    figures f = {0};
    double probes[2] = {0};
    un_precision precision = UN_PRECISION_AUTO;
    un_rng rng = un_rng_stream(a->common.seed, "bench", 0);
    un_status status = UNSEEN_OK;
    int code = UN_EXIT_FAILURE;
    un_cli_files files = {0};
    un_cli_writes(&files, a->json);
    code = un_cli_check_files(&files);
    if (code) goto done;
    code = UN_EXIT_FAILURE;
    UN_GO(un_method_find(a->method, &class));
    UN_GO(un_precision_parse(a->common.precision, &precision));
    precision = un_precision_resolve(precision);
    UN_GO(un_config_create(class, a->preset ? a->preset : usual_preset(class), &config));
    for (size_t i = 0; i < a->set_count; i++) UN_GO(un_config_set(class, config, a->sets[i]));
    if (a->regions == 0) a->regions = class->input == UN_FEATURES_REGIONS ? 196 : 1;
    UN_GO(make_classes(&s, a, &rng));
    UN_GO(make_images(&s, a, un_precision_dtype(precision), &rng));
    const un_method_setup setup = {.classes = &s.classes,
                                   .regions = a->regions,
                                   .width = a->width,
                                   .seed = a->common.seed,
                                   .precision = precision,
                                   .config = config,
                                   .data = &s.data};
    UN_GO(class->create(&setup, &method));
    UN_GO(un_bench_probe(probes));
    UN_GO(class->closed_form ? measure_fits(method, a, &f) : measure_steps(method, a, &f));
    f.parameters = method->params.trained;
    UN_GO(measure_scoring(method, &s, a->scored, &f));
    code = print(a, &f, precision, probes, un_config_integer(config, "batch"));
done:
    if (status) code = un_cli_fail();
    if (method) class->destroy(method);
    json_decref(config);
    un_arena_free(&s.arena);
    return code;
}

static int run_form(size_t form, int argc, char **argv) {
    char program[64];
    snprintf(program, sizeof program, "unseen bench %s", g_forms[form].name);
    argv[0] = program;
    return g_forms[form].run(argc, argv);
}

int un_cmd_bench(int argc, char **argv) {
    const int asked = argc > 1 && !strcmp(argv[1], UN_CLI_NEXT); /* forms or methods: both fit */
    const int pages = argc == 2 && !strcmp(argv[1], UN_CLI_PAGES);
    size_t used = (size_t)snprintf(g_usage, sizeof g_usage, "METHOD");
    for (size_t i = 0; i < FORMS; i++) {
        used += (size_t)snprintf(g_usage + used, sizeof g_usage - used, "\n%s", g_forms[i].name);
        if (pages) run_form(i, argc, (char *[]){NULL, argv[1], NULL});
        if (argc <= 1 + 2 * asked || strcmp(argv[1 + asked], g_forms[i].name) != 0) continue;
        un_cli_next_is_first(argc, argv);
        return run_form(i, argc - 1, argv + 1);
    }
    arguments a = {.attributes = 312,
                   .classes = 200,
                   .width = 2048,
                   .vector_width = 300,
                   .images = 7057,
                   .steps = 50,
                   .warmup = 5,
                   .scored = 256};
    int code = 0;
    if (un_cli_begin(&g_argp, argc, argv, &a, &a.common, &code)) code = run(&a);
    for (size_t i = 0; i < a.owned_count; i++) free(a.owned[i]);
    return code;
}
