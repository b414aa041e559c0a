/*
 * paint.c - what the drawing files of Tinybirds paint with: colours, chance, strokes, and
 * PNG, which the pictures become; see bird.h.
 */
#include "tinybirds/bird.h"

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/foreign/zlib.h"

/* ---- colours, chance and strokes ---- */

const un_color un_palette[UN_COLOR_COUNT] = {
    [UN_RED] = {0.78, 0.15, 0.13},   [UN_YELLOW] = {0.94, 0.77, 0.18},
    [UN_BLUE] = {0.18, 0.40, 0.76},  [UN_GREEN] = {0.40, 0.55, 0.20},
    [UN_BROWN] = {0.49, 0.33, 0.20}, [UN_BLACK] = {0.12, 0.12, 0.14},
    [UN_WHITE] = {0.93, 0.92, 0.89}, [UN_ORANGE] = {0.91, 0.50, 0.14},
};

un_color un_color_mix(un_color a, un_color b, double t) {
    return (un_color){a.r + t * (b.r - a.r), a.g + t * (b.g - a.g), a.b + t * (b.b - a.b)};
}

static double unit(double x) { return fmin(1, fmax(0, x)); }

un_color un_color_vary(un_color color, un_rng *rng, double amount) {
    double light = exp(amount * un_rng_truncated_normal(rng));
    double r = color.r * light + 0.4 * amount * un_rng_truncated_normal(rng);
    double g = color.g * light + 0.4 * amount * un_rng_truncated_normal(rng);
    double b = color.b * light + 0.4 * amount * un_rng_truncated_normal(rng);
    return (un_color){unit(r), unit(g), unit(b)};
}

double un_color_lightness(un_color color) {
    return 0.30 * color.r + 0.59 * color.g + 0.11 * color.b;
}

double un_between(un_rng *rng, double low, double high) {
    return low + (high - low) * un_rng_uniform(rng);
}

int un_chance(un_rng *rng, double probability) { return un_rng_uniform(rng) < probability; }

size_t un_weighted(un_rng *rng, const double *weight, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += weight[i];
    double at = sum * un_rng_uniform(rng);
    size_t last = 0;
    for (size_t i = 0; i < n; i++) {
        if (weight[i] <= 0) continue;
        last = i;
        if (at < weight[i]) return i;
        at -= weight[i];
    }
    return last; /* rounding */
}

void un_brush_set(const un_brush *brush, unsigned part, un_color color, double alpha) {
    if (brush->identify)
        cairo_set_source_rgb(brush->cr, 0, 0, part / 255.0);
    else
        cairo_set_source_rgba(brush->cr, color.r, color.g, color.b, alpha);
}

void un_brush_shade(const un_brush *brush, double x, double y, double radius, double lx,
                    double ly) {
    cairo_t *cr = brush->cr;
    if (brush->identify) {
        cairo_new_path(cr);
        return;
    }
    cairo_matrix_t matrix;
    cairo_get_matrix(cr, &matrix);
    double size = radius * sqrt(fabs(matrix.xx * matrix.yy - matrix.xy * matrix.yx));
    cairo_user_to_device(cr, &x, &y);
    cairo_identity_matrix(cr); /* the path stays where it is */
    cairo_pattern_t *light =
        cairo_pattern_create_radial(x + 0.45 * size * lx, y + 0.45 * size * ly, 0.05 * size,
                                    x + 0.10 * size * lx, y + 0.10 * size * ly, 1.15 * size);
    cairo_pattern_add_color_stop_rgba(light, 0, 1, 1, 0.95, 0.26);
    cairo_pattern_add_color_stop_rgba(light, 0.40, 1, 1, 0.95, 0.03);
    cairo_pattern_add_color_stop_rgba(light, 0.55, 0.05, 0.03, 0.10, 0.05);
    cairo_pattern_add_color_stop_rgba(light, 1, 0.05, 0.03, 0.10, 0.50);
    cairo_set_source(cr, light);
    cairo_fill(cr);
    cairo_pattern_destroy(light);
    cairo_set_matrix(cr, &matrix);
}

