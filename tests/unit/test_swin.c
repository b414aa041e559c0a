/*
 * test_swin.c - the Swin transformer against an independent PyTorch reference
 * (tests/reference/make_swin_reference.py): states and all gradients, with maps that
 * windows do not divide, shifted windows and maps smaller than a window; finite
 * differences; bf16; names of other libraries; files that cannot be.
 */
#include "util.h"

#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "tensor/kernels.h"
#include "unit/folder.h"
#include "vision/backbone.h"
#include "vision/transformer/swin.h"

static const char REFERENCE[] = UNSEEN_TEST_DATA "/swin.safetensors";

static const char *weights_path(void) { return in_folder("weights.safetensors"); }

/* ---- against the reference ---- */

typedef struct {
    un_safetensors file;
    un_arena arena;
    un_params params;
    un_swin swin;
    un_swin_pass pass;
    size_t n, S, pixels;
    float *pictures; /* (n, S, S, 3) */
    const float *states;
    size_t count; /* of states */
} scene;

static const float *stored(scene *s, size_t *count, const char *format, const char *name) {
    char whole[UN_NAME_LENGTH];
    float *values = NULL;
    snprintf(whole, sizeof whole, format, name);
    const un_st_entry *entry = un_safetensors_find(&s->file, whole);
    if (!entry) return NULL;
    *count = un_tensor_count(&entry->tensor);
    util_ok(un_arena_alloc(&s->arena, *count, sizeof *values, &values));
    un_st_copy_f32(entry, values);
    return values;
}

static void scene_make(scene *s, un_dtype type, int training, int recompute) {
    un_swin_config config;
    *s = (scene){0};
    util_ok(un_safetensors_open(&s->file, REFERENCE));
    util_ok(un_swin_config_read(&s->file, &config));
    util_ok(un_swin_declare(&s->swin, &s->params, "net.", &config));
    util_ok(un_params_allocate(&s->params, training, type == UN_BF16));
    util_ok(un_swin_load(&s->swin, &s->params, &s->file));
    un_params_refresh(&s->params);
    util_ok(un_swin_pass_create(&s->pass, &s->swin, type, training, recompute));
}

static void scene_free(scene *s) {
    un_swin_pass_free(&s->pass);
    un_swin_free(&s->swin);
    un_params_free(&s->params);
    un_safetensors_close(&s->file);
    un_arena_free(&s->arena);
}

/* From planes of colours (n, 3, S, S) to pixels. */
static void to_pixels(const float *planes, size_t n, size_t S, float *out) {
    for (size_t i = 0; i < 3 * n * S * S; i++)
        out[(i / (3 * S * S) * S * S + i % (S * S)) * 3 + i / (S * S) % 3] = planes[i];
}

static void scene_forward(scene *s, const char *name) {
    char tensor[64];
    snprintf(tensor, sizeof tensor, "in.%s.pixels", name);
    const un_st_entry *entry = un_safetensors_find(&s->file, tensor);
    s->n = entry->tensor.shape[0];
    s->S = entry->tensor.shape[3];
    const float *planes = stored(s, &s->pixels, "%s", tensor);
    util_ok(un_arena_alloc(&s->arena, s->pixels, sizeof *s->pictures, &s->pictures));
    to_pixels(planes, s->n, s->S, s->pictures);
    util_ok(un_swin_forward(&s->pass, &s->params, s->pictures, s->n, s->S, NULL, &s->states));
    size_t grid = 0;
    util_ok(un_swin_grid(&s->swin, s->S, &grid));
    s->count = s->n * (1 + grid * grid) * un_swin_width(&s->swin.config);
}

static double largest(const float *x, size_t n) {
    double size = 0;
    for (size_t i = 0; i < n; i++) size = fmax(size, fabs((double)x[i]));
    return size;
}

static void check_within(const char *what, const float *got, const float *want, size_t n,
                         double allowed) {
    double gap = 0;
    for (size_t i = 0; i < n; i++) {
        gap = fmax(gap, fabs((double)got[i] - (double)want[i]));
        if (!isfinite(got[i])) fail_msg("%s: not finite", what);
    }
    if (gap > allowed)
        fail_msg("%s: off by %.3g of %.3g, allowed %.3g", what, gap, largest(want, n), allowed);
}

