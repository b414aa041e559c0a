/*
 * winograd.h - what winograd.c shares with the loops of its types. Private to tensor/; what
 * others call is in conv.h.
 */
#ifndef UN_TENSOR_WINOGRAD_H
#define UN_TENSOR_WINOGRAD_H

#include "tensor/conv.h"

enum {
    LANES = 16,   /* f32 values of a register, channels of a block */
    GROUP = 32,   /* input channels that are transformed together */
    COLUMNS = 32, /* output channels at once: two registers */
    ROWS = 14,    /* tiles at once: their 2 x 14 sums and factors fill the registers */
    POINTS = 16   /* of a 4 x 4 tile */
};

/* U[out / 32, 16, in, 32] in f32, U[out / 32, 16, in / 2, 32, 2] in bf16; of every group of input
 * channels bf16 has first those with even numbers, then those with odd ones, V's order of them. */
struct un_winograd {
    un_conv_spec spec;
    void *filters; /* U */
    float *bias;
};

/* One run: shapes, strides in values, and where things are. */
typedef struct {
    const un_winograd *winograd;
    const void *x;
    void *y;
    int add;
    size_t h, w, tiles_h, tiles_w; /* of a picture */
    size_t pixel, block;           /* from one pixel, from 16 channels, to the next: input */
    size_t image;                  /* from one picture to the next */
    size_t out_pixel, out_block, out_image;
    size_t row;    /* of V: from one tile to the next */
    size_t group;  /* most tiles at once */
    char *scratch; /* of all slots */
    size_t slot_bytes;
} un_winograd_job;

#if defined(UN_HAVE_X86_ISA)
/* `tiles` tiles from `first` on; room for V[16, tiles, row] and for products m[16, tiles, 32]. */
void un_winograd_group_f32(const un_winograd_job *j, size_t first, size_t tiles, void *v, float *m);
void un_winograd_group_bf16(const un_winograd_job *j, size_t first, size_t tiles, void *v,
                            float *m);
#endif

#endif
