/*
 * file.h - files that appear whole or not at all, read-only maps, paths, hashes, locks.
 *
 * An un_atomic_file takes its bytes into a file without a name (or, where the file system has no
 * such files, under a temporary name beside its target), is synced, then renamed over the target:
 * a reader sees the old file or the new one, never half of one, whatever kills the writer. What a
 * killed writer left under a temporary name is removed by the next writer of the same target;
 * a lock on it tells whether its writer lives.
 *
 * A target that is a symbolic link stays one: what it points to is replaced. A target that is a
 * pipe, a terminal, another character device or an open descriptor (/dev/stdout, /dev/fd/63) is
 * written to, never replaced.
 */
#ifndef UN_BASE_FILE_H
#define UN_BASE_FILE_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/status.h"

typedef struct {
    char *path;      /* the target, as it was named */
    char *target;    /* where links lead */
    char *temporary; /* where the bytes go until commit; NULL: a file without a name */
    int fd;          /* -1: not open */
    int held;        /* has the lock of a file that was shared; or -1 */
    int keep;        /* the temporary file outlives un_atomic_abort */
    int descriptor;  /* open descriptor that the target names, or -1 */
    int through;     /* descriptor of a target that is written to, not replaced; or -1 */
    int spooled;     /* such a target gets everything at commit */
    uint64_t written;
} un_atomic_file;

/* Nothing is open. */
#define UN_ATOMIC_NONE                                                                             \
    (un_atomic_file) { .fd = -1, .held = -1, .descriptor = -1, .through = -1 }

/* Begins a file that may be written in any order. A pipe or device gets it whole at commit. */
un_status un_atomic_open(un_atomic_file *file, const char *path);
/* A file beside `path` (NULL: in TMPDIR) that has no name: what is written can be read back, and whatever ends the
 * process removes it. Closed by un_atomic_abort. */
un_status un_scratch_open(un_atomic_file *file, const char *path);
/* The name that standard output is opened by; sentences do not show it, but say what it is. */
#define UN_STANDARD_OUTPUT "/dev/fd/1"

/* Begins a file that is written from front to back. A pipe or device gets every piece at once. */
un_status un_atomic_open_stream(un_atomic_file *file, const char *path);
/* For long work that can be taken up again: the temporary file is PATH.partial, it is opened
 * with what an earlier run left in it and stays if this run does not commit. Fails if another
 * process is writing it, or if PATH.partial is a link. */
un_status un_atomic_open_partial(un_atomic_file *file, const char *path);
/* The partial file is for others to join from here on: what was written is on the disk, and bytes can
 * be written but not read, until all others have synced and closed it and un_atomic_regain follows,
 * which does nothing to a file that was not shared. Works over NFS: partial.c says how. */
un_status un_atomic_share(un_atomic_file *file);
un_status un_atomic_regain(un_atomic_file *file);
/* The same file, which another process has shared; bytes can be written, and commit is for that one. */
un_status un_atomic_join_partial(un_atomic_file *file, const char *path);
/* What was written is on the disk when this returns. */
un_status un_atomic_sync(un_atomic_file *file);
/* Reads `n` bytes of a partial or scratch file at `offset`. */
un_status un_atomic_read(un_atomic_file *file, void *data, size_t n, uint64_t offset);
/* Writes all `n` bytes at `offset`. */
un_status un_atomic_write(un_atomic_file *file, const void *data, size_t n, uint64_t offset);
/* Syncs, and gives the file its temporary name already, by which others can open it. Not of a pipe or
 * device. */
un_status un_atomic_name(un_atomic_file *file);
/* Syncs and renames; on failure the temporary file is removed. Always closes. */
un_status un_atomic_commit(un_atomic_file *file);
/* Removes the temporary file and closes; harmless after commit and on UN_ATOMIC_NONE. */
void un_atomic_abort(un_atomic_file *file);

/* Removes a file, and what killed writers of it left. Missing is fine. */
un_status un_file_remove(const char *path);
/* Writes a whole small file atomically. */
un_status un_file_write(const char *path, const void *data, size_t n);
/* Whether a file can be written at `path`: for long work, before it begins. Says so of a directory,
 * of a folder that is missing, and of what the system does not permit. */
un_status un_output_check(const char *path);
/* Reads a whole file of at most `limit` bytes; *out is NUL-terminated and
 * released with free(); *length excludes the NUL. */
un_status un_file_read(const char *path, size_t limit, char **out, size_t *length);

/* One line of a stream after the other, with its line feed; text is released with free(). */
typedef struct {
    char *text;
    size_t room;
    ssize_t length; /* -1: there are no more */
} un_line;
/* Tells the end from a failure, lack of memory among them; `name` is said in the sentence. */
un_status un_line_read(FILE *stream, const char *name, un_line *line);

/* A read-only map of a regular file, or a copy of it in memory; an empty file gives data NULL,
 * size 0. */
