#include "vision/backbone_parts.h"
un_status un_resnet_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    (void)precision;
    (void)out;
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: not yet", file->path);
}
un_status un_mobilenet_open(const un_safetensors *file, un_precision precision, un_backbone **out) {
    (void)precision;
    (void)out;
    return un_fail(UNSEEN_E_UNSUPPORTED, "%s: not yet", file->path);
}
