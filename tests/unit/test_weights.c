/*
 * test_weights.c - transformers' weights files: what lies in one and has no place in the network
 * is refused by name, heads and buffers are not, and wrappers' prefixes do no harm. Convolutional
 * networks: test_backbone.c.
 */
#include "unit/util.h"

#include <malloc.h>
#include <unistd.h>

#include "nn/naming.h"
#include "text/bert.h"
#include "vision/backbone.h"
#include "vision/transformer/swin.h"
#include "vision/transformer/vit.h"

static const char *g_path = "test_weights.safetensors";
static const un_vit_config g_vit = {
    .image = 16, .patch = 4, .width = 32, .heads = 2, .inner = 24, .layers = 2, .eps = 1e-12f};
static const un_swin_config g_swin = {.image = 32,
                                      .patch = 2,
                                      .width = 8,
                                      .inner = 16,
                                      .stages = 2,
                                      .depth = {1, 1},
                                      .heads = {2, 2},
                                      .window = {4, 4},
                                      .eps = 1e-5f};
static const un_bert_config g_bert = {.vocabulary = 20,
                                      .positions = 16,
                                      .types = 2,
                                      .width = 32,
                                      .heads = 2,
                                      .inner = 24,
                                      .layers = 2,
                                      .eps = 1e-12f};

/* The parameters as a file, their names behind `prefix`, and one small tensor called `extra`. */
static void write_file(const un_params *params, const char *prefix, const char *extra) {
    static const float values[4];
    const size_t four = 4;
    char name[UN_NAME_LENGTH];
    un_st_writer *writer = NULL;
    util_ok(un_st_writer_open(&writer, g_path));
    for (size_t i = 0; i < params->count; i++) {
        util_ok(un_name(name, "%s%s", prefix, params->item[i].name));
        util_ok(
            un_st_writer_add(writer, name, UN_F32, params->item[i].rank, params->item[i].shape));
    }
    if (extra) util_ok(un_st_writer_add(writer, extra, UN_F32, 1, &four));
    util_ok(un_st_writer_metadata(writer, "heads", "2"));
    util_ok(un_st_writer_begin(writer));
    for (size_t i = 0; i < params->count; i++)
        util_ok(un_st_writer_write(writer, i, 0, un_param_value(params, i),
                                   params->item[i].count * sizeof(float)));
    if (extra) util_ok(un_st_writer_write(writer, params->count, 0, values, sizeof values));
    util_ok(un_st_writer_commit(writer));
}

static un_status open_backbone(void) {
    un_backbone *backbone = NULL;
    un_status status = un_backbone_open(g_path, UN_PRECISION_F32, &backbone);
    un_backbone_close(backbone);
    unlink(g_path);
    return status;
}

/* What may lie beside a network, and what may not; "%s" stands for the network's prefix. */
static void check_backbone(const un_params *params, const char *inside) {
    static const char *const prefixes[] = {"", "vit.", "module.vit.", "model.backbone."};
    static const char *const harmless[] = {"%sclassifier.weight", "%spooler.dense.weight",
                                           "%sembeddings.mask_token", "decoder.0.weight"};
    char name[UN_NAME_LENGTH];
    for (size_t p = 0; p < sizeof prefixes / sizeof *prefixes; p++) {
        for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++) {
            snprintf(name, sizeof name, harmless[i], prefixes[p]);
            write_file(params, prefixes[p], name);
            util_ok(open_backbone());
        }
        snprintf(name, sizeof name, "%s%s", prefixes[p], inside);
        write_file(params, prefixes[p], name);
        util_fails(open_backbone(), UNSEEN_E_UNSUPPORTED, name);
        write_file(params, prefixes[p], "adapter.down.weight");
        util_fails(open_backbone(), UNSEEN_E_UNSUPPORTED, "1 of its tensors, \"adapter.down");
    }
}

static void test_vit(void **state) {
    (void)state;
    un_params params = {0};
    un_vit vit;
    util_ok(un_vit_declare(&vit, &params, "", &g_vit));
    util_ok(un_params_allocate(&params, 0, 0));
    un_vit_initialize(&vit, &params, 1);
    check_backbone(&params, "encoder.layer.1.layer_scale1.lambda1");
    un_vit_free(&vit);
    un_params_free(&params);
}

static void test_swin(void **state) {
    (void)state;
    un_params params = {0};
    un_swin swin;
    util_ok(un_swin_declare(&swin, &params, "", &g_swin));
    util_ok(un_params_allocate(&params, 0, 0));
    un_swin_initialize(&swin, &params, 1);
    check_backbone(&params, "encoder.layers.1.blocks.0.se.fc1.weight");
    un_swin_free(&swin);
    un_params_free(&params);
}

