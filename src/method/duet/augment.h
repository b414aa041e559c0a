/*
 * augment.h - pictures changed a little for every step, so that a transformer trained
 * from scratch on few of them does not learn them by heart.
 *
 * Each picture is mirrored or not, enlarged or reduced, moved, and made brighter or
 * darker; its colours keep their ratios, since attributes tell of colours. Beyond its
 * edge a picture goes on with the colours of the edge.
 */
#ifndef UN_METHOD_DUET_AUGMENT_H
#define UN_METHOD_DUET_AUGMENT_H

#include <stddef.h>
#include <stdint.h>

/* How one picture is changed; lengths as fractions of its side. */
typedef struct {
    int mirrored;
    double zoom;        /* > 1: a part is shown larger */
    double down, right; /* where the middle of what is shown lies, from the picture's middle */
    double brightness;  /* factor of all colours */
} duet_change;

/* The change of picture `i` of mini-batch `index` of an epoch: zoom 2^-1/3 to 2^1/3, moved by
 * up to an eighth, brightness 0.8 to 1.25 (both log-uniform). */
duet_change duet_change_draw(uint64_t seed, size_t epoch, size_t index, size_t i);

/* in, out (S, S, 3), values 0..255; bilinear. `out` must not overlap `in`. */
void duet_change_apply(const duet_change *change, const float *in, size_t S, float *out);

/* n pictures, each with its own draw. */
void duet_augment(uint64_t seed, size_t epoch, size_t index, const float *in, size_t n, size_t S,
                  float *out);

#endif