void un_brush_feathers(const un_brush *brush, un_rng *rng, const double rectangle[4], double step,
                       double angle, double strength) {
    if (brush->identify) return;
    cairo_t *cr = brush->cr;
    int columns = (int)ceil((rectangle[2] - rectangle[0]) / (1.6 * step));
    int rows = (int)ceil((rectangle[3] - rectangle[1]) / step);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
    for (int light = 0; light < 2; light++) {
        cairo_new_path(cr);
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++) {
                double length = step * un_between(rng, 0.7, 1.5);
                double turn = angle + un_between(rng, -0.25, 0.25);
                double px = rectangle[0] + step * (1.6 * column + un_between(rng, -0.6, 0.6));
                double py = rectangle[1] + step * (row + un_between(rng, -0.5, 0.5));
                cairo_move_to(cr, px, py);
                cairo_line_to(cr, px + length * cos(turn), py + length * sin(turn));
            }
        double tone = light ? 1 : 0;
        cairo_set_source_rgba(cr, tone, tone, tone, strength * (light ? 0.8 : 1));
        cairo_set_line_width(cr, 0.28 * step);
        cairo_stroke(cr);
    }
}

/* One line of n pixels `stride` apart, blurred into `line`, then put back. */
static void blur_line(unsigned char *pixels, int n, int stride, int radius, unsigned char *line) {
    for (int channel = 0; channel < 3; channel++) {
        int sum = 0;
        for (int k = -radius; k <= radius; k++) {
            int at = k < 0 ? 0 : k >= n ? n - 1 : k;
            sum += pixels[(ptrdiff_t)at * stride + channel];
        }
        for (int i = 0; i < n; i++) {
            line[i] = (unsigned char)(sum / (2 * radius + 1));
            int out = i - radius < 0 ? 0 : i - radius;
            int in = i + radius + 1 >= n ? n - 1 : i + radius + 1;
            sum += pixels[(ptrdiff_t)in * stride + channel] -
                   pixels[(ptrdiff_t)out * stride + channel];
        }
        for (int i = 0; i < n; i++) pixels[(ptrdiff_t)i * stride + channel] = line[i];
    }
}

void un_blur(cairo_surface_t *surface, int radius) {
    cairo_surface_flush(surface);
    unsigned char *data = cairo_image_surface_get_data(surface);
    int width = cairo_image_surface_get_width(surface);
    int height = cairo_image_surface_get_height(surface);
    int stride = cairo_image_surface_get_stride(surface);
    unsigned char line[UN_BLUR_SIDE];
    if (!data || width > UN_BLUR_SIDE || height > UN_BLUR_SIDE) return;
    for (int pass = 0; pass < 2; pass++) {
        for (int y = 0; y < height; y++)
            blur_line(data + (ptrdiff_t)y * stride, width, 4, radius, line);
        for (int x = 0; x < width; x++)
            blur_line(data + (ptrdiff_t)x * 4, height, stride, radius, line);
    }
    cairo_surface_mark_dirty(surface);
}

/* ---- the PNG file format (ISO/IEC 15948) for 8-bit RGB ---- */

enum { CHANNELS = 3, FILTERS = 5, MAX_SIDE = 16384 };

static int nearest(int left, int up, int corner) { /* Paeth's predictor */
    int p = left + up - corner;
    int a = abs(p - left), b = abs(p - up), c = abs(p - corner);
    if (a <= b && a <= c) return left;
    return b <= c ? up : corner;
}

