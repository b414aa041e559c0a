/* golden_cnn.h - what the golden checks of convolutional networks share; see golden_cnn.c. */
#ifndef UN_TESTS_GOLDEN_CNN_H
#define UN_TESTS_GOLDEN_CNN_H

#include "golden.h"
#include "vision/backbone.h"

/* A tensor out.<name> and the block of the network whose output it is (NULL: the last). */
typedef struct {
    const char *reference, *block;
} golden_block;

/* Opens the network; backbone.h. */
typedef un_status (*golden_opener)(const un_safetensors *file, un_precision precision,
                                   un_backbone **out);

/* Compares the blocks that the file has, the pooled features, and the logits made of them with
 * the classifier `head`.weight, `head`.bias. */
un_status golden_check_cnn(golden *g, golden_opener open, const golden_block *blocks, size_t count,
                           const char *head);

#endif
