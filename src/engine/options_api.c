/* options_api.c - what callers of any version set; see handles.h. */
#include <string.h>

#include "engine/handles.h"

enum { LARGEST = 4096 }; /* bytes, of a structure of any version: more is no size */

void un_options_init(void *options, size_t size, const void *defaults, size_t known) {
    if (!options || size < sizeof size) return;
    memset(options, 0, size);
    memcpy(options, defaults, size < known ? size : known);
    memcpy(options, &size, sizeof size);
}

un_status un_options_take(const void *options, const char *name, void *out, size_t known) {
    size_t size = 0;
    if (!options) return UNSEEN_OK;
    memcpy(&size, options, sizeof size);
    if (size < sizeof size)
        return un_fail(UNSEEN_E_ARGUMENT, "%s has no size: call %s_init first", name, name);
    if (size > LARGEST)
        return un_fail(UNSEEN_E_ARGUMENT, "%s cannot have %zu bytes: call %s_init first", name,
                       size, name);
    for (size_t i = known; i < size; i++)
        if (((const unsigned char *)options)[i] != 0)
            return un_fail(UNSEEN_E_UNSUPPORTED,
                           "%s asks for something that version %s does not have", name,
                           unseen_version());
    memcpy(out, options, size < known ? size : known);
    return UNSEEN_OK;
}

un_status un_orientation_take(unseen_orientation orientation, un_orientation *out) {
    static const un_orientation orientations[] = {
        [UNSEEN_ORIENTATION_MODEL] = UN_ORIENTATION_UNSAID,
        [UNSEEN_ORIENTATION_STORED] = UN_ORIENTATION_STORED,
        [UNSEEN_ORIENTATION_EXIF] = UN_ORIENTATION_EXIF};
    if ((unsigned)orientation >= sizeof orientations / sizeof *orientations)
        return un_fail(UNSEEN_E_ARGUMENT, "%d is no orientation", (int)orientation);
    *out = orientations[orientation];
    return UNSEEN_OK;
}

un_status un_among_check(unseen_among among) {
    switch (among) {
    case UNSEEN_AMONG_ALL:
    case UNSEEN_AMONG_SEEN:
    case UNSEEN_AMONG_UNSEEN:
    case UNSEEN_AMONG_NEW: return UNSEEN_OK;
    default: return un_fail(UNSEEN_E_ARGUMENT, "%d is no unseen_among", (int)among);
    }
}
