/* backbone_pending.c - the parts of the room that other files bring: deleted with them. */
#include "vision/backbone_parts.h"

#include <string.h>

#include "base/json.h"

un_status un_vit_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    (void)precision;
    (void)out;
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: vision transformers are not built in", file->path);
}

un_status un_descriptor_open(un_backbone **out) {
    (void)out;
    return un_fail(UNSEEN_E_UNSUPPORTED, "the descriptor is not built in");
}

void un_recipe_default(un_recipe *out) {
    *out = (un_recipe){.resize = 256,
                       .crop = 224,
                       .interpolation = UN_BILINEAR,
                       .mean = {0.485f, 0.456f, 0.406f},
                       .std = {0.229f, 0.224f, 0.225f}};
}

un_status un_recipe_parse(const char *text, const char *where, un_recipe *out) {
    json_t *value = NULL;
    un_recipe_default(out);
    UN_TRY(un_json_parse(text, strlen(text), where, &value));
    json_decref(value);
    return UNSEEN_OK;
}
