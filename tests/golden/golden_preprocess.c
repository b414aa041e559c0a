/*
 * golden_preprocess.c - golden data of kind "preprocess": decoding, resizing, cropping and
 * normalising of the pictures in the folder "images" beside the file.
 *
 * <name>.decoded_sample is every 7th row and 5th column of the decoded picture. It is compared
 * by itself, so that a different decoder and a wrong resampler can be told apart: decoding may
 * differ by 2 levels and 0.5 on average, and where it does not, crops must be equal bit by bit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"
#include "vision/image/recipe.h"

enum { NAME_LENGTH = 256, PATH_LENGTH = 4096, ROW_STEP = 7, COLUMN_STEP = 5 };
static const double MEAN_TOLERANCE = 0.5, LEVEL_TOLERANCE = 2;
static const char SIZE_SUFFIX[] = ".size_wh", TURNED_SUFFIX[] = ".exif_transposed";

/* Largest and mean difference of bytes; prints them. */
static void compare_bytes(golden *g, const char *label, const unsigned char *values,
                          const unsigned char *reference, size_t n, int exact) {
    double sum = 0, worst = 0;
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = abs(values[i] - reference[i]);
        sum += difference;
        wrong += difference > 0;
        if (difference > worst) worst = difference;
    }
    int ok = exact ? wrong == 0 : worst <= LEVEL_TOLERANCE && sum / (double)n < MEAN_TOLERANCE;
    printf("  %-44s max %3.0f  mean %.4f  %zu of %zu differ  %s\n", label, worst, sum / (double)n,
           wrong, n, ok ? "ok" : "OUT OF TOLERANCE");
    g->compared++;
    if (!ok) g->out++;
}

/* The file images/<name>.jpg or .png beside the golden file. */
static un_status find_picture(const golden *g, const char *name, char path[PATH_LENGTH]) {
    static const char *const endings[] = {"jpg", "png"};
    char *folder = NULL;
    UN_TRY(un_path_directory(g->file->path, &folder));
    int found = 0;
    for (size_t i = 0; i < 2 && !found; i++) {
        snprintf(path, PATH_LENGTH, "%s/images/%s.%s", folder, name, endings[i]);
        found = un_path_exists(path);
    }
    free(folder);
    return found ? UNSEEN_OK
                 : un_fail(UNSEEN_E_IO, "%s: there is no picture %s", g->file->path, path);
}

/* The decoded picture against its size, sample and mean; *equal: the sample is the same. */
static un_status check_decoded(golden *g, const char *name, const un_image *image, int *equal) {
    char label[NAME_LENGTH];
    int64_t *size = NULL;
    const un_st_entry *entry = NULL;
    snprintf(label, sizeof label, "%s.size_wh", name);
    UN_TRY(golden_i64(g, label, 2, &size));
    if (image->width != (size_t)size[0] || image->height != (size_t)size[1])
        return un_fail(UNSEEN_E_FORMAT, "%s is %zu x %zu pixels, expected %lld x %lld", name,
                       image->width, image->height, (long long)size[0], (long long)size[1]);
    snprintf(label, sizeof label, "%s.decoded_sample", name);
    UN_TRY(un_safetensors_require(g->file, label, 3, &entry));
    size_t rows = (image->height + ROW_STEP - 1) / ROW_STEP;
    size_t columns = (image->width + COLUMN_STEP - 1) / COLUMN_STEP;
    unsigned char *sample = NULL;
    if (entry->bytes != rows * columns * 3)
        return un_fail(UNSEEN_E_FORMAT, "%s: %s has the wrong shape", g->file->path, label);
    UN_TRY(un_arena_alloc(&g->arena, rows * columns, 3, &sample));
    for (size_t y = 0; y < rows; y++)
        for (size_t x = 0; x < columns; x++)
            memcpy(sample + (y * columns + x) * 3,
                   image->pixels + (y * ROW_STEP * image->width + x * COLUMN_STEP) * 3, 3);
    *equal = !memcmp(sample, entry->tensor.data, entry->bytes);
    compare_bytes(g, label, sample, entry->tensor.data, entry->bytes, 0);

    double *reference = NULL;
    double mean[3] = {0};
    size_t count = image->width * image->height;
    snprintf(label, sizeof label, "%s.decoded_mean", name);
    UN_TRY(golden_f64(g, label, 3, &reference));
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++) mean[c] += image->pixels[3 * i + c];
    for (size_t c = 0; c < 3; c++) mean[c] /= (double)count;
    golden_compare(g, label, mean, reference, 3, *equal ? 1e-12 : MEAN_TOLERANCE / 255);
    return UNSEEN_OK;
}