/* Largest difference against the largest value. */
static void check(const char *what, const float *got, const float *want, size_t n,
                  double tolerance) {
    check_within(what, got, want, n, tolerance * largest(want, n) + 1e-5 * (tolerance / 2e-4));
}

/* Gradients of keys' biases are 0: a softmax does not change where all scores of a row do. What is
 * found are roundings of sums of the gradients of keys. So are those of the keys' weights, with factors
 * of about 1, for what keys are made of is normalised; but there nothing cancels, so that they are of
 * the terms' size: 2^-20 of it allows 16 roundings. */
static int check_key_bias(scene *s, const char *name, size_t i, const float *want) {
    const char *bias = s->params.item[i].name, *end = strstr(bias, "key.bias");
    if (!end) return 0;
    char tensor[UN_NAME_LENGTH];
    size_t n = 0;
    snprintf(tensor, sizeof tensor, "grad.%s.swin.%.*skey.weight", name, (int)(end - bias) - 4,
             bias + 4);
    const float *weight = stored(s, &n, "%s", tensor);
    assert_non_null(weight);
    check_within(bias, un_param_grad(&s->params, i), want, s->params.item[i].count,
                 0x1p-20 * largest(weight, n));
    return 1;
}

static void check_gradients(scene *s, const char *name, const float *dpictures) {
    char tensor[UN_NAME_LENGTH];
    float *pixels = NULL;
    size_t n = 0, compared = 0;
    for (size_t i = 0; i < s->params.count; i++) {
        snprintf(tensor, sizeof tensor, "grad.%s.swin.%s", name, s->params.item[i].name + 4);
        const float *want = stored(s, &n, "%s", tensor);
        if (!want) continue;
        assert_int_equal(n, s->params.item[i].count);
        if (!check_key_bias(s, name, i, want))
            check(tensor, un_param_grad(&s->params, i), want, n, 2e-4);
        compared++;
    }
    assert_int_equal(compared, strcmp(name, "small") ? s->params.count : 5);
    util_ok(un_arena_alloc(&s->arena, s->pixels, sizeof *pixels, &pixels));
    to_pixels(stored(s, &n, "grad.%s.pixels", name), s->n, s->S, pixels);
    check("grad.pixels", dpictures, pixels, s->pixels, 2e-4);
}

static void check_case(scene *s, const char *name) {
    char tensor[64];
    size_t n = 0;
    float *dpictures = NULL;
    scene_forward(s, name);
    const un_swin_config *c = &s->swin.config;
    for (size_t k = 0; k < c->stages; k++) {
        snprintf(tensor, sizeof tensor, "out.%s.map.%zu", name, k);
        const float *map = stored(s, &n, "%s", tensor);
        assert_int_equal(n, s->pass.map[k].start[1] * (c->width << k));
        check(tensor, s->pass.map[k].x[c->depth[k]], map, n, 2e-5);
    }
    const float *states = stored(s, &n, "out.%s.states", name);
    assert_int_equal(n, s->count);
    check("states", s->states, states, n, 2e-5);
    util_ok(un_arena_alloc(&s->arena, s->pixels, sizeof *dpictures, &dpictures));
    memset(s->params.grad, 0, s->params.total * sizeof(float));
    util_ok(un_swin_backward(&s->pass, stored(s, &n, "in.%s.R", name), dpictures));
    check_gradients(s, name, dpictures);
}

/* One pass takes all cases one after the other: sizes change. Recomputation gives the same. */
static void as_reference(void **state) {
    (void)state;
    static const char *const names[] = {"even", "padded", "small", "even"};
    for (int recompute = 0; recompute < 2; recompute++) {
        scene s;
        scene_make(&s, UN_F32, 1, recompute);
        assert_int_equal(s.swin.config.stages, 3);
        assert_int_equal(s.swin.config.depth[1], 2);
        assert_int_equal(s.swin.config.image, 32);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) check_case(&s, names[i]);
        scene_free(&s);
    }
}

