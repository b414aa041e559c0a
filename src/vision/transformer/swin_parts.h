/*
 * swin_parts.h - what the files of the Swin transformer share. Private.
 */
#ifndef UN_VISION_SWIN_PARTS_H
#define UN_VISION_SWIN_PARTS_H

#include "nn/naming.h"
#include "vision/transformer/swin.h"

/* How a file names its tensors. */
typedef struct {
    un_swin_family family;
    char prefix[UN_NAME_LENGTH];
} swin_naming;

/* 0 if the names are of no Swin transformer. */
int un_swin_find_naming(const un_safetensors *file, swin_naming *out);
/* The file's name of the piece called `ours` (without our prefix). *third: which rows of a
 * tensor that holds query, key and value, or -1: the tensor is the whole piece. */
un_status un_swin_file_name(const swin_naming *naming, const char *ours, char out[UN_NAME_LENGTH],
                            int *third);

/* w of stage `stage` on a map of h x h. */
size_t un_swin_window(const un_swin_config *config, size_t stage, size_t side);

#endif
