/* paint.c - colours, chance and strokes; see paint.h. */
#include "tinybirds/paint.h"

#include <math.h>
#include <stddef.h>

const un_color un_palette[UN_COLOR_COUNT] = {
    [UN_RED] = {0.78, 0.15, 0.13},   [UN_YELLOW] = {0.94, 0.77, 0.18},
    [UN_BLUE] = {0.18, 0.40, 0.76},  [UN_GREEN] = {0.40, 0.55, 0.20},
    [UN_BROWN] = {0.49, 0.33, 0.20}, [UN_BLACK] = {0.12, 0.12, 0.14},
    [UN_WHITE] = {0.93, 0.92, 0.89}, [UN_ORANGE] = {0.91, 0.50, 0.14},
};

const char *const un_color_names[UN_COLOR_COUNT] = {
    [UN_RED] = "red",     [UN_YELLOW] = "yellow", [UN_BLUE] = "blue",   [UN_GREEN] = "green",
    [UN_BROWN] = "brown", [UN_BLACK] = "black",   [UN_WHITE] = "white", [UN_ORANGE] = "orange",
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
