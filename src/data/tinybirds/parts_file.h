/*
 * parts_file.h - writing the true boxes of Tinybirds as DIR/parts.safetensors.
 *
 *     boxes     F32 [N, P, 4]  x0 y0 x1 y1, fractions of the picture; 0 where not visible
 *     visible   U8  [N, P]
 *     objects   F32 [N, 4]     the whole bird
 * Metadata: format "unseen-parts", format_version "1", kind "boxes", parts (JSON list of P
 * names), attribute_parts (JSON {"att": [[parts of an attribute] …], "original_att": …}; an
 * attribute of the whole bird has none).
 */
#ifndef UN_DATA_TINYBIRDS_PARTS_FILE_H
#define UN_DATA_TINYBIRDS_PARTS_FILE_H

#include "data/tinybirds/tinybirds.h"

un_status un_tinybirds_write_parts(const char *directory, const un_tinybirds_boxes *boxes,
                                   size_t image_count);

#endif