/* The same gradients to the bit, whatever is kept: nothing, the last block, more and more, all. */
static void budgets_do_not_matter(void **state) {
    (void)state;
    scene s[26]; /* budgets of 2^i bytes */
    size_t n = 0, last = 0, steps = 0;
    for (size_t i = 0; i < sizeof s / sizeof *s; i++) {
        size_t kept = 0;
        scene_make(&s[i], UN_F32, 1, 1);
        s[i].pass.budget = (size_t)1 << i;
        scene_forward(&s[i], "padded");
        util_ok(un_swin_backward(&s[i].pass, stored(&s[i], &n, "in.%s.R", "padded"), NULL));
        for (size_t k = 0; k < 3; k++) kept += s[i].pass.map[k].kept;
        assert_true(i == 0 ? kept == 0 : kept >= last);
        steps += kept > last;
        last = kept;
        assert_memory_equal(s[i].params.grad, s[0].params.grad, s[0].params.total * sizeof(float));
        if (i > 0) scene_free(&s[i]);
    }
    for (size_t k = 0; k < 3; k++) last -= s[0].swin.config.depth[k];
    assert_true(last == 0 && steps > 2);
    scene_free(&s[0]);
}

/* Fewer pictures than there is room for; prediction in place, where GELU is part of a product. */
static void batches_do_not_matter(void **state) {
    (void)state;
    scene s, p;
    scene_make(&s, UN_F32, 1, 1);
    scene_make(&p, UN_F32, 0, 0);
    scene_forward(&s, "padded");
    scene_forward(&p, "padded");
    check("in place", p.states, s.states, s.count, 1e-5);
    const float *one = NULL;
    float *second = NULL;
    size_t half = s.count / 2;
    util_ok(un_alloc(half, sizeof *second, &second));
    memcpy(second, s.states + half, half * sizeof *second);
    util_ok(un_swin_forward(&s.pass, &s.params, s.pictures + s.pixels / 2, 1, s.S, NULL, &one));
    check("one picture", one, second, half, 1e-6);
    util_fails(un_swin_backward(&p.pass, p.states, NULL), UNSEEN_E_ARGUMENT, "training");
    util_fails(un_swin_forward(&s.pass, &s.params, s.pictures, 1, 0, NULL, &one), UNSEEN_E_ARGUMENT,
               "pixels");
    free(second);
    scene_free(&s);
    scene_free(&p);
}

/* ---- finite differences ---- */

static double loss_of(scene *s, const char *name, const float *R) {
    double loss = 0;
    scene_forward(s, name);
    for (size_t i = 0; i < s->count; i++) loss += (double)s->states[i] * (double)R[i];
    return loss;
}

/* Along the gradient of every table of biases the loss rises as fast as it is long. */
static void biases_by_differences(void **state) {
    (void)state;
    scene s;
    size_t n = 0;
    scene_make(&s, UN_F32, 1, 1);
    const float *R = stored(&s, &n, "in.%s.R", "padded");
    loss_of(&s, "padded", R);
    util_ok(un_swin_backward(&s.pass, R, NULL));
    for (size_t k = 0; k < s.swin.config.stages; k++)
        for (size_t b = 0; b < s.swin.config.depth[k]; b++) {
            size_t table = s.swin.stage[k].table[b], count = s.params.item[table].count;
            float *value = un_param_value(&s.params, table);
            const float *grad = un_param_grad(&s.params, table);
            double length = sqrt(un_sum_squares(grad, count));
            float step = (float)(0.02 / length);
            un_axpy(step, grad, value, count);
            double up = loss_of(&s, "padded", R);
            un_axpy(-2 * step, grad, value, count);
            double down = loss_of(&s, "padded", R);
            un_axpy(step, grad, value, count);
            /* f32 rounding of the loss, 1e-6 of about 30, over the step; curvature */
            util_near((up - down) / 0.04, length, 1e-2 * length + 2e-3);
        }
    scene_free(&s);
}

/* Stochastic depth: the loss rises along the gradient as fast as that is long, with and without
 * recomputation; another draw leaves out others, and none in the first block. */
