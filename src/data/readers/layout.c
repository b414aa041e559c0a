/* layout.c - channels first or last; see layout.h. */
#include "data/readers/layout.h"

#include <string.h>

static const char *const NAMES[] = {"auto", "nhwc", "nchw"};

un_status un_layout_parse(const char *text, un_layout *out) {
    for (int i = 0; i < 3; i++) {
        if (strcmp(text, NAMES[i]) != 0) continue;
        *out = (un_layout)i;
        return UNSEEN_OK;
    }
    return un_fail(UNSEEN_E_ARGUMENT, "the layout is auto, nhwc or nchw, not \"%.100s\"", text);
}

un_layout un_layout_guess(const size_t dims[3]) {
    enum { MANY = 4 }; /* times as many channels as positions along a side */
    int first_is_square = dims[1] == dims[2];
    int last_is_square = dims[0] == dims[1];
    if (first_is_square && !last_is_square) return UN_LAYOUT_NCHW;
    if (last_is_square && !first_is_square) return UN_LAYOUT_NHWC;
    if (dims[0] / MANY >= dims[1] && dims[0] / MANY >= dims[2]) return UN_LAYOUT_NCHW;
    if (dims[2] / MANY >= dims[0] && dims[2] / MANY >= dims[1]) return UN_LAYOUT_NHWC;
    return UN_LAYOUT_AUTO;
}
