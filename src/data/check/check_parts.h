/*
 * check_parts.h - what the parts of the data set check share; private to check*.c.
 */
#ifndef UN_DATA_CHECK_PARTS_H
#define UN_DATA_CHECK_PARTS_H

#include "base/json.h"
#include "data/dataset.h"
#include "data/features.h"

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
