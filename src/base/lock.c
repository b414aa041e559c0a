/* lock.c - see lock.h. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { TRIES = 100 };

/* Whether the file that is locked is still the one at its path: its holder may have removed it
 * between our opening and our locking it. */
static int still_there(const un_lock *lock) {
    struct stat held, named;
    return fstat(lock->fd, &held) == 0 && lstat(lock->path, &named) == 0 &&
           held.st_ino == named.st_ino && held.st_dev == named.st_dev;
}

void un_lock_drop(un_lock *lock) {
    if (lock->fd >= 0) close(lock->fd);
    free(lock->path);
    *lock = UN_LOCK_NONE;
}

void un_lock_open_file(int fd, int *taken) {
    int code = 0;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0 && (code = errno) == EINTR) code = 0;
    *taken = code != EWOULDBLOCK;
}

un_status un_lock_take(un_lock *lock, const char *path, int *taken) {
    *lock = UN_LOCK_NONE;
    *taken = 0;
    UN_TRY(un_format(&lock->path, "%s", path));
    for (int i = 0; i < TRIES; i++) {
        lock->fd = un_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666);
        if (lock->fd < 0) {
            un_status status = un_fail_errno(errno, "cannot write %s", path);
            un_lock_drop(lock);
            return status;
        }
        un_lock_open_file(lock->fd, taken);
        if (*taken && still_there(lock)) return UNSEEN_OK;
        if (!*taken) break;
        *taken = 0;
        close(lock->fd);
        lock->fd = -1;
    }
    un_lock_drop(lock);
    return UNSEEN_OK;
}

void un_lock_release(un_lock *lock) {
    if (lock->fd >= 0) unlink(lock->path);
    un_lock_drop(lock);
}
