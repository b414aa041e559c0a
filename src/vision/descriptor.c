/*
 * descriptor.c - "builtin:descriptor": region features without weights, from statistics of
 * colour and of gradients. What classical recognition used before networks learnt features,
 * so that the program is useful before anything is downloaded.
 *
 * A picture is divided into subcells of 8 x 8 pixels, in which per-pixel statistics are added
 * up: memberships of named colours (in the manner of van de Weijer et al., "Learning color
 * names for real-world applications", 2009), moments of CIELAB, oriented gradients at two scales
 * (Dalal and Triggs, 2005) and rotation-invariant uniform local binary patterns (Ojala et al.,
 * 2002). A region is a cell of 16 x 16 pixels. It sees the subcells of two windows around its
 * centre, 32 and 80 pixels wide, whose weights fall off towards their edges. Its features
 * are roots of frequencies, so that Euclidean distances compare histograms as Hellinger's
 * distance does, and are all between 0 and 1.
 *
 * What differs in colour from the picture's frame is taken for the figure. The second half of
 * the features is the first times the region's nearness to the figure's centre, which keeps
 * figure and background apart where regions are averaged.
 *
 * Each picture is computed by one thread: the result does not depend on their number.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/parallel.h"
#include "tensor/sha256.h"
#include "vision/backbone.h"

enum { SUBCELL = 8, CELL = 16, MIN_SIZE = 32, MAX_SIZE = 1024 };
enum { COLOURS = 32, ORIENTATIONS = 9, PATTERNS = 10, QUADRANTS = 4 };

/* Statistics of a subcell, in this order. */
enum {
    AT_COLOUR = 0,
    AT_LAB = AT_COLOUR + COLOURS, /* L, a > 0, a < 0, b > 0, b < 0, then squares of L, a, b */
    LAB = 8,
    AT_FINE = AT_LAB + LAB,
    AT_COARSE = AT_FINE + ORIENTATIONS,
    AT_PATTERN = AT_COARSE + ORIENTATIONS,
    STATISTICS = AT_PATTERN + PATTERNS
};

/* Features of a region, in this order. */
enum {
    F_COLOUR = 0,
    F_AROUND = F_COLOUR + COLOURS,
    F_CONTRAST = F_AROUND + COLOURS,
    F_FOREGROUND = F_CONTRAST + COLOURS,
    F_FINE = F_FOREGROUND + COLOURS,
    F_COARSE = F_FINE + QUADRANTS * ORIENTATIONS,
    F_PATTERN = F_COARSE + QUADRANTS * ORIENTATIONS,
    F_PATTERN_AROUND = F_PATTERN + PATTERNS,
    F_LAB = F_PATTERN_AROUND + PATTERNS,
    F_LAB_AROUND = F_LAB + LAB,
    F_ENERGY = F_LAB_AROUND + LAB,
    BASE = F_ENERGY + 4,
    WIDTH = 2 * BASE /* once as they are, once times the figure's weight */
};

/* sRGB of the named colours. Birds have more browns and greys than rainbows. */
static const unsigned char g_colours[COLOURS][3] = {
    {20, 20, 20},    {70, 70, 70},    {128, 128, 128}, {185, 185, 185}, /* black to light grey */
    {245, 245, 245}, {245, 235, 205}, {215, 190, 150}, {180, 140, 90},  /* white to ochre */
    {120, 80, 50},   {70, 45, 30},    {165, 80, 45},   {110, 25, 30},   /* browns, rufous, maroon */
    {200, 35, 35},   {235, 160, 170}, {240, 130, 35},  {240, 215, 50},  /* red, pink to yellow */
    {175, 155, 50},  {105, 105, 50},  {150, 190, 110}, {60, 140, 60},   /* olives, greens */
    {35, 70, 40},    {40, 130, 130},  {150, 195, 230}, {100, 160, 220}, /* green to sky */
    {50, 95, 185},   {30, 40, 90},    {110, 60, 140},  {180, 150, 200}, /* blues, purples */
    {95, 110, 130},  {150, 160, 170}, {165, 155, 140}, {110, 120, 100}, /* tinted greys */
};
static const double COLOUR_SPREAD = 11; /* CIELAB distance at which a name fades */

