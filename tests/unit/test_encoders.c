/*
 * test_encoders.c - the vision transformer and BERT beyond the reference data: other
 * picture sizes, names of other libraries, ragged batches, bf16, and refusals.
 */
#include "util.h"

#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "tensor/kernels.h"
#include "text/bert.h"
#include "unit/folder.h"
#include "vision/backbone.h"
#include "vision/transformer/vit.h"

static const char *weights_path(void) { return in_folder("weights.safetensors"); }

/* ---- positions ---- */

/* torch.nn.functional.interpolate(mode='bicubic', align_corners=False) of (i i) mod 7 on 3 x 3. */
static void positions_as_torch(void **state) {
    (void)state;
    static const float base[] = {50, 0, 1, 4, 2, 2, 4, 1, 0, 1}; /* one leading token */
    static const float five[] = {
        -0.297215909f, 0.010337022f, 0.904000401f,  2.877664328f, 4.297216892f,
        0.782336473f,  0.920144856f, 1.532000065f,  3.223855495f, 4.473663807f,
        2.000000238f,  1.856000423f, 2.000000238f,  3.224000454f, 4.192000389f,
        1.597664118f,  1.171855927f, 0.848000228f,  1.604144812f, 2.290336847f,
        1.009216428f,  0.413664013f, -0.191999868f, 0.282336473f, 0.798784494f};
    static const float two[] = {0.572738647f, 3.497573853f, 1.071792603f, 1.381332397f};
    float out[26];
    un_vit_positions(base, 3, 1, 1, 5, out);
    assert_true(out[0] == 50);
    for (size_t i = 0; i < 25; i++) util_near((double)out[i + 1], (double)five[i], 2e-6);
    un_vit_positions(base, 3, 1, 1, 2, out);
    for (size_t i = 0; i < 4; i++) util_near((double)out[i + 1], (double)two[i], 2e-6);
    un_vit_positions(base, 3, 1, 1, 3, out);
    assert_memory_equal(out, base, sizeof base);
}

static void positions_backward_is_the_transpose(void **state) {
    (void)state;
    enum { W = 3, BASE = 4, GRID = 7, LEADING = 2 };
    float x[(LEADING + BASE * BASE) * W], dx[(LEADING + BASE * BASE) * W] = {0};
    float y[(LEADING + GRID * GRID) * W], dy[(LEADING + GRID * GRID) * W];
    double left = 0, right = 0;
    un_rng rng = un_rng_stream(1, "test", 0);
    un_rng_fill_normal(&rng, x, sizeof x / sizeof *x, 0, 1);
    un_rng_fill_normal(&rng, dy, sizeof dy / sizeof *dy, 0, 1);
    un_vit_positions(x, BASE, LEADING, W, GRID, y);
    un_vit_positions_backward(dy, BASE, LEADING, W, GRID, dx);
    for (size_t i = 0; i < sizeof y / sizeof *y; i++) left += (double)y[i] * (double)dy[i];
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) right += (double)x[i] * (double)dx[i];
    util_near(left, right, 1e-4);
}

/* ---- vision transformer ---- */

typedef struct {
    un_params params;
    un_vit vit;
    un_vit_pass pass;
} network;

static const un_vit_config g_config = {.image = 12,
                                       .patch = 4,
                                       .width = 32,
                                       .heads = 4,
                                       .inner = 40,
                                       .layers = 2,
                                       .eps = 1e-6f,
                                       .family = UN_VIT_TORCHVISION};

static void network_make(network *n, const un_vit_config *config, un_dtype type, int training,
                         int recompute) {
    *n = (network){0};
    util_ok(un_vit_declare(&n->vit, &n->params, "net.", config));
    util_ok(un_params_allocate(&n->params, training, type == UN_BF16));
    un_vit_initialize(&n->vit, &n->params, 1);
    un_rng rng = un_rng_stream(2, "test", 0); /* not as small as a start from scratch */
    for (size_t i = 0; i < n->params.total; i++)
        n->params.value[i] += (float)(0.1 * un_rng_normal(&rng));
    un_params_refresh(&n->params);
    util_ok(un_vit_pass_create(&n->pass, &n->vit, type, training, recompute));
}

static void network_free(network *n) {
    un_vit_pass_free(&n->pass);
    un_vit_free(&n->vit);
    un_params_free(&n->params);
}

static void pictures_make(float *pictures, size_t n) {
    un_rng rng = un_rng_stream(3, "test", 0);
    un_rng_fill_normal(&rng, pictures, n, 0, 1);
}