static void stochastic_depth(void **state) {
    (void)state;
    const un_dropout_source source = {.path = 0.6f, .seed = 3, .draw = 5};
    const float *states = NULL;
    float first[2] = {0};
    scene s;
    for (int recompute = 0; recompute < 2; recompute++) {
        size_t n = 0;
        double loss[2] = {0};
        scene_make(&s, UN_F32, 1, recompute);
        scene_forward(&s, "padded");
        const float *R = stored(&s, &n, "in.%s.R", "padded");
        util_ok(un_swin_forward(&s.pass, &s.params, s.pictures, s.n, s.S, &source, &states));
        first[recompute] = states[3];
        size_t side = s.pass.map[0].side, count = s.n * side * side * s.swin.config.width;
        float *after = NULL;
        util_ok(un_alloc(count, sizeof *after, &after));
        memcpy(after, s.pass.map[0].x[1], count * sizeof *after);
        util_ok(un_swin_backward(&s.pass, R, NULL));
        double length = sqrt(un_sum_squares(s.params.grad, s.params.total));
        float step = (float)(2e-3 / length);
        for (int k = 0; k < 2; k++) {
            un_axpy(k ? 2 * step : -step, s.params.grad, s.params.value, s.params.total);
            util_ok(un_swin_forward(&s.pass, &s.params, s.pictures, s.n, s.S, &source, &states));
            for (size_t i = 0; i < n; i++) loss[k] += (double)states[i] * (double)R[i];
        }
        util_near((loss[1] - loss[0]) / 4e-3, length, 2e-2 * length);
        un_axpy(-step, s.params.grad, s.params.value, s.params.total);
        scene_forward(&s, "padded");
        assert_true(fabsf(first[recompute] - s.states[3]) > 1e-3f);
        check("first block", s.pass.map[0].x[1], after, count, 1e-5);
        free(after);
        scene_free(&s);
    }
    assert_true(first[0] == first[1]);
    scene_make(&s, UN_F32, 0, 0);
    scene_forward(&s, "padded");
    util_fails(un_swin_forward(&s.pass, &s.params, s.pictures, s.n, s.S, &source, &states),
               UNSEEN_E_ARGUMENT, "training");
    scene_free(&s);
}

/* ---- bf16 ---- */

/* Norm of the difference of two vectors, relative to that of the second. */
static double distance(const float *a, const float *b, size_t n) {
    double gap = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        gap += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)b[i], 2);
    }
    return sqrt(gap / size);
}

/* Rounding to 8 bits is off by at most u = 2^-9 of a number. A block has five products in a row
 * (projection, probabilities and values, output, two of the feed-forward network) with two rounded
 * operands each, and stores three results rounded (q k v, what the heads gathered, what comes
 * before GELU): sqrt(13) u, as independent errors add up. Five blocks, two mergings and the
 * patches follow one another, sqrt(8) times that; softmax and normalisation enlarge an error at
 * most twofold here. The gradient goes through as many products again: twice that. */
static void bf16_is_close(void **state) {
    (void)state;
    static const char *const names[] = {"even", "padded"};
    const double tolerance = 0x1p-9 * sqrt(13) * sqrt(8) * 2;
    for (size_t i = 0; i < 2; i++) {
        scene s;
        size_t n = 0;
        scene_make(&s, UN_BF16, 1, 1);
        scene_forward(&s, names[i]);
        const float *want = stored(&s, &n, "out.%s.states", names[i]);
        util_near(distance(s.states, want, n), 0, tolerance);
        assert_true(distance(s.states, want, n) > 1e-4); /* it was bf16 */
        util_ok(un_swin_backward(&s.pass, stored(&s, &n, "in.%s.R", names[i]), NULL));
        double gap = 0, size = 0;
        for (size_t k = 0; k < s.params.count; k++) {
            char tensor[UN_NAME_LENGTH];
            snprintf(tensor, sizeof tensor, "grad.%s.swin.%s", names[i], s.params.item[k].name + 4);
            const float *grad = stored(&s, &n, "%s", tensor), *got = un_param_grad(&s.params, k);
            for (size_t j = 0; j < n; j++) gap += pow((double)got[j] - (double)grad[j], 2);
            size += un_sum_squares(grad, n);
        }
        util_near(sqrt(gap / size), 0, 2 * tolerance);
        scene_free(&s);
    }
}

/* ---- files ---- */

