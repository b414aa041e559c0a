/* lock.c - see lock.h. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

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

un_lock_state un_lock_open_file(int fd, const char *path) {
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int code = errno;
        if (code == EINTR) continue;
        if (code == EWOULDBLOCK) return UN_LOCK_BUSY;
        char reason[128];
        if (path)
            un_log(UNSEEN_LOG_WARNING,
                   "%s cannot be locked (%s); see to it that no other process writes it", path,
                   strerror_r(code, reason, sizeof reason));
        return UN_LOCK_IMPOSSIBLE;
    }
    return UN_LOCK_HELD;
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
        un_lock_state state = un_lock_open_file(lock->fd, path);
        *taken = state != UN_LOCK_BUSY && still_there(lock);
        if (*taken) return UNSEEN_OK;
        if (state == UN_LOCK_BUSY) break;
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
