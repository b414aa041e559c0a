/*
 * folder.h - a folder of the test program's own: made before a group of tests, removed after it.
 */
#ifndef UN_TESTS_FOLDER_H
#define UN_TESTS_FOLDER_H

#include <dirent.h>

#include "base/file.h"
#include "util.h"

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

/* A path in the test's folder; the last 256 stay valid. */
static inline const char *in_folder(const char *name) {
    static char paths[256][400];
    static unsigned next;
    char *path = paths[next++ % 256];
    snprintf(path, sizeof paths[0], "%s/%s", g_folder, name);
    return path;
}

/* How many files are in it, hidden ones not counted. */
static inline size_t files_in_folder(void) {
    DIR *folder = opendir(g_folder);
    size_t n = 0;
    assert_non_null(folder);
    for (struct dirent *e = readdir(folder); e; e = readdir(folder)) n += e->d_name[0] != '.';
    closedir(folder);
    return n;
}

/* Straight to the file, not by way of another as un_file_write() does: many small ones are written. */
static inline void write_bytes(const char *path, const void *data, size_t n) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

#endif
