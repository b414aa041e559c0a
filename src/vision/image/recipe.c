/* recipe.c - how a picture becomes a network's input (recipe.h), and resizing (image.h). */
#include "vision/image/recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "vision/image/image.h"

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

un_status un_recipe_rescale(un_recipe *recipe, size_t size) {
    if (size == recipe->crop) return UNSEEN_OK;
    if (size < 1 || size > MAX_SIDE)
        return un_fail(UNSEEN_E_ARGUMENT, "an image size is 1 to %d pixels, not %zu", (int)MAX_SIDE,
                       size);
    recipe->resize = size;
    recipe->crop = size;
    return UNSEEN_OK;
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

/* ---- resizing as PIL does it, bit for bit; see image.h for the rule.
 *
 * Weights are the same for all rows (or columns), so they are computed once for each output
 * position. The horizontal pass walks a row pixel by pixel, its three channels in one vector;
 * the vertical pass adds whole weighted rows. All arithmetic is integer: which instructions
 * the processor has changes the speed, never a bit. ---- */

enum { FRACTION_BITS = 22, HALF = 1 << (FRACTION_BITS - 1), LARGEST_SIDE = 1 << 24 };

/* Weights along one axis for output positions first .. first + count - 1. */
typedef struct {
    size_t count, stride; /* of positions; of weights from one position to the next */
    size_t *from, *taps;  /* [count] first input position and number of taps */
    int32_t *weight;      /* [count, stride] */
    size_t low, high;     /* input positions that are used: low <= i < high */
} axis;

typedef int32_t four_i32 __attribute__((vector_size(16)));
typedef unsigned char four_u8 __attribute__((vector_size(4)));

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

/* Keys's cubic convolution with a = -0.5. */
static double cubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static void axis_free(axis *a) {
    free(a->from);
    free(a->taps);
    free(a->weight);
}

/* The weights of one output position. */
static void fill_position(axis *a, size_t i, double centre, double support, double widening,
                          size_t in, un_interpolation interpolation, double *values) {
    double low = centre - support + 0.5, high = centre + support + 0.5, sum = 0;
    size_t from = low < 0 ? 0 : (size_t)low;
    size_t to = high > (double)in ? in : (size_t)high;
    size_t taps = to - from;
    double inverse = 1 / widening;
    for (size_t k = 0; k < taps; k++) {
        double x = ((double)(from + k) - centre + 0.5) * inverse;
        values[k] = interpolation == UN_BICUBIC ? cubic(x) : triangle(x);
        sum += values[k];
    }
    a->from[i] = from;
    a->taps[i] = taps;
    for (size_t k = 0; k < taps; k++) {
        double w = (sum != 0 ? values[k] / sum : values[k]) * (1 << FRACTION_BITS);
        a->weight[i * a->stride + k] = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
    }
    if (i == 0 || from < a->low) a->low = from;
    if (to > a->high) a->high = to;
}

/* Weights that bring `in` positions to `out`, for the part first .. first + count - 1. What it
 * got is released by the caller, on failure too. */
static un_status axis_make(axis *a, size_t in, size_t out, size_t first, size_t count,
                           un_interpolation interpolation) {
    un_status status = UNSEEN_OK;
    double *values = NULL;
    double scale = (double)in / (double)out;
    double widening = scale < 1 ? 1 : scale;
    double support = (interpolation == UN_BICUBIC ? 2 : 1) * widening;
    *a = (axis){.count = count, .stride = (size_t)ceil(support) * 2 + 1};
    UN_GO(un_alloc(count, sizeof *a->from, &a->from));
    UN_GO(un_alloc(count, sizeof *a->taps, &a->taps));
    UN_GO(un_alloc(count, a->stride * sizeof *a->weight, &a->weight));
    UN_GO(un_alloc(a->stride, sizeof *values, &values));
    for (size_t i = 0; i < count; i++)
        fill_position(a, i, ((double)(first + i) + 0.5) * scale, support, widening, in,
                      interpolation, values);
done:
    free(values);
    return status;
}

static inline unsigned char to_byte(int32_t sum) {
    int32_t value = sum >> FRACTION_BITS;
    return (unsigned char)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row; reads one byte behind its last pixel. */
static inline __attribute__((always_inline)) void row_body(const axis *a, const unsigned char *in,
                                                           unsigned char *out) {
    for (size_t i = 0; i < a->count; i++, out += 3) {
        const unsigned char *pixel = in + a->from[i] * 3;
        const int32_t *weight = a->weight + i * a->stride;
        four_i32 sum = {HALF, HALF, HALF, 0};
        for (size_t k = 0; k < a->taps[i]; k++, pixel += 3) {
            four_u8 bytes;
            memcpy(&bytes, pixel, sizeof bytes);
            sum += __builtin_convertvector(bytes, four_i32) * weight[k];
        }
        for (int c = 0; c < 3; c++) out[c] = to_byte(sum[c]);
    }
}

/* sum[n] becomes the weighted sum of rows, then bytes; `rows` starts at the first tap. */
static inline __attribute__((always_inline)) void column_body(const int32_t *weight, size_t taps,
                                                              const unsigned char *rows,
                                                              size_t row_bytes, size_t n,
                                                              int32_t *sum, unsigned char *out) {
    for (size_t i = 0; i < n; i++) sum[i] = HALF + weight[0] * rows[i];
    for (size_t k = 1; k < taps; k++) {
        const unsigned char *row = rows + k * row_bytes;
        for (size_t i = 0; i < n; i++) sum[i] += weight[k] * row[i];
    }
    for (size_t i = 0; i < n; i++) out[i] = to_byte(sum[i]);
}

static void row_plain(const axis *a, const unsigned char *in, unsigned char *out) {
    row_body(a, in, out);
}

static void column_plain(const int32_t *weight, size_t taps, const unsigned char *rows,
                         size_t row_bytes, size_t n, int32_t *sum, unsigned char *out) {
    column_body(weight, taps, rows, row_bytes, n, sum, out);
}

#if defined(__x86_64__)
/* Baseline x86-64 has no 32-bit multiplication of vectors. */
__attribute__((target("avx2"))) static void row_avx2(const axis *a, const unsigned char *in,
                                                     unsigned char *out) {
    row_body(a, in, out);
}

__attribute__((target("avx2"))) static void column_avx2(const int32_t *weight, size_t taps,
                                                        const unsigned char *rows, size_t row_bytes,
                                                        size_t n, int32_t *sum,
                                                        unsigned char *out) {
    column_body(weight, taps, rows, row_bytes, n, sum, out);
}

static int has_avx2(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") != 0;
}
#else
#define row_avx2 row_plain
#define column_avx2 column_plain
static int has_avx2(void) { return 0; }
#endif

/* Rows a->low .. of `image` that the vertical pass wants, to `count` columns each. */
static un_status horizontal(const un_image *image, const axis *a, size_t first, size_t rows,
                            unsigned char *out) {
    unsigned char *last = NULL;
    size_t bytes = image->width * 3;
    void (*row)(const axis *, const unsigned char *, unsigned char *) =
        has_avx2() ? row_avx2 : row_plain;
    UN_TRY(un_alloc(bytes + 1, 1, &last));
    for (size_t y = first; y < first + rows; y++, out += a->count * 3) {
        const unsigned char *in = image->pixels + y * bytes;
        if (y + 1 == image->height) in = memcpy(last, in, bytes); /* has a byte behind it */
        row(a, in, out);
    }
    free(last);
    return UNSEEN_OK;
}

/* rows: the input's rows from a->low on, n bytes each. */
static un_status vertical(const unsigned char *rows, size_t row_bytes, size_t n, const axis *a,
                          unsigned char *out) {
    int32_t *sum = NULL;
    int fast = has_avx2();
    UN_TRY(un_alloc(n, sizeof *sum, &sum));
    for (size_t i = 0; i < a->count; i++, out += n)
        (fast ? column_avx2 : column_plain)(a->weight + i * a->stride, a->taps[i],
                                            rows + (a->from[i] - a->low) * row_bytes, row_bytes, n,
                                            sum, out);
    free(sum);
    return UNSEEN_OK;
}

/* A window of the picture. */
static void copy_part(const un_image *image, size_t x, size_t y, un_image *out) {
    for (size_t row = 0; row < out->height; row++)
        memcpy(out->pixels + row * out->width * 3,
               image->pixels + ((y + row) * image->width + x) * 3, out->width * 3);
}

/* Both passes, or the one that is needed; a pass that keeps the size is skipped. */
static un_status resample(const un_image *image, size_t width, size_t height,
                          un_interpolation interpolation, size_t x, size_t y, un_image *out) {
    un_status status = UNSEEN_OK;
    axis across = {0}, down = {.low = y, .high = y + out->height};
    unsigned char *middle = NULL;
    if (height != image->height)
        UN_GO(axis_make(&down, image->height, height, y, out->height, interpolation));
    size_t rows = down.high - down.low;
    if (width != image->width) {
        UN_GO(axis_make(&across, image->width, width, x, out->width, interpolation));
        if (height == image->height) UN_GO(horizontal(image, &across, down.low, rows, out->pixels));
    }
    if (height != image->height) {
        const unsigned char *from = image->pixels + (down.low * image->width + x) * 3;
        size_t row_bytes = image->width * 3;
        if (width != image->width) {
            UN_GO(un_alloc(rows, out->width * 3, &middle));
            UN_GO(horizontal(image, &across, down.low, rows, middle));
            from = middle;
            row_bytes = out->width * 3;
        }
        UN_GO(vertical(from, row_bytes, out->width * 3, &down, out->pixels));
    }
done:
    free(middle);
    axis_free(&across);
    axis_free(&down);
    return status;
}

un_status un_image_resize_part(const un_image *image, size_t width, size_t height,
                               un_interpolation interpolation, size_t x, size_t y,
                               size_t part_width, size_t part_height, un_image *out) {
    *out = (un_image){0};
    if (!image->pixels || width == 0 || height == 0 || width > LARGEST_SIDE ||
        height > LARGEST_SIDE)
        return un_fail(UNSEEN_E_ARGUMENT, "cannot resize %zu x %zu pixels to %zu x %zu",
                       image->width, image->height, width, height);
    if (x > width || y > height || part_width > width - x || part_height > height - y)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the part %zu x %zu at (%zu, %zu) is not inside a picture of %zu x %zu",
                       part_width, part_height, x, y, width, height);
    UN_TRY(un_image_create(part_width, part_height, out));
    un_status status = UNSEEN_OK;
    if (width == image->width && height == image->height)
        copy_part(image, x, y, out);
    else
        status = resample(image, width, height, interpolation, x, y, out);
    if (status) un_image_free(out);
    return status;
}

un_status un_image_resize(const un_image *image, size_t width, size_t height,
                          un_interpolation interpolation, un_image *out) {
    return un_image_resize_part(image, width, height, interpolation, 0, 0, width, height, out);
}
