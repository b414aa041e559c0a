/* parts_file.h - the true boxes of Tinybirds as DIR/parts.safetensors (data/parts.h). */
#ifndef UN_DATA_TINYBIRDS_PARTS_FILE_H
#define UN_DATA_TINYBIRDS_PARTS_FILE_H

#include "data/dataset.h"
#include "tinybirds/tinybirds.h"

/* `boxes` of all images; every semantics of the data set has Tinybirds' attributes. */
un_status un_tinybirds_write_parts(const un_dataset *dataset, const un_tinybirds_boxes *boxes,
                                   const char *directory);

#endif