enum { LEVELS = 32, ROOT_STEPS = 4096, FULL = 255 };

typedef struct {
    un_backbone base;
    float linear[256];          /* sRGB to light */
    float root[ROOT_STEPS + 1]; /* CIELAB's f of 0..1 */
    unsigned char *names;       /* [LEVELS^3, COLOURS] memberships, summing to about FULL */
} un_descriptor;

/* What one thread needs for one picture. */
typedef struct {
    float *lab[3], *smooth, *scratch; /* (S, S) each */
    float *cells;                     /* (S / 8, S / 8, STATISTICS) */
    float *rows;                      /* (S / 8, h, STATISTICS) */
    float *narrow, *wide;             /* (h, h, STATISTICS) */
    float *features;                  /* (h, h, WIDTH) */
} workspace;

/* CIELAB of linear-light RGB (sRGB primaries, D65), L in 0..100. */
static void lab_of(const un_descriptor *d, float r, float g, float b, float out[3]) {
    const float xyz[3] = {
        (0.4124564F * r + 0.3575761F * g + 0.1804375F * b) / 0.95047F,
        0.2126729F * r + 0.7151522F * g + 0.0721750F * b,
        (0.0193339F * r + 0.1191920F * g + 0.9503041F * b) / 1.08883F,
    };
    float f[3];
    for (size_t i = 0; i < 3; i++) {
        float at = xyz[i] * ROOT_STEPS;
        if (at > ROOT_STEPS - 1) at = ROOT_STEPS - 1; /* white, rounded up */
        size_t k = (size_t)at;
        f[i] = d->root[k] + (at - (float)k) * (d->root[k + 1] - d->root[k]);
    }
    out[0] = 116 * f[1] - 16;
    out[1] = 500 * (f[0] - f[1]);
    out[2] = 200 * (f[1] - f[2]);
}

static void make_tables(un_descriptor *d) {
    for (size_t v = 0; v < 256; v++) {
        double s = (double)v / 255;
        d->linear[v] = (float)(s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4));
    }
    for (size_t k = 0; k <= ROOT_STEPS; k++) {
        double t = (double)k / ROOT_STEPS;
        d->root[k] = (float)(t > 216.0 / 24389 ? cbrt(t) : (24389.0 / 27 * t + 16) / 116);
    }
}

/* Memberships of every fifth-bit colour: a soft maximum over the names' distances. */
static void make_names(un_descriptor *d) {
    float centre[COLOURS][3];
    for (size_t k = 0; k < COLOURS; k++)
        lab_of(d, d->linear[g_colours[k][0]], d->linear[g_colours[k][1]],
               d->linear[g_colours[k][2]], centre[k]);
    for (size_t i = 0; i < (size_t)LEVELS * LEVELS * LEVELS; i++) {
        float lab[3];
        double weight[COLOURS], sum = 0, nearest = HUGE_VAL;
        lab_of(d, d->linear[(i >> 10) * 8 + 4], d->linear[(i >> 5 & 31) * 8 + 4],
               d->linear[(i & 31) * 8 + 4], lab);
        for (size_t k = 0; k < COLOURS; k++) {
            weight[k] = 0;
            for (size_t c = 0; c < 3; c++) {
                double gap = (double)(lab[c] - centre[k][c]);
                weight[k] += gap * gap;
            }
            if (weight[k] < nearest) nearest = weight[k];
        }
        for (size_t k = 0; k < COLOURS; k++) {
            weight[k] = exp((nearest - weight[k]) / (2 * COLOUR_SPREAD * COLOUR_SPREAD));
            sum += weight[k];
        }
        for (size_t k = 0; k < COLOURS; k++)
            d->names[i * COLOURS + k] = (unsigned char)(FULL * weight[k] / sum + 0.5);
    }
}

static float *cell_at(const workspace *w, size_t size, size_t y, size_t x) {
    return w->cells + (y / SUBCELL * (size / SUBCELL) + x / SUBCELL) * STATISTICS;
}