typedef struct {
    char name[200];
    un_dtype type;
    int rank;
    size_t shape[4];
    const void *data;
} piece;

enum { MAX_PIECES = 160 };
static piece g_pieces[MAX_PIECES];
static size_t g_count;

static void write_pieces(const char *recipe) {
    un_st_writer *writer = NULL;
    util_ok(un_st_writer_open(&writer, weights_path()));
    for (size_t i = 0; i < g_count; i++)
        util_ok(un_st_writer_add(writer, g_pieces[i].name, g_pieces[i].type, g_pieces[i].rank,
                                 g_pieces[i].shape));
    if (recipe) util_ok(un_st_writer_metadata(writer, "preprocess", recipe));
    util_ok(un_st_writer_begin(writer));
    for (size_t i = 0; i < g_count; i++) {
        size_t bytes = un_dtype_size(g_pieces[i].type);
        for (int k = 0; k < g_pieces[i].rank; k++) bytes *= g_pieces[i].shape[k];
        util_ok(un_st_writer_write(writer, i, 0, g_pieces[i].data, bytes));
    }
    util_ok(un_st_writer_commit(writer));
}

/* The reference's weights as a file's tensors, "swin." replaced by `prefix`. */
static void as_pieces(const un_safetensors *file, const char *prefix) {
    g_count = 0;
    for (size_t i = 0; i < file->count; i++) {
        const un_st_entry *entry = &file->entries[i];
        if (strncmp(entry->name, "swin.", 5) != 0) continue;
        assert_true(g_count < MAX_PIECES);
        piece *p = &g_pieces[g_count++];
        *p = (piece){
            .type = entry->tensor.dtype, .rank = entry->tensor.rank, .data = entry->tensor.data};
        snprintf(p->name, sizeof p->name, "%s%s", prefix, entry->name + 5);
        for (int k = 0; k < p->rank; k++) p->shape[k] = entry->tensor.shape[k];
    }
}

static piece *find_piece(const char *part) {
    for (size_t i = 0; i < g_count; i++)
        if (strstr(g_pieces[i].name, part)) return &g_pieces[i];
    fail_msg("no %s", part);
    return NULL;
}

/* Our names into torchvision's; query, key and value become one tensor, in the query's place. */
static void as_torchvision(const un_safetensors *file, un_arena *arena) {
    const swin_naming naming = {UN_SWIN_TORCHVISION, ""};
    as_pieces(file, "");
    size_t kept = 0;
    for (size_t i = 0; i < g_count; i++) {
        piece p = g_pieces[i];
        char name[UN_NAME_LENGTH];
        int third = 0;
        util_ok(un_swin_file_name(&naming, p.name, name, &third));
        size_t count = p.shape[0] * (p.rank > 1 ? p.shape[1] : 1);
        if (third >= 0) {
            size_t at = 0;
            while (at < kept && strcmp(g_pieces[at].name, name) != 0) at++;
            if (at == kept) {
                float *room = NULL;
                util_ok(un_arena_alloc(arena, 3 * count, sizeof *room, &room));
                p.data = room;
                p.shape[0] *= 3;
                snprintf(p.name, sizeof p.name, "%.190s", name);
                const float *from = g_pieces[i].data;
                memcpy(room + (size_t)third * count, from, count * sizeof *room);
                g_pieces[kept++] = p;
            } else {
                float *room = (float *)(uintptr_t)g_pieces[at].data;
                memcpy(room + (size_t)third * count, p.data, count * sizeof *room);
            }
            continue;
        }
        snprintf(p.name, sizeof p.name, "%.190s", name);
        g_pieces[kept++] = p;
    }
    g_count = kept;
}

