/*
 * resample.c - resizing as PIL does it, bit for bit; see image.h for the rule.
 *
 * Weights are the same for all rows (or columns), so they are computed once for each output
 * position. The horizontal pass walks a row pixel by pixel, its three channels in one vector;
 * the vertical pass adds whole weighted rows. All arithmetic is integer: which instructions
 * the processor has changes the speed, never a bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "vision/image/image.h"

enum { FRACTION_BITS = 22, HALF = 1 << (FRACTION_BITS - 1), MAX_SIDE = 1 << 24 };

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
    if (!image->pixels || width == 0 || height == 0 || width > MAX_SIDE || height > MAX_SIDE)
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