static unsigned to_level(float value) {
    return !(value > 0) ? 0U : value >= 255 ? 255U : (unsigned)(value + 0.5F);
}

/* Colour names and moments; fills w->lab. NaN counts as 0. */
static void add_colour(const un_descriptor *d, const float *picture, size_t size, workspace *w) {
    for (size_t y = 0; y < size; y++) {
        for (size_t x = 0; x < size; x++) {
            const float *p = picture + (y * size + x) * 3;
            unsigned r = to_level(p[0]), g = to_level(p[1]), b = to_level(p[2]);
            float *cell = cell_at(w, size, y, x), lab[3];
            const unsigned char *names =
                d->names + ((size_t)(r >> 3) << 10 | (size_t)(g >> 3) << 5 | b >> 3) * COLOURS;
            for (size_t k = 0; k < COLOURS; k++) cell[AT_COLOUR + k] += names[k];
            lab_of(d, d->linear[r], d->linear[g], d->linear[b], lab);
            for (size_t c = 0; c < 3; c++) w->lab[c][y * size + x] = lab[c];
            float *m = cell + AT_LAB;
            m[0] += lab[0];
            m[lab[1] > 0 ? 1 : 2] += fabsf(lab[1]);
            m[lab[2] > 0 ? 3 : 4] += fabsf(lab[2]);
            for (size_t c = 0; c < 3; c++) m[5 + c] += lab[c] * lab[c];
        }
    }
}

/* Position i + step of a line of n, the ends repeated. */
static size_t ahead(size_t i, size_t step, size_t n) { return i + step < n ? i + step : n - 1; }
static size_t back(size_t i, size_t step) { return i > step ? i - step : 0; }

/* Binomial smoothing 1 4 6 4 1 of lightness in both directions. */
static void smooth_lightness(size_t size, workspace *w) {
    const float *in = w->lab[0];
    for (size_t y = 0; y < size; y++)
        for (size_t x = 0; x < size; x++) {
            const float *row = in + y * size;
            w->scratch[y * size + x] =
                (row[back(x, 2)] + row[ahead(x, 2, size)] +
                 4 * (row[back(x, 1)] + row[ahead(x, 1, size)]) + 6 * row[x]) *
                0.0625F;
        }
    for (size_t y = 0; y < size; y++) {
        const float *row[5] = {w->scratch + back(y, 2) * size, w->scratch + back(y, 1) * size,
                               w->scratch + y * size, w->scratch + ahead(y, 1, size) * size,
                               w->scratch + ahead(y, 2, size) * size};
        for (size_t x = 0; x < size; x++)
            w->smooth[y * size + x] =
                (row[0][x] + row[4][x] + 4 * (row[1][x] + row[3][x]) + 6 * row[2][x]) * 0.0625F;
    }
}

/* Magnitudes of central differences over `step` pixels, shared between the two nearest
 * orientations of 0..180 degrees. */
static void add_gradients(const float *plane, size_t size, size_t step, size_t at, workspace *w) {
    const float per_radian = ORIENTATIONS / 3.14159265F;
    for (size_t y = 0; y < size; y++) {
        const float *up = plane + back(y, step) * size, *down = plane + ahead(y, step, size) * size;
        const float *row = plane + y * size;
        for (size_t x = 0; x < size; x++) {
            float dx = row[ahead(x, step, size)] - row[back(x, step)], dy = down[x] - up[x];
            float magnitude = sqrtf(dx * dx + dy * dy);
            if (magnitude <= 0) continue;
            float angle = atan2f(dy, dx) * per_radian; /* -9 to 9 */
            if (angle < 0) angle += ORIENTATIONS;
            size_t low = (size_t)angle;
            float share = angle - (float)low;
            float *bins = cell_at(w, size, y, x) + at;
            bins[low % ORIENTATIONS] += magnitude * (1 - share);
            bins[(low + 1) % ORIENTATIONS] += magnitude * share;
        }
    }
}

/* Pattern of the eight neighbours brighter than the centre: the number of those if they are one
 * run around it (0 to 8), else 9. */
