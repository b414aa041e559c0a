/* recipe.c - how a picture becomes a network's input; see recipe.h. */
#include "vision/image/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

enum { MAX_SIDE = 4096 };

static const char *const g_interpolations[] = {
    [UN_BILINEAR] = "bilinear", [UN_BICUBIC] = "bicubic"};
enum { INTERPOLATION_COUNT = sizeof g_interpolations / sizeof *g_interpolations };

void un_recipe_default(un_recipe *out) {
    *out = (un_recipe){.resize = 256,
                       .crop = 224,
                       .interpolation = UN_BILINEAR,
                       .mean = {0.485F, 0.456F, 0.406F},
                       .std = {0.229F, 0.224F, 0.225F}};
}

static un_status wrong(const char *where, const char *key, const char *expected) {
    return un_fail(UNSEEN_E_FORMAT, "%s: preprocessing: \"%s\" must be %s", where, key, expected);
}

static un_status read_side(const json_t *value, const char *where, const char *key, size_t *out) {
    json_int_t side = json_integer_value(value); /* 0 if it is none */
    if (side < 1 || side > MAX_SIDE)
        return wrong(where, key, "a whole number of pixels from 1 to 4096");
    *out = (size_t)side;
    return UNSEEN_OK;
}

static un_status read_three(const json_t *value, const char *where, const char *key, double low,
                            float out[3]) {
    int good = json_array_size(value) == 3;
    for (size_t c = 0; c < 3 && good; c++) {
        const json_t *number = json_array_get(value, c);
        double x = json_number_value(number);
        good = json_is_number(number) && x > low && fabs(x) < 1e6;
        out[c] = (float)x;
        good = good && (double)out[c] > low; /* not rounded to 0 */
    }
    return good ? UNSEEN_OK
                : wrong(where, key, low < 0 ? "three numbers" : "three numbers above 0");
}

static un_status read_interpolation(const json_t *value, const char *where, un_interpolation *out) {
    const char *name = json_string_value(value);
    for (size_t i = 0; name && i < INTERPOLATION_COUNT; i++) {
        if (strcmp(name, g_interpolations[i]) != 0) continue;
        *out = (un_interpolation)i;
        return UNSEEN_OK;
    }
    return wrong(where, "interpolation", "\"bilinear\" or \"bicubic\"");
}

static un_status read_orientation(const json_t *value, const char *where, un_orientation *out) {
    const char *name = json_string_value(value);
    if (!name || un_orientation_parse(name, out))
        return wrong(where, "orientation", "\"exif\" or \"stored\"");
    return UNSEEN_OK;
}

static un_status read_key(const char *key, const json_t *value, const char *where, un_recipe *out) {
    if (!strcmp(key, "resize")) return read_side(value, where, key, &out->resize);
    if (!strcmp(key, "crop")) return read_side(value, where, key, &out->crop);
    if (!strcmp(key, "interpolation")) return read_interpolation(value, where, &out->interpolation);
    if (!strcmp(key, "mean")) return read_three(value, where, key, -1e6, out->mean);
    if (!strcmp(key, "std")) return read_three(value, where, key, 0, out->std);
    if (!strcmp(key, "orientation")) return read_orientation(value, where, &out->orientation);
    if (!strcmp(key, "square")) {
        if (!json_is_boolean(value)) return wrong(where, key, "true or false");
        out->square = json_is_true(value);
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_FORMAT,
                   "%s: preprocessing: unknown key \"%s\" (resize, square, crop, interpolation, "
                   "mean, std and orientation are known)",
                   where, key);
}

un_status un_recipe_parse(const char *text, const char *where, un_recipe *out) {
    un_status status = UNSEEN_OK;
    json_t *root = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    un_recipe_default(out);
    UN_TRY(un_json_parse(text, strlen(text), where, &root));
    if (!json_is_object(root))
        UN_GO(un_fail(UNSEEN_E_FORMAT, "%s: preprocessing must be a JSON object", where));
    json_object_foreach(root, key, value) UN_GO(read_key(key, value, where, out));
    /* A file may name only one of the two sizes. */
    if (!json_object_get(root, "resize") && out->resize < out->crop) out->resize = out->crop;
    if (!json_object_get(root, "crop") && out->crop > out->resize) out->crop = out->resize;
    if (out->crop > out->resize)
        status = un_fail(UNSEEN_E_FORMAT,
                         "%s: preprocessing: \"crop\" %zu is larger than \"resize\" %zu", where,
                         out->crop, out->resize);
done:
    json_decref(root);
    return status;
}

