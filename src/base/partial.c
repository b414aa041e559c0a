/*
 * partial.c - PATH.partial, which outlives its writer, and which several processes may fill; see
 * file.h.
 *
 * Several machines that write one file over NFS do not see each other's bytes until these are synced
 * and the file is opened again. What would go wrong is a page that two of them write parts of: a
 * machine that has read the page sends it back whole, with what the others' parts were when it read
 * it. Linux reads a page before writing a part of it where the descriptor can read, and sends bytes
 * that were not written only of pages that it has read (fs/nfs/file.c, nfs_want_read_modify_write;
 * fs/nfs/write.c, nfs_can_extend_write); of any other page it keeps from where to where it was
 * written, and sends that. So, while there are several writers:
 *   - nobody has a descriptor in use that can read: rows are written through O_WRONLY;
 *   - pages that rank 0 read before, as it took up rows, are dropped from its memory;
 *   - whoever joins writes nothing but its rows: no header, and neither allocates nor cuts;
 *   - before rank 0 reads what others wrote, they have synced and closed the file, and it drops its
 *     pages and opens the file anew.
 * The lock stays on the descriptor that the file was made with.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Whether the open partial file is the one of its name, and nobody else's: a link that somebody
 * put there would have us write over what it leads to. */
static un_status check_partial(const un_atomic_file *file) {
    struct stat held, named;
    int there = fstat(file->fd, &held) == 0 && lstat(file->temporary, &named) == 0;
    /* Who held the lock may have renamed the file in between. */
    if (!there || held.st_ino != named.st_ino || held.st_dev != named.st_dev)
        return un_fail(UNSEEN_E_ARGUMENT, "another process is writing %s; wait for it", file->path);
    if (!S_ISREG(held.st_mode) || held.st_nlink != 1)
        return un_fail(UNSEEN_E_ARGUMENT,
                       "%s is no file of an earlier run but a link or a device; remove it",
                       file->temporary);
    return un_check_owner(file->temporary, &held);
}

/* `flags`: O_RDWR | O_CREAT, and the lock is taken; or O_WRONLY, and whoever made the file holds it. */
static un_status open_partial(un_atomic_file *file, const char *path, int flags) {
    un_status status = UNSEEN_OK;
    *file = UN_ATOMIC_NONE;
    file->keep = 1;
    UN_GO(un_format(&file->path, "%s", path));
    UN_GO(un_path_follow(path, &file->target));
    UN_GO(un_format(&file->temporary, "%s.partial", file->target));
    file->fd = un_open(file->temporary, flags | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file->fd < 0 && errno == ELOOP)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "%s is a link, which is not followed; remove it",
                      file->temporary));
    if (file->fd < 0) UN_GO(un_fail_errno(errno, "cannot write %s", file->temporary));
    if ((flags & O_CREAT) && un_lock_open_file(file->fd, file->temporary) == UN_LOCK_BUSY)
        UN_GO(un_fail(UNSEEN_E_ARGUMENT, "another process is writing %s; wait for it", path));
    UN_GO(check_partial(file));
done:
    if (status) un_atomic_abort(file);
    return status;
}

un_status un_atomic_open_partial(un_atomic_file *file, const char *path) {
    return open_partial(file, path, O_RDWR | O_CREAT);
}

un_status un_atomic_join_partial(un_atomic_file *file, const char *path) {
    return open_partial(file, path, O_WRONLY);
}

/* Goes on through a new descriptor, and without what is known of the file in memory. */
static un_status change_descriptor(un_atomic_file *file, int flags) {
    UN_TRY(un_atomic_sync(file));
    (void)posix_fadvise(file->fd, 0, 0, POSIX_FADV_DONTNEED);
    int fd = un_open(file->temporary, flags | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0) return un_fail_errno(errno, "cannot write %s", file->temporary);
    if (file->held < 0)
        file->held = file->fd;
    else
        close(file->fd); /* nothing is left for it to tell: all is synced */
    file->fd = fd;
    return check_partial(file);
}

un_status un_atomic_share(un_atomic_file *file) { return change_descriptor(file, O_WRONLY); }

un_status un_atomic_regain(un_atomic_file *file) {
    return file->held < 0 ? UNSEEN_OK : change_descriptor(file, O_RDWR);
}