static size_t pattern_of(unsigned bits) {
    unsigned turned = (bits << 1 | bits >> 7) & 255;
    if (__builtin_popcount(bits ^ turned) > 2) return PATTERNS - 1;
    return (size_t)__builtin_popcount(bits);
}

static void add_patterns(size_t size, workspace *w) {
    const float threshold = 1; /* of lightness: below it is noise */
    for (size_t y = 0; y < size; y++) {
        const float *up = w->lab[0] + back(y, 1) * size, *row = w->lab[0] + y * size;
        const float *down = w->lab[0] + ahead(y, 1, size) * size;
        for (size_t x = 0; x < size; x++) {
            size_t left = back(x, 1), right = ahead(x, 1, size);
            const float around[8] = {up[left],    up[x],   up[right],  row[right],
                                     down[right], down[x], down[left], row[left]};
            unsigned bits = 0;
            for (unsigned k = 0; k < 8; k++)
                bits |= (unsigned)(around[k] > row[x] + threshold) << k;
            cell_at(w, size, y, x)[AT_PATTERN + pattern_of(bits)] += 1;
        }
    }
}

/* Weighted sums of subcells in a window of 2 half subcells around each region's centre; the
 * weights fall linearly; what lies outside the picture counts nothing. in is (n, n, STATISTICS),
 * out (n / 2, n / 2, STATISTICS). */
static void sum_window(const float *in, size_t n, size_t half, float *rows, float *out) {
    size_t h = n / 2;
    memset(rows, 0, n * h * STATISTICS * sizeof *rows);
    memset(out, 0, h * h * STATISTICS * sizeof *out);
    for (size_t i = 0; i < h; i++) {
        for (size_t k = 0; k < 2 * half; k++) {
            size_t at = 2 * i + 1 + k;
            float weight = (float)(k < half ? 2 * k + 1 : 2 * (2 * half - k) - 1);
            if (at < half || at - half >= n) continue;
            for (size_t y = 0; y < n; y++)
                for (size_t s = 0; s < STATISTICS; s++)
                    rows[(y * h + i) * STATISTICS + s] +=
                        weight * in[(y * n + at - half) * STATISTICS + s];
        }
    }
    for (size_t i = 0; i < h; i++) {
        for (size_t k = 0; k < 2 * half; k++) {
            size_t at = 2 * i + 1 + k;
            float weight = (float)(k < half ? 2 * k + 1 : 2 * (2 * half - k) - 1);
            if (at < half || at - half >= n) continue;
            for (size_t s = 0; s < h * STATISTICS; s++)
                out[i * h * STATISTICS + s] += weight * rows[(at - half) * h * STATISTICS + s];
        }
    }
}

/* Frequencies of `n` counts; all zero if there are none. */
static void frequencies(const float *counts, size_t n, float *out) {
    float sum = 0;
    for (size_t k = 0; k < n; k++) sum += counts[k];
    for (size_t k = 0; k < n; k++) out[k] = sum > 0 ? counts[k] / sum : 0;
}

/* Colour of the frame of two subcells around the picture: mostly background. */
static void frame_colour(const workspace *w, size_t n, float out[COLOURS]) {
    float counts[COLOURS] = {0};
    for (size_t y = 0; y < n; y++)
        for (size_t x = 0; x < n; x++) {
            if (y >= 2 && y + 2 < n && x >= 2 && x + 2 < n) continue;
            for (size_t k = 0; k < COLOURS; k++)
                counts[k] += w->cells[(y * n + x) * STATISTICS + AT_COLOUR + k];
        }
    frequencies(counts, COLOURS, out);
}

static void roots(const float *in, const float *without, size_t n, float *out) {
    for (size_t k = 0; k < n; k++) {
        float x = without ? in[k] - without[k] : in[k];
        out[k] = x > 0 ? sqrtf(x) : 0;
    }
}

/* Orientations of the four quadrants of side x side subcells around region (i, j), each a share
 * of all their gradients together with a little noise. */
