/*
 * feature_map.h - feature maps as oneDNN sees them. Private to the room; what callers of
 * convolutions need is in conv.h.
 */
#ifndef UN_TENSOR_FEATURE_MAP_H
#define UN_TENSOR_FEATURE_MAP_H

#include "tensor/conv.h"
#include "tensor/onednn.h"

enum { UN_MAX_EXTENT = 1 << 24 }; /* of one axis */

/* Channels of a block of UN_CHANNELS_BLOCKED. */
int un_conv_blocks(void);

int un_feature_map_same(const un_feature_map *a, const un_feature_map *b);
/* To be freed by un_dnn_layout_free. */
un_status un_feature_map_describe(const un_feature_map *map, un_dnn_layout **out);

#endif