static void same_features(un_backbone *backbone, const scene *s) {
    enum { N = 9, H = 32 }; /* more pictures than a backbone takes at a time */
    static float pictures[N * 27 * 27 * 3], regions[N * 16 * H], pooled[N * H];
    size_t each = s->pixels / 2, height = 0, width = 0;
    for (size_t i = 0; i < N; i++)
        memcpy(pictures + i * each, s->pictures + i % 2 * each, each * sizeof *pictures);
    util_ok(backbone->class->grid(backbone, 27, &height, &width));
    assert_int_equal(height, 4);
    assert_int_equal(width, 4);
    assert_int_equal(backbone->width, H);
    util_ok(backbone->class->forward(backbone, pictures, N, 27, regions, pooled));
    for (size_t i = 0; i < N; i++) {
        const float *states = s->states + i % 2 * 17 * H;
        check("pooled", pooled + i * H, states, H, 2e-5);
        check("regions", regions + i * 16 * H, states + H, (size_t)16 * H, 2e-5);
    }
    assert_true(backbone->class->flops(backbone, 27) > 1e5);
}

static void opens_files(void **state) {
    (void)state;
    static const char recipe[] = "{\"resize\": 40, \"crop\": 30}";
    scene s;
    scene_make(&s, UN_F32, 0, 0);
    scene_forward(&s, "padded");
    for (int form = 0; form < 3; form++) {
        un_backbone *backbone = NULL;
        if (form == 2)
            as_torchvision(&s.file, &s.arena);
        else
            as_pieces(&s.file, form ? "" : "deit.swin.");
        write_pieces(form == 1 ? recipe : NULL);
        util_ok(un_backbone_open(weights_path(), UN_PRECISION_F32, &backbone));
        assert_string_equal(backbone->class->name, "swin");
        assert_string_equal(backbone->architecture, "swin_8x2-2-1_2_4");
        assert_int_equal(backbone->recipe.crop, form == 1 ? 30 : 32);
        assert_int_equal(backbone->recipe.square, form == 0);
        same_features(backbone, &s);
        un_backbone_close(backbone);
    }
    scene_free(&s);
}

typedef struct {
    const char *piece; /* part of its name */
    int extent;        /* of its shape, -1: another name */
    size_t value;
    un_status status;
    const char *part; /* of the sentence */
} damage;

static const damage g_damages[] = {
    {"0.blocks.0.attention.self.relative_position_bias_table", 0, 48, UNSEEN_E_FORMAT, "no window"},
    {"0.blocks.0.attention.self.relative_position_bias_table", 0, 25, UNSEEN_E_FORMAT,
     "relative_position_index"},
    {"0.blocks.1.attention.self.relative_position_bias_table", 0, 25, UNSEEN_E_FORMAT,
     "does not fit"},
    {"1.blocks.0.attention.self.relative_position_bias_table", 1, 3, UNSEEN_E_FORMAT, "3 heads"},
    {"relative_position_index", 0, 15, UNSEEN_E_FORMAT, "need 256"},
    {"patch_embeddings.projection.weight", 1, 2, UNSEEN_E_FORMAT, "RGB"},
    {"patch_embeddings.projection.weight", 0, 7, UNSEEN_E_FORMAT, "heads"},
    {"patch_embeddings.projection.weight", 0, 4, UNSEEN_E_FORMAT, "does not fit"},
    {"0.blocks.0.intermediate.dense.weight", 0, 12, UNSEEN_E_FORMAT, "does not fit"},
    {"1.blocks.1.attention.self.key.weight", 0, 15, UNSEEN_E_FORMAT, "does not fit"},
    {"0.downsample.reduction.weight", 1, 31, UNSEEN_E_FORMAT, "does not fit"},
    {"0.downsample.norm.bias", 0, 30, UNSEEN_E_FORMAT, "does not fit"},
    {"1.blocks.0.layernorm_before.weight", -1, 0, UNSEEN_E_FORMAT, "layernorm_before"},
    {"1.blocks.1.attention.self.value.bias", -1, 0, UNSEEN_E_FORMAT, "value.bias"},
    {"1.downsample.reduction.weight", -1, 0, UNSEEN_E_FORMAT, "reduction"},
    {"0.blocks.1.attention.self.query.bias", -2, 0, UNSEEN_E_UNSUPPORTED, "version 2"},
    {"embeddings.norm.bias", -3, 0, UNSEEN_E_UNSUPPORTED, "position embeddings"},
};

