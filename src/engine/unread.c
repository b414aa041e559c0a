/* unread.c - see unread.h. */
#include "engine/unread.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "vision/image/image.h"

un_status un_unread_look(const un_dataset *d, un_unread *out) {
    un_progress progress;
    un_status status = UNSEEN_OK;
    *out = (un_unread){.images = d->image_count};
    if (!d->image_root || !d->images) return UNSEEN_OK;
    un_progress_begin(&progress, "look at pictures", "images", d->image_count);
    for (size_t i = 0; i < d->image_count && !status; i++) {
        char *path = NULL;
        status = un_path_below(d->image_root, d->images[i], &path);
        un_file_kind kind = status ? UN_KIND_UNKNOWN : un_kind_of_file(path);
        free(path);
        if (status == UNSEEN_E_FORMAT) status = UNSEEN_OK; /* outside the folder: not looked at */
        if (kind != UN_KIND_UNKNOWN && !un_image_reads(kind) && out->count[kind]++ == 0)
            out->example[kind] = d->images[i];
        un_progress_update(&progress, i + 1);
    }
    un_progress_end(&progress);
    return status;
}

un_status un_unread_sentence(const un_unread *unread, un_file_kind kind, char **out) {
    const char *advice = un_kind_advice(kind);
    return un_format(out, "%zu of %zu pictures cannot be read, \"%s\" for one: it is %s%s%s",
                     unread->count[kind], unread->images, unread->example[kind], un_kind_name(kind),
                     advice ? "; " : "", advice ? advice : "");
}
