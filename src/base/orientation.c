/* orientation.c - see orientation.h. */
#include "base/orientation.h"

#include <string.h>

const char *un_orientation_name(un_orientation orientation) {
    static const char *const names[] = {NULL, "stored", "exif"};
    return names[orientation];
}

un_status un_orientation_parse(const char *text, un_orientation *out) {
    for (un_orientation o = UN_ORIENTATION_STORED; o <= UN_ORIENTATION_EXIF; o++)
        if (!strcmp(text, un_orientation_name(o))) {
            *out = o;
            return UNSEEN_OK;
        }
    return un_fail(UNSEEN_E_ARGUMENT, "the orientation must be exif or stored, not \"%.40s\"",
                   text);
}
