/* check_pictures.c - verifying the pictures of a data set and their parts; see check.h. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "data/check/check_parts.h"
#include "data/parts.h"

/* Pictures that make trouble. */
typedef struct {
    size_t count;
    const char *example; /* the first */
} trouble;

static void count(trouble *t, const char *picture) {
    if (t->count++ == 0) t->example = picture;
}

/* Reads each picture's file; the first that cannot be read is named. Data sets move to other
 * machines than their pictures: what is missing is a warning. */
static un_status read_images(un_checker *c) {
    const un_dataset *d = c->dataset;
    un_progress progress;
    trouble missing = {0}, outside = {0};
    un_status status = UNSEEN_OK;
    UN_TRY(un_alloc(d->image_count, UN_PICTURE_HASH, &c->pictures));
    un_progress_begin(&progress, "check pictures", "images", d->image_count);
    for (size_t i = 0; i < d->image_count && !status; i++) {
        char *path = NULL;
        status = un_path_below(d->image_root, d->images[i], &path);
        if (status == UNSEEN_E_FORMAT) {
            count(&outside, d->images[i]);
            status = UNSEEN_OK;
        } else if (!status &&
                   un_file_sha256(path, c->pictures + i * UN_PICTURE_HASH) != UNSEEN_OK) {
            count(&missing, d->images[i]);
        }
        free(path);
        un_progress_update(&progress, i + 1);
    }
    un_progress_end(&progress);
    UN_TRY(status);
    UN_TRY(un_json_set(c->report, "missing_pictures", json_integer((json_int_t)missing.count)));
    if (outside.count > 0)
        UN_TRY(un_check_say(c->errors,
                            "the names of %zu of %zu pictures lead out of the folder %s, \"%s\" for one; "
                            "these are not read",
                            outside.count, d->image_count, d->image_root, outside.example));
    if (missing.count == 0) return UNSEEN_OK;
    return un_check_say(c->warnings,
                        "%zu of %zu pictures cannot be read below %s, \"%s\" for one; if they lie "
                        "elsewhere now, say so with --images ROOT",
                        missing.count, d->image_count, d->image_root, missing.example);
}

static un_status check_images(un_checker *c) {
    const un_dataset *d = c->dataset;
    static const char *const numbers[] = {"missing_pictures", "pictures_in_two_classes",
                                          "repeated_pictures"};
    UN_TRY(un_json_set(c->report, "image_root",
                       d->image_root ? json_string(d->image_root) : json_null()));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        UN_TRY(un_json_set(c->report, numbers[i], json_null()));
    if (!d->image_root) return UNSEEN_OK;
    if (!d->images)
        return un_check_say(c->errors, "there is a folder of pictures, but the images have no "
                                       "names");
    if (un_path_is_directory(d->image_root)) return read_images(c);
    UN_TRY(un_json_set(c->report, "missing_pictures", json_integer((json_int_t)d->image_count)));
    return un_check_say(c->warnings,
                        "the folder of the pictures, %s, is not there; if it lies elsewhere now, "
                        "say so with --images ROOT",
                        d->image_root);
}

/* ---- one picture under two names ---- */

typedef struct {
    const unsigned char *hash;
    size_t image;
} hashed;

static int by_hash(const void *a, const void *b) {
    const hashed *x = a;
    const hashed *y = b;
    int order = memcmp(x->hash, y->hash, UN_PICTURE_HASH);
    return order != 0 ? order : (x->image > y->image) - (x->image < y->image);
}

static un_status hash_nothing(unsigned char out[UN_PICTURE_HASH]) {
    un_sha256 *hash = NULL;
    UN_TRY(un_sha256_open(&hash));
    un_status status = un_sha256_digest(hash, out);
    un_sha256_close(hash);
    return status;
}

/* Counts the images whose file is, byte for byte, that of another one; in two classes no method can
 * get both right. */
static un_status check_repeated(un_checker *c) {
    static const unsigned char unread[UN_PICTURE_HASH];
    unsigned char nothing[UN_PICTURE_HASH]; /* of an empty file, which is no picture */
    const un_dataset *d = c->dataset;
    hashed *all = NULL;
    size_t n = 0, repeated = 0, crossing = 0, example[2] = {0, 0};
    if (!c->pictures || !d->labels) return UNSEEN_OK;
    UN_TRY(hash_nothing(nothing));
    UN_TRY(un_alloc(d->image_count, sizeof *all, &all));
    for (size_t i = 0; i < d->image_count; i++) {
        const unsigned char *hash = c->pictures + i * UN_PICTURE_HASH;
        if (memcmp(hash, unread, sizeof unread) != 0 && memcmp(hash, nothing, sizeof nothing) != 0)
            all[n++] = (hashed){hash, i};
    }
    qsort(all, n, sizeof *all, by_hash);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (memcmp(all[i].hash, all[first].hash, UN_PICTURE_HASH) != 0) {
            first = i;
            continue;
        }
        size_t a = all[first].image, b = all[i].image;
        repeated++;
        if (d->labels[a] == d->labels[b]) continue;
        if (crossing++ > 0) continue;
        example[0] = a;
        example[1] = b;
    }
    free(all);
    UN_TRY(un_json_set(c->report, "repeated_pictures", json_integer((json_int_t)repeated)));
    UN_TRY(un_json_set(c->report, "pictures_in_two_classes", json_integer((json_int_t)crossing)));
    if (repeated > 0)
        UN_TRY(un_check_say(c->warnings, "%zu picture file%s the same bytes as another", repeated,
                            repeated == 1 ? " has" : "s have"));
    if (crossing == 0) return UNSEEN_OK;
    return un_check_say(
        c->warnings,
        "the same picture is in two classes %zu time%s: \"%s\" of \"%s\" and \"%s\" of \"%s\"%s",
        crossing, crossing == 1 ? "" : "s", d->images[example[0]],
        d->classes[d->labels[example[0]]], d->images[example[1]], d->classes[d->labels[example[1]]],
        crossing == 1 ? "" : ", for one");
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
    UN_TRY(check_repeated(c));
    return check_part_file(c);
}
