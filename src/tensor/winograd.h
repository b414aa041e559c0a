/*
 * winograd.h - 3 x 3 convolutions of stride 1 in bf16 by Winograd's minimal filtering
 * F(2 x 2, 3 x 3) (Lavin and Gray 2016): 16 products where the definition has 36. oneDNN 2.6
 * has it in f32 only. Private to the room; conv_onednn.c chooses.
 *
 * Tiles of the input and the filters are transformed in f32 and rounded to bf16 once; products
 * accumulate in f32, and the output is transformed in f32. For independent values the rounding
 * error is sqrt(25 / 9) = 5/3 of that of the definition with rounded operands: a transformed
 * value is a sum of four, 4 s^2, transformed filters have variances (1, 3/4, 3/4) x (1, 3/4, 3/4),
 * and an output adds nine products, (5/2)^2 4 = 25 against 9.
 */
#ifndef UN_TENSOR_WINOGRAD_H
#define UN_TENSOR_WINOGRAD_H

#include "tensor/conv.h"

typedef struct un_winograd un_winograd;

/* Whether this processor and this file can do such convolutions. */
int un_winograd_fits(const un_conv_spec *spec);
/* Whether it pays for this input: small maps fill their tiles badly. */
int un_winograd_pays(const un_feature_map *in);

/* weights[out, in, 3, 3] and bias[out] are copied. */
un_status un_winograd_create(const un_conv_spec *spec, const float *weights, const float *bias,
                             un_winograd **out);
void un_winograd_free(un_winograd *winograd);
/* y = act(conv(x) + bias); x and y are UN_CHANNELS_LAST or UN_CHANNELS_BLOCKED by 16. */
un_status un_winograd_run(const un_winograd *winograd, const un_feature_map *in, const un_bf16 *x,
                          un_bf16 *y, un_conv_scratch *scratch);

#endif
