/*
 * backbone_parts.h - what the networks of this room have in common with backbone.c,
 * which finds the right one for a file. Private to the room.
 *
 * An opener checks that the file holds a whole network of its kind, takes what it needs
 * out of it (the file is closed afterwards) and fills in the head: class, architecture,
 * width, precision and the architecture's usual recipe. backbone.c then adds the file's
 * hash and, where its metadata has one, its own recipe. What UN_PRECISION_AUTO means is
 * the network's to say; left in the head, it is resolved for the processor.
 */
#ifndef UN_VISION_BACKBONE_PARTS_H
#define UN_VISION_BACKBONE_PARTS_H

#include "tensor/safetensors.h"
#include "vision/backbone.h"

un_status un_resnet_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_mobilenet_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_vit_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_swin_open(const un_safetensors *file, un_precision precision, un_backbone **out);
un_status un_descriptor_open(un_backbone **out);
un_status un_pixels_open(un_backbone **out);

/* In an expected shape: any extent above 0. */
enum { UN_ANY_EXTENT = 0 };

/* A tensor of the file as f32. It must be F32, BF16 or F16 and of `rank` and `shape`
 * (entries may be UN_ANY_EXTENT), and not empty; the sentence names the tensor. *out is
 * released with free(). */
un_status un_backbone_tensor(const un_safetensors *file, const char *name, int rank,
                             const size_t *shape, float **out);
/* The same checks without the copy, for reading extents. */
un_status un_backbone_find(const un_safetensors *file, const char *name, int rank,
                           const size_t *shape, const un_st_entry **out);

#endif