static void damaged_files_are_refused(void **state) {
    (void)state;
    un_safetensors file;
    util_ok(un_safetensors_open(&file, REFERENCE));
    for (size_t i = 0; i < sizeof g_damages / sizeof *g_damages; i++) {
        const damage *d = &g_damages[i];
        un_backbone *backbone = NULL;
        as_pieces(&file, "swin.");
        piece *p = find_piece(d->piece);
        if (d->extent >= 0)
            p->shape[d->extent] = d->value;
        else
            snprintf(p->name, sizeof p->name, "%s",
                     d->extent == -2   ? "swin.encoder.layers.0.blocks.0.attention.self.logit_scale"
                     : d->extent == -3 ? "swin.embeddings.position_embeddings"
                                       : "something.else");
        write_pieces(NULL);
        util_fails(un_backbone_open(weights_path(), UN_PRECISION_F32, &backbone), d->status,
                   d->part);
        assert_null(backbone);
    }
    un_safetensors_close(&file);
}

/* Shapes by chance: what opens has to work, what does not has a sentence. */
static void random_shapes(void **state) {
    (void)state;
    enum { ROUNDS = 150 };
    un_safetensors file;
    un_rng rng = un_rng_stream(8, "test", 0);
    static float pictures[9 * 9 * 3], pooled[64];
    util_ok(un_safetensors_open(&file, REFERENCE));
    for (size_t r = 0; r < ROUNDS; r++) {
        un_backbone *backbone = NULL;
        as_pieces(&file, "swin.");
        for (size_t k = 0; k <= r % 3; k++) {
            piece *p = &g_pieces[un_rng_below(&rng, g_count)];
            size_t extent = un_rng_below(&rng, (uint64_t)p->rank);
            if (un_rng_below(&rng, 4) == 0)
                p->rank = (int)extent + 1;
            else
                p->shape[extent] = 1 + un_rng_below(&rng, p->shape[extent]);
        }
        write_pieces(NULL);
        if (un_backbone_open(weights_path(), UN_PRECISION_F32, &backbone)) {
            assert_non_null(strstr(un_error(), weights_path()));
            continue;
        }
        assert_true(backbone->width <= 64);
        util_ok(backbone->class->forward(backbone, pictures, 1, 9, NULL, pooled));
        un_backbone_close(backbone);
    }
    un_safetensors_close(&file);
}

/* A start from scratch: another seed, other numbers; sizes that cannot be. */
static void from_scratch(void **state) {
    (void)state;
    un_swin_config config = {.image = 16,
                             .patch = 4,
                             .width = 6,
                             .inner = 12,
                             .stages = 2,
                             .depth = {1, 2},
                             .heads = {2, 3},
                             .window = {2, 2},
                             .eps = 1e-5f};
    float first[2] = {0};
    for (uint64_t seed = 0; seed < 2; seed++) {
        un_params params = {0};
        un_swin swin;
        util_ok(un_swin_declare(&swin, &params, "", &config));
        util_ok(un_params_allocate(&params, 0, 0));
        un_swin_initialize(&swin, &params, seed);
        first[seed] = un_param_value(&params, swin.stage[1].table[1])[4];
        assert_true(un_param_value(&params, swin.stage[0].norm.weight)[3] == 1);
        un_swin_free(&swin);
        un_params_free(&params);
    }
    assert_true(first[0] != first[1] && fabsf(first[0]) < 0.2f);
    util_ok(un_swin_config_check(&config, UNSEEN_E_FORMAT, "here"));
    config.heads[1] = 5;
    util_fails(un_swin_config_check(&config, UNSEEN_E_FORMAT, "here"), UNSEEN_E_FORMAT,
               "here: stage 1");
    config.heads[1] = 3;
    config.window[0] = 0;
    util_fails(un_swin_config_check(&config, UNSEEN_E_FORMAT, "here"), UNSEEN_E_FORMAT, "windows");
    config.stages = 9;
    util_fails(un_swin_config_check(&config, UNSEEN_E_FORMAT, "here"), UNSEEN_E_FORMAT, "stages");
}

int main(void) {
    util_skip_other_way();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_reference),          cmocka_unit_test(budgets_do_not_matter),
        cmocka_unit_test(batches_do_not_matter), cmocka_unit_test(biases_by_differences),
        cmocka_unit_test(stochastic_depth),      cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(opens_files),           cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(random_shapes),         cmocka_unit_test(from_scratch),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