/* Bytes that the program has of malloc, and has not given back; 0 where that is another one. */
static size_t bytes_held(void) {
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* What a backbone of the file holds after it took two pictures. */
static size_t bytes_of_backbone(un_precision precision, size_t size) {
    un_backbone *backbone = NULL;
    float *pictures = NULL, pooled[2 * 512];
    size_t before = bytes_held();
    util_ok(un_backbone_open(g_path, precision, &backbone));
    assert_true(2 * backbone->width <= sizeof pooled / sizeof *pooled);
    util_ok(un_alloc(2 * size * size * 3, sizeof *pictures, &pictures));
    util_ok(backbone->class->forward(backbone, pictures, 2, size, NULL, pooled));
    free(pictures);
    size_t held = bytes_held() - before;
    un_backbone_close(backbone);
    return held;
}

/* bf16 is half of f32, and kept once: a backbone whose weights outweigh its activations holds less in
 * bf16, by nearly that half. */
static void check_memory(const un_params *params, size_t size) {
    write_file(params, "", NULL);
    size_t held[2] = {0};
    for (int again = 0; again < 2; again++) { /* the first time others fill their caches, too */
        held[0] = bytes_of_backbone(UN_PRECISION_F32, size);
        held[1] = bytes_of_backbone(UN_PRECISION_BF16, size);
    }
    unlink(g_path);
    if (bytes_held() == 0) {
        print_message("this malloc does not tell what it gave\n"); /* a sanitizer's */
        return;
    }
    assert_in_range(held[0], params->total * sizeof(float), SIZE_MAX);
    assert_in_range(held[1], params->total * sizeof(un_bf16),
                    held[0] - params->total * sizeof(un_bf16) * 9 / 10);
}

static void vit_holds_less_in_bf16(void **state) {
    (void)state;
    un_params params = {0};
    un_vit vit;
    un_vit_config config = g_vit;
    config.width = 256;
    config.inner = 512;
    util_ok(un_vit_declare(&vit, &params, "", &config));
    util_ok(un_params_allocate(&params, 0, 0));
    un_vit_initialize(&vit, &params, 1);
    check_memory(&params, config.image);
    un_vit_free(&vit);
    un_params_free(&params);
}

static void swin_holds_less_in_bf16(void **state) {
    (void)state;
    un_params params = {0};
    un_swin swin;
    un_swin_config config = g_swin;
    config.width = 128;
    config.inner = 256;
    config.patch = 4;
    config.window[0] = config.window[1] = 4;
    util_ok(un_swin_declare(&swin, &params, "", &config));
    util_ok(un_params_allocate(&params, 0, 0));
    un_swin_initialize(&swin, &params, 1);
    check_memory(&params, config.image);
    un_swin_free(&swin);
    un_params_free(&params);
}

/* DUET's text side; it may be a part of a whole model. */
static un_status load_bert(const char *prefix, const char *extra, int part) {
    un_params params = {0};
    un_bert bert;
    un_safetensors file;
    un_bert_config config;
    util_ok(un_bert_declare(&bert, &params, "", &g_bert));
    util_ok(un_params_allocate(&params, 0, 0));
    un_bert_initialize(&bert, &params, 1);
    write_file(&params, prefix, extra);
    util_ok(un_safetensors_open(&file, g_path));
    un_status status = un_bert_config_read(&file, &config);
    if (!status) status = un_bert_load(&bert, &params, &file);
    if (!status) status = un_weights_check_taken(&file, "BERT", part);
    un_safetensors_close(&file);
    un_bert_free(&bert);
    un_params_free(&params);
    unlink(g_path);
    return status;
}

static void test_bert(void **state) {
    (void)state;
    for (int part = 0; part < 2; part++) {
        util_ok(load_bert("", NULL, part));
        util_ok(load_bert("module.bert.", "module.cls.predictions.bias", part));
        util_ok(load_bert("bert.", "bert.pooler.dense.bias", part));
        util_ok(load_bert("bert.", "bert.embeddings.position_ids", part));
        util_fails(
            load_bert("bert.", "bert.encoder.layer.0.crossattention.self.query.weight", part),
            UNSEEN_E_UNSUPPORTED, "bert.encoder.layer.0.crossattention");
        util_fails(load_bert("", "encoder.rel_embeddings.weight", part), UNSEEN_E_UNSUPPORTED,
                   "encoder.rel_embeddings");
    }
    util_ok(load_bert("bert.", "xlayer.0.weight", 1));
    util_fails(load_bert("bert.", "xlayer.0.weight", 0), UNSEEN_E_UNSUPPORTED, "xlayer.0.weight");
    util_fails(load_bert("roberta.", NULL, 1), UNSEEN_E_UNSUPPORTED, "a RoBERTa");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_vit), cmocka_unit_test(test_swin),
                                       cmocka_unit_test(vit_holds_less_in_bf16),
                                       cmocka_unit_test(swin_holds_less_in_bf16),
                                       cmocka_unit_test(test_bert)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