/* At another size than the network was made for: finite differences of the positions and the
 * pictures, with and without recomputation. */
static void another_picture_size(void **state) {
    (void)state;
    enum { N = 2, S = 20, PIXELS = N * S * S * 3, COUNT = N * 26 * 32 };
    static float pictures[PIXELS], dpictures[PIXELS], R[COUNT], direction[PIXELS];
    un_rng rng = un_rng_stream(4, "test", 0);
    pictures_make(pictures, PIXELS);
    un_rng_fill_normal(&rng, R, COUNT, 0, 1);
    un_rng_fill_normal(&rng, direction, PIXELS, 0, 1);
    network n;
    network_make(&n, &g_config, UN_F32, 1, 1);
    const float *states = NULL;
    double slope = 0, size = 0, loss[4] = {0};
    util_ok(un_vit_forward(&n.pass, &n.params, pictures, N, S, NULL, &states));
    util_ok(un_vit_backward(&n.pass, R, dpictures));
    for (size_t i = 0; i < PIXELS; i++) {
        slope += (double)dpictures[i] * (double)direction[i];
        size += pow((double)dpictures[i], 2);
    }
    float *positions = un_param_value(&n.params, n.vit.positions);
    double at_position = (double)un_param_grad(&n.params, n.vit.positions)[4 * 32 + 5];
    for (int k = 0; k < 4; k++) {
        float step = k % 2 ? 2e-3f : -2e-3f;
        if (k < 2)
            un_axpy(step, direction, pictures, PIXELS);
        else
            positions[4 * 32 + 5] += step;
        util_ok(un_vit_forward(&n.pass, &n.params, pictures, N, S, NULL, &states));
        for (size_t i = 0; i < COUNT; i++) loss[k] += (double)states[i] * (double)R[i];
        if (k < 2)
            un_axpy(-step, direction, pictures, PIXELS);
        else
            positions[4 * 32 + 5] -= step;
    }
    util_near((loss[1] - loss[0]) / 4e-3, slope, 1e-2 * sqrt(size));
    util_near((loss[3] - loss[2]) / 4e-3, at_position, 1e-2 * (1 + fabs(at_position)));
    util_fails(un_vit_forward(&n.pass, &n.params, pictures, N, 18, NULL, &states),
               UNSEEN_E_ARGUMENT, "multiple");
    network_free(&n);
}

static void bf16_is_close(void **state) {
    (void)state;
    enum { N = 3, S = 12, COUNT = N * 10 * 32 };
    static float pictures[N * S * S * 3], expected[COUNT];
    pictures_make(pictures, N * S * S * 3);
    for (int bf16 = 0; bf16 < 2; bf16++) {
        network n;
        const float *states = NULL;
        double gap = 0, size = 0;
        network_make(&n, &g_config, bf16 ? UN_BF16 : UN_F32, 0, 0);
        util_ok(un_vit_forward(&n.pass, &n.params, pictures, N, S, NULL, &states));
        for (size_t i = 0; i < COUNT; i++) {
            gap += pow((double)(states[i] - expected[i]), 2);
            size += pow((double)states[i], 2);
        }
        if (bf16)
            util_near(sqrt(gap / size), 0, 0.02); /* 8 bits, a few roundings deep */
        else
            memcpy(expected, states, sizeof expected);
        util_fails(un_vit_backward(&n.pass, states, NULL), UNSEEN_E_ARGUMENT, "training");
        network_free(&n);
    }
}

/* ---- files ---- */

typedef struct {
    char name[200];
    int rank;
    size_t shape[4];
    const float *data;
} piece;

static void write_pieces(const piece *pieces, size_t n, const char *heads) {
    un_st_writer *writer = NULL;
    util_ok(un_st_writer_open(&writer, weights_path()));
    for (size_t i = 0; i < n; i++)
        util_ok(un_st_writer_add(writer, pieces[i].name, UN_F32, pieces[i].rank, pieces[i].shape));
    if (heads) util_ok(un_st_writer_metadata(writer, "heads", heads));
    util_ok(un_st_writer_begin(writer));
    for (size_t i = 0; i < n; i++) {
        size_t bytes = sizeof(float);
        for (int k = 0; k < pieces[i].rank; k++) bytes *= pieces[i].shape[k];
        util_ok(un_st_writer_write(writer, i, 0, pieces[i].data, bytes));
    }
    util_ok(un_st_writer_commit(writer));
}

