/*
 * folder.h - a folder of the test program's own: made before a group of tests, removed after it.
 */
#ifndef UN_TESTS_FOLDER_H
#define UN_TESTS_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

static char g_folder[256];

static inline int make_folder(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(g_folder, sizeof g_folder, "%s/unseen-test-XXXXXX", base && base[0] ? base : "/tmp");
    return mkdtemp(g_folder) ? 0 : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    return un_directory_remove(g_folder) == UNSEEN_OK && !un_path_exists(g_folder) ? 0 : -1;
}

/* A path in the test's folder; the last 64 stay valid. */
static inline const char *in_folder(const char *name) {
    static char paths[64][400];
    static unsigned next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof paths[0], "%s/%s", g_folder, name);
    return path;
}

#endif
