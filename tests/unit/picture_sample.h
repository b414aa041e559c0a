/*
 * picture_sample.h - what the tests of imported folders share: files and folders below
 * the test's own.
 */
#ifndef UN_TESTS_PICTURE_SAMPLE_H
#define UN_TESTS_PICTURE_SAMPLE_H

#include "unit/data_sample.h"

#include <sys/stat.h>

/* A file below the test's folder, with the folders above it. */
static inline void put_file(const char *name, const char *text) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", g_folder, name);
    for (char *at = path + strlen(g_folder) + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0777);
        *at = '/';
    }
    write_text(path, text);
}

static inline void forget(const char *name) {
    char path[400];
    snprintf(path, sizeof path, "%s/%s", g_folder, name);
    assert_int_equal(un_directory_remove(path), UNSEEN_OK);
}

#endif
