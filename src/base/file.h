/*
 * file.h - files that appear whole or not at all, read-only maps, hashes.
 *
 * An un_atomic_file is written under a temporary name beside its target,
 * synced, then renamed over it: a reader sees the old file or the new one,
 * never half of one, whatever kills the writer.
 */
#ifndef UN_BASE_FILE_H
#define UN_BASE_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

typedef struct {
    char *path;      /* the target */
    char *temporary; /* where the bytes go until commit */
    int fd;          /* -1: not open */
    int keep;        /* the temporary file outlives un_atomic_abort */
} un_atomic_file;

/* Creates the temporary file beside `path`. */
un_status un_atomic_open(un_atomic_file *file, const char *path);
/* A file beside `path` that has no name: what is written can be read back, and whatever ends the
 * process removes it. Closed by un_atomic_abort. */
un_status un_scratch_open(un_atomic_file *file, const char *path);
/* For long work that can be taken up again: the temporary file is PATH.partial, it is opened
 * with what an earlier run left in it and stays if this run does not commit. Fails if another
 * process is writing it. */
un_status un_atomic_open_partial(un_atomic_file *file, const char *path);
/* What was written is on the disk when this returns. */
un_status un_atomic_sync(un_atomic_file *file);
/* Reads `n` bytes of a partial or scratch file at `offset`. */
un_status un_atomic_read(un_atomic_file *file, void *data, size_t n, uint64_t offset);
/* Writes all `n` bytes at `offset`. */
un_status un_atomic_write(un_atomic_file *file, const void *data, size_t n, uint64_t offset);
/* Syncs and renames; on failure the temporary file is removed. Always closes. */
un_status un_atomic_commit(un_atomic_file *file);
/* Removes the temporary file and closes; harmless after commit. */
void un_atomic_abort(un_atomic_file *file);

/* Writes a whole small file atomically. */
un_status un_file_write(const char *path, const void *data, size_t n);
/* Whether a file can be written at `path`: for long work, before it begins. Says so of a directory,
 * of a folder that is missing, and of what the system does not permit. */
un_status un_output_check(const char *path);
/* Reads a whole file of at most `limit` bytes; *out is NUL-terminated and
 * released with free(); *length excludes the NUL. */
un_status un_file_read(const char *path, size_t limit, char **out, size_t *length);

/* A read-only map of a regular file; an empty file gives data NULL, size 0. */
typedef struct {
    const unsigned char *data;
    size_t size;
} un_map;
un_status un_map_open(un_map *map, const char *path);
void un_map_close(un_map *map);

int un_path_exists(const char *path);
int un_path_is_regular(const char *path); /* a file, links followed */
int un_path_is_directory(const char *path);
/* "a/b" of "a" and "b", released with free(). */
un_status un_path_join(const char *directory, const char *name, char **out);
/* The part after the last '/', trailing slashes ignored; released with free(). */
un_status un_path_base(const char *path, char **out);
/* Everything before the last '/', "." if there is none; released with free(). */
un_status un_path_directory(const char *path, char **out);
/* Syncs a directory so that renames in it survive a crash. */
un_status un_directory_sync(const char *path);
/* Removes a directory and the plain files and directories below it; does not
 * follow links. Missing is fine. */
un_status un_directory_remove(const char *path);

/* printf into fresh memory, released with free(). */
un_status un_format(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* SHA-256, incremental. */
typedef struct un_sha256 un_sha256;
un_status un_sha256_open(un_sha256 **out);
un_status un_sha256_add(un_sha256 *hash, const void *data, size_t n);
/* 64 hexadecimal digits and a NUL. */
un_status un_sha256_hex(un_sha256 *hash, char out[65]);
/* The same as 32 bytes. One of the two ends a hash. */
un_status un_sha256_digest(un_sha256 *hash, unsigned char out[32]);
void un_sha256_close(un_sha256 *hash);
/* Of the bytes of a regular file, in pieces. */
un_status un_file_sha256(const char *path, unsigned char out[32]);

/* Anonymous resident memory of this process in KiB, and its peak since start
 * of all resident memory; 0 where the system does not tell. */
size_t un_memory_anonymous_kib(void);
size_t un_memory_peak_kib(void);

#endif
