/* check_contents.c - verifying what lies beside the lists of a data set: feature files, pictures,
 * parts; see check.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/status.h"
#include "data/check/check.h"
#include "data/features.h"
#include "data/parts.h"
#include "data/split.h"
#include "tensor/sha256.h"

/* ---- sentences ---- */

un_status un_check_say(json_t *list, const char *format, ...) {
    char text[UN_ERROR_LENGTH];
    va_list arguments;
    va_start(arguments, format);
    un_sentence(text, sizeof text, format, arguments);
    va_end(arguments);
    json_t *sentence = json_string(text);
    if (!sentence) sentence = json_string("a sentence that is not valid UTF-8");
    return un_json_append(list, sentence);
}

/* ---- feature files ---- */

/* One image's row by a 64-bit mark of its bytes. */
typedef struct {
    uint64_t mark;
    size_t image;
} marked_row;

static int by_mark(const void *a, const void *b) {
    const marked_row *x = a;
    const marked_row *y = b;
    if (x->mark != y->mark) return x->mark < y->mark ? -1 : 1;
    return (x->image > y->image) - (x->image < y->image);
}

/* A quick mixing of the bytes; equal marks are compared byte by byte later. */
static uint64_t mark_of(const unsigned char *row, size_t bytes) {
    uint64_t mark = bytes;
    size_t i = 0;
    for (; i + 8 <= bytes; i += 8) {
        uint64_t word;
        memcpy(&word, row + i, sizeof word);
        mark = (mark ^ word) * 0x9E3779B97F4A7C15u;
        mark ^= mark >> 29;
    }
    for (; i < bytes; i++) mark = (mark ^ row[i]) * 0x100000001B3u;
    return mark;
}

typedef struct {
    size_t not_finite; /* images */
    size_t first_bad;  /* the first of them */
    size_t all_zero;   /* images */
    size_t present;    /* images with a row */
    marked_row *rows;  /* [present] */
    char sha256[65];
} scan;

static void look_at(const un_features *f, size_t image, scan *s) {
    const unsigned char *row = f->data + image * f->row_bytes;
    size_t n = f->regions * f->width;
    int finite = 1;
    int zero = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = un_features_bits(f, row, i);
        finite &= (bits & 0x7F800000u) != 0x7F800000u;
        zero &= (bits & 0x7FFFFFFFu) == 0;
    }
    if (!un_features_has(f, image)) return;
    if (!finite && s->not_finite++ == 0) s->first_bad = image;
    s->all_zero += (size_t)zero;
    s->rows[s->present++] = (marked_row){mark_of(row, f->row_bytes), image};
}

static un_status scan_all(const un_features *f, scan *s) {
    un_sha256 *hash = NULL;
    un_progress progress;
    UN_TRY(un_alloc(f->image_count, sizeof *s->rows, &s->rows));
    UN_TRY(un_sha256_open(&hash));
    un_progress_begin(&progress, "check features", "images", f->image_count);
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < f->image_count; i++) {
        look_at(f, i, s);
        UN_GO(un_sha256_add(hash, f->data + i * f->row_bytes, f->row_bytes));
        UN_GO(un_progress_step(&progress, i + 1));
    }
    UN_GO(un_sha256_hex(hash, s->sha256));
done:
    un_sha256_close(hash);
    return un_progress_finish(&progress, status);
}

static int is_test(const un_dataset *d, size_t image) {
    return un_index_list_contains(&d->test_seen, (int64_t)image) ||
           un_index_list_contains(&d->test_unseen, (int64_t)image);
}

/* Images with equal features are mostly one photograph under two names. */
static un_status check_equal_rows(un_checker *c, const un_features *f, scan *s) {
    size_t equal = 0;
    size_t across = 0;
    size_t example[2] = {0, 0};
    qsort(s->rows, s->present, sizeof *s->rows, by_mark);
    for (size_t i = 1; i < s->present; i++) {
        size_t a = s->rows[i - 1].image;
        size_t b = s->rows[i].image;
        if (s->rows[i - 1].mark != s->rows[i].mark ||
            memcmp(f->data + a * f->row_bytes, f->data + b * f->row_bytes, f->row_bytes) != 0)
            continue;
        if (equal++ == 0) {
            example[0] = a;
            example[1] = b;
        }
        if (b < c->dataset->image_count) across += is_test(c->dataset, a) != is_test(c->dataset, b);
    }
    if (equal == 0) return UNSEEN_OK;
    return un_check_say(c->warnings,
                        "features \"%s\": %zu image%s the features of another (%zu and %zu, for "
                        "one), %zu of them across training and test",
                        f->name, equal, equal == 1 ? " repeats" : "s repeat", example[0],
                        example[1], across);
}