enum { MAX_PIECES = 128 };
static piece g_pieces[MAX_PIECES];

/* The parameters as a file's tensors, with another prefix. */
static size_t as_pieces(const un_params *params, size_t skip, const char *prefix) {
    assert_true(params->count <= MAX_PIECES);
    for (size_t i = 0; i < params->count; i++) {
        const un_param *item = &params->item[i];
        piece *p = &g_pieces[i];
        *p = (piece){.rank = item->rank, .data = un_param_value(params, i)};
        snprintf(p->name, sizeof p->name, "%s%s", prefix, item->name + skip);
        for (int k = 0; k < item->rank; k++) p->shape[k] = item->shape[k];
    }
    return params->count;
}

static void opens(un_backbone **out, un_status status, const char *part) {
    un_safetensors file;
    util_ok(un_safetensors_open(&file, weights_path()));
    if (status == UNSEEN_OK)
        util_ok(un_vit_open(&file, UN_PRECISION_F32, out));
    else
        util_fails(un_vit_open(&file, UN_PRECISION_F32, out), status, part);
    un_safetensors_close(&file);
}

static void same_states(un_backbone *backbone, const float *pictures, const float *states) {
    enum { N = 18, H = 32 };
    static float regions[N * 9 * H], pooled[N * H];
    util_ok(backbone->class->forward(backbone, pictures, N, 12, regions, pooled));
    for (size_t i = 0; i < N; i++)
        for (size_t t = 0; t < 10; t++)
            for (size_t k = 0; k < H; k++) {
                float got = t == 0 ? pooled[i * H + k] : regions[(i * 9 + t - 1) * H + k];
                util_near((double)got, (double)states[(i * 10 + t) * H + k], 2e-5);
            }
    size_t height = 0, width = 0;
    util_ok(backbone->class->grid(backbone, 20, &height, &width));
    assert_int_equal(height * width, 25);
    assert_int_equal(backbone->width, H);
}

/* Translates our names into torchvision's, joining query, key and value. */
static size_t as_torchvision(const network *n, int older, float *joined) {
    static const char *const block[][3] = {
        {"attention.output.dense", "self_attention.out_proj", "self_attention.out_proj"},
        {"layernorm_before", "ln_1", "ln_1"},
        {"layernorm_after", "ln_2", "ln_2"},
        {"intermediate.dense", "mlp.0", "mlp.linear_1"},
        {"output.dense", "mlp.3", "mlp.linear_2"}};
    static const char *const others[][2] = {
        {"embeddings.cls_token", "class_token"},
        {"embeddings.position_embeddings", "encoder.pos_embedding"},
        {"embeddings.patch_embeddings.projection", "conv_proj"},
        {"layernorm", "encoder.ln"}};
    size_t count = 0, H = n->vit.config.width;
    for (size_t i = 0; i < n->params.count; i++) {
        const un_param *item = &n->params.item[i];
        const char *name = item->name + 4, *layer = strstr(name, "encoder.layer.");
        const char *tail = strstr(name, ".bias")     ? ".bias"
                           : strstr(name, ".weight") ? ".weight"
                                                     : "";
        piece *p = &g_pieces[count++];
        *p = (piece){.rank = item->rank, .data = un_param_value(&n->params, i)};
        for (int k = 0; k < item->rank; k++) p->shape[k] = item->shape[k];
        for (size_t k = 0; !layer && k < 4; k++)
            if (!strncmp(name, others[k][0], strlen(others[k][0])))
                snprintf(p->name, sizeof p->name, "%s%s", others[k][1], tail);
        if (!layer) continue;
        int number = layer[14] - '0', bias = tail[1] == 'b';
        const char *rest = layer + 16;
        for (size_t k = 0; k < 5; k++)
            if (!strncmp(rest, block[k][0], strlen(block[k][0])))
                snprintf(p->name, sizeof p->name, "encoder.layers.encoder_layer_%d.%s%s", number,
                         block[k][older ? 2 : 1], tail);
        if (strncmp(rest, "attention.attention.", 20) != 0) continue;
        count--; /* three pieces become one, written when the third is met */
        size_t third = rest[20] == 'q' ? 0 : rest[20] == 'k' ? 1 : 2, size = item->count;
        float *room = joined + (size_t)(2 * number + bias) * 3 * H * H;
        memcpy(room + third * size, un_param_value(&n->params, i), size * sizeof(float));
        if (third < 2) continue;
        p = &g_pieces[count++];
        *p = (piece){.rank = bias ? 1 : 2, .shape = {3 * H, H}, .data = room};
        snprintf(p->name, sizeof p->name, "encoder.layers.encoder_layer_%d.self_attention.%s",
                 number, bias ? "in_proj_bias" : "in_proj_weight");
    }
    return count;
}