static void quadrants(const workspace *w, size_t n, size_t i, size_t j, size_t side, size_t at,
                      float *out) {
    const float noise = 1.0F * SUBCELL * SUBCELL; /* lightness a pixel */
    float sum = noise * (float)(side * side);
    memset(out, 0, QUADRANTS * ORIENTATIONS * sizeof *out);
    for (size_t q = 0; q < QUADRANTS; q++)
        for (size_t k = 0; k < side * side; k++) {
            size_t y = 2 * i + 1 + q / 2 * side + k / side, x = 2 * j + 1 + q % 2 * side + k % side;
            if (y < side || y - side >= n || x < side || x - side >= n) continue;
            const float *cell = w->cells + ((y - side) * n + x - side) * STATISTICS + at;
            for (size_t o = 0; o < ORIENTATIONS; o++) {
                out[q * ORIENTATIONS + o] += cell[o];
                sum += cell[o];
            }
        }
    for (size_t k = 0; k < QUADRANTS * ORIENTATIONS; k++) out[k] = sqrtf(out[k] / sum);
}

/* Means and deviations of L, a, b over `count` pixels, scaled to 0..1. */
static void moments(const float *sums, float count, float *out) {
    const float scale[5] = {100, 110, 110, 110, 110}; /* sRGB's largest */
    float mean[5];
    for (size_t k = 0; k < 5; k++) mean[k] = sums[k] / count;
    const float centre[3] = {mean[0], mean[1] - mean[2], mean[3] - mean[4]};
    for (size_t k = 0; k < 5; k++) out[k] = sqrtf(mean[k] / scale[k]);
    for (size_t c = 0; c < 3; c++) {
        float variance = sums[5 + c] / count - centre[c] * centre[c];
        out[5 + c] = variance > 0 ? sqrtf(sqrtf(variance) / 110) : 0;
    }
}

static float energy(const float *bins, float count) {
    float sum = 0;
    for (size_t k = 0; k < ORIENTATIONS; k++) sum += bins[k];
    return sqrtf(sum / count / (sum / count + 10));
}

static void region_features(const workspace *w, size_t n, size_t i, size_t j, const float *frame,
                            float *out) {
    const float *narrow = w->narrow + (i * (n / 2) + j) * STATISTICS;
    const float *wide = w->wide + (i * (n / 2) + j) * STATISTICS;
    float near[COLOURS], around[COLOURS], patterns[PATTERNS];
    float near_count = 0, around_count = 0; /* pixels, by weight */
    for (size_t k = 0; k < PATTERNS; k++) {
        near_count += narrow[AT_PATTERN + k];
        around_count += wide[AT_PATTERN + k];
    }
    frequencies(narrow + AT_COLOUR, COLOURS, near);
    frequencies(wide + AT_COLOUR, COLOURS, around);
    roots(near, NULL, COLOURS, out + F_COLOUR);
    roots(around, NULL, COLOURS, out + F_AROUND);
    roots(near, around, COLOURS, out + F_CONTRAST);
    roots(near, frame, COLOURS, out + F_FOREGROUND);
    quadrants(w, n, i, j, 2, AT_FINE, out + F_FINE);
    quadrants(w, n, i, j, 4, AT_COARSE, out + F_COARSE);
    frequencies(narrow + AT_PATTERN, PATTERNS, patterns);
    roots(patterns, NULL, PATTERNS, out + F_PATTERN);
    frequencies(wide + AT_PATTERN, PATTERNS, patterns);
    roots(patterns, NULL, PATTERNS, out + F_PATTERN_AROUND);
    moments(narrow + AT_LAB, near_count, out + F_LAB);
    moments(wide + AT_LAB, around_count, out + F_LAB_AROUND);
    out[F_ENERGY] = energy(narrow + AT_FINE, near_count);
    out[F_ENERGY + 1] = energy(narrow + AT_COARSE, near_count);
    out[F_ENERGY + 2] = energy(wide + AT_FINE, around_count);
    out[F_ENERGY + 3] = energy(wide + AT_COARSE, around_count);
}

/* Moments of the figure along one axis, in regions. */
typedef struct {
    double centre, spread;
} extent;

/* Where the figure is: the mass of colours foreign to the frame, preferring the picture's
 * middle. */
