/*
 * fuzz_image.c - a picture: pixels, or a sentence that names the file; then through a network's
 * recipe.
 */
#include "fuzz.h"

#include <vips/vips.h>

#include "vision/image/image.h"
#include "vision/image/recipe.h"

static const char NAME[] = "input";

static void crop(const un_image *image) {
    un_recipe recipe;
    un_image small;
    un_crop_box box;
    un_recipe_default(&recipe);
    un_recipe_rescale(&recipe, 8);
    if (!fuzz_taken(un_recipe_crop(&recipe, image, &small, &box))) return;
    FUZZ_REQUIRE(small.width == 8 && small.height == 8);
    fuzz_touch(small.pixels, (size_t)8 * 8 * 3);
    un_image_free(&small);
}

int fuzz_run_image(const uint8_t *data, size_t size) {
    /* Small pictures are decoded faster and find as much. */
    const un_image_options options = {.orient = 1, .max_pixels = (size_t)1 << 20};
    un_image image;
    if (!fuzz_taken(un_image_decode(data, size, NAME, &options, &image))) {
        FUZZ_REQUIRE(strncmp(un_error(), NAME, sizeof NAME - 1) == 0 && !image.pixels);
        return 0;
    }
    FUZZ_REQUIRE(image.width * image.height <= options.max_pixels);
    fuzz_touch(image.pixels, image.width * image.height * 3);
    crop(&image);
    un_image_free(&image);
    return 1;
}

static void seed_bmp(const char *name, unsigned bits, size_t palette, int32_t height) {
    unsigned char bytes[FUZZ_BMP_ROOM];
    fuzz_seed(name, bytes, fuzz_make_bmp(bytes, bits, palette, height));
}

/* 8 x 6 pixels as each format, made with libvips as users' programs make them. */
static void seed_vips(void) {
    static const char *const endings[] = {".png", ".webp", ".tif", ".gif"};
    unsigned char pixels[8 * 6 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (unsigned char)(i * 53);
    VipsImage *image =
        vips_image_new_from_memory_copy(pixels, sizeof pixels, 8, 6, 3, VIPS_FORMAT_UCHAR);
    FUZZ_REQUIRE(image);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        void *bytes = NULL;
        size_t size = 0;
        if (vips_image_write_to_buffer(image, endings[i], &bytes, &size, NULL) == 0)
            fuzz_seed(endings[i] + 1, bytes, size);
        else
            vips_error_clear(); /* this libvips was built without the format's writer */
        g_free(bytes);
    }
    g_object_unref(image);
}

void fuzz_seed_image(void) {
    unsigned char *jpeg = NULL;
    size_t size = 0;
    un_image image;
    seed_bmp("bmp_24", 24, 0, 3);
    seed_bmp("bmp_top_down", 24, 0, -3);
    seed_bmp("bmp_palette", 8, 4, 3);
    seed_bmp("bmp_16", 16, 0, 3);
    seed_bmp("bmp_32", 32, 0, 3);
    FUZZ_REQUIRE(un_image_create(16, 8, &image) == UNSEEN_OK);
    for (size_t i = 0; i < (size_t)16 * 8 * 3; i++) image.pixels[i] = (unsigned char)(i * 37);
    FUZZ_REQUIRE(un_image_jpeg(&image, 80, &jpeg, &size) == UNSEEN_OK);
    fuzz_seed("jpeg", jpeg, size);
    fuzz_seed("bad_jpeg_cut", jpeg, size / 2);
    free(jpeg);
    un_image_free(&image);
    seed_vips();
    fuzz_seed_text("bad_text", "<!DOCTYPE html><html>not found</html>");
    fuzz_seed_text("bad_empty", "");
}
