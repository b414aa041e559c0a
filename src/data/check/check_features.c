/* check_features.c - verifying the feature files of a data set; see check.h. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "data/check/check_parts.h"
#include "data/features.h"
#include "data/split.h"

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
        uint32_t bits = 0;
        un_bf16 half = 0;
        if (f->dtype == UN_F32)
            memcpy(&bits, row + i * sizeof bits, sizeof bits);
        else
            memcpy(&half, row + i * sizeof half, sizeof half);
        bits |= (uint32_t)half << 16;
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
        un_progress_update(&progress, i + 1);
    }
    UN_GO(un_sha256_hex(hash, s->sha256));
done:
    un_progress_end(&progress);
    un_sha256_close(hash);
    return status;
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
                            "features \"%s\": %zu image%s none, because the picture could not be "
                            "used or is new; `unseen extract` tries again",
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
                        "features \"%s\": %zu picture%s changed since they were made, \"%s\" for "
                        "one; remove the feature file, or import with --update, which keeps "
                        "the others, and extract again",
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
    if (un_features_open(&f, c->dataset->directory, name) != UNSEEN_OK)
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
    UN_TRY(un_features_list(c->dataset->directory, &names, &count));
    un_status status = UNSEEN_OK;
    for (size_t i = 0; i < count && !status; i++) status = check_file(c, names[i], list);
    un_names_free(names);
    if (!status && count == 0)
        status = un_check_say(c->not_verified, "features: the data set has none yet");
    return status;
}
