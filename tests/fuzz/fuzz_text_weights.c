/*
 * fuzz_text_weights.c - weights of a BERT: sizes are read from the file, the encoder is made and
 * filled, and a text goes through it.
 */
#include "fuzz.h"

#include "text/bert.h"
#include "weights.h"

enum { LENGTH = 3 };

static void encode(const un_bert *bert, const un_params *params) {
    const size_t start[2] = {0, LENGTH};
    const int64_t ids[LENGTH] = {0, 1, 1};
    un_bert_pass pass;
    const float *states = NULL;
    const un_bert_batch batch = {.sequences = {.count = 1, .start = start}, .ids = ids};
    if (bert->config.vocabulary < 2 || bert->config.positions < LENGTH) return;
    if (!fuzz_taken(un_bert_pass_create(&pass, bert, UN_F32, 0, 0))) return;
    if (fuzz_taken(un_bert_forward(&pass, params, &batch, NULL, &states)))
        fuzz_touch(states, LENGTH * bert->config.width * sizeof *states);
    un_bert_pass_free(&pass);
}

static int use(const un_safetensors *file) {
    un_bert_config config;
    un_bert bert = {0};
    un_params params = {0};
    int taken = fuzz_taken(un_bert_config_read(file, &config)) &&
                fuzz_taken(un_bert_declare(&bert, &params, "", &config)) &&
                fuzz_taken(un_params_allocate(&params, 0, 0)) &&
                fuzz_taken(un_bert_load(&bert, &params, file));
    if (taken) encode(&bert, &params);
    un_bert_free(&bert);
    un_params_free(&params);
    return taken;
}

int fuzz_run_text_weights(const uint8_t *data, size_t size) {
    un_safetensors file;
    if (!fuzz_taken(un_safetensors_open(&file, fuzz_file("w.safetensors", data, size)))) return 0;
    int taken = use(&file);
    un_safetensors_close(&file);
    return taken;
}

/* `inner` is what one shape claims; nothing is in that tensor if it is not 8. */
static void seed(const char *name, size_t layers, const char *prefix, size_t inner) {
    const un_bert_config config = {.vocabulary = 8,
                                   .positions = 4,
                                   .types = 2,
                                   .width = 4,
                                   .heads = 2,
                                   .inner = 8,
                                   .layers = layers,
                                   .eps = 1e-12f};
    un_bert bert = {0};
    un_params params = {0};
    FUZZ_REQUIRE(un_bert_declare(&bert, &params, "", &config) == UNSEEN_OK);
    for (size_t i = 0; i < params.count && inner != config.inner; i++) {
        un_param *p = &params.item[i];
        if (!strstr(p->name, ".intermediate.dense.weight")) continue;
        p->shape[0] = inner;
        p->shape[1] = 0;
    }
    fuzz_seed_params(name, &params, prefix, "heads", "2");
    un_bert_free(&bert);
    un_params_free(&params);
}

void fuzz_seed_text_weights(void) {
    seed("one_layer", 1, "", 8);
    seed("bad_huge", 1, "", (size_t)1 << 40);
    seed("two_layers", 2, "bert.", 8);
    fuzz_seed_file("bad_features", fuzz_test_data("v0.1/maps/features/maps.safetensors"));
}