static void reads_other_names(void **state) {
    (void)state;
    enum { N = 18, S = 12 }; /* more pictures than a backbone takes at a time */
    static float pictures[N * S * S * 3], joined[4 * 3 * 32 * 32];
    pictures_make(pictures, N * S * S * 3);
    for (int form = 0; form < 4; form++) {
        network n;
        un_backbone *backbone = NULL;
        un_vit_config config = g_config;
        config.eps = form < 2 ? 1e-6f : 1e-12f;
        network_make(&n, &config, UN_F32, 0, 0);
        const float *states = NULL;
        util_ok(un_vit_forward(&n.pass, &n.params, pictures, N, S, NULL, &states));
        size_t count = form < 2 ? as_torchvision(&n, form, joined)
                                : as_pieces(&n.params, 4, form == 2 ? "vit." : "");
        write_pieces(g_pieces, count, "4");
        opens(&backbone, UNSEEN_OK, NULL);
        same_states(backbone, pictures, states);
        assert_string_equal(backbone->architecture, "vit_32x2_4");
        assert_int_equal(backbone->recipe.square, form >= 2);
        assert_int_equal(backbone->recipe.crop, 12);
        backbone->class->destroy(backbone);
        network_free(&n);
    }
}

static void damaged_files_are_refused(void **state) {
    (void)state;
    network n;
    un_backbone *backbone = NULL;
    network_make(&n, &g_config, UN_F32, 0, 0);
    size_t count = as_pieces(&n.params, 4, "vit.");
    write_pieces(g_pieces, count, "5");
    opens(&backbone, UNSEEN_E_FORMAT, "heads");
    write_pieces(g_pieces, count, NULL); /* 32 / 64 heads are none */
    opens(&backbone, UNSEEN_E_FORMAT, "heads");
    write_pieces(g_pieces, count - 1, "4"); /* without layernorm.bias */
    opens(&backbone, UNSEEN_E_FORMAT, "layernorm.bias");
    write_pieces(g_pieces + 1, count - 1, "4");
    opens(&backbone, UNSEEN_E_FORMAT, "class token");
    g_pieces[1].shape[1] = 9; /* eight patches */
    write_pieces(g_pieces, count, "4");
    opens(&backbone, UNSEEN_E_FORMAT, "square");
    g_pieces[1].shape[1] = 10;
    g_pieces[2].shape[1] = 2; /* channels */
    write_pieces(g_pieces, count, "4");
    opens(&backbone, UNSEEN_E_FORMAT, "RGB");
    g_pieces[2].shape[1] = 3;
    for (size_t i = 4; i < count; i++) {
        if (!strstr(g_pieces[i].name, "layer.1.attention.attention.key.weight")) continue;
        g_pieces[i].shape[0] = 31;
        write_pieces(g_pieces, count, "4");
        opens(&backbone, UNSEEN_E_FORMAT, "(31, 32)");
    }
    network_free(&n);
}

/* ---- BERT ---- */

typedef struct {
    un_params params;
    un_bert bert;
    un_bert_pass pass;
} text_network;

static const un_bert_config g_bert = {.vocabulary = 30,
                                      .positions = 8,
                                      .types = 2,
                                      .width = 24,
                                      .heads = 3,
                                      .inner = 20,
                                      .layers = 2,
                                      .eps = 1e-12f};

static void text_make(text_network *t, int recompute) {
    *t = (text_network){0};
    util_ok(un_bert_declare(&t->bert, &t->params, "bert.", &g_bert));
    util_ok(un_params_allocate(&t->params, 1, 0));
    un_bert_initialize(&t->bert, &t->params, 3);
    un_rng rng = un_rng_stream(5, "test", 0);
    for (size_t i = 0; i < t->params.total; i++)
        t->params.value[i] += (float)(0.2 * un_rng_normal(&rng));
    util_ok(un_bert_pass_create(&t->pass, &t->bert, UN_F32, 1, recompute));
}

static void text_free(text_network *t) {
    un_bert_pass_free(&t->pass);
    un_bert_free(&t->bert);
    un_params_free(&t->params);
}

/* A ragged batch and a padded, masked one have the same states and gradients where there is text.
 */
