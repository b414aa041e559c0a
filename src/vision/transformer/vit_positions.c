/* vit_positions.c - position embeddings on another grid; see vit_parts.h. */
#include <math.h>
#include <string.h>

#include "tensor/kernels.h"
#include "vision/transformer/vit_parts.h"

enum { TAPS = 4 };

/* Which base positions make position i of an axis, and how much of each. */
typedef struct {
    size_t index[TAPS];
    float weight[TAPS];
} taps;

/* Keys' cubic convolution with a = -0.75, the value of the field. */
static double cubic(double x) {
    const double a = -0.75;
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

static taps axis(size_t i, size_t grid, size_t base) {
    taps t;
    double centre = ((double)i + 0.5) * (double)base / (double)grid - 0.5, low = floor(centre);
    for (int k = 0; k < TAPS; k++) {
        double at = low + k - 1;
        t.weight[k] = (float)cubic(centre - at);
        if (at < 0) at = 0;
        if (at > (double)(base - 1)) at = (double)(base - 1);
        t.index[k] = (size_t)at;
    }
    return t;
}

/* Visits all (position, base position, weight); `back` turns the direction. */
static void resample(const float *from, float *to, size_t base, size_t width, size_t grid,
                     int back) {
    for (size_t y = 0; y < grid; y++) {
        taps rows = axis(y, grid, base);
        for (size_t x = 0; x < grid; x++) {
            taps columns = axis(x, grid, base);
            for (int k = 0; k < TAPS * TAPS; k++) {
                size_t near = rows.index[k / TAPS] * base + columns.index[k % TAPS];
                size_t far = y * grid + x;
                float weight = rows.weight[k / TAPS] * columns.weight[k % TAPS];
                un_axpy(weight, from + (back ? far : near) * width,
                        to + (back ? near : far) * width, width);
            }
        }
    }
}

void un_vit_positions(const float *base_positions, size_t base, size_t leading, size_t width,
                      size_t grid, float *out) {
    size_t skip = leading * width;
    memcpy(out, base_positions, skip * sizeof *out);
    if (grid == base) {
        memcpy(out + skip, base_positions + skip, grid * grid * width * sizeof *out);
        return;
    }
    memset(out + skip, 0, grid * grid * width * sizeof *out);
    resample(base_positions + skip, out + skip, base, width, grid, 0);
}

void un_vit_positions_backward(const float *gradient, size_t base, size_t leading, size_t width,
                               size_t grid, float *base_gradient) {
    size_t skip = leading * width;
    if (grid == base) {
        un_axpy(1, gradient, base_gradient, skip + grid * grid * width);
        return;
    }
    un_axpy(1, gradient, base_gradient, skip);
    resample(gradient + skip, base_gradient + skip, base, width, grid, 1);
}
