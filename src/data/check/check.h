/*
 * check.h - what `unseen check` verifies of a data set directory.
 */
#ifndef UN_DATA_CHECK_H
#define UN_DATA_CHECK_H

#include "base/json.h"
#include "data/dataset.h"
#include "data/features.h"

/* Verifies the data set in `directory`: list ranges, order, duplicates and
 * disjointness, coverage of all images, labels in range, seen/unseen classes
 * disjoint and complete, fold lists inside trainval, semantics finite, no two
 * classes with equal rows or rows of one direction, class and image names unique,
 * feature files finite, of the right length and with the hash they carry, images
 * with equal features, pictures there, each in one class only and the ones that the
 * features were made of, parts in their pictures.
 *
 * *report (new reference) is
 *   {"name", "images", "classes", "seen_classes" and "unseen_classes" (null
 *    without labels), "trainval", "test_seen", "test_unseen", "split_hash",
 *    "split_name" or null,
 *    "image_root" or null, "missing_pictures" (a number, null without image_root),
 *    "pictures_in_two_classes", "repeated_pictures" (numbers, null without image_root),
 *    "parts": null or {"kind", "count", "visible" (share of all parts of all images),
 *              "objects" (whether the objects' boxes are known)},
 *    "semantics": [{"name", "width", "min", "max", "unit_rows"}],
 *    "features": [{"name", "images", "regions", "width", "dtype", "sha256",
 *                  "absent" (images without a row)}],
 *    "folds": [{"source", "proposed", "classes" (a number, null without labels),
 *               "train", "seen", "unseen", "listed_train", "listed_val",
 *               "leaked_train", "leaked_val"}],
 *    "notes": [sentence of the import…],
 *    "errors": [sentence…], "warnings": [sentence…], "not_verified": [sentence…]}
 * Problems of the data set land in "errors" and still return UNSEEN_OK; a status
 * says that the directory could not be read at all. */
un_status un_check(const char *directory, json_t **report);
/* The same of a data set that is open, in a directory or in memory, and its pictures where it has
 * them now. */
un_status un_check_dataset(const un_dataset *dataset, json_t **report);

/* ---- classes whose descriptions differ in length only.
 *
 * Most methods bring a class's row to length 1 first; rows of one direction, such as
 * (1, 2) and (2, 4), are the same class to them. ---- */

typedef struct {
    size_t count;      /* pairs */
    size_t (*pair)[2]; /* [count] the lower class first; in order; released with un_alike_free */
} un_alike;

/* Rows of values (C, A) whose unit vectors are at most UN_ALIKE_DISTANCE apart. Rows of zeros have
 * no direction and are never alike. At most `most` pairs are told. */
#define UN_ALIKE_DISTANCE 1e-4
un_status un_alike_find(const float *values, size_t C, size_t A, size_t most, un_alike *out);
void un_alike_free(un_alike *alike);

/* ---- what check.c and check_contents.c share ---- */

typedef struct {
    const un_dataset *dataset;
    unsigned char *pictures; /* [N, UN_PICTURE_HASH] of the files there, zeros where one cannot be
                                read; NULL: there is no folder of pictures */
    json_t *report;          /* the object; the three lists join it at the end */
    json_t *errors;
    json_t *warnings;
    json_t *not_verified;
} un_checker;

/* Adds a sentence to one of the lists. */
un_status un_check_say(json_t *list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Every feature file: length, finite values, hash, equal rows. */
un_status un_check_features(un_checker *checker);

/* That the pictures are there, and the file of parts. */
un_status un_check_pictures(un_checker *checker);

#endif