static void ragged_is_padded_without_padding(void **state) {
    (void)state;
    enum { N = 3, L = 7, H = 24 };
    static const size_t lengths[N] = {7, 3, 5};
    int64_t ids[N * L], padded[N * L];
    float mask[N * L], R[N * L * H], padded_R[N * L * H] = {0}, expected[N * L * H];
    un_arena arena = {0};
    un_bert_batch ragged = {.ids = ids}, whole = {.ids = padded, .key_mask = mask};
    util_ok(un_sequences_ragged(&arena, N, lengths, &ragged.sequences));
    util_ok(un_sequences_equal(&arena, N, L, &whole.sequences));
    un_rng rng = un_rng_stream(6, "test", 0);
    un_rng_fill_normal(&rng, R, N * L * H, 0, 1);
    for (size_t s = 0, r = 0; s < N; s++)
        for (size_t i = 0; i < L; i++) {
            int there = i < lengths[s];
            mask[s * L + i] = there ? 0 : -10000;
            padded[s * L + i] = there ? (int64_t)(1 + (s * 11 + i * 5) % 29) : 0;
            if (!there) continue;
            memcpy(padded_R + (s * L + i) * H, R + r * H, H * sizeof *R);
            ids[r++] = padded[s * L + i];
        }
    text_network t[2];
    const float *states = NULL;
    for (int k = 0; k < 2; k++) text_make(&t[k], k);
    util_ok(un_bert_forward(&t[0].pass, &t[0].params, &ragged, NULL, &states));
    memcpy(expected, states, 15 * H * sizeof *states);
    util_ok(un_bert_backward(&t[0].pass, R));
    util_ok(un_bert_forward(&t[1].pass, &t[1].params, &whole, NULL, &states));
    util_ok(un_bert_backward(&t[1].pass, padded_R));
    for (size_t s = 0, r = 0; s < N; s++)
        for (size_t i = 0; i < lengths[s]; i++, r++)
            for (size_t c = 0; c < H; c++)
                util_near((double)states[(s * L + i) * H + c], (double)expected[r * H + c], 2e-5);
    for (size_t i = 0; i < t[0].params.total; i++)
        util_near((double)t[1].params.grad[i], (double)t[0].params.grad[i],
                  1e-4 * (1 + fabs((double)t[0].params.grad[i])));
    ids[2] = 30;
    util_fails(un_bert_forward(&t[0].pass, &t[0].params, &ragged, NULL, &states), UNSEEN_E_ARGUMENT,
               "vocabulary");
    const size_t nine[N] = {9, 1, 1};
    ids[2] = 3;
    util_ok(un_sequences_ragged(&arena, N, nine, &ragged.sequences));
    util_fails(un_bert_forward(&t[0].pass, &t[0].params, &ragged, NULL, &states), UNSEEN_E_ARGUMENT,
               "8 positions");
    un_arena_free(&arena);
    text_free(&t[0]);
    text_free(&t[1]);
}

/* The first release's names of LayerNorm's parameters. */
static void reads_gamma_and_beta(void **state) {
    (void)state;
    text_network t, again;
    un_safetensors file;
    un_bert_config config;
    text_make(&t, 0);
    size_t count = as_pieces(&t.params, 5, "cls.bert.");
    for (size_t i = 0; i < count; i++) {
        char *norm = strstr(g_pieces[i].name, "LayerNorm.");
        if (norm) strcpy(norm + 10, norm[10] == 'w' ? "gamma" : "beta");
    }
    write_pieces(g_pieces, count, "3");
    util_ok(un_safetensors_open(&file, weights_path()));
    util_ok(un_bert_config_read(&file, &config));
    assert_memory_equal(&config, &g_bert, sizeof config);
    text_make(&again, 0);
    memset(again.params.value, 0, again.params.total * sizeof(float));
    util_ok(un_bert_load(&again.bert, &again.params, &file));
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(un_param_value(&again.params, i), un_param_value(&t.params, i),
                            t.params.item[i].count * sizeof(float));
    un_safetensors_close(&file);
    text_free(&t);
    text_free(&again);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(positions_as_torch),
        cmocka_unit_test(positions_backward_is_the_transpose),
        cmocka_unit_test(another_picture_size),
        cmocka_unit_test(bf16_is_close),
        cmocka_unit_test(reads_other_names),
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(ragged_is_padded_without_padding),
        cmocka_unit_test(reads_gamma_and_beta),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