/* Whether the pictures are still those that the features were made of. */
static un_status check_made_of(un_checker *c, const un_features *f) {
    static const unsigned char unread[UN_PICTURE_HASH];
    size_t changed = 0, example = 0;
    if (f->absent > 0)
        UN_TRY(un_check_say(c->warnings,
                            "features \"%s\": %zu image%s none, because the picture could not "
                            "be used or is new; {`unseen extract`|unseen_extract} tries again",
                            f->name, f->absent, f->absent == 1 ? " has" : "s have"));
    if (!f->pictures || !c->pictures || f->image_count != c->dataset->image_count) return UNSEEN_OK;
    for (size_t i = 0; i < f->image_count; i++) {
        const unsigned char *now = c->pictures + i * UN_PICTURE_HASH;
        const unsigned char *then = f->pictures + i * UN_PICTURE_HASH;
        if (!un_features_has(f, i) || !memcmp(now, unread, sizeof unread) ||
            !memcmp(then, unread, sizeof unread) || !memcmp(now, then, UN_PICTURE_HASH))
            continue;
        if (changed++ == 0) example = i;
    }
    if (changed == 0) return UNSEEN_OK;
    return un_check_say(c->warnings,
                        "features \"%s\": %zu picture%s changed since they were made, \"%s\" "
                        "for one; remove the feature file, or import with {--update}, which "
                        "keeps the others, and extract again",
                        f->name, changed, changed == 1 ? " has" : "s have",
                        c->dataset->images[example]);
}

static un_status judge(un_checker *c, const un_features *f, scan *s) {
    if (f->image_count != c->dataset->image_count)
        UN_TRY(un_check_say(c->errors, "features \"%s\" have %zu images, the data set has %zu",
                            f->name, f->image_count, c->dataset->image_count));
    if (s->not_finite > 0)
        UN_TRY(un_check_say(c->errors,
                            "features \"%s\": values that are not finite in %zu image%s, image %zu "
                            "first",
                            f->name, s->not_finite, s->not_finite == 1 ? "" : "s", s->first_bad));
    if (s->all_zero > 0)
        UN_TRY(un_check_say(c->warnings, "features \"%s\": all values are zero in %zu image%s",
                            f->name, s->all_zero, s->all_zero == 1 ? "" : "s"));
    if (f->sha256[0] == 0)
        UN_TRY(un_check_say(c->not_verified, "features \"%s\": the file carries no hash", f->name));
    else if (strcmp(f->sha256, s->sha256) != 0)
        UN_TRY(un_check_say(c->errors,
                            "features \"%s\" are damaged: their hash is %s, the file says %.64s",
                            f->name, s->sha256, f->sha256));
    UN_TRY(check_made_of(c, f));
    return check_equal_rows(c, f, s);
}

static un_status check_file(un_checker *c, const char *name, json_t *list) {
    un_features f;
    scan s = {0};
    if (un_dataset_features(c->dataset, name, &f) != UNSEEN_OK)
        return un_check_say(c->errors, "features \"%s\" cannot be read: %s", name, un_error());
    un_status status = UNSEEN_OK;
    UN_GO(scan_all(&f, &s));
    UN_GO(un_json_append(list,
                         json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:I}", "name", f.name, "images",
                                   (json_int_t)f.image_count, "regions", (json_int_t)f.regions,
                                   "width", (json_int_t)f.width, "dtype", un_dtype_name(f.dtype),
                                   "sha256", s.sha256, "absent", (json_int_t)f.absent)));
    UN_GO(judge(c, &f, &s));
done:
    free(s.rows);
    un_features_close(&f);
    return status;
}

un_status un_check_features(un_checker *c) {
    char **names = NULL;
    size_t count = 0;
    json_t *list = json_array();
    UN_TRY(un_json_set(c->report, "features", list));
    UN_TRY(un_dataset_features_list(c->dataset, &names, &count));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < count && !status; i++) status = check_file(c, names[i], list);
    un_names_free(names);
    if (!status && count == 0)
        status = un_check_say(c->not_verified, "features: the data set has none yet");
    return status;
}

/* ---- pictures ---- */

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
        if (!status) status = un_progress_step(&progress, i + 1);
    }
    UN_TRY(un_progress_finish(&progress, status));
    UN_TRY(un_json_set(c->report, "missing_pictures", json_integer((json_int_t)missing.count)));
    if (outside.count > 0)
        UN_TRY(un_check_say(
            c->errors,
            "the names of %zu of %zu pictures lead out of the folder %s, \"%s\" for one; "
            "these are not read",
            outside.count, d->image_count, d->image_root, outside.example));
    if (missing.count == 0) return UNSEEN_OK;
    return un_check_say(c->warnings,
                        "%zu of %zu pictures cannot be read below %s, \"%s\" for one; if they "
                        "lie elsewhere now, say so with {--images "
                        "ROOT|unseen_dataset_use_images}",
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
                        "the folder of the pictures, %s, is not there; if it lies elsewhere "
                        "now, say so with {--images ROOT|unseen_dataset_use_images}",
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

/* ---- parts ---- */

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