static void find_figure(const float *features, size_t h, extent *down, extent *across) {
    const double middle = ((double)h - 1) / 2, reach = 0.36 * (double)h;
    double mass = 1e-9, y1 = mass * middle, x1 = y1, y2 = y1 * middle, x2 = y2;
    for (size_t r = 0; r < h * h; r++) {
        const float *foreign = features + r * WIDTH + F_FOREGROUND;
        size_t row = r / h, column = r % h;
        double y = (double)row, x = (double)column, weight = 0;
        for (size_t k = 0; k < COLOURS; k++) weight += (double)(foreign[k] * foreign[k]);
        double far = (y - middle) * (y - middle) + (x - middle) * (x - middle);
        weight *= exp(-far / (2 * reach * reach));
        mass += weight;
        y1 += weight * y;
        x1 += weight * x;
        y2 += weight * y * y;
        x2 += weight * x * x;
    }
    *down = (extent){y1 / mass, 0.5 + sqrt(fmax(0, y2 / mass - y1 / mass * (y1 / mass)))};
    *across = (extent){x1 / mass, 0.5 + sqrt(fmax(0, x2 / mass - x1 / mass * (x1 / mass)))};
}

/* Fills the second half of the regions' features. */
static void weigh_figure(float *features, size_t h) {
    extent down, across;
    find_figure(features, h, &down, &across);
    for (size_t r = 0; r < h * h; r++) {
        float *f = features + r * WIDTH;
        size_t row = r / h, column = r % h;
        double y = ((double)row - down.centre) / down.spread;
        double x = ((double)column - across.centre) / across.spread;
        float weight = (float)exp(-0.5 * (y * y + x * x));
        for (size_t k = 0; k < BASE; k++) f[BASE + k] = weight * f[k];
    }
}

/* One picture (S, S, 3); regions (h, h, F) and pooled (F) may be NULL. */
static void describe(const un_descriptor *d, const float *picture, size_t size, workspace *w,
                     float *regions, float *pooled) {
    size_t n = size / SUBCELL, h = size / CELL;
    float frame[COLOURS];
    double sum[WIDTH] = {0};
    memset(w->cells, 0, n * n * STATISTICS * sizeof *w->cells);
    add_colour(d, picture, size, w);
    smooth_lightness(size, w);
    add_gradients(w->lab[0], size, 1, AT_FINE, w);
    add_gradients(w->smooth, size, 2, AT_COARSE, w);
    add_patterns(size, w);
    sum_window(w->cells, n, 2, w->rows, w->narrow);
    sum_window(w->cells, n, 5, w->rows, w->wide);
    frame_colour(w, n, frame);
    for (size_t r = 0; r < h * h; r++)
        region_features(w, n, r / h, r % h, frame, w->features + r * WIDTH);
    weigh_figure(w->features, h);
    if (regions) memcpy(regions, w->features, h * h * WIDTH * sizeof *regions);
    for (size_t r = 0; r < h * h; r++)
        for (size_t f = 0; f < WIDTH; f++) sum[f] += (double)w->features[r * WIDTH + f];
    if (pooled)
        for (size_t f = 0; f < WIDTH; f++) pooled[f] = (float)(sum[f] / (double)(h * h));
}

static un_status descriptor_grid(const un_backbone *backbone, size_t size, size_t *height,
                                 size_t *width) {
    (void)backbone;
    if (size < MIN_SIZE || size > MAX_SIZE || size % CELL != 0)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "the built-in descriptor takes pictures of %d to %d pixels in steps of %d, "
                       "not %zu",
                       MIN_SIZE, MAX_SIZE, CELL, size);
    *height = size / CELL;
    *width = size / CELL;
    return UNSEEN_OK;
}

typedef struct {
    const un_descriptor *descriptor;
    const float *pictures;
    size_t size;
    workspace *slots;
    float *regions, *pooled;
} job;

static void describe_range(size_t begin, size_t end, un_slot slot, void *context) {
    const job *j = context;
    size_t h = j->size / CELL;
    for (size_t i = begin; i < end; i++)
        describe(j->descriptor, j->pictures + i * j->size * j->size * 3, j->size,
                 &j->slots[slot.index], j->regions ? j->regions + i * h * h * WIDTH : NULL,
                 j->pooled ? j->pooled + i * WIDTH : NULL);
}