typedef struct {
    const unsigned char *data;
    size_t size;
    int copy; /* in memory of its own */
    int slot; /* in the list of maps, from 1 */
} un_map;
/* A map costs no memory, but where its file is cut short while it is used, reading ends in SIGBUS.
 * So what unseen.h opens is read with un_map_read; maps are for data sets and features, which only
 * the program opens. The program catches SIGBUS (un_map_at) and says so with un_map_always: from
 * then on un_map_read maps, too. */
un_status un_map_open(un_map *map, const char *path);
un_status un_map_read(un_map *map, const char *path);
void un_map_always(void);
/* The file that is mapped at an address, NULL if none is; may be called by a signal handler. */
const char *un_map_at(const void *address);
void un_map_close(un_map *map);

/* open(2) with O_CLOEXEC, and never on descriptors 0 to 2, where a host that closed them would
 * write its messages into the file. `mode` counts with O_CREAT and O_TMPFILE. */
int un_open(const char *path, int flags, unsigned mode);
/* The same for a descriptor that is open already: it or, where it is 0 to 2, a copy above. */
int un_descriptor_above(int fd);
/* Fails if `path`, of which `held` tells, lies in a folder where everybody may plant files (like
 * /tmp) and belongs to somebody else. */
un_status un_check_owner(const char *path, const struct stat *held);

/* Opens what grows while people look at it, a log: the file itself, or a copy of the descriptor
 * that the path names. *file: it is a file, which can be cut and continued. -1 and errno on
 * failure. */
int un_output_open(const char *path, int *file);
/* Whether `path` is or will be a file that is replaced, which other files may lie beside; not a
 * pipe, a device or an open descriptor, which is written through. */
int un_output_is_file(const char *path);

int un_path_exists(const char *path);
int un_path_is_regular(const char *path); /* a file, links followed */
int un_path_is_directory(const char *path);
/* "a/b" of "a" and "b", released with free(). */
un_status un_path_join(const char *directory, const char *name, char **out);
/* The same for a name from a foreign file, which must not lead out of `root` with "..". */
un_status un_path_below(const char *root, const char *name, char **out);
/* The part after the last '/', trailing slashes ignored; released with free(). */
un_status un_path_base(const char *path, char **out);
/* Everything before the last '/', "." if there is none; released with free(). */
un_status un_path_directory(const char *path, char **out);
/* Where links at the end of `path` lead, which need not exist; released with free(). */
un_status un_path_follow(const char *path, char **out);
/* Syncs a directory so that renames in it survive a crash. */
un_status un_directory_sync(const char *path);
/* UNSEEN_E_IO: something else stands where a directory is to be. */
un_status un_fail_no_folder(const char *path);
/* Makes a directory, one level, for good; one that exists is fine. */
un_status un_directory_make(const char *path);
/* readdir that tells an error from the end, where *entry is NULL; skips "." and "..". */
un_status un_directory_next(DIR *directory, const char *path, struct dirent **entry);
/* Removes a directory and the plain files and directories below it; does not
 * follow links. Missing is fine. */
un_status un_directory_remove(const char *path);

/* printf into fresh memory, released with free(). */
un_status un_format(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The bytes of a regular file, one piece after another, the last one possibly of none; ends with what
 * `take` fails with. */
typedef un_status (*un_piece_function)(const void *bytes, size_t n, void *context);
un_status un_file_pieces(const char *path, un_piece_function take, void *context);

/* Anonymous resident memory of this process in KiB; 0 where the system does not tell. */
size_t un_memory_anonymous_kib(void);

/* ---- one process at a time: a lock on a small file beside what is being made. The kernel
 * drops the lock with the process, so that what a killed one left behind stops nobody. ---- */

typedef struct {
    char *path;
    int fd; /* -1: not held */
} un_lock;

/* Takes the lock on the file `path`, which is made if it is not there; a link there is an error.
 * *taken is 0 if another process holds it. A file system that keeps no locks is no error but a
 * warning: *taken is 1. */
un_status un_lock_take(un_lock *lock, const char *path, int *taken);
/* Removes the file, then drops the lock. Harmless on one that is not held. */
void un_lock_release(un_lock *lock);
/* Drops the lock and leaves the file, which may have been moved. */
void un_lock_drop(un_lock *lock);

/* Nothing is held. */
#define UN_LOCK_NONE                                                                               \
    (un_lock) { .fd = -1 }

typedef enum {
    UN_LOCK_HELD,
    UN_LOCK_BUSY,      /* another process holds it */
    UN_LOCK_IMPOSSIBLE /* the file system keeps none: nobody knows who else writes */
} un_lock_state;

/* Tries to lock a file that is open already, until it is closed. Where that is impossible a warning
 * names `path`; NULL: none. */
un_lock_state un_lock_open_file(int fd, const char *path);

#endif