/* (3, S, S) normalised, against ours, channels last: the same float operations. */
static un_status check_normalized(golden *g, const char *label, const un_recipe *recipe,
                                  const un_image *crop) {
    size_t count = recipe->crop * recipe->crop;
    float *ours = NULL, *turned = NULL;
    if (!un_safetensors_find(g->file, label)) return UNSEEN_OK;
    UN_TRY(un_arena_alloc(&g->arena, count, 3 * sizeof *ours, &ours));
    UN_TRY(un_arena_alloc(&g->arena, count, 3 * sizeof *turned, &turned));
    un_recipe_normalize(recipe, crop, ours);
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++) turned[c * count + i] = ours[3 * i + c];
    return golden_compare_f32(g, label, turned, 3 * count, 1e-7);
}

/* Every crop of this picture that the file has. */
static un_status check_crops(golden *g, const char *name, const un_image *image, int exact) {
    static const struct {
        const char *suffix;
        size_t resize, crop;
        int square;
        un_interpolation interpolation;
    } kinds[] = {{"r256_c224", 256, 224, 0, UN_BILINEAR},
                 {"r448_c448", 448, 448, 0, UN_BILINEAR},
                 {"bicubic224", 224, 224, 1, UN_BICUBIC},
                 {"deit_b256_c224", 256, 224, 1, UN_BICUBIC}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char label[NAME_LENGTH], normalized[NAME_LENGTH + 16];
        const un_st_entry *entry = NULL;
        un_recipe recipe;
        un_image crop;
        snprintf(label, sizeof label, "%s.%s", name, kinds[k].suffix);
        if (!un_safetensors_find(g->file, label)) continue;
        UN_TRY(un_safetensors_require(g->file, label, 3, &entry));
        un_recipe_default(&recipe);
        recipe.resize = kinds[k].resize;
        recipe.crop = kinds[k].crop;
        recipe.square = kinds[k].square;
        recipe.interpolation = kinds[k].interpolation;
        if (entry->bytes != recipe.crop * recipe.crop * 3)
            return un_fail(UNSEEN_E_FORMAT, "%s: %s has the wrong shape", g->file->path, label);
        UN_TRY(un_recipe_crop(&recipe, image, &crop, NULL));
        compare_bytes(g, label, crop.pixels, entry->tensor.data, entry->bytes, exact);
        snprintf(normalized, sizeof normalized, "%s.normalized", label);
        un_status status = check_normalized(g, normalized, &recipe, &crop);
        un_image_free(&crop);
        UN_TRY(status);
    }
    return UNSEEN_OK;
}

/* The picture as a viewer shows it. */
static un_status check_turned(golden *g, const char *name, const char *path, int exact) {
    char label[NAME_LENGTH + 32];
    const un_image_options options = {.orient = 1};
    int64_t *size = NULL;
    un_image image;
    snprintf(label, sizeof label, "%s%s%s", name, TURNED_SUFFIX, SIZE_SUFFIX);
    if (!un_safetensors_find(g->file, label)) return UNSEEN_OK;
    UN_TRY(golden_i64(g, label, 2, &size));
    UN_TRY(un_image_read(path, &options, &image));
    const int64_t ours[2] = {(int64_t)image.width, (int64_t)image.height};
    un_status status = golden_compare_i64(g, label, ours, 2);
    snprintf(label, sizeof label, "%s%s", name, TURNED_SUFFIX);
    if (!status) status = check_crops(g, label, &image, exact);
    un_image_free(&image);
    return status;
}

static un_status check_picture(golden *g, const char *name) {
    char path[PATH_LENGTH];
    un_image image;
    int equal = 0;
    UN_TRY(find_picture(g, name, path));
    UN_TRY(un_image_read(path, NULL, &image));
    un_status status = check_decoded(g, name, &image, &equal);
    if (!status) status = check_crops(g, name, &image, equal);
    un_image_free(&image);
    if (!status) status = check_turned(g, name, path, equal);
    return status;
}

un_status golden_check_preprocess(golden *g) {
    for (size_t i = 0; i < g->file->count; i++) {
        char name[NAME_LENGTH];
        snprintf(name, sizeof name, "%s", g->file->entries[i].name);
        size_t length = strlen(name), cut = sizeof SIZE_SUFFIX - 1;
        if (length <= cut || strcmp(name + length - cut, SIZE_SUFFIX) != 0) continue;
        name[length - cut] = 0;
        if (!strstr(name, TURNED_SUFFIX)) UN_TRY(check_picture(g, name));
    }
    return UNSEEN_OK;
}