static un_status make_workspace(un_arena *arena, size_t size, workspace *w) {
    size_t pixels = size * size, n = size / SUBCELL, h = size / CELL;
    for (size_t c = 0; c < 3; c++) UN_TRY(un_arena_alloc(arena, pixels, sizeof(float), &w->lab[c]));
    UN_TRY(un_arena_alloc(arena, pixels, sizeof(float), &w->smooth));
    UN_TRY(un_arena_alloc(arena, pixels, sizeof(float), &w->scratch));
    UN_TRY(un_arena_alloc(arena, n * n * STATISTICS, sizeof(float), &w->cells));
    UN_TRY(un_arena_alloc(arena, n * h * STATISTICS, sizeof(float), &w->rows));
    UN_TRY(un_arena_alloc(arena, h * h * STATISTICS, sizeof(float), &w->narrow));
    UN_TRY(un_arena_alloc(arena, h * h * WIDTH, sizeof(float), &w->features));
    return un_arena_alloc(arena, h * h * STATISTICS, sizeof(float), &w->wide);
}

static un_status descriptor_forward(un_backbone *backbone, const float *pictures, size_t n,
                                    size_t size, float *regions, float *pooled) {
    un_arena arena = {0};
    un_status status = UNSEEN_OK;
    job j = {(const un_descriptor *)backbone, pictures, size, NULL, regions, pooled};
    size_t height = 0, width = 0, slots = un_slot_count(n, 1);
    UN_TRY(descriptor_grid(backbone, size, &height, &width));
    UN_GO(un_arena_alloc(&arena, slots, sizeof *j.slots, &j.slots));
    for (size_t s = 0; s < slots; s++) UN_GO(make_workspace(&arena, size, &j.slots[s]));
    un_parallel_slots(n, slots, describe_range, &j);
done:
    un_arena_free(&arena);
    return status;
}

/* Counted roughly: per pixel the names, CIELAB, two gradients and the patterns; per subcell the
 * windows. */
static double descriptor_flops(const un_backbone *backbone, size_t size) {
    (void)backbone;
    double pixels = (double)size * (double)size;
    double subcells = pixels / (SUBCELL * SUBCELL);
    return pixels * (COLOURS + 60 + 2 * 20 + 20) + subcells * STATISTICS * 2 * (4 + 10);
}

static void descriptor_destroy(un_backbone *backbone) {
    un_descriptor *d = (un_descriptor *)backbone;
    free(d->names);
    free(d);
}

static const un_backbone_class g_class = {.name = "descriptor",
                                          .destroy = descriptor_destroy,
                                          .grid = descriptor_grid,
                                          .forward = descriptor_forward,
                                          .flops = descriptor_flops};

static const char NAME[] = "descriptor-1";

static un_status hash_name(char out[65]) {
    un_sha256 *hash = NULL;
    UN_TRY(un_sha256_open(&hash));
    un_status status = un_sha256_add(hash, NAME, sizeof NAME - 1);
    if (!status) status = un_sha256_hex(hash, out);
    un_sha256_close(hash);
    return status;
}

un_status un_descriptor_open(un_backbone **out) {
    un_descriptor *d = NULL;
    un_status status = UNSEEN_OK;
    UN_TRY(un_alloc(1, sizeof *d, &d));
    d->base = (un_backbone){.class = &g_class, .width = WIDTH, .precision = UN_PRECISION_F32};
    memcpy(d->base.architecture, NAME, sizeof NAME);
    un_recipe_default(&d->base.recipe);
    for (size_t c = 0; c < 3; c++) {
        d->base.recipe.mean[c] = 0;
        d->base.recipe.std[c] = 1.0F / 255; /* its input is 0..255 */
    }
    UN_GO(hash_name(d->base.sha256));
    UN_GO(un_alloc((size_t)LEVELS * LEVELS * LEVELS, COLOURS, &d->names));
    make_tables(d);
    make_names(d);
    *out = &d->base;
done:
    if (status) descriptor_destroy(&d->base);
    return status;
}