/* Row `now` after filter `type` into out[bytes]; the cost is the sum of absolute differences. */
static unsigned filter_row(int type, const unsigned char *now, const unsigned char *before,
                           size_t bytes, unsigned char *out) {
    unsigned cost = 0;
    for (size_t i = 0; i < bytes; i++) {
        int left = i < CHANNELS ? 0 : now[i - CHANNELS];
        int corner = i < CHANNELS ? 0 : before[i - CHANNELS];
        int up = before[i];
        int guess = type == 0   ? 0
                    : type == 1 ? left
                    : type == 2 ? up
                    : type == 3 ? (left + up) / 2
                                : nearest(left, up, corner);
        out[i] = (unsigned char)(now[i] - guess);
        cost += out[i] < 128 ? out[i] : 256u - out[i];
    }
    return cost;
}

/* All rows, each behind the number of its filter. `spare` holds two rows. */
static void filter(const unsigned char *rgb, size_t bytes, size_t height, unsigned char *spare,
                   unsigned char *out) {
    unsigned char *trial = spare;
    const unsigned char *before = memset(spare + bytes, 0, bytes);
    for (size_t y = 0; y < height; y++) {
        unsigned char *row = out + y * (bytes + 1);
        unsigned best = UINT32_MAX;
        for (int type = 1; type < FILTERS; type++) {
            unsigned cost = filter_row(type, rgb + y * bytes, before, bytes, trial);
            if (cost >= best) continue;
            best = cost;
            row[0] = (unsigned char)type;
            memcpy(row + 1, trial, bytes);
        }
        before = rgb + y * bytes;
    }
}

static void put_u32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Completes a chunk whose n bytes of data lie at chunk + 8; returns its end. */
static unsigned char *finish_chunk(unsigned char *chunk, const char *type, size_t n) {
    put_u32(chunk, (uint32_t)n);
    memcpy(chunk + 4, type, 4);
    put_u32(chunk + 8 + n, (uint32_t)crc32(0, chunk + 4, (uInt)(n + 4)));
    return chunk + 12 + n;
}

/* *n is the room at `out` before, and what was used of it after. */
static un_status compress_rows(unsigned char *rows, size_t bytes, unsigned char *out, size_t *n) {
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15, 9, Z_RLE) != Z_OK) return un_fail_memory(0);
    z.next_in = rows;
    z.avail_in = (uInt)bytes;
    z.next_out = out;
    z.avail_out = (uInt)*n;
    int result = deflate(&z, Z_FINISH);
    *n = z.total_out;
    deflateEnd(&z);
    return result == Z_STREAM_END ? UNSEEN_OK : un_fail(UNSEEN_E_MEMORY, "cannot compress a PNG");
}

un_status un_png_encode(const unsigned char *rgb, size_t width, size_t height, unsigned char **out,
                        size_t *length) {
    static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (width - 1 >= MAX_SIDE || height - 1 >= MAX_SIDE)
        return un_fail(UNSEEN_E_ARGUMENT, "a PNG of %zu x %zu pixels is out of range", width,
                       height);
    UN_TRY(un_foreign_need(UN_ZLIB));
    size_t bytes = CHANNELS * width;
    size_t filtered = (bytes + 1) * height;
    size_t room = compressBound((uLong)filtered) + 1024;
    unsigned char *rows = NULL;
    unsigned char *file = NULL;
    un_status status = UNSEEN_OK;
    UN_GO(un_alloc(filtered + 2 * bytes, 1, &rows));
    UN_GO(un_alloc(room + 64, 1, &file));
    filter(rgb, bytes, height, rows + filtered, rows);
    memcpy(file, signature, sizeof signature);
    unsigned char *at = file + sizeof signature;
    put_u32(at + 8, (uint32_t)width);
    put_u32(at + 12, (uint32_t)height);
    memcpy(at + 16, (const unsigned char[]){8, 2, 0, 0, 0}, 5); /* 8 bits, RGB, the usual rest */
    at = finish_chunk(at, "IHDR", 13);
    UN_GO(compress_rows(rows, filtered, at + 8, &room));
    at = finish_chunk(at, "IDAT", room);
    at = finish_chunk(at, "IEND", 0);
    *out = file;
    *length = (size_t)(at - file);
    file = NULL;
done:
    free(rows);
    free(file);
    return status;
}
