/*
 * lock.h - one process at a time: a lock on a small file beside what is being made. The kernel
 * drops the lock with the process, so that what a killed one left behind stops nobody.
 */
#ifndef UN_BASE_LOCK_H
#define UN_BASE_LOCK_H

#include "base/status.h"

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