/* The shortest decimal that reads back as the same float: 0.485, not 0.48500001430511475. */
static json_t *short_real(float x) {
    char text[32];
    double value = (double)x;
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)x);
        value = strtod(text, NULL);
        if ((float)value == x) break;
    }
    return json_real(value);
}

json_t *un_recipe_json(const un_recipe *r) {
    json_t *json = json_pack(
        "{s:I, s:b, s:I, s:s, s:[ooo], s:[ooo]}", "resize", (json_int_t)r->resize, "square",
        r->square, "crop", (json_int_t)r->crop, "interpolation", g_interpolations[r->interpolation],
        "mean", short_real(r->mean[0]), short_real(r->mean[1]), short_real(r->mean[2]), "std",
        short_real(r->std[0]), short_real(r->std[1]), short_real(r->std[2]));
    /* Only what differs: recipes of before stay the same text. */
    if (json && r->orientation == UN_ORIENTATION_EXIF)
        un_json_put(&json, "orientation", json_string(un_orientation_name(r->orientation)));
    return json;
}

void un_recipe_rescale(un_recipe *recipe, size_t size) {
    if (size == recipe->crop) return;
    recipe->resize = size;
    recipe->crop = size;
}

/* int(resize * long / short), computed in doubles as Python does. */
static size_t long_side(size_t resize, size_t longer, size_t shorter) {
    return (size_t)((double)(resize * longer) / (double)shorter);
}

/* round((size - crop) / 2), halves to even. */
static size_t offset(size_t size, size_t crop) {
    size_t gap = size - crop;
    return gap / 2 + (gap % 2 && gap / 2 % 2);
}

/* The size that a picture is brought to, and where its crop begins. */
typedef struct {
    size_t width, height, x, y;
} placement;

static placement place(const un_recipe *recipe, size_t width, size_t height) {
    placement p = {.width = recipe->resize, .height = recipe->resize};
    if (!recipe->square && width > height)
        p.width = long_side(recipe->resize, width, height);
    else if (!recipe->square)
        p.height = long_side(recipe->resize, height, width);
    p.x = offset(p.width, recipe->crop);
    p.y = offset(p.height, recipe->crop);
    return p;
}

void un_recipe_box(const un_recipe *recipe, size_t width, size_t height, un_crop_box *box) {
    placement p = place(recipe, width, height);
    double across = (double)width / (double)p.width;
    double down = (double)height / (double)p.height;
    *box = (un_crop_box){(double)p.x * across, (double)p.y * down, (double)recipe->crop * across,
                         (double)recipe->crop * down};
}

un_status un_recipe_crop(const un_recipe *recipe, const un_image *image, un_image *out,
                         un_crop_box *box) {
    *out = (un_image){0};
    /* cppcheck-suppress ctunullpointer; callers without a picture read a file instead */
    if (!image->pixels) return un_fail(UNSEEN_E_ARGUMENT, "an empty picture cannot be cropped");
    placement p = place(recipe, image->width, image->height);
    UN_TRY(un_image_resize_part(image, p.width, p.height, recipe->interpolation, p.x, p.y,
                                recipe->crop, recipe->crop, out));
    if (box) un_recipe_box(recipe, image->width, image->height, box);
    return UNSEEN_OK;
}

void un_recipe_normalize(const un_recipe *recipe, const un_image *crop, float *out) {
    float table[3][256];
    size_t count = crop->width * crop->height;
    for (size_t c = 0; c < 3; c++)
        for (size_t v = 0; v < 256; v++)
            table[c][v] = ((float)v / 255.0F - recipe->mean[c]) / recipe->std[c];
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < 3; c++) out[3 * i + c] = table[c][crop->pixels[3 * i + c]];
}
