/*
 * golden_spread.c - what may be off in bf16.
 *
 * bf16 keeps 8 bits: rounding moves a number by at most half a unit of the last of them. How far
 * that moves a result depends on all that is computed with it - softmax, normalisation, sums that
 * cancel, an optimiser that divides by the size of gradients -, so it is found by computing: in f32,
 * which is held to the reference first, every input and weight is moved by a uniform random part of
 * such a unit, DRAWS times over. That gives for each tensor compared the root mean square s of the
 * differences and the largest of them.
 *
 * A bf16 computation rounds more than its inputs and weights: the other operands of its products,
 * and the gradients on the way back. In attention 6 matrices between 4 weights forward and 5 on the
 * way back, in a feed-forward layer 3 and 2 at 2 weights: 22 roundings, of which 6 are drawn; a linear
 * layer rounds 3 matrices, of which one is drawn; folded attention to regions rounds vectors,
 * weights, their product, regions and gradients, of which three are drawn. So at most 4 roundings
 * belong to one that is drawn, and as they are independent, they move a result by sqrt(4) s. Apart
 * from that the product that makes a tensor rounds its operands and perhaps what it makes, three
 * roundings of 0.41 u each (u = 2^-8, golden_cnn.c), which an operand that hardly depends on what is
 * drawn has all the same, as the gradient p - 1 of a score with a small probability p. With r, a
 * size of the reference, the standard deviation is
 *
 *     d(r) = sqrt(4 s^2 + 3 (0.41 u r)^2)
 *
 * Allowed are, for the largest difference, 5 d(largest value) or twice what was the largest when
 * drawn (changes of sign, where an optimiser divides by the size of a gradient near zero); and for
 * the root mean square of n differences (2 + 3 / sqrt(n)) d(root mean square): s is an estimate of a
 * few draws, a tensor's differences depend on each other, and of few there is little to take a mean
 * of. Sums in f32 round 2^16 times as finely and do not count.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "golden.h"

enum { LABEL_LENGTH = 128, BITS = 8 };

static const double DEVIATIONS = 5;
/* Roundings where one is drawn; of the last product. */
static const double SHARE = 4, LAST = 3;
static const double ROUNDING = 0.41 * 0x1p-8;

typedef struct {
    char label[LABEL_LENGTH];
    double squares, count, worst;
} spread_item;

struct golden_spread {
    size_t count, room;
    spread_item *item;
};

un_status golden_spread_create(golden_spread **out) { return un_alloc(1, sizeof **out, out); }

void golden_spread_free(golden_spread *spread) {
    if (spread) free(spread->item);
    free(spread);
}

void golden_round(const golden *g, const char *name, float *values, size_t n) {
    if (g->draw == 0) return;
    un_rng rng = un_rng_stream(g->draw, name, 0);
    for (size_t i = 0; i < n; i++) {
        int exponent = 0;
        double part = un_rng_uniform(&rng) - 0.5;
        if (un_float_from_bf16(un_bf16_from_float(values[i])) == values[i]) continue; /* exact */
        frexp((double)values[i], &exponent);
        values[i] = (float)((double)values[i] + ldexp(part, exponent - BITS));
    }
}

/* The item of comparison number g->compared, NULL if another tensor is compared there. */
static spread_item *find(const golden *g, const char *label) {
    if (g->compared >= g->spread->count) return NULL;
    spread_item *item = &g->spread->item[g->compared];
    return strcmp(item->label, label) ? NULL : item;
}

static spread_item *append(golden_spread *s, const char *label) {
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        spread_item *more = realloc(s->item, room * sizeof *more);
        if (!more) return NULL;
        s->item = more;
        s->room = room;
    }
    spread_item *item = &s->item[s->count++];
    *item = (spread_item){0};
    snprintf(item->label, sizeof item->label, "%s", label);
    return item;
}

void golden_spread_note(golden *g, const char *label, const golden_distance *d) {
    spread_item *item = g->draw == 1 ? append(g->spread, label) : find(g, label);
    g->compared++;
    if (!item) return; /* the bf16 run does not find it either */
    item->squares += d->squares;
    item->count += (double)d->n;
    if (!(d->worst <= item->worst)) item->worst = d->worst;
}

/* d(size) */
static double deviation(const spread_item *item, double size) {
    double last = ROUNDING * size;
    return sqrt(SHARE * item->squares / item->count + LAST * last * last);
}

static double most(const spread_item *item, double largest) {
    return fmax(DEVIATIONS * deviation(item, largest), sqrt(SHARE) * item->worst);
}

int golden_spread_allows(const golden *g, const char *label, const golden_distance *d) {
    const spread_item *item = find(g, label);
    if (!item) {
        printf("  was not drawn");
        return 0;
    }
    double n = (double)d->n, rms = sqrt(d->squares / n);
    double mean = (2 + 3 / sqrt(n)) * deviation(item, sqrt(d->ref_squares / n));
    printf("  (%.0e)  rms %9.2e (%.0e)", most(item, d->largest) / d->largest, rms, mean);
    return d->worst <= most(item, d->largest) && rms <= mean;
}

double golden_spread_most(const golden *g, const char *label, double largest) {
    for (size_t i = 0; i < g->spread->count; i++)
        if (!strcmp(g->spread->item[i].label, label)) return most(&g->spread->item[i], largest);
    return 0;
}
