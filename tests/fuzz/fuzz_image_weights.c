/*
 * fuzz_image_weights.c - weights of DUET's image side: sizes are read from the file, the network
 * is made and filled, and a picture becomes tokens.
 */
#include "fuzz.h"

#include "method/duet/network.h"
#include "weights.h"

enum { S = 32, MOST_TOKENS = 4096 };

static void look(const duet_image *image, const un_params *params) {
    duet_image_pass *pass = NULL;
    const float *tokens = NULL;
    static float picture[S * S * 3];
    if (image->tokens > MOST_TOKENS ||
        !fuzz_taken(image->class->pass_create(image, UN_F32, 0, &pass)))
        return;
    if (fuzz_taken(image->class->forward(pass, params, picture, 1, NULL, &tokens)))
        fuzz_touch(tokens, image->tokens * image->width * sizeof *tokens);
    image->class->pass_free(pass);
}

static int use(const un_safetensors *file, int swin) {
    duet_pixels_config config = {.size = S, .width = 4, .frozen = 1, .labels = 3};
    un_params params = {0};
    duet_image *image = NULL;
    un_status status =
        swin ? un_swin_config_read(file, &config.swin) : un_vit_config_read(file, &config.vit);
    for (int c = 0; c < 3; c++) config.deviation[c] = 1;
    int taken = fuzz_taken(status) && fuzz_taken(un_duet_pixels_create(&image, &params, &config));
    if (taken) {
        taken = fuzz_taken(un_params_allocate(&params, 0, 0));
        if (taken) image->class->initialize(image, &params, 1);
        taken = taken && fuzz_taken(un_duet_pixels_load(image, &params, file));
        if (taken) look(image, &params);
        image->class->destroy(image);
    }
    un_params_free(&params);
    return taken;
}

int fuzz_run_image_weights(const uint8_t *data, size_t size) {
    un_safetensors file;
    if (!fuzz_taken(un_safetensors_open(&file, fuzz_file("w.safetensors", data, size)))) return 0;
    int taken = use(&file, un_swin_recognize(&file));
    un_safetensors_close(&file);
    return taken;
}

/* As published: "deit.deit.…" with a classifier beside it is what models hold; files of weights
 * have the bare network. */
static void seed(const char *name, int swin) {
    duet_pixels_config config = {
        .size = S,
        .width = 4,
        .vit = {S, 16, 4, 1, 8, 1, 0, 1e-12f, UN_VIT_HUGGING_FACE},
    };
    un_params params = {0};
    un_vit vit = {0};
    un_swin shifted = {0};
    if (swin)
        FUZZ_REQUIRE(un_swin_declare(&shifted, &params, "", &fuzz_swin) == UNSEEN_OK);
    else
        FUZZ_REQUIRE(un_vit_declare(&vit, &params, "", &config.vit) == UNSEEN_OK);
    fuzz_seed_params(name, &params, swin ? "swin." : "", swin ? NULL : "heads", "1");
    un_vit_free(&vit);
    un_swin_free(&shifted);
    un_params_free(&params);
}

void fuzz_seed_image_weights(void) {
    seed("vit", 0);
    seed("swin", 1);
    fuzz_seed_file("bad_features", fuzz_test_data("v0.1/maps/features/maps.safetensors"));
}
