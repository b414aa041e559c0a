/* backbone_pending.c - the parts of the room that other files bring: deleted with them. */
#include "vision/backbone_parts.h"

#include <string.h>

#include "base/json.h"

un_status un_vit_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    (void)precision;
    (void)out;
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: vision transformers are not built in", file->path);
}
