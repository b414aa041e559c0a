/* augment.c - random changes of training pictures; see augment.h. */
#include "method/duet/augment.h"

#include <math.h>

#include "base/parallel.h"
#include "base/rng.h"

static double between(un_rng *rng, double low, double high) {
    return low + (high - low) * un_rng_uniform(rng);
}

duet_change duet_change_draw(uint64_t seed, size_t epoch, size_t index, size_t i) {
    /* One stream for a mini-batch, a fixed number of blocks of it for each picture. */
    un_rng rng = un_rng_stream(seed, "duet.augment", (uint64_t)epoch << 32 | (uint64_t)index);
    rng.block = 4 * (uint64_t)i;
    duet_change change = {.mirrored = un_rng_uniform(&rng) < 0.5};
    change.zoom = exp2(between(&rng, -1.0 / 3, 1.0 / 3));
    change.down = between(&rng, -0.125, 0.125);
    change.right = between(&rng, -0.125, 0.125);
    change.brightness = exp2(between(&rng, log2(0.8), log2(1.25)));
    return change;
}

/* Between which two pixels of a line a position lies, and how near the second. */
typedef struct {
    size_t first, second;
    float share;
} place;

static place find_place(double position, size_t S) {
    double last = (double)(S - 1), at = position < 0 ? 0 : position > last ? last : position;
    size_t first = (size_t)at;
    size_t second = first + 1 < S ? first + 1 : first;
    return (place){first, second, (float)(at - (double)first)};
}

/* Where the middle of pixel k of the changed line lies in the line as it was. */
static double source(size_t k, size_t S, double zoom, double moved) {
    double middle = (double)S / 2;
    return ((double)k + 0.5 - middle) / zoom + middle + moved * (double)S - 0.5;
}

void duet_change_apply(const duet_change *change, const float *in, size_t S, float *out) {
    float gain = (float)change->brightness;
    for (size_t y = 0; y < S; y++) {
        place v = find_place(source(y, S, change->zoom, change->down), S);
        const float *above = in + v.first * S * 3, *below = in + v.second * S * 3;
        for (size_t x = 0; x < S; x++) {
            size_t column = change->mirrored ? S - 1 - x : x;
            place h = find_place(source(column, S, change->zoom, change->right), S);
            for (size_t c = 0; c < 3; c++) {
                float a = above[3 * h.first + c], b = below[3 * h.first + c];
                a += h.share * (above[3 * h.second + c] - a);
                b += h.share * (below[3 * h.second + c] - b);
                float colour = gain * (a + v.share * (b - a));
                out[(y * S + x) * 3 + c] = colour > 255 ? 255 : colour;
            }
        }
    }
}

typedef struct {
    uint64_t seed;
    size_t epoch, index, S;
    const float *in;
    float *out;
} augment_job;

static void augment_range(size_t begin, size_t end, void *context) {
    const augment_job *j = context;
    size_t row = j->S * j->S * 3;
    for (size_t i = begin; i < end; i++) {
        duet_change change = duet_change_draw(j->seed, j->epoch, j->index, i);
        duet_change_apply(&change, j->in + i * row, j->S, j->out + i * row);
    }
}

void duet_augment(uint64_t seed, size_t epoch, size_t index, const float *in, size_t n, size_t S,
                  float *out) {
    augment_job job = {seed, epoch, index, S, in, out};
    un_parallel_for(n, 1, augment_range, &job);
}
