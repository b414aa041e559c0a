/* heat.c - see heat.h. */
#include "picture/heat.h"

#include <math.h>
#include <stdlib.h>

#include "base/arena.h"

/* CIE 1976: the inverse of the cube root with its linear part near black. */
static double lab_inverse(double t) {
    const double knee = 6.0 / 29.0;
    return t > knee ? t * t * t : 3 * knee * knee * (t - 4.0 / 29.0);
}

/* IEC 61966-2-1. */
static unsigned char srgb_byte(double linear) {
    double v = linear <= 0.0031308 ? 12.92 * linear : 1.055 * pow(linear, 1 / 2.4) - 0.055;
    v = v < 0 ? 0 : v > 1 ? 1 : v;
    return (unsigned char)lround(255 * v);
}

void un_heat_colour(double t, unsigned char rgb[3]) {
    const double degree = acos(-1.0) / 180;
    t = t > 0 ? (t < 1 ? t : 1) : 0; /* NaN becomes 0 */
    double hue = (-60 + 155 * t) * degree, chroma = 45;
    double fy = (15 + 77 * t + 16) / 116;
    double x = 0.95047 * lab_inverse(fy + chroma * cos(hue) / 500); /* the white of D65 */
    double y = lab_inverse(fy);
    double z = 1.08883 * lab_inverse(fy - chroma * sin(hue) / 200);
    rgb[0] = srgb_byte(3.2406 * x - 1.5372 * y - 0.4986 * z);
    rgb[1] = srgb_byte(-0.9689 * x + 1.8758 * y + 0.0415 * z);
    rgb[2] = srgb_byte(0.0557 * x - 0.2040 * y + 1.0570 * z);
}

/* Keys's cubic convolution with a = -0.5 for the four neighbours of a point `f` past the second. */
static void cubic_weights(double f, double weight[4]) {
    double f2 = f * f, f3 = f2 * f;
    weight[0] = -0.5 * f3 + f2 - 0.5 * f;
    weight[1] = 1.5 * f3 - 2.5 * f2 + 1;
    weight[2] = -1.5 * f3 + 2 * f2 + 0.5 * f;
    weight[3] = 0.5 * f3 - 0.5 * f2;
}

static size_t within(double i, size_t n) {
    return i < 0 ? 0 : i > (double)(n - 1) ? n - 1 : (size_t)i;
}

un_status un_heat_enlarge(const float *map, size_t h, size_t w, size_t width, size_t height,
                          float *out) {
    float *rows = NULL; /* [h, width] */
    UN_TRY(un_alloc(h * width, sizeof *rows, &rows));
    for (size_t x = 0; x < width; x++) {
        double at = ((double)x + 0.5) * (double)w / (double)width - 0.5, weight[4];
        cubic_weights(at - floor(at), weight);
        for (size_t r = 0; r < h; r++) {
            double sum = 0;
            for (int k = 0; k < 4; k++)
                sum += weight[k] * (double)map[r * w + within(floor(at) + k - 1, w)];
            rows[r * width + x] = (float)sum;
        }
    }
    for (size_t y = 0; y < height; y++) {
        double at = ((double)y + 0.5) * (double)h / (double)height - 0.5, weight[4];
        cubic_weights(at - floor(at), weight);
        for (size_t x = 0; x < width; x++) {
            double sum = 0;
            for (int k = 0; k < 4; k++)
                sum += weight[k] * (double)rows[within(floor(at) + k - 1, h) * width + x];
            out[y * width + x] = sum > 0 ? (float)sum : 0;
        }
    }
    free(rows);
    return UNSEEN_OK;
}

/* One pixel: half of its colour is taken from the picture, which shows through most where there
 * is little attention. */
static void blend(const unsigned char *pixel, double t, unsigned char *out) {
    unsigned char heat[3];
    double alpha = 0.3 + 0.4 * t;
    double grey = 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2];
    un_heat_colour(t, heat);
    for (int c = 0; c < 3; c++) {
        double muted = 0.5 * (grey + pixel[c]);
        out[c] = (unsigned char)lround((1 - alpha) * muted + alpha * heat[c]);
    }
}

un_status un_heat_picture(const un_image *picture, const float *map, size_t h, size_t w,
                          un_image *out) {
    size_t n = picture->width * picture->height;
    float *values = NULL, top = 0;
    *out = (un_image){0};
    UN_TRY(un_alloc(n, sizeof *values, &values));
    un_status status = un_heat_enlarge(map, h, w, picture->width, picture->height, values);
    if (!status) status = un_image_create(picture->width, picture->height, out);
    for (size_t r = 0; r < h * w; r++)
        if (map[r] > top) top = map[r];
    for (size_t i = 0; i < n && !status; i++)
        blend(picture->pixels + 3 * i, top > 0 ? (double)(values[i] / top) : 0,
              out->pixels + 3 * i);
    free(values);
    return status;
}
