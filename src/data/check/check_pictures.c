/* check_pictures.c - verifying the pictures of a data set and their parts; see check.h. */
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "data/check/check_parts.h"
#include "data/parts.h"

/* Whether each picture can be read; the first that cannot is named. Data sets move to
 * other machines than their pictures: what is missing is a warning. */
static un_status check_images(un_checker *c) {
    const un_dataset *d = c->dataset;
    size_t missing = 0;
    const char *example = NULL;
    UN_TRY(un_json_set(c->report, "image_root",
                       d->image_root ? json_string(d->image_root) : json_null()));
    if (!d->image_root) return un_json_set(c->report, "missing_pictures", json_null());
    if (!d->images)
        return un_check_say(c->errors, "there is a folder of pictures, but the images have no "
                                       "names");
    for (size_t i = 0; i < d->image_count; i++) {
        char *path = NULL;
        UN_TRY(un_path_join(d->image_root, d->images[i], &path));
        int there = access(path, R_OK) == 0;
        free(path);
        if (there) continue;
        if (missing++ == 0) example = d->images[i];
    }
    UN_TRY(un_json_set(c->report, "missing_pictures", json_integer((json_int_t)missing)));
    if (missing == 0) return UNSEEN_OK;
    return un_check_say(c->warnings, "%zu of %zu pictures cannot be read below %s, \"%s\" for one",
                        missing, d->image_count, d->image_root, example);
}

static double visible_share(const un_parts *p) {
    size_t visible = 0;
    size_t all = p->image_count * p->part_count;
    for (size_t i = 0; i < all; i++) visible += p->visible[i];
    return all > 0 ? (double)visible / (double)all : 0;
}

static un_status check_part_file(un_checker *c) {
    const un_dataset *d = c->dataset;
    un_parts p;
    if (!un_parts_exist(d->directory)) return un_json_set(c->report, "parts", json_null());
    if (un_parts_open(&p, d->directory, d) != UNSEEN_OK) {
        UN_TRY(un_check_say(c->errors, "the parts cannot be used: %s", un_error()));
        return un_json_set(c->report, "parts", json_null());
    }
    un_status status = UNSEEN_OK;
    UN_GO(un_json_set(c->report, "parts",
                      json_pack("{s:s, s:I, s:f, s:b}", "kind", p.points ? "points" : "boxes",
                                "count", (json_int_t)p.part_count, "visible", visible_share(&p),
                                "objects", p.objects != NULL)));
    for (size_t k = 0; k < p.part_count; k++) {
        size_t i = 0;
        while (i < p.image_count && !p.visible[i * p.part_count + k]) i++;
        if (i == p.image_count)
            UN_GO(un_check_say(c->warnings, "part \"%s\" is visible in no picture", p.names[k]));
    }
done:
    un_parts_close(&p);
    return status;
}

un_status un_check_pictures(un_checker *c) {
    UN_TRY(check_images(c));
    return check_part_file(c);
}
